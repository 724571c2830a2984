"""The jobs of a hub: a clock ticks each minute, and the database says who does what is due, once."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Final, Literal

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from server.domain.errors import ClockDoubted, SeereError, trace_of
from server.domain.permission import JOB
from server.hub import Hub
from server.services import (
    audit,
    backups,
    clock,
    deputies,
    maintenance,
    notices,
    retention,
    search_texts,
    silences,
    statistics,
)
from server.services.cases import acknowledging, escalating, following, referring, tasking, telling
from server.services.commission import answering, carrying, preparing
from server.services.evidence import receiving as evidence
from server.services.intake import admission
from server.services.maintenance import Claim, Run

log = logging.getLogger(__name__)

_TICK_S: Final = 60
# Room for a backup, an erasing and a receiver that is slow, and for the rest beside them; each more may take a
# connection to the database from a device.
_THREADS: Final = 6
BACKUP: Final = "backup"
# A sign of life of a run that goes on, far more often than its lease asks for.
_SIGN_S: Final = 60.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# How a job stands: it is done, it failed, its process died and nobody took it up yet, it runs, it never ran.
Outcome = Literal["done", "failed", "left", "running", "never"]


@dataclass(frozen=True)
class Cadence:
    """Due times at equal distances: one each `period`, which divides a day or is one, and the first at `start`."""

    period: timedelta
    start: timedelta = timedelta(0)

    def last(self, now: datetime) -> datetime:
        """The last due time at or before now."""
        return _EPOCH + self.start + (now - _EPOCH - self.start) // self.period * self.period


def _always(_: Hub) -> bool:
    return True


@dataclass(frozen=True)
class Job:
    """One job: only the last due time of its cadence counts, so whatever was missed is caught up by one run.

    What it does can be done twice: a run that failed, or whose process died, is taken up again. `is_wanted`: whether
    there is anything to do; each run is a row. `needs_clock`: it does for good what time asks for, so it waits while
    the clock is doubted.
    """

    name: str
    cadence: Callable[[Hub], Cadence]
    run: Callable[[Hub], object]
    is_wanted: Callable[[Hub], bool] = _always
    needs_clock: bool = True


@dataclass(frozen=True)
class Stand:
    """How a job stands: its last run, how that ended, and when the next is due; None while there is nothing to do.

    `waits`: for a clock that is not doubted.
    """

    job: Job
    last: Run | None
    outcome: Outcome
    next_at: datetime | None
    waits: bool


def run_if_due(hub: Hub, job: Job) -> str | None:
    """Run the job if it is due and nobody has or had this run; gives how it ended, None when it did not run.

    A run whose process died is taken up once its lease is over, and one that failed after a while, a few times.
    """
    now = hub.clock()
    if job.needs_clock and not clock.look(hub.store, now):
        return None
    if not job.is_wanted(hub):
        return None
    held = maintenance.claim(hub.store, job.name, job.cadence(hub).last(now), now)
    return None if held is None else _run(hub, job, held)


def run_by_hand(hub: Hub, job: Job) -> str:
    """Run a job because an operator says so, with a claim like any run; gives how it ended.

    Raises JobRuns while a process has it in hand, and ClockDoubted.
    """
    now = hub.clock()
    if not clock.look(hub.store, now) and job.needs_clock:
        raise ClockDoubted
    return _run(hub, job, maintenance.claim_by_hand(hub.store, job.name, job.cadence(hub).last(now), now))


def stands(hub: Hub) -> list[Stand]:
    """How every job stands now, in the order of their names."""
    now = hub.clock()
    runs = {run.name: run for run in maintenance.last_runs(hub.store, now)}
    is_doubted = clock.standing(hub.store).doubted is not None
    return [_stand(hub, job, runs.get(job.name), now, is_doubted=is_doubted) for job in JOBS]


@contextmanager
def running_jobs(hub: Hub) -> Iterator[None]:
    """Do the jobs of the catalogue in the background; the block ends when those that run have ended."""
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(_THREADS)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone=UTC,
    )
    ticks = [(job.name, run_if_due, (hub, job)) for job in JOBS]
    for name, tick, args in [("clock", _look, (hub,)), *ticks]:
        trigger = IntervalTrigger(seconds=_TICK_S, timezone=UTC)
        scheduler.add_job(tick, trigger, args=args, id=name, next_run_time=datetime.now(UTC))
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=True)


def _look(hub: Hub) -> None:
    clock.look(hub.store, hub.clock())


def _run(hub: Hub, job: Job, held: Claim) -> str:
    try:
        with _signs_of_life(hub, held):
            job.run(hub)
        outcome = maintenance.DONE
    except Exception as error:  # noqa: BLE001 - a failed job must not end the clock
        log.error("job_failed", extra={"job": job.name} | trace_of(error))
        outcome = f"failed: {type(error).__name__}"[:40]
    maintenance.finish(hub.store, held, hub.clock(), outcome)
    return outcome


@contextmanager
def _signs_of_life(hub: Hub, held: Claim) -> Iterator[None]:
    """Keep the run this process's own while the block runs, however long that is."""
    over = Event()

    def extend() -> None:
        while not over.wait(_SIGN_S):
            try:
                maintenance.extend(hub.store, held, hub.clock())
            except SeereError as error:
                # The next sign comes long before the lease is over.
                log.warning("lease_not_extended", extra={"job": held.name} | trace_of(error))

    thread = Thread(target=extend, name=f"lease of {held.name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _stand(hub: Hub, job: Job, last: Run | None, now: datetime, *, is_doubted: bool) -> Stand:
    next_at = _next(job.cadence(hub), last, now) if job.is_wanted(hub) else None
    return Stand(job, last, _outcome(last, now), next_at, job.needs_clock and is_doubted)


def _next(cadence: Cadence, last: Run | None, now: datetime) -> datetime:
    due_at = cadence.last(now)
    if last is None or last.due_at < due_at or last.is_free(now):
        return due_at
    next_at = due_at + cadence.period
    # A run by hand may be of no due time, and then nobody tries it again.
    return next_at if last.again_at is None or last.due_at > due_at else min(last.again_at, next_at)


def _outcome(last: Run | None, now: datetime) -> Outcome:
    if last is None:
        return "never"
    if last.outcome is not None:
        return "failed" if last.has_failed else "done"
    return "left" if last.is_left(now) else "running"


def _each(**period: int) -> Callable[[Hub], Cadence]:
    return lambda _: Cadence(timedelta(**period))


def _daily(hour: int) -> Callable[[Hub], Cadence]:
    return lambda _: Cadence(timedelta(days=1), timedelta(hours=hour))


def _nightly(hub: Hub) -> Cadence:
    return Cadence(timedelta(days=1), timedelta(hours=hub.settings.backup_hour))


def _back_up(hub: Hub) -> None:
    secrets, now = hub.secrets, hub.clock()
    is_right = clock.look(hub.store, now)
    backups.make(hub.store, hub.settings, hub.identity.id, secrets.database, now, hub.depot, is_clock_right=is_right)


def _tell_devices(hub: Hub) -> int:
    back_since = clock.back_since(hub.store)
    return silences.tell_devices(hub.store, hub.gazetteer(), hub.clock(), hub.settings.silent_device_days, back_since)


def _refer(hub: Hub) -> None:
    referring.note_silent(hub.store, hub.gazetteer(), hub.clock())
    referring.note_taken_back(hub.store, hub.gazetteer(), hub.clock())


def _erase_due(hub: Hub) -> None:
    keeping = retention.keeping(hub.settings, hub.secrets.database, hub.depot)
    retention.erase_due(hub.store, keeping, hub.clock())


def _look_after_files(hub: Hub) -> None:
    evidence.repair(hub.store, hub.depot, hub.settings.backups, JOB.signature, hub.clock(), is_deep=False)


def _look_after_packages(hub: Hub) -> None:
    carrying.forget_old(hub.store, hub.clock())
    preparing.prepare_due(hub.store, hub.gazetteer(), hub.secrets.pepper, hub.clock())


def _hear_of_packages(hub: Hub) -> None:
    # Before anybody is told that a destination is silent.
    answering.fetch_all(hub.store, hub.gazetteer(), hub.clock())
    answering.note_silent(hub.store, hub.clock())


JOBS: Final = (
    Job(
        "acknowledge",
        _each(minutes=1),
        lambda hub: acknowledging.acknowledge_new(hub.store, hub.gazetteer(), hub.clock()),
        is_wanted=lambda hub: acknowledging.is_any_new(hub.store),
        needs_clock=False,
    ),
    # Before the nightly backup, as it is set when nobody set it: what is restored then has the newest anchor.
    Job(
        "anchor",
        _daily(1),
        lambda hub: audit.anchor_day(hub.store, hub.identity.id, hub.identity.sign_key, hub.clock()),
    ),
    Job(BACKUP, _nightly, _back_up, is_wanted=lambda hub: bool(hub.settings.backup_recipient), needs_clock=False),
    Job("deputies", _daily(0), lambda hub: deputies.take_keys(hub.store, hub.gazetteer(), hub.clock())),
    Job(
        "end_waits",
        _each(hours=1),
        lambda hub: following.end_waits(hub.store, hub.gazetteer(), hub.clock()),
    ),
    Job(
        "escalate",
        _each(minutes=15),
        lambda hub: escalating.escalate_due(hub.store, hub.gazetteer(), hub.clock()),
    ),
    Job(
        "count",
        _each(hours=1),
        lambda hub: statistics.count_current(hub.store, hub.gazetteer(), hub.clock()),
        needs_clock=False,
    ),
    Job("freeze", _daily(4), lambda hub: statistics.freeze_closed(hub.store, hub.clock())),
    Job(
        "index",
        _each(minutes=1),
        lambda hub: search_texts.read_pending(hub.store),
        is_wanted=lambda hub: search_texts.is_any_pending(hub.store),
        needs_clock=False,
    ),
    Job(
        "matching",
        _each(hours=1),
        lambda hub: silences.tell_matcher(hub.store, hub.clock()),
        is_wanted=lambda hub: silences.is_matcher_silent(hub.store, hub.clock()),
    ),
    Job(
        "notices",
        _each(minutes=1),
        lambda hub: notices.deliver(hub.store, hub.settings.notice_url, hub.clock()),
        is_wanted=lambda hub: bool(hub.settings.notice_url) and notices.is_any_waiting(hub.store, hub.clock()),
    ),
    Job("files", _daily(3), _look_after_files),
    Job(
        "file_held",
        _each(hours=1),
        lambda hub: admission.file_held(hub.store, hub.settings.registry_prefix, hub.clock(), hub.gazetteer()),
    ),
    Job(
        "packages",
        _each(hours=1),
        _look_after_packages,
        is_wanted=lambda hub: (
            preparing.is_any_due(hub.store, hub.clock()) or carrying.is_any_old(hub.store, hub.clock())
        ),
    ),
    Job(
        "package_answers",
        _each(hours=6),
        _hear_of_packages,
        is_wanted=lambda hub: answering.is_any_awaited(hub.store),
    ),
    Job(
        "retention",
        _daily(3),
        _erase_due,
    ),
    Job("silent_devices", _daily(6), _tell_devices),
    Job("silent_referrals", _each(hours=1), _refer),
    Job("tasks", _each(hours=1), lambda hub: tasking.look_after(hub.store, hub.gazetteer(), hub.clock())),
    Job("tell", _each(minutes=5), lambda hub: telling.tell_due(hub.store, hub.clock())),
    Job(
        "upkeep",
        _daily(3),
        lambda hub: maintenance.upkeep(hub.store, hub.clock(), hub.settings.frame_report_days),
    ),
)
