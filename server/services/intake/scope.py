"""Whose something that was set aside is, as far as its bytes and its sender tell."""

from typing import Any, Final

import sqlalchemy as sa

from client_sync.protocol.canonical import Unreadable, parse
from server.domain.permission import UNREADABLE, Target, case_target
from server.domain.places import Gazetteer
from server.store import complaints, devices, sealed
from server.store.quarantine import Kept

_COMPLAINT: Final = "complaint"


def target_of(connection: sa.Connection, kept: Kept, places: Gazetteer | None) -> Target:
    """A complaint by its facts and its device; what speaks of a complaint that is filed, by that one.

    What nobody can read may be anybody's.
    """
    try:
        operation = _members(parse(kept.payload))
    except Unreadable:
        return UNREADABLE
    content = _members(operation.get("content"))
    if operation.get("op") == _COMPLAINT:
        return _by_facts(connection, kept, _members(_members(content.get("facts")).get("clear")), places)
    return _by_complaint(connection, kept, content, places)


def _by_facts(connection: sa.Connection, kept: Kept, facts: dict[str, Any], places: Gazetteer | None) -> Target:
    device = devices.find(connection, kept.device)
    confidentiality = facts.get("confidentiality")
    if device is None or not isinstance(confidentiality, str):
        return UNREADABLE
    place = _members(facts.get("place")).get("id")
    place_id = place if isinstance(place, str) else None
    return case_target(places, place_id, device.team, device.partner, confidentiality)


def _by_complaint(connection: sa.Connection, kept: Kept, content: dict[str, Any], places: Gazetteer | None) -> Target:
    lineage, about = content.get("lineage", kept.lineage), content.get(_COMPLAINT)
    if not isinstance(lineage, str) or not isinstance(about, str):
        return UNREADABLE
    found = complaints.find(connection, lineage, about)
    standing = sealed.standings(connection, [found.id]).get(found.id) if found else None
    return UNREADABLE if standing is None else standing.target(places)


def _members(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
