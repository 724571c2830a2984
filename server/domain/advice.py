"""Sync advice: when a device for which there was nothing does well to ask again."""

import hashlib
from datetime import datetime, timedelta
from typing import Final

_LEAST: Final = timedelta(minutes=15)
_MOST: Final = timedelta(hours=6)
# The longer nothing came, the longer nothing will: of a day of silence three hours are waited.
_SHARE: Final = 8
# How far devices that would come together are drawn apart: by half of their wait.
_SPREAD: Final = 0.5
_MINUTE: Final = timedelta(minutes=1)
_HOUR_S: Final = 3_600


def sync_after_min(device: str, now: datetime, quiet: timedelta) -> int:
    """Minutes until the next sync of a device for which nothing came for so long: from 15 minutes to 9 hours.

    Each device falls elsewhere between the wait and half as much more, each hour anew.
    """
    wait = min(max(quiet / _SHARE, _LEAST), _MOST)
    drawn = hashlib.sha256(f"{device} {int(now.timestamp()) // _HOUR_S}".encode()).digest()
    return round(wait * (1 + _SPREAD * int.from_bytes(drawn[:4]) / 2**32) / _MINUTE)
