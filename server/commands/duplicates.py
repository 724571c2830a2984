"""`seere duplicates`: how well duplicates are found."""

import itertools
import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import click

from server.commands import duplicate_audit, duplicate_models, duplicate_pairs
from server.commands.operator import Operator, pass_operator
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.domain.matching.learning import DECISIONS_LEAST
from server.domain.matching.model import shipped
from server.services.duplicates import measuring, tables
from server.services.duplicates.arriving import CLEAR, veiled

_PEPPER_BYTES = 32
# How far it has come is said ten times, but not of what takes no time.
_TOLD_TIMES = 10
_TOLD_RECORDS = 1_000
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(cls=SpokenGroup)
def command() -> None:
    """Find, decide, measure."""


for each in (*duplicate_pairs.COMMANDS, *duplicate_models.COMMANDS, *duplicate_audit.COMMANDS):
    command.add_command(each)


@command.command(cls=SpokenCommand)
@click.option("--records", type=_FILE, required=True, multiple=True, metavar="FILE")
@click.option("--pairs", type=_FILE, required=True, metavar="FILE")
@click.option("--fields", required=True, metavar="MAP")
@click.option("--id", metavar="COLUMN")
@click.option("--order", metavar="COLUMN")
@click.option("--across", metavar="COLUMN")
@click.option("--labels", type=click.IntRange(min=0), default=0, metavar="N")
@click.option("--veiled", "is_veiled", is_flag=True)
@click.option("--seed", type=int, default=0, show_default=True)
@pass_operator
def evaluate(
    operator: Operator,
    records: tuple[Path, ...],
    pairs: Path,
    fields: str,
    id: str | None,
    order: str | None,
    across: str | None,
    labels: int,
    is_veiled: bool,
    seed: int,
) -> None:
    """Match a table whose duplicates are known; needs no hub."""
    table = tables.read_table(list(records), tables.read_map(fields), id, order, across)
    gold = tables.read_pairs(pairs, table)
    pepper = secrets.token_bytes(_PEPPER_BYTES)
    with operator.busy("duplicates.matching", count=len(table.ids)):
        reached = measuring.evaluate(
            table,
            gold,
            shipped("table_veiled" if is_veiled else "table"),
            veiled(pepper) if is_veiled else CLEAR,
            labels=labels,
            seed=seed,
            pepper=pepper,
            clock_s=time.perf_counter,
            tick=_progress(operator, len(table.ids)),
        )
    click.echo(json.dumps(reached, ensure_ascii=False, indent=2))
    if labels and (asked := reached["labels"]["asked"]) < DECISIONS_LEAST:
        click.echo(operator.texts.text("duplicates.labels_few", asked=asked, least=DECISIONS_LEAST), err=True)


def _progress(operator: Operator, count: int) -> Callable[[], None]:
    """What says on standard error how far it has come, called after each of so many records."""
    numbers = itertools.count(1)
    step = max(count // _TOLD_TIMES, _TOLD_RECORDS)

    def tick() -> None:
        if (number := next(numbers)) % step == 0:
            click.echo(operator.texts.text("duplicates.matched", number=number, count=count), err=True)

    return tick
