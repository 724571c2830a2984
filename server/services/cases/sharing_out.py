"""Sharing out: many cases that somebody chose are given to one owner, each by an act of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.errors import NotFound, RegroupingRefused, StaleRevision, TransitionRefused
from server.domain.people import login_name
from server.domain.permission import permit
from server.services.cases import holding, opening, owning, undoing
from server.services.cases.holding import Case
from server.store import accounts, cases
from server.store.accounts import Account
from server.store.engine import Store

# So many that somebody can still look through what it will do.
MANY_MAX: Final = 100

# Why a case stays with whom it is: what others have, and what there is not, are the same; it joined another; it is
# theirs already; that account could not handle it; it changed since it was looked at.
Obstacle = Literal["unknown", "joined", "same", "cannot", "stale"]


@dataclass(frozen=True)
class Plan:
    """What giving some cases to an owner would do: by reference, the version that was seen, and why others stay."""

    owner: str
    moves: Mapping[str, int]
    stays: Mapping[str, Obstacle]


@dataclass(frozen=True)
class Shared:
    """What giving cases to an owner did: by reference, the number of its entry, and why others stayed."""

    owner: str
    entries: Mapping[str, int]
    stays: Mapping[str, Obstacle]


def plan(store: Store, desk: Desk, refs: Sequence[str], owner: str) -> Plan:
    """What giving these cases to an owner would do, at most MANY_MAX of them. Raises NotFound for no such account."""
    moves: dict[str, int] = {}
    stays: dict[str, Obstacle] = {}
    with store.read() as connection:
        account = _account(connection, owner)
        held = holding.read(connection, desk, cases.with_refs(connection, refs[:MANY_MAX]))
    found = {each.file.ref: each for each in held.values()}
    for ref in refs[:MANY_MAX]:
        case = found.get(ref)
        obstacle = "unknown" if case is None or not _may_handle(desk, case) else _obstacle(case, account)
        if case is None or obstacle is not None:
            stays[ref] = obstacle or "unknown"
        else:
            moves[ref] = case.file.revision
    return Plan(account.name, moves, stays)


def share_out(store: Store, desk: Desk, seen: Mapping[str, int], owner: str) -> Shared:
    """Give cases, by reference with the version that was seen of each, to an owner, at most MANY_MAX of them.

    What one refuses does not hold up the others. Raises NotFound for no such account.
    """
    with store.read() as connection:
        account = _account(connection, owner)
    entries: dict[str, int] = {}
    stays: dict[str, Obstacle] = {}
    for ref, after in list(seen.items())[:MANY_MAX]:
        done = _given(store, desk, ref, after, account)
        if isinstance(done, int):
            entries[ref] = done
        else:
            stays[ref] = done
    return Shared(account.name, entries, stays)


def take_back(store: Store, desk: Desk, entries: Mapping[str, int]) -> int:
    """Undo entries of `share_out`, by reference, at most MANY_MAX; gives how many. What went on since stays so."""
    undone = 0
    for ref, no in list(entries.items())[:MANY_MAX]:
        try:
            undoing.undo(store, desk, ref, no)
        except (NotFound, RegroupingRefused, TransitionRefused):
            continue
        undone += 1
    return undone


def _given(store: Store, desk: Desk, ref: str, after: int, owner: Account) -> int | Obstacle:
    """The number of the entry, or why there is none."""
    try:
        with store.write() as connection:
            _, case = opening.take_seen(connection, desk, ref, after, {"owner": owner.name})
            # What was chosen is the case of this reference, not one that took its complaint in since.
            obstacle = "joined" if case.file.ref != ref else _obstacle(case, owner)
            return obstacle or owning.hand(connection, desk, case, owner.id)
    except StaleRevision:
        return "stale"
    except NotFound:
        return "unknown"


def _obstacle(case: Case, owner: Account) -> Obstacle | None:
    if not case.members:
        return "joined"
    if case.file.owner == owner.id:
        return "same"
    return None if owning.may_own(owner, case) else "cannot"


def _account(connection: sa.Connection, name: str) -> Account:
    account = accounts.by_login(connection, login_name(name))
    if account is None or account.state != accounts.ACTIVE:
        raise NotFound(object=name)
    return account


def _may_handle(desk: Desk, case: Case) -> bool:
    return all(permit(desk.actor, holding.ACTION, each) for each in case.facts.targets)
