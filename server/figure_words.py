"""Tables of figures in words, with title, unit and notes: as lines, CSV and JSON."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from client_sync.protocol.vocabulary import VOCABULARY, label
from server.domain.csv_cells import harmless
from server.domain.places import Gazetteer, place_name
from server.domain.statistics import RESERVED, Key, Release, in_order
from server.i18n import catalogue

_BOM: Final = "\ufeff"
# Dimensions whose codes other parts of the hub have words for.
_KNOWN: Final[Mapping[str, str]] = {
    "status": "cases.status",
    "finding": "verification.state",
    "deadline": "deadline",
    "programme": "programme",
}

Number = int | None


@dataclass(frozen=True)
class Worded:
    """A table as people read it. `heads` are the first cells of each column, those of `lines` words and numbers: None
    is hidden, as `hidden` says it."""

    title: str
    unit: str
    heads: tuple[str, ...]
    lines: Sequence[tuple[str | Number, ...]]
    notes: Sequence[str]
    hidden: str

    def texts(self) -> Iterator[tuple[str, ...]]:
        """The lines as text."""
        for line in self.lines:
            yield tuple(self.hidden if cell is None else str(cell) for cell in line)


@dataclass(frozen=True)
class Words:
    """What codes are called: in a language, and by the list of places that stands."""

    language: str
    places: Gazetteer | None

    def text(self, key: str, **values: object) -> str:
        """Words of the hub's own catalogue. Raises KeyError."""
        return catalogue(self.language).text(key, **values)

    def key(self, dimensions: Sequence[str], key: Key) -> str:
        """A line of a table."""
        if len(key) != len(dimensions):
            return " · ".join(self.text(f"statistics.{code}") for code in key)
        return " · ".join(self._code(name, code, key) for name, code in zip(dimensions, key, strict=True))

    def name(self, dimension: str) -> str:
        """A dimension."""
        return self.text(f"statistics.by_{dimension}")

    def _code(self, dimension: str, code: str, key: Key) -> str:
        if dimension in ("cercle", "region") and self.places is not None and code in self.places.by_id:
            return place_name(self.places, code)
        if code in VOCABULARY.lists.get(dimension, ()):
            return label(dimension, code, self.language)
        for name in self._keys(dimension, code, key):
            try:
                return self.text(name)
            except KeyError:
                continue
        # A month, a team, a number of complaints: what it is called is what it is.
        return code

    def _keys(self, dimension: str, code: str, key: Key) -> Iterator[str]:
        yield f"statistics.{dimension}_{code}"
        if dimension in _KNOWN:
            yield f"{_KNOWN[dimension]}_{code}" if "." in _KNOWN[dimension] else f"{_KNOWN[dimension]}.{code}"
        if dimension == "answer":
            yield f"outcome.{key[0]}.{code}"
            yield f"referrals.state_{code}"
        if code in RESERVED:
            yield f"statistics.{code}"


def worded(release: Release, words: Words, hidden: str = "") -> Worded:
    """A table in words; `hidden` stands for a hidden number, the words' own where it is empty."""
    table, mark = release.table, hidden or words.text("statistics.hidden")
    columns = [words.key(table.columns, column) for column in release.columns]
    return Worded(
        title=words.text(f"statistics.title_{table.code}"),
        unit=words.text(f"statistics.unit_{table.unit}"),
        heads=(" · ".join(words.name(each) for each in table.rows), *columns),
        lines=[
            (words.key(table.rows, row), *(release.cells.get((row, column), 0) for column in release.columns))
            for row in release.rows
        ],
        notes=list(_notes(release, words, mark)),
        hidden=mark,
    )


def as_csv(shown: Worded, separator: str) -> bytes:
    """A table as spreadsheets read it: UTF-8 with a byte order mark, and no text that is taken for a formula."""
    file = io.StringIO()
    csv.writer(file, delimiter=separator).writerows(rows(shown))
    return (_BOM + file.getvalue()).encode()


def rows(shown: Worded) -> Iterator[list[str | int | float]]:
    """A table as rows of a file: its title with its unit, its notes, its heads and its lines."""
    for note in (f"{shown.title} ({shown.unit})", *shown.notes):
        yield [harmless(note)]
    yield [harmless(head) for head in shown.heads]
    for line in shown.lines:
        yield [shown.hidden if cell is None else harmless(cell) for cell in line]


def as_json(release: Release, shown: Worded) -> dict[str, Any]:
    """A table for programs, by its codes; a cell that is not there is 0, one whose `n` is null is hidden."""
    table, period = release.table, release.period
    cells = [{"row": row, "column": column, "n": number} for (row, column), number in in_order(release)]
    return {
        "table": table.code,
        "title": shown.title,
        "unit": table.unit,
        "from": f"{period.first:%Y-%m}",
        "to": f"{period.last:%Y-%m}",
        "at": release.at.isoformat(timespec="seconds"),
        "final": release.is_final,
        "rows_by": table.rows,
        "columns_by": table.columns,
        "rows": release.rows,
        "columns": release.columns,
        "cells": cells,
        "late": [{"column": column, "n": number} for column, number in release.late.items()],
        "notes": shown.notes,
    }


def _notes(release: Release, words: Words, hidden: str) -> Iterator[str]:
    period = release.period
    state = "final" if release.is_final else "provisional"
    yield words.text(
        f"statistics.{state}", first=f"{period.first:%Y-%m}", last=f"{period.last:%Y-%m}", at=_day(words, release)
    )
    try:
        yield words.text(f"statistics.note_{release.table.code}")
    except KeyError:
        pass
    if None in release.cells.values():
        yield words.text("statistics.hidden_means", hidden=hidden)
    for column, change in release.late.items():
        said = hidden if change is None else f"{change:+d}"
        yield words.text("statistics.late", column=words.key(release.table.columns, column), change=said)


def _day(words: Words, release: Release) -> str:
    return release.at.strftime(words.text("usage.day"))
