"""Three weeks of two regions and six phones, from complaint to outcome: a small one of the journey that is measured."""

from pathlib import Path

import pytest

from tests.benchmarks.journey import travel

pytestmark = pytest.mark.ci


@pytest.mark.parametrize(("complaints", "steps"), [(16, 60), pytest.param(40, 150, marks=pytest.mark.prove)])
def test_every_complaint_of_three_weeks_comes_to_its_end_and_nothing_to_anybody_else(
    tmp_path: Path, complaints: int, steps: int
) -> None:
    outcome = travel(tmp_path, complaints)
    faults = [*outcome.unfinished, *outcome.leaks, *outcome.unsafe]
    assert not faults, "\n".join(faults)
    assert outcome.lived["steps"] > steps
    assert min(outcome.lived.values()) > 0
