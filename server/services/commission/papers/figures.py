"""Figures of a package: its tables as a body may read them, and its own counts with what is small hidden."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from client_sync.protocol.vocabulary import VOCABULARY
from server import figure_words
from server.domain.statistics import TOTAL, Key, Release
from server.domain.suppression import LEAST, Grid, hidden
from server.figure_words import Worded, Words
from server.services.commission.content import Content

_FAMILY: Final = "GBV"
# Referrals there are those of survivors.
_CENTRES: Final = "one_stop"
# By these a table could tell more of gender-based violence than its totals by region.
_TELLING: Final = frozenset({"kind", "family", "programme", "body"})
_ROWS_BY: Final = ("region",)
_COLUMNS_BY: Final = ("family",)


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
    for release in content.tables:
        shown = figure_words.worded(as_told(release), words, words.text("papers.hidden"))
        is_less = _is_telling(release.table.rows) or _is_telling(release.table.columns)
        if is_less and not _is_by_region(release):
            shown = replace(shown, notes=[*shown.notes, words.text("papers.gbv_elsewhere")])
        yield shown


def as_told(release: Release) -> Release:
    """A table without gender-based violence, but for its totals by region: of a survivor no table says more.

    Where it was left out, so are the sums that it would follow from.
    """
    if _is_by_region(release):
        return release
    rows = _left(release.table.rows, release.rows)
    columns = _left(release.table.columns, release.columns)
    cells = {key: number for key, number in release.cells.items() if key[0] in rows and key[1] in columns}
    late = {column: number for column, number in release.late.items() if column in columns}
    return replace(release, rows=rows, columns=columns, cells=cells, late=late)


def violence(content: Content, words: Words) -> Counts | None:
    """Complaints about gender-based violence by region, from the table that tells them; None where there is none."""
    release = next((each for each in content.tables if _is_by_region(each)), None)
    if release is None:
        return None
    column = (_FAMILY,)
    cells = {row: release.cells.get((row, column), 0) for row in release.rows}
    counts = [Count(words.key(_ROWS_BY, row), number) for row, number in cells.items() if row != TOTAL and number != 0]
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


def _is_by_region(release: Release) -> bool:
    return (release.table.rows, release.table.columns) == (_ROWS_BY, _COLUMNS_BY)


def _is_telling(dimensions: Sequence[str]) -> bool:
    return not _TELLING.isdisjoint(dimensions)


def _left(dimensions: Sequence[str], keys: Sequence[Key]) -> tuple[Key, ...]:
    """The lines that stay: also where none is of such violence no sum does, as that would tell just this."""
    if not _is_telling(dimensions):
        return tuple(keys)
    return tuple(key for key in keys if key != TOTAL and not _is_of_violence(dimensions, key))


def _is_of_violence(dimensions: Sequence[str], key: Key) -> bool:
    if len(key) != len(dimensions):
        return False
    return any(
        (name == "kind" and code in VOCABULARY.kinds and VOCABULARY.follows_gbv_rules(code))
        or (name == "family" and code == _FAMILY)
        or (name in ("programme", "body") and code == _CENTRES)
        for name, code in zip(dimensions, key, strict=True)
    )
