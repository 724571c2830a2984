"""The desk: who is at work, and with what at hand."""

from dataclasses import dataclass
from datetime import datetime

from server.domain.people import NO_KEYS, HeldKeys
from server.domain.permission import Actor
from server.domain.places import Gazetteer


@dataclass(frozen=True)
class Desk:
    """Who is at work, by which list of places (None before the first), when, and with which keys in hand."""

    actor: Actor
    places: Gazetteer | None
    now: datetime
    keys: HeldKeys = NO_KEYS
