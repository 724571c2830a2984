"""Runs of jobs, each claimed by its name and due time for a while: the database says who does it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from server.store.dialect import insert_new
from server.store.schema import job_run

# How long a run is its taker's without a sign of life, of which there is one each minute.
LEASE: Final = timedelta(minutes=5)
# A run of which so many processes died waits for its next due time: what kills a hub must not do so without end.
ATTEMPTS_MAX: Final = 5
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

    def is_free(self, now: datetime) -> bool:
        """Whether it is to be taken again."""
        return self.is_left(now) and self.attempts < ATTEMPTS_MAX


_RUN: Final = tuple(job_run.c[name] for name in Run.__dataclass_fields__)


def find(connection: sa.Connection, name: str, due_at: datetime) -> Run | None:
    """The run of a job for a due time."""
    row = connection.execute(sa.select(*_RUN).where(_is(name, due_at))).one_or_none()
    return None if row is None else Run(*row)


def claim(connection: sa.Connection, name: str, due_at: datetime, now: datetime) -> Claim | None:
    """Take a run for this process; None when another has it, it is over, or too many died of it."""
    row = {"name": name, "due_at": due_at, "started_at": now, "lease_until": now + LEASE, "attempts": 1}
    if insert_new(connection, job_run, [row], ["name", "due_at"], job_run.c.name):
        return Claim(name, due_at, 1)
    found = find(connection, name, due_at)
    if found is None or not found.is_free(now):
        return None
    attempt = found.attempts + 1
    # Whoever came first since it was read has made another attempt of it.
    again = sa.update(job_run).where(_of(Claim(name, due_at, found.attempts)))
    taken = connection.execute(again.values(started_at=now, lease_until=now + LEASE, attempts=attempt))
    return Claim(name, due_at, attempt) if taken.rowcount else None


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


def _is(name: str, due_at: datetime) -> sa.ColumnElement[bool]:
    return (job_run.c.name == name) & (job_run.c.due_at == due_at)


def _of(held: Claim) -> sa.ColumnElement[bool]:
    columns = job_run.c
    return _is(held.name, held.due_at) & (columns.attempts == held.attempt) & columns.finished_at.is_(None)
