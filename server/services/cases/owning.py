"""Owning: a case is given to whoever is to be responsible for it."""

from typing import Final

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.errors import NotFound, TransitionRefused
from server.domain.people import login_name
from server.domain.permission import permit
from server.services.cases import holding, opening
from server.services.cases.holding import Case
from server.store import accounts
from server.store.accounts import Account
from server.store.engine import Store
from server.store.timeline import Entry

OWNED: Final = "owned"


def give(store: Store, desk: Desk, number: str, owner: str, *, after: int) -> int:
    """Make the account of that name the owner of the case of a complaint; gives the number of the entry.

    `after`: the version that the actor saw. Raises NotFound where the actor does not handle every complaint of it, or
    that account could not, and StaleRevision.
    """
    with store.write() as connection:
        _, case = opening.take_seen(connection, desk, number, after, {"owner": owner})
        return hand(connection, desk, case, chosen(connection, case, owner))


def hand(connection: sa.Connection, desk: Desk, case: Case, account: str) -> int:
    """Make the account of that id the owner of a case that is held; gives the number of the entry."""
    entry = holding.entry_of(desk, case, OWNED, fields={"account": account})
    holding.leave(connection, case, entry, {"owner": account})
    holding.renew(connection, [case.file.id])
    return entry.no


def chosen(connection: sa.Connection, case: Case, name: str) -> str:
    """The id of the account of that name, which could own the case. Raises NotFound."""
    account = accounts.by_login(connection, login_name(name))
    if account is None or account.state != accounts.ACTIVE or not may_own(account, case):
        raise NotFound(object=name)
    return account.id


def candidates(connection: sa.Connection, case: Case) -> list[str]:
    """The names of those who could own a case."""
    known = accounts.active(connection, sa.true())
    return [each.name for each in known if may_own(each, case)]


def take_back(connection: sa.Connection, desk: Desk, case: Case, told: Entry) -> None:
    """Let a case that is held be whose it was before. Raises TransitionRefused where it was given on since."""
    if case.file.owner != told.fields["account"]:
        status = case.file.status
        raise TransitionRefused(status=status, to=status, faults=("not_last",), fault="not_last")
    entry = holding.entry_of(desk, case, holding.UNDONE, undoes=told.no)
    holding.leave(connection, case, entry, {"owner": told.before["owner"]})
    holding.renew(connection, [case.file.id])


def may_own(account: Account, case: Case) -> bool:
    """Whether an account could handle every complaint of a case."""
    return all(permit(account.actor, holding.ACTION, each) for each in case.facts.targets)
