"""Duplicates: what waits to be matched, profiles and their blocking keys, models, and the links that are proposed."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from struct import pack, unpack
from typing import Any, Final

import sqlalchemy as sa

from server.domain.matching.profiles import VICTIM_ROLE, Told
from server.store.dialect import held, insert_many, insert_new, newest, put_all, unlocked
from server.store.match_tables import decision, link, match_key, match_pending, match_profile, model
from server.store.schema import act, complaint, linkage_pending, person, received

PROPOSED, CONFIRMED = "proposed", "confirmed"
CURRENT: Final = "current"
RETRY: Final = "retry"
# The code of the vocabulary for danger now.
_DANGER: Final = "yes"
_KEY_BYTES: Final = 8


@dataclass(frozen=True)
class Waiting:
    """A complaint that has to be matched; `asked` says what was known of it then (see `match_pending`)."""

    complaint: int
    asked: int


@dataclass(frozen=True)
class Pending:
    """A linkage that waits: its own id on its device, the complaint that it says to speak of, and its box."""

    id: str
    lineage: str
    complaint: str
    v: int
    box: str


@dataclass(frozen=True)
class Kept:
    """A profile as it is kept: sealed features and posted blocking keys."""

    scheme: int
    features: bytes
    keys: tuple[int, ...]
    is_matchable: bool


@dataclass(frozen=True)
class Source:
    """What a complaint is turned from: its facts, the linkages that wait in the order made, and its profile so far."""

    waiting: Waiting
    lineage: str
    is_withdrawn: bool
    told: Told
    linkages: tuple[Pending, ...]
    kept: Kept | None


@dataclass(frozen=True)
class Turned:
    """The new profile of a complaint: keys to post and to take down, and the linkages that were read or dropped."""

    waiting: Waiting
    source: int
    kept: Kept
    posted_before: tuple[int, ...]
    read: tuple[Pending, ...]
    dropped: tuple[Pending, ...]


@dataclass(frozen=True)
class Candidate:
    """Another complaint as it is compared: `hash` is that of its content; `is_urgent`: it tells of danger."""

    complaint: int
    lineage: str
    hash: str
    features: bytes
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
    """A link to propose, or, of a retry, to hold for certain; the rest as in `domain.matching.review`."""

    a: int
    b: int
    relation: str
    model: str | None
    levels: Mapping[str, int]
    reasons: Sequence[tuple[str, int | None, float]]
    weight: float
    probability: float
    band: str
    shelf: str
    value: float
    draw: int
    state: str = PROPOSED


@dataclass(frozen=True)
class Matched:
    """What came of matching a complaint: links to propose, links that hold no more, keys to take down again."""

    waiting: Waiting
    proposals: tuple[Proposal, ...]
    over: tuple[int, ...]
    crowded: tuple[int, ...]


def await_matching(connection: sa.Connection, complaints: Sequence[int]) -> None:
    """Have new complaints matched, later."""
    insert_many(connection, match_pending, ("complaint",), [(id,) for id in complaints])


def renew(connection: sa.Connection, complaint_id: int) -> None:
    """Have a complaint matched again, whoever has it in hand now; the caller has locked it."""
    columns = match_pending.c
    again = {"asked": columns.asked + 1, "claimed_by": None, "claimed_until": None}
    update = sa.update(match_pending).where(columns.complaint == complaint_id).values(again)
    if not connection.execute(update).rowcount:
        insert_new(connection, match_pending, [{"complaint": complaint_id}], ["complaint"], columns.complaint)


def count_waiting(connection: sa.Connection) -> int:
    """How many complaints wait to be matched."""
    return connection.scalar(sa.select(sa.func.count()).select_from(match_pending)) or 0


def count_unmatchable(connection: sa.Connection) -> int:
    """How many complaints say too little to be matched yet."""
    select = sa.select(sa.func.count()).select_from(match_profile).where(~match_profile.c.is_matchable)
    return connection.scalar(select) or 0


def count_foreign(connection: sa.Connection, version: int, scheme: int) -> tuple[int, int]:
    """How many linkages wait that are of another version, and how many profiles are of another scheme."""
    pending = sa.select(sa.func.count()).select_from(linkage_pending).where(linkage_pending.c.v != version)
    old = sa.select(sa.func.count()).select_from(match_profile).where(match_profile.c.scheme != scheme)
    return connection.scalar(pending) or 0, connection.scalar(old) or 0


def is_any_waiting(connection: sa.Connection, now: datetime) -> bool:
    """Whether any complaint waits that nobody has in hand."""
    return connection.scalar(sa.select(match_pending.c.complaint).where(_is_free(now)).limit(1)) is not None


def claim(connection: sa.Connection, by: str, now: datetime, until: datetime, limit: int) -> list[Waiting]:
    """Take at most so many complaints that wait, the oldest first, for the process called `by`."""
    columns = match_pending.c
    free = sa.select(columns.complaint, columns.asked).where(_is_free(now)).order_by(columns.complaint).limit(limit)
    taken = [Waiting(*row) for row in connection.execute(unlocked(connection, free, match_pending))]
    mine = columns.complaint.in_([each.complaint for each in taken])
    connection.execute(sa.update(match_pending).where(mine).values(claimed_by=by, claimed_until=until))
    return taken


def sources(connection: sa.Connection, page: Sequence[Waiting]) -> list[Source]:
    """What complaints are turned from; those that are not here any more are left out."""
    ids = [each.complaint for each in page]
    waiting = {each.complaint: each for each in page}
    acts, roles, bodies = _acts(connection, ids), _roles(connection, ids), _bodies(connection, ids)
    victims = _victims(connection, ids)
    pending, known = _pending(connection, ids), kept(connection, ids)
    found = []
    for row in connection.execute(_SOURCE.where(complaint.c.id.in_(ids)).order_by(complaint.c.id)):
        told = Told(
            kinds=tuple(acts[row.id]),
            place_id=row.place_id,
            incident_from=row.incident_from,
            incident_to=row.incident_to,
            precision=row.incident_precision,
            amounts=tuple(amount for amount in (row.asked_xof, row.paid_xof) if amount is not None),
            bodies=tuple(filter(None, (*bodies[row.id], row.sector))),
            roles=roles[row.id],
            victims=tuple(victims[row.id]),
        )
        is_withdrawn = row.withdrawn == "all"
        linkages = tuple(pending[row.id])
        found.append(Source(waiting[row.id], row.lineage, is_withdrawn, told, linkages, known.get(row.id)))
    return found


def kept(connection: sa.Connection, complaints: Collection[int]) -> dict[int, Kept]:
    """The profiles of complaints that have one."""
    columns = match_profile.c
    select = sa.select(columns.complaint, columns.scheme, columns.features, columns.posted, columns.is_matchable)
    rows = connection.execute(select.where(columns.complaint.in_(complaints)))
    return {row.complaint: Kept(row.scheme, row.features, _unpacked(row.posted), row.is_matchable) for row in rows}


def keep_turned(connection: sa.Connection, turned: Sequence[Turned]) -> list[Turned]:
    """Keep profiles and keys, and let go of the linkages that they were made of; gives those that were kept.

    One of which something new came meanwhile is left as it was, and waits on.
    """
    standing = _standing(connection, [each.waiting for each in turned])
    sound = [each for each in turned if each.waiting.complaint in standing]
    ids = [each.waiting.complaint for each in sound]
    gone = [(each, key) for each in sound for key in set(each.posted_before) - set(each.kept.keys)]
    _take_down(connection, [(each.waiting.complaint, key) for each, key in gone])
    posted = [
        (key, each.waiting.complaint, each.source)
        for each in sound
        for key in sorted(set(each.kept.keys) - set(each.posted_before))
    ]
    insert_many(connection, match_key, ("k", "complaint", "source"), posted)
    connection.execute(sa.delete(match_profile).where(match_profile.c.complaint.in_(ids)))
    rows = [
        (each.waiting.complaint, each.kept.scheme, each.kept.features, _packed(each.kept.keys), each.kept.is_matchable)
        for each in sound
    ]
    insert_many(connection, match_profile, ("complaint", "scheme", "features", "posted", "is_matchable"), rows)
    done = [(each.lineage, each.id) for one in sound for each in (*one.read, *one.dropped)]
    columns = linkage_pending.c
    connection.execute(sa.delete(linkage_pending).where(sa.tuple_(columns.lineage, columns.id).in_(done)))
    return sound


def postings(connection: sa.Connection, keys: Collection[int], limit: int) -> dict[int, list[tuple[int, int]]]:
    """By key, at most `limit` of the complaints that have it, each with its source, the newest first."""
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for key, number, source in newest(connection, match_key, "k", "complaint", keys, limit):
        found[key].append((number, source))
    return {key: sorted(each, reverse=True) for key, each in found.items()}


def candidates(connection: sa.Connection, complaints: Collection[int], scheme: int) -> dict[int, Candidate]:
    """Complaints that can be compared: those with a profile of this scheme."""
    columns = complaint.c
    is_urgent = (sa.func.coalesce(columns.urgency, "") != "") | (sa.func.coalesce(columns.danger, "") == _DANGER)
    select = (
        sa.select(received.c.id, received.c.lineage, received.c.hash, match_profile.c.features, is_urgent)
        .join(match_profile, match_profile.c.complaint == received.c.id)
        .join(complaint, complaint.c.id == received.c.id)
        .where(received.c.id.in_(complaints), match_profile.c.scheme == scheme)
    )
    return {row[0]: Candidate(*row) for row in connection.execute(select)}


def links_of(connection: sa.Connection, complaints: Collection[int]) -> list[Link]:
    """Every link that one of the complaints has."""
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
    each_way = sa.union(select.where(columns.a.in_(complaints)), select.where(columns.b.in_(complaints)))
    found = [
        Link(row.id, row.a, row.b, row.relation, row.band, row.state, (row.of_a, row.of_b))
        for row in connection.execute(each_way)
    ]
    return sorted(found, key=lambda each: each.id)


def keep_matched(connection: sa.Connection, matched: Sequence[Matched], at: datetime) -> list[Matched]:
    """Keep the links that are proposed; these complaints wait no more. Gives those of them that were settled.

    A link that somebody decided keeps its decision, and the judgement that it was decided by.
    """
    standing = _standing(connection, [each.waiting for each in matched])
    sound = [each for each in matched if each.waiting.complaint in standing]
    proposals = _possible(connection, [proposal for each in sound for proposal in each.proposals])
    rows = [vars(each) | {"levels": dict(each.levels), "reasons": list(each.reasons), "at": at} for each in proposals]
    put_all(connection, link, rows, ["a", "b", "relation"], link.c.state == PROPOSED)
    over = sorted({id for each in sound for id in each.over})
    is_decided = sa.exists().where(decision.c.link == link.c.id)
    connection.execute(sa.delete(link).where(link.c.id.in_(over), link.c.state == PROPOSED, ~is_decided))
    _thin_out(connection, [each for each in sound if each.crowded])
    settled = [each.waiting.complaint for each in sound]
    connection.execute(sa.delete(match_pending).where(match_pending.c.complaint.in_(settled)))
    return sound


def remove(connection: sa.Connection, complaint_id: int) -> None:
    """Remove all that was made of a complaint to match it, with its links and what was decided of them."""
    # First, so that a worker who has it in hand is waited for.
    connection.execute(sa.delete(match_pending).where(match_pending.c.complaint == complaint_id))
    for known in kept(connection, [complaint_id]).values():
        _take_down(connection, [(complaint_id, key) for key in known.keys])
    connection.execute(sa.delete(match_profile).where(match_profile.c.complaint == complaint_id))
    ids = sa.select(link.c.id).where((link.c.a == complaint_id) | (link.c.b == complaint_id))
    # At once: one decision may undo another.
    connection.execute(sa.delete(decision).where(decision.c.link.in_(ids)))
    connection.execute(sa.delete(link).where((link.c.a == complaint_id) | (link.c.b == complaint_id)))


def current_models(connection: sa.Connection) -> dict[str, str]:
    """The document of each model that judges now, by its version."""
    select = sa.select(model.c.version, model.c.document).where(model.c.state == CURRENT).order_by(model.c.relation)
    return {row.version: row.document for row in connection.execute(select)}


def keep_model(connection: sa.Connection, version: str, relation: str, document: str, at: datetime) -> None:
    """Keep a model that came with this version; it judges at once where none of its relation does."""
    judging = sa.select(model.c.version).where(model.c.relation == relation, model.c.state == CURRENT)
    state = PROPOSED if connection.scalar(judging) else CURRENT
    row = {"version": version, "relation": relation, "document": document, "state": state, "at": at}
    insert_new(connection, model, [row], ["version"], model.c.version)


def knows_model(connection: sa.Connection, version: str) -> bool:
    """Whether a model is kept here."""
    return connection.scalar(sa.select(model.c.version).where(model.c.version == version)) is not None


_SOURCE: Final = sa.select(
    complaint.c.id,
    complaint.c.place_id,
    complaint.c.incident_from,
    complaint.c.incident_to,
    complaint.c.incident_precision,
    complaint.c.asked_xof,
    complaint.c.paid_xof,
    complaint.c.sector,
    complaint.c.withdrawn,
    received.c.lineage,
).join(received, received.c.id == complaint.c.id)


def _is_free(now: datetime) -> sa.ColumnElement[bool]:
    until = match_pending.c.claimed_until
    return until.is_(None) | (until < now)


def _standing(connection: sa.Connection, waiting: Sequence[Waiting]) -> set[int]:
    """Complaints of which nothing new came since they were read, kept as they are until commit."""
    asked = {each.complaint: each.asked for each in waiting}
    columns = match_pending.c
    select = (
        sa.select(columns.complaint, columns.asked)
        .join(complaint, complaint.c.id == columns.complaint)
        .where(columns.complaint.in_(asked))
    )
    rows = connection.execute(unlocked(connection, select, complaint, by_others_held=True))
    return {id for id, number in rows if asked[id] == number}


def _possible(connection: sa.Connection, proposals: Sequence[Proposal]) -> list[Proposal]:
    """Those whose complaints are both here, and stay until commit: one that is revised now is matched again."""
    ids = {id for each in proposals for id in (each.a, each.b)}
    select = sa.select(complaint.c.id).where(complaint.c.id.in_(ids))
    here = set(connection.scalars(held(connection, select, complaint)))
    return [each for each in proposals if {each.a, each.b} <= here]


def _take_down(connection: sa.Connection, pairs: Sequence[tuple[int, int]]) -> None:
    if pairs:
        own = (match_key.c.k == sa.bindparam("key")) & (match_key.c.complaint == sa.bindparam("whose"))
        connection.execute(sa.delete(match_key).where(own), [{"whose": id, "key": key} for id, key in pairs])


def _thin_out(connection: sa.Connection, crowding: Sequence[Matched]) -> None:
    """Take down keys that one source has more than its share of."""
    if not crowding:
        return
    _take_down(connection, [(each.waiting.complaint, key) for each in crowding for key in each.crowded])
    known = kept(connection, [each.waiting.complaint for each in crowding])
    update = sa.update(match_profile).where(match_profile.c.complaint == sa.bindparam("whose"))
    rows = [
        {"whose": id, "left": _packed([key for key in known[id].keys if key not in set(each.crowded)])}
        for each in crowding
        if (id := each.waiting.complaint) in known
    ]
    connection.execute(update.values(posted=sa.bindparam("left")), rows)


def _acts(connection: sa.Connection, ids: Collection[int]) -> dict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    select = sa.select(act.c.complaint, act.c.kind).where(act.c.complaint.in_(ids)).order_by(act.c.complaint, act.c.no)
    for id, kind in connection.execute(select):
        found[id].append(kind)
    return found


def _roles(connection: sa.Connection, ids: Collection[int]) -> dict[int, dict[int, tuple[str, ...]]]:
    found: defaultdict[int, dict[int, tuple[str, ...]]] = defaultdict(dict)
    select = sa.select(person.c.complaint, person.c.no, person.c.roles).where(person.c.complaint.in_(ids))
    for id, number, roles in connection.execute(select):
        found[id][number] = tuple(roles.split())
    return found


def _victims(connection: sa.Connection, ids: Collection[int]) -> dict[int, list[tuple[str | None, str | None]]]:
    """Sex and age band of each victim, in the order told."""
    found: defaultdict[int, list[tuple[str | None, str | None]]] = defaultdict(list)
    columns = person.c
    select = sa.select(columns.complaint, columns.roles, columns.sex, columns.age).where(columns.complaint.in_(ids))
    for id, roles, sex, age in connection.execute(select.order_by(columns.complaint, columns.no)):
        if VICTIM_ROLE in roles.split():
            found[id].append((sex, age))
    return found


def _bodies(connection: sa.Connection, ids: Collection[int]) -> dict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    columns = person.c
    select = sa.select(columns.complaint, columns.category).where(
        columns.complaint.in_(ids), columns.category.is_not(None)
    )
    for id, category in connection.execute(select.order_by(columns.complaint, columns.no)):
        found[id].append(category)
    return found


def _pending(connection: sa.Connection, ids: Collection[int]) -> dict[int, list[Pending]]:
    found: defaultdict[int, list[Pending]] = defaultdict(list)
    columns: Any = linkage_pending.c
    select = (
        sa.select(received.c.id, columns.id, columns.lineage, columns.complaint, columns.v, columns.box)
        .join(received, (received.c.lineage == columns.lineage) & (received.c.client_id == columns.complaint))
        .where(received.c.id.in_(ids))
        .order_by(columns.seq, columns.received_at, columns.id)
    )
    for id, *waiting in connection.execute(select):
        found[id].append(Pending(*waiting))
    return found


def _packed(keys: Sequence[int]) -> bytes:
    return pack(f"<{len(keys)}Q", *keys)


def _unpacked(keys: bytes) -> tuple[int, ...]:
    return unpack(f"<{len(keys) // _KEY_BYTES}Q", keys)
