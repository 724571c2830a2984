"""`seere init`: make the hub's folder, database and keys."""

from pathlib import Path

import click

from server.commands.operator import Operator, has_hub, pass_operator
from server.commands.places import import_list
from server.commands.spoken import SpokenCommand
from server.hub import Hub, open_hub


@click.command(cls=SpokenCommand)
@click.option("--places", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE")
@pass_operator
def command(operator: Operator, places: Path | None) -> None:
    """Make a hub, or say what one that is there still needs."""
    is_new = not has_hub(operator.settings)
    hub = open_hub(operator.settings, operator.clock)
    try:
        operator.say("init.made" if is_new else "init.there", folder=operator.settings.data.resolve())
        operator.say("init.identity", hub=hub.identity.id, epoch=hub.epoch())
        if places is not None:
            import_list(operator, hub, places, None)
        _say_next_steps(operator, hub)
    finally:
        hub.close()


def _say_next_steps(operator: Operator, hub: Hub) -> None:
    settings = operator.settings
    steps = ["init.next_key"] if not settings.database else []
    with hub.store.read() as connection:
        if hub.places.read(connection) is None:
            steps.append("init.next_places")
    if not settings.backup_recipient:
        steps.append("init.next_recipient")
    steps += ["init.next_enrol", "init.next_serve", "init.next_doctor"]
    operator.say("init.next")
    for number, step in enumerate(steps, 1):
        click.echo(f" {number}. {operator.texts.text(step, file=settings.key_file)}")
