"""Keeping a hub: what it holds, how it is, and the upkeep that jobs do, each due time once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from client_sync.protocol import linkage
from server.domain.matching import profiles
from server.domain.people import FAILURES_KEPT, IDLE_MAX
from server.domain.permission import JOB
from server.store import (
    accounts,
    audit,
    backups,
    complaints,
    devices,
    duplicates,
    jobs,
    linkages,
    lite,
    quarantine,
    search_texts,
    unmatched,
)
from server.store.backups import Backup
from server.store.engine import Store
from server.store.jobs import Run

# How long the log of jobs goes back.
_RUNS_KEPT: Final = timedelta(days=90)
# How long a linkage waits for its complaint: one comes with the other, or soon after it on another road; one that is
# set aside has as long as a person may take to put it right.
_LINKAGE_KEPT: Final = timedelta(days=1)
_LINKAGE_KEPT_IF_SET_ASIDE: Final = timedelta(days=30)


@dataclass(frozen=True)
class Counts:
    """How much a hub holds."""

    complaints: int
    set_aside: int
    devices: int


@dataclass(frozen=True)
class Health:
    """How a hub is: what waits for a person, and when things last went well.

    `unread` complaints are not found by their words yet, `unmatched` ones were not compared with the others;
    `later_linkages` are of a version that this hub can't read, `old_profiles` not comparable with those made now,
    and `matched_by_facts` were matched by less than was told of them.
    """

    set_aside: int
    unconfirmed: int
    unread: int
    unmatched: int
    later_linkages: int
    old_profiles: int
    matched_by_facts: int
    newest_sync_at: datetime | None
    last_backup: Backup | None


def counts(store: Store) -> Counts:
    """How much the hub holds now."""
    with store.read() as connection:
        return Counts(
            complaints.count(connection),
            sum(quarantine.count_waiting(connection).values()),
            len(devices.listed(connection)),
        )


def health(store: Store) -> Health:
    """How the hub is now."""
    with store.read() as connection:
        known = devices.listed(connection)
        later, old = duplicates.count_foreign(connection, linkage.SCHEME, profiles.SCHEME)
        return Health(
            set_aside=sum(quarantine.count_waiting(connection).values()),
            unconfirmed=sum(device.state == "waiting" for device in known),
            unread=search_texts.count_pending(connection),
            unmatched=unmatched.count(connection),
            later_linkages=later,
            old_profiles=old,
            matched_by_facts=duplicates.count_by_facts(connection),
            newest_sync_at=max((device.last_sync_at for device in known if device.last_sync_at), default=None),
            last_backup=backups.last(connection),
        )


def upkeep(store: Store, now: datetime, frame_report_days: int) -> None:
    """Drop what nobody asks for any more, and let the database take stock of itself."""
    with store.write() as connection:
        dropped = {
            "enrolments": devices.drop_expired_enrolments(connection, now),
            "failures": accounts.drop_failures(connection, now - FAILURES_KEPT),
            "linkages": linkages.drop_lost(connection, now - _LINKAGE_KEPT, now - _LINKAGE_KEPT_IF_SET_ASIDE),
            "frames": devices.forget_frames(connection, now - timedelta(days=frame_report_days)),
            "runs": jobs.forget(connection, now - _RUNS_KEPT),
            "sessions": accounts.drop_unused(connection, now - IDLE_MAX),
        }
        if any(dropped.values()):
            audit.record(connection, at=now, actor=JOB.signature, action="upkeep", object="hub", details=dropped)
    lite.tidy(store.engine)


def claim(store: Store, job: str, due_at: datetime, now: datetime) -> bool:
    """Take a run of a job for this process; False when it was taken before, here or elsewhere."""
    with store.read() as connection:
        if jobs.was_claimed(connection, job, due_at):
            return False
    with store.write() as connection:
        return jobs.claim(connection, job, due_at, now)


def finish(store: Store, job: str, due_at: datetime, now: datetime, outcome: str) -> None:
    """Note how a run ended."""
    with store.write() as connection:
        jobs.finish(connection, job, due_at, now, outcome)


def last_runs(store: Store) -> list[Run]:
    """The latest run of every job."""
    with store.read() as connection:
        return jobs.last_runs(connection)


def engine_facts(store: Store) -> dict[str, str]:
    """What SQLite says of itself; empty for another engine, which its own administrator looks after."""
    return lite.facts(store.engine)
