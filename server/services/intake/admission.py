"""Admission: what a person does with operations that were set aside, and what later arrivals put right.

Locks go in the order of intake: the lineage, then its rows, and the registry last.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from client_sync.protocol.canonical import Unreadable, canonical, is_id, parse
from client_sync.protocol.codes import ALREADY_HELD, STORED
from client_sync.seal import Binding
from server.domain.desk import Desk
from server.domain.errors import NotAdmissible, NotFound
from server.domain.permission import JOB, Action, permit, signature_of
from server.domain.places import Gazetteer
from server.domain.reason import checked_reason
from server.services.intake.filing import Filing, complaint_of, file_kept, file_waiting, in_order_of_revision
from server.services.intake.reading import Line, Outcome, read_again, read_line
from server.services.intake.scope import targets_of
from server.services.intake.sealing import Sealing, is_sealed_whole, open_original, seal_line
from server.store import accounts, audit, devices, quarantine, registry
from server.store.complaints import Origin
from server.store.engine import Store
from server.store.lines import COUNT_MAX, Count, Reach
from server.store.quarantine import Kept as Kept
from server.store.quarantine import State as State

ACTION: Final[Action] = "settle_set_aside"

# Nothing is wrong with the operation: what carried it can't be trusted. Never stored without a person's word.
FRAME_CODES: Final = frozenset({"frame_signature", "frame_length", "frame_hub", "frame_device", "device_revoked"})
# Readable and complete: an operator who asked the team can say that it is as it is.
WORD_CODES: Final = FRAME_CODES | {"clock_ahead", "place_unknown", "place_vintage"}
# Two contents stand against each other: that is a decision on the case, which nobody makes from here.
DECISION_CODES: Final = frozenset({"content_differs", "field_changed_twice", "readers_differ"})
# Of these both contents are filed, and the case has something to decide: it can't be put away from here, either.
CASE_CODES: Final = frozenset({"field_changed_twice", "readers_differ"})
# Whoever names the place that was meant puts it right.
PLACE_CODES: Final = frozenset({"place_unknown", "place_vintage"})
# What may come right by itself: other operations and place lists arrive, and the hub's own clock is set right.
RETRIED_CODES: Final = (
    "complaint_missing",
    "revision_missing",
    "task_missing",
    "place_unknown",
    "clock_ahead",
    "internal",
)

# One transaction each: intake waits no longer than for a body of its own.
_PAGE_ROWS: Final = 100
# Whose something is stands in what came, which has to be read for it: so many of a list, and of a count, are.
LOOKED_MAX: Final = 1_000
COUNTED_MAX: Final = 200


@dataclass(frozen=True)
class Vouched:
    """What an operator vouches for: the operation as it is (WORD_CODES), or the place that was meant."""

    as_is: bool = False
    place_id: str | None = None


@dataclass(frozen=True)
class Settled:
    """What became of one operation: `stored`, or `conflict` for a revision that is filed and clashes.

    `number` is the registry number that a complaint got, as people read it; None for any other operation.
    """

    verdict: str
    number: str | None


@dataclass(frozen=True)
class Tally:
    """How many were stored, and how many still wait."""

    stored: int
    left: int


@dataclass(frozen=True)
class Wanted:
    """Which of what was set aside is asked for: by state, by reason, by the id of its device and of its region; None
    leaves it open."""

    state: State = "waiting"
    code: str | None = None
    device: str | None = None
    region: str | None = None


@dataclass(frozen=True)
class Page:
    """Some rows, the oldest first; `after`: the row behind which the next page begins, None at the end. `is_cut`: so
    much was looked at that the page ends before it is full."""

    rows: Sequence[Kept]
    after: int | None
    is_cut: bool


@dataclass(frozen=True)
class Seen:
    """Why something was set aside, as whoever acts on it saw it."""

    code: str
    field: str


NOTHING_VOUCHED: Final = Vouched()
# What a person puts in the place of what came, as one operation of JSON; it may refuse.
Correction = Callable[[Kept], bytes]


def list_waiting(store: Store, code: str | None = None, limit: int = 100) -> list[Kept]:
    """At most `limit` operations that wait, oldest first."""
    with store.read() as connection:
        return quarantine.listed(connection, code=code, limit=limit)


def page_at(store: Store, desk: Desk, wanted: Wanted, limit: int, after: int = 0) -> Page:
    """At most `limit` of what is asked for and is for who asks, after row `after`; so much is looked at for it.

    Others change nothing of what it shows.
    """
    found: list[Kept] = []
    rows = quarantine.Wanted(wanted.state, wanted.code, wanted.device)
    with store.read() as connection:
        looked = quarantine.page(connection, rows, Reach(LOOKED_MAX, (after,)))
        for page in _read(connection, looked.rows):
            found += _permitted(connection, page, desk, wanted.region)
            if len(found) > limit:
                return Page(found[:limit], found[limit - 1].id, is_cut=False)
    ends_at = None if looked.ends_at is None else int(looked.ends_at[0])
    return Page(found, ends_at, is_cut=ends_at is not None and len(found) < limit)


def count_at(store: Store, desk: Desk) -> Count:
    """How many wait for who asks, as far as a list counts and so much was looked at."""
    found = 0
    with store.read() as connection:
        looked = quarantine.page(connection, quarantine.Wanted(), Reach(COUNTED_MAX))
        for page in _read(connection, looked.rows):
            found += len(_permitted(connection, page, desk))
            if found > COUNT_MAX:
                return Count(COUNT_MAX, is_more=True)
    return Count(found, is_more=looked.ends_at is not None)


def count_waiting(store: Store) -> dict[str, int]:
    """How many wait, by code."""
    with store.read() as connection:
        return quarantine.count_waiting(connection)


def show(store: Store, desk: Desk, id: int) -> Kept:
    """One operation that was set aside; raises NotFound, also where it is not for who asks."""
    with store.read() as connection:
        return _known(connection, id, desk)


def read_payload(store: Store, desk: Desk, id: int, words: str | None = None) -> bytes:
    """What arrived, byte for byte where the keys at hand open it; the log says that it was read, and why.

    `words` is the reason of whoever reads; None at the terminal, where the code stands for it. Raises NotFound, and
    ReasonMissing where the words are too few or too many.
    """
    with store.write() as connection:
        kept = _known(connection, id, desk)
        reason = kept.code if words is None else checked_reason(words)
        _note(connection, desk, "read_quarantine", f"quarantine:{id}", reason, [id])
    return open_original(kept.payload, desk.keys, Binding(kept.client_id, kept.lineage))


def settlers(store: Store, rows: Sequence[Kept]) -> dict[int, str]:
    """By row, the name of the person who settled it; of what came right by itself there is none."""
    with store.read() as connection:
        names = {signature_of(id): name for id, name in accounts.names(connection).items()}
    return {each.id: names[each.settled_by] for each in rows if each.settled_by in names}


def admit(
    store: Store,
    desk: Desk,
    registry_prefix: str,
    id: int,
    vouched: Vouched = NOTHING_VOUCHED,
    seen: Seen | None = None,
) -> Settled:
    """File what was set aside, read again under today's rules and with what the operator vouches for.

    Raises NotFound, or NotAdmissible with the code that still stands in the way; `changed` where it is set aside for
    something else than was `seen`.
    """
    _check_place(desk, vouched)
    lineage = show(store, desk, id).lineage
    with store.write() as connection:
        devices.lock_lineage(connection, lineage)
        kept = _known(connection, id, desk)
        _raise_unless_open(kept, seen)
        if is_sealed_whole(kept.payload):
            raise NotAdmissible(fault="sealed", reason=kept.code, field=kept.field)
        if kept.code in FRAME_CODES and not vouched.as_is:
            raise NotAdmissible(fault="word_needed", reason=kept.code, field=kept.field)
        return _settle(connection, desk, registry_prefix, kept, read_again(kept.payload, kept.hash), vouched, "admit")


def repair(store: Store, desk: Desk, registry_prefix: str, id: int, corrected: bytes, sealing: Sealing) -> Settled:
    """File a corrected operation in the place of what was set aside, which is kept as it came.

    `corrected` is one operation as JSON, under the same id where that is a readable one; what of it stands in
    clear is sealed as at any other door. Raises NotFound, or NotAdmissible with what is still wrong with it.
    """
    return repair_by(store, desk, registry_prefix, id, lambda _: corrected, sealing)


def repair_by(
    store: Store,
    desk: Desk,
    registry_prefix: str,
    id: int,
    correct: Correction,
    sealing: Sealing,
    vouched: Vouched = NOTHING_VOUCHED,
    seen: Seen | None = None,
) -> Settled:
    """As `repair`, with what `correct` makes of what is set aside once nobody else can change that any more, and with
    what the operator vouches for. Raises what `correct` does, too, and as `admit` where it is not as it was `seen`."""
    _check_place(desk, vouched)
    lineage = show(store, desk, id).lineage
    with store.write() as connection:
        devices.lock_lineage(connection, lineage)
        kept = _known(connection, id, desk)
        _raise_unless_open(kept, seen)
        line = _corrected(correct(kept))
        if is_id(kept.client_id) and line.id != kept.client_id:
            raise NotAdmissible(fault="id_differs", reason=kept.code, field="id")
        maker = devices.find(connection, kept.device)
        assert maker is not None
        # What a person repairs by hand may be as strict as anything.
        sealed = seal_line(line, maker, sealing, lambda _: True)
        return _settle(connection, desk, registry_prefix, kept, sealed, vouched, "repair")


def dismiss(store: Store, desk: Desk, id: int, words: str, seen: Seen | None = None) -> None:
    """Say that nothing is to be done about what was set aside, and why: it is kept, and waits no more.

    Raises NotFound, ReasonMissing where the words are too few or too many, and NotAdmissible where somebody settled it
    meanwhile, where it is not as it was `seen`, and where the case has to decide.
    """
    lineage, why = show(store, desk, id).lineage, checked_reason(words)
    with store.write() as connection:
        devices.lock_lineage(connection, lineage)
        kept = _known(connection, id, desk)
        _raise_unless_waiting(kept, seen)
        if kept.code in CASE_CODES:
            raise NotAdmissible(fault="decision", reason=kept.code, field=kept.field)
        quarantine.dismiss(connection, id, desk.actor.signature, why, desk.now)
        _note(connection, desk, "dismiss_set_aside", f"quarantine:{id}", why, [id])


def take_up(store: Store, desk: Desk, id: int) -> None:
    """Let what was dismissed wait again, as before. Raises NotFound, and NotAdmissible where it is not dismissed."""
    lineage = show(store, desk, id).lineage
    with store.write() as connection:
        devices.lock_lineage(connection, lineage)
        kept = _known(connection, id, desk)
        if kept.state != "dismissed":
            raise NotAdmissible(fault="not_dismissed", reason=kept.code, field=kept.field)
        quarantine.take_up(connection, id)
        _note(connection, desk, "take_up_set_aside", f"quarantine:{id}", kept.code, [id])


def admit_waiting(
    store: Store, desk: Desk, registry_prefix: str, codes: Collection[str], vouched: Vouched = NOTHING_VOUCHED
) -> Tally:
    """Store all that waits for these reasons, is for who asks and can be stored, a page at a time.

    Raises NotAdmissible when one of the codes needs a person's word and there is none.
    """
    _check_place(desk, vouched)
    unvouched = sorted(DECISION_CODES.intersection(codes)) or (
        [] if vouched.as_is else sorted(FRAME_CODES.intersection(codes))
    )
    if unvouched:
        fault = "decision" if unvouched[0] in DECISION_CODES else "word_needed"
        raise NotAdmissible(fault=fault, reason=unvouched[0], field="")
    with store.read() as connection:
        lineages = quarantine.lineages_waiting(connection, codes)
    tallies = [_admit_lineage(store, desk, registry_prefix, lineage, codes, vouched) for lineage in lineages]
    return Tally(sum(each.stored for each in tallies), sum(each.left for each in tallies))


def file_held(store: Store, registry_prefix: str, now: datetime, places: Gazetteer | None) -> int:
    """Store what was held for something that is here now; gives how many."""
    return admit_waiting(store, Desk(JOB, places, now), registry_prefix, RETRIED_CODES).stored


def _admit_lineage(
    store: Store, desk: Desk, registry_prefix: str, lineage: str, codes: Collection[str], vouched: Vouched
) -> Tally:
    stored, left, after = 0, 0, 0
    while True:
        with store.write() as connection:
            devices.lock_lineage(connection, lineage)
            page = quarantine.waiting_for(connection, lineage, codes, after=after, limit=_PAGE_ROWS)
            if not page:
                return Tally(stored, left)
            permitted = _permitted(connection, page, desk)
            done = _file_page(connection, desk, registry_prefix, permitted, vouched)
        stored += done
        left += len(permitted) - done
        after = page[-1].id


def _file_page(
    connection: sa.Connection, desk: Desk, registry_prefix: str, page: Sequence[Kept], vouched: Vouched
) -> int:
    filed = [
        (kept, line, file_kept(_filing(connection, kept, desk, vouched), line, kept))
        for line, kept in in_order_of_revision(page)
    ]
    ids = [kept.id for kept, _, outcome in filed if outcome.verdict == STORED]
    if ids:
        quarantine.sign(connection, ids, desk.actor.signature)
        _note(connection, desk, "file_held", f"lineage:{page[0].lineage}", "", ids)
        _assign_numbers(connection, desk, registry_prefix, [(line, outcome) for _, line, outcome in filed])
    return len(ids)


def _settle(
    connection: sa.Connection,
    desk: Desk,
    registry_prefix: str,
    kept: Kept,
    line: Line,
    vouched: Vouched,
    action: str,
) -> Settled:
    filing = _filing(connection, kept, desk, vouched)
    outcome = file_kept(filing, line, kept)
    if outcome.verdict != STORED and outcome.received is None:
        fault = "word_needed" if outcome.code in WORD_CODES else None
        fault = "erased" if outcome.verdict == ALREADY_HELD else fault
        raise NotAdmissible(fault=fault, reason=outcome.code, field=outcome.field)
    arrived = complaint_of(line)
    file_waiting(filing, [arrived] if arrived else [])
    quarantine.sign(connection, [kept.id], desk.actor.signature)
    _note(connection, desk, action, f"quarantine:{kept.id}", kept.code, [kept.id])
    _assign_numbers(connection, desk, registry_prefix, [(line, outcome)])
    received = outcome.received
    numbers = {} if received is None else registry.numbers_of(connection, [received])
    return Settled(outcome.verdict, None if received is None else numbers.get(received))


def _filing(connection: sa.Connection, kept: Kept, desk: Desk, vouched: Vouched) -> Filing:
    origin = Origin(kept.lineage, kept.device, kept.carried_by, desk.now)
    waived = WORD_CODES if vouched.as_is else frozenset()
    return Filing(connection, origin, desk.places, waived, vouched.place_id)


def _assign_numbers(
    connection: sa.Connection, desk: Desk, registry_prefix: str, filed: Sequence[tuple[Line, Outcome]]
) -> None:
    complaints = [
        outcome.received
        for line, outcome in filed
        if outcome.verdict == STORED and outcome.received is not None and _is_complaint(line)
    ]
    if complaints:
        registry.assign(connection, registry_prefix, desk.now.year, complaints)


def _is_complaint(line: Line) -> bool:
    return line.operation is not None and line.operation.op == "complaint"


def _corrected(data: bytes) -> Line:
    try:
        line = read_line(canonical(parse(data)))
    except Unreadable as problem:
        raise NotAdmissible(reason=problem.code, field=problem.field) from None
    if line.code:
        raise NotAdmissible(reason=line.code, field=line.field)
    return line


def _check_place(desk: Desk, vouched: Vouched) -> None:
    if vouched.place_id is not None and (desk.places is None or vouched.place_id not in desk.places.by_id):
        raise NotAdmissible(fault="no_such_place", reason=vouched.place_id, field="")


def _raise_unless_waiting(kept: Kept, seen: Seen | None) -> None:
    """Asked behind the lock: of two who act on one thing at once, the second is told."""
    if kept.state != "waiting":
        fault = "settled" if kept.state == "stored" else "dismissed"
        raise NotAdmissible(fault=fault, reason=kept.code, field=kept.field)
    if seen is not None and seen != Seen(kept.code, kept.field):
        raise NotAdmissible(fault="changed", reason=kept.code, field=kept.field)


def _raise_unless_open(kept: Kept, seen: Seen | None) -> None:
    _raise_unless_waiting(kept, seen)
    if kept.code in DECISION_CODES:
        raise NotAdmissible(fault="decision", reason=kept.code, field=kept.field)


def _read(connection: sa.Connection, ids: Sequence[int]) -> Iterator[list[Kept]]:
    """The rows of these ids, so many at a time."""
    for first in range(0, len(ids), _PAGE_ROWS):
        yield quarantine.several(connection, ids[first : first + _PAGE_ROWS])


def _known(connection: sa.Connection, id: int, desk: Desk) -> Kept:
    kept = quarantine.find(connection, id)
    if kept is None or not _permitted(connection, [kept], desk):
        raise NotFound(object=id)
    return kept


def _permitted(connection: sa.Connection, page: Sequence[Kept], desk: Desk, region: str | None = None) -> list[Kept]:
    """Those that are for who is at the desk, in order; of one region where it is named."""
    targets = targets_of(connection, page, desk.places)
    return [
        kept
        for kept, target in zip(page, targets, strict=True)
        if permit(desk.actor, ACTION, target) and region in (None, target.region)
    ]


def _note(connection: sa.Connection, desk: Desk, action: str, object: str, reason: str, ids: Sequence[int]) -> None:
    actor, details = desk.actor.signature, {"quarantine": list(ids)}
    audit.record(connection, at=desk.now, actor=actor, action=action, object=object, reason=reason, details=details)
