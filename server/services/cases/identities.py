"""Identities: of which complaints of a case somebody may open them, who else may, and who sees that it was done."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from server.domain.complaint import Person
from server.domain.desk import Desk
from server.domain.errors import NotFound
from server.domain.people import KEY_ROLES
from server.domain.permission import Target, may_ever, permit
from server.services.cases import holding, opening
from server.store import accounts, cases, notices, recipients, referrals, registry, sealed
from server.store.accounts import Account
from server.store.engine import Store

ASKED = "identity_asked"
_VERSION_DIGITS: Final = 16


@dataclass(frozen=True)
class Closed:
    """One complaint with its identity: `readers` are the names of the others who may open it, by assignment.

    `people`: whom its facts speak of, without a name. `assigned`: ids of the accounts that have it.
    """

    number: str
    complaint: int
    may_open: bool
    readers: Sequence[str]
    people: Sequence[Person]
    assigned: frozenset[str]


@dataclass(frozen=True)
class Look:
    """Who opened an identity of the case, when and why."""

    name: str
    at: datetime
    reason: str


@dataclass(frozen=True)
class Access:
    """The identities of a case, or of a complaint that nobody acted on, by its number.

    `watchers`: names of those who see in the case that one was opened; `chargeable`: of those who could be given it.
    """

    number: str
    closed: Sequence[Closed]
    watchers: Sequence[str]
    chargeable: Sequence[str]
    looks: Sequence[Look] = field(repr=False)
    handles: bool

    @property
    def may_open(self) -> bool:
        """Whether one of them opens for the actor."""
        return any(each.may_open for each in self.closed)

    @property
    def version(self) -> str:
        """Another one as soon as a complaint comes or goes, or is assigned to somebody else."""
        told = (f"{each.complaint} {' '.join(sorted(each.assigned))}" for each in self.closed)
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:_VERSION_DIGITS]

    @property
    def readers(self) -> list[str]:
        """The names of those who could open what the actor may not."""
        return sorted({name for each in self.closed if not each.may_open for name in each.readers})


def access(store: Store, desk: Desk, number: str) -> Access:
    """Who may open the identities of the case of a complaint, as far as the actor may find its complaints.

    Raises NotFound where the actor may not find that one.
    """
    with store.read() as connection:
        return _access(connection, desk, number)


def ask(store: Store, desk: Desk, number: str, reader: str) -> None:
    """Let a reader of the case, by name, hear that the actor asks for an identity; once a day.

    Raises NotFound where the actor does not handle the case, or nobody of that name may open one.
    """
    with store.write() as connection:
        complaint = holding.complaint_of(connection, number)
        case = opening.take(connection, desk, [complaint])[0][complaint]
        found = next((each for each in accounts.listed(connection) if each.name == reader), None)
        if found is None or reader not in _access(connection, desk, number).readers:
            raise NotFound(object=reader)
        key = f"asked:{case.file.id}:{found.id}:{desk.actor.id}:{desk.now.date()}"
        notices.tell(connection, account=found.id, code=ASKED, key=key, at=desk.now, casefile=case.file.id)


def account_called(store: Store, name: str) -> str:
    """The id of the account of that name. Raises NotFound."""
    with store.read() as connection:
        found = next((each.id for each in accounts.active(connection, sa.true()) if each.name == name), None)
    if found is None:
        raise NotFound(object=name)
    return found


def _access(connection: sa.Connection, desk: Desk, number: str) -> Access:
    asked = holding.complaint_of(connection, number)
    targets = _targets(connection, desk, asked)
    found = {id: target for id, target in targets.items() if permit(desk.actor, "find_complaint", target)}
    if asked not in found:
        raise NotFound(object=number)
    known = accounts.active(connection, sa.true())
    numbers = registry.numbers_of(connection, found)
    people = referrals.people_of(connection, found)
    closed = [_closed(desk, known, id, target, numbers[id], people.get(id, ())) for id, target in found.items()]
    finders = [each for each in known if _may_all(each, found.values())]
    return Access(
        number=_number(connection, desk, asked, numbers),
        closed=closed,
        watchers=[each.name for each in finders if each.id != desk.actor.id],
        chargeable=[each.name for each in known if _could_read(each, found.values())],
        looks=_looks(connection, found),
        handles=all(permit(desk.actor, holding.ACTION, each) for each in targets.values()),
    )


def _targets(connection: sa.Connection, desk: Desk, complaint: int) -> dict[int, Target]:
    """The complaints of the case that has one, as permission sees them."""
    complaints = holding.reach(connection, [complaint], ())
    assigned = recipients.assigned_to(connection, complaints)
    standings = sealed.standings(connection, sorted(complaints))
    return {id: each.target(desk.places, assigned.get(id)) for id, each in sorted(standings.items())}


def _number(connection: sa.Connection, desk: Desk, asked: int, numbers: Mapping[int, str]) -> str:
    """The reference of the case, where the actor handles cases; else the number that was asked for."""
    held = cases.holding(connection, [asked])
    if not held or not may_ever(desk.actor, holding.ACTION):
        return numbers[asked]
    return cases.find(connection, held.values())[held[asked]].ref


def _closed(
    desk: Desk, known: Sequence[Account], id: int, target: Target, number: str, people: Sequence[Person]
) -> Closed:
    readers = [each.name for each in known if each.id != desk.actor.id and permit(each.actor, "read_identity", target)]
    return Closed(number, id, permit(desk.actor, "read_identity", target), readers, people, target.assigned)


def _may_all(account: Account, targets: Collection[Target]) -> bool:
    return all(permit(account.actor, "find_complaint", each) for each in targets)


def _could_read(account: Account, targets: Collection[Target]) -> bool:
    """Whether the account could open them all, once they are assigned to it."""
    own = (replace(each, assigned=each.assigned | {account.id}) for each in targets)
    return account.role in KEY_ROLES and all(permit(account.actor, "read_identity", each) for each in own)


def _looks(connection: sa.Connection, complaints: Collection[int]) -> list[Look]:
    names = accounts.names(connection)
    found = recipients.openings_of(connection, complaints, "identity")
    return [Look(names[each.account], each.at, each.reason) for each in found]
