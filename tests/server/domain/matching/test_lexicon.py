"""Lexicon: what two texts have in common, by how rare their words are in a store."""

import pytest

from server.domain.matching.levels import Level
from server.domain.matching.lexicon import Bag, Common, Lexicon, numbers_of, words_of

# Words of which a shop is full, beside the one that names the thing.
_SHOP = [f"panasonic corded phone white {number}" for number in range(300)]


@pytest.fixture
def shop() -> Lexicon:
    lexicon = Lexicon()
    for text in _SHOP:
        lexicon.count(words_of(text))
    return lexicon


def common(lexicon: Lexicon, one: str, other: str) -> Common:
    ours, theirs = lexicon.count(words_of(one)), lexicon.count(words_of(other))
    agreed = lexicon.common(ours, theirs)
    assert agreed == lexicon.common(theirs, ours)
    return agreed


def test_a_rare_word_tells_more_than_many_common_ones(shop: Lexicon) -> None:
    rare = common(shop, "panasonic telephone KXTS108W", "KXTS108W set")
    frequent = common(shop, "panasonic corded phone white kettle", "panasonic corded phone white toaster")
    assert rare.rarity > frequent.rarity
    assert rare.level > frequent.level


def test_the_same_words_in_another_order_are_equal(shop: Lexicon) -> None:
    assert common(shop, "sony turntable pslx350h", "pslx350h sony turntable").level is Level.EQUAL


def test_a_code_that_signs_divide_is_one_word_as_well(shop: Lexicon) -> None:
    assert words_of("KX-TS108W, 2.5 mm") == {"kx", "ts108w", "kxts108w", "2", "5", "25", "mm"}
    assert numbers_of("KX-TS108W, 2.5 mm") == {"ts108w", "kxts108w", "2", "5", "25"}
    assert common(shop, "phone KX-TS108W", "KXTS108W white").level > Level.DIFFERS


def test_codes_that_differ_in_one_sign_are_not_one_misspelt(shop: Lexicon) -> None:
    assert common(shop, "turntable", "turntible").level > Level.DIFFERS
    assert common(shop, "cli8mx", "cli8cx").level is Level.DIFFERS


def test_a_code_cut_short_tells_nearly_as_much(shop: Lexicon) -> None:
    whole, cut = common(shop, "mount pm1327bk", "mount pm1327bk"), common(shop, "mount vm1400bk", "mount vm1400")
    assert Level.DIFFERS < cut.level <= whole.level
    assert 0 < cut.rarity < whole.rarity


def test_a_text_without_words_is_missing(shop: Lexicon) -> None:
    assert common(shop, "…", "sony").level is Level.MISSING
    assert Lexicon().common(Bag(frozenset(), 0.0, ()), Bag(frozenset(), 0.0, ())) == (Level.MISSING, 0.0)
