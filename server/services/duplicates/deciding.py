"""Deciding: which pairs a person is shown, what they say of them, and what follows; nothing is ever merged."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from itertools import count, islice
from math import inf
from typing import Final

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.errors import DecisionRefused, DecisionStale, NotFound
from server.domain.matching import clusters, decisions, review
from server.domain.matching.clusters import Cluster, Edge
from server.domain.matching.decisions import PROPOSED, RETRY, Decision, Judged, Reason, Verdict
from server.domain.matching.link_ids import written
from server.domain.matching.model import Band, Relation
from server.domain.matching.review import Estimate, Pair, Sample, Shelf, Slot, Stratum
from server.domain.permission import Action, Actor, may_ever, permit
from server.store import accounts, audit, complaints, duplicates, links, registry, sealed, unmatched
from server.store.engine import Store
from server.store.links import Link, Report
from server.store.scopes import Scope, scope_of

_ACTION: Final[Action] = "handle_case"
RELATIONS: Final = (Relation.SAME_INCIDENT, Relation.SAME_COMPLAINANT)
# Links of a shelf that are weighed against each other, and read at once.
_SHELF_MOST: Final = 200
# Of a cluster no more is shown; the strongest are reached first.
MEMBERS_MOST: Final = 200

# By relation and complaint, all the complaints that links lead to from it.
_Alike = Mapping[str, Mapping[int, frozenset[int]]]
_NOTHING: Final[_Alike] = {}
_Read = Callable[[sa.Connection, Scope, Shelf, Link | None, Collection[str], int], list[Link]]


@dataclass(frozen=True)
class ShownPair:
    """A pair to look at: registry numbers of both, and what it is shown for; `judged` is None where that is blind.

    `alike`: how many complaints, at least, proposals lead to from these two, with them; 0 where that is blind.
    `twin`: the link by which the same two wait for a decision on the other relation, if there is one.
    """

    link: int
    numbers: tuple[str, str]
    relation: str
    slot: Slot
    judged: Judged | None
    alike: int
    twin: int | None


@dataclass(frozen=True)
class Queue:
    """The pairs that come next, how many of the day's are left, these included, and how many the day has in all."""

    pairs: tuple[ShownPair, ...]
    left: int
    capacity: int


@dataclass(frozen=True)
class ShownDecision:
    """A decision as the team sees it: who by name, and whether it was taken back.

    `is_own_second`: a second opinion of whoever made the decision that holds: it is nobody else's.
    """

    name: str
    is_undone: bool
    is_own_second: bool
    decision: Decision


@dataclass(frozen=True)
class Explained:
    """A pair with all that is known of it: both reports, the link as it stands, and every word in order.

    `judged` is None, and `words` are empty, for whoever is to decide without them. `poor` are the numbers of those
    that say too little to be compared. `last` is what a decision says to have seen, `holds` the one that holds;
    `is_second`: what the actor says of it would be a second opinion.
    """

    link: int
    relation: str
    state: str
    numbers: tuple[str, str]
    reports: tuple[Report, Report]
    poor: tuple[str, ...]
    judged: Judged | None
    words: tuple[ShownDecision, ...]
    last: int
    holds: int | None
    is_second: bool


@dataclass(frozen=True)
class _Desktop:
    """What there is to choose from: pairs by kind of slot, the best first, links by id, and what leads to what."""

    shelves: dict[Slot, list[Pair]]
    links: dict[int, Link]
    alike: _Alike


@dataclass(frozen=True)
class View:
    """A cluster of one relation, by registry number where it names complaints; `is_cut`: there is more."""

    relation: str
    cluster: Cluster
    numbers: dict[int, str]
    is_cut: bool


@dataclass(frozen=True)
class Reached:
    """What the samples tell of one relation: what share of each stratum matches, and how much of that is shown."""

    relation: str
    samples: tuple[Sample, ...]
    shares: dict[Stratum, Estimate]
    recall: Estimate


def next_pairs(store: Store, desk: Desk, capacity: int, limit: int) -> Queue:
    """The pairs that the actor should decide next, of those whose complaints the actor handles both.

    `capacity`: pairs that one person is shown a day. What the actor may not see changes nothing of it.
    """
    if not may_ever(desk.actor, _ACTION):
        return Queue((), 0, capacity)
    midnight = datetime.combine(desk.now.date(), time(), desk.now.tzinfo)
    with store.read() as connection:
        today = links.decided_since(connection, desk.actor.id, midnight)
        left = max(capacity - len(today), 0)
        done = links.count_decided(connection, desk.actor.id)
        slots = [review.slot_at(number) for number in islice(count(done), min(limit, left))]
        room = review.room_of(capacity)
        waiting = _waiting(connection, desk, today, room) if slots else _Desktop({}, {}, {})
        seen = Counter(taker for each in today for taker in _takers(each, waiting.alike))
        filled = review.fill(slots, waiting.shelves, seen, Counter(each.lineages for each in today), room)
        chosen = [(slot, waiting.links[pair.link]) for slot, pair in filled]
        numbers = registry.numbers_of(connection, {id for _, each in chosen for id in (each.a, each.b)})
    return Queue(tuple(_shown(slot, each, waiting, numbers) for slot, each in chosen), left, capacity)


def may_decide(actor: Actor) -> bool:
    """Whether the actor's role handles complaints at all."""
    return may_ever(actor, _ACTION)


def decide(
    store: Store,
    desk: Desk,
    link_id: int,
    verdict: Verdict,
    *,
    reason: Reason | None = None,
    after: int = 0,
    is_second: bool = False,
) -> int:
    """Say of a pair that it matches or does not; gives the number of the decision. The reports stay as they are.

    `after`: the last decision that the actor saw of it, 0 for none. `is_second`: beside a decision of somebody else,
    whose word goes on holding. Raises NotFound where the actor does not handle both complaints, DecisionStale where
    somebody decided since, and DecisionRefused.
    """
    with store.write() as connection:
        decided, history = _opened(connection, desk, link_id, is_locked=True)
        if is_second:
            _require_first(desk, history)
        elif decisions.last_of(history) != after:
            raise _stale(connection, desk, history, verdict)
        is_blind = _is_to_be_blind(decided, history)
        said = _Said(verdict, reason, is_blind=is_blind, is_second=is_second)
        made = _say(connection, desk, decided, history, said)
        if not is_second:
            links.set_state(connection, decided.id, verdict)
    return made


def undo(store: Store, desk: Desk, link_id: int, number: int, reason: Reason | None = None) -> str:
    """Take a decision on a pair back; gives the state of the link, which follows from the decisions that still stand.

    One that nobody decides any more is matched again, since what it was judged by may have changed meanwhile.
    Raises NotFound as `decide` does, and DecisionRefused for what was taken back already.
    """
    with store.write() as connection:
        opened, _ = _opened(connection, desk, link_id)
        # Before the link: so does whoever revises or erases one of them.
        for each in (opened.a, opened.b):
            complaints.lock(connection, each)
        decided, history = _opened(connection, desk, link_id, is_locked=True)
        told = _to_undo(history, number)
        said = _Said(Verdict.UNDONE, reason, undoes=told.no, is_second=told.is_second)
        _say(connection, desk, decided, history, said)
        state = decisions.state_of(decided.relation, links.history_of(connection, decided.id))
        links.set_state(connection, decided.id, state)
        if state == PROPOSED:
            for each in (decided.a, decided.b):
                unmatched.renew(connection, each, is_own=False)
    return state


def explain(store: Store, desk: Desk, link_id: int, *, is_blind: bool = False) -> Explained:
    """Both reports of a pair, how it is judged, and what was decided; of a pair of a sample, or where the actor
    asks so, without what would lead the actor's own judgement. Raises NotFound as `decide` does."""
    with store.read() as connection:
        shown, history = _opened(connection, desk, link_id)
        told = links.reports(connection, (shown.a, shown.b))
        numbers = registry.numbers_of(connection, (shown.a, shown.b))
        poor = duplicates.unmatchable(connection, (shown.a, shown.b))
        names = {each.id: each.name for each in accounts.listed(connection)}
    is_hidden = is_blind or _is_to_be_blind(shown, history)
    held = decisions.standing(history)
    return Explained(
        link=shown.id,
        relation=shown.relation,
        state=PROPOSED if is_hidden else shown.state,
        numbers=(numbers[shown.a], numbers[shown.b]),
        reports=(told[shown.a], told[shown.b]),
        poor=tuple(numbers[each] for each in (shown.a, shown.b) if each in poor),
        judged=None if is_hidden else shown.judged,
        words=() if is_hidden else tuple(_words(history, names)),
        last=decisions.last_of(history),
        holds=None if held is None else held.no,
        is_second=held is not None and not _has_judged(desk, history),
    )


def clusters_of(store: Store, desk: Desk, number: str) -> list[View]:
    """What a complaint is joined to, by each relation: confirmed links and strong proposals, read now.

    Over the complaints that the actor handles alone: what others have joins nothing here. Raises NotFound.
    """
    with store.read() as connection:
        complaint = registry.complaint_numbered(connection, number)
        if complaint is None or complaint not in _handled(connection, desk, [complaint]):
            raise NotFound(object=number)
        return [_view(connection, desk, complaint, relation) for relation in RELATIONS]


def estimates(store: Store, desk: Desk) -> list[Reached]:
    """What the samples tell, of the pairs that the actor handles; nothing for whoever handles none."""
    if not may_ever(desk.actor, _ACTION):
        return []
    with store.read() as connection:
        counted = links.counted(connection, _scope(desk))
    found: dict[tuple[str, Stratum], Sample] = {}
    for each in counted:
        stratum = Stratum.NEAR if each.band == Band.SILENT and each.is_near else review.stratum_of(each.band, 0)
        before = found.get((each.relation, stratum), Sample(stratum, 0, 0, 0))
        found[each.relation, stratum] = Sample(
            stratum,
            before.kept + each.links,
            before.decided + each.decided,
            before.confirmed + each.confirmed,
        )
    return [_reached(relation, [each for (of, _), each in found.items() if of == relation]) for relation in RELATIONS]


def _waiting(connection: sa.Connection, desk: Desk, today: Sequence[Link], room: int) -> _Desktop:
    """What waits for each kind of slot; `today`: the links that the actor decided today."""
    scope, number = _scope(desk), links.count_lineages(connection)
    spent = {sender for sender, count in Counter(each.sender for each in today).items() if count >= room}

    def shelf(of: Shelf, read: _Read) -> list[Link]:
        def page(after: Link | None, full: Collection[str]) -> list[Link]:
            # A lineage with its share is passed over by the database: a flood of it costs no page.
            skip = spent.union(full)
            return [] if len(skip) == number else read(connection, scope, of, after, skip, _SHELF_MOST)

        return _filled(connection, desk, page, room)

    strong, possible = (shelf(each, links.most_valued) for each in (Shelf.STRONG, Shelf.POSSIBLE))
    blind, silent = (shelf(each, links.drawn) for each in (Shelf.BLIND, Shelf.SILENT))
    confirmed = _confirmed_with(connection, desk, [*strong, *possible])
    groups = _groups([*strong, *possible, *confirmed, *(each for each in today if each.state != Verdict.REJECTED)])
    ranked = [_ranked(each, confirmed, groups) for each in (strong, possible)]
    shelves = {
        Slot.VALUE: [*ranked[0], *ranked[1]],
        Slot.UNCERTAIN: ranked[1],
        Slot.BLIND: [_pair(each) for each in blind],
        Slot.SILENT: [_pair(each) for each in silent],
    }
    return _Desktop(shelves, {each.id: each for each in (*strong, *possible, *blind, *silent)}, groups)


def _filled(
    connection: sa.Connection, desk: Desk, page: Callable[[Link | None, Collection[str]], list[Link]], room: int
) -> list[Link]:
    """The first links that wait, of which the actor handles both complaints: of two lineages no more than have room
    in a day, and of one sender twice that, so that there is something else beside what most of it is like."""
    kept: list[Link] = []
    read, sent, met = Counter[str](), Counter[str](), Counter[frozenset[str]]()
    found = page(None, ())
    while found:
        for each in _permitted(connection, desk, found):
            read[each.sender] += 1
            if sent[each.sender] < 2 * room and met[each.lineages] < room:
                sent[each.sender] += 1
                met[each.lineages] += 1
                kept.append(each)
        full = [each for each in read if sent[each] >= 2 * room or read[each] >= _SHELF_MOST]
        found = page(found[-1], full) if len(found) == _SHELF_MOST and len(kept) < _SHELF_MOST else []
    return kept[:_SHELF_MOST]


def _ranked(shelf: Sequence[Link], confirmed: Sequence[Link], groups: _Alike) -> list[Pair]:
    linked = Counter(id for each in confirmed for id in (each.a, each.b))
    pairs = [_pair(each, groups, linked[each.a] + linked[each.b]) for each in shelf]
    return sorted(pairs, key=lambda pair: (-pair.value, pair.link))


def _pair(link: Link, groups: _Alike = _NOTHING, linked: int = 0) -> Pair:
    value = review.weighed(link.value, linked)
    return Pair(link.id, value, link.lineages, link.sender, _group(link, link.a, groups))


def _takers(link: Link, groups: _Alike) -> frozenset[str]:
    """Those of whose share a link of the day took one: a rejected one is of two groups since."""
    return frozenset({link.sender, *(_group(link, end, groups) for end in (link.a, link.b))} - {""})


def _group(link: Link, end: int, groups: _Alike) -> str:
    """What a pair is one of many of: those of one device among themselves, else those that links lead to."""
    alike = groups.get(link.relation, {}).get(end)
    if alike and len(link.lineages) == 1:
        return link.sender
    return f"{link.relation} {min(alike)}" if alike else ""


def _groups(found: Sequence[Link]) -> _Alike:
    """By relation, what links lead to; a retry is of both."""

    def ends(relation: str) -> list[tuple[int, int]]:
        return [(each.a, each.b) for each in found if each.relation in (relation, RETRY)]

    return {relation: clusters.groups(ends(relation)) for relation in RELATIONS}


def _confirmed_with(connection: sa.Connection, desk: Desk, waiting: Sequence[Link]) -> list[Link]:
    """The confirmed links of those that wait, that the actor may know of."""
    ids = {id for each in waiting for id in (each.a, each.b)}
    return _permitted(connection, desk, links.touching(connection, ids, (*RELATIONS, RETRY), Verdict.CONFIRMED))


def _shown(slot: Slot, link: Link, waiting: _Desktop, numbers: dict[int, str]) -> ShownPair:
    ends = numbers[link.a], numbers[link.b]
    if review.is_blind(link.judged.band, link.draw):
        return ShownPair(link.id, ends, link.relation, slot, None, 0, None)
    alike = waiting.alike[link.relation][link.a]
    shown = (each for each in waiting.links.values() if not review.is_blind(each.judged.band, each.draw))
    twins = (each.id for each in shown if (each.a, each.b) == (link.a, link.b) and each.id != link.id)
    return ShownPair(link.id, ends, link.relation, slot, link.judged, len(alike), next(twins, None))


def _words(history: Sequence[Decision], names: Mapping[str, str]) -> Iterator[ShownDecision]:
    """What was said of a pair, in order."""
    gone = decisions.undone(history)
    for each in history:
        yield ShownDecision(names[each.account], each.no in gone, decisions.is_own_second(history, each), each)


def _opened(
    connection: sa.Connection, desk: Desk, link_id: int, *, is_locked: bool = False
) -> tuple[Link, list[Decision]]:
    """A link whose complaints the actor handles both, and what was decided of it. Raises NotFound."""
    found = links.find(connection, link_id, is_locked=is_locked)
    if found is None or not _permitted(connection, desk, [found]):
        raise NotFound(object=link_id)
    return found, links.history_of(connection, link_id)


def _is_to_be_blind(link: Link, history: Sequence[Decision]) -> bool:
    is_unseen = not history and not link.was_scored
    return is_unseen and link.relation != RETRY and review.is_blind(link.judged.band, link.draw)


def _to_undo(history: Sequence[Decision], number: int) -> Decision:
    """The word to take back. Raises NotFound and DecisionRefused as `undo` does."""
    told = next((each for each in history if each.no == number), None)
    if told is None:
        raise NotFound(object=number)
    if told.verdict is Verdict.UNDONE or told.no in decisions.undone(history):
        raise DecisionRefused(fault="undone")
    return told


def _require_first(desk: Desk, history: Sequence[Decision]) -> None:
    if decisions.standing(history) is None:
        raise DecisionRefused(fault="first")
    if _has_judged(desk, history):
        raise DecisionRefused(fault="own")


def _has_judged(desk: Desk, history: Sequence[Decision]) -> bool:
    """Whether the decision that holds, or an opinion that stands beside it, is the actor's own."""
    held = decisions.standing(history)
    words = [*filter(None, [held]), *decisions.second_opinions(history)]
    return desk.actor.id in {each.account for each in words}


def _stale(connection: sa.Connection, desk: Desk, history: Sequence[Decision], verdict: Verdict) -> DecisionStale:
    held, last = decisions.standing(history), decisions.last_of(history)
    if held is None:
        return DecisionStale(fault="none", said=verdict.value, last=last)
    names = {each.id: each.name for each in accounts.listed(connection)}
    fault = "own" if held.account == desk.actor.id else "other"
    return DecisionStale(
        fault=fault, name=names[held.account], verdict=held.verdict.value, said=verdict.value, last=last
    )


@dataclass(frozen=True)
class _Said:
    """What a word says, as far as the person chose it."""

    verdict: Verdict
    reason: Reason | None
    undoes: int | None = None
    is_blind: bool = False
    is_second: bool = False


def _say(connection: sa.Connection, desk: Desk, link: Link, history: Sequence[Decision], said: _Said) -> int:
    """Keep a word on a link, after those of its history; gives its number."""
    number = len(history) + 1
    word = Decision(
        no=number,
        link=link.id,
        verdict=said.verdict,
        account=desk.actor.id,
        reason=said.reason,
        at=desk.now,
        undoes=said.undoes,
        is_blind=said.is_blind,
        is_second=said.is_second,
        judged=link.judged,
    )
    links.add_decision(connection, word)
    audit.record(
        connection,
        at=desk.now,
        actor=desk.actor.signature,
        action="decide",
        object=f"link:{written(link.id)}",
        details={
            "blind": said.is_blind,
            "decision": number,
            "second": said.is_second,
            "undoes": said.undoes,
            "verdict": said.verdict.value,
        },
    )
    return number


def _view(connection: sa.Connection, desk: Desk, complaint: int, relation: Relation) -> View:
    near, is_cut = _neighbourhood(connection, desk, complaint, relation)
    edges = [_edge(each) for each in near if _joins(each)]
    apart = [(each.a, each.b) for each in near if each.state == Verdict.REJECTED and each.relation == relation]
    cluster = clusters.cluster_of(complaint, edges, apart)
    named = {id for each in cluster.barred for id in (each.a, each.b)} | set(cluster.members)
    return View(relation, cluster, registry.numbers_of(connection, named), is_cut)


def _neighbourhood(
    connection: sa.Connection, desk: Desk, complaint: int, relation: Relation
) -> tuple[list[Link], bool]:
    """All links among the complaints that joints lead to, by ever more of them, at most MEMBERS_MOST complaints."""
    reached, fresh, is_cut = {complaint}, {complaint}, False
    known: dict[int, Link] = {}
    while fresh:
        found = _permitted(connection, desk, links.touching(connection, fresh, (relation, RETRY)))
        known |= {each.id: each for each in found}
        joints = sorted((each for each in found if _joins(each)), key=lambda each: clusters.strength(_edge(each)))
        ends = dict.fromkeys(id for each in joints for id in (each.a, each.b) if id not in reached)
        fresh = set(islice(ends, MEMBERS_MOST - len(reached)))
        is_cut = is_cut or len(fresh) < len(ends)
        reached |= fresh
    return [each for each in known.values() if {each.a, each.b} <= reached], is_cut


def _joins(link: Link) -> bool:
    """Whether a link holds a cluster together. One of a sample does so when it is decided: this would show its band."""
    if link.state == PROPOSED:
        return link.judged.band == Band.STRONG and not review.is_blind(link.judged.band, link.draw)
    return link.state == Verdict.CONFIRMED


def _edge(link: Link) -> Edge:
    weight = inf if link.relation == RETRY else link.judged.weight
    return Edge(link.id, link.a, link.b, link.state == Verdict.CONFIRMED, weight)


def _permitted(connection: sa.Connection, desk: Desk, found: Sequence[Link]) -> list[Link]:
    """The links of which the actor handles both complaints."""
    handled = _handled(connection, desk, {id for each in found for id in (each.a, each.b)})
    return [each for each in found if {each.a, each.b} <= handled]


def _handled(connection: sa.Connection, desk: Desk, complaints: Collection[int]) -> set[int]:
    standings = sealed.standings(connection, complaints)
    return {id for id, each in standings.items() if permit(desk.actor, _ACTION, each.target(desk.places))}


def _scope(desk: Desk) -> Scope:
    return scope_of(desk.actor, [_ACTION], desk.places)


def _reached(relation: str, samples: Iterable[Sample]) -> Reached:
    present = sorted(samples, key=lambda each: list(Stratum).index(each.stratum))
    shares = {each.stratum: review.precision(each) for each in present}
    return Reached(relation, tuple(present), shares, review.recall(present))
