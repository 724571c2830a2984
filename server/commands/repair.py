"""`seere repair`: no piece of evidence without its bytes, and no bytes without a piece. Shows counts, no content."""

import click

from server.commands.operator import Operator, pass_operator
from server.commands.spoken import SpokenCommand
from server.domain.permission import OPERATOR
from server.services.evidence import receiving


@click.command(cls=SpokenCommand)
@pass_operator
def command(operator: Operator) -> None:
    """Read and hash every file that came; ask devices again for what is lost, and remove what belongs to nothing."""
    with operator.hub() as hub, operator.busy("repair.working"):
        backups = operator.settings.backups
        repaired = receiving.repair(hub.store, hub.depot, backups, OPERATOR.signature, hub.clock(), is_deep=True)
    texts = operator.texts
    click.echo(texts.plural("repair.sound", repaired.sound))
    if repaired.lost:
        click.echo(texts.plural("repair.lost", repaired.lost))
    if repaired.removed:
        click.echo(texts.plural("repair.removed", repaired.removed))
