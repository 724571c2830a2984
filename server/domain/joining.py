"""Joining cases and taking complaints out again: attach, detach and split, each with its exact inverse.

Every complaint has a case of its own, opened for it. While it is in another, its own is a duplicate without complaints,
which remembers where it stood; so every case that has complaints has the one that it was opened for, unless erased.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from server.domain.case import CaseFacts, Left, Moved, UrgencyWord, move, permits
from server.domain.casework import Status
from server.domain.errors import RegroupingRefused
from server.domain.permission import Action, Actor
from server.domain.urgency import common_word, word_along

Kind = Literal["attach", "detach", "split"]

_RIGHT: Final[Action] = "handle_case"
# Nobody works on a case of which no person said how urgent it is.
_WORKED_ON: Final[frozenset[Status]] = frozenset({"in_progress", "referred", "resolved"})


@dataclass(frozen=True)
class Place:
    """What regrouping changes of a case, and it changes nothing else: by these, how urgent and confidential it is."""

    case: int
    status: Status
    since: datetime
    word: UrgencyWord | None
    complaints: frozenset[int]
    joined_into: int | None
    left: Left | None


@dataclass(frozen=True)
class Regrouping:
    """Complaints that went between two cases, of which the first is a duplicate on one side of it, before or after.

    `moved`: the move of that first case.
    """

    kind: Kind
    before: tuple[Place, Place]
    after: tuple[Place, Place]
    moved: Moved


def place_of(case: CaseFacts) -> Place:
    """Where a case stands, as far as regrouping goes by it."""
    return Place(case.id, case.status, case.since, case.word, case.complaints, case.joined_into, case.left)


def attach(case: CaseFacts, into: CaseFacts, actor: Actor, now: datetime) -> Regrouping:
    """All complaints of a case join another, which is then as urgent as either; the case becomes its duplicate.

    Raises TransitionRefused.
    """
    moved = move(case, "duplicate", actor, now, other=into)
    own, other = place_of(case), place_of(into)
    left = Left(case.status, case.since)
    after = (
        Place(case.id, "duplicate", now, case.word, frozenset(), into.id, left),
        replace(other, complaints=other.complaints | own.complaints, word=common_word(other.word, own.word)),
    )
    return Regrouping("attach", (own, other), after, moved)


def detach(case: CaseFacts, home: CaseFacts, actor: Actor, now: datetime) -> Regrouping:
    """The complaint that `home` was opened for goes out of a case; otherwise as `split`."""
    out = frozenset() if home.opened_for is None else frozenset({home.opened_for})
    return replace(split(case, out, home, actor, now), kind="detach")


def split(case: CaseFacts, out: Collection[int], home: CaseFacts, actor: Actor, now: datetime) -> Regrouping:
    """Complaints go out of a case into the `home` of one of them, which stands again where it stood.

    Whoever said that they are more urgent than their answers said it of them there, too. Raises TransitionRefused, and
    RegroupingRefused by fault: `nothing` goes out, or not out of this case; `own`: the complaint that a case was opened
    for stays; `home`: that is the case of none of them, or no duplicate.
    """
    gone = frozenset(out)
    left = _check_split(case, gone, home)
    moved = move(home, left.status, actor, now, other=case)
    own, other = place_of(home), place_of(case)
    word = common_word(home.word, word_along(case.word, gone))
    after = (
        Place(home.id, left.status, left.since, word, gone, None, None),
        replace(other, complaints=other.complaints - gone),
    )
    return Regrouping("split", (own, other), after, moved)


def undo(regrouping: Regrouping, cases: tuple[CaseFacts, CaseFacts], actor: Actor) -> tuple[Place, Place]:
    """Where both cases stand once it is taken back: exactly where they stood, as far as it changed them.

    `cases`: as they stand, in the order of the regrouping. What others changed meanwhile stays: the status of the case
    that was joined, a later word on how urgent either is. Raises RegroupingRefused by fault: `right`, or `changed`,
    where one of them has other complaints since, or the first one stands elsewhere, and where complaints would come
    into a case that was closed since, or the word would go by which one is worked on.
    """
    if not all(permits(case, actor, _RIGHT) for case in cases):
        raise RegroupingRefused(fault="right")
    now, made = tuple(map(place_of, cases)), regrouping.after
    first = replace(now[0], word=made[0].word)
    if first != made[0] or _group(now[1]) != _group(made[1]):
        raise RegroupingRefused(fault="changed")
    own, was = (_word_back(*each) for each in zip(regrouping.before, made, now, strict=True))
    other = replace(was, status=now[1].status, since=now[1].since)
    is_closed_since = cases[1].is_closed and (other.status, other.since) != (made[1].status, made[1].since)
    if (is_closed_since and other.complaints > now[1].complaints) or _lacks_word(own) or _lacks_word(other):
        raise RegroupingRefused(fault="changed")
    return own, other


def _check_split(case: CaseFacts, out: frozenset[int], home: CaseFacts) -> Left:
    """Where the home stood."""
    if not out or not out <= case.complaints:
        raise RegroupingRefused(fault="nothing")
    if case.opened_for in out or out == case.complaints:
        raise RegroupingRefused(fault="own")
    if home.left is None or home.opened_for not in out:
        raise RegroupingRefused(fault="home")
    return home.left


def _group(place: Place) -> tuple[frozenset[int], int | None]:
    return place.complaints, place.joined_into


def _lacks_word(place: Place) -> bool:
    return place.word is None and place.status in _WORKED_ON


def _word_back(was: Place, made: Place, now: Place) -> Place:
    return was if now.word == made.word else replace(was, word=now.word)
