"""Audit: what another method finds in the same complaints that the matcher missed, and what the matcher alone found."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.errors import RelinkingRefused
from server.domain.matching import profiles, review
from server.domain.matching.complaints import judge_pair, read_model
from server.domain.matching.decisions import PROPOSED, RETRY, Verdict
from server.domain.matching.model import Band, Model, Relation
from server.domain.permission import Action, permit
from server.services.duplicates.features import Features
from server.services.duplicates.handing import Row, handed
from server.store import audit, comparable, duplicates, models, registry, sealed
from server.store.comparable import Standing
from server.store.engine import Store

_ACTION: Final[Action] = "handle_case"
# A model learned from fewer without a label says nothing.
COMPLAINTS_LEAST: Final = 100
# What the other method is sure of, and what it holds for likelier than not.
SURE_FROM: Final = 0.9
LIKELY_FROM: Final = 0.5
# Of either list so many are shown, the surest first.
SHOWN_MOST: Final = 500
_PAGE: Final = 500

Ends = tuple[int, int]


@dataclass(frozen=True)
class Found:
    """A pair that one way found alone, by registry numbers: what each says of it (None: it did not look at it), and
    how far its fields agree."""

    numbers: tuple[str, str]
    other: float | None
    ours: float | None
    levels: Mapping[str, int]


@dataclass(frozen=True)
class Differences:
    """What two ways of linking found: `both` the same pairs, `missed` by the matcher, `alone` by the matcher.

    `rejected`: found by the other, and refused by people. `hidden`: pairs of a sample that wait to be judged unseen.
    `missed_count` and `alone_count` count also what is not shown.
    """

    complaints: int
    both: int
    rejected: int
    hidden: int
    missed_count: int
    alone_count: int
    missed: tuple[Found, ...]
    alone: tuple[Found, ...]


def comparable_to(store: Store, desk: Desk) -> list[int]:
    """The complaints that the actor handles and that can be compared. Raises RelinkingRefused where they are few."""
    with store.read() as connection:
        pages = comparable.ids(connection, profiles.SCHEME, _PAGE)
        found = [id for page in pages for id in _handled(connection, desk, page)]
    if len(found) < COMPLAINTS_LEAST:
        raise RelinkingRefused(fault="few", count=len(found), least=COMPLAINTS_LEAST)
    return found


def handed_over(store: Store, complaints: Sequence[int], pepper: bytes) -> Iterator[list[Row]]:
    """The complaints as they are given to another method, page by page."""
    features = Features(pepper)
    pages = (complaints[at : at + _PAGE] for at in range(0, len(complaints), _PAGE))
    for page in pages:
        with store.read() as connection:
            kept = duplicates.kept(connection, page)
        opened = ((id, features.open(id, each.features), each.heads) for id, each in kept.items())
        yield [handed(id, profile, heads) for id, profile, heads in opened if profile is not None]


def partners(store: Store, relation: Relation) -> float:
    """How many others a complaint is expected to match, by the model in use."""
    with store.read() as connection:
        return _in_use(connection, relation).partners


def differences(
    store: Store,
    desk: Desk,
    pepper: bytes,
    relation: Relation,
    complaints: Collection[int],
    chances: Mapping[Ends, float],
) -> Differences:
    """Hold the pairs that the other method found, each with its probability, against the links that stand.

    `complaints`: those that both looked at (see `comparable_to`). The log notes that somebody looked.
    """
    among = set(complaints)
    with store.read() as connection:
        links = {each.ends: each for each in comparable.links(connection, relation) if among.issuperset(each.ends)}
        ours = {ends for ends, each in links.items() if _is_found(each)}
        missed = [ends for ends in _surest(chances) if chances[ends] >= SURE_FROM and ends not in links]
        alone = _surest({ends: links[ends].probability for ends in ours - chances.keys()})
        told = Differences(
            complaints=len(among),
            both=len(ours & chances.keys()),
            rejected=sum(each.state == Verdict.REJECTED for ends, each in links.items() if ends in chances),
            hidden=sum(map(_is_hidden, links.values())),
            missed_count=len(missed),
            alone_count=len(alone),
            missed=tuple(_missed(connection, missed[:SHOWN_MOST], chances, relation, pepper)),
            alone=tuple(_alone(connection, [links[ends] for ends in alone[:SHOWN_MOST]])),
        )
    _note(store, desk, relation, told)
    return told


def _handled(connection: sa.Connection, desk: Desk, page: Sequence[int]) -> list[int]:
    """Those of a page that the actor handles."""
    standings = sealed.standings(connection, page)
    return [id for id in page if id in standings and permit(desk.actor, _ACTION, standings[id].target(desk.places))]


def _surest(chances: Mapping[Ends, float]) -> list[Ends]:
    return sorted(chances, key=lambda ends: (-chances[ends], ends))


def _is_hidden(link: Standing) -> bool:
    """Whether it waits to be judged unseen: to show it here would lead the judgement."""
    return link.state == PROPOSED and review.is_blind(link.band, link.draw)


def _is_found(link: Standing) -> bool:
    """Whether the matcher found it; a retry is found by its content, which nobody else looks at."""
    is_shown = link.state == PROPOSED and link.band != Band.SILENT and not _is_hidden(link)
    return is_shown or (link.state == Verdict.CONFIRMED and link.relation != RETRY)


def _missed(
    connection: sa.Connection, pairs: Sequence[Ends], chances: Mapping[Ends, float], relation: Relation, pepper: bytes
) -> Iterator[Found]:
    """Pairs with what the model in use says of them, whether it was asked before or not."""
    model = _in_use(connection, relation)
    ids = {id for ends in pairs for id in ends}
    numbers, features = registry.numbers_of(connection, ids), Features(pepper)
    opened = {id: features.open(id, each.features) for id, each in duplicates.kept(connection, ids).items()}
    for a, b in pairs:
        ours, theirs = opened.get(a), opened.get(b)
        if ours is not None and theirs is not None:
            [judged] = judge_pair([model], ours, theirs)
            levels = {str(field): int(level) for field, level in judged.levels.items() if level}
            yield Found((numbers[a], numbers[b]), chances[a, b], judged.judgement.probability, levels)


def _alone(connection: sa.Connection, links: Sequence[Standing]) -> Iterator[Found]:
    numbers = registry.numbers_of(connection, {id for each in links for id in each.ends})
    for each in links:
        a, b = each.ends
        yield Found((numbers[a], numbers[b]), None, each.probability, each.levels)


def _in_use(connection: sa.Connection, relation: Relation) -> Model:
    in_use = map(read_model, models.current(connection).values())
    return next(each for each in in_use if each.relation is relation)


def _note(store: Store, desk: Desk, relation: Relation, told: Differences) -> None:
    counts = {"alone": told.alone_count, "complaints": told.complaints, "missed": told.missed_count}
    with store.write() as connection:
        audit.record(
            connection,
            at=desk.now,
            actor=desk.actor.signature,
            action="audit_duplicates",
            object=f"relation:{relation}",
            details=counts,
        )
