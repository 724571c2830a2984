"""Turning: what a device sealed for the search for duplicates becomes veils and keys, in memory, and is let go of."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

import sqlalchemy as sa

from client_sync.protocol.frames import from_text
from client_sync.protocol.linkage import SCHEME as LINKAGE_VERSION
from client_sync.seal import Unopenable, open_envelope
from server.domain.matching import composites, profiles
from server.domain.matching.profiles import EMPTY, Profile
from server.domain.places import Gazetteer
from server.services.duplicates.features import Features
from server.store import audit, duplicates
from server.store.duplicates import Kept, Turned, Unturned
from server.store.engine import Store
from server.store.linkages import Pending, Word
from server.store.unmatched import Waiting

_ACTOR: Final = "matcher"
# What went wrong so often is matched by what its own lineage said alone: a colleague's device takes nothing of that
# along. Twice as often, by its facts; three times, by nothing.
ATTEMPTS_MOST: Final = 3
_TEXT_MAX_CHARS: Final = 200
_TEXTS_MOST: Final = 64
_MINHASH_MOST_CHARS: Final = 86
# A device makes no longer one (PROTOCOL §4.3).
_LINKAGE_MOST_BYTES: Final = 32 * 1024

# What a linkage says, by compartment.
_Parts = Mapping[str, Profile]


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
    return [_turned(each, means) for each in duplicates.unturned(connection, page)]


def keep(store: Store, turned: Sequence[Turned], now: datetime) -> list[Waiting]:
    """Keep profiles and keys, and let go of the linkages in the same transaction; gives those that were kept.

    How many were dropped of a complaint, and who said them, is told in the log. What is not on disk yet when the power
    goes is turned again: the linkages are back then.
    """
    # Whoever reads the log may go by it at once.
    is_logged = any(each.dropped for each in turned)
    with store.write(is_synced=is_logged) as connection:
        kept = duplicates.keep_turned(connection, turned)
        for each in kept:
            if each.dropped:
                audit.record(
                    connection,
                    at=now,
                    actor=_ACTOR,
                    action="linkage_dropped",
                    object=f"complaint:{each.waiting.complaint}",
                    details={"lineages": Counter(linkage.word.lineage for linkage in each.dropped)},
                )
    return [each.waiting for each in kept]


def parts_of(content: Mapping[str, Any], places: Gazetteer | None, pepper: bytes) -> dict[str, Profile]:
    """What an opened linkage says, by compartment, whatever a device put there."""
    found = {}
    if isinstance(identity := content.get("identity"), dict):
        names, phones = _numbered(identity.get("names")), _texts(identity.get("phones"))
        found["identity"] = profiles.of_identity(names, phones, pepper)
    if isinstance(statement := content.get("statement"), dict):
        names_found, pivots = _texts(statement.get("names")), _texts(statement.get("pivots"))
        minhash = from_text("".join(_texts([statement.get("minhash")]))[:_MINHASH_MOST_CHARS])
        days, sums = _texts(statement.get("days")), _sums(statement.get("sums"))
        found["statement"] = profiles.of_statement(names_found, pivots, minhash, days, sums, pepper)
    if isinstance(traces := content.get("traces"), dict):
        place, said = _texts([traces.get("place")]), _texts([traces.get("said")])
        found["traces"] = profiles.of_traces("".join(place) or None, "".join(said), places, pepper)
    return found


def _turned(unturned: Unturned, means: Means) -> Turned:
    id = unturned.waiting.complaint
    # Of a later version, it waits for a hub that can read it.
    known = [each for each in unturned.linkages if each.v == LINKAGE_VERSION]
    opened = [(each, _parts(each, means) if _counts(each.word, unturned) else None) for each in known]
    is_told = not unturned.is_withdrawn and unturned.waiting.attempts < 3 * ATTEMPTS_MOST
    left = _left(unturned)
    told, words = _heard(unturned, left, opened)
    profile = _renewed(unturned, left, told, means) if is_told else EMPTY
    is_matchable = not profiles.why_unmatchable(profile)
    keys = composites.blocking_keys(profile, means.pepper) if is_matchable else []
    return Turned(
        waiting=unturned.waiting,
        source=_source(unturned.lineage, means.pepper),
        kept=Kept(
            scheme=profiles.SCHEME,
            features=means.features.seal(id, profile),
            heads=tuple(map(duplicates.head_of, keys)),
            is_matchable=is_matchable,
            by_facts=_is_poor(unturned, left, opened),
        ),
        keys=tuple(keys),
        heads_before=unturned.kept.heads if unturned.kept else (),
        words=words,
        read=tuple(each for each, parts in opened if parts is not None),
        dropped=tuple(each for each, parts in opened if parts is None),
    )


def _counts(word: Word, unturned: Unturned) -> bool:
    """Whether somebody's word still counts, after so many failures."""
    if unturned.waiting.attempts < ATTEMPTS_MOST:
        return True
    return word.lineage == unturned.lineage and unturned.waiting.attempts < 2 * ATTEMPTS_MOST


def _left(unturned: Unturned) -> dict[str, Word]:
    """Of the words that stood, those of which the profile still has what they said."""
    if unturned.kept is None or unturned.kept.scheme != profiles.SCHEME:
        return {}
    return {compartment: word for compartment, word in unturned.words.items() if _counts(word, unturned)}


def _heard(
    unturned: Unturned, left: Mapping[str, Word], opened: Sequence[tuple[Pending, _Parts | None]]
) -> tuple[list[Profile], dict[str, Word]]:
    """What counts of opened linkages, in order, and whose word stands then for each compartment.

    The last word of the complaint's own lineage stands; another's for what that one never spoke of.
    """
    standing, told = dict(left), []
    for linkage, parts in opened:
        for compartment, part in (parts or {}).items():
            if _is_next(linkage.word, standing.get(compartment), unturned):
                standing[compartment] = linkage.word
                told.append(part)
    return told, standing


def _is_next(word: Word, standing: Word | None, unturned: Unturned) -> bool:
    is_own = word.lineage == unturned.lineage
    if standing is None:
        # What the own lineage said may be lost: nobody else speaks in its place.
        return is_own or not _was_poor(unturned)
    return word.place >= standing.place if word.lineage == standing.lineage else is_own


def _renewed(unturned: Unturned, left: Mapping[str, Word], told: Sequence[Profile], means: Means) -> Profile:
    before = EMPTY
    if unturned.kept is not None and left:
        before = means.features.open(unturned.waiting.complaint, unturned.kept.features) or EMPTY
    parts = [*told, profiles.of_facts(unturned.told, means.places, means.pepper)]
    return profiles.renewed(profiles.only(before, left), parts)


def _is_poor(unturned: Unturned, left: Mapping[str, Word], opened: Sequence[tuple[Pending, _Parts | None]]) -> bool:
    """Whether the profile says less than was told: until the own lineage says something anew."""
    is_lost = len(left) < len(unturned.words) or any(not _counts(each.word, unturned) for each, _ in opened)
    if is_lost and unturned.waiting.attempts >= ATTEMPTS_MOST:
        return True
    is_told = any(parts for each, parts in opened if each.word.lineage == unturned.lineage)
    return (is_lost or _was_poor(unturned)) and not is_told


def _was_poor(unturned: Unturned) -> bool:
    if unturned.kept is None:
        return False
    return unturned.kept.by_facts or (unturned.kept.scheme != profiles.SCHEME and bool(unturned.words))


def _parts(linkage: Pending, means: Means) -> _Parts | None:
    """What a linkage says, by compartment; None for one that does not open, of another complaint or another sender."""
    try:
        text = open_envelope(from_text(linkage.box), means.linkage)
        content = json.loads(text) if len(text) <= _LINKAGE_MOST_BYTES else None
    except (Unopenable, ValueError, RecursionError):
        return None
    # Nothing else binds the box to its complaint, and to who made it.
    bound = {"complaint": linkage.complaint, "lineage": linkage.word.lineage}
    if not isinstance(content, dict) or {name: content.get(name) for name in bound} != bound:
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
    return [each for each in members[:_TEXTS_MOST] if type(each) is int and each > 0]


def _is_number(value: Any) -> bool:
    # To isinstance true is a number.
    return type(value) is int and 0 <= value < 1_000


def _source(lineage: str, pepper: bytes) -> int:
    """15 bits that stand for a lineage: enough to see that many come from one."""
    return int.from_bytes(blake2b(lineage.encode(), key=pepper, person=b"source", digest_size=2).digest()) >> 1
