"""Jobs: due times from a clock that is passed in, each run once whoever ticks, missed ones caught up once."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from server import scheduler
from server.config import Settings
from server.domain.errors import ClockDoubted, JobRuns
from server.hub import Hub, open_hub
from server.logs import Formatter
from server.scheduler import JOBS, Cadence, Job, run_by_hand, run_if_due, running_jobs, stands
from server.services import audit, backups, maintenance, places
from server.services import clock as clocks
from server.store import jobs, schema
from server.store.jobs import ATTEMPTS_MAX, FIRST_WAIT, LEASE
from tests.builders import NOW, Clock, complaint, enrolled, founded, open_new_hub
from tests.server.services.test_admission import LIST


@dataclass
class Counted:
    """A job that is due each full hour and counts its runs."""

    runs: list[datetime] = field(default_factory=list)

    def job(self) -> Job:
        return Job("counted", lambda _: Cadence(timedelta(hours=1)), self.run)

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


def test_failed_job_is_noted_and_done_again_at_its_next_time(
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


def _fail(_: Hub) -> None:
    raise OSError


def test_daily_job_that_failed_is_tried_again_after_longer_and_longer_waits_then_on_the_next_day(
    own_hub: Hub, clock: Clock
) -> None:
    job = Job("daily", lambda _: Cadence(timedelta(days=1)), _fail)
    begun, tried = clock.now, []
    while clock.now < begun + timedelta(days=1):
        if run_if_due(own_hub, job) is not None:
            tried.append(clock.now - begun)
        clock.pass_(minutes=5)
    tomorrow = NOW.replace(hour=0, minute=0, second=0) + timedelta(days=1) - begun
    assert [waited // timedelta(minutes=1) for waited in tried[:ATTEMPTS_MAX]] == [0, 15, 45, 105, 225]
    assert tomorrow <= tried[ATTEMPTS_MAX] < tomorrow + timedelta(minutes=5)


def test_job_that_went_well_after_it_failed_is_done_once(own_hub: Hub, clock: Clock) -> None:
    counted = Counted()
    job = replace(counted.job(), cadence=lambda _: Cadence(timedelta(days=1)))
    run_if_due(own_hub, replace(job, run=_fail))
    clock.now += FIRST_WAIT - timedelta(seconds=1)
    assert run_if_due(own_hub, job) is None
    clock.pass_(seconds=1)
    assert [run_if_due(own_hub, job), run_if_due(own_hub, job)] == ["done", None]
    clock.pass_(hours=4)
    assert run_if_due(own_hub, job) is None
    assert [outcome for *_, outcome in _runs(own_hub)] == ["done"]


def test_run_that_several_find_failed_or_left_is_taken_again_by_one_alone(own_hub: Hub) -> None:
    store, later = own_hub.store, NOW + FIRST_WAIT
    held = [maintenance.claim(store, name, NOW, NOW) for name in ("failed", "left", "slow")]
    assert held[0] is not None
    assert held[2] is not None
    maintenance.finish(store, held[0], NOW, "failed: OSError")
    with store.read() as connection:
        found = [jobs.find(connection, name, NOW) for name in ("failed", "left", "slow")]
    # What nobody heard of any more comes to its end after all.
    maintenance.finish(store, held[2], later, "done")
    for each, taken in zip(found, ([True, False], [True, False], [False, False]), strict=True):
        assert each is not None
        with store.write() as connection:
            assert [jobs.take_again(connection, each, later) is not None for _ in range(2)] == taken


def test_run_that_failed_under_a_clock_that_was_ahead_is_taken_again(own_hub: Hub, clock: Clock) -> None:
    clock.pass_(minutes=50)
    run_if_due(own_hub, replace(Counted().job(), run=_fail))
    clock.now = NOW
    assert run_if_due(own_hub, Counted().job()) == "done"


def test_operator_does_at_once_what_failed_and_it_is_not_done_again(own_hub: Hub, clock: Clock) -> None:
    counted = Counted()
    run_if_due(own_hub, replace(counted.job(), run=_fail))
    assert run_by_hand(own_hub, counted.job()) == "done"
    clock.now += FIRST_WAIT
    assert run_if_due(own_hub, counted.job()) is None
    assert [outcome for *_, outcome in _runs(own_hub)] == ["done"]


def _die(_: Hub) -> None:
    raise SystemExit


def test_run_whose_process_died_is_taken_up_by_another_once_its_lease_is_over(own_hub: Hub, clock: Clock) -> None:
    counted = Counted()
    with pytest.raises(SystemExit):
        run_if_due(own_hub, replace(counted.job(), run=_die))
    clock.now += LEASE - timedelta(seconds=1)
    assert run_if_due(own_hub, counted.job()) is None
    clock.pass_(seconds=1)
    assert run_if_due(own_hub, counted.job()) == "done"
    assert run_if_due(own_hub, counted.job()) is None
    assert len(counted.runs) == 1


def test_run_of_which_every_process_dies_waits_for_its_next_due_time(own_hub: Hub, clock: Clock) -> None:
    job = replace(Counted().job(), run=_die)
    for _ in range(ATTEMPTS_MAX):
        with pytest.raises(SystemExit):
            run_if_due(own_hub, job)
        clock.now += LEASE
    assert run_if_due(own_hub, job) is None
    clock.pass_(hours=1)
    assert run_if_due(own_hub, Counted().job()) == "done"


def test_run_taken_by_a_clock_that_was_ahead_is_taken_up_too(own_hub: Hub, clock: Clock) -> None:
    due_at = NOW.replace(minute=0, second=0)
    assert maintenance.claim(own_hub.store, "counted", due_at, NOW + timedelta(minutes=30)) is not None
    assert run_if_due(own_hub, Counted().job()) == "done"


def test_run_that_goes_on_stays_its_own_and_one_that_was_taken_over_says_nothing(own_hub: Hub) -> None:
    store, later = own_hub.store, NOW + LEASE
    slow = maintenance.claim(store, "counted", NOW, NOW)
    assert slow is not None
    maintenance.extend(store, slow, NOW + timedelta(minutes=1))
    assert maintenance.claim(store, "counted", NOW, later) is None
    other = maintenance.claim(store, "counted", NOW, later + timedelta(minutes=1))
    assert other is not None
    maintenance.extend(store, slow, later + timedelta(minutes=2))
    maintenance.finish(store, slow, later + timedelta(minutes=2), "failed: OSError")
    maintenance.finish(store, other, later + timedelta(minutes=3), "done")
    assert [(run.attempts, run.outcome) for run in maintenance.last_runs(store, later)] == [(2, "done")]


@pytest.mark.parametrize(
    ("name", "now", "due"),
    [
        ("backup", datetime(2026, 11, 21, 1, 59, tzinfo=UTC), datetime(2026, 11, 20, 2, tzinfo=UTC)),
        ("backup", datetime(2026, 11, 21, 2, 0, tzinfo=UTC), datetime(2026, 11, 21, 2, tzinfo=UTC)),
        ("file_held", datetime(2026, 11, 21, 2, 59, tzinfo=UTC), datetime(2026, 11, 21, 2, tzinfo=UTC)),
        ("upkeep", datetime(2026, 11, 21, 2, 59, tzinfo=UTC), datetime(2026, 11, 20, 3, tzinfo=UTC)),
        ("upkeep", datetime(2026, 11, 21, 3, 0, tzinfo=UTC), datetime(2026, 11, 21, 3, tzinfo=UTC)),
    ],
)
def test_due_times(name: str, now: datetime, due: datetime) -> None:
    nothing: Any = None
    hub = Hub(
        Settings(backup_recipient="age1…"),
        store=nothing,
        secrets=nothing,
        identity=nothing,
        clock=nothing,
        depot=nothing,
    )
    assert _job(name).cadence(hub).last(now) == due


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
    assert run_if_due(own_hub, _job("file_held")) == "done"
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
    due = [_job(name).cadence(own_hub).last(NOW).hour for name in ("anchor", "backup")]
    assert due == [1, 2]


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


def test_job_that_cannot_be_undone_waits_while_the_clock_is_doubted_and_the_others_go_on(
    own_hub: Hub, clock: Clock
) -> None:
    waits, goes_on = Counted(), Counted()
    timed, timeless = replace(waits.job(), name="timed"), replace(goes_on.job(), name="timeless", needs_clock=False)
    run_if_due(own_hub, timed)
    clock.pass_(days=365)
    assert (run_if_due(own_hub, timed), run_if_due(own_hub, timeless)) == (None, "done")
    with pytest.raises(ClockDoubted):
        run_by_hand(own_hub, timed)
    clocks.accept(own_hub.store, clock.now)
    assert (run_if_due(own_hub, timed), run_if_due(own_hub, timed)) == ("done", None)
    assert (len(waits.runs), len(goes_on.runs)) == (2, 1)


def test_run_by_hand_takes_the_run_that_is_due_then_one_of_its_own_and_the_log_says_so(own_hub: Hub) -> None:
    counted = Counted()
    assert [run_by_hand(own_hub, counted.job()) for _ in range(2)] == ["done", "done"]
    assert run_if_due(own_hub, counted.job()) is None
    assert [due_at for _, due_at, _ in _runs(own_hub)] == [NOW.replace(minute=0, second=0), NOW]
    with own_hub.store.read() as connection:
        said = connection.scalars(sa.select(schema.event.c.object).where(schema.event.c.action == "job_run"))
        assert list(said) == ["job:counted"] * 2


def test_run_that_a_process_has_in_hand_is_not_begun_by_hand(own_hub: Hub) -> None:
    maintenance.claim(own_hub.store, "counted", NOW.replace(minute=0, second=0), NOW)
    with pytest.raises(JobRuns):
        run_by_hand(own_hub, Counted().job())


def test_jobs_say_when_they_ran_and_run_next(own_hub: Hub, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted()
    names = ("went", "died", "failed", "fresh", "idle")
    went, died, failed, fresh, idle = (replace(counted.job(), name=name) for name in names)
    listed = (went, died, failed, fresh, replace(idle, is_wanted=lambda _: False))
    monkeypatch.setattr(scheduler, "JOBS", listed)
    run_if_due(own_hub, went)
    run_if_due(own_hub, replace(failed, run=_fail))
    with pytest.raises(SystemExit):
        run_if_due(own_hub, replace(died, run=_die))
    running, clock.now = stands(own_hub), clock.now + LEASE
    due_at, later = NOW.replace(minute=0, second=0), NOW.replace(hour=11, minute=0, second=0)
    assert [each.outcome for each in running] == ["done", "running", "failed", "never", "never"]
    assert [(each.outcome, each.next_at) for each in stands(own_hub)] == [
        ("done", later), ("left", due_at), ("failed", NOW + FIRST_WAIT), ("never", due_at), ("never", None)
    ]  # fmt: skip
