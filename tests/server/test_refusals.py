"""Refusals in words: one sentence for every door, and what to type for the terminal alone."""

import pytest

from server.commands.spoken import refusal_in_full
from server.domain.errors import ContactNotAllowed, DeadlineRefused, JobRuns, NotAdmissible, SeereError
from server.i18n import catalogue
from server.refusals import hints, refusal

FR = catalogue("fr")


def test_sentence_is_for_every_door_and_the_command_for_the_terminal_alone() -> None:
    error = JobRuns(name="tell_due")
    said = "Le travail « tell_due » est déjà en cours, ici ou ailleurs. Attendez qu'il finisse."
    assert (refusal(FR, error), hints(FR, error)) == (said, "Voyez : seere jobs")
    assert refusal_in_full(FR, error) == f"{said} Voyez : seere jobs"


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (NotAdmissible(fault="unheard_of", reason="r", field="f"), "Corrigez-le avec « seere quarantine repair »."),
        (NotAdmissible(fault="settled", reason="r", field="f"), ""),
        (DeadlineRefused(fault="met"), ""),
        (ContactNotAllowed(fault="unsettled", faults=("unsettled", "unreadable")), "Voyez : seere quarantine list"),
    ],
)
def test_hint_goes_with_its_own_sentence_and_is_said_once(error: SeereError, hint: str) -> None:
    assert hints(FR, error) == hint


def test_what_has_no_words_is_named_by_its_code() -> None:
    class Unheard(SeereError):
        code = "unheard"

    assert refusal(FR, Unheard()) == "Refusé : unheard."
