"""What whoever takes the disk reads: the bytes of the database file as they lie there, and, with its key, one row."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from server.store import complaints
from server.store.engine import Store

# By which every file of SQLite begins that is not encrypted (sqlite.org/fileformat.html, 1.3).
SQLITE_BEGINS: Final = b"SQLite format 3\0"
_BYTES_A_LINE: Final = 16
_LINES: Final = 12
# Four bytes stand in a few megabytes of noise by chance, five hardly ever.
WORD_LEAST_CHARS: Final = 5
_LOOKED_AT: Final = 50


@dataclass(frozen=True)
class Stolen:
    """What was read: `lines` of the file in hexadecimal, and of each word how often it stands anywhere in it.

    `facts`, `narrative` and `boxes`: a complaint as the key of the database alone shows it, the newest of the last that
    has boxes; empty are those that it has not. Of a hub on a server of databases there is no file, and no line.
    """

    size: int
    lines: Sequence[str]
    is_clear: bool
    words: Mapping[str, int]
    facts: str
    narrative: str
    boxes: Mapping[str, str]


def read(store: Store, file: Path, words: Iterable[str]) -> Stolen:
    """Read the file and the complaint, now. Shorter words than WORD_LEAST_CHARS are left out: chance writes them."""
    data = file.read_bytes() if file.exists() else b""
    head = data[: _BYTES_A_LINE * _LINES]
    content = _closed(store)
    return Stolen(
        size=len(data),
        lines=[_line(head, at) for at in range(0, len(head), _BYTES_A_LINE)],
        is_clear=data.startswith(SQLITE_BEGINS),
        words={each: data.count(each.encode()) for each in words if len(each) >= WORD_LEAST_CHARS},
        facts=json.dumps(_clear(content, "facts"), ensure_ascii=False, indent=1),
        narrative=_clear(content, "statement").get("narrative", ""),
        boxes=_boxes(content),
    )


def _line(data: bytes, at: int) -> str:
    return f"{at:04x}  {data[at : at + _BYTES_A_LINE].hex(' ')}"


def _closed(store: Store) -> dict[str, Any]:
    """The content of a complaint: the newest of the last that has boxes, else the newest; empty where there is none."""
    with store.read() as connection:
        lines = complaints.newest_lines(connection, _LOOKED_AT)
    contents: list[dict[str, Any]] = [json.loads(line)["content"] for line in lines]
    return next(filter(_boxes, contents), next(iter(contents), {}))


def _clear(content: Mapping[str, Any], compartment: str) -> dict[str, Any]:
    clear: dict[str, Any] = content.get(compartment, {}).get("clear", {})
    return clear


def _boxes(content: Mapping[str, Any]) -> dict[str, str]:
    return {name: part["box"] for name, part in content.items() if isinstance(part, dict) and "box" in part}
