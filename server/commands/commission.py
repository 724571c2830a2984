"""`seere commission`: what a destination gets of a quarter, from its series to what it answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import click

from server.commands import commission_words, referral_words
from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, as_person, ask_new, naming
from server.commands.plain import plain
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.domain.desk import Desk
from server.domain.packages import WAYS, Way
from server.hub import Hub
from server.press import press_of, seal
from server.services.commission import (
    answering,
    minisign,
    preparing,
    serials,
    summarising,
    transmitting,
    verifying,
)
from server.services.commission.preparing import Package, Prepared
from server.services.commission.summarising import Written

_Command = Callable[..., None]
_number = click.argument("number")
_destination = click.argument("destination")
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


def _of_package(function: _Command) -> _Command:
    """What every command about a package, or about the summary of a complaint, is given."""
    return _number(as_person(pass_operator(function)))


@click.group(cls=SpokenGroup)
def command() -> None:
    """Series and keys, prepare, approve, send, answer, verify."""


@command.command(cls=SpokenCommand)
@_destination
@click.argument("prefix")
@click.option("--since", required=True, metavar="DAY")
@click.option("--way", type=click.Choice(WAYS), default=WAYS[0], show_default=True)
@click.option("--address", default="", metavar="URL")
@click.option("--pin", default="", metavar="HEX")
@as_person
@pass_operator
def series(
    operator: Operator, destination: str, prefix: str, since: str, way: str, address: str, pin: str, as_name: str
) -> None:
    """Let packages go to a destination."""
    first = operator.at_day(since, "--since").date()
    with _at_work(operator, as_name, destination) as (hub, desk):
        made = serials.add(hub.store, desk, destination, prefix, first, cast(Way, way), address, pin.lower())
    operator.say("commission.added", code=plain(destination), prefix=made.prefix, name=as_name)


@command.command(cls=SpokenCommand)
@_destination
@click.argument("recipient", metavar="KEY")
@as_person
@pass_operator
def key(operator: Operator, destination: str, recipient: str, as_name: str) -> None:
    """Take in the key of a destination."""
    with _at_work(operator, as_name, destination) as (hub, desk):
        fingerprint = serials.set_key(hub.store, desk, destination, recipient.strip())
    operator.say("commission.key_taken", code=plain(destination), fingerprint=fingerprint, name=as_name)


@command.command(cls=SpokenCommand)
@_destination
@click.argument("heard", nargs=-1, required=True, metavar="FINGERPRINT")
@as_person
@pass_operator
def confirm(operator: Operator, destination: str, heard: tuple[str, ...], as_name: str) -> None:
    """What was read aloud is the fingerprint of that key."""
    with _at_work(operator, as_name, destination) as (hub, desk):
        serials.confirm_key(hub.store, desk, destination, " ".join(heard))
    operator.say("commission.key_confirmed", code=plain(destination))


@command.command("list", cls=SpokenCommand)
@as_person
@pass_operator
def list_(operator: Operator, as_name: str) -> None:
    """Every series, and every package."""
    with _at_work(operator, as_name, as_name) as (hub, desk):
        known = serials.listed(hub.store, desk)
        bodies = {each.code: each for each in serials.destinations_of(hub.store, desk)}
        made = preparing.listed(hub.store, desk)
        signer = press_of(hub).signer
    for each in known:
        commission_words.say_series(operator, each, bodies[each.destination], desk.places)
    if not known:
        operator.say("commission.no_series", name=as_name)
        return
    for package in made:
        commission_words.say_package(operator, package)
    if not made:
        operator.say("commission.none")
    operator.say("commission.signer", public=minisign.public_key(signer))


@command.command(cls=SpokenCommand)
@_destination
@click.argument("quarter")
@as_person
@pass_operator
def prepare(operator: Operator, destination: str, quarter: str, as_name: str) -> None:
    """Give a package its number, and choose what it says; a number: choose anew."""
    with _at_work(operator, as_name, destination) as (hub, desk):
        made = preparing.prepare(hub.store, desk, hub.secrets.pepper, destination, quarter.upper())
    _say_made(operator, made, as_name)


@command.command(cls=SpokenCommand)
@_of_package
def anew(operator: Operator, number: str, as_name: str) -> None:
    """Choose anew what a prepared package says."""
    with _at_work(operator, as_name, number) as (hub, desk):
        made = preparing.prepare_anew(hub.store, desk, hub.secrets.pepper, number)
    _say_made(operator, made, as_name)


@command.command(cls=SpokenCommand)
@_of_package
def show(operator: Operator, number: str, as_name: str) -> None:
    """What a package says and withholds, and how far it has come."""
    with _at_work(operator, as_name, number) as (hub, desk):
        package = preparing.one(hub.store, desk, number)
        if package.state == "prepared":
            found, waiting = _looked_at(hub, desk, number)
        else:
            items = preparing.items_of(hub.store, desk, package)
        body = _body(operator, hub, desk, package)
    commission_words.say_head(operator, package, body)
    if package.state == "prepared":
        commission_words.say_prepared(operator, found, waiting, as_name)
    elif items:
        commission_words.say_items(operator, items)


@command.command(cls=SpokenCommand)
@_number
@click.option("--passphrase-way", "by_passphrase", is_flag=True)
@as_person
@pass_operator
def approve(operator: Operator, number: str, by_passphrase: bool, as_name: str) -> None:
    """Seal what was prepared, once this second person saw it and said yes."""
    with _at_work(operator, as_name, number) as (hub, desk):
        package = preparing.one(hub.store, desk, number)
        found, waiting = _looked_at(hub, desk, number)
        commission_words.say_head(operator, package, _body(operator, hub, desk, package))
        commission_words.say_prepared(operator, found, waiting, as_name)
        if not operator.agrees("commission.approve_sure"):
            raise operator.refuse("usage.nothing_done")
        passphrase = ask_new(operator, "commission.ask_passphrase") if by_passphrase else ""
        with operator.busy("commission.sealing"):
            sealed = seal(hub, desk, number, found.choice.digest(), passphrase)
        folder = press_of(hub).folder
    operator.say("commission.sealed", number=sealed.number.text, folder=folder, bytes=sealed.bytes)
    commission_words.say_digests(operator, sealed)
    if by_passphrase:
        operator.say("commission.passphrase_apart")
    operator.say("commission.how_send", number=sealed.number.text, name=as_name)


@command.command(cls=SpokenCommand)
@_number
@click.option("--to", "folder", type=_FOLDER, metavar="FOLDER")
@as_person
@pass_operator
def send(operator: Operator, number: str, folder: Path | None, as_name: str) -> None:
    """Let a sealed package leave: to a folder or a stick, else to the address of its destination."""
    with _at_work(operator, as_name, number) as (hub, desk):
        kept = press_of(hub).folder
        if folder is not None:
            sent = transmitting.send_to_folder(hub.store, desk, kept, number, folder)
        elif _way(hub, desk, number) == "https":
            with operator.busy("commission.sending"):
                sent = transmitting.send_to_address(hub.store, desk, kept, number)
        else:
            raise operator.refuse("commission.which_folder")
    operator.say("commission.sent" if folder is None else "commission.copied", number=sent.number.text, folder=folder)
    operator.say("commission.how_answer", number=sent.number.text, name=as_name)


@command.command(cls=SpokenCommand)
@_number
@click.argument("file", type=_FILE)
@as_person
@pass_operator
def answer(operator: Operator, number: str, file: Path, as_name: str) -> None:
    """Take in what a destination says of a package."""
    with _at_work(operator, as_name, number) as (hub, desk):
        taken = answering.take_answer(hub.store, desk, number, answering.unpacked(file.read_bytes()))
    state = operator.texts.text(f"packages.state_{taken.package.state}")
    click.echo(operator.texts.plural("commission.taken", taken.settled, number=number, state=state))


@command.command(cls=SpokenCommand)
@_number
@click.option("--reason", required=True, metavar="TEXT")
@as_person
@pass_operator
def cancel(operator: Operator, number: str, reason: str, as_name: str) -> None:
    """Do not send a package; it keeps its number."""
    with _at_work(operator, as_name, number) as (hub, desk):
        gone = preparing.cancel(hub.store, desk, number, reason)
    operator.say("commission.cancelled", number=gone.number.text)


@command.command(cls=SpokenCommand)
@click.argument("file", type=_FILE)
@as_person
@pass_operator
def verify(operator: Operator, file: Path, as_name: str) -> None:
    """Which package a file is, and whether it is whole."""
    with _at_work(operator, as_name, file.name) as (hub, desk):
        found = verifying.verify(hub.store, desk, file, press_of(hub).signer)
    number, state = found.package.number.text, operator.texts.text(f"packages.state_{found.package.state}")
    operator.say(f"commission.verified_{found.form}", file=plain(file.name), number=number, state=state)
    if found.files:
        click.echo(operator.texts.plural("commission.verified_files", found.files))
    commission_words.say_digests(operator, found.package)


@command.command(cls=SpokenCommand)
@_of_package
def summary(operator: Operator, number: str, as_name: str) -> None:
    """Write a few words on a complaint that may leave without a name."""
    with _at_work(operator, as_name, number) as (hub, desk):
        written = summarising.of(hub.store, desk, number)
        if written is not None:
            _say_summary(operator, written)
        text = operator.answer(operator.texts.text("commission.ask_summary", most=summarising.MAX_CHARS))
        if not text.strip():
            raise operator.refuse("usage.nothing_done")
        summarising.write(hub.store, desk, number, text)
    operator.say("commission.written", number=number)


@command.command(cls=SpokenCommand)
@_of_package
def review(operator: Operator, number: str, as_name: str) -> None:
    """A second person reads a summary, and says that it may leave."""
    with _at_work(operator, as_name, number) as (hub, desk):
        written = summarising.of(hub.store, desk, number)
        if written is None:
            raise operator.refuse("commission.no_summary", number=number)
        _say_summary(operator, written)
        if not operator.agrees("commission.review_sure"):
            raise operator.refuse("usage.nothing_done")
        summarising.review(hub.store, desk, number, written.at)
    operator.say("commission.reviewed", number=number)


@contextmanager
def _at_work(operator: Operator, name: str, typed: str) -> Iterator[tuple[Hub, Desk]]:
    """The hub with the person at the desk, keys in hand; what is not found is refused as it was typed."""
    with operator.hub() as hub, acting(operator, hub, name) as person, naming(typed):
        yield hub, hub.desk(person.actor, person.keys)


def _looked_at(hub: Hub, desk: Desk, number: str) -> tuple[Prepared, list[Written]]:
    """A prepared package as it would be sealed now, and the summaries of it that wait for a second person."""
    found = preparing.look(hub.store, desk, hub.secrets.pepper, number)
    complaints = [each.complaint for each in found.choice.candidates]
    return found, summarising.unreviewed(hub.store, desk, complaints)


def _body(operator: Operator, hub: Hub, desk: Desk, package: Package) -> str:
    known = serials.destinations_of(hub.store, desk)
    return next(referral_words.body(operator, each, desk.places) for each in known if each.code == package.destination)


def _way(hub: Hub, desk: Desk, number: str) -> Way:
    """How packages go where this one goes."""
    to = preparing.one(hub.store, desk, number).destination
    return next(each.way for each in serials.listed(hub.store, desk) if each.destination == to)


def _say_made(operator: Operator, made: Package, name: str) -> None:
    commission_words.say_package(operator, made)
    operator.say("commission.prepared", number=made.number.text, name=name)


def _say_summary(operator: Operator, written: Written) -> None:
    key = "commission.summary_read" if written.is_reviewed else "commission.summary_unread"
    operator.say(key, day=operator.day(written.at), text=plain(written.text))
