"""Following: how it is for people after their case was closed, and what goes on by itself when they have spoken."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from server.domain import case as rules
from server.domain.casework import CASEWORK, Status
from server.domain.deadlines import AFTER_CLOSURE, FOLLOW_UP_ANSWERS
from server.domain.desk import Desk
from server.domain.errors import Busy, DeadlineRefused, NotFound, TransitionRefused
from server.domain.permission import JOB
from server.domain.places import Gazetteer
from server.services.cases import due, moving, opening
from server.store import cases, notices
from server.store import due as deadlines
from server.store.engine import Store

# Nobody leaves a person to whom this is done with a closed case.
REPRISALS: Final = "reprisals"
_PAGE: Final = 100
_WITHDRAWN: Final[Status] = "withdrawn"
# What notices of it are called: an answer came, none came in time, the complainants took it all back.
ANSWERED, UNANSWERED, WITHDRAWN = "question_answered", "question_unanswered", "case_withdrawn"
# As the complainants said it themselves.
_ON_DEVICE: Final = {"withdrawal": "on_device"}


def follow_up(store: Store, desk: Desk, number: str, answer: str, days: int | None = None, *, after: int) -> str:
    """Note what became of a person, by a code of the list, after the case was closed; gives the kind of follow-up.

    `days`: which one it is; without it the first that was not made. Raises NotFound, StaleRevision, and
    DeadlineRefused: `answer` for a code that is not listed, `no_follow_up` where none is to be made.
    """
    if answer not in FOLLOW_UP_ANSWERS:
        raise DeadlineRefused(fault="answer")
    with store.write() as connection:
        _, case = opening.take_seen(connection, desk, number, after, {due.FOLLOWED_UP: answer})
        known = deadlines.of_cases(connection, [case.file.id])[case.file.id]
        waits = [each for each in known if each.stands.kind in AFTER_CLOSURE and each.stands.met_at is None]
        wanted = [each for each in waits if days is None or each.stands.kind == f"after_closure_{days}"]
        if not wanted:
            raise DeadlineRefused(fault="no_follow_up")
        due.note(connection, desk, case, due.FOLLOWED_UP, wanted[0], {"answer": answer})
    return wanted[0].stands.kind


def end_waits(store: Store, places: Gazetteer | None, now: datetime) -> int:
    """Go on with cases in which nobody has to decide; gives with how many.

    Those whose question was answered, or was for as long as anybody waits, come back into triage; those of which every
    complainant took the complaint back on a device are withdrawn, unless a body has something of them: somebody has to
    ask for that back. A pause needs nobody: it ends by itself, since what falls due then is known from the beginning.
    """
    desk = Desk(JOB, places, now)
    asked = _paged(store, lambda connection, after: cases.asked(connection, now - CASEWORK.answer_wait, _PAGE, after))
    count = sum(_goes_on(store, desk, each, "in_triage", {}) for each in asked)
    gone = _paged(store, lambda connection, after: cases.taken_back(connection, _PAGE, after))
    return count + sum(_goes_on(store, desk, each, _WITHDRAWN, _ON_DEVICE) for each in gone)


def _paged(store: Store, page: Callable[[sa.Connection, int], list[int]]) -> Iterator[int]:
    after = 0
    while True:
        with store.read() as connection:
            found = page(connection, after)
        if not found:
            return
        yield from found
        after = found[-1]


def _goes_on(store: Store, desk: Desk, id: int, to: Status, given: Mapping[str, str]) -> bool:
    """Whether the case went on, of which its owner hears; one with which somebody does something at this moment is
    looked at the next time."""
    try:
        with store.write() as connection:
            case = opening.take(connection, desk, [], [id])[1][id]
            if to == _WITHDRAWN and case.facts.referrals:
                return False
            moved = rules.move(case.facts, to, desk.actor, desk.now, given)
            moving.keep(connection, desk, case, moved, {})
            code = WITHDRAWN if to == _WITHDRAWN else ANSWERED if case.facts.has_answer else UNANSWERED
            key = f"{code}:{case.file.id}:{moved.revision}"
            notices.tell_owner(connection, case.file.owner, code, key, desk.now, case.file.id)
    except (Busy, NotFound, TransitionRefused):
        return False
    return True
