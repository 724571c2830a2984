"""Findings on acts, and what courts decided of those whom the acts accuse; of each the greatest number stands."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from server.domain.act import ACCUSED_ROLES, Act, Involvement, Judgement
from server.domain.verification import Basis, Finding
from server.store.referral_tables import finding, judgement
from server.store.schema import act, complaint, person, received, revision


@dataclass(frozen=True)
class Claimed:
    """What a finding goes by of its complaint: `happened_by`, the last day of the facts as claimed, if any.

    `collectors`: ids of the lineages that recorded or revised it.
    """

    happened_by: date | None
    received_on: date
    collectors: frozenset[str]


def claimed(connection: sa.Connection, complaints: Collection[int]) -> dict[int, Claimed]:
    """By complaint, what findings on its acts go by."""
    columns = complaint.c
    select = (
        sa.select(columns.id, columns.incident_from, columns.incident_to, received.c.received_at, received.c.lineage)
        .join(received, received.c.id == columns.id)
        .where(columns.id.in_(complaints))
    )
    revised = (
        sa.select(revision.c.complaint, received.c.lineage)
        .join(received, received.c.id == revision.c.received)
        .where(revision.c.complaint.in_(complaints))
    )
    revisers: dict[int, set[str]] = {}
    for id, lineage_id in connection.execute(revised):
        revisers.setdefault(id, set()).add(lineage_id)
    found = {}
    for id, first, last, received_at, lineage_id in connection.execute(select):
        day = last or first
        collectors = frozenset({lineage_id, *revisers.get(id, ())})
        found[id] = Claimed(None if day is None else date.fromisoformat(day), received_at.date(), collectors)
    return found


def acts_of(connection: sa.Connection, complaints: Collection[int]) -> list[Act]:
    """The acts that complaints report, in their order, with what courts decided; all in a complaint are involved."""
    decided = _judgements(connection, complaints)
    involved: dict[int, list[Involvement]] = {}
    columns = person.c
    people = (
        sa.select(columns.complaint, columns.no, columns.roles, columns.category, columns.count)
        .where(columns.complaint.in_(complaints))
        .order_by(columns.complaint, columns.no)
    )
    for id, no, roles, category, count in connection.execute(people):
        for role in roles.split():
            said = decided.get((id, no)) if role in ACCUSED_ROLES else None
            involved.setdefault(id, []).append(Involvement(no, role, category, count or 1, said))
    acts = sa.select(act).where(act.c.complaint.in_(complaints)).order_by(act.c.complaint, act.c.no)
    return [Act(row.complaint, row.kind, tuple(involved.get(row.complaint, ()))) for row in connection.execute(acts)]


def standing(connection: sa.Connection, complaints: Collection[int]) -> dict[tuple[int, str], tuple[int, Finding]]:
    """By complaint and kind, the finding that stands, with its number; acts that nobody looked at are left out."""
    columns = finding.c
    select = sa.select(finding).where(columns.complaint.in_(complaints)).order_by(columns.no)
    return {(row.complaint, row.kind): (row.no, _finding(row)) for row in connection.execute(select)}


def authors(connection: sa.Connection, complaints: Collection[int]) -> dict[tuple[int, str], str]:
    """By complaint and kind, who noted the finding that stands, as the log names them."""
    columns = finding.c
    select = sa.select(columns.complaint, columns.kind, columns.by).where(columns.complaint.in_(complaints))
    return {(id, kind): by for id, kind, by in connection.execute(select.order_by(columns.no))}


def add(connection: sa.Connection, no: int, made: Finding, by: str, at: datetime) -> None:
    """Keep a finding under its number, the next one of its act."""
    basis = made.basis
    row = {"complaint": made.complaint, "kind": made.kind, "no": no, "state": made.state, "reason": made.reason}
    if basis is not None:
        row |= vars(basis) | {"verified_on": basis.verified_on.isoformat()}
    connection.execute(sa.insert(finding).values(**row, is_late=made.is_late, at=at, by=by))


def take_back(connection: sa.Connection, complaint_id: int, kind: str, no: int) -> bool:
    """Remove the finding of that number; False where a later one stands."""
    columns = finding.c
    act_of = (columns.complaint == complaint_id) & (columns.kind == kind)
    return _remove_last(connection, finding, act_of, no)


def add_judgement(
    connection: sa.Connection, complaint_id: int, person_no: int, said: Judgement, by: str, at: datetime
) -> int:
    """Keep what a court decided of a person; gives its number."""
    columns = judgement.c
    last = sa.select(sa.func.max(columns.no)).where(columns.complaint == complaint_id, columns.person == person_no)
    no: int = (connection.scalar(last) or 0) + 1
    row = vars(said) | {"on": said.on.isoformat(), "complaint": complaint_id, "person": person_no, "no": no}
    connection.execute(sa.insert(judgement).values(row | {"at": at, "by": by}))
    return no


def take_back_judgement(connection: sa.Connection, complaint_id: int, person_no: int, no: int) -> bool:
    """Remove the decision of that number; False where a later one stands."""
    columns = judgement.c
    return _remove_last(connection, judgement, (columns.complaint == complaint_id) & (columns.person == person_no), no)


def _remove_last(connection: sa.Connection, table: sa.Table, of_one: sa.ColumnElement[bool], no: int) -> bool:
    if connection.scalar(sa.select(sa.func.max(table.c.no)).where(of_one)) != no:
        return False
    connection.execute(sa.delete(table).where(of_one, table.c.no == no))
    return True


def _judgements(connection: sa.Connection, complaints: Collection[int]) -> dict[tuple[int, int], Judgement]:
    columns = judgement.c
    select = sa.select(judgement).where(columns.complaint.in_(complaints)).order_by(columns.no)
    return {
        (row.complaint, row.person): Judgement(row.verdict, row.court, date.fromisoformat(row.on), row.is_final)
        for row in connection.execute(select)
    }


def _finding(row: sa.Row[Any]) -> Finding:
    basis = None
    if row.verifier is not None:
        day = date.fromisoformat(row.verified_on)
        basis = Basis(row.verifier, row.method, row.sources, row.certainty, day)
    return Finding(row.complaint, row.kind, row.state, basis, row.reason, row.is_late)
