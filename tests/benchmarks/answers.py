"""Answers: a complaint that nobody told before, and one like another team's, are answered alike, and as fast."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import sqrt
from random import Random
from statistics import fmean, median, variance
from typing import Any, Final, Literal

import sqlalchemy as sa

from client_sync.protocol.canonical import canonical
from client_sync.sealing import Sealer, scope_of
from fixtures.generate import contents, random_id
from server.hub import Hub
from server.services import keyrings
from server.store.match_tables import link
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import HubProcess, Plan, Sender, Void, enrol, fresh_folder, opened, wait_until_matched
from tests.benchmarks.load import Caller

FIGURES: Final = ("answers_unequal", "welch_t_abs")
PAIRS: Final = 1_000
_SEED: Final = 1938
_FRAME: Final = 50
# The first answers of a fresh hub take longer, whatever was sent.
_WARM_UP: Final = 50
# Members that differ between any two answers: names of places in a sequence, ids and times.
_OWN: Final = frozenset({"now", "epoch", "frame", "position", "cursor", "n", "id", "number", "sig"})

Kind = Literal["new", "like"]


@dataclass
class Exchanges:
    """What the hub answered, without what is any answer's own, and how long it took, by kind, pair by pair.

    `links`: those that the matcher proposed by the end of it.
    """

    answers: dict[Kind, list[str]] = field(default_factory=lambda: {"new": [], "like": []})
    links: int = 0
    waits_s: dict[Kind, list[float]] = field(default_factory=lambda: {"new": [], "like": []})

    @property
    def unequal(self) -> int:
        """Pairs whose answers differ."""
        return sum(new != like for new, like in zip(self.answers["new"], self.answers["like"], strict=True))

    @property
    def welch_t(self) -> float:
        """Welch's t of the waits: how far the means lie apart, in standard errors."""
        new, like = self.waits_s["new"], self.waits_s["like"]
        return (fmean(new) - fmean(like)) / sqrt(variance(new) / len(new) + variance(like) / len(like))


def measure(_: Plan) -> Iterator[Figure]:
    """Both figures from 1,000 pairs, the order within each drawn, while the matcher runs. Raises Void."""
    found = exchanges(PAIRS)
    for kind, waits in found.waits_s.items():
        note(f"{kind}: median {median(waits) * 1000:.2f} ms of {len(waits)}")
    note(f"links that the matcher proposed meanwhile: {found.links}")
    yield Figure("answers_unequal", found.unequal, "pairs", "=", 0)
    yield Figure("welch_t_abs", abs(found.welch_t), "t", "<=", 4.5)


def exchanges(pairs: int) -> Exchanges:
    """Send so many pairs to a hub that another team told one complaint of each pair before. Raises Void."""
    rng = Random(_SEED)
    told = contents(_SEED, 2 * pairs + _WARM_UP)
    new, like, others = told[:pairs], told[pairs : 2 * pairs], told[2 * pairs :]
    with fresh_folder() as folder:
        with opened(folder) as hub:
            ours, theirs = _Team(hub, rng), _Team(hub, rng)
        with HubProcess(folder) as process:
            with Caller(process.address, theirs.sender) as caller:
                for at in range(0, pairs, _FRAME):
                    theirs.send(caller, like[at : at + _FRAME])
            wait_until_matched(folder)
            with Caller(process.address, ours.sender) as caller:
                for each in others:
                    ours.send(caller, [each])
                found = _alternating(ours, caller, list(zip(new, like, strict=True)), rng)
            wait_until_matched(folder)
        with opened(folder) as hub, hub.store.read() as connection:
            found.links = connection.scalar(sa.select(sa.func.count()).select_from(link)) or 0
        # Each like complaint has its like: what has none was not measured beside a matcher that works.
        if found.links < pairs / 2:
            raise Void(f"the matcher proposed {found.links} links for {pairs} pairs")
        return found


def _alternating(
    ours: "_Team", caller: Caller, pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]], rng: Random
) -> Exchanges:
    found = Exchanges()
    for new, like in pairs:
        told: list[tuple[Kind, dict[str, Any]]] = [("new", new), ("like", like)]
        rng.shuffle(told)
        for kind, content in told:
            answer, wait_s = ours.send(caller, [content])
            found.answers[kind].append(json.dumps(_without_own(answer), sort_keys=True))
            found.waits_s[kind].append(wait_s)
    return found


class _Team:
    """A device of a team, which seals with the hub's keyring and sends the linkage along."""

    def __init__(self, hub: Hub, rng: Random) -> None:
        self.sender: Sender = enrol(hub)
        self._sealer = Sealer(keyrings.current(hub.store), self.sender.lineage, None, None)
        self._rng = rng
        self._cursor: str | None = None

    def send(self, caller: Caller, told: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], float]:
        """Send complaints as one frame; gives the answer and the seconds it took. Raises Void."""
        lines = [line for content in told for line in self._lines(content)]
        body = self.sender.body(lines, self._cursor)
        began = time.perf_counter()
        status, data = caller.send(body)
        wait_s = time.perf_counter() - began
        answer: dict[str, Any] = json.loads(data)
        if status != 200 or any(report.keys() != {"frame", "n"} for report in answer["frames"]):
            raise Void(f"not everything was stored: {status} {data[:300]!r}")
        self._cursor = answer.get("cursor", self._cursor)
        return answer, wait_s

    def _lines(self, content: dict[str, Any]) -> Iterator[bytes]:
        id, scope = random_id(self._rng), scope_of(content)
        assert scope is not None
        yield _line(id, "complaint", self._sealer.seal(id, content, scope))
        linkage = self._sealer.link("complaint", id, content)
        if linkage is not None:
            yield _line(random_id(self._rng), "linkage", linkage)


def _line(id: str, op: str, content: dict[str, Any]) -> bytes:
    return canonical({"content": content, "id": id, "op": op, "seq": 1})


def _without_own(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_own(member) for name, member in value.items() if name not in _OWN}
    return [_without_own(each) for each in value] if isinstance(value, list) else value
