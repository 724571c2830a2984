"""The desk: who is at work, and with what at hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time

from server.domain.people import NO_KEYS, HeldKeys
from server.domain.permission import Actor
from server.domain.places import Gazetteer, Place


@dataclass(frozen=True)
class Desk:
    """Who is at work, by which list of places (None before the first), when, with which keys in hand, and for whom.

    `coalition`: in whose name letters go out; empty where the hub was given none.
    """

    actor: Actor
    places: Gazetteer | None
    now: datetime
    keys: HeldKeys = NO_KEYS
    coalition: str = ""

    @property
    def midnight(self) -> datetime:
        """When today began."""
        return datetime.combine(self.now.date(), time(), self.now.tzinfo)

    @property
    def regions(self) -> Sequence[Place]:
        """The regions that the actor covers, by name; none without a list."""
        known, own = self.places.regions if self.places else (), self.actor.regions
        return [each for each in known if not own or each.id in own]
