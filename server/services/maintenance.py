"""Keeping a hub: what it holds, backups, restores, and the upkeep that jobs do."""

from dataclasses import dataclass

from server.store import complaints, devices, quarantine
from server.store.engine import Store


@dataclass(frozen=True)
class Counts:
    """How much a hub holds."""

    complaints: int
    set_aside: int
    devices: int


def counts(store: Store) -> Counts:
    """How much the hub holds now."""
    with store.read() as connection:
        return Counts(
            complaints.count(connection),
            sum(quarantine.count_waiting(connection).values()),
            len(devices.listed(connection)),
        )
