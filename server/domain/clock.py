"""The clock of a hub against the last time at which it was trusted: what can't be right is doubted."""

from datetime import datetime, timedelta
from typing import Final, Literal

# What a clock is doubted for: `ahead` of where it can be, or `behind` what it said before.
Doubt = Literal["ahead", "behind"]

# A hub that was off for longer than this has to be told that it is so late.
AHEAD_MOST: Final = timedelta(days=30)
BEHIND_MOST: Final = timedelta(hours=1)
# How old the mark may get while a hub runs: each renewal is a commit.
MARK_EACH: Final = timedelta(minutes=10)
# Whoever was off for so long can't tell who was silent meanwhile; an office that is closed at the week's end is not.
AWAY_FROM: Final = timedelta(days=3)


def doubt_of(mark: datetime, now: datetime, *, is_doubted: bool = False) -> Doubt | None:
    """What a clock that says `now` is doubted for; None for nothing. `mark`: the last time that was trusted.

    A clock that `is_doubted` already is right again only once it is past the mark: one that was set two hours back
    goes on from there, and an hour later it is still wrong.
    """
    if now > mark + AHEAD_MOST:
        return "ahead"
    return "behind" if now < mark - (timedelta(0) if is_doubted else BEHIND_MOST) else None


def is_mark_old(mark: datetime, now: datetime) -> bool:
    """Whether the mark has to be renewed by a clock that is trusted."""
    return now - mark >= MARK_EACH


def was_away(mark: datetime, now: datetime) -> bool:
    """Whether the hub was off for so long that nobody could reach it."""
    return now - mark >= AWAY_FROM
