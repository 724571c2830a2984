"""`seere init`: make the hub's folder, credential and database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from server import credential
from server.commands.operator import Operator, has_hub, pass_operator
from server.commands.places import import_list
from server.commands.spoken import SpokenCommand
from server.config import Settings
from server.credential import Secrets
from server.domain.errors import CredentialMissing
from server.hub import Hub, open_hub
from server.store import migrations, recipients
from server.store.engine import open_store


@click.command(cls=SpokenCommand)
@click.option("--places", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE")
@pass_operator
def command(operator: Operator, places: Path | None) -> None:
    """Make a hub, or say what one that is there still needs."""
    with founded(operator, founding_secrets(operator)) as hub:
        if places is not None:
            import_list(operator, hub, places, None)
        say_next_steps(operator, hub)


@contextmanager
def founded(operator: Operator, secrets: Secrets) -> Iterator[Hub]:
    """The hub of the settings, made if there is none; says which, and who it is."""
    is_new = not has_hub(operator.settings)
    hub = open_hub(operator.settings, secrets, operator.clock)
    try:
        operator.say("init.made" if is_new else "init.there", folder=operator.settings.data.resolve())
        operator.say("init.identity", hub=hub.identity.id, epoch=hub.epoch())
        yield hub
    finally:
        hub.close()


def founding_secrets(operator: Operator) -> Secrets:
    """Those of the hub that is there, or new ones, never both: new ones would open nothing of it."""
    settings = operator.settings
    if settings.credential.exists():
        return operator.secrets()
    if _has_data(settings):
        raise CredentialMissing(file=settings.credential)
    _make_folder(operator)
    secrets = Secrets.new()
    credential.create(settings.credential, operator.new_passphrase(), secrets)
    return secrets


def _make_folder(operator: Operator) -> None:
    """Before anything is asked: who may not write there need not think of a passphrase."""
    folder = operator.settings.data
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        raise operator.refuse("init.folder_refused", folder=folder) from None


def _has_data(settings: Settings) -> bool:
    if not settings.database:
        return settings.hub_file.exists()
    store = open_store(settings.database, None)
    try:
        return migrations.current(store) is not None
    finally:
        store.close()


def say_next_steps(operator: Operator, hub: Hub) -> None:
    """Say what the hub still needs, in order, each with its command."""
    settings = operator.settings
    steps = ["init.next_passphrase"]
    with hub.store.read() as connection:
        if hub.places.read(connection) is None:
            steps.append("init.next_places")
        if recipients.newest(connection) is None:
            steps += ["init.next_recovery", "init.next_reader", "init.next_keyring"]
    if not settings.backup_recipient:
        steps.append("init.next_recipient")
    steps += ["init.next_serve", "init.next_enrol", "init.next_doctor"]
    operator.say("init.next")
    for number, step in enumerate(steps, 1):
        click.echo(f" {number}. {operator.texts.text(step, file=settings.credential)}")
