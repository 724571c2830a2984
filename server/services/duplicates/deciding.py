"""Deciding: what a person says of a pair, and what follows; nothing is ever merged."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
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
from server.domain.matching.review import Estimate, Sample, Stratum
from server.domain.permission import Action, Actor, may_ever, permit
from server.store import accounts, audit, complaints, duplicates, links, registry, sealed, unmatched
from server.store.engine import Store
from server.store.links import Link, Report
from server.store.scopes import Scope, scope_of
from server.store.sealed import Standing

_ACTION: Final[Action] = "handle_case"
RELATIONS: Final = (Relation.SAME_INCIDENT, Relation.SAME_COMPLAINANT)
# So long a pair does not come back to whoever was unsure of it.
SET_BY: Final = timedelta(days=7)
# Of a cluster no more is shown; the strongest are reached first.
MEMBERS_MOST: Final = 200


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
class Twin:
    """The link by which the same two wait for a decision on the other relation, and the last decision of it so far."""

    link: int
    last: int


@dataclass(frozen=True)
class Explained:
    """A pair with all that is known of it: both reports, the link as it stands, and every word in order.

    `judged` is None, and `words` are empty, for whoever is to decide without them. `poor` are the numbers of those
    that say too little to be compared. `last` is what a decision says to have seen, `holds` the one that holds;
    `is_second`: what the actor says of it would be a second opinion. `twin`: the same two on the other relation.
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
    twin: Twin | None


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


def may_decide(actor: Actor) -> bool:
    """Whether the actor's role handles complaints at all."""
    return may_ever(actor, _ACTION)


def permitted(desk: Desk, found: Sequence[Link]) -> list[Link]:
    """The links of which the actor handles both complaints."""
    return [each for each in found if all(_handles(desk, standing) for standing in each.standings)]


def scope_of_decider(desk: Desk) -> Scope:
    """Whose pairs the actor's search reads at all; `permitted` has the last word."""
    return scope_of(desk.actor, [_ACTION], desk.places)


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
        return _decide(connection, desk, link_id, verdict, reason, after, is_second=is_second)


def confirm_both(
    store: Store, desk: Desk, pair: tuple[int, int], after: tuple[int, int], reason: Reason | None = None
) -> tuple[int, int]:
    """Say of two complaints that they match by both relations: one complaint, told twice. All or nothing.

    `pair`: the two links; `after`: the last decision that the actor saw of each. Raises as `decide` does.
    """
    with store.write() as connection:
        _require_both(connection, desk, pair)
        # The lower id first: of two who say so at once none waits for the other in a ring.
        made = {
            link_id: _decide(connection, desk, link_id, Verdict.CONFIRMED, reason, seen, is_second=False)
            for link_id, seen in sorted(zip(pair, after, strict=True))
        }
    return made[pair[0]], made[pair[1]]


def pass_by(store: Store, desk: Desk, link_id: int, reason: Reason | None = None) -> int:
    """Say of a pair not to know: it waits on, but for SET_BY not for the actor. Gives the number of the word.

    Raises NotFound as `decide` does, and DecisionStale where somebody decided.
    """
    with store.write() as connection:
        passed, history = _opened(connection, desk, link_id, is_locked=True)
        if passed.state != PROPOSED:
            raise _stale(connection, desk, history, Verdict.UNSURE)
        is_blind = _is_to_be_blind(passed, history)
        said = _Said(Verdict.UNSURE, reason, is_blind=is_blind, is_second=True)
        return _say(connection, desk, passed, history, said)


def undo(store: Store, desk: Desk, link_id: int, number: int, reason: Reason | None = None) -> str:
    """Take a decision on a pair back; gives the state of the link, which follows from the decisions that still stand.

    One that nobody decides any more is matched again, since what it was judged by may have changed meanwhile.
    Raises NotFound as `decide` does, and DecisionRefused for what was taken back already.
    """
    with store.write() as connection:
        return _undo(connection, desk, link_id, number, reason)


def undo_both(store: Store, desk: Desk, pair: tuple[int, int], numbers: tuple[int, int]) -> None:
    """Take back what `confirm_both` said, all or nothing. Raises as `undo` does."""
    with store.write() as connection:
        _require_both(connection, desk, pair)
        for link_id, number in sorted(zip(pair, numbers, strict=True)):
            _undo(connection, desk, link_id, number, None)


def explain(store: Store, desk: Desk, link_id: int, *, is_blind: bool = False) -> Explained:
    """Both reports of a pair, how it is judged, and what was decided; of a pair of a sample, or where the actor
    asks so, without what would lead the actor's own judgement. Raises NotFound as `decide` does."""
    with store.read() as connection:
        shown, history = _opened(connection, desk, link_id)
        told = links.reports(connection, (shown.a, shown.b))
        numbers = registry.numbers_of(connection, (shown.a, shown.b))
        poor = duplicates.unmatchable(connection, (shown.a, shown.b))
        names = accounts.names(connection)
        is_hidden = is_blind or _is_to_be_blind(shown, history)
        # None beside one that is decided, nor where it would show the band.
        twin = None if is_hidden or shown.state != PROPOSED else _twin(connection, shown)
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
        twin=twin,
    )


def clusters_of(store: Store, desk: Desk, number: str) -> list[View]:
    """What a complaint is joined to, by each relation: confirmed links and strong proposals, read now.

    Over the complaints that the actor handles alone: what others have joins nothing here. Raises NotFound.
    """
    with store.read() as connection:
        complaint = registry.complaint_numbered(connection, number)
        found = {} if complaint is None else sealed.standings(connection, [complaint])
        if complaint is None or not all(_handles(desk, each) for each in found.values()):
            raise NotFound(object=number)
        return [_view(connection, desk, complaint, relation) for relation in RELATIONS]


def estimates(store: Store, desk: Desk) -> list[Reached]:
    """What the samples tell, of the pairs that the actor handles; nothing for whoever handles none."""
    if not may_decide(desk.actor):
        return []
    with store.read() as connection:
        counted = links.counted(connection, scope_of_decider(desk))
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


def _require_both(connection: sa.Connection, desk: Desk, pair: tuple[int, int]) -> None:
    """Raises NotFound unless the links join the same two complaints, one by each relation."""
    one, other = (_opened(connection, desk, link_id)[0] for link_id in pair)
    if (one.a, one.b) != (other.a, other.b) or one.relation == other.relation:
        raise NotFound(object=other.id)


def _twin(connection: sa.Connection, shown: Link) -> Twin | None:
    found = links.twins(connection, [shown]).get(shown.id)
    return None if found is None else Twin(found, decisions.last_of(links.history_of(connection, found)))


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
    if found is None or not permitted(desk, [found]):
        raise NotFound(object=link_id)
    return found, links.history_of(connection, link_id)


def _is_to_be_blind(link: Link, history: Sequence[Decision]) -> bool:
    is_unseen = decisions.is_unseen(history) and not link.was_scored
    return is_unseen and link.relation != RETRY and review.is_blind(link.judged.band, link.draw)


def _decide(
    connection: sa.Connection,
    desk: Desk,
    link_id: int,
    verdict: Verdict,
    reason: Reason | None,
    after: int,
    *,
    is_second: bool,
) -> int:
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


def _undo(connection: sa.Connection, desk: Desk, link_id: int, number: int, reason: Reason | None) -> str:
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
    if state == PROPOSED and not told.is_second:
        for each in (decided.a, decided.b):
            unmatched.renew(connection, each, is_own=False)
    return state


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
    names = accounts.names(connection)
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
        found = permitted(desk, links.touching(connection, fresh, (relation, RETRY)))
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


def _handles(desk: Desk, standing: Standing) -> bool:
    return permit(desk.actor, _ACTION, standing.target(desk.places))


def _reached(relation: str, samples: Iterable[Sample]) -> Reached:
    present = sorted(samples, key=lambda each: list(Stratum).index(each.stratum))
    shares = {each.stratum: review.precision(each) for each in present}
    return Reached(relation, tuple(present), shares, review.recall(present))
