"""Moving: the first move opens a case, moves have conditions, and nobody overwrites what they did not see."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from server.domain.errors import NotFound, StaleRevision, TransitionRefused, UrgencyRefused
from server.hub import Hub
from server.services.cases import moving, queues
from server.services.cases.moving import Intent
from server.store import timeline
from server.store.case_tables import casefile
from server.store.schema import event
from tests.builders import Clock, Person, add_person
from tests.case_work import SETTLED, Numbers, at_desk, move, state, undo, version


def row_of(hub: Hub, number: str) -> Any:
    with hub.store.read() as connection:
        return connection.execute(sa.select(casefile).where(casefile.c.ref == number)).one()


def test_first_act_opens_the_case_of_one(hub: Hub, awa: Person, numbers: Numbers) -> None:
    assert queues.show(hub.store, at_desk(hub, awa), numbers[0]).file is None
    move(hub, awa, numbers[0], "acknowledged", after=0)
    shown = queues.show(hub.store, at_desk(hub, awa), numbers[0])
    assert shown.file is not None
    assert (shown.file.ref, shown.file.status) == (numbers[0], "acknowledged")
    assert list(shown.reports) == [numbers[0]]
    assert [(name, entry.code) for name, entry in shown.entries] == [("Awa", "opened"), ("Awa", "moved")]
    assert queues.show(hub.store, at_desk(hub, awa), numbers[1]).file is None


def test_case_goes_from_complaint_to_closure(hub: Hub, awa: Person, numbers: Numbers) -> None:
    for to, wish in (
        ("acknowledged", {}),
        ("in_triage", {}),
        ("in_progress", SETTLED),
        ("resolved", {"outcome": "mediated"}),
        ("closed", {"closure": "mediated", "untold": "anonymous"}),
    ):
        move(hub, awa, numbers[0], to, **wish)
    row = row_of(hub, numbers[0])
    assert (row.status, row.kind, row.outcome, row.closure) == ("closed", "COR-RACKET", "mediated", "mediated")
    assert (row.owner, row.urgency, row.closed_at) == (awa.actor.id, "U2", hub.clock())


def test_what_is_unmet_is_refused_and_changes_nothing(hub: Hub, awa: Person, numbers: Numbers) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    move(hub, awa, numbers[0], "in_triage")
    before = state(hub)
    with pytest.raises(TransitionRefused) as refused:
        move(hub, awa, numbers[0], "in_progress")
    assert set(refused.value.values["faults"]) == {"owner_set", "kind_set", "urgency_set"}
    assert state(hub) == before


def test_stale_edit_is_refused_with_both_versions(hub: Hub, awa: Person, binta: Person, numbers: Numbers) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    seen = version(hub, binta, numbers[0])
    move(hub, awa, numbers[0], "in_triage")
    with pytest.raises(StaleRevision) as stale:
        move(hub, binta, numbers[0], "withdrawn", after=seen, withdrawal="told_to_us")
    stands = stale.value.values["stands"]
    assert stale.value.values["wanted"] == {"status": "withdrawn"}
    assert (stands.by, stands.revision, stands.fields["status"]) == ("Awa", seen + 1, "in_triage")
    assert row_of(hub, numbers[0]).status == "in_triage"


def test_of_two_who_edit_at_once_one_is_told_of_the_other(
    hub: Hub, awa: Person, binta: Person, numbers: Numbers
) -> None:
    for to in ("acknowledged", "in_triage"):
        move(hub, awa, numbers[0], to)
    seen, gate = version(hub, awa, numbers[0]), Barrier(2)

    def edit(who: Person, wish: Intent) -> str:
        gate.wait()
        try:
            moving.move(hub.store, at_desk(hub, who), numbers[0], wish, after=seen)
        except StaleRevision:
            return "stale"
        return "made"

    asking = Intent("needs_information", {"question": "where"})
    refusing = Intent("inadmissible", {"inadmissible": "out_of_mandate"})
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(edit, (awa, binta), (asking, refusing)))
    assert sorted(told) == ["made", "stale"]
    assert row_of(hub, numbers[0]).revision == seen + 1


def test_two_first_acts_at_once_open_one_case(hub: Hub, awa: Person, binta: Person, numbers: Numbers) -> None:
    gate = Barrier(2)

    def edit(who: Person) -> str:
        gate.wait()
        try:
            moving.move(hub.store, at_desk(hub, who), numbers[0], Intent("acknowledged"), after=0)
        except StaleRevision:
            return "stale"
        return "made"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(edit, (awa, binta))) == ["made", "stale"]
    with hub.store.read() as connection:
        assert len(timeline.of_case(connection, row_of(hub, numbers[0]).id)) == 2


@pytest.mark.parametrize("number", [2, 3], ids=["another team's", "strict"])
def test_case_out_of_scope_is_not_there(hub: Hub, gao: Person, numbers: Numbers, number: int) -> None:
    before = state(hub)
    with pytest.raises(NotFound):
        move(hub, gao, numbers[number], "acknowledged", after=0)
    with pytest.raises(NotFound):
        queues.show(hub.store, at_desk(hub, gao), numbers[number])
    assert state(hub) == before


@pytest.mark.parametrize("role", ["monitor", "verifier", "administrator", "auditor", "commission"])
def test_cases_are_for_coordinators(hub: Hub, numbers: Numbers, role: Any) -> None:
    person = add_person(hub, "Oumar", role)
    with pytest.raises(NotFound):
        move(hub, person, numbers[0], "acknowledged", after=0)
    assert queues.waiting(hub.store, at_desk(hub, person), 10) == []


def test_strict_case_is_closed_by_a_second_person(hub: Hub, awa: Person, binta: Person, numbers: Numbers) -> None:
    for to, wish in (("acknowledged", {}), ("in_triage", {}), ("inadmissible", {"inadmissible": "already_judged"})):
        move(hub, awa, numbers[3], to, **wish)
    with pytest.raises(TransitionRefused) as refused:
        move(hub, awa, numbers[3], "closed", closure="out_of_mandate", untold="unsafe")
    assert refused.value.values["faults"] == ("second_person",)
    move(hub, binta, numbers[3], "closed", closure="out_of_mandate", untold="unsafe")


def test_answer_that_came_by_word_brings_a_case_back_into_triage(hub: Hub, awa: Person, numbers: Numbers) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    move(hub, awa, numbers[0], "in_triage")
    move(hub, awa, numbers[0], "needs_information", question="where")
    for wish, fault in (({}, "answered_or_waited"), ({"heard": "by rumour"}, "say_heard")):
        with pytest.raises(TransitionRefused) as refused:
            move(hub, awa, numbers[0], "in_triage", **wish)
        assert refused.value.values["faults"] == (fault,)
    move(hub, awa, numbers[0], "in_triage", heard="heard_by_call")
    assert row_of(hub, numbers[0]).status == "in_triage"
    undo(hub, awa, numbers[0])
    assert row_of(hub, numbers[0]).status == "needs_information"


@pytest.mark.parametrize(
    "said",
    [{"outcome": "mediated"}, {"remark": "Awa Touré said so"}, {"lowering": "old_facts"}, {"question": "where"}],
)
def test_nothing_is_kept_that_the_move_does_not_ask(
    hub: Hub, awa: Person, numbers: Numbers, said: dict[str, str]
) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    before = state(hub)
    with pytest.raises(TransitionRefused) as refused:
        move(hub, awa, numbers[0], "in_triage", **said)
    assert (refused.value.values["faults"], state(hub)) == (("not_asked",), before)


def test_reason_for_less_urgency_is_of_its_list_even_where_none_is_asked(
    hub: Hub, awa: Person, numbers: Numbers
) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    with pytest.raises(TransitionRefused) as refused:
        move(hub, awa, numbers[0], "in_triage", urgency="U1", lowering="Awa said so")
    assert refused.value.values["faults"] == ("not_asked",)


def test_kind_of_a_case_is_one_of_the_vocabulary(hub: Hub, awa: Person, numbers: Numbers) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    move(hub, awa, numbers[0], "in_triage")
    with pytest.raises(NotFound):
        move(hub, awa, numbers[0], "in_progress", **SETTLED | {"kind": "COR-NONE"})
    assert row_of(hub, numbers[0]).kind is None


def test_owner_is_somebody_who_may_handle_the_case(hub: Hub, awa: Person, gao: Person, numbers: Numbers) -> None:
    for number in (numbers[0], numbers[2]):
        move(hub, awa, number, "acknowledged")
        move(hub, awa, number, "in_triage")
    move(hub, awa, numbers[0], "in_progress", **SETTLED | {"owner": "cheick"})
    with pytest.raises(NotFound):
        move(hub, awa, numbers[2], "in_progress", **SETTLED | {"owner": "cheick"})


def test_nobody_lowers_urgency_without_a_reason(hub: Hub, awa: Person, numbers: Numbers) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    with pytest.raises(UrgencyRefused):
        move(hub, awa, numbers[0], "in_triage", urgency="U4")
    move(hub, awa, numbers[0], "in_triage", urgency="U1")
    assert row_of(hub, numbers[0]).urgency == "U1"


def test_move_is_taken_back_with_all_that_it_settled(hub: Hub, awa: Person, numbers: Numbers) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    move(hub, awa, numbers[0], "in_triage")
    before, seen = state(hub), version(hub, awa, numbers[0])
    move(hub, awa, numbers[0], "in_progress", **SETTLED)
    undo(hub, awa, numbers[0])
    assert state(hub) == before
    assert version(hub, awa, numbers[0]) == seen + 2


def test_move_that_was_told_is_not_taken_back(hub: Hub, awa: Person, numbers: Numbers) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    move(hub, awa, numbers[0], "in_triage")
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(minutes=11)
    with pytest.raises(TransitionRefused) as refused:
        undo(hub, awa, numbers[0])
    assert refused.value.values["faults"] == ("undo_over",)


def test_log_has_every_act_by_ids_and_none_of_its_reasons(hub: Hub, awa: Person, numbers: Numbers) -> None:
    for to, wish in (("acknowledged", {}), ("in_triage", {}), ("inadmissible", {"inadmissible": "abusive"})):
        move(hub, awa, numbers[0], to, **wish)
    with hub.store.read() as connection:
        rows = connection.execute(sa.select(event).where(event.c.action.startswith("case_"))).all()
    assert [row.action for row in rows] == ["case_opened", "case_moved", "case_moved", "case_moved"]
    assert {row.actor for row in rows} == {awa.actor.signature}
    assert all(row.words is None and b"abusive" not in row.canonical for row in rows)
