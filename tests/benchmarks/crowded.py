"""A hub that a crowd told its complaints, filled past the intake and kept in var/figures for the next time.

Profiles, keys and seals are made by the hub's own code; rows go to its tables many at a time, and the posting table
is written in the order of its keys, as a million complaints one by one take hours. So nothing is measured on it of
how the hub was filled, only of what comes afterwards.
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from time import monotonic
from typing import Final
from zlib import crc32

import numpy as np
import sqlalchemy as sa

import client_sync.protocol.linkage as linkage_recipe
from server.domain import folding, names
from server.domain.matching import composites, profiles, veiling
from server.domain.matching.complaints import RELATIONS
from server.hub import Hub
from server.services.duplicates import features, matching, turning
from server.services.duplicates.features import Features
from server.store import duplicates, linkages, match_tables
from server.store.dialect import insert_many
from server.store.match_tables import match_key, match_profile, match_told
from server.store.schema import complaint, device, received
from tests.benchmarks import crowd, harness
from tests.benchmarks.crowd import Crowd, Telling, shares
from tests.benchmarks.figure import note
from tests.benchmarks.harness import Sender, enrol, opened
from tests.builders import an_id

SEED: Final = 7_041_962
_SHARE: Final = 2_500
_PROCESSES: Final = 2
_POSTED_AT_ONCE: Final = 500_000
# A table that grew key by key has room in its pages; in one written in order there is none. Those that come in a
# second turn split the pages of the first.
_FIRST_TURN: Final = 0.7
_SAY_EVERY_S: Final = 20
# 15 bits, as the hub has of a lineage.
_SOURCE_SHIFT: Final = 17
_REMEMBERED: Final = 1 << 16
_MADE_BY: Final = (
    crowd,
    linkage_recipe,
    folding,
    names,
    composites,
    profiles,
    veiling,
    features,
    turning,
    duplicates,
    linkages,
    match_tables,
)
_DATA: Final = (
    "tests/benchmarks/crowd.toml", "client_sync/protocol/pivot.toml", "server/domain/names.toml",
    *(f"server/domain/matching/{relation}.json" for relation in RELATIONS),
)  # fmt: skip

_RECEIVED: Final = ("id", "lineage", "client_id", "op", "seq", "hash", "line", "device", "received_at")
_COMPLAINT: Final = (
    "id", "receipt", "form", "vocabulary", "kind", "channel", "consent_level", "consent", "confidentiality",
    "contact_ok", "entered_at",
)  # fmt: skip
_PROFILE: Final = ("complaint", "scheme", "features", "posted", "is_matchable")
_TOLD: Final = ("complaint", "device", "seq", *linkage_recipe.LINKED)


@dataclass(frozen=True)
class Crowded:
    """A filled hub that nobody has open: the complaint of the history's first telling is number 1, and so on."""

    folder: Path
    crowd: Crowd


@dataclass(frozen=True)
class _Made:
    """What a slice of the history is kept as, by complaint: monitor, kind, features, keys, is_matchable."""

    first: int
    rows: Sequence[tuple[str, str, bytes, bytes, bool]]


def crowded(size: int) -> Crowded:
    """The hub of `size` complaints: as it was left, or built anew when the code that made it is not today's."""
    folder = harness.FIGURES / f"crowd-{size}"
    stamp, told = folder / "stamp", Crowd(SEED, size)
    if not stamp.exists() or stamp.read_text() != _stamp():
        shutil.rmtree(folder, ignore_errors=True)
        began = monotonic()
        with opened(folder) as hub:
            _fill(hub, told)
        stamp.write_text(_stamp())
        note(f"{size} complaints put there in {monotonic() - began:.0f} s")
    return Crowded(folder, told)


def remember() -> None:
    """Have this process work out each name and place once: in a crowd they come again and again."""
    for name in ("veil", "prepare", "parts", "sound"):
        setattr(profiles, name, lru_cache(_REMEMBERED)(getattr(profiles, name)))
    veiling._row = lru_cache(_REMEMBERED)(veiling._row)


def _stamp() -> str:
    """Of all code and words that have a part in what lies there."""
    files = [Path(str(module.__file__)) for module in _MADE_BY] + [harness.CHECKOUT / name for name in _DATA]
    return hashlib.sha256(b"".join(file.read_bytes() for file in [*files, Path(__file__)])).hexdigest()


def _fill(hub: Hub, told: Crowd) -> None:
    matching.keep_models(hub.store, hub.clock())
    senders: dict[str, Sender] = {}
    keys: list[np.ndarray] = []
    began = said_at = monotonic()
    for made in _in_turn(told, hub.secrets.pepper):
        for monitor in sorted({row[0] for row in made.rows} - senders.keys()):
            senders[monitor] = enrol(hub)
        _keep(hub, made, senders)
        keys.append(_postings(made, senders))
        if monotonic() - said_at > _SAY_EVERY_S:
            said_at = monotonic()
            done = made.first + len(made.rows)
            note(f"{done} of {told.size} complaints, {(said_at - began) / done * (told.size - done):.0f} s left")
    _post(hub, np.concatenate(keys), told.size)


def _in_turn(told: Crowd, pepper: bytes) -> Iterator[_Made]:
    """The history as it is kept; a long one is made by several processes."""
    firsts, make = range(1, told.size + 1, _SHARE), partial(_made, Crowd(told.seed, 0), pepper)
    if len(firsts) == 1:
        yield make(1, told.history)
        return
    with ProcessPoolExecutor(_PROCESSES, get_context("spawn"), remember) as makers:
        yield from makers.map(make, firsts, shares(told.history, _SHARE))


def _made(told: Crowd, pepper: bytes, first: int, tellings: Sequence[Telling]) -> _Made:
    return _Made(first, [_row(told, Features(pepper), pepper, first + at, each) for at, each in enumerate(tellings)])


def _row(
    told: Crowd, features: Features, pepper: bytes, number: int, telling: Telling
) -> tuple[str, str, bytes, bytes, bool]:
    report = told.report(telling)
    made = crowd.profile(report, pepper)
    is_matchable = not profiles.why_unmatchable(made)
    keys = composites.blocking_keys(made, pepper) if is_matchable else []
    packed = np.array(keys, "<u8").tobytes()
    return report.form["device"], report.form["kinds"][0], features.seal(number, made), packed, is_matchable


def _keep(hub: Hub, made: _Made, senders: Mapping[str, Sender]) -> None:
    """The rows of a slice but for its postings; what no question of the matcher reads is left out."""
    now = hub.clock()
    numbered = [(number, senders[row[0]], row) for number, row in enumerate(made.rows, made.first)]
    with hub.store.write() as connection:
        devices = dict(map(tuple, connection.execute(sa.select(device.c.id, device.c.number))))
        _insert(
            connection,
            received,
            _RECEIVED,
            (
                (id, sender.lineage, an_id(id), "complaint", id, f"{id:064x}", b"", sender.device, now)
                for id, sender, _ in numbered
            ),
        )
        _insert(
            connection,
            complaint,
            _COMPLAINT,
            (
                (id, "7K4M2QGX", "complaint/1", "2026.1", kind, "phone", "C1", {}, "internal", "never", now)
                for id, _, (_, kind, *_) in numbered
            ),
        )
        _insert(
            connection,
            match_profile,
            _PROFILE,
            (
                (id, profiles.SCHEME, sealed, _heads(keys), is_matchable)
                for id, _, (_, _, sealed, keys, is_matchable) in numbered
            ),
        )
        _insert(
            connection,
            match_told,
            _TOLD,
            ((id, devices[sender.device], 1, *[True] * len(linkage_recipe.LINKED)) for id, sender, _ in numbered),
        )


def _heads(packed: bytes) -> bytes:
    return np.array([*map(duplicates.head_of, np.frombuffer(packed, "<u8").tolist())], "<u4").tobytes()


def _insert(
    connection: sa.Connection, table: sa.Table, columns: tuple[str, ...], rows: Iterator[tuple[object, ...]]
) -> None:
    insert_many(connection, table, columns, list(rows))


_POSTING: Final = np.dtype([("k", "<u8"), ("complaint", "<u4"), ("source", "<u2")])


def _postings(made: _Made, senders: Mapping[str, Sender]) -> np.ndarray:
    parts = []
    for number, (monitor, _, _, packed, _) in enumerate(made.rows, made.first):
        keys = np.frombuffer(packed, "<u8")
        part = np.empty(len(keys), _POSTING)
        part["k"], part["complaint"] = keys, number
        part["source"] = crc32(senders[monitor].lineage.encode()) >> _SOURCE_SHIFT
        parts.append(part)
    return np.concatenate(parts)


def _post(hub: Hub, postings: np.ndarray, size: int) -> None:
    is_first = postings["complaint"] <= size * _FIRST_TURN
    for turn in (postings[is_first], postings[~is_first]):
        turn.sort(order=("k", "complaint"))
        for at in range(0, len(turn), _POSTED_AT_ONCE):
            rows = turn[at : at + _POSTED_AT_ONCE].tolist()
            with hub.store.write() as connection:
                insert_many(connection, match_key, tuple(match_key.columns.keys()), rows)
    note(f"{len(postings) / size:.1f} keys a complaint")
