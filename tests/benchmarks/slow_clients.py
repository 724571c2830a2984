"""Slow and dead clients: does a device on a good link wait for those on a bad one?"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from itertools import cycle
from random import Random
from threading import Event
from typing import Final

from tests.benchmarks.figure import Figure, middle, note, quantile
from tests.benchmarks.harness import SYNC, Address, HubProcess, Plan, Sender, Void, enrol, fresh_folder, opened
from tests.benchmarks.load import Load, prepared, randoms, require_all_stored, run
from tests.benchmarks.wire import foreign_contents

FIGURES: Final = ("fast_p99_ms_beside_40_slow", "answers_with_400_dead")
_SLOW: Final = 40
_DEAD: Final = 400
_BATCH: Final = 25
_REQUESTS: Final = 400
_SLOW_BODIES: Final = 12
_SEED: Final = 40
_STORIES: Final = 500
# 60 kbit/s, in steps short enough that no kernel buffer smooths them away.
_BYTES_PER_S: Final = 60_000 / 8
_STEP_S: Final = 0.1
_DEAD_PATIENCE_S: Final = 10


def measure(plan: Plan) -> Iterator[Figure]:
    """Both figures from one hub."""
    with fresh_folder() as folder:
        with opened(folder) as hub:
            fast, *slow = [enrol(hub) for _ in range(1 + _SLOW)]
        with HubProcess(folder) as process:
            yield Figure("fast_p99_ms_beside_40_slow", _p99_beside(process, fast, slow, plan), "ms", "<=", 50)
            yield Figure("answers_with_400_dead", int(_answers_beside_dead(process, fast)), "1 for yes", "=", 1)


def _p99_beside(process: HubProcess, fast: Sender, slow: Sequence[Sender], plan: Plan) -> float:
    """The 99th percentile of a fast client's waits beside slow uploaders: median of rounds, others alone between."""
    chances = randoms("slow")
    # Words of elsewhere: those of the fixtures shrink to half of what a real device has to push up.
    told = foreign_contents(_SEED, _STORIES)
    crowd = [prepared(sender, _SLOW_BODIES * _BATCH, next(chances), _BATCH, told) for sender in slow]
    note(f"slow bodies of {sum(len(load.bodies[0]) for load in crowd) / len(crowd):.0f} bytes")
    alone, beside = [], []
    for _ in range(plan.rounds):
        alone.append(_p99_ms(process, prepared(fast, _REQUESTS * _BATCH, next(chances), _BATCH)))
        load = prepared(fast, _REQUESTS * _BATCH, next(chances), _BATCH)
        with _uploading_slowly(process.address, crowd):
            beside.append(_p99_ms(process, load))
    middle("fast_p99_ms with no other client", alone)
    return middle("fast_p99_ms_beside_40_slow", beside)


def _p99_ms(process: HubProcess, load: Load) -> float:
    return quantile(run(process.address, [load]).waits_s, 0.99) * 1000


@contextmanager
def _uploading_slowly(address: Address, crowd: Sequence[Load]) -> Iterator[None]:
    """Uploaders at 60 kbit/s each, busy all the while; their bodies come again when they run out."""
    stop = Event()
    with ThreadPoolExecutor(len(crowd)) as threads:
        uploaders = [threads.submit(_upload_slowly, address, load, stop) for load in crowd]
        try:
            yield
        finally:
            stop.set()
        for uploader in uploaders:
            uploader.result()


def _upload_slowly(address: Address, load: Load, stop: Event) -> None:
    connection = HTTPConnection(*address)
    connection.connect()
    # The uploaders would all breathe in at once otherwise.
    stop.wait(Random(load.sender.device).uniform(0, _STEP_S))
    for body in cycle(load.bodies):
        if not _trickle(connection, load.sender, body, stop):
            break
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise Void(f"a slow uploader got {answer.status}")
    connection.close()


def _trickle(connection: HTTPConnection, sender: Sender, body: bytes, stop: Event) -> bool:
    """Send one request at the slow rate; whether it was sent whole before the uploaders were stopped."""
    _send_head(connection, sender, len(body))
    step = round(_BYTES_PER_S * _STEP_S)
    for at in range(0, len(body), step):
        connection.send(body[at : at + step])
        if stop.wait(_STEP_S):
            return False
    return True


def _answers_beside_dead(process: HubProcess, fast: Sender) -> bool:
    """Whether a new client is answered while 400 others have fallen silent in the middle of a body."""
    body = prepared(fast, _BATCH, next(randoms("dead")), _BATCH).bodies[0]
    with ExitStack() as dead:
        for _ in range(_DEAD):
            connection = HTTPConnection(*process.address)
            dead.callback(connection.close)
            _send_head(connection, fast, len(body))
            connection.send(body[: len(body) // 2])
        return _is_answered(process.address, fast, body)


def _is_answered(address: Address, sender: Sender, body: bytes) -> bool:
    connection = HTTPConnection(*address, timeout=_DEAD_PATIENCE_S)
    try:
        connection.request("POST", SYNC, body, sender.headers)
        answer = connection.getresponse()
        require_all_stored(answer.status, answer.read(), _BATCH)
    except (TimeoutError, ConnectionError):
        note("no answer beside 400 dead clients")
        return False
    finally:
        connection.close()
    return True


def _send_head(connection: HTTPConnection, sender: Sender, length: int) -> None:
    connection.putrequest("POST", SYNC)
    for name, value in (sender.headers | {"Content-Length": str(length)}).items():
        connection.putheader(name, value)
    connection.endheaders()
