"""Answering: what a destination says of a package is taken in once, and told to every case that it is about."""

import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa

from server.domain import packages as rules
from server.domain import timeline as steps
from server.domain.casework import BODY
from server.domain.desk import Desk
from server.domain.errors import Busy, NotFound, PackageRefused, trace_of
from server.domain.packages import ANSWER_WITHIN, FILE_NUMBER, Answer, Item, Number, Shape, State, Verdict, Word
from server.domain.permission import JOB, STRICT, Action, Target, permit, signature_of
from server.domain.places import Gazetteer
from server.domain.referral import Destination
from server.services.commission import preparing, serials
from server.services.commission.road import PATIENT, Patience, Road
from server.store import accounts, cases, destinations, notices, packages, registry, sealed, timeline
from server.store.cases import CaseFile
from server.store.engine import Store
from server.store.packages import Package, Series, Told
from server.store.timeline import Entry

log = logging.getLogger(__name__)

SENT: Final = "package_sent"
# The notice that a destination did not say a word.
SILENT: Final = "package_silent"
ANSWERS: Final[Action] = "receive_export"
_HANDLES: Final[Action] = "handle_case"
# What entries say of a line, of which devices hear; and of a notice on one, which is between the two of us.
_OF_LINES: Final[Mapping[Verdict, str]] = {"accepted": "package_accepted", "rejected": "package_rejected"}
_OF_NOTICES: Final[Mapping[Verdict, str]] = {"accepted": "package_noted", "rejected": "package_disputed"}
_LINES: Final[frozenset[Shape]] = frozenset({"line", "named"})
# Of a package in one of these a destination may have something to say.
_OUT: Final[frozenset[State]] = frozenset({"sealed", "transmitted", "received", "closed"})
# And owes a word.
_AWAITED: Final[frozenset[State]] = frozenset({"transmitted", "received"})
_FILE: Final = "accuse.json"
# What takes back an entry of any case.
_UNDONE: Final = "undone"
# So much of a manifest is typed from paper: two boxes of the slip.
SLIP_CHARS: Final = 8
# Of complaints, or of cases, that one statement names.
_PAGE: Final = 500


@dataclass(frozen=True)
class Taken:
    """A package after an answer to it, and of how many items that said something new."""

    package: Package
    settled: int


@dataclass(frozen=True)
class Slip:
    """A paper slip as somebody typed it. `digits`: the first of the manifest's SHA-256, at least 8; `words` on items,
    None where all that the package says is accepted."""

    digits: str
    at: str
    by: str
    words: Sequence[Word] | None


@dataclass(frozen=True)
class Known:
    """What a destination has of a complaint by a package, and what it said of it; `at`: when."""

    package: str
    destination: Destination
    item: Item
    transmitted_at: datetime | None
    at: datetime | None


def unpacked(content: bytes) -> Any:
    """What is in an `accuse.json`. Raises PackageRefused (`answer_unreadable`)."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise PackageRefused(fault="answer_unreadable", member="JSON") from None


def take_answer(store: Store, desk: Desk, number: str, said: Any) -> Taken:
    """Take in what a destination says of a package: all of it, or nothing.

    `said` is what stands in an `accuse.json`, or the same made of what somebody ticked, or typed from a slip. What was
    said before changes nothing. A package that nobody noted as gone is noted so: nobody says which manifest it has who
    does not have it. Of a closed one no word is owed, and one may be put right.

    Raises NotFound for whoever neither takes answers in nor speaks for that destination, and PackageRefused:
    `unknown_package`, `answer_unreadable`, `other_package` where the answer is on another one, `state` for one that was
    not sealed or was cancelled, `other_manifest`, and as `settled`.
    """
    with store.write() as connection:
        package = _meant(connection, desk, number)
        answer = rules.read_answer(said)
        _check_meant(package, answer)
        told = packages.items(connection, package.id)
        changed = rules.settled([each.item for each in told], _without_erased(answer.words, told))
        if not changed and package.answered_at is not None:
            return Taken(package, 0)
        if package.state == "sealed":
            package = _gone(connection, desk, package)
        by_key = {_key(each.item): each for each in told}
        about = [(by_key[_key(each)].complaint, each) for each in changed]
        was = {_key(each.item) for each in told if each.item.verdict is not None}
        _tell_cases(connection, desk, package, about, was)
        packages.settle(connection, package.id, changed, desk.now)
        now = {_key(each.item): each.item for each in told} | {_key(each): each for each in changed}
        package = _answered(connection, desk, package, answer, is_complete=rules.is_complete(now.values()))
        details = {"settled": len(changed), "state": package.state}
        preparing.note(connection, desk, "package_answer", package, details)
    return Taken(package, len(changed))


def take_slip(store: Store, desk: Desk, number: str, slip: Slip) -> Taken:
    """Take in what stands on a paper slip. Of the manifest its first characters tell one package from another.

    That all is accepted leaves what was accepted before as it is, under the number that it has. Raises as
    `take_answer`, and PackageRefused (`slip_digits`) for fewer characters than 8.
    """
    with store.read() as connection:
        package = _meant(connection, desk, number, is_locked=False)
        items = [each.item for each in packages.items(connection, package.id)]
    digits = "".join(slip.digits.split()).lower()
    if len(digits) < SLIP_CHARS:
        raise PackageRefused(fault="slip_digits", most=SLIP_CHARS)
    if package.manifest is None:
        raise PackageRefused(fault="state", state=package.state, to="received")
    if not package.manifest.startswith(digits):
        raise PackageRefused(fault="other_manifest", number=package.number.text)
    words = slip.words
    if words is None:
        words = [Word(ref, "accepted") for ref in {each.ref: None for each in items if each.verdict != "accepted"}]
    said = {"package": package.number.text, "manifest_sha256": package.manifest, "received_at": slip.at, "by": slip.by}
    return take_answer(store, desk, number, said | {"items": [vars(each) for each in words]})


def note_sent(connection: sa.Connection, desk: Desk, package: Package) -> None:
    """Let the timeline of every case that has something in a package say that it went, once a case."""
    to, by, now = _destination(connection, package), desk.actor.signature, desk.now
    complaints = {each.complaint for each in packages.items(connection, package.id) if each.complaint is not None}
    for page in _held(connection, complaints):
        told = [
            Entry(file.id, file.revision + 1, SENT, by, now, fields=_fields(package, to, sent)) for file, sent in page
        ]
        timeline.append_each(connection, told)


def known_of(store: Store, desk: Desk, number: str) -> list[Known]:
    """What destinations have of the case of a complaint by packages, and what they said of it: the first package first.

    Raises NotFound where the actor does not handle every complaint of it.
    """
    with store.read() as connection:
        named = registry.complaint_numbered(connection, number)
        if named is None:
            raise NotFound(object=number)
        held = cases.holding(connection, [named]).values()
        complaints = {named, *(each.complaint for those in cases.members(connection, held).values() for each in those)}
        targets = [each.target(desk.places) for each in sealed.standings(connection, complaints).values()]
        if not all(permit(desk.actor, _HANDLES, each) for each in targets):
            raise NotFound(object=number)
        found = packages.of_complaints(connection, complaints)
        to = destinations.find(connection, {package.destination for package, _, _ in found})
    return [
        Known(package.number.text, to[package.destination], told.item, package.transmitted_at, settled_at)
        for package, told, settled_at in found
        if package.state != "cancelled"
    ]


def fetch_answer(series: Series, package: Package, patience: Patience = PATIENT) -> Any | None:
    """What stands in the answer that a destination has at its address; None where it has none yet.

    Raises PackageRefused as `delivering.to_address` does, and `answer_unreadable`.
    """
    with Road(series.address, series.pin, patience) as road:
        said = road.get(f"{quote(package.number.text, safe='')}/{_FILE}")
    if said.status == 404:
        return None
    if said.status != 200:
        raise PackageRefused(fault="receiver_refuses", status=said.status)
    return unpacked(said.content)


def fetch_all(store: Store, places: Gazetteer | None, now: datetime, patience: Patience = PATIENT) -> int:
    """Take in the answers to packages that wait for one at the address of their destination; gives how many items they
    said something new of. What can't be fetched, or taken in, waits for the next run. Safe to run again."""
    desk = Desk(JOB, places, now)
    with store.read() as connection:
        series = {each.destination: each for each in packages.all_series(connection) if each.way == "https"}
        awaited = [each for each in packages.listed(connection, series) if each.state in _AWAITED]
    settled, away = 0, set[str]()
    for each in awaited:
        if each.destination in away:
            continue
        try:
            said = fetch_answer(series[each.destination], each, patience)
            if said is not None:
                settled += take_answer(store, desk, each.number.text, said).settled
        except (PackageRefused, Busy) as error:
            fault = str(error.values.get("fault", error.code))
            log.warning("package_answer_waits", extra=trace_of(error) | {"code": fault})
            away |= {each.destination} if fault.startswith("receiver_") else set()
    return settled


def is_any_awaited(store: Store) -> bool:
    """Whether a destination owes a word on a package."""
    with store.read() as connection:
        return any(each.state in _AWAITED for each in packages.listed(connection))


def note_silent(store: Store, now: datetime) -> int:
    """Tell who prepared, who approved and who leads the network of packages of which a destination did not say a word
    within its term; gives how many notices that makes. Of one package each hears once."""
    with store.read() as connection:
        late = packages.overdue(connection, now - ANSWER_WITHIN)
        known = {signature_of(each.id): each.id for each in accounts.listed(connection) if _is_here(each)}
        head = accounts.head(connection)
    leads = () if head is None else (signature_of(head.id),)
    told = 0
    for each in late:
        whom = dict.fromkeys((each.prepared_by, each.sealed_by or "", *leads))
        ids = [known[signature] for signature in whom if signature in known]
        with store.write() as connection:
            told += notices.tell_each(connection, ids, code=SILENT, key=f"{SILENT}:{each.number.text}", at=now)
    return told


def speaks_for(desk: Desk, destination: str) -> bool:
    """Whether the actor answers for that destination."""
    return permit(desk.actor, ANSWERS, Target(is_own=desk.actor.destination == destination))


def _meant(connection: sa.Connection, desk: Desk, number: str, *, is_locked: bool = True) -> Package:
    """The package that an answer is on, locked until commit. To whom it is not sent it is not there."""
    read = Number.read(number)
    package = None if read is None else packages.find(connection, read, is_locked=is_locked)
    if package is None or not speaks_for(desk, package.destination):
        serials.require(desk)
    if package is None:
        raise PackageRefused(fault="unknown_package", number=number)
    return package


def _check_meant(package: Package, answer: Answer) -> None:
    """Raises PackageRefused where an answer is not on this package, or this one never left."""
    if answer.package != package.number.text:
        raise PackageRefused(fault="other_package", number=package.number.text, other=answer.package)
    if package.state not in _OUT:
        raise PackageRefused(fault="state", state=package.state, to="received")
    if answer.manifest != package.manifest:
        raise PackageRefused(fault="other_manifest", number=package.number.text)


def _without_erased(words: Sequence[Word], told: Sequence[Told]) -> list[Word]:
    """Words on items, but for what a destination writes of a complaint that was erased: that is erased too."""
    erased = {each.item.ref for each in told if each.complaint is None}
    return [replace(each, reason="", file_number="") if each.ref in erased else each for each in words]


def _gone(connection: sa.Connection, desk: Desk, package: Package) -> Package:
    """A sealed package, noted as transmitted: by whom takes the answer in, and when.

    Raises PackageRefused: `state`, and `same_sender` as whoever lets it leave.
    """
    rules.check_move(package.state, "transmitted")
    if not speaks_for(desk, package.destination):
        preparing.check_sender(package, desk)
    values: dict[str, Any] = {
        "state": "transmitted",
        "transmitted_at": desk.now,
        "transmitted_by": desk.actor.signature,
    }
    packages.change(connection, package.id, **values)
    gone = replace(package, **values)
    note_sent(connection, desk, gone)
    preparing.note(connection, desk, "package_send", gone, {"by": "answer"})
    return gone


def _answered(connection: sa.Connection, desk: Desk, package: Package, answer: Answer, *, is_complete: bool) -> Package:
    """The package as an answer leaves it. When it was received stands as it was said first."""
    values: dict[str, Any] = {}
    if package.answered_at is None:
        values |= {"answered_at": desk.now, "answer_at": answer.at, "answer_by": answer.by}
    if package.state != "closed":
        to: State = "closed" if is_complete else "received"
        rules.check_move(package.state, to)
        values |= {"state": to} | ({"closed_at": desk.now} if is_complete else {})
    if values:
        packages.change(connection, package.id, **values)
    return replace(package, **values)


def _tell_cases(
    connection: sa.Connection,
    desk: Desk,
    package: Package,
    about: Sequence[tuple[int | None, Item]],
    was: Collection[tuple[str, Shape]],
) -> None:
    """Leave an entry of each of these words in the case that has its complaint now; `was`: items that had one before.

    A step that devices were not told yet is told no more, once the destination said something else.
    """
    to = _destination(connection, package)
    items: dict[int, list[Item]] = {}
    for complaint, item in about:
        # Of what was erased since, no case is left.
        if complaint is not None:
            items.setdefault(complaint, []).append(item)
    # An entry on a notice is between the two of us, and takes back none on a line.
    said_again = {
        id for id, each in items.items() if any(_key(item) in was and item.shape in _LINES for item in each)
    }
    for page in _held(connection, items):
        strict = _strict(connection, [file.id for file, _ in page])
        last = {file.id: file.revision for file, _ in page}
        again = {file.id: said_again.intersection(ids) for file, ids in page}
        last |= _take_back(connection, desk, package, {case: ids for case, ids in again.items() if ids}, last)
        told = []
        for file, ids in page:
            said = [(id, item) for id in ids for item in items[id]]
            for no, (complaint, item) in enumerate(said, last[file.id] + 1):
                told.append(_entry(desk, package, to, (file.id, no, complaint), item, is_strict=file.id in strict))
        timeline.append_each(connection, told)


def _take_back(
    connection: sa.Connection,
    desk: Desk,
    package: Package,
    again: Mapping[int, Collection[int]],
    last: Mapping[int, int],
) -> dict[int, int]:
    """Take back what was said before of complaints, by their case, where devices were not told yet; gives the number
    of the last entry of these cases then."""
    numbers = {case: last[case] for case in again}
    for case, entries in timeline.of_cases(connection, again).items():
        for each in steps.standing(entries):
            is_of_it = each.fields.get("package") == package.number.text and each.complaint in again[case]
            if is_of_it and each.tells_at is not None and not steps.may_tell(each.tells_at, desk.now):
                numbers[case] += 1
                by = desk.actor.signature
                timeline.append(connection, Entry(case, numbers[case], _UNDONE, by, desk.now, undoes=each.no))
    return numbers


def _entry(
    desk: Desk, package: Package, to: Destination, where: tuple[int, int, int], item: Item, *, is_strict: bool
) -> Entry:
    """What a destination says of one item, as the case is told: `where` is the case, the number of the entry, and the
    complaint. What it wrote stays with the item; its number for the complaint goes to a device where it is one."""
    case, no, complaint = where
    is_line = item.shape in _LINES
    assert item.verdict is not None
    code = (_OF_LINES if is_line else _OF_NOTICES)[item.verdict]
    step = None
    if is_line:
        number = {"file_number": item.file_number} if FILE_NUMBER.fullmatch(item.file_number) else {}
        step = steps.step_of(code, {BODY: to.body, **number}, is_strict=is_strict)
    return Entry(
        casefile=case,
        no=no,
        code=code,
        actor=desk.actor.signature,
        at=desk.now,
        complaint=complaint,
        # It is there wherever the complaint goes: what came of it is told all the same.
        fields=_fields(package, to, [complaint]),
        step=None if step is None else {"template": step.template, "fields": dict(step.fields)},
        tells_at=None if step is None else steps.tells_at(desk.now),
    )


def _fields(package: Package, to: Destination, sent: Sequence[int]) -> dict[str, Any]:
    return {"package": package.number.text, "destination": to.code, BODY: to.body, "sent": list(sent)}


def _held(connection: sa.Connection, complaints: Collection[int]) -> Iterator[list[tuple[CaseFile, list[int]]]]:
    """Pages of the cases that have these complaints now, each with those of them that it has; all are locked.

    The hub opens the case of each within minutes of receiving it, and what a package says is of a quarter before.
    """
    of: dict[int, list[int]] = {}
    for ids in _pages(sorted(complaints)):
        cases.lock_complaints(connection, ids)
        for id, case in sorted(cases.holding(connection, ids).items()):
            of.setdefault(case, []).append(id)
    for ids in _pages(sorted(of)):
        files = cases.find(connection, ids, is_locked=True)
        yield [(file, of[id]) for id, file in files.items()]


def _pages(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[at : at + _PAGE] for at in range(0, len(ids), _PAGE))


def _strict(connection: sa.Connection, ids: Collection[int]) -> set[int]:
    """Those of the cases that are strictly confidential."""
    members = cases.members(connection, ids)
    return {id for id, those in members.items() if any(each.confidentiality == STRICT for each in those)}


def _destination(connection: sa.Connection, package: Package) -> Destination:
    return destinations.find(connection, [package.destination])[package.destination]


def _is_here(account: accounts.Account) -> bool:
    return account.state == accounts.ACTIVE


def _key(item: Item) -> tuple[str, Shape]:
    return item.ref, item.shape
