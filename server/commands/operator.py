"""What every command of the operator has at hand: settings, texts, clock, and the hub when there is one."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from client_sync.i18n import Catalogue
from server import credential, durable
from server.commands.spoken import Refused
from server.config import Settings
from server.credential import Secrets
from server.domain.errors import CredentialMissing
from server.hub import Clock, Hub, open_hub

_UNBOUNDED_COLUMNS: Final = 200


@dataclass(frozen=True)
class Operator:
    """One call of `seere`."""

    settings: Settings
    texts: Catalogue
    clock: Clock

    def say(self, key: str, **values: object) -> None:
        """A line on standard output."""
        click.echo(self.texts.text(key, **values))

    def show(self, table: Table) -> None:
        """A table on standard output; one that no terminal bounds is not cut."""
        Console(width=None if sys.stdout.isatty() else _UNBOUNDED_COLUMNS).print(table)

    def refuse(self, key: str, **values: object) -> Refused:
        """A refusal to raise."""
        return Refused(self.texts.text(key, **values))

    def agrees(self, key: str, **values: object) -> bool:
        """Whether the person says yes, by the word or its letter; what is neither yes nor no is asked again.

        Without a terminal nobody is there to ask again: it is a no.
        """
        yes, no = (self.texts.text(f"usage.{word}").split() for word in ("yes", "no"))
        asked = self.texts.text(key, yes=yes[0], no=no[0], **values)
        if not sys.stdin.isatty():
            click.echo(asked)
            return self.answer(asked).strip().lower() in yes
        while (said := self.answer(asked).strip().lower()) not in (*yes, *no):
            self.say("usage.yes_or_no", yes=yes[0], no=no[0])
        return said in yes

    def answer(self, asked: str, *, is_hidden: bool = False) -> str:
        """What a person types, nothing only where it is seen; without a terminal, the next line of the input."""
        if sys.stdin.isatty():
            suffix = self.texts.text("usage.asks")
            if is_hidden:
                return str(click.prompt(asked, prompt_suffix=suffix, hide_input=True, err=True))
            return str(click.prompt(asked, default="", show_default=False, prompt_suffix=suffix))
        # Bytes: a reader of text would take more than the line, of an input that a command goes on reading.
        line = sys.stdin.buffer.readline()
        if not line:
            raise click.Abort
        return line.decode("utf-8", "replace").rstrip("\r\n")

    @property
    def has_terminal(self) -> bool:
        """Whether a person reads and types here."""
        return sys.stdin.isatty() and sys.stdout.isatty()

    @contextmanager
    def own_screen(self) -> Iterator[None]:
        """A screen for what one person alone may see, gone with the block; nothing where there is no terminal."""
        if not self.has_terminal:
            yield
            return
        console = Console()
        with console.screen(hide_cursor=False):
            # The text console of Linux has one screen only: what is not wiped stays on it.
            console.clear()
            try:
                yield
            finally:
                console.clear()

    def fits(self, lines: int) -> bool:
        """Whether so many lines stand on the screen at once; always where there is no terminal."""
        return not self.has_terminal or lines <= shutil.get_terminal_size().lines

    def wait_for_enter(self, key: str) -> None:
        """Let a person read until they press Enter; does not wait where there is no terminal."""
        if self.has_terminal:
            click.prompt(self.texts.text(key), default="", show_default=False, prompt_suffix=" ")

    def write_new(self, path: Path, lines: Iterable[bytes]) -> None:
        """Lines into a file that is not there yet, for its owner alone; refuses before the first where none can be."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise self.refuse("usage.file_there", file=path) from None
        except OSError:
            raise self.refuse("usage.file_unwritable", file=path) from None
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(lines)

    @contextmanager
    def drafted(self, path: Path, data: bytes) -> Iterator[None]:
        """A file that is not there yet, for its owner alone: whole on disk before the block, under its name after it.

        Refuses before the block where none can be. Where the block fails nothing is left; where it ends well and the
        name can't be given, the draft stays.
        """
        if path.exists():
            raise self.refuse("usage.file_there", file=path)
        try:
            draft = durable.draft(path, data)
        except FileExistsError as error:
            raise self.refuse("usage.file_there", file=error.filename) from None
        except OSError:
            raise self.refuse("usage.file_unwritable", file=path) from None
        try:
            yield
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        durable.settle(draft, path)

    @contextmanager
    def busy(self, key: str, **values: object) -> Iterator[None]:
        """Show on a terminal that work goes on."""
        with Console(stderr=True).status(self.texts.text(key, **values)):
            yield

    @contextmanager
    def hub(self) -> Iterator[Hub]:
        """The hub of the settings; refuses, and makes nothing, where `seere init` has not been."""
        self.require_hub()
        hub = open_hub(self.settings, self.secrets(), self.clock)
        try:
            yield hub
        finally:
            hub.close()

    def require_hub(self) -> None:
        """Refuse where there is no hub, or one without its credential."""
        if not has_hub(self.settings):
            raise self.refuse("init.missing", folder=self.settings.data)
        if not self.settings.credential.exists():
            raise CredentialMissing(file=self.settings.credential)

    def secrets(self) -> Secrets:
        """What the passphrase of the hub opens; refuses a wrong one, and where none can be had."""
        return credential.unlock(self.settings.credential, self.passphrase())

    def passphrase(self) -> str:
        """The passphrase: of the credential service, else typed at the terminal."""
        return self._kept_passphrase() or self._typed("passphrase.ask")

    def new_passphrase(self) -> str:
        """The passphrase that a new credential is to be closed with: of the credential service, else typed twice."""
        return self._kept_passphrase() or self.typed_twice()

    def typed_twice(self) -> str:
        """A new passphrase, typed at the terminal; refuses when it was not twice the same."""
        typed = self._typed("passphrase.ask_new")
        if self._typed("passphrase.ask_again") != typed:
            raise self.refuse("passphrase.differs")
        return typed

    def can_unlock(self) -> bool:
        """Whether there is anybody, or anything, to give the passphrase."""
        return self.settings.passphrase_file is not None or sys.stdin.isatty()

    def _kept_passphrase(self) -> str | None:
        file = self.settings.passphrase_file
        if file is None:
            return None
        try:
            return file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise self.refuse("passphrase.file_unreadable", file=file) from None

    def _typed(self, key: str) -> str:
        if not sys.stdin.isatty():
            raise self.refuse("passphrase.nobody_asks")
        suffix = self.texts.text("usage.asks")
        return str(click.prompt(self.texts.text(key), prompt_suffix=suffix, hide_input=True, err=True))

    def day(self, moment: date | None) -> str:
        """A day as people here read it; a dash for never."""
        return "–" if moment is None else moment.strftime(self.texts.text("usage.day"))

    def written(self, text: str) -> str:
        """A day kept as `2026-11-21`, as people here read it."""
        return self.day(date.fromisoformat(text))

    def moment(self, moment: datetime) -> str:
        """A moment as people here read it, to the minute, in UTC."""
        return moment.astimezone(UTC).strftime(self.texts.text("usage.moment"))

    def megabytes(self, size_bytes: int) -> str:
        """A size in megabytes with one decimal, written as people here do."""
        return f"{size_bytes / 1e6:.1f}".replace(".", self.texts.text("usage.decimal_point"))

    def at_day(self, text: str, option: str) -> datetime:
        """The moment in `2026-11-21` or `2026-11-21T10:04:05Z`; without a zone it is UTC. Refuses another text."""
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise self.refuse("usage.bad_day", name=option, text=text) from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def has_hub(settings: Settings) -> bool:
    """Whether a hub was made there: its database, or, where that has an address of its own, its credential."""
    return settings.credential.exists() if settings.database else settings.hub_file.exists()


pass_operator = click.make_pass_decorator(Operator)
