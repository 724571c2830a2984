"""`seere places`: the lists of places, each a version, of which one stands."""

from pathlib import Path

import click

from server.commands.operator import Operator, pass_operator
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.hub import Hub
from server.services import places
from server.services.intake import admission


@click.group(cls=SpokenGroup)
def command() -> None:
    """Import and list."""


@command.command("import", cls=SpokenCommand)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@click.option("--cod", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="FOLDER")
@click.option("--version", metavar="NAME")
@pass_operator
def import_(operator: Operator, file: Path | None, cod: Path | None, version: str | None) -> None:
    """Make a list the one that stands, and file what was held for it."""
    if (file is None) == (cod is None) or (cod is not None and version is None):
        raise operator.refuse("places.which")
    with operator.hub() as hub:
        import_list(operator, hub, file or cod or Path(), version)


@command.command("list", cls=SpokenCommand)
@pass_operator
def list_(operator: Operator) -> None:
    """Every list, oldest first."""
    with operator.hub() as hub:
        lists = places.listed(hub.store)
    for each in lists:
        key = "places.line_current" if each.is_current else "places.line"
        operator.say(key, version=each.version, day=operator.day(each.imported_at), source=each.source)
    if not lists:
        operator.say("places.none")


def import_list(operator: Operator, hub: Hub, path: Path, version: str | None) -> None:
    """Import a file of ours, or a folder of OCHA's lists, and say what is in it."""
    with operator.busy("places.reading", path=path):
        read = places.read_cod_folder if path.is_dir() else places.read_list_file
        gazetteer = read(path, version or places.version_in(path))
        counts = places.import_list(hub.store, gazetteer, path.name, hub.clock())
        filed = admission.file_held(hub.store, hub.settings.registry_prefix, hub.clock(), gazetteer)
    operator.say("places.imported", version=gazetteer.version, count=sum(counts.values()))
    for level, count in counts.items():
        click.echo(f"  {operator.texts.plural(f'places.level_{level}', count)}")
    if filed:
        click.echo(operator.texts.plural("places.filed", filed))
