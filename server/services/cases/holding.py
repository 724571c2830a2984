"""Holding cases: found as people name them, for whom they are permitted, locked, and changed with their timeline."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import sqlalchemy as sa

from server.domain import case as rules
from server.domain.case import CaseFacts, Left, Step, Version
from server.domain.casework import Status, Urgency
from server.domain.desk import Desk
from server.domain.errors import NotFound
from server.domain.permission import Action, Target, permit, signature_of, stood_for
from server.domain.timeline import ENDED, FOR, untold
from server.domain.urgency import read_word
from server.store import accounts, cases, due, referrals, registry, sealed, steps, timeline
from server.store.cases import CaseFile
from server.store.timeline import Entry

ACTION: Final[Action] = "handle_case"
FIRST: Final[Status] = "received"
OPENED: Final = "opened"
MOVED: Final = "moved"
UNDONE: Final = "undone"
ESCALATED: Final = "escalated"


@dataclass(frozen=True)
class Case:
    """A case in hand: its row, its complaints, and how its rules see it."""

    file: CaseFile
    members: Sequence[cases.Member]
    facts: CaseFacts

    @property
    def complaints(self) -> list[int]:
        """Its complaints, in the order of their ids."""
        return [each.complaint for each in self.members]


def complaint_of(connection: sa.Connection, number: str) -> int:
    """The complaint with this registry number; where that was erased, the first of the case called by it.

    Raises NotFound.
    """
    found = registry.complaint_numbered(connection, number)
    if found is None:
        case = cases.with_ref(connection, number.strip().upper())
        members = [] if case is None else cases.members(connection, [case])[case]
        if not members:
            raise NotFound(object=number)
        found = members[0].complaint
    return found


def look(connection: sa.Connection, desk: Desk, complaint: int) -> Case | None:
    """The case that has a complaint, None where nobody opened it yet. Raises NotFound as `take` does."""
    held = cases.holding(connection, [complaint])
    if not held:
        require(connection, desk, [complaint])
        return None
    [found] = read(connection, desk, held.values()).values()
    if not rules.permits(found.facts, desk.actor, ACTION):
        raise NotFound(object=complaint)
    return found


def read(connection: sa.Connection, desk: Desk, ids: Collection[int], *, is_locked: bool = False) -> dict[int, Case]:
    """Cases by id, whoever may handle them."""
    files = cases.find(connection, ids, is_locked=is_locked)
    members = cases.members(connection, files)
    about = {id: _about(file, members[id]) for id, file in files.items()}
    standings = sealed.standings(connection, {each for named in about.values() for each in named})
    counted = referrals.counted(connection, files)
    found = {}
    for id, file in files.items():
        targets = tuple(standings[each].target(desk.places) for each in about[id])
        found[id] = Case(file, members[id], _facts(connection, file, members[id], targets, counted.get(id, (0, 0))))
    return found


def leave(connection: sa.Connection, case: Case, entry: Entry, values: Mapping[str, Any]) -> None:
    """Set columns of a case that is held, and leave the entry of it; what was there before goes with the entry."""
    before = {name: cases.as_told(getattr(case.file, name)) for name in values}
    cases.set_columns(connection, case.file.id, values)
    timeline.append(connection, replace(entry, before={**before, **entry.before}))


def in_place(desk: Desk, case: Case, right: Action = ACTION) -> dict[str, str]:
    """In whose place somebody does what takes that right, as entries and the log say it; nothing of one's own doing."""
    instead = stood_for(desk.actor, right, case.facts.targets, case.file.owner)
    return {} if instead is None else {FOR: instead}


def entry_of(desk: Desk, case: Case, code: str, right: Action = ACTION, **values: Any) -> Entry:
    """The next entry of a case that is held; of what a deputy does, it says in whose place."""
    fields = values.pop("fields", {}) | in_place(desk, case, right)
    no, signature = case.file.revision + 1, desk.actor.signature
    return Entry(case.file.id, no, code, signature, desk.now, fields=fields, **values)


def renew(connection: sa.Connection, ids: Collection[int]) -> None:
    """Once something was done: these cases are as urgent as their complaints say, wait unless closed, and what is due
    of them is what their timelines make it."""
    cases.renew_standing(connection, ids)
    due.reckon(connection, ids)


def told_step(step: Step | None) -> dict[str, Any] | None:
    """What devices are told, as an entry of a timeline keeps it."""
    return None if step is None else {"template": step.template, "fields": dict(step.fields)}


def check_seen(
    connection: sa.Connection, case: Case, seen: int, wanted: Mapping[str, str], only: int | None = None
) -> None:
    """Raises StaleRevision, with both versions, unless the actor saw the case as it stands.

    Whoever saw the complaint before anybody did anything, 0, saw a case that somebody opened and did no more with.
    `only`: the one complaint of which the actor may hear; None for all of them.
    """
    stands = version(connection, case)
    if only is not None:
        own = registry.numbers_of(connection, [only])[only]
        stands = replace(stands, fields={**stands.fields, "complaints": own})
    is_fresh = case.file.status == FIRST and case.file.revision == 1
    rules.check_revision(1 if is_fresh and not seen else seen, wanted, stands)


def version(connection: sa.Connection, case: Case) -> Version:
    """The case as it stands, by whom: a name where it is a person's doing."""
    entries = timeline.of_case(connection, case.file.id)
    names = by_signature(accounts.names(connection))
    return told_version(case, entries, names, registry.numbers_of(connection, case.complaints))


def told_version(case: Case, entries: Sequence[Entry], names: Mapping[str, str], numbers: Mapping[int, str]) -> Version:
    """As `version`, of a case whose entries, names by how the log names people and registry numbers were read."""
    by, at = (names.get(entries[-1].actor, ""), entries[-1].at) if entries else ("", case.file.opened_at)
    fields = {"status": case.file.status, "urgency": case.file.urgency}
    fields |= {"owner": names[signature_of(case.file.owner)]} if case.file.owner else {}
    fields |= {"kind": case.file.kind} if case.file.kind else {}
    fields |= {"complaints": " ".join(sorted(numbers.values()))}
    return Version(case.file.revision, by, at, fields)


def by_signature(names: Mapping[str, str]) -> dict[str, str]:
    """Names of people by how the log names them, from those by the ids of their accounts."""
    return {signature_of(id): name for id, name in names.items()}


def reach(connection: sa.Connection, named: Collection[int], others: Collection[int]) -> set[int]:
    """The complaints of the cases that have these, and of the others, with those that the others were opened for."""
    ids = {*cases.holding(connection, named).values(), *others}
    opened = {each.complaint for each in cases.find(connection, others).values() if each.complaint is not None}
    members = (each.complaint for held in cases.members(connection, ids).values() for each in held)
    return {*named, *members, *opened}


def require(connection: sa.Connection, desk: Desk, complaints: Collection[int]) -> None:
    standings = sealed.standings(connection, complaints)
    for complaint in complaints:
        if complaint not in standings or not permit(desk.actor, ACTION, standings[complaint].target(desk.places)):
            raise NotFound(object=complaint)


def untold_of(connection: sa.Connection, case: int, complaints: Collection[int]) -> frozenset[int]:
    """Those of the complaints of a case of which nobody is known to have heard what became of it."""
    return untold(timeline.of_case(connection, case), complaints, steps.seen_of(connection, case))


def _about(file: CaseFile, members: Sequence[cases.Member]) -> list[int]:
    """The complaints that a case is about: of a duplicate, the one that it was opened for."""
    return [each.complaint for each in members] or ([] if file.complaint is None else [file.complaint])


def _facts(
    connection: sa.Connection,
    file: CaseFile,
    members: Sequence[cases.Member],
    targets: tuple[Target, ...],
    sent: tuple[int, int],
) -> CaseFacts:
    """`sent`: how many referrals stand, and how many of these have no answer."""
    named = frozenset(each.complaint for each in members)
    status = cast(Status, file.status)
    left = None
    if file.left_status is not None and file.left_since is not None:
        left = Left(cast(Status, file.left_status), file.left_since)
    return CaseFacts(
        id=file.id,
        status=status,
        since=file.status_since,
        revision=file.revision,
        urgency=cast(Urgency, file.urgency),
        complaints=named,
        targets=targets,
        opened_for=file.complaint,
        withdrawn=frozenset(each.complaint for each in members if each.is_withdrawn),
        owner=file.owner,
        kind=file.kind,
        moved_by=file.moved_by,
        word=read_word(file.word),
        has_answer=status == "needs_information" and cases.has_answer(connection, named, file.status_since),
        was_paused=file.was_paused,
        is_told=status in ENDED and not untold_of(connection, file.id, named),
        referrals=sent[0],
        referrals_waiting=sent[1],
        joined_into=file.joined_into,
        left=left,
    )
