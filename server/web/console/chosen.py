"""What was chosen in a list: numbers, each with the version or the entry of it, as links and forms carry them."""

from collections.abc import Iterable
from typing import Final

# Between a number and what is meant of it.
AT: Final = "@"
# Nothing of a case counts further.
_DIGITS_MAX: Final = 9


def written(number: str, meant: int) -> str:
    """A number with the version or the entry that is meant."""
    return f"{number}{AT}{meant}"


def read(said: Iterable[str]) -> list[tuple[str, int]]:
    """What was `written`, one or several in each text between blanks; 0 for what is not told."""
    parted = (each.partition(AT) for text in said for each in text.split())
    return [(number, version(meant)) for number, _, meant in parted if number]


def version(text: str) -> int:
    """The version that a form says was seen; 0, which is that of nothing, for no such text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX else 0
