"""The bucket of a device: what it holds, what flows in, how long until enough is in it."""

from datetime import timedelta

import pytest

from server.domain.allowance import Allowance, Refill
from tests.builders import NOW

REFILL = Refill(burst_records=100, burst_bytes=1000, records_per_minute=60, bytes_per_minute=600)


@pytest.mark.parametrize(
    ("seconds", "records", "size"),
    [(0, 10, 20), (30, 40, 320), (60, 70, 620), (3600, 100, 1000), (-3600, 10, 20)],
)
def test_bucket_fills_to_its_brim(seconds: int, records: float, size: float) -> None:
    now = NOW + timedelta(seconds=seconds)

    filled = Allowance(10, 20, NOW).refilled(now, REFILL)

    assert filled == Allowance(records, size, now)


@pytest.mark.parametrize(
    ("records", "size", "covered"), [(10, 20, True), (11, 20, False), (10, 21, False), (0, 0, True)]
)
def test_both_records_and_bytes_must_be_there(records: int, size: int, covered: bool) -> None:
    assert Allowance(10, 20, NOW).covers(records, size) is covered


def test_charge_is_taken_from_both() -> None:
    assert Allowance(10, 20, NOW).charged(3, 5) == Allowance(7, 15, NOW)


@pytest.mark.parametrize(
    ("records", "size", "wait_s"),
    # One record a second, ten bytes a second; what is short is 10 records or 20 bytes.
    [(20, 20, 10), (10, 40, 2), (20, 400, 38), (10, 21, 1), (10, 31, 2)],
)
def test_wait_is_long_enough(records: int, size: int, wait_s: int) -> None:
    allowance = Allowance(10, 20, NOW)

    assert allowance.wait_s(records, size, REFILL) == wait_s
    later = allowance.refilled(NOW + timedelta(seconds=wait_s), REFILL)
    assert later.covers(records, size)
