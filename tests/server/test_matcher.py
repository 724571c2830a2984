"""The matcher's process: works beside the hub, is replaced when it dies, and ends with its parent, however it ends."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa

from server.commands import doctor
from server.domain.errors import Busy
from server.domain.matching import profiles
from server.hub import Hub
from server.logs import Formatter
from server.matcher import Child, ChildGone, Fault, match_waiting, running_matcher
from server.services import maintenance
from server.services.duplicates import matching, renewing, turning
from server.store import duplicates, unmatched
from server.store.dialect import open_sqlite
from server.store.duplicates import Matched, Proposal, Turned
from server.store.match_tables import match_pending, match_profile
from server.store.schema import linkage_pending
from server.store.unmatched import Waiting
from tests.builders import Clock, enrolled, open_test_hub
from tests.matching import links, match_all, match_page, means, report, told

LONGEST_WAIT_S = 60


@pytest.fixture
def hub(hub_url: str, tmp_path: Path) -> Iterator[Hub]:
    hub = open_test_hub(hub_url, tmp_path / "hub", Clock())
    yield hub
    hub.close()


_Kind = TypeVar("_Kind", bound=Child)


@contextmanager
def child_of(hub: Hub, kind: type[_Kind] = Child) -> Iterator[_Kind]:  # type: ignore[assignment]
    matching.keep_models(hub.store, hub.clock())
    child = kind(hub.settings, hub.secrets)
    try:
        yield child
    finally:
        child.end()


def two_reports(hub: Hub) -> tuple[int, int]:
    return report(enrolled(hub, "Gao 1", team="gao"), "a"), report(enrolled(hub, "Mopti 1", team="mopti"), "b")


def has_ended(process: int) -> bool:
    """Whether a process ends in time; one that is gone already has."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], LONGEST_WAIT_S)[0])
    finally:
        os.close(handle)


def test_child_finds_what_two_teams_reported(hub: Hub) -> None:
    pair = two_reports(hub)
    with child_of(hub) as child:
        assert child.process_id is None
        assert match_waiting(hub, child, "1") == 2
        process = child.process_id
    assert (*pair, "same_incident") in links(hub)
    assert process is not None
    assert has_ended(process)


def test_child_that_died_is_replaced_and_the_page_matched_again(hub: Hub) -> None:
    pair = two_reports(hub)
    with child_of(hub) as child:
        child.turn([])
        assert child.process_id is not None
        os.kill(child.process_id, signal.SIGKILL)
        assert match_waiting(hub, child, "1") == 2
    assert (*pair, "same_incident") in links(hub)


def test_signals_of_the_group_do_not_end_the_page_in_hand(hub: Hub) -> None:
    two_reports(hub)
    with child_of(hub) as child:
        child.turn([])
        assert child.process_id is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(child.process_id, number)
        assert match_waiting(hub, child, "1") == 2


def test_child_knows_no_secret_by_its_arguments_or_environment(hub: Hub) -> None:
    with child_of(hub) as child:
        child.turn([])
        folder = Path(f"/proc/{child.process_id}")
        seen = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        niceness = os.getpriority(os.PRIO_PROCESS, child.process_id or 0)
    for secret in vars(hub.secrets).values():
        assert secret not in seen
        assert secret.hex().encode() not in seen
    assert niceness > os.getpriority(os.PRIO_PROCESS, 0)


def test_worker_matches_in_the_background_until_it_is_told_to_stop(hub: Hub) -> None:
    pair = two_reports(hub)
    is_done = threading.Event()
    keep = matching.keep

    def noted(*arguments: object) -> None:
        keep(*arguments)  # type: ignore[arg-type]
        is_done.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "keep", noted)
        with running_matcher(hub) as child:
            assert is_done.wait(LONGEST_WAIT_S)
            process = child.process_id
    assert (*pair, "same_incident") in links(hub)
    assert process is not None
    assert has_ended(process)


class Stumbling(Child):
    """A child that can do nothing with one complaint."""

    bad = 0

    def turn(self, page: Sequence[Waiting]) -> list[Turned] | Fault:
        if any(each.complaint == self.bad for each in page):
            return Fault({"fault": "ValueError"})
        return super().turn(page)


def test_complaint_that_can_not_be_matched_keeps_no_other_from_it(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    pair = two_reports(hub)
    child = Stumbling(hub.settings, hub.secrets)
    child.bad = report(enrolled(hub, "Kayes 1", team="kayes"), "bad")
    matching.keep_models(hub.store, hub.clock())
    assert match_waiting(hub, child, "1") == 2
    child.end()
    assert (*pair, "same_incident") in links(hub)
    assert [each.msg for each in caplog.records] == ["match_failed"]
    with hub.store.read() as connection:
        assert unmatched.count(connection) == 1


class Spoiling(Child):
    """A child whose answer on one complaint the database does not take."""

    bad = 0
    step = ""

    def turn(self, page: Sequence[Waiting]) -> list[Turned] | Fault:
        return self._spoiled("turn", super().turn(page), source=None)

    def match(self, page: Sequence[Waiting]) -> list[Matched] | Fault:
        proposal = Proposal(self.bad - 1, self.bad, "no such", None, (), 0.0, 0.0, "strong", "strong", 0.0, 0, False)
        return self._spoiled("match", super().match(page), proposals=(proposal,))

    def _spoiled(self, step: str, answer: Any, **unfit: Any) -> Any:
        if self.step != step or isinstance(answer, Fault):
            return answer
        return [replace(each, **unfit) if each.waiting.complaint == self.bad else each for each in answer]


@pytest.mark.parametrize("step", ["turn", "match"])
def test_what_the_database_does_not_take_of_one_complaint_keeps_no_other_from_it(
    hub: Hub, caplog: pytest.LogCaptureFixture, step: str
) -> None:
    pair = two_reports(hub)
    bad = report(enrolled(hub, "Kayes 1", team="kayes"), "bad")
    with child_of(hub, Spoiling) as child:
        child.bad, child.step = bad, step
        assert match_waiting(hub, child, "1") == 2
    assert ((*pair, "same_incident") in links(hub), attempts(hub)) == (True, {bad: 1})
    assert [each.msg for each in caplog.records if each.name == "server.matcher"] == ["match_failed"]


class Locking(Child):
    """A child whose answer comes while somebody else writes, until it is asked whether it works at all."""

    other: Any = None

    def turn(self, page: Sequence[Waiting]) -> list[Turned] | Fault:
        answer = super().turn(page)
        self.other.execute("BEGIN IMMEDIATE" if page else "ROLLBACK")
        return answer


def test_busy_database_is_blamed_on_no_complaint(lone_hub: Hub) -> None:
    bad = report(enrolled(lone_hub, "Kayes 1", team="kayes"), "bad")
    with lone_hub.store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    file = Path(sa.make_url(lone_hub.settings.database_url).database or "")
    with child_of(lone_hub, Locking) as child, closing(open_sqlite(file, lone_hub.secrets.database)) as other:
        child.other = other
        with pytest.raises(Busy):
            match_waiting(lone_hub, child, "1")
    assert attempts(lone_hub) == {bad: 0}


class Killed(Child):
    """A child that is killed as soon as it has to read what a device told of one of some complaints."""

    poisonous: frozenset[int] = frozenset()
    is_broken = False

    def turn(self, page: Sequence[Waiting]) -> list[Turned] | Fault:
        if self.is_broken or any(each.complaint in self.poisonous and each.attempts < 6 for each in page):
            super().turn([])
            os.kill(self.process_id or 0, signal.SIGKILL)
        return super().turn(page)


@pytest.fixture
def lone_hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub on SQLite: what is tried here has nothing to do with the engine."""
    hub = open_test_hub("sqlite", tmp_path / "hub", Clock())
    matching.keep_models(hub.store, hub.clock())
    yield hub
    hub.close()


def attempts(hub: Hub) -> dict[int, int]:
    with hub.store.read() as connection:
        rows = connection.execute(sa.select(match_pending.c.complaint, match_pending.c.attempts))
        return {row.complaint: row.attempts for row in rows}


@pytest.mark.ci
def test_complaint_that_kills_the_child_six_times_is_matched_by_its_facts(
    lone_hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    hub, child = lone_hub, Killed(lone_hub.settings, lone_hub.secrets)
    bad = report(enrolled(hub, "Kayes 1", team="kayes"), "bad")
    child.poisonous = frozenset([bad])
    [waiting] = matching.claim(hub.store, "0", hub.clock())
    for _ in range(5):
        renewing.note_failure(hub.store, waiting)
    hub.clock.pass_(minutes=3)  # type: ignore[attr-defined]
    pair = two_reports(hub)
    assert match_waiting(hub, child, "1") == 2
    assert (*pair, "same_incident") in links(hub)
    assert attempts(hub) == {bad: 6}
    [told] = [json.loads(Formatter().format(each)) for each in caplog.records]
    assert (told["event"], told["complaint"], told["count"], told["fault"]) == ("match_failed", bad, 6, "ChildGone")

    hub.clock.pass_(minutes=3)  # type: ignore[attr-defined]
    assert match_waiting(hub, child, "1") == 1
    child.end()
    with hub.store.read() as connection:
        assert duplicates.kept(connection, [bad])[bad].by_facts
        assert connection.scalar(sa.select(sa.func.count()).select_from(linkage_pending)) == 0
    found = list(doctor.of_health(maintenance.health(hub.store), hub.clock(), hub.settings))
    assert {each.code: each.values for each in found}["matched_by_facts"] == {"count": 1}


def test_less_and_less_is_made_of_what_goes_on_failing(lone_hub: Hub) -> None:
    bad = report(enrolled(lone_hub, "Kayes 1", team="kayes"), "bad")
    with lone_hub.store.read() as connection:
        pages = [[Waiting(bad, "1", attempts)] for attempts in (0, 5, 6, 8, 9)]
        made = [turning.turn(connection, page, means(lone_hub))[0] for page in pages]
    assert [len(each.read) for each in made] == [1, 1, 0, 0, 0]
    assert [each.kept.by_facts for each in made] == [False, False, True, True, True]
    assert [bool(each.keys) for each in made] == [True, True, True, True, False]


@pytest.mark.ci
def test_page_that_kills_the_child_is_matched_one_by_one_and_counted_against_the_poisonous_one(
    lone_hub: Hub,
) -> None:
    hub, child = lone_hub, Killed(lone_hub.settings, lone_hub.secrets)
    pair = two_reports(hub)
    bad = report(enrolled(hub, "Kayes 1", team="kayes"), "bad")
    child.poisonous = frozenset([bad])
    assert match_waiting(hub, child, "1") == 2
    child.end()
    assert ((*pair, "same_incident") in links(hub), attempts(hub)) == (True, {bad: 1})


@pytest.mark.ci
def test_child_that_dies_of_anything_is_blamed_on_no_complaint(lone_hub: Hub) -> None:
    child = Killed(lone_hub.settings, lone_hub.secrets)
    child.is_broken = True
    bad = report(enrolled(lone_hub, "Kayes 1", team="kayes"), "bad")
    with pytest.raises(ChildGone):
        match_waiting(lone_hub, child, "1")
    child.end()
    assert attempts(lone_hub) == {bad: 0}


def test_profiles_of_an_old_scheme_are_made_anew_behind_what_is_new_and_their_links_stay(lone_hub: Hub) -> None:
    hub = lone_hub
    pair = two_reports(hub)
    match_all(hub)
    before = links(hub)
    with hub.store.write() as connection:
        connection.execute(sa.update(match_profile).values(scheme=0))
    assert renewing.poor_share(hub.store) == 1.0
    assert renewing.await_old(hub.store, 0) == pair[1]
    assert renewing.await_old(hub.store, pair[1]) is None
    new = report(enrolled(hub, "Kayes 1", team="kayes"), "new")
    page = matching.claim(hub.store, "1", hub.clock())
    assert [each.complaint for each in page] == [new, *pair]
    match_page(hub, page)
    after = links(hub)
    assert {ends: after[ends] for ends in before} == before
    with hub.store.read() as connection:
        kept = duplicates.kept(connection, [*pair, new])
    assert [(each.scheme, each.by_facts) for _, each in sorted(kept.items())] == [
        (profiles.SCHEME, True),
        (profiles.SCHEME, True),
        (profiles.SCHEME, False),
    ]
    assert renewing.poor_share(hub.store) == pytest.approx(2 / 3)


def test_compartment_that_a_person_opens_is_matched_by_again_where_nothing_is_left_of_it(lone_hub: Hub) -> None:
    hub = lone_hub
    number, _ = two_reports(hub)
    match_all(hub)
    said = told()["statement"]["clear"]

    def retell() -> int:
        renewing.retell(hub.store, hub.secrets.linkage, number, "statement", said, hub.clock())
        return match_all(hub)

    before = features(hub, number)
    assert retell() == 0
    with hub.store.write() as connection:
        connection.execute(sa.update(match_profile).where(match_profile.c.complaint == number).values(scheme=0))
    renewing.await_old(hub.store, 0)
    match_all(hub)
    assert profiles.STORY not in features(hub, number).veils
    assert (retell(), retell()) == (1, 0)
    assert features(hub, number).veils[profiles.STORY] == before.veils[profiles.STORY]


def features(hub: Hub, number: int) -> profiles.Profile:
    with hub.store.read() as connection:
        kept = duplicates.kept(connection, [number])[number]
    profile = means(hub).features.open(number, kept.features)
    assert profile is not None
    return profile


@pytest.mark.ci
def test_hub_that_opens_takes_up_the_profiles_of_an_old_scheme(lone_hub: Hub) -> None:
    hub = lone_hub
    two_reports(hub)
    match_all(hub)
    with hub.store.write() as connection:
        connection.execute(sa.update(match_profile).values(scheme=0))
    give_up = time.monotonic() + LONGEST_WAIT_S
    with running_matcher(hub):
        while maintenance.health(hub.store).old_profiles and time.monotonic() < give_up:
            pass
    assert maintenance.health(hub.store).old_profiles == 0


PARENT = """
import os, sys
from pathlib import Path
from server.matcher import Child
from tests.builders import founded

if __name__ == "__main__":
    child = Child(*founded(Path(sys.argv[1])))
    child.turn([])
    print(child.process_id, flush=True)
    sys.stdin.read()
    os._exit(1)
"""


@pytest.mark.ci
@pytest.mark.parametrize("way", ["killed", "left"])
def test_child_ends_with_its_parent(tmp_path: Path, way: str) -> None:
    open_test_hub("sqlite", tmp_path / "hub", Clock()).close()
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "hub")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        process = int(parent.stdout.readline())
        if way == "killed":
            parent.kill()
        else:
            parent.stdin.close()
        assert has_ended(process)
