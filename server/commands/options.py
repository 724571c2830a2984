"""Options that several commands take, and mean the same by."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

_LISTED_MOST: Final = 1_000

# The version of a case that somebody saw; 0 where nobody had done anything.
seen_after = click.option("--after", "seen", default=0, type=click.IntRange(min=0), metavar="N")


def limited(usual: int) -> Callable[[_Command], _Command]:
    """How many lines a list has at most, and `usual`ly."""
    return click.option("--limit", default=usual, show_default=True, type=click.IntRange(1, _LISTED_MOST), metavar="N")
