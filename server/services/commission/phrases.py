"""Phrases: what people here read of a package: why complaints have no line, and why a line stands no more.

A body reads less of either (papers/reasons.py).
"""

from collections.abc import Mapping
from typing import Final

from server.domain.referral import BLOCKS
from server.i18n import Catalogue
from server.refusals import why_blocked

# Of what goes into numbers alone, and of what is no business of that destination, nothing is withheld.
_NOT_WITHHELD: Final = frozenset({"numbers", "elsewhere"})
_OF_ITSELF: Final = frozenset({"erased", "changed", "retold"})


def withheld(against: Mapping[str, int]) -> dict[str, int]:
    """How many complaints are withheld, by what stands against a line."""
    return {why: number for why, number in against.items() if why not in _NOT_WITHHELD}


def why(texts: Catalogue, code: str) -> str:
    """Why complaints have no line: in the words that a referral has for it, else in its own."""
    known = next((block for block in BLOCKS if block == code), None)
    return texts.text(f"packages.why_{code}") if known is None else why_blocked(texts, [known], None)


def why_void(texts: Catalogue, code: str) -> str:
    """Why a line that its destination has stands no more."""
    return texts.text(f"packages.void_{code}") if code in _OF_ITSELF else why(texts, code)
