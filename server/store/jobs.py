"""Runs of jobs, each claimed by its name and due time for a while: the database says who does it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from server.store.dialect import insert_new
from server.store.schema import job_run

# How long a run is its taker's without a sign of life, of which there is one each minute.
LEASE: Final = timedelta(minutes=5)
# A run that failed, or of which the process died, so often waits for its next due time: what kills a hub must not do so
# without end.
ATTEMPTS_MAX: Final = 5
# Until a run that failed is tried again, the first time; each time after that twice as long, so that one that is due
# once a day is tried for nearly four hours. What is due more often than that is simply due again.
FIRST_WAIT: Final = timedelta(minutes=15)
DONE: Final = "done"


@dataclass(frozen=True)
class Claim:
    """A run that this process has; `attempt` counts those who took it, from 1."""

    name: str
    due_at: datetime
    attempt: int


@dataclass(frozen=True)
class Run:
    """One run: `finished_at` is empty while it goes on until `lease_until`, and after that when its process died."""

    name: str
    due_at: datetime
    started_at: datetime
    lease_until: datetime
    attempts: int
    finished_at: datetime | None
    outcome: str | None

    def is_left(self, now: datetime) -> bool:
        """Whether its process died, as far as a lease can tell."""
        # One that ends later than any lease from now was made while the clock was ahead.
        return self.finished_at is None and not now < self.lease_until <= now + LEASE

    @property
    def has_failed(self) -> bool:
        """Whether it came to its end and was not done."""
        return self.outcome is not None and self.outcome != DONE

    @property
    def again_at(self) -> datetime | None:
        """When one that failed is to be taken again; None for any other, and for one that failed too often."""
        if self.finished_at is None or not self.has_failed or self.attempts >= ATTEMPTS_MAX:
            return None
        return self.finished_at + _wait_after(self.attempts)

    def is_free(self, now: datetime) -> bool:
        """Whether it is to be taken again."""
        if self.again_at is not None:
            # As with a lease: one that failed while the clock was ahead waits no longer than from now.
            return not now < self.again_at <= now + _wait_after(self.attempts)
        return self.is_left(now) and self.attempts < ATTEMPTS_MAX


_RUN: Final = tuple(job_run.c[name] for name in Run.__dataclass_fields__)


def find(connection: sa.Connection, name: str, due_at: datetime) -> Run | None:
    """The run of a job for a due time."""
    row = connection.execute(sa.select(*_RUN).where(_is(name, due_at))).one_or_none()
    return None if row is None else Run(*row)


def claim(connection: sa.Connection, name: str, due_at: datetime, now: datetime) -> Claim | None:
    """Take a run for this process; None when another has it, it is over, or it failed or was left too often."""
    row = {"name": name, "due_at": due_at, "started_at": now, "lease_until": now + LEASE, "attempts": 1}
    if insert_new(connection, job_run, [row], ["name", "due_at"], job_run.c.name):
        return Claim(name, due_at, 1)
    found = find(connection, name, due_at)
    return None if found is None or not found.is_free(now) else take_again(connection, found, now)


def take_again(connection: sa.Connection, found: Run, now: datetime) -> Claim | None:
    """Make another attempt of a run, as it was found; None when it is not so any more."""
    attempt = found.attempts + 1
    # Whoever came first since it was read has made another attempt of it, or it came to its end.
    same = (job_run.c.attempts == found.attempts) & job_run.c.finished_at.is_not_distinct_from(found.finished_at)
    new = {"started_at": now, "lease_until": now + LEASE, "attempts": attempt, "finished_at": None, "outcome": None}
    taken = connection.execute(sa.update(job_run).where(_is(found.name, found.due_at), same).values(new))
    return Claim(found.name, found.due_at, attempt) if taken.rowcount else None


def extend(connection: sa.Connection, held: Claim, now: datetime) -> None:
    """Give a sign of life; one that was taken over meanwhile stays with whoever has it."""
    connection.execute(sa.update(job_run).where(_of(held)).values(lease_until=now + LEASE))


def finish(connection: sa.Connection, held: Claim, now: datetime, outcome: str) -> None:
    """Note how a run ended, unless it was taken over meanwhile."""
    connection.execute(sa.update(job_run).where(_of(held)).values(finished_at=now, outcome=outcome))


def last_runs(connection: sa.Connection, now: datetime) -> list[Run]:
    """The run with the latest due time of every job, by name; what a clock that was ahead did is left out."""
    latest = sa.select(job_run.c.name, sa.func.max(job_run.c.due_at).label("due_at")).where(job_run.c.due_at <= now)
    newest = latest.group_by(job_run.c.name).subquery()
    select = sa.select(*_RUN).join(newest, (newest.c.name == job_run.c.name) & (newest.c.due_at == job_run.c.due_at))
    return [Run(*row) for row in connection.execute(select.order_by(job_run.c.name))]


def forget(connection: sa.Connection, *, done_before: datetime, before: datetime) -> int:
    """Drop runs that were due before `before`, and before `done_before` those that went well; gives how many."""
    is_old = job_run.c.due_at < before
    is_done = (job_run.c.due_at < done_before) & (job_run.c.outcome == DONE)
    return connection.execute(sa.delete(job_run).where(is_old | is_done)).rowcount


def _wait_after(attempts: int) -> timedelta:
    return FIRST_WAIT * float(2 ** (attempts - 1))


def _is(name: str, due_at: datetime) -> sa.ColumnElement[bool]:
    return (job_run.c.name == name) & (job_run.c.due_at == due_at)


def _of(held: Claim) -> sa.ColumnElement[bool]:
    columns = job_run.c
    return _is(held.name, held.due_at) & (columns.attempts == held.attempt) & columns.finished_at.is_(None)
