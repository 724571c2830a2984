"""Place lists: read from files, kept as versions, one of which stands."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from server.domain.errors import PlaceListInvalid
from server.domain.permission import OPERATOR
from server.domain.places import COD_COLUMNS, LEVELS, Gazetteer, parse_cod, read_list
from server.store import audit, places
from server.store.engine import Store

# The column of the table.
VERSION_MAX_CHARS: Final = 20
_VERSION: Final = re.compile(r"\d{4}(?:\.\d+)?")


@dataclass(frozen=True)
class PlaceList:
    """A list that the hub has, and whether it is the one that stands."""

    version: str
    source: str
    imported_at: datetime
    is_current: bool


def version_in(path: Path) -> str:
    """The version in a file's name: `2026.1` of `mali-2026.1.csv`; raises PlaceListInvalid when it has none."""
    found = _VERSION.findall(path.stem if path.suffix == ".csv" else path.name)
    if not found:
        raise PlaceListInvalid(fault="version_missing", file=path.name)
    return str(found[-1])


def read_list_file(path: Path, version: str) -> Gazetteer:
    """The list in a CSV file of our own form; raises PlaceListInvalid."""
    return read_list(_lines(path), version=_checked(version, path))


def read_cod_folder(folder: Path, version: str) -> Gazetteer:
    """One list out of a folder of OCHA's CSV files; raises PlaceListInvalid."""
    found = {name: _lines(folder / name) for name in COD_COLUMNS if (folder / name).is_file()}
    return parse_cod(found, version=_checked(version, folder))


def import_list(store: Store, gazetteer: Gazetteer, source: str, now: datetime) -> dict[str, int]:
    """Keep a list and let it stand from now on; gives how many places of each level it holds."""
    counts = Counter(place.level for place in gazetteer.places)
    with store.write() as connection:
        places.keep(connection, gazetteer, source, now)
        audit.record(
            connection,
            at=now,
            actor=OPERATOR.signature,
            action="places",
            object=f"places:{gazetteer.version}",
            details=dict(counts),
        )
    return {level: counts[level] for level in LEVELS if counts[level]}


def listed(store: Store) -> list[PlaceList]:
    """Every list, in the order of import."""
    with store.read() as connection:
        return [PlaceList(*row) for row in places.versions(connection)]


def _checked(version: str, path: Path) -> str:
    if not 0 < len(version) <= VERSION_MAX_CHARS:
        raise PlaceListInvalid(fault="version_missing", file=path.name)
    return version


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise PlaceListInvalid(fault="not_text", file=path.name) from None
