"""Deciding on pairs as people do it, and what is kept of it."""

from typing import Any

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.matching.decisions import Verdict
from server.hub import Hub
from server.services.duplicates import choosing, deciding
from server.store import registry
from server.store.match_tables import decision
from tests.builders import Person, Sender, complaint
from tests.matching import number_of

CONFIRMED, REJECTED = Verdict.CONFIRMED, Verdict.REJECTED


def at_desk(hub: Hub, person: Person) -> Desk:
    return hub.desk(person.actor, person.keys)


def send(sender: Sender, *names: str, **facts: Any) -> list[int]:
    sender.send(*(complaint(name, **facts) for name in names))
    return [number_of(sender, name) for name in names]


def change(hub: Hub, statement: sa.Executable) -> None:
    with hub.store.write() as connection:
        connection.execute(statement)


def row_of(hub: Hub, table: sa.Table, id: int) -> Any:
    with hub.store.read() as connection:
        return connection.execute(sa.select(table).where(table.c.id == id)).one()


def word_of(hub: Hub, link_id: int, number: int) -> Any:
    select = sa.select(decision).where(decision.c.link == link_id, decision.c.no == number)
    with hub.store.read() as connection:
        return connection.execute(select).one()


def shown(hub: Hub, person: Person, capacity: int = 30, limit: int = 100) -> list[int]:
    return [each.link for each in choosing.next_pairs(hub.store, at_desk(hub, person), capacity, limit).pairs]


def decide(hub: Hub, person: Person, link_id: int, verdict: Verdict = CONFIRMED, **options: Any) -> int:
    return deciding.decide(hub.store, at_desk(hub, person), link_id, verdict, **options)


def undo(hub: Hub, person: Person, link_id: int, number: int) -> str:
    return deciding.undo(hub.store, at_desk(hub, person), link_id, number)


def members(hub: Hub, person: Person, complaint_id: int) -> tuple[int, ...]:
    with hub.store.read() as connection:
        number = registry.numbers_of(connection, [complaint_id])[complaint_id]
    return deciding.clusters_of(hub.store, at_desk(hub, person), number)[0].cluster.members


def words_on(hub: Hub, link_id: int) -> list[int]:
    with hub.store.read() as connection:
        return list(connection.scalars(sa.select(decision.c.no).where(decision.c.link == link_id)))
