"""Sync advice: the longer nothing came the later, within bounds, and each device at another time."""

from datetime import timedelta

import pytest

from server.domain.advice import sync_after_min
from tests.builders import NOW, an_id


@pytest.mark.parametrize(
    ("quiet", "least", "most"),
    [
        (timedelta(0), 15, 23),
        (timedelta(hours=2), 15, 23),
        (timedelta(days=1), 180, 270),
        (timedelta(days=60), 360, 540),
        (-timedelta(days=365), 15, 23),
    ],
)
def test_wait_grows_with_the_silence_within_bounds(quiet: timedelta, least: int, most: int) -> None:
    drawn = [sync_after_min(an_id(no), NOW, quiet) for no in range(200)]
    assert least <= min(drawn) < max(drawn) <= most


def test_devices_that_came_together_come_again_spread_over_half_the_wait() -> None:
    drawn = sorted(sync_after_min(an_id(no), NOW, timedelta(days=1)) for no in range(400))
    apart = [later - sooner for sooner, later in zip(drawn, drawn[1:], strict=False)]
    # 400 of them over 90 minutes: some four a minute, and no gap that a crowd would leave.
    assert max(apart) <= 2


def test_device_is_drawn_anew_each_hour() -> None:
    drawn = {sync_after_min(an_id("one"), NOW + timedelta(hours=hour), timedelta(days=1)) for hour in range(24)}
    assert len(drawn) > 20
