"""Clocks ten years off, on either side and in mid-run: what is stored, once, and in which order, does not depend on them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.services.intake import admission
from server.services.intake.admission import Desk
from server.store import jobs
from tests.faults.history import Findings, History
from tests.faults.rig import Device, HubChild, enrolled, examine, opened, served, settings_of, sizes
from tests.faults.shim import FaultShim

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TEN_YEARS = timedelta(days=3_653)
# True, ahead, true again, behind, straight to the other end, 1970, after 2038.
JUMPS = (
    timedelta(0), TEN_YEARS, timedelta(0), -TEN_YEARS, TEN_YEARS,
    datetime(1970, 1, 1, tzinfo=UTC) - NOW, datetime(2038, 1, 20, tzinfo=UTC) - NOW, timedelta(0),
)  # fmt: skip


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def __call__(self) -> datetime:
        return NOW + self.offset


@pytest.mark.parametrize("whose", ["hub", "device", "both"])
def test_clock_of_either_side_orders_nothing(whose: str, tmp_path: Path) -> None:
    hub_clock, device_clock = Clock(), Clock()
    with History(tmp_path / "history") as history, opened(settings_of(tmp_path / "hub"), hub_clock) as hub:
        [device] = enrolled(hub, tmp_path, history, 1)
        with served(hub) as address:
            for jump in JUMPS:
                hub_clock.offset = jump if whose != "device" else timedelta(0)
                device_clock.offset = jump if whose != "hub" else timedelta(0)
                _tell(hub, device, history)
                device.write(2)
                device.sync_to_the_end(address, device_clock)
                device.sync_to_the_end(address, device_clock)
            _admit_what_was_ahead(hub)
            device.sync_to_the_end(address, device_clock)

        assert examine(hub.store, history, device.expected(hub)) == Findings()
        assert device.waiting() == 0
        assert device.states() == {"at_centre"}
