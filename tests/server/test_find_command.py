"""`seere find`: complaints by a receipt code, or by what is remembered of them."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result

from server.hub import Hub
from server.services import search_texts
from server.services.accounts.people import Post
from server.store.match_tables import match_profile
from tests.builders import (
    complaint,
    content,
    enrolled,
    operation,
    said,
)

PLACES = Path(__file__).parents[2] / "fixtures/places/mali-2026.1.csv"
Run = Callable[..., Result]
Join = Callable[..., Run]


@pytest.fixture
def hub(folder_hub: Hub) -> Hub:
    return folder_hub


@pytest.fixture
def find(join: Join) -> Run:
    """Runs `seere find` as a coordinator for everything."""
    return partial(join("Awa", Post("coordinator", is_named_reader=True)), "find")


def _send(hub: Hub, *texts: str) -> None:
    """A complaint for each text, which is its clear statement; their words can be found."""
    sender = enrolled(hub, "Gao 1")
    sender.send(*(operation("complaint", text, content() | {"statement": said(text)}) for text in texts))
    search_texts.read_pending(hub.store)


def _numbers(found: Result) -> list[int]:
    assert found.exit_code == 0, found.output
    return [int(line.split(" · ")[0][-6:]) for line in found.stdout.splitlines()]


@pytest.mark.parametrize("typed", [("7k4m-2qg",), ("7K4M2QG",), ("7K4M", "2QG")], ids=" ".join)
def test_receipt_code_finds_every_complaint_that_has_it_with_its_day(
    find: Run, hub: Hub, typed: tuple[str, ...]
) -> None:
    for label in ("Gao 1", "Mopti 1"):
        enrolled(hub, label).send(complaint("a"))

    found = find(*typed)

    assert found.exit_code == 0
    day = hub.clock().strftime("%d/%m/%Y")
    assert [line.split(" · ")[:2] for line in found.output.splitlines()] == [
        [f"SRE-{hub.clock().year}-00000{number}", f"reçue le {day}"] for number in (1, 2)
    ]


def test_place_of_a_found_complaint_is_shown_by_its_name(seere: Run, find: Run, hub: Hub) -> None:
    seere("places", "import", str(PLACES))
    enrolled(hub, "Gao 1").send(complaint("a"))
    assert find("7K4M-2QG").output.strip().endswith(" · Gao")


def test_mistyped_receipt_code_is_told_from_one_that_nobody_has(find: Run) -> None:
    assert "n'est pas un code de reçu" in find("7K4M-2QX").stderr
    assert "ne porte le code" in find("7K4M-2QG").stderr


def test_search_that_finds_nothing_speaks_of_what_was_asked(find: Run, hub: Hub) -> None:
    _send(hub, "Le pont")
    nothing = find("--number", f"SRE-{hub.clock().year}-000009")
    assert ("effacée" in nothing.stderr, "mots" in nothing.stderr) == (True, False)


def test_account_that_handles_no_complaints_is_told_so(join: Join) -> None:
    refused = join("Moussa", Post("administrator"))("find", "7K4M-2QG")
    assert (refused.exit_code, "ne traite pas de plaintes" in refused.stderr) == (1, True)


def test_help_shows_that_a_code_need_not_be_given(seere: Run) -> None:
    assert " [CODE]\n" in seere("find", "--help").output


def test_words_find_the_complaints_that_tell_them(find: Run, hub: Hub) -> None:
    _send(hub, "Le pont de Bourem", "La route de l'école")
    assert _numbers(find("--words", "ECOLE rout")) == [2]
    nothing = find("--words", "pont école")
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    assert "scellé" in nothing.stderr
    assert "pont" not in nothing.output


def test_kind_cercle_days_and_number_are_asked_together(seere: Run, find: Run, hub: Hub) -> None:
    seere("places", "import", str(PLACES))
    _send(hub, "Le pont", "La route")
    today, tomorrow = (f"{hub.clock() + timedelta(days=days):%Y-%m-%d}" for days in (0, 1))
    for cercle in ("Gao", "gao", "ml-c-gao"):
        assert _numbers(find("--kind", "cor-racket", "--cercle", cercle, "--since", today, "--until", today)) == [2, 1]
    assert _numbers(find("--number", f"SRE-{hub.clock().year}-000001", "--until", tomorrow)) == [1]
    assert find("--since", tomorrow).exit_code == 1
    assert find("--cercle", "Kidal").exit_code == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ((), "Que chercher ?"),
        (("--words", ""), "Que chercher ?"),
        (("7K4M-2QG", "--kind", "COR-RACKET"), "se cherche seul"),
        (("--kind", "COR-NOPE"), "COR-NOPE"),
        (("--since", "hier"), "hier"),
        (("--cercle", "Gaoo"), "Gaoo"),
    ],
)
def test_question_that_can_t_be_answered_is_refused_in_words(
    seere: Run, find: Run, typed: tuple[str, ...], said: str
) -> None:
    seere("places", "import", str(PLACES))
    refused = find(*typed)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert said in refused.stderr


def test_no_more_are_shown_than_anybody_reads(find: Run, hub: Hub) -> None:
    _send(hub, *(f"Le pont {n}" for n in range(51)))
    shown = find("--words", "pont").stdout.splitlines()
    assert len(shown) == 51
    assert "50 plus récentes" in shown[-1]


def test_complaint_that_says_too_little_to_be_compared_is_said_to(find: Run, hub: Hub) -> None:
    _send(hub, "Le pont")
    with hub.store.write() as connection:
        profile = {"complaint": 1, "scheme": 0, "features": b"", "posted": b"", "is_matchable": False}
        connection.execute(sa.insert(match_profile), [profile])
    assert "trop peu, pour l'instant, pour être comparée" in find("7K4M-2QG").stdout
    with hub.store.write() as connection:
        connection.execute(sa.update(match_profile).values(is_matchable=True))
    assert "trop peu" not in find("7K4M-2QG").stdout
