"""The matcher: a child process that compares complaints beside intake, and the thread that writes what it found.

A thread for the comparison would take intake's turn at the interpreter; a second writer would take its turn at the
database. So the child reads by a connection of its own, and the hub's one write lane keeps what comes of it.
"""

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from threading import Event, Thread
from typing import Any, Final, TypeVar
from uuid import uuid4

import sqlalchemy as sa

from server.config import Settings
from server.credential import Secrets
from server.domain.errors import SeereError, trace_of
from server.hub import Hub
from server.services import silences
from server.services.duplicates import growing, matching, renewing, turning
from server.services.duplicates.turning import Means
from server.store.duplicates import Matched, Turned
from server.store.engine import Store, open_store
from server.store.places import CurrentPlaces
from server.store.unmatched import Waiting

log = logging.getLogger(__name__)

_LOOK_S: Final = 1.0
# Of so many pages one waits for the disk. What is lost with the power is matched again; but only after a sync is the
# log of SQLite brought into its file, and some fifty pages of it are of one complaint among a million.
_SYNCED_EACH: Final = 4
# A page takes a tenth of a second; a child that is silent for so long hangs.
_ANSWER_MAX_S: Final = 60.0
_ENDS_S: Final = 5.0
_DELAY_MAX_S: Final = 60.0
_NICENESS: Final = 10


class ChildGone(Exception):
    """The child died, or says nothing."""


@dataclass(frozen=True)
class Fault:
    """Why the child could not do a page: type and frames, no words."""

    trace: dict[str, object]


class _PageFailed(Exception):
    """The child could not do a page, or died of it; or what came of the page can't be kept."""

    def __init__(self, trace: dict[str, object]) -> None:
        super().__init__()
        self.trace = trace


_Done = TypeVar("_Done", Turned, Matched)
_Step = Callable[["_Bench", Sequence[Waiting]], "list[Turned] | list[Matched]"]


class Child:
    """The child process, started when it is first asked for something."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        self._told = settings, secrets
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    @property
    def process_id(self) -> int | None:
        """The id of the process; None while there is none."""
        return None if self._process is None else self._process.pid

    def turn(self, page: Sequence[Waiting]) -> "list[Turned] | Fault":
        """The profiles of a page. Raises ChildGone."""
        answer: list[Turned] | Fault = self._ask("turn", page)
        return answer

    def match(self, page: Sequence[Waiting]) -> "list[Matched] | Fault":
        """The links of a page. Raises ChildGone."""
        answer: list[Matched] | Fault = self._ask("match", page)
        return answer

    def end(self) -> None:
        """Let it end by itself, which it does when nobody can ask it any more; or kill it."""
        process, self._process = self._process, None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if process is not None:
            process.join(_ENDS_S)
            process.kill()
            process.join()
            process.close()

    def _ask(self, step: str, page: Sequence[Waiting]) -> Any:
        try:
            pipe = self._pipe or self._start()
            pipe.send((step, page))
            if not pipe.poll(_ANSWER_MAX_S):
                raise ChildGone
            return pipe.recv()
        except (EOFError, OSError) as gone:
            raise ChildGone from gone

    def _start(self) -> Connection:
        # Not forked: this process has threads, and pages of secrets that the child has no need of.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_run, args=(theirs,), name="matcher", daemon=True)
        process.start()
        self._process, self._pipe = process, ours
        # Or the end of this process would never be heard in the child.
        theirs.close()
        ours.send(self._told)
        return ours


@contextmanager
def running_matcher(hub: Hub) -> Iterator[Child]:
    """Match what waits, in the background; the block ends when the page in hand is done."""
    stop = Event()
    child = Child(hub.settings, hub.secrets)
    thread = Thread(target=_work, args=(hub, child, stop), name="matcher")
    thread.start()
    try:
        yield child
    finally:
        stop.set()
        thread.join()
        child.end()


def match_waiting(hub: Hub, child: Child, by: str, stop: Event | None = None) -> int:
    """Match page by page until nothing waits or `stop` is set; gives how many complaints that were."""
    done = pages = 0
    silences.note_matcher(hub.store, hub.clock())
    while (stop is None or not stop.is_set()) and matching.is_any_waiting(hub.store, hub.clock()):
        pages += 1
        page = matching.claim(hub.store, by, hub.clock(), is_synced=pages % _SYNCED_EACH == 0)
        if not page:
            # Another hub is about to have it.
            break
        done += _match_page(hub, child, page)
        silences.note_matcher(hub.store, hub.clock())
    return done


def _work(hub: Hub, child: Child, stop: Event) -> None:
    by, failures, until_grown = str(uuid4()), 0, 0
    last_old: int | None = 0
    while not stop.is_set():
        try:
            if until_grown <= 0:
                # Without a model all that waits would be settled with no link.
                matching.keep_models(hub.store, hub.clock())
                until_grown = growing.keep_up(hub.store, hub.clock())
            until_grown -= match_waiting(hub, child, by, stop)
            failures = 0
            if last_old is not None:
                # A page at a time: what is new never waits for all of them.
                last_old = renewing.await_old(hub.store, last_old)
            else:
                stop.wait(_LOOK_S)
        except Exception as fault:  # noqa: BLE001 - whatever it was, complaints go on waiting to be matched
            log.error("matcher_failed", extra=trace_of(fault))
            child.end()
            stop.wait(min(2.0**failures, _DELAY_MAX_S))
            failures += 1


def _match_page(hub: Hub, child: Child, page: Sequence[Waiting]) -> int:
    """One that can't be matched keeps no other from it; it is tried again when its claim is over."""
    try:
        _match(hub, child, page)
        return len(page)
    except _PageFailed as failed:
        if len(page) > 1:
            return sum(_match_page(hub, child, [each]) for each in page)
        _blame(hub, child, page[0], failed)
        return 0


def _match(hub: Hub, child: Child, page: Sequence[Waiting]) -> None:
    """Two steps, each committed: candidates are read when the keys of the page can be read by all."""
    with _failing(child):
        turned = _sound(child.turn(page))
    with _keeping():
        kept = turning.keep(hub.store, turned, hub.clock())
    with _failing(child):
        matched = _sound(child.match(kept))
    with _keeping():
        matching.keep(hub.store, matched, hub.clock())


@contextmanager
def _failing(child: Child) -> Iterator[None]:
    """Take the death of the child for a failure of the page in hand; the next one that asks starts another."""
    try:
        yield
    except ChildGone as gone:
        child.end()
        raise _PageFailed(trace_of(gone)) from gone


@contextmanager
def _keeping() -> Iterator[None]:
    """Take what the database refuses for a failure of the page in hand. Raises StorageFull, StorageFailed or Busy as
    they are: no page would fare better then."""
    try:
        yield
    except SeereError:
        raise
    except Exception as fault:
        raise _PageFailed(trace_of(fault)) from fault


def _sound(answer: "list[_Done] | Fault") -> "list[_Done]":
    if isinstance(answer, Fault):
        raise _PageFailed(answer.trace)
    return answer


def _blame(hub: Hub, child: Child, waiting: Waiting, failed: _PageFailed) -> None:
    """Count a failure against a complaint. Raises ChildGone where no child works at all: that is nobody's fault."""
    if isinstance(child.turn([]), Fault):
        raise ChildGone
    renewing.note_failure(hub.store, waiting)
    log.error("match_failed", extra=failed.trace | {"complaint": waiting.complaint, "count": waiting.attempts + 1})


@dataclass(frozen=True)
class _Bench:
    """What the child works with."""

    store: Store
    secrets: Secrets
    places: CurrentPlaces

    def means(self, connection: sa.Connection) -> Means:
        return Means(self.secrets.pepper, self.secrets.linkage, self.places.read(connection))


def _run(pipe: Connection) -> None:
    """The child: answers until nobody asks any more."""
    # A terminal and a service manager signal the whole group; who started it says when it ends.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICENESS)
    try:
        settings, secrets = pipe.recv()
        store = open_store(settings.database_url, None if settings.database else secrets.database)
        bench = _Bench(store, secrets, CurrentPlaces())
        while True:
            step, page = pipe.recv()
            pipe.send(_answer(bench, _STEPS[step], page))
    except (EOFError, OSError):
        # Its parent is gone, and what it did last with it: the claim runs out, and the page is matched again.
        return


def _answer(bench: _Bench, step: _Step, page: Sequence[Waiting]) -> "list[Turned] | list[Matched] | Fault":
    try:
        return step(bench, page)
    except Exception as fault:  # noqa: BLE001 - the parent tries the others of the page without it
        return Fault(trace_of(fault))


def _turn(bench: _Bench, page: Sequence[Waiting]) -> list[Turned]:
    with bench.store.read() as connection:
        return turning.turn(connection, page, bench.means(connection))


def _link(bench: _Bench, page: Sequence[Waiting]) -> list[Matched]:
    with bench.store.read() as connection:
        models = matching.models_of(connection)
        return matching.match(connection, page, models, bench.means(connection))


_STEPS: Final[dict[str, _Step]] = {"turn": _turn, "match": _link}
