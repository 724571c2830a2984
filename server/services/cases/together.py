"""Several together: one act on each of many by itself, so that what one refuses holds up no other."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from server.domain.errors import Busy, SeereError, StorageFailed, StorageFull, TooMany, trace_of

log = logging.getLogger(__name__)

# So many that somebody can still look through what will be done.
MANY_MAX: Final = 50
# Nothing about the one that was meant: whoever runs the hub has to hear of it.
_OF_THE_HUB: Final = (Busy, StorageFailed, StorageFull)

Told = TypeVar("Told")


@dataclass(frozen=True)
class Together(Generic[Told]):
    """What became of several, by number: what the act on each gave last, or why one stays as it is."""

    done: Mapping[str, Told]
    stays: Mapping[str, SeereError]


def each(chosen: Collection[tuple[str, int]], act: Callable[[str, int], Told], most: int = MANY_MAX) -> Together[Told]:
    """Act on each of these in their order: a number, with the version or the entry of it that is meant.

    Every act is a transaction of its own. Of a number that refused once, nothing more is done; where the hub could not
    do it just then, the log says so. Raises TooMany, with nothing done, for more than `most` numbers.
    """
    check_few({number for number, _ in chosen}, most)
    done: dict[str, Told] = {}
    stays: dict[str, SeereError] = {}
    for number, meant in chosen:
        if number in stays:
            continue
        try:
            done[number] = act(number, meant)
        except SeereError as error:
            if isinstance(error, _OF_THE_HUB):
                log.error("act_failed", extra={"code": error.code} | trace_of(error.__cause__ or error))
            stays[number] = error
            done.pop(number, None)
    return Together(done, stays)


def check_few(numbers: Collection[str], most: int = MANY_MAX) -> None:
    """Raise TooMany for more than `most` numbers."""
    if len(numbers) > most:
        raise TooMany(most=most)
