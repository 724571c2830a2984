"""Looking a complaint up by what a person holds in hand."""

from dataclasses import dataclass
from datetime import datetime

from server.store import complaints, registry
from server.store.engine import Store


@dataclass(frozen=True)
class Match:
    """A complaint that a receipt code may mean, as far as anybody may hear who holds the code."""

    number: str
    received_at: datetime
    place: str | None


def by_receipt(store: Store, receipt: str) -> list[Match]:
    """Every complaint with this receipt code, oldest first: the code is random and no key."""
    with store.read() as connection:
        found = complaints.by_receipt(connection, receipt)
        numbers = registry.numbers_of(connection, [id for id, _, _ in found])
    return [Match(numbers[id], received_at, place) for id, received_at, place in found]
