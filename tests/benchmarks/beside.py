"""What a device waits longer for its answer while the matcher works beside the intake."""

from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random
from typing import Any, Final

from client_sync.protocol.canonical import canonical
from client_sync.protocol.linkage import linkage_keys
from client_sync.sealing import Sealer, scope_of
from fixtures.generate import contents, random_id
from server.hub import Hub
from server.services import keyrings
from tests.benchmarks.figure import Figure, middle, note, quantile
from tests.benchmarks.harness import HubProcess, Plan, Sender, enrol, fresh_folder, opened
from tests.benchmarks.load import Load, randoms, run

FIGURES: Final = ("intake_p99_ratio",)
_SEED: Final = 55
_COMPLAINTS: Final = 10
_BODIES: Final = 100
_WARM_UP_BODIES: Final = 10
_STORIES: Final = 1_500


def measure(plan: Plan) -> Iterator[Figure]:
    """The 99th percentile of the waits of one device, in rounds with and without a matcher on the same hub.

    What comes without one waits for the next round, so that a matcher is never idle while another device waits.
    """
    waits: dict[str, list[float]] = {"yes": [], "no": []}
    with fresh_folder() as folder:
        with opened(folder) as hub:
            device = _Device(hub)
        for chance in islice(randoms("beside"), plan.rounds):
            for matcher in ("no", "yes"):
                warm_up, load = device.load(chance, _WARM_UP_BODIES), device.load(chance, _BODIES)
                with HubProcess(folder, {"SEERE_MATCHER": matcher}) as process:
                    run(process.address, [warm_up])
                    waits[matcher].append(quantile(run(process.address, [load]).waits_s, 0.99) * 1000)
    note(f"p99 of a body of {_COMPLAINTS} complaints with their linkages, in ms")
    beside, alone = middle("with matcher", waits["yes"]), middle("without", waits["no"])
    yield Figure("intake_p99_ratio", beside / alone, "ratio", "<=", 1.2)


class _Device:
    """A device that seals to the readers of the hub, and has its linkages go along."""

    def __init__(self, hub: Hub) -> None:
        self._sender: Sender = enrol(hub)
        self._sealer = Sealer(keyrings.current(hub.store), self._sender.lineage, None, None)
        self._stories = [told for told in contents(_SEED, _STORIES) if linkage_keys(told)]

    def load(self, rng: Random, bodies: int) -> Load:
        """So many bodies, signed and compressed."""
        made = tuple(self._sender.body(self._lines(rng)) for _ in range(bodies))
        return Load(self._sender, made, 2 * _COMPLAINTS)

    def _lines(self, rng: Random) -> list[bytes]:
        return [line for told in rng.sample(self._stories, _COMPLAINTS) for line in self._told(rng, told)]

    def _told(self, rng: Random, told: dict[str, Any]) -> Sequence[bytes]:
        id, scope = random_id(rng), scope_of(told)
        assert scope is not None
        linkage = self._sealer.link("complaint", id, told)
        assert linkage is not None
        return (
            _line(id, "complaint", self._sealer.seal(id, told, scope)),
            _line(random_id(rng), "linkage", linkage),
        )


def _line(id: str, op: str, content: dict[str, Any]) -> bytes:
    return canonical({"content": content, "id": id, "op": op, "seq": 1})
