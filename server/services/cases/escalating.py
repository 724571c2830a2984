"""Escalating: who answers for a case hears that something in it is late, one after the other and each once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from server.domain.deadlines import Phone, ladder, to_tell
from server.domain.desk import Desk
from server.domain.errors import Busy, NotFound
from server.domain.permission import JOB, permit
from server.domain.places import Gazetteer
from server.services.cases import holding, opening
from server.services.cases.holding import ACTION, Case
from server.store import accounts, deputies, due, notices, phones
from server.store.accounts import Account
from server.store.due import Known
from server.store.engine import Store

# What a notice of it is called.
LATE: Final = "late"


def escalate_due(store: Store, places: Gazetteer | None, now: datetime) -> int:
    """Tell whoever is next of everything that is late by now; gives how many notices that makes.

    Each case in a transaction of its own: what is late is told once, however many hubs look.
    """
    desk = Desk(JOB, places, now)
    with store.read() as connection:
        found = due.to_tell(connection, now)
    return sum(_tell(store, desk, case, complaint) for case, complaint in found)


def _tell(store: Store, desk: Desk, id: int, complaint: int) -> int:
    """How many notices there are of the case; with which somebody is at work now is looked at the next time."""
    with store.read() as connection:
        # What waits for a phone, or for a rung that nobody has, is found each time: nobody waits to write for that.
        found = holding.read(connection, desk, [id])
        if not any(_late(connection, desk, each) for each in found.values()):
            return 0
    try:
        with store.write() as connection:
            case = opening.take(connection, desk, [complaint])[0][complaint]
            return _tell_of(connection, desk, case) if case.file.id == id else 0
    except (Busy, NotFound):
        return 0


def _tell_of(connection: sa.Connection, desk: Desk, case: Case) -> int:
    told = _late(connection, desk, case)
    for each, one in told:
        case = _note(connection, desk, case, each, one)
    if told:
        holding.renew(connection, [case.file.id])
    return len(told)


def _late(connection: sa.Connection, desk: Desk, case: Case) -> list[tuple[Known, str]]:
    """What of a case is late by now, each with an account to tell."""
    people = ladder(case.file.urgency, _named(connection, desk, case))
    known = due.of_cases(connection, [case.file.id])[case.file.id]
    asked = phones.of_deadlines(connection, known, desk.now)
    return [(each, one) for each in known for one in _to_tell(each, people, desk.now, asked.get(each.id, ()))]


def _to_tell(known: Known, people: Sequence[str], now: datetime, asked: Sequence[Phone]) -> tuple[str, ...]:
    """Whom to tell, by the device that the network reached last: nothing is late for whoever could not know of it."""
    return min((to_tell(known.stands, people, now, phone) for phone in asked or (None,)), key=len)


def _note(connection: sa.Connection, desk: Desk, case: Case, known: Known, to: str) -> Case:
    """Leave the entry and the notice; gives the case as it is then."""
    fields = {"deadline": known.stands.kind, "subject": known.subject, "account": to}
    entry = holding.entry_of(desk, case, holding.ESCALATED, fields=fields)
    holding.leave(connection, case, entry, {})
    key = f"{LATE}:{case.file.id}:{entry.no}:{to}"
    kind = known.stands.kind
    notices.tell(connection, account=to, code=LATE, key=key, at=desk.now, casefile=case.file.id, deadline=kind)
    return replace(case, file=replace(case.file, revision=entry.no))


def _named(connection: sa.Connection, desk: Desk, case: Case) -> Mapping[str, str]:
    """By rung, the account that is told: who is away has a deputy told in their place."""
    here = {each.id: each for each in accounts.active(connection, sa.true())}
    head, owner = accounts.head(connection), case.file.owner
    answers = owner if owner in here else _nearest(here, case)
    named = {"coordinator": answers, "network_head": None if head is None else head.id}
    known = {rung: id for rung, id in named.items() if id in here and id is not None}
    instead = deputies.of_accounts(connection, known.values(), desk.now.date())
    return {rung: instead.get(id, id) for rung, id in known.items()}


def _nearest(here: Mapping[str, Account], case: Case) -> str | None:
    """Of those who handle a case that is nobody's, whose scope is narrowest."""
    may = [each for each in here.values() if all(permit(each.actor, ACTION, target) for target in case.facts.targets)]
    nearest = min(may, key=_width, default=None)
    return None if nearest is None else nearest.id


def _width(each: Account) -> tuple[int, int, str]:
    scopes = (each.regions, each.teams, each.partners)
    return sum(not scope for scope in scopes), sum(map(len, scopes)), each.login
