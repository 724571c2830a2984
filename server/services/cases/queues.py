"""Queues: what waits for somebody, the most urgent first, and a case with all that a person at work needs of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from server.domain.case import Choice, Version
from server.domain.desk import Desk
from server.domain.permission import may_ever
from server.services.cases import hearing, holding, moving
from server.services.cases.hearing import Hearing
from server.services.cases.holding import ACTION, Case
from server.store import accounts, cases, links, registry, timeline
from server.store.cases import CaseFile, Waiting
from server.store.engine import Store
from server.store.links import Report
from server.store.scopes import scope_of
from server.store.timeline import Entry


@dataclass(frozen=True)
class Item:
    """Something that waits, by the registry number of its first complaint; `owner` is a name, empty for nobody."""

    number: str
    ref: str
    owner: str
    waiting: Waiting


@dataclass(frozen=True)
class Shown:
    """A case as a person sees it: complaints by registry number, how far what was told of each has come, entries with
    names, and what can come next. `named`: of accounts that entries are about, by id.

    `file` and `stands` are None for a complaint that nobody acted on; `version` is what an edit says to have seen.
    """

    file: CaseFile | None
    version: int
    stands: Version | None
    reports: Mapping[str, Report]
    hearings: Mapping[str, Hearing]
    entries: Sequence[tuple[str, Entry]]
    choices: Sequence[Choice]
    named: Mapping[str, str] = field(default_factory=dict)


def waiting(store: Store, desk: Desk, limit: int) -> list[Item]:
    """What waits in the actor's scope, at most `limit`: cases that are not closed, and complaints that nobody did
    anything with yet; the most urgent first, of these what waits longest. Nothing for whoever handles no case."""
    if not may_ever(desk.actor, ACTION):
        return []
    with store.read() as connection:
        found = cases.queue(connection, scope_of(desk.actor, [ACTION], desk.places), limit)
        numbers = registry.numbers_of(connection, [each.complaint for each in found])
        names = accounts.names(connection)
    return [_item(each, numbers, names) for each in found]


def show(store: Store, desk: Desk, number: str) -> Shown:
    """The case of a complaint as it stands. Raises NotFound where the actor does not handle every complaint of it."""
    with store.read() as connection:
        complaint = holding.complaint_of(connection, number)
        case = holding.look(connection, desk, complaint)
        complaints = [complaint] if case is None else case.complaints
        return shown(connection, desk, case, registry.numbers_of(connection, complaints))


def shown(connection: sa.Connection, desk: Desk, case: Case | None, numbers: Mapping[int, str]) -> Shown:
    """A case that the actor handles, and whose complaints have these registry numbers; None: nobody opened it yet."""
    reports = {numbers[id]: each for id, each in sorted(links.reports(connection, numbers).items())}
    if case is None:
        return Shown(None, 0, None, reports, {}, (), ())
    entries = timeline.of_case(connection, case.file.id)
    named = accounts.names(connection)
    names = holding.by_signature(named)
    heard = hearing.of_complaints(connection, numbers, entries, desk.now)
    return Shown(
        file=case.file,
        version=case.file.revision,
        stands=holding.told_version(case, entries, names, numbers),
        reports=reports,
        hearings={numbers[id]: each for id, each in heard.items()},
        entries=[(names.get(each.actor, ""), each) for each in entries],
        choices=moving.choices(case, desk),
        named=named,
    )


def _item(found: Waiting, numbers: Mapping[int, str], names: Mapping[str, str]) -> Item:
    number = numbers[found.complaint]
    return Item(number, found.ref or number, names.get(found.owner or "", ""), found)
