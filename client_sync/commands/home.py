"""Home: the three counts and a numbered menu; without a terminal the counts alone."""

from typing import Final

import click

from client_sync.commands.asking import Close, GoBack
from client_sync.commands.counts import show_counts
from client_sync.commands.problems import sentence
from client_sync.commands.session import Session
from client_sync.errors import ClientError, VaultLocked
from client_sync.outbox import Outbox
from client_sync.vault import Vault

_ENROLLED: Final = ("new", "sync", "list", "show", "amend", "visits", "status", "wipe", "close")
_NOT_ENROLLED: Final = ("enrol", "close")
_UNFINISHED: Final = ("finish", "status", "close")
_WIPED: Final = ("sync", "status", "wipe", "close")
_WHY: Final = {
    _NOT_ENROLLED: "error.not_enrolled",
    _UNFINISHED: "error.vault_missing",
    _WIPED: "sync.wiped",
}
_NAMED: Final = frozenset({"show", "amend"})


def home(context: click.Context, session: Session) -> None:
    """Show the counts; with a person at a terminal, the menu until it is closed."""
    while True:
        with session.outbox() as outbox:
            actions = _actions(session, outbox)
            show_counts(session, outbox)
        if actions in _WHY:
            session.say(_WHY[actions])
        if not session.is_interactive:
            return
        try:
            chosen = choose_action(session, actions)
        except VaultLocked as locked:
            session.write(sentence(locked, session))
            continue
        if chosen == "close":
            return
        _run(context, session, chosen)


def _actions(session: Session, outbox: Outbox) -> tuple[str, ...]:
    """What can be done now; an enrolment that stopped at the passphrase is finished first."""
    if outbox.enrolled is None:
        return _NOT_ENROLLED
    if outbox.link.is_wiped:
        return _WIPED
    return _ENROLLED if Vault.exists(session.folder) else _UNFINISHED


def choose_action(session: Session, actions: tuple[str, ...]) -> str:
    """Show the menu and give the action whose number was typed; an empty line closes."""
    click.echo()
    for number, action in enumerate(actions, 1):
        click.echo(f"{number:>3}  {session.texts.text(f'menu.{action}')}")
    typed = session.typed(session.texts.text("ask.number"), default="").strip()
    if not typed:
        return "close"
    if typed.isascii() and typed.isdecimal() and 1 <= int(typed) <= len(actions):
        return actions[int(typed) - 1]
    session.say_count("ask.out_of_range", len(actions), most=1)
    return choose_action(session, actions)


def _act(context: click.Context, session: Session, name: str) -> None:
    group = context.command
    assert isinstance(group, click.Group)
    arguments = [session.ask("menu.which")] if name in _NAMED else []
    command = group.commands["enrol" if name == "finish" else name]
    command.main(arguments, prog_name=command.name, standalone_mode=False, obj=session, parent=context)


def _run(context: click.Context, session: Session, name: str) -> None:
    """A step of the menu that fails says why, and the menu goes on."""
    try:
        _act(context, session, name)
    except ClientError as error:
        session.write(sentence(error, session))
    except (click.Abort, Close, GoBack):
        session.say("cli.stopped")
