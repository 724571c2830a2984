"""Duplicates: profiles of complaints and their blocking keys, and the links that are proposed."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from struct import pack, unpack
from typing import Any, Final

import sqlalchemy as sa

from server.domain.matching.composites import KEY_BITS
from server.domain.matching.decisions import PROPOSED
from server.domain.matching.profiles import VICTIM_ROLE, Told
from server.store import linkages, unmatched
from server.store.dialect import held, insert_many, locked, newest, put_all
from server.store.linkages import Pending, Word
from server.store.match_tables import decision, link, match_key, match_profile, model
from server.store.schema import act, complaint, linkage_pending, person, received
from server.store.unmatched import Waiting

CURRENT: Final = "current"
# The code of the vocabulary for danger now.
_DANGER: Final = "yes"
_ALL: Final = "all"
_HEAD_BYTES: Final = 4
_TAIL_BITS: Final = KEY_BITS - 8 * _HEAD_BYTES


@dataclass(frozen=True)
class Kept:
    """A profile as it is kept: sealed features, and the heads of its posted blocking keys, their upper 32 bits.

    `by_facts`: it says less than was told.
    """

    scheme: int
    features: bytes
    heads: tuple[int, ...]
    is_matchable: bool
    by_facts: bool = False


@dataclass(frozen=True)
class Unturned:
    """What a complaint is turned from: its facts, the linkages that wait in the order made, and its profile so far.

    `words`: whose word stands for each compartment of that profile.
    """

    waiting: Waiting
    lineage: str
    is_withdrawn: bool
    told: Told
    linkages: tuple[Pending, ...]
    kept: Kept | None
    words: Mapping[str, Word]


@dataclass(frozen=True)
class Turned:
    """The new profile of a complaint: its keys, the heads of those posted before, and the linkages read or dropped."""

    waiting: Waiting
    source: int
    kept: Kept
    keys: tuple[int, ...]
    heads_before: tuple[int, ...]
    words: Mapping[str, Word]
    read: tuple[Pending, ...]
    dropped: tuple[Pending, ...]


@dataclass(frozen=True)
class Candidate:
    """Another complaint as it is compared: `hash` is that of its content; `is_urgent`: it tells of danger.

    `by_facts` as in Kept.
    """

    complaint: int
    lineage: str
    hash: str
    features: bytes
    by_facts: bool
    is_urgent: bool


@dataclass(frozen=True)
class Link:
    """A link as it stands, `a` below `b`; `lineages` are those of both."""

    id: int
    a: int
    b: int
    relation: str
    band: str
    state: str
    lineages: tuple[str, str]


@dataclass(frozen=True)
class Proposal:
    """A link to propose, or, of a retry, to hold for certain; the rest as in `domain.matching.review`.

    `was_scored`: whoever looks at it sees its score.
    """

    a: int
    b: int
    relation: str
    model: str | None
    reasons: Sequence[tuple[str, int | None, float]]
    weight: float
    probability: float
    band: str
    shelf: str
    value: float
    draw: int
    was_scored: bool
    state: str = PROPOSED


@dataclass(frozen=True)
class Matched:
    """What came of matching a complaint: links to propose, links that hold no more, keys to take down again.

    `over`: those links as they are judged now.
    """

    waiting: Waiting
    proposals: tuple[Proposal, ...]
    over: tuple[Proposal, ...]
    crowded: tuple[int, ...]


def head_of(key: int) -> int:
    """The upper 32 bits of a blocking key: two keys of one complaint that share them are as good as none."""
    return key >> _TAIL_BITS


def count_comparable(connection: sa.Connection, lineage_most: int) -> int:
    """How many complaints there are to be matched with; every one is looked at.

    None that was withdrawn or says too little, and of each lineage no more than `lineage_most`: what one device sends
    is a bounded part of the whole.
    """
    # Both engines give another type for a sum than for a count.
    return int(connection.scalar(_COMPARABLE, {"most": lineage_most}) or 0)


def unmatchable(connection: sa.Connection, complaints: Collection[int]) -> set[int]:
    """Those of the complaints that were looked at, and say too little to be matched yet."""
    columns = match_profile.c
    select = sa.select(columns.complaint).where(columns.complaint.in_(complaints), ~columns.is_matchable)
    return set(connection.scalars(select))


def count_foreign(connection: sa.Connection, version: int, scheme: int) -> tuple[int, int]:
    """How many linkages wait that are of another version, and how many profiles are of another scheme."""
    pending = sa.select(sa.func.count()).select_from(linkage_pending).where(linkage_pending.c.v != version)
    old = sa.select(sa.func.count()).select_from(match_profile).where(match_profile.c.scheme != scheme)
    return connection.scalar(pending) or 0, connection.scalar(old) or 0


def count_by_facts(connection: sa.Connection) -> int:
    """How many profiles say less than was told."""
    return connection.scalar(sa.select(sa.func.count()).select_from(match_profile).where(match_profile.c.by_facts)) or 0


def poor_share(connection: sa.Connection, scheme: int) -> float:
    """Of the complaints with a profile, the share whose profile says less than was told, or is of another scheme."""
    columns = match_profile.c
    is_poor = sa.case((columns.by_facts | (columns.scheme != scheme), 1.0), else_=0.0)
    return connection.scalar(sa.select(sa.func.avg(is_poor)).select_from(match_profile)) or 0.0


def unturned(connection: sa.Connection, page: Sequence[Waiting]) -> list[Unturned]:
    """What complaints are turned from; those that are not here any more are left out."""
    ids = [each.complaint for each in page]
    waiting = {each.complaint: each for each in page}
    acts, persons = _acts(connection, ids), _persons(connection, ids)
    pending, known, words = linkages.waiting(connection, ids), kept(connection, ids), linkages.words(connection, ids)
    found = []
    for row in connection.execute(_UNTURNED, {"complaints": ids}):
        people = persons[row.id]
        told = Told(
            kinds=tuple(acts[row.id]),
            place_id=row.place_id,
            incident_from=row.incident_from,
            incident_to=row.incident_to,
            precision=row.incident_precision,
            amounts=tuple(amount for amount in (row.asked_xof, row.paid_xof) if amount is not None),
            bodies=tuple(filter(None, (*(each.category for each in people), row.sector))),
            roles={each.no: tuple(each.roles.split()) for each in people},
            victims=tuple((each.sex, each.age) for each in people if VICTIM_ROLE in each.roles.split()),
        )
        standing = tuple(pending[row.id]), known.get(row.id), words[row.id]
        found.append(Unturned(waiting[row.id], row.lineage, bool(row.is_withdrawn), told, *standing))
    return found


def kept(connection: sa.Connection, complaints: Collection[int]) -> dict[int, Kept]:
    """The profiles of complaints that have one."""
    rows = connection.execute(_KEPT, {"complaints": list(complaints)})
    return {
        row.complaint: Kept(row.scheme, row.features, _unpacked(row.posted), row.is_matchable, row.by_facts)
        for row in rows
    }


def keep_turned(connection: sa.Connection, turned: Sequence[Turned]) -> list[Turned]:
    """Keep profiles and keys, and let go of the linkages that they were made of; gives those that were kept.

    One of which something new came meanwhile is left as it was, and waits on.
    """
    standing = unmatched.standing(connection, [each.waiting for each in turned])
    sound = [each for each in turned if each.waiting.complaint in standing]
    ids = [each.waiting.complaint for each in sound]
    before = [(each, set(each.heads_before)) for each in sound]
    gone = [(each.waiting.complaint, head) for each, heads in before for head in heads - set(each.kept.heads)]
    _take_down(connection, gone)
    posted = [
        (key, each.waiting.complaint, each.source)
        for each, heads in before
        for key in each.keys
        if head_of(key) not in heads
    ]
    insert_many(connection, match_key, ("k", "complaint", "source"), posted)
    connection.execute(_DROP_PROFILES, {"complaints": ids})
    insert_many(connection, match_profile, _PROFILE, [_row(each) for each in sound])
    linkages.keep_words(connection, {each.waiting.complaint: each.words for each in sound})
    linkages.let_go(connection, [each for one in sound for each in (*one.read, *one.dropped)])
    return sound


def postings(connection: sa.Connection, keys: Collection[int], limit: int) -> dict[int, list[tuple[int, int]]]:
    """By key, at most `limit` of the complaints that have it, each with its source, the newest first."""
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for key, number, source in newest(connection, match_key, "k", "complaint", keys, limit):
        found[key].append((number, source))
    return {key: sorted(each, reverse=True) for key, each in found.items()}


def candidates(connection: sa.Connection, complaints: Collection[int], scheme: int) -> dict[int, Candidate]:
    """Complaints that can be compared: those with a profile of this scheme."""
    rows = connection.execute(_CANDIDATES, {"complaints": list(complaints), "scheme": scheme})
    return {row[0]: Candidate(*row) for row in rows}


def is_urgent(facts: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether a complaint tells of danger, or asks for haste; `facts` is its table, or an alias of it."""
    return (sa.func.coalesce(facts.c.urgency, "") != "") | (sa.func.coalesce(facts.c.danger, "") == _DANGER)


def is_withdrawn(facts: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether a complaint was withdrawn altogether; `facts` as in `is_urgent`."""
    return sa.func.coalesce(facts.c.withdrawn, "") == _ALL


def links_of(connection: sa.Connection, complaints: Collection[int]) -> list[Link]:
    """Every link that one of the complaints has."""
    found = [
        Link(row.id, row.a, row.b, row.relation, row.band, row.state, (row.of_a, row.of_b))
        for row in connection.execute(_LINKS, {"complaints": list(complaints)})
    ]
    return sorted(found, key=lambda each: each.id)


def keep_matched(connection: sa.Connection, matched: Sequence[Matched], at: datetime) -> list[Matched]:
    """Keep the links that are proposed; these complaints wait no more. Gives those of them that were settled.

    A link that somebody decided keeps its decision, and the judgement that it was decided by. One that holds no more
    goes, unless there are words on it: these stay, all taken back, and it has its new judgement.
    """
    # First, so that a model is not put out of use while what it judged is written.
    connection.execute(locked(connection, _IN_USE, is_shared=True))
    standing = unmatched.standing(connection, [each.waiting for each in matched])
    sound = [each for each in matched if each.waiting.complaint in standing]
    proposals = _possible(connection, [proposal for each in sound for proposal in (*each.proposals, *each.over)])
    # Of two hubs that write the same links none waits for the other in a ring.
    proposals.sort(key=lambda each: (each.a, each.b, each.relation))
    rows = [vars(each) | {"at": at} for each in proposals]
    put_all(connection, link, rows, ["a", "b", "relation"], _IS_PROPOSED, stays_true="was_scored")
    over = {(proposal.a, proposal.b, proposal.relation) for each in sound for proposal in each.over}
    if over:
        connection.execute(_UNLINK, {"links": sorted(over)})
    _thin_out(connection, [each for each in sound if each.crowded])
    unmatched.remove(connection, [each.waiting.complaint for each in sound])
    return sound


def remove(connection: sa.Connection, complaint_id: int) -> None:
    """Remove all that was made of a complaint to match it, with its links and what was decided of them."""
    # First, so that a worker who has it in hand is waited for.
    unmatched.remove(connection, [complaint_id])
    for known in kept(connection, [complaint_id]).values():
        _take_down(connection, [(complaint_id, head) for head in known.heads])
    connection.execute(sa.delete(match_profile).where(match_profile.c.complaint == complaint_id))
    linkages.remove_words(connection, [complaint_id])
    own = sa.select(link.c.id).where((link.c.a == complaint_id) | (link.c.b == complaint_id)).order_by(link.c.id)
    # Locked: who decides on one at this moment is waited for, and that decision goes with the others.
    ids = list(connection.scalars(locked(connection, own)))
    connection.execute(sa.delete(decision).where(decision.c.link.in_(ids)))
    connection.execute(sa.delete(link).where(link.c.id.in_(ids)))


def _comparable() -> sa.Select[Any]:
    most = sa.bindparam("most", type_=sa.Integer)
    of_lineage = (
        sa.select(sa.func.count().label("sent"))
        .select_from(match_profile)
        .join(complaint, complaint.c.id == match_profile.c.complaint)
        .join(received, received.c.id == match_profile.c.complaint)
        .where(match_profile.c.is_matchable, ~is_withdrawn(complaint))
        .group_by(received.c.lineage)
        .subquery()
    )
    return sa.select(sa.func.sum(sa.case((of_lineage.c.sent < most, of_lineage.c.sent), else_=most)))


def _links() -> sa.CompoundSelect[Any]:
    first, then = received.alias(), received.alias()
    columns = link.c
    select = (
        sa.select(
            columns.id,
            columns.a,
            columns.b,
            columns.relation,
            columns.band,
            columns.state,
            first.c.lineage.label("of_a"),
            then.c.lineage.label("of_b"),
        )
        .join(first, first.c.id == columns.a)
        .join(then, then.c.id == columns.b)
    )
    # Two questions, each by its index.
    return sa.union(select.where(columns.a.in_(_MANY)), select.where(columns.b.in_(_MANY)))


# What is asked for each complaint is written once: to put the sentences together takes longer than their answers.
_MANY: Final[sa.BindParameter[Any]] = sa.bindparam("complaints", expanding=True)
_COMPARABLE: Final = _comparable()
_LINKS: Final = _links()
_DROP_PROFILES: Final = sa.delete(match_profile).where(match_profile.c.complaint.in_(_MANY))
_UNTURNED: Final = (
    sa.select(
        complaint.c.id,
        complaint.c.place_id,
        complaint.c.incident_from,
        complaint.c.incident_to,
        complaint.c.incident_precision,
        complaint.c.asked_xof,
        complaint.c.paid_xof,
        complaint.c.sector,
        is_withdrawn(complaint).label("is_withdrawn"),
        received.c.lineage,
    )
    .join(received, received.c.id == complaint.c.id)
    .where(complaint.c.id.in_(_MANY))
    .order_by(complaint.c.id)
)
_ACTS: Final = (
    sa.select(act.c.complaint, act.c.kind).where(act.c.complaint.in_(_MANY)).order_by(act.c.complaint, act.c.no)
)
_PERSONS: Final = (
    sa.select(person.c.complaint, person.c.no, person.c.roles, person.c.sex, person.c.age, person.c.category)
    .where(person.c.complaint.in_(_MANY))
    .order_by(person.c.complaint, person.c.no)
)
_KEPT: Final = sa.select(match_profile).where(match_profile.c.complaint.in_(_MANY))
_CANDIDATES: Final = (
    sa.select(
        received.c.id,
        received.c.lineage,
        received.c.hash,
        match_profile.c.features,
        match_profile.c.by_facts,
        is_urgent(complaint),
    )
    .join(match_profile, match_profile.c.complaint == received.c.id)
    .join(complaint, complaint.c.id == received.c.id)
    .where(received.c.id.in_(_MANY), match_profile.c.scheme == sa.bindparam("scheme"))
)
_HERE: Final = sa.select(complaint.c.id).where(complaint.c.id.in_(_MANY))
_IN_USE: Final = sa.select(model.c.version).where(model.c.state == CURRENT).order_by(model.c.version)
_IS_PROPOSED: Final = link.c.state == PROPOSED
_UNLINK: Final = sa.delete(link).where(
    sa.tuple_(link.c.a, link.c.b, link.c.relation).in_(sa.bindparam("links", expanding=True)),
    link.c.state == PROPOSED,
    ~sa.exists().where(decision.c.link == link.c.id),
)
_PROFILE: Final = ("complaint", "scheme", "features", "posted", "is_matchable", "by_facts")


def _row(turned: Turned) -> tuple[Any, ...]:
    kept = turned.kept
    return turned.waiting.complaint, kept.scheme, kept.features, _packed(kept.heads), kept.is_matchable, kept.by_facts


def _possible(connection: sa.Connection, proposals: Sequence[Proposal]) -> list[Proposal]:
    """Those whose complaints are both here, and stay until commit: one that is revised now is matched again."""
    if not proposals:
        return []
    ids = {id for each in proposals for id in (each.a, each.b)}
    here = set(connection.scalars(held(connection, _HERE, complaint), {"complaints": list(ids)}))
    return [each for each in proposals if {each.a, each.b} <= here]


def _take_down(connection: sa.Connection, pairs: Sequence[tuple[int, int]]) -> None:
    """Take down the keys of complaints, each told by its head."""
    if pairs:
        has_head = match_key.c.k.between(sa.bindparam("first"), sa.bindparam("last"))
        own = has_head & (match_key.c.complaint == sa.bindparam("whose"))
        rows = [{"whose": id, "first": head << _TAIL_BITS, "last": (head + 1 << _TAIL_BITS) - 1} for id, head in pairs]
        connection.execute(sa.delete(match_key).where(own), rows)


def _thin_out(connection: sa.Connection, crowding: Sequence[Matched]) -> None:
    """Take down keys that one source has more than its share of."""
    if not crowding:
        return
    crowded = {each.waiting.complaint: set(map(head_of, each.crowded)) for each in crowding}
    _take_down(connection, [(id, head) for id, heads in crowded.items() for head in heads])
    known = kept(connection, crowded)
    update = sa.update(match_profile).where(match_profile.c.complaint == sa.bindparam("whose"))
    rows = [
        {"whose": id, "left": _packed([head for head in each.heads if head not in crowded[id]])}
        for id, each in known.items()
    ]
    connection.execute(update.values(posted=sa.bindparam("left")), rows)


def _acts(connection: sa.Connection, ids: Collection[int]) -> dict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for id, kind in connection.execute(_ACTS, {"complaints": ids}):
        found[id].append(kind)
    return found


def _persons(connection: sa.Connection, ids: Collection[int]) -> defaultdict[int, list[Any]]:
    """What is known of each person of a complaint, in the order told."""
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(_PERSONS, {"complaints": ids}):
        found[row.complaint].append(row)
    return found


def _packed(heads: Sequence[int]) -> bytes:
    return pack(f"<{len(heads)}I", *heads)


def _unpacked(heads: bytes) -> tuple[int, ...]:
    return unpack(f"<{len(heads) // _HEAD_BYTES}I", heads)
