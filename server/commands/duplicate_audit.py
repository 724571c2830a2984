"""`seere duplicates audit`: Splink links the same complaints once more, and a page says where the two ways differ."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import click
from jinja2 import Environment
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, as_person
from server.commands.spoken import SpokenCommand
from server.domain.desk import Desk
from server.domain.matching.complaints import RELATIONS
from server.domain.matching.model import Relation
from server.hub import Hub
from server.services.duplicates import auditing, wording
from server.services.duplicates.auditing import Differences, Found
from server.services.duplicates.handing import Row

_EXTRA = ("duckdb", "pyarrow", "splink", "sqlglot")
_NAMES = [relation.value for relation in RELATIONS]
_FILE = click.Path(path_type=Path, dir_okay=False)
_PAGE = "duplicate_audit.html"
# From how many chances in 100 on Splink is sure of a pair, and finds it.
_THRESHOLDS = {"sure": round(100 * auditing.SURE_FROM), "likely": round(100 * auditing.LIKELY_FROM)}


@dataclass(frozen=True)
class Drawn:
    """A chart of the page: its element, its title, and what it is drawn from, as JSON that no markup can end."""

    name: str
    title: str
    specification: str


@click.command("audit", cls=SpokenCommand)
@click.argument("file", type=_FILE)
@click.option("--relation", type=click.Choice(_NAMES), default=_NAMES[0], show_default=True)
@as_person
@pass_operator
def audit(operator: Operator, file: Path, relation: str, as_name: str) -> None:
    """Link all that one handles by Splink as well, and write what either way found alone, with Splink's charts."""
    relinking = _relinking(operator)
    if file.exists():
        raise operator.refuse("usage.file_there", file=file)
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        told, charts = _audited(operator, hub, hub.desk(person.actor), Relation(relation), relinking)
        day = operator.day(hub.clock())
    page = _page(operator, relation, day, told, charts, relinking.libraries())
    operator.write_new(file, [page.encode()])
    for sentence in _sentences(operator, told):
        click.echo(sentence)
    operator.say("duplicates.audit_written", file=file)


COMMANDS = (audit,)


def _relinking(operator: Operator) -> ModuleType:
    """What needs the extra; refuses, and says how to come by it, where it is not installed."""
    try:
        from server.services.duplicates import relinking
    except ModuleNotFoundError as missing:
        if missing.name not in _EXTRA:
            raise
        raise operator.refuse("duplicates.audit_extra", python=sys.executable) from None
    return relinking


def _audited(
    operator: Operator, hub: Hub, desk: Desk, relation: Relation, relinking: ModuleType
) -> tuple[Differences, Mapping[str, Any]]:
    complaints = auditing.comparable_to(hub.store, desk)
    partners = auditing.partners(hub.store, relation)
    pages = auditing.handed_over(hub.store, complaints, hub.secrets.pepper)
    with _progress(operator, len(complaints)) as (tell, counted):
        found = relinking.relink(counted(pages), relation, partners, auditing.LIKELY_FROM, tell)
        tell("comparing")
        told = auditing.differences(hub.store, desk, hub.secrets.pepper, relation, complaints, found.chances)
    return told, found.charts


_Tell = Callable[[str], None]
_Counted = Callable[[Iterable[Sequence[Row]]], Iterator[Sequence[Row]]]


@contextmanager
def _progress(operator: Operator, total: int) -> Iterator[tuple[_Tell, _Counted]]:
    """On a terminal, what is being done and since when, and how many complaints were read."""
    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)

        def tell(step: str) -> None:
            progress.update(task, description=operator.texts.text(f"duplicates.audit_step_{step}"))

        def counted(pages: Iterable[Sequence[Row]]) -> Iterator[Sequence[Row]]:
            for page in pages:
                yield page
                progress.advance(task, len(page))

        yield tell, counted


def _page(
    operator: Operator,
    relation: str,
    day: str,
    told: Differences,
    charts: Mapping[str, Any],
    libraries: Sequence[str],
) -> str:
    """One page with all that it needs: it asks nothing of any network, and could not."""
    text = operator.texts.text
    template = (resources.files("server.commands") / _PAGE).read_text("utf-8")
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(template)
    lists = {"missed": told.missed, "alone": told.alone}
    return page.render(
        text=text,
        language=operator.texts.language,
        relation=text(f"duplicates.relation_{relation}"),
        day=day,
        complaints=told.complaints,
        likely=_THRESHOLDS["likely"],
        sentences=_sentences(operator, told),
        lists={text(f"duplicates.page_{name}"): [_line(operator, each) for each in lists[name]] for name in lists},
        charts=[
            Drawn(name, text(f"duplicates.page_chart_{name}"), _in_script(json.dumps(chart, default=float)))
            for name, chart in charts.items()
        ],
        libraries=[_ended_by_none(each) for each in libraries],
    )


def _line(operator: Operator, found: Found) -> dict[str, str]:
    levels = (wording.reason(operator.texts, *each) for each in sorted(found.levels.items(), key=_strongest))
    return {
        "pair": " – ".join(found.numbers),
        "other": _percent(found.other),
        "ours": _percent(found.ours),
        "levels": ", ".join(levels),
    }


def _strongest(agreement: tuple[str, int]) -> tuple[int, str]:
    return -agreement[1], agreement[0]


def _percent(chance: float | None) -> str:
    return "–" if chance is None else str(round(100 * chance))


def _in_script(text: str) -> str:
    """JSON in which nothing looks like markup."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _ended_by_none(program: str) -> str:
    """A program in which no text ends the element that it stands in."""
    return program.replace("</script", "<\\/script")


def _sentences(operator: Operator, told: Differences) -> list[str]:
    counts = {
        "both": told.both,
        "missed": told.missed_count,
        "alone": told.alone_count,
        "rejected": told.rejected,
        "hidden": told.hidden,
    }
    found = [operator.texts.text(f"duplicates.audit_{name}", count=count) for name, count in counts.items()]
    return [*found, operator.texts.text("duplicates.audit_means", count=told.complaints, **_THRESHOLDS)]
