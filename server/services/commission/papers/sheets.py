"""The workbook of a package: all of its tables in one file that stands alone; nothing of it meets a disk."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from server.figure_words import Worded, Words
from server.services.commission.content import Content
from server.services.commission.papers import bordereau, codes, columns, enclosures, figures, notices, readme

# Of no text a formula, a link or a number is made, and no row waits in a file for the next.
_OPTIONS: Final = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
# As many UTF-16 units as Excel opens a cell with.
_MOST_UNITS: Final = 32_767
_CUT: Final = " […]"
_CHUNK_BYTES: Final = 2**16
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_RW_R_R: Final = 0o100644 << 16
_A4: Final = 9
_WIDE: Final = 60
_MOST_COLUMNS: Final = 200


@dataclass(frozen=True)
class _Formats:
    """How cells look: every text is one, also after somebody edits it."""

    text: Format
    wrapped: Format
    head: Format
    tag: Format
    bold: Format
    number: Format
    right: Format


def chunks(content: Content, words: Words) -> Iterator[bytes]:
    """The bytes of the workbook, the same wherever it is written."""
    file = io.BytesIO()
    with Workbook(file, _OPTIONS) as book:
        book.set_properties(_properties(content, words))
        formats = _formats(book)
        names = (words.text(f"papers.sheet_{name}") for name in ("lines", "voids", "corrections"))
        _lines(book.add_worksheet(next(names)), formats, content, words)
        _table(book.add_worksheet(next(names)), formats, notices.VOIDS_HEAD, notices.voids(content, words))
        _table(book.add_worksheet(next(names)), formats, notices.CORRECTIONS_HEAD, notices.corrections(content, words))
        if content.copies:
            sheet = book.add_worksheet(words.text("papers.sheet_pieces"))
            _table(sheet, formats, enclosures.HEAD, enclosures.rows(content, words))
        _figures(book.add_worksheet(words.text("papers.sheet_figures")), formats, figures.tables(content, words))
        _table(book.add_worksheet(words.text("papers.sheet_codes")), formats, codes.HEAD, codes.rows(content, words))
        _readme(book.add_worksheet(words.text("papers.sheet_readme")), formats, readme.rows(content, words))
    yield from _plain(file)


def cell(text: str) -> str:
    """A text as it can stand in a cell: what Excel would not open is cut, with a mark, and none is read as markup."""
    # What looks like this xlsxwriter takes for cells with fonts, and writes as it is.
    guarded = f"'{text}" if text.startswith("<r>") and text.endswith("</r>") else text
    if len(guarded) <= _MOST_UNITS // 2:
        return guarded
    units = guarded.encode("utf-16-le")
    if len(units) // 2 <= _MOST_UNITS:
        return guarded
    return units[: 2 * (_MOST_UNITS - len(_CUT))].decode("utf-16-le", "ignore") + _CUT


def _properties(content: Content, words: Words) -> dict[str, Any]:
    return {
        "title": f"{words.text('papers.title')} {content.number.text}",
        "author": bordereau.sender(content, words),
        "created": content.as_of.astimezone(UTC),
    }


def _formats(book: Workbook) -> _Formats:
    text = {"num_format": "@", "valign": "top"}
    head = text | {"bold": True, "bottom": 2, "bg_color": "#E6E6E6"}
    return _Formats(
        text=book.add_format(text),
        wrapped=book.add_format(text | {"text_wrap": True}),
        head=book.add_format(head),
        tag=book.add_format(text | {"italic": True, "font_color": "#555555", "bottom": 1}),
        bold=book.add_format(text | {"bold": True, "font_size": 12}),
        number=book.add_format({"num_format": "#,##0", "valign": "top"}),
        right=book.add_format(text | {"align": "right"}),
    )


def _lines(sheet: Worksheet, formats: _Formats, content: Content, words: Words) -> None:
    """A header and hashtags, which stay in sight with the references, and a line a complaint."""
    for at, column in enumerate(columns.COLUMNS):
        sheet.set_column(at, at, column.width, formats.wrapped if column.width == _WIDE else formats.text)
    _write(sheet, 0, columns.HEAD, formats.head)
    _write(sheet, 1, columns.TAGS, formats.tag)
    last = 1
    for last, row in enumerate(columns.rows(content, words), start=2):
        _write(sheet, last, row)
    sheet.freeze_panes(2, 1)
    # Arrows to filter by stand in the row of hashtags, so that no filter hides it.
    sheet.autofilter(1, 0, max(last, 2), len(columns.COLUMNS) - 1)
    _to_print(sheet, rows=1)


def _table(sheet: Worksheet, formats: _Formats, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    sheet.set_column(0, len(head) - 1, 24, formats.wrapped)
    _write(sheet, 0, head, formats.head)
    last = 0
    for last, row in enumerate(rows, start=1):
        _write(sheet, last, row)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(last, 1), len(head) - 1)
    _to_print(sheet, rows=0)


def _figures(sheet: Worksheet, formats: _Formats, tables: Iterable[Worded]) -> None:
    """One table under the other, each with its unit and its notes."""
    sheet.set_column(0, 0, 48, formats.text)
    sheet.set_column(1, _MOST_COLUMNS, 14, formats.right)
    for at, (row, form) in enumerate(row for shown in tables for row in _figure_rows(shown, formats)):
        for column, each in enumerate(row):
            if isinstance(each, int):
                sheet.write_number(at, column, each, formats.number)
            else:
                sheet.write_string(at, column, cell(each), form)
    _to_print(sheet)


def _figure_rows(shown: Worded, formats: _Formats) -> Iterator[tuple[Sequence[str | int], Format | None]]:
    """A table and an empty row, each row with how its texts look; None: as their column."""
    yield [f"{shown.title} ({shown.unit})"], formats.bold
    yield from (([note], formats.text) for note in shown.notes)
    yield shown.heads, formats.head
    for line in shown.lines:
        yield [shown.hidden if each is None else each for each in line], None
    yield [], None


def _readme(sheet: Worksheet, formats: _Formats, rows: Iterable[tuple[str, str]]) -> None:
    sheet.set_column(0, 0, 32, formats.wrapped)
    sheet.set_column(1, 1, 100, formats.wrapped)
    for at, (name, text) in enumerate(rows):
        sheet.write_string(at, 0, cell(name), formats.bold)
        sheet.write_string(at, 1, cell(text), formats.wrapped)
    _to_print(sheet)


def _write(sheet: Worksheet, row: int, texts: Sequence[str], form: Format | None = None) -> None:
    """Texts of a row; of an empty one no cell is made, and it looks as its column does."""
    for at, text in enumerate(texts):
        if text:
            sheet.write_string(row, at, cell(text), form)


def _to_print(sheet: Worksheet, rows: int | None = None) -> None:
    """On A4, across, page by page with the header, which ends with row `rows`."""
    sheet.set_paper(_A4)
    sheet.set_landscape()
    sheet.set_margins(0.5, 0.5, 0.6, 0.6)
    sheet.set_footer("&L&A&R&P / &N")
    if rows is not None:
        sheet.repeat_rows(0, rows)


def _plain(file: io.BytesIO) -> Iterator[bytes]:
    """The same files in a ZIP that nothing is packed in: packed they would be other bytes where another zlib is, or
    another system; the ZIP around the whole package is packed."""
    plain = io.BytesIO()
    with ZipFile(file) as packed, ZipFile(plain, "w", ZIP_STORED) as stored:
        for name in packed.namelist():
            member = ZipInfo(name, _EPOCH)
            member.create_system, member.external_attr = _UNIX, _RW_R_R
            stored.writestr(member, packed.read(name))
    file.close()
    with plain.getbuffer() as data:
        for start in range(0, len(data), _CHUNK_BYTES):
            yield bytes(data[start : start + _CHUNK_BYTES])
