"""Tables as CSV files that a spreadsheet in French opens as they are, and runs nothing of."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from server.domain.csv_cells import kept

# By it Excel knows UTF-8; in French it takes the comma for a decimal sign.
_BOM: Final = "\ufeff"
_CHUNK_CHARS: Final = 2**16


def csv_chunks(rows: Iterable[Sequence[str | int | float]]) -> Iterator[bytes]:
    """The bytes of a file; a text stays the text that it is, and a number a number."""
    text = io.StringIO()
    text.write(_BOM)
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    for row in rows:
        writer.writerow([kept(cell) if isinstance(cell, str) else cell for cell in row])
        if text.tell() >= _CHUNK_CHARS:
            yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    """What was written, and no more of it."""
    taken = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return taken
