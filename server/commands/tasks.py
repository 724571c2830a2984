"""`seere tasks`: what teams do in the field, set for their devices, taken back, and what came of it."""

from typing import Any, Final, cast, get_args

import click

from client_sync.protocol.vocabulary import label
from server.commands.case_work import stale
from server.commands.operator import Operator, pass_operator
from server.commands.options import limited, seen_after
from server.commands.person import acting, as_person, naming
from server.commands.plain import plain
from server.commands.spoken import SpokenCommand, SpokenGroup, typed
from server.domain.desk import Desk
from server.domain.task import KINDS, OPEN, Kind, Window
from server.hub import Hub
from server.services.cases import phrases, tasking
from server.services.cases.tasking import Errand, Shown
from server.services.vault import opening
from server.services.vault.holding import Compartment
from server.services.vault.opening import Opened
from server.store.tasks import Result

_SHOWN: Final = 50
_ID_CHARS: Final = 8
_DAYS: Final = click.DateTime(["%Y-%m-%d"])

_wanted = (
    click.option("--device", required=True, metavar="NAME"),
    click.option("--from", "opens_on", required=True, type=_DAYS, metavar="DAY"),
    click.option("--to", "closes_on", required=True, type=_DAYS, metavar="DAY"),
    click.option("--place", metavar="ID"),
    click.option("--with", "parts", multiple=True, type=click.Choice(get_args(Compartment))),
    click.option("--reason", metavar="TEXT"),
)


def _of_errand(function: Any) -> Any:
    """The options by which a task is described."""
    for each in reversed(_wanted):
        function = each(function)
    return function


@click.group(cls=SpokenGroup)
def command() -> None:
    """Set, recall and look at tasks."""


@command.command("set", cls=SpokenCommand)
@click.argument("number")
@click.argument("kind", type=click.Choice(KINDS))
@_of_errand
@click.option("--repeat", "repeats", is_flag=True)
@seen_after
@as_person
@pass_operator
def set_(operator: Operator, /, number: str, kind: Kind, seen: int, as_name: str, **said: Any) -> None:
    """Set a task for a device."""
    named = f"{number}, {said['device']}"
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(named), stale(operator):
        desk = hub.desk(person.actor, person.keys)
        errand = Errand(kind, repeats=said.pop("repeats"), **_said(operator, hub, desk, number, said))
        made = tasking.set_task(hub.store, desk, number, errand, after=seen)
        shown = tasking.show(hub.store, desk, made.id)
    _say_set(operator, shown, made.version)


@command.command("reassign", cls=SpokenCommand)
@click.argument("task")
@_of_errand
@as_person
@pass_operator
def reassign(operator: Operator, /, task: str, as_name: str, **said: Any) -> None:
    """Give a task to another device."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(f"{task}, {said['device']}"):
        desk = hub.desk(person.actor, person.keys)
        found = tasking.show(hub.store, desk, task)
        errand = Errand(cast(Kind, found.task.kind), **_said(operator, hub, desk, found.number, said))
        made = tasking.reassign(hub.store, desk, found.task.id, errand)
        shown = tasking.show(hub.store, desk, found.task.id)
    _say_set(operator, shown, made.version)


@command.command("list", cls=SpokenCommand)
@limited(_SHOWN)
@as_person
@pass_operator
def list_(operator: Operator, limit: int, as_name: str) -> None:
    """The tasks that are not done."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        found = tasking.waiting(hub.store, hub.desk(person.actor), limit)
    for each in found:
        say_task(operator, each)
    operator.say("tasks.how_list" if found else "tasks.none_left", name=as_name)


@command.command(cls=SpokenCommand)
@click.argument("task")
@click.option("--report", "with_reports", is_flag=True)
@click.option("--reason", metavar="TEXT")
@as_person
@pass_operator
def show(operator: Operator, task: str, with_reports: bool, reason: str | None, as_name: str) -> None:
    """A task and what came of it, from each device."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(task):
        desk = hub.desk(person.actor, person.keys)
        shown = tasking.show(hub.store, desk, task)
        wanted = shown.results if with_reports else ()
        opened = [(name, opening.open_report(hub.store, desk, each.received, reason)) for name, each in wanted]
    say_task(operator, shown)
    for device, result in shown.results:
        _say_how_verify(operator, shown.number, device, result, as_name)
    for name, report in opened:
        _say_report(operator, name, report)
    if shown.results and not with_reports:
        operator.say("tasks.how_report", id=shown.task.id[:_ID_CHARS], name=as_name)


@command.command(cls=SpokenCommand)
@click.argument("task")
@as_person
@pass_operator
def recall(operator: Operator, task: str, as_name: str) -> None:
    """Take a task back."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(task):
        made = tasking.recall(hub.store, hub.desk(person.actor), task)
    operator.say("tasks.recalled", id=task, version=made.version)


def _said(operator: Operator, hub: Hub, desk: Desk, number: str, said: dict[str, Any]) -> dict[str, Any]:
    """What the options say of an errand; the words are typed, and no argument: those stay in the history."""
    window = Window(said["opens_on"].date(), said["closes_on"].date())
    parts = {name: _opened(hub, desk, number, name, said["reason"]) for name in said["parts"]}
    words = operator.answer(operator.texts.text("tasks.ask_words", number=number))
    clear = {name: part for name, part in parts.items() if part is not None}
    return {"device": said["device"], "window": window, "place": said["place"], "words": words, "parts": clear}


def _opened(hub: Hub, desk: Desk, number: str, name: Compartment, reason: str | None) -> Any:
    complaint = opening.complaint_numbered(hub.store, number)
    return opening.open_compartment(hub.store, desk, complaint, name, reason).clear


def _say_set(operator: Operator, shown: Shown, version: int) -> None:
    say_task(operator, shown)
    operator.say("tasks.travels" if shown.task.state == "told" else "tasks.waits")
    operator.say("tasks.version", number=shown.number, version=version)


def say_task(operator: Operator, shown: Shown) -> None:
    """A task, and what came of it from each device."""
    task = shown.task
    operator.say(
        "tasks.item",
        id=task.id[:_ID_CHARS],
        number=shown.number,
        kind=_label(operator, "task_kind", task.kind),
        device=plain(shown.label),
        first=operator.written(task.opens_on),
        last=operator.written(task.closes_on),
        state=operator.texts.text(f"tasks.state_{task.state}"),
    )
    if task.repeats and task.state in OPEN:
        operator.say("tasks.repeats")
    for name, result in shown.results:
        _say_result(operator, name, result)


def _say_result(operator: Operator, name: str, result: Result) -> None:
    operator.say(
        "tasks.result",
        device=plain(name),
        outcome=_label(operator, "task_outcome", result.outcome),
        day=operator.written(result.done_on) if result.done_on else operator.day(result.at),
    )
    if result.is_late:
        operator.say("tasks.late")
    if result.state is not None:
        unsaid = operator.texts.text("tasks.unsaid")
        operator.say(
            "tasks.proposal",
            finding=phrases.finding(operator.texts, result.state),
            method=phrases.method(operator.texts, result.method) if result.method else unsaid,
            sources=unsaid if result.sources is None else result.sources,
            certainty=phrases.certainty(operator.texts, result.certainty) if result.certainty else unsaid,
        )


def _say_how_verify(operator: Operator, number: str, device: str, result: Result, name: str) -> None:
    """How what a team proposes becomes a finding; nothing where it does not say all that a finding rests on."""
    if result.state is None or result.method is None or result.sources is None or result.certainty is None:
        return
    operator.say(
        "tasks.how_verify",
        number=number,
        state=typed(phrases.finding(operator.texts, result.state)),
        method=typed(phrases.method(operator.texts, result.method)),
        sources=result.sources,
        certainty=typed(phrases.certainty(operator.texts, result.certainty)),
        day=result.done_on or f"{result.at:%Y-%m-%d}",
        device=plain(device),
        name=name,
    )


def _say_report(operator: Operator, name: str, report: Opened) -> None:
    operator.say("tasks.report", device=plain(name))
    if report.clear is None:
        operator.say("open.unopenable" if report.is_unopenable else "open.nothing")
        return
    for line in phrases.answers(operator.texts, report.clear):
        click.echo(plain(line))


def _label(operator: Operator, name: str, code: str) -> str:
    return label(name, code, operator.texts.language)
