"""Acknowledging by the hub: every new complaint once, as the hub's own doing, whoever else is at work on it."""

import threading

import sqlalchemy as sa

from server.hub import Hub, open_hub
from server.services.cases import opening
from server.services.cases.acknowledging import acknowledge_new, is_any_new
from server.store.case_tables import casefile, timeline
from tests.builders import NOW, Person, complaint, enrolled
from tests.case_work import Numbers, move


def _moves(hub: Hub) -> list[tuple[str, str, str]]:
    select = sa.select(casefile.c.ref, timeline.c.actor, timeline.c.fields).where(timeline.c.code == "moved")
    with hub.store.read() as connection:
        found = connection.execute(select.join(casefile, casefile.c.id == timeline.c.casefile))
        return sorted((ref, actor, fields["to"]) for ref, actor, fields in found)


def test_every_new_complaint_is_acknowledged_once_and_its_case_opened(hub: Hub, numbers: Numbers) -> None:
    assert is_any_new(hub.store)
    assert acknowledge_new(hub.store, None, NOW) == len(numbers)
    assert (is_any_new(hub.store), acknowledge_new(hub.store, None, NOW)) == (False, 0)
    assert _moves(hub) == [(number, "job", "acknowledged") for number in numbers]


def test_what_a_person_acknowledged_or_took_back_is_left_alone(hub: Hub, awa: Person, numbers: Numbers) -> None:
    first, second, *_ = numbers
    move(hub, awa, first, "acknowledged")
    move(hub, awa, second, "acknowledged")
    move(hub, awa, second, "in_triage")
    assert acknowledge_new(hub.store, None, NOW) == 2
    assert [actor for ref, actor, _ in _moves(hub) if ref in (first, second)] == [awa.actor.signature] * 3


def test_case_that_somebody_opened_and_left_where_it_began_is_acknowledged(hub: Hub, awa: Person) -> None:
    enrolled(hub, "Gao 1").send(complaint("a"))
    with hub.store.write() as connection:
        from_it = opening.take(connection, hub.desk(awa.actor, awa.keys), [1])[0][1]
    assert from_it.file.status == "received"
    assert acknowledge_new(hub.store, None, NOW) == 1


def test_two_hubs_share_the_work(hub: Hub, numbers: Numbers) -> None:
    other = open_hub(hub.settings, hub.secrets, hub.clock)
    start, done = threading.Barrier(2), []

    def run(each: Hub) -> None:
        start.wait(timeout=30)
        done.append(acknowledge_new(each.store, None, NOW))

    threads = [threading.Thread(target=run, args=(each,)) for each in (hub, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    other.close()
    # One whose case both had in hand waits for the next run.
    done.append(acknowledge_new(hub.store, None, NOW))
    assert (sum(done), len(_moves(hub))) == (len(numbers), len(numbers))
