"""Pairs that were decided, as many as a model is learned from, without the matcher that would have found them."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import sqlalchemy as sa

from server.domain.matching import complaints, review
from server.domain.matching.complaints import FORM, STORED
from server.domain.matching.decisions import levels_told
from server.domain.matching.levels import FieldName, Level
from server.domain.matching.model import AGREES, Relation, judge
from server.domain.matching.review import DRAWS
from server.hub import Hub
from server.store import models
from server.store.match_tables import decision, link
from server.store.models import Kept
from tests.builders import Person, Sender, complaint
from tests.matching import number_of

INCIDENT = Relation.SAME_INCIDENT
SHIPPED = complaints.shipped(INCIDENT)
# Of no sample.
OPEN = DRAWS - 1
_PEOPLE = tuple(map(FieldName, ("victims", "complainants", "accused", "people")))
_JUDGED = ("model", "reasons", "weight", "probability", "band")


def drawn(draw: Random) -> tuple[dict[FieldName, Level], dict[FieldName, float]]:
    """Levels and rarity of some pair."""
    levels = {field: Level(draw.choices(range(6), (4, 4, 1, 1, 2, 3))[0]) for field in FORM.fields}
    rarity = {field: draw.choice((4.0, 7.5, 16.5)) for field in _PEOPLE if levels[field] >= AGREES}
    return levels, rarity


def add_links(hub: Hub, sender: Sender, groups: int, seed: int = 1, **columns: Any) -> list[int]:
    """Proposals as the matcher leaves them, fifteen in each group of six complaints, drawn by chance."""
    names = [f"{seed} {at}" for at in range(6 * groups)]
    sender.send(*(complaint(name) for name in names))
    ids = [number_of(sender, name) for name in names]
    ends = [(ids[g + a], ids[g + b]) for g in range(0, len(ids), 6) for b in range(6) for a in range(b)]
    draw = Random(seed)
    rows = [link_row(hub, a, b, draw) | columns for a, b in ends]
    with hub.store.write() as connection:
        return list(connection.scalars(sa.insert(link).returning(link.c.id, sort_by_parameter_order=True), rows))


def link_row(hub: Hub, a: int, b: int, draw: Random) -> dict[str, Any]:
    levels, rarity = drawn(draw)
    judged = judge(SHIPPED, levels, rarity, STORED)
    band = SHIPPED.band(judged.probability)
    return {
        "a": a,
        "b": b,
        "relation": INCIDENT,
        "model": SHIPPED.version,
        "reasons": judged.kept,
        "weight": judged.weight,
        "probability": judged.probability,
        "band": band,
        "shelf": review.shelf_of(band, OPEN),
        "value": review.value_of(judged.probability, is_urgent=False),
        "draw": OPEN,
        "was_scored": not review.is_blind(band, OPEN),
        "at": hub.clock(),
    }


def decide_all(hub: Hub, by: Person, ids: Sequence[int], **columns: Any) -> None:
    """Verdicts on links: two match where the place does, which no model that ships believes so simply."""
    with hub.store.write() as connection:
        for row in connection.execute(sa.select(link).where(link.c.id.in_(ids))).all():
            verdict = "confirmed" if levels_told(row.reasons).get("place", 0) >= Level.NEAR else "rejected"
            said: dict[str, Any] = {name: getattr(row, name) for name in _JUDGED} | {"link": row.id, "no": 1}
            said |= {"account": by.actor.id, "verdict": verdict, "at": hub.clock()}
            said |= {"is_blind": False, "is_second": False} | columns
            connection.execute(sa.insert(decision).values(said))
            if not said["is_second"]:
                connection.execute(sa.update(link).where(link.c.id == row.id).values(state=verdict))


def add_stricter(hub: Hub) -> str:
    """A model as one that was learned here, which believes less; gives its version."""
    version = f"{SHIPPED.version}+100-0badcafe"
    document = replace(SHIPPED, version=version, constant=SHIPPED.constant - 3).write()
    kept = Kept(version, INCIDENT, document, "proposed", hub.clock(), SHIPPED.version, 100)
    with hub.store.write() as connection:
        models.add(connection, kept)
    return version
