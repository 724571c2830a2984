"""Acting as a person: `--as NAME`, with the passphrase and the code that the person types."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from server.commands.operator import Operator
from server.domain import passphrase
from server.domain.errors import NotFound
from server.hub import Hub
from server.services.accounts import sessions
from server.services.accounts.sessions import Claim, Login

# Where a guess at a terminal comes from.
TERMINAL: Final = "terminal"

as_person = click.option("--as", "as_name", required=True, metavar="NAME")


@contextmanager
def acting(operator: Operator, hub: Hub, name: str) -> Iterator[Login]:
    """A session of the person called `name`, which ends with the block; refused as at any other door."""
    key = hub.secrets.totp
    claim = Claim(name, ask(operator, "people.ask_passphrase", name=name), TERMINAL)
    entry = sessions.log_in(hub.store, key, claim, hub.clock())
    if entry.needs_code:
        code = ask(operator, "people.ask_code", name=name)
        entry = sessions.give_code(hub.store, key, entry.token, code, TERMINAL, hub.clock())
    try:
        person = sessions.resume(hub.store, entry.token, hub.clock())
        if person.must_choose:
            raise operator.refuse("people.must_choose", name=name)
        yield person
    finally:
        sessions.log_out(hub.store, entry.token, hub.clock())


@contextmanager
def naming(typed: str, fault: str = "") -> Iterator[None]:
    """What is not found or reserved is refused as the person typed it, not by the id behind it.

    `fault`: what was asked of it, where that has a sentence of its own.
    """
    try:
        yield
    except NotFound:
        raise NotFound(object=typed, fault=fault) from None


def ask(operator: Operator, key: str, **values: object) -> str:
    """What a person types without its being seen; without a terminal, the next line of the input."""
    return operator.answer(operator.texts.text(key, **values), is_hidden=True)


def ask_new(operator: Operator, key: str, **values: object) -> str:
    """A new passphrase of somebody, as `ask` asks; at a terminal twice, and refuses when it was not the same."""
    typed = ask(operator, key, words=passphrase.MIN_WORDS, chars=passphrase.MIN_CHARS, **values)
    if sys.stdin.isatty() and ask(operator, "people.ask_again") != typed:
        raise operator.refuse("people.differs")
    return typed
