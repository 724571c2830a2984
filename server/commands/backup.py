"""`seere backup`: a copy of the hub that only the holder of an offline key can open."""

from pathlib import Path

import click

from server.commands.operator import Operator, pass_operator
from server.commands.spoken import SpokenCommand
from server.services import backups


@click.command(cls=SpokenCommand)
@click.option("--new-identity", type=click.Path(path_type=Path), metavar="FILE")
@pass_operator
def command(operator: Operator, new_identity: Path | None) -> None:
    """Make, verify and seal a backup; or make the key that opens backups."""
    if new_identity is not None:
        _make_identity(operator, new_identity)
        return
    with operator.hub() as hub, operator.busy("backup.making"):
        made = backups.make(hub.store, operator.settings, hub.identity.id, hub.secrets.database, hub.clock(), hub.depot)
    operator.say(
        "backup.made",
        file=operator.settings.backups / made.file,
        megabytes=operator.megabytes(made.bytes),
        complaints=made.complaints,
        sha256=made.sha256,
    )
    has_rehearsed = operator.settings.backup_identity_file is not None
    operator.say("backup.rehearsed" if has_rehearsed else "backup.verified")


def _make_identity(operator: Operator, path: Path) -> None:
    try:
        recipient = backups.new_identity(path)
    except FileExistsError:
        raise operator.refuse("backup.identity_there", file=path) from None
    operator.say("backup.identity_made", file=path, recipient=recipient)
