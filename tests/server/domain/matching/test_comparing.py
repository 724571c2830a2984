"""Comparison: what a coordinator would call the same, nearly the same or another value."""

import unicodedata
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.matching.comparing import compare, prepare
from server.domain.matching.levels import Level
from server.domain.matching.records import Kind

MISSING, DIFFERS, FAINT, CLOSE, NEAR, EQUAL = Level


def level(kind: Kind, ours: str, theirs: str) -> Level:
    """One value of each side, which must agree as far the other way round."""
    a, b = [prepare(kind, ours)], [prepare(kind, theirs)]
    assert compare(kind, a, b) is compare(kind, b, a)
    return compare(kind, a, b)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("Mamadou Traoré", "TRAORE Mamadou", EQUAL),
        ("El Hadj Mamadou Traoré", "M. Mamadou Traoré", EQUAL),
        ("N'Golo Konaté", "n’golo Konate", EQUAL),
        ("Diarra Fatoumata", "Fatumata Jara", NEAR),
        ("Ɲɛnɛba Jara", "Niénéba Diarra", NEAR),
        ("Cheick Oumar Sissoko", "Cissoko Sheikh Umar", NEAR),
        ("Abdoul Karim Maïga", "Mayga Abdoulkarim", NEAR),
        ("Mamadou Traoré", "Mahamadou Trawore", NEAR),
        ("Kalilou Sogodogo", "Kaliluo Sogodogo", NEAR),
        ("Zanga Mounkoro", "Zanga Monukoro", NEAR),
        ("Awa Keïta", "Mme Awa Keïta épouse Touré", NEAR),
        ("Mamadou Traoré", "Traoré M.", CLOSE),
        ("Mamadou Traoré", "M. Traoré", CLOSE),
        ("M. Traoré", "M. Traoré", CLOSE),
        ("Usmane Keïta", "Keïta O.", CLOSE),
        ("C. Sidibé", "Sheikh Sidibé", CLOSE),
        ("Mamadou B. Traoré", "Traoré Mamadou B.", EQUAL),
        ("Mamadou Traoré", "Mohamed Traoré", CLOSE),
        ("Fatoumata Diarra", "Fanta Diarra", CLOSE),
        ("Mamadou Tarawele", "Mamadou Traoré", CLOSE),
        ("Coulibaly", "Kulibali", CLOSE),
        ("Coulibaly", "Coulibaly", CLOSE),
        ("Moussa Traoré", "Issa Traoré", FAINT),
        ("Mamadou Traoré", "Amadou Traoré", FAINT),
        ("Oumou Sow", "Oumar Sow", FAINT),
        ("Moussa Issa Traoré", "Moussa Salif Traoré", FAINT),
        ("Traoré", "Mamadou Traoré", FAINT),
        ("Traoré", "Tarawele", FAINT),
        ("Issa Traoré", "M. Traoré", FAINT),
        ("Mamadou Traoré", "Awa Cissé", DIFFERS),
        ("Mamadou Traoré", "Fatoumata Diarra", DIFFERS),
        ("Mamadou Traoré", "le maire", MISSING),
    ],
)
def test_names_of_people_agree_in_any_order_and_spelling(ours: str, theirs: str, expected: Level) -> None:
    assert level(Kind.PERSON, ours, theirs) is expected


@pytest.mark.parametrize("order", list(permutations(("Sidi", "Oumar", "Kouyaté"))))
def test_order_of_the_parts_of_a_name_does_not_matter(order: tuple[str, ...]) -> None:
    assert level(Kind.PERSON, " ".join(order), "Sidi Oumar Kouyaté") is EQUAL
    assert level(Kind.PERSON, " ".join(order), "Kuyate Umar Sidi") is NEAR
    assert level(Kind.PERSON, " ".join(order), "S. O. Kouyaté") is CLOSE


def test_one_part_of_a_name_is_not_counted_twice() -> None:
    assert level(Kind.PERSON, "Diallo Diallo", "Diallo Awa") is FAINT


@pytest.mark.parametrize(
    ("kind", "ours", "theirs", "expected"),
    [
        (Kind.WORDS, "12, rue du Marché", "12 RUE DU MARCHE", EQUAL),
        (Kind.WORDS, "rue du marché 12", "12 rue du marche", NEAR),
        (Kind.WORDS, "forbes street", "frobes street", NEAR),
        (Kind.WORDS, "forbes street", "forbes sterrt north", CLOSE),
        (Kind.WORDS, "forbes street", "king avenue", DIFFERS),
        (Kind.WORDS, "forbes street", "…", MISSING),
        (Kind.CODE, "ML-0101", "ml0101", EQUAL),
        (Kind.CODE, "4510", "4501", NEAR),
        (Kind.CODE, "4510", "4523", CLOSE),
        (Kind.CODE, "nsw", "nse", NEAR),
        (Kind.CODE, "vic", "qld", DIFFERS),
        (Kind.CODE, "sa", "wa", DIFFERS),
        (Kind.BIRTH, "19800305", "1980-03-05", EQUAL),
        (Kind.BIRTH, "19800305", "19800306", NEAR),
        (Kind.BIRTH, "19800305", "19800503", NEAR),
        (Kind.BIRTH, "19800305", "19801205", CLOSE),
        (Kind.BIRTH, "19800305", "19801122", FAINT),
        (Kind.BIRTH, "1980", "19800305", FAINT),
        (Kind.BIRTH, "1980", "1980", FAINT),
        (Kind.BIRTH, "19800305", "19911122", DIFFERS),
        (Kind.BIRTH, "19800305", "unknown", MISSING),
        (Kind.PHONE, "+223 00 12 34 56", "00123456", EQUAL),
        (Kind.PHONE, "+223 00 12 34 56", "00 12 34 65", NEAR),
        (Kind.PHONE, "+223 00 12 34 56", "00 98 76 54", DIFFERS),
        (Kind.PHONE, "+223 00 12 34 56", "17", MISSING),
    ],
)
def test_words_codes_births_and_phones_agree_by_their_slips(
    kind: Kind, ours: str, theirs: str, expected: Level
) -> None:
    assert level(kind, ours, theirs) is expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("Ségou/Bla/Falo/Dougouni", "segou/BLA/Falo/Duguni", EQUAL),
        ("Ségou/Bla/Falo/Dougouni", "Ségou/Bla/Falo/Dougouniba", NEAR),
        ("Ségou/Bla/Falo/Dougouni", "Ségou/Bla/Falo/Tiby", CLOSE),
        ("Ségou/Bla/Falo/Dougouni", "Ségou/Bla/Falo", CLOSE),
        ("Ségou/Bla/Falo/Dougouni", "Ségou/Bla/Touna/Tiby", FAINT),
        ("Ségou/Bla/Falo/Dougouni", "Mopti/Bla/Falo/Dougouni", DIFFERS),
        ("Duguni", "Ségou/Bla/Falo/Dougouni", NEAR),
        ("Falo", "Ségou/Bla/Falo/Dougouni", CLOSE),
        ("Ségou", "Ségou/Bla/Falo/Dougouni", DIFFERS),
        ("Niéna", "Ɲɛna", EQUAL),
        ("Niéna", "Kignan", DIFFERS),
        ("Niéna", "/", MISSING),
    ],
)
def test_places_agree_from_the_region_down_and_by_sound(ours: str, theirs: str, expected: Level) -> None:
    assert level(Kind.PLACE, ours, theirs) is expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("2026-03-14", "2026-03-14..2026-03-14", EQUAL),
        ("2026-03-14", "2026-03-14..2026-03-15", EQUAL),
        ("2026-03-14", "2026-03-16", NEAR),
        ("2026-03-09..2026-03-15", "2026-03-14", NEAR),
        ("2026-03-14", "2026-03-21", CLOSE),
        ("2026-03-01..2026-03-31", "2026-03-14", CLOSE),
        ("2026-03-14", "2026-04-10", FAINT),
        ("2026-03-01..2026-03-31", "2026-04-01..2026-04-30", FAINT),
        ("2026-01-01..2026-12-31", "2026-01-01..2026-12-31", FAINT),
        ("2026-01-01..2026-12-31", "2027-01-01", DIFFERS),
        ("2026-03-14", "2026-06-14", DIFFERS),
        ("2026-03-14", "in March", MISSING),
    ],
)
def test_days_agree_by_distance_and_precision(ours: str, theirs: str, expected: Level) -> None:
    assert level(Kind.WHEN, ours, theirs) is expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        # A thousandth of a degree of latitude is 111 metres.
        ("12.65,-8.0", "12.6501,-8.0", EQUAL),
        ("12.65,-8.0", "12.6505,-8.0", NEAR),
        ("12.65,-8.0", "12.652,-8.0", CLOSE),
        ("12.65,-8.0", "12.655,-8.0", FAINT),
        ("12.65,-8.0", "12.66,-8.0", DIFFERS),
        ("12.65,179.9999", "12.65,-179.9999", NEAR),
        ("12.65,-8.0", "91,0", MISSING),
        ("12.65,-8.0", "nan,0", MISSING),
        ("12.65,-8.0", "Bamako", MISSING),
    ],
)
def test_points_agree_by_metres(ours: str, theirs: str, expected: Level) -> None:
    assert level(Kind.POINT, ours, theirs) is expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("25 000 FCFA", "25.000", EQUAL),
        ("25\u202f000", "25,000 F", EQUAL),
        ("12,5", "12.50", EQUAL),
        ("25000", "24000", NEAR),
        ("25000", "20000", CLOSE),
        ("25000", "15000", FAINT),
        ("25000", "5000", FAINT),
        ("25000", "250000", FAINT),
        ("25000", "4000", DIFFERS),
        ("25000", "0", MISSING),
        ("25000", "1.2.3", MISSING),
        ("25000", "9" * 400, MISSING),
    ],
)
def test_sums_agree_by_ratio_by_fives_and_by_a_zero_too_many(ours: str, theirs: str, expected: Level) -> None:
    assert level(Kind.AMOUNT, ours, theirs) is expected


def test_stories_agree_by_the_words_they_share() -> None:
    told = "=bribe =police gourma barrie =motorbike kone"
    assert level(Kind.STORY, told, "kone =motorbike barrie gourma =police =bribe") is EQUAL
    # Twice the shared of all: 4 of 10, 4 of 16, 2 of 11, 2 of 16, 2 of 26.
    assert level(Kind.STORY, told, "=police gourma =car =money") is EQUAL
    assert level(Kind.STORY, told, "=police gourma a b c d e f g h") is NEAR
    assert level(Kind.STORY, told, "=police =field =chief =land =judge") is CLOSE
    assert level(Kind.STORY, told, "=police a b c d e f g h i") is FAINT
    assert level(Kind.STORY, told, "=police a b c d e f g h i j k l m n o p q r s") is DIFFERS
    assert level(Kind.STORY, told, "") is MISSING


def test_best_pair_of_values_counts() -> None:
    ours = [prepare(Kind.PERSON, name) for name in ("", "Awa Cissé", "Moussa Traoré")]
    theirs = [prepare(Kind.PERSON, name) for name in ("Traoré Musa", "Oumar Diallo")]
    assert compare(Kind.PERSON, ours, theirs) is NEAR
    assert compare(Kind.PERSON, ours, ()) is compare(Kind.PERSON, ours[:1], theirs) is MISSING


PARTS = "Awa Hawa Traoré Tarawele Mamadou Amadou Mohamed A. Zanga Zenga kone Koné N'Golo".split()
NAME = st.lists(st.sampled_from(PARTS))
VALUE = st.one_of(
    st.text(max_size=40),
    NAME.map(" ".join),
    NAME.map("/".join),
    st.from_regex(r"[0-9]{4,9}", fullmatch=True),
    st.dates().map(str),
    st.tuples(st.dates(), st.dates()).map(lambda days: f"{days[0]}..{days[1]}"),
    st.tuples(st.floats(), st.floats()).map(lambda at: f"{at[0]},{at[1]}"),
    st.floats().map(str),
)


@given(st.sampled_from(Kind), st.lists(VALUE, max_size=3), st.lists(VALUE, max_size=3))
def test_any_text_is_compared_and_either_way_alike(kind: Kind, ours: list[str], theirs: list[str]) -> None:
    a, b = ([prepare(kind, value) for value in values] for values in (ours, theirs))
    agreed = compare(kind, a, b)
    assert agreed is compare(kind, b, a) is compare(kind, a[::-1], b[::-1])
    both = any(not each.is_blank for each in a) and any(not each.is_blank for each in b)
    assert (agreed is not MISSING) is both


@given(st.sampled_from(Kind), VALUE)
def test_a_value_agrees_with_itself_composed_or_not(kind: Kind, value: str) -> None:
    one, other = prepare(kind, unicodedata.normalize("NFC", value)), prepare(kind, unicodedata.normalize("NFD", value))
    assert one == other
    assert compare(kind, [one], [other]) is (MISSING if one.is_blank else compare(kind, [one], [one]))
    assert one.is_blank or compare(kind, [one], [one]) >= FAINT


@given(NAME, NAME, st.randoms())
def test_names_agree_alike_in_any_order(ours: list[str], theirs: list[str], random: Random) -> None:
    before = level(Kind.PERSON, " ".join(["Sira", *ours]), " ".join(["Sira", *theirs]))
    mixed = ["Sira", *ours]
    random.shuffle(mixed)
    assert level(Kind.PERSON, " ".join(mixed), " ".join(["Sira", *theirs])) is before
