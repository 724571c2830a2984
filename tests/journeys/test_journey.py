"""Three weeks of two regions and six phones, from complaint to outcome: a small one of the journey that is measured."""

from pathlib import Path

from tests.benchmarks.journey import travel


def test_every_complaint_of_three_weeks_comes_to_its_end_and_nothing_to_anybody_else(tmp_path: Path) -> None:
    outcome = travel(tmp_path, 40)
    faults = [*outcome.unfinished, *outcome.leaks, *outcome.unsafe]
    assert not faults, "\n".join(faults)
    assert outcome.lived["steps"] > 150
    assert min(outcome.lived.values()) > 0
