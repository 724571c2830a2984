"""Veils: they agree as the values do, and tell nothing to who has not the pepper."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.matching.comparing import compare, prepare
from server.domain.matching.levels import FieldName, Level
from server.domain.matching.records import Kind
from server.domain.matching.veiling import SCHEME, VEILED, Veil, compare_veils, pack, unpack, veil

MISSING, DIFFERS, FAINT, CLOSE, NEAR, EQUAL = Level
PEPPER = bytes(range(32))
OTHER_PEPPER = bytes(range(1, 33))
VEILED_KINDS = sorted(VEILED)

PEOPLE = [
    f"{given} {family}"
    for given in ("Mamadou", "Mahamadou", "Amadou", "Moussa", "Fatoumata", "Fanta", "Kalilou", "Kaliluo", "Zanga")
    for family in ("Traoré", "Tarawele", "Diarra", "Jara", "Sogodogo", "Sogodgo", "Coulibaly")
]


def veiled(kind: Kind, value: str, pepper: bytes = PEPPER) -> Veil:
    return veil(kind, prepare(kind, value), pepper)


def level(kind: Kind, ours: str, theirs: str) -> Level:
    return compare_veils(kind, [veiled(kind, ours)], [veiled(kind, theirs)])


@pytest.mark.parametrize(
    ("kind", "ours", "theirs", "expected"),
    [
        (Kind.PERSON, "Mamadou Traoré", "TRAORE Mamadou", EQUAL),
        (Kind.PERSON, "Ɲɛnɛba Jara", "Niénéba Diarra", NEAR),
        (Kind.PERSON, "Awa Keïta", "Mme Hawa Keïta épouse Touré", NEAR),
        (Kind.PERSON, "Kalilou Sogodogo", "Kalilou Sogodgo", NEAR),
        (Kind.PERSON, "Mamadou Traoré", "Mohamed Tarawele", CLOSE),
        (Kind.PERSON, "Mamadou Traoré", "Amadou Traoré", FAINT),
        (Kind.PERSON, "Moussa Traoré", "Issa Traoré", FAINT),
        (Kind.PERSON, "Mamadou Traoré", "Seydou Konaté", DIFFERS),
        (Kind.PERSON, "Traoré", "Traoré", MISSING),
        (Kind.WORDS, "12, rue du Marché", "12 RUE DU MARCHE", EQUAL),
        (Kind.WORDS, "sturdee crescent", "sturdee cresscent", NEAR),
        (Kind.WORDS, "forbes street", "king avenue", DIFFERS),
        (Kind.PLACE, "Ségou/Bla/Falo/Dougouni", "segou/bla/falo/Duguni", EQUAL),
        (Kind.PLACE, "Ségou/Bla/Falo/Dougouniba", "Ségou/Bla/Falo/Dougounina", NEAR),
        (Kind.PLACE, "Ségou/Bla/Falo/Dougouni", "Ségou/Bla/Falo/Tiby", CLOSE),
        (Kind.PLACE, "Ségou/Bla/Falo/Dougouni", "Ségou/Bla/Touna/Dougouni", DIFFERS),
        (Kind.PLACE, "Duguni", "Ségou/Bla/Falo/Dougouni", NEAR),
        (Kind.CODE, "4510", "4510", EQUAL),
        (Kind.CODE, "4510", "4501", NEAR),
        (Kind.CODE, "4510", "4540", NEAR),
        (Kind.CODE, "4510", "45100", NEAR),
        (Kind.CODE, "sa", "wa", DIFFERS),
        (Kind.BIRTH, "19800305", "1980-03-05", EQUAL),
        (Kind.BIRTH, "19800305", "19800306", NEAR),
        (Kind.BIRTH, "19800305", "19800503", NEAR),
        (Kind.BIRTH, "19800305", "19801205", CLOSE),
        (Kind.BIRTH, "19800305", "19911122", DIFFERS),
        (Kind.BIRTH, "1980", "1980", MISSING),
        (Kind.PHONE, "+223 00 12 34 56", "00123456", EQUAL),
        (Kind.PHONE, "+223 00 12 34 56", "00 12 43 56", NEAR),
        (Kind.PHONE, "+223 00 12 34 56", "00 98 76 54", DIFFERS),
        (Kind.STORY, "=bribe =police gourma barrie kone", "kone barrie gourma =police =bribe", EQUAL),
        (Kind.STORY, "=bribe =police gourma barrie kone", "=field =chief land =judge ouolof", DIFFERS),
    ],
)
def test_veils_agree_as_the_values_do(kind: Kind, ours: str, theirs: str, expected: Level) -> None:
    assert level(kind, ours, theirs) is level(kind, theirs, ours) is expected


def test_veils_of_names_seldom_lead_to_another_level_than_the_names() -> None:
    apart = Counter(
        abs(compare(Kind.PERSON, [prepare(Kind.PERSON, a)], [prepare(Kind.PERSON, b)]) - level(Kind.PERSON, a, b))
        for a, b in combinations(PEOPLE, 2)
    )
    assert apart[0] / apart.total() >= 0.80
    assert (apart[0] + apart[1]) / apart.total() >= 0.99


@pytest.mark.parametrize(("shared", "expected"), [(32, EQUAL), (17, NEAR), (11, CLOSE), (7, FAINT), (1, DIFFERS)])
def test_veils_of_stories_tell_the_share_of_words_in_common(shared: int, expected: Level) -> None:
    """Of 64 words each; by more than half of the peppers, as a sketch is a sample."""
    words = [f"word{number}" for number in range(128)]
    ours, theirs = " ".join(words[:64]), " ".join(words[64 - shared : 128 - shared])
    peppers = [bytes([number] * 32) for number in range(25)]
    told = Counter(
        compare_veils(Kind.STORY, [veiled(Kind.STORY, ours, pepper)], [veiled(Kind.STORY, theirs, pepper)])
        for pepper in peppers
    )
    assert told[expected] > 12


@pytest.mark.parametrize("kind", [Kind.WHEN, Kind.POINT, Kind.AMOUNT])
def test_facts_are_not_veiled(kind: Kind) -> None:
    with pytest.raises(ValueError, match=kind):
        veil(kind, prepare(kind, ""), PEPPER)


@pytest.mark.parametrize("name", ["Traoré", "Mme Traoré", "M. TRAORÉ", "Traoré O. B.", "le maire Traoré"])
def test_one_part_of_a_name_gets_no_veil(name: str) -> None:
    assert veiled(Kind.PERSON, name).is_blank


def test_people_who_share_one_part_of_a_name_share_no_hash() -> None:
    one, other = veiled(Kind.PERSON, "Moussa Traoré"), veiled(Kind.PERSON, "Zanga Traoré")
    assert not ({one.whole} | one.near | one.close) & ({other.whole} | other.near | other.close)


def test_two_peppers_share_nothing() -> None:
    texts = {
        Kind.PERSON: "Mamadou Moussa Traoré", Kind.PLACE: "Ségou/Bla/Falo/Dougouni", Kind.BIRTH: "19800305",
        Kind.PHONE: "+223 00 12 34 56", Kind.CODE: "ml0101", Kind.WORDS: "12 rue du marché",
        Kind.STORY: "=bribe =police gourma barrie kone sikass bamako",
    }  # fmt: skip
    assert texts.keys() == VEILED
    for kind, text in texts.items():
        ours, theirs = veiled(kind, text), veiled(kind, text, OTHER_PEPPER)
        assert not ({ours.whole} | ours.near | ours.close) & ({theirs.whole} | theirs.near | theirs.close)
        assert compare_veils(kind, [ours], [theirs]) <= FAINT


def test_a_value_is_veiled_apart_for_each_kind() -> None:
    assert veiled(Kind.CODE, "00123456").whole != veiled(Kind.PHONE, "00123456").whole
    assert not veiled(Kind.CODE, "00123456").near & veiled(Kind.PHONE, "00123456").near


def test_rarity_and_commonness_of_a_full_name_stay_known() -> None:
    assert (veiled(Kind.PERSON, "Mamadou Traoré").rarity, veiled(Kind.PERSON, "Mamadou Traoré").is_common) == (0, True)
    assert (veiled(Kind.PERSON, "Zanga Bere").rarity, veiled(Kind.PERSON, "Zanga Bere").is_common) == (6, False)


def complaint() -> dict[FieldName, list[Veil]]:
    words = " ".join(f"word{number}" for number in range(64))
    names = ["Mamadou Traoré", "Awa Keïta", "Moussa Salif Diarra", "Zanga Bere", "le maire", "Oumar Sangaré"]
    return {
        FieldName("people"): [veiled(Kind.PERSON, name) for name in names],
        FieldName("phones"): [veiled(Kind.PHONE, "+223 00 12 34 56"), veiled(Kind.PHONE, "+223 00 98 76 54")],
        FieldName("place"): [veiled(Kind.PLACE, "Ségou/Bla/Falo/Dougouni")],
        FieldName("story"): [veiled(Kind.STORY, words)],
        FieldName("accused"): [],
    }


def test_what_is_packed_unpacks_and_is_small() -> None:
    fields = complaint()
    packed = pack(fields)
    said = {name: tuple(each for each in veils if not each.is_blank) for name, veils in fields.items()}
    assert unpack(packed) == said
    assert len(packed) <= 600
    assert packed[0] == SCHEME


def test_bytes_of_another_scheme_or_cut_bytes_do_not_unpack() -> None:
    packed = pack(complaint())
    for foreign in (b"", bytes([SCHEME + 1]) + packed[1:], packed[:-1], packed + b"\x01"):
        with pytest.raises(ValueError):  # noqa: PT011 -- no message is promised
            unpack(foreign)


@given(st.sampled_from(VEILED_KINDS), st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_veiled_and_either_way_alike(kind: Kind, ours: str, theirs: str) -> None:
    a, b = veiled(kind, ours), veiled(kind, theirs)
    agreed = compare_veils(kind, [a], [b])
    assert agreed is compare_veils(kind, [b], [a])
    assert (agreed is MISSING) is (a.is_blank or b.is_blank)
    assert a.is_blank or compare_veils(kind, [a], [a]) is EQUAL
    assert not prepare(kind, ours).is_blank or a.is_blank
    assert unpack(pack({FieldName("field"): [a, b]})) == {"field": tuple(each for each in (a, b) if not each.is_blank)}
