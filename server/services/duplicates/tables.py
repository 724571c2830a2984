"""Tables of records that others labelled: a file of records, a file of pairs, and a map of columns to fields."""

import csv
import re
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from server.domain.errors import TableInvalid
from server.domain.matching.levels import FieldName
from server.domain.matching.records import Form, Kind, Record

_FIELD: Final = re.compile(r"(?P<kind>[a-z]+)(?::(?P<name>[^=:]+))?=(?P<columns>.+)")
# What programs write where they have no value.
_NOTHING: Final = frozenset({"", "nan", "none", "null", "na", "n/a", "nat", "-"})
# Of a pair itself, as pandas and Magellan write one before the two ids.
_NUMBERS_OF_PAIRS: Final = frozenset({"", "_id", "index", "pair_id"})
_DELIMITERS: Final = ",;\t"
_LABELS: Final = frozenset({"label", "is_match", "match", "gold"})
_TRUE: Final = frozenset({"1", "1.0", "true", "yes", "oui", "y"})
_YEAR_FIRST: Final = re.compile(r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})(?!\d)")
_DAY_FIRST: Final = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?!\d)")
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})")
_YEAR: Final = re.compile(r"(\d{4})(?:\.0)?")
_NUMBER: Final = re.compile(r"-?\d+(?:[.,]\d+)?")
_FIELD_MAX_CHARS: Final = 2**24


@dataclass(frozen=True)
class Field:
    """One field of a map: its columns, joined in this order, are one value."""

    name: FieldName
    kind: Kind
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Records in order of arrival. `sides` says of each which source it is of; all the same where nobody asked.

    `unread` counts values that are not of the field's kind, by field: they are missing in the records.
    """

    form: Form
    ids: Sequence[str]
    records: Sequence[Record]
    sides: Sequence[str]
    unread: Mapping[FieldName, int]


@dataclass(frozen=True)
class Pairs:
    """Labelled matches by the numbers of their records, the earlier first.

    `unknown` counts lines that name an id which no record has; `same_side` those whose records are of one source.
    """

    true: frozenset[tuple[int, int]]
    unknown: int
    same_side: int


def read_map(text: str) -> tuple[Field, ...]:
    """The map that `KIND[:NAME]=COLUMN[+COLUMN…],…` says; a field without a name has that of its columns.

    Raises TableInvalid, naming what it could not read.
    """
    fields = tuple(map(_field, text.split(",")))
    twice = [name for name, count in Counter(field.name for field in fields).items() if count > 1]
    if twice:
        raise TableInvalid(fault="field_twice", field=twice[0])
    return fields


def _field(text: str) -> Field:
    match = _FIELD.fullmatch(text.strip())
    if match is None:
        raise TableInvalid(fault="map_unread", field=text.strip())
    if match["kind"] not in set(Kind):
        raise TableInvalid(fault="kind_unknown", kind=match["kind"], kinds=", ".join(Kind))
    columns = tuple(column.strip() for column in match["columns"].split("+"))
    return Field(FieldName(match["name"] or "+".join(columns)), Kind(match["kind"]), columns)


def read_table(path: Path, fields: Sequence[Field], id: str, order: str | None, across: str | None) -> Table:
    """The records of a CSV file: UTF-8 with or without a mark, a header, one record a line; or with `;` or tabs.

    They arrive in the order of the file, or of the column `order`: by number where all are numbers, else as text.
    Raises TableInvalid, naming the column that is not there and those that are, or the id that is there twice.
    """
    form = Form(path.stem, {field.name: field.kind for field in fields})
    with _rows(path) as (header, rows):
        asked = [id, *filter(None, (order, across)), *(column for field in fields for column in field.columns)]
        at = {column: _position(path, header, column) for column in asked}
        lines = [row for row in rows if any(row)]
    if order is not None:
        lines = _sorted(lines, at[order])
    ids = [row[at[id]].strip() for row in lines]
    _require_unique(path, ids)
    unread: Counter[FieldName] = Counter()
    records = [_record(fields, row, at, unread) for row in lines]
    return Table(form, ids, records, [row[at[across]].strip() if across else "" for row in lines], dict(unread))


def read_pairs(path: Path, table: Table) -> Pairs:
    """The matches of a CSV file: two ids a line, in its first two columns, with or without a header.

    A first column of three or more that numbers the pairs (`_id`, `index`, `pair_id` or no name) is passed over.
    Where the header has a column `label`, `match`, `is_match` or `gold`, only lines that say 1, true or yes count.
    A pair said twice, or the other way round, counts once. Raises TableInvalid where no line names two records.
    """
    numbers = {id: number for number, id in enumerate(table.ids)}
    with _rows(path) as (header, rows):
        lines = [row for row in _labelled(header, rows, numbers) if len(row) > 1]
    known = [(numbers[one], numbers[other]) for one, other in _ids(lines) if {one, other} <= numbers.keys()]
    if not known:
        raise TableInvalid(fault="no_pair_known", file=path.name)
    pairs = {(min(pair), max(pair)) for pair in known if pair[0] != pair[1]}
    is_across = len(set(table.sides)) > 1
    true = {pair for pair in pairs if not is_across or table.sides[pair[0]] != table.sides[pair[1]]}
    return Pairs(frozenset(true), len(lines) - len(known), len(pairs) - len(true))


def _ids(lines: Iterable[Sequence[str]]) -> Iterator[tuple[str, str]]:
    return ((line[0].strip(), line[1].strip()) for line in lines)


def _labelled(header: Sequence[str], rows: Iterable[list[str]], ids: Collection[str]) -> Iterator[list[str]]:
    """The lines that say a match, each beginning with its two ids."""
    first = 1 if len(header) > 2 and header[0].strip().lower() in _NUMBERS_OF_PAIRS else 0
    if len(header) > 1 and {header[0].strip(), header[1].strip()} <= set(ids):
        yield list(header)
    labels = [at for at, column in enumerate(header) if column.strip().lower() in _LABELS and at > first + 1]
    for row in rows:
        if not labels or row[labels[0]].strip().lower() in _TRUE:
            yield row[first:]


@contextmanager
def _rows(path: Path) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    csv.field_size_limit(_FIELD_MAX_CHARS)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(_DELIMITERS, key=head.count))
            header = next(reader, [])
            yield header, (row + [""] * (len(header) - len(row)) for row in reader)
    except UnicodeDecodeError:
        raise TableInvalid(fault="not_utf8", file=path.name) from None
    except csv.Error:
        raise TableInvalid(fault="not_csv", file=path.name) from None


def _position(path: Path, header: Sequence[str], column: str) -> int:
    names = [name.strip() for name in header]
    if column not in names:
        raise TableInvalid(fault="column_missing", file=path.name, column=column, columns=", ".join(names))
    return names.index(column)


def _sorted(lines: list[list[str]], at: int) -> list[list[str]]:
    if all(_NUMBER.fullmatch(line[at].strip()) for line in lines):
        return sorted(lines, key=lambda line: float(line[at].replace(",", ".")))
    return sorted(lines, key=lambda line: line[at])


def _require_unique(path: Path, ids: Sequence[str]) -> None:
    id, count = max(Counter(ids).items(), key=lambda each: each[1], default=("", 0))
    if count == 0:
        raise TableInvalid(fault="empty", file=path.name)
    if count > 1:
        raise TableInvalid(fault="id_twice", file=path.name, id=id)


def _record(fields: Sequence[Field], row: Sequence[str], at: Mapping[str, int], unread: Counter[FieldName]) -> Record:
    record = {}
    for field in fields:
        told = [row[at[column]].strip() for column in field.columns]
        told = [text for text in told if text.lower() not in _NOTHING]
        if told:
            value = _VALUE_OF.get(field.kind, _joined)(told)
            if value is None:
                unread[field.name] += 1
            else:
                record[field.name] = (value,)
    return record


def _joined(told: Sequence[str]) -> str | None:
    return " ".join(told)


def _birth(told: Sequence[str]) -> str | None:
    text = "".join(told)
    day = _day(text)
    return day.strftime("%Y%m%d") if day else re.sub(r"\D", "", text) or None


def _when(told: Sequence[str]) -> str | None:
    spans = [_span(text) for text in told]
    known = sorted(day for span in spans if span for day in span)
    return f"{known[0]}..{known[-1]}" if known else None


def _span(text: str) -> tuple[str, str] | None:
    day = _day(text)
    if day:
        return (day.isoformat(), day.isoformat())
    if month := _MONTH.fullmatch(text):
        return _month(int(month[1]), int(month[2]))
    year = _YEAR.fullmatch(text)
    return (f"{year[1]}-01-01", f"{year[1]}-12-31") if year else None


def _month(year: int, month: int) -> tuple[str, str] | None:
    if not (date.min.year <= year and 1 <= month <= 12):
        return None
    return date(year, month, 1).isoformat(), date(year, month, monthrange(year, month)[1]).isoformat()


def _day(text: str) -> date | None:
    """The day that a text begins with, the year first, or the day first where it does not begin with a year."""
    year_first, day_first = _YEAR_FIRST.match(text), _DAY_FIRST.match(text)
    parts = year_first.groups() if year_first else day_first.groups()[::-1] if day_first else None
    try:
        return date(*map(int, parts)) if parts else None
    except ValueError:
        return None


def _point(told: Sequence[str]) -> str | None:
    numbers = _NUMBER.findall(" ".join(told)) if len(told) < 3 else []
    if len(numbers) != 2:
        return None
    latitude, longitude = (float(number.replace(",", ".")) for number in numbers)
    is_on_earth = abs(latitude) <= 90 and abs(longitude) <= 180
    return f"{latitude},{longitude}" if is_on_earth else None


_VALUE_OF: Final[Mapping[Kind, Callable[[Sequence[str]], str | None]]] = {
    Kind.BIRTH: _birth,
    Kind.WHEN: _when,
    Kind.POINT: _point,
}
