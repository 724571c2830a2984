"""Referrals: what was sent where of which case, and complaints as a referral goes by them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from server.domain.act import ACCUSED_ROLES
from server.domain.complaint import Person
from server.domain.referral import OFFICIALS, Referral, Sendable, State
from server.store import contact
from server.store.case_tables import case_complaint
from server.store.due_tables import deadline
from server.store.referral_tables import referral, referral_complaint
from server.store.schema import act, complaint, person, received, sequel

# Those that the body still has.
_STANDING: Final = ("sent", "received", "silent", "answered")
_WAITING: Final = ("sent", "received")
# By what of them the body may have to be told that the person took something back.
_CHANGING: Final = ("consent_change", "revision", "withdrawal")


@dataclass(frozen=True)
class Kept:
    """A referral as it is kept. Names are those of the table."""

    id: str
    casefile: int
    destination: str
    programme: str
    state: State
    prepared_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    outcome: str | None
    external_ref: str | None
    reminders: int
    reminded_at: datetime | None
    by: str

    @property
    def referral(self) -> Referral:
        """As the rules see it."""
        return Referral(
            self.programme,
            self.state,
            self.sent_at,
            self.answered_at,
            self.outcome,
            self.external_ref,
            self.reminders,
            self.reminded_at,
        )


@dataclass(frozen=True)
class Part:
    """A complaint of a referral: what of it went, by which consent and as of which revision.

    `digest`: of the document that went, in hexadecimal digits; None before one did.
    """

    referral: str
    complaint: int
    parts: tuple[str, ...]
    consent_level: str
    revision: int
    digest: str | None


@dataclass(frozen=True)
class Standing:
    """A complaint as it stands for a referral, as of a revision."""

    sendable: Sendable
    revision: int


_KEPT = tuple(referral.c[name] for name in Kept.__dataclass_fields__)


def add(connection: sa.Connection, made: Kept) -> None:
    """Keep a referral that is new."""
    connection.execute(sa.insert(referral).values(**vars(made)))


def change(connection: sa.Connection, id: str, moved: Referral) -> None:
    """Set what a step of a referral changes."""
    values = {name: value for name, value in vars(moved).items() if name != "programme"}
    connection.execute(sa.update(referral).where(referral.c.id == id).values(**values))


def set_parts(connection: sa.Connection, id: str, parts: Sequence[Part]) -> None:
    """Put these complaints in place of those that a referral has."""
    connection.execute(sa.delete(referral_complaint).where(referral_complaint.c.referral == id))
    connection.execute(sa.insert(referral_complaint), [vars(each) | {"parts": list(each.parts)} for each in parts])


def of_cases(connection: sa.Connection, ids: Collection[int]) -> list[Kept]:
    """The referrals of cases, the first prepared first."""
    select = sa.select(*_KEPT).where(referral.c.casefile.in_(ids)).order_by(referral.c.prepared_at, referral.c.id)
    return [Kept(*row) for row in connection.execute(select)]


def concerning(connection: sa.Connection, case: int, complaints: Collection[int]) -> list[Kept]:
    """The referrals of a case, and those by which another sent complaints that it has now; the first prepared first."""
    columns = referral_complaint.c
    theirs = sa.select(columns.referral).where(columns.complaint.in_(complaints))
    went = referral.c.id.in_(theirs) & referral.c.sent_at.is_not(None)
    select = sa.select(*_KEPT).where((referral.c.casefile == case) | went)
    return [Kept(*row) for row in connection.execute(select.order_by(referral.c.prepared_at, referral.c.id))]


def gone_out(connection: sa.Connection, cases: Collection[int]) -> set[int]:
    """The complaints of referrals of these cases that went to other cases since."""
    columns, held = referral_complaint.c, case_complaint.c
    select = (
        sa.select(columns.complaint)
        .join(referral, referral.c.id == columns.referral)
        .join(case_complaint, held.complaint == columns.complaint)
        .where(referral.c.casefile.in_(cases), held.casefile != referral.c.casefile)
    )
    return set(connection.scalars(select))


def find(connection: sa.Connection, id: str) -> Kept | None:
    """One referral."""
    return several(connection, [id]).get(id)


def several(connection: sa.Connection, ids: Collection[str]) -> dict[str, Kept]:
    """Referrals by their ids; those that are gone are left out."""
    rows = connection.execute(sa.select(*_KEPT).where(referral.c.id.in_(ids)))
    return {row.id: Kept(*row) for row in rows}


def parts_of(connection: sa.Connection, ids: Collection[str]) -> dict[str, list[Part]]:
    """By referral, its complaints in the order of their ids."""
    columns = referral_complaint.c
    select = (
        sa.select(*(columns[name] for name in Part.__dataclass_fields__))
        .where(columns.referral.in_(ids))
        .order_by(columns.complaint)
    )
    found: dict[str, list[Part]] = {id: [] for id in ids}
    for id, complaint_id, parts, *rest in connection.execute(select):
        found[id].append(Part(id, complaint_id, tuple(parts), *rest))
    return found


def counted(connection: sa.Connection, ids: Collection[int]) -> dict[int, tuple[int, int]]:
    """By case, how many referrals stand, and how many of these have no answer; none at all: left out."""
    columns = referral.c
    waits = sa.case((columns.state.in_(_WAITING), 1), else_=0)
    select = (
        sa.select(columns.casefile, sa.func.count(), sa.func.sum(waits))
        .where(columns.casefile.in_(ids), columns.state.in_(_STANDING))
        .group_by(columns.casefile)
    )
    return {id: (count, int(waiting)) for id, count, waiting in connection.execute(select)}


def sent_of(connection: sa.Connection, casefile: int) -> list[int]:
    """The complaints of which something stands at a body by a referral of this case."""
    columns = referral_complaint.c
    select = (
        sa.select(columns.complaint)
        .join(referral, referral.c.id == columns.referral)
        .where(referral.c.casefile == casefile, referral.c.state.in_(_STANDING))
    )
    return sorted(set(connection.scalars(select)))


def standings(connection: sa.Connection, complaints: Collection[int]) -> dict[int, Standing]:
    """Complaints as a referral goes by them, each by its own consent.

    What waits to be settled counts where it allows less: a withdrawal that was set aside is one.
    """
    columns = complaint.c
    select = sa.select(
        columns.id, columns.revision, columns.sector, columns.place_id, columns.consent,
        columns.asked_xof, columns.paid_xof,
    ).where(columns.id.in_(complaints))  # fmt: skip
    kinds, at = _kinds(connection, complaints), _at(connection, complaints)
    accused, said = _accused(connection, complaints), contact.wishes(connection, complaints)
    found = {}
    for row in connection.execute(select):
        wishes = said[row.id]
        known = {
            "service": row.sector is not None or row.id in accused,
            "officials": not OFFICIALS.isdisjoint(accused.get(row.id, ())),
            "amount": row.asked_xof is not None or row.paid_xof is not None,
        }
        sendable = Sendable(
            complaint=row.id,
            kinds=kinds.get(row.id, frozenset()),
            sector=row.sector,
            place=row.place_id,
            consent={**row.consent, "level": min(each.consent_level for each in wishes)},
            withdrawn=next((each.withdrawn for each in wishes if each.withdrawn), ""),
            known=frozenset(name for name, is_there in known.items() if is_there),
            at=at.get(row.id, {}),
        )
        found[row.id] = Standing(sendable, row.revision)
    return found


def people_of(connection: sa.Connection, complaints: Collection[int]) -> dict[int, list[Person]]:
    """By complaint, its people as the facts have them, in the order of their numbers."""
    columns = person.c
    names = Person.__dataclass_fields__
    select = sa.select(columns.complaint, *(columns[name] for name in names)).where(columns.complaint.in_(complaints))
    found: dict[int, list[Person]] = {}
    for id, *told in connection.execute(select.order_by(columns.complaint, columns.no)):
        found.setdefault(id, []).append(Person(*told))
    return found


def overdue(connection: sa.Connection, now: datetime, limit: int, *, of: str | None = None) -> list[str]:
    """At most `limit` referrals without an answer whose day is past, the longest past first; `of`: this one alone."""
    select = (
        sa.select(referral.c.id)
        .join(deadline, (deadline.c.casefile == referral.c.casefile) & (deadline.c.subject == referral.c.id))
        .where(referral.c.state.in_(_WAITING), deadline.c.due_at <= now, deadline.c.met_at.is_(None))
        .order_by(deadline.c.due_at, referral.c.id)
        .limit(limit)
    )
    return list(connection.scalars(select if of is None else select.where(referral.c.id == of)))


def unanswered(connection: sa.Connection, after: Kept | None, limit: int) -> list[Kept]:
    """The next referrals without an answer, silent ones with them, the longest sent first."""
    columns = referral.c
    select = sa.select(*_KEPT).where(columns.state.in_((*_WAITING, "silent")))
    place = sa.tuple_(columns.sent_at, columns.id)
    if after is not None and after.sent_at is not None:
        last = sa.tuple_(sa.literal(after.sent_at, columns.sent_at.type), sa.literal(after.id))
        select = select.where(place > last)
    return [Kept(*row) for row in connection.execute(select.order_by(columns.sent_at, columns.id).limit(limit))]


def shaken(connection: sa.Connection, after: tuple[str, int], limit: int) -> list[Part]:
    """The next parts of referrals that stand whose complaint somebody spoke of since: it may have been taken back."""
    columns, later = referral_complaint.c, received.alias("later")
    spoken = (
        sa.select(later.c.id)
        .join(sequel, sequel.c.received == later.c.id)
        .where(
            sequel.c.complaint == columns.complaint,
            later.c.op.in_(_CHANGING),
            later.c.received_at >= referral.c.sent_at,
        )
    )
    select = (
        sa.select(*(columns[name] for name in Part.__dataclass_fields__))
        .join(referral, referral.c.id == columns.referral)
        .where(referral.c.state.in_(_STANDING), spoken.exists())
        .where(sa.tuple_(columns.referral, columns.complaint) > after)
        .order_by(columns.referral, columns.complaint)
        .limit(limit)
    )
    return [Part(id, one, tuple(parts), *rest) for id, one, parts, *rest in connection.execute(select)]


def remove_case(connection: sa.Connection, id: int) -> None:
    """Remove the referrals of a case without complaints; one by which what another has now was sent goes on in that."""
    held = case_complaint.c
    heir = (
        sa.select(sa.func.min(held.casefile))
        .join(referral_complaint, referral_complaint.c.complaint == held.complaint)
        .where(referral_complaint.c.referral == referral.c.id, referral.c.sent_at.is_not(None))
        .correlate(referral)
        .scalar_subquery()
    )
    moved = sa.update(referral).where(referral.c.casefile == id, heir.is_not(None))
    connection.execute(moved.values(casefile=heir))
    own = sa.select(referral.c.id).where(referral.c.casefile == id).scalar_subquery()
    connection.execute(sa.delete(referral_complaint).where(referral_complaint.c.referral.in_(own)))
    connection.execute(sa.delete(referral).where(referral.c.casefile == id))


def _at(connection: sa.Connection, complaints: Collection[int]) -> Mapping[int, Mapping[str, datetime]]:
    """By complaint, the destinations that have it and since when, whatever case sent it."""
    columns = referral_complaint.c
    select = (
        sa.select(columns.complaint, referral.c.destination, referral.c.sent_at)
        .join(referral, referral.c.id == columns.referral)
        .where(columns.complaint.in_(complaints), referral.c.state.in_(_STANDING))
        .order_by(referral.c.sent_at.desc())
    )
    found: dict[int, dict[str, datetime]] = {}
    for id, code, sent_at in connection.execute(select):
        found.setdefault(id, {})[code] = sent_at
    return found


def _kinds(connection: sa.Connection, complaints: Collection[int]) -> Mapping[int, frozenset[str]]:
    return _by_complaint(connection, sa.select(act.c.complaint, act.c.kind).where(act.c.complaint.in_(complaints)))


def _by_complaint(connection: sa.Connection, select: sa.Select[Any]) -> Mapping[int, frozenset[str]]:
    found: dict[int, set[str]] = {}
    for id, named in connection.execute(select):
        found.setdefault(id, set()).add(named)
    return {id: frozenset(named) for id, named in found.items()}


def _accused(connection: sa.Connection, complaints: Collection[int]) -> Mapping[int, set[str]]:
    """By complaint, the categories of those whom it accuses; left out where it says none."""
    columns = person.c
    select = sa.select(columns.complaint, columns.roles, columns.category)
    told = select.where(columns.complaint.in_(complaints), columns.category.is_not(None))
    found: dict[int, set[str]] = {}
    for id, roles, category in connection.execute(told):
        if not ACCUSED_ROLES.isdisjoint(roles.split()):
            found.setdefault(id, set()).add(category)
    return found
