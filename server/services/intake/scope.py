"""Whose something that was set aside is, as far as its bytes and its sender tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from client_sync.protocol.canonical import Unreadable, is_id, parse
from client_sync.protocol.vocabulary import VOCABULARY
from server.domain.permission import STRICT, UNREADABLE, Target, case_target
from server.domain.places import Gazetteer
from server.store import complaints, devices, sealed
from server.store.devices import Device
from server.store.quarantine import Kept

_COMPLAINT: Final = "complaint"


@dataclass(frozen=True)
class _Said:
    """What an operation says of whose it is: the `facts` of a complaint, or lineage and id of the one it is `about`."""

    facts: dict[str, Any] | None = None
    about: tuple[str, str] | None = None


def targets_of(connection: sa.Connection, page: Sequence[Kept], places: Gazetteer | None) -> list[Target]:
    """Of each, in order: a complaint by its facts and its device, what speaks of one that is filed, by that one.

    What nobody can read may be anybody's.
    """
    said = [_said(kept) for kept in page]
    senders = devices.several(connection, {kept.device for kept in page})
    ids = complaints.ids_of(connection, {each.about for each in said if each.about is not None})
    standings = sealed.standings(connection, ids.values())

    def target(kept: Kept, each: _Said) -> Target:
        if each.facts is not None:
            return _by_facts(senders.get(kept.device), each.facts, places)
        standing = standings.get(ids[each.about]) if each.about in ids else None
        return UNREADABLE if standing is None else standing.target(places)

    return [target(kept, each) for kept, each in zip(page, said, strict=True)]


def _said(kept: Kept) -> _Said:
    try:
        operation = _members(parse(kept.payload))
    except Unreadable:
        return _Said()
    content = _members(operation.get("content"))
    if operation.get("op") == _COMPLAINT:
        return _Said(facts=_members(_members(content.get("facts")).get("clear")))
    about: Any = (content.get("lineage", kept.lineage), content.get(_COMPLAINT))
    return _Said(about=about) if all(map(is_id, about)) else _Said()


def _by_facts(device: Device | None, facts: dict[str, Any], places: Gazetteer | None) -> Target:
    if device is None or not isinstance(facts.get("confidentiality"), str):
        return UNREADABLE
    confidentiality = STRICT if VOCABULARY.is_strict(facts) else facts["confidentiality"]
    place = _members(facts.get("place")).get("id")
    place_id = place if isinstance(place, str) else None
    return case_target(places, place_id, device.team, device.partner, confidentiality)


def _members(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
