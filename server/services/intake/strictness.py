"""Strictness: a named reader takes back that a complaint is strictly confidential, where its own facts don't say so."""

import json
from typing import Any

import sqlalchemy as sa

from client_sync.protocol.codes import STORED
from client_sync.protocol.vocabulary import VOCABULARY
from server.domain import revision
from server.domain.complaint import clear_facts
from server.domain.desk import Desk
from server.domain.errors import Busy, LiftRefused, NotFound
from server.domain.permission import STRICT, permit
from server.domain.reason import checked_reason
from server.services.intake.filing import STRICTNESS_FIELDS
from server.store import audit, changes, complaints, devices, quarantine, sealed
from server.store.complaints import Clash
from server.store.engine import Store


def lift(store: Store, desk: Desk, complaint: int, reason: str) -> str:
    """File a complaint as confidential as its own facts say, which it gives; what a colleague said of that is settled.

    Raises NotFound where there is no such complaint, and in the same way where this is not permitted, ReasonMissing,
    LiftRefused (`not_strict`, or `own_facts` where these make it strict whatever it calls itself), and Busy where a
    colleague says so at this moment.
    """
    with store.read() as connection:
        pressing = _pressing(connection, complaint)
    with store.write() as connection:
        # In the order of intake: the lineages, then the complaint.
        for lineage in sorted({each.lineage for each in pressing}):
            devices.lock_lineage(connection, lineage)
        facts = _liftable(connection, desk, complaint)
        why = checked_reason(reason)
        if _pressing(connection, complaint) != pressing:
            # Somebody just said that it is strict: the lineage of that is not locked, and nobody looked at it.
            raise Busy
        complaints.set_confidentiality(connection, complaint, facts["confidentiality"])
        _settle(connection, desk, complaint, pressing)
        audit.record(
            connection,
            at=desk.now,
            actor=desk.actor.signature,
            action="lift_strictness",
            object=f"complaint:{complaint}",
            reason=why,
        )
    return str(facts["confidentiality"])


def _liftable(connection: sa.Connection, desk: Desk, complaint: int) -> dict[str, Any]:
    """The facts of the complaint as they stand; the complaint is locked."""
    complaints.lock(connection, complaint)
    standing = sealed.standings(connection, [complaint]).get(complaint)
    if standing is None or not permit(desk.actor, "lift_strictness", standing.target(desk.places)):
        raise NotFound(object=complaint)
    if standing.confidentiality != STRICT:
        raise LiftRefused(fault="not_strict")
    facts = _own_facts(connection, complaint)
    if VOCABULARY.is_strict(facts):
        raise LiftRefused(fault="own_facts")
    return facts


def _own_facts(connection: sa.Connection, complaint: int) -> dict[str, Any]:
    """What stands: of strictness only what its own device said is part of it."""
    first = json.loads(complaints.line_of(connection, complaint))["content"]
    applied = ((each.fields, json.loads(each.line)["content"]) for each in complaints.revisions(connection, complaint))
    return dict(clear_facts(revision.standing(first, applied)))


def _pressing(connection: sa.Connection, complaint: int) -> list[Clash]:
    """The clashes by which colleagues say that the complaint is strict."""
    found = complaints.clashes(connection, complaint, STRICTNESS_FIELDS)
    return [each for each in found if VOCABULARY.is_strict(clear_facts(json.loads(each.line)["content"]))]


def _settle(connection: sa.Connection, desk: Desk, complaint: int, pressing: list[Clash]) -> None:
    """A person has decided: what waits for nothing else waits no more, and its device is told."""
    complaints.settle_clashes(connection, [each.id for each in pressing])
    waiting = complaints.clashing(connection, complaint)
    for received, each in {each.received: each for each in pressing}.items():
        if received not in waiting:
            aside = quarantine.id_of(connection, each.lineage, each.client_id, each.hash)
            quarantine.settle(connection, aside, received, desk.now)
            changes.append(connection, each.lineage, "state", each.client_id, {"state": STORED}, desk.now)
