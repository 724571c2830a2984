"""Models of a hub: which one judges, what a new one is learned from, and the proposals that it judges anew."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from server.domain.matching.decisions import PROPOSED, Verdict
from server.domain.matching.learning import Evidence
from server.store import unmatched
from server.store.dialect import insert_new, locked
from server.store.duplicates import CURRENT, is_urgent, is_withdrawn
from server.store.match_tables import decision, link, model
from server.store.schema import complaint

_OLD: Final = "old"
_PAGE: Final = 500


@dataclass(frozen=True)
class Kept:
    """A model as it is kept: in use (`current`), not yet (`proposed`), or not any more (`old`).

    Of one that was learned here: `base` is the model that it was drawn to, from so many `decisions`.
    """

    version: str
    relation: str
    document: str
    state: str
    at: datetime
    base: str | None
    decisions: int | None


@dataclass(frozen=True)
class Decided:
    """A decision that holds: of which complaints, by what evidence, and whether they match."""

    ends: tuple[int, int]
    evidence: Evidence
    is_match: bool


@dataclass(frozen=True)
class Open:
    """A proposal that nobody decided; `is_urgent`: one of its complaints tells of danger, or asks for haste.

    `was_scored`: its score was there to be seen.
    """

    id: int
    evidence: Evidence
    band: str
    draw: int
    was_scored: bool
    is_urgent: bool


@dataclass(frozen=True)
class Rejudged:
    """What a link is from now on, by another model; the rest as in `duplicates.Proposal`."""

    id: int
    model: str
    reasons: Sequence[tuple[str, int | None, float]]
    weight: float
    probability: float
    band: str
    shelf: str
    value: float
    was_scored: bool


def listed(connection: sa.Connection, relation: str) -> list[Kept]:
    """Every model of a relation, in the order that they came."""
    return _kept(connection, model.c.relation == relation)


def find(connection: sa.Connection, version: str) -> Kept | None:
    """The model of this version."""
    return next(iter(_kept(connection, model.c.version == version)), None)


def current(connection: sa.Connection) -> dict[str, str]:
    """The document of each model that judges now, by its version."""
    select = sa.select(model.c.version, model.c.document).where(model.c.state == CURRENT).order_by(model.c.relation)
    return {row.version: row.document for row in connection.execute(select)}


def add_shipped(connection: sa.Connection, version: str, relation: str, document: str, at: datetime) -> None:
    """Keep a model that came with this version; it judges at once where none of its relation does."""
    judging = sa.select(model.c.version).where(model.c.relation == relation, model.c.state == CURRENT)
    state = PROPOSED if connection.scalar(judging) else CURRENT
    add(connection, Kept(version, relation, document, state, at, None, None))


def add(connection: sa.Connection, new: Kept) -> None:
    """Keep a model; the same one again is kept once."""
    insert_new(connection, model, [vars(new)], ["version"], model.c.version)


def held(connection: sa.Connection, relation: str) -> str | None:
    """The version of the model that judges now, and until commit; None where another was put in its place just now."""
    columns = model.c
    of_relation = sa.select(columns.version, columns.state).where(columns.relation == relation)
    rows = connection.execute(locked(connection, of_relation.order_by(columns.version)))
    return next((row.version for row in rows if row.state == CURRENT), None)


def use(connection: sa.Connection, chosen: Kept) -> str | None:
    """Let a model judge from now on; gives the version of the one that did.

    What the model before judged is written before this, or never: who writes it holds that model's row until commit.
    """
    columns, before = model.c, held(connection, chosen.relation)
    connection.execute(sa.update(model).where(columns.version == before).values(state=_OLD))
    connection.execute(sa.update(model).where(columns.version == chosen.version).values(state=CURRENT))
    # It may be judged by the model that was.
    unmatched.renew_in_hand(connection)
    return before


def decided(connection: sa.Connection, relation: str) -> list[Decided]:
    """The decisions of a relation that hold, second opinions left out, as those who decided saw the pair.

    None of a complaint that was withdrawn altogether.
    """
    columns, taken_back = decision.c, decision.alias()
    is_undone = sa.exists().where(taken_back.c.link == columns.link, taken_back.c.undoes == columns.no)
    select = (
        sa.select(link.c.a, link.c.b, columns.model, columns.reasons, columns.verdict, columns.link)
        .join(link, link.c.id == columns.link)
        .where(link.c.relation == relation, columns.verdict != Verdict.UNDONE, ~columns.is_second, ~is_undone)
        .where(*_present())
        .order_by(columns.link, columns.no)
    )
    # Of several on one link the last one holds.
    by_link = {row.link: row for row in connection.execute(select)}
    return [Decided((row.a, row.b), _evidence(row), row.verdict == Verdict.CONFIRMED) for row in by_link.values()]


def open_pages(connection: sa.Connection, relation: str) -> Iterator[list[Open]]:
    """Every proposal of a relation, page by page."""
    after = -1
    while page := _page(connection, relation, after):
        yield page
        after = page[-1].id


def overdue(connection: sa.Connection, relation: str, after: int) -> list[Open]:
    """The next proposals above the id `after` that the model in use has not judged, in order, locked until commit."""
    in_use = sa.select(model.c.version).where(model.c.relation == relation, model.c.state == CURRENT)
    due = sa.select(link.c.id).where(
        link.c.id > after, link.c.state == PROPOSED, link.c.relation == relation, link.c.model.not_in(in_use)
    )
    ids = list(connection.scalars(locked(connection, due.order_by(link.c.id).limit(_PAGE))))
    return _opened(connection, _OPEN.where(link.c.id.in_(ids)).order_by(link.c.id))


def keep_rejudged(connection: sa.Connection, rejudged: Sequence[Rejudged]) -> None:
    """Write what links are from now on; the caller has them locked."""
    if rejudged:
        rows = [vars(each) | {"whose": each.id} for each in rejudged]
        names = [name for name in Rejudged.__dataclass_fields__ if name != "id"]
        update = sa.update(link).where(link.c.id == sa.bindparam("whose"))
        connection.execute(update.values({name: sa.bindparam(name) for name in names}), rows)


def _kept(connection: sa.Connection, wanted: sa.ColumnElement[bool]) -> list[Kept]:
    names = Kept.__dataclass_fields__
    select = sa.select(*(model.c[name] for name in names)).where(wanted).order_by(model.c.at, model.c.version)
    return [Kept(*row) for row in connection.execute(select)]


def _present() -> list[sa.ColumnElement[bool]]:
    """That neither complaint of a link was withdrawn altogether."""
    ends = complaint.alias(), complaint.alias()
    return [
        sa.exists().where(end.c.id == column, ~is_withdrawn(end))
        for end, column in zip(ends, (link.c.a, link.c.b), strict=True)
    ]


def _urgent(end: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """Whether the complaint at that end tells of danger, or asks for haste."""
    facts = complaint.alias()
    return sa.exists().where(facts.c.id == end, is_urgent(facts))


_OPEN: Final = sa.select(
    link.c.id,
    link.c.model,
    link.c.reasons,
    link.c.band,
    link.c.draw,
    link.c.was_scored,
    (_urgent(link.c.a) | _urgent(link.c.b)).label("is_urgent"),
).where(link.c.state == PROPOSED)


def _page(connection: sa.Connection, relation: str, after: int) -> list[Open]:
    select = _OPEN.where(link.c.relation == relation, link.c.id > after)
    return _opened(connection, select.order_by(link.c.id).limit(_PAGE))


def _opened(connection: sa.Connection, select: sa.Select[Any]) -> list[Open]:
    rows = connection.execute(select)
    return [Open(row.id, _evidence(row), row.band, row.draw, row.was_scored, bool(row.is_urgent)) for row in rows]


def _evidence(row: Any) -> Evidence:
    return Evidence(row.model, row.reasons)
