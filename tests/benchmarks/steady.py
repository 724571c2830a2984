"""What must not depend on luck: links in whatever order and engine; and what matching takes up of a database."""

import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final
from zlib import crc32

import numpy as np
import sqlalchemy as sa

from fixtures import kit
from server.domain.matching import complaints
from server.domain.matching.decisions import levels_told
from server.domain.matching.keys import CANDIDATES_MOST, POSTINGS_MOST, TELLING_MUCH
from server.domain.matching.model import Band
from server.domain.matching.profiles import Profile
from server.hub import Hub
from server.services.duplicates import growing, matching
from server.services.duplicates.features import Features
from server.services.duplicates.matching import SHARE_MOST, found_by
from server.store import duplicates
from server.store.match_tables import decision, link, match_key, match_profile, match_told
from server.store.schema import received
from tests.benchmarks import beside
from tests.benchmarks.crowd import Crowd, Report, Telling
from tests.benchmarks.crowded import Crowded, crowded
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import Plan, Void, fresh_folder, opened
from tests.builders import Clock, Sender, an_id, enrolled, open_test_hub, operation
from tests.matching import linkage, match_all
from tests.postgres import running_cluster

FIGURES: Final = (
    "order_independent",
    "engines_agree",
    "bytes_per_complaint",
    *beside.FIGURES,
    "order_jaccard",
)
SEED: Final = 1_312
_FEW: Final = 300
_SOME: Final = 1_000
_MIDDLE: Final = 100_000
_SAMPLE: Final = 4_000
_TELLERS: Final = 12
_ADDED: Final = (decision, link, match_told, match_key, match_profile)

# A link by the two reports, its relation, band and levels.
Links = frozenset[tuple[frozenset[str], str, str, str]]


class Tellers:
    """Devices of a hub that send reports of a crowd, each monitor by the same one."""

    def __init__(self, hub: Hub) -> None:
        self._senders = [enrolled(hub, f"teller {number}") for number in range(_TELLERS)]

    def send(self, report: Report, name: object) -> int:
        """Send a report with its linkage; gives its id at the hub. Raises Void unless it is stored."""
        sender = self._senders[crc32(report.form["device"].encode()) % _TELLERS]
        sealed = sender.seal(name, kit.content(report.form))
        sender.send(operation("complaint", name, sealed), linkage(sender, name, {}, inside=dict(report.linkage)))
        return _number(sender, name)


def measure(plan: Plan) -> Iterator[Figure]:
    """The figures of small hubs, that of a hub that runs, then the one of 100,000."""
    told = Crowd(SEED, _FEW)
    with fresh_folder() as folder:
        forward = links_of(told, told.history, folder / "forward")
        backward = links_of(told, told.history[::-1], folder / "backward", like=folder / "forward")
        _require_some(forward)
        yield Figure("order_independent", int(forward == backward), "1 or 0", "=", 1)
        yield Figure("engines_agree", _engines_agree(told, forward, folder), "1 or 0", "=", 1)
        yield Figure("bytes_per_complaint", bytes_a_complaint(folder / "many", _SOME), "bytes", "<=", 2000)
    yield from beside.measure(plan)
    yield Figure("order_jaccard", order_jaccard(crowded(_MIDDLE), _SAMPLE), "share", ">=", 0.99)


def links_of(
    told: Crowd, history: Sequence[Telling], folder: Path, *, like: Path | None = None, url: str = "sqlite"
) -> Links:
    """The links that a hub proposes when these reports come in this order, without those of the silent sample.

    `like`: a hub whose secrets this one has, so that veils are the same. Raises Void when a posting is at its bound.
    """
    folder.mkdir(parents=True)
    if like is not None:
        shutil.copy2(like / "hub.credential", folder)
    hub = open_test_hub(url, folder, Clock())
    try:
        _send_all(hub, told, history)
        match_all(hub)
        _require_unbound(hub)
        return _links(hub)
    finally:
        hub.close()


def _send_all(hub: Hub, told: Crowd, history: Sequence[Telling]) -> None:
    tellers = Tellers(hub)
    for telling in history:
        tellers.send(told.report(telling), telling)


def _number(sender: Sender, name: object) -> int:
    select = sa.select(received.c.id).where(received.c.lineage == sender.lineage, received.c.client_id == an_id(name))
    with sender.hub.store.read() as connection:
        number = connection.scalar(select)
    if number is None:
        raise Void(f"{name} was not stored")
    return number


def _links(hub: Hub) -> Links:
    first, then = received.alias(), received.alias()
    select = (
        sa.select(first.c.client_id, then.c.client_id, link.c.relation, link.c.band, link.c.reasons)
        .join(first, first.c.id == link.c.a)
        .join(then, then.c.id == link.c.b)
        .where(link.c.band != Band.SILENT)
    )
    with hub.store.read() as connection:
        rows = connection.execute(select).all()
    return frozenset(
        (frozenset((a, b)), *said, str(sorted(levels_told(reasons).items()))) for a, b, *said, reasons in rows
    )


def _require_some(links: Links) -> None:
    if len(links) < _FEW / 20:
        raise Void(f"{len(links)} links of {_FEW} reports prove nothing")


def _require_unbound(hub: Hub) -> None:
    """Raise Void where a posting is at its bound: then order may count."""
    columns = match_key.c
    groups = [columns.k], [columns.k, columns.source]
    counts = [sa.select(sa.func.count(columns.k).label("many")).group_by(*group).subquery() for group in groups]
    with hub.store.read() as connection:
        longest, share = (connection.scalar(sa.select(sa.func.max(each.c.many))) or 0 for each in counts)
    if longest >= POSTINGS_MOST or share >= SHARE_MOST:
        raise Void(f"a posting of {longest}, {share} of one device, is at its bound")


def _engines_agree(told: Crowd, expected: Links, folder: Path) -> int:
    with running_cluster(os.environ) as cluster:
        url = cluster.create_database()
        return int(links_of(told, told.history, folder / "postgres", like=folder / "forward", url=url) == expected)


def bytes_a_complaint(folder: Path, size: int) -> float:
    """What all that matching adds takes up at a hub that took in and matched so many reports one by one."""
    told = Crowd(SEED + 1, size)
    folder.mkdir(parents=True)
    hub = open_test_hub("sqlite", folder, Clock())
    try:
        _send_all(hub, told, told.history)
        match_all(hub)
        taken = {table.name: each / size for table, each in bytes_of(hub, _ADDED).items()}
    finally:
        hub.close()
    note("bytes a complaint: " + ", ".join(f"{name} {each:.0f}" for name, each in taken.items()))
    return sum(taken.values())


def bytes_of(hub: Hub, tables: Sequence[sa.Table]) -> dict[sa.Table, int]:
    """The pages of each table and its indexes, in bytes; none of the tables is needed by a later one."""
    found = {}
    with hub.store.engine.connect() as connection, connection.begin() as undone:
        page_bytes, free = _pragma(connection, "page_size"), _pragma(connection, "freelist_count")
        for table in tables:
            connection.exec_driver_sql(f"DROP TABLE {table.name}")
            now_free = _pragma(connection, "freelist_count")
            found[table], free = (now_free - free) * page_bytes, now_free
        undone.rollback()
    return found


def _pragma(connection: sa.Connection, name: str) -> int:
    # SQLCipher answers some with text.
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


def order_jaccard(of: Crowded, sample: int) -> float:
    """Of the links that the history gives in its own order or in one that was drawn, the share that both give.

    By the models of a hub that has them all: links that were proposed when it was smaller are judged anew as it grows.
    Estimated: some reports are drawn, and their links looked for as on the day each arrived in one order; then those
    same links in the other order.
    """
    kept = []
    with _grown(of.folder) as hub, hub.store.read() as connection:
        past = _Past(connection, hub.secrets.pepper)
        rng = Random(SEED)
        told = np.arange(past.size + 1)
        drawn = np.array([0, *rng.sample(range(1, past.size + 1), past.size)])
        for order, other in ((told, drawn), (drawn, told)):
            links = past.links_at_arrival(order, rng.sample(range(1, past.size + 1), sample))
            again = past.links_at_arrival(other, {number for pair in links for number in pair})
            kept.append(len(links & again) / max(len(links), 1))
            note(f"{len(links)} links of {sample} reports in one order, {kept[-1]:.4f} of them in the other")
    return 1 / (1 / kept[0] + 1 / kept[1] - 1)


@contextmanager
def _grown(folder: Path) -> Iterator[Hub]:
    with opened(folder) as hub:
        growing.keep_up(hub.store, hub.clock())
        yield hub


class _Past:
    """The keys and profiles of a hub, looked at as if only some of its complaints had come yet.

    An order gives the place of each complaint by its number, from 1 on. Keys are told by their heads.
    """

    def __init__(self, connection: sa.Connection, pepper: bytes) -> None:
        self._connection, self._features = connection, Features(pepper)
        self._models = matching.models_of(connection)
        rows = connection.execute(sa.select(match_profile.c.complaint, match_profile.c.posted)).all()
        self.size = len(rows)
        self._keys = {row.complaint: np.frombuffer(row.posted, "<u4") for row in rows}
        keys = np.concatenate(list(self._keys.values()))
        numbers = np.repeat(list(self._keys), [len(each) for each in self._keys.values()])
        by_key = np.argsort(keys, kind="stable")
        self._sorted, self._numbers = keys[by_key], numbers[by_key]
        self._sources = dict(map(tuple, connection.execute(sa.select(received.c.id, received.c.lineage))))
        self._profiles: dict[int, Profile] = {}

    def links_at_arrival(self, order: np.ndarray, numbers: Collection[int]) -> set[frozenset[int]]:
        """The links that complaints have with those before them in the order, as each finds them when it comes."""
        at_place = np.argsort(order)
        return {
            frozenset((number, int(at_place[place])))
            for number in numbers
            for place, told in self._retrieved(order, number).items()
            if self._is_linked(number, int(at_place[place]), is_faint=told < TELLING_MUCH)
        }

    def _retrieved(self, order: np.ndarray, number: int) -> dict[int, float]:
        postings = (self._before(order, number, key) for key in self._keys[number])
        return found_by(postings, CANDIDATES_MOST)

    def _before(self, order: np.ndarray, number: int, key: np.uint32) -> list[tuple[int, Any]]:
        """The newest of one key before a complaint comes, as places in the order, each with its source."""
        first, end = np.searchsorted(self._sorted, key), np.searchsorted(self._sorted, key, "right")
        sharing = self._numbers[first:end]
        earlier = sharing[order[sharing] < order[number]]
        newest = earlier[np.argsort(order[earlier])][-POSTINGS_MOST:]
        return [(int(order[each]), self._sources[int(each)]) for each in newest]

    def _is_linked(self, a: int, b: int, *, is_faint: bool) -> bool:
        first, then = sorted((a, b))
        judged = complaints.judge_pair(self._models, self._profile(first), self._profile(then))
        bands = (
            model.band(each.judgement.probability, is_faint=is_faint)
            for model, each in zip(self._models, judged, strict=True)
        )
        return any(band != Band.SILENT for band in bands)

    def _profile(self, number: int) -> Profile:
        if number not in self._profiles:
            sealed = duplicates.kept(self._connection, [number])[number].features
            opened_profile = self._features.open(number, sealed)
            assert opened_profile is not None
            self._profiles[number] = opened_profile
        return self._profiles[number]
