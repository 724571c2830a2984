"""Eight writers and one device that reads all the while: no change is passed over, on either engine."""

from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from server.hub import Hub
from server.store import changes
from tests.faults.history import Findings, History
from tests.faults.rig import (
    MESSAGE,
    Device,
    Run,
    Sizes,
    enrolled,
    examine,
    opened,
    said,
    served,
    settings_of,
    sized,
    tell,
    tell_within,
)

CHANGES = Sizes(ci=1_000, full=100_000)
CHANGES_ON_POSTGRESQL = Sizes(ci=3_000, full=100_000)
WRITERS = 8
PATIENCE_S = 2.0


def changes_under_writers(count: int, folder: Path, database: str = "") -> Run:
    """Write `count` changes for a device from eight threads at once, while it pulls over HTTP."""
    with History(folder / "history") as history, opened(settings_of(folder / "hub", database)) as hub:
        [device] = enrolled(hub, folder, history, 1)

        def write(writer: int) -> None:
            for no in range(count // WRITERS):
                tell(hub, device, f"{writer}.{no}")

        with served(hub) as address, ThreadPoolExecutor(WRITERS) as pool:
            writing = [pool.submit(write, writer) for writer in range(WRITERS)]
            while not all(each.done() for each in writing):
                device.sync_to_the_end(address)
            device.sync_to_the_end(address)
            device.listen()
        messages = said(hub, [device])
        return Run(len(messages[device.label]), examine(hub.store, history, messages))


@sized(CHANGES)
def test_device_misses_no_change_of_eight_writers(size: int, ram: Path) -> None:
    run = changes_under_writers(size, ram)

    assert run.findings == Findings()
    assert run.faults == size


@pytest.mark.postgres
@sized(CHANGES_ON_POSTGRESQL)
def test_device_misses_no_change_of_eight_writers_on_postgresql(size: int, ram: Path, postgres_url: str) -> None:
    run = changes_under_writers(size, ram, postgres_url)

    assert run.findings == Findings()
    assert run.faults == size


@pytest.mark.postgres
def test_no_change_is_committed_after_a_later_one_was_read(ram: Path, postgres_url: str) -> None:
    """The one order of two writers that a plain sequence cannot bear, brought about instead of waited for."""
    with History(ram / "history") as history, opened(settings_of(ram / "hub", postgres_url)) as hub:
        [device] = enrolled(hub, ram, history, 1)
        with ThreadPoolExecutor(1) as pool:
            with hub.store.write() as connection:
                tell_within(connection, hub, device, "early")
                late = pool.submit(tell, hub, device, "late")
                # It waits for the early one, or, where numbers were drawn apart, is there before it.
                wait([late], PATIENCE_S)
                first = heard(hub, device, after=0)
            late.result()
        then = heard(hub, device, after=max((n for n, _ in first), default=0))

    assert [text for _, text in first + then] == ["early", "late"]


def heard(hub: Hub, device: Device, after: int) -> list[tuple[int, str]]:
    """Number and text of what the device would be told after a cursor."""
    with hub.store.read() as connection:
        return [
            (each.n, each.body["text"])
            for each in changes.after(connection, device.lineage, after, limit=100)
            if each.kind == MESSAGE
        ]
