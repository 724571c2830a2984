"""Escalating: who answers for a case hears that something in it is late, one after the other and each once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
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
# Somebody may be named in that time for a rung of the ladder that nobody has.
_AGAIN: Final = timedelta(days=1)
_PAGE: Final = 100


def escalate_due(store: Store, places: Gazetteer | None, now: datetime) -> int:
    """Tell whoever is next of everything that is late by now; gives how many notices that makes.

    Each case in a transaction of its own: what is late is told once, however many hubs look.
    """
    desk = Desk(JOB, places, now)
    count, after = 0, 0
    while found := _page(store, now, after):
        count += sum(_tell(store, desk, case, complaint) for case, complaint in found)
        after = found[-1][0]
    return count


def _page(store: Store, now: datetime, after: int) -> list[tuple[int, int]]:
    with store.read() as connection:
        return due.to_tell(connection, now, _PAGE, after)


def _tell(store: Store, desk: Desk, id: int, complaint: int) -> int:
    """How many notices there are of the case; with which somebody is at work now is looked at the next time."""
    with store.read() as connection:
        # What waits for a phone is found each time: nobody waits to write for that.
        cases = holding.read(connection, desk, [id]).values()
        is_late = any(_late(connection, desk, each) for each in cases)
        told_out = [each for case in cases for each in _told_out(connection, desk, case)]
    if not is_late:
        _look_again(store, told_out, desk.now)
        return 0
    try:
        with store.write() as connection:
            case = opening.take(connection, desk, [complaint])[0][complaint]
            return _tell_of(connection, desk, case) if case.file.id == id else 0
    except (Busy, NotFound):
        return 0


def _look_again(store: Store, deadlines: Sequence[int], now: datetime) -> None:
    """Of what nobody is left to hear, see tomorrow whether somebody is."""
    if deadlines:
        with store.write() as connection:
            due.look_again(connection, deadlines, now, now + _AGAIN)


def _tell_of(connection: sa.Connection, desk: Desk, case: Case) -> int:
    told = _late(connection, desk, case)
    for each, one in told:
        case = _note(connection, desk, case, each, one)
    if told:
        holding.renew(connection, [case.file.id])
    return len(told)


def _late(connection: sa.Connection, desk: Desk, case: Case) -> list[tuple[Known, str]]:
    """What of a case is late by now, each with an account to tell."""
    known = _ladders(connection, desk, case)
    asked = phones.of_deadlines(connection, [each for each, _ in known], desk.now)
    return [(each, one) for each, people in known for one in _to_tell(each, people, desk.now, asked.get(each.id, ()))]


def _ladders(connection: sa.Connection, desk: Desk, case: Case) -> list[tuple[Known, Sequence[str]]]:
    """The deadlines of a case, each with the accounts that are to hear of it, in order."""
    named, urgency = _named(connection, desk, case), case.file.urgency
    known = due.of_cases(connection, [case.file.id])[case.file.id]
    return [(each, ladder(each.stands.kind, urgency, named)) for each in known]


def _told_out(connection: sa.Connection, desk: Desk, case: Case) -> list[int]:
    """What of a case is late, by the ids of deadlines, and everybody has heard of it who can hear now."""
    late = (each for each in _ladders(connection, desk, case) if each[0].stands.state(desk.now) == "late")
    return [known.id for known, people in late if known.stands.told.issuperset(people)]


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
