"""`seere referrals`: what of a case may go where, that it goes, and what comes back."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from server.commands import referral_words
from server.commands.case_work import stale
from server.commands.operator import Operator, pass_operator
from server.commands.options import limited, seen_after
from server.commands.person import acting, as_person, naming
from server.commands.plain import plain
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.domain.desk import Desk
from server.domain.errors import NotFound
from server.domain.places import Gazetteer
from server.domain.referral import PROGRAMMES
from server.hub import Hub
from server.refusals import why_blocked
from server.services.cases import letters, phrases, quoting, referring, sending
from server.services.cases.letters import Words
from server.services.cases.referring import View
from server.services.cases.sending import Offer, Plan
from server.services.vault import opening

_SHOWN: Final = 50
_Command = Callable[..., None]
_number = click.argument("number")
_destination = click.argument("destination")
_referral = click.argument("referral")
_only = click.option("--only", multiple=True, metavar="NUMBER")
_letter = click.option("--letter", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
_reason = click.option("--reason", default="", metavar="TEXT")
_reference = click.option("--reference", default="", metavar="TEXT")


def _to_destination(function: _Command) -> _Command:
    """What every command about a case and a destination is given."""
    return _number(_destination(as_person(pass_operator(function))))


def _of_referral(function: _Command) -> _Command:
    """What every command about a referral that is there is given."""
    return _number(_referral(seen_after(as_person(pass_operator(function)))))


@click.group(cls=SpokenGroup)
def command() -> None:
    """Offer, send, note what comes back."""


@command.command(cls=SpokenCommand)
@_number
@click.option("--blocked", "with_blocked", is_flag=True)
@as_person
@pass_operator
def offer(operator: Operator, number: str, with_blocked: bool, as_name: str) -> None:
    """Where a case may go, and, where that is asked, why not elsewhere."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(number):
        desk = hub.desk(person.actor)
        found = sending.offers(hub.store, desk, number)
    blocked = sum(not each.is_open for each in found)
    for each in found:
        if each.is_open or with_blocked:
            _say_offer(operator, each, desk.places)
    if not found:
        operator.say("destinations.none")
    if blocked and not with_blocked:
        click.echo(operator.texts.plural("referrals.blocked", blocked, number=number, name=as_name))
    if found and found[0].is_open:
        operator.say("referrals.how_send", number=number, code=plain(found[0].destination.code), name=as_name)


@command.command(cls=SpokenCommand)
@_to_destination
@_only
@seen_after
def prepare(operator: Operator, number: str, destination: str, only: tuple[str, ...], seen: int, as_name: str) -> None:
    """Note what is meant to go; nothing leaves."""
    with _at_work(operator, as_name, number, destination) as (hub, desk):
        made = sending.prepare(hub.store, desk, number, destination, only, after=seen)
    operator.say("referrals.prepared", number=number, code=plain(destination), version=made.version, name=as_name)


@command.command(cls=SpokenCommand)
@_to_destination
@_only
@_letter
@_reason
@seen_after
def send(
    operator: Operator,
    number: str,
    destination: str,
    only: tuple[str, ...],
    letter: Path,
    reason: str,
    seen: int,
    as_name: str,
) -> None:
    """Send what may go, by a letter in a file."""
    with _at_work(operator, as_name, number, destination) as (hub, desk):
        planned = sending.plan(hub.store, desk, number, destination, only)
        words = _opened(hub, desk, planned, reason)
        made = letters.compose(planned, words, desk, operator.texts.language)
        with operator.drafted(letter, made.text):
            sent = sending.send(hub.store, desk, number, destination, made.sheets, made.digest, after=seen)
    numbers = {each.complaint: each.number for each in planned.going}
    for sheet in made.sheets:
        _say_parts(operator, numbers[sheet.complaint], sheet.parts)
    for left, blocks in planned.left_out.items():
        why = why_blocked(operator.texts, blocks, planned.since.get(left))
        operator.say("referrals.left_out", number=left, why=why)
    code = plain(destination)
    operator.say("referrals.sent", number=number, code=code, version=sent.version, file=letter, name=as_name)


@command.command("print", cls=SpokenCommand)
@_to_destination
@_letter
@_reason
def print_(operator: Operator, number: str, destination: str, letter: Path, reason: str, as_name: str) -> None:
    """Write the letter into a file: a draft before it is sent, then a copy, or what asks for it back."""
    with _at_work(operator, as_name, number, destination) as (hub, desk):
        of_case = [each for each in referring.listed(hub.store, desk, number) if each.destination.code == destination]
        states = [each.kept.state for each in of_case]
        if states and states[-1] == "recalled":
            made = letters.compose_recall(of_case[-1], desk, operator.texts.language)
        else:
            is_sent = any(each.kept.referral.stands for each in of_case)
            plan = sending.copy if is_sent else sending.plan
            planned = plan(hub.store, desk, number, destination)
            words = _opened(hub, desk, planned, reason)
            made = letters.compose(planned, words, desk, operator.texts.language, "copy" if is_sent else "draft")
    with operator.drafted(letter, made.text):
        operator.say("referrals.printed", file=letter)


@command.command(cls=SpokenCommand)
@_of_referral
@_reference
def receive(operator: Operator, number: str, referral: str, reference: str, seen: int, as_name: str) -> None:
    """The body has it."""
    with _at_work(operator, as_name, number, referral) as (hub, desk):
        made = referring.receive(hub.store, desk, number, referral, after=seen, reference=reference)
    operator.say("referrals.received", number=number, version=made.version)


@command.command(cls=SpokenCommand)
@_of_referral
@click.argument("outcome")
@_reference
def answer(
    operator: Operator, number: str, referral: str, outcome: str, reference: str, seen: int, as_name: str
) -> None:
    """What the body answered."""
    with _at_work(operator, as_name, number, referral) as (hub, desk):
        programme = _programme(referring.listed(hub.store, desk, number), referral)
        code = referral_words.outcome(operator, programme, outcome)
        made = referring.answer(hub.store, desk, number, referral, code, after=seen, reference=reference)
    operator.say("referrals.answered", number=number, version=made.version, name=as_name)


@command.command(cls=SpokenCommand)
@_of_referral
@_reference
def refuse(operator: Operator, number: str, referral: str, reference: str, seen: int, as_name: str) -> None:
    """The body does not take it."""
    with _at_work(operator, as_name, number, referral) as (hub, desk):
        made = referring.refuse(hub.store, desk, number, referral, after=seen, reference=reference)
    operator.say("referrals.answered", number=number, version=made.version, name=as_name)


@command.command(cls=SpokenCommand)
@_of_referral
def remind(operator: Operator, number: str, referral: str, seen: int, as_name: str) -> None:
    """The body was asked once more."""
    with _at_work(operator, as_name, number, referral) as (hub, desk):
        made = referring.remind(hub.store, desk, number, referral, after=seen)
    told = operator.texts.plural("referrals.reminded", made.kept.reminders, number=number, version=made.version)
    click.echo(told)


@command.command(cls=SpokenCommand)
@_of_referral
def recall(operator: Operator, number: str, referral: str, seen: int, as_name: str) -> None:
    """Ask for what was sent to be given back."""
    with _at_work(operator, as_name, number, referral) as (hub, desk):
        made = referring.recall(hub.store, desk, number, referral, after=seen)
    code = plain(made.kept.destination)
    operator.say("referrals.recalled", number=number, code=code, version=made.version, name=as_name)


@command.command(cls=SpokenCommand)
@_of_referral
def cancel(operator: Operator, number: str, referral: str, seen: int, as_name: str) -> None:
    """What was prepared is not sent."""
    with _at_work(operator, as_name, number, referral) as (hub, desk):
        made = referring.cancel(hub.store, desk, number, referral, after=seen)
    operator.say("referrals.cancelled", number=number, version=made.version)


@command.command("list", cls=SpokenCommand)
@click.argument("number", required=False, metavar="[NUMBER]")
@limited(_SHOWN)
@as_person
@pass_operator
def list_(operator: Operator, number: str | None, limit: int, as_name: str) -> None:
    """The referrals of a case, or all that wait for an answer."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(number or ""):
        desk = hub.desk(person.actor)
        if number is None:
            found = referring.awaited(hub.store, desk, limit)
        else:
            found = referring.listed(hub.store, desk, number)
    for view in found:
        say_view(operator, view, desk.places)
    if not found:
        operator.say("referrals.none")


def say_view(operator: Operator, view: View, places: Gazetteer | None) -> None:
    """One referral, and what of it the person took back since."""
    texts, kept = operator.texts, view.kept
    operator.say(
        "referrals.item",
        id=kept.id[: referral_words.SHORT],
        number=view.ref,
        body=referral_words.body(operator, view.destination, places),
        code=plain(view.destination.code),
        state=texts.text(f"referrals.state_{kept.state}"),
        day=operator.day(kept.sent_at or kept.prepared_at),
    )
    if kept.outcome is not None:
        outcome = texts.text(PROGRAMMES[kept.programme].outcome_key(kept.outcome))
        operator.say("referrals.item_outcome", outcome=outcome)
    _say_awaited(operator, view)
    if kept.external_ref is not None:
        operator.say("referrals.item_reference", reference=plain(kept.external_ref))
    for number, part in view.sent.items():
        _say_parts(operator, number, part.parts)
    _say_taken_back(operator, view)
    if view.others:
        click.echo(texts.plural("referrals.others", view.others))
    if view.is_elsewhere:
        operator.say("referrals.elsewhere")


@contextmanager
def _at_work(operator: Operator, name: str, number: str, other: str) -> Iterator[tuple[Hub, Desk]]:
    """The hub with the person at the desk; what is not found or stale is refused as it was typed."""
    with operator.hub() as hub, acting(operator, hub, name) as person, naming(f"{number}, {other}"), stale(operator):
        yield hub, hub.desk(person.actor, person.keys)


def _opened(hub: Hub, desk: Desk, planned: Plan, reason: str) -> Mapping[int, Words]:
    """What is opened for a letter, each logged with the reason; without one nothing is, and facts alone go."""
    if not reason.strip():
        return {}
    return quoting.quoted(planned, lambda id, part: opening.open_compartment(hub.store, desk, id, part, reason))


def _programme(views: list[View], named: str) -> str:
    """Under which programme the referral that is meant was sent. Raises NotFound."""
    found = (each for each in views if each.destination.code == named or each.kept.id.startswith(named))
    view = next(found, None)
    if view is None:
        raise NotFound(object=named)
    return view.kept.programme


def _say_offer(operator: Operator, found: Offer, places: Gazetteer | None) -> None:
    to = found.destination
    operator.say(
        "referrals.open" if found.is_open else "referrals.closed",
        code=plain(to.code),
        body=referral_words.body(operator, to, places),
        programme=operator.texts.text(PROGRAMMES[to.programme].key),
    )
    for number, blocks in found.against.items():
        if blocks:
            why = why_blocked(operator.texts, blocks, found.since.get(number))
            operator.say("referrals.left_out", number=number, why=why)
        elif len(found.against) > 1:
            operator.say("referrals.may_go", number=number)


def _say_awaited(operator: Operator, view: View) -> None:
    """By when an answer is due, and once that is past, that the body was reminded, or how that is noted."""
    kept = view.kept
    if kept.outcome is not None or view.due_on is None:
        return
    operator.say("referrals.item_due", due=operator.day(view.due_on))
    is_owed = kept.referral.is_waiting or kept.state == "silent"
    is_late = is_owed and view.due_on < operator.clock().date() and not view.is_elsewhere
    referral_words.say_reminders(operator, view.ref, kept, is_late=is_late)


def _say_taken_back(operator: Operator, view: View) -> None:
    code = plain(view.destination.code)
    for number in sorted(view.taken_back):
        operator.say("referrals.taken_back", number=number, case=view.ref, code=code)
    if view.others_taken_back:
        text = operator.texts.plural("referrals.others_taken_back", view.others_taken_back, case=view.ref, code=code)
        click.echo(text)


def _say_parts(operator: Operator, number: str, parts: tuple[str, ...]) -> None:
    operator.say("referrals.parts", number=number, parts=phrases.parts(operator.texts, parts))
