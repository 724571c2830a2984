"""The inbox: what waits for a first decision, row by row, and one complaint with all that its decision goes by."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Final, Literal, cast, get_args

import sqlalchemy as sa

from server.domain import triage
from server.domain.calendar import MALI
from server.domain.case import Version
from server.domain.casework import TRIAGE, Queue, Urgency, queue_of
from server.domain.deadlines import Clocks, Deadline
from server.domain.desk import Desk
from server.domain.due import Heard, Story, derive
from server.domain.errors import NotFound
from server.domain.permission import STRICT, Target, may_ever, permit
from server.domain.places import cercle_name, place_name, region_name
from server.domain.triage import DISPOSITIONS
from server.services.cases import holding
from server.services.cases.holding import ACTION, Case
from server.services.cases.together import MANY_MAX
from server.store import accounts, cases, due, glances, inbox, links, registry, sealed
from server.store.accounts import Account
from server.store.engine import Store
from server.store.glances import Glance
from server.store.inbox import Decided, Listed, Paired, Told, Wanted
from server.store.lines import Count, Key, Reach
from server.store.lines import write_key as write_key
from server.store.links import Report
from server.store.scopes import Scope, scope_of, within

# What waits for a decision, what waits for the complainant, and what the actor owns.
View = Literal["triage", "asked", "mine"]
VIEWS: Final[tuple[View, ...]] = get_args(View)
PAGE: Final = 25

# So many of one place, week and kind are shown as a group.
_GROUP_MIN: Final = 3
_DECIDED_MAX: Final = 500
_LOOKALIKES_MAX: Final = 5


@dataclass(frozen=True)
class Asked:
    """What is asked of the inbox, all of it at once; empty: any. `region`: the id of a place."""

    view: View = "triage"
    region: str = ""
    kind: str = ""
    urgency: str = ""


@dataclass(frozen=True)
class Row:
    """Something that waits, by its number; `owner` and places are names, empty for nobody and where none is known.

    `told` and `clocks` are those of its first complaint. `has_lookalike`: a pair with it waits. `group`: the
    same for all of one place, week and kind that can be decided together, empty elsewhere.
    """

    number: str
    listed: Listed
    owner: str
    cercle: str
    region: str
    told: Told
    has_lookalike: bool
    due: Deadline | None
    clocks: Clocks
    group: str = ""

    @property
    def is_strict(self) -> bool:
        """Whether named readers alone see it."""
        return self.listed.confidentiality == STRICT


@dataclass(frozen=True)
class Progress:
    """What the actor decided today, and how many seconds one took on average, None where nothing tells it."""

    decided: int
    mean_s: int | None


@dataclass(frozen=True)
class Page:
    """Some rows, the most urgent first; `after`: where the next page begins, None at the end. `is_cut`: so much was
    looked at that it ends before it is full. `further`: by group, what of it the next page has, by number and version.
    """

    rows: Sequence[Row]
    after: Key | None
    is_cut: bool
    further: Mapping[str, Sequence[tuple[str, int]]]
    counts: Mapping[View, Count]
    progress: Progress


@dataclass(frozen=True)
class Lookalike:
    """A complaint with which another may be the same, or that it may join: by its number, and of its case the version.

    `link`: the pair to be compared, None where nobody proposed it; `is_same`: it was, and both tell of one incident.
    `alike`: what of `place`, `week` and `amount` is.
    """

    number: str
    link: int | None
    is_same: bool
    version: int
    status: str
    kind: str
    cercle: str
    received_at: datetime
    alike: frozenset[str]


@dataclass(frozen=True)
class Item:
    """A complaint to be decided, by the number that was asked for, with the case that has it.

    `version` is what a decision says to have seen; `stands`: who decided it, None before that. `queue` is None for what
    is closed. `consent`: its level, as it stands. `others`: further complaints of the case. `owners`: names of whoever
    could own it.
    """

    number: str
    complaint: int
    version: int
    status: str
    queue: Queue | None
    urgency: Urgency
    kind: str
    owner: str
    stands: Version | None
    report: Report
    glance: Glance
    told: Told
    consent: str
    others: int
    cercle: str
    region: str
    place: str
    owners: Sequence[str]
    lookalikes: Sequence[Lookalike]
    due: Deadline | None

    @property
    def clocks(self) -> Clocks:
        """Those of the complaint."""
        return Clocks(self.glance.collected_at, self.glance.received_at)

    @property
    def is_strict(self) -> bool:
        """Whether named readers alone see it."""
        return self.glance.confidentiality == STRICT


def page(store: Store, desk: Desk, asked: Asked, after: Key | None = None) -> Page:
    """A page of what waits, of which the actor handles every complaint; nothing for whoever handles none."""
    if not may_ever(desk.actor, ACTION):
        return Page([], None, False, {}, dict.fromkeys(VIEWS, Count(0, is_more=False)), Progress(0, None))
    scope, wanted = _scope(desk), _wanted(asked, desk)
    with store.read() as connection:
        # The next page with it, which has more of its groups.
        found = inbox.page(connection, scope, wanted, Reach(2 * PAGE, after))
        here, ahead = found.rows[:PAGE], found.rows[PAGE:]
        rows = _grouped(_rows(connection, desk, scope, here))
        further = _further(connection, ahead, {row.group for row in rows} - {""})
        counts = inbox.counts(connection, scope, [_wanted(Asked(view), desk) for view in VIEWS])
        progress = _progress(connection, desk)
    ends_at = inbox.key_of(here[-1]) if ahead else found.ends_at
    is_cut = ends_at is not None and len(rows) < PAGE
    return Page(rows, ends_at, is_cut, further, dict(zip(VIEWS, counts, strict=True)), progress)


def chosen(store: Store, desk: Desk, numbers: Sequence[str]) -> list[Row]:
    """What of these, at most MANY_MAX, waits for a decision, in the order of the inbox; what the actor does not handle
    is left out."""
    if not may_ever(desk.actor, ACTION):
        return []
    scope, numbers = _scope(desk), numbers[:MANY_MAX]
    with store.read() as connection:
        wanted = Wanted(queue=TRIAGE, complaints=inbox.called(connection, numbers))
        return _rows(connection, desk, scope, inbox.page(connection, scope, wanted, Reach(MANY_MAX)).rows)


def owners_of_all(store: Store, desk: Desk, numbers: Collection[str]) -> list[str]:
    """Names of whoever could own each of what waits under these numbers."""
    with store.read() as connection:
        waiting = inbox.called(connection, numbers)
        held = cases.holding(connection, waiting)
        known = holding.read(connection, desk, set(held.values()))
        standings = sealed.standings(connection, waiting)
        targets = [
            target
            for id in waiting
            for target in (known[held[id]].facts.targets if id in held else [standings[id].target(desk.places)])
        ]
        return [each.name for each in _permitted(connection, targets)]


def item(store: Store, desk: Desk, number: str) -> Item:
    """One complaint. Raises NotFound where the actor does not handle every complaint of its case."""
    scope = _scope(desk)
    with store.read() as connection:
        complaint = holding.complaint_of(connection, number)
        case = holding.look(connection, desk, complaint)
        pairs = inbox.lookalikes_of(connection, scope, complaint, _LOOKALIKES_MAX)
        reports = links.reports(connection, [complaint, *(each.other for each in pairs)])
        by_other: dict[int, Paired] = {}
        for each in pairs:
            # What was decided of two comes before what else is proposed of them.
            by_other.setdefault(each.other, each)
        lookalikes = _lookalikes(connection, desk, reports, complaint, by_other)
        return _item(connection, desk, number, (complaint, case), reports[complaint], lookalikes)


def target(store: Store, desk: Desk, number: str, complaint: int) -> Lookalike:
    """A complaint that somebody typed, as one that `complaint` may join. Raises NotFound as `item` does."""
    with store.read() as connection:
        other = holding.complaint_of(connection, number)
        reports = links.reports(connection, [complaint, other])
        found = _lookalikes(connection, desk, reports, complaint, {other: None})
    if not found:
        raise NotFound(object=number)
    return found[0]


def read_key(text: str) -> Key | None:
    """Where a page ends, as a link carries it; None for no such text."""
    return inbox.LINE.read_key(text)


def _scope(desk: Desk) -> Scope:
    return scope_of(desk.actor, [ACTION], desk.places)


def _wanted(asked: Asked, desk: Desk) -> Wanted:
    return Wanted(
        queue=None if asked.view == "mine" else cast(Queue, asked.view),
        owner=desk.actor.id if asked.view == "mine" else None,
        urgency=asked.urgency or None,
        kind=asked.kind or None,
        places=within(desk.places, {asked.region}) if asked.region else None,
    )


def _progress(connection: sa.Connection, desk: Desk) -> Progress:
    midnight = datetime.combine(desk.now.date(), time(), desk.now.tzinfo)
    found = inbox.decided(connection, desk.actor.signature, midnight, _DECIDED_MAX)
    moments = [each.at for each in found if _is_decision(each)]
    return Progress(len(moments), triage.mean_s(moments))


def _is_decision(entry: Decided) -> bool:
    """Whether a complaint was decided by it; of two cases that were joined, one was."""
    return "moved" in entry.before or (entry.code == holding.MOVED and entry.fields["to"] in DISPOSITIONS.values())


def _rows(connection: sa.Connection, desk: Desk, scope: Scope, found: Sequence[Listed]) -> list[Row]:
    complaints = [each.complaint for each in found]
    numbers = registry.numbers_of(connection, complaints)
    told, paired = inbox.told(connection, complaints), inbox.with_lookalike(connection, scope, complaints)
    deadlines = due.of_cases(connection, [each.case for each in found if each.case is not None])
    names = accounts.names(connection)
    return [
        Row(
            number=each.ref or numbers[each.complaint],
            listed=each,
            owner=names.get(each.owner or "", ""),
            cercle=cercle_name(desk.places, each.place_id),
            region=region_name(desk.places, each.place_id),
            told=told[each.complaint],
            has_lookalike=each.complaint in paired,
            due=_first_due(each, [known.stands for known in deadlines.get(each.case or 0, ())]),
            clocks=Clocks(each.collected_at, each.received_at),
        )
        for each in found
    ]


def _first_due(listed: Listed, known: Iterable[Deadline]) -> Deadline | None:
    """What is due first, of what nothing met yet."""
    if listed.case is None:
        known = _due_of(listed.complaint, listed.received_at, cast(Urgency, listed.urgency))
    return min((each for each in known if each.met_at is None), key=lambda each: each.due_at, default=None)


def _due_of(complaint: int, received_at: datetime, urgency: Urgency) -> Iterable[Deadline]:
    """What is due of a complaint that nobody acted on."""
    heard = Heard(complaint, received_at, urgency, received_at, None)
    return derive(Story([heard], [], urgency), MALI).values()


def _grouped(rows: Sequence[Row]) -> list[Row]:
    """The rows in order, but that those of one group follow its first."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(_group(row.listed), []).append(row)
    ordered: list[Row] = []
    for row in rows:
        name = _group(row.listed)
        members = groups.get(name, [])
        if not name or len(members) < _GROUP_MIN:
            ordered.append(row)
        elif row is members[0]:
            ordered += [replace(each, group=name) for each in members]
    return ordered


def _group(listed: Listed) -> str:
    """What a row has in common with others of its group: they are as urgent, for what is urgent stays first."""
    is_alone = listed.queue != TRIAGE or listed.confidentiality == STRICT
    if is_alone or not listed.place_id or not listed.incident_from:
        return ""
    return "/".join((listed.urgency, listed.place_id, listed.kind, *map(str, _week(listed.incident_from))))


def _further(
    connection: sa.Connection, ahead: Sequence[Listed], groups: Collection[str]
) -> dict[str, list[tuple[str, int]]]:
    """What of these groups stands on the page ahead."""
    found = [each for each in ahead if _group(each) in groups]
    numbers = registry.numbers_of(connection, [each.complaint for each in found])
    further: dict[str, list[tuple[str, int]]] = {}
    for each in found:
        further.setdefault(_group(each), []).append((each.ref or numbers[each.complaint], each.version))
    return further


def _item(
    connection: sa.Connection,
    desk: Desk,
    number: str,
    held: tuple[int, Case | None],
    report: Report,
    lookalikes: Sequence[Lookalike],
) -> Item:
    complaint, case = held
    glance = glances.of(connection, [complaint])[complaint]
    file = None if case is None else case.file
    urgency = cast(Urgency, file.urgency if file else cases.urgency_waiting(connection, complaint))
    if file is None:
        deadlines = list(_due_of(complaint, glance.received_at, urgency))
    else:
        deadlines = [each.stands for each in due.of_cases(connection, [file.id])[file.id]]
    left = [each for each in deadlines if each.met_at is None]
    queue, may_own = _queue(case), _owners(connection, desk, complaint, case)
    # Of what is decided already, who did it is shown.
    stands = holding.version(connection, case) if case is not None and queue in (None, "work") else None
    return Item(
        number=number.strip().upper(),
        complaint=complaint,
        version=0 if file is None else file.revision,
        status=holding.FIRST if file is None else file.status,
        queue=queue,
        urgency=urgency,
        kind=(file and file.kind) or report.kinds[0],
        owner=next((each.name for each in may_own if file and each.id == file.owner), ""),
        stands=stands,
        report=report,
        glance=glance,
        told=inbox.told(connection, [complaint])[complaint],
        consent=inbox.consent_of(connection, complaint),
        others=0 if case is None else len(set(case.complaints) - {complaint}),
        cercle=cercle_name(desk.places, report.place_id),
        region=region_name(desk.places, report.place_id),
        place=place_name(desk.places, report.place_id),
        owners=[each.name for each in may_own],
        lookalikes=lookalikes,
        due=min(left, key=lambda each: each.due_at, default=None),
    )


def _queue(case: Case | None) -> Queue | None:
    if case is None:
        return TRIAGE
    return None if case.facts.is_closed else queue_of(case.facts.status)


def _lookalikes(
    connection: sa.Connection,
    desk: Desk,
    reports: Mapping[int, Report],
    complaint: int,
    pairs: Mapping[int, Paired | None],
) -> list[Lookalike]:
    """Those others that the actor handles, and that are not in one case with the complaint already."""
    if not pairs:
        return []
    held = cases.holding(connection, [complaint, *pairs])
    known = holding.read(connection, desk, set(held.values()))
    standings = sealed.standings(connection, pairs)
    numbers = registry.numbers_of(connection, pairs)
    found = []
    for id, pair in pairs.items():
        case = known.get(held.get(id, 0))
        targets = [standings[id].target(desk.places)] if case is None else case.facts.targets
        is_with_it = id == complaint or (case is not None and held.get(complaint) == case.file.id)
        if not is_with_it and all(permit(desk.actor, ACTION, each) for each in targets):
            found.append(_lookalike(desk, numbers[id], pair, case, reports[complaint], reports[id]))
    return found


def _lookalike(
    desk: Desk, number: str, pair: Paired | None, case: Case | None, own: Report, other: Report
) -> Lookalike:
    return Lookalike(
        number=number,
        link=None if pair is None else pair.link,
        is_same=pair is not None and pair.is_same,
        version=0 if case is None else case.file.revision,
        status=holding.FIRST if case is None else case.file.status,
        kind=(case and case.file.kind) or other.kinds[0],
        cercle=cercle_name(desk.places, other.place_id),
        received_at=other.received_at,
        alike=_alike(own, other),
    )


def _alike(own: Report, other: Report) -> frozenset[str]:
    said = {
        "place": (own.place_id, other.place_id),
        "week": tuple(each.incident_from and _week(each.incident_from) for each in (own, other)),
        "amount": (own.asked_xof, other.asked_xof),
    }
    return frozenset(name for name, (one, two) in said.items() if one is not None and one == two)


def _owners(connection: sa.Connection, desk: Desk, complaint: int, case: Case | None) -> list[Account]:
    if case is None:
        targets = [sealed.standings(connection, [complaint])[complaint].target(desk.places)]
    else:
        targets = [*case.facts.targets]
    return _permitted(connection, targets)


def _permitted(connection: sa.Connection, targets: Sequence[Target]) -> list[Account]:
    known = accounts.active(connection, sa.true())
    return [each for each in known if all(permit(each.actor, ACTION, target) for target in targets)]


def _week(day: str) -> tuple[int, int]:
    year, week, _ = date.fromisoformat(day).isocalendar()
    return year, week
