"""Dictation: what is typed into the form of the counter is refused field by field, before anything is filed."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from server.domain.places import Gazetteer
from server.services.intake import dictation
from server.services.places import read_list_file, version_in

PLACES = Path(__file__).resolve().parents[3] / "fixtures" / "places" / "mali-2026.1.csv"
TODAY = date(2026, 11, 21)
SOUND = {
    "channel": "phone",
    "danger": "unknown",
    "kind": "COR-RACKET",
    "cercle": "ml-c-gao",
    "level": "C3",
    "name": "Kadidia Exemple",
    "contact_ok": "yes",
    "contact_how": "par sa sœur",
}


@pytest.fixture(scope="module")
def places() -> Gazetteer:
    return read_list_file(PLACES, version_in(PLACES))


def _read(places: Gazetteer | None, **changes: Any) -> dictation.Dictated:
    typed = {name: value for name, value in (SOUND | changes).items() if value is not None}
    fields = {name: value if isinstance(value, list) else [value] for name, value in typed.items()}
    return dictation.read(fields, places, TODAY)


def test_sound_form_has_no_fault(places: Gazetteer) -> None:
    assert _read(places).faults == {}


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"channel": None, "danger": " "}, {"channel": "missing", "danger": "missing"}),
        # What comes by devices comes by another door.
        ({"channel": "volunteer"}, {"channel": "not_listed"}),
        ({"kind": "COR-NONE"}, {"kind": "not_listed"}),
        ({"contact_ok": "unasked", "contact_how": None}, {"contact_ok": "not_listed"}),
        ({"bodies": ["pnef", "nobody"]}, {"bodies": "not_listed"}),
        ({"accused": ["police", "army"]}, {"accused": "not_listed"}),
        ({"accused": ["police", "customs", "judiciary", "teacher", "employer", "other"]}, {"accused": "too_many"}),
        ({"asked_xof": "beaucoup"}, {"asked_xof": "not_a_number"}),
        ({"count_1": "-3"}, {"count_1": "not_a_number"}),
        ({"count_1": "1000001"}, {"count_1": "not_a_number"}),
        ({"first": "2026-11-22", "precision": "day"}, {"first": "in_future"}),
        ({"first": "2026-02-30", "precision": "day"}, {"first": "no_day"}),
        ({"told_on": "demain"}, {"told_on": "no_day"}),
        ({"first": "2026-11-10", "last": "2026-11-09", "precision": "day"}, {"last": "before_first"}),
        ({"first": "2026-11-10"}, {"precision": "missing"}),
        ({"precision": "week"}, {"first": "missing"}),
        ({"cercle": "ml-c-nowhere"}, {"cercle": "not_listed"}),
        ({"place": "ml-k-konna"}, {"place": "elsewhere"}),
        ({"level": "C2"}, {"name": "name_not_asked"}),
        ({"level": "C1", "name": None, "phone": "+223 00 00 00 01"}, {"phone": "name_not_asked"}),
        ({"level": "C4", "name": "  "}, {"name": "name_needed"}),
        ({"contact_ok": "never"}, {"contact_ok": "contact_unwanted"}),
        ({"contact_how": None}, {"contact_how": "how_needed"}),
        ({"name": "x" * 201}, {"name": "too_long"}),
    ],
)
def test_each_wrong_answer_is_named(places: Gazetteer, changes: dict[str, Any], faults: dict[str, str]) -> None:
    assert _read(places, **changes).faults == faults


def test_no_place_is_listed_before_the_first_list(places: Gazetteer) -> None:
    assert _read(None).faults == {"cercle": "not_listed"}
    assert _read(None, cercle=None, place_said="au bord du fleuve").answers.place_said == "au bord du fleuve"


@pytest.mark.parametrize(
    ("precision", "first", "last"),
    [
        ("day", "2026-10-14", None),
        ("estimate", "2026-10-14", None),
        ("week", "2026-10-12", "2026-10-18"),
        ("month", "2026-10-01", "2026-10-31"),
        ("year", "2026-01-01", "2026-12-31"),
    ],
)
def test_day_is_as_wide_as_it_is_certain(
    places: Gazetteer, precision: str, first: str, last: str | None
) -> None:
    answers = _read(places, precision=precision, first="2026-10-14").answers
    assert (answers.incident_from, answers.incident_to, answers.incident_precision) == (first, last, precision)


def test_who_only_tells_of_it_is_no_victim(places: Gazetteer) -> None:
    answers = _read(places, speaker="no", count_1="2", sex_1="f").answers
    assert [each.roles for each in answers.persons] == [("victim",), ("complainant",)]
    assert answers.relation is None


def test_without_consent_nothing_is_said_of_how_it_was_given(places: Gazetteer) -> None:
    consent = _read(places, level="C0", name=None, given_by="self", read_aloud="yes", bodies=["pnef"]).answers.consent
    assert (consent.level, consent.given_by, consent.read_aloud) == ("C0", None, None)
    assert (consent.bodies, consent.on) == ((), None)
