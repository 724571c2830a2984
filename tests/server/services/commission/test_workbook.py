"""The workbook of a package: what it shows to who opens it, no formula in it, no byte of it on a disk."""

import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from xml.etree import ElementTree
from zipfile import ZIP_STORED, ZipFile

import pytest
from hypothesis import given, settings
from openpyxl import load_workbook
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from server.services.commission import papers
from server.services.commission.content import Content
from server.services.commission.papers import codes, columns, notices
from server.services.commission.papers.sheets import cell
from tests import papers as packages
from tests.papers import content, line
from tests.server.services.commission.test_papers import NAMED, UNNAMED, cells, texts

SHEETS: Final = ["Plaintes", "Retraits", "Corrections", "Statistiques", "Codes", "LisezMoi"]
MAIN: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
# How the format writes what XML can't hold (ECMA-376, ST_Xstring).
ESCAPED: Final = re.compile("_x([0-9A-F]{4})_")
WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def workbook(of: Content) -> bytes:
    """The bytes of `plaintes.xlsx`."""
    return b"".join(next(chunks for name, chunks in papers.payload(of) if name == "plaintes.xlsx"))


def opened(data: bytes) -> Workbook:
    return load_workbook(io.BytesIO(data))


def rows_of(sheet: Worksheet) -> list[list[Any]]:
    return [[each.value for each in row] for row in sheet.iter_rows()]


def strings(data: bytes) -> list[str]:
    """Every text of the workbook as the format says it, which openpyxl gives with its escapes."""
    with ZipFile(io.BytesIO(data)) as archive:
        items = ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))
    found = ["".join(part.text or "" for part in item.iter(f"{MAIN}t")) for item in items]
    return [ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) for text in found]


def test_sheets_stand_in_order_and_the_first_is_shown() -> None:
    book = opened(workbook(packages.full(5)))
    assert book.sheetnames == SHEETS
    assert book.active is not None
    assert book.active.title == "Plaintes"


def test_lines_are_those_of_the_csv_and_stay_as_they_are() -> None:
    of = content(lines=[line(1, **UNNAMED), line(2, **NAMED)])
    rows = rows_of(opened(workbook(of))["Plaintes"])
    told = cells(packages.written(of)["plaintes.csv"])
    assert rows[:2] == told[:2]
    assert [[text or "" for text in row] for row in rows[2:]] == [
        [text.removeprefix("'") for text in row] for row in told[2:]
    ]
    by_name = dict(zip(rows[0], rows[3], strict=True))
    assert (by_name["region_code"], by_name["age_code"], by_name["telephone"]) == ("04", "5-11", "+223 00 00 00 01")


def test_header_stays_in_sight_and_lines_can_be_filtered() -> None:
    sheet = opened(workbook(packages.full(20)))["Plaintes"]
    assert sheet.freeze_panes == "B3"
    assert sheet.auto_filter.ref == "A2:AC22"
    assert sheet.column_dimensions["A"].width >= 12
    assert (sheet.print_title_rows, sheet.page_setup.orientation) == ("$1:$2", "landscape")


def test_every_cell_of_a_line_is_text_also_once_it_is_edited() -> None:
    sheet = opened(workbook(content(lines=[line(1, **NAMED)])))["Plaintes"]
    told = [each for each in sheet[3] if each.value is not None]
    assert len(told) > 20
    assert {(each.data_type, each.number_format) for each in told} == {("s", "@")}
    assert sheet.column_dimensions["AC"].number_format == "@"


@given(texts, texts, texts)
@settings(deadline=None)
def test_no_text_is_run_or_lost(name: str, phone: str, summary: str) -> None:
    data = workbook(content(lines=[line(1, name=name, phone=phone, summary=summary)]))
    book = opened(data)
    assert not [each for sheet in book for row in sheet.iter_rows() for each in row if each.data_type == "f"]
    assert {cell(text) for text in (name, phone, summary)} <= set(strings(data))
    assert all(cell(text) in (text, f"'{text}") for text in (name, phone, summary))


@pytest.mark.parametrize("text", ["😀" * 30_000, "a" + "😀" * 30_000, "é" * 32_768])
def test_text_that_no_cell_holds_is_cut_and_says_so(text: str) -> None:
    told = cell(text)
    assert told.endswith(" […]")
    assert len(told.encode("utf-16-le")) // 2 in (32_766, 32_767)
    assert text.startswith(told.removesuffix(" […]"))
    assert told in strings(workbook(content(lines=[line(1, summary=text)])))


def test_text_like_markup_of_the_format_is_held_to_be_text() -> None:
    bad = "<r><t>Awa</t><unclosed></r>"
    [row] = rows_of(opened(workbook(content(lines=[line(1, summary=bad)])))["Plaintes"])[2:]
    assert f"'{bad}" in row


def test_notices_codes_and_words_for_the_reader_have_their_sheets() -> None:
    book = opened(workbook(packages.full(5)))
    assert [each.value for each in book["Retraits"][1]] == list(notices.VOIDS_HEAD)
    assert book["Retraits"].max_row == 6
    assert [each.value for each in book["Corrections"][1]] == list(notices.CORRECTIONS_HEAD)
    assert book["Corrections"].max_row == 15
    assert [each.value for each in book["Codes"][1]] == list(codes.HEAD)
    told = dict(rows_of(book["LisezMoi"]))
    assert told["Bordereau d'envoi"] == "CNDH-2026-T3-0007"
    assert "au moins 5 dossiers" in told["Lignes sans nom"]
    assert {"plaintes.csv", "statistiques.csv", "verifier.html"} <= told.keys()


def test_figures_are_numbers_and_hidden_ones_are_not() -> None:
    sheet = opened(workbook(packages.full(5)))["Statistiques"]
    gao, _, _, _, total = sheet.iter_rows(min_row=6, max_row=10, max_col=2)
    assert [[(each.value, each.data_type) for each in row] for row in (gao, total)] == [
        [("Gao", "s"), ("< 5", "s")],
        [("total", "s"), (22, "n")],
    ]
    assert "Viol" not in {each.value for line in sheet.iter_rows() for each in line}


def test_its_bytes_hang_on_no_machine() -> None:
    with ZipFile(io.BytesIO(workbook(packages.full(5)))) as archive:
        members = archive.infolist()
        about = archive.read("docProps/core.xml").decode()
    assert {each.compress_type for each in members} == {ZIP_STORED}
    assert {(each.create_system, each.date_time) for each in members} == {(3, (1980, 1, 1, 0, 0, 0))}
    assert set(re.findall(r">(\d{4}-\d\d-\d\dT[^<]+)<", about)) == {"2026-10-05T08:30:00Z"}


class Watch:
    """What this process opens for writing, makes or renames while it is watched."""

    def __init__(self) -> None:
        self.seen: list[str] | None = None
        sys.addaudithook(self._hear)

    @contextmanager
    def watching(self) -> Iterator[list[str]]:
        found: list[str] = []
        self.seen = found
        try:
            yield found
        finally:
            self.seen = None

    def _hear(self, event: str, told: Sequence[Any]) -> None:
        if self.seen is None:
            return
        if event == "open":
            _, mode, flags = told
            if flags & WRITING if isinstance(flags, int) else set(mode or "") & set("wax+"):
                self.seen.append(str(told[0]))
        elif event.startswith("tempfile.") or event in (
            "os.rename",
            "os.mkdir",
            "os.link",
            "os.symlink",
            "socket.connect",
        ):
            self.seen.append(f"{event} {told[0]}")


@pytest.fixture(scope="module")
def watch() -> Watch:
    return Watch()


def test_nothing_of_a_package_meets_a_disk(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is imported late is, by then.
    packages.written(packages.full(5))
    with watch.watching() as seen:
        packages.written(packages.full(300))
    assert seen == []
    # It would be seen if it did.
    monkeypatch.setattr(papers.sheets, "_OPTIONS", {})
    with watch.watching() as seen:
        packages.written(packages.full(5))
    assert seen


def test_columns_are_one_a_name() -> None:
    assert len(set(columns.HEAD)) == len(columns.HEAD)
    assert len({column.alias for column in columns.COLUMNS}) == len(columns.COLUMNS)
