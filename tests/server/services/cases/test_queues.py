"""Queues: what waits, for whom, in which order; urgency follows the answers and is never lowered by itself."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from server.hub import Hub
from server.services.cases import queues
from server.store import cases
from server.store.case_tables import waiting
from server.store.scopes import Scope
from tests.builders import Clock, Person, add_person, complaint, enrolled, facts, revision
from tests.case_work import SETTLED, Numbers, at_desk, attach, detach, move, undo

ALL = Scope(None, None, None, with_strict=True, assignee=None)


def queue(hub: Hub, person: Person) -> list[tuple[str, str]]:
    """Urgency and reference of what waits."""
    found = queues.waiting(hub.store, at_desk(hub, person), 10)
    return [(each.waiting.urgency, each.ref) for each in found]


def of_gao(hub: Hub, **changes: Any) -> str:
    """A complaint of the team of Gao; gives its registry number."""
    enrolled(hub, "Gao 9", team="gao").send(complaint("urgent", **changes))
    with hub.store.read() as connection:
        last = connection.scalar(sa.text("SELECT max(number) FROM registry"))
    return f"SRE-{hub.clock().year}-{last:06}"


def test_most_urgent_comes_first_then_what_waits_longest(hub: Hub, awa: Person, numbers: Numbers) -> None:
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(hours=1)
    last = of_gao(hub, urgency={"danger": "yes"})
    assert queue(hub, awa) == [("U1", last), *(("U2", each) for each in numbers)]
    move(hub, awa, numbers[0], "acknowledged")
    assert [ref for _, ref in queue(hub, awa)] == [last, *numbers[1:], numbers[0]]


def test_each_sees_what_is_in_scope(hub: Hub, awa: Person, gao: Person, numbers: Numbers) -> None:
    everything = add_person(hub, "Drissa")
    elsewhere = add_person(hub, "Fatim", teams=["kayes"], is_named_reader=True)
    assert [ref for _, ref in queue(hub, awa)] == list(numbers)
    assert [ref for _, ref in queue(hub, gao)] == list(numbers[:2])
    assert [ref for _, ref in queue(hub, everything)] == list(numbers[:3])
    assert queue(hub, elsewhere) == []


def test_revised_complaint_waits_for_whom_it_concerns_now(hub: Hub, gao: Person) -> None:
    mopti = add_person(hub, "Fatim", teams=["mopti"])
    sender = enrolled(hub, "Sans équipe")
    sender.send(complaint("a", team="mopti"))
    assert [len(queue(hub, each)) for each in (mopti, gao)] == [1, 0]
    sender.send(revision("moved", "a", 1, facts={"clear": facts(team="gao")}))
    assert [len(queue(hub, each)) for each in (mopti, gao)] == [0, 1]


def test_closed_case_waits_no_more_and_a_joined_one_in_the_other(hub: Hub, awa: Person, numbers: Numbers) -> None:
    move(hub, awa, numbers[0], "withdrawn", withdrawal="told_to_us")
    attach(hub, awa, numbers[2], numbers[1])
    assert sorted(ref for _, ref in queue(hub, awa)) == [numbers[1], numbers[3]]
    detach(hub, awa, numbers[2])
    assert sorted(ref for _, ref in queue(hub, awa)) == [numbers[1], numbers[2], numbers[3]]


def test_case_is_as_urgent_as_its_most_urgent_complaint(hub: Hub, awa: Person, numbers: Numbers) -> None:
    vital = of_gao(hub, urgency={"danger": "yes"})
    attach(hub, awa, vital, numbers[0])
    assert queue(hub, awa)[0] == ("U1", numbers[0])
    undo(hub, awa, numbers[0])
    assert ("U2", numbers[0]) in queue(hub, awa)


@pytest.mark.parametrize("is_opened", [False, True])
def test_revision_raises_urgency_and_never_lowers_it(hub: Hub, awa: Person, is_opened: bool) -> None:
    sender = enrolled(hub, "Gao 1", team="gao")
    sender.send(complaint("a"))
    [(level, number)] = queue(hub, awa)
    if is_opened:
        move(hub, awa, number, "acknowledged")
    worse, better = {"danger": "yes"}, {"danger": "no"}
    sender.send(revision("worse", "a", 1, facts={"clear": facts(urgency=worse)}))
    assert (level, queue(hub, awa)) == ("U2", [("U1", number)])
    sender.send(revision("better", "a", 2, facts={"clear": facts(urgency=better)}))
    assert queue(hub, awa) == [("U1", number)]
    if is_opened:
        move(hub, awa, number, "in_triage")
        assert queue(hub, awa) == [("U1", number)]


def test_word_of_a_person_stands_until_answers_grow_worse(hub: Hub, awa: Person) -> None:
    sender = enrolled(hub, "Gao 1", team="gao")
    sender.send(complaint("a"))
    [(_, number)] = queue(hub, awa)
    move(hub, awa, number, "acknowledged")
    move(hub, awa, number, "in_triage")
    move(hub, awa, number, "in_progress", **SETTLED | {"urgency": "U4"}, lowering="old_facts")
    assert queue(hub, awa) == [("U4", number)]
    sender.send(revision("same", "a", 1, facts={"clear": facts(sector="justice")}))
    assert queue(hub, awa) == [("U4", number)]
    sender.send(revision("worse", "a", 2, facts={"clear": facts(urgency={"danger": "yes"})}))
    assert queue(hub, awa) == [("U1", number)]


@pytest.mark.parametrize("places", [None, frozenset({"ml-c-gao", "ml-c-ansongo"})], ids=["all", "region"])
def test_queue_is_one_sentence_that_reads_its_index_in_order(
    hub: Hub, numbers: Numbers, places: frozenset[str] | None
) -> None:
    """Of whoever covers few places too: from all their complaints to those that wait longest it is a long way."""
    said: list[str] = []

    def hear(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        said.append(statement)
        said.append(parameters)

    with hub.store.read() as connection:
        connection.exec_driver_sql("SELECT 1")
        sa.event.listen(hub.store.engine, "before_cursor_execute", hear)
        assert len(cases.queue(connection, replace(ALL, places=places), 10)) == len(numbers)
        sa.event.remove(hub.store.engine, "before_cursor_execute", hear)
        statement, parameters = said
        if hub.store.engine.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            steps = [row[-1] for row in plan]
            assert steps[0].startswith("SCAN case_waiting USING INDEX ix_case_waiting_order")
            assert not any("TEMP B-TREE" in step for step in steps)


def test_every_complaint_waits_or_is_in_a_case(hub: Hub, awa: Person, numbers: Numbers) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    attach(hub, awa, numbers[1], numbers[0])
    with hub.store.read() as connection:
        rows = {row.complaint: row.casefile for row in connection.execute(sa.select(waiting))}
        held = cases.holding(connection, range(1, 5))
    assert len(rows) == 3
    assert set(rows) | set(held) == {1, 2, 3, 4}
