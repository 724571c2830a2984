"""What the commands of one run share: the folder of the device, its texts, and its open stores."""

import random
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event, Timer
from typing import Final

import click
from rich.console import Console

from client_sync import clocks, tries
from client_sync.clocks import Clocks
from client_sync.errors import StoreFailed, StoreFull, VaultLocked
from client_sync.i18n import Catalogue
from client_sync.outbox import Outbox
from client_sync.preferences import Preferences
from client_sync.protocol.keyring import RECEIVED_DAYS
from client_sync.stores import Folder
from client_sync.tables import Enrolled
from client_sync.vault import Vault

# What the hub is told; tests hold it to pyproject.toml.
VERSION: Final = "0.1.0"
# For so many days before what came has to leave, every command says so.
_TOLD_DAYS: Final = 3
_ERASE_SCROLLBACK: Final = "\x1b[3J"


class Session:
    """One run of the program on one folder; `program` is the name it was called by. Close it to lock the vault."""

    def __init__(self, folder: Folder, program: str = "carnet") -> None:
        self.folder = folder
        self.program = program
        self.rng: random.Random = random.SystemRandom()
        # Words of people are never taken for markup.
        self.console = Console(markup=False, highlight=False, emoji=False)
        self.timer: Callable[[float, Callable[[], None]], Timer] = Timer
        self._vault: Vault | None = None

    @property
    def is_interactive(self) -> bool:
        """Whether a person sits at a terminal."""
        return self.console.is_terminal and sys.stdin.isatty()

    @property
    def preferences(self) -> Preferences:
        """What the person chose for this device."""
        return Preferences.load(self.folder)

    @property
    def texts(self) -> Catalogue:
        """The texts, in the language of the device."""
        return Catalogue.load("client_sync", self.preferences.language)

    def now(self) -> datetime:
        """The time by the clock of the device."""
        return datetime.now(UTC)

    def clocks(self) -> Clocks:
        """Both clocks of the device."""
        return Clocks(self.now(), clocks.running_s())

    def wait(self, seconds: float) -> None:
        """Do nothing for so long."""
        Event().wait(seconds)

    def say(self, key: str, **values: object) -> None:
        """Write a text of the catalogue."""
        self.write(self.texts.text(key, program=self.program, **values))

    def say_count(self, key: str, n: int, **values: object) -> None:
        """Write a text of the catalogue that counts."""
        self.write(self.texts.plural(key, n, program=self.program, **values))

    def write(self, words: str, *, err: bool = False) -> None:
        """Write lines; on a terminal none is wider than it, and no word is cut."""
        click.echo(wrapped(words, self.console.width) if self.console.is_terminal else words, err=err)

    def ask(self, key: str, default: str | None = None, **values: object) -> str:
        """A line typed after a text of the catalogue."""
        return self.typed(self.texts.text(key, **values), self.texts.text("ask.suffix"), default)

    def ask_secret(self, key: str, default: str | None = None) -> str:
        """Words that a terminal does not show; without a terminal they come as any other line."""
        suffix = self.texts.text("ask.suffix")
        return self.typed(self.texts.text(key), suffix, default, is_hidden=sys.stdin.isatty())

    def typed(self, question: str, suffix: str = " ", default: str | None = None, *, is_hidden: bool = False) -> str:
        """The line that a person types. Raises VaultLocked when it came so late that the vault was locked."""
        with self._locking_when_idle():
            words: str = click.prompt(
                question, default=default, show_default=False, hide_input=is_hidden, prompt_suffix=suffix
            )
        return words

    @contextmanager
    def _locking_when_idle(self) -> Iterator[None]:
        """Lock the open vault when a person leaves a question unanswered, and forget what is said afterwards.

        The keys are dropped while the question stands; nobody else uses the vault then, for the program waits.
        """
        if self._vault is None:
            yield
            return
        idle_s = self.preferences.lock_after_minutes * 60
        began_s = self.clocks().running_s
        timer = self.timer(idle_s, self.lock)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
        # A timer sleeps when the machine does: the lid was closed meanwhile.
        if self._vault is not None and self.clocks().running_s - began_s >= idle_s:
            self.lock()
        if self._vault is None:
            raise VaultLocked

    def lock(self) -> None:
        """Close the vault, and clear what a terminal still shows of it."""
        self.close()
        self.clear()

    def clear(self) -> None:
        """Clear the screen of a person, and what can be scrolled back to."""
        if self.is_interactive:
            click.clear()
            click.echo(_ERASE_SCROLLBACK, nl=False)

    @contextmanager
    def outbox(self) -> Iterator[Outbox]:
        """The outbox of the device, open for as long as the block lasts; what came too long ago leaves it first."""
        outbox = Outbox.open(self.folder)
        try:
            self._let_expire(outbox)
            yield outbox
        finally:
            outbox.close()

    def vault(self) -> Vault:
        """The open vault; asks for the passphrase the first time, and after a lock.

        Raises VaultMissing, WrongPassphrase, and PassphraseTooSoon without asking.
        """
        if self._vault is None:
            words = ""
            if Vault.exists(self.folder):
                tries.require_rested(self.folder.vault_tries, self.clocks().running_s)
                words = self.ask_secret("passphrase.ask")
            self._vault = Vault.open(self.folder, words, lambda: self.clocks().running_s)
        return self._vault

    def vault_anew(self) -> Vault:
        """The open vault, after the passphrase was typed once more. Raises as `vault` does."""
        self.close()
        return self.vault()

    def _let_expire(self, outbox: Outbox) -> None:
        try:
            outbox.tasks.expire(self.clocks())
            absence = outbox.received.expire(self.clocks(), _received_days(outbox.enrolled))
        except (StoreFull, StoreFailed):
            # A full disk must not stand between a person and what is still there.
            return
        if absence is not None and absence.is_over:
            outbox.tasks.forget()
            self.say_count("expiry.done", absence.days)
        elif absence is not None and absence.is_claimed:
            self.say_count("expiry.claimed", absence.days)
        elif absence is not None and absence.days_left <= _TOLD_DAYS:
            self.say_count("expiry.soon", absence.days_left)

    def close(self) -> None:
        """Lock the vault, if it was opened."""
        if self._vault is not None:
            self._vault.close()
            self._vault = None


def _received_days(enrolled: Enrolled | None) -> int:
    keyring = None if enrolled is None else enrolled.trusted_keyring
    return RECEIVED_DAYS if keyring is None else keyring.policy.received_days


def wrapped(words: str, width: int) -> str:
    """The same lines, none longer than `width` characters unless one word is."""
    wrapper = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(wrapper.fill(line) for line in words.split("\n"))


in_session = click.make_pass_decorator(Session)
