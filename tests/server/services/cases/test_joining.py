"""Joining: complaints go into one case and out again, and what is taken back leaves every row as it was."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import sqlalchemy as sa
from hypothesis import given, settings

from server.domain.errors import NotFound, RegroupingRefused, StaleRevision, TransitionRefused
from server.hub import Hub
from server.services.cases import joining, queues
from server.store.case_tables import casefile
from tests.builders import Clock, Person, add_person
from tests.case_law import illegal, rows_of
from tests.case_walks import Step, Walk, few_or_100, forgotten, open_all, walks
from tests.case_work import SETTLED, Numbers, at_desk, attach, detach, move, split, state, undo, version

Doing = Callable[[Hub, Person, Numbers], None]


def members(hub: Hub, who: Person, number: str) -> list[str]:
    return sorted(queues.show(hub.store, at_desk(hub, who), number).reports)


def status(hub: Hub, ref: str) -> tuple[str, int | None]:
    columns = casefile.c
    with hub.store.read() as connection:
        row = connection.execute(sa.select(columns.status, columns.joined_into).where(columns.ref == ref)).one()
        ref = connection.scalar(sa.select(columns.ref).where(columns.id == row.joined_into))
    return row.status, ref


def _fault_of_undo(hub: Hub, who: Person, number: str, no: int | None = None) -> object:
    with pytest.raises(RegroupingRefused) as refused:
        undo(hub, who, number, no)
    return refused.value.values["fault"]


def joined(hub: Hub, who: Person, numbers: Numbers) -> None:
    """The second and third are in the case of the first."""
    open_all(hub, who, numbers)
    attach(hub, who, numbers[1], numbers[0])
    attach(hub, who, numbers[2], numbers[0])


def test_joined_complaint_closes_its_own_case_as_duplicate(hub: Hub, awa: Person, numbers: Numbers) -> None:
    open_all(hub, awa, numbers)
    attach(hub, awa, numbers[1], numbers[0])
    assert members(hub, awa, numbers[1]) == [numbers[0], numbers[1]]
    assert status(hub, numbers[1]) == ("duplicate", numbers[0])
    assert [each.ref for each in queues.waiting(hub.store, at_desk(hub, awa), 10)] == [
        numbers[0],
        numbers[2],
        numbers[3],
    ]


def test_joining_what_nobody_worked_on_opens_both_cases(hub: Hub, awa: Person, numbers: Numbers) -> None:
    joining.attach(hub.store, at_desk(hub, awa), numbers[1], numbers[0], after=0, into_after=0)
    assert status(hub, numbers[0]) == ("received", None)
    assert status(hub, numbers[1]) == ("duplicate", numbers[0])


def test_detached_complaint_stands_again_where_it_stood(hub: Hub, awa: Person, numbers: Numbers) -> None:
    joined(hub, awa, numbers)
    detach(hub, awa, numbers[1])
    assert members(hub, awa, numbers[0]) == [numbers[0], numbers[2]]
    assert status(hub, numbers[1]) == ("in_triage", None)
    assert members(hub, awa, numbers[1]) == [numbers[1]]


def test_several_go_out_together_into_the_case_of_the_first(hub: Hub, awa: Person, numbers: Numbers) -> None:
    joined(hub, awa, numbers)
    split(hub, awa, numbers[2], numbers[1])
    assert members(hub, awa, numbers[1]) == [numbers[1], numbers[2]]
    assert status(hub, numbers[2]) == ("in_triage", None)
    assert status(hub, numbers[1]) == ("duplicate", numbers[0])


def _attach(hub: Hub, who: Person, numbers: Numbers) -> None:
    attach(hub, who, numbers[0], numbers[3])


def _detach(hub: Hub, who: Person, numbers: Numbers) -> None:
    detach(hub, who, numbers[1])


def _split(hub: Hub, who: Person, numbers: Numbers) -> None:
    split(hub, who, numbers[2], numbers[1])


@pytest.mark.parametrize("doing", [_attach, _detach, _split])
def test_undo_restores_every_row(hub: Hub, awa: Person, numbers: Numbers, doing: Doing) -> None:
    joined(hub, awa, numbers)
    assert isinstance(hub.clock, Clock)
    before = state(hub)
    hub.clock.pass_(hours=1)
    doing(hub, awa, numbers)
    assert state(hub) != before
    hub.clock.pass_(days=40)
    undo(hub, awa, numbers[2])
    assert state(hub) == before


def test_undo_leaves_what_was_done_to_the_joined_case_since(hub: Hub, awa: Person, numbers: Numbers) -> None:
    open_all(hub, awa, numbers)
    attach(hub, awa, numbers[1], numbers[0])
    made = version(hub, awa, numbers[0])
    move(hub, awa, numbers[0], "needs_information", question="where")
    undo(hub, awa, numbers[0], made)
    assert (status(hub, numbers[0]), status(hub, numbers[1])) == (("needs_information", None), ("in_triage", None))


def test_no_complaint_comes_into_a_case_that_was_closed_since(hub: Hub, awa: Person, numbers: Numbers) -> None:
    open_all(hub, awa, numbers)
    strict = numbers[3]
    for number, end in ((numbers[1], "withdrawn"), (strict, "closed")):
        with forgotten(hub):
            attach(hub, awa, number, numbers[0])
            detach(hub, awa, number)
            if end == "withdrawn":
                move(hub, awa, numbers[0], "withdrawn", withdrawal="told_to_us")
            else:
                move(hub, awa, numbers[0], "inadmissible", inadmissible="out_of_mandate")
                move(hub, awa, numbers[0], "closed", closure="mediated", untold="anonymous")
            before = rows_of(hub)
            assert (_fault_of_undo(hub, awa, number), rows_of(hub)) == ("changed", before)


def test_what_came_out_of_a_closed_case_goes_back_while_nothing_changed(
    hub: Hub, awa: Person, numbers: Numbers
) -> None:
    open_all(hub, awa, numbers)
    attach(hub, awa, numbers[1], numbers[0])
    move(hub, awa, numbers[0], "inadmissible", inadmissible="out_of_mandate")
    move(hub, awa, numbers[0], "closed", closure="mediated", untold="anonymous")
    before = state(hub)
    detach(hub, awa, numbers[1])
    undo(hub, awa, numbers[1])
    assert state(hub) == before


def test_no_case_is_worked_on_without_the_word_that_came_by_joining(hub: Hub, awa: Person, numbers: Numbers) -> None:
    open_all(hub, awa, numbers)
    move(hub, awa, numbers[1], "in_progress", **SETTLED)
    attach(hub, awa, numbers[1], numbers[0])
    made = version(hub, awa, numbers[0])
    # The word is there already.
    move(hub, awa, numbers[0], "in_progress", owner="awa", kind="COR-RACKET")
    before = rows_of(hub)
    assert (_fault_of_undo(hub, awa, numbers[0], made), rows_of(hub)) == ("changed", before)


def test_no_case_is_closed_again_over_what_came_back_into_it(hub: Hub, awa: Person, numbers: Numbers) -> None:
    open_all(hub, awa, numbers)
    attach(hub, awa, numbers[3], numbers[0])
    detach(hub, awa, numbers[3])
    made = version(hub, awa, numbers[0])
    move(hub, awa, numbers[0], "inadmissible", inadmissible="out_of_mandate")
    move(hub, awa, numbers[0], "closed", closure="mediated", untold="anonymous")
    move(hub, awa, numbers[0], "reopened", reopening="new_facts")
    undo(hub, awa, numbers[0], made)
    with pytest.raises(TransitionRefused) as refused:
        undo(hub, awa, numbers[0])
    assert (refused.value.values["fault"], illegal(rows_of(hub))) == ("not_last", [])


def test_no_regrouping_is_taken_back_from_under_a_later_one(hub: Hub, awa: Person, numbers: Numbers) -> None:
    open_all(hub, awa, numbers)
    attach(hub, awa, numbers[1], numbers[3])
    detach(hub, awa, numbers[1])
    attach(hub, awa, numbers[1], numbers[2])
    split(hub, awa, numbers[1])
    before = rows_of(hub)
    # Every complaint is where it was after the first two.
    assert (_fault_of_undo(hub, awa, numbers[3]), rows_of(hub)) == ("changed", before)
    for number in (numbers[2], numbers[2], numbers[3], numbers[3]):
        undo(hub, awa, number)
    assert (members(hub, awa, numbers[1]), illegal(rows_of(hub))) == ([numbers[1]], [])


def test_nothing_is_taken_back_twice(hub: Hub, awa: Person, numbers: Numbers) -> None:
    joined(hub, awa, numbers)
    made = version(hub, awa, numbers[0])
    undo(hub, awa, numbers[0], made)
    with pytest.raises(RegroupingRefused) as refused:
        undo(hub, awa, numbers[0], made)
    assert refused.value.values["fault"] == "undone"


def test_join_on_what_somebody_changed_since_is_refused(
    hub: Hub, awa: Person, binta: Person, numbers: Numbers
) -> None:
    open_all(hub, awa, numbers)
    seen = {"after": version(hub, awa, numbers[1]), "into_after": version(hub, awa, numbers[0])}
    move(hub, binta, numbers[0], "needs_information", question="where")
    before = state(hub)
    with pytest.raises(StaleRevision):
        joining.attach(hub.store, at_desk(hub, awa), numbers[1], numbers[0], **seen)
    assert state(hub) == before


def test_of_two_who_join_each_to_the_other_at_once_one_is_refused(
    hub: Hub, awa: Person, binta: Person, numbers: Numbers
) -> None:
    open_all(hub, awa, numbers)
    seen = {number: version(hub, awa, number) for number in numbers[:2]}
    gate = Barrier(2)

    def join(who: Person, number: str, into: str) -> str:
        gate.wait()
        try:
            joining.attach(
                hub.store, at_desk(hub, who), number, into, after=seen[number], into_after=seen[into]
            )
        except (StaleRevision, RegroupingRefused) as refused:
            return refused.code
        return "made"

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(join, (awa, binta), numbers[:2], numbers[1::-1]))
    assert sorted(told) in (["made", "regrouping_refused"], ["made", "stale_revision"])
    assert members(hub, awa, numbers[0]) == list(numbers[:2])


def test_case_across_teams_is_for_whoever_handles_all_of_it(
    hub: Hub, awa: Person, gao: Person, numbers: Numbers
) -> None:
    open_all(hub, awa, numbers)
    attach(hub, gao, numbers[1], numbers[0])
    with pytest.raises(NotFound):
        attach(hub, gao, numbers[0], numbers[2])
    attach(hub, awa, numbers[2], numbers[0])
    seen = version(hub, awa, numbers[0])
    with pytest.raises(NotFound):
        queues.show(hub.store, at_desk(hub, gao), numbers[0])
    with pytest.raises(NotFound):
        move(hub, gao, numbers[0], "needs_information", after=seen, question="where")
    with pytest.raises(NotFound):
        joining.detach(hub.store, at_desk(hub, gao), numbers[1], after=seen)
    with pytest.raises(NotFound):
        undo(hub, gao, numbers[0])
    assert queues.waiting(hub.store, at_desk(hub, gao), 10) == []


def test_strict_complaint_makes_its_case_strict(hub: Hub, awa: Person, numbers: Numbers) -> None:
    everything = add_person(hub, "Drissa")
    open_all(hub, awa, numbers)
    attach(hub, awa, numbers[3], numbers[0])
    with pytest.raises(NotFound):
        queues.show(hub.store, at_desk(hub, everything), numbers[0])
    assert numbers[0] not in {each.ref for each in queues.waiting(hub.store, at_desk(hub, everything), 10)}


def test_own_complaint_stays_in_its_case(hub: Hub, awa: Person, numbers: Numbers) -> None:
    joined(hub, awa, numbers)
    before = state(hub)
    for doing in (lambda: detach(hub, awa, numbers[0]), lambda: split(hub, awa, numbers[0], numbers[1])):
        with pytest.raises(RegroupingRefused):
            doing()
    with pytest.raises((RegroupingRefused, TransitionRefused)):
        attach(hub, awa, numbers[1], numbers[0])
    assert state(hub) == before


def test_walk_of_acts_is_taken_back_row_by_row(hub: Hub, awa: Person, numbers: Numbers) -> None:
    open_all(hub, awa, numbers)
    walk = Walk(hub, awa, numbers)
    walk.go([("attach", 1, 0), ("move", 0, 2), ("attach", 0, 3), ("split", 1, 0), ("detach", 2, 0), ("undo", 0, 0)] * 2)
    walk.take_back_all()
    assert walk.is_exact
    assert walk.undone == walk.done > 5


@few_or_100(5)
def test_any_walk_of_acts_is_taken_back_row_by_row(hub: Hub, awa: Person, numbers: Numbers, drawn: settings) -> None:
    @drawn
    @given(steps=walks("undo", "attach"))
    def walk_and_return(steps: list[Step]) -> None:
        with forgotten(hub):
            open_all(hub, awa, numbers)
            walk = Walk(hub, awa, numbers)
            walk.go(steps)
            walk.take_back_all()
            assert walk.is_exact

    walk_and_return()
