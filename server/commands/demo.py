"""`seere demo`: what only a hub that was made to be shown says of its invented people."""

import click

from server.commands.operator import Operator, pass_operator
from server.commands.person import naming
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.services.accounts import demonstration


@click.group(cls=SpokenGroup)
def command() -> None:
    """Code."""


@command.command("code", cls=SpokenCommand)
@click.argument("name")
@pass_operator
def code(operator: Operator, name: str) -> None:
    """The six digits that somebody's telephone would show now."""
    with operator.hub() as hub, naming(name, "code"):
        now = demonstration.read(hub.store).now(operator.clock())
        click.echo(demonstration.code(hub.store, hub.secrets.totp, name, now))
