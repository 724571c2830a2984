"""Keeping a hub: what it holds, how it is, and the upkeep that jobs do, each due time once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from client_sync.protocol import linkage
from server.domain.errors import JobRuns
from server.domain.matching import profiles
from server.domain.people import FAILURES_KEPT, IDLE_MAX
from server.domain.permission import JOB, OPERATOR
from server.store import (
    accounts,
    audit,
    backups,
    complaints,
    deliveries,
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

Claim = jobs.Claim
Run = jobs.Run
DONE: Final = jobs.DONE
# How long the log of jobs goes back, and how long for runs that went well: of these there is one each minute.
_RUNS_KEPT: Final = timedelta(days=90)
_RUNS_KEPT_IF_DONE: Final = timedelta(days=7)
_DELIVERIES_KEPT: Final = timedelta(days=90)
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
            "runs": jobs.forget(connection, done_before=now - _RUNS_KEPT_IF_DONE, before=now - _RUNS_KEPT),
            "deliveries": deliveries.forget(connection, now - _DELIVERIES_KEPT),
            "sessions": accounts.drop_unused(connection, now - IDLE_MAX),
        }
        if any(dropped.values()):
            audit.record(connection, at=now, actor=JOB.signature, action="upkeep", object="hub", details=dropped)
    lite.tidy(store.engine)


def claim(store: Store, job: str, due_at: datetime, now: datetime) -> Claim | None:
    """Take a run of a job for this process; None when another has it or had it, here or elsewhere.

    A run whose process died is taken again once its lease is over, and one that failed after a while, a few times.
    """
    with store.read() as connection:
        found = jobs.find(connection, job, due_at)
    if found is not None and not found.is_free(now):
        return None
    with store.write() as connection:
        return jobs.claim(connection, job, due_at, now)


def claim_by_hand(store: Store, job: str, due_at: datetime, now: datetime) -> Claim:
    """Take the run of a due time for an operator, be it one that failed, or one of this moment when that is done; the
    log says so.

    Raises JobRuns when a process has it in hand.
    """
    with store.write() as connection:
        found = jobs.find(connection, job, due_at)
        if found is not None and found.finished_at is None and not found.is_left(now):
            raise JobRuns(name=job)
        if found is not None and found.has_failed:
            held = jobs.take_again(connection, found, now)
        else:
            held = jobs.claim(connection, job, due_at, now) or jobs.claim(connection, job, now, now)
        if held is None:
            raise JobRuns(name=job)
        audit.record(connection, at=now, actor=OPERATOR.signature, action="job_run", object=f"job:{job}")
    return held


def extend(store: Store, held: Claim, now: datetime) -> None:
    """Say that a run goes on."""
    with store.write() as connection:
        jobs.extend(connection, held, now)


def finish(store: Store, held: Claim, now: datetime, outcome: str) -> None:
    """Note how a run ended, unless another process took it over."""
    with store.write() as connection:
        jobs.finish(connection, held, now, outcome)


def last_runs(store: Store, now: datetime) -> list[Run]:
    """The latest run of every job."""
    with store.read() as connection:
        return jobs.last_runs(connection, now)


def engine_facts(store: Store) -> dict[str, str]:
    """What SQLite says of itself; empty for another engine, which its own administrator looks after."""
    return lite.facts(store.engine)
