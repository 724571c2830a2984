"""Holding: sealed operations with boxes and keys, complaints with all that opening them goes by, what the log says."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Literal, Self

import sqlalchemy as sa

from client_sync.protocol.boxes import Boxes, read_boxes
from client_sync.protocol.canonical import parse
from client_sync.protocol.frames import from_text, to_text
from client_sync.seal import Binding, Reader, Unopenable, open_part, open_record_key, rewrap
from server.domain import revision
from server.domain.desk import Desk
from server.domain.errors import NotFound
from server.domain.people import KEY_ROLES
from server.domain.permission import Action, Target, permit, stood_for
from server.domain.places import Gazetteer
from server.store import accounts, audit, deputies, recipients, sealed
from server.store.accounts import Account
from server.store.engine import Store
from server.store.recipients import CURRENT, REMOVED, KnownKey
from server.store.sealed import Part

Compartment = Literal["statement", "traces", "identity"]
# With what was done of a task, which is no compartment of the complaint.
Box = Literal["statement", "traces", "identity", "report"]


@dataclass(frozen=True)
class Proof:
    """A record key that opened a box of its record, and the key id that gave it."""

    kid: str
    record_key: bytes = field(repr=False)


@dataclass(frozen=True)
class Sealed:
    """An operation with its boxes; `wraps` are keys of it that were sealed again at the hub, once proven."""

    row: Part
    content: dict[str, Any]
    boxes: Boxes
    wraps: dict[str, bytes]

    @classmethod
    def read(cls, row: Part, wraps: Mapping[str, str]) -> Self:
        """The operation in a row; `wraps` as text, by key id."""
        content: dict[str, Any] = parse(row.line)["content"]
        return cls(row, content, read_boxes(content), {kid: from_text(box) for kid, box in wraps.items()})

    @property
    def keys(self) -> dict[str, bytes]:
        """By key id, what is said to give the record key."""
        return self.boxes.keys | self.wraps

    @property
    def binding(self) -> Binding:
        """Where its boxes belong."""
        return Binding(self.row.client_id, self.row.lineage)

    def prove(self, private: Mapping[str, bytes], compartment: Box | None = None) -> Proof | None:
        """The key of one of its boxes, or of that compartment's, by any of these private keys; None when none opens it.

        A device may write anything beside a key id: only a key that opens one of the boxes is one, and what was
        sealed again here is tried first.
        """
        for source in (self.wraps, self.boxes.keys):
            for kid in source.keys() & private.keys():
                try:
                    record_key = open_record_key(source[kid], private[kid])
                except Unopenable:
                    continue
                names = self.boxes.boxes.keys() if compartment is None else {compartment}
                if any(self._opens(name, record_key) for name in names):
                    return Proof(kid, record_key)
        return None

    def boxes_for(self, readers: Sequence[Reader], proof: Proof) -> list[tuple[int, str, str]]:
        """The record key for those readers of whom nobody knows that they have it.

        What the device wrote beside a key id may be anything, but where it was the proof.
        """
        return [
            (self.row.received, each.kid, to_text(rewrap(proof.record_key, each, self.boxes.boxes, self.binding)))
            for each in readers
            if each.kid not in self.wraps and each.kid != proof.kid
        ]

    def _opens(self, name: str, record_key: bytes) -> bool:
        try:
            open_part(self.boxes.boxes[name], record_key, name, self.binding)
        except Unopenable:
            return False
        return True


@dataclass(frozen=True)
class Found:
    """A compartment as it stands: in a box of a part, or in clear, or not there at all."""

    part: Sealed | None
    clear: Mapping[str, Any] | None


@dataclass(frozen=True)
class Case:
    """A complaint with all that opening it goes by. `next_readers`: current keys of who has it, of their deputies, and
    of the actor; `names`: what everybody is called, by the id of the account."""

    target: Target
    parts: tuple[Sealed, ...]
    next_readers: tuple[Reader, ...]
    known: Mapping[str, KnownKey]
    names: Mapping[str, str]

    @cached_property
    def numbered(self) -> list[Sealed]:
        """The complaint as first received, and the revisions that stand, in the order of their numbers."""
        first, *later = self.parts
        revisions = [each for each in later if each.row.number is not None]
        return [first, *sorted(revisions, key=lambda each: each.row.number or 0)]

    def find(self, compartment: Compartment) -> Found:
        """Where the compartment stands now."""
        first, *later = self.numbered
        applied = ((each.row.fields, each.content) for each in later)
        standing = revision.standing(first.content, applied).get(compartment)
        if standing is None or "box" not in standing:
            return Found(None, None if standing is None else standing["clear"])
        setters = [each for each in later if compartment in each.row.fields]
        return Found(setters[-1] if setters else first, None)

    def usable(self, desk: Desk) -> dict[str, bytes]:
        """The keys in hand, without those that were taken away since the person logged in."""
        return {kid: private for kid, private in desk.keys.private.items() if self.is_in_use(kid)}

    def is_in_use(self, kid: str) -> bool:
        """Whether the hub knows the key, and it was not taken away."""
        return kid in self.known and self.known[kid].state != REMOVED


def case(store: Store, desk: Desk, complaint: int) -> Case:
    """A complaint with all that opening it goes by. Raises NotFound."""
    return cases(store, desk, [complaint])[complaint]


def cases(store: Store, desk: Desk, complaints: Sequence[int]) -> dict[int, Case]:
    """`case` of each complaint. Raises NotFound where one of them is not there."""
    with store.read() as connection:
        standings = sealed.standings(connection, complaints)
        missing = next((each for each in complaints if each not in standings), None)
        if missing is not None:
            raise NotFound(object=missing)
        rows = sealed.parts_of(connection, complaints)
        wraps = recipients.wraps_of(connection, [row.received for row in rows])
        assigned = recipients.assigned_to(connection, complaints)
        targets = {id: standings[id].target(desk.places, assigned.get(id)) for id in complaints}
        entitled = _entitled(connection, targets, desk.now.date())
        known = {each.kid: each for each in recipients.listed(connection)}
        names = accounts.names(connection)
    parts: dict[int, list[Sealed]] = {id: [] for id in complaints}
    for row in rows:
        parts[row.complaint].append(Sealed.read(row, wraps.get(row.received, {})))
    return {
        id: Case(target, tuple(parts[id]), _next_readers(known, {desk.actor.id, *entitled[id]}), known, names)
        for id, target in targets.items()
    }


def page(store: Store, after: int, limit: int) -> list[Sealed]:
    """At most `limit` sealable operations, those that came after the one received as `after`, in order."""
    with store.read() as connection:
        rows = sealed.after(connection, after, limit)
        wraps = recipients.wraps_of(connection, [row.received for row in rows])
    return [Sealed.read(row, wraps.get(row.received, {})) for row in rows]


def targets(store: Store, parts: Sequence[Sealed], places: Gazetteer | None) -> dict[int, Target]:
    """The complaints of parts as permission sees them, by id; what is gone by now is left out."""
    ids = {each.row.complaint for each in parts}
    with store.read() as connection:
        standings = sealed.standings(connection, ids)
        assigned = recipients.assigned_to(connection, ids)
    return {id: each.target(places, assigned.get(id)) for id, each in standings.items()}


def readers(found: Sequence[KnownKey]) -> list[Reader]:
    """Known keys, to seal record keys to."""
    return [Reader(each.kid, from_text(each.public)) for each in found]


def _next_readers(known: Mapping[str, KnownKey], near: Collection[str]) -> tuple[Reader, ...]:
    """The current keys of these accounts."""
    return tuple(readers([each for each in known.values() if each.account in near and each.state == CURRENT]))


def may_have(account: Account, target: Target) -> bool:
    """Whether the account could read the complaint, once it is assigned."""
    own = Target(target.region, target.team, target.partner, target.is_strict, target.assigned | {account.id})
    is_reader = account.state == accounts.ACTIVE and account.role in KEY_ROLES
    return is_reader and permit(account.actor, "read_identity", own)


def in_place(desk: Desk, right: Action, target: Target) -> dict[str, str]:
    """In whose place a deputy does it, as the log says it."""
    instead = stood_for(desk.actor, right, [target])
    return {} if instead is None else {"for": instead}


def note(
    connection: sa.Connection, desk: Desk, action: str, complaint: int, details: Mapping[str, Any], reason: str = ""
) -> None:
    """Leave an event about a complaint."""
    audit.record(
        connection,
        at=desk.now,
        actor=desk.actor.signature,
        action=action,
        object=f"complaint:{complaint}",
        reason=reason,
        details=details,
    )


def _entitled(connection: sa.Connection, targets: Mapping[int, Target], day: date) -> dict[int, set[str]]:
    """By complaint, of whom it is assigned to, whoever may have it still, for it may have become strict, or moved out
    of their scope since; and who stands in for them that day: of what is strict, named readers alone."""
    assigned = {id for target in targets.values() for id in target.assigned}
    people = {each.id: each for each in accounts.listed(connection)} if assigned else {}
    instead = deputies.of_accounts(connection, assigned, day) if assigned else {}
    found = {}
    for complaint, target in targets.items():
        still = {id for id in target.assigned if may_have(people[id], target)}
        standing_in = {instead[id] for id in still if id in instead}
        found[complaint] = still | {id for id in standing_in if people[id].is_named_reader or not target.is_strict}
    return found
