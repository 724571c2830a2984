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
from server.store.lines import Key, Line, Page, Reach, passed_by
from server.store.match_tables import decision, link
from server.store.schema import act, complaint, device, lineage, person, received
from server.store.scopes import Scope, limits
from server.store.sealed import Standing, standing_of

# Where a pair waits that is shown with what it is judged by; on the others it is decided unaided.
SCORED: Final = (Shelf.STRONG, Shelf.POSSIBLE)
_JUDGED: Final = tuple(Judged.__dataclass_fields__)


@dataclass(frozen=True)
class Link:
    """A link as it stands, `a` below `b`; `lineages` are those of both, `sender` that of `b`, which came later.

    `was_scored`: its score was there to be seen. `standings`: where `a` and `b` belong.
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
    standings: tuple[Standing, Standing]
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


@dataclass(frozen=True)
class Wanted:
    """What is looked for of what waits: on which shelf, but for whatever these lineages sent, and these links."""

    shelf: Shelf
    but_lineages: Collection[str] = ()
    but_links: Collection[int] = ()


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


def waiting(connection: sa.Connection, scope: Scope, wanted: Wanted, reach: Reach) -> Page[Link]:
    """What of all that is wanted comes next: the most valuable first, or, of a sample, in the order drawn.

    Of a sample none of which a score was seen before: nobody could decide that unaided.
    """
    line, ends = _LINES[wanted.shelf], _ENDS
    select = ends.select.where(*ends.limits(connection, scope))
    if line is _DRAWN:
        select = select.where(_is_drawn(), ~link.c.was_scored)
    if wanted.but_lineages:
        select = select.where(ends.later.c.lineage.not_in(wanted.but_lineages))
    if wanted.but_links:
        select = select.where(link.c.id.not_in(wanted.but_links))
    return line.page(connection, select, _on(wanted.shelf), reach, _link)


def last_of(connection: sa.Connection, shelf: Shelf, first: int) -> Key | None:
    """Where on a shelf the `first` links end that wait there, whoever they are for; None where there are fewer."""
    return _LINES[shelf].ends_at(connection, _on(shelf), None, first)


def unsure_of(connection: sa.Connection, account: str, since: datetime) -> list[int]:
    """The links of which somebody said since then not to know, and did not take that back."""
    columns, taken_back = decision.c, decision.alias()
    is_taken_back = sa.exists().where(taken_back.c.link == columns.link, taken_back.c.undoes == columns.no)
    own = columns.account == account, columns.verdict == Verdict.UNSURE, columns.at >= since
    return list(connection.scalars(sa.select(columns.link).where(*own, ~is_taken_back)))


def twins(connection: sa.Connection, found: Collection[Link]) -> dict[int, int]:
    """By the id of a link, that by which the same two wait for a decision on the other relation, its score shown."""
    columns = link.c.id, link.c.a, link.c.b, link.c.relation, link.c.state, link.c.shelf
    # By the complaints alone: what waits is much.
    select = sa.select(*columns).where(link.c.a.in_({each.a for each in found}))
    others = defaultdict[tuple[int, int], dict[str, int]](dict)
    for id, a, b, relation, state, shelf in connection.execute(select):
        if state == PROPOSED and shelf in SCORED and relation != RETRY:
            others[a, b][relation] = id
    return {
        each.id: id for each in found for relation, id in others[each.a, each.b].items() if relation != each.relation
    }


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
        lineages = self.earlier.c.lineage.label("lineage_a"), self.later.c.lineage.label("lineage_b")
        belongs = (
            column.label(f"{name}_{side}")
            for side, (facts, _, sender, used) in zip("ab", self._sides, strict=True)
            for name, column in standing_of(facts, sender, used).items()
        )
        # What `_link` reads; and that of links of which neither complaint is withdrawn.
        self.columns = sa.select(link, *lineages, *belongs)
        self.select = self.columns.select_from(joined).where(*self.present())

    def present(self) -> list[sa.ColumnElement[bool]]:
        """That neither complaint was withdrawn altogether."""
        return [~is_withdrawn(facts) for facts, _, _, _ in self._sides]

    def limits(self, connection: sa.Connection, scope: Scope) -> list[sa.ColumnElement[bool]]:
        """That both are of the scope."""
        sides = [(facts, sender, used) for facts, _, sender, used in self._sides]
        # From all complaints of a place there is no way to the links that are next but to sort them.
        return [passed_by(each) for side in sides for each in limits(connection, scope, *side)]


# Made once: to name the columns of eight tables anew takes longer than most questions.
_ENDS: Final = _Ends()


def _is_drawn() -> sa.ColumnElement[bool]:
    """That a pair would be a link whatever became of it: what another model has silenced is of no sample."""
    is_near = link.c.probability >= NEAR_FROM
    share = sa.case((link.c.band != Band.SILENT, 1.0), (is_near, NEAR_SHARE), else_=FAR_SHARE)
    return link.c.draw < DRAWS * share


_VALUED: Final = Line((link.c.value, link.c.id), is_down=True)
_DRAWN: Final = Line((link.c.draw, link.c.id))
_LINES: Final = {Shelf.STRONG: _VALUED, Shelf.POSSIBLE: _VALUED, Shelf.BLIND: _DRAWN, Shelf.SILENT: _DRAWN}


def _on(shelf: Shelf) -> list[sa.ColumnElement[bool]]:
    """What the index of a shelf leads to."""
    found = [link.c.state == PROPOSED, link.c.shelf == shelf]
    # What was silenced later is of no sample, and may be much.
    return [*found, link.c.draw < DRAWS * NEAR_SHARE] if _LINES[shelf] is _DRAWN else found


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
        standings=(
            Standing(row.a, row.place_id_a, row.team_a, row.partner_a, row.confidentiality_a),
            Standing(row.b, row.place_id_b, row.team_b, row.partner_b, row.confidentiality_b),
        ),
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
