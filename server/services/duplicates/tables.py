"""Tables of records that others labelled: a file of records, a file of pairs, and a map of columns to fields."""

import re
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from server.domain.errors import TableInvalid
from server.domain.matching.levels import FieldName
from server.domain.matching.records import Form, Kind, Record
from server.services.duplicates.files import Rows, read_rows

_FIELD: Final = re.compile(r"(?P<kind>[a-z]+)(?::(?P<name>[^=:]+))?=(?P<columns>.+)")
# What programs write where they have no value.
_NOTHING: Final = frozenset(
    {"", "nan", "none", "null", "(null)", "<na>", "na", "n/a", "#n/a", "nat", "nil", "\\n", "-", "?"}
)
# Of a pair itself, as pandas and Magellan write one beside the two ids.
_NUMBERS_OF_PAIRS: Final = frozenset({"", "_id", "id", "index", "pair_id", "unnamed: 0"})
_ID: Final = re.compile(r".*id[^a-z0-9]?(?:[12lrab]|left|right)?|id.+", re.IGNORECASE)
_LABELS: Final = frozenset(
    {"label", "labels", "match", "is_match", "ismatch", "matched", "gold", "is_gold", "duplicate", "is_duplicate"}
    | {"same", "is_same", "truth", "is_true", "target", "class"}
)
_TRUE: Final = frozenset({"1", "true", "t", "yes", "y", "oui", "o", "vrai", "match", "duplicate", "same", "positive"})
_FALSE: Final = frozenset(
    {"0", "-1", "false", "f", "no", "n", "non", "faux", "non-match", "nonmatch", "non_match", "no match", "distinct"}
    | {"different", "negative"}
)
_YEAR_FIRST: Final = re.compile(r"(?P<year>\d{4})(?:[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2}))(?!\d)")
_YEAR_FIRST_PLAIN: Final = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?!\d)")
_DAY_FIRST: Final = re.compile(r"(?P<day>\d{1,2})[-/.](?P<month>\d{1,2})[-/.](?P<year>\d{4})(?!\d)")
_MONTH_FIRST: Final = re.compile(r"(?P<month>\d{1,2})[-/.](?P<day>\d{1,2})[-/.](?P<year>\d{4})(?!\d)")
# As Americans write it only where nothing else can be meant.
_DAYS: Final = (_YEAR_FIRST, _YEAR_FIRST_PLAIN, _DAY_FIRST, _MONTH_FIRST)
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})")
_YEAR: Final = re.compile(r"\d{4}")
_IDS_SHOWN: Final = 3
# From so many values on, not one of which is of the kind that was said, it is the wrong kind.
_UNREAD_LEAST: Final = 5
_NUMBER: Final = re.compile(r"-?\d+(?:[.,]\d+)?")


@dataclass(frozen=True)
class Field:
    """One field of a map: its columns, joined in this order, are one value."""

    name: FieldName
    kind: Kind
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Records in order of arrival. `sides` says of each which source it is of; all the same where nobody asked.

    `sources` are these in the order of the files. `unread` counts values that are not of the field's kind, by field:
    they are missing in the records.
    """

    form: Form
    ids: Sequence[str]
    records: Sequence[Record]
    sides: Sequence[str]
    unread: Mapping[FieldName, int]
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pairs:
    """Labelled matches by the numbers of their records, the earlier first.

    `told` are all that were labelled where some were said not to match, else none. `unknown` counts lines that name an
    id which no record has; `same_side` those whose records are of one source.
    """

    true: frozenset[tuple[int, int]]
    unknown: int
    same_side: int
    told: frozenset[tuple[int, int]] = frozenset()


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


def read_table(
    paths: Sequence[Path], fields: Sequence[Field], id: str | None, order: str | None, across: str | None
) -> Table:
    """The records of one file or more, as `read_rows` reads them: one record a line, each file a source of its own.

    They arrive in the order of the files, or of the column `order`: by number where all are numbers, else as text.
    Without `id`, the column of the ids is `id`, or the first that is called like one and differs in all lines.
    Raises TableInvalid, naming the column that is not there and those that are, the id that is there twice within a
    source, or the field of which not one value is of its kind.
    """
    form = Form(paths[0].stem, {field.name: field.kind for field in fields})
    unread: Counter[FieldName] = Counter()
    arrivals = [each for path in paths for each in _arrivals(path, fields, id, order, across, unread)]
    if not arrivals:
        raise TableInvalid(fault="empty", file=paths[0].name)
    _require_unique(arrivals)
    _require_read(fields, unread, arrivals)
    sources = tuple(dict.fromkeys(each.side for each in arrivals))
    if order is not None:
        arrivals = _sorted(arrivals)
    ids, records = [each.id for each in arrivals], [each.record for each in arrivals]
    return Table(form, ids, records, [each.side for each in arrivals], dict(unread), sources)


class _Arrival(NamedTuple):
    """One line of a file as a record."""

    id: str
    side: str
    rank: str
    record: Record


def _arrivals(
    path: Path,
    fields: Sequence[Field],
    id: str | None,
    order: str | None,
    across: str | None,
    unread: Counter[FieldName],
) -> list[_Arrival]:
    rows = read_rows(path)
    of_id = rows.position(id) if id else _column_of_ids(rows)
    of_rank = rows.position(order) if order else None
    of_side = rows.position(across) if across else None
    at = {column: rows.position(column) for field in fields for column in field.columns}
    return [
        _Arrival(
            line[of_id],
            str(path) if of_side is None else line[of_side],
            "" if of_rank is None else line[of_rank],
            _record(fields, line, at, unread),
        )
        for line in rows.lines
    ]


def _column_of_ids(rows: Rows) -> int:
    named = [at for at, name in enumerate(rows.header) if name.casefold() == "id"]
    for at in named or (at for at, name in enumerate(rows.header) if _ID.fullmatch(name)):
        if named or len({line[at] for line in rows.lines}) == len(rows.lines):
            return at
    raise TableInvalid(fault="id_unknown", file=rows.name, columns=", ".join(rows.header))


def _require_read(fields: Sequence[Field], unread: Mapping[FieldName, int], arrivals: Sequence[_Arrival]) -> None:
    read = Counter(name for each in arrivals for name in each.record)
    for field in fields:
        if unread.get(field.name, 0) >= _UNREAD_LEAST and not read[field.name]:
            raise TableInvalid(fault="kind_wrong", field=field.name, kind=field.kind)


def read_pairs(path: Path, table: Table) -> Pairs:
    """The matches of a file of pairs, as `read_rows` reads it, with or without a header: two columns of ids.

    These are the two called like ids where there are two (`ltable_id`, `id2`, `left_id`…), else the first two, but not
    one that numbers the pairs. Where a column is called like a label, or a third one holds nothing else, it says which
    pairs match; those it says don't are `told` as well. Where both sources use the same ids, the first column is of
    the first source. A pair said twice, or the other way round, counts once. Raises TableInvalid where no line names
    two records, or for a label that says neither.
    """
    rows = _with_header(read_rows(path), table)
    one, other = _columns_of_ids(rows)
    label = _column_of_labels(rows, (one, other))
    numbered = _numbered(table, [(line[one], line[other]) for line in rows.lines])
    said: dict[bool, set[tuple[int, int]]] = {True: set(), False: set()}
    unknown = 0
    for line, pair in zip(rows.lines, numbered, strict=True):
        is_match = label is None or _is_match(path, line[label])
        unknown += is_match is not None and pair is None
        if pair is not None and is_match is not None:
            said[is_match].add(pair)
    if not said[True]:
        raise TableInvalid(fault="no_pair_known", file=path.name, ids=", ".join(table.ids[:_IDS_SHOWN]))
    return _pairs(table, said[True], said[False] - said[True], unknown)


def _pairs(table: Table, true: set[tuple[int, int]], false: set[tuple[int, int]], unknown: int) -> Pairs:
    is_across = len(set(table.sides)) > 1
    comparable = frozenset(
        (one, other)
        for one, other in true | false
        if one != other and not (is_across and table.sides[one] == table.sides[other])
    )
    lost = sum(one != other for one, other in true - comparable)
    return Pairs(comparable & true, unknown, lost, comparable if comparable - true else frozenset())


def _with_header(rows: Rows, table: Table) -> Rows:
    """Where what stands first is a pair already, the columns have no names."""
    if len(rows.header) < 2 or not {rows.header[0], rows.header[1]} <= set(table.ids):
        return rows
    return Rows(rows.name, [f"column {at + 1}" for at in range(len(rows.header))], [rows.header, *rows.lines])


def _columns_of_ids(rows: Rows) -> tuple[int, int]:
    others = [at for at, name in enumerate(rows.header) if name.casefold() not in _LABELS]
    able = [at for at in others if rows.header[at].casefold() not in _NUMBERS_OF_PAIRS]
    named = [at for at in able if _ID.fullmatch(rows.header[at])]
    found = named if len(named) == 2 else able if len(able) > 1 else others
    if len(found) < 2:
        raise TableInvalid(fault="pairs_narrow", file=rows.name, columns=", ".join(rows.header))
    return found[0], found[1]


def _column_of_labels(rows: Rows, ids: tuple[int, int]) -> int | None:
    named = [at for at, name in enumerate(rows.header) if name.casefold() in _LABELS and at not in ids]
    if named or len(rows.header) != 3:
        return named[0] if named else None
    third = ({0, 1, 2} - set(ids)).pop()
    says = {line[third].casefold() for line in rows.lines}
    return third if says <= _TRUE | _FALSE else None


def _is_match(path: Path, label: str) -> bool | None:
    said = label.casefold()
    if said in _NOTHING:
        return None
    if said not in _TRUE | _FALSE:
        raise TableInvalid(fault="label_unread", file=path.name, label=label)
    return said in _TRUE


def _numbered(table: Table, pairs: Sequence[tuple[str, str]]) -> list[tuple[int, int] | None]:
    """The two records that each line names, the earlier first."""
    if len(set(table.ids)) == len(table.ids):
        numbers = {id: number for number, id in enumerate(table.ids)}
        return _looked_up(numbers, numbers, pairs)
    first, then = table.sources
    by_side: dict[str, dict[str, int]] = {first: {}, then: {}}
    for number, (id, side) in enumerate(zip(table.ids, table.sides, strict=True)):
        by_side[side][id] = number
    as_told = _looked_up(by_side[first], by_side[then], pairs)
    turned = _looked_up(by_side[then], by_side[first], pairs)
    return max(as_told, turned, key=lambda found: len(found) - found.count(None))


def _looked_up(
    ours: Mapping[str, int], theirs: Mapping[str, int], pairs: Sequence[tuple[str, str]]
) -> list[tuple[int, int] | None]:
    found = ((ours.get(one), theirs.get(other)) for one, other in pairs)
    return [None if a is None or b is None else (min(a, b), max(a, b)) for a, b in found]


def _sorted(arrivals: Sequence[_Arrival]) -> list[_Arrival]:
    if all(_NUMBER.fullmatch(each.rank) for each in arrivals):
        return sorted(arrivals, key=lambda each: float(each.rank.replace(",", ".")))
    return sorted(arrivals, key=lambda each: each.rank)


def _require_unique(arrivals: Sequence[_Arrival]) -> None:
    """Two sources may use the same ids, as Magellan's tables do; of more, a pair could not say which it means."""
    is_apart = len({each.side for each in arrivals}) == 2
    names = Counter((each.side if is_apart else "", each.id) for each in arrivals)
    (side, id), count = names.most_common(1)[0]
    if count > 1:
        raise TableInvalid(fault="id_twice", file=Path(side or arrivals[0].side).name, id=id)


def _record(fields: Sequence[Field], row: Sequence[str], at: Mapping[str, int], unread: Counter[FieldName]) -> Record:
    record = {}
    for field in fields:
        told = [row[at[column]] for column in field.columns if row[at[column]].casefold() not in _NOTHING]
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
    # Year, month and day apart say `7` where together they say `07`.
    text = "".join(each.zfill(2) for each in told)
    day = _day(text) or _day("/".join(told))
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
    return (f"{year[0]}-01-01", f"{year[0]}-12-31") if year else None


def _month(year: int, month: int) -> tuple[str, str] | None:
    if not (date.min.year <= year and 1 <= month <= 12):
        return None
    return date(year, month, 1).isoformat(), date(year, month, monthrange(year, month)[1]).isoformat()


def _day(text: str) -> date | None:
    """The day that a text begins with, by the first way of writing it that gives one."""
    for match in filter(None, (written.match(text) for written in _DAYS)):
        try:
            return date(int(match["year"]), int(match["month"]), int(match["day"]))
        except ValueError:
            continue
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
