"""Public data: tables of quarters that are over in a file for anybody, and nothing of anybody in it."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from sqlite_utils import Database

from server.domain.errors import NotFound
from server.domain.permission import Actor
from server.domain.statistics import STOCK, TABLES, Period, tabulate
from server.hub import Hub
from server.services import places, statistics
from server.services.commission import public_data
from server.services.commission.tables import LEAVING
from tests.builders import NOW, clear_content, enrolled, operation
from tests.commission import LIST, QUARTER, quarter_over

AUDITOR = Actor("0e0f4d3e-5a0e-4a43-9d2e-7a5f3f0a9a11", "auditor")
CANARY = "canari-4711"
# A number that nobody would count.
TELEPHONE = "+223 00 00 47 11"
# Tables whose numbers are counts of people or of what they reported; the others are measures of many.
COUNTED = [code for code in LEAVING if "measure" not in TABLES[code].columns]


def told(no: int, **facts: Any) -> bytes:
    """A complaint with a canary wherever a person can write, and in who it is about."""
    persons = [
        {"no": 1, "roles": ["complainant", "victim"], "sex": "f" if no % 3 else "m", "age": "25-59"},
        {"no": 2, "roles": ["alleged_perpetrator"], "category": "police"},
    ]
    content = clear_content(**{"persons": persons, "place": {"id": "ml-c-bla", "list": "2026.1"}, **facts}) | {
        "statement": {"clear": {"narrative": f"{CANARY} raconte", "lang": "fra"}},
        "traces": {"clear": {"said": f"près de {CANARY}", "gps": {"lat": "13.4711", "lon": "-6.4711"}}},
        "identity": {"clear": {"persons": [{"no": 1, "name": f"Awa {CANARY}", "phone": TELEPHONE}]}},
    }
    return operation("complaint", f"told {no}", content, seq=no + 1)


@pytest.fixture
def world(hub: Hub) -> Hub:
    """A quarter that is over and frozen, with large numbers, small ones, and violence that is told by region alone."""
    places.import_list(hub.store, LIST, "test", hub.clock())
    of_team = enrolled(hub, f"Appareil {CANARY}", team=f"Équipe {CANARY}")
    kinds = [["COR-RACKET"]] * 24 + [["HR-ARR"]] * 9 + [["HR-LAN"]] * 2 + [["GBV-2"]] * 6
    of_team.send(*(told(no, kinds=kind) for no, kind in enumerate(kinds)))
    quarter_over(hub)
    assert statistics.freeze_closed(hub.store, hub.clock()) == 1
    return hub


def written(hub: Hub) -> bytes:
    desk = hub.desk(AUDITOR)
    return public_data.bundle(statistics.every_frozen(hub.store, desk), desk.places, "Jama Seere")


@contextmanager
def opened(data: bytes, folder: Path) -> Iterator[Database]:
    file = folder / "public.db"
    file.write_bytes(data)
    with closing(sqlite3.connect(file)) as connection:
        yield Database(connection)


def test_file_has_every_table_of_the_quarter_and_says_what_it_counts(world: Hub, tmp_path: Path) -> None:
    with opened(written(world), tmp_path) as file:
        assert set(file.table_names()) == {"about", "periods", "tables", *LEAVING}
        assert [row["period"] for row in file["periods"].rows] == [QUARTER]
        [corruption] = file["T1"].rows_where("row = 'COR-RACKET' and column = 'total'")
        assert (corruption["number"], corruption["unit"]) == (24, "complaints")
        assert (corruption["row_fr"], corruption["row_en"]) != ("COR-RACKET", "COR-RACKET")
        about = {row["name"]: row for row in file["about"].rows}
        assert (about["publisher"]["fr"], about["licence"]["fr"]) == ("Jama Seere", "CC BY 4.0")
        assert about["what"]["fr"] != about["what"]["en"]
        assert {row["code"]: row["unit"] for row in file["tables"].rows} == {
            code: TABLES[code].unit for code in LEAVING
        }
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []


def test_nothing_that_somebody_wrote_is_in_the_file(world: Hub) -> None:
    data = written(world)
    for canary in (CANARY, TELEPHONE, "4711", "Awa", "SRE-", "P-"):
        assert canary.encode() not in data
        assert canary.encode("utf-16-le") not in data


def test_no_number_under_five_is_in_the_file_and_hidden_ones_are_null(world: Hub, tmp_path: Path) -> None:
    with opened(written(world), tmp_path) as file:
        assert [code for code in COUNTED if file[code].count_where("number between 1 and 4")] == []
        # Two complaints about land: neither they nor the one number that would give them away.
        assert [row["number"] for row in file["T1"].rows_where("row = 'HR-LAN' and column = 'total'")] == [None]
        assert file["T1"].count_where("number is null") > 1


def test_gender_based_violence_is_told_by_region_alone(world: Hub, tmp_path: Path) -> None:
    with opened(written(world), tmp_path) as file:
        telling = "row like '%GBV%' or column like '%GBV%' or row like '%one_stop%' or column like '%one_stop%'"
        assert [code for code in LEAVING if file[code].count_where(telling)] == ["N8"]
        assert file["N8"].count_where("row = 'ml-r-segou' and column = 'GBV' and number = 6") == 1
        assert {row["column"] for row in file["N8"].rows} == {"GBV"}
        # No sum of kinds is there, that these would follow from.
        assert file["T1"].count_where("row = 'total'") == 0


def test_teams_and_organisations_are_in_no_table_and_their_sums_are(world: Hub, tmp_path: Path) -> None:
    with opened(written(world), tmp_path) as file:
        assert {row["column"] for row in file["T9"].rows} == {"total"}


def test_what_comes_late_changes_nothing_of_the_file(world: Hub) -> None:
    before = written(world)
    enrolled(world, "Ségou 2").send(told(99, kinds=["HR-ARR"]))
    assert written(world) == before


def test_stock_of_a_quarter_that_is_shown_balances(tmp_path: Path) -> None:
    stock = {name: 10 * (no + 1) for no, name in enumerate(STOCK[:-1])}
    stock["open_at_end"] = stock["open_at_start"] + stock["received"] + stock["reopened"] - stock["closed"]
    counted = [(("ml-r-gao",), (name,), number) for name, number in stock.items()]
    release = tabulate(TABLES["T3"], counted, Period.read(QUARTER, QUARTER), NOW)
    with opened(public_data.bundle([release], LIST, ""), tmp_path) as file:
        found = {row["column"]: row["number"] for row in file["T3"].rows_where("row = 'total'")}
        assert found == stock
        assert file["T3"].count == len(stock)


def test_reading_all_that_was_frozen_is_for_whoever_reads_figures(world: Hub) -> None:
    with pytest.raises(NotFound):
        statistics.every_frozen(world.store, world.desk(Actor(AUDITOR.id, "verifier")))


@pytest.mark.prove
@pytest.mark.ci
def test_datasette_serves_the_file(world: Hub, tmp_path: Path) -> None:
    file = tmp_path / "public.db"
    file.write_bytes(written(world))
    command = [sys.executable, "-m", "datasette", "serve", str(file), "--port", "0", "--host", "127.0.0.1"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        try:
            address = next(
                word for line in process.stderr or () for word in line.split() if word.startswith("http://127.0.0.1:")
            )
            rows = json.loads(_read(f"{address}/public/T1.json?row=COR-RACKET&column=total&_shape=array"))
            definitions = json.loads(_read(f"{address}/public/tables.json?_shape=array&_size=max"))
            page = _read(f"{address}/public/T1")
        finally:
            process.kill()
    assert [row["number"] for row in rows] == [24]
    assert {each["code"] for each in definitions} == set(LEAVING)
    assert b"<table" in page


def _read(address: str) -> bytes:
    for _ in range(50):
        try:
            with urlopen(address, timeout=20) as answer:
                return bytes(answer.read())
        except URLError:
            time.sleep(0.1)
    raise AssertionError(address)
