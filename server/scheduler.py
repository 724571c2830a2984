"""The jobs of a hub: a clock ticks each minute, and the database says who does what is due, once."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from server.domain.errors import trace_of
from server.hub import Hub
from server.services import audit, backups, maintenance, retention, search_texts
from server.services.intake import admission

log = logging.getLogger(__name__)

_TICK_S: Final = 60
_UPKEEP_HOUR: Final = 3
# Before the nightly backup, as it is set when nobody set it: what is restored then has the newest anchor.
_ANCHOR_HOUR: Final = 1


@dataclass(frozen=True)
class Job:
    """One job: `due` is the last time at or before now when it should have run, None when it is not wanted.

    Only that one time counts: whatever was missed before it is caught up by one run.
    """

    name: str
    due: Callable[[Hub, datetime], datetime | None]
    run: Callable[[Hub], None]


def run_if_due(hub: Hub, job: Job) -> str | None:
    """Run the job if it is due and nobody took this run; gives how it ended, None when it did not run.

    A run that failed, or whose process died, is not repeated before its next due time.
    """
    now = hub.clock()
    due_at = job.due(hub, now)
    if due_at is None or not maintenance.claim(hub.store, job.name, due_at, now):
        return None
    try:
        job.run(hub)
        outcome = "done"
    except Exception as error:  # noqa: BLE001 - a failed job must not end the clock
        log.error("job_failed", extra={"job": job.name} | trace_of(error))
        outcome = f"failed: {type(error).__name__}"[:40]
    maintenance.finish(hub.store, job.name, due_at, hub.clock(), outcome)
    return outcome


@contextmanager
def running_jobs(hub: Hub) -> Iterator[None]:
    """Do the jobs of the catalogue in the background; the block ends when those that run have ended."""
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(len(JOBS))},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone=UTC,
    )
    for job in JOBS:
        scheduler.add_job(
            run_if_due,
            IntervalTrigger(seconds=_TICK_S, timezone=UTC),
            args=(hub, job),
            id=job.name,
            next_run_time=datetime.now(UTC),
        )
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=True)


def _hourly(_: Hub, now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)


def _daily(now: datetime, hour: int) -> datetime:
    today = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    return today if today <= now else today - timedelta(days=1)


def _backup_due(hub: Hub, now: datetime) -> datetime | None:
    return _daily(now, hub.settings.backup_hour) if hub.settings.backup_recipient else None


def _upkeep_due(_: Hub, now: datetime) -> datetime:
    return _daily(now, _UPKEEP_HOUR)


def _anchor_due(_: Hub, now: datetime) -> datetime:
    return _daily(now, _ANCHOR_HOUR)


def _index_due(hub: Hub, now: datetime) -> datetime | None:
    # Only where there is something to do: each due time is a row.
    return now.replace(second=0, microsecond=0) if search_texts.is_any_pending(hub.store) else None


def _anchor(hub: Hub) -> None:
    audit.anchor_day(hub.store, hub.identity.id, hub.identity.sign_key, hub.clock())


def _back_up(hub: Hub) -> None:
    backups.make(hub.store, hub.settings, hub.identity.id, hub.secrets.database, hub.clock())


def _index(hub: Hub) -> None:
    search_texts.read_pending(hub.store)


def _release(hub: Hub) -> None:
    admission.release_held(hub.store, hub.settings.registry_prefix, hub.clock(), hub.gazetteer())


def _upkeep(hub: Hub) -> None:
    maintenance.upkeep(hub.store, hub.clock(), hub.settings.frame_report_days)


def _erase_due(hub: Hub) -> None:
    retention.erase_due(hub.store, retention.keeping(hub.settings, hub.secrets.database), hub.clock())


JOBS: Final = (
    Job("anchor", _anchor_due, _anchor),
    Job("backup", _backup_due, _back_up),
    Job("index", _index_due, _index),
    Job("release", _hourly, _release),
    Job("retention", _upkeep_due, _erase_due),
    Job("upkeep", _upkeep_due, _upkeep),
)
