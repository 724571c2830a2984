"""Filing: read lines become rows, inside the caller's transaction."""

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from client_sync.protocol.canonical import Operation
from client_sync.protocol.codes import ALREADY_HELD, CONFLICT, STORED
from client_sync.protocol.uploads import upload_id
from client_sync.protocol.vocabulary import VOCABULARY
from server.domain import consent, revision
from server.domain.complaint import Complaint, clear_facts, is_ahead_of, parse_complaint
from server.domain.errors import trace_of
from server.domain.permission import STRICT, reader_fields
from server.domain.places import Gazetteer
from server.domain.retention import kept_id
from server.services.intake import task_results
from server.services.intake.reading import LINKAGE, Line, Outcome, read_again, rejected, set_aside
from server.store import changes, complaints, contact, devices, erasures, linkages, pieces, quarantine, steps, unmatched
from server.store.complaints import Filed, Origin, Received
from server.store.dialect import is_busy, is_damage, is_full
from server.store.quarantine import Aside

log = logging.getLogger(__name__)

# (verdict, code, field, state) by (id, hash).
Standing = tuple[str, str, str, str]
Asides = Mapping[tuple[str, str], Standing]

# What the arrival of something else can put right, without a person.
_WAITING_FOR_MORE = ("complaint_missing", "revision_missing")
# Said of another team's complaint: as of one that is not here, but nothing waits.
_UNKEPT: Final = replace(set_aside("complaint_missing", "complaint"), is_kept=False)
_CONSENT: Final = "facts.consent"
# By which a complaint is strictly confidential: what it calls itself, and what it is about.
STRICTNESS_FIELDS: Final = ("facts.confidentiality", "facts.kinds")
# Operations that waited, filed within one body.
WAITING_MAX: Final = 100


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


@dataclass(frozen=True)
class _Heard:
    """What became of a consent that was told: it stands now, or it allows more than what stands."""

    is_standing: bool
    is_unheeded: bool


@dataclass(frozen=True)
class _Past:
    """A complaint as it came first, and the revisions since, in the order filed."""

    first: Mapping[str, Any]
    earlier: Sequence[revision.Earlier]


def file_lines(filing: Filing, lines: Sequence[Line]) -> list[Outcome]:
    """The outcome of each line, in order; what can't be filed is set aside, what came before is told apart."""
    ids = sorted({line.id for line in lines if line.id is not None})
    known = complaints.known_hashes(filing.connection, filing.origin.lineage, ids)
    aside = quarantine.known(filing.connection, filing.origin.lineage, ids)
    before = dict(aside)
    gone = _erased(filing, lines)
    outcomes = {at: Outcome(ALREADY_HELD) for at, is_told in gone.items() if is_told}
    waiting: Sequence[int] = [at for at in range(len(lines)) if at not in outcomes]
    while waiting:
        # An id that stands twice: the second waits for what becomes of the first.
        first = {lines[at].id or at: at for at in reversed(waiting)}
        turn = sorted(first.values())
        outcomes |= zip(turn, _file_distinct(filing, [lines[at] for at in turn], known, aside), strict=True)
        waiting = [at for at in waiting if at not in outcomes]
    # Answered as if the complaint had never been: what another team says of an erased one is kept no more than that.
    outcomes |= {at: replace(outcomes[at], is_kept=False) for at, is_told in gone.items() if not is_told}
    _keep_aside(filing, lines, [outcomes[at] for at in range(len(lines))], before)
    task_results.withhold(filing.connection, _spoken_of(filing, lines, outcomes))
    return [outcomes[at] for at in range(len(lines))]


def _spoken_of(filing: Filing, lines: Sequence[Line], outcomes: Mapping[int, Outcome]) -> set[tuple[str, str]]:
    """The complaints of the team that lines speak of, or come under the id of and were set aside, by lineage and id."""
    own = filing.origin.lineage
    named = {(line.about.lineage or own, line.about.complaint) for line in lines if line.about is not None}
    # Of others' nothing is looked up: time must not tell.
    ours = {maker for maker in {maker for maker, _ in named} if _is_ours(filing, maker)}
    about = {pair for pair in named if pair[0] in ours}
    aside = {(own, line.id) for at, line in enumerate(lines) if line.id is not None and outcomes[at].code}
    return about | aside


def file_waiting(filing: Filing, arrived: Collection[str]) -> None:
    """File what waited for complaints that arrived or were revised just now, the earlier revisions first.

    Only so many at a time: the hourly job takes the rest, and no neighbour waits for it.
    """
    waiting = quarantine.waiting_on(filing.connection, filing.origin.lineage, arrived, WAITING_MAX)
    for line, kept in in_order_of_revision(waiting):
        file_kept(filing, line, kept)


def in_order_of_revision(waiting: Sequence[quarantine.Kept]) -> list[tuple[Line, quarantine.Kept]]:
    """What was set aside, read again, in an order in which each finds the revision that it was made on."""
    pairs = [(read_again(kept.payload, kept.hash), kept) for kept in waiting]
    return sorted(pairs, key=lambda pair: _base_revision(pair[0]))


def complaint_of(line: Line) -> str | None:
    """The complaint that a sound line is, or speaks of."""
    if line.operation is None or line.code:
        return None
    content = line.operation.content
    return line.id if line.operation.op == "complaint" else content.get("complaint")


def _base_revision(line: Line) -> int:
    return 0 if line.operation is None or line.code else int(line.operation.content.get("base_revision", 0))


def file_kept(filing: Filing, line: Line, kept: quarantine.Kept) -> Outcome:
    """File one line for what was set aside, and tell its device; the outcome says why not, if not.

    The line is the payload, read again, or what a person put in its place.
    """
    if line.code or line.operation is None:
        return set_aside(line.code, line.field)
    if complaints.known_hashes(filing.connection, kept.lineage, [line.operation.id]):
        return set_aside("content_differs", "content")
    if _erased(filing, [line]).get(0):
        return Outcome(ALREADY_HELD)
    origin = Origin(kept.lineage, kept.device, kept.carried_by, filing.origin.at)
    outcome = _file_alone(replace(filing, origin=origin), line)
    _settle(filing, kept.id, kept.lineage, line.operation.id, outcome)
    return outcome


def _erased(filing: Filing, lines: Sequence[Line]) -> dict[int, bool]:
    """Lines that were erased, or speak of a complaint that was, by place: whether the sender may be told.

    They are never kept again, whatever their content: another under the same id would bring the same person back.
    """
    own = filing.origin.lineage
    ids = {kept_id(line.id) for line in lines if line.id is not None}
    ids |= {line.about.complaint for line in lines if line.about is not None}
    gone = erasures.known(filing.connection, ids)
    # Asked of all, erased or not: time must not tell.
    makers = {line.about.lineage or own for line in lines if line.about is not None}
    ours = {own, *(lineage for lineage in makers if _is_ours(filing, lineage))}
    found: dict[int, bool] = {}
    for at, line in enumerate(lines):
        maker = own if line.about is None else line.about.lineage or own
        if line.id is not None and (own, kept_id(line.id)) in gone:
            found[at] = True
        elif line.about is not None and (maker, line.about.complaint) in gone:
            found[at] = maker in ours
    return found


def _file_distinct(
    filing: Filing, lines: Sequence[Line], known: dict[str, str], aside: dict[tuple[str, str], Standing]
) -> list[Outcome]:
    """As `file_lines`, for lines of which no two have one id; adds to `known` and `aside` what they become."""
    outcomes = {at: _sort_one(line, known, aside) for at, line in enumerate(lines)}
    fresh = [at for at, outcome in outcomes.items() if outcome is None]
    outcomes |= zip(fresh, _file_fresh(filing, [lines[at] for at in fresh]), strict=True)
    done = [outcome for outcome in outcomes.values() if outcome is not None]
    for line, outcome in zip(lines, done, strict=True):
        if line.id is not None and outcome.received is not None:
            known[line.id] = line.hash
        if line.id is not None and outcome.code:
            aside.setdefault((line.id, line.hash), (outcome.verdict, outcome.code, outcome.field, "waiting"))
    return done


def _sort_one(line: Line, known: Mapping[str, str], aside: Asides) -> Outcome | None:
    if line.id is None:
        return rejected(line)
    if known.get(line.id) == line.hash:
        return _held_before(aside.get((line.id, line.hash)))
    before = aside.get((line.id, line.hash))
    if before is not None and before[3] == "stored":
        return Outcome(ALREADY_HELD)
    if before is not None and before[3] == "dismissed":
        # A person looked at it: that it comes again changes nothing of that.
        return Outcome(*before[:3])
    if line.code:
        return Outcome(*before[:3]) if before is not None else set_aside(line.code, line.field)
    return set_aside("content_differs", "content") if line.id in known else None


def _held_before(before: Standing | None) -> Outcome:
    """A known operation is held; one that clashed and still waits keeps saying so."""
    if before is not None and before[0] == CONFLICT and before[3] == "waiting":
        return Outcome(*before[:3])
    return Outcome(ALREADY_HELD)


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
    except Exception as fault:  # noqa: BLE001 - as in _file_alone, which comes next
        _raise_if_of_the_hub(fault)
    # The lot was refused: find the one that can't be taken, keep it aside, file its neighbours.
    return [_file_alone(filing, line) for line in lines]


def _file_alone(filing: Filing, line: Line) -> Outcome:
    try:
        with filing.connection.begin_nested():
            return _write_one(filing, _operation(line), line)
    except Exception as fault:  # noqa: BLE001 - one bad record never sinks its neighbours
        _raise_if_of_the_hub(fault)
        log.error("record_kept_aside", extra=trace_of(fault))
        return set_aside("internal")


def _raise_if_of_the_hub(fault: Exception) -> None:
    """Raise what no other record would fare better with: the disk, or the connection, is at fault."""
    is_refused = isinstance(fault, sa.exc.DBAPIError) and (is_full(fault) or is_damage(fault) or is_busy(fault))
    if is_refused or isinstance(fault, sa.exc.InvalidRequestError):
        raise fault


def _write_one(filing: Filing, operation: Operation, line: Line) -> Outcome:
    if operation.op == "complaint":
        return _write_complaints(filing, [line])[0]
    if operation.op == LINKAGE:
        return _write_linkage(filing, operation)
    if operation.op in ("revision", "answer", "consent_change", "withdrawal"):
        return _write_about(filing, operation)
    if operation.op == task_results.DONE:
        return task_results.file_result(filing.connection, filing.origin, _received(operation), operation.content)
    [received] = complaints.keep(filing.connection, filing.origin, [_received(operation)])
    if operation.op == "seen":
        steps.note_seen(filing.connection, filing.origin.lineage, operation.content["changes"], filing.origin.at)
    return Outcome(STORED, received=received)


def _write_complaints(filing: Filing, lines: Sequence[Line]) -> list[Outcome]:
    outcomes = [_refuse_facts(filing, _operation(line).content) for line in lines]
    sound = [at for at, outcome in enumerate(outcomes) if outcome is None]
    operations = [_operation(lines[at]) for at in sound]
    if operations:
        ids = complaints.keep(filing.connection, filing.origin, [_received(each) for each in operations])
        parsed = [_parsed(filing, each.content) for each in operations]
        complaints.file_complaints(filing.connection, ids, parsed, filing.origin.at)
        declared = (each for id, one in zip(ids, parsed, strict=True) for each in _declared(filing, id, one))
        pieces.declare(filing.connection, list(declared))
        for at, id in zip(sound, ids, strict=True):
            outcomes[at] = Outcome(STORED, received=id)
    return [outcome for outcome in outcomes if outcome is not None]


def _refuse_facts(filing: Filing, content: Mapping[str, Any]) -> Outcome | None:
    if "clock_ahead" not in filing.waived and is_ahead_of(content, filing.origin.at):
        return set_aside("clock_ahead", "facts.entered_at")
    return _refuse_place(filing, content)


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
    content, lineage = operation.content, _whose(filing, operation.content)
    if not _is_ours(filing, lineage):
        # Nobody is to match by it, and what is set aside goes into backups, where the hub's own key would open it.
        return _UNKEPT
    target = _target(filing, content)
    if target is None and _is_gone(filing, content):
        return Outcome(ALREADY_HELD)
    linkage = linkages.Linkage(operation.id, content["complaint"], operation.seq, content["v"], content["box"])
    linkages.keep(filing.connection, filing.origin.device, lineage, linkage, filing.origin.at)
    if target is not None:
        unmatched.renew(filing.connection, target.id, is_own=lineage == filing.origin.lineage)
    return Outcome(STORED)


def _write_about(filing: Filing, operation: Operation) -> Outcome:
    """An operation about a complaint: held until the complaint is here."""
    target = _target(filing, operation.content)
    if target is None:
        return _missing(filing, operation.content)
    if operation.op == "revision":
        return _write_revision(filing, operation, target)
    received = complaints.keep_about(filing.connection, filing.origin, _received(operation), target.id)
    if operation.op == "consent_change" and _hear_consent(filing, operation, target).is_unheeded:
        return _in_conflict(filing, target, received, "field_changed_twice", [_CONSENT])
    if operation.op == "withdrawal":
        complaints.withdraw(filing.connection, target.id, operation.content["scope"])
    return Outcome(STORED, received=received)


def _target(filing: Filing, content: Mapping[str, Any]) -> Filed | None:
    """The complaint meant: of the own lineage, or of another device of the same team. Others do not exist."""
    lineage = _whose(filing, content)
    found = complaints.find(filing.connection, lineage, content["complaint"])
    return found if found is not None and _is_ours(filing, lineage) else None


def _whose(filing: Filing, content: Mapping[str, Any]) -> str:
    """The lineage of the complaint meant: the one that is named, else the sender's."""
    return str(content.get("lineage", filing.origin.lineage))


def _is_ours(filing: Filing, lineage: str) -> bool:
    """Whether the sender may speak of what a lineage sent: its own, or that of another device of its team."""
    if lineage == filing.origin.lineage:
        return True
    ours = devices.team_of(filing.connection, filing.origin.lineage)
    return ours is not None and ours == devices.team_of(filing.connection, lineage)


def _missing(filing: Filing, content: Mapping[str, Any]) -> Outcome:
    """The outcome of what speaks of a complaint that is not here: it waits, unless that was erased just now."""
    is_ours, is_gone = _is_ours(filing, _whose(filing, content)), _is_gone(filing, content)
    if is_gone:
        return Outcome(ALREADY_HELD) if is_ours else _UNKEPT
    return set_aside("complaint_missing", "complaint")


def _is_gone(filing: Filing, content: Mapping[str, Any]) -> bool:
    """Whether a complaint was erased: it may have gone while this waited for its lock."""
    pair = (_whose(filing, content), content["complaint"])
    return pair in erasures.known(filing.connection, [pair[1]])


def _hear_consent(filing: Filing, operation: Operation, target: Filed) -> _Heard:
    """Note the consent that stands, now that this operation is filed; what it says beyond that is for a person."""
    own = _whose(filing, operation.content)
    words = consent.words_in(own, contact.filed(filing.connection, target.id))
    stands = consent.standing(own, words)
    complaints.set_consent(filing.connection, target.id, stands)
    word = consent.last_of(filing.origin.lineage, words)
    if word is None or word.line != operation.line:
        return _Heard(is_standing=False, is_unheeded=False)
    return _Heard(word.consent == stands, not consent.is_within(word.consent, stands))


def _write_revision(filing: Filing, operation: Operation, target: Filed) -> Outcome:
    content = operation.content
    past = _past_of(filing.connection, target)
    if content["base_revision"] > 1 + sum(each.lineage == filing.origin.lineage for each in past.earlier):
        return set_aside("revision_missing", "base_revision")
    if "facts" in content and (refused := _refuse_facts(filing, content)) is not None:
        return refused
    is_own = _whose(filing, content) == filing.origin.lineage
    return (_write_own_revision if is_own else _write_colleagues)(filing, operation, target, past)


def _past_of(connection: sa.Connection, target: Filed) -> _Past:
    earlier = [
        revision.Earlier(each.lineage, each.fields, json.loads(each.line)["content"])
        for each in complaints.revisions(connection, target.id)
    ]
    return _Past(json.loads(complaints.line_of(connection, target.id))["content"], earlier)


def _write_own_revision(filing: Filing, operation: Operation, target: Filed, past: _Past) -> Outcome:
    received, outcome = _keep_revision(filing, operation, target, past)
    if outcome.fields:
        _refile(filing, target, received, operation, outcome.fields, _revised(filing, past.first, outcome))
    if outcome.clashes:
        return _in_conflict(filing, target, received, "field_changed_twice", outcome.clashes)
    return Outcome(STORED, received=received)


def _write_colleagues(filing: Filing, operation: Operation, target: Filed, past: _Past) -> Outcome:
    """A revision from another lineage of the team: it hides a complaint at once, and opens or moves none."""
    content = operation.content
    strictness = _strictness_changed(past, content)
    received, outcome = _keep_revision(filing, operation, target, past, strictness)
    pressed = tuple(path for path in outcome.held if path in strictness)
    is_hidden = bool(pressed) and VOCABULARY.is_strict(clear_facts(content))
    if is_hidden and target.confidentiality != STRICT:
        complaints.set_confidentiality(filing.connection, target.id, STRICT)
        target = replace(target, confidentiality=STRICT)
    one = _revised(filing, past.first, outcome)
    moved = tuple(path for path in reader_fields(target, one.facts) if path in outcome.fields)
    if moved or (pressed and not is_hidden):
        # Nothing of it is applied: one revision, one verdict.
        paths = (*moved, *pressed, *outcome.clashes, *(path for path in outcome.fields if path != _CONSENT))
        return _in_conflict(filing, target, received, "readers_differ", paths)
    if outcome.fields:
        _refile(filing, target, received, operation, outcome.fields, one)
    if pressed or outcome.clashes:
        code = "readers_differ" if pressed else "field_changed_twice"
        return _in_conflict(filing, target, received, code, (*pressed, *outcome.clashes))
    return Outcome(STORED, received=received)


def _keep_revision(
    filing: Filing, operation: Operation, target: Filed, past: _Past, held: Sequence[str] = ()
) -> tuple[int, revision.Revised]:
    """Keep a revision verbatim, and say what it does; of its consent that is said by `_hear_consent` alone."""
    content, lineage = operation.content, filing.origin.lineage
    received = complaints.keep_about(filing.connection, filing.origin, _received(operation), target.id)
    heard = _hear_consent(filing, operation, target) if "facts" in content else _Heard(False, False)
    outcome = revision.revise(
        past.first,
        past.earlier,
        content["base_revision"],
        content,
        lineage=lineage,
        is_own=_whose(filing, content) == lineage,
        held=held if heard.is_standing else (*held, _CONSENT),
    )
    clashes = [path for path in outcome.clashes if path != _CONSENT] + [_CONSENT] * heard.is_unheeded
    return received, replace(outcome, clashes=tuple(clashes))


def _strictness_changed(past: _Past, content: Mapping[str, Any]) -> tuple[str, ...]:
    """Paths by which a revision would make a complaint strictly confidential, or open it."""
    if "facts" not in content:
        return ()
    stands = revision.standing(past.first, ((each.fields, each.content) for each in past.earlier))
    ours, theirs = clear_facts(stands), clear_facts(content)
    return tuple(path for path in STRICTNESS_FIELDS if _is_strict_by(path, ours) != _is_strict_by(path, theirs))


def _is_strict_by(path: str, facts: Mapping[str, Any]) -> bool:
    name = path.removeprefix("facts.")
    return VOCABULARY.is_strict({name: facts.get(name)})


def _revised(filing: Filing, first: Mapping[str, Any], outcome: revision.Revised) -> Complaint:
    return _parsed(filing, {**first, **outcome.compartments})


def _parsed(filing: Filing, content: Mapping[str, Any]) -> Complaint:
    """The complaint in a content; what named readers alone may see is filed as strict, whatever it calls itself."""
    one = parse_complaint(content, _place_id(filing, content))
    if not VOCABULARY.is_strict(clear_facts(content)):
        return one
    return replace(one, facts=replace(one.facts, confidentiality=STRICT))


def _in_conflict(filing: Filing, target: Filed, received: int, code: str, paths: Sequence[str]) -> Outcome:
    """Both values of each field are kept, for a person to decide; the first path is told."""
    fields = tuple(dict.fromkeys(paths))
    complaints.add_conflicts(filing.connection, target.id, target.revision, received, fields, filing.origin.at)
    return replace(set_aside(code, fields[0]), received=received)


def _refile(
    filing: Filing, target: Filed, received: int, operation: Operation, fields: Sequence[str], one: Complaint
) -> None:
    number = target.revision + 1
    complaints.add_revision(
        filing.connection,
        complaint_id=target.id,
        number=number,
        received_id=received,
        base_revision=operation.content["base_revision"],
        field_names=fields,
        at=filing.origin.at,
    )
    # What stands of consent was noted; a place that a person named stands whatever the revised facts repeat.
    kept = complaints.CONSENT_COLUMNS + (() if "facts.place" in fields else ("place_id",))
    # No device opens to more readers what was strictly confidential: that is for a person at the hub to say.
    kept += ("confidentiality",) if target.confidentiality == STRICT else ()
    complaints.refile(filing.connection, target.id, one, number, filing.origin.at, kept)
    pieces.declare_again(filing.connection, target.id, _declared(filing, target.id, one))


def _declared(filing: Filing, id: int, one: Complaint) -> list[pieces.Declared]:
    """The files of a complaint as this device is to send them; of one that it names twice, the first."""
    device, known = filing.origin.device, {each.sha256: (no, each) for no, each in reversed([*enumerate(one.files, 1)])}
    return [
        pieces.Declared(id, device, upload_id(device, sha256), no, each)
        for sha256, (no, each) in sorted(known.items(), key=lambda pair: pair[1][0])
    ]


def _keep_aside(filing: Filing, lines: Sequence[Line], outcomes: Sequence[Outcome], before: Asides) -> None:
    """Keep what is not filed; settle what was aside before and is filed now."""
    fresh: dict[tuple[str, str], Aside] = {}
    dropped: list[Aside] = []
    for line, outcome in zip(lines, outcomes, strict=True):
        known = None if line.id is None else before.get((line.id, line.hash))
        if known is not None and known[-1] == "waiting" and outcome.verdict != ALREADY_HELD:
            _decide_again(filing, line, outcome, known[:-1])
        elif known is None and line.id is not None and outcome.code:
            aside = _aside(filing, line.id, line, outcome)
            if outcome.is_kept and not _is_linkage(line):
                fresh.setdefault((line.id, line.hash), aside)
            else:
                dropped.append(replace(aside, payload=bytes(len(aside.payload))))
    quarantine.add(filing.connection, filing.origin, list(fresh.values()))
    # What is not kept costs what keeping it would; nothing of it is written meanwhile.
    quarantine.rehearse(filing.connection, filing.origin, dropped)


def _is_linkage(line: Line) -> bool:
    """Whether it is a box for the matcher, which waits in no place that a backup takes along; one with a code is
    sealed to people."""
    return line.operation is not None and line.operation.op == LINKAGE and not line.code


def _aside(filing: Filing, client_id: str, line: Line, outcome: Outcome) -> Aside:
    return Aside(
        client_id=client_id,
        hash=line.hash,
        payload=line.bytes,
        verdict=outcome.verdict,
        code=outcome.code,
        field=outcome.field,
        waits_for=_waits_for(line, outcome.code),
        about=None if line.about is None else line.about.complaint,
        about_lineage=None if line.about is None else line.about.lineage or filing.origin.lineage,
    )


def _waits_for(line: Line, code: str) -> str | None:
    if code == "task_missing":
        return str(_operation(line).content["task"])
    return complaint_of(line) if code in _WAITING_FOR_MORE else None


def _decide_again(filing: Filing, line: Line, outcome: Outcome, before: tuple[str, str, str]) -> None:
    """What was aside came again, and may fare better now."""
    if before == (outcome.verdict, outcome.code, outcome.field):
        return
    lineage = filing.origin.lineage
    id = quarantine.id_of(filing.connection, lineage, line.id or "", line.hash)
    _settle(filing, id, lineage, _operation(line).id, outcome)


def _settle(filing: Filing, aside: int, lineage: str, client_id: str, outcome: Outcome) -> None:
    """Note what became of something set aside; its device is told when that is good news."""
    if outcome.verdict != STORED:
        quarantine.reclassify(filing.connection, aside, outcome.verdict, outcome.code, outcome.field)
        return
    quarantine.settle(filing.connection, aside, outcome.received, filing.origin.at)
    # Also when the device has the verdict in the same answer: it may ask for the frame's first report later.
    changes.append(filing.connection, lineage, "state", client_id, {"state": STORED}, filing.origin.at)


def _received(operation: Operation) -> Received:
    return Received(operation.id, operation.op, operation.seq, operation.hash, operation.line)


def _operation(line: Line) -> Operation:
    assert line.operation is not None
    return line.operation
