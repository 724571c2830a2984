"""An operator writes beside the running hub, from a process of its own: neither is ever told that it is locked."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults.history import Findings, History
from tests.faults.rig import HubChild, Sizes, enrolled, examine, opened, said, settings_of, sized, tell

MESSAGES = Sizes(ci=150, full=5_000)
CLIENTS = 2


@sized(MESSAGES)
def test_two_writing_processes_wait_for_each_other(size: int, ram: Path) -> None:
    settings = settings_of(ram / "hub")
    with History(ram / "history") as history, opened(settings) as beside:
        clients = enrolled(beside, ram, history, CLIENTS)
        with HubChild(ram / "hub") as child, ThreadPoolExecutor(CLIENTS) as pool:
            child.start()

            def write(no: int) -> None:
                for turn in range(size):
                    tell(beside, clients[no], f"message {turn}")

            writing = [pool.submit(write, no) for no in range(CLIENTS)]
            while not all(each.done() for each in writing):
                for client in clients:
                    client.write()
                    assert client.sync(child.address).is_whole
            for client in clients:
                client.sync_to_the_end(child.address)
                client.listen()
        for each in writing:
            each.result()

        assert examine(beside.store, history, said(beside, clients)) == Findings()
