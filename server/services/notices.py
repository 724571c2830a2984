"""Notices outside: whoever has something to read hears that it waits, through an address that the operator names.

It says no name, no number of a complaint and nothing that anybody wrote. The receiver knows a repeat by its key.
"""

import logging
import socket
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from time import monotonic
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from server.domain.errors import trace_of
from server.store import deliveries
from server.store.deliveries import Delivery
from server.store.engine import Store

log = logging.getLogger(__name__)

_CONNECT_S: Final = 10.0
_ANSWER_S: Final = 20.0
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


def deliver(store: Store, url: str, now: datetime, answer_s: float = _ANSWER_S) -> Told:
    """Tell the receiver at `url` of whoever has something to read, one message a person, and of what failed before.

    `url` is HTTPS, or on this machine. Each message is on disk before it is sent, and is sent again, the same and
    under the same key, until the receiver says that it has it or nobody tries any more. After a failure the run is
    over: a receiver that is away is asked once a minute, not once for each that waits. One whose answer is not there
    after `answer_s`, however it comes, is away.
    """
    _gather(store, now)
    with closing(_Prompt(answer_s)) as road:
        for done in range(_RUN_MAX):
            with store.write() as connection:
                made = deliveries.claim(connection, now, now + _LEASE)
            if made is None:
                return Told(done, 0)
            failure = _post(road, url, made)
            _note(store, made, failure, now)
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


def _post(road: HTTPAdapter, url: str, made: Delivery) -> str | None:
    """Why it did not arrive; None when it did."""
    body = {"key": made.id, "account": made.account, "code": made.code, "waiting": made.waiting}
    request = requests.Request("POST", url, json=body, headers={"Idempotency-Key": made.id}).prepare()
    try:
        # By no session: it would go through any proxy that the environment names, and read what a redirect says, which
        # is another receiver than the one that was named.
        with road.send(request, stream=True, timeout=(_CONNECT_S, _ANSWER_S)) as answer:
            return None if answer.status_code // 100 == 2 else f"http_{answer.status_code}"
    except requests.RequestException as error:
        log.warning("notice_not_delivered", extra=trace_of(error))
        return _NO_ANSWER


class _Prompt(HTTPAdapter):
    """Connections on which an answer has come after `answer_s`: the timeout of requests is for each read, and an answer
    that comes byte by byte never meets it."""

    def __init__(self, answer_s: float) -> None:
        self._answer_s = answer_s
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(self._answer_s)


def _pools(answer_s: float) -> dict[str, type[HTTPConnectionPool]]:
    class Answer(HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
            until: Any = _Until(sock, monotonic() + answer_s)
            super().__init__(until, *args, **options)

    class Prompt(HTTPConnection):
        response_class = Answer

    class PromptTls(Prompt, HTTPSConnection):
        pass

    class Pool(HTTPConnectionPool):
        ConnectionCls = Prompt

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = PromptTls

    return {"http": Pool, "https": TlsPool}


class _Until(RawIOBase):
    """What a socket gives until a moment of the monotonic clock, as `http.client` reads it; then TimeoutError."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._sock, self._until = sock, until

    def makefile(self, _: str) -> BufferedReader:
        return BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left_s = self._until - monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._sock.settimeout(left_s)
        return self._sock.recv_into(buffer)


def _note(store: Store, made: Delivery, failure: str | None, now: datetime) -> None:
    with store.write() as connection:
        if failure is None:
            deliveries.note_done(connection, made, now)
            return
        wait = wait_after(made.attempts)
        deliveries.note_failure(connection, made, failure, None if wait is None else now + wait)
