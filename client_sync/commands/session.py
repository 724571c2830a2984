"""What the commands of one run share: the folder of the device, its texts, and its open stores."""

import random
import sys
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
    """One run of the program on one folder. Close it to lock the vault."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
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
        """Write one line: a text of the catalogue."""
        click.echo(self.texts.text(key, **values))

    def say_count(self, key: str, n: int, **values: object) -> None:
        """Write one line: a text of the catalogue that counts."""
        click.echo(self.texts.plural(key, n, **values))

    def ask_secret(self, key: str, default: str | None = None) -> str:
        """Words that a terminal does not show; without a terminal they come as any other line."""
        hidden = sys.stdin.isatty()
        words: str = click.prompt(self.texts.text(key), default=default, show_default=False, hide_input=hidden)
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


in_session = click.make_pass_decorator(Session)
