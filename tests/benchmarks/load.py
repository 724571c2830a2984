"""Load: signed bodies made beforehand, sent by clients that keep their connection, and every answer looked at."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from http.client import HTTPConnection
from random import Random
from threading import Barrier
from typing import Any, Final, Self

from nacl.public import PrivateKey

from client_sync.protocol.canonical import canonical
from client_sync.protocol.keyring import Keyring, Policy, Recipient
from client_sync.sealing import UNKNOWN_SCOPE, Sealer, scope_of
from fixtures.generate import contents, random_id
from tests.benchmarks.harness import SYNC, Address, Sender, Void

BATCH: Final = 100
_SEED: Final = 20_261_121
# Enough stories that no two of a batch are alike; telling a new one costs more than the hub's whole work on it.
_STORIES: Final = 2_000
_ANSWER_PATIENCE_S: Final = 60
# Two coordinators and the recovery key, who read everything: no complaint has more boxes than another.
_READERS: Final = tuple(
    Recipient(bytes(PrivateKey(bytes([no]) * 32).public_key), "offline", is_named_reader=True, is_recovery=no == 3)
    for no in (1, 2, 3)
)
_KEYRING: Final = Keyring(1, datetime(2026, 11, 21, tzinfo=UTC), bytes(32), bytes(32), Policy(), _READERS)
# Where a box belongs is for its readers to check; to the hub one lineage is as good as another.
_SEALER: Final = Sealer(_KEYRING, "", None, None)


@dataclass(frozen=True)
class Run:
    """What one round of load took: wall time from the first request to the last answer, and each answer's wait."""

    records: int
    wall_s: float
    waits_s: tuple[float, ...]

    @property
    def records_per_s(self) -> float:
        return self.records / self.wall_s


@dataclass(frozen=True)
class Load:
    """The bodies that one client sends, in order, each with `batch` new complaints."""

    sender: Sender
    bodies: tuple[bytes, ...]
    batch: int

    @property
    def records(self) -> int:
        return len(self.bodies) * self.batch


class Caller:
    """One client on one kept connection; a context manager."""

    def __init__(self, address: Address, sender: Sender) -> None:
        self._connection = HTTPConnection(*address, timeout=_ANSWER_PATIENCE_S)
        self._headers = sender.headers

    def __enter__(self) -> Self:
        self._connection.connect()
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def send(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        self._connection.request("POST", SYNC, body, self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def complaint_lines(rng: Random, count: int, told: Sequence[dict[str, Any]] | None = None) -> list[bytes]:
    """So many new complaints, sealed as devices seal them to three readers, without the linkage that goes along.

    What is told in them (`told`, or stories of the fixtures) may come again; ids and boxes never do.
    """
    stories = told or _stories()
    chosen = rng.sample(range(len(stories)), count)
    return [_line(random_id(rng), stories[at], seq) for seq, at in enumerate(chosen, 1)]


def prepared(
    sender: Sender, records: int, rng: Random, batch: int = BATCH, told: Sequence[dict[str, Any]] | None = None
) -> Load:
    """A load of at least one body and about `records` complaints."""
    bodies = tuple(sender.body(complaint_lines(rng, batch, told)) for _ in range(max(1, records // batch)))
    return Load(sender, bodies, batch)


def run(address: Address, loads: Sequence[Load]) -> Run:
    """Send every load at once, one client each. Raises Void unless each record of each body was newly stored."""
    together = Barrier(len(loads) + 1, timeout=_ANSWER_PATIENCE_S)
    with ThreadPoolExecutor(len(loads)) as clients:
        answers = [clients.submit(_send_all, address, load, together) for load in loads]
        together.wait()
        began = time.perf_counter()
        waits = [wait for answer in answers for wait in answer.result()]
        wall_s = time.perf_counter() - began
    return Run(sum(load.records for load in loads), wall_s, tuple(waits))


def _send_all(address: Address, load: Load, together: Barrier) -> list[float]:
    waits, answers = [], []
    with Caller(address, load.sender) as caller:
        together.wait()
        for body in load.bodies:
            began = time.perf_counter()
            answers.append(caller.send(body))
            waits.append(time.perf_counter() - began)
    for status, answer in answers:
        require_all_stored(status, answer, load.batch)
    return waits


def require_all_stored(status: int, answer: bytes, records: int) -> None:
    """Raise Void unless the answer says of every record that it is stored, and that it is new."""
    reports: list[dict[str, Any]] = json.loads(answer).get("frames", []) if status == 200 else []
    is_new = all(report.keys() == {"frame", "n"} for report in reports)
    if not is_new or sum(report["n"] for report in reports) != records:
        raise Void(f"not everything was stored: {status} {answer[:300]!r}")


def randoms(name: str) -> Iterator[Random]:
    """Sources of chance for one figure, another for each round: ids never meet those of another figure."""
    number = 0
    while True:
        yield Random(f"{name} {number} {time.time_ns()}")
        number += 1


def sealed_content(id: str, told: dict[str, Any]) -> dict[str, Any]:
    """The content of the complaint `id` as its device sends it, sealed to three readers; what is sealed stays."""
    if "seal" in told:
        return told
    return _SEALER.seal(id, told, scope_of(told) or UNKNOWN_SCOPE)


def _line(id: str, told: dict[str, Any], seq: int) -> bytes:
    return canonical({"content": sealed_content(id, told), "id": id, "op": "complaint", "seq": seq})


@cache
def _stories() -> list[dict[str, Any]]:
    return contents(_SEED, _STORIES)
