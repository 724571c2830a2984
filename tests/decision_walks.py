"""Links as the matcher leaves them, walks of decisions over them, and all that a person sees of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

import sqlalchemy as sa

from server.domain.matching import review
from server.domain.matching.decisions import Verdict
from server.domain.matching.review import DRAWS
from server.hub import Hub
from server.services.duplicates import choosing, deciding
from server.store import registry
from server.store.match_tables import link
from tests.builders import Person

INCIDENT, COMPLAINANT = "same_incident", "same_complainant"
# Of no sample.
OPEN = DRAWS - 1
_CAPACITY = 30


def link_row(a: int, b: int, at: datetime, probability: float = 0.97, **columns: Any) -> dict[str, Any]:
    """The row of a link as the matcher leaves it, of no sample unless `draw` says so."""
    known = 0.95, 0.3
    band = ["strong", "possible", "silent"][sum(probability < each for each in known)]
    row: dict[str, Any] = {
        "a": min(a, b),
        "b": max(a, b),
        "relation": INCIDENT,
        "model": "same_incident-1",
        "reasons": [("people", 5, 9.5)],
        "weight": 10 * probability,
        "probability": probability,
        "band": band,
        "value": probability,
        "draw": OPEN,
        "at": at,
    } | columns
    is_blind = review.is_blind(row["band"], row["draw"])
    return {"was_scored": not is_blind} | row | {"shelf": review.shelf_of(row["band"], row["draw"])}


def add_link(hub: Hub, a: int, b: int, probability: float = 0.97, **columns: Any) -> int:
    """Lay such a link; gives its id."""
    row = link_row(a, b, hub.clock(), probability, **columns)
    with hub.store.write() as connection:
        return int(connection.scalars(sa.insert(link).values(row).returning(link.c.id)).one())


def add_web(hub: Hub, ids: Sequence[int]) -> list[int]:
    """Links of every kind among six complaints: a chain, a chord, another relation, two samples."""
    chain = [add_link(hub, ids[at], ids[at + 1], 0.96 + at / 1_000) for at in range(4)]
    return [
        *chain,
        add_link(hub, ids[0], ids[3], 0.4),
        add_link(hub, ids[0], ids[1], relation=COMPLAINANT, model="same_complainant-1"),
        add_link(hub, ids[4], ids[5], 0.98, draw=1),
        add_link(hub, ids[1], ids[5], 0.05, draw=2),
    ]


def seen(hub: Hub, onlooker: Person, ids: Sequence[int]) -> list[Any]:
    """All that somebody who decides nothing sees: every link as it stands, clusters, the queue, the estimates."""
    desk = hub.desk(onlooker.actor)
    with hub.store.read() as connection:
        rows = sorted(tuple(row) for row in connection.execute(sa.select(link.c.id, link.c.state, link.c.band)))
        numbers = registry.numbers_of(connection, ids)
    # The ends of the chain and its middle: what the others are joined to is the same.
    clusters = [deciding.clusters_of(hub.store, desk, numbers[id]) for id in (ids[0], ids[2], ids[-1])]
    queue = choosing.next_pairs(hub.store, desk, _CAPACITY, _CAPACITY)
    return [rows, clusters, queue, deciding.estimates(hub.store, desk)]


@dataclass
class Walk:
    """Decisions made and taken back; `is_exact`: taking one back brought back what was seen before it."""

    hub: Hub
    decider: Person
    onlooker: Person
    ids: Sequence[int]
    links: Sequence[int]
    is_exact: bool = True

    def go(self, steps: Sequence[tuple[str, int]], random: Random) -> bool:
        """Walk: `c` confirms and `r` rejects the link of that place, `u` takes the newest word back; whatever
        stands at the end is taken back in any order. Gives whether all was seen again as before."""
        first = seen(self.hub, self.onlooker, self.ids)
        spoken: list[tuple[int, int, list[Any]]] = []
        for step, at in steps:
            if step != "u":
                before = seen(self.hub, self.onlooker, self.ids)
                spoken.append((*self._decide(self.links[at % len(self.links)], step), before))
            elif spoken:
                *word, before = spoken.pop()
                self._undo(*word)
                self._compare(before)
        random.shuffle(spoken)
        for about, number, _ in spoken:
            self._undo(about, number)
        self._compare(first)
        return self.is_exact

    def _decide(self, about: int, step: str) -> tuple[int, int]:
        desk, verdict = self.hub.desk(self.decider.actor), Verdict.CONFIRMED if step == "c" else Verdict.REJECTED
        last = deciding.explain(self.hub.store, desk, about).last
        return about, deciding.decide(self.hub.store, desk, about, verdict, after=last)

    def _undo(self, about: int, number: int) -> None:
        deciding.undo(self.hub.store, self.hub.desk(self.decider.actor), about, number)

    def _compare(self, before: list[Any]) -> None:
        self.is_exact = self.is_exact and seen(self.hub, self.onlooker, self.ids) == before
