"""Jobs: due times from a clock that is passed in, each run once whoever ticks, missed ones caught up once."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from server import scheduler
from server.config import Settings
from server.hub import Hub, open_hub
from server.logs import Formatter
from server.scheduler import JOBS, Job, run_if_due, running_jobs
from server.services import audit, backups, places
from server.store import schema
from tests.builders import NOW, Clock, complaint, enrolled, founded, open_new_hub
from tests.server.services.test_admission import LIST


@dataclass
class Counted:
    """A job that is due each full hour and counts its runs."""

    runs: list[datetime] = field(default_factory=list)

    def job(self) -> Job:
        return Job("counted", lambda _, now: now.replace(minute=0, second=0, microsecond=0), self.run)

    def run(self, hub: Hub) -> None:
        self.runs.append(hub.clock())


def _job(name: str) -> Job:
    [job] = [job for job in JOBS if job.name == name]
    return job


def _runs(hub: Hub) -> list[tuple[str, datetime, str | None]]:
    columns = schema.job_run.c
    with hub.store.read() as connection:
        select = sa.select(columns.name, columns.due_at, columns.outcome).order_by(columns.due_at)
        return [tuple(row) for row in connection.execute(select)]


@pytest.fixture
def clock(own_hub: Hub) -> Clock:
    assert isinstance(own_hub.clock, Clock)
    return own_hub.clock


def test_due_job_runs_once_however_often_the_clock_ticks(own_hub: Hub, clock: Clock) -> None:
    counted = Counted()
    assert run_if_due(own_hub, counted.job()) == "done"
    clock.pass_(minutes=1)
    assert run_if_due(own_hub, counted.job()) is None
    clock.pass_(hours=1)
    assert run_if_due(own_hub, counted.job()) == "done"
    assert len(counted.runs) == 2


def test_missed_runs_are_caught_up_by_one(own_hub: Hub, clock: Clock) -> None:
    counted = Counted()
    run_if_due(own_hub, counted.job())
    clock.pass_(days=3)
    assert run_if_due(own_hub, counted.job()) == "done"
    assert run_if_due(own_hub, counted.job()) is None
    assert len(counted.runs) == 2


def test_clock_set_back_repeats_nothing(own_hub: Hub, clock: Clock) -> None:
    counted = Counted()
    run_if_due(own_hub, counted.job())
    clock.pass_(hours=1)
    run_if_due(own_hub, counted.job())
    clock.now = NOW
    assert run_if_due(own_hub, counted.job()) is None


def test_two_processes_share_the_runs_between_them(own_hub: Hub) -> None:
    other = open_hub(own_hub.settings, own_hub.secrets, own_hub.clock)
    counted = Counted()
    start = threading.Barrier(2)

    def tick(hub: Hub) -> None:
        start.wait(timeout=30)
        run_if_due(hub, counted.job())

    threads = [threading.Thread(target=tick, args=(hub,)) for hub in (own_hub, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    other.close()
    assert len(counted.runs) == 1


def test_failed_job_is_noted_and_waits_for_its_next_time(
    own_hub: Hub, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    words = "the stick was pulled out"

    def fail(_: Hub) -> None:
        raise OSError(words)

    job = replace(Counted().job(), run=fail)
    assert run_if_due(own_hub, job) == "failed: OSError"
    [line] = [json.loads(Formatter().format(record)) for record in caplog.records if record.levelname == "ERROR"]
    assert (line["job"], line["fault"], line["frames"][-1].rsplit(":", 1)[1]) == ("counted", "OSError", "fail")
    assert words not in caplog.text + json.dumps(line)
    assert _runs(own_hub) == [("counted", datetime(2026, 11, 21, 10, tzinfo=UTC), "failed: OSError")]
    assert run_if_due(own_hub, job) is None
    clock.pass_(hours=1)
    assert run_if_due(own_hub, job) == "failed: OSError"


def test_run_whose_process_died_is_not_repeated(own_hub: Hub) -> None:
    def die(_: Hub) -> None:
        raise SystemExit

    job = replace(Counted().job(), run=die)
    with pytest.raises(SystemExit):
        run_if_due(own_hub, job)
    assert run_if_due(own_hub, Counted().job()) is None


@pytest.mark.parametrize(
    ("name", "now", "due"),
    [
        ("backup", datetime(2026, 11, 21, 1, 59, tzinfo=UTC), datetime(2026, 11, 20, 2, tzinfo=UTC)),
        ("backup", datetime(2026, 11, 21, 2, 0, tzinfo=UTC), datetime(2026, 11, 21, 2, tzinfo=UTC)),
        ("release", datetime(2026, 11, 21, 2, 59, tzinfo=UTC), datetime(2026, 11, 21, 2, tzinfo=UTC)),
        ("upkeep", datetime(2026, 11, 21, 2, 59, tzinfo=UTC), datetime(2026, 11, 20, 3, tzinfo=UTC)),
        ("upkeep", datetime(2026, 11, 21, 3, 0, tzinfo=UTC), datetime(2026, 11, 21, 3, tzinfo=UTC)),
    ],
)
def test_due_times(name: str, now: datetime, due: datetime) -> None:
    nothing: Any = None
    hub = Hub(Settings(backup_recipient="age1…"), store=nothing, secrets=nothing, identity=nothing, clock=nothing)
    assert _job(name).due(hub, now) == due


def test_backup_without_recipient_is_not_wanted(own_hub: Hub) -> None:
    assert run_if_due(own_hub, _job("backup")) is None


@pytest.fixture
def file_hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub in a file, with a key for backups."""
    recipient = backups.new_identity(tmp_path / "identity.txt")
    hub = open_new_hub(*founded(tmp_path / "hub", backup_recipient=recipient), Clock())
    yield hub
    hub.close()


def test_daily_backup_is_made(file_hub: Hub) -> None:
    assert run_if_due(file_hub, _job("backup")) == "done"
    assert [path.suffix for path in file_hub.settings.backups.iterdir()] == [".age"]


def test_hourly_release_files_what_a_new_list_made_readable(own_hub: Hub) -> None:
    device = enrolled(own_hub, "Gao 1")
    places.import_list(own_hub.store, replace(LIST, places=LIST.places[:1]), "test", NOW)
    device.send(complaint("held"))
    places.import_list(own_hub.store, replace(LIST, version="2026.2"), "test", NOW)
    assert run_if_due(own_hub, _job("release")) == "done"
    assert [change["state"] for change in device.changes()] == ["stored"]


def test_log_is_anchored_each_day_before_it_is_backed_up(own_hub: Hub, clock: Clock) -> None:
    assert run_if_due(own_hub, _job("anchor")) == "done"
    first = audit.head(own_hub.store).anchor
    clock.pass_(hours=23)
    assert run_if_due(own_hub, _job("anchor")) == "done"
    second = audit.head(own_hub.store).anchor
    assert first is not None
    assert second is not None
    assert (first.day, second.day) == ("2026-11-21", "2026-11-22")
    due = [_job(name).due(own_hub, NOW) for name in ("anchor", "backup")]
    assert due == [NOW.replace(hour=1, minute=0, second=0), None]


def test_upkeep_forgets_what_nobody_asks_for_any_more(own_hub: Hub, clock: Clock) -> None:
    device = enrolled(own_hub, "Gao 1")
    device.send(complaint("old"))
    clock.pass_(days=own_hub.settings.frame_report_days + 1)
    device.send(complaint("new"))
    assert run_if_due(own_hub, _job("upkeep")) == "done"
    with own_hub.store.read() as connection:
        frames = connection.scalar(sa.select(sa.func.count()).select_from(schema.frame))
        codes = connection.scalar(sa.select(sa.func.count()).select_from(schema.enrolment))
        operations = connection.scalar(sa.select(sa.func.count()).select_from(schema.received))
    assert (frames, codes, operations) == (1, 0, 2)


def test_running_jobs_tick_at_once_and_end_with_the_block(own_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    has_run, counted = threading.Event(), Counted()

    def run(hub: Hub) -> None:
        counted.run(hub)
        has_run.set()

    monkeypatch.setattr(scheduler, "JOBS", (replace(counted.job(), run=run),))
    with running_jobs(own_hub):
        assert has_run.wait(timeout=60)
    assert len(counted.runs) == 1
    assert not [thread for thread in threading.enumerate() if "APScheduler" in thread.name]
    assert _runs(own_hub)[0][2] == "done"


def test_every_job_has_a_name_of_its_own() -> None:
    assert len({job.name for job in JOBS}) == len(JOBS)
    assert max(len(job.name) for job in JOBS) <= 40
