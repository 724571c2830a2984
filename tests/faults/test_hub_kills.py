"""The hub killed under eight clients, at drawn times and before each write in turn: nothing acknowledged is lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from tests.faults.history import Findings, History
from tests.faults.kill import ChildEnded, at_random
from tests.faults.rig import Device, HubChild, Run, Sizes, enrolled, examine, opened, settings_of, sized
from tests.faults.shim import FaultShim

RANDOM_KILLS = Sizes(ci=6, full=250)
KILLS_AT_WRITES = Sizes(ci=40, full=250)
CLIENTS = 8
LONGEST_S = 0.4
# Prime, so that the kills walk through the operations of a start, of bodies and of checkpoints.
STRIDE = 37
OPERATIONS = 1_201


def random_kills(count: int, folder: Path) -> Run:
    """Kill the hub `count` times at drawn times."""
    chances = Random(count)

    def kill(hub: HubChild, load: Callable[[], None], _: int) -> None:
        with at_random(hub.start(), chances, LONGEST_S):
            load()

    with HubChild(folder / "hub") as hub:
        return _killed(hub, count, folder, kill)


def kills_at_writes(count: int, folder: Path, shim: FaultShim) -> Run:
    """Kill the hub `count` times, each time before another operation on its disk."""

    def kill(hub: HubChild, load: Callable[[], None], turn: int) -> None:
        shim.arm(kill_at=turn * STRIDE % OPERATIONS + 1)
        try:
            hub.start()
            load()
        except ChildEnded:
            """Killed before it listened."""
        assert hub.kill().was_killed
        shim.arm()

    with HubChild(folder / "hub", shim.environment(match=folder / "hub")) as hub:
        return _killed(hub, count, folder, kill)


def _killed(hub: HubChild, count: int, folder: Path, kill: Callable[[HubChild, Callable[[], None], int], None]) -> Run:
    settings = settings_of(folder / "hub")
    with History(folder / "history") as history:
        with opened(settings) as prepared:
            clients = enrolled(prepared, folder, history, CLIENTS)
        with ThreadPoolExecutor(CLIENTS) as pool:

            def load() -> None:
                for _ in pool.map(lambda client: _send_until_cut(client, hub), clients):
                    """Each is done once its link is cut."""

            for turn in range(count):
                kill(hub, load, turn)
        hub.start()
        for client in clients:
            client.sync_to_the_end(hub.address)
        hub.kill()
        with opened(settings) as read_back:
            return Run(count, examine(read_back.store, history))


def _send_until_cut(client: Device, hub: HubChild) -> None:
    report = None
    while report is None or report.is_whole:
        client.write(2)
        report = client.sync(hub.address)
    assert report.cut, report


@sized(RANDOM_KILLS)
def test_hub_killed_at_any_time_loses_nothing(size: int, ram: Path) -> None:
    assert random_kills(size, ram).findings == Findings()


@sized(KILLS_AT_WRITES)
def test_hub_killed_before_any_write_loses_nothing(size: int, ram: Path, shim: FaultShim) -> None:
    assert kills_at_writes(size, ram, shim).findings == Findings()
