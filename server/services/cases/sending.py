"""Sending: what of a case may go to which body, complaint by complaint, and that it went."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final
from uuid import uuid4

import sqlalchemy as sa

from server.domain import case as case_rules
from server.domain import referral as rules
from server.domain import timeline as steps
from server.domain.act import Act
from server.domain.calendar import MALI
from server.domain.case import CaseFacts
from server.domain.casework import BODY, CASEWORK
from server.domain.complaint import Person
from server.domain.desk import Desk
from server.domain.errors import NotFound, ReferralRefused
from server.domain.referral import Accused, Block, Destination, Referral, Sendable
from server.services.cases import holding, moving, opening
from server.services.cases.holding import Case
from server.store import cases, destinations, findings, links, referrals, registry
from server.store.engine import Store
from server.store.links import Report
from server.store.referrals import Kept, Part, Standing

PREPARED: Final = "referral_prepared"
SENT: Final = "referral_sent"


@dataclass(frozen=True)
class Offer:
    """A destination for a case: by registry number what stands against each complaint, nothing where it may go.

    `since`: by registry number, when those were sent that it has already, be it by another case.
    """

    destination: Destination
    against: Mapping[str, tuple[Block, ...]]
    since: Mapping[str, datetime]

    @property
    def is_open(self) -> bool:
        """Whether one complaint may go there."""
        return not all(self.against.values())


@dataclass(frozen=True)
class Going:
    """A complaint that may go to a destination: its facts, and the parts of it that its own consent lets go there.

    `roles`: by number of a person, what the person is called: nobody is anything but alleged until it is judged.
    """

    complaint: int
    number: str
    report: Report
    people: Sequence[Person]
    roles: Mapping[int, Sequence[str]]
    consent: str
    parts: tuple[rules.Part, ...]
    revision: int


@dataclass(frozen=True)
class Plan:
    """What would go of a case to a destination now; `left_out`: by registry number, what stands against the others.

    `ref`: the number by which the body is to know it, one of those that go. `since`: as in `Offer`. `kept`: the
    referral that is there already, None before there is one. `due_on`: when an answer sent today is
    due. `version`: that of the case.
    """

    ref: str
    destination: Destination
    going: Sequence[Going]
    left_out: Mapping[str, tuple[Block, ...]]
    since: Mapping[str, datetime]
    kept: Kept | None
    due_on: date
    version: int


@dataclass(frozen=True)
class Noted:
    """A referral as something that was noted leaves it, and the version of its case that this made."""

    kept: Kept
    version: int


@dataclass(frozen=True)
class Sheet:
    """What of one complaint stands in a document, as of a revision of it."""

    complaint: int
    parts: tuple[str, ...]
    revision: int


def offers(store: Store, desk: Desk, number: str) -> list[Offer]:
    """Every destination for the case of a complaint, those to which something of it may go first.

    Raises NotFound where the actor does not handle every complaint of it.
    """
    with store.read() as connection:
        complaints = _complaints(connection, desk, number)
        numbers = registry.numbers_of(connection, complaints)
        standings = referrals.standings(connection, complaints)
        accused = _accused(connection, complaints)
        known = destinations.listed(connection)
    case = [standings[id].sendable for id in complaints]
    found = [(each, rules.sendable(case, each, accused, desk.now.date(), desk.places)) for each in known]
    made = [
        Offer(each, {numbers[id]: found for id, found in against.items()}, _since(standings, numbers, each))
        for each, against in found
    ]
    return sorted(made, key=lambda offer: not offer.is_open)


def plan(store: Store, desk: Desk, number: str, code: str, only: Collection[str] = ()) -> Plan:
    """What would go of the case of a complaint to a destination; `only`: registry numbers, all complaints where empty.

    Raises NotFound as `offers` does and for an unknown destination or number, and ReferralRefused where nothing may
    go, or not all that was asked for.
    """
    with store.read() as connection:
        complaints = _complaints(connection, desk, number)
        case = holding.look(connection, desk, complaints[0])
        to = _destination(connection, code)
        named = _named(connection, complaints, only)
        kept = None if case is None else _prepared(connection, case.file.id, code)
        standings = referrals.standings(connection, named)
        against = _against(connection, desk, complaints, [standings[id].sendable for id in named], to)
        refused_all = not any(not blocks for blocks in against.values())
        for id, blocks in against.items():
            if blocks and (only or refused_all):
                raise rules.refused(standings[id].sendable, to, blocks)
        free = [id for id, blocks in against.items() if not blocks]
        going = _going(connection, free, to)
        numbers = registry.numbers_of(connection, named)
    left_out = {numbers[id]: blocks for id, blocks in against.items() if blocks}
    due_on = rules.answer_deadline(to, desk.now, MALI).due_at.date()
    ref = reference("" if case is None else case.file.ref, [each.number for each in going])
    since = _since(standings, numbers, to)
    return Plan(ref, to, going, left_out, since, kept, due_on, 0 if case is None else case.file.revision)


def copy(store: Store, desk: Desk, number: str, code: str) -> Plan:
    """What a destination has of the complaints of a case, as far as consent as it stands lets it have that.

    Raises NotFound as `plan` does and where nothing of it is there, and ReferralRefused by what stands against it now.
    """
    with store.read() as connection:
        complaints = _complaints(connection, desk, number)
        case = holding.look(connection, desk, complaints[0])
        to = _destination(connection, code)
        of_case = [] if case is None else referrals.concerning(connection, case.file.id, complaints)
        kept = next((each for each in reversed(of_case) if each.destination == code and each.referral.stands), None)
        if case is None or kept is None or kept.sent_at is None:
            raise NotFound(object=code)
        parts = referrals.parts_of(connection, [kept.id])[kept.id]
        # What went out of the case since is not for whoever handles this one.
        sent = {each.complaint: each for each in parts if each.complaint in complaints}
        if not sent:
            raise NotFound(object=code)
        standings = referrals.standings(connection, sent)
        accused = _accused(connection, complaints)
        for each in standings.values():
            again = replace(each.sendable, at={})
            rules.check(again, to, accused, desk.now.date(), desk.places)
        going = [
            replace(each, parts=tuple(part for part in each.parts if part in sent[each.complaint].parts))
            for each in _going(connection, list(sent), to)
        ]
    due_on = rules.answer_deadline(to, kept.sent_at, MALI).due_at.date()
    ref = reference(case.file.ref, [each.number for each in going])
    return Plan(ref, to, going, {}, {}, kept, due_on, case.file.revision)


def reference(case: str, sent: Collection[str]) -> str:
    """The number by which a body knows what was sent: that of the `case` where it went along, else the first.

    What did not go there is not named there, either: its person did not let that body know. Raises ValueError for none.
    """
    return case if case in sent else min(sent)


def prepare(store: Store, desk: Desk, number: str, code: str, only: Collection[str] = (), *, after: int) -> Noted:
    """Note what is meant to go to a destination; nothing leaves. Raises as `send`, and ReferralRefused (`prepared`)."""
    planned = plan(store, desk, number, code, only)
    meant = {each.complaint: each for each in planned.going}
    with store.write() as connection:
        _, case = opening.take_seen(connection, desk, number, after, {"referral": code})
        if not meant.keys() <= set(case.complaints):
            raise ReferralRefused(fault="changed")
        if _prepared(connection, case.file.id, code) is not None:
            raise ReferralRefused(fault="prepared", body=planned.destination.body)
        made = _new(case, planned.destination, desk)
        referrals.add(connection, made)
        parts = [Part(made.id, id, each.parts, each.consent, each.revision, None) for id, each in meant.items()]
        referrals.set_parts(connection, made.id, parts)
        undone = {"referral": told(replace(made.referral, state="cancelled"))}
        entry = holding.entry_of(
            desk,
            case,
            PREPARED,
            fields=fields_of(made, planned.destination, sorted(meant)),
            before=undone,
            undo_until=steps.tells_at(desk.now),
        )
        holding.leave(connection, case, entry, {})
        holding.renew(connection, [case.file.id])
        return noted(connection, made)


def send(
    store: Store, desk: Desk, number: str, code: str, sheets: Sequence[Sheet], digest: str, *, after: int
) -> Noted:
    """Note that complaints of the case went to a destination, in a document with that SHA-256; the case is referred.

    What was prepared for it becomes this. Each complaint is asked for its own consent once more, at this moment.
    Raises NotFound, StaleRevision, TransitionRefused for a case that can't be referred, and ReferralRefused: by what
    stands against one, or `changed` where a sheet says more than its complaint allows now, or what it says was revised.
    """
    with store.write() as connection:
        _, case = opening.take_seen(connection, desk, number, after, {"referral": code})
        to = _destination(connection, code, is_locked=True)
        standings = referrals.standings(connection, case.complaints)
        accused = _accused(connection, case.complaints)
        if not sheets or len({each.complaint for each in sheets}) < len(sheets):
            raise ReferralRefused(fault="changed")
        for sheet in sheets:
            _check_sheet(sheet, standings, to, accused, desk)
        kept = _sent(connection, desk, case, to)
        consents = {id: str(each.sendable.consent["level"]) for id, each in standings.items()}
        parts = [
            Part(kept.id, each.complaint, each.parts, consents[each.complaint], each.revision, digest)
            for each in sheets
        ]
        referrals.set_parts(connection, kept.id, parts)
        _tell(connection, desk, case, kept, to, sorted(each.complaint for each in sheets))
        return noted(connection, kept)


def noted(connection: sa.Connection, kept: Kept) -> Noted:
    """A referral with the version at which its case is, in the transaction that brought both there."""
    return Noted(kept, cases.find(connection, [kept.casefile])[kept.casefile].revision)


def fields_of(kept: Kept, to: Destination, sent: Sequence[int], **more: str) -> dict[str, Any]:
    """What an entry about a referral says: codes and ids alone."""
    named = {"referral": kept.id, "destination": to.code, BODY: to.body, "programme": kept.programme}
    return {**named, "sent": list(sent), **more}


def told(referral: Referral) -> dict[str, Any]:
    """A referral as an entry of a timeline keeps it."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in vars(referral).items()}


def read_told(kept: Mapping[str, Any]) -> Referral:
    """What `told` wrote."""
    named = ("sent_at", "answered_at", "reminded_at")
    times = {name: datetime.fromisoformat(kept[name]) for name in named if kept[name]}
    return Referral(**{**kept, **times})


def _tell(connection: sa.Connection, desk: Desk, case: Case, kept: Kept, to: Destination, sent: Sequence[int]) -> None:
    """Leave the entries: of a case that is referred already this one tells devices, else its move does."""
    given = {BODY: to.body}
    is_referred = case.facts.status == "referred"
    step = _referred_step(case.facts, given) if is_referred else None
    more = {} if to.answer_term is None else {"term": to.answer_term}
    entry = holding.entry_of(
        desk,
        case,
        SENT,
        fields=fields_of(kept, to, sent, **more),
        step=holding.told_step(step),
        tells_at=None if step is None else steps.tells_at(desk.now),
    )
    holding.leave(connection, case, entry, {})
    if not is_referred:
        [again] = holding.read(connection, desk, [case.file.id]).values()
        moved = case_rules.move(again.facts, "referred", desk.actor, desk.now, given)
        moving.keep(connection, desk, again, moved, {}, referral=kept.id, sent=list(sent))
    holding.renew(connection, [case.file.id])


def _referred_step(facts: CaseFacts, given: Mapping[str, str]) -> case_rules.Step | None:
    transition = CASEWORK.transitions["in_progress", "referred"]
    return case_rules.step(transition, given, is_strict=facts.is_strict)


def _sent(connection: sa.Connection, desk: Desk, case: Case, to: Destination) -> Kept:
    """The referral that is prepared for that destination, or a new one, which is sent now."""
    kept = _prepared(connection, case.file.id, to.code)
    if kept is None:
        kept = _new(case, to, desk)
        referrals.add(connection, kept)
    moved = rules.move(kept.referral, "sent", desk.now)
    referrals.change(connection, kept.id, moved)
    return replace(kept, state=moved.state, sent_at=moved.sent_at)


def _check_sheet(
    sheet: Sheet, standings: Mapping[int, Standing], to: Destination, accused: Accused, desk: Desk
) -> None:
    stands = standings.get(sheet.complaint)
    if stands is None:
        raise ReferralRefused(fault="changed")
    rules.check(stands.sendable, to, accused, desk.now.date(), desk.places)
    if sheet.revision != stands.revision or not {"facts"} <= set(sheet.parts) <= rules.parts(stands.sendable, to):
        raise ReferralRefused(fault="changed")


def _new(case: Case, to: Destination, desk: Desk) -> Kept:
    signature = desk.actor.signature
    return Kept(
        id=str(uuid4()),
        casefile=case.file.id,
        destination=to.code,
        programme=to.programme,
        state="prepared",
        prepared_at=desk.now,
        sent_at=None,
        answered_at=None,
        outcome=None,
        external_ref=None,
        reminders=0,
        reminded_at=None,
        by=signature,
    )


def _complaints(connection: sa.Connection, desk: Desk, number: str) -> list[int]:
    """The complaints of the case of one, whether or not somebody opened it yet."""
    complaint = holding.complaint_of(connection, number)
    case = holding.look(connection, desk, complaint)
    return [complaint] if case is None else case.complaints


def _named(connection: sa.Connection, complaints: Sequence[int], only: Collection[str]) -> list[int]:
    """Those of a case that were named, in its order. Raises NotFound for one of another case."""
    if not only:
        return list(complaints)
    named = {holding.complaint_of(connection, each): each for each in only}
    for id, each in named.items():
        if id not in complaints:
            raise NotFound(object=each)
    return [id for id in complaints if id in named]


def _since(standings: Mapping[int, Standing], numbers: Mapping[int, str], to: Destination) -> dict[str, datetime]:
    at = {numbers[id]: each.sendable.at.get(to.code) for id, each in standings.items()}
    return {number: since for number, since in at.items() if since is not None}


def _against(
    connection: sa.Connection, desk: Desk, complaints: Sequence[int], named: Sequence[Sendable], to: Destination
) -> dict[int, tuple[Block, ...]]:
    """What stands against each that was named; whom one complaint of the case accuses, all of them do."""
    return rules.sendable(named, to, _accused(connection, complaints), desk.now.date(), desk.places)


def _accused(connection: sa.Connection, complaints: Collection[int]) -> Accused:
    return Accused(tuple(findings.acts_of(connection, complaints)))


def _going(connection: sa.Connection, complaints: Sequence[int], to: Destination) -> list[Going]:
    standings = referrals.standings(connection, complaints)
    reports = links.reports(connection, complaints)
    numbers = registry.numbers_of(connection, complaints)
    people = referrals.people_of(connection, complaints)
    acts = {act.complaint: act for act in findings.acts_of(connection, complaints)}
    return [
        Going(
            complaint=id,
            number=numbers[id],
            report=reports[id],
            people=people.get(id, ()),
            roles=_roles(acts[id]),
            consent=str(standings[id].sendable.consent["level"]),
            parts=_parts(standings[id].sendable, to),
            revision=standings[id].revision,
        )
        for id in complaints
    ]


def _roles(act: Act) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for each in act.involved:
        found.setdefault(each.person, []).append(each.role_shown)
    return found


def _parts(each: Sendable, to: Destination) -> tuple[rules.Part, ...]:
    allowed = rules.parts(each, to)
    return tuple(part for part in rules.PARTS if part in allowed)


def _prepared(connection: sa.Connection, case: int, code: str) -> Kept | None:
    """The referral that is prepared for a destination."""
    found = (each for each in referrals.of_cases(connection, [case]) if each.destination == code)
    return next((each for each in found if each.state == "prepared"), None)


def _destination(connection: sa.Connection, code: str, *, is_locked: bool = False) -> Destination:
    found = destinations.find(connection, [code], is_locked=is_locked).get(code)
    if found is None:
        raise NotFound(object=code)
    return found
