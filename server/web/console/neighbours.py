"""Going through a list by keys: what stands before one of it, and after."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def neighbours(listed: Sequence[T], one: T | None) -> tuple[T | None, T | None]:
    """Those before and after one in a list, None at its ends; of one that is not in it, None before and the first
    after."""
    if one not in listed:
        return None, next(iter(listed), None)
    at = listed.index(one)
    return listed[at - 1] if at else None, next(iter(listed[at + 1 :]), None)
