"""Public data: the tables of quarters that are over as one SQLite file for anybody, as Datasette serves it.

There is nothing in it but sums whose small numbers are hidden, and words of lists: no row is of one complaint, and no
word was typed by anybody.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from typing import Any, Final

from sqlite_utils import Database

from server.domain.places import Gazetteer
from server.domain.statistics import TABLES, Period, Release, Table, quarter_text
from server.domain.suppression import LEAST
from server.figure_words import Words
from server.services.commission.tables import TYPED, told

# What a reader of the file reads; French first.
_LANGUAGES: Final = ("fr", "en")
_LICENCE: Final = ("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/")
# Of measures, one that is not there is not known; of what is counted it is 0.
_MEASURE: Final = "measure"
_BETWEEN: Final = " · "
_ABOUT: Final = dict.fromkeys(("name", *_LANGUAGES), str)
_PERIODS: Final = dict.fromkeys(("period", "first_month", "last_month", "as_of"), str)
_TABLES: Final = dict.fromkeys(
    (
        *("code", "unit", "rows_by", "columns_by"),
        *(f"{name}_{language}" for language in _LANGUAGES for name in ("title", "unit", "note")),
    ),
    str,
)
_NUMBERS: Final[Mapping[str, type]] = {
    **dict.fromkeys(("period", "row", "column"), str),
    "number": int,
    **dict.fromkeys(("unit", *(f"{name}_{language}" for language in _LANGUAGES for name in ("row", "column"))), str),
}


def bundle(releases: Iterable[Release], places: Gazetteer | None, publisher: str) -> bytes:
    """The file, with these tables of quarters that are over; `publisher`: who vouches for it.

    A table of its own for each code, of which a row is one number, NULL where it is hidden; beside them `tables` and
    `periods` say what they count and of when, and `about` by whom, and under which licence. Gender-based violence is
    told by region alone.
    """
    words = {language: Words(language, places) for language in _LANGUAGES}
    known = [table for _, each in groupby(releases, key=lambda each: each.period) for table in told(list(each))]
    with closing(sqlite3.connect(":memory:")) as connection:
        database = Database(connection)
        _fill(database, "about", _ABOUT, "name", _about(words, publisher))
        _fill(database, "periods", _PERIODS, "period", _periods(known))
        codes = [code for code in TABLES if any(each.table.code == code for each in known)]
        _fill(database, "tables", _TABLES, "code", (_definition(TABLES[code], words) for code in codes))
        for code in codes:
            numbers = (row for each in known if each.table.code == code for row in _numbers(each, words))
            _fill(database, code, _NUMBERS, ("period", "row", "column"), numbers, of_periods=True)
        connection.commit()
        return connection.serialize()


def _fill(
    database: Database,
    name: str,
    columns: Mapping[str, type],
    key: str | tuple[str, ...],
    rows: Iterable[Mapping[str, Any]],
    *,
    of_periods: bool = False,
) -> None:
    database.create_table(
        name,
        dict(columns),
        pk=key,
        not_null=set(columns) - {"number"},
        foreign_keys=[("period", "periods", "period")] if of_periods else None,
    ).insert_all(dict(row) for row in rows)


def _numbers(release: Release, words: Mapping[str, Words]) -> Iterator[dict[str, Any]]:
    table = release.table
    is_measured = _MEASURE in table.columns
    for row in release.rows:
        for column in release.columns:
            if is_measured and (row, column) not in release.cells:
                continue
            yield {
                "period": _name(release.period),
                "row": _BETWEEN.join(row),
                "column": _BETWEEN.join(column),
                "number": release.cells.get((row, column), 0),
                "unit": table.unit,
                **{f"row_{language}": each.key(table.rows, row) for language, each in words.items()},
                **{f"column_{language}": each.key(table.columns, column) for language, each in words.items()},
            }


def _periods(releases: Iterable[Release]) -> list[dict[str, Any]]:
    found = {
        _name(each.period): {
            "period": _name(each.period),
            "first_month": f"{each.period.first:%Y-%m}",
            "last_month": f"{each.period.last:%Y-%m}",
            "as_of": each.at.isoformat(timespec="seconds"),
        }
        for each in releases
    }
    return [found[name] for name in sorted(found)]


def _definition(table: Table, words: Mapping[str, Words]) -> dict[str, Any]:
    """What a table counts, by what, and what has to be known of it."""
    said: dict[str, Any] = {"code": table.code, "unit": table.unit}
    said |= {"rows_by": _by(table.rows), "columns_by": _by(table.columns)}
    for language, each in words.items():
        said[f"title_{language}"] = each.text(f"statistics.title_{table.code}")
        said[f"unit_{language}"] = each.text(f"statistics.unit_{table.unit}")
        said[f"note_{language}"] = _note(each, table)
    return said


def _by(dimensions: Sequence[str]) -> str:
    return _BETWEEN.join(each for each in dimensions if each not in TYPED)


def _note(words: Words, table: Table) -> str:
    try:
        return words.text(f"statistics.note_{table.code}")
    except KeyError:
        return ""


def _about(words: Mapping[str, Words], publisher: str) -> Iterator[dict[str, str]]:
    licence, address = _LICENCE
    values = {
        "publisher": dict.fromkeys(words, publisher),
        "licence": dict.fromkeys(words, licence),
        "licence_url": dict.fromkeys(words, address),
        **{
            name: {language: each.text(f"public_data.{name}", least=LEAST) for language, each in words.items()}
            for name in ("what", "hidden", "violence", "names", "caution")
        },
    }
    for name, said in values.items():
        yield {"name": name, **said}


def _name(period: Period) -> str:
    assert period.quarter is not None
    return quarter_text(period.quarter)
