"""Searching: cases and complaints by a number, a receipt code, a place or words; never by a name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from server.domain.desk import Desk
from server.domain.errors import NotFound
from server.domain.permission import may_ever
from server.services.cases import lists, lookup
from server.services.cases.holding import ACTION
from server.services.cases.lists import Row
from server.services.cases.lookup import Match, Meant
from server.store import cases
from server.store.engine import Store

GROUP_MAX: Final = 10
# Complaints that are looked at for the two groups.
_FOUND_MAX: Final = 100


@dataclass(frozen=True)
class Results:
    """What a text finds: cases, and complaints that nobody acted on yet, of each the newest GROUP_MAX.

    `meant`: what it was taken for. `has_more`: there are others. `nearest`: names of places that are written nearly so,
    where nothing was found.
    """

    meant: Meant
    cases: Sequence[Row]
    complaints: Sequence[Match]
    has_more: bool
    nearest: Sequence[str]


def search(store: Store, desk: Desk, text: str) -> Results:
    """What the text finds of what the actor may find; of cases, those of which the actor handles every complaint.

    Raises NotFound for whoever handles none.
    """
    if not may_ever(desk.actor, ACTION):
        raise NotFound(object="search")
    meant = lookup.meant(text, desk.places)
    with store.read() as connection:
        found = lookup.found(connection, desk, meant, _FOUND_MAX)
        held = cases.holding(connection, [each.complaint for each in found])
        called = None if meant.number is None else cases.with_ref(connection, meant.number)
        ids = {*held.values(), *(() if called is None else (called,))}
        rows = lists.newest(connection, desk, ids, GROUP_MAX + 1)
    loose = [each for each in found if each.complaint not in held]
    is_more = len(rows) > GROUP_MAX or len(loose) > GROUP_MAX or len(found) == _FOUND_MAX
    return Results(meant, rows[:GROUP_MAX], loose[:GROUP_MAX], is_more, () if rows or loose else _nearest(desk, text))


def _nearest(desk: Desk, text: str) -> list[str]:
    return [] if desk.places is None else desk.places.nearly_called(text)
