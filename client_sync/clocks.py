"""What a device can say of time: a wall clock that anybody may set, and how long the machine has run."""

import time
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Clocks:
    """One look at both: the wall clock, which is only a claim, and `running_s`, which no setting changes."""

    wall: datetime
    running_s: float


def running_s() -> float:
    """Seconds since this machine started, its sleep included where the system counts it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def surely_passed_s(before_s: float, now_s: float) -> float:
    """The least that passed between two readings of `running_s`: after a restart, what the new run has lasted."""
    return now_s - before_s if now_s >= before_s else now_s
