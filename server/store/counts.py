"""Counts: how many of each there are, counted by the database from the rows that stand; nobody is named by any."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from server.domain.act import ACCUSED_ROLES
from server.domain.statistics import Period
from server.store.case_tables import case_complaint, casefile, waiting
from server.store.dialect import date_text, days_between
from server.store.due_tables import deadline
from server.store.figure_tables import case_turn
from server.store.referral_tables import destination, finding, referral
from server.store.schema import act, complaint, device, lineage, person, received

By = Literal["month", "place", "kind", "team", "partner"]
_Row = tuple[Any, ...]

_MONTH_CHARS = 7
_DAY_CHARS = 10


def first_at(connection: sa.Connection) -> datetime | None:
    """When the hub received the first thing that it has."""
    return connection.scalar(sa.select(received.c.received_at).order_by(received.c.received_at).limit(1))


def progress(connection: sa.Connection, period: Period, by: By) -> list[_Row]:
    """Complaints received in a period: by one thing, the status of the case that has each, and whether that was
    referred."""
    is_referred = sa.exists().where(
        referral.c.casefile == casefile.c.id, referral.c.sent_at.is_not(None), referral.c.state != "recalled"
    )
    select = (
        sa.select(_by(connection, by), casefile.c.status, is_referred, sa.func.count())
        .select_from(_came(with_team=by in ("team", "partner")))
        .join(case_complaint, case_complaint.c.complaint == complaint.c.id, isouter=True)
        .join(casefile, casefile.c.id == case_complaint.c.casefile, isouter=True)
        .where(*_within(received.c.received_at, period))
    )
    return _grouped(connection, select)


def complaints(connection: sa.Connection, period: Period) -> list[_Row]:
    """Complaints received in a period, by kind, month and place."""
    month = date_text(connection, received.c.received_at, _MONTH_CHARS)
    select = sa.select(complaint.c.kind, month, complaint.c.place_id, sa.func.count()).select_from(_came())
    return _grouped(connection, select.where(*_within(received.c.received_at, period)))


def persons(connection: sa.Connection, period: Period, role: str) -> list[_Row]:
    """Persons in a role, in complaints received in a period, by kind of complaint, sex and age band.

    Those of whoever took the complaint back and never agreed that it be counted are left out.
    """
    number = sa.func.sum(sa.func.coalesce(person.c.count, 1))
    select = (
        sa.select(complaint.c.kind, person.c.sex, person.c.age, number)
        .select_from(_came().join(person, person.c.complaint == complaint.c.id))
        .where(*_within(received.c.received_at, period), _has_role(role), _may_count())
    )
    return _grouped(connection, select)


def opened(connection: sa.Connection, period: Period) -> list[_Row]:
    """Cases that there were by the end of a period, by place and whether they came in it.

    A complaint is one from its reception on; a case whose own complaint was erased, which nobody can place any more,
    from its opening.
    """
    is_within = received.c.received_at >= period.since
    came = sa.select(complaint.c.place_id, is_within, sa.func.count()).select_from(_came())
    left = sa.select(sa.null(), casefile.c.opened_at >= period.since, sa.func.count()).select_from(casefile)
    left = left.where(casefile.c.complaint.is_(None), casefile.c.opened_at < period.until)
    return [
        *_grouped(connection, came.where(received.c.received_at < period.until)),
        *_grouped(connection, left),
    ]


def turns(connection: sa.Connection, period: Period) -> list[_Row]:
    """How often cases were closed or opened again by the end of a period, by place, which of the two, and whether
    within it."""
    select = (
        sa.select(complaint.c.place_id, case_turn.c.is_closing, case_turn.c.at >= period.since, sa.func.count())
        .select_from(case_turn)
        .join(casefile, casefile.c.id == case_turn.c.casefile)
        .join(complaint, complaint.c.id == casefile.c.complaint, isouter=True)
        .where(case_turn.c.at < period.until)
    )
    return _grouped(connection, select)


def statuses(connection: sa.Connection, period: Period) -> list[_Row]:
    """Cases of complaints received in a period, each by its own, by kind and status; None: nobody opened it."""
    select = (
        sa.select(complaint.c.kind, casefile.c.status, sa.func.count())
        .select_from(_came())
        .join(casefile, casefile.c.complaint == complaint.c.id, isouter=True)
        .where(*_within(received.c.received_at, period))
    )
    return _grouped(connection, select)


def unverified(connection: sa.Connection, period: Period) -> list[_Row]:
    """Acts told in complaints received in a period on which there is no finding, by the first and the last category of
    those whom the complaint accuses."""
    accused = _accused(sa.select(received.c.id).where(*_within(received.c.received_at, period)))
    has_finding = sa.exists().where(finding.c.complaint == act.c.complaint, finding.c.kind == act.c.kind)
    select = (
        sa.select(accused.c.first, accused.c.last, sa.func.count())
        .select_from(_came().join(act, act.c.complaint == complaint.c.id))
        .join(accused, accused.c.complaint == complaint.c.id, isouter=True)
        .where(*_within(received.c.received_at, period), ~has_finding, _may_count())
    )
    return _grouped(connection, select)


def findings(connection: sa.Connection, period: Period) -> list[_Row]:
    """Findings that stand, on acts that are still told, and that the hub learnt in a period, whenever the complaint
    came: by the categories as above, what they say and whether they were late."""
    later = finding.alias("later")
    accused = _accused(sa.select(finding.c.complaint).where(*_within(finding.c.at, period)))
    is_revised = sa.exists().where(
        later.c.complaint == finding.c.complaint, later.c.kind == finding.c.kind, later.c.no > finding.c.no
    )
    select = (
        sa.select(accused.c.first, accused.c.last, finding.c.state, finding.c.is_late, sa.func.count())
        .select_from(finding.join(complaint, complaint.c.id == finding.c.complaint))
        .join(act, (act.c.complaint == finding.c.complaint) & (act.c.kind == finding.c.kind))
        .join(accused, accused.c.complaint == complaint.c.id, isouter=True)
        .where(*_within(finding.c.at, period), ~is_revised, _may_count())
    )
    return _grouped(connection, select)


def referrals(connection: sa.Connection, period: Period) -> list[_Row]:
    """Referrals sent in a period, by programme, body, state and outcome."""
    columns = referral.c
    select = (
        sa.select(columns.programme, destination.c.body, columns.state, columns.outcome, sa.func.count())
        .join(destination, destination.c.code == columns.destination)
        .where(*_within(columns.sent_at, period))
    )
    return _grouped(connection, select)


def steps(connection: sa.Connection, period: Period, now: datetime) -> list[_Row]:
    """What was due of cases of complaints received in a period: by kind, how many days it took since it began to run
    and since the complaint was collected (None: not done, not said), and whether in time; None: that is open."""
    is_in_time = sa.case(
        (deadline.c.met_at <= deadline.c.due_at, True),
        (deadline.c.met_at.is_not(None) | (deadline.c.due_at < now), False),
    )
    days = _days_since(connection, deadline.c.starts_at, deadline.c.met_at)
    select = (
        sa.select(deadline.c.kind, *days, is_in_time, sa.func.count())
        .select_from(_came())
        .join(casefile, casefile.c.complaint == complaint.c.id)
        .join(deadline, deadline.c.casefile == casefile.c.id)
        .where(*_within(received.c.received_at, period))
    )
    return _grouped(connection, select)


def roads(connection: sa.Connection, period: Period) -> list[_Row]:
    """Complaints received in a period, by how many days before they were collected, where that was said."""
    days = days_between(connection, complaint.c.collected_at, received.c.received_at)
    select = sa.select(days, sa.func.count()).select_from(_came())
    # A clock that was ahead says nothing.
    is_true = complaint.c.collected_at <= received.c.received_at
    return _grouped(connection, select.where(*_within(received.c.received_at, period), is_true))


def closings(connection: sa.Connection, period: Period) -> list[_Row]:
    """Cases of complaints received in a period that are closed, but for duplicates and those taken back: by how many
    days after reception, and after collection (None: not said)."""
    days = _days_since(connection, received.c.received_at, casefile.c.closed_at)
    select = (
        sa.select(*days, sa.func.count())
        .select_from(_came())
        .join(casefile, casefile.c.complaint == complaint.c.id)
        .where(*_within(received.c.received_at, period), casefile.c.status == "closed")
    )
    return _grouped(connection, select)


def sizes(connection: sa.Connection, period: Period) -> list[_Row]:
    """Cases of complaints received in a period, each by its own, by status and how many complaints they have now."""
    held = sa.select(case_complaint.c.casefile, sa.func.count().label("complaints"))
    of_case = held.group_by(case_complaint.c.casefile).subquery()
    select = (
        sa.select(casefile.c.status, sa.func.coalesce(of_case.c.complaints, 0), sa.func.count())
        .select_from(_came())
        .join(casefile, casefile.c.complaint == complaint.c.id, isouter=True)
        .join(of_case, of_case.c.casefile == casefile.c.id, isouter=True)
        .where(*_within(received.c.received_at, period))
    )
    return _grouped(connection, select)


def channels(connection: sa.Connection, period: Period) -> list[_Row]:
    """Complaints received in a period, by channel and team."""
    select = sa.select(complaint.c.channel, _by(connection, "team"), sa.func.count())
    select = select.select_from(_came(with_team=True)).where(*_within(received.c.received_at, period))
    return _grouped(connection, select)


def consents(connection: sa.Connection, period: Period) -> list[_Row]:
    """Complaints received in a period, by the level of consent that stands."""
    select = sa.select(complaint.c.consent_level, sa.func.count()).select_from(_came())
    return _grouped(connection, select.where(*_within(received.c.received_at, period)))


def payments(connection: sa.Connection, period: Period) -> list[_Row]:
    """Complaints of corruption received in a period, by sector, whether it was paid, what was asked and what paid."""
    columns = complaint.c
    select = (
        sa.select(columns.sector, columns.paid, columns.asked_xof, columns.paid_xof, sa.func.count())
        .select_from(_came())
        .where(*_within(received.c.received_at, period), columns.kind.like("COR-%"), _may_count())
    )
    return _grouped(connection, select)


def backlog(connection: sa.Connection) -> list[_Row]:
    """What waits for somebody now, by urgency and the day on which the first of its complaints was received."""
    day = date_text(connection, received.c.received_at, _DAY_CHARS)
    # Not by the key of `received`, under which its lines lie too: by the index of what came when.
    is_it = received.c.id + 0 == waiting.c.complaint
    select = sa.select(waiting.c.urgency, day, sa.func.count()).select_from(received).join(waiting, is_it)
    return _grouped(connection, select)


def _came(*, with_team: bool = False) -> sa.Join:
    """Complaints with when they came; and who sent them."""
    came = received.join(complaint, complaint.c.id == received.c.id)
    if not with_team:
        return came
    return came.join(device, device.c.id == received.c.device).join(lineage, lineage.c.id == device.c.lineage)


def _within(time: sa.Column[Any], period: Period) -> Sequence[sa.ColumnElement[bool]]:
    return time >= period.since, time < period.until


def _by(connection: sa.Connection, by: By) -> sa.ColumnElement[Any]:
    if by == "month":
        return date_text(connection, received.c.received_at, _MONTH_CHARS)
    known = {
        "place": complaint.c.place_id,
        "kind": complaint.c.kind,
        "team": sa.func.coalesce(lineage.c.team, complaint.c.team),
        "partner": sa.func.coalesce(device.c.partner, complaint.c.partner),
    }
    return known[by]


def _days_since(
    connection: sa.Connection, start: sa.Column[Any], end: sa.Column[Any]
) -> tuple[sa.ColumnElement[int], sa.ColumnElement[int | None]]:
    """Days to the end on both clocks; on that of the person none where a clock put the collection after reception."""
    collected = days_between(connection, complaint.c.collected_at, end)
    is_true = complaint.c.collected_at <= received.c.received_at
    return days_between(connection, start, end), sa.case((is_true, collected))


def _has_role(role: str) -> sa.ColumnElement[bool]:
    """Roles are codes with a space between, none of which is part of another."""
    return person.c.roles.contains(role, autoescape=True)


def _may_count() -> sa.ColumnElement[bool]:
    return ~((complaint.c.state == "withdrawn") & (complaint.c.consent_level == "C0"))


def _accused(complaints: sa.Select[Any]) -> sa.Subquery:
    """By complaint, one of these, the first and the last category of those whom it accuses."""
    is_accused = sa.or_(*(_has_role(role) for role in sorted(ACCUSED_ROLES)))
    ends = (sa.func.min(person.c.category).label("first"), sa.func.max(person.c.category).label("last"))
    known = sa.select(person.c.complaint, *ends).where(person.c.complaint.in_(complaints))
    return known.where(person.c.category.is_not(None), is_accused).group_by(person.c.complaint).subquery()


def _grouped(connection: sa.Connection, select: sa.Select[*tuple[Any, ...]]) -> list[_Row]:
    """The rows of a select, counted by all its columns but the last."""
    *keys, number = select.selected_columns
    named = [each.label(f"k{at}") for at, each in enumerate(keys)]
    counted = select.with_only_columns(*named, number.label("n")).group_by(*(sa.text(each.name) for each in named))
    # A sum is no int on every engine.
    return [(*row[:-1], int(row[-1])) for row in connection.execute(counted)]
