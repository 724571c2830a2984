"""Verifying: acts are looked into by others than those who recorded them, and what courts decide is noted."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import sqlalchemy as sa

from server.domain import act as acts
from server.domain import timeline as steps
from server.domain import verification as rules
from server.domain.act import Act, Judgement
from server.domain.desk import Desk
from server.domain.errors import FindingRefused, JudgementRefused, NotFound
from server.domain.permission import JOB, Action, Target, permit
from server.domain.timeline import step_of
from server.domain.verification import Basis, Finding, State, Sum
from server.services.cases import holding, opening
from server.services.cases.holding import Case
from server.store import accounts, cases, devices, findings, recipients, registry, sealed, tasks
from server.store.engine import Store

ACTION: Final[Action] = "verify_act"
_NEW: Final[State] = "unverified"
_READY: Final = "ready"


@dataclass(frozen=True)
class Concluded:
    """What somebody found out about an act. `device`: the name of the one that went there, of the team of the complaint
    or with a task of it; empty: the actor did."""

    state: State
    method: str
    sources: int
    certainty: str
    verified_on: date
    device: str = ""


@dataclass(frozen=True)
class Looked:
    """The acts of a case with what they are held to be: `found` by complaint and kind; `sum` is what they come to."""

    acts: Sequence[tuple[str, Act]]
    found: Mapping[tuple[int, str], Finding]
    sum: Sum


@dataclass(frozen=True)
class LookedInto:
    """An act as whoever verifies it sees it. `verifier`: a name, or the label of a device; empty before a finding.

    `is_late`: a finding of today is. `needs_second`: it is strict and the actor began with it, so that somebody else
    concludes, or a device goes there.
    """

    number: str
    act: Act
    found: Finding | None
    verifier: str
    is_late: bool
    needs_second: bool


@dataclass(frozen=True)
class Visitor:
    """A device that may have gone there for a complaint: `name` as `Concluded` takes it. `is_collector`: it recorded or
    revised the complaint, so that it does not verify it."""

    number: str
    name: str
    label: str
    is_collector: bool


@dataclass(frozen=True)
class Work:
    """What there is to verify of a case, or of a complaint, by its `number`; `version`: what an edit says to have seen.

    `is_handler`: the actor handles all of the case.
    """

    number: str
    version: int
    acts: Sequence[LookedInto]
    devices: Sequence[Visitor]
    is_handler: bool


def begin(store: Store, desk: Desk, number: str, kind: str, *, after: int, reason: str | None = None) -> Finding:
    """An act of a complaint is being verified; again, for a coded reason, where it was before. Devices are told.

    Raises NotFound for a complaint that the actor may not verify, or an act that it does not report, StaleRevision
    and FindingRefused.
    """
    with store.write() as connection:
        case, complaint = _take(connection, desk, number, kind, after)
        before = findings.standing(connection, [complaint]).get((complaint, kind))
        no, stands = (0, None) if before is None else before
        made = rules.begin(stands, complaint, kind, reason=reason)
        findings.add(connection, no + 1, made, desk.actor.signature, desk.now)
        step = step_of("verifying", {}, is_strict=case.facts.is_strict)
        fields = {"act": kind, "no": no + 1} | ({} if made.reason is None else {"reason": made.reason})
        at = steps.tells_at(desk.now)
        entry = holding.entry_of(
            desk,
            case,
            "verifying",
            ACTION,
            complaint=complaint,
            fields=fields,
            undo_until=at,
            step=holding.told_step(step),
            tells_at=at,
        )
        holding.leave(connection, case, entry, {})
        holding.renew(connection, [case.file.id])
    return made


def conclude(store: Store, desk: Desk, number: str, kind: str, said: Concluded, *, after: int) -> Finding:
    """The finding on an act that is under verification, by the actor or by a device that went there.

    Whoever recorded or revised the complaint does not verify it, and of what is strict somebody else concludes than
    who began, or a device went there. Raises as `begin`, and FindingRefused (`device`) for a
    device that nobody sent there.
    """
    with store.write() as connection:
        case, complaint = _take(connection, desk, number, kind, after)
        verifier = desk.actor.id if not said.device else _lineage(connection, complaint, said.device)
        before = findings.standing(connection, [complaint]).get((complaint, kind))
        no, stands = (0, None) if before is None else before
        today = desk.now.date()
        claimed = findings.claimed(connection, [complaint])[complaint]
        is_alone = not said.device and _needs_second(connection, desk, case, complaint, kind)
        made = rules.conclude(
            stands or Finding(complaint, kind, "unverified"),
            said.state,
            Basis(verifier, said.method, said.sources, said.certainty, said.verified_on),
            collectors=claimed.collectors,
            happened_by=claimed.happened_by,
            received_on=claimed.received_on,
            today=today,
            is_alone=is_alone,
        )
        findings.add(connection, no + 1, made, desk.actor.signature, desk.now)
        fields = {"act": kind, "no": no + 1, "state": made.state}
        _leave(connection, desk, case, complaint, "found", fields)
    return made


def judge(store: Store, desk: Desk, number: str, person: int, said: Judgement, *, after: int) -> int:
    """What a court decided of a person whom a complaint accuses, by number in its facts; gives the number of the
    decision.

    Raises NotFound where the actor does not handle every complaint of the case, StaleRevision and JudgementRefused:
    `nobody` accused, decided for good (`final`), an unknown `court`, a `day` that has not come.
    """
    if said.court not in rules.COURTS:
        raise JudgementRefused(fault="court")
    if said.on > desk.now.date():
        raise JudgementRefused(fault="day")
    with store.write() as connection:
        complaint, case = opening.take_seen(connection, desk, number, after, {"judged": str(person)})
        for each in findings.acts_of(connection, [complaint]):
            acts.judge(each, person, said)
        no = findings.add_judgement(connection, complaint, person, said, desk.actor.signature, desk.now)
        _leave(connection, desk, case, complaint, "judged", {"person": person, "no": no})
    return no


def look(store: Store, desk: Desk, number: str) -> Looked:
    """The acts of the case of a complaint. Raises NotFound where the actor does not handle every complaint of it."""
    with store.read() as connection:
        complaint = holding.complaint_of(connection, number)
        case = holding.look(connection, desk, complaint)
        complaints = [complaint] if case is None else case.complaints
        return looked(connection, registry.numbers_of(connection, complaints))


def work(store: Store, desk: Desk, number: str) -> Work:
    """The acts of the case of a complaint that the actor may verify: a verifier has single complaints.

    Raises NotFound where the actor may not verify that one.
    """
    with store.read() as connection:
        asked = holding.complaint_of(connection, number)
        targets = _targets(connection, desk, holding.reach(connection, [asked], ()))
        mine = sorted(id for id, target in targets.items() if permit(desk.actor, ACTION, target))
        if asked not in mine:
            raise NotFound(object=number)
        held = cases.holding(connection, [asked])
        file = cases.find(connection, held.values())[held[asked]] if held else None
        numbers = registry.numbers_of(connection, mine)
        is_handler = all(permit(desk.actor, holding.ACTION, each) for each in targets.values())
        return Work(
            number=file.ref if file is not None and is_handler else numbers[asked],
            version=0 if file is None else file.revision,
            acts=_looked_into(connection, desk, numbers, targets),
            devices=_visitors(connection, numbers),
            is_handler=is_handler,
        )


def looked(connection: sa.Connection, numbers: Mapping[int, str]) -> Looked:
    """The acts of complaints, by registry number, that the actor may read."""
    known = findings.acts_of(connection, numbers)
    found = {key: each for key, (_, each) in findings.standing(connection, numbers).items()}
    held = (found.get((each.complaint, each.kind)) for each in known)
    states = [_NEW if each is None else each.state for each in held]
    return Looked([(numbers[each.complaint], each) for each in known], found, rules.summed(states))


def _take(connection: sa.Connection, desk: Desk, number: str, kind: str, after: int) -> tuple[Case, int]:
    """The case of a complaint that the actor may verify: a verifier has the complaint alone, and not the case."""
    complaint = holding.complaint_of(connection, number)
    case = opening.take(connection, replace(desk, actor=JOB), [complaint])[0][complaint]
    # Once it is locked: what it was revised to just now counts.
    standing = sealed.standings(connection, [complaint])[complaint]
    assigned = recipients.assigned_to(connection, [complaint]).get(complaint, frozenset())
    if not permit(desk.actor, ACTION, standing.target(desk.places, assigned)):
        raise NotFound(object=number)
    holding.check_seen(connection, case, after, {"verified": kind}, only=complaint)
    if kind not in {each.kind for each in findings.acts_of(connection, [complaint])}:
        raise NotFound(object=kind)
    # By whose assignment it is done, a deputy's entry says.
    targets = tuple(replace(each, assigned=assigned) for each in case.facts.targets)
    return replace(case, facts=replace(case.facts, targets=targets)), complaint


def _needs_second(connection: sa.Connection, desk: Desk, case: Case, complaint: int, kind: str) -> bool:
    """Whether somebody else has to conclude on an act: it is strict, and the actor began with it."""
    began = findings.authors(connection, [complaint]).get((complaint, kind))
    return case.facts.is_strict and began == desk.actor.signature


def _leave(
    connection: sa.Connection, desk: Desk, case: Case, complaint: int, code: str, fields: Mapping[str, object]
) -> None:
    at = steps.tells_at(desk.now)
    entry = holding.entry_of(desk, case, code, ACTION, complaint=complaint, fields=dict(fields), undo_until=at)
    holding.leave(connection, case, entry, {})
    holding.renew(connection, [case.file.id])


def _targets(connection: sa.Connection, desk: Desk, complaints: Collection[int]) -> dict[int, Target]:
    assigned = recipients.assigned_to(connection, complaints)
    standings = sealed.standings(connection, complaints)
    return {id: each.target(desk.places, assigned.get(id)) for id, each in standings.items()}


def _looked_into(
    connection: sa.Connection, desk: Desk, numbers: Mapping[int, str], targets: Mapping[int, Target]
) -> list[LookedInto]:
    stands, claims = findings.standing(connection, numbers), findings.claimed(connection, numbers)
    authors = findings.authors(connection, numbers)
    names = accounts.names(connection)
    bases = [made.basis for _, made in stands.values() if made.basis is not None]
    names |= devices.labels_of(connection, {each.verifier for each in bases} - names.keys())
    today, is_strict = desk.now.date(), any(each.is_strict for each in targets.values())
    made = []
    for act in findings.acts_of(connection, numbers):
        _, found = stands.get((act.complaint, act.kind), (0, None))
        claim = claims[act.complaint]
        is_own = authors.get((act.complaint, act.kind)) == desk.actor.signature
        made.append(
            LookedInto(
                number=numbers[act.complaint],
                act=act,
                found=found,
                verifier=names.get(found.basis.verifier, "") if found and found.basis else "",
                is_late=rules.is_late(claim.happened_by, claim.received_on, today),
                needs_second=is_strict and is_own,
            )
        )
    return made


def _visitors(connection: sa.Connection, numbers: Mapping[int, str]) -> list[Visitor]:
    """Devices in use of the teams that sent the complaints, and those with a task of one."""
    known = [each for each in devices.listed(connection) if each.state == _READY]
    teams = {each.lineage: each.team for each in known}
    given = {(each.complaint, each.lineage) for each in tasks.of_complaints(connection, numbers)}
    made = []
    for id, claim in findings.claimed(connection, numbers).items():
        near = {teams.get(lineage) for lineage in claim.collectors} - {None}
        for each in known:
            if each.team in near or (id, each.lineage) in given:
                is_collector = each.lineage in claim.collectors
                made.append(Visitor(numbers[id], f"M-{each.number}", each.label, is_collector))
    return made


def _lineage(connection: sa.Connection, complaint: int, device: str) -> str:
    """That of the device called so, where it is one of the team that sent the complaint, or was given a task of it."""
    team = devices.team_of(connection, tasks.collector_of(connection, complaint))
    given = {lineage for lineage, _ in tasks.ids_of(connection, complaint)}
    for each in devices.all_called(connection, device):
        if each.lineage in given or (team is not None and team == devices.team_of(connection, each.lineage)):
            return each.lineage
    raise FindingRefused(fault="device", faults=("device",))
