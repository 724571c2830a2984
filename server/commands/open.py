"""`seere open`: what is sealed, for whom it is permitted; on the hub, or on the person's own machine."""

from pathlib import Path
from typing import get_args

import click

from server.commands import key_files
from server.commands.key_recovery import desk_of
from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, naming
from server.commands.plain import plain, readable
from server.commands.spoken import SpokenCommand
from server.services import vault
from server.services.vault import Compartment, Key, Look, Opened

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(cls=SpokenCommand)
@click.argument("what", metavar="NUMBER|FILE")
@click.option("--key", type=_FILE, metavar="FILE")
@click.option("--compartment", type=click.Choice(get_args(Compartment)))
@click.option("--reason", default="", metavar="TEXT")
@click.option("--export", type=_FILE, metavar="FILE")
@click.option("--as", "as_name", metavar="NAME")
@pass_operator
def command(
    operator: Operator,
    what: str,
    key: Path | None,
    compartment: Compartment | None,
    reason: str,
    export: Path | None,
    as_name: str | None,
) -> None:
    """Show one compartment and who opened what before; or a file that was exported, by a key kept here."""
    if key is not None:
        _open_file(operator, Path(what), key)
        return
    if compartment is None or as_name is None:
        raise operator.refuse("open.which")
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(what):
        desk = desk_of(hub, person.actor, person.keys)
        complaint = vault.complaint_numbered(hub.store, what)
        if export is not None:
            export.write_bytes(vault.hand_over(hub.store, desk, complaint, compartment, reason))
            operator.say("open.exported", file=export)
            return
        opened = vault.open_compartment(hub.store, desk, complaint, compartment, reason)
        looks = vault.openings(hub.store, desk, complaint)
    _show(operator, opened)
    for look in looks:
        _say_look(operator, look)


def _open_file(operator: Operator, file: Path, key: Path) -> None:
    try:
        data = file.read_bytes()
    except OSError:
        raise operator.refuse("open.file_unreadable", file=file) from None
    clear = vault.open_file(data, key_files.read_key(key, "reader"))
    if clear is None:
        raise operator.refuse("open.other_key", file=file)
    click.echo(readable(clear))


def _show(operator: Operator, opened: Opened) -> None:
    if opened.is_unopenable:
        operator.say("open.unopenable")
    elif opened.clear is None:
        operator.say("open.nothing")
    else:
        click.echo(readable(opened.clear))
    if opened.is_sealed:
        operator.say("open.who", who=", ".join(_named(operator, key) for key in opened.keys) or "–")


def _named(operator: Operator, key: Key) -> str:
    if key.is_recovery:
        return operator.texts.text("keys.recovery")
    return f"{key.name} ({operator.texts.text(f'keys.held_{key.held}')})"


def _say_look(operator: Operator, look: Look) -> None:
    operator.say(
        "open.look",
        name=look.name,
        compartment=operator.texts.text(f"open.{look.compartment}"),
        day=operator.day(look.at),
        reason=plain(look.reason),
    )
