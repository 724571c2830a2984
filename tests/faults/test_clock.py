"""Clocks ten years off, on either side and in mid-run: what is stored, once and in which order, is the same."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from server.domain.desk import Desk
from server.hub import Hub
from server.services.intake import admission
from server.services.intake.admission import Vouched
from server.store import schema
from tests.builders import COORDINATOR
from tests.faults.history import Findings, History
from tests.faults.rig import HubChild, Sizes, enrolled, examine, opened, said, served, settings_of, sized, tell
from tests.faults.shim import FaultShim

ROUNDS = Sizes(ci=2, full=10)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TEN_YEARS = timedelta(days=3_653)
# True, ahead, true again, behind, straight to the other end, 1970, after 2038.
JUMPS = (
    timedelta(0), TEN_YEARS, timedelta(0), -TEN_YEARS, TEN_YEARS,
    datetime(1970, 1, 1, tzinfo=UTC) - NOW, datetime(2038, 1, 20, tzinfo=UTC) - NOW, timedelta(0),
)  # fmt: skip
RESTART_EACH = 3


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def __call__(self) -> datetime:
        return NOW + self.offset


@pytest.mark.parametrize("whose", ["hub", "device", "both"])
def test_clock_of_either_side_orders_nothing(whose: str, ram: Path) -> None:
    hub_clock, device_clock = Clock(), Clock()
    with History(ram / "history") as history, opened(settings_of(ram / "hub"), hub_clock) as hub:
        [device] = enrolled(hub, ram, history, 1)
        with served(hub) as address:
            for no, jump in enumerate(JUMPS):
                hub_clock.offset = jump * (whose != "device")
                device_clock.offset = jump * (whose != "hub")
                tell(hub, device, f"message {no}")
                device.write(2, device_clock())
                device.sync_to_the_end(address, device_clock)
                device.listen()
            _admit_what_was_ahead(hub)
            device.sync_to_the_end(address, device_clock)
            device.sync_to_the_end(address, device_clock)

        assert examine(hub.store, history, said(hub, [device])) == Findings()
        assert device.states() == {"at_centre": 2 * len(JUMPS)}
        if whose == "device":
            with hub.store.read() as connection:
                assert set(connection.scalars(sa.select(schema.received.c.received_at))) == {NOW}
                assert set(connection.scalars(sa.select(schema.registry.c.year))) == {NOW.year}


def _admit_what_was_ahead(hub: Hub) -> None:
    """What an operator does, once the clock is right, about what seemed to come from the future."""
    desk, prefix = Desk(COORDINATOR, None, NOW), hub.settings.registry_prefix
    admission.admit_waiting(hub.store, desk, prefix, ["clock_ahead"], Vouched(as_is=True))


@sized(ROUNDS)
def test_clock_that_jumps_under_a_running_hub_harms_nothing(size: int, ram: Path, shim: FaultShim) -> None:
    """`seere serve` with all its jobs; its wall clock jumps, what it measures with does not."""
    root = ram / "hub"
    with History(ram / "history") as history:
        with opened(settings_of(root)) as hub:
            [device] = enrolled(hub, ram, history, 1)
        with HubChild(root, shim.environment(match=root)) as child:
            for turn in range(size * len(JUMPS)):
                shim.clock_offset_s = JUMPS[turn % len(JUMPS)].total_seconds()
                if turn % RESTART_EACH == 0:
                    child.start()
                device.write(2)
                device.sync_to_the_end(child.address)
        with opened(settings_of(root)) as hub:
            _admit_what_was_ahead(hub)
            with hub.store.read() as connection:
                runs = Counter(connection.scalars(sa.select(schema.job_run.c.name)))

            assert examine(hub.store, history) == Findings()
            # However many due times a jump went past, a job catches up once.
            assert 0 < max(runs.values()) <= -(-size * len(JUMPS) // RESTART_EACH)
