"""Home: the three counts and a numbered menu; without a terminal the counts alone."""

from typing import Final

import click

from client_sync.commands.counts import show_counts
from client_sync.commands.problems import sentence
from client_sync.commands.session import Session
from client_sync.errors import ClientError

_ENROLLED: Final = ("new", "sync", "list", "show", "amend", "status", "close")
_NOT_ENROLLED: Final = ("enrol", "close")
_NAMED: Final = frozenset({"show", "amend"})


def home(context: click.Context, session: Session) -> None:
    """Show the counts; with a person at a terminal, the menu until it is closed."""
    while True:
        with session.outbox() as outbox:
            is_enrolled = outbox.enrolled is not None
            show_counts(session, outbox)
        if not is_enrolled:
            session.say("error.not_enrolled")
        if not session.is_interactive:
            return
        chosen = choose_action(session, _ENROLLED if is_enrolled else _NOT_ENROLLED)
        if chosen == "close":
            return
        _run(context, session, chosen)


def choose_action(session: Session, actions: tuple[str, ...]) -> str:
    """Show the menu and give the action whose number was typed; an empty line closes."""
    click.echo()
    for number, action in enumerate(actions, 1):
        click.echo(f"{number:>3}  {session.texts.text(f'menu.{action}')}")
    asked = session.texts.text("ask.number")
    typed = click.prompt(asked, default="", show_default=False, prompt_suffix=" ").strip()
    if not typed:
        return "close"
    if typed.isascii() and typed.isdecimal() and 1 <= int(typed) <= len(actions):
        return actions[int(typed) - 1]
    session.say_count("ask.out_of_range", len(actions), most=1)
    return choose_action(session, actions)


def _act(context: click.Context, session: Session, name: str) -> None:
    group = context.command
    assert isinstance(group, click.Group)
    arguments = [click.prompt(session.texts.text("menu.which"))] if name in _NAMED else []
    group.commands[name].main(arguments, prog_name=name, standalone_mode=False, obj=session, parent=context)


def _run(context: click.Context, session: Session, name: str) -> None:
    """A step of the menu that fails says why, and the menu goes on."""
    try:
        _act(context, session, name)
    except ClientError as error:
        click.echo(sentence(error, session.texts))
    except click.Abort:
        click.echo()
