"""Regions and cercles that a device can name without a network, under the list version of its hub."""

import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final


@dataclass(frozen=True)
class Place:
    """A region, or a cercle with the region around it (`within`, an id); `spellings` are folded for search."""

    id: str
    name: str
    within: str | None
    spellings: tuple[str, ...]


@dataclass(frozen=True)
class PlaceList:
    """One version of the list: places by id, in the order shown."""

    version: str
    places: Mapping[str, Place]

    def regions(self) -> list[Place]:
        """The regions, in the order shown."""
        return [place for place in self.places.values() if place.within is None]

    def cercles_of(self, region_id: str) -> list[Place]:
        """The cercles of a region, none for a region that only exists since 2023."""
        return [place for place in self.places.values() if place.within == region_id]

    def region_of(self, id: str) -> str | None:
        """The region that a place lies in or is; None for a place that is not on the list."""
        place = self.places.get(id)
        return None if place is None else place.within or place.id

    def name_of(self, id: str) -> str:
        """The name of a place; the id itself for one that is not on the list."""
        return self.places[id].name if id in self.places else id

    def search(self, words: str) -> list[Place]:
        """Places with a spelling that begins like `words`, cercles first; accents and case don't count."""
        begun = fold(words)
        if not begun:
            return []
        found = [place for place in self.places.values() if any(s.startswith(begun) for s in place.spellings)]
        return sorted(found, key=lambda place: place.within is None)


def fold(words: str) -> str:
    """Lower case without accents, hyphens or apostrophes, for comparing spellings."""
    plain = unicodedata.normalize("NFKD", words.casefold())
    letters = (char if char.isalnum() else " " for char in plain if not unicodedata.combining(char))
    return " ".join("".join(letters).split())


def read_places(text: str) -> PlaceList:
    """The list written in `text`, in the form of the shipped places.toml; raises ValueError or KeyError."""
    data = tomllib.loads(text)
    entries = data["region"] | data["cercle"]
    return PlaceList(data["list"], {id: _place(id, entry) for id, entry in entries.items()})


def _place(id: str, entry: Mapping[str, Any]) -> Place:
    spellings = tuple(dict.fromkeys(map(fold, (entry["name"], *entry.get("aliases", ())))))
    return Place(id, entry["name"], entry.get("in"), spellings)


PLACES: Final = read_places((resources.files("client_sync") / "places.toml").read_text("utf-8"))
