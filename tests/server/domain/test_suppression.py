"""Small cells: hidden, and not to be worked out from what is shown, by any combination of its sums."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.suppression import LEAST, Cell, Grid, hidden

Table = list[list[int]]


def _with_totals(table: Table) -> Grid:
    rows = [[*row, sum(row)] for row in table]
    rows.append([sum(column) for column in zip(*rows, strict=True)])
    return Grid(rows, [*[1] * len(table), -1], [*[1] * len(table[0]), -1])


def _in_one_column(values: Sequence[int]) -> Grid:
    return Grid([*([value] for value in values), [sum(values)]], [*[1] * len(values), -1], None)


def _follows(grid: Grid, cells: frozenset[Cell]) -> set[Cell]:
    """Hidden cells that the sums determine, by linear algebra: no solution of the sums differs in them."""
    order = sorted(cells)
    equations = [[dict(zip(line, signs, strict=True)).get(cell, 0) for cell in order] for line, signs in grid.lines()]
    matrix = np.array(equations, dtype=float).reshape(len(equations), len(order))
    rank = np.linalg.matrix_rank(matrix) if order else 0
    return {
        cell
        for at, cell in enumerate(order)
        if np.linalg.matrix_rank(np.vstack([matrix, np.eye(len(order))[at]])) == rank
    }


TABLES = st.integers(1, 6).flatmap(
    lambda width: st.lists(
        st.lists(st.sampled_from([0, 0, 0, 1, 2, 4, 5, 7, 30, 200]), min_size=width, max_size=width),
        min_size=1,
        max_size=7,
    )
)


@settings(max_examples=300, deadline=None)
@given(TABLES)
def test_no_hidden_number_of_a_table_follows_from_what_is_shown(table: Table) -> None:
    grid = _with_totals(table)
    cells = hidden(grid)
    assert {cell for cell in cells if grid.value(cell)} >= {
        (row, column)
        for row, values in enumerate(grid.values)
        for column, value in enumerate(values)
        if 0 < value < LEAST
    }
    assert _follows(grid, cells) == set()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=8))
def test_no_hidden_number_of_a_list_follows_from_what_is_shown(values: list[int]) -> None:
    grid = _in_one_column(values)
    assert _follows(grid, hidden(grid)) == set()


@settings(max_examples=200, deadline=None)
@given(TABLES)
def test_what_is_hidden_under_a_shown_sum_is_no_small_number_either(table: Table) -> None:
    grid = _with_totals(table)
    cells = hidden(grid)
    for line, signs in grid.lines():
        held = [(cell, sign) for cell, sign in zip(line, signs, strict=True) if cell in cells]
        if held and len({sign for _, sign in held}) == 1:
            assert sum(grid.value(cell) for cell, _ in held) >= max(LEAST, len(held) + 1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from([0, 0, 1, 3, 6, 40])] * 4), min_size=1, max_size=5))
def test_no_hidden_number_of_a_balance_follows_from_what_is_shown(rows: list[tuple[int, int, int, int]]) -> None:
    balances = [[at_start, came, again, min(gone, at_start + came + again)] for at_start, came, again, gone in rows]
    balances = [[*row, row[0] + row[1] + row[2] - row[3]] for row in balances]
    balances.append([sum(column) for column in zip(*balances, strict=True)])
    grid = Grid(balances, [*[1] * len(rows), -1], [1, 1, 1, -1, -1])
    assert _follows(grid, hidden(grid)) == set()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([10, 20, 30], set()),
        ([3, 20, 30], {(0, 0), (1, 0)}),
        ([1, 1, 30, 40], {(0, 0), (1, 0), (2, 0)}),
        ([2, 3, 30], {(0, 0), (1, 0)}),
        # Five that are not 0 and sum to 5 are 1 each.
        ([1, 1, 1, 1, 1, 30, 40], {(row, 0) for row in range(6)}),
        ([0, 20], set()),
        ([0, 3], {(1, 0), (2, 0)}),
    ],
)
def test_as_few_as_keep_the_small_ones_are_hidden(values: list[int], expected: set[Cell]) -> None:
    assert hidden(_in_one_column(values)) == expected


def test_number_that_follows_from_two_circles_together_is_protected() -> None:
    """Two squares of hidden numbers that one more joins: each line has two, and still that one would follow."""
    table = [
        [3, 3, 90, 90, 90],
        [3, 3, 3, 90, 90],
        [90, 90, 90, 3, 3],
        [90, 90, 3, 3, 3],
        [90, 90, 90, 90, 90],
    ]
    grid = _with_totals(table)
    assert _follows(grid, hidden(grid)) == set()
