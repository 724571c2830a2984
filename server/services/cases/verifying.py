"""Verifying: acts are looked into by others than those who recorded them, and what courts decide is noted."""

from collections.abc import Mapping, Sequence
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
from server.domain.permission import JOB, Action, permit
from server.domain.timeline import step_of
from server.domain.verification import Basis, Finding, State, Sum
from server.services.cases import holding, opening
from server.services.cases.holding import Case
from server.store import devices, findings, recipients, registry, sealed, tasks
from server.store.engine import Store

ACTION: Final[Action] = "verify_act"
_NEW: Final[State] = "unverified"


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

    Whoever recorded or revised the complaint does not verify it. Raises as `begin`, and FindingRefused (`device`) for a
    device that nobody sent there.
    """
    with store.write() as connection:
        case, complaint = _take(connection, desk, number, kind, after)
        verifier = desk.actor.id if not said.device else _lineage(connection, complaint, said.device)
        before = findings.standing(connection, [complaint]).get((complaint, kind))
        no, stands = (0, None) if before is None else before
        today = desk.now.date()
        claimed = findings.claimed(connection, complaint)
        made = rules.conclude(
            stands or Finding(complaint, kind, "unverified"),
            said.state,
            Basis(verifier, said.method, said.sources, said.certainty, said.verified_on),
            collectors=claimed.collectors,
            happened_by=claimed.happened_by,
            received_on=claimed.received_on,
            today=today,
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
        numbers = registry.numbers_of(connection, complaints)
        known = findings.acts_of(connection, complaints)
        found = {key: each for key, (_, each) in findings.standing(connection, complaints).items()}
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


def _leave(
    connection: sa.Connection, desk: Desk, case: Case, complaint: int, code: str, fields: Mapping[str, object]
) -> None:
    at = steps.tells_at(desk.now)
    entry = holding.entry_of(desk, case, code, ACTION, complaint=complaint, fields=dict(fields), undo_until=at)
    holding.leave(connection, case, entry, {})
    holding.renew(connection, [case.file.id])


def _lineage(connection: sa.Connection, complaint: int, device: str) -> str:
    """That of the device called so, where it is one of the team that sent the complaint, or was given a task of it."""
    team = devices.team_of(connection, tasks.collector_of(connection, complaint))
    given = {lineage for lineage, _ in tasks.ids_of(connection, complaint)}
    for each in devices.all_called(connection, device):
        if each.lineage in given or (team is not None and team == devices.team_of(connection, each.lineage)):
            return each.lineage
    raise FindingRefused(fault="device", faults=("device",))


