"""Registry numbers: gapless, taken last in the transaction, never used twice."""

import re
from collections.abc import Collection, Sequence
from typing import Final

import sqlalchemy as sa

from server.store.dialect import insert_many, insert_new, locked
from server.store.schema import registry, registry_counter

_WRITTEN: Final = re.compile(r"(?P<prefix>[A-Z][A-Z0-9]*)-(?P<year>[0-9]{4})-(?P<number>[0-9]{1,9})")


def assign(connection: sa.Connection, prefix: str, year: int, complaints: Sequence[int]) -> None:
    """Give the next numbers of the year to the complaints, in order. The last write before the commit:
    on PostgreSQL the counter's row stays locked from here on."""
    last = _last(connection, prefix, year)
    rows = [(prefix, year, number, complaint) for number, complaint in enumerate(complaints, last + 1)]
    insert_many(connection, registry, ("prefix", "year", "number", "complaint"), rows)
    _set_last(connection, prefix, year, last + len(rows))


def declare_lost(connection: sa.Connection, prefix: str, year: int, last_printed: int) -> int:
    """Mark the numbers up to `last_printed` that have no complaint any more as lost; gives how many."""
    last = _last(connection, prefix, year)
    rows = [
        {"prefix": prefix, "year": year, "number": number, "complaint": None}
        for number in range(last + 1, last_printed + 1)
    ]
    if rows:
        connection.execute(sa.insert(registry), rows)
        _set_last(connection, prefix, year, last_printed)
    return len(rows)


def numbers_of(connection: sa.Connection, complaints: Collection[int]) -> dict[int, str]:
    """The registry number, as people read it, by complaint."""
    columns = registry.c
    select = sa.select(columns.complaint, columns.prefix, columns.year, columns.number).where(
        columns.complaint.in_(complaints)
    )
    return {id: written(*number) for id, *number in connection.execute(select)}


def as_written(text: str) -> str | None:
    """The registry number that somebody typed, as people read it; None for what is none."""
    read = _WRITTEN.fullmatch(text.strip().upper())
    return None if read is None else written(read["prefix"], int(read["year"]), int(read["number"]))


def complaint_numbered(connection: sa.Connection, number: str) -> int | None:
    """The complaint with a registry number as people read it; None for one that is gone, or was never given."""
    read = _WRITTEN.fullmatch(number.strip().upper())
    if read is None:
        return None
    columns = registry.c
    select = sa.select(columns.complaint).where(
        columns.prefix == read["prefix"], columns.year == int(read["year"]), columns.number == int(read["number"])
    )
    return connection.scalar(select)


def complaints_numbered(connection: sa.Connection, numbers: Collection[str]) -> dict[str, int]:
    """The complaints with these registry numbers, as people read them; of those that are none, nothing."""
    columns = registry.c
    read = [found for each in numbers if (found := _WRITTEN.fullmatch(each.strip().upper()))]
    wanted = [(each["prefix"], int(each["year"]), int(each["number"])) for each in read]
    select = sa.select(columns.prefix, columns.year, columns.number, columns.complaint).where(
        sa.tuple_(columns.prefix, columns.year, columns.number).in_(wanted), columns.complaint.is_not(None)
    )
    return {written(*number): complaint for *number, complaint in connection.execute(select)}


def written(prefix: str, year: int, number: int) -> str:
    """A registry number as people read it: `KNK-2026-000123`."""
    return f"{prefix}-{year}-{number:06d}"


def _last(connection: sa.Connection, prefix: str, year: int) -> int:
    counter = registry_counter.c
    first = {"prefix": prefix, "year": year, "last": 0}
    insert_new(connection, registry_counter, [first], ["prefix", "year"], counter.last)
    select = sa.select(counter.last).where(counter.prefix == prefix, counter.year == year)
    return int(connection.scalars(locked(connection, select)).one())


def _set_last(connection: sa.Connection, prefix: str, year: int, last: int) -> None:
    counter = registry_counter.c
    connection.execute(
        sa.update(registry_counter).where(counter.prefix == prefix, counter.year == year).values(last=last)
    )
