"""The hub's disk full at many points: it says so, goes on answering, and stores again once there is room."""

from http.client import HTTPConnection
from pathlib import Path

from fixtures.bad_road import Address
from tests.faults.history import Findings, History
from tests.faults.rig import Device, HubChild, Run, Sizes, enrolled, examine, opened, settings_of, sized
from tests.faults.shim import FaultShim

POINTS = Sizes(ci=40, full=200)
# The writes of one body and a part of the next, from the first byte on.
POINTS_BYTES = 120_000
BODIES_MOST = 40


def full_disks(points: int, folder: Path, shim: FaultShim) -> Run:
    """Let the disk of one hub run full at `points` points, and give it room again each time."""
    root = folder / "hub"
    with History(folder / "history") as history:
        with opened(settings_of(root)) as hub:
            [device] = enrolled(hub, folder, history, 1)
        with HubChild(root, shim.environment(match=root)) as child:
            child.start()
            for point in range(points):
                shim.arm(enospc_after=point * POINTS_BYTES // points)
                refused = _refusal(device, child.address)
                assert refused == "storage_full", f"{refused} at point {point}"
                assert [status_of(child.address, path) for path in ("/health", "/")] == [200, 200]
                shim.arm()
                device.sync_to_the_end(child.address)
        with opened(settings_of(root)) as read_back:
            return Run(points, examine(read_back.store, history))


def _refusal(device: Device, address: Address) -> str | None:
    """The first code with which the hub refuses what the device sends."""
    for _ in range(BODIES_MOST):
        device.write(2)
        report = device.sync(address)
        if not report.is_whole:
            return report.refused_code
    return None


def status_of(address: Address, path: str) -> int:
    """The status with which the hub answers whoever asks for `path`."""
    connection = HTTPConnection(*address)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


@sized(POINTS)
def test_hub_without_room_refuses_and_comes_back(size: int, ram: Path, shim: FaultShim) -> None:
    assert full_disks(size, ram, shim).findings == Findings()
