"""Place lists, each a version, and the one that stands now."""

import threading
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from server.domain.places import Gazetteer, Place
from server.store.dialect import put
from server.store.schema import place, place_list


def keep(connection: sa.Connection, gazetteer: Gazetteer, source: str, at: datetime) -> None:
    """Keep a list and make it the current one; the same version again replaces its places."""
    row = {"version": gazetteer.version, "source": source, "imported_at": at, "is_current": True}
    connection.execute(sa.update(place_list).values(is_current=False))
    put(connection, place_list, row, ["version"])
    connection.execute(sa.delete(place).where(place.c.list == gazetteer.version))
    connection.execute(sa.insert(place), [_row(gazetteer.version, each) for each in gazetteer.places])


def versions(connection: sa.Connection) -> list[tuple[str, str, datetime, bool]]:
    """Version, source, day and whether it stands, of every list."""
    columns = place_list.c
    select = sa.select(columns.version, columns.source, columns.imported_at, columns.is_current)
    return [tuple(row) for row in connection.execute(select.order_by(columns.imported_at))]


class CurrentPlaces:
    """The current list in memory, read again only when another becomes current."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: tuple[str, datetime, Gazetteer] | None = None

    def read(self, connection: sa.Connection) -> Gazetteer | None:
        """The list that stands now; None when the hub has none."""
        columns = place_list.c
        current = connection.execute(
            sa.select(columns.version, columns.imported_at).where(columns.is_current)
        ).one_or_none()
        if current is None:
            return None
        with self._lock:
            if self._loaded is None or self._loaded[:2] != tuple(current):
                self._loaded = (*current, load(connection, current.version))
            return self._loaded[2]


def load(connection: sa.Connection, version: str) -> Gazetteer:
    """A list by its version."""
    columns = place.c
    select = sa.select(
        columns.id,
        columns.name,
        columns.level,
        columns.parent,
        columns.valid_from,
        columns.valid_to,
        columns.codes,
        columns.aliases,
        columns.regions,
    ).where(columns.list == version)
    return Gazetteer(version=version, places=tuple(_place(*row) for row in connection.execute(select)))


def _place(
    id: str,
    name: str,
    level: str,
    parent: str | None,
    valid_from: str | None,
    valid_to: str | None,
    codes: dict[str, str],
    aliases: Sequence[str],
    regions: dict[str, str],
) -> Place:
    return Place(
        id=id,
        name=name,
        level=level,
        parent_id=parent,
        valid_from=_day(valid_from),
        valid_to=_day(valid_to),
        codes=codes,
        aliases=tuple(aliases),
        regions=regions,
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _row(version: str, each: Place) -> dict[str, Any]:
    return {
        "list": version,
        "id": each.id,
        "name": each.name,
        "level": each.level,
        "parent": each.parent_id,
        "valid_from": each.valid_from.isoformat() if each.valid_from else None,
        "valid_to": each.valid_to.isoformat() if each.valid_to else None,
        "codes": dict(each.codes),
        "aliases": list(each.aliases),
        "regions": dict(each.regions),
    }
