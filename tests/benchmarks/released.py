"""What an opened package tells: what nobody agreed to, lines that few share, and cells that would come to life.

What is looked for is found by the bytes of the package and by other readers than ours: openpyxl, PDFium, SQLite.
"""

import csv
import io
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final
from zipfile import ZipFile, is_zipfile

import openpyxl
import pypdfium2

from server.services.commission import public_data
from tests.benchmarks.canaries import Canary, search
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import Void
from tests.benchmarks.quarter import FORMULAS, Quarter, lines, member

FIGURES: Final = (
    "package_canaries_planted",
    "package_canaries_found",
    "names_of_nobody_who_agreed",
    "rows_below_k",
    "live_formulas",
    "phones_not_text",
)
# What a line says of its complaint that others may know it by, as a reader finds it; not by the code that made it.
_KNOWN_BY: Final = (
    "reception", "faits", "region_code", "cercle", "type_code", "auteur_code", "victimes", "sexe_code", "age_code",
)  # fmt: skip
_K: Final = 5
# What Excel, LibreOffice or an import of either takes for something to work out, wide letters of Asia as well.
_LIVE: Final = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
_NUMBER: Final = re.compile(r"-?\d+([.,]\d+)?")
_PHONE: Final = re.compile(r"\+?[\d ]{8,}")


def measure(made: Quarter, zipped: bytes, folder: Path) -> Iterator[Figure]:
    """The figures of one opened package of a quarter in which canaries were planted."""
    laid = folder / "opened"
    lay_open(zipped, laid)
    (laid / "public.sqlite").write_bytes(public_bundle(made))
    _lay_inside(laid)
    yield from _canaries(made, laid, zipped)
    yield Figure("rows_below_k", below_k(lines(zipped)), "lines", "=", 0)
    yield Figure("live_formulas", _live(zipped), "cells", "=", 0)
    yield Figure("phones_not_text", _lost_phones(made, zipped), "phones", "=", 0)


def lay_open(zipped: bytes, folder: Path) -> None:
    """Every file of a package, in a folder."""
    folder.mkdir()
    with ZipFile(io.BytesIO(zipped)) as archive:
        archive.extractall(folder)


def public_bundle(made: Quarter) -> bytes:
    """The tables for anybody, as of now."""
    return public_data.bundle(made.tables(), made.hub.gazetteer(), "Coalition d'essai")


def below_k(told: Iterable[Mapping[str, str]]) -> int:
    """How many lines without a name are like fewer than _K, themselves among them. Void where there is none."""
    alike = Counter(tuple(each[name] for name in _KNOWN_BY) for each in told if not each["nom"])
    if not alike:
        raise Void("no line without a name is in the package")
    return sum(number for number in alike.values() if number < _K)


def _canaries(made: Quarter, laid: Path, zipped: bytes) -> Iterator[Figure]:
    """Void where not even what may be told is found: the search would find nothing."""
    planted = {level: set(each) for level, each in made.planted.items()}
    hits = search(laid, [canary for each in planted.values() for canary in each])
    for hit in hits[:20]:
        note(f"found: {hit.canary.text} as {hit.form} in {hit.path}")
    found = {hit.canary for hit in hits}
    for level, each in planted.items():
        note(f"{level}: {len(each)} planted, {len(each & found)} found")
    names = {each["name"] for each in json.loads(member(zipped, "plaintes.json"))["lines"] if "name" in each}
    agreed = {"".join(char if char.isprintable() else " " for char in each) for each in made.names}
    told = {hit.path for hit in search(laid, [Canary("name", each) for each in names])}
    if not {"plaintes.csv", "plaintes.json"} <= {Path(each).name for each in told} or not any("xl/" in e for e in told):
        raise Void(f"names that may be told were found in {sorted(told)} alone")
    yield Figure("package_canaries_planted", sum(len(each) for each in planted.values()), "texts")
    yield Figure("package_canaries_found", len(found), "texts", "=", 0)
    yield Figure("names_of_nobody_who_agreed", len(names - agreed), "names", "=", 0)


def _lay_inside(folder: Path) -> None:
    """What is packed in a file, beside it: members of a workbook, the text of a PDF, the rows of a database."""
    for path in [each for each in folder.rglob("*") if each.is_file()]:
        beside = path.with_name(f"{path.name}.inside")
        if is_zipfile(path):
            with ZipFile(path) as archive:
                archive.extractall(beside)
        elif path.suffix == ".pdf":
            beside.write_text(_text_of(path), "utf-8")
        elif path.suffix == ".sqlite":
            beside.write_text("\n".join(_rows_of(path)), "utf-8")


def _text_of(pdf: Path) -> str:
    with closing(pypdfium2.PdfDocument(pdf)) as document:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)


def _rows_of(database: Path) -> Iterator[str]:
    with closing(sqlite3.connect(database)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                yield " ".join(map(str, row))


def _live(zipped: bytes) -> int:
    """Cells that a spreadsheet would work out, in every table. Void where no such text was told at all."""
    texts = [cell for name in _tables(zipped) for cell in _cells(member(zipped, name))]
    if not any("1+1" in cell for cell in texts):
        raise Void("nothing that looks like a formula is in the package")
    live = [cell for cell in texts if _LIVE.match(cell) and not _NUMBER.fullmatch(cell)]
    book = openpyxl.load_workbook(io.BytesIO(member(zipped, "plaintes.xlsx")))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    if not any(str(cell.value).startswith(FORMULAS[0]) for cell in cells):
        raise Void("nothing that looks like a formula is in the workbook")
    worked_out = [cell for cell in cells if cell.data_type == "f" or cell.hyperlink is not None]
    for each in (*live[:10], *worked_out[:10]):
        note(f"comes to life: {each!r}")
    return len(live) + len(worked_out)


def _tables(zipped: bytes) -> list[str]:
    with ZipFile(io.BytesIO(zipped)) as archive:
        return [Path(name).name for name in archive.namelist() if name.endswith(".csv")]


def _cells(data: bytes) -> Iterator[str]:
    for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=";"):
        yield from row


def _lost_phones(made: Quarter, zipped: bytes) -> int:
    """Of the phones that may be told, those that are not text as they were told, in the CSV file or the workbook."""
    told = {phone for each in lines(zipped) for phone in each["telephone"].split("; ") if phone}
    told = {each.lstrip("'") for each in told}
    if not told or not told <= made.phones:
        raise Void(f"phones in the package are not those of people who agreed: {sorted(told)[:5]}")
    book = openpyxl.load_workbook(io.BytesIO(member(zipped, "plaintes.xlsx")))
    texts = {
        str(cell.value).lstrip("'")
        for sheet in book
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type == "s" and _PHONE.fullmatch(str(cell.value).lstrip("'"))
    }
    return len(told - texts)
