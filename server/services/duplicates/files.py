"""Files of rows as others write them: CSV by any of four signs, JSON lines or a JSON list."""

import codecs
import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from server.domain.errors import TableInvalid

_DELIMITERS: Final = ",;\t|"
_FIELD_MAX_CHARS: Final = 2**24
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What spreadsheets of Western Europe write where they don't write UTF-8; it has a letter for nearly every byte.
_OLDER: Final = "cp1252"


@dataclass(frozen=True)
class Rows:
    """The rows of one file below its header, each at least as long; no row is empty."""

    name: str
    header: Sequence[str]
    lines: Sequence[Sequence[str]]

    def position(self, column: str) -> int:
        """Where a column stands, by its name, or by its name in other capitals where only one has it.

        Raises TableInvalid, naming the columns that there are.
        """
        exact = [at for at, name in enumerate(self.header) if name == column]
        alike = exact or [at for at, name in enumerate(self.header) if name.casefold() == column.casefold()]
        if len(alike) != 1:
            raise TableInvalid(fault="column_missing", file=self.name, column=column, columns=", ".join(self.header))
        return alike[0]


def read_rows(path: Path) -> Rows:
    """The rows of a file: CSV with a header (commas, semicolons, tabs or bars), JSON lines, or a list in JSON.

    In UTF-8 with or without a mark, in UTF-16 with one, else in Windows-1252; lines before the header that begin with
    `#` are passed over. Values are trimmed, and a number that a program made a fraction, `1999.0`, is whole again.
    Raises TableInvalid where it is none of these, or nothing.
    """
    text = _decoded(path.read_bytes())
    try:
        is_json = text.lstrip()[:1] in ("{", "[")
        header, lines = _of_objects(_objects(text)) if is_json else _of_csv(text)
    except (csv.Error, ValueError):
        raise TableInvalid(fault="not_csv", file=path.name) from None
    if not header:
        raise TableInvalid(fault="empty", file=path.name)
    width = len(header)
    padded = ([_plain(value) for value in line] + [""] * (width - len(line)) for line in lines)
    return Rows(path.name, [name.strip() for name in header], [line for line in padded if any(line)])


def _decoded(content: bytes) -> str:
    if content.startswith(_UTF16):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode(_OLDER, "replace")


def _of_csv(text: str) -> tuple[Sequence[str], Iterator[Sequence[str]]]:
    if "\0" in text:
        raise ValueError("\0")
    csv.field_size_limit(_FIELD_MAX_CHARS)
    file = io.StringIO(text, newline="")
    at, head = 0, file.readline()
    while head.startswith("#") or (head and not head.strip()):
        at, head = file.tell(), file.readline()
    file.seek(at)
    reader = csv.reader(file, delimiter=max(_DELIMITERS, key=head.count))
    return next(reader, []), reader


def _objects(text: str) -> list[dict[str, Any]]:
    told = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in _lines(text)]
    if not all(isinstance(each, dict) for each in told):
        raise ValueError(told)
    return list(told)


def _lines(text: str) -> Iterator[str]:
    return (line for line in text.split("\n") if line.strip())


def _of_objects(objects: Sequence[dict[str, Any]]) -> tuple[Sequence[str], Iterator[Sequence[str]]]:
    header = list(dict.fromkeys(name for each in objects for name in each))
    return header, ([_text(each.get(name)) for name in header] for each in objects)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_text, value))
    return "" if value is None else str(value)


def _plain(value: str) -> str:
    value = value.strip()
    whole, point, rest = value.partition(".")
    return whole if point and rest and not rest.strip("0") and whole.lstrip("-").isdigit() else value
