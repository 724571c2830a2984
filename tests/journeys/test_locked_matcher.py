"""The matcher of a hub: there is none while it is locked, one while it is open, and none once it is stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.hub import Hub, open_hub
from server.store import unmatched
from tests.builders import PASSPHRASE, enrolled, founded, with_keyring
from tests.matching import report
from tests.serving import PROGRAM, address_of, environ, serving

LONGEST_WAIT_S = 60


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub on which two reports wait to be matched; it is opened here beside whatever serves it."""
    hub = with_keyring(open_hub(*founded(tmp_path / "hub")))
    for team in ("gao", "mopti"):
        report(enrolled(hub, team, team=team), team)
    yield hub
    hub.close()


def matchers(process: int) -> list[int]:
    """The children of a process, of any of its threads, that were spawned to work."""
    threads = Path(f"/proc/{process}/task")
    found = [each for thread in threads.iterdir() for each in (thread / "children").read_text().split()]
    return [int(each) for each in found if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]


def waiting(hub: Hub) -> int:
    with hub.store.read() as connection:
        return unmatched.count(connection)


@pytest.mark.ci
def test_matcher_begins_when_the_hub_is_unlocked_knows_no_secret_by_its_start_and_ends_with_it(
    hub: Hub, tmp_path: Path
) -> None:
    with serving() as serve:
        process = serve(environ(hub.settings.data), stdin=subprocess.DEVNULL)
        address_of(process)
        assert (matchers(process.pid), waiting(hub)) == ([], 2)

        brought = tmp_path / "brought"
        brought.write_text(PASSPHRASE)
        unlocking = environ(hub.settings.data, SEERE_PASSPHRASE_FILE=str(brought))
        subprocess.run([*PROGRAM, "unlock"], env=unlocking, stdin=subprocess.DEVNULL, check=True, capture_output=True)
        give_up = time.monotonic() + LONGEST_WAIT_S
        while waiting(hub) and time.monotonic() < give_up:
            pass
        assert waiting(hub) == 0
        [matcher] = matchers(process.pid)
        started = Path(f"/proc/{matcher}")
        told = (started / "cmdline").read_bytes() + (started / "environ").read_bytes()
        secrets = [PASSPHRASE.encode(), *vars(hub.secrets).values()]
        assert not [each for each in secrets if each in told or each.hex().encode() in told]

        handle = os.pidfd_open(matcher)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=LONGEST_WAIT_S)
        with pytest.raises(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGTERM)
        os.close(handle)
