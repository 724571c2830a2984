"""The matcher's process: works beside the hub, is replaced when it dies, and ends with its parent, however it ends."""

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.hub import Hub
from server.matcher import Child, ChildGone, Fault, match_waiting, running_matcher
from server.services.duplicates import matching
from server.store import duplicates
from server.store.duplicates import Turned, Waiting
from tests.builders import Clock, enrolled, open_test_hub
from tests.matching import links, report

ROOT = Path(__file__).resolve().parents[2]
LONGEST_WAIT_S = 60


@pytest.fixture
def hub(database_url: str, tmp_path: Path) -> Iterator[Hub]:
    hub = open_test_hub(database_url, tmp_path / "hub", Clock())
    yield hub
    hub.close()


@contextmanager
def child_of(hub: Hub) -> Iterator[Child]:
    matching.keep_models(hub.store, hub.clock())
    child = Child(hub.settings, hub.secrets)
    try:
        yield child
    finally:
        child.end()


def two_reports(hub: Hub) -> tuple[int, int]:
    return report(enrolled(hub, "Gao 1", team="gao"), "a"), report(enrolled(hub, "Mopti 1", team="mopti"), "b")


def has_ended(process: int) -> bool:
    """Whether a process ends in time; one that is gone already has."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], LONGEST_WAIT_S)[0])
    finally:
        os.close(handle)


def test_child_finds_what_two_teams_reported(hub: Hub) -> None:
    pair = two_reports(hub)
    with child_of(hub) as child:
        assert child.process_id is None
        assert match_waiting(hub, child, "1") == 2
        process = child.process_id
    assert (*pair, "same_incident") in links(hub)
    assert process is not None
    assert has_ended(process)


def test_child_that_died_is_replaced_and_the_page_matched_again(hub: Hub) -> None:
    pair = two_reports(hub)
    with child_of(hub) as child:
        child.turn([])
        assert child.process_id is not None
        os.kill(child.process_id, signal.SIGKILL)
        with pytest.raises(ChildGone):
            match_waiting(hub, child, "1")
        child.end()
        hub.clock.pass_(minutes=3)  # type: ignore[attr-defined]
        assert match_waiting(hub, child, "1") == 2
    assert (*pair, "same_incident") in links(hub)


def test_signals_of_the_group_do_not_end_the_page_in_hand(hub: Hub) -> None:
    two_reports(hub)
    with child_of(hub) as child:
        child.turn([])
        assert child.process_id is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(child.process_id, number)
        assert match_waiting(hub, child, "1") == 2


def test_child_knows_no_secret_by_its_arguments_or_environment(hub: Hub) -> None:
    with child_of(hub) as child:
        child.turn([])
        folder = Path(f"/proc/{child.process_id}")
        seen = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        niceness = os.getpriority(os.PRIO_PROCESS, child.process_id or 0)
    for secret in vars(hub.secrets).values():
        assert secret not in seen
        assert secret.hex().encode() not in seen
    assert niceness > 0


def test_worker_matches_in_the_background_until_it_is_told_to_stop(hub: Hub) -> None:
    pair = two_reports(hub)
    is_done = threading.Event()
    keep = matching.keep

    def noted(*arguments: object) -> None:
        keep(*arguments)  # type: ignore[arg-type]
        is_done.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "keep", noted)
        with running_matcher(hub) as child:
            assert is_done.wait(LONGEST_WAIT_S)
            process = child.process_id
    assert (*pair, "same_incident") in links(hub)
    assert process is not None
    assert has_ended(process)


class Stumbling(Child):
    """A child that can do nothing with one complaint."""

    bad = 0

    def turn(self, page: Sequence[Waiting]) -> list[Turned] | Fault:
        if any(each.complaint == self.bad for each in page):
            return Fault({"fault": "ValueError"})
        return super().turn(page)


def test_complaint_that_can_not_be_matched_keeps_no_other_from_it(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    pair = two_reports(hub)
    child = Stumbling(hub.settings, hub.secrets)
    child.bad = report(enrolled(hub, "Kayes 1", team="kayes"), "bad")
    matching.keep_models(hub.store, hub.clock())
    assert match_waiting(hub, child, "1") == 2
    child.end()
    assert (*pair, "same_incident") in links(hub)
    assert [each.msg for each in caplog.records] == ["match_failed"]
    with hub.store.read() as connection:
        assert duplicates.count_waiting(connection) == 1


PARENT = """
import os, sys
from pathlib import Path
from server.matcher import Child
from tests.builders import founded

if __name__ == "__main__":
    child = Child(*founded(Path(sys.argv[1])))
    child.turn([])
    print(child.process_id, flush=True)
    sys.stdin.read()
    os._exit(1)
"""


@pytest.mark.parametrize("way", ["killed", "left"])
def test_child_ends_with_its_parent(tmp_path: Path, way: str) -> None:
    open_test_hub("sqlite", tmp_path / "hub", Clock()).close()
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "hub")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        process = int(parent.stdout.readline())
        if way == "killed":
            parent.kill()
        else:
            parent.stdin.close()
        assert has_ended(process)
