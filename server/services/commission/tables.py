"""Tables: those of the network's figures that leave it, and what of them, so that none tells what another one hides.

Each table hides for itself (domain/suppression.py). Read together they would give it back: a sum that one hides stands
in the next, and all complaints less those that are no violence are those that are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from client_sync.protocol.vocabulary import VOCABULARY
from server.domain.casework import CASEWORK
from server.domain.statistics import TABLES, TOTAL, Key, Release
from server.domain.suppression import more_hidden

# What the network tells of itself stays with it: by cercle, team and month these would give away what others hide.
LEAVING: Final = ("N8", *(code for code in TABLES if code.startswith("T")))
# From these, and from its own lines, a body could work out how many accuse its own people.
_TELL_WHO: Final = frozenset({"T1", "T2", "T4", "T5", "T6", "T11", "T11M"})
_FAMILY: Final[Key] = ("GBV",)
_CORRUPTION: Final = "COR-"
_OF_CORRUPTION: Final = frozenset({"T11", "T11M"})
_EXTORTION: Final[Key] = ("COR-SEX",)
# Referrals there are those of survivors.
_CENTRES: Final = "one_stop"
# By these a table could tell more of gender-based violence than its totals by region.
_TELLING: Final = frozenset({"kind", "family", "programme", "body"})
# Names that people gave to teams and organisations: by them a reader could tell who collects.
TYPED: Final = frozenset({"team", "partner"})
# A balance by region is the sum of all complaints there; what opens one quarter closed the one before.
_STOCK: Final = "T3"
_NET: Final[tuple[Key, ...]] = (("reopened",), ("closed",))
_RECEIVED: Final[Key] = ("received",)

# A number in one of several tables.
Cell = tuple[str, Key, Key]

# They count the same complaints, by kind; these, like what was received of the stock, count all of them.
_BY_KIND: Final = ("T1", "T4")
_OF_ALL: Final = ("T8", "T9", "T10")
_ALL: Final[Cell] = ("", TOTAL, TOTAL)
_ALL_CORRUPTION: Final[Cell] = ("T11", TOTAL, TOTAL)


def told(releases: Sequence[Release], body: str = "") -> list[Release]:
    """Tables of one period as they leave; `body`: for which body, none for anybody.

    Of gender-based violence there is the sum of each region alone, of teams nothing, of stock that of the network, and
    of what came late nothing: it is another number each day. To a body whose own people may be accused, no table goes
    by what happened or who did it.
    """
    leaving = [each for each in releases if each.table.code in LEAVING]
    if may_be_accused(body):
        leaving = [each for each in leaving if each.table.code not in _TELL_WHO]
    alone = [_alone(each) for each in leaving]
    if any(_is_all_extortion(each) for each in alone):
        alone = [_hidden(each) if each.table.code in _OF_CORRUPTION else each for each in alone]
    return _together(alone, _beside(releases))


def may_be_accused(body: str) -> bool:
    """Whether people whom complaints accuse may be a body's own."""
    return any(body in bodies for bodies in CASEWORK.own_people.values())


def is_telling(release: Release) -> bool:
    """Whether gender-based violence was left out of a table."""
    return _is_telling(release.table.rows) or _is_telling(release.table.columns)


def is_of_violence(release: Release) -> bool:
    """Whether this is the table that tells of it by region."""
    return (release.table.rows, release.table.columns) == (("region",), ("family",))


def _alone(release: Release) -> Release:
    """What of a table leaves, before others are looked at."""
    rows, columns = release.rows, release.columns
    if is_of_violence(release):
        columns = (_FAMILY,)
    elif release.table.code == _STOCK:
        rows = (TOTAL,)
    else:
        rows, columns = _left(release.table.rows, rows), _left(release.table.columns, columns)
    cells = {key: number for key, number in release.cells.items() if key[0] in rows and key[1] in columns}
    if release.table.code == _STOCK and None in cells.values():
        cells |= {(TOTAL, column): None for column in _NET}
    if is_telling(release) and not is_of_violence(release):
        # A month and a region where nothing else was told would tell that this was.
        rows = tuple(row for row in rows if any((row, column) in cells for column in columns))
        columns = tuple(column for column in columns if any((row, column) in cells for row in rows))
    return replace(release, rows=rows, columns=columns, cells=cells, late={})


def _is_all_extortion(release: Release) -> bool:
    """Whether by what a table tells by kind no corruption was told of: tables of that then tell of violence alone."""
    return release.table.code == _BY_KIND[0] and not any(row[0].startswith(_CORRUPTION) for row in release.rows)


def _hidden(release: Release) -> Release:
    """A table of which nothing is told, not even what its lines are."""
    columns = tuple(column for column in release.columns if column == TOTAL) or release.columns
    cells = {(TOTAL, column): None for column in columns} if release.cells else {}
    return replace(release, rows=(TOTAL,), columns=columns, cells=cells)


def _left(dimensions: Sequence[str], keys: Sequence[Key]) -> tuple[Key, ...]:
    """The lines that stay: of a table that violence was left out of no sum does, as it would follow from that; of one
    by team nothing else does."""
    if not TYPED.isdisjoint(dimensions):
        return tuple(key for key in keys if key == TOTAL)
    if not _is_telling(dimensions):
        return tuple(keys)
    return tuple(key for key in keys if key != TOTAL and not _is_violence(dimensions, key))


def _is_telling(dimensions: Sequence[str]) -> bool:
    return not _TELLING.isdisjoint(dimensions)


def _is_violence(dimensions: Sequence[str], key: Key) -> bool:
    if len(key) != len(dimensions):
        return False
    return any(
        (name == "kind" and code in VOCABULARY.kinds and VOCABULARY.follows_gbv_rules(code))
        or (name == "family" and (code,) == _FAMILY)
        or (name in ("programme", "body") and code == _CENTRES)
        for name, code in zip(dimensions, key, strict=True)
    )


def _together(releases: Sequence[Release], beside: Mapping[Cell, None]) -> list[Release]:
    """The tables, with as much more hidden as keeps each from telling what another hides."""
    by_code = {each.table.code: each for each in releases}
    numbers: dict[Cell, int | None] = dict(beside)
    for code, release in by_code.items():
        for (row, column), number in release.cells.items():
            cell = _same(code, row, column)
            numbers[cell] = None if numbers.get(cell, number) is None else number
    hidden = more_hidden(numbers, list(_lines(by_code, beside)), last=lambda cell: TOTAL in cell[1:])
    return [
        replace(
            release,
            cells={
                key: None if _same(release.table.code, *key) in hidden else number
                for key, number in release.cells.items()
            },
        )
        for release in releases
    ]


def _same(code: str, row: Key, column: Key) -> Cell:
    """A cell, under one name where it stands in several tables."""
    if code in _BY_KIND and column == TOTAL:
        return _BY_KIND[0], row, column
    is_all = row == TOTAL and (code in _OF_ALL or (code == _STOCK and column == _RECEIVED))
    return _ALL if is_all else (code, row, column)


def _lines(by_code: Mapping[str, Release], beside: Mapping[Cell, None]) -> Iterator[list[Cell]]:
    """Cells of which one alone would follow from the others, or be told by standing where it does."""
    for code, release in by_code.items():
        if code == _STOCK:
            yield [_same(code, TOTAL, column) for column in (_RECEIVED, *_NET)]
        elif "measure" not in release.table.columns:
            yield from ([_same(code, row, column) for row in release.rows] for column in release.columns)
            if release.table.adds == "sum":
                yield from ([_same(code, row, column) for column in release.columns] for row in release.rows)
    yield from _sums_of_kinds(by_code, beside)


def _sums_of_kinds(by_code: Mapping[str, Release], beside: Mapping[Cell, None]) -> Iterator[list[Cell]]:
    """Sums by kind, of corruption and of all else, with the violence that is not told by kind and with the sums of
    both, which other tables tell."""
    kinds = {row for code in _BY_KIND if code in by_code for row in by_code[code].rows}
    sums = [(_BY_KIND[0], kind, TOTAL) for kind in sorted(kinds)]
    corrupt = [cell for cell in sums if cell[1][0].startswith(_CORRUPTION)]
    others = [cell for cell in sums if cell not in corrupt]
    extortion = [cell for cell in beside if cell[1] == _EXTORTION]
    violence = [cell for cell in beside if cell[1] != _EXTORTION]
    yield from (
        [*corrupt, *extortion, _ALL_CORRUPTION],
        [*others, *violence, _ALL, _ALL_CORRUPTION],
        [*sums, *beside, _ALL],
    )


def _beside(releases: Iterable[Release]) -> dict[Cell, None]:
    """Sums of violence that are hidden, and in no table that leaves."""
    found: dict[Cell, None] = {}
    for release in releases:
        code, cells = release.table.code, release.cells
        if code == _BY_KIND[0] and (_EXTORTION, TOTAL) in cells and cells[_EXTORTION, TOTAL] is None:
            found[code, _EXTORTION, TOTAL] = None
        if is_of_violence(release) and (TOTAL, _FAMILY) in cells and cells[TOTAL, _FAMILY] is None:
            found["", _FAMILY, TOTAL] = None
    return found
