"""Telling: what was done reaches the device of each complaint, once, and what people said by word is noted."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from typing import Final, cast

import sqlalchemy as sa

from client_sync.protocol.steps import KIND, Expected, Said, write
from server.domain import contact as reaching
from server.domain.calendar import MALI
from server.domain.case import Step
from server.domain.contact import Way
from server.domain.desk import Desk
from server.domain.errors import TimelineBroken, TransitionRefused, trace_of
from server.domain.permission import JOB, STRICT
from server.domain.timeline import TOLD, TOLD_BY, PublicStep, may_tell, public_steps, standing, to_tell
from server.services.cases import holding, opening
from server.services.cases.holding import Case
from server.services.cases.joining import CODES
from server.store import audit, cases, changes, contact, devices, steps, timeline
from server.store.engine import Store
from server.store.steps import Told
from server.store.timeline import Entry

log = logging.getLogger(__name__)

# The person came with the receipt: nobody went and reached anybody.
BY_RECEIPT: Final = "receipt"
_PAGE: Final = 500
_DUPLICATE: Final = "duplicate"
_WENT_OUT: Final = frozenset({CODES["detach"], CODES["split"]})
# Whom nobody may go to, nor call or write: such a person hears it on coming.
_ON_COMING: Final[frozenset[Way]] = frozenset({"at_next_meeting"})


@dataclass(frozen=True)
class Pending:
    """A step that its device was not told yet, and the case that it comes from."""

    casefile: int
    step: PublicStep

    @property
    def entry(self) -> tuple[int, int]:
        """Case and number of the entry."""
        return self.casefile, self.step.no


def tell_due(store: Store, now: datetime) -> int:
    """Tell devices what can't be taken back any more, of each complaint in order; gives how many changes that were.

    Safe at any time, by any number of hubs: each complaint is done in a transaction of its own. One whose timeline
    leads nowhere is passed over, and the log says so.
    """
    told, after = 0, 0
    while due := _due(store, now, after):
        for complaint in due:
            try:
                told += _tell(store, complaint, now)
            except TimelineBroken as broken:
                log.error("step_not_told", extra=trace_of(broken) | {"complaint": complaint})
        after = due[-1]
    return told


def by_word(store: Store, desk: Desk, number: str, way: str, *, after: int) -> int:
    """Note that the person behind a complaint heard by word where it stands, in one of the ways of `domain.contact` or
    BY_RECEIPT; gives the number of the entry. `after`: the last that the actor saw of the case.

    Raises NotFound where the actor does not handle every complaint of the case, StaleRevision, and ContactNotAllowed
    for a way in which this person may not be reached.
    """
    with store.write() as connection:
        complaint, case = opening.take_seen(connection, desk, number, after, {TOLD: way})
        if way != BY_RECEIPT:
            reaching.check(contact.wishes_of(connection, complaint), cast(Way, way))
        entry = holding.entry_of(desk, case, TOLD, complaint=complaint, fields={TOLD_BY: way})
        holding.leave(connection, case, entry, {})
        holding.renew(connection, [case.file.id])
    return entry.no


def take_back(connection: sa.Connection, desk: Desk, case: Case, told: Entry) -> None:
    """Undo what `by_word` noted of a case that is held. Raises TransitionRefused once the case was closed on it."""
    if case.facts.is_closed:
        raise TransitionRefused(status=case.file.status, to=case.file.status, faults=("not_last",), fault="not_last")
    holding.leave(connection, case, holding.entry_of(desk, case, holding.UNDONE, undoes=told.no), {})
    holding.renew(connection, [case.file.id])


def pending(connection: sa.Connection, complaint: int, entries: Sequence[tuple[int, int]]) -> list[Pending]:
    """What these entries, by case and number, say to the device of a complaint: in the same order, without what is not
    about it any more. Raises TimelineBroken."""
    files = sorted({case for case, _ in entries})
    is_strict = _is_strict(connection, complaint, files)
    found: dict[tuple[int, int], Pending] = {}
    for case in files:
        all_entries = timeline.of_case(connection, case)
        public = public_steps(all_entries, complaint, MALI, is_strict=is_strict)
        wanted = (each for each in public if (case, each.no) in entries)
        known = (Pending(case, each) for each in wanted if not _is_past(all_entries, each.no, complaint))
        found |= {each.entry: each for each in known}
    return [found[each] for each in entries if each in found]


def news(passed: Sequence[Pending], last: Step | None, now: datetime) -> list[bool]:
    """Of each of these, in order, whether it says something new after the `last` that was told."""
    found: list[bool] = []
    for each in passed:
        is_new = bool(to_tell([each.step], last, now))
        found.append(is_new)
        last = each.step.said if is_new else last
    return found


def due_among(waiting: Sequence[Pending], now: datetime) -> list[Pending]:
    """Those that may be told: none before one that came first."""
    return list(takewhile(lambda each: may_tell(each.step.tells_at, now), waiting))


def said(step: PublicStep, *, waits: bool = False) -> Said:
    """The step as a device is told it."""
    coming = step.next
    expected = None if coming is None else Expected(coming.opens_on, coming.closes_on)
    return Said(step.code, step.said.template, step.at.date(), step.said.fields, expected, waits)


def step_told(told: Told | None) -> Step | None:
    """What was told, as a timeline says it."""
    return None if told is None else Step(told.template, told.body.get("f", {}))


def _due(store: Store, now: datetime, after: int) -> list[int]:
    with store.read() as connection:
        return steps.due(connection, now, after, _PAGE)


def _tell(store: Store, complaint: int, now: datetime) -> int:
    with store.write() as connection:
        whose = steps.whose(connection, complaint)
        if whose is None:
            return 0
        # The lineage before the complaint, as intake does.
        devices.lock_lineage(connection, whose[0])
        if not cases.lock_complaints(connection, [complaint]):
            return 0
        entries = steps.waiting(connection, complaint, is_locked=True)
        waiting = pending(connection, complaint, entries)
        passed = due_among(waiting, now)
        count = _say(connection, complaint, whose, passed, now)
        later = {each.entry for each in waiting[len(passed) :]}
        steps.drop_waiting(connection, complaint, set(entries) - later)
    return count


def _say(
    connection: sa.Connection, complaint: int, whose: tuple[str, str], passed: Sequence[Pending], now: datetime
) -> int:
    """Write what is new into the change log, and of all of it that it was told; gives how many changes that were."""
    lineage, client_id = whose
    last = next(reversed(steps.told(connection, [complaint])[complaint]), None)
    waits = bool(passed) and _waits(connection, complaint)
    fresh = news(passed, step_told(last), now)
    for each, is_new in zip(passed, fresh, strict=True):
        made = Told(complaint, *each.entry, 0, each.step.said.template, now, None, write(said(each.step, waits=waits)))
        if is_new or last is None:
            n = changes.append(connection, lineage, KIND, client_id, made.body, now)
            made = replace(made, n=n)
            _log(connection, made)
        else:
            # It was said before, and may have been seen.
            made = replace(made, n=last.n, seen_at=last.seen_at, body=last.body)
        steps.keep(connection, lineage, made)
        last = made
    return sum(fresh)


def _log(connection: sa.Connection, made: Told) -> None:
    audit.record(
        connection,
        at=made.at,
        actor=JOB.signature,
        action="step_told",
        object=f"case:{made.casefile}",
        details={"no": made.no, "complaint": made.complaint},
    )


def _is_strict(connection: sa.Connection, complaint: int, files: Collection[int]) -> bool:
    """Whether one of these cases, or the one that has the complaint now, is for named readers alone."""
    held = cases.holding(connection, [complaint]).values()
    members = cases.members(connection, {*files, *held}).values()
    return any(each.confidentiality == STRICT for those in members for each in those)


def _is_past(entries: Sequence[Entry], no: int, complaint: int) -> bool:
    """Whether the complaint went out of the case after an entry; one that came back into its own case there is still
    told what was said in it, but not that it joined another, and what a body has is there wherever it went."""
    stands = {each.no: each for each in standing(entries)}
    if complaint in stands[no].fields.get("sent", ()):
        return False
    regrouped = (each for each in stands.values() if each.no > no and each.code in _WENT_OUT)
    out = [each.fields["from"] != _DUPLICATE for each in regrouped if complaint in each.fields["complaints"]]
    return any(out) or (bool(out) and stands[no].fields.get("to") == _DUPLICATE)


def _waits(connection: sa.Connection, complaint: int) -> bool:
    """Whether nobody may go and tell the person behind a complaint, nor call or write."""
    return reaching.reach(contact.wishes_of(connection, complaint)).ways <= _ON_COMING
