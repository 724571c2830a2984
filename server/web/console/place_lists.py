"""Places as lists of the console offer them: regions with their cercles, and what is in one cercle."""

from collections.abc import Iterable

from server.domain.folding import fold
from server.domain.places import Gazetteer, Place


def cercles_by_region(places: Gazetteer | None) -> list[tuple[Place, list[Place]]]:
    """Each region with its cercles, by name."""
    if places is None:
        return []
    return [
        (region, _by_name(each for each in places.places if each.level == "cercle" and each.parent_id == region.id))
        for region in places.regions
    ]


def within(places: Gazetteer | None, cercle: str) -> list[Place]:
    """The places of a cercle, by name."""
    if places is None or not cercle:
        return []
    return _by_name(places.by_id[id] for id in places.within([cercle]) if id != cercle)


def _by_name(found: Iterable[Place]) -> list[Place]:
    return sorted(found, key=lambda each: fold(each.name))
