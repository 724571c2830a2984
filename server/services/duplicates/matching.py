"""Matching: who may tell of the same incident, or be the same complainant, found by keys, compared, and proposed."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

import sqlalchemy as sa

from server.domain.matching import complaints, composites, profiles, review
from server.domain.matching.complaints import Likeness
from server.domain.matching.decisions import PROPOSED, RETRY, Verdict
from server.domain.matching.keys import CANDIDATES_MOST, POSTINGS_MOST, TELLING_LEAST, TELLING_MUCH, rank
from server.domain.matching.model import Band, Model, Relation, chance_of, judge
from server.domain.matching.profiles import Profile
from server.domain.matching.review import Shelf
from server.services.duplicates.turning import Means
from server.store import duplicates, models, unmatched
from server.store.duplicates import Candidate, Link, Matched, Proposal
from server.store.engine import Store
from server.store.unmatched import Waiting

# Complaints in hand at once: intake waits while what came of them is written, for ten little longer than for three.
PAGE: Final = 10
# Whoever died with a page in hand keeps it from the others no longer than this.
CLAIM: Final = timedelta(minutes=2)
# Of what is read by one key, no more than this is of one lineage: a flood of its reports hides nobody's.
SHARE_MOST: Final = 20
# Links of one complaint to those of one lineage, of one relation: a flood is seen by a few, and fills no queue.
LINKS_MOST: Final = 8

# A link that might be proposed, with the lineages of its two complaints.
_Likely = tuple[Proposal, tuple[str, str]]


@dataclass(frozen=True)
class _Seen:
    """A complaint in memory: where it came from, and its profile."""

    candidate: Candidate
    profile: Profile

    @property
    def id(self) -> int:
        """Of the complaint."""
        return self.candidate.complaint

    @cached_property
    def is_matchable(self) -> bool:
        """Whether it says enough to be compared."""
        return not profiles.why_unmatchable(self.profile)


class _Tally:
    """How many links complaints have to those of each lineage, those that are proposed now with them."""

    def __init__(self, links: Collection[Link]) -> None:
        self._pairs = {(each.a, each.b, each.relation) for each in links}
        self._counts: Counter[tuple[int, str, str]] = Counter()
        for each in links:
            self._counts.update(_ends(each, each.lineages))

    def has_room(self, proposal: Proposal, lineages: tuple[str, str]) -> bool:
        """Whether neither has its share of the other's lineage yet; one that stands already always has its room."""
        key = (proposal.a, proposal.b, proposal.relation)
        if key not in self._pairs:
            ends = _ends(proposal, lineages)
            if max(self._counts[each] for each in ends) >= LINKS_MOST:
                return False
            self._pairs.add(key)
            self._counts.update(ends)
        return True


def is_any_waiting(store: Store, now: datetime) -> bool:
    """Whether there is anything to match that nobody has in hand."""
    with store.read() as connection:
        return unmatched.is_any_free(connection, now)


def claim(store: Store, by: str, now: datetime, *, is_synced: bool = False) -> list[Waiting]:
    """Take a page of complaints that wait; nobody else does until CLAIM is over.

    `is_synced`: what was matched before is on disk then.
    """
    with store.write(is_synced=is_synced) as connection:
        return unmatched.claim(connection, by, now, now + CLAIM, PAGE)


def keep_models(store: Store, now: datetime) -> None:
    """Keep the models that come with this version; those that judge now go on doing so."""
    for relation in complaints.RELATIONS:
        shipped = complaints.shipped(relation)
        with store.read() as connection:
            known = models.find(connection, shipped.version)
        if known is None:
            with store.write() as connection:
                models.add_shipped(connection, shipped.version, relation, shipped.write(), now)


def models_of(connection: sa.Connection) -> list[Model]:
    """The models that judge now."""
    return [complaints.read_model(document) for document in models.current(connection).values()]


def match(connection: sa.Connection, page: Sequence[Waiting], models: Sequence[Model], means: Means) -> list[Matched]:
    """What becomes of complaints whose keys are there to be read: nothing is written.

    Of two that are matched at once, by whomever, the one whose keys were committed last sees the other.
    """
    own = _seen(connection, [each.complaint for each in page], means)
    keys = {id: composites.blocking_keys(each.profile, means.pepper) for id, each in own.items() if each.is_matchable}
    postings = duplicates.postings(connection, {key for each in keys.values() for key in each}, POSTINGS_MOST)
    read = {key: _in_turn(each) for key, each in postings.items()}
    source_of = {number: source for each in postings.values() for number, source in each}
    links = duplicates.links_of(connection, list(own))
    found = {id: _found(id, keys.get(id, ()), read, source_of, links) for id in own}
    others = {id for each in found.values() for id in each}
    seen = own | _seen(connection, others - own.keys(), means)
    others_of = {id: [seen[other] for other in sorted(found[id]) if other in seen] for id in own}
    likely = {id: _likely(own[id], theirs, found[id], links, models, means.pepper) for id, theirs in others_of.items()}
    # Of those alone: most of what is compared comes to no link.
    ends = {id for each in likely.values() for proposal, _ in each for id in (proposal.a, proposal.b)}
    tally = _Tally(duplicates.links_of(connection, ends) if ends else ())
    matched = []
    for each in page:
        ours = own.get(each.complaint)
        if ours is not None:
            proposals = tuple(proposal for proposal, of in likely[ours.id] if tally.has_room(proposal, of))
            over = _over(ours, others_of[ours.id], links, likely[ours.id], models, means.pepper)
            # What it is not found by is not kept either.
            unread = (key for key in keys.get(ours.id, ()) if ours.id not in read.get(key, ()))
            crowded = tuple(key for key in unread if ours.id in dict(postings.get(key, ())))
            matched.append(Matched(each, proposals, over, crowded))
    return matched


def keep(store: Store, matched: Sequence[Matched], now: datetime) -> None:
    """Keep the links; these complaints wait no more. What is not on disk yet when the power goes is matched again."""
    with store.write(is_synced=False) as connection:
        duplicates.keep_matched(connection, matched, now)


def found_by(
    postings: Iterable[Sequence[tuple[int, int]]], most: int = CANDIDATES_MOST, least: float = TELLING_LEAST
) -> dict[int, float]:
    """The complaints to compare with one, by what its keys read: numbers, each with its source. Bounds as in `rank`."""
    read = list(postings)
    source_of = {number: source for each in read for number, source in each}
    return rank(map(_in_turn, read), most, least, source_of)


def _in_turn(postings: Sequence[tuple[int, int]]) -> list[int]:
    """The complaints of one key but for those that came when their lineage had its share of it."""
    found, counts = [], Counter[int]()
    for number, source in sorted(postings):
        counts[source] += 1
        if counts[source] <= SHARE_MOST:
            found.append(number)
    return found


def _seen(connection: sa.Connection, ids: Collection[int], means: Means) -> dict[int, _Seen]:
    found = duplicates.candidates(connection, ids, profiles.SCHEME)
    features = means.features
    opened = ((each, features.open(id, each.features)) for id, each in found.items())
    return {each.complaint: _Seen(each, profile) for each, profile in opened if profile is not None}


def _found(
    id: int,
    keys: Sequence[int],
    read: Mapping[int, Sequence[int]],
    source_of: Mapping[int, int],
    links: Sequence[Link],
) -> dict[int, bool]:
    """Those that share the most telling keys with a complaint, and those that it has links with: what it says now may
    speak against them. By complaint, whether the pair is faint; one that stands is not."""
    others = ([other for other in read.get(key, ()) if other != id] for key in keys)
    ranked = rank(others, source_of=source_of)
    linked = {each.b if each.a == id else each.a for each in links if id in (each.a, each.b)}
    return {other: told < TELLING_MUCH for other, told in ranked.items()} | dict.fromkeys(linked, False)


def _likely(
    ours: _Seen,
    others: Sequence[_Seen],
    found: Mapping[int, bool],
    links: Sequence[Link],
    models: Sequence[Model],
    pepper: bytes,
) -> list[_Likely]:
    """The links that might be proposed, the weightiest first. `found`: by complaint, whether the pair is faint."""
    standing = {(each.a, each.b, each.relation) for each in links}
    likely = [
        each
        for theirs in others
        for each in _proposals(ours, theirs, models, pepper, is_faint=found[theirs.id])
        if not (_is_poor(ours, theirs) and (each[0].a, each[0].b, each[0].relation) in standing)
    ]
    return sorted(likely, key=lambda each: (-each[0].weight, each[0].a, each[0].b))


def _over(
    ours: _Seen,
    others: Sequence[_Seen],
    links: Sequence[Link],
    likely: Sequence[_Likely],
    models: Sequence[Model],
    pepper: bytes,
) -> tuple[Proposal, ...]:
    """Links that were proposed before and hold no more, as they are judged now."""
    still = {(each.a, each.b, each.relation) for each, _ in likely}
    compared = {frozenset((ours.id, theirs.id)): theirs for theirs in others if not _is_poor(ours, theirs)}
    model_of = {model.relation: model for model in models}
    return tuple(
        _silenced(ours, compared[ends], model_of[Relation(each.relation)], pepper)
        for each in links
        if each.state == PROPOSED
        and (ends := frozenset((each.a, each.b))) in compared
        and (each.a, each.b, each.relation) not in still
    )


def _silenced(ours: _Seen, theirs: _Seen, model: Model, pepper: bytes) -> Proposal:
    """The link of two complaints that nobody should see, or that cannot be compared any more."""
    first, then = sorted((ours, theirs), key=lambda each: each.id)
    # Of what says too little nothing speaks for the link, nor against it.
    is_told = first.is_matchable and then.is_matchable
    levels = complaints.levels_of(first.profile, then.profile) if is_told else {}
    rarity = complaints.rarity_of(levels, first.profile, then.profile)
    likeness = Likeness(model.relation, levels, judge(model, levels, rarity, complaints.STORED))
    draw = review.draw_of(pepper, first.id, then.id, model.relation)
    return _proposal(first.id, then.id, model, likeness, Band.SILENT, _is_urgent(first, then), draw)


def _is_poor(ours: _Seen, theirs: _Seen) -> bool:
    """Whether one of them says less than it did: a link that was made when it said more is left as it is."""
    return ours.candidate.by_facts or theirs.candidate.by_facts


def _is_urgent(ours: _Seen, theirs: _Seen) -> bool:
    return ours.candidate.is_urgent or theirs.candidate.is_urgent


def _proposals(
    ours: _Seen, theirs: _Seen, models: Sequence[Model], pepper: bytes, *, is_faint: bool
) -> Iterator[_Likely]:
    """The links of two complaints that a person should see, or that a sample has; that of a retry holds without one."""
    first, then = sorted((ours, theirs), key=lambda each: each.id)
    lineages = first.candidate.lineage, then.candidate.lineage
    if lineages[0] == lineages[1] and first.candidate.hash == then.candidate.hash:
        yield _retry(first.id, then.id, pepper), lineages
    elif first.is_matchable and then.is_matchable:
        levels = complaints.levels_of(first.profile, then.profile)
        rarity = complaints.rarity_of(levels, first.profile, then.profile)
        for model in models:
            # Its reasons are told of those alone that are kept: of twenty-five pairs one or two.
            chance = chance_of(model, levels, rarity, complaints.STORED)
            band = model.band(chance, is_faint=is_faint)
            draw = review.draw_of(pepper, first.id, then.id, model.relation)
            if review.is_kept(band, chance, draw):
                likeness = Likeness(model.relation, levels, judge(model, levels, rarity, complaints.STORED))
                yield _proposal(first.id, then.id, model, likeness, band, _is_urgent(first, then), draw), lineages


def _retry(a: int, b: int, pepper: bytes) -> Proposal:
    draw = review.draw_of(pepper, a, b, RETRY)
    return Proposal(a, b, RETRY, None, (), 0.0, 1.0, Band.STRONG, Shelf.STRONG, 0.0, draw, True, Verdict.CONFIRMED)


def _proposal(a: int, b: int, model: Model, likeness: Likeness, band: Band, is_urgent: bool, draw: int) -> Proposal:
    judgement = likeness.judgement
    return Proposal(
        a=a,
        b=b,
        relation=likeness.relation,
        model=model.version,
        reasons=judgement.kept,
        weight=judgement.weight,
        probability=judgement.probability,
        band=band,
        shelf=review.shelf_of(band, draw),
        value=review.value_of(judgement.probability, is_urgent),
        draw=draw,
        was_scored=not review.is_blind(band, draw),
    )


def _ends(link: Link | Proposal, lineages: tuple[str, str]) -> list[tuple[int, str, str]]:
    """Both complaints, each with the lineage at the other end; pairs that nobody is shown count apart."""
    kind = f"{link.relation} {link.band == Band.SILENT}"
    return [(link.a, kind, lineages[1]), (link.b, kind, lineages[0])]
