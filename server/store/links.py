"""Links as people meet them: those that wait for a decision, what was decided, and both reports of a pair."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from server.domain.matching.decisions import PROPOSED, RETRY, Decision, Judged, Reason, Verdict
from server.domain.matching.model import Band
from server.domain.matching.review import DRAWS, FAR_SHARE, NEAR_FROM, NEAR_SHARE, Shelf
from server.store.dialect import locked
from server.store.duplicates import is_withdrawn
from server.store.match_tables import decision, link
from server.store.schema import act, complaint, device, lineage, person, received
from server.store.scopes import Scope, limits

_JUDGED: Final = tuple(Judged.__dataclass_fields__)


@dataclass(frozen=True)
class Link:
    """A link as it stands, `a` below `b`; `lineages` are those of both, `sender` that of `b`, which came later.

    `was_scored`: its score was there to be seen.
    """

    id: int
    a: int
    b: int
    relation: str
    state: str
    value: float
    draw: int
    was_scored: bool
    lineages: frozenset[str]
    sender: str
    judged: Judged


@dataclass(frozen=True)
class Counted:
    """Links of one kind: how many there are, how many of them were decided blind, and how many of those confirmed."""

    relation: str
    band: str
    is_near: bool
    links: int
    decided: int
    confirmed: int


@dataclass(frozen=True)
class Report:
    """A complaint of a pair: its facts, which are clear. `persons`: roles, sex and age of each, as codes."""

    complaint: int
    received_at: datetime
    team: str | None
    kinds: tuple[str, ...]
    incident_from: str | None
    incident_to: str | None
    precision: str | None
    place_id: str | None
    asked_xof: int | None
    paid_xof: int | None
    sector: str | None
    channel: str
    revision: int
    persons: tuple[tuple[str, str | None, str | None], ...]


def find(connection: sa.Connection, link_id: int, *, is_locked: bool = False) -> Link | None:
    """The link, locked until commit where asked; None where one of its complaints was withdrawn altogether."""
    if is_locked:
        connection.execute(locked(connection, sa.select(link.c.id).where(link.c.id == link_id)))
    rows = connection.execute(_ENDS.select.where(link.c.id == link_id))
    return next(map(_link, rows), None)


def touching(
    connection: sa.Connection, complaints: Collection[int], relations: Collection[str], state: str | None = None
) -> list[Link]:
    """Every link of these relations, and of that state, that one of the complaints has, but to a withdrawn one."""
    select = _ENDS.select.where(link.c.relation.in_(relations))
    if state is not None:
        select = select.where(link.c.state == state)
    # Two questions, each by its index.
    found = {
        row.id: _link(row)
        for column in (link.c.a, link.c.b)
        for row in connection.execute(select.where(column.in_(complaints)))
    }
    return [found[id] for id in sorted(found)]


def most_valued(
    connection: sa.Connection, scope: Scope, shelf: Shelf, after: Link | None, skip: Collection[str], limit: int
) -> list[Link]:
    """The next links that wait on a shelf, the most valuable first.

    `skip`: lineages of which what they sent is passed over. `after`: the last link of the page before.
    """
    place = sa.tuple_(link.c.value, link.c.id)
    select = _waiting(connection, scope, shelf, skip)
    if after is not None:
        select = select.where(place < (after.value, after.id))
    # Both the same way, as the index stands.
    return [_link(row) for row in connection.execute(select.order_by(*(each.desc() for each in place)).limit(limit))]


def drawn(
    connection: sa.Connection, scope: Scope, shelf: Shelf, after: Link | None, skip: Collection[str], limit: int
) -> list[Link]:
    """The next links of the sample that waits on a shelf, in the order drawn; else as `most_valued`.

    None of which a score was seen before: nobody could decide that unaided.
    """
    place = sa.tuple_(link.c.draw, link.c.id)
    # By the index first: what was silenced later is of no sample, and may be much.
    is_of_sample = link.c.draw < DRAWS * NEAR_SHARE, _is_drawn(), ~link.c.was_scored
    select = _waiting(connection, scope, shelf, skip).where(*is_of_sample)
    if after is not None:
        select = select.where(place > (after.draw, after.id))
    return [_link(row) for row in connection.execute(select.order_by(*place).limit(limit))]


def count_lineages(connection: sa.Connection) -> int:
    """How many lineages there are."""
    return connection.scalar(sa.select(sa.func.count()).select_from(lineage)) or 0


def history_of(connection: sa.Connection, link_id: int) -> list[Decision]:
    """What was decided of a link, in order."""
    columns = decision.c
    rows = connection.execute(sa.select(decision).where(columns.link == link_id).order_by(columns.no))
    return [
        Decision(
            no=row.no,
            link=row.link,
            verdict=Verdict(row.verdict),
            account=row.account,
            reason=None if row.reason is None else Reason(row.reason),
            at=row.at,
            undoes=row.undoes,
            is_blind=row.is_blind,
            is_second=row.is_second,
            judged=_judged(row),
        )
        for row in rows
    ]


def add_decision(connection: sa.Connection, said: Decision) -> None:
    """Keep a word on a link, whose row the caller has locked."""
    members = {name: getattr(said, name) for name in Decision.__dataclass_fields__ if name != "judged"}
    connection.execute(sa.insert(decision).values(**members, **asdict(said.judged)))


def set_state(connection: sa.Connection, link_id: int, state: str) -> None:
    """Set the state that follows from what was decided."""
    connection.execute(sa.update(link).where(link.c.id == link_id).values(state=state))


def count_decided(connection: sa.Connection, account: str) -> int:
    """How many verdicts somebody gave, those taken back with them."""
    columns = decision.c
    own = sa.select(sa.func.count()).where(columns.account == account, columns.verdict != Verdict.UNDONE)
    return connection.scalar(own) or 0


def decided_since(connection: sa.Connection, account: str, since: datetime) -> list[Link]:
    """The link of each verdict that somebody gave since then."""
    ends = _ENDS
    columns = decision.c
    select = ends.columns.select_from(ends.joined.join(decision, columns.link == link.c.id)).where(
        columns.account == account, columns.verdict != Verdict.UNDONE, columns.at >= since
    )
    return [_link(row) for row in connection.execute(select)]


def counted(connection: sa.Connection, scope: Scope) -> list[Counted]:
    """All links of a scope that a model proposed, by kind."""
    taken_back = decision.alias()
    is_blind = sa.exists().where(
        decision.c.link == link.c.id,
        decision.c.is_blind,
        ~sa.exists().where(taken_back.c.link == decision.c.link, taken_back.c.undoes == decision.c.no),
    )
    is_decided = (link.c.state != PROPOSED) & is_blind
    ends = _ENDS
    each = (
        sa.select(
            link.c.relation,
            link.c.band,
            sa.case((link.c.probability >= NEAR_FROM, 1), else_=0).label("is_near"),
            sa.case((is_decided, 1), else_=0).label("decided"),
            sa.case((is_decided & (link.c.state == Verdict.CONFIRMED), 1), else_=0).label("confirmed"),
        )
        .select_from(ends.joined)
        .where(*ends.present(), *ends.limits(connection, scope), link.c.relation != RETRY, _is_drawn())
        .subquery()
    )
    kind = each.c.relation, each.c.band, each.c.is_near
    sums = sa.func.count(), sa.func.sum(each.c.decided), sa.func.sum(each.c.confirmed)
    rows = connection.execute(sa.select(*kind, *sums).group_by(*kind).order_by(*kind))
    return [Counted(relation, band, bool(near), *map(int, numbers)) for relation, band, near, *numbers in rows]


def in_scope(connection: sa.Connection, scope: Scope, select: sa.Select[Any]) -> sa.Select[Any]:
    """A choice of links, of those alone whose complaints are both in the scope, and neither withdrawn altogether."""
    return select.select_from(_ENDS.joined).where(*_ENDS.present(), *_ENDS.limits(connection, scope))


def reports(connection: sa.Connection, complaints: Collection[int]) -> dict[int, Report]:
    """Complaints by their facts."""
    columns = complaint.c
    kinds, persons = defaultdict[int, list[str]](list), defaultdict[int, list[tuple[str, str | None, str | None]]](list)
    acts = sa.select(act.c.complaint, act.c.kind).where(act.c.complaint.in_(complaints)).order_by(act.c.no)
    for id, kind in connection.execute(acts):
        kinds[id].append(kind)
    people = sa.select(person.c.complaint, person.c.roles, person.c.sex, person.c.age)
    for id, *told in connection.execute(people.where(person.c.complaint.in_(complaints)).order_by(person.c.no)):
        persons[id].append((told[0], told[1], told[2]))
    select = (
        sa.select(complaint, received.c.received_at, lineage.c.team.label("sent_by"))
        .join(received, received.c.id == columns.id)
        .join(lineage, lineage.c.id == received.c.lineage)
        .where(columns.id.in_(complaints))
    )
    return {row.id: _report(row, kinds[row.id], persons[row.id]) for row in connection.execute(select)}


class _Ends:
    """A link with what it goes by of both its complaints."""

    def __init__(self) -> None:
        tables = (complaint, received, lineage, device)
        self._sides = [tuple(table.alias(f"{table.name}_{side}") for table in tables) for side in ("a", "b")]
        joined: sa.FromClause = link
        for end, (facts, sent, sender, used) in zip((link.c.a, link.c.b), self._sides, strict=True):
            joined = (
                joined.join(facts, facts.c.id == end)
                .join(sent, sent.c.id == end)
                .join(sender, sender.c.id == sent.c.lineage)
                .join(used, used.c.id == sent.c.device)
            )
        self.joined = joined
        self.earlier, self.later = (sent for _, sent, _, _ in self._sides)

    @property
    def columns(self) -> sa.Select[Any]:
        """What `_link` reads."""
        first, then = self.earlier.c.lineage, self.later.c.lineage
        return sa.select(link, first.label("lineage_a"), then.label("lineage_b"))

    @property
    def select(self) -> sa.Select[Any]:
        """Links as `_link` reads them, none with a withdrawn complaint."""
        return self.columns.select_from(self.joined).where(*self.present())

    def present(self) -> list[sa.ColumnElement[bool]]:
        """That neither complaint was withdrawn altogether."""
        return [~is_withdrawn(facts) for facts, _, _, _ in self._sides]

    def limits(self, connection: sa.Connection, scope: Scope) -> list[sa.ColumnElement[bool]]:
        """That both are of the scope."""
        sides = [(facts, sender, used) for facts, _, sender, used in self._sides]
        return [each for side in sides for each in limits(connection, scope, *side)]


# Made once: to name the columns of eight tables anew takes longer than most questions.
_ENDS: Final = _Ends()


def _is_drawn() -> sa.ColumnElement[bool]:
    """That a pair would be a link whatever became of it: what another model has silenced is of no sample."""
    is_near = link.c.probability >= NEAR_FROM
    share = sa.case((link.c.band != Band.SILENT, 1.0), (is_near, NEAR_SHARE), else_=FAR_SHARE)
    return link.c.draw < DRAWS * share


def _waiting(connection: sa.Connection, scope: Scope, shelf: Shelf, skip: Collection[str]) -> sa.Select[Any]:
    ends = _ENDS
    select = ends.select.where(link.c.state == PROPOSED, link.c.shelf == shelf, *ends.limits(connection, scope))
    return select.where(ends.later.c.lineage.not_in(skip)) if skip else select


def _link(row: sa.Row[Any]) -> Link:
    return Link(
        id=row.id,
        a=row.a,
        b=row.b,
        relation=row.relation,
        state=row.state,
        value=row.value,
        draw=row.draw,
        was_scored=row.was_scored,
        lineages=frozenset((row.lineage_a, row.lineage_b)),
        sender=row.lineage_b,
        judged=_judged(row),
    )


def _judged(row: sa.Row[Any]) -> Judged:
    members = {name: getattr(row, name) for name in _JUDGED}
    return Judged(**members)


def _report(row: sa.Row[Any], kinds: Sequence[str], persons: Sequence[tuple[str, str | None, str | None]]) -> Report:
    return Report(
        complaint=row.id,
        received_at=row.received_at,
        team=row.sent_by or row.team,
        kinds=tuple(kinds),
        incident_from=row.incident_from,
        incident_to=row.incident_to,
        precision=row.incident_precision,
        place_id=row.place_id,
        asked_xof=row.asked_xof,
        paid_xof=row.paid_xof,
        sector=row.sector,
        channel=row.channel,
        revision=row.revision,
        persons=tuple(persons),
    )
