"""Filing: read lines become rows, inside the caller's transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from client_sync.protocol.canonical import Operation
from client_sync.protocol.codes import ALREADY_HELD, CONFLICT, QUARANTINED, STORED
from server.domain import revision
from server.domain.complaint import clear_facts, is_ahead_of, parse_complaint
from server.domain.places import Gazetteer
from server.services.intake.reading import Line, Outcome, read_line, rejected, set_aside
from server.store import changes, complaints, devices, quarantine
from server.store.complaints import Filed, Origin, Received
from server.store.dialect import is_damage, is_full
from server.store.quarantine import Aside

# (verdict, code, field, state) by (id, hash).
Asides = Mapping[tuple[str, str], tuple[str, str, str, str]]

# What the arrival of something else can put right, without a person.
_WAITING_FOR_MORE = ("complaint_missing", "revision_missing")


@dataclass(frozen=True)
class Filing:
    """Where lines are filed: the transaction, who sent them, and the places that the hub knows.

    `waived` are the codes that a person's word stands in for; `place_id` is the place that this person named.
    """

    connection: sa.Connection
    origin: Origin
    places: Gazetteer | None
    waived: frozenset[str] = frozenset()
    place_id: str | None = None


def file_lines(filing: Filing, lines: Sequence[Line]) -> list[Outcome]:
    """The outcome of each line, in order; what can't be filed is set aside, what came before is told apart."""
    ids = sorted({line.id for line in lines if line.id is not None})
    lineage = filing.origin.lineage
    known = complaints.known_hashes(filing.connection, lineage, ids)
    aside = quarantine.known(filing.connection, lineage, ids)
    outcomes = _sort_out(lines, known, aside)
    fresh = [at for at, outcome in enumerate(outcomes) if outcome is None]
    filed = _file_fresh(filing, [lines[at] for at in fresh])
    for at, outcome in zip(fresh, filed, strict=True):
        outcomes[at] = outcome
    done = _same_twice(lines, [outcome for outcome in outcomes if outcome is not None])
    _keep_aside(filing, lines, done, aside)
    return done


def release_waiting(filing: Filing) -> None:
    """File what waited for an operation that is here now."""
    for kept in quarantine.waiting_for(filing.connection, filing.origin.lineage, _WAITING_FOR_MORE):
        file_kept(filing, read_line(kept.payload), kept)


def file_kept(filing: Filing, line: Line, kept: quarantine.Kept) -> Outcome:
    """File one line for what was set aside, and tell its device; the outcome says why not, if not.

    The line is the payload, read again, or what a person put in its place.
    """
    if line.code or line.operation is None:
        return set_aside(line.code, line.field)
    if complaints.known_hashes(filing.connection, kept.lineage, [line.operation.id]):
        return set_aside("content_differs", "content")
    origin = Origin(kept.lineage, kept.device, kept.carried_by, filing.origin.at)
    outcome = _file_alone(replace(filing, origin=origin), line)
    if outcome.verdict == STORED:
        quarantine.settle(filing.connection, kept.id, outcome.received, origin.at)
        body = {"state": STORED}
        changes.append(filing.connection, kept.lineage, "state", line.operation.id, body, origin.at)
    return outcome


def _sort_out(lines: Sequence[Line], known: dict[str, str], aside: Asides) -> list[Outcome | None]:
    """The outcomes that need no writing of rows; None for a line that is new and sound."""
    outcomes: list[Outcome | None] = []
    for line in lines:
        outcome = _sort_one(line, known, aside)
        if outcome is None:
            assert line.id is not None
            known[line.id] = line.hash
        outcomes.append(outcome)
    return outcomes


def _sort_one(line: Line, known: Mapping[str, str], aside: Asides) -> Outcome | None:
    if line.id is None:
        return rejected(line)
    if known.get(line.id) == line.hash:
        return _held_before(aside.get((line.id, line.hash)))
    before = aside.get((line.id, line.hash))
    if before is not None and before[3] == "stored":
        return Outcome(ALREADY_HELD)
    if line.code:
        return Outcome(*before[:3]) if before is not None else set_aside(line.code, line.field)
    return set_aside("content_differs", "content") if line.id in known else None


def _held_before(before: tuple[str, str, str, str] | None) -> Outcome:
    """A known operation is held; one that clashed and still waits keeps saying so."""
    if before is not None and before[0] == CONFLICT and before[3] == "waiting":
        return Outcome(*before[:3])
    return Outcome(ALREADY_HELD)


def _same_twice(lines: Sequence[Line], outcomes: list[Outcome]) -> list[Outcome]:
    """A line that stands twice in a frame gets one answer, also when the first was set aside."""
    first: dict[tuple[str | None, str], Outcome] = {}
    for line, outcome in zip(lines, outcomes, strict=True):
        first.setdefault((line.id, line.hash), outcome)
    return [
        before if outcome.verdict == ALREADY_HELD and (before := first[line.id, line.hash]).code else outcome
        for line, outcome in zip(lines, outcomes, strict=True)
    ]


def _file_fresh(filing: Filing, lines: Sequence[Line]) -> list[Outcome]:
    """File new, sound lines: complaints together, then the rest in order, since it may speak of them."""
    outcomes: dict[int, Outcome] = {}
    whole = [at for at, line in enumerate(lines) if _operation(line).op == "complaint"]
    for at, outcome in zip(whole, _file_complaints(filing, [lines[at] for at in whole]), strict=True):
        outcomes[at] = outcome
    for at, line in enumerate(lines):
        if at not in outcomes:
            outcomes[at] = _file_alone(filing, line)
    return [outcomes[at] for at in range(len(lines))]


def _file_complaints(filing: Filing, lines: Sequence[Line]) -> list[Outcome]:
    if not lines:
        return []
    try:
        with filing.connection.begin_nested():
            return _write_complaints(filing, lines)
    except sa.exc.DBAPIError as error:
        _raise_if_disk(error)
    # The database refused the lot: find the one it can't take, keep it aside, file its neighbours.
    return [_file_alone(filing, line) for line in lines]


def _file_alone(filing: Filing, line: Line) -> Outcome:
    try:
        with filing.connection.begin_nested():
            return _write_one(filing, _operation(line), line)
    except sa.exc.DBAPIError as error:
        _raise_if_disk(error)
        return Outcome(QUARANTINED, "internal", "")


def _raise_if_disk(error: sa.exc.DBAPIError) -> None:
    if is_full(error) or is_damage(error) or error.connection_invalidated:
        raise error


def _write_one(filing: Filing, operation: Operation, line: Line) -> Outcome:
    if operation.op == "complaint":
        return _write_complaints(filing, [line])[0]
    if operation.op == "linkage":
        return _write_linkage(filing, operation)
    if operation.op in ("revision", "answer", "consent_change", "withdrawal"):
        return _write_about(filing, operation)
    [received] = complaints.keep(filing.connection, filing.origin, [_received(operation)])
    if operation.op == "seen":
        devices.update(
            filing.connection, filing.origin.device, seen_change=max(operation.content["changes"])
        )
    return Outcome(STORED, received=received)


def _write_complaints(filing: Filing, lines: Sequence[Line]) -> list[Outcome]:
    outcomes = [_refuse_complaint(filing, _operation(line)) for line in lines]
    sound = [at for at, outcome in enumerate(outcomes) if outcome is None]
    operations = [_operation(lines[at]) for at in sound]
    if operations:
        ids = complaints.keep(filing.connection, filing.origin, [_received(each) for each in operations])
        parsed = [parse_complaint(each.content, _place_id(filing, each.content)) for each in operations]
        complaints.file_complaints(filing.connection, ids, parsed)
        for at, id in zip(sound, ids, strict=True):
            outcomes[at] = Outcome(STORED, received=id)
    return [outcome for outcome in outcomes if outcome is not None]


def _refuse_complaint(filing: Filing, operation: Operation) -> Outcome | None:
    if "clock_ahead" not in filing.waived and is_ahead_of(operation.content, filing.origin.at):
        return set_aside("clock_ahead", "facts.entered_at")
    return _refuse_place(filing, operation.content)


def _refuse_place(filing: Filing, content: Mapping[str, Any]) -> Outcome | None:
    """A place that the hub can't find on its lists is for a person to settle, never guessed."""
    place = clear_facts(content).get("place", {})
    if filing.place_id is not None:
        return None
    if "id" not in place and "code" in place and "system" not in place:
        return None if "place_vintage" in filing.waived else set_aside("place_vintage", "facts.place.system")
    if filing.places is None or not ({"id", "code"} & place.keys()) or "place_unknown" in filing.waived:
        return None
    return None if _place_id(filing, content) else set_aside("place_unknown", "facts.place")


def _place_id(filing: Filing, content: Mapping[str, Any]) -> str | None:
    place = clear_facts(content).get("place", {})
    if filing.place_id is not None:
        return filing.place_id
    if filing.places is None:
        return str(place["id"]) if "id" in place else None
    if "id" in place:
        return str(place["id"]) if place["id"] in filing.places.by_id else None
    found = filing.places.resolve(place.get("code", ""), place.get("system"))
    return None if found is None else found.id


def _write_linkage(filing: Filing, operation: Operation) -> Outcome:
    content = operation.content
    lineage = content.get("lineage", filing.origin.lineage)
    complaints.keep_linkage(
        filing.connection, lineage, content["complaint"], content["v"], content["keys"], filing.origin.at
    )
    return Outcome(STORED)


def _write_about(filing: Filing, operation: Operation) -> Outcome:
    """An operation about a complaint: held until the complaint is here."""
    target = _target(filing, operation.content)
    if target is None:
        return set_aside("complaint_missing", "complaint")
    if operation.op == "revision":
        return _write_revision(filing, operation, target)
    [received] = complaints.keep(filing.connection, filing.origin, [_received(operation)])
    if operation.op == "consent_change":
        complaints.set_consent(filing.connection, target.id, operation.content["consent"])
    elif operation.op == "withdrawal":
        complaints.withdraw(filing.connection, target.id, operation.content["scope"])
    return Outcome(STORED, received=received)


def _target(filing: Filing, content: Mapping[str, Any]) -> Filed | None:
    """The complaint meant: of the own lineage, or of another device of the same team. Others do not exist."""
    lineage = content.get("lineage", filing.origin.lineage)
    found = complaints.find(filing.connection, lineage, content["complaint"])
    if found is None or lineage == filing.origin.lineage:
        return found
    ours = devices.lineage_of(filing.connection, filing.origin.lineage)
    theirs = devices.lineage_of(filing.connection, lineage)
    return found if ours.team is not None and ours.team == theirs.team else None


def _write_revision(filing: Filing, operation: Operation, target: Filed) -> Outcome:
    content = operation.content
    if content["base_revision"] > target.revision:
        return set_aside("revision_missing", "base_revision")
    if "facts" in content and (refused := _refuse_place(filing, content)) is not None:
        return refused
    line = json.loads(complaints.line_of(filing.connection, target.id))
    earlier = [
        (number, names, json.loads(each)["content"])
        for number, names, each in complaints.revisions(filing.connection, target.id)
    ]
    outcome = revision.revise(line["content"], earlier, content["base_revision"], content)
    [received] = complaints.keep(filing.connection, filing.origin, [_received(operation)])
    if outcome.fields:
        _refile(filing, target, received, content["base_revision"], outcome, line["content"])
    if outcome.clashes:
        complaints.add_conflicts(
            filing.connection, target.id, target.revision, received, outcome.clashes, filing.origin.at
        )
        return Outcome(CONFLICT, "field_changed_twice", outcome.clashes[0], received)
    return Outcome(STORED, received=received)


def _refile(
    filing: Filing,
    target: Filed,
    received: int,
    base_revision: int,
    outcome: revision.Outcome,
    first: Mapping[str, Any],
) -> None:
    number = target.revision + 1
    complaints.add_revision(
        filing.connection,
        complaint_id=target.id,
        number=number,
        received_id=received,
        base_revision=base_revision,
        field_names=outcome.fields,
        at=filing.origin.at,
    )
    merged = {**first, **outcome.compartments}
    one = parse_complaint(merged, _place_id(filing, merged))
    complaints.refile(filing.connection, target.id, one, number)


def _keep_aside(
    filing: Filing, lines: Sequence[Line], outcomes: Sequence[Outcome], before: Asides
) -> None:
    """Keep what is not filed; settle what was aside before and is filed now."""
    pairs = list(zip(lines, outcomes, strict=True))
    asides = [
        Aside(line.id, line.hash, line.bytes, outcome.verdict, outcome.code, outcome.field)
        for line, outcome in pairs
        if line.id is not None and outcome.code
    ]
    quarantine.add(filing.connection, filing.origin, asides)
    for line, outcome in pairs:
        if line.id is not None and outcome.verdict == STORED and (line.id, line.hash) in before:
            quarantine.settle_same(
                filing.connection, filing.origin.lineage, line.id, line.hash, outcome.received, filing.origin.at
            )


def _received(operation: Operation) -> Received:
    return Received(operation.id, operation.op, operation.seq, operation.hash, operation.line)


def _operation(line: Line) -> Operation:
    assert line.operation is not None
    return line.operation
