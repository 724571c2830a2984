"""Sharing out: many cases that somebody chose are given to one owner, each by an act of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.errors import NotFound, SeereError, StaleRevision
from server.domain.people import login_name
from server.domain.permission import permit
from server.services.cases import holding, opening, owning, together, undoing
from server.services.cases.holding import Case
from server.store import accounts, cases
from server.store.accounts import Account
from server.store.engine import Store

# So many that somebody can still look through what it will do.
MANY_MAX: Final = 100

# Why a case stays with whom it is: what others have, and what there is not, are the same; it joined another; it is
# theirs already; that account could not handle it; it changed since it was looked at; the hub could not just then.
Obstacle = Literal["unknown", "joined", "same", "cannot", "stale", "failed"]
_OBSTACLES: Final[Mapping[str, Obstacle]] = {NotFound.code: "unknown", StaleRevision.code: "stale"}


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
    """Give cases, by reference with the version that was seen of each, to an owner.

    What one refuses does not hold up the others. Raises NotFound for no such account, and TooMany past MANY_MAX.
    """
    with store.read() as connection:
        account = _account(connection, owner)
    found = together.each(seen.items(), lambda ref, after: _given(store, desk, ref, after, account.login), MANY_MAX)
    refused = {ref: _OBSTACLES.get(error.code, "failed") for ref, error in found.stays.items()}
    entries = {ref: told for ref, told in found.done.items() if isinstance(told, int)}
    stays = {ref: told for ref, told in found.done.items() if not isinstance(told, int)}
    return Shared(account.name, entries, stays | refused)


def take_back(store: Store, desk: Desk, entries: Mapping[str, int]) -> Mapping[str, SeereError]:
    """Undo entries of `share_out`, by reference; gives why a case stays with whom it is. Raises TooMany."""
    return together.each(entries.items(), lambda ref, no: undoing.undo(store, desk, ref, no), MANY_MAX).stays


def _given(store: Store, desk: Desk, ref: str, after: int, login: str) -> int | Obstacle:
    """The number of the entry, or what is in its way."""
    with store.write() as connection:
        # As the account stands now: meanwhile it may have been closed, or have lost its regions.
        owner = _account(connection, login)
        _, case = opening.take_seen(connection, desk, ref, after, {"owner": owner.name})
        # What was chosen is the case of this reference, not one that took its complaint in since.
        obstacle = "joined" if case.file.ref != ref else _obstacle(case, owner)
        return obstacle or owning.hand(connection, desk, case, owner.id)


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
