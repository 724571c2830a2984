"""Figures of a package: its tables as a body may read them, and its own counts with what is small hidden."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from server import figure_words
from server.domain.statistics import TOTAL
from server.domain.suppression import LEAST, Grid, hidden
from server.figure_words import Worded, Words
from server.services.commission.content import Content
from server.services.commission.tables import is_of_violence, is_telling, told


@dataclass(frozen=True)
class Count:
    """How many of something, by what it is called; None: hidden."""

    name: str
    number: int | None


@dataclass(frozen=True)
class Counts:
    """Counts that sum to a total; None: hidden."""

    counts: Sequence[Count]
    total: int | None


def tables(content: Content, words: Words) -> Iterator[Worded]:
    """The tables of a package in words, in their order."""
    for release in told(content.tables, content.destination.body):
        shown = figure_words.worded(release, words, words.text("papers.hidden"))
        if is_telling(release) and not is_of_violence(release):
            shown = replace(shown, notes=[*shown.notes, words.text("papers.gbv_elsewhere")])
        yield shown


def violence(content: Content, words: Words) -> Counts | None:
    """Complaints about gender-based violence by region, from the table that tells them; None where there is none."""
    release = next((each for each in told(content.tables, content.destination.body) if is_of_violence(each)), None)
    if release is None:
        return None
    [column] = release.columns
    cells = {row: release.cells.get((row, column), 0) for row in release.rows}
    rows = ((row, number) for row, number in cells.items() if row != TOTAL and number != 0)
    counts = [Count(words.key(release.table.rows, row), number) for row, number in rows]
    return Counts(counts, cells.get(TOTAL, 0))


def counted(numbers: Iterable[tuple[str, int]]) -> Counts:
    """Counts by name, in this order, small ones hidden with as many others as keep them from following from the sum.

    Where nothing would keep them from that, the sum stands alone.
    """
    known = [(name, number) for name, number in numbers if number]
    column = [*(number for _, number in known), sum(number for _, number in known)]
    masked = hidden(Grid([[number] for number in column], (*[1] * len(known), -1), None))
    shown = [None if (row, 0) in masked else number for row, number in enumerate(column)]
    if shown[-1] is None:
        return Counts((), alone(column[-1]))
    return Counts([Count(name, each) for (name, _), each in zip(known, shown, strict=False)], shown[-1])


def alone(number: int) -> int | None:
    """A number that stands for itself; None where it is small."""
    return None if 0 < number < LEAST else number
