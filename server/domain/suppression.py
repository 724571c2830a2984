"""Small cells: which numbers of a table are hidden, so that none of them can be worked out from those shown."""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

# What stands for fewer than this is hidden.
LEAST: Final = 5

Cell = tuple[int, int]
_C = TypeVar("_C", bound=Hashable)
# Nodes of the graph of hidden cells: lines of the table, and one for rows that have no sum.
_Line = tuple[str, int]
_NO_ROW: Final[_Line] = ("none", 0)


@dataclass(frozen=True)
class Grid:
    """Numbers that are no less than 0, by row and column, totals with them.

    The numbers of each column, each times the sign of its row, sum to 0: a total has the sign -1. So do those of each
    row by `column_signs`; None where rows have no sum.
    """

    values: Sequence[Sequence[int]]
    row_signs: Sequence[int]
    column_signs: Sequence[int] | None

    def lines(self) -> Iterator[tuple[Sequence[Cell], Sequence[int]]]:
        """The cells of each line that sums to 0, with their signs."""
        for column in range(len(self.values[0])):
            yield [(row, column) for row in range(len(self.values))], self.row_signs
        if self.column_signs is not None:
            for row in range(len(self.values)):
                yield [(row, column) for column in range(len(self.values[0]))], self.column_signs

    def value(self, cell: Cell) -> int:
        """The number of a cell."""
        return self.values[cell[0]][cell[1]]

    def ends(self, cell: Cell) -> tuple[_Line, _Line]:
        """The two lines that a cell is part of."""
        row, column = cell
        return _NO_ROW if self.column_signs is None else ("row", row), ("column", column)

    def cost(self, cell: Cell) -> tuple[bool, bool, int]:
        """What hiding a cell takes from readers: a total more than what it is made of, a great number more than a
        small one; a 0 comes last, as it tells of nobody."""
        row, column = cell
        is_total = self.row_signs[row] < 0 or (self.column_signs is not None and self.column_signs[column] < 0)
        return self.value(cell) == 0, is_total, self.value(cell)


def hidden(grid: Grid) -> frozenset[Cell]:
    """The cells that are not shown: those from 1 to LEAST - 1, and as many others as keep them from being worked out.

    Afterwards no hidden number follows from the shown ones and the sums of the lines; and what is hidden in one line
    under a shown sum comes to LEAST or more, and to more than one each. The numbers of several lines that are hidden
    together may be bounded more closely than that. A 0 is shown unless it has to be hidden for others, so that one mark
    stands for all of these.
    """
    found = {cell for cell in _cells(grid) if 0 < grid.value(cell) < LEAST}
    while True:
        more = set(_to_fill_lines(grid, found)) or set(_to_close_a_bridge(grid, found))
        if not more:
            return frozenset(found)
        found |= more


def more_hidden(
    numbers: Mapping[_C, int | None], lines: Collection[Collection[_C]], last: Callable[[_C], bool]
) -> frozenset[_C]:
    """The cells of several tables that are not shown where these are read together.

    `numbers` as each table shows them, None for a hidden one; a cell that is not among them is 0. Of each of `lines` no
    number, or more than one, is hidden afterwards, unless there is no other in it: the smallest is hidden with the one
    that is, one of those that are `last` only where no other is left.
    """
    found = {cell for cell, number in numbers.items() if number is None}
    is_over = False
    while not is_over:
        is_over = True
        for line in lines:
            held = [cell for cell in line if cell in found]
            others = {cell: number for cell in line if cell not in found and (number := numbers.get(cell))}
            if len(held) == 1 and others:
                found.add(min(others, key=lambda cell: (last(cell), others[cell])))
                is_over = False
    return frozenset(found)


def _cells(grid: Grid) -> Iterator[Cell]:
    return ((row, column) for row, values in enumerate(grid.values) for column in range(len(values)))


def _to_fill_lines(grid: Grid, found: set[Cell]) -> Iterator[Cell]:
    """Of each line in which one hidden number, or a small sum of several, is what the others leave: one more cell."""
    for cells, signs in grid.lines():
        held = [(cell, sign) for cell, sign in zip(cells, signs, strict=True) if cell in found]
        is_sum_known = len({sign for _, sign in held}) == 1
        # Where each hidden number is 1, their sum tells as much: hidden are those that are not 0.
        least = max(LEAST, len(held) + 1)
        if len(held) == 1 or (is_sum_known and sum(grid.value(cell) for cell, _ in held) < least):
            open_cells = [cell for cell in cells if cell not in found]
            if open_cells:
                yield min(open_cells, key=grid.cost)


def _to_close_a_bridge(grid: Grid, found: set[Cell]) -> Iterator[Cell]:
    """A cell more where one hidden number follows from several lines together.

    Lines are nodes and hidden cells edges: numbers can differ along each circle without changing a sum, so that what
    follows from the sums is just what lies on no circle. The cell that is the cheapest to hide closes one.
    """
    bridge = next(iter(bridges({cell: grid.ends(cell) for cell in found})), None)
    if bridge is not None:
        near = _reached(grid.ends(bridge)[0], [grid.ends(cell) for cell in found - {bridge}])
        across = (cell for cell in _cells(grid) if cell not in found)
        closing = [cell for cell in across if len(near.intersection(grid.ends(cell))) == 1]
        yield from sorted(closing, key=grid.cost)[:1]


def bridges(edges: dict[Cell, tuple[_Line, _Line]]) -> list[Cell]:
    """The edges of a graph that are on no circle, in order (Tarjan 1974)."""
    beside: dict[_Line, list[tuple[Cell, _Line]]] = {}
    for edge, (one, other) in sorted(edges.items()):
        beside.setdefault(one, []).append((edge, other))
        beside.setdefault(other, []).append((edge, one))
    order: dict[_Line, int] = {}
    lowest: dict[_Line, int] = {}
    found: list[Cell] = []
    for start in beside:
        if start not in order:
            found += _bridges_from(start, beside, order, lowest)
    return sorted(found)


def _bridges_from(
    start: _Line,
    beside: dict[_Line, list[tuple[Cell, _Line]]],
    order: dict[_Line, int],
    lowest: dict[_Line, int],
) -> Iterator[Cell]:
    """Depth first, without recursion: a table may have more lines than Python has frames."""
    order[start] = lowest[start] = len(order)
    path: list[tuple[_Line, Cell | None, Iterator[tuple[Cell, _Line]]]] = [(start, None, iter(beside[start]))]
    while path:
        node, came_by, ways = path[-1]
        for edge, next_node in ways:
            if edge == came_by:
                continue
            if next_node in order:
                lowest[node] = min(lowest[node], order[next_node])
                continue
            order[next_node] = lowest[next_node] = len(order)
            path.append((next_node, edge, iter(beside[next_node])))
            break
        else:
            path.pop()
            if path and came_by is not None:
                above = path[-1][0]
                lowest[above] = min(lowest[above], lowest[node])
                if lowest[node] > order[above]:
                    yield came_by


def _reached(start: _Line, edges: Iterable[tuple[_Line, _Line]]) -> set[_Line]:
    """The nodes that edges lead to."""
    beside: dict[_Line, list[_Line]] = {}
    for one, other in edges:
        beside.setdefault(one, []).append(other)
        beside.setdefault(other, []).append(one)
    found, waiting = {start}, [start]
    while waiting:
        for node in beside.get(waiting.pop(), ()):
            if node not in found:
                found.add(node)
                waiting.append(node)
    return found
