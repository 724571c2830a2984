"""Blocking keys: what two records that mean the same still share, and what nobody learns from a key."""

import pytest

from server.domain.matching.keys import (
    CANDIDATES_MOST,
    KEYS_MOST,
    POSTINGS_MOST,
    TELLING_MUCH,
    blocking_keys,
    rank,
)
from server.domain.matching.levels import FieldName
from server.domain.matching.records import Form, Kind, Record

NAME, ROAD, TOWN = FieldName("name"), FieldName("road"), FieldName("town")
BORN, DAY, SPOT, STORY = FieldName("born"), FieldName("day"), FieldName("spot"), FieldName("story")
FORM = Form(
    "try",
    {
        NAME: Kind.PERSON,
        ROAD: Kind.WORDS,
        TOWN: Kind.CODE,
        BORN: Kind.BIRTH,
        DAY: Kind.WHEN,
        SPOT: Kind.POINT,
        STORY: Kind.STORY,
    },
)
PEPPER = bytes(32)


def keys(pepper: bytes = PEPPER, **values: str) -> set[int]:
    record: Record = {FieldName(field): (value,) for field, value in values.items()}
    return set(blocking_keys(record, FORM, pepper))


def test_keys_are_of_63_bits() -> None:
    found = keys(name="Awa Traoré", town="8101")
    assert found
    assert all(0 <= key < 2**63 for key in found)


def test_a_single_name_or_code_or_day_gives_no_key() -> None:
    assert keys(name="Awa") == keys(name="Traoré") == keys(town="8101") == keys(born="19900412") == set()


def test_a_name_and_how_it_begins_are_one_fact() -> None:
    # `Traoré` sounds some way and begins some way; only with `Awa` are there two.
    assert keys(name="Traoré") == set()
    assert keys(name="Awa Traoré") != set()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"name": "Awa Traoré"}, {"name": "TRAORE Awa"}),
        ({"name": "Fatoumata Diarra"}, {"name": "Fatumata Jara"}),
        ({"name": "Awa Traoré", "town": "8101"}, {"name": "Awa Koné", "town": "8101"}),
        ({"name": "Awa", "born": "19900412"}, {"name": "Awa", "born": "19900512"}),
        ({"road": "12 rue du Fleuve"}, {"road": "rue fleuv, 12"}),
        ({"town": "8101", "day": "2026-03-28..2026-03-28"}, {"town": "8101", "day": "2026-04-03..2026-04-03"}),
        ({"town": "8101", "spot": "12.64999,-8.00001"}, {"town": "8101", "spot": "12.65001,-7.99999"}),
    ],
)
def test_two_that_mean_the_same_share_a_key(ours: dict[str, str], theirs: dict[str, str]) -> None:
    assert keys(**ours) & keys(**theirs)


def test_order_of_fields_and_values_does_not_matter() -> None:
    one: Record = {NAME: ("Awa Traoré", "Issa Koné"), TOWN: ("8101",)}
    other: Record = {TOWN: ("8101",), NAME: ("Koné Issa", "Traoré Awa")}
    assert blocking_keys(one, FORM, PEPPER) == blocking_keys(other, FORM, PEPPER)


def test_another_pepper_gives_other_keys() -> None:
    assert not keys(name="Awa Traoré") & keys(b"x" * 32, name="Awa Traoré")


def test_the_same_word_in_two_fields_is_not_the_same_fact() -> None:
    assert not keys(road="kayes", town="12") & keys(story="kayes", town="12")


def test_of_many_words_two_records_keep_the_same_keys() -> None:
    words = [f"mot{number:02}" for number in range(16)]
    ours = keys(name="Awa Traoré", road=" ".join(words), story=" ".join(words), town="8101")
    theirs = keys(name="Awa Traoré", road=" ".join(reversed(words)), story=" ".join(words), town="8101")
    assert ours == theirs
    assert len(ours) == KEYS_MOST


def test_who_shares_rare_keys_comes_first() -> None:
    hot = range(1, POSTINGS_MOST + 1)
    assert list(rank([hot, hot, [7], [7, 9]], most=3, least=0.0)) == [7, 9, 100]


def test_one_rare_key_outweighs_several_that_everybody_shares() -> None:
    hot = range(1, POSTINGS_MOST + 1)
    assert list(rank([hot, hot, hot, [200]], most=1)) == [200]


def test_full_postings_still_prefer_who_is_in_most_of_them() -> None:
    assert list(rank([range(1, 101), range(51, 151), [], range(51, 151)], most=1, least=0.0)) == [100]


def test_of_equals_the_newer_comes_first_and_no_more_than_asked() -> None:
    assert list(rank([range(100)], least=0.0)) == list(range(99, 99 - CANDIDATES_MOST, -1))
    assert list(rank([])) == []


@pytest.mark.parametrize(
    ("postings", "is_compared"),
    [
        ([range(5)], True),
        ([range(6)], False),
        ([range(10), range(10)], True),
        ([range(11), range(11)], False),
        ([range(POSTINGS_MOST)] * KEYS_MOST, False),
    ],
)
def test_who_shares_little_that_is_rare_is_not_compared(postings: list[range], is_compared: bool) -> None:
    assert bool(rank(postings)) == is_compared


@pytest.mark.parametrize(
    ("postings", "is_much"),
    [([range(2)], True), ([range(3)], False), ([range(5), range(5)], True), ([range(6), range(6)], False)],
)
def test_what_tells_much_is_one_key_that_two_have_or_two_that_five_have(postings: list[range], is_much: bool) -> None:
    assert (rank(postings, least=0.0)[0] >= TELLING_MUCH) == is_much


def test_many_of_one_source_do_not_make_a_key_tell_little() -> None:
    """A record of another source and eighty of one."""
    source_of = {0: 1} | dict.fromkeys(range(1, 81), 2)
    assert list(rank([range(81)])) == []
    assert 0 in rank([range(81)], source_of=source_of)


def test_many_of_one_source_do_not_fill_the_list() -> None:
    """Forty of one source that share more than the one of another."""
    source_of = {0: 1} | dict.fromkeys(range(1, 41), 2)
    found = rank([range(1, 41), range(1, 41), range(41)], source_of=source_of)
    assert list(found) == [*range(40, 32, -1), 0]
