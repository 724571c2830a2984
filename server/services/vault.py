"""The vault: opening what is sealed, for whom it is permitted, and handing its keys on to further readers."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any, Final, Literal, Self

import sqlalchemy as sa
from nacl.public import PrivateKey

from client_sync.protocol.boxes import Boxes, read_boxes
from client_sync.protocol.canonical import Unreadable, canonical, parse
from client_sync.protocol.frames import from_text, to_text
from client_sync.protocol.keyring import key_id
from client_sync.seal import Binding, Reader, Unopenable, open_part, open_record_key, rewrap
from server.domain import contact, revision
from server.domain.contact import Reach
from server.domain.desk import Desk
from server.domain.errors import Busy, NotFound, NotSealed
from server.domain.people import KEY_ROLES
from server.domain.permission import Action, Target, permit, stood_for
from server.domain.places import Gazetteer
from server.domain.reason import checked_reason
from server.store import accounts, audit, deputies, recipients, registry, sealed
from server.store import contact as contacts
from server.store.accounts import Account
from server.store.cases import lock_complaints
from server.store.engine import Store
from server.store.recipients import CURRENT, REMOVED, KnownKey, Opening
from server.store.sealed import Part

Compartment = Literal["statement", "traces", "identity"]
# With what was done of a task, which is no compartment of the complaint.
Box = Literal["statement", "traces", "identity", "report"]

# What a coordinator looks at each complaint for; an identity is never looked at for that.
TRIAGE: Final = "tri"
PAGE_PARTS: Final = 200
_ACTIONS: Final[Mapping[Compartment, Action]] = {
    "statement": "read_statement",
    "traces": "read_traces",
    "identity": "read_identity",
}


@dataclass(frozen=True)
class Opener:
    """Who can open something, and where: the key is `held` on the `hub`, or `offline`, on the person's machine.

    `name` is empty for the recovery key.
    """

    kid: str
    name: str
    held: str
    is_recovery: bool


@dataclass(frozen=True)
class Opened:
    """A compartment as opened: `clear` is None where there is none, or where no key at hand opens it.

    `reach` is how the person may be reached; an identity `is_withheld` of contacts when that is in no way.
    """

    compartment: Box
    clear: Mapping[str, Any] | None = field(repr=False)
    is_sealed: bool
    is_unopenable: bool
    is_withheld: bool
    openers: tuple[Opener, ...]
    reach: Reach


@dataclass(frozen=True)
class Look:
    """Who opened which compartment, when and why, as the team sees it."""

    name: str
    compartment: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Given:
    """How many sealed operations somebody got the keys of, and of how many no key at hand could give them."""

    given: int
    out_of_reach: int


def open_compartment(
    store: Store, desk: Desk, complaint: int, compartment: Compartment, reason: str | None = None, *, purpose: str = ""
) -> Opened:
    """A compartment as it stands now; before anything is shown, a row and an event say who opened it and why.

    An identity needs a reason in words; without one, None, the others are opened for triage. `purpose` stands before
    the reason where it was chosen from a list. Who has the case by assignment gets the key as well, and the actor a new
    key of one's own. Raises NotFound where there is no such complaint, and in the same way where this is not permitted,
    and ReasonMissing for a reason that can't stand.
    """
    case, why = _permitted(store, desk, complaint, compartment, reason)
    return _open_part(store, desk, complaint, case, case.find(compartment), compartment, purpose + why)


def open_report(store: Store, desk: Desk, received: int, reason: str | None = None) -> Opened:
    """The report on a task, `received` as that operation: for whoever reads the statement of its complaint.

    Empty where it came without one. Logged as every opening is, and its key is handed on in the same way. Raises
    NotFound, and ReasonMissing as `open_compartment` does.
    """
    with store.read() as connection:
        complaint = sealed.complaint_of(connection, received)
    if complaint is None:
        raise NotFound(object=received)
    case, why = _permitted(store, desk, complaint, "statement", reason)
    part = next((each for each in case.parts if each.row.received == received and "report" in each.boxes.boxes), None)
    return _open_part(store, desk, complaint, case, _Found(part, None), "report", why)


def release_identity(store: Store, desk: Desk, complaint: int, purpose: str) -> Opened:
    """The identity of a complaint, for what is sealed to a body that its person chose, and for nobody's eyes.

    Whoever approves what leaves opens it by that right, without an assignment; `purpose` is what it is opened for, as
    the log keeps it. Raises NotFound where there is no such complaint, and in the same way where this is not permitted.
    """
    case = _case(store, desk, complaint)
    if not permit(desk.actor, "approve_export", case.target):
        raise NotFound(object=complaint)
    return _open_part(store, desk, complaint, case, case.find("identity"), "identity", purpose)


def hand_over(store: Store, desk: Desk, complaint: int, compartment: Compartment, reason: str | None = None) -> bytes:
    """A sealed compartment as a file for `open_file`, on the machine of whoever keeps a key there.

    It is logged as an opening, since nobody will see when the file is opened. Raises as `open_compartment` does,
    and NotSealed.
    """
    case, why = _permitted(store, desk, complaint, compartment, reason)
    part = case.find(compartment).part
    if part is None:
        raise NotSealed
    with store.write() as connection:
        reach = contact.reach(contacts.wishes_of(connection, complaint))
        _note_opening(connection, desk, complaint, compartment, case, why, "hand_over")
    keys = {kid: to_text(box) for kid, box in part.keys.items() if case.is_in_use(kid)}
    binding = vars(part.binding)
    box = to_text(part.boxes.boxes[compartment])
    said = {"limits": list(reach.limits), "ways": sorted(reach.ways)}
    return canonical(binding | {"box": box, "compartment": compartment, "keys": keys, "reach": said})


def open_file(data: bytes, private: bytes) -> Opened:
    """What `hand_over` wrote, by an X25519 private key of 32 bytes; how the person may be reached is as of then.

    Needs no hub. Raises NotSealed for another file.
    """
    try:
        file: dict[str, Any] = parse(data)
        compartment: Compartment = file["compartment"]
        key = from_text(file["keys"].get(key_id(bytes(PrivateKey(private).public_key))))
        box, binding = from_text(file["box"]), Binding(file["record"], file["lineage"])
        reach = _read_reach(file["reach"])
    except (Unreadable, KeyError, TypeError, AttributeError):
        raise NotSealed from None
    try:
        clear = _read(open_part(box, open_record_key(key, private), compartment, binding))
    except Unopenable:
        clear = None
    return _shown(compartment, clear, reach, (), is_sealed=True)


def openings(store: Store, desk: Desk, complaint: int) -> list[Look]:
    """Who opened what of a complaint, in order. Raises NotFound where the actor may not find it."""
    case = _case(store, desk, complaint)
    if not permit(desk.actor, "find_complaint", case.target):
        raise NotFound(object=complaint)
    with store.read() as connection:
        found = recipients.openings(connection, complaint)
    return [Look(case.names[each.account], each.compartment, each.reason, each.at) for each in found]


def assign(store: Store, desk: Desk, complaint: int, account: str) -> Given:
    """Assign a complaint to an account, and seal its keys again to the keys of that account.

    Also where the device says to have sealed to them: nobody knows whether it did. What the assigner can't open
    stays as it is for the assignee, until somebody opens it who can. Raises NotFound where the actor may not
    handle the complaint, and for an account that could not read it, and Busy where either changes at this moment.
    """
    case = _case(store, desk, complaint)
    return _assign(store, desk, {complaint: case}, account, {complaint: case.target.assigned})[complaint]


def assign_all(store: Store, desk: Desk, seen: Mapping[int, frozenset[str]], account: str) -> None:
    """Assign several complaints to an account as `assign` does, all of them or none.

    `seen`: to which accounts each was assigned as the actor saw it. Raises NotFound as `assign` does, and Busy where
    one is assigned otherwise by now.
    """
    _assign(store, desk, {complaint: _case(store, desk, complaint) for complaint in seen}, account, seen)


def give_keys(store: Store, desk: Desk, account: str) -> Given:
    """Seal again, to the current keys of an account, all that the account may read and the keys at hand open.

    For whoever was reset, came later, or has a new key; what the actor may not handle is passed over, but for
    the actor's own. An operator does this with the recovery key in hand. Raises NotFound for no such account.
    """
    with store.read() as connection:
        holder = accounts.find(connection, account)
        kids = recipients.among_accounts(connection, [account])
        if holder is None or holder.state != accounts.ACTIVE:
            raise NotFound(object=account)
        reader = deputies.acting(connection, holder.actor, desk.now.date())

    def may(target: Target) -> bool:
        is_giver = desk.actor.is_operator or account == desk.actor.id or permit(desk.actor, "handle_case", target)
        return is_giver and permit(reader, "read_statement", target)

    return _give(store, desk, _readers(kids), may, f"account:{account}")


def give_deputy(store: Store, desk: Desk, deputy: str) -> Given:
    """Seal again, to the current keys of the account of a deputy, all that the actor may read and can open; of what is
    strict nothing to whoever is no named reader."""
    with store.read() as connection:
        kids, who = recipients.among_accounts(connection, [deputy]), accounts.find(connection, deputy)
    is_named = desk.actor.is_named_reader and who is not None and who.is_named_reader
    own = replace(desk.actor, stands_for=(), is_named_reader=is_named)
    return _give(store, desk, _readers(kids), lambda target: permit(own, "read_statement", target), f"account:{deputy}")


def give_recovery_keys(store: Store, desk: Desk) -> Given:
    """Seal again, to the current recovery key, all that the keys at hand open: for a recovery key that is new."""
    with store.read() as connection:
        kids = [each for each in recipients.recovery(connection) if each.state == CURRENT]
    return _give(store, desk, _readers(kids), lambda _: True, "recovery")


def drill(store: Store, desk: Desk) -> Given:
    """How many of all sealed operations the keys at hand open, and how many they do not; nothing of them is shown."""
    given = out_of_reach = after = 0
    while parts := _page(store, after, PAGE_PARTS):
        for part in (each for each in parts if each.boxes.boxes):
            is_open = part.prove(desk.keys.private) is not None
            given, out_of_reach = given + is_open, out_of_reach + (not is_open)
        after = parts[-1].row.received
    with store.write() as connection:
        details = {"opened": given, "out_of_reach": out_of_reach}
        actor = desk.actor.signature
        audit.record(connection, at=desk.now, actor=actor, action="drill", object="recovery", details=details)
    return Given(given, out_of_reach)


def complaint_numbered(store: Store, number: str) -> int:
    """The complaint with this registry number. Raises NotFound."""
    with store.read() as connection:
        found = registry.complaint_numbered(connection, number)
    if found is None:
        raise NotFound(object=number)
    return found


@dataclass(frozen=True)
class _Proof:
    """A record key that opened a box of its record, and the key id that gave it."""

    kid: str
    record_key: bytes = field(repr=False)


@dataclass(frozen=True)
class _Sealed:
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

    def prove(self, private: Mapping[str, bytes], compartment: Box | None = None) -> _Proof | None:
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
                    return _Proof(kid, record_key)
        return None

    def boxes_for(self, readers: Sequence[Reader], proof: _Proof) -> list[tuple[int, str, str]]:
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
class _Found:
    """A compartment as it stands: in a box of a part, or in clear, or not there at all."""

    part: _Sealed | None
    clear: Mapping[str, Any] | None


@dataclass(frozen=True)
class _Case:
    """A complaint with all that opening it goes by. `next_readers`: current keys of who has it, of their deputies, and
    of the actor; `names`: what everybody is called, by the id of the account."""

    target: Target
    parts: tuple[_Sealed, ...]
    next_readers: tuple[Reader, ...]
    known: Mapping[str, KnownKey]
    names: Mapping[str, str]

    @cached_property
    def numbered(self) -> list[_Sealed]:
        """The complaint as first received, and the revisions that stand, in the order of their numbers."""
        first, *later = self.parts
        revisions = [each for each in later if each.row.number is not None]
        return [first, *sorted(revisions, key=lambda each: each.row.number or 0)]

    def find(self, compartment: Compartment) -> _Found:
        """Where the compartment stands now."""
        first, *later = self.numbered
        applied = ((each.row.fields, each.content) for each in later)
        standing = revision.standing(first.content, applied).get(compartment)
        if standing is None or "box" not in standing:
            return _Found(None, None if standing is None else standing["clear"])
        setters = [each for each in later if compartment in each.row.fields]
        return _Found(setters[-1] if setters else first, None)

    def usable(self, desk: Desk) -> dict[str, bytes]:
        """The keys in hand, without those that were taken away since the person logged in."""
        return {kid: private for kid, private in desk.keys.private.items() if self.is_in_use(kid)}

    def openers_of(self, part: _Sealed | None) -> tuple[Opener, ...]:
        """Who can open the part, the recovery key last."""
        if part is None:
            return ()
        found = [self._opener(kid) for kid in part.keys if self.is_in_use(kid)]
        return tuple(sorted(found, key=lambda each: (each.is_recovery, each.name, each.kid)))

    def is_in_use(self, kid: str) -> bool:
        """Whether the hub knows the key, and it was not taken away."""
        return kid in self.known and self.known[kid].state != REMOVED

    def _opener(self, kid: str) -> Opener:
        known = self.known[kid]
        name = "" if known.account is None else self.names[known.account]
        return Opener(kid, name, known.held, known.is_recovery)


def _case(store: Store, desk: Desk, complaint: int) -> _Case:
    """Raises NotFound."""
    with store.read() as connection:
        standing = sealed.standings(connection, [complaint]).get(complaint)
        if standing is None:
            raise NotFound(object=complaint)
        rows = sealed.parts_of(connection, complaint)
        wraps = recipients.wraps_of(connection, [row.received for row in rows])
        assigned = recipients.assigned_to(connection, [complaint]).get(complaint, frozenset())
        target = standing.target(desk.places, assigned)
        near = {desk.actor.id, *_entitled(connection, assigned, target, desk.now.date())}
        known = {each.kid: each for each in recipients.listed(connection)}
        names = accounts.names(connection)
    parts = tuple(_Sealed.read(row, wraps.get(row.received, {})) for row in rows)
    next_readers = _readers([each for each in known.values() if each.account in near and each.state == CURRENT])
    return _Case(target, parts, tuple(next_readers), known, names)


def _entitled(connection: sa.Connection, assigned: Collection[str], target: Target, day: date) -> set[str]:
    """Of whom a complaint is assigned to, whoever may have it still, for it may have become strict, or moved out of
    their scope since; and who stands in for them that day: of what is strict, named readers alone."""
    people = {each.id: each for each in accounts.listed(connection)} if assigned else {}
    still = {id for id in assigned if _may_have(people[id], target)}
    instead = deputies.of_accounts(connection, still, day).values() if still else ()
    return still.union(id for id in instead if people[id].is_named_reader or not target.is_strict)


def _permitted(
    store: Store, desk: Desk, complaint: int, compartment: Compartment, reason: str | None
) -> tuple[_Case, str]:
    """The complaint, and the reason to be logged. Raises NotFound and ReasonMissing."""
    case = _case(store, desk, complaint)
    if not permit(desk.actor, _ACTIONS[compartment], case.target):
        raise NotFound(object=complaint)
    if reason is None and compartment != "identity":
        return case, TRIAGE
    return case, checked_reason(reason or "")


def _open_part(
    store: Store, desk: Desk, complaint: int, case: _Case, found: _Found, compartment: Box, why: str
) -> Opened:
    """What was found, opened by the keys in hand, once that was noted."""
    if found.part is None:
        proof, clear = None, found.clear
    else:
        proof = found.part.prove(case.usable(desk), compartment)
        clear = _opened(found.part, proof, compartment)
    with store.write() as connection:
        reach = contact.reach(contacts.wishes_of(connection, complaint))
        if clear is not None:
            _note_opening(connection, desk, complaint, compartment, case, why)
        elif found.part is not None:
            _note(connection, desk, "unopenable", complaint, {"compartment": compartment}, why)
        if found.part is not None and proof is not None and clear is not None:
            recipients.add_wraps(connection, found.part.boxes_for(case.next_readers, proof), desk.now)
    return _shown(compartment, clear, reach, case.openers_of(found.part), is_sealed=found.part is not None)


def _opened(part: _Sealed, proof: _Proof | None, compartment: Box) -> Mapping[str, Any] | None:
    if proof is None:
        return None
    try:
        return _read(open_part(part.boxes.boxes[compartment], proof.record_key, compartment, part.binding))
    except Unopenable:
        return None


def _shown(
    compartment: Box, clear: Mapping[str, Any] | None, reach: Reach, openers: tuple[Opener, ...], *, is_sealed: bool
) -> Opened:
    """What the reader gets to see of what was opened."""
    is_withheld = compartment == "identity" and clear is not None and not reach.ways
    shown = contact.without_contacts(clear) if is_withheld and clear is not None else clear
    return Opened(compartment, shown, is_sealed, is_sealed and clear is None, is_withheld, openers, reach)


def _read_reach(said: Mapping[str, Any]) -> Reach:
    ways = frozenset(way for way in contact.WAYS if way in said["ways"])
    return Reach(ways, tuple(limit for limit in contact.LIMITS if limit in said["limits"]))


def _read(text: bytes) -> Mapping[str, Any] | None:
    """The members of a compartment; None for what no device of ours wrote."""
    try:
        clear = parse(text)
    except Unreadable:
        return None
    return clear if isinstance(clear, dict) else None


def _assign(
    store: Store, desk: Desk, cases: Mapping[int, _Case], account: str, seen: Mapping[int, frozenset[str]]
) -> dict[int, Given]:
    """Raises NotFound and Busy."""
    with store.read() as connection:
        kids = _readers(recipients.among_accounts(connection, [account]))
    made = {complaint: _hand_on(case.parts, case.usable(desk), kids) for complaint, case in cases.items()}
    with store.write() as connection:
        _require_assignable(connection, desk, account, seen)
        for complaint, (boxes, given) in made.items():
            is_new = recipients.assign(connection, complaint, account, desk.actor.id, desk.now)
            recipients.add_wraps(connection, boxes, desk.now)
            details = {"account": account, "given": given.given, "is_new": is_new, "out_of_reach": given.out_of_reach}
            details |= _in_place(desk, "handle_case", cases[complaint].target)
            _note(connection, desk, "assign", complaint, details)
    return {complaint: given for complaint, (_, given) in made.items()}


def _require_assignable(
    connection: sa.Connection, desk: Desk, account: str, seen: Mapping[int, frozenset[str]]
) -> None:
    """Look once more at the complaints and the account, which are locked until commit. Raises NotFound and Busy."""
    lock_complaints(connection, seen)
    accounts.lock(connection, account)
    assignee, standings = accounts.find(connection, account), sealed.standings(connection, seen)
    assigned = recipients.assigned_to(connection, seen)
    for complaint, was in seen.items():
        target = standings[complaint].target(desk.places) if complaint in standings else None
        if target is None or not permit(desk.actor, "handle_case", target):
            raise NotFound(object=complaint)
        if assignee is None or not _may_have(assignee, target):
            raise NotFound(object=account)
        if assigned.get(complaint, frozenset()) != was:
            raise Busy


def _may_have(account: Account, target: Target) -> bool:
    """Whether the account could read the complaint, once it is assigned."""
    own = Target(target.region, target.team, target.partner, target.is_strict, target.assigned | {account.id})
    is_reader = account.state == accounts.ACTIVE and account.role in KEY_ROLES
    return is_reader and permit(account.actor, "read_identity", own)


def _readers(found: Sequence[KnownKey]) -> list[Reader]:
    return [Reader(each.kid, from_text(each.public)) for each in found]


def _hand_on(
    parts: Sequence[_Sealed], private: Mapping[str, bytes], readers: Sequence[Reader]
) -> tuple[list[tuple[int, str, str]], Given]:
    """The boxes that readers lack, of the parts that the private keys open, and how many parts that makes.

    Out of reach is what nobody so much as said to have sealed to them.
    """
    boxes: list[tuple[int, str, str]] = []
    given = out_of_reach = 0
    for part in parts:
        if not part.boxes.boxes or all(each.kid in part.wraps for each in readers):
            continue
        proof = part.prove(private)
        made = [] if proof is None else part.boxes_for(readers, proof)
        given += bool(made)
        out_of_reach += proof is None and not all(each.kid in part.keys for each in readers)
        boxes += made
    return boxes, Given(given, out_of_reach)


def _give(store: Store, desk: Desk, readers: Sequence[Reader], may: Callable[[Target], bool], whose: str) -> Given:
    """Hand on, page by page, the keys of every complaint whose target `may` be given."""
    total, after = Given(0, 0), 0
    with store.read() as connection:
        in_use = {each.kid for each in recipients.listed(connection) if each.state != REMOVED}
    private = {kid: each for kid, each in desk.keys.private.items() if kid in in_use}
    while readers and (parts := _page(store, after, PAGE_PARTS)):
        targets = _targets(store, parts, desk.places)
        permitted = [each for each in parts if (target := targets.get(each.row.complaint)) and may(target)]
        boxes, given = _hand_on(permitted, private, readers)
        with store.write() as connection:
            recipients.add_wraps(connection, boxes, desk.now)
            details = {"given": given.given, "holder": whose, "out_of_reach": given.out_of_reach}
            if given.given:
                actor = desk.actor.signature
                audit.record(connection, at=desk.now, actor=actor, action="give_keys", object=whose, details=details)
        total = Given(total.given + given.given, total.out_of_reach + given.out_of_reach)
        after = parts[-1].row.received
    return total


def _page(store: Store, after: int, limit: int) -> list[_Sealed]:
    with store.read() as connection:
        rows = sealed.after(connection, after, limit)
        wraps = recipients.wraps_of(connection, [row.received for row in rows])
    return [_Sealed.read(row, wraps.get(row.received, {})) for row in rows]


def _targets(store: Store, parts: Sequence[_Sealed], places: Gazetteer | None) -> dict[int, Target]:
    ids = {each.row.complaint for each in parts}
    with store.read() as connection:
        standings = sealed.standings(connection, ids)
        assigned = recipients.assigned_to(connection, ids)
    return {id: each.target(places, assigned.get(id)) for id, each in standings.items()}


def _note_opening(
    connection: sa.Connection, desk: Desk, complaint: int, compartment: Box, case: _Case, why: str, action: str = "open"
) -> None:
    recipients.note_opening(connection, complaint, Opening(desk.actor.id, compartment, why, desk.now))
    right: Action = "read_statement" if compartment == "report" else _ACTIONS[compartment]
    details = {"compartment": compartment} | _in_place(desk, right, case.target)
    _note(connection, desk, action, complaint, details, why)


def _in_place(desk: Desk, right: Action, target: Target) -> dict[str, str]:
    """In whose place a deputy does it, as the log says it."""
    instead = stood_for(desk.actor, right, [target])
    return {} if instead is None else {"for": instead}


def _note(
    connection: sa.Connection, desk: Desk, action: str, complaint: int, details: Mapping[str, Any], reason: str = ""
) -> None:
    audit.record(
        connection,
        at=desk.now,
        actor=desk.actor.signature,
        action=action,
        object=f"complaint:{complaint}",
        reason=reason,
        details=details,
    )
