"""Lists of cases: what somebody looks through, by what is asked of it, with all that a row shows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from server.domain import verification
from server.domain.casework import CASEWORK, STATUSES, Status
from server.domain.deadlines import Clocks, Deadline
from server.domain.desk import Desk
from server.domain.permission import may_ever
from server.domain.places import Gazetteer, cercle_name, region_name
from server.domain.verification import State
from server.services.cases import lookup
from server.services.cases.holding import ACTION
from server.services.cases.lookup import Meant
from server.store import accounts, case_lists, cases, due, findings
from server.store.case_lists import ORDERS as ORDERS
from server.store.case_lists import Listed, Wanted
from server.store.case_lists import Order as Order
from server.store.engine import Store
from server.store.lines import Count, Key, Reach
from server.store.lines import write_key as write_key
from server.store.scopes import scope_of, within

PAGE: Final = 25
# Groups of statuses, beside each of them: of an open case something is left to be done.
OPEN, ENDED, ALL = "open", "ended", "all"
GROUPS: Final = (OPEN, ENDED, ALL)
# In the place of the owner's id.
MINE, NOBODY = "me", "none"

# Complaints whose cases are looked at where something was typed.
_FOUND_MAX: Final = 200
_OPEN: Final = tuple(code for code in STATUSES if CASEWORK.statuses[code].stage != "closed")


@dataclass(frozen=True)
class Asked:
    """What is asked of the list, all of it at once.

    `status`: one, or one of GROUPS. `region`: the id of a place. `owner`: the id of an account, MINE or NOBODY. Empty:
    any. `is_late`: something of it is. `text`: what somebody typed.
    """

    status: str = OPEN
    region: str = ""
    owner: str = ""
    is_late: bool = False
    text: str = ""


@dataclass(frozen=True)
class Row:
    """A case as a list shows it; `owner` is a name, empty for nobody, and places are names, empty where none is known.

    `state`: what its acts come to. `next_due`: what is due first. `clocks`: of its first complaint.
    """

    case: Listed
    owner: str
    cercle: str
    region: str
    state: State
    next_due: Deadline | None
    clocks: Clocks


@dataclass(frozen=True)
class Page:
    """Some rows in order. `after`: where the next page begins, None at the end. `is_cut`: so many cases were looked at
    that it ends before it is full. `meant`: what the typed text was taken for."""

    rows: Sequence[Row]
    after: Key | None
    is_cut: bool
    meant: Meant | None


def listed(store: Store, desk: Desk, asked: Asked, order: Order, after: Key | None = None, limit: int = PAGE) -> Page:
    """At most `limit` cases of which the actor handles every complaint, after a row; none for whoever handles none.

    By a text, those of the newest complaints that it finds.
    """
    if not may_ever(desk.actor, ACTION):
        return Page([], None, False, None)
    meant = lookup.meant(asked.text, desk.places) if asked.text.strip() else None
    with store.read() as connection:
        found = None if meant is None else _found(connection, desk, meant)
        scope = scope_of(desk.actor, [ACTION], desk.places)
        wanted = _wanted(asked, desk, found)
        page = case_lists.page(connection, scope, wanted, order, Reach(limit, after))
        rows = _rows(connection, page.rows, desk.places)
    return Page(rows, page.ends_at, page.ends_at is not None and len(rows) < limit, meant)


def called(store: Store, desk: Desk, refs: Collection[str], limit: int) -> list[Row]:
    """The newest cases of these references, at most `limit`, of which the actor handles every complaint."""
    if not may_ever(desk.actor, ACTION):
        return []
    with store.read() as connection:
        return newest(connection, desk, cases.with_refs(connection, refs), limit)


def newest(connection: sa.Connection, desk: Desk, ids: Collection[int], limit: int) -> list[Row]:
    """The newest of these few cases, at most `limit`, of which the actor handles every complaint."""
    scope = scope_of(desk.actor, [ACTION], desk.places)
    page = case_lists.page(connection, scope, Wanted(cases=ids), "newest", Reach(limit))
    return _rows(connection, page.rows, desk.places)


def counted(store: Store, desk: Desk, filters: Mapping[str, Asked]) -> dict[str, Count]:
    """By name of a filter, how many cases it gives the actor, as far as a list counts; a filter has no text."""
    if not may_ever(desk.actor, ACTION):
        return {name: Count(0, is_more=False) for name in filters}
    scope = scope_of(desk.actor, [ACTION], desk.places)
    found = {}
    with store.read() as connection:
        for name, asked in filters.items():
            order: Order = "deadline" if asked.is_late else "newest"
            found[name] = case_lists.count(connection, scope, _wanted(asked, desk, None), order)
    return found


def owners(store: Store, desk: Desk) -> dict[str, str]:
    """Who can be responsible for a case, names by id, in the order of names; nobody for whoever handles none."""
    if not may_ever(desk.actor, ACTION):
        return {}
    with store.read() as connection:
        known = accounts.active(connection, sa.true())
    return {each.id: each.name for each in known if may_ever(each.actor, ACTION)}


def read_key(text: str, order: Order) -> Key | None:
    """Where a page of that order ends, as a link carries it; None for no such text."""
    return case_lists.LINES[order].read_key(text)


def _wanted(asked: Asked, desk: Desk, found: Collection[int] | None) -> Wanted:
    owner = {"": None, MINE: desk.actor.id, NOBODY: ""}.get(asked.owner, asked.owner)
    return Wanted(
        statuses=_statuses(asked.status),
        owner=owner,
        places=within(desk.places, {asked.region}) if asked.region else None,
        late_at=desk.now if asked.is_late else None,
        cases=found,
    )


def _statuses(asked: str) -> Collection[Status] | None:
    if asked == ALL:
        return None
    if asked == ENDED:
        return tuple(code for code in STATUSES if code not in _OPEN)
    return tuple(code for code in STATUSES if code == asked) or _OPEN


def _found(connection: sa.Connection, desk: Desk, meant: Meant) -> frozenset[int]:
    matches = lookup.found(connection, desk, meant, _FOUND_MAX)
    held = cases.holding(connection, [each.complaint for each in matches]).values()
    # Also a case whose own complaint was erased, or went elsewhere.
    called = None if meant.number is None else cases.with_ref(connection, meant.number)
    return frozenset({*held, *(() if called is None else (called,))})


def _rows(connection: sa.Connection, found: Sequence[Listed], places: Gazetteer | None) -> list[Row]:
    ids = [each.id for each in found]
    states, deadlines = _states(connection, ids), due.of_cases(connection, ids)
    names = accounts.names(connection)
    return [
        Row(
            case=each,
            owner=names.get(each.owner or "", ""),
            cercle=cercle_name(places, each.place_id),
            region=region_name(places, each.place_id),
            state=states[each.id],
            next_due=next((one.stands for one in deadlines[each.id] if one.stands.met_at is None), None),
            clocks=Clocks(each.collected_at, each.received_at),
        )
        for each in found
    ]


def _states(connection: sa.Connection, ids: Collection[int]) -> dict[int, State]:
    """By case, what its acts come to."""
    members = cases.members(connection, ids)
    complaints = [each.complaint for those in members.values() for each in those]
    acts = findings.acts_of(connection, complaints)
    stands = findings.standing(connection, complaints)
    said: dict[int, list[State]] = {id: [] for id in complaints}
    for act in acts:
        _, finding = stands.get((act.complaint, act.kind), (0, None))
        said[act.complaint].append("unverified" if finding is None else finding.state)
    return {
        id: verification.summed(state for each in those for state in said[each.complaint]).state
        for id, those in members.items()
    }
