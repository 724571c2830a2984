"""`seere cases acknowledge`, `move`, `attach`, `detach`, `split`, `undo`, `note`: people work on cases."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

import click

from server.commands.case_words import (
    HEARD,
    LOWERING,
    REASON,
    STATUS,
    UNTOLD,
    URGENCY,
    answer,
    asked,
    deadline,
    kind_code,
    status,
    task,
    unsaid,
    way,
)
from server.commands.operator import Operator, pass_operator
from server.commands.options import seen_after
from server.commands.person import acting, as_person, naming
from server.commands.plain import plain
from server.commands.spoken import Refused, SpokenCommand, refusal_in_full
from server.domain.case import Moved, Version
from server.domain.casework import CASEWORK, Status, Urgency
from server.domain.errors import StaleRevision, TransitionRefused
from server.services import keyrings
from server.services.cases import joining, moving, noting, undoing
from server.services.cases.moving import Intent

_number = click.argument("number")


@click.command("acknowledge", cls=SpokenCommand)
@_number
@seen_after
@as_person
@pass_operator
def acknowledge(operator: Operator, number: str, seen: int, as_name: str) -> None:
    """Say that a complaint has arrived; opens its case."""
    _move(operator, number, Intent("acknowledged"), seen, as_name)


@click.command("move", cls=SpokenCommand)
@_number
# Before the reasons are read: which there are hangs on it.
@click.argument("to", type=STATUS, metavar="STATUS", is_eager=True)
@seen_after
@click.option("--reason", type=REASON, metavar="WORD")
@click.option("--untold", type=UNTOLD, metavar="WORD")
@click.option("--heard", type=HEARD, metavar="WORD")
@click.option("--owner", default="", metavar="NAME")
@click.option("--kind", default="", metavar="CODE")
@click.option("--urgency", type=URGENCY)
@click.option("--lowering", type=LOWERING, metavar="WORD")
@as_person
@pass_operator
def move(operator: Operator, /, number: str, to: Status, seen: int, as_name: str, **said: str | None) -> None:
    """Bring a case to another status."""
    kind = kind_code(operator, said["kind"]) if said["kind"] else ""
    lists = {asked(to): said["reason"], **{name: said[name] for name in ("untold", "heard", "lowering")}}
    given = {name: code for name, code in lists.items() if name and code}
    urgency = cast(Urgency, said["urgency"]) if said["urgency"] else None
    _move(operator, number, Intent(to, given, said["owner"] or "", kind, urgency), seen, as_name)


@click.command("attach", cls=SpokenCommand)
@_number
@click.argument("into")
@seen_after
@click.option("--into-after", "into_seen", default=0, type=click.IntRange(min=0), metavar="N")
@as_person
@pass_operator
def attach(operator: Operator, number: str, into: str, seen: int, into_seen: int, as_name: str) -> None:
    """Join the case of a complaint to another."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(f"{number}, {into}"):
        with stale(operator):
            made = joining.attach(hub.store, hub.desk(person.actor), number, into, after=seen, into_after=into_seen)
    operator.say("cases.attached", number=made.left, into=made.joined, no=made.no, name=as_name)


@click.command("detach", cls=SpokenCommand)
@_number
@seen_after
@as_person
@pass_operator
def detach(operator: Operator, number: str, seen: int, as_name: str) -> None:
    """Take a complaint out of the case that it joined."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(number), stale(operator):
        made = joining.detach(hub.store, hub.desk(person.actor), number, after=seen)
    operator.say("cases.went_out", number=number, ref=made.joined, no=made.no, left=made.left, name=as_name)


@click.command("split", cls=SpokenCommand)
@click.argument("numbers", nargs=-1, required=True, metavar="NUMBER...")
@seen_after
@as_person
@pass_operator
def split(operator: Operator, numbers: tuple[str, ...], seen: int, as_name: str) -> None:
    """Take several complaints out of a case together."""
    told = ", ".join(numbers)
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(told), stale(operator):
        made = joining.split(hub.store, hub.desk(person.actor), numbers, after=seen)
    operator.say("cases.went_out", number=told, ref=made.joined, no=made.no, left=made.left, name=as_name)


@click.command("undo", cls=SpokenCommand)
@_number
@click.argument("no", type=click.IntRange(min=1), required=False, metavar="[N]")
@as_person
@pass_operator
def undo(operator: Operator, number: str, no: int | None, as_name: str) -> None:
    """Take back what was done to a case."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(number):
        undoing.undo(hub.store, hub.desk(person.actor), number, no)
    operator.say("cases.undone", number=number, name=as_name)


@click.command("note", cls=SpokenCommand)
@_number
@as_person
@pass_operator
def note(operator: Operator, number: str, as_name: str) -> None:
    """Write for the team about a complaint; nobody else reads it."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(number):
        # Typed, and no argument of the command: those stay in the history of the terminal.
        text = operator.answer(operator.texts.text("cases.ask_note", number=number))
        noting.write(hub.store, hub.desk(person.actor), keyrings.current(hub.store), number, text)
    operator.say("cases.noted", number=number)


# Of the fields of a version, those that are codes.
_IN_WORDS: Final = {
    "status": status,
    "told": way,
    "paused": deadline,
    "resumed": deadline,
    "extended": deadline,
    "followed_up": answer,
    "task": task,
}
COMMANDS: Final = (acknowledge, move, attach, detach, split, undo, note)


def _move(operator: Operator, number: str, intent: Intent, seen: int, name: str) -> None:
    with operator.hub() as hub, acting(operator, hub, name) as person, naming(_named(number, intent)), stale(operator):
        with _told_words(operator):
            made = moving.move(hub.store, hub.desk(person.actor), number, intent, after=seen)
    _say_moved(operator, number, made, name)


def _say_moved(operator: Operator, number: str, made: Moved, name: str) -> None:
    source, to = status(operator, made.source), status(operator, made.to)
    operator.say("cases.moved", number=number, source=source, to=to, version=made.revision)
    if made.undo_until > made.at:
        minutes = int((made.undo_until - made.at).total_seconds()) // 60
        operator.say("cases.take_back", number=number, no=made.revision, minutes=minutes, name=name)


def _named(number: str, intent: Intent) -> str:
    return f"{number}, {intent.owner}" if intent.owner else number


@contextmanager
def _told_words(operator: Operator) -> Iterator[None]:
    """Where a reason lacks, the refusal gives the words of its list."""
    try:
        yield
    except TransitionRefused as refused:
        faults = cast("tuple[str, ...]", refused.values["faults"])
        lists = {each: each.removeprefix("say_") for each in faults if each.removeprefix("say_") in CASEWORK.reasons}
        said = (
            unsaid(operator, lists[each])
            if each in lists
            else refusal_in_full(operator.texts, TransitionRefused(fault=each))
            for each in faults
        )
        raise Refused(" ".join(said)) from None


@contextmanager
def stale(operator: Operator) -> Iterator[None]:
    """Both versions: the one that stands, and the one that was not kept."""
    try:
        yield
    except StaleRevision as refused:
        stands = refused.values["stands"]
        assert isinstance(stands, Version)
        seen = cast(int, refused.values["seen"])
        if seen > stands.revision:
            raise operator.refuse("cases.no_such_version", version=stands.revision, seen=seen) from None
        wanted = cast("dict[str, str]", refused.values["wanted"])
        raise operator.refuse(
            "cases.stale",
            name=plain(stands.by) or operator.texts.text("cases.the_hub").capitalize(),
            day=operator.day(stands.at),
            stands=_version(operator, dict(stands.fields)),
            wanted=_version(operator, wanted),
            version=stands.revision,
            seen=seen,
            option="--into-after" if "joined_by" in wanted else "--after",
        ) from None


def _version(operator: Operator, fields: dict[str, str]) -> str:
    """Fields of a version in words, one after the other."""
    shown = {name: show(operator, fields[name]) for name, show in _IN_WORDS.items() if name in fields}
    told = fields | shown
    return " · ".join(f"{operator.texts.text(f'cases.field_{name}')} {plain(text)}" for name, text in told.items())
