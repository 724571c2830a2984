"""Turning: what a device sealed for the search for duplicates becomes veils and keys, in memory, and is let go of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

import sqlalchemy as sa

from client_sync.protocol.frames import from_text
from client_sync.protocol.linkage import SCHEME as LINKAGE_VERSION
from client_sync.seal import Unopenable, open_envelope
from server.domain.matching import profiles
from server.domain.matching.profiles import EMPTY, Profile
from server.domain.places import Gazetteer
from server.services.duplicates.features import Features
from server.store import audit, duplicates
from server.store.duplicates import Kept, Pending, Source, Turned, Waiting
from server.store.engine import Store

_ACTOR: Final = "matcher"
_TEXT_MAX_CHARS: Final = 200
_TEXTS_MOST: Final = 64
_MINHASH_MOST_CHARS: Final = 86
# A device makes no longer one (PROTOCOL §4.3), and a complaint is revised a few times: more is somebody's mischief.
_LINKAGE_MOST_BYTES: Final = 32 * 1024
_LINKAGES_MOST: Final = 16


@dataclass(frozen=True, repr=False)
class Means:
    """What turning takes: the pepper and the private linkage key of the hub, and its places."""

    pepper: bytes
    linkage: bytes
    places: Gazetteer | None

    @property
    def features(self) -> Features:
        """What profiles are sealed with."""
        return Features(self.pepper)


def turn(connection: sa.Connection, page: Sequence[Waiting], means: Means) -> list[Turned]:
    """The profiles of complaints as they are now; nothing is written. Those that are gone are left out."""
    return [_turned(source, means) for source in duplicates.sources(connection, page)]


def keep(store: Store, turned: Sequence[Turned], now: datetime) -> list[Waiting]:
    """Keep profiles and keys, and let go of the linkages in the same transaction; gives those that were kept.

    A linkage that was dropped is told in the log, by its id.
    """
    with store.write() as connection:
        kept = duplicates.keep_turned(connection, turned)
        for each in kept:
            for linkage in each.dropped:
                audit.record(
                    connection,
                    at=now,
                    actor=_ACTOR,
                    action="linkage_dropped",
                    object=f"complaint:{each.waiting.complaint}",
                    details={"lineage": linkage.lineage, "linkage": linkage.id},
                )
    return [each.waiting for each in kept]


def parts_of(content: Mapping[str, Any], places: Gazetteer | None, pepper: bytes) -> list[Profile]:
    """What an opened linkage says, by compartment, whatever a device put there."""
    found = []
    if isinstance(identity := content.get("identity"), dict):
        names, phones = _numbered(identity.get("names")), _texts(identity.get("phones"))
        found.append(profiles.of_identity(names, phones, pepper))
    if isinstance(statement := content.get("statement"), dict):
        names_found, pivots = _texts(statement.get("names")), _texts(statement.get("pivots"))
        minhash = from_text("".join(_texts([statement.get("minhash")]))[:_MINHASH_MOST_CHARS])
        days, sums = _texts(statement.get("days")), _sums(statement.get("sums"))
        found.append(profiles.of_statement(names_found, pivots, minhash, days, sums, pepper))
    if isinstance(traces := content.get("traces"), dict):
        place, said = _texts([traces.get("place")]), _texts([traces.get("said")])
        found.append(profiles.of_traces("".join(place) or None, "".join(said), places, pepper))
    return found


def _turned(source: Source, means: Means) -> Turned:
    id = source.waiting.complaint
    # Of a later version, it waits for a hub that can read it.
    known = [each for each in source.linkages if each.v == LINKAGE_VERSION]
    least = len(known) - _LINKAGES_MOST
    opened = [(each, _parts(each, means) if at >= least else None) for at, each in enumerate(known)]
    profile = EMPTY if source.is_withdrawn else _renewed(source, [part for _, part in opened if part], means)
    is_matchable = not profiles.why_unmatchable(profile)
    keys = profiles.blocking_keys(profile, means.pepper) if is_matchable else []
    return Turned(
        waiting=source.waiting,
        source=_source(source.lineage, means.pepper),
        kept=Kept(profiles.SCHEME, means.features.seal(id, profile), tuple(keys), is_matchable),
        posted_before=source.kept.keys if source.kept else (),
        read=tuple(each for each, parts in opened if parts is not None),
        dropped=tuple(each for each, parts in opened if parts is None),
    )


def _renewed(source: Source, told: Sequence[Sequence[Profile]], means: Means) -> Profile:
    before = EMPTY
    if source.kept is not None and source.kept.scheme == profiles.SCHEME:
        before = means.features.open(source.waiting.complaint, source.kept.features) or EMPTY
    facts = profiles.of_facts(source.told, means.places, means.pepper)
    return profiles.renewed(before, [part for parts in told for part in parts] + [facts])


def _parts(linkage: Pending, means: Means) -> list[Profile] | None:
    """What a linkage says, by compartment; None for one that does not open, or speaks of another complaint."""
    try:
        text = open_envelope(from_text(linkage.box), means.linkage)
        content = json.loads(text) if len(text) <= _LINKAGE_MOST_BYTES else None
    except (Unopenable, ValueError, RecursionError):
        return None
    # Nothing else binds the box to its complaint.
    if not isinstance(content, dict) or content.get("complaint") != linkage.complaint:
        return None
    return parts_of(content, means.places, means.pepper)


def _texts(value: Any) -> list[str]:
    """The texts of a list, whatever a device put there."""
    members = value if isinstance(value, list) else []
    return [_sound(each) for each in members[:_TEXTS_MOST] if isinstance(each, str)]


def _numbered(value: Any) -> list[tuple[int, str]]:
    """Numbers of persons and their names."""
    members = value if isinstance(value, list) else []
    pairs = [each for each in members[:_TEXTS_MOST] if isinstance(each, list) and len(each) == 2]
    return [(number, _sound(name)) for number, name in pairs if _is_number(number) and isinstance(name, str)]


def _sound(text: str) -> str:
    """The text as far as it is looked at, with nothing in it that is no character."""
    return text[:_TEXT_MAX_CHARS].encode("utf-8", "replace").decode()


def _sums(value: Any) -> list[int]:
    members = value if isinstance(value, list) else []
    return [each for each in members[:_TEXTS_MOST] if isinstance(each, int) and each > 0]


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 1_000


def _source(lineage: str, pepper: bytes) -> int:
    """15 bits that stand for a lineage: enough to see that many come from one."""
    return int.from_bytes(blake2b(lineage.encode(), key=pepper, person=b"source", digest_size=2).digest()) >> 1
