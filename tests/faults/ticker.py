"""A process that makes hubs tick and die: it forks one child a hub, which runs every job that is due, once, and kills
itself at the step that it was told. `python -m tests.faults.ticker` is asked by lines of JSON, and answers by lines.

Forked from a process that has no thread and never opened the database: a start costs next to nothing.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from server.config import Settings
from server.hub import Hub, open_hub
from server.scheduler import JOBS, Job, run_if_due
from tests.builders import secrets_of
from tests.faults.kill import Child

_READY = "ticker is ready"
_ANSWER = "ticked "


@dataclass(frozen=True)
class Kill:
    """Where a hub is to die: at its step of this number; `is_inside`: of those inside what jobs do, claims left out."""

    step: int
    is_inside: bool


@dataclass(frozen=True)
class Tick:
    """How a hub ticked: its steps, and those inside what jobs do, up to its death where it was killed."""

    steps: int
    inside: int
    was_killed: bool


class Steps:
    """Counts what a kill can fall between: where a transaction that writes begins, before its commit, and after it."""

    def __init__(self, engine: sa.Engine, kill: Kill | None, report: int) -> None:
        self._kill, self._report = kill, report
        self._count = self._inside = 0
        self._is_inside = self._has_committed = False
        sa.event.listen(engine, "begin", self._begin)
        sa.event.listen(engine, "commit", self._commit)
        sa.event.listen(engine.pool, "checkin", self._checkin)

    def counting(self, job: Job) -> Job:
        """The job, whose steps count as inside."""

        def run(hub: Hub) -> None:
            self._is_inside = True
            try:
                job.run(hub)
            finally:
                self._is_inside = False

        return replace(job, run=run)

    def _begin(self, connection: sa.Connection) -> None:
        if "events" in connection.get_execution_options():
            self._step()

    def _commit(self, connection: sa.Connection) -> None:
        if "events" in connection.get_execution_options():
            self._step()
            self._has_committed = True

    def _checkin(self, *_: object) -> None:
        if self._has_committed:
            self._has_committed = False
            self._step()

    def _step(self) -> None:
        self._count += 1
        self._inside += self._is_inside
        os.pwrite(self._report, self._count.to_bytes(4, "big") + self._inside.to_bytes(4, "big"), 0)
        if self._kill is not None and self._kill.step == (self._inside if self._kill.is_inside else self._count):
            os.kill(os.getpid(), signal.SIGKILL)


class Ticker:
    """The process, seen from outside. A context manager."""

    def __init__(self) -> None:
        self._child = Child([sys.executable, "-m", "tests.faults.ticker"], dict(os.environ), takes_input=True)

    def __enter__(self) -> "Ticker":
        self._child.wait_for(_READY)
        return self

    def __exit__(self, *error: object) -> None:
        self._child.__exit__(*error)

    def tick(self, settings: Settings, now: datetime, kills: Sequence[Kill | None]) -> list[Tick]:
        """As many hubs as `kills` names, all at once, each killed there, or not where that is None."""
        told = {name: str(value) for name, value in vars(settings).items() if value is not None}
        where = [None if each is None else [each.step, each.is_inside] for each in kills]
        self._child.say(json.dumps({"settings": told, "now": now.isoformat(), "kills": where}))
        answer = self._child.wait_for(_ANSWER).removeprefix(_ANSWER)
        return [Tick(*each) for each in json.loads(answer)]


def _serve() -> None:
    _say(_READY)
    for line in sys.stdin:
        asked = json.loads(line)
        with _reports(len(asked["kills"])) as reports:
            pids = [_fork(asked, kill, report) for kill, report in zip(asked["kills"], reports, strict=True)]
            ends = [os.waitpid(pid, 0)[1] for pid in pids]
            steps = [[int.from_bytes(os.pread(report, 4, at), "big") for at in (0, 4)] for report in reports]
        faults = [end for end in ends if end not in (0, signal.SIGKILL)]
        if faults:
            _say(f"a hub ended with {faults}")
            return
        _say(_ANSWER + json.dumps([[*counts, bool(end)] for counts, end in zip(steps, ends, strict=True)]))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def _reports(count: int) -> Iterator[list[int]]:
    """Files in memory by which a child that is killed has told how far it came."""
    files = [os.memfd_create("steps") for _ in range(count)]
    try:
        yield files
    finally:
        for file in files:
            os.close(file)


def _fork(asked: dict[str, Any], kill: list[Any] | None, report: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        where = None if kill is None else Kill(*kill)
        _tick(_settings(asked["settings"]), datetime.fromisoformat(asked["now"]), where, report)
        code = 0
    finally:
        os._exit(code)


def _settings(told: dict[str, str]) -> Settings:
    defaults = vars(Settings())
    read = {
        name: int(text) if isinstance(defaults[name], int) else Path(text) if name in _PATHS else text
        for name, text in told.items()
    }
    return Settings(**read)


_PATHS = frozenset({"data", "passphrase_file", "credential_file", "backup_folder", "backup_identity_file"})


def _tick(settings: Settings, now: datetime, kill: Kill | None, report: int) -> None:
    hub = open_hub(settings, secrets_of(settings), lambda: now)
    steps = Steps(hub.store.engine, kill, report)
    for job in JOBS:
        run_if_due(hub, steps.counting(job))
    hub.close()


if __name__ == "__main__":
    _serve()
