"""What case work goes by: every code is known elsewhere too, what can't be is refused, and the page says the same."""

import copy
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import pytest

from client_sync.complaint import Urgency as Asked
from client_sync.protocol.vocabulary import VOCABULARY
from server.domain.act import ACCUSED_ROLES
from server.domain.case import Obstacle
from server.domain.casework import CASEWORK, CONDITIONS, STATUSES, URGENCIES, Transition, read
from server.domain.errors import TransitionRefused
from server.domain.referral import BODIES
from server.domain.urgency import LOWERING
from server.i18n import catalogue
from server.refusals import refusal

PAGE = Path(__file__).resolve().parents[3] / "server" / "docs" / "states.md"
TABLE = tomllib.loads((resources.files("server.domain") / "casework.toml").read_text("utf-8"))
CODE = re.compile(r"`(\w+)`")


def test_codes_are_those_that_complaints_are_made_of() -> None:
    rules, lists = CASEWORK.urgency_rules, VOCABULARY.lists
    assert {kind for rule in rules for kind in rule.kinds | rule.with_kinds} <= VOCABULARY.kinds.keys()
    assert {answer for rule in rules for answer in rule.answers} <= {each.name for each in fields(Asked)}
    assert {age for rule in rules for age in rule.ages} <= set(lists["age_band"])
    assert {rule.danger for rule in rules} - {None} <= set(lists["danger"])
    assert set(CASEWORK.own_people) <= set(lists["perpetrator_category"])
    assert {body for bodies in CASEWORK.own_people.values() for body in bodies} <= BODIES.keys()
    assert set(lists["person_role"]) >= ACCUSED_ROLES


def test_every_condition_is_asked_somewhere() -> None:
    assert {name for each in CASEWORK.transitions.values() for name in each.conditions} == set(CONDITIONS)


def test_every_list_of_reasons_is_asked_for_somewhere() -> None:
    moves = CASEWORK.transitions.values()
    assert {name for each in moves for name in (*each.asks, *each.may_say)} | {LOWERING} == set(CASEWORK.reasons)


def test_from_every_status_but_a_withdrawal_something_leads_on() -> None:
    assert set(STATUSES) - {each.source for each in CASEWORK.transitions.values()} == {"withdrawn"}


def test_a_device_is_never_told_of_a_duplicate() -> None:
    told = {each.public for each in CASEWORK.statuses.values()}
    templates = {name for each in CASEWORK.transitions.values() for name in (each.template, each.strict_template)}
    assert "duplicate" not in told | templates
    assert CASEWORK.statuses["duplicate"].public == CASEWORK.statuses["in_progress"].public


def _in(row: int, key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda table: table["transition"][row].update({key: value})


@pytest.mark.parametrize(
    "broken",
    [
        _in(0, "from", ["elsewhere"]),
        _in(0, "to", ["acknowledged", "acknowledged"]),
        _in(0, "who", ["hub"]),
        _in(0, "who", ["nobody"]),
        _in(0, "conditions", ["moon_is_full"]),
        _in(0, "asks", ["nothing_listed"]),
        _in(0, "fields", ["name"]),
        _in(0, "unod_minutes", 10),
        _in(1, "fields", ["body"]),
        lambda table: table["status"].pop("closed"),
        lambda table: table["status"]["closed"].update(stage="gone"),
        lambda table: table["never_told"].append("no_code"),
        lambda table: table["urgency"]["rule"].update(all={"level": "U1"}),
        lambda table: table["urgency"]["rule"]["danger"].update(moon="full"),
        lambda table: table["urgency"].update(usual="U5"),
        lambda table: table["transition"].append(table["transition"][0]),
    ],
)
def test_what_the_machine_does_not_know_is_refused_on_load(broken: Callable[[dict[str, Any]], None]) -> None:
    table = copy.deepcopy(TABLE)
    broken(table)
    with pytest.raises(ValueError, match="casework"):
        read(table)


def test_states_page_has_every_status_as_it_is() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (open|paused|closed) \| `(\w+)` \|$", _section(), re.M)
    assert rows == [(name, each.stage, each.public) for name, each in CASEWORK.statuses.items()]


def test_states_page_has_every_move_as_it_is() -> None:
    written = dict(_written_moves())
    assert written.keys() ^ CASEWORK.transitions.keys() == set()
    assert {ends: row for ends, row in written.items() if row != _as_written(CASEWORK.transitions[ends])} == {}


def test_states_page_says_when_each_condition_is_met() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| [^|`]*[^|]*\|$", _section(), re.M)) >= set(CONDITIONS)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_whatever_stands_against_a_move_is_a_sentence(language: str) -> None:
    faults = [*CONDITIONS, *get_args(Obstacle), *(f"say_{name}" for name in CASEWORK.reasons if name != LOWERING)]
    said = [refusal(catalogue(language), TransitionRefused(faults=(fault,), fault=fault)) for fault in faults]
    assert len({*said, refusal(catalogue(language), TransitionRefused())}) == len(faults) + 1


def test_a_refusal_says_all_that_stands_against_it() -> None:
    texts = catalogue("en")
    refused = TransitionRefused(faults=("owner_set", "kind_set"), fault="owner_set")
    assert refusal(texts, refused) == (
        "Nobody is responsible for this case: give it to somebody. The type of the case is not set."
    )


def test_urgencies_are_in_order_and_each_has_a_rule() -> None:
    levels = [rule.level for rule in CASEWORK.urgency_rules]
    assert levels == sorted(levels)
    assert set(levels) == set(URGENCIES)


def _section() -> str:
    sections = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.M)
    return next(text for text in sections if text.startswith("A case\n"))


def _written_moves() -> Iterator[tuple[tuple[str, str], tuple[object, ...]]]:
    rows = [line.strip("|").split("|") for line in _section().splitlines() if line.count("|") == 8]
    for sources, targets, who, conditions, said, told, undo in rows[2:]:
        must, _, may = said.partition(";")
        row = *(tuple(CODE.findall(cell)) for cell in (who, conditions, must, may, told)), undo.strip()
        for source in CODE.findall(sources):
            for to in CODE.findall(targets):
                yield (source, to), row


def _as_written(each: Transition) -> tuple[object, ...]:
    minutes = int(each.undo.total_seconds() // 60)
    told = (name for name in (each.template, each.strict_template, *each.fields) if name is not None)
    return (
        (each.action, *(["hub"] if each.by_hub else [])),
        each.conditions,
        each.asks,
        each.may_say,
        tuple(told),
        f"{minutes} min" if minutes else "",
    )
