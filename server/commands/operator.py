"""What every command of the operator has at hand: settings, texts, clock, and the hub when there is one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from client_sync.i18n import Catalogue
from server.commands.spoken import Refused
from server.config import Settings
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
        """Whether the person types the word for yes; anything else, or no terminal to ask, is a no."""
        yes = self.texts.text("usage.yes")
        asked = self.texts.text(key, yes=yes, **values)
        return bool(click.prompt(asked, default="", show_default=False).strip().lower() == yes)

    @contextmanager
    def busy(self, key: str, **values: object) -> Iterator[None]:
        """Show on a terminal that work goes on."""
        with Console(stderr=True).status(self.texts.text(key, **values)):
            yield

    @contextmanager
    def hub(self) -> Iterator[Hub]:
        """The hub of the settings; refuses, and makes nothing, where `seere init` has not been."""
        if not has_hub(self.settings):
            raise self.refuse("init.missing", folder=self.settings.data)
        hub = open_hub(self.settings, self.clock)
        try:
            yield hub
        finally:
            hub.close()

    def day(self, moment: datetime | None) -> str:
        """A day as people here read it; a dash for never."""
        return "–" if moment is None else moment.strftime(self.texts.text("usage.day"))

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
    """Whether a hub was made there; a database with an address of its own makes its tables on first use."""
    return bool(settings.database) or settings.hub_file.exists()


pass_operator = click.make_pass_decorator(Operator)
