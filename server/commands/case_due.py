"""`seere cases due`, `pause`, `resume`, `extend`, `followed-up`, `notices`: what is due, and what is late."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

import click

from server.commands.case_work import stale
from server.commands.operator import Operator, pass_operator
from server.commands.options import limited, seen_after
from server.commands.person import acting, as_person, naming
from server.commands.plain import plain
from server.commands.referral_words import say_reminders
from server.commands.spoken import Said, SpokenCommand
from server.domain.case import version_after
from server.domain.deadlines import (
    AFTER_CLOSURE,
    EXTENSION_REASONS,
    FOLLOW_UP_ANSWERS,
    KINDS,
    PAUSE_REASONS,
    Deadline,
    Term,
)
from server.domain.permission import may_ever
from server.services.cases import due, following, holding, noticing
from server.services.cases.due import EXTENDED, PAUSED, RESUMED, Item, Which
from server.services.cases.noticing import Heard

Command = Callable[..., Any]

_SHOWN: Final = 20
# As they are shown, one under the other.
_PARTS: Final = ("late", "on_road", "today", "next")
_DAYS: Final = tuple(kind.removeprefix("after_closure_") for kind in AFTER_CLOSURE)
_number = click.argument("number")


def _which(command: Command) -> Command:
    """The options that say which deadline is meant."""
    by_kind = click.option("--deadline", "kind", type=Said("deadline.", tuple(KINDS)), metavar="WORD")
    by_number = click.option("--no", "deadline_no", type=click.IntRange(min=1), metavar="N")
    return by_kind(by_number(command))


@click.command("due", cls=SpokenCommand)
@click.argument("number", required=False, default="", metavar="[NUMBER]")
@click.option("--mine", is_flag=True)
@limited(_SHOWN)
@as_person
@pass_operator
def due_(operator: Operator, number: str, mine: bool, limit: int, as_name: str) -> None:
    """What is late, what is due today, what comes next; of one case, all its deadlines."""
    if number:
        _say_case(operator, number, as_name)
        return
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        if not may_ever(person.actor, holding.ACTION):
            raise operator.refuse("cases.no_scope")
        found, now = due.listed(hub.store, hub.desk(person.actor), limit, is_mine=mine), hub.clock()
    placed = sorted(((_PARTS.index(_part(each, now)), each) for each in found), key=lambda pair: pair[0])
    for place, pairs in groupby(placed, key=lambda pair: pair[0]):
        operator.say(f"cases.due_{_PARTS[place]}")
        for _, item in pairs:
            _say_item(operator, item, now)
    operator.say("cases.due_how" if found else "cases.due_none", name=as_name)


@click.command("pause", cls=SpokenCommand)
@_number
@_which
@click.option("--reason", required=True, type=Said("deadline.reason", PAUSE_REASONS), metavar="WORD")
@seen_after
@as_person
@pass_operator
def pause(operator: Operator, /, **said: Any) -> None:
    """Stop the clock of a deadline, once."""
    _put_off(operator, PAUSED, **said)


@click.command("resume", cls=SpokenCommand)
@_number
@_which
@seen_after
@as_person
@pass_operator
def resume(operator: Operator, /, **said: Any) -> None:
    """Let the clock of a deadline go on."""
    _put_off(operator, RESUMED, **said)


@click.command("extend", cls=SpokenCommand)
@_number
@_which
@click.option("--reason", required=True, type=Said("deadline.reason", EXTENSION_REASONS), metavar="WORD")
@seen_after
@as_person
@pass_operator
def extend(operator: Operator, /, **said: Any) -> None:
    """Give a deadline its longer term."""
    _put_off(operator, EXTENDED, **said)


@click.command("followed-up", cls=SpokenCommand)
@_number
@click.argument("answer", type=Said("cases.answer", FOLLOW_UP_ANSWERS), metavar="WORD")
@click.option("--days", type=click.Choice(_DAYS))
@seen_after
@as_person
@pass_operator
def followed_up(operator: Operator, number: str, answer: str, days: str | None, seen: int, as_name: str) -> None:
    """Note how it is for the person after the case was closed."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(number), stale(operator):
        desk, after = hub.desk(person.actor), None if days is None else int(days)
        kind = following.follow_up(hub.store, desk, number, answer, after, after=seen)
    version = version_after(seen)
    operator.say("cases.followed_up", number=number, kind=_words(operator, kind), version=version)
    if answer == following.REPRISALS:
        operator.say("cases.how_reopen", number=number, version=version, name=as_name)


@click.command("notices", cls=SpokenCommand)
@click.option("--all", "with_read", is_flag=True)
@limited(_SHOWN)
@as_person
@pass_operator
def notices(operator: Operator, with_read: bool, limit: int, as_name: str) -> None:
    """What one is to hear; what was shown is read."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        found = noticing.hear(hub.store, hub.desk(person.actor), limit, with_read=with_read)
    for heard in found:
        _say_notice(operator, heard)
    if not found:
        operator.say("cases.notices_none")


COMMANDS: Final = (due_, pause, resume, extend, followed_up, notices)


def _put_off(operator: Operator, code: str, **said: Any) -> None:
    number, which = said["number"], Which(said["deadline_no"], said["kind"] or "")
    with operator.hub() as hub, acting(operator, hub, said["as_name"]) as person, naming(number), stale(operator):
        desk, reason = hub.desk(person.actor), said.get("reason", "")
        stands = due.put_off(hub.store, desk, number, code, which, reason=reason, after=said["seen"])
    kind, at = _words(operator, stands.kind), _at(operator, stands)
    version, name = version_after(said["seen"]), said["as_name"]
    operator.say(f"cases.{code}", number=number, kind=kind, at=at, version=version, name=name)


def _say_case(operator: Operator, number: str, name: str) -> None:
    with operator.hub() as hub, acting(operator, hub, name) as person, naming(number):
        found, now = due.of_case(hub.store, hub.desk(person.actor), number), hub.clock()
    for each in found:
        state = operator.texts.text(f"deadline.state_{each.stands.state(now)}", **_dates(operator, each.stands))
        kind, at = _words(operator, each.stands.kind), _at(operator, each.stands)
        operator.say("cases.due_deadline", no=each.id, kind=kind, at=at, state=state)
    operator.say("cases.due_how_pause" if found else "cases.due_none", number=number, name=name)


def _say_item(operator: Operator, item: Item, now: datetime) -> None:
    stands, owner = item.due.deadline.stands, plain(item.owner) or operator.texts.text("cases.nobody")
    words, at = _words(operator, stands.kind), _at(operator, stands)
    operator.say("cases.due_item", number=item.ref, urgency=item.due.urgency, kind=words, at=at, owner=owner)
    if stands.state(now) == "paused":
        operator.say("cases.due_paused", **_dates(operator, stands))
    if item.referral is not None:
        say_reminders(operator, item.ref, item.referral, is_late=stands.state(now) == "late")
    here, waited, road = item.clocks.since_received(now), item.clocks.since_collected(now), item.clocks.on_road()
    told = _lasting(operator, "here", here)
    if waited is None or road is None:
        operator.say("cases.due_clock", here=told)
    else:
        since, under_way = _lasting(operator, "waited", waited), _lasting(operator, "road", road)
        operator.say("cases.due_clocks", here=told, waited=since, road=under_way)


def _lasting(operator: Operator, what: str, time: timedelta) -> str:
    """How many days something has lasted, in words; of less than a day that it is so."""
    if not time.days:
        return operator.texts.text(f"cases.due_{what}_short")
    return operator.texts.plural(f"cases.due_{what}", time.days)


def _part(item: Item, now: datetime) -> str:
    stands = item.due.deadline.stands
    if stands.state(now) == "late":
        return "on_road" if item.is_on_road else "late"
    return "today" if stands.due_at.date() == now.date() else "next"


def _say_notice(operator: Operator, heard: Heard) -> None:
    notice = heard.notice
    kind = "" if notice.deadline is None else _words(operator, notice.deadline)
    what = operator.texts.text(f"notice.{notice.code}", number=heard.ref, kind=kind, device=plain(heard.label))
    operator.say("cases.notice", at=operator.moment(notice.at), what=what)


def _words(operator: Operator, kind: str) -> str:
    return operator.texts.text(f"deadline.{kind}")


def _at(operator: Operator, stands: Deadline) -> str:
    """To the minute where hours count."""
    return operator.moment(stands.due_at) if Term.read(stands.term).hours else operator.day(stands.due_at)


def _dates(operator: Operator, stands: Deadline) -> dict[str, str]:
    reason = operator.texts.text(f"deadline.reason_{stands.pause_reason}") if stands.pause_reason else "–"
    return {"met": operator.day(stands.met_at), "until": operator.day(stands.pause_ends_at), "reason": reason}
