"""Undoing: what was done to a case last is taken back, and everything is again as it was."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

import sqlalchemy as sa

from server.domain import case as rules
from server.domain.casework import CASEWORK, Status
from server.domain.desk import Desk
from server.domain.errors import Busy, NotFound, RegroupingRefused, TransitionRefused
from server.domain.timeline import TOLD
from server.services.cases import due, holding, joining, opening, owning, retracting, telling
from server.services.cases.holding import Case
from server.store import timeline
from server.store.cases import CaseFile
from server.store.engine import Store
from server.store.timeline import Entry

_KEPT: Final = frozenset({holding.OPENED, holding.UNDONE, holding.ESCALATED})
# What entries of tasks and of packages name.
_GIVEN: Final = frozenset({"task", "package"})


def undo(store: Store, desk: Desk, number: str, no: int | None = None) -> str:
    """Take back an entry of the case of a complaint, the last that stands where no number says which; gives its code.

    A regrouping is taken back in both cases. Raises NotFound where the actor does not handle them, or there is no such
    entry; TransitionRefused and RegroupingRefused for what can't be taken back, or was already (`undone`).
    """
    with store.write() as connection:
        complaint = holding.complaint_of(connection, number)
        told = _chosen(connection, desk, complaint, no)
        beside = _beside(connection, told)
        held, others = opening.take(connection, desk, [complaint], [each.casefile for each in beside])
        case = held[complaint]
        if case.file.id != told.casefile or _chosen(connection, desk, complaint, no).no != told.no:
            # Somebody did something with it at this moment.
            raise Busy
        if has_left(told):
            raise TransitionRefused(status=case.file.status, to=case.file.status, faults=("left",), fault="left")
        if told.code in due.CHANGES:
            due.take_back(connection, desk, case, told)
        elif told.code == TOLD:
            telling.take_back(connection, desk, case, told)
        elif told.code == holding.MOVED:
            unmove(connection, desk, case, told)
        elif told.code == owning.OWNED:
            owning.take_back(connection, desk, case, told)
        elif told.code in retracting.CODES:
            entries = timeline.of_case(connection, case.file.id)
            later = [each for each in undoable(entries) if each.no > told.no]
            retracting.take_back(connection, desk, case, told, later)
        elif beside:
            joining.take_back(connection, desk, [told, *beside], {case.file.id: case, **others})
        else:
            # The other case went with its complaint.
            raise RegroupingRefused(fault="changed")
    return told.code


def undoable(entries: Sequence[Entry]) -> list[Entry]:
    """Those that can be taken back, as far as entries tell: the opening can't, nor what the hub told people, nor what a
    device was given, nor what went and came with a package, and nothing twice."""
    gone = {each.undoes for each in entries} | {each.no for each in entries if _GIVEN.intersection(each.fields)}
    return [each for each in entries if each.no not in gone and each.code not in _KEPT]


def possible(file: CaseFile, entries: Sequence[Entry], now: datetime) -> frozenset[int]:
    """The numbers of the entries of a case that can be taken back now, as far as they and its row tell.

    What one of them would undo may have gone on in another case: then taking it back is refused.
    """
    done = undoable(entries)
    left = [each for each in done if not has_left(each)]
    in_time = [each for each in left if each.undo_until is None or now < each.undo_until]
    return frozenset(
        each.no
        for each in in_time
        if _stands(each, file, is_last=each is left[-1], later=[other for other in done if other.no > each.no])
    )


def _stands(entry: Entry, file: CaseFile, *, is_last: bool, later: Sequence[Entry]) -> bool:
    """Whether the case is still as the entry left it; `is_last`: of those that don't say that something left."""
    if entry.code == holding.MOVED:
        return not later
    if entry.code in retracting.CODES:
        return is_last and not any(retracting.builds_on(each, entry) for each in later)
    if entry.code == owning.OWNED:
        return bool(file.owner == entry.fields["account"])
    return entry.code != TOLD or CASEWORK.statuses[cast(Status, file.status)].stage != "closed"


def has_left(entry: Entry) -> bool:
    """Whether it says that something left: what a body has is with it, whatever is written here, and is recalled."""
    return "referral" in entry.fields and entry.code not in retracting.CODES


def _beside(connection: sa.Connection, told: Entry) -> list[Entry]:
    """What was left in the other case at the same time, if there is one and it is still here."""
    other, no = (told.fields.get(name) for name in ("other", "other_no"))
    found = None if other is None or no is None else timeline.numbered(connection, other, no)
    return [] if found is None else [found]


def _chosen(connection: sa.Connection, desk: Desk, complaint: int, no: int | None) -> Entry:
    case = holding.look(connection, desk, complaint)
    entries = [] if case is None else timeline.of_case(connection, case.file.id)
    left = undoable(entries)
    if no is None:
        if not left:
            raise RegroupingRefused(fault="nothing_done")
        return left[-1]
    if no not in {each.no for each in entries}:
        raise NotFound(object=no)
    found = next((each for each in left if each.no == no), None)
    if found is None:
        raise RegroupingRefused(fault="undone")
    return found


def unmove(connection: sa.Connection, desk: Desk, case: Case, told: Entry) -> None:
    """Take back a move of a case that is held. Raises TransitionRefused."""
    entries = timeline.of_case(connection, case.file.id)
    # What came later and was taken back is as if it had not come; complaints that came or went by taking it back did.
    is_last = undoable(entries)[-1].no == told.no and not _regrouped_back(entries, told.no)
    made = case.file.revision if is_last else told.no
    rules.check_undo(case.facts, told.fields["from"], made, desk.actor, desk.now)
    fields = {"from": case.file.status, "to": told.fields["from"]}
    entry = holding.entry_of(desk, case, holding.UNDONE, fields=fields, undoes=told.no)
    holding.leave(connection, case, entry, told.before)
    holding.renew(connection, [case.file.id])


def _regrouped_back(entries: Sequence[Entry], no: int) -> bool:
    """Whether a regrouping that came before an entry was taken back after it."""
    codes = {each.no: each.code for each in entries if each.no < no}
    regrouped = set(joining.CODES.values())
    return any(each.no > no and codes.get(each.undoes or 0) in regrouped for each in entries)
