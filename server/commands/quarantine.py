"""`seere quarantine`: what was kept and not filed: see it, put it right, admit it, or let nothing be done about it."""

import sys
from pathlib import Path

import click
from rich import box
from rich.table import Table

from client_sync.protocol.canonical import Unreadable, parse
from client_sync.protocol.codes import STORED
from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, as_person
from server.commands.plain import plain, readable
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.hub import Hub
from server.services import devices, keyrings
from server.services.intake import admission
from server.services.intake.admission import Settled, Vouched
from server.services.intake.sealing import Sealing


@click.group(cls=SpokenGroup)
def command() -> None:
    """List, show, repair, admit, dismiss, take up."""


@command.command("list", cls=SpokenCommand)
@click.option("--code", metavar="CODE")
@click.option("--limit", default=50, type=click.IntRange(1, 10_000), metavar="N")
@pass_operator
def list_(operator: Operator, code: str | None, limit: int) -> None:
    """How many wait by code, and the oldest of them."""
    with operator.hub() as hub:
        counts = admission.count_waiting(hub.store)
        waiting = admission.list_waiting(hub.store, code, limit)
        labels = {device.id: f"M-{device.number}" for device in devices.listed(hub.store)}
    if not counts:
        operator.say("quarantine.empty")
        return
    for each, count in sorted(counts.items()):
        operator.say("quarantine.count", code=each, count=count, meaning=operator.texts.text(f"reason.{each}"))
    columns = ("id", "day", "device", "verdict", "code", "field")
    table = Table(*(operator.texts.text(f"quarantine.column_{name}") for name in columns), box=box.SIMPLE)
    for kept in waiting:
        day, device = operator.day(kept.received_at), labels.get(kept.device, "")
        verdict = operator.texts.text(f"verdict.{kept.verdict}")
        table.add_row(str(kept.id), day, device, verdict, kept.code, plain(kept.field))
    operator.show(table)


@command.command("show", cls=SpokenCommand)
@click.argument("id", type=int)
@click.option("--content", is_flag=True)
@as_person
@pass_operator
def show(operator: Operator, id: int, content: bool, as_name: str) -> None:
    """One operation; its content only on request, and the log says that it was read."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        desk = hub.desk(person.actor, person.keys)
        kept = admission.show(hub.store, desk, id)
        payload = admission.read_payload(hub.store, desk, id) if content else None
    operator.say(
        "quarantine.shown",
        id=kept.id,
        verdict=operator.texts.text(f"verdict.{kept.verdict}"),
        code=kept.code,
        field=plain(kept.field) or "–",
        client_id=plain(kept.client_id),
        day=operator.day(kept.received_at),
        bytes=len(kept.payload),
        state=operator.texts.text(f"quarantine.state_{kept.state}"),
        meaning=operator.texts.text(f"reason.{kept.code}"),
    )
    if kept.settled_why and kept.settled_at:
        operator.say("quarantine.why_dismissed", day=operator.day(kept.settled_at), why=plain(kept.settled_why))
    if payload is not None:
        click.echo(_readable(payload))


@command.command("repair", cls=SpokenCommand)
@click.argument("id", type=int)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@as_person
@pass_operator
def repair(operator: Operator, id: int, file: Path, as_name: str) -> None:
    """Store a corrected content; what came stays as it came."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        corrected = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        desk, prefix = hub.desk(person.actor), hub.settings.registry_prefix
        settled = admission.repair(hub.store, desk, prefix, id, corrected.strip(), _sealing(hub))
    _say_settled(operator, "quarantine.repaired", id, settled)


@command.command("admit", cls=SpokenCommand)
@click.argument("id", type=int, required=False)
@click.option("--code", metavar="CODE")
@click.option("--as-is", is_flag=True)
@click.option("--place", metavar="PLACE")
@as_person
@pass_operator
def admit(operator: Operator, id: int | None, code: str | None, as_is: bool, place: str | None, as_name: str) -> None:
    """Read again under today's rules, one or all of a code."""
    if (id is None) == (code is None):
        raise operator.refuse("quarantine.which")
    word = Vouched(as_is, place)
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        desk, prefix = hub.desk(person.actor), hub.settings.registry_prefix
        if id is not None:
            settled = admission.admit(hub.store, desk, prefix, id, word)
            _say_settled(operator, "quarantine.admitted", id, settled)
            return
        with operator.busy("quarantine.admitting"):
            tally = admission.admit_waiting(hub.store, desk, prefix, [code or ""], word)
    operator.say("quarantine.tally", stored=tally.stored, left=tally.left)


@command.command("dismiss", cls=SpokenCommand)
@click.argument("id", type=int)
@click.option("--reason", required=True, metavar="TEXT")
@as_person
@pass_operator
def dismiss(operator: Operator, id: int, reason: str, as_name: str) -> None:
    """Let nothing be done about one: it is kept, and waits no more."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        admission.dismiss(hub.store, hub.desk(person.actor), id, reason)
    operator.say("quarantine.dismissed", id=id, name=as_name)


@command.command("take-up", cls=SpokenCommand)
@click.argument("id", type=int)
@as_person
@pass_operator
def take_up(operator: Operator, id: int, as_name: str) -> None:
    """Let one wait again that was dismissed."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        admission.take_up(hub.store, hub.desk(person.actor), id)
    operator.say("quarantine.taken_up", id=id)


def _sealing(hub: Hub) -> Sealing:
    return Sealing(keyrings.current(hub.store), hub.secrets.pepper, hub.gazetteer())


def _say_settled(operator: Operator, key: str, id: int, settled: Settled) -> None:
    operator.say(key if settled.verdict == STORED else "quarantine.clashes", id=id)
    if settled.number is not None:
        operator.say("quarantine.number", number=settled.number)


def _readable(payload: bytes) -> str:
    """A content over several lines; one that is no sound JSON in one, as it came."""
    try:
        return readable(parse(payload))
    except Unreadable:
        return plain(payload.decode("utf-8", "backslashreplace"))
