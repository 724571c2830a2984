"""How much a device may send: a bucket of records and bytes that refills with time."""

from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil


@dataclass(frozen=True)
class Refill:
    """Size of the bucket and what flows in, a minute."""

    burst_records: int
    burst_bytes: int
    records_per_minute: int
    bytes_per_minute: int


@dataclass(frozen=True)
class Allowance:
    """What a device may still send."""

    records_left: float
    bytes_left: float
    refilled_at: datetime

    def refilled(self, now: datetime, refill: Refill) -> "Allowance":
        """The allowance at `now`; a clock set back gives nothing and takes nothing."""
        minutes = max(0.0, (now - self.refilled_at).total_seconds() / 60)
        return Allowance(
            min(refill.burst_records, self.records_left + minutes * refill.records_per_minute),
            min(refill.burst_bytes, self.bytes_left + minutes * refill.bytes_per_minute),
            now,
        )

    def covers(self, records: int, size_bytes: int) -> bool:
        """Whether so much may be sent now."""
        return records <= self.records_left and size_bytes <= self.bytes_left

    def charged(self, records: int, size_bytes: int) -> "Allowance":
        """What is left after it."""
        return replace(self, records_left=self.records_left - records, bytes_left=self.bytes_left - size_bytes)

    def wait_s(self, records: int, size_bytes: int, refill: Refill) -> int:
        """Seconds until so much may be sent, at least 1."""
        minutes = max(
            (records - self.records_left) / refill.records_per_minute,
            (size_bytes - self.bytes_left) / refill.bytes_per_minute,
        )
        return max(1, ceil(minutes * 60))
