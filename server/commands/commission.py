"""`seere commission`: what a destination gets of a quarter, from its series to what it answers."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import click

from server.commands import commission_words, key_files, referral_words
from server.commands.key_files import KeyFile
from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, as_person, naming
from server.commands.plain import plain
from server.commands.spoken import Refused, SpokenCommand, SpokenGroup
from server.domain.desk import Desk
from server.domain.packages import WAYS, Verdict, Way, Word
from server.hub import Hub
from server.press import hand_over, press_of, seal
from server.services.commission import (
    answering,
    approving,
    carrying,
    minisign,
    preparing,
    sealing,
    serials,
    summarising,
    transmitting,
    verifying,
)
from server.services.commission.answering import Slip, Taken
from server.services.commission.preparing import Package, Prepared
from server.services.commission.summarising import Written

_Command = Callable[..., None]
_number = click.argument("number")
_destination = click.argument("destination")
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_NEW_FILE = click.Path(path_type=Path, dir_okay=False)
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
        serials.set_key(hub.store, desk, destination, recipient.strip())
    # Its fingerprint is not shown: it is heard, and typed.
    operator.say("commission.key_taken", code=plain(destination), name=as_name)


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
        restored = serials.waiting_to_resume(hub.store, desk)
    for each in known:
        commission_words.say_series(operator, each, bodies[each.destination], desk.places)
    if not known:
        operator.say("commission.no_series", name=as_name)
        return
    for each in restored:
        operator.say("commission.unsure", prefix=each.prefix, code=plain(each.destination), name=as_name)
    for package in made:
        commission_words.say_package(operator, package)
    if not made:
        operator.say("commission.none")
    heard = sealing.grouped(minisign.fingerprint(minisign.public_file(signer)))
    operator.say("commission.signer", public=minisign.public_key(signer), fingerprint=heard)


@command.command("public-key", cls=SpokenCommand)
@click.option("--out", required=True, type=_NEW_FILE, metavar="FILE")
@as_person
@pass_operator
def public_key(operator: Operator, out: Path, as_name: str) -> None:
    """The key that signs packages, as a file for a destination."""
    with _at_work(operator, as_name, as_name) as (hub, desk):
        serials.require(desk)
        file = minisign.public_file(press_of(hub).signer)
    operator.write_new(out, [file])
    operator.say("commission.public_key", file=out, fingerprint=sealing.grouped(minisign.fingerprint(file)))


@command.command(cls=SpokenCommand)
@_destination
@click.argument("last", nargs=-1, metavar="[NUMBER…]")
@as_person
@pass_operator
def resume(operator: Operator, destination: str, last: tuple[str, ...], as_name: str) -> None:
    """After a restore: which package of each year was the last that anybody saw; none where none is missing."""
    reason = operator.texts.text("commission.given_up_why")
    with _at_work(operator, as_name, destination) as (hub, desk):
        if not last and not operator.agrees("commission.resume_sure"):
            raise operator.refuse("usage.nothing_done")
        lost = serials.resume(hub.store, desk, destination, last, reason)
    click.echo(operator.texts.plural("commission.resumed", lost, code=plain(destination)))


@command.command(cls=SpokenCommand)
@_destination
@click.argument("quarter")
@as_person
@pass_operator
def prepare(operator: Operator, destination: str, quarter: str, as_name: str) -> None:
    """Give a package its number, and choose what it says."""
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
@click.option("--names", type=_FILE, metavar="FILE")
@as_person
@pass_operator
def approve(operator: Operator, number: str, by_passphrase: bool, names: Path | None, as_name: str) -> None:
    """Seal what was prepared, once this second person saw it and said yes."""
    with _at_work(operator, as_name, number) as (hub, desk):
        package = preparing.one(hub.store, desk, number)
        found, waiting = _looked_at(hub, desk, number)
        commission_words.say_head(operator, package, _body(operator, hub, desk, package))
        commission_words.say_prepared(operator, found, waiting, as_name)
        approving.check(approving.without_key(found) if by_passphrase else found, desk)
        if not operator.agrees("commission.approve_sure"):
            raise operator.refuse("usage.nothing_done")
        passphrase = _drawn(operator) if by_passphrase else ""
        opened = None if names is None else names.read_bytes()
        with operator.busy("commission.sealing"):
            sealed = seal(hub, desk, number, found.choice.digest(), passphrase, opened)
        folder = press_of(hub).folder
    operator.say("commission.sealed", number=sealed.number.text, folder=folder, bytes=sealed.bytes)
    commission_words.say_digests(operator, sealed)
    if by_passphrase:
        operator.say("commission.passphrase_apart")
    is_for_another = preparing.needs_another(sealed, desk)
    key = "commission.how_another_sends" if is_for_another else "commission.how_send"
    operator.say(key, number=sealed.number.text, name=as_name)


@command.command("hand-over", cls=SpokenCommand)
@_number
@click.option("--out", required=True, type=_NEW_FILE, metavar="FILE")
@as_person
@pass_operator
def hand_over_(operator: Operator, number: str, out: Path, as_name: str) -> None:
    """Sealed identities that a package needs, for the machine where whoever approves keeps the key."""
    if out.exists():
        raise operator.refuse("usage.file_there", file=out)
    with _at_work(operator, as_name, number) as (hub, desk):
        handed = hand_over(hub, desk, number)
    operator.write_new(out, [handed.file])
    until = operator.moment(handed.until)
    click.echo(operator.texts.plural("commission.handed", handed.names, file=out, until=until))
    operator.say("commission.handed_words", words=handed.words)
    operator.say("commission.how_names", file=out.name, number=number, name=as_name)


@command.command(cls=SpokenCommand)
@click.argument("file", type=_FILE)
@click.option("--key", required=True, type=_FILE, metavar="FILE")
@click.option("--out", required=True, type=_NEW_FILE, metavar="FILE")
@pass_operator
def names(operator: Operator, file: Path, key: Path, out: Path) -> None:
    """Open what was handed over by a key kept here, and seal the names for that package; needs no hub."""
    typed = operator.answer(operator.texts.text("commission.ask_words"))
    private = key_files.open_by_asking(operator, KeyFile.read(key, "reader"))
    opened = carrying.open_names(file.read_bytes(), private, typed)
    operator.write_new(out, [opened.file])
    click.echo(operator.texts.plural("commission.names_sealed", opened.names, file=out, number=plain(opened.package)))
    operator.say("commission.names_gone", file=file)


@command.command(cls=SpokenCommand)
@_number
@click.option("--to", "folder", type=_FOLDER, metavar="FOLDER")
@as_person
@pass_operator
def send(operator: Operator, number: str, folder: Path | None, as_name: str) -> None:
    """Let a sealed package leave: to a folder or a stick, else to the address of its destination."""
    with _at_work(operator, as_name, number) as (hub, desk):
        kept = press_of(hub).folder
        if folder is not None and preparing.one(hub.store, desk, number).transmitted_at is not None:
            transmitting.copy_again(hub.store, desk, kept, number, folder)
            operator.say("commission.copied_again", number=number, folder=folder)
            return
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
@click.argument("file", type=_FILE, required=False)
@click.option("--typed", "is_typed", is_flag=True)
@as_person
@pass_operator
def answer(operator: Operator, number: str, file: Path | None, is_typed: bool, as_name: str) -> None:
    """Take in what a destination says of a package: by its file, or typed from its paper slip."""
    if is_typed != (file is None):
        raise operator.refuse("commission.which_answer")
    with _at_work(operator, as_name, number) as (hub, desk):
        taken = _taken(operator, hub, desk, number, file)
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
        # Its writer is refused, and not asked.
        if not written.is_own and not operator.agrees("commission.review_sure"):
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


def _taken(operator: Operator, hub: Hub, desk: Desk, number: str, file: Path | None) -> Taken:
    if file is not None:
        return answering.take_answer(hub.store, desk, number, answering.unpacked(file.read_bytes()))
    refs = {each.ref for each in preparing.items_of(hub.store, desk, preparing.one(hub.store, desk, number))}
    return answering.take_slip(hub.store, desk, number, _slip(operator, refs))


def _slip(operator: Operator, refs: Collection[str]) -> Slip:
    """A paper slip as it is typed: its head, then all is accepted, or one line an item, until an empty one."""
    digits, at, by = (operator.answer(operator.texts.text(f"commission.ask_{each}")) for each in ("digits", "at", "by"))
    if operator.agrees("commission.ask_all"):
        return Slip(digits, at, by, None)
    words = list[Word]()
    while line := operator.answer(operator.texts.text("commission.ask_item")).strip():
        try:
            words.append(_word(operator, line, refs))
        except Refused as refused:
            # Where somebody is there to type it again, what was typed before stays.
            if not operator.has_terminal:
                raise
            refused.show()
    return Slip(digits, at, by, words)


def _word(operator: Operator, line: str, refs: Collection[str]) -> Word:
    """`P-… yes NUMBER`, or `P-… no REASON`; refuses what is neither, and a reference that the package has not."""
    ref, said, more = (*line.split(maxsplit=2), "", "", "")[:3]
    verdicts: dict[str, Verdict] = dict.fromkeys(operator.texts.text("usage.yes").split(), "accepted")
    verdicts |= dict.fromkeys(operator.texts.text("usage.no").split(), "rejected")
    verdict = verdicts.get(said.lower())
    if verdict is None or ref.upper() not in refs:
        raise operator.refuse("commission.bad_item", text=line)
    return Word(ref.upper(), verdict, **{"file_number" if verdict == "accepted" else "reason": more})


def _drawn(operator: Operator) -> str:
    """A passphrase that the hub draws, shown this once."""
    words = sealing.new_passphrase()
    with operator.own_screen():
        operator.say("commission.passphrase", words=words)
        operator.wait_for_enter("commission.passphrase_written")
    return words


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
