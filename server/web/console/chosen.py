"""What was chosen in a list: numbers, each with the version or the entry of it, as links and forms carry them."""

from collections.abc import Iterable
from typing import Final

# Between a number and what is meant of it.
AT: Final = "@"
# No case has so many entries that their number is longer.
_DIGITS_MAX: Final = 9


def written(number: str, meant: int) -> str:
    """A number with the version or the entry that is meant."""
    return f"{number}{AT}{meant}"


def read(said: Iterable[str]) -> list[tuple[str, int]]:
    """Numbers as `written`, between blanks where one text has several, with what is meant of each; 0 for nothing."""
    parted = (each.partition(AT) for text in said for each in text.split())
    return [(number, version(meant)) for number, _, meant in parted if number]


def version(text: str) -> int:
    """The version that a form says was seen; for no such text 0, as of a complaint that has no case."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX else 0
