"""Retention: what is erased, by a person or because its time is over, and what a legal hold keeps from it."""

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.errors import Busy, ErasureHeld, ErasureListUnreadable, HoldRefused, NotFound, trace_of
from server.domain.permission import JOB, UNREADABLE, Action, permit
from server.domain.retention import Hold, Schedule, gone_at
from server.store import (
    audit,
    backups,
    cases,
    devices,
    erasure_list,
    erasures,
    legal_holds,
    lite,
    reconciling,
    registry,
    sealed,
)
from server.store.depot import Depot
from server.store.engine import Store
from server.store.erasures import Subject

log = logging.getLogger(__name__)

# Complaints that one run of the job erases at most; the next day takes the rest.
ERASED_MAX: Final = 500
# Oldest first, and few enough to be asked about holds at once.
_PAGE: Final = 500


class Settings(Protocol):
    """What of the hub's settings retention goes by."""

    @property
    def data(self) -> Path:
        """Folder of the hub."""

    @property
    def backups(self) -> Path:
        """Folder of the backups."""

    @property
    def backup_keep_days(self) -> int:
        """Days that a backup is kept."""

    @property
    def withdrawn_keep_days(self) -> int:
        """Days that a complaint is kept which was withdrawn altogether."""

    @property
    def complaint_keep_days(self) -> int:
        """Days that any other complaint is kept; 0: for good."""


@dataclass(frozen=True)
class Keeping:
    """What erasing goes by. `lists` are the files of the erasure list, `key` the key of the database, 32 bytes; files
    go from the `depot` and from their copies in the folder of `backups`."""

    schedule: Schedule
    lists: tuple[Path, ...]
    key: bytes = field(repr=False)
    depot: Depot
    backups: Path


@dataclass(frozen=True)
class Erasure:
    """What an erasure removed, and when the last backup that may hold it is gone, where there are any.

    `is_cleared` is false while somebody reads an older state: the daily upkeep clears the log of the database then.
    """

    operations: int
    gone_at: datetime
    has_backups: bool
    is_cleared: bool


@dataclass(frozen=True)
class Due:
    """Complaints of one class: how many days they are kept (0: for good), and how many are past that."""

    name: str
    days: int
    due: int


@dataclass(frozen=True)
class Overview:
    """How retention stands; `holds` by registry number."""

    classes: tuple[Due, ...]
    holds: tuple[tuple[str, Hold], ...]
    erased: int
    gone_at: datetime | None
    has_backups: bool


def keeping(settings: Settings, key: bytes, depot: Depot) -> Keeping:
    """What the settings say; the erasure list is kept beside the data and beside the backups."""
    schedule = Schedule(settings.withdrawn_keep_days, settings.complaint_keep_days, settings.backup_keep_days)
    lists = tuple(folder / erasure_list.NAME for folder in (settings.data, settings.backups))
    return Keeping(schedule, lists, key, depot, settings.backups)


def erase(store: Store, desk: Desk, number: str, reason: str, keeping: Keeping) -> Erasure:
    """Erase the complaint with a registry number, and all that came about it; `reason` is one of REASONS.

    Raises NotFound, also for who may not, ErasureHeld when a legal hold keeps it, and Busy where another device says
    something of it at this moment.
    """
    with store.write() as connection:
        complaint = registry.complaint_numbered(connection, number)
        subject = None if complaint is None else _take(connection, complaint)
        operations = _erase(connection, desk, _permitted(connection, desk, subject, number), reason, keeping)
    return _cleared(store, operations, keeping, desk.now)


def erase_aside(store: Store, desk: Desk, quarantine: int, reason: str, keeping: Keeping) -> Erasure:
    """Erase what was set aside, and what else waits for it; what is filed goes by its number. Raises as `erase`."""
    with store.write() as connection:
        subject = _take_aside(connection, quarantine)
        operations = _erase(connection, desk, _permitted(connection, desk, subject, quarantine), reason, keeping)
    return _cleared(store, operations, keeping, desk.now)


def erase_due(store: Store, keeping: Keeping, now: datetime) -> int:
    """Erase the complaints whose time is over and that no hold keeps; gives how many.

    Writes the erasure list in any case: an erasure that was interrupted before its list is made good here.
    """
    due = [id for state in keeping.schedule.days for id in _due(store, state, keeping, now)][:ERASED_MAX]
    for complaint in due:
        with store.write() as connection:
            subject = _take(connection, complaint)
            # Somebody else may have erased it, or asked to keep it, since it was found.
            if subject is not None and not legal_holds.blocked(connection, [complaint]):
                _remove(connection, subject, JOB.signature, "expired", keeping, now)
    if due:
        lite.clear_log(store.engine)
    _write_lists(store, keeping, now)
    _remove_files(store, keeping)
    return len(due)


def hold(store: Store, desk: Desk, number: str) -> Hold:
    """Ask that nothing of a complaint be erased, which another account agrees to; gives the hold as it stands then.

    Raises NotFound, also for who may not, and HoldRefused when there is a hold already.
    """
    with store.write() as connection:
        complaint = _holdable(connection, desk, number)
        if legal_holds.current(connection, complaint) is not None:
            raise HoldRefused(fault="there")
        legal_holds.ask(connection, complaint, desk.actor.id, desk.now)
        _note_hold(connection, desk, "hold_ask", complaint)
        return _held(connection, complaint)


def agree(store: Store, desk: Desk, number: str) -> Hold:
    """Be the second account for what was asked last, the hold or its end; gives the hold as it stands then.

    Raises NotFound, and HoldRefused when nothing was asked, or the same account asked.
    """
    with store.write() as connection:
        complaint = _holdable(connection, desk, number)
        found = _held(connection, complaint)
        if not found.may_agree(desk.actor.id):
            raise HoldRefused(fault="nothing_asked" if found.state == "agreed" else "same_person")
        if found.state == "lift_asked":
            return _end(connection, desk, found)
        legal_holds.agree(connection, found.id, desk.actor.id, desk.now)
        _note_hold(connection, desk, "hold_agree", complaint)
        return replace(found, agreed_by=desk.actor.id)


def lift(store: Store, desk: Desk, number: str) -> Hold:
    """Ask for the end of a hold, which another account agrees to; one that nobody agreed to ends at once.

    Gives the hold as it stands then. Raises NotFound, and HoldRefused when there is none, or its end was asked before.
    """
    with store.write() as connection:
        complaint = _holdable(connection, desk, number)
        found = _held(connection, complaint)
        if found.state == "lift_asked":
            raise HoldRefused(fault="lift_asked")
        if found.state == "asked":
            return _end(connection, desk, found)
        legal_holds.ask_lift(connection, found.id, desk.actor.id)
        _note_hold(connection, desk, "hold_lift_ask", complaint)
        return replace(found, lift_asked_by=desk.actor.id)


def overview(store: Store, keeping: Keeping, now: datetime) -> Overview:
    """What is kept for how long, what is past that, and what holds it."""
    days = keeping.schedule.days
    due = tuple(Due(state, days[state], len(_due(store, state, keeping, now))) for state in days)
    with store.read() as connection:
        holds = legal_holds.listed(connection)
        numbers = registry.numbers_of(connection, [each.complaint for each in holds])
        return Overview(
            classes=due,
            holds=tuple((numbers[each.complaint], each) for each in holds),
            erased=erasures.count_erased(connection),
            gone_at=erasures.last_gone_at(connection),
            has_backups=backups.has_any(connection),
        )


def lists_behind(store: Store, keeping: Keeping) -> list[Path]:
    """The erasure lists that lack something erased, are damaged or not there: a restore would bring it back.

    The daily job writes them anew.
    """
    with store.read() as connection:
        erased = {(each.lineage, each.client_id, each.hash) for each in erasures.listed(connection)}
    there = [path for path in keeping.lists if path.parent.is_dir()]
    return [path for path in there if not erased <= _on_list(path, keeping.key)]


def _due(store: Store, state: str, keeping: Keeping, now: datetime) -> list[int]:
    """Complaints of a state that are past their time and not held."""
    before = keeping.schedule.quiet_before(state, now)
    if before is None:
        return []
    with store.read() as connection:
        found = erasures.quiet(connection, state, before, _PAGE)
        held = legal_holds.blocked(connection, found)
    return [id for id in found if id not in held]


def _take(connection: sa.Connection, complaint: int) -> Subject | None:
    """The complaint to erase, locked as intake and case work lock: the lineages, by their ids, then the complaints, its
    case's with it.

    Their intake waits: what they send next finds the erasure.
    """
    lineages, beside = erasures.lineages_of(connection, complaint), cases.beside(connection, complaint)
    for each in sorted(lineages):
        devices.lock_lineage(connection, each)
    cases.lock_complaints(connection, beside)
    subject = erasures.subject_of(connection, complaint)
    is_more = not erasures.lineages_of(connection, complaint) <= lineages
    if is_more or not cases.beside(connection, complaint) <= beside:
        # Another was told of it, or spoke of it, or joined it to another, at this moment.
        raise Busy
    return subject


def _take_aside(connection: sa.Connection, quarantine: int) -> Subject | None:
    found = erasures.subject_aside(connection, quarantine)
    if found is None:
        return None
    devices.lock_lineage(connection, found.lineage)
    return erasures.subject_aside(connection, quarantine)


def _permitted(connection: sa.Connection, desk: Desk, subject: Subject | None, name: object) -> Subject:
    """The subject, for who may erase it; to anybody else it is not there."""
    if subject is None or not _may(connection, desk, "erase_complaint", subject.complaint):
        raise NotFound(object=name)
    return subject


def _erase(connection: sa.Connection, desk: Desk, subject: Subject, reason: str, keeping: Keeping) -> int:
    if subject.complaint is not None and legal_holds.blocked(connection, [subject.complaint]):
        raise ErasureHeld
    return _remove(connection, subject, desk.actor.signature, reason, keeping, desk.now)


def _cleared(store: Store, operations: int, keeping: Keeping, now: datetime) -> Erasure:
    """What was erased, once it is out of the log of the database and on the erasure list."""
    is_cleared = lite.clear_log(store.engine)
    _write_lists(store, keeping, now)
    _remove_files(store, keeping)
    with store.read() as connection:
        has_backups = backups.has_any(connection)
    return Erasure(operations, gone_at(now, keeping.schedule.backup_days), has_backups, is_cleared)


def _may(connection: sa.Connection, desk: Desk, action: Action, complaint: int | None) -> bool:
    standing = None if complaint is None else sealed.standings(connection, [complaint]).get(complaint)
    target = UNREADABLE if standing is None else standing.target(desk.places)
    return permit(desk.actor, action, target)


def _remove(
    connection: sa.Connection, subject: Subject, actor: str, reason: str, keeping: Keeping, now: datetime
) -> int:
    """Gives how many operations were removed."""
    left = erasures.wipe(connection, subject, now, gone_at(now, keeping.schedule.backup_days))
    audit.record(
        connection,
        at=now,
        actor=actor,
        action="erase",
        object=f"complaint:{subject.complaint}" if subject.complaint is not None else f"lineage:{subject.lineage}",
        details={"operations": len(left), "because": reason},
    )
    return len(left)


def _remove_files(store: Store, keeping: Keeping) -> None:
    """What can't be removed now stands in its table, and the daily upkeep of files tries again."""
    try:
        reconciling.remove_unkept(store, keeping.depot, reconciling.within_reach(store, keeping.backups))
    except OSError as fault:
        log.error("files_not_removed", extra=trace_of(fault))


def _write_lists(store: Store, keeping: Keeping, now: datetime) -> None:
    with store.read() as connection:
        erased = erasures.listed(connection)
    for path in keeping.lists:
        # The folder of backups may be another disk, which is not there before the first of them.
        if path.parent.is_dir():
            erasure_list.write(path, keeping.key, erased, now)


def _on_list(path: Path, key: bytes) -> set[tuple[str, str, str]]:
    try:
        return {(each.lineage, each.client_id, each.hash) for each in erasure_list.read(path, key).erased}
    except ErasureListUnreadable:
        return set()


def _holdable(connection: sa.Connection, desk: Desk, number: str) -> int:
    """The complaint with a registry number, locked, for who may hold it; to anybody else it is not there."""
    complaint = registry.complaint_numbered(connection, number)
    is_there = complaint is not None and erasures.subject_of(connection, complaint) is not None
    if complaint is None or not is_there or not _may(connection, desk, "hold_complaint", complaint):
        raise NotFound(object=number)
    return complaint


def _held(connection: sa.Connection, complaint: int) -> Hold:
    found = legal_holds.current(connection, complaint)
    if found is None:
        raise HoldRefused(fault="none")
    return found


def _end(connection: sa.Connection, desk: Desk, found: Hold) -> Hold:
    legal_holds.lift(connection, found.id, desk.actor.id, desk.now)
    _note_hold(connection, desk, "hold_lift", found.complaint)
    return replace(found, lifted_by=desk.actor.id)


def _note_hold(connection: sa.Connection, desk: Desk, action: str, complaint: int) -> None:
    audit.record(connection, at=desk.now, actor=desk.actor.signature, action=action, object=f"complaint:{complaint}")
