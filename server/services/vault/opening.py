"""Opening: what is sealed is shown to whom that is permitted, once it was noted who looks and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from nacl.public import PrivateKey

from client_sync.protocol.canonical import Unreadable, canonical, parse
from client_sync.protocol.frames import from_text, to_text
from client_sync.protocol.keyring import key_id
from client_sync.seal import Binding, Unopenable, open_part, open_record_key
from server.domain import contact
from server.domain.contact import Reach
from server.domain.desk import Desk
from server.domain.errors import NotFound, NotSealed
from server.domain.permission import Action, permit
from server.domain.reason import checked_reason
from server.services.vault import holding
from server.services.vault.holding import Box, Case, Compartment, Found, Proof, Sealed
from server.store import contact as contacts
from server.store import recipients, registry, sealed
from server.store.engine import Store
from server.store.recipients import Opening

# What a coordinator looks at each complaint for; an identity is never looked at for that.
TRIAGE: Final = "tri"
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
class Carried:
    """A sealed identity as it goes to the machine of whoever opens it; `keys`: by key id, those of that person."""

    record: str
    lineage: str
    box: bytes = field(repr=False)
    keys: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True)
class _Tried:
    """A compartment as it opened; `part`: where it is sealed, None where it is in clear."""

    compartment: Box
    part: Sealed | None
    proof: Proof | None
    clear: Mapping[str, Any] | None = field(repr=False)


@dataclass(frozen=True)
class Look:
    """Who opened which compartment, when and why, as the team sees it."""

    name: str
    compartment: str
    reason: str
    at: datetime


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
    return _open_part(store, desk, complaint, case, Found(part, None), "report", why)


def release_identities(store: Store, desk: Desk, complaints: Sequence[int], purpose: str) -> dict[int, Opened]:
    """The identities of complaints, for what is sealed to a body that their people chose, and for nobody's eyes.

    Whoever approves what leaves opens them by that right, without an assignment; `purpose` is what they are opened for,
    as the log keeps it. Raises NotFound where one is not there, and in the same way where this is not permitted.
    """
    cases = releasable(store, desk, complaints)
    tries = {id: _try(desk, case, case.find("identity"), "identity") for id, case in cases.items()}
    with store.write() as connection:
        wishes = contacts.wishes(connection, complaints)
        return {
            id: _note_try(connection, desk, id, cases[id], tried, contact.reach(wishes[id]), purpose)
            for id, tried in tries.items()
        }


def release_given(store: Store, desk: Desk, given: Mapping[int, Mapping[str, Any]], purpose: str) -> dict[int, Opened]:
    """As `release_identities`, of what the actor opened elsewhere, by a key that is on no hub."""
    cases = releasable(store, desk, list(given))
    with store.write() as connection:
        wishes = contacts.wishes(connection, given)
        for complaint, case in cases.items():
            _note_opening(connection, desk, complaint, "identity", case, purpose)
    return {
        id: _shown(
            "identity",
            given[id],
            contact.reach(wishes[id]),
            _openers_of(case, case.find("identity").part),
            is_sealed=True,
        )
        for id, case in cases.items()
    }


def carry_identities(store: Store, desk: Desk, complaints: Sequence[int], purpose: str) -> dict[int, Carried]:
    """Sealed identities for whoever approves what leaves and keeps the key elsewhere: those that don't open here.

    Each is logged as an opening, since nobody will see when it is opened there; none, where one of them has no key of
    the actor's at all. Raises NotFound as `release_identities`.
    """
    cases = releasable(store, desk, complaints)
    parts = {complaint: case.find("identity").part for complaint, case in cases.items()}
    found = {
        complaint: _carried(cases[complaint], part, desk)
        for complaint, part in parts.items()
        if part is not None and part.prove(cases[complaint].usable(desk), "identity") is None
    }
    if all(each.keys for each in found.values()):
        with store.write() as connection:
            for complaint in found:
                _note_opening(connection, desk, complaint, "identity", cases[complaint], purpose, "hand_over")
    return found


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
    case = holding.case(store, desk, complaint)
    if not permit(desk.actor, "find_complaint", case.target):
        raise NotFound(object=complaint)
    with store.read() as connection:
        found = recipients.openings(connection, complaint)
    return [Look(case.names[each.account], each.compartment, each.reason, each.at) for each in found]


def complaint_numbered(store: Store, number: str) -> int:
    """The complaint with this registry number. Raises NotFound."""
    with store.read() as connection:
        found = registry.complaint_numbered(connection, number)
    if found is None:
        raise NotFound(object=number)
    return found


def _permitted(
    store: Store, desk: Desk, complaint: int, compartment: Compartment, reason: str | None
) -> tuple[Case, str]:
    """The complaint, and the reason to be logged. Raises NotFound and ReasonMissing."""
    case = holding.case(store, desk, complaint)
    if not permit(desk.actor, _ACTIONS[compartment], case.target):
        raise NotFound(object=complaint)
    if reason is None and compartment != "identity":
        return case, TRIAGE
    return case, checked_reason(reason or "")


def releasable(store: Store, desk: Desk, complaints: Sequence[int]) -> dict[int, Case]:
    """Complaints of which the actor may let go what consent allows a body to have. Raises NotFound."""
    cases = holding.cases(store, desk, complaints)
    for complaint, case in cases.items():
        if not permit(desk.actor, "approve_export", case.target):
            raise NotFound(object=complaint)
    return cases


def _carried(case: Case, part: Sealed, desk: Desk) -> Carried:
    own = {kid for kid, each in case.known.items() if each.account == desk.actor.id and case.is_in_use(kid)}
    keys = {kid: box for kid, box in part.keys.items() if kid in own}
    return Carried(part.binding.record, part.binding.lineage, part.boxes.boxes["identity"], keys)


def _open_part(
    store: Store, desk: Desk, complaint: int, case: Case, found: Found, compartment: Box, why: str
) -> Opened:
    """What was found, opened by the keys in hand, once that was noted."""
    tried = _try(desk, case, found, compartment)
    with store.write() as connection:
        reach = contact.reach(contacts.wishes_of(connection, complaint))
        return _note_try(connection, desk, complaint, case, tried, reach, why)


def _try(desk: Desk, case: Case, found: Found, compartment: Box) -> _Tried:
    """What was found, opened by the keys in hand, which nobody may see before that is noted."""
    if found.part is None:
        return _Tried(compartment, None, None, found.clear)
    proof = found.part.prove(case.usable(desk), compartment)
    return _Tried(compartment, found.part, proof, read_part(found.part, proof, compartment))


def _note_try(
    connection: sa.Connection, desk: Desk, complaint: int, case: Case, tried: _Tried, reach: Reach, why: str
) -> Opened:
    """What the reader gets to see of what was opened, once that is noted; who has the case next gets the key."""
    if tried.clear is not None:
        _note_opening(connection, desk, complaint, tried.compartment, case, why)
    elif tried.part is not None:
        holding.note(connection, desk, "unopenable", complaint, {"compartment": tried.compartment}, why)
    if tried.part is not None and tried.proof is not None and tried.clear is not None:
        recipients.add_wraps(connection, tried.part.boxes_for(case.next_readers, tried.proof), desk.now)
    is_sealed = tried.part is not None
    return _shown(tried.compartment, tried.clear, reach, _openers_of(case, tried.part), is_sealed=is_sealed)


def note_look(
    connection: sa.Connection,
    desk: Desk,
    complaint: int,
    case: Case,
    part: Sealed | None,
    proof: Proof | None,
    why: str,
) -> None:
    """Note that traces of a complaint were opened for a piece of evidence; who has the case next gets the key.

    `part` and `proof`: where they were sealed, and what opened them.
    """
    _note_opening(connection, desk, complaint, "traces", case, why)
    if part is not None and proof is not None:
        recipients.add_wraps(connection, part.boxes_for(case.next_readers, proof), desk.now)


def read_part(part: Sealed, proof: Proof | None, compartment: Box) -> Mapping[str, Any] | None:
    """What a compartment of a part says, by that proof; None where that opens nothing that a device of ours wrote."""
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


def _openers_of(case: Case, part: Sealed | None) -> tuple[Opener, ...]:
    """Who can open the part, the recovery key last."""
    if part is None:
        return ()
    found = [_opener(case, kid) for kid in part.keys if case.is_in_use(kid)]
    return tuple(sorted(found, key=lambda each: (each.is_recovery, each.name, each.kid)))


def _opener(case: Case, kid: str) -> Opener:
    known = case.known[kid]
    name = "" if known.account is None else case.names[known.account]
    return Opener(kid, name, known.held, known.is_recovery)


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


def _note_opening(
    connection: sa.Connection, desk: Desk, complaint: int, compartment: Box, case: Case, why: str, action: str = "open"
) -> None:
    recipients.note_opening(connection, complaint, Opening(desk.actor.id, compartment, why, desk.now))
    right: Action = "read_statement" if compartment == "report" else _ACTIONS[compartment]
    details = {"compartment": compartment} | holding.in_place(desk, right, case.target)
    holding.note(connection, desk, action, complaint, details, why)
