"""Acknowledging: the hub itself says that it has a complaint, which opens its case, a moment after it came."""

import time
from datetime import datetime
from typing import Final

from server.domain import case as rules
from server.domain.desk import Desk
from server.domain.errors import Busy, NotFound, TransitionRefused
from server.domain.permission import JOB
from server.domain.places import Gazetteer
from server.services.cases import moving, opening
from server.services.cases.holding import FIRST
from server.store import cases
from server.store.engine import Store

# One run does no more; the next minute goes on.
_RUN_MAX: Final = 2_000
_PAGE: Final = 100
# Between two of them, if one took less: whoever waits for the one write lane, intake before all, has it first.
_REST_S: Final = 0.005


def is_any_new(store: Store) -> bool:
    """Whether any complaint waits for its acknowledgement."""
    with store.read() as connection:
        return bool(cases.unacknowledged(connection, 0, 1))


def acknowledge_new(store: Store, places: Gazetteer | None, now: datetime) -> int:
    """Acknowledge complaints that nobody did yet, _RUN_MAX at most, in the order of their ids; gives how many.

    Each in a transaction of its own, with a rest as long as that: it takes at most every other turn at the database.
    Several hubs may do it at once.
    """
    desk = Desk(JOB, places, now)
    done = seen = last = 0
    while seen < _RUN_MAX:
        with store.read() as connection:
            found = cases.unacknowledged(connection, last, _PAGE)
        if not found:
            break
        for complaint in found:
            began = time.monotonic()
            done += _acknowledge(store, desk, complaint)
            time.sleep(max(_REST_S, time.monotonic() - began))
        seen, last = seen + len(found), found[-1]
    return done


def _acknowledge(store: Store, desk: Desk, complaint: int) -> bool:
    """False where somebody did it first, took the complaint elsewhere, or is at work on it now: the next run looks."""
    try:
        with store.write() as connection:
            case = opening.take(connection, desk, [complaint])[0][complaint]
            if case.file.status != FIRST:
                return False
            moving.keep(connection, desk, case, rules.move(case.facts, "acknowledged", desk.actor, desk.now), {})
    except (Busy, NotFound, TransitionRefused):
        return False
    return True
