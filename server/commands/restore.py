"""`seere restore`: a hub from a backup, under a new epoch, so that devices offer again what it lacks."""

import re
from collections.abc import Callable
from pathlib import Path

import click

from server import credential
from server.commands.operator import Operator, pass_operator
from server.commands.shares import ask_recovery_key
from server.commands.spoken import SpokenCommand
from server.hub import depot_of, new_epoch
from server.services import backups
from server.services.backups import LastNumber, Restored

_WRITTEN = re.compile(r"(?:(?P<prefix>[A-Z][A-Z0-9]*)-(?P<year>\d{4})-)?(?P<number>\d{1,9})")


@click.command(cls=SpokenCommand)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--identity", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE")
@click.option("--last-number", metavar="N")
@click.option("--recovery", is_flag=True)
@click.option("--erasures", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE")
@pass_operator
def command(
    operator: Operator,
    file: Path,
    identity: Path,
    last_number: str | None,
    recovery: bool,
    erasures: Path | None,
) -> None:
    """Bring a hub back into an empty folder or database."""
    if last_number is None:
        last_number = click.prompt(
            operator.texts.text("restore.ask_number"), type=str, prompt_suffix=operator.texts.text("usage.asks")
        )
    last = _last_number(operator, last_number)
    key_of = _by_recovery(operator) if recovery else _by_passphrase(operator)
    with operator.busy("restore.working"):
        restored = backups.restore(
            file,
            identity,
            operator.settings,
            key_of,
            epoch=new_epoch(),
            last=last,
            now=operator.clock(),
            blobs=depot_of(operator.settings).blobs,
            listed_in=erasures,
        )
    manifest = restored.manifest
    operator.say("restore.done", folder=operator.settings.data.resolve(), complaints=manifest.contents.complaints)
    operator.say("restore.epoch", epoch=restored.epoch, day=manifest.made_at[:16].replace("T", " "))
    if restored.lost_numbers:
        click.echo(operator.texts.plural("restore.lost", restored.lost_numbers))
    _show_erasures(operator, restored)
    if restored.files or restored.files_lost:
        click.echo(operator.texts.plural("restore.files", restored.files))
    if restored.files_lost:
        click.echo(operator.texts.plural("restore.files_lost", restored.files_lost))
    if restored.series:
        click.echo(operator.texts.plural("restore.packages", restored.series))
    operator.say("restore.devices")


def _show_erasures(operator: Operator, restored: Restored) -> None:
    if restored.erased_again is None or restored.list_written_at is None:
        operator.say("restore.no_list")
        return
    click.echo(operator.texts.plural("restore.erased_again", restored.erased_again))
    key = "restore.list_older" if restored.is_list_older else "restore.list_of"
    operator.say(key, at=f"{restored.list_written_at:%Y-%m-%d %H:%M}")


def _by_passphrase(operator: Operator) -> Callable[[Path], bytes]:
    passphrase = operator.passphrase()
    return lambda path: credential.unlock(path, passphrase).database


def _by_recovery(operator: Operator) -> Callable[[Path], bytes]:
    """Whoever needs the recovery key has no passphrase: the credential gets a new one where it lies."""
    key, passphrase = ask_recovery_key(operator), operator.new_passphrase()

    def key_of(path: Path) -> bytes:
        secrets = credential.unlock_by_recovery(path, key)
        credential.change_passphrase(path, secrets, passphrase)
        return secrets.database

    return key_of


def _last_number(operator: Operator, text: str) -> LastNumber | None:
    """The number that was printed last, alone or written out; 0 for none."""
    found = _WRITTEN.fullmatch(text.strip().upper())
    if found is None:
        raise operator.refuse("restore.bad_number", text=text)
    number = int(found["number"])
    prefix = found["prefix"] or operator.settings.registry_prefix
    year = int(found["year"] or operator.clock().year)
    return LastNumber(prefix, year, number) if number else None
