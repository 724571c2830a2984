"""Steps: what comes down as codes is said in words, here and in the three languages."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from client_sync.protocol.steps import _WORDS, FILE_NUMBER, Expected, Said, between, full_day, read, words, write
from client_sync.protocol.vocabulary import LANGUAGES
from server.domain import packages
from server.domain.calendar import MALI
from server.domain.casework import CASEWORK
from server.domain.referral import BODIES, PROGRAMMES
from server.domain.timeline import TEMPLATES, window

ON = date(2026, 11, 30)
REFERRED = Said("referred", "referred", ON, {"body": "cndh"}, Expected(date(2026, 12, 3), ON))


def _said(said: Said, language: str = "fr") -> list[str]:
    return list(words(said, language))


def test_a_step_is_said_with_what_comes_next_and_when() -> None:
    coming = Expected(date(2026, 12, 3), date(2026, 12, 18))
    said = Said("referred", "referred", ON, {"body": "cndh"}, coming, waits=True)
    assert _said(said) == [
        "La plainte est transmise à un organisme qui peut agir.",
        "Organisme : Commission nationale des droits de l'homme (CNDH).",
        "Ensuite : une réponse, entre le 3 et le 18 décembre.",
        "N'allez pas le dire : la personne l'entendra si elle vient avec son reçu.",
    ]
    assert _said(said, "en")[2] == "Next: an answer, between 3 and 18 December."
    # What has no words in Bambara yet is said in French.
    assert _said(said, "bm")[2] == "Ensuite : jaabi, entre le 3 et le 18 décembre."


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        (date(2026, 12, 3), date(2026, 12, 18), "entre le 3 et le 18 décembre"),
        (date(2026, 12, 1), date(2027, 2, 1), "entre le 1er décembre et le 1er février"),
        (date(2026, 12, 3), date(2026, 12, 3), "le 3 décembre"),
        (date(2026, 12, 3), date(2027, 12, 2), "entre le 3 décembre et le 2 décembre"),
    ],
)
def test_a_window_is_said_as_people_say_it(first: date, last: date, told: str) -> None:
    assert between(Expected(first, last), "fr") == told


def test_a_day_is_said_with_its_year() -> None:
    assert [full_day(date(2026, 8, 1), language) for language in ("fr", "en")] == ["1er août 2026", "1 August 2026"]


@pytest.mark.parametrize(
    "said",
    [
        Said("acknowledged", "acknowledged", ON),
        Said("worked_on", "verifying", ON, {}, Expected(ON, date(2027, 2, 27))),
        Said("referred", "referred", ON, {"body": "cndh"}, waits=True),
    ],
)
def test_a_step_is_read_as_it_was_written(said: Said) -> None:
    assert read({"n": 3, "id": "1a2b3c4d", "kind": "step"} | write(said)) == said


def test_a_step_is_written_as_short_as_can_be() -> None:
    assert write(Said("closed", "closed", ON)) == {"t": "closed", "on": "2026-11-30"}
    coming = Expected(date(2026, 12, 30), date(2027, 3, 1))
    assert write(Said("worked_on", "verifying", ON, {}, coming)) == {
        "t": "verifying",
        "on": "2026-11-30",
        "code": "worked_on",
        "next": [30, 91],
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"t": None},
        {"t": 7},
        {"on": "2026-02-30"},
        {"on": None},
        {"code": ["x"]},
        {"f": ["x"]},
        {"f": {"body": 7}},
        {"next": [3]},
        {"next": ["3", "9"]},
        {"next": [10**12, 10**13]},
        {"next": 3},
    ],
)
def test_what_is_no_step_is_not_read(wrong: dict[str, Any]) -> None:
    assert read({"t": "closed", "on": "2026-11-30"} | wrong) is None


def test_what_a_device_has_no_words_for_is_left_out() -> None:
    later = Said("worked_on", "sent_by_drone", ON, {"drone": "x", "body": "moon"}, Expected(ON, ON))
    assert _said(later) == ["Du nouveau : quelqu'un s'en occupe."]
    assert _said(Said("orbiting", "sent_by_drone", ON)) == ["Du nouveau : orbiting."]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_template_and_status_is_said_in_every_language(language: str) -> None:
    unknown = {template for template in TEMPLATES if _said(Said("x", template, ON), language)[0].endswith("x.")}
    assert unknown == set()
    public = {meaning.public for meaning in CASEWORK.statuses.values()}
    assert _WORDS[language]["status"].keys() == public


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_code_that_a_step_may_have_is_said(language: str) -> None:
    told = {name: set(CASEWORK.reasons[name]) - CASEWORK.never_told for name in ("question", "inadmissible", "outcome")}
    told["outcome"] |= {outcome for programme in PROGRAMMES.values() for outcome in programme.outcomes}
    told |= {"programme": set(PROGRAMMES), "body": set(BODIES)}
    unsaid = {
        (name, code)
        for name, codes in told.items()
        for code in codes
        if len(_said(Said("referred", "referred", ON, {name: code}), language)) == 1
    }
    assert unsaid == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_comes_next_is_said_of_each_template_that_has_something_to_come(language: str) -> None:
    at = datetime(2026, 11, 2, tzinfo=UTC)
    following = {each for each in TEMPLATES if window(each, at, MALI) is not None}
    assert _WORDS[language]["next"].keys() == following
    # What follows is the same step for both ends of the wire.
    by_step: dict[str, set[str]] = {}
    for each in following:
        found = window(each, at, MALI)
        assert found is not None
        by_step.setdefault(found.step, set()).add(_WORDS[language]["next"][each])
    assert all(len(said) == 1 for said in by_step.values())


def test_number_that_a_body_gave_is_said_as_it_stands_and_nothing_else_in_its_place() -> None:
    told = Said("worked_on", "package_accepted", ON, {"body": "cndh", "file_number": "CNDH/2027/0114"})
    assert _said(told) == [
        "L'organisme a enregistré la plainte.",
        "Organisme : Commission nationale des droits de l'homme (CNDH).",
        "Son numéro là-bas : CNDH/2027/0114.",
    ]
    for other in ("Awa Exemple", "\x1b[2J1", ""):
        assert len(_said(Said("worked_on", "package_accepted", ON, {"file_number": other}))) == 1
    # What the hub lets out, and what a device lets in.
    assert FILE_NUMBER.pattern == packages.FILE_NUMBER.pattern


def test_no_word_is_left_over() -> None:
    """A template that nobody tells any more goes from the catalogues, too."""
    for language in LANGUAGES:
        assert _WORDS[language]["template"].keys() == TEMPLATES
        assert _WORDS[language].keys() <= _WORDS["fr"].keys()
        for table, texts in _WORDS[language].items():
            assert texts.keys() <= _WORDS["fr"][table].keys(), table
