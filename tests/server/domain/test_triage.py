"""Triage: which moves lead to a disposition, and how long one takes."""

from datetime import UTC, datetime, timedelta

import pytest

from server.domain.casework import CASEWORK, Status
from server.domain.triage import DISPOSITIONS, Disposition, mean_s, way

START = datetime(2026, 11, 22, 8, tzinfo=UTC)


def moments(*seconds: float) -> list[datetime]:
    return [START + timedelta(seconds=each) for each in seconds]


@pytest.mark.parametrize("status", ["received", "acknowledged", "in_triage", "needs_information", "reopened"])
@pytest.mark.parametrize("disposition", DISPOSITIONS)
def test_every_way_is_one_that_the_machine_knows(status: Status, disposition: Disposition) -> None:
    stations = (status, *way(status, disposition))
    assert all(step in CASEWORK.transitions for step in zip(stations, stations[1:], strict=False))


def test_average_is_of_what_was_decided_in_one_go() -> None:
    assert mean_s(moments(0, 20, 50)) == 25
    assert mean_s(moments(0, 20, 50, 3_600, 3_610)) == 20
    assert mean_s(moments(0)) is None
    assert mean_s(moments(0, 3_600)) is None
