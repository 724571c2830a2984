"""The lock of a serving hub: it opens once, to the right passphrase, and makes a guesser wait."""

import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.domain.errors import LockUnreachable, PassphraseWrong, StorageFailed
from server.lock import Lock, Outcome, Tries, hand_over

RIGHT = "mil sorgho riz fonio"


class Seconds:
    """A clock in seconds that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Hub:
    """What is behind the lock: it opens to one passphrase, unless its disk fails."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.fault: Exception | None = None

    def unlock(self, passphrase: str) -> None:
        self.tried.append(passphrase)
        if passphrase != RIGHT:
            raise PassphraseWrong
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def lock(tmp_path: Path, hub: Hub, clock: Seconds) -> Iterator[Lock]:
    with Lock(tmp_path, 1, hub.unlock, clock) as lock:
        yield lock


def _hand(folder: Path, passphrase: str) -> Outcome:
    [outcome] = hand_over(folder, passphrase)
    return outcome


def test_right_passphrase_opens_once_and_the_socket_is_gone(lock: Lock, hub: Hub, tmp_path: Path) -> None:
    assert _hand(tmp_path, RIGHT) == Outcome("unlocked")
    lock._thread.join()
    assert hub.tried == [RIGHT]
    assert list(hand_over(tmp_path, RIGHT)) == []
    assert list(tmp_path.iterdir()) == []


def test_only_the_owner_reaches_the_socket(lock: Lock) -> None:
    assert stat.S_IMODE(lock.path.stat().st_mode) == 0o600


def test_next_try_after_a_wrong_one_has_to_wait_even_with_the_right_words(
    lock: Lock, hub: Hub, clock: Seconds, tmp_path: Path
) -> None:
    assert _hand(tmp_path, "wrong") == Outcome("passphrase_wrong", 1)
    assert _hand(tmp_path, RIGHT) == Outcome("too_soon", 1)
    assert hub.tried == ["wrong"]
    clock.now += 1
    assert _hand(tmp_path, "wrong") == Outcome("passphrase_wrong", 2)
    clock.now += 1.5
    assert _hand(tmp_path, RIGHT) == Outcome("too_soon", 1)
    clock.now += 0.5
    assert _hand(tmp_path, RIGHT) == Outcome("unlocked")


def test_delay_doubles_to_half_a_minute_and_no_further(clock: Seconds) -> None:
    tries, delays = Tries(clock), []
    for _ in range(8):
        assert tries.wait_s() == 0
        tries.note_wrong()
        delays.append(tries.wait_s())
        clock.now += delays[-1]
    assert delays == [1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize(("fault", "code"), [(StorageFailed(), "storage_failed"), (ValueError(), "server_error")])
def test_hub_that_can_t_open_says_why_and_may_be_tried_again(
    lock: Lock, hub: Hub, tmp_path: Path, fault: Exception, code: str
) -> None:
    hub.fault = fault
    assert _hand(tmp_path, RIGHT) == Outcome(code)
    hub.fault = None
    assert _hand(tmp_path, RIGHT) == Outcome("unlocked")


def test_more_than_a_passphrase_is_not_listened_to(lock: Lock, hub: Hub, tmp_path: Path) -> None:
    with pytest.raises((OSError, ValueError)):
        _hand(tmp_path, "x" * 100_000)
    assert hub.tried == []
    assert _hand(tmp_path, RIGHT) == Outcome("unlocked")


def test_every_hub_of_the_folder_is_opened(lock: Lock, hub: Hub, clock: Seconds, tmp_path: Path) -> None:
    with Lock(tmp_path, 2, hub.unlock, clock):
        assert list(hand_over(tmp_path, RIGHT)) == [Outcome("unlocked")] * 2


def test_socket_of_a_killed_process_is_passed_over_and_removed(lock: Lock, tmp_path: Path) -> None:
    dead = tmp_path / "unlock-0.socket"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(dead))
    assert _hand(tmp_path, RIGHT) == Outcome("unlocked")
    assert not dead.exists()


def test_lock_that_is_left_locked_leaves_nothing_behind(tmp_path: Path, hub: Hub, clock: Seconds) -> None:
    before = threading.active_count()
    with Lock(tmp_path, 1, hub.unlock, clock):
        pass
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []


def test_folder_that_takes_no_socket_is_named(tmp_path: Path, hub: Hub) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    with pytest.raises(LockUnreachable), Lock(deep, 1, hub.unlock):
        pass
