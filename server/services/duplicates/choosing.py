"""Choosing: which pairs a person is shown next, in the order of indexes, by shares of a day and for samples."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Final

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.matching import clusters, review
from server.domain.matching.decisions import RETRY, Judged, Verdict
from server.domain.matching.review import Pair, Shelf, Slot
from server.services.duplicates.deciding import RELATIONS, SET_BY, may_decide, permitted, scope_of_decider
from server.store import links, registry
from server.store.engine import Store
from server.store.lines import Key, Page, Reach
from server.store.links import Link, Wanted

# Links of a shelf that are weighed against each other, and read at once.
_SHELF_MOST: Final = 40
# Links of a shelf that are looked at for whoever covers a part of all complaints: few of them may be of it.
_STRETCH: Final = 200

# By relation and complaint, all the complaints that links lead to from it.
_Alike = Mapping[str, Mapping[int, frozenset[int]]]
_NOTHING: Final[_Alike] = {}
# The next page of a shelf, behind a link, but for what some lineages sent.
_Read = Callable[[Key | None, Collection[str]], Page[Link]]


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
    """The pairs that come next, how many of the day's are left, these included, and how many the day has in all.

    `is_cut`: more may wait in the stretch after the one that was looked at.
    """

    pairs: tuple[ShownPair, ...]
    left: int
    capacity: int
    is_cut: bool = False


@dataclass(frozen=True)
class _Desktop:
    """What there is to choose from: pairs by kind of slot, the best first, links by id, and what leads to what.

    `is_cut` as in Queue.
    """

    shelves: dict[Slot, list[Pair]]
    links: dict[int, Link]
    alike: _Alike
    is_cut: bool


def next_pairs(store: Store, desk: Desk, capacity: int, limit: int, stretch: int = 0) -> Queue:
    """The pairs that the actor should decide next, of those whose complaints the actor handles both.

    `capacity`: pairs that one person is shown a day. Whoever covers a part of all complaints is shown those of one
    stretch of each shelf, the first or a later one; else what the actor may not see changes nothing of it.
    """
    if not may_decide(desk.actor):
        return Queue((), 0, capacity)
    with store.read() as connection:
        today = links.decided_since(connection, desk.actor.id, desk.midnight)
        left = max(capacity - len(today), 0)
        done = links.count_decided(connection, desk.actor.id)
        slots = [review.slot_at(number) for number in islice(count(done), min(limit, left))]
        if not slots:
            return Queue((), left, capacity)
        room = review.room_of(capacity)
        waiting = _waiting(connection, desk, today, room, stretch)
        seen = Counter(taker for each in today for taker in _takers(each, waiting.alike))
        filled = review.fill(slots, waiting.shelves, seen, Counter(each.lineages for each in today), room)
        chosen = [(slot, waiting.links[pair.link]) for slot, pair in filled]
        numbers = registry.numbers_of(connection, {id for _, each in chosen for id in (each.a, each.b)})
        twins = links.twins(connection, [each for _, each in chosen])
    pairs = (_shown(slot, each, waiting.alike, numbers, twins.get(each.id)) for slot, each in chosen)
    return Queue(tuple(pairs), left, capacity, waiting.is_cut)


def _waiting(connection: sa.Connection, desk: Desk, today: Sequence[Link], room: int, stretch: int) -> _Desktop:
    """What waits for each kind of slot; `today`: the links that the actor decided today."""
    read = _reader(connection, desk, today, room, stretch)
    found = {each: _filled(desk, read(each), room) for each in Shelf}
    strong, possible, blind, silent = (kept for kept, _ in found.values())
    confirmed = _confirmed_with(connection, desk, [*strong, *possible])
    groups = _groups([*strong, *possible, *confirmed, *(each for each in today if each.state != Verdict.REJECTED)])
    ranked = [_ranked(each, confirmed, groups) for each in (strong, possible)]
    shelves = {
        Slot.VALUE: [*ranked[0], *ranked[1]],
        Slot.UNCERTAIN: ranked[1],
        Slot.BLIND: [_pair(each) for each in blind],
        Slot.SILENT: [_pair(each) for each in silent],
    }
    by_id = {each.id: each for kept, _ in found.values() for each in kept}
    return _Desktop(shelves, by_id, groups, is_cut=any(is_cut for _, is_cut in found.values()))


def _reader(
    connection: sa.Connection, desk: Desk, today: Sequence[Link], room: int, stretch: int
) -> Callable[[Shelf], _Read]:
    """How a shelf is read for the actor, page by page."""
    scope, senders = scope_of_decider(desk), links.count_lineages(connection)
    spent = {sender for sender, count in Counter(each.sender for each in today).items() if count >= room}
    unsure = links.unsure_of(connection, desk.actor.id, desk.now - SET_BY)
    # Whoever covers all finds enough at the beginning.
    size = None if scope.is_whole else _STRETCH

    def read(shelf: Shelf) -> _Read:
        begin = links.last_of(connection, shelf, stretch * size) if size and stretch else None

        def page(after: Key | None, full: Collection[str]) -> Page[Link]:
            # A lineage with its share is passed over by the database: a flood of it costs no page.
            passed = spent.union(full)
            if len(passed) == senders or (size and stretch and begin is None):
                return Page((), None)
            wanted = Wanted(shelf, passed, unsure)
            return links.waiting(connection, scope, wanted, Reach(_SHELF_MOST, after or begin, size))

        return page

    return read


def _filled(desk: Desk, page: _Read, room: int) -> tuple[list[Link], bool]:
    """The first links that wait, of which the actor handles both complaints: of two lineages no more than have room
    in a day, and of one sender twice that, so that there is something else beside what most of it is like.

    Also whether more may wait where nobody looked, though there was room for it.
    """
    kept: list[Link] = []
    read, sent, met = Counter[str](), Counter[str](), Counter[frozenset[str]]()
    found = page(None, ())
    while found.rows:
        for each in permitted(desk, found.rows):
            read[each.sender] += 1
            if sent[each.sender] < 2 * room and met[each.lineages] < room:
                sent[each.sender] += 1
                met[each.lineages] += 1
                kept.append(each)
        if len(kept) >= _SHELF_MOST:
            return kept[:_SHELF_MOST], False
        if len(found.rows) < _SHELF_MOST:
            break
        full = [each for each in read if sent[each] >= 2 * room or read[each] >= _SHELF_MOST]
        found = page(found.ends_at, full)
    return kept, found.ends_at is not None


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
    return permitted(desk, links.touching(connection, ids, (*RELATIONS, RETRY), Verdict.CONFIRMED))


def _shown(slot: Slot, link: Link, alike: _Alike, numbers: dict[int, str], twin: int | None) -> ShownPair:
    ends = numbers[link.a], numbers[link.b]
    if review.is_blind(link.judged.band, link.draw):
        return ShownPair(link.id, ends, link.relation, slot, None, 0, None)
    return ShownPair(link.id, ends, link.relation, slot, link.judged, len(alike[link.relation][link.a]), twin)
