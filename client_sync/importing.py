"""A backlog from a spreadsheet: the rows of a CSV file become complaints, as a map of its columns says.

The same row always becomes the same bytes under the same id, so that a file can be imported again after a cut,
or on the device that succeeds this one. The form of maps is described in maps/README.md.
"""

import codecs
import csv
import hashlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, TextIO
from uuid import UUID, uuid5

from marshmallow import Schema, ValidationError, fields

from client_sync.complaint import careful_confidentiality
from client_sync.errors import ClientError
from client_sync.protocol.canonical import Unreadable, canonical
from client_sync.protocol.limits import LINE_MAX_BYTES
from client_sync.protocol.receipts import new_receipt
from client_sync.protocol.records import COMPARTMENTS, FORM, check_complaint, clear_shape
from client_sync.protocol.vocabulary import VOCABULARY

MAP_VERSION: Final = 1
# What holds when a map does not say better: nothing leaves, and nobody is called.
_SAFEST: Final = {
    ("facts", "consent", "level"): "C0",
    ("facts", "contact_ok"): "unasked",
}
# `entered_at` must come from the file: the time of the import would give a second run other bytes.
_NEEDED: Final = (("facts", "kinds"), ("facts", "channel"), ("facts", "entered_at"))
# What stands beside the compartments in a map, and as what.
_HEADING: Final = {"map": int, "source": str, "key": list, "ignore": list, "encoding": str, "delimiter": str}
# The first row below the header has this number in every spreadsheet.
_FIRST_ROW: Final = 2
# A longer cell is no date, code or number: it may be words of a person, in the wrong column.
_CELL_MOST_CHARS: Final = 30

MemberPath = tuple[str | int, ...]


class MapInvalid(ClientError):
    """A map that can't be followed: `why` is a key of the catalogue, `where` the member or column."""

    code = "map_invalid"


class EncodingDiffers(ClientError):
    """A file that is not in the `encoding` that its map says; `other` is worth a try."""

    code = "encoding_differs"


class NotATable(ClientError):
    """A file without a header of columns: empty, no CSV, or with another separator than `delimiter`."""

    code = "not_a_table"


class ValueUnread(Exception):
    """A cell that the map can't turn into a value; `code` names the reason."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Rule:
    """How one member of a complaint is found in a row; see maps/README.md for each word.

    `form` is what the member takes: text, whole, list.
    """

    path: MemberPath
    form: str
    columns: tuple[str, ...] = ()
    constant: Any = None
    between: str = ""
    split: str | None = None
    day: str | None = None
    time: str | None = None
    zone: timezone = UTC
    codes: Mapping[str, Any] | None = None
    default: Any = None

    @property
    def is_coded(self) -> bool:
        """Whether cells are dates, codes or numbers of the facts, and not words."""
        if self.path[0] != "facts":
            return False
        return self.form == "whole" or any(way is not None for way in (self.day, self.time, self.codes))


@dataclass(frozen=True)
class ColumnMap:
    """A map, read: `source` and the columns of `key` name a row for good."""

    source: str
    key: tuple[str, ...]
    rules: tuple[Rule, ...]
    ignored: frozenset[str]
    encoding: str
    delimiter: str


@dataclass(frozen=True)
class Taken:
    """A row that became a complaint."""

    number: int
    id: str
    content: dict[str, Any]


@dataclass(frozen=True)
class Refused:
    """A row that was not taken: its number as a spreadsheet shows it, the code of the reason, and where.

    `column` is empty where none is to blame. `cell` is what stands there, for a date, a code or a number alone:
    words of a person are never repeated.
    """

    number: int
    code: str
    field: str
    column: str = ""
    cell: str = ""


def read_map(text: str) -> ColumnMap:
    """The map written in `text`; raises MapInvalid."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MapInvalid(why="toml", where=str(error)) from None
    _check_heading(data)
    return ColumnMap(
        source=data["source"],
        key=tuple(data["key"]),
        rules=_rules(data),
        ignored=frozenset(data.get("ignore", ())),
        encoding=_encoding(data.get("encoding", "utf-8-sig")),
        delimiter=data.get("delimiter", ","),
    )


def read_header(file: TextIO, mapping: ColumnMap) -> list[str]:
    """The names of the columns of an open file; raises EncodingDiffers, NotATable and MapInvalid.

    MapInvalid names a column that the map reads and that is not there.
    """
    try:
        header = next(csv.reader(file, delimiter=mapping.delimiter, strict=True), [])
    except csv.Error:
        raise NotATable(delimiter=mapping.delimiter) from None
    except UnicodeError:
        raise _encoding_differs(mapping) from None
    absent = sorted(_columns_read(mapping) - set(header))
    if "\0" in "".join(header) or (absent and len(header) <= 1):
        raise NotATable(delimiter=mapping.delimiter)
    if any("\ud800" <= char <= "\udfff" for name in header for char in name):
        raise _encoding_differs(mapping)
    if absent:
        raise MapInvalid(why="column", where=absent[0])
    return header


def unused_columns(header: Sequence[str], mapping: ColumnMap) -> list[str]:
    """Columns of a file that the map neither reads nor ignores on purpose."""
    known = _columns_read(mapping) | mapping.ignored
    return [column for column in header if column not in known]


def record_id(lineage: str, source: str, key: Sequence[str]) -> str:
    """The id of a row: the same for the same device lineage, source and key."""
    return str(uuid5(UUID(lineage), "\x1f".join((source, *key))))


def read_rows(file: TextIO, mapping: ColumnMap, lineage: str) -> Iterator[Taken | Refused]:
    """Every row of an open CSV file, in order, one at a time; `file` was opened with newline="".

    Raises as `read_header` does.
    """
    header = read_header(file, mapping)
    reader = csv.reader(file, delimiter=mapping.delimiter, strict=True)
    seen: set[bytes] = set()
    for number, cells in _numbered(reader, mapping):
        if isinstance(cells, str):
            yield Refused(number, cells, "")
        elif cells:
            yield _row(number, header, cells, mapping, lineage, seen)


def _numbered(reader: Iterator[list[str]], mapping: ColumnMap) -> Iterator[tuple[int, list[str] | str]]:
    """Rows with their numbers; in place of one that is no CSV the code that says so."""
    number = _FIRST_ROW
    while True:
        try:
            cells: list[str] | str = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = "row_unreadable"
        except UnicodeError:
            # UTF-16 and its like can't go on after a byte that is none of theirs.
            raise _encoding_differs(mapping) from None
        yield number, cells
        number += 1


def _row(
    number: int, header: list[str], cells: list[str], mapping: ColumnMap, lineage: str, seen: set[bytes]
) -> Taken | Refused:
    if len(cells) != len(header):
        return Refused(number, "row_columns", "")
    if any("\0" in cell for cell in cells):
        return Refused(number, "text_nul", "")
    row = dict(zip(header, cells, strict=True))
    key = [row[column] for column in mapping.key]
    if not all(key):
        return Refused(number, "key_missing_in_row", *[", ".join(mapping.key)] * 2)
    id = record_id(lineage, mapping.source, key)
    if UUID(id).bytes in seen:
        return Refused(number, "key_repeated", *[", ".join(mapping.key)] * 2)
    seen.add(UUID(id).bytes)
    return _complaint(number, id, row, mapping)


def _complaint(number: int, id: str, row: Mapping[str, str], mapping: ColumnMap) -> Taken | Refused:
    clear: dict[str, Any] = {}
    for rule in mapping.rules:
        try:
            value = _value(rule, row)
        except ValueUnread as problem:
            return _refused(number, problem.code, _dotted(rule.path), row, rule)
        if value is not None:
            _put(clear, rule.path, value)
    content = _content(id, clear)
    if (found := check_complaint(content)) is not None:
        to_blame = (rule for rule in mapping.rules if f"{found.field}.".startswith(f"{_dotted(rule.path)}."))
        return _refused(number, found.code, found.field, row, next(to_blame, None))
    try:
        size = len(canonical(content))
    except Unreadable as problem:
        return Refused(number, problem.code, "")
    return Taken(number, id, content) if size < LINE_MAX_BYTES else Refused(number, "line_too_long", "")


def _refused(number: int, code: str, field: str, row: Mapping[str, str], rule: Rule | None) -> Refused:
    if rule is None:
        return Refused(number, code, field)
    cell = rule.between.join(row[column] for column in rule.columns)
    is_shown = rule.is_coded and len(cell) <= _CELL_MOST_CHARS and cell.isprintable()
    return Refused(number, code, field, ", ".join(rule.columns), cell if is_shown else "")


def _content(id: str, clear: dict[str, Any]) -> dict[str, Any]:
    facts = clear["facts"]
    facts.setdefault("receipt", _receipt_of(id))
    facts.setdefault("confidentiality", careful_confidentiality(facts))
    if "incident" in facts and "from" not in facts["incident"]:
        facts["incident"] = {"from": None, "precision": "unknown"}
    compartments = {name: {"clear": clear[name]} for name in COMPARTMENTS if name in clear}
    return {"form": FORM, "vocabulary": VOCABULARY.version} | compartments


def _receipt_of(id: str) -> str:
    """A receipt code that a second run gives again: drawn from the hash of the id."""
    drawn = iter(hashlib.sha256(id.encode()).digest())
    return new_receipt(lambda alphabet: alphabet[next(drawn) % len(alphabet)])


def _value(rule: Rule, row: Mapping[str, str]) -> Any:
    """The value of one member in one row; None where the row has none."""
    if not rule.columns:
        return rule.constant
    text = rule.between.join(row[column] for column in rule.columns if row[column].strip())
    if not text:
        value = rule.default
    elif rule.split is not None:
        return [_coded(rule, part.strip()) for part in text.split(rule.split) if part.strip()]
    else:
        value = _read(rule, text)
    return [value] if rule.form == "list" and value is not None else value


def _read(rule: Rule, text: str) -> Any:
    if rule.codes is not None:
        return _coded(rule, text.strip())
    if rule.day is not None:
        return _moment(text, rule.day, UTC).date().isoformat()
    if rule.time is not None:
        return _moment(text, rule.time, rule.zone).isoformat(timespec="seconds").replace("+00:00", "Z")
    return _whole(text) if rule.form == "whole" else text


def _coded(rule: Rule, text: str) -> Any:
    if rule.codes is None:
        return text
    value = rule.codes.get(text, rule.default)
    if value is None:
        raise ValueUnread("code_unknown")
    return value


def _moment(text: str, form: str, zone: timezone) -> datetime:
    try:
        return datetime.strptime(text.strip(), form).replace(tzinfo=zone).astimezone(UTC)
    except ValueError:
        raise ValueUnread("date_impossible") from None
    except OverflowError:
        raise ValueUnread("date_out_of_range") from None


def _whole(text: str) -> int:
    digits = "".join(text.split())
    if not digits.isdecimal():
        raise ValueUnread("number_unreadable")
    return int(digits)


def _put(clear: dict[str, Any], path: MemberPath, value: Any) -> None:
    """Set a member; a number in the path is the `no` of an entry in a list."""
    place: Any = clear
    for part, following in zip(path, path[1:], strict=False):
        if isinstance(part, int):
            place = _numbered_entry(place, part)
        else:
            place = place.setdefault(part, [] if isinstance(following, int) else {})
    place[path[-1]] = value


def _numbered_entry(entries: list[dict[str, Any]], no: int) -> dict[str, Any]:
    for entry in entries:
        if entry["no"] == no:
            return entry
    entries.append({"no": no})
    return entries[-1]


def _check_heading(data: Mapping[str, Any]) -> None:
    """Refuse a part that no map has: one letter too few in `[statement]` would lose every narrative."""
    if data.get("map") != MAP_VERSION:
        raise MapInvalid(why="version", where="map")
    for name, value in data.items():
        if name not in _HEADING and name not in COMPARTMENTS:
            raise MapInvalid(why="part", where=name)
        if not isinstance(value, _HEADING.get(name, dict)):
            raise MapInvalid(why="value", where=name)
    for name in ("source", "key"):
        if not data.get(name):
            raise MapInvalid(why="missing", where=name)
    if len(data.get("delimiter", ",")) != 1:
        raise MapInvalid(why="value", where="delimiter")


def _encoding(name: str) -> str:
    try:
        # Also refuses the codecs that are none of text, such as `hex`.
        "".encode(name)
    except LookupError:
        raise MapInvalid(why="encoding", where=name) from None
    return name


def _encoding_differs(mapping: ColumnMap) -> EncodingDiffers:
    name = codecs.lookup(mapping.encoding).name.removesuffix("-sig")
    return EncodingDiffers(encoding=name, other="utf-8" if name == "cp1252" else "cp1252")


def _columns_read(mapping: ColumnMap) -> set[str]:
    return {column for rule in mapping.rules for column in rule.columns} | set(mapping.key)


def _rules(data: Mapping[str, Any]) -> tuple[Rule, ...]:
    rules = {rule.path: rule for name in COMPARTMENTS for rule in _rules_in(data.get(name, {}), (name,))}
    for path, value in _SAFEST.items():
        rules.setdefault(path, Rule(path, "text", constant=value))
    for path in _NEEDED:
        if path not in rules:
            raise MapInvalid(why="missing", where=_dotted(path))
    return tuple(rules.values())


def _rules_in(table: Mapping[str, Any], path: MemberPath) -> Iterator[Rule]:
    for name, entry in table.items():
        here: MemberPath = (*path, int(name) if name.isdecimal() else name)
        if not isinstance(entry, dict):
            field = _field(here)
            _check_value(field, entry, here)
            yield Rule(here, _form(field), constant=entry)
        elif "column" in entry or "columns" in entry:
            yield _rule(entry, here)
        else:
            yield from _rules_in(entry, here)


def _rule(entry: Mapping[str, Any], path: MemberPath) -> Rule:
    words = {"column", "columns", "between", "split", "day", "time", "zone", "codes", "default"}
    if unknown := sorted(entry.keys() - words):
        raise MapInvalid(why="word", where=f"{_dotted(path)}: {unknown[0]}")
    field = _field(path)
    item = field.inner if isinstance(field, fields.List) else field
    for value in (*entry.get("codes", {}).values(), *([entry["default"]] if "default" in entry else [])):
        _check_value(item, value, path)
    return Rule(
        path,
        _form(field),
        columns=tuple(entry.get("columns", [entry.get("column")])),
        between=entry.get("between", " "),
        split=entry.get("split"),
        day=entry.get("day"),
        time=entry.get("time"),
        zone=_zone(entry.get("zone", "+00:00"), path),
        codes=entry.get("codes"),
        default=entry.get("default"),
    )


def _zone(text: str, path: MemberPath) -> timezone:
    try:
        moment = datetime.strptime(text, "%z")
    except ValueError:
        raise MapInvalid(why="zone", where=_dotted(path)) from None
    return timezone(moment.utcoffset() or timedelta())


def _check_value(field: fields.Field[Any], value: Any, path: MemberPath) -> None:
    """Refuse a value of the map itself that no complaint can hold: it would cost row after row."""
    try:
        field.deserialize(value)
    except ValidationError as error:
        is_code = "code_unknown" in str(error.messages)
        raise MapInvalid(why="code" if is_code else "value", where=f"{_dotted(path)}: {value}") from None


def _field(path: MemberPath) -> fields.Field[Any]:
    """A member by the shape of the wire; raises MapInvalid for one that no complaint has."""
    field: fields.Field[Any] = fields.Nested(clear_shape(str(path[0])))
    for part in path[1:]:
        field = _inner(field, part, path)
    return field


def _form(field: fields.Field[Any]) -> str:
    if isinstance(field, fields.List):
        return "list"
    return "whole" if isinstance(field, fields.Integer) else "text"


def _inner(field: fields.Field[Any], part: str | int, path: MemberPath) -> fields.Field[Any]:
    if isinstance(part, int) and isinstance(field, fields.List):
        return field.inner
    members = _members(field.schema) if isinstance(field, fields.Nested) else {}
    if part not in members:
        raise MapInvalid(why="member", where=_dotted(path))
    return members[str(part)]


def _members(schema: Schema) -> dict[str, fields.Field[Any]]:
    return {field.data_key or name: field for name, field in schema.fields.items()}


def _dotted(path: MemberPath) -> str:
    return ".".join(map(str, path))
