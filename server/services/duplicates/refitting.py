"""Refitting: a model learned from a hub's own decisions, shown beside the one in use, and put in its place or back."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

import sqlalchemy as sa

from server.domain.errors import NotFound
from server.domain.matching import learning, review
from server.domain.matching.complaints import RELATIONS, read_model
from server.domain.matching.decisions import PROPOSED
from server.domain.matching.learning import DECISIONS_LEAST, Lesson, Preference, Score
from server.domain.matching.model import Band, Judgement, Model, Relation
from server.domain.permission import OPERATOR
from server.store import audit, models
from server.store.duplicates import CURRENT
from server.store.engine import Store
from server.store.models import Kept, Open, Rejudged


@dataclass(frozen=True)
class Moves:
    """What open proposals become by another model: how many there are, and how many go from which band to which."""

    proposals: int
    bands: Mapping[tuple[Band, Band], int]


@dataclass(frozen=True)
class Learned:
    """A model that was learned, beside the one in use, on the same decisions.

    The new one is tried on pairs that it has not seen; `is_old_learned`: the old one has seen some of them.
    """

    version: str
    matches: int
    old: Score
    new: Score
    preference: Preference
    is_old_learned: bool
    moves: Moves


@dataclass(frozen=True)
class Refit:
    """What came of one relation: how many decisions there are, how many are missing, and what was learned of them."""

    relation: Relation
    in_use: str
    decided: int
    missing: int
    learned: Learned | None


def refit(store: Store, relation: Relation, now: datetime) -> Refit:
    """Learn a model from the decisions of a relation, and keep it; it judges nothing before `switch`.

    It is drawn to the model in use, or, where that was learned here, to the one which that was drawn to: each
    decision counts once. Its steps are those of the model in use. Raises FitFailed where they allow no model.
    """
    with store.read() as connection:
        known = _known(connection, relation)
        lessons = _lessons(connection, relation, known)
    in_use = _in_use(known)
    missing = max(DECISIONS_LEAST - len(lessons), 0)
    if missing:
        return Refit(relation, in_use.version, len(lessons), missing, None)
    base = known[in_use.base or in_use.version]
    start = replace(read_model(base.document), steps=read_model(in_use.document).steps)
    fresh = learning.learn(start, lessons)
    kept = Kept(fresh.version, relation, fresh.write(), PROPOSED, now, base.version, len(lessons))
    learned = _compared(store, lessons, in_use, start, kept)
    with store.write() as connection:
        models.add(connection, kept)
    return Refit(relation, in_use.version, len(lessons), 0, learned)


def listed(store: Store) -> list[Kept]:
    """Every model of complaints that the hub has, by relation, in the order that they came."""
    with store.read() as connection:
        return [each for relation in RELATIONS for each in models.listed(connection, relation)]


def is_in_use(store: Store, version: str) -> bool:
    """Whether this model is the one that judges. Raises NotFound."""
    with store.read() as connection:
        return _found(connection, version).state == CURRENT


def moves_to(store: Store, version: str) -> Moves:
    """What open proposals would become by this model. Raises NotFound."""
    with store.read() as connection:
        return _moves(connection, _found(connection, version))


def switch(store: Store, version: str, now: datetime) -> Relation:
    """Let this model judge from now on, on every hub of this database. Raises NotFound.

    Gives its relation, whose proposals are then judged anew by `rejudge`; what was decided stays as it was judged.
    Of the model in use it changes nothing: so a switch that was cut short is finished.
    """
    with store.write() as connection:
        chosen = _found(connection, version)
        if chosen.state != CURRENT:
            before = models.use(connection, chosen)
            audit.record(
                connection,
                at=now,
                actor=OPERATOR.signature,
                action="switch_model",
                object=f"model:{version}",
                details={"before": before, "relation": chosen.relation},
            )
    return Relation(chosen.relation)


def rejudge(store: Store, relation: Relation) -> Iterator[int]:
    """Judge the proposals that the model in use has not judged, page by page, each a transaction; gives how many."""
    after = -1
    while page := _rejudge_page(store, relation, after):
        yield len(page)
        after = page[-1].id


def _lessons(connection: sa.Connection, relation: Relation, known: Mapping[str, Kept]) -> list[Lesson]:
    judge_of = _reader(known)
    return [
        learning.lesson(each.evidence, judge_of(each.evidence.model), each.ends, each.is_match)
        for each in models.decided(connection, relation)
    ]


def _compared(store: Store, lessons: Sequence[Lesson], old: Kept, base: Model, new: Kept) -> Learned:
    by_old = learning.chances_by(read_model(old.document), lessons)
    by_new = learning.crossed(base, lessons)
    with store.read() as connection:
        moves = _moves(connection, new)
    return Learned(
        version=new.version,
        matches=sum(each.pair.is_match for each in lessons),
        old=learning.score(by_old, lessons),
        new=learning.score(by_new, lessons),
        preference=learning.preferred(by_old, by_new, lessons),
        is_old_learned=old.base is not None,
        moves=moves,
    )


def _moves(connection: sa.Connection, chosen: Kept) -> Moves:
    again = _judging(_known(connection, chosen.relation), chosen)
    bands = Counter[tuple[Band, Band]]()
    for page in models.open_pages(connection, chosen.relation):
        bands.update((Band(each.band), again(each)[1]) for each in page)
    moved = {(before, after): count for (before, after), count in bands.items() if before != after}
    return Moves(bands.total(), moved)


def _rejudge_page(store: Store, relation: Relation, after: int) -> list[Open]:
    with store.write() as connection:
        page = models.overdue(connection, relation, after)
        if page:
            # Read in the same transaction: the model that judges now may be another by the next page.
            known = _known(connection, relation)
            in_use = _in_use(known)
            again = _judging(known, in_use)
            models.keep_rejudged(connection, [_rejudged(each, in_use, *again(each)) for each in page])
    return page


def _rejudged(proposal: Open, by: Kept, judgement: Judgement, band: Band) -> Rejudged:
    return Rejudged(
        id=proposal.id,
        model=by.version,
        reasons=judgement.kept,
        weight=judgement.weight,
        probability=judgement.probability,
        band=band,
        shelf=review.shelf_of(band, proposal.draw),
        value=review.value_of(judgement.probability, proposal.is_urgent),
        was_scored=proposal.was_scored or not review.is_blind(band, proposal.draw),
    )


def _judging(known: Mapping[str, Kept], chosen: Kept) -> Callable[[Open], tuple[Judgement, Band]]:
    """What a model says of a proposal, whichever judged it before."""
    judge_of = _reader(known)
    model = read_model(chosen.document)

    def again(proposal: Open) -> tuple[Judgement, Band]:
        evidence = proposal.evidence
        judgement = learning.judge_again(evidence, judge_of(evidence.model), model)
        return judgement, model.band(judgement.probability)

    return again


def _reader(known: Mapping[str, Kept]) -> Callable[[str], Model]:
    """Gives models by version, each read when it is first asked for."""

    @cache
    def read(version: str) -> Model:
        return read_model(known[version].document)

    return read


def _known(connection: sa.Connection, relation: str) -> dict[str, Kept]:
    """The models of a relation, by version."""
    return {each.version: each for each in models.listed(connection, relation)}


def _in_use(known: Mapping[str, Kept]) -> Kept:
    [in_use] = [each for each in known.values() if each.state == CURRENT]
    return in_use


def _found(connection: sa.Connection, version: str) -> Kept:
    found = models.find(connection, version)
    if found is None:
        raise NotFound(object=version)
    return found
