"""Ids of links: drawn by lot, so that none tells how many there are, and written so that people can type them."""

import re
from secrets import randbits
from typing import Final

# Two alike among a million links: not once in two hubs; the database refuses the second, and it is drawn again.
_BITS: Final = 40
_HALF: Final = 5
_WRITTEN: Final = re.compile(f"[0-9a-f]{{{_HALF}}}-?[0-9a-f]{{{_HALF}}}")


def new_id() -> int:
    """An id that no other link has, by the odds."""
    return randbits(_BITS)


def written(id: int) -> str:
    """The id as people read and type it: `3f9a0-27bc1`."""
    digits = f"{id:0{2 * _HALF}x}"
    return f"{digits[:_HALF]}-{digits[_HALF:]}"


def read(text: str) -> int | None:
    """The id that a person typed, in any case, with the hyphen or without; None for what is none."""
    digits = text.strip().lower()
    return int(digits.replace("-", ""), 16) if _WRITTEN.fullmatch(digits) else None
