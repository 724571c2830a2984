"""Retention: what is erased, by a person or because its time is over, and what a legal hold keeps from it."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import sqlalchemy as sa

from server.domain.errors import ErasureHeld, HoldRefused, NotFound
from server.domain.permission import UNREADABLE, Actor, Target, permit
from server.domain.places import Gazetteer
from server.domain.retention import Hold, Schedule, gone_at
from server.store import audit, devices, erasure_list, erasures, legal_holds, lite, registry, sealed
from server.store.engine import Store
from server.store.erasures import Subject

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
class Desk:
    """What erasing goes by. `lists` are the files of the erasure list, `key` the key of the database, 32 bytes.

    `places` say in which region a complaint lies, and so who may erase it.
    """

    schedule: Schedule
    places: Gazetteer | None
    lists: tuple[Path, ...]
    key: bytes
    now: datetime

    @property
    def gone_at(self) -> datetime:
        """When the last backup is gone that may hold what is erased now."""
        return gone_at(self.now, self.schedule.backup_days)


@dataclass(frozen=True)
class Erasure:
    """What an erasure removed, and when the last backup that may hold it is gone.

    `is_cleared` is false while somebody reads an older state: the daily upkeep clears the log of the database then.
    """

    operations: int
    gone_at: datetime
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


def desk(settings: Settings, key: bytes, places: Gazetteer | None, now: datetime) -> Desk:
    """What the settings say; the erasure list is kept beside the data and beside the backups."""
    schedule = Schedule(settings.withdrawn_keep_days, settings.complaint_keep_days, settings.backup_keep_days)
    lists = tuple(folder / erasure_list.NAME for folder in (settings.data, settings.backups))
    return Desk(schedule, places, lists, key, now)


def erase(store: Store, number: str, actor: Actor, reason: str, desk: Desk) -> Erasure:
    """Erase the complaint with a registry number, and all that came about it; `reason` is one of REASONS.

    Raises NotFound, also for who may not, and ErasureHeld when a legal hold keeps it.
    """
    with store.write() as connection:
        complaint = registry.complaint_numbered(connection, number)
        subject = None if complaint is None else erasures.subject_of(connection, complaint)
        operations = _erase(connection, _permitted(connection, subject, actor, number, desk), actor, reason, desk)
    return _cleared(store, operations, desk)


def erase_aside(store: Store, quarantine: int, actor: Actor, reason: str, desk: Desk) -> Erasure:
    """Erase what was set aside, and what else waits for it; what is filed goes by its number. Raises as `erase`."""
    with store.write() as connection:
        subject = erasures.subject_aside(connection, quarantine)
        operations = _erase(connection, _permitted(connection, subject, actor, quarantine, desk), actor, reason, desk)
    return _cleared(store, operations, desk)


def erase_due(store: Store, desk: Desk) -> int:
    """Erase the complaints whose time is over and that no hold keeps; gives how many.

    Writes the erasure list in any case: an erasure that was interrupted before its list is made good here.
    """
    due = [id for state in desk.schedule.days for id in _due(store, state, desk)][:ERASED_MAX]
    for complaint in due:
        with store.write() as connection:
            subject = erasures.subject_of(connection, complaint)
            # Somebody else may have erased it, or asked to keep it, since it was found.
            if subject is not None and not legal_holds.blocked(connection, [complaint]):
                _remove(connection, subject, "job", "expired", desk)
    if due:
        lite.clear_log(store.engine)
    _write_lists(store, desk)
    return len(due)


def hold(store: Store, number: str, actor: Actor, desk: Desk) -> Hold:
    """Ask that nothing of a complaint be erased, which another account agrees to; gives the hold as it stands then.

    Raises NotFound, also for who may not, and HoldRefused when there is a hold already.
    """
    with store.write() as connection:
        complaint = _holdable(connection, number, actor, desk)
        if legal_holds.current(connection, complaint) is not None:
            raise HoldRefused(fault="there")
        legal_holds.ask(connection, complaint, actor.id, desk.now)
        _note_hold(connection, actor, "hold_ask", complaint, desk)
        return _held(connection, complaint)


def agree(store: Store, number: str, actor: Actor, desk: Desk) -> Hold:
    """Be the second account for what was asked last, the hold or its end; gives the hold as it stands then.

    Raises NotFound, and HoldRefused when nothing was asked, or the same account asked.
    """
    with store.write() as connection:
        complaint = _holdable(connection, number, actor, desk)
        found = _held(connection, complaint)
        if not found.may_agree(actor.id):
            raise HoldRefused(fault="nothing_asked" if found.state == "agreed" else "same_person")
        if found.state == "lift_asked":
            return _end(connection, found, actor, desk)
        legal_holds.agree(connection, found.id, actor.id, desk.now)
        _note_hold(connection, actor, "hold_agree", complaint, desk)
        return replace(found, agreed_by=actor.id)


def lift(store: Store, number: str, actor: Actor, desk: Desk) -> Hold:
    """Ask for the end of a hold, which another account agrees to; one that nobody agreed to ends at once.

    Gives the hold as it stands then. Raises NotFound, and HoldRefused when there is none, or its end was asked before.
    """
    with store.write() as connection:
        complaint = _holdable(connection, number, actor, desk)
        found = _held(connection, complaint)
        if found.state == "lift_asked":
            raise HoldRefused(fault="lift_asked")
        if found.state == "asked":
            return _end(connection, found, actor, desk)
        legal_holds.ask_lift(connection, found.id, actor.id)
        _note_hold(connection, actor, "hold_lift_ask", complaint, desk)
        return replace(found, lift_asked_by=actor.id)


def overview(store: Store, desk: Desk) -> Overview:
    """What is kept for how long, what is past that, and what holds it."""
    due = tuple(Due(state, days, len(_due(store, state, desk))) for state, days in desk.schedule.days.items())
    with store.read() as connection:
        holds = legal_holds.listed(connection)
        numbers = registry.numbers_of(connection, [each.complaint for each in holds])
        return Overview(
            classes=due,
            holds=tuple((numbers[each.complaint], each) for each in holds),
            erased=erasures.count_erased(connection),
            gone_at=erasures.last_gone_at(connection),
        )


def _due(store: Store, state: str, desk: Desk) -> list[int]:
    """Complaints of a state that are past their time and not held."""
    before = desk.schedule.quiet_before(state, desk.now)
    if before is None:
        return []
    with store.read() as connection:
        found = erasures.quiet(connection, state, before, _PAGE)
        held = legal_holds.blocked(connection, found)
    return [id for id in found if id not in held]


def _permitted(
    connection: sa.Connection, subject: Subject | None, actor: Actor, name: object, desk: Desk
) -> Subject:
    """The subject, for who may erase it; to anybody else it is not there."""
    if subject is None or not permit(actor, "erase_complaint", _target(connection, subject.complaint, desk)):
        raise NotFound(object=name)
    return subject


def _erase(connection: sa.Connection, subject: Subject, actor: Actor, reason: str, desk: Desk) -> int:
    if subject.complaint is not None and legal_holds.blocked(connection, [subject.complaint]):
        raise ErasureHeld
    return _remove(connection, subject, actor.signature, reason, desk)


def _cleared(store: Store, operations: int, desk: Desk) -> Erasure:
    """What was erased, once it is out of the log of the database and on the erasure list."""
    is_cleared = lite.clear_log(store.engine)
    _write_lists(store, desk)
    return Erasure(operations, desk.gone_at, is_cleared)


def _target(connection: sa.Connection, complaint: int | None, desk: Desk) -> Target:
    standing = None if complaint is None else sealed.standings(connection, [complaint]).get(complaint)
    return UNREADABLE if standing is None else standing.target(desk.places)


def _remove(connection: sa.Connection, subject: Subject, actor: str, reason: str, desk: Desk) -> int:
    """Gives how many operations were removed."""
    # Intake of this lineage waits: what it sends next finds the erasure.
    devices.lock_lineage(connection, subject.lineage)
    left = erasures.wipe(connection, subject, desk.now, desk.gone_at)
    audit.record(
        connection,
        at=desk.now,
        actor=actor,
        action="erase",
        object=f"complaint:{subject.complaint}" if subject.complaint is not None else f"lineage:{subject.lineage}",
        details={"operations": len(left), "because": reason},
    )
    return len(left)


def _write_lists(store: Store, desk: Desk) -> None:
    with store.read() as connection:
        erased = erasures.listed(connection)
    for path in desk.lists:
        # The folder of backups may be another disk, which is not there before the first of them.
        if path.parent.is_dir():
            erasure_list.write(path, desk.key, erased)


def _holdable(connection: sa.Connection, number: str, actor: Actor, desk: Desk) -> int:
    """The complaint with a registry number, locked, for who may hold it; to anybody else it is not there."""
    complaint = registry.complaint_numbered(connection, number)
    is_there = complaint is not None and erasures.subject_of(connection, complaint) is not None
    if complaint is None or not is_there or not permit(actor, "hold_complaint", _target(connection, complaint, desk)):
        raise NotFound(object=number)
    return complaint


def _held(connection: sa.Connection, complaint: int) -> Hold:
    found = legal_holds.current(connection, complaint)
    if found is None:
        raise HoldRefused(fault="none")
    return found


def _end(connection: sa.Connection, found: Hold, actor: Actor, desk: Desk) -> Hold:
    legal_holds.lift(connection, found.id, actor.id, desk.now)
    _note_hold(connection, actor, "hold_lift", found.complaint, desk)
    return replace(found, lifted_by=actor.id)


def _note_hold(connection: sa.Connection, actor: Actor, action: str, complaint: int, desk: Desk) -> None:
    audit.record(
        connection, at=desk.now, actor=actor.signature, action=action, object=f"complaint:{complaint}"
    )
