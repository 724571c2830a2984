"""What the commands of one run share: the folder of the device, its texts, and its open stores."""

import random
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event
from typing import Final

import click
from rich.console import Console

from client_sync.i18n import Catalogue
from client_sync.outbox import Outbox
from client_sync.preferences import Preferences
from client_sync.stores import Folder
from client_sync.vault import Vault

# What the hub is told; tests hold it to pyproject.toml.
VERSION: Final = "0.1.0"


class Session:
    """One run of the program on one folder; `program` is the name it was called by. Close it to lock the vault."""

    def __init__(self, folder: Folder, program: str = "carnet") -> None:
        self.folder = folder
        self.program = program
        self.rng: random.Random = random.SystemRandom()
        # Words of people are never taken for markup.
        self.console = Console(markup=False, highlight=False, emoji=False)
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
        suffix = self.texts.text("ask.suffix")
        question = self.texts.text(key, **values)
        words: str = click.prompt(question, default=default, show_default=False, prompt_suffix=suffix)
        return words

    def ask_secret(self, key: str, default: str | None = None) -> str:
        """Words that a terminal does not show; without a terminal they come as any other line."""
        hidden = sys.stdin.isatty()
        suffix = self.texts.text("ask.suffix")
        question = self.texts.text(key)
        words: str = click.prompt(
            question, default=default, show_default=False, hide_input=hidden, prompt_suffix=suffix
        )
        return words

    @contextmanager
    def outbox(self) -> Iterator[Outbox]:
        """The outbox of the device, open for as long as the block lasts."""
        outbox = Outbox.open(self.folder)
        try:
            yield outbox
        finally:
            outbox.close()

    def vault(self) -> Vault:
        """The open vault; asks for the passphrase the first time. Raises VaultMissing and WrongPassphrase."""
        if self._vault is None:
            words = ""
            if Vault.exists(self.folder):
                words = self.ask_secret("passphrase.ask")
            self._vault = Vault.open(self.folder, words)
        return self._vault

    def close(self) -> None:
        """Lock the vault, if it was opened."""
        if self._vault is not None:
            self._vault.close()
            self._vault = None


def wrapped(words: str, width: int) -> str:
    """The same lines, none longer than `width` characters unless one word is."""
    wrapper = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(wrapper.fill(line) for line in words.split("\n"))


in_session = click.make_pass_decorator(Session)
