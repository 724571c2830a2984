"""`seere passphrase`: close the credential with another passphrase."""

import click

from server import credential
from server.commands.operator import Operator, pass_operator
from server.commands.shares import ask_recovery_key
from server.commands.spoken import SpokenCommand
from server.credential import Secrets
from server.domain.permission import OPERATOR
from server.hub import open_hub
from server.store import audit


@click.command(cls=SpokenCommand)
@click.option("--recovery", is_flag=True)
@pass_operator
def command(operator: Operator, recovery: bool) -> None:
    """Ask for the old one, or for the recovery key, then twice for the new one."""
    operator.require_hub()
    path = operator.settings.credential
    secrets = credential.unlock_by_recovery(path, ask_recovery_key(operator)) if recovery else operator.secrets()
    credential.change_passphrase(path, secrets, operator.typed_twice())
    _note(operator, secrets, "recovery" if recovery else "passphrase")
    operator.say("passphrase.changed")
    if operator.settings.passphrase_file is not None:
        operator.say("passphrase.changed_file", file=operator.settings.passphrase_file)


def _note(operator: Operator, secrets: Secrets, opened_by: str) -> None:
    hub = open_hub(operator.settings, secrets, operator.clock)
    try:
        with hub.store.write() as connection:
            audit.record(
                connection,
                at=hub.clock(),
                actor=OPERATOR.signature,
                action="change_passphrase",
                object="hub",
                details={"opened_by": opened_by},
            )
    finally:
        hub.close()
