"""Acting as a person: `--as NAME`, with the passphrase and the code that the person types."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from server.commands.operator import Operator
from server.domain.errors import NotFound
from server.hub import Hub
from server.services.accounts import sessions
from server.services.accounts.sessions import Claim, Session

# Where a guess at a terminal comes from.
TERMINAL: Final = "terminal"

as_person = click.option("--as", "as_name", required=True, metavar="NAME")


@contextmanager
def acting(operator: Operator, hub: Hub, name: str) -> Iterator[Session]:
    """A session of the person called `name`, which ends with the block; refused as at any other door."""
    key = hub.secrets.totp
    claim = Claim(name, ask(operator, "people.ask_passphrase", name=name), TERMINAL)
    entry = sessions.log_in(hub.store, key, claim, hub.clock())
    if entry.needs_code:
        code = ask(operator, "people.ask_code", name=name)
        entry = sessions.give_code(hub.store, key, entry.token, code, TERMINAL, hub.clock())
    try:
        yield sessions.resume(hub.store, entry.token, hub.clock())
    finally:
        sessions.log_out(hub.store, entry.token, hub.clock())


@contextmanager
def naming(typed: str) -> Iterator[None]:
    """What is not found or reserved is refused as the person typed it, not by the id behind it."""
    try:
        yield
    except NotFound:
        raise NotFound(object=typed) from None


def ask(operator: Operator, key: str, **values: object) -> str:
    """What a person types without its being seen; without a terminal, the next line of the input."""
    if sys.stdin.isatty():
        suffix = operator.texts.text("usage.asks")
        asked = operator.texts.text(key, **values)
        return str(click.prompt(asked, prompt_suffix=suffix, hide_input=True, err=True))
    # Bytes: a reader of text would take more than the line, of an input that a command goes on reading.
    line = sys.stdin.buffer.readline()
    if not line:
        raise click.Abort
    return line.decode("utf-8", "replace").rstrip("\r\n")
