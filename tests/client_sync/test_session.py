"""One run of the program: when the vault is locked, and what it says of what leaves."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Timer
from typing import TypeVar

import pytest
from click.testing import CliRunner

from client_sync.clocks import Clocks
from client_sync.commands.session import Session
from client_sync.errors import PassphraseTooSoon, VaultLocked, WrongPassphrase
from client_sync.preferences import Preferences
from client_sync.stores import Folder
from client_sync.vault import Vault, seal_for_vault
from tests.client_sync.builders import NOW, SOFT, WORDS, answer, complaint, enrolled_outbox, record_id

T = TypeVar("T")


class Clocked(Session):
    """A session whose clocks stand unless a test moves them."""

    now_at = NOW
    running_s = 1000.0

    def clocks(self) -> Clocks:
        return Clocks(self.now_at, self.running_s)


class Elapsed(Timer):
    """A timer whose time is over as soon as it starts: it locks from its own thread, while the question stands."""

    def start(self) -> None:
        self.interval = 0.0
        super().start()
        threading.Thread.join(self)


@pytest.fixture
def session(folder: Folder) -> Iterator[Clocked]:
    """A session on an enrolled device with a vault."""
    Vault.create(folder, WORDS, SOFT).close()
    enrolled_outbox(folder).close()
    session = Clocked(folder)
    yield session
    session.close()


def asked(act: Callable[[], T], *typed: str) -> T:
    """What comes of an act at which a person types lines."""
    with CliRunner().isolation("\n".join([*typed, ""])):
        return act()


def test_a_question_left_unanswered_locks_the_vault_and_the_next_action_asks_again(session: Clocked) -> None:
    vault = asked(session.vault, WORDS)
    vault.save_draft("a", {"narrative": "said"})
    session.timer = Elapsed
    with pytest.raises(VaultLocked):
        asked(lambda: session.ask("menu.which"), "an answer that comes too late")
    sealed = seal_for_vault(session.folder, b"a reply")
    assert sealed is not None
    with pytest.raises(VaultLocked):
        vault.unseal(sealed)
    with pytest.raises(WrongPassphrase):
        asked(session.vault, "un deux trois quatre")
    assert len(asked(session.vault, WORDS).drafts()) == 1


def test_a_vault_is_locked_after_two_minutes_unless_the_person_chose_others(session: Clocked) -> None:
    waits = []

    def timer(seconds: float, act: Callable[[], None]) -> Timer:
        waits.append(seconds)
        return Timer(seconds, act)

    session.timer = timer
    asked(session.vault, WORDS)
    asked(lambda: session.ask("menu.which"), "in time")
    Preferences(lock_after_minutes=10).save(session.folder)
    assert asked(lambda: session.ask("menu.which"), "in time") == "in time"
    assert waits == [120, 600]


def test_a_machine_that_slept_wakes_up_locked(session: Clocked) -> None:
    asked(session.vault, WORDS)

    def sleeping(seconds: float, act: Callable[[], None]) -> Timer:
        session.running_s += 120
        return Timer(seconds, act)

    session.timer = sleeping
    with pytest.raises(VaultLocked):
        asked(lambda: session.ask("menu.which"), "an answer that comes too late")


def test_no_clock_runs_while_the_vault_is_closed(session: Clocked) -> None:
    session.timer = Elapsed
    assert asked(lambda: session.ask("menu.which"), "in time") == "in time"


def test_after_wrong_words_nothing_is_asked_until_the_wait_is_over(session: Clocked) -> None:
    for _ in range(3):
        with pytest.raises(WrongPassphrase):
            asked(session.vault, "un deux trois quatre")
    with pytest.raises(PassphraseTooSoon) as too_soon:
        session.vault()
    assert too_soon.value.details == {"wait_s": 5}
    session.running_s += 5
    asked(session.vault, WORDS)


def said_on_opening(session: Clocked) -> str:
    """What the program says when it opens the outbox."""
    with CliRunner().isolation() as (out, *_):
        with session.outbox():
            pass
        return out.getvalue().decode()


def test_a_person_is_told_before_replies_leave_and_when_they_left(session: Clocked) -> None:
    with session.outbox() as outbox:
        outbox.finalise("complaint", complaint(), id=record_id(1))
        outbox.apply(answer(changes=[{"n": 1, "id": record_id(1)[:8], "kind": "status", "status": "read"}]), NOW)
    assert said_on_opening(session) == ""
    for days, words in ((26, ""), (28, "dans 2 jours"), (30, "depuis 30 jours : ses réponses sont effacées"), (31, "")):
        session.now_at = NOW + timedelta(days=days)
        session.running_s = 1000.0 + days * 86_400
        said = said_on_opening(session)
        assert words in said
        assert bool(words) == bool(said)


def test_a_person_is_told_that_the_clock_may_be_wrong(session: Clocked) -> None:
    with session.outbox() as outbox:
        outbox.finalise("complaint", complaint(), id=record_id(1))
        outbox.apply(answer(changes=[{"n": 1, "id": record_id(1)[:8], "kind": "status", "status": "read"}]), NOW)
    said_on_opening(session)
    session.now_at = NOW + timedelta(days=3650)
    assert "3650 jours sans contact. Si elle se trompe, réglez-la aujourd'hui" in said_on_opening(session)
