"""Hubs killed at each step of their jobs, one or several on a database: every effect once, inside and outside."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults.rig import Sizes, sized
from tests.faults.ticking import deaths, jump

KILLS = Sizes(ci=12, full=300)
YEAR = timedelta(days=365)


@sized(KILLS)
def test_killed_hub_does_everything_once(size: int, ram: Path) -> None:
    _examine(size, ram)


@pytest.mark.postgres
@pytest.mark.parametrize("hubs", [2, 3])
@sized(KILLS)
def test_killed_hubs_on_one_database_do_everything_once(size: int, hubs: int, ram: Path, postgres_url: str) -> None:
    _examine(size, ram, hubs, postgres_url)


def _examine(size: int, folder: Path, hubs: int = 1, database: str = "") -> None:
    found = deaths(size, folder, hubs, database)
    assert found.kills >= size
    assert (found.twice, found.skipped) == (0, 0)
    # Or nothing was tried: each of these has to come about once.
    assert {"moved", "change", "notice", "outside", "anchor"} <= found.kinds


@pytest.mark.prove
@pytest.mark.ci
@pytest.mark.parametrize(
    ("passed", "is_doubted"), [(timedelta(hours=48), False), (YEAR, True), (-YEAR, True)], ids=str
)
def test_hub_that_was_off_or_whose_clock_jumped_catches_up_once_and_does_nothing_for_good_before_it_may(
    passed: timedelta, is_doubted: bool, database_url: str, ram: Path
) -> None:
    database = "" if database_url.startswith("sqlite") else database_url
    found = jump(passed, ram, database)
    assert (found.is_doubted, found.undoable_before) == (is_doubted, 0)
    assert found.runs_most == 1
