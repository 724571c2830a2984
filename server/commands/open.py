"""`seere open`: what is sealed, for whom it is permitted; on the hub, or on the person's own machine."""

from pathlib import Path
from typing import get_args

import click

from server.commands import key_files
from server.commands.key_files import KeyFile
from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, naming
from server.commands.plain import plain, readable
from server.commands.spoken import SpokenCommand, refusal_in_full
from server.domain.contact import WAYS, Reach
from server.domain.errors import ContactNotAllowed
from server.reading import read
from server.services.vault import opening
from server.services.vault.holding import Compartment
from server.services.vault.opening import Look, Opened, Opener

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(cls=SpokenCommand)
@click.argument("what", metavar="NUMBER|FILE")
@click.option("--key", type=_FILE, metavar="FILE")
@click.option("--compartment", type=click.Choice(get_args(Compartment)))
@click.option("--reason", metavar="TEXT")
@click.option("--export", type=_FILE, metavar="FILE")
@click.option("--as", "as_name", metavar="NAME")
@pass_operator
def command(
    operator: Operator,
    what: str,
    key: Path | None,
    compartment: Compartment | None,
    reason: str | None,
    export: Path | None,
    as_name: str | None,
) -> None:
    """Show one compartment and who opened what before; or a file that was exported, by a key kept here."""
    if key is not None:
        _open_file(operator, Path(what), key)
        return
    if compartment is None or as_name is None:
        raise operator.refuse("open.which")
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(what, compartment):
        desk = hub.desk(person.actor, person.keys)
        complaint = opening.complaint_numbered(hub.store, what)
        if export is not None:
            export.write_bytes(opening.hand_over(hub.store, desk, complaint, compartment, reason))
            operator.say("open.exported", file=export)
            return
        opened = read(hub, desk, complaint, compartment, reason)
        looks = opening.openings(hub.store, desk, complaint)
    _show(operator, opened)
    for look in looks:
        _say_look(operator, look)


def _open_file(operator: Operator, file: Path, key: Path) -> None:
    try:
        data = file.read_bytes()
    except OSError:
        raise operator.refuse("open.file_unreadable", file=file) from None
    opened = opening.open_file(data, key_files.open_by_asking(operator, KeyFile.read(key, "reader")))
    if opened.is_unopenable:
        raise operator.refuse("open.other_key", file=file)
    _show_clear(operator, opened)


def _show(operator: Operator, opened: Opened) -> None:
    if opened.is_unopenable:
        operator.say("open.unopenable")
    elif opened.clear is None:
        operator.say("open.nothing")
    else:
        _show_clear(operator, opened)
    if opened.is_sealed:
        operator.say("open.who", who=", ".join(_named(operator, each) for each in opened.openers) or "–")


def _show_clear(operator: Operator, opened: Opened) -> None:
    """What was opened; how the person may be reached stands before the names."""
    if opened.compartment == "identity":
        _say_reach(operator, opened.reach)
    if opened.is_withheld:
        operator.say("open.withheld")
    click.echo(readable(opened.clear))


def _say_reach(operator: Operator, reach: Reach) -> None:
    ways = [operator.texts.text(f"open.way_{way}") for way in WAYS if way in reach.ways]
    if ways:
        operator.say("open.ways", ways=", ".join(ways))
    else:
        operator.say("open.no_way")
    for limit in reach.limits:
        click.echo(refusal_in_full(operator.texts, ContactNotAllowed(fault=limit)))


def _named(operator: Operator, opener: Opener) -> str:
    if opener.is_recovery:
        return operator.texts.text("keys.recovery")
    return f"{opener.name} ({operator.texts.text(f'keys.held_{opener.held}')})"


def _say_look(operator: Operator, look: Look) -> None:
    operator.say(
        "open.look",
        name=look.name,
        compartment=operator.texts.text(f"open.{look.compartment}"),
        day=operator.day(look.at),
        reason=plain(look.reason),
    )
