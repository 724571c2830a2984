"""Escalating: who answers for what is late hears it, then who leads the network; each once, whatever hubs look."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services import deputies
from server.services.accounts import people
from server.services.cases import due, escalating, queues, telling
from server.store import due as store_due
from server.store import notices
from server.store.due_tables import deadline, deadline_due
from server.store.notices import Notice
from tests.builders import Clock, Person, add_person, complaint, enrolled
from tests.case_work import SETTLED, Numbers, at_desk, move, undo, version


@pytest.fixture
def vital(hub: Hub) -> str:
    """A complaint of somebody who is in danger; of the team of Gao."""
    enrolled(hub, "Gao 1", team="gao").send(complaint("vital", urgency={"danger": "yes"}))
    return f"SRE-{hub.clock().year}-000001"


def escalate(hub: Hub) -> int:
    return escalating.escalate_due(hub.store, None, hub.clock())


def heard(hub: Hub, person: Person) -> list[Notice]:
    with hub.store.read() as connection:
        return notices.of_account(connection, person.actor.id, 20)


def waiting(hub: Hub) -> int:
    """How many cases are looked at now."""
    with hub.store.read() as connection:
        return len(store_due.to_tell(connection, hub.clock(), 9))


def kinds(hub: Hub, person: Person) -> list[str]:
    return sorted(each.deadline or "" for each in heard(hub, person))


def pass_(hub: Hub, **time: float) -> None:
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(**time)


def test_late_triage_of_nobodys_case_is_told_to_the_nearest_then_to_the_head(
    hub: Hub, awa: Person, gao: Person, vital: str
) -> None:
    move(hub, awa, vital, "acknowledged")
    assert escalate(hub) == 0
    pass_(hub, hours=3, minutes=59)
    assert escalate(hub) == 0
    pass_(hub, minutes=1)
    assert escalate(hub) == 1
    assert kinds(hub, gao) == ["triage"]
    assert kinds(hub, awa) == []


def test_head_hears_once_as_much_time_again_has_passed(hub: Hub, awa: Person, gao: Person, vital: str) -> None:
    head = add_person(hub, "Moussa", "administrator")
    people.name_head(hub.store, OPERATOR, "Moussa", hub.clock())
    move(hub, awa, vital, "acknowledged")
    pass_(hub, hours=4)
    assert escalate(hub) == 1
    pass_(hub, hours=4)
    assert [escalate(hub), escalate(hub)] == [1, 0]
    assert kinds(hub, head) == ["triage"]
    assert kinds(hub, gao) == ["triage"]


def test_owner_hears_of_the_own_case_and_nothing_once_it_is_done(
    hub: Hub, awa: Person, gao: Person, vital: str
) -> None:
    move(hub, awa, vital, "acknowledged")
    move(hub, awa, vital, "in_triage")
    move(hub, awa, vital, "in_progress", **SETTLED | {"urgency": "U1"})
    pass_(hub, hours=23)
    assert escalate(hub) == 0
    pass_(hub, hours=1)
    assert escalate(hub) == 1
    assert kinds(hub, awa) == ["first_action"]
    move(hub, awa, vital, "resolved", outcome="mediated")
    pass_(hub, days=300)
    assert escalate(hub) == 0


def test_owner_hears_once_that_a_follow_up_of_the_least_urgent_is_due(
    hub: Hub, awa: Person, numbers: Numbers
) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    move(hub, awa, numbers[0], "in_triage")
    move(hub, awa, numbers[0], "in_progress", **SETTLED | {"urgency": "U4"}, lowering="old_facts")
    pass_(hub, days=29)
    assert escalate(hub) == 0
    move(hub, awa, numbers[0], "resolved", outcome="mediated")
    seen = version(hub, awa, numbers[0])
    telling.by_word(hub.store, at_desk(hub, awa), numbers[0], telling.BY_RECEIPT, after=seen)
    move(hub, awa, numbers[0], "closed", closure="mediated")
    pass_(hub, days=40)
    assert [escalate(hub), escalate(hub)] == [1, 0]
    pass_(hub, days=9)
    assert escalate(hub) == 0
    assert kinds(hub, awa) == ["after_closure_30"]


def test_rung_that_nobody_has_is_looked_at_once_a_day(hub: Hub, awa: Person, vital: str) -> None:
    move(hub, awa, vital, "acknowledged")
    pass_(hub, hours=8)
    assert escalate(hub) == 1
    assert (waiting(hub), escalate(hub), waiting(hub)) == (1, 0, 0)
    head = add_person(hub, "Moussa", "administrator")
    people.name_head(hub.store, OPERATOR, "Moussa", hub.clock())
    pass_(hub, days=1)
    assert (waiting(hub), escalate(hub)) == (1, 2)
    assert kinds(hub, head) == ["triage"]


def test_late_cases_are_told_page_by_page(
    hub: Hub, awa: Person, numbers: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(escalating, "_PAGE", 1)
    for number in numbers:
        move(hub, awa, number, "acknowledged")
    pass_(hub, days=2)
    assert escalate(hub) == len(numbers)


def test_deputy_hears_in_place_of_who_is_away(hub: Hub, awa: Person, binta: Person, vital: str) -> None:
    move(hub, awa, vital, "acknowledged")
    move(hub, awa, vital, "in_triage")
    move(hub, awa, vital, "in_progress", **SETTLED | {"urgency": "U1"})
    today = hub.clock().date()
    deputies.name(hub.store, at_desk(hub, awa), "Awa", "Binta", today, today + timedelta(days=9))
    pass_(hub, hours=24)
    assert escalate(hub) == 1
    assert [kinds(hub, awa), kinds(hub, binta)] == [[], ["first_action"]]


def test_escalation_is_an_entry_that_stays_and_is_in_nobodys_way(hub: Hub, awa: Person, vital: str) -> None:
    move(hub, awa, vital, "acknowledged")
    pass_(hub, hours=4)
    move(hub, awa, vital, "in_triage")
    assert escalate(hub) == 1
    shown = queues.show(hub.store, at_desk(hub, awa), vital)
    assert [entry.code for _, entry in shown.entries][-1] == "escalated"
    assert undo(hub, awa, vital) == "moved"
    assert escalate(hub) == 0


def test_late_case_is_told_once_by_two_hubs(hub: Hub, awa: Person, numbers: Numbers) -> None:
    for number in numbers:
        move(hub, awa, number, "acknowledged")
    pass_(hub, days=2)
    with ThreadPoolExecutor(2) as hubs:
        told = sum(each.result() for each in [hubs.submit(escalate, hub) for _ in range(2)])
    assert told == len(numbers)
    assert len(heard(hub, awa)) == len(numbers)


def test_notice_is_read_once_and_by_its_account_alone(hub: Hub, awa: Person, binta: Person, vital: str) -> None:
    move(hub, awa, vital, "acknowledged")
    pass_(hub, hours=4)
    escalate(hub)
    [notice] = heard(hub, awa)
    with hub.store.write() as connection:
        notices.read(connection, binta.actor.id, [notice.id], hub.clock())
        assert notices.of_account(connection, awa.actor.id, 9) == [notice]
        notices.read(connection, awa.actor.id, [notice.id], hub.clock())
        assert notices.of_account(connection, awa.actor.id, 9) == []
        assert len(notices.of_account(connection, awa.actor.id, 9, with_read=True)) == 1


def test_late_is_what_the_hub_could_do_in_time(hub: Hub, awa: Person) -> None:
    """What was on the road for ten days is not late when it comes."""
    collected = hub.clock() - timedelta(days=10)
    enrolled(hub, "Gao 1", team="gao").send(
        complaint("old", collected_at=collected.isoformat().replace("+00:00", "Z"), urgency={"danger": "yes"})
    )
    number = f"SRE-{hub.clock().year}-000001"
    move(hub, awa, number, "acknowledged")
    assert escalate(hub) == 0
    assert due.listed(hub.store, at_desk(hub, awa), 1)[0].clocks.on_road() == timedelta(days=10)


def test_nobody_hears_of_a_deadline_that_went_with_the_word_that_made_it(
    hub: Hub, awa: Person, gao: Person, numbers: Numbers
) -> None:
    people.name_head(hub.store, OPERATOR, "Awa", hub.clock())
    move(hub, awa, numbers[0], "acknowledged")
    move(hub, awa, numbers[0], "in_triage")
    move(hub, awa, numbers[0], "in_progress", **SETTLED | {"urgency": "U1"})
    tells_at = told_next(hub)
    undo(hub, awa, numbers[0])
    assert told_next(hub) != tells_at
    pass_(hub, hours=49)
    escalate(hub)
    assert (kinds(hub, awa), kinds(hub, gao)) == ([], ["triage"])


def told_next(hub: Hub) -> list[tuple[str, datetime]]:
    """What somebody is to hear of next, by kind of deadline, and when."""
    columns = deadline_due.c
    select = sa.select(deadline.c.kind, columns.tells_at).join(deadline, deadline.c.id == columns.deadline)
    with hub.store.read() as connection:
        rows = connection.execute(select.where(columns.tells_at.is_not(None)).order_by(deadline.c.kind))
        return [(row.kind, row.tells_at) for row in rows]
