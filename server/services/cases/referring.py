"""Referring: what comes of a referral that was sent, and what a body is to be told when consent is taken back."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from server.domain import case as case_rules
from server.domain import referral as rules
from server.domain import timeline as steps
from server.domain.calendar import MALI
from server.domain.casework import CASEWORK
from server.domain.desk import Desk
from server.domain.errors import Busy, NotFound, ReferralRefused
from server.domain.permission import JOB, permit
from server.domain.places import Gazetteer
from server.domain.referral import Destination, Referral, State
from server.domain.timeline import step_of
from server.services.cases import holding, moving, opening, undoing
from server.services.cases.holding import Case
from server.services.cases.sending import SENT, Noted, fields_of, noted, told
from server.store import cases, destinations, notices, referrals, registry, sealed, timeline
from server.store.cases import CaseFile
from server.store.engine import Store
from server.store.referrals import Kept, Part
from server.store.steps import await_elsewhere
from server.store.timeline import Entry

# Notices to whoever owns the case.
SILENT: Final = "referral_silent"
HARMFUL: Final = "referral_harmful"
TAKEN_BACK: Final = "consent_taken_back"
# Of one run: after two days down, many may be so at once.
MOST_SILENT: Final = 1_000
_PAGE: Final = 100
_REFERENCE_MAX_CHARS: Final = 80
# Why a case that was referred is worked on again, by what its last referral came to.
_OVER: Final[Mapping[str, str]] = {"answered": "answered", "refused": "refused", "silent": "silent"}
_RECALLED: Final = "recalled"
# Where a case stands while nothing that its devices were told is more than that somebody works on it.
_HEARS: Final = frozenset(
    name for name, each in CASEWORK.statuses.items() if each.public in ("received", "acknowledged", "worked_on")
)


@dataclass(frozen=True)
class View:
    """A referral as a person sees it: `sent` by registry number; `taken_back`: of which the person took consent back.

    Complaints that went out of the case since, and that this person may not read, are no more than counted: `others`,
    `others_taken_back`. `ref`: of the case whose it is, where the person may read that, else of the one that was asked
    for; `is_elsewhere`: that is another. `due_on`: when its answer is due by the terms that were sent; None before it
    was sent. `version`: that of the case whose it is.
    """

    kept: Kept
    ref: str
    version: int
    destination: Destination
    sent: Mapping[str, Part]
    taken_back: frozenset[str]
    due_on: date | None
    others: int
    others_taken_back: int
    is_elsewhere: bool


def listed(store: Store, desk: Desk, number: str) -> list[View]:
    """The referrals of the case of a complaint, and those by which another case sent what it has now, the first first.

    Raises NotFound.
    """
    with store.read() as connection:
        case = holding.look(connection, desk, holding.complaint_of(connection, number))
        return [] if case is None else of_case(connection, desk, case)


def of_case(connection: sa.Connection, desk: Desk, case: Case) -> list[View]:
    """As `listed`, of a case that the actor handles."""
    return _views(connection, desk, referrals.concerning(connection, case.file.id, case.complaints), case)


def one(store: Store, desk: Desk, number: str, id: str) -> View:
    """A referral of those that `listed` gives. Raises NotFound."""
    with store.read() as connection:
        case = holding.look(connection, desk, holding.complaint_of(connection, number))
        kept = [] if case is None else referrals.concerning(connection, case.file.id, case.complaints)
        found = [each for each in kept if each.id == id]
        if not found:
            raise NotFound(object=id)
        [view] = _views(connection, desk, found, case)
    return view


def awaited(store: Store, desk: Desk, limit: int) -> list[View]:
    """At most `limit` referrals that the actor handles and that no body answered yet, the longest sent first."""
    found: list[Kept] = []
    with store.read() as connection:
        page = referrals.unanswered(connection, None, _PAGE)
        while page and len(found) < limit:
            held = holding.read(connection, desk, {each.casefile for each in page})
            may = {id for id, case in held.items() if case_rules.permits(case.facts, desk.actor, holding.ACTION)}
            found += [each for each in page if each.casefile in may]
            page = referrals.unanswered(connection, page[-1], _PAGE)
        return _views(connection, desk, found[:limit])


def receive(store: Store, desk: Desk, number: str, named: str, *, after: int, reference: str = "") -> Noted:
    """The body has it, under that number of its own.

    `named`: the code of a destination, or how the id of a referral begins. Raises NotFound, StaleRevision, and
    ReferralRefused where it can't take this step (`state`), several are meant (`which`), or the number is too long.
    """
    return _step(store, desk, (number, named), "received", after, reference=reference)


def answer(
    store: Store, desk: Desk, number: str, named: str, outcome: str, *, after: int, reference: str = ""
) -> Noted:
    """What the body answered, one of the outcomes of its programme; of a harmful one the owner of the case is told.

    Once no body of a case has anything more to say, the hub takes the case up again. Raises as `receive`, and
    ReferralRefused (`outcome`).
    """
    return _step(store, desk, (number, named), "answered", after, outcome=outcome, reference=reference)


def refuse(store: Store, desk: Desk, number: str, named: str, *, after: int, reference: str = "") -> Noted:
    """The body does not take it. Raises as `receive`."""
    return _step(store, desk, (number, named), "refused", after, reference=reference)


def remind(store: Store, desk: Desk, number: str, named: str, *, after: int) -> Noted:
    """The body was asked once more. Raises as `receive`."""
    with store.write() as connection:
        case, kept = _taken(connection, desk, number, named, after, "reminded")
        moved = rules.remind(kept.referral, desk.now)
        return noted(connection, _keep(connection, desk, case, kept, moved, "referral_reminded"))


def cancel(store: Store, desk: Desk, number: str, named: str, *, after: int) -> Noted:
    """What was prepared is not sent. Raises as `receive`."""
    return _step(store, desk, (number, named), "cancelled", after)


def recall(store: Store, desk: Desk, number: str, named: str, *, after: int) -> Noted:
    """What was sent is to be given back: the body keeps nothing of it. Raises as `receive`.

    Devices that were not told yet that it was sent are not told any more.
    """
    with store.write() as connection:
        case, kept = _taken(connection, desk, number, named, after, _RECALLED)
        moved = rules.move(kept.referral, _RECALLED, desk.now)
        referrals.change(connection, kept.id, moved)
        entries = timeline.of_case(connection, case.file.id)
        untold = _untold(entries, kept, desk.now)
        case = _unmove(connection, desk, case, entries, kept)
        entry = holding.entry_of(
            desk,
            case,
            "referral_recalled",
            fields=_fields(connection, kept),
            undoes=None if untold is None else untold.no,
        )
        holding.leave(connection, case, entry, {})
        _come_back(connection, desk, case.file.id, _RECALLED)
        return noted(connection, replace(kept, state=moved.state))


def note_silent(store: Store, places: Gazetteer | None, now: datetime) -> int:
    """Note of bodies that owe an answer past its day that they are silent; gives how many, at most MOST_SILENT.

    Who owns the case is told. Safe to run again.
    """
    desk = Desk(JOB, places, now)
    with store.read() as connection:
        due = referrals.overdue(connection, now, MOST_SILENT)
    return sum(_note_silent(store, desk, id) for id in due)


def note_taken_back(store: Store, places: Gazetteer | None, now: datetime) -> int:
    """Tell owners of what a body has under a consent that the person took back since; gives how many are new.

    Safe to run again.
    """
    told_of, after = 0, ("", 0)
    desk = Desk(JOB, places, now)
    while True:
        with store.read() as connection:
            page = referrals.shaken(connection, after, _PAGE)
        if not page:
            return told_of
        with store.write() as connection:
            told_of += sum(_tell_taken_back(connection, desk, each) for each in _taken_back(connection, page))
        after = page[-1].referral, page[-1].complaint


def _step(
    store: Store,
    desk: Desk,
    which: tuple[str, str],
    to: State,
    after: int,
    *,
    outcome: str | None = None,
    reference: str = "",
) -> Noted:
    """One step of a referral that a person notes."""
    with store.write() as connection:
        case, kept = _taken(connection, desk, *which, after, to)
        moved = rules.move(kept.referral, to, desk.now, outcome=outcome, external_ref=_reference(reference))
        made = _keep(connection, desk, case, kept, moved, f"referral_{to}")
        if outcome is not None and rules.is_harmful(kept.programme, outcome):
            _tell_owner(connection, case, HARMFUL, kept.id, desk.now)
            _tell_elsewhere(connection, case, HARMFUL, kept.id, desk.now)
        _come_back(connection, desk, case.file.id, to)
        return noted(connection, made)


def _keep(connection: sa.Connection, desk: Desk, case: Case, kept: Kept, moved: Referral, code: str) -> Kept:
    """Put a referral where a step brings it, with its entry, which can be taken back for a while."""
    referrals.change(connection, kept.id, moved)
    fields = _fields(connection, kept, **({"outcome": moved.outcome} if moved.state == "answered" else {}))
    step = _public(case, moved, fields) if code in ("referral_answered", "referral_silent") else None
    is_final = code in ("referral_silent", "referral_cancelled")
    tells_at = None if step is None else steps.tells_at(desk.now)
    entry = holding.entry_of(
        desk,
        case,
        code,
        fields=fields,
        before={} if is_final else {"referral": told(kept.referral)},
        undo_until=None if is_final else steps.tells_at(desk.now),
        step=holding.told_step(step),
        tells_at=tells_at,
    )
    holding.leave(connection, case, entry, {})
    if tells_at is not None:
        # Those that went out of the case are at the body all the same.
        await_elsewhere(connection, case.file.id, entry.no, set(fields["sent"]) - set(case.complaints), tells_at)
    holding.renew(connection, [case.file.id])
    return replace(kept, **{name: value for name, value in vars(moved).items() if name != "programme"})


def _public(case: Case, moved: Referral, fields: Mapping[str, Any]) -> case_rules.Step:
    """What devices are told of an answer, or of a silence; that one left the person worse off, somebody has to say."""
    name = "body_silent" if moved.state == "silent" else "body_answered"
    is_harmful = moved.outcome is not None and rules.is_harmful(moved.programme, moved.outcome)
    given = {key: value for key, value in fields.items() if not (is_harmful and key == "outcome")}
    return step_of(name, given, is_strict=case.facts.is_strict)


def _come_back(connection: sa.Connection, desk: Desk, id: int, why: str) -> None:
    """The hub takes a case up again that was referred, once no body of it has anything more to say."""
    [case] = holding.read(connection, desk, [id]).values()
    kept = referrals.of_cases(connection, [id])
    is_open = any(each.referral.stands and each.state != "silent" and not each.referral.is_over for each in kept)
    if case.facts.status == "referred" and not is_open and why != "cancelled":
        given = {"referral_over": _OVER.get(why, _RECALLED)}
        hub = replace(desk, actor=JOB)
        moved = case_rules.move(case.facts, "in_progress", JOB, desk.now, given)
        made = moving.keep(connection, hub, case, moved, {})
        await_elsewhere(connection, id, made.no, _away(connection, case, kept), made.tells_at or made.at)
    holding.renew(connection, [id])


def _away(connection: sa.Connection, case: Case, kept: Sequence[Kept]) -> set[int]:
    """The complaints that referrals of a case sent and that went out of it, but for those of which the case that has
    them now told something that came later."""
    parts = referrals.parts_of(connection, [each.id for each in kept if each.sent_at is not None]).values()
    sent = {part.complaint for those in parts for part in those} - set(case.complaints)
    held = cases.holding(connection, sent)
    files = cases.find(connection, set(held.values()))
    return {id for id, file in held.items() if files[file].status in _HEARS}


def _untold(entries: Sequence[Entry], kept: Kept, now: datetime) -> Entry | None:
    """The entry that sent it, where devices would be told by it and were not yet."""
    sent = [each for each in entries if each.code == SENT and each.fields["referral"] == kept.id]
    return next((each for each in sent if each.tells_at is not None and now < each.tells_at), None)


def _unmove(connection: sa.Connection, desk: Desk, case: Case, entries: Sequence[Entry], kept: Kept) -> Case:
    """The case as it was before it was referred, where it was by this alone and there is time to take that back."""
    left = undoing.undoable(entries)[-1:]
    is_by_it = any(each.code == holding.MOVED and each.fields.get("referral") == kept.id for each in left)
    if is_by_it and left[0].undo_until is not None and desk.now < left[0].undo_until:
        undoing.unmove(connection, desk, case, left[0])
        [case] = holding.read(connection, desk, [case.file.id]).values()
    return case


def _note_silent(store: Store, desk: Desk, id: str) -> bool:
    """Whether it is noted; of a case with which somebody is at work now the next run does it."""
    try:
        with store.write() as connection:
            found = referrals.find(connection, id)
            case = None if found is None else _case_of(connection, desk, found)
            kept = referrals.find(connection, id)
            # Somebody may have noted an answer, or put it off, before this had the case in hand.
            if case is None or kept is None or not referrals.overdue(connection, desk.now, 1, of=id):
                return False
            moved = rules.move(kept.referral, "silent", desk.now)
            _keep(connection, desk, case, kept, moved, "referral_silent")
            _tell_owner(connection, case, SILENT, id, desk.now)
            _come_back(connection, desk, case.file.id, "silent")
    except (Busy, NotFound):
        return False
    return True


def _case_of(connection: sa.Connection, desk: Desk, kept: Kept) -> Case | None:
    [members] = cases.members(connection, [kept.casefile]).values()
    if not members:
        return None
    _lock_sent(connection, members[0].complaint)
    held, _ = opening.take(connection, desk, [members[0].complaint])
    return held[members[0].complaint]


def _taken(connection: sa.Connection, desk: Desk, number: str, named: str, after: int, to: str) -> tuple[Case, Kept]:
    """The case in hand, and the one of its referrals that is meant, as it stands now."""
    _lock_sent(connection, holding.complaint_of(connection, number))
    _, case = opening.take_seen(connection, desk, number, after, {"referral": named})
    of_case = referrals.of_cases(connection, [case.file.id])
    found = [each for each in of_case if each.destination == named or (named and each.id.startswith(named))]
    able = [each for each in found if _can(each, to)] or found[-1:]
    if not able:
        raise NotFound(object=named)
    if len(able) > 1:
        raise ReferralRefused(fault="which", ids=", ".join(each.id[:8] for each in able))
    return case, able[0]


def _lock_sent(connection: sa.Connection, complaint: int) -> None:
    """Before its case is taken: lock its complaints with those that were sent and went out of it, in their one order.

    An answer is told to all of them.
    """
    everyone = holding.reach(connection, [complaint], ())
    own = cases.holding(connection, [complaint]).values()
    cases.lock_complaints(connection, everyone | referrals.gone_out(connection, own))


def _can(kept: Kept, to: str) -> bool:
    return kept.referral.stands if to == "reminded" else to in rules.NEXT[kept.state]


def _fields(connection: sa.Connection, kept: Kept, **more: str | None) -> dict[str, Any]:
    to = destinations.find(connection, [kept.destination])[kept.destination]
    sent = [each.complaint for each in referrals.parts_of(connection, [kept.id])[kept.id]]
    return fields_of(kept, to, sent, **{name: text for name, text in more.items() if text is not None})


def _reference(text: str) -> str | None:
    """The number that a body gave. Raises ReferralRefused for one that is none."""
    said = text.strip()
    if len(said) > _REFERENCE_MAX_CHARS:
        raise ReferralRefused(fault="reference", most=_REFERENCE_MAX_CHARS)
    return said or None


def _views(connection: sa.Connection, desk: Desk, kept: Sequence[Kept], asked: Case | None = None) -> list[View]:
    """`asked`: the case that was asked for; None where the actor handles the cases of all of them."""
    if not kept:
        return []
    parts = referrals.parts_of(connection, [each.id for each in kept])
    known = destinations.find(connection, {each.destination for each in kept})
    numbers = _readable(connection, desk, {part.complaint for each in parts.values() for part in each})
    files = cases.find(connection, {each.casefile for each in kept})
    refs = _refs(connection, desk, files, asked)
    standing = [part for each in kept if each.referral.stands for part in parts[each.id]]
    gone = [(part.referral, part.complaint) for part in _taken_back(connection, standing)]
    found = []
    for each in kept:
        sent = {numbers[part.complaint]: part for part in parts[each.id] if part.complaint in numbers}
        taken_back = [id for referral, id in gone if referral == each.id]
        shown = frozenset(numbers[id] for id in taken_back if id in numbers)
        view = View(
            kept=each,
            ref=refs[each.casefile],
            version=files[each.casefile].revision,
            destination=known[each.destination],
            sent=sent,
            taken_back=shown,
            due_on=_due_on(each, known[each.destination]),
            others=len(parts[each.id]) - len(sent),
            others_taken_back=len(taken_back) - len(shown),
            is_elsewhere=asked is not None and each.casefile != asked.file.id,
        )
        found.append(view)
    return found


def _readable(connection: sa.Connection, desk: Desk, complaints: Collection[int]) -> dict[int, str]:
    """Registry numbers of those of the complaints that the actor may read now."""
    standings = sealed.standings(connection, complaints)
    may = [id for id, each in standings.items() if permit(desk.actor, holding.ACTION, each.target(desk.places))]
    return registry.numbers_of(connection, may)


def _refs(connection: sa.Connection, desk: Desk, files: Mapping[int, CaseFile], asked: Case | None) -> dict[int, str]:
    """References of cases; in place of one that is not for the actor, that of the case that was asked for."""
    if asked is None:
        return {id: each.ref for id, each in files.items()}
    held = holding.read(connection, desk, files)
    may = {id for id, case in held.items() if case_rules.permits(case.facts, desk.actor, holding.ACTION)}
    return {id: case.file.ref if id in may else asked.file.ref for id, case in held.items()}


def _due_on(kept: Kept, to: Destination) -> date | None:
    return None if kept.sent_at is None else rules.answer_deadline(to, kept.sent_at, MALI).due_at.date()


def _taken_back(connection: sa.Connection, parts: Sequence[Part]) -> list[Part]:
    """Those of which the consent, as it stands, no longer covers what was sent."""
    standings = referrals.standings(connection, {each.complaint for each in parts})
    kept = referrals.several(connection, {part.referral for part in parts})
    known = destinations.find(connection, {each.destination for each in kept.values()})
    to = {id: known[each.destination] for id, each in kept.items()}
    # Some may have been erased since they were found.
    here = [each for each in parts if each.complaint in standings and each.referral in to]
    return [
        each for each in here if rules.is_taken_back(standings[each.complaint].sendable, to[each.referral], each.parts)
    ]


def _tell_taken_back(connection: sa.Connection, desk: Desk, part: Part) -> bool:
    kept = referrals.find(connection, part.referral)
    if kept is None:
        return False
    [case] = holding.read(connection, desk, [kept.casefile]).values()
    return _tell_owner(connection, case, TAKEN_BACK, f"{part.referral}:{part.complaint}", desk.now)


def _tell_elsewhere(connection: sa.Connection, case: Case, code: str, id: str, at: datetime) -> None:
    """Let the owners of other cases hear it, to which complaints of this referral went since."""
    sent = {each.complaint for each in referrals.parts_of(connection, [id])[id]}
    others = set(cases.holding(connection, sent).values()) - {case.file.id}
    for other in cases.find(connection, others).values():
        notices.tell_owner(connection, other.owner, code, f"{code}:{id}:{other.id}", at, other.id)


def _tell_owner(connection: sa.Connection, case: Case, code: str, of: str, at: datetime) -> bool:
    """Let the owner of a case hear something, once; whether that is new."""
    return notices.tell_owner(connection, case.file.owner, code, f"{code}:{of}", at, case.file.id)
