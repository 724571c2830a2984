"""Lists as files: what a screen shows, as a table that a spreadsheet opens without running any of it."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from flask import Response, request

from server.domain.csv_cells import harmless

# By it Excel knows UTF-8; in French it takes the comma for a decimal sign.
_BOM: Final = "\ufeff"


def wants_csv() -> bool:
    """Whether the list is asked for as a file."""
    return request.args.get("format") == "csv"


def csv_answer(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A file of rows under a header, called `name`.csv."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(map(harmless, header))
    writer.writerows(map(harmless, row) for row in rows)
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.csv"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(_BOM + text.getvalue(), headers=headers, content_type="text/csv; charset=utf-8")
