"""`seere statistics`: figures of the whole network, small numbers hidden, on the terminal or in a file."""

import json
from pathlib import Path
from typing import Final

import click
from rich.table import Table

from server import figure_words
from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, as_person
from server.commands.plain import plain
from server.commands.spoken import SpokenCommand
from server.domain.permission import may_ever
from server.domain.statistics import NETWORK, TABLES, Period, Release
from server.figure_words import Worded, Words
from server.services import statistics
from server.services.commission import public_data

FORMATS: Final = ("table", "csv", "json")
# What stands beside each other on a screen; a wider table is told line by line.
_COLUMNS_MAX: Final = 10
_FILE: Final = click.Path(path_type=Path, dir_okay=False)


@click.command(cls=SpokenCommand)
@click.argument("table", required=False, type=click.Choice(list(TABLES), case_sensitive=False), metavar="[TABLE]")
@click.option("--from", "first", metavar="MONTH")
@click.option("--to", "last", metavar="MONTH")
@click.option("--by", type=click.Choice(list(NETWORK)))
@click.option("--format", "form", type=click.Choice(FORMATS), default=FORMATS[0], show_default=True)
@click.option("--separator", type=click.Choice([",", ";"]), default=",", show_default=True)
@click.option("--output", type=_FILE)
@click.option("--open-data", type=_FILE, metavar="FILE")
@as_person
@pass_operator
def command(
    operator: Operator,
    /,
    table: str | None,
    by: str | None,
    form: str,
    separator: str,
    output: Path | None,
    open_data: Path | None,
    as_name: str,
    **months: str | None,
) -> None:
    """One table of some months; of this quarter, where none are named. Or all of what was frozen, for the public."""
    if open_data is not None:
        if table or by or output or any(months.values()):
            raise operator.refuse("statistics.open_data_alone")
        _publish(operator, open_data, as_name)
        return
    if table and by:
        raise operator.refuse("statistics.table_or_by")
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        if not may_ever(person.actor, "read_statistics"):
            raise operator.refuse("statistics.no_scope")
        desk = hub.desk(person.actor)
        period = Period.asked(months["first"], months["last"], desk.now.date())
        release = statistics.table(hub.store, desk, table or NETWORK[by or "month"], period)
        shown = figure_words.worded(release, Words(operator.texts.language, desk.places))
    if form == FORMATS[0] and output is None:
        _show(operator, shown)
        operator.say("statistics.how", name=as_name)
        return
    _hand_out(operator, _bytes(form, separator, release, shown), output)


def _publish(operator: Operator, file: Path, name: str) -> None:
    """Write what was frozen for whoever wants to read it."""
    with operator.hub() as hub, acting(operator, hub, name) as person:
        if not may_ever(person.actor, "read_statistics"):
            raise operator.refuse("statistics.no_scope")
        desk = hub.desk(person.actor)
        releases = statistics.every_frozen(hub.store, desk)
        if not releases:
            raise operator.refuse("statistics.nothing_frozen")
        data = public_data.bundle(releases, desk.places, hub.settings.coalition)
    operator.write_new(file, [data])
    quarters = len({each.period for each in releases})
    click.echo(operator.texts.plural("statistics.published", quarters, file=file))


def _bytes(form: str, separator: str, release: Release, shown: Worded) -> bytes:
    """The table as a file; what has no format of files is CSV."""
    if form == "json":
        return json.dumps(figure_words.as_json(release, shown), ensure_ascii=False, indent=2).encode() + b"\n"
    return figure_words.as_csv(shown, separator)


def _hand_out(operator: Operator, content: bytes, output: Path | None) -> None:
    if output is None:
        click.echo(content, nl=False)
        return
    operator.write_new(output, [content])
    operator.say("statistics.written", file=output)


def _show(operator: Operator, shown: Worded) -> None:
    is_wide = len(shown.heads) > _COLUMNS_MAX
    drawn = Table(title=plain(f"{shown.title} ({shown.unit})"), title_justify="left")
    heads = ("", "", operator.texts.text("statistics.by_number")) if is_wide else shown.heads
    for at, head in enumerate(heads):
        drawn.add_column(plain(head), justify="left" if at == 0 or (is_wide and at == 1) else "right")
    for line in _long(shown) if is_wide else shown.texts():
        drawn.add_row(*map(plain, line))
    operator.show(drawn)
    for note in shown.notes:
        click.echo(plain(note))


def _long(shown: Worded) -> list[tuple[str, ...]]:
    """What there is of a wide table, one number a line."""
    lines = ((line[0], head, number) for line in shown.texts() for head, number in zip(shown.heads, line, strict=True))
    return [(row, head, number) for row, head, number in lines if head != shown.heads[0] and number != "0"]
