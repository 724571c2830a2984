"""`seere restore`: a hub from a backup, under a new epoch, so that devices offer again what it lacks."""

import re
from pathlib import Path

import click

from server.commands.operator import Operator, pass_operator
from server.commands.spoken import SpokenCommand
from server.hub import new_epoch
from server.services import backups
from server.services.backups import LastNumber

_WRITTEN = re.compile(r"(?:(?P<prefix>[A-Z][A-Z0-9]*)-(?P<year>\d{4})-)?(?P<number>\d{1,9})")


@click.command(cls=SpokenCommand)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--identity", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE")
@click.option("--last-number", metavar="N")
@pass_operator
def command(operator: Operator, file: Path, identity: Path, last_number: str | None) -> None:
    """Bring a hub back into an empty folder or database."""
    if last_number is None:
        last_number = click.prompt(operator.texts.text("restore.ask_number"), type=str)
    last = _last_number(operator, last_number)
    with operator.busy("restore.working"):
        restored = backups.restore(
            file, identity, operator.settings, epoch=new_epoch(), last=last, now=operator.clock()
        )
    manifest = restored.manifest
    operator.say("restore.done", folder=operator.settings.data.resolve(), complaints=manifest.contents.complaints)
    operator.say("restore.epoch", epoch=restored.epoch, day=manifest.made_at[:16].replace("T", " "))
    if restored.lost_numbers:
        click.echo(operator.texts.plural("restore.lost", restored.lost_numbers))
    operator.say("restore.devices")


def _last_number(operator: Operator, text: str) -> LastNumber | None:
    """The number that was printed last, alone or written out; 0 for none."""
    found = _WRITTEN.fullmatch(text.strip().upper())
    if found is None:
        raise operator.refuse("restore.bad_number", text=text)
    number = int(found["number"])
    prefix = found["prefix"] or operator.settings.registry_prefix
    year = int(found["year"] or operator.clock().year)
    return LastNumber(prefix, year, number) if number else None
