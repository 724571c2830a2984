"""Eight writers and one device that reads all the while: no change is passed over, on either engine."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.history import Findings, History
from tests.faults.rig import Run, Sizes, enrolled, examine, opened, said, served, settings_of, sized, tell

CHANGES = Sizes(ci=1_000, full=100_000)
CHANGES_ON_POSTGRESQL = Sizes(ci=3_000, full=100_000)
WRITERS = 8


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
