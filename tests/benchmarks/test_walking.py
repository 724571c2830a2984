"""Walks over cases, few of them: none leads where no case may stand, and what is wrong with a row is seen."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from server.hub import Hub
from server.store.case_tables import case_complaint, casefile, timeline, waiting
from server.store.due_tables import deadline, deadline_due
from tests.benchmarks import walking
from tests.builders import Clock, add_person, complaint, enrolled, open_test_hub
from tests.case_law import illegal, rows_in, rows_of
from tests.case_walks import open_all
from tests.case_work import move


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Two cases in triage, the second of which waits for an answer."""
    made = open_test_hub("sqlite", tmp_path_factory.mktemp("walking") / "hub", Clock())
    enrolled(made, "Gao").send(complaint("a"), complaint("b"))
    awa, numbers = add_person(made, "Awa"), ("SRE-2026-000001", "SRE-2026-000002")
    open_all(made, awa, numbers)
    move(made, awa, numbers[1], "needs_information", question="where")
    yield made
    made.close()


def test_no_walk_leads_where_no_case_may_stand(hub_url: str, tmp_path: Path) -> None:
    tally = walking.walk_through(hub_url, tmp_path / "walks", range(2))
    assert tally.illegal == []
    assert tally.done > 2
    assert tally.done + tally.refused == 24


def test_what_is_sound_is_legal(hub: Hub) -> None:
    assert illegal(rows_of(hub)) == []


def _of_first(table: sa.Table) -> sa.ColumnElement[bool]:
    return (table.c.id if table is casefile else table.c.casefile) == 1


def _set(table: sa.Table, **values: Any) -> sa.Update:
    return sa.update(table).where(_of_first(table)).values(values)


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (_set(casefile, status="in_progress"), "without owner, kind or urgency"),
        (_set(casefile, status="reopened"), "its timeline leads to in_triage"),
        (_set(casefile, revision=9), "its timeline leads to in_triage"),
        (_set(casefile, joined_into=2), "has complaints and is a duplicate"),
        (_set(casefile, closed_at=Clock().now), "closed at 2026"),
        (_set(casefile, urgency="U1"), "its urgency is U1"),
        (_set(case_complaint, casefile=2), "is elsewhere"),
        (_set(deadline, due_at=Clock().now), "its deadlines are"),
        (sa.delete(deadline_due).where(_of_first(deadline_due)), "what is due of it is []"),
        (sa.delete(waiting).where(_of_first(waiting)), "it is in_triage and waits as None"),
        (sa.delete(timeline).where(_of_first(timeline), timeline.c.no == 2), "its timeline breaks"),
    ],
)
def test_row_that_no_act_leaves_is_illegal(hub: Hub, spoilt: sa.Executable, said: str) -> None:
    with hub.store.engine.connect() as connection, connection.begin() as begun:
        connection.execute(spoilt)
        found = illegal(rows_in(connection))
        begun.rollback()
    assert any(said in each for each in found), found
