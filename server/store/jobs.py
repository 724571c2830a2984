"""Runs of jobs, each claimed by its name and due time: the database says who does it, once."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from server.store.dialect import insert_new
from server.store.schema import job_run


@dataclass(frozen=True)
class Run:
    """One run: `finished_at` is empty while it goes on, and stays so when its process died."""

    name: str
    due_at: datetime
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None


def claim(connection: sa.Connection, name: str, due_at: datetime, now: datetime) -> bool:
    """Take a run for this process; False when it was taken before, by whomever."""
    row = {"name": name, "due_at": due_at, "started_at": now}
    return bool(insert_new(connection, job_run, [row], ["name", "due_at"], job_run.c.name))


def was_claimed(connection: sa.Connection, name: str, due_at: datetime) -> bool:
    """Whether the run was taken; costs no write."""
    select = sa.select(job_run.c.name).where(job_run.c.name == name, job_run.c.due_at == due_at)
    return connection.scalar(select) is not None


def finish(connection: sa.Connection, name: str, due_at: datetime, now: datetime, outcome: str) -> None:
    """Note how a run ended."""
    connection.execute(
        sa.update(job_run)
        .where(job_run.c.name == name, job_run.c.due_at == due_at)
        .values(finished_at=now, outcome=outcome)
    )


def last_runs(connection: sa.Connection) -> list[Run]:
    """The run with the latest due time of every job, by name."""
    latest = sa.select(job_run.c.name, sa.func.max(job_run.c.due_at).label("due_at")).group_by(job_run.c.name)
    newest = latest.subquery()
    columns = (job_run.c[field] for field in Run.__dataclass_fields__)
    select = sa.select(*columns).join(newest, (newest.c.name == job_run.c.name) & (newest.c.due_at == job_run.c.due_at))
    return [Run(*row) for row in connection.execute(select.order_by(job_run.c.name))]


def forget(connection: sa.Connection, before: datetime) -> int:
    """Drop runs that were due before `before`; gives how many."""
    return connection.execute(sa.delete(job_run).where(job_run.c.due_at < before)).rowcount
