"""Tables that leave: read together, and with those of the quarter before, they tell nothing that one of them hides."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.statistics import STOCK, TABLES, TOTAL, Counted, Key, Period, Release, family_key, tabulate
from server.domain.suppression import LEAST
from server.services.commission.tables import LEAVING, may_be_accused, told
from tests.builders import NOW

QUARTER = Period.read("2026-T3", "2026-T3")
KINDS = ("HR-ARR", "HR-TOR", "COR-EXT", "COR-SEX", "GBV-1", "OTH")
MONTHS = ("2026-07", "2026-08")
REGIONS = ("gao", "ségou")
STATUSES = ("closed", "received")
CHANNELS = ("app", "sms")
TEAM = "Équipe de Diéma"
# Whose cells are hidden by what they are, and not since they are small.
VIOLENCE = ("COR-SEX", "GBV-1")

# Kind, month, region, status, channel.
Complaint = tuple[str, str, str, str, str]
complaints = st.lists(
    st.tuples(
        st.tuples(*map(st.sampled_from, (KINDS, MONTHS, REGIONS, STATUSES, CHANNELS))),
        st.sampled_from([1, 1, 2, 4, 5, 6, 9, 30]),
    ),
    max_size=25,
)


def counted(world: Mapping[Complaint, int], code: str) -> Iterator[tuple[Key, Key, int]]:
    """What a table is laid out from, where that goes by what a complaint of the test has."""
    for (kind, month, region, status, channel), number in world.items():
        yield from {
            "T1": [((kind,), (month, region), number)],
            "T3": [((region,), ("received",), number), ((region,), ("open_at_end",), number)],
            "T4": [((kind,), (status,), number)],
            "T8": [(("1",), ("number",), number)],
            "T9": [((channel,), (TEAM,), number)],
            "T10": [(("C0" if channel == "sms" else "C2",), ("number",), number)],
            "T11": [(("land",), ("yes" if channel == "app" else "no",), number)] * kind.startswith("COR-"),
            "N1": [((month,), ("waiting",), number)],
            "N3": [((kind,), ("waiting",), number)],
            "N7": [((month,), family_key(kind), number)],
            "N8": [((region,), family_key(kind), number)],
        }[code]


def table(code: str, numbers: Counted) -> Release:
    return tabulate(TABLES[code], numbers, QUARTER, NOW)


def frozen(world: Mapping[Complaint, int]) -> list[Release]:
    """The tables of a quarter, as they are kept."""
    codes = ("N1", "N3", "N7", "N8", "T1", "T3", "T4", "T8", "T9", "T10", "T11")
    return [table(code, counted(world, code)) for code in codes]


def summed(many: Sequence[tuple[Complaint, int]]) -> dict[Complaint, int]:
    world: dict[Complaint, int] = {}
    for each, number in many:
        world[each] = world.get(each, 0) + number
    return world


@dataclass
class Reader:
    """Somebody who has tables, knows how they were counted, and works out what can be."""

    releases: Sequence[Release]

    def knows(self, wanted: Mapping[Complaint, int]) -> bool:
        """Whether a sum of complaints, each as often as that, follows from what is shown."""
        known = [self._as_sum(code, row, column) for code, row, column, _ in self._shown()]
        # Where a sum is 0, all of it is; and so is what no line of a table is for.
        zero = {atom for *cell, number in self._shown() if number == 0 for atom in self._as_sum(*cell)}
        possible = [atom for atom in ATOMS if atom not in zero and not self._has_no_line(atom)]
        matrix = np.array([[each.get(atom, 0) for atom in possible] for each in known], dtype=float)
        matrix = matrix.reshape(len(known), len(possible))
        more = np.vstack([matrix, [wanted.get(atom, 0) for atom in possible]])
        return bool(np.linalg.matrix_rank(more) == np.linalg.matrix_rank(matrix))

    def _shown(self) -> Iterator[tuple[str, Key, Key, int]]:
        for release in self.releases:
            for row in release.rows:
                for column in release.columns:
                    number = release.cells.get((row, column), 0)
                    if number is not None:
                        yield release.table.code, row, column, number

    def _has_no_line(self, atom: Complaint) -> bool:
        kind, month, region, *_ = atom
        return kind not in VIOLENCE and any(
            (kind,) not in each.rows or (month, region) not in each.columns
            for each in self.releases
            if each.table.code == "T1"
        )

    def _as_sum(self, code: str, row: Key, column: Key) -> dict[Complaint, int]:
        return {
            atom: 1
            for atom, at_row, at_column in where(code)
            if row in (at_row, TOTAL) and column in (at_column, TOTAL)
        }


ATOMS: list[Complaint] = [
    (kind, month, region, status, channel)
    for kind in KINDS
    for month in MONTHS
    for region in REGIONS
    for status in STATUSES
    for channel in CHANNELS
]


@cache
def where(code: str) -> list[tuple[Complaint, Key, Key]]:
    """By complaint, the cells of a table in which it counts."""
    return [(atom, row, column) for atom in ATOMS for row, column, _ in counted({atom: 1}, code)]


def of(**named: str) -> dict[Complaint, int]:
    """The sum of complaints of that kind, month, region, status or channel."""
    order = ("kind", "month", "region", "status", "channel")
    return {atom: 1 for atom in ATOMS if all(atom[order.index(name)] == code for name, code in named.items())}


def number(world: Mapping[Complaint, int], wanted: Mapping[Complaint, int]) -> int:
    return sum(world.get(atom, 0) * times for atom, times in wanted.items())


@given(complaints)
@settings(max_examples=150, deadline=None)
def test_no_small_number_follows_from_tables_together(many: list[tuple[Complaint, int]]) -> None:
    world = summed(many)
    reader = Reader(told(frozen(world)))
    sums = [
        *(of(kind=kind, month=month, region=region) for kind in KINDS for month in MONTHS for region in REGIONS),
        *(of(kind=kind, status=status) for kind in KINDS for status in STATUSES),
        *(of(kind=kind) for kind in KINDS),
        *(of(kind="GBV-1", region=region) for region in REGIONS),
    ]
    small = [each for each in sums if 0 < number(world, each) < LEAST]
    assert [each for each in small if reader.knows(each)] == []


@given(complaints)
@settings(max_examples=100, deadline=None)
def test_violence_is_told_by_nothing_but_region(many: list[tuple[Complaint, int]]) -> None:
    # Where nothing else is told, all of it is violence.
    world = summed([*many, *(((KINDS[0], MONTHS[0], REGIONS[0], STATUSES[0], channel), 9) for channel in CHANNELS)])
    reader = Reader(told(frozen(world)))
    sums = [
        *(of(kind=kind, month=month) for kind in VIOLENCE for month in MONTHS),
        *(of(kind=kind, month=month, region=region) for kind in VIOLENCE for month in MONTHS for region in REGIONS),
        *(of(kind=kind, status=status) for kind in VIOLENCE for status in STATUSES),
        *(of(kind=kind, channel=channel) for kind in VIOLENCE for channel in CHANNELS),
        *(of(kind="COR-SEX", region=region) for region in REGIONS),
    ]
    there = [each for each in sums if number(world, each)]
    assert [each for each in there if reader.knows(each)] == []


def test_reader_of_the_test_works_out_what_all_tables_of_the_network_would_give_away() -> None:
    world = {("HR-ARR", "2026-07", "gao", "closed", "app"): 30, ("GBV-1", "2026-07", "gao", "closed", "app"): 6}
    assert Reader(frozen(world)).knows(of(kind="GBV-1", month="2026-07"))
    assert not Reader(told(frozen(world))).knows(of(kind="GBV-1", month="2026-07"))


def test_sum_that_one_table_hides_stands_in_no_other() -> None:
    statuses = {"closed": 20, "received": 2}
    by_status = table("T4", [(("HR-ARR",), (status,), number) for status, number in statuses.items()])
    by_month = table("T1", [(("HR-ARR",), ("2026-07", "gao"), 22)])
    assert by_status.cells[("HR-ARR",), ("closed",)] is None
    shown = replace(by_status, cells=by_status.cells | {(("HR-ARR",), ("closed",)): 20, (("HR-ARR",), TOTAL): None})
    first, second = told([by_month, shown])
    assert first.cells[("HR-ARR",), TOTAL] is None
    assert first.cells[("HR-ARR",), ("2026-07", "gao")] is None
    assert second.cells[("HR-ARR",), ("received",)] is None


def test_month_and_region_in_which_only_violence_was_told_is_no_column() -> None:
    numbers = [(("HR-ARR",), ("2026-07", "ségou"), 20), (("GBV-1",), ("2026-08", "gao"), 7)]
    [shown] = told([table("T1", numbers)])
    assert shown.columns == (("2026-07", "ségou"), TOTAL)
    victims = [(("HR-ARR",), ("m", "25-59"), 20), (("GBV-1",), ("f", "0-4"), 7)]
    assert told([table("T2", victims)])[0].columns == (("m", "25-59"), TOTAL)


def test_network_keeps_what_it_tells_of_itself_and_teams_stand_nowhere() -> None:
    world = {("HR-ARR", "2026-07", "gao", "closed", channel): 30 for channel in CHANNELS}
    shown = told(frozen(world))
    assert {each.table.code for each in shown} == {"N8", "T1", "T3", "T4", "T8", "T9", "T10", "T11"} <= set(LEAVING)
    assert not any(TEAM in key for each in shown for key in (*each.rows, *each.columns))
    [channels] = [each for each in shown if each.table.code == "T9"]
    assert channels.cells == {(("app",), TOTAL): 30, (("sms",), TOTAL): 30, (TOTAL, TOTAL): 60}


@pytest.mark.parametrize("hidden", [{"reopened": 2}, {"closed": 3}, {}])
def test_stock_of_one_quarter_does_not_tell_what_that_of_the_next_hides(hidden: dict[str, int]) -> None:
    stock = {"open_at_start": 50, "received": 60, "reopened": 9, "closed": 12} | hidden
    stock["open_at_end"] = stock["open_at_start"] + stock["received"] + stock["reopened"] - stock["closed"]
    [shown] = told([table("T3", [(("gao",), (name,), number) for name, number in stock.items()])])
    assert shown.rows == (TOTAL,)
    assert tuple(column for (column,) in shown.columns) == STOCK
    # Its start stands in the table before as its end: two are hidden beside it, or nothing.
    numbers = {name: shown.cells[TOTAL, (name,)] for name in ("received", "reopened", "closed", "open_at_end")}
    assert (numbers["reopened"], numbers["closed"]) == ((None, None) if hidden else (9, 12))


@pytest.mark.parametrize("code", ["T11", "T11M"])
def test_table_of_corruption_tells_nothing_where_all_of_it_is_violence(code: str) -> None:
    numbers = [(("COR-SEX",), ("2026-07", "gao"), 8), (("HR-ARR",), ("2026-07", "gao"), 30)]
    numbers_of_sector = [(("education",), ("yes",), 8)]
    of_sector = table(code, numbers_of_sector)
    _, shown = told([table("T1", numbers), of_sector])
    assert "education" not in str(shown)
    assert set(shown.cells.values()) == {None}
    more = table("T1", [*numbers, (("COR-EXT",), ("2026-07", "gao"), 9)])
    assert told([more, of_sector])[1].cells == of_sector.cells


def test_what_came_late_is_not_told() -> None:
    late: dict[Key, int | None] = {("2026-07", "gao"): 6}
    assert told([replace(table("T1", [(("HR-ARR",), ("2026-07", "gao"), 22)]), late=late)])[0].late == {}


def test_body_whose_own_people_may_be_accused_reads_nothing_by_what_happened() -> None:
    world = {(kind, "2026-07", "gao", "closed", "app"): 30 for kind in KINDS}
    assert not may_be_accused("cndh")
    assert may_be_accused("police")
    assert {each.table.code for each in told(frozen(world), "police")} == {"N8", "T3", "T8", "T9", "T10"}
    accused = table("T5", [(("police",), ("corroborated", "in_time"), 12)])
    assert told([accused], "police") == []
    assert told([accused], "cndh") == [accused]
