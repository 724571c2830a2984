"""Figures: months, tables with their sums, what is hidden of them, and measures that need enough cases."""

from collections import Counter
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.errors import PeriodInvalid
from server.domain.statistics import (
    SHARE,
    STOCK,
    TABLES,
    TOTAL,
    Period,
    closed_quarters,
    late_by_column,
    measured,
    money,
    named_key,
    progress_key,
    quantile,
    restored,
    size_key,
    stored,
    tabulate,
    times,
    waited_key,
)
from server.domain.suppression import LEAST
from server.domain.verification import Quarter

AT = datetime(2026, 10, 1, tzinfo=UTC)
SUMMER = Period.read("2026-T3", "2026-T3")
Asked = dict[tuple[str, ...], Counter[int]]


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2026", "2026", date(2026, 1, 1), date(2026, 12, 1)),
        ("2026-T3", "2026-T3", date(2026, 7, 1), date(2026, 9, 1)),
        ("2026-07", "2026-T4", date(2026, 7, 1), date(2026, 12, 1)),
    ],
)
def test_period_is_whole_months(start: str, end: str, first: date, last: date) -> None:
    assert Period.read(start, end) == Period(first, last)


@pytest.mark.parametrize(("start", "end"), [("2026-7", "2026-T3"), ("2026-07-01", "2026"), ("2026-T3", "2026-T2")])
def test_what_is_no_period_is_refused(start: str, end: str) -> None:
    with pytest.raises(PeriodInvalid):
        Period.read(start, end)


def test_one_end_asked_for_stands_for_both_and_none_for_the_quarter_of_today() -> None:
    today, july, august = date(2026, 8, 20), date(2026, 7, 1), date(2026, 8, 1)
    assert Period.asked(None, None, today) == SUMMER
    assert Period.asked("2026-07", None, today) == Period.asked(None, "2026-07", today) == Period(july, july)
    assert Period.asked("2026-07", "2026-08", today) == Period(july, august)


def test_period_ends_where_the_next_month_begins() -> None:
    assert Period.read("2026-12", "2026-12").until == datetime(2027, 1, 1, tzinfo=UTC)
    assert SUMMER.quarter == Quarter(2026, 3)
    assert Period.read("2026-07", "2026-08").quarter is None


def test_quarters_are_over_when_the_next_one_runs() -> None:
    first = datetime(2026, 5, 31, tzinfo=UTC)
    assert closed_quarters(first, datetime(2026, 12, 31, tzinfo=UTC)) == [Quarter(2026, 2), Quarter(2026, 3)]
    assert closed_quarters(first, datetime(2026, 6, 30, tzinfo=UTC)) == []


def test_table_has_its_sums_and_the_share_of_all() -> None:
    counted = [(("gao",), ("processed",), 10), (("gao",), ("waiting",), 30), (("mopti",), ("waiting",), 20)]
    release = tabulate(TABLES["N4"], counted, SUMMER, AT)
    assert release.columns == (("processed",), ("withdrawn",), ("waiting",), TOTAL, SHARE)
    assert {column: release.cells.get((TOTAL, column), 0) for column in release.columns} == {
        ("processed",): 10, ("withdrawn",): 0, ("waiting",): 50, TOTAL: 60, SHARE: 17,
    }  # fmt: skip


def test_share_is_not_told_where_one_of_its_numbers_is_hidden() -> None:
    counted = [(("gao",), ("processed",), 2), (("gao",), ("waiting",), 30), (("mopti",), ("processed",), 20)]
    release = tabulate(TABLES["N4"], counted, SUMMER, AT)
    assert release.cells[("gao",), ("processed",)] is None
    assert release.cells[("gao",), SHARE] is None


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(["processed", "withdrawn", "waiting"]), st.integers(0, 9)
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_no_table_shows_a_small_number(rows: list[tuple[str, str, int]]) -> None:
    release = tabulate(TABLES["N4"], [((row,), (column,), n) for row, column, n in rows], SUMMER, AT)
    shown = [n for (_, column), n in release.cells.items() if column != SHARE and n is not None]
    assert [n for n in shown if n < LEAST] == []


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_what_was_stored_comes_back_without_what_was_hidden(rows: list[tuple[str, str, int]]) -> None:
    release = tabulate(TABLES["N4"], [((row,), (column,), n) for row, column, n in rows], SUMMER, AT)
    again = restored(TABLES["N4"], SUMMER, stored(release), AT)
    assert (again.rows, again.columns, again.cells) == (release.rows, release.columns, release.cells)
    assert again.is_final


def test_late_is_told_by_column_unless_it_is_small() -> None:
    before = [(("gao",), ("processed",), 10), (("gao",), ("waiting",), 30)]
    frozen = tabulate(TABLES["N4"], before, SUMMER, AT)
    later = [(("gao",), ("processed",), 18), (("gao",), ("waiting",), 20), (("mopti",), ("withdrawn",), 2)]
    assert late_by_column(frozen, later) == {("processed",): 8, ("waiting",): -10, ("withdrawn",): None}
    assert late_by_column(frozen, before) == {}
    # Seven less, and the three that are left would be told.
    assert late_by_column(frozen, [(("gao",), ("processed",), 3), *before[1:]]) == {("processed",): None}


def test_stock_is_a_balance_of_which_nothing_gives_a_small_part_away() -> None:
    counted = [(("gao",), (name,), n) for name, n in zip(STOCK, (40, 12, 3, 20, 35), strict=True)]
    counted += [(("mopti",), (name,), n) for name, n in zip(STOCK, (50, 10, 0, 20, 40), strict=True)]
    release = tabulate(TABLES["T3"], counted, SUMMER, AT)
    hidden = {(row, column) for (row, column), n in release.cells.items() if n is None}
    assert (("gao",), ("reopened",)) in hidden
    assert len({column for row, column in hidden if row == ("gao",)}) > 1
    assert (TOTAL, ("reopened",)) in hidden


def test_times_need_enough_cases() -> None:
    few, enough, many = (Counter({1: half, 9: half}) for half in (2, 4, 10))
    assert times(few, Counter(), 0, 0) == {"number": None, "median": None, "p90": None}
    assert times(enough, few, 6, 2) == {
        "number": 8, "median": 1, "p90": None, "median_collected": None, "p90_collected": None,
        "in_time_percent": None,
    }  # fmt: skip
    assert times(many, many, 15, 5)["p90_collected"] == 9
    assert times(many, many, 15, 5)["in_time_percent"] == 75


def test_quantiles_are_by_nearest_rank() -> None:
    days = Counter({1: 5, 2: 4, 30: 1})
    assert (quantile(days, 0.5), quantile(days, 0.9), quantile(days, 1)) == (1, 2, 30)


def test_money_of_few_or_mostly_of_one_is_not_told() -> None:
    asked: Asked = {("land",): Counter({1_000: 6}), ("tax",): Counter({1_000: 4})}
    asked[("aid",)] = Counter({1_000: 5, 90_000: 1})
    told = money(asked, {})
    assert told[("land",)]["asked_sum"] == 6_000
    assert [told[(name,)]["asked_sum"] for name in ("tax", "aid")] == [None, None]
    # Of the sum of all, too, most is what one named.
    assert told[TOTAL]["asked_sum"] is None


def test_money_of_one_row_does_not_follow_from_all_the_others() -> None:
    asked: Asked = {("a",): Counter({1_000: 20}), ("b",): Counter({1_000: 30}), ("c",): Counter({1_000: 5, 90_000: 1})}
    told = money(asked, {})
    # Together with one other, one amount would still be most of it.
    assert [told[(name,)]["asked_sum"] for name in "abc"] == [None, None, None]
    assert told[TOTAL]["asked_sum"] == 145_000


def test_money_of_all_is_told_where_no_row_follows_from_it() -> None:
    asked: Asked = {("d",): Counter({1_000: 2})}
    asked |= {(name,): Counter({1_000: 20}) for name in "abc"}
    told = money(asked, {})
    assert told[TOTAL]["asked_sum"] == 62_000
    assert [name for name in "abcd" if told[(name,)]["asked_sum"] is None] == ["a", "d"]


def test_measures_stand_in_the_order_of_their_table() -> None:
    release = measured(TABLES["T7"], {("triage",): times(Counter({2: 12}), Counter(), 12, 0)}, SUMMER, AT)
    assert release.columns[0] == ("number",)
    assert release.cells[("triage",), ("in_time_percent",)] == 100


@pytest.mark.parametrize(
    ("status", "is_referred", "expected"),
    [
        (None, False, "waiting"),
        ("in_triage", False, "waiting"),
        ("closed", False, "processed"),
        ("referred", False, "processed"),
        ("in_progress", True, "processed"),
        ("resolved", False, "waiting"),
        ("withdrawn", False, "withdrawn"),
    ],
)
def test_processed_is_closed_or_referred(status: str | None, is_referred: bool, expected: str) -> None:
    assert progress_key(status, is_referred) == (expected,)


def test_team_that_is_called_like_a_sum_is_not_taken_for_one() -> None:
    assert [named_key(name) for name in ("gao", "total", "unknown", None)] == [
        ("gao",), ("«total»",), ("«unknown»",), ("unknown",),
    ]  # fmt: skip


def test_sizes_and_ages_have_their_bands() -> None:
    assert [size_key("closed", n) for n in (1, 4, 5, 60)] == [("1",), ("4",), ("5+",), ("5+",)]
    assert (size_key("duplicate", 0), size_key(None, 0)) == (("joined",), ("untouched",))
    assert [waited_key(days) for days in (-1, 0, 7, 8, 365, 366)] == [
        ("0-7",), ("0-7",), ("0-7",), ("8-30",), ("181-365",), ("366+",),
    ]  # fmt: skip
