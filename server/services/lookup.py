"""Looking a complaint up by what a person holds in hand."""

from dataclasses import dataclass
from datetime import datetime

from server.domain.permission import Actor, permit
from server.domain.places import Gazetteer
from server.store import complaints, recipients, registry, sealed
from server.store.engine import Store


@dataclass(frozen=True)
class Match:
    """A complaint that a receipt code may mean, as far as anybody may hear who holds the code."""

    number: str
    received_at: datetime
    place: str | None


def by_receipt(store: Store, actor: Actor, receipt: str, places: Gazetteer | None) -> list[Match]:
    """Every complaint with this receipt code that the actor may find, oldest first: the code is random and no key."""
    with store.read() as connection:
        found = complaints.by_receipt(connection, receipt)
        ids = [id for id, _, _ in found]
        numbers = registry.numbers_of(connection, ids)
        standings = sealed.standings(connection, ids)
        assigned = recipients.assigned_to(connection, ids)
    targets = {id: each.target(places, assigned.get(id)) for id, each in standings.items()}
    return [
        Match(numbers[id], received_at, place)
        for id, received_at, place in found
        if permit(actor, "find_complaint", targets[id])
    ]
