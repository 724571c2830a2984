"""Joining: complaints go into one case, and out of it again; what they were is never lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from server.domain import joining, urgency
from server.domain.case import Left, Moved, Step
from server.domain.desk import Desk
from server.domain.errors import RegroupingRefused
from server.domain.joining import Kind, Place, Regrouping
from server.domain.timeline import is_last_move
from server.services.cases import holding, opening
from server.services.cases.holding import Case
from server.store import cases, timeline
from server.store.engine import Store
from server.store.timeline import Entry

# What the entries of each are called.
CODES: Final[Mapping[Kind, str]] = {"attach": "attached", "detach": "detached", "split": "split"}


@dataclass(frozen=True)
class Regrouped:
    """Two cases after complaints went between them, by reference: which has them now, with the number of the entry
    there that says so, and which had them."""

    joined: str
    no: int
    left: str


def attach(store: Store, desk: Desk, number: str, into: str, *, after: int, into_after: int) -> Regrouped:
    """The case of a complaint joins that of another, with all its complaints, and is its duplicate from now on.

    `after` and `into_after`: the last that the actor saw of each, 0 for what nobody acted on. Raises NotFound where
    the actor does not handle both, StaleRevision, TransitionRefused, and RegroupingRefused (`same`).
    """
    with store.write() as connection:
        one, other = (holding.complaint_of(connection, each) for each in (number, into))
        held, _ = opening.take(connection, desk, {one, other})
        case, target = held[one], held[other]
        if case.file.id == target.file.id:
            raise RegroupingRefused(fault="same")
        holding.check_seen(connection, case, after, {"joined_into": target.file.ref})
        holding.check_seen(connection, target, into_after, {"joined_by": case.file.ref})
        regrouping = joining.attach(case.facts, target.facts, desk.actor, desk.now)
        _keep(connection, desk, (case, target), regrouping)
    return Regrouped(target.file.ref, target.file.revision + 1, case.file.ref)


def detach(store: Store, desk: Desk, number: str, *, after: int) -> Regrouped:
    """A complaint goes back into the case that was opened for it, which stands again where it stood.

    `after`: the last that the actor saw of the case that has it. Raises as `attach`, and RegroupingRefused by further
    faults.
    """
    return _out(store, desk, [number], after, "detach")


def split(store: Store, desk: Desk, numbers: Sequence[str], *, after: int) -> Regrouped:
    """Several complaints go out of a case together, into the case that was opened for the first. Raises as `detach`."""
    return _out(store, desk, numbers, after, "split")


def take_back(connection: sa.Connection, desk: Desk, entries: Sequence[Entry], held: Mapping[int, Case]) -> None:
    """Undo a regrouping by the two entries that it left; the cases are held. Raises RegroupingRefused.

    Each complaint is again where it was, since then.
    """
    # The one that was a duplicate on one side of it came first.
    first, second = sorted(entries, key=lambda each: "moved" not in each.before)
    pair = held[first.casefile], held[second.casefile]
    inverse = joining.undo(_read(first, second), (pair[0].facts, pair[1].facts), desk.actor)
    # It may have left and come back since: it stands where it stood then, and yet it moved.
    if not is_last_move(timeline.of_case(connection, first.casefile), first.no):
        raise RegroupingRefused(fault="changed")
    for case, entry, place in zip(pair, (first, second), inverse, strict=True):
        fields = {"from": case.file.status, "to": place.status}
        undone = holding.entry_of(desk, case, holding.UNDONE, fields=fields, undoes=entry.no)
        holding.leave(connection, case, undone, _columns(place))
    since = {int(id): at for each in entries for id, at in each.before["at"].items()}
    _regroup(connection, pair, inverse, since)


def _out(store: Store, desk: Desk, numbers: Sequence[str], after: int, kind: Kind) -> Regrouped:
    with store.write() as connection:
        named = [holding.complaint_of(connection, each) for each in numbers]
        # It may be no more than the case that has them now: then nothing can go out into it.
        own = cases.opened_for(connection, named[0])
        held, others = opening.take(connection, desk, named, [] if own is None else [own])
        case = held[named[0]]
        holding.check_seen(connection, case, after, {kind: " ".join(numbers)})
        home = case if own is None else others[own]
        if kind == "detach":
            regrouping = joining.detach(case.facts, home.facts, desk.actor, desk.now)
        else:
            regrouping = joining.split(case.facts, named, home.facts, desk.actor, desk.now)
        _keep(connection, desk, (home, case), regrouping)
    return Regrouped(home.file.ref, home.file.revision + 1, case.file.ref)


def _keep(connection: sa.Connection, desk: Desk, pair: tuple[Case, Case], regrouping: Regrouping) -> None:
    """Put both cases where they stand afterwards, with an entry each; devices are told of the first one's move."""
    moved = regrouping.moved
    for case, before, after in zip(pair, regrouping.before, regrouping.after, strict=True):
        is_moved = case.file.id == moved.case
        entry = holding.entry_of(
            desk,
            case,
            CODES[regrouping.kind],
            fields=_fields(before, after, pair[1] if case is pair[0] else pair[0]),
            before=_told(case, before, after) | ({"moved": True} if is_moved else {}),
            step=holding.told_step(moved.step) if is_moved else None,
            tells_at=moved.undo_until if is_moved and moved.step is not None else None,
        )
        holding.leave(connection, case, entry, _columns(after))
    since = dict.fromkeys(regrouping.before[0].complaints | regrouping.before[1].complaints, desk.now)
    _regroup(connection, pair, regrouping.after, since)


def _regroup(
    connection: sa.Connection,
    pair: tuple[Case, Case],
    places: tuple[Place, Place],
    since: Mapping[int, datetime | str],
) -> None:
    """Move the complaints; `since`: from when on each that moves is where it goes."""
    for case, place in zip(pair, places, strict=True):
        came = sorted(place.complaints - case.facts.complaints)
        cases.put_into(connection, place.case, {id: since[id] for id in came})
    holding.renew(connection, [each.file.id for each in pair])


def _fields(before: Place, after: Place, other: Case) -> dict[str, Any]:
    """What an entry says: where the case went, which complaints came or went, and the entry of the other case."""
    moved = sorted(before.complaints ^ after.complaints)
    beside = {"other": other.file.id, "other_no": other.file.revision + 1}
    return {"from": before.status, "to": after.status, "complaints": moved} | beside


def _told(case: Case, before: Place, after: Place) -> dict[str, Any]:
    """What taking it back goes by: both places, and since when each complaint that went was there."""
    gone = before.complaints - after.complaints
    since = {str(each.complaint): each.at.isoformat() for each in case.members if each.complaint in gone}
    return {"was": _told_place(before), "became": _told_place(after), "at": since}


def _read(first: Entry, second: Entry) -> Regrouping:
    """The regrouping that left these entries."""
    kind = next(kind for kind, code in CODES.items() if code == first.code)
    before, after = ((_read_place(first.before[side]), _read_place(second.before[side])) for side in ("was", "became"))
    moved = Moved(
        case=first.casefile,
        source=before[0].status,
        to=after[0].status,
        at=first.at,
        by=first.actor,
        given={},
        revision=first.no,
        pauses=False,
        undo_until=first.tells_at or first.at,
        step=None if first.step is None else Step(**first.step),
    )
    return Regrouping(kind, before, after, moved)


def _told_place(place: Place) -> dict[str, Any]:
    left = None if place.left is None else vars(place.left) | {"since": place.left.since.isoformat()}
    word, complaints = urgency.told_word(place.word), sorted(place.complaints)
    return vars(place) | {"since": place.since.isoformat(), "word": word, "complaints": complaints, "left": left}


def _read_place(told: Mapping[str, Any]) -> Place:
    left = told["left"]
    if left is not None:
        left = Left(**left | {"since": datetime.fromisoformat(left["since"])})
    since, word = datetime.fromisoformat(told["since"]), urgency.read_word(told["word"])
    complaints = frozenset(told["complaints"])
    return Place(**{**told, "since": since, "word": word, "complaints": complaints, "left": left})


def _columns(place: Place) -> dict[str, Any]:
    left = place.left
    return {
        "status": place.status,
        "status_since": place.since,
        "word": urgency.told_word(place.word),
        "joined_into": place.joined_into,
        "left_status": None if left is None else left.status,
        "left_since": None if left is None else left.since,
    }
