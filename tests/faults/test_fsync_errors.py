"""A disk whose syncs fail: no body is acknowledged by a failed one, and the hub comes back by itself."""

from pathlib import Path

from tests.faults.history import Findings, History
from tests.faults.rig import Device, HubChild, Run, Sizes, enrolled, examine, opened, settings_of, sized
from tests.faults.shim import FaultShim
from tests.faults.test_disk_full import status_of

SYNCS = Sizes(ci=12, full=40)
# A body takes one sync; the write-back of the log takes more.
BODIES_MOST = 60


def failing_syncs(count: int, folder: Path, shim: FaultShim) -> Run:
    """Fail the 1st to the `count`-th sync of one hub, each alone and then with all that follow."""
    root = folder / "hub"
    with History(folder / "history") as history:
        with opened(settings_of(root)) as hub:
            [device] = enrolled(hub, folder, history, 1)
        with HubChild(root, shim.environment(match=root)) as child:
            child.start()
            for k in range(1, count + 1):
                shim.arm(fail_sync=-k)
                _send_past(device, child, shim, k)
                shim.arm(fail_sync=k)
                _send_past(device, child, shim, k)
                _assert_nothing_is_acknowledged(device, child)
                shim.arm()
                device.sync_to_the_end(child.address)
        with opened(settings_of(root)) as read_back:
            return Run(2 * count, examine(read_back.store, history))


def _send_past(device: Device, child: HubChild, shim: FaultShim, k: int) -> None:
    """Send until the k-th sync was asked for. A failure to write back the log need not reach a device."""
    for _ in range(BODIES_MOST):
        if shim.syncs >= k:
            return
        device.write()
        report = device.sync(child.address)
        assert report.is_whole or report.refused_code == "storage_failed", report
    raise AssertionError(f"no {k}-th sync in {BODIES_MOST} bodies")


def _assert_nothing_is_acknowledged(device: Device, child: HubChild) -> None:
    """While every sync fails the hub reads, and acknowledges nothing."""
    told = device.told()
    device.write()
    report = device.sync(child.address)
    assert (report.refused_code, device.told()) == ("storage_failed", told)
    assert status_of(child.address, "/health") == 200


@sized(SYNCS)
def test_failed_sync_is_never_acknowledged(size: int, ram: Path, shim: FaultShim) -> None:
    assert failing_syncs(size, ram, shim).findings == Findings()
