"""Deputies: whoever is away has a named person work in their place, from day to day; each act is logged as that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import uuid4

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.errors import DeputyRefused, NotFound
from server.domain.people import KEY_ROLES, login_name
from server.domain.permission import JOB, Target, permit
from server.domain.places import Gazetteer
from server.store import accounts, audit, deputies, recipients, sealed
from server.store.accounts import Account
from server.store.deputies import Deputation
from server.store.engine import Store

# Whoever coordinates can do what a verifier does, and not the other way round.
_ANY: Final = "coordinator"
_PAGE: Final = 500


@dataclass(frozen=True)
class Named:
    """A deputation by names, and the id of the deputy's account; `is_own`: the actor is away, and can give the keys."""

    id: str
    account: str
    deputy: str
    deputy_id: str
    from_day: str
    to_day: str
    is_own: bool


def name(store: Store, desk: Desk, account: str, deputy: str, from_day: date, to_day: date) -> Named:
    """Let somebody stand in for an account from day to day, both counted; `vault.handing_on` hands on the keys.

    `account` and `deputy` are names. Raises NotFound where the actor may not say so, or there is nobody of that name,
    and DeputyRefused: `self`, `role`, `days`, or `there` where somebody stands in on one of these days.
    """
    with store.write() as connection:
        whose = _known(connection, account)
        if not permit(desk.actor, "name_deputy", Target(is_own=whose.id == desk.actor.id)):
            raise NotFound(object=account)
        who = _known(connection, deputy)
        _check(whose, who, from_day, to_day, desk.now.date())
        # Whoever names another one at this moment waits.
        accounts.lock(connection, whose.id)
        standing = (each for each in deputies.listed(connection, from_day) if each.account == whose.id)
        if any(each.from_day <= to_day.isoformat() for each in standing):
            raise DeputyRefused(fault="there", name=whose.name)
        days = from_day.isoformat(), to_day.isoformat()
        made = Deputation(str(uuid4()), whose.id, who.id, *days, desk.actor.signature, desk.now)
        names = {whose.id: whose.name, who.id: who.name}
        deputies.add(connection, made)
        _note(connection, desk, "name_deputy", made)
    return _named(desk, made, names)


def listed(store: Store, desk: Desk) -> list[Named]:
    """The deputations that stand today or later: those of the actor, and for whoever names anybody's all."""
    with store.read() as connection:
        found = deputies.listed(connection, desk.now.date())
        names = accounts.names(connection)
    seen = [each for each in found if desk.actor.id == each.deputy or _may(desk, each)]
    return [_named(desk, each, names) for each in seen]


def end(store: Store, desk: Desk, id: str) -> None:
    """End a deputation now, and take the keys back that the deputy had by it. Raises NotFound where there is none that
    stands, or it is not the actor's to end."""
    with store.write() as connection:
        found = deputies.find(connection, id)
        if found is None or not _may(desk, found) or not deputies.end(connection, id, desk.now):
            raise NotFound(object=id)
        _note(connection, desk, "end_deputy", found)
    take_keys(store, desk.places, desk.now)


def take_keys(store: Store, places: Gazetteer | None, now: datetime) -> int:
    """Take from deputies whose time is over the keys that the hub sealed to them of what they may not read by
    themselves, nor as deputies of others; gives how many keys that were. Safe to run again."""
    with store.read() as connection:
        found = deputies.over(connection, now.date())
    return sum(_take_keys(store, each, places, now) for each in found)


def _take_keys(store: Store, ended: Deputation, places: Gazetteer | None, now: datetime) -> int:
    count, after = 0, (0, "")
    while True:
        with store.write() as connection:
            page = recipients.wrapped_for(connection, ended.deputy, after, _PAGE)
            lost = _lost(connection, ended.deputy, page, places, now)
            recipients.drop_wraps(connection, lost)
            count += len(lost)
            if len(page) < _PAGE:
                deputies.note_keys_gone(connection, ended.id, now)
                details = {"dropped": count, "account": ended.account}
                object = f"account:{ended.deputy}"
                actor = JOB.signature
                audit.record(connection, at=now, actor=actor, action="take_keys", object=object, details=details)
                return count
        after = page[-1][:2]


def _lost(
    connection: sa.Connection,
    account: str,
    page: Sequence[tuple[int, str, int]],
    places: Gazetteer | None,
    now: datetime,
) -> list[tuple[int, str]]:
    """Which of these sealed keys, by received id and key id, are of complaints that the account may not read."""
    known = accounts.find(connection, account)
    assert known is not None
    reader, complaints = deputies.promised(connection, known.actor, now.date()), {each for _, _, each in page}
    standings, assigned = sealed.standings(connection, complaints), recipients.assigned_to(connection, complaints)
    targets = {id: each.target(places, assigned.get(id)) for id, each in standings.items()}
    may = {id for id, target in targets.items() if permit(reader, "read_statement", target)}
    return [(received, kid) for received, kid, complaint in page if complaint not in may]


def _named(desk: Desk, each: Deputation, names: Mapping[str, str]) -> Named:
    is_own = each.account == desk.actor.id
    whose, who = names[each.account], names[each.deputy]
    return Named(each.id, whose, who, each.deputy, each.from_day, each.to_day, is_own)


def _may(desk: Desk, found: Deputation) -> bool:
    return permit(desk.actor, "name_deputy", Target(is_own=found.account == desk.actor.id))


def _known(connection: sa.Connection, name: str) -> Account:
    found = accounts.by_login(connection, login_name(name))
    if found is None or found.state != accounts.ACTIVE:
        raise NotFound(object=name)
    return found


def _check(whose: Account, who: Account, from_day: date, to_day: date, today: date) -> None:
    if whose.id == who.id:
        raise DeputyRefused(fault="self")
    if whose.role not in KEY_ROLES or who.role not in (whose.role, _ANY):
        raise DeputyRefused(fault="role", name=who.name)
    if to_day < from_day or to_day < today:
        raise DeputyRefused(fault="days")


def _note(connection: sa.Connection, desk: Desk, action: str, made: Deputation) -> None:
    details = {"deputy": made.deputy, "from": made.from_day, "to": made.to_day}
    object = f"account:{made.account}"
    audit.record(connection, at=desk.now, actor=desk.actor.signature, action=action, object=object, details=details)
