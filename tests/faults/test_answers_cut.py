"""Answers cut at every byte: the hub has committed, the device does not know, and nothing is lost or doubled."""

from collections import deque
from pathlib import Path

from client_sync.outbox import Finished
from fixtures.bad_road import BadRoad, Cut, Rule
from tests.faults.history import Findings, History
from tests.faults.rig import Device, Run, Sizes, enrolled, examine, opened, queued, served, settings_of, sized

CUTS = Sizes(ci=80, full=2_000)
# Enough to weigh more than a device sends again unasked.
BACKLOG = 30


def cut_answers(count: int, folder: Path) -> Run:
    """Cut `count` answers, half of them to frames sent again or asked for, at each byte in turn."""
    rules: deque[Rule] = deque()
    with History(folder / "history") as history, opened(settings_of(folder / "hub")) as hub:
        [device] = enrolled(hub, folder, history, 1)
        with served(hub) as address, BadRoad(address, queued(rules)) as road:
            device.write()
            answer_bytes = device.sync(road.address).bytes_down
            turn = 0
            # Not `count` times: now and then an answer is shorter than the first, and whole before it could be cut.
            while road.cuts < count:
                _write(device, turn)
                rules.extend([Cut(after_down=turn % answer_bytes)] * 2)
                device.sync_to_the_end(road.address)
                turn += 1
        return Run(road.cuts, examine(hub.store, history))


def _write(device: Device, turn: int) -> None:
    """A few complaints; sometimes one that the hub sets aside, sometimes a backlog."""
    device.write(BACKLOG if turn % 16 == 15 else 1 + turn % 3)
    if turn % 4 == 3:
        device.finalise([Finished("complaint", {"form": "complaint/1900"})])


@sized(CUTS)
def test_answer_cut_at_any_byte_loses_and_doubles_nothing(size: int, ram: Path) -> None:
    run = cut_answers(size, ram)

    assert run.findings == Findings()
    assert run.faults >= size
