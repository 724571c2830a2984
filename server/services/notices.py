"""Notices outside: whoever has something to read hears that it waits, through an address that the operator names.

It says no name, no number of a complaint and nothing that anybody wrote. The receiver knows a repeat by its key.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import requests

from server.domain.errors import trace_of
from server.store import deliveries
from server.store.deliveries import Delivery
from server.store.engine import Store

log = logging.getLogger(__name__)

# To connect, and between two bytes of the answer.
_PATIENCE_S: Final = (10, 20)
# Far longer than one try can take.
_LEASE: Final = timedelta(minutes=5)
_FIRST_WAIT: Final = timedelta(minutes=1)
_MOST_WAIT: Final = timedelta(hours=6)
# Some two days of trying.
_ATTEMPTS_MAX: Final = 17
# One run says no more; the next minute goes on.
_RUN_MAX: Final = 50
_NO_ANSWER: Final = "no_answer"


@dataclass(frozen=True)
class Told:
    """What one run came to: `done` deliveries arrived, `failed` did not; each of those is tried again or given up."""

    done: int
    failed: int


def is_any_waiting(store: Store, now: datetime) -> bool:
    """Whether anybody has something to hear outside."""
    with store.read() as connection:
        return bool(deliveries.unheard(connection, 1)) or deliveries.is_any_due(connection, now)


def count_given_up(store: Store) -> int:
    """How many deliveries nobody tries any more, of which somebody has still something to read."""
    with store.read() as connection:
        return deliveries.count_given_up(connection)


def deliver(store: Store, url: str, now: datetime) -> Told:
    """Tell the receiver at `url` of whoever has something to read, one message a person, and of what failed before.

    `url` is HTTPS, or on this machine. Each message is on disk before it is sent, and is sent again, the same and
    under the same key, until the receiver says that it has it or nobody tries any more. After a failure the run is
    over: a receiver that is away is asked once a minute, not once for each that waits.
    """
    _gather(store, now)
    with requests.Session() as session:
        # The environment would send it through any proxy, with any password, that it names.
        session.trust_env = False
        for done in range(_RUN_MAX):
            with store.write() as connection:
                made = deliveries.claim(connection, now, now + _LEASE)
            if made is None:
                return Told(done, 0)
            failure = _post(session, url, made)
            _settle(store, made, failure, now)
            if failure is not None:
                return Told(done, 1)
    return Told(_RUN_MAX, 0)


def wait_after(attempts: int) -> timedelta | None:
    """How long to wait after so many tries; None: nobody tries again."""
    if attempts >= _ATTEMPTS_MAX:
        return None
    return min(_FIRST_WAIT * float(2 ** (attempts - 1)), _MOST_WAIT)


def _gather(store: Store, now: datetime) -> None:
    with store.read() as connection:
        unheard = deliveries.unheard(connection, _RUN_MAX)
    for account in unheard:
        with store.write() as connection:
            deliveries.gather(connection, account, now)


def _post(session: requests.Session, url: str, made: Delivery) -> str | None:
    """Why it did not arrive; None when it did."""
    body = {"key": made.id, "account": made.account, "code": made.code, "waiting": made.waiting}
    try:
        # A redirect is another receiver than the one that was named, and what it says is not read.
        with session.post(
            url,
            json=body,
            headers={"Idempotency-Key": made.id},
            timeout=_PATIENCE_S,
            allow_redirects=False,
            stream=True,
        ) as answer:
            return None if answer.status_code // 100 == 2 else f"http_{answer.status_code}"
    except requests.RequestException as error:
        log.warning("notice_not_delivered", extra=trace_of(error))
        return _NO_ANSWER


def _settle(store: Store, made: Delivery, failure: str | None, now: datetime) -> None:
    with store.write() as connection:
        if failure is None:
            deliveries.note_done(connection, made, now)
            return
        wait = wait_after(made.attempts)
        deliveries.note_failure(connection, made, failure, None if wait is None else now + wait)
