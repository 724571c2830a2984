"""`seere jobs`: what the hub does by itself, when it did it last and does it next; and one of them by hand."""

from datetime import datetime

import click

from server.commands.operator import Operator, pass_operator
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.domain.errors import NotFound
from server.scheduler import BACKUP, JOBS, Job, Stand, run_by_hand, stands


class _Listing(SpokenGroup):
    """Called with nothing it lists."""

    called_bare = "list"


@click.group(cls=_Listing)
def command() -> None:
    """List, run."""


@command.command("list", cls=SpokenCommand)
@pass_operator
def list_(operator: Operator) -> None:
    """Each job: its last run, how that ended, and the next."""
    with operator.hub() as hub:
        now, found = hub.clock(), stands(hub)
    for each in found:
        what, last = operator.texts.text(f"job.{each.job.name}"), _last(operator, each)
        operator.say("jobs.line", name=each.job.name, what=what, last=last, next=_next(operator, each, now))
        if each.job.name == BACKUP and not operator.settings.backup_recipient:
            operator.say("jobs.no_recipient")


@command.command("run", cls=SpokenCommand)
@click.argument("name")
@pass_operator
def run(operator: Operator, name: str) -> None:
    """Do one now."""
    job = _named(name)
    with operator.hub() as hub, operator.busy(f"job.{job.name}"):
        outcome = run_by_hand(hub, job)
    if outcome != "done":
        raise operator.refuse("jobs.failed", name=job.name, outcome=outcome)
    operator.say("jobs.done", name=job.name)


def _named(name: str) -> Job:
    found = [job for job in JOBS if job.name == name]
    if not found:
        raise NotFound(object=name, fault="job")
    return found[0]


def _last(operator: Operator, stand: Stand) -> str:
    last = stand.last
    if last is None:
        return operator.texts.text("jobs.last_never")
    at = operator.moment(last.finished_at or last.started_at)
    return operator.texts.text(f"jobs.last_{stand.outcome}", at=at, outcome=last.outcome)


def _next(operator: Operator, stand: Stand, now: datetime) -> str:
    if stand.waits:
        return operator.texts.text("jobs.next_waits")
    if stand.next_at is None:
        return operator.texts.text("jobs.next_nothing")
    if stand.next_at <= now:
        return operator.texts.text("jobs.next_now")
    return operator.texts.text("jobs.next_at", at=operator.moment(stand.next_at))
