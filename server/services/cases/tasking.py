"""Tasking: what is done in the field is set for a device, told within its window, and taken back when that is over."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final, cast
from uuid import uuid4

import sqlalchemy as sa

from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import from_text, to_text
from client_sync.seal import seal_to
from server.domain import task as rules
from server.domain.contact import Way, without_contacts
from server.domain.desk import Desk
from server.domain.errors import Busy, ContactNotAllowed, NotFound, TaskRefused
from server.domain.permission import JOB, Target, may_ever, permit
from server.domain.places import Gazetteer
from server.domain.task import KINDS, OPEN, TEXT_MAX_CHARS, Kind, Situation, Window
from server.services.cases import holding, opening
from server.services.cases.holding import Case
from server.store import cases, contact, devices, notices, registry, sealed, tasks
from server.store.devices import Device
from server.store.engine import Store
from server.store.scopes import scope_of
from server.store.tasks import Result as Result
from server.store.tasks import Task

SET: Final = "task_set"
RECALLED: Final = "task_recalled"
OVER: Final = "task_over"
_READY: Final = "ready"
# Tasks that are looked at together: a hub may have many more than it has memory for.
_PAGE: Final = 500
# Ways for which one has to know where or how the person is reached.
_BY_CONTACTS: Final[frozenset[Way]] = frozenset({"call", "message", "visit"})


@dataclass(frozen=True)
class Errand:
    """What is wanted: `device` as people name it, `place` an id of the place list; without one, that of the complaint.

    `words` and `parts`, compartments by name, are what the device's holder is to know: sealed to the device at once.
    """

    kind: Kind
    device: str
    window: Window
    place: str | None = None
    repeats: bool = False
    words: str = field(default="", repr=False)
    parts: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Shown:
    """A task as a person sees it: by registry number, with the label of its device and what came of it, by device."""

    number: str
    task: Task
    label: str
    results: Sequence[tuple[str, Result]]


@dataclass(frozen=True)
class Possible:
    """A kind of task for a complaint as it stands: the ways by which it may reach the person, or why in none."""

    kind: Kind
    ways: tuple[Way, ...]
    refused: TaskRefused | ContactNotAllowed | None


@dataclass(frozen=True)
class Candidate:
    """A device in use that may get a task of a complaint: `name` as an errand takes it. `is_collector`: it recorded the
    complaint, so that it does not verify it."""

    name: str
    label: str
    team: str
    is_collector: bool


@dataclass(frozen=True)
class Setting:
    """What tasks a case has and could have, for one of its complaints, `about`. `number`: its reference, or the number
    of a complaint that nobody acted on; `version`: what an edit says to have seen."""

    number: str
    version: int
    about: str
    complaints: Sequence[str]
    kinds: Sequence[Possible]
    devices: Sequence[Candidate]
    tasks: Sequence[Shown]


@dataclass(frozen=True)
class Noted:
    """The id of a task that was set, given on or taken back, and the version of its case that this made."""

    id: str
    version: int


def set_task(store: Store, desk: Desk, number: str, errand: Errand, *, after: int) -> Noted:
    """Set a task of a complaint for a device, and tell it once its window is near. `after` as in `move`.

    Raises NotFound where the actor does not handle every complaint of the case; StaleRevision; TaskRefused, also for a
    device that is not in use or out of the actor's scope (`device`); ContactNotAllowed where the complaint allows no
    way that it takes.
    """
    with store.write() as connection:
        device = _device(connection, desk, holding.complaint_of(connection, number), errand.device)
        # In the order of intake: the lineage, then the complaint.
        devices.lock_lineage(connection, device.lineage)
        complaint, case = opening.take_seen(connection, desk, number, after, {"task": errand.kind})
        made = _made(connection, desk, complaint, device, errand)
        _keep(connection, desk, case, made)
        return _noted(connection, case, made)


def reassign(store: Store, desk: Desk, name: str, errand: Errand) -> Noted:
    """Give a task that is not done to another device; what the first one still sends is kept beside that.

    Of `errand`, kind and repeats are those that it has. Raises as `set_task` does, and TaskRefused (`ended`).
    """
    with store.write() as connection:
        found = _named(connection, name)
        device = _device(connection, desk, found.complaint, errand.device)
        for lineage in sorted({device.lineage, *_lying(connection, found)}):
            devices.lock_lineage(connection, lineage)
        case = opening.take(connection, desk, [found.complaint])[0][found.complaint]
        found = _open(connection, found.id)
        errand = replace(errand, kind=cast(Kind, found.kind), repeats=found.repeats)
        _require_scope(connection, desk, found.complaint, device)
        _check(connection, desk, found.complaint, errand, device, but=found.id)
        tasks.take_back(connection, found.id, desk.now)
        box = _sealed(connection, desk, found.complaint, device, errand)
        ways = list(_ways(connection, found.complaint, errand.kind))
        place = errand.place or found.place
        window = {"opens_on": errand.window.opens_on.isoformat(), "closes_on": errand.window.closes_on.isoformat()}
        new = {"device": device.id, "lineage": device.lineage, "state": "set", "box": box, "ways": ways, "place": place}
        tasks.update(connection, found.id, **new | window)
        _leave(connection, desk, case, SET, found)
        _tell_if_due(connection, _open(connection, found.id), desk.now)
        return _noted(connection, case, found)


def recall(store: Store, desk: Desk, name: str) -> Noted:
    """Take a task back: the device lets go of it, and it does not come again. Raises NotFound, and TaskRefused
    (`ended`)."""
    with store.write() as connection:
        found = _named(connection, name)
        for lineage in _lying(connection, found):
            devices.lock_lineage(connection, lineage)
        case = opening.take(connection, desk, [found.complaint])[0][found.complaint]
        again = tasks.find(connection, found.id)
        if again is None or not (again.state in OPEN or again.repeats):
            raise TaskRefused(fault="ended")
        _end(connection, desk, case, again, RECALLED)
        return _noted(connection, case, again)


def waiting(store: Store, desk: Desk, limit: int) -> list[Shown]:
    """The tasks of the actor's scope that are not done, at most `limit`; those that end first before the others.
    Nothing for whoever handles no case."""
    if not may_ever(desk.actor, holding.ACTION):
        return []
    with store.read() as connection:
        found = tasks.in_scope(connection, scope_of(desk.actor, [holding.ACTION], desk.places), limit)
        return _shown(connection, _handled(connection, desk, found))


def show(store: Store, desk: Desk, name: str) -> Shown:
    """A task, by the beginning of its id. Raises NotFound."""
    with store.read() as connection:
        found = _named(connection, name)
        holding.require(connection, desk, holding.reach(connection, [found.complaint], ()))
        [shown] = _shown(connection, [found])
    return shown


def of_case(store: Store, desk: Desk, number: str) -> list[Shown]:
    """The tasks of all complaints of a case, in the order set. Raises NotFound."""
    with store.read() as connection:
        complaint = holding.complaint_of(connection, number)
        case = holding.look(connection, desk, complaint)
        return of_complaints(connection, [complaint] if case is None else case.complaints)


def of_complaints(connection: sa.Connection, complaints: Collection[int]) -> list[Shown]:
    """The tasks of complaints that the actor handles, in the order set."""
    return _shown(connection, tasks.of_complaints(connection, complaints))


def setting(store: Store, desk: Desk, number: str, about: str = "") -> Setting:
    """What could be set for one complaint of a case, the one that was asked for unless `about` names another.

    Raises NotFound where the actor does not handle every complaint of the case, or it has no such complaint.
    """
    with store.read() as connection:
        asked = holding.complaint_of(connection, number)
        case = holding.look(connection, desk, asked)
        numbers = registry.numbers_of(connection, [asked] if case is None else case.complaints)
        chosen = next((id for id, each in numbers.items() if each == about), None) if about else asked
        if chosen not in numbers:
            raise NotFound(object=about or number)
        return Setting(
            number=numbers[chosen] if case is None else case.file.ref,
            version=0 if case is None else case.file.revision,
            about=numbers[chosen],
            complaints=sorted(numbers.values()),
            kinds=_possible(connection, chosen),
            devices=_candidates(connection, desk, chosen),
            tasks=of_complaints(connection, numbers),
        )


def look_after(store: Store, places: Gazetteer | None, now: datetime) -> int:
    """Do what is due of tasks, each in a transaction of its own; gives of how many there was something to do.

    They travel when their window is near; they end when it is over, when the complaint allows no way any more that
    they take, and when their device is gone; a visit that is repeated comes again.
    """
    with store.read() as connection:
        ids = tasks.unsettled(connection)
        pages = (ids[at : at + _PAGE] for at in range(0, len(ids), _PAGE))
        due = [id for page in pages for id in _due(connection, tasks.several(connection, page), now)]
    return sum(_look_at(store, Desk(JOB, places, now), id) for id in due)


def _look_at(store: Store, desk: Desk, id: str) -> bool:
    """Whether there was something to do; of a case with which somebody is at work now the next run does it."""
    try:
        with store.write() as connection:
            found = tasks.find(connection, id)
            if found is None:
                return False
            for lineage in sorted({found.lineage, *_lying(connection, found)}):
                devices.lock_lineage(connection, lineage)
            case = opening.take(connection, desk, [found.complaint])[0][found.complaint]
            found = tasks.find(connection, id)
            if found is None or not _due(connection, [found], desk.now):
                # Somebody did something with it meanwhile.
                return False
            _do(connection, desk, case, found)
    except (Busy, NotFound):
        return False
    return True


def _do(connection: sa.Connection, desk: Desk, case: Case, found: Task) -> None:
    if found.state not in OPEN:
        tasks.take_back(connection, found.id, desk.now)
        if found.repeats:
            _repeat(connection, desk, case, found)
    elif found.closes_on < desk.now.date().isoformat():
        _end(connection, desk, case, found, OVER)
    elif not (ways := _ways_now(connection, [found])[found.id]) or _is_narrower(found, ways):
        _end(connection, desk, case, found, RECALLED)
    else:
        _tell_if_due(connection, found, desk.now)


def _due(connection: sa.Connection, found: Sequence[Task], now: datetime) -> list[str]:
    """The ids of those with which there is something to do."""
    lying = tasks.lying(connection, [each.id for each in found])
    ways = _ways_now(connection, [each for each in found if each.state in OPEN])
    return [each.id for each in found if _is_due(each, ways.get(each.id, ()), now, is_lying=each.id in lying)]


def _is_due(found: Task, ways: Sequence[Way], now: datetime, *, is_lying: bool) -> bool:
    if found.state not in OPEN:
        return found.repeats or is_lying
    if found.closes_on < now.date().isoformat():
        return True
    return not ways or _is_narrower(found, ways) or _is_to_tell(found, ways, now)


def _made(connection: sa.Connection, desk: Desk, complaint: int, device: Device, errand: Errand) -> Task:
    _require_scope(connection, desk, complaint, device)
    _check(connection, desk, complaint, errand, device)
    return Task(
        id=str(uuid4()),
        complaint=complaint,
        kind=errand.kind,
        lineage=device.lineage,
        device=device.id,
        state="set",
        opens_on=errand.window.opens_on.isoformat(),
        closes_on=errand.window.closes_on.isoformat(),
        place=errand.place or sealed.standings(connection, [complaint])[complaint].place_id,
        box=_sealed(connection, desk, complaint, device, errand),
        ways=list(_ways(connection, complaint, errand.kind)),
        repeats=errand.repeats,
        follows=None,
        at=desk.now,
        by=desk.actor.signature,
    )


def _noted(connection: sa.Connection, case: Case, about: Task) -> Noted:
    return Noted(about.id, cases.find(connection, [case.file.id])[case.file.id].revision)


def _keep(connection: sa.Connection, desk: Desk, case: Case, made: Task) -> None:
    tasks.add(connection, made)
    _leave(connection, desk, case, SET, made)
    _tell_if_due(connection, made, desk.now)


def _check(
    connection: sa.Connection, desk: Desk, complaint: int, errand: Errand, device: Device, but: str = ""
) -> None:
    """Raises TaskRefused and ContactNotAllowed. `but`: the task itself, where there is one already."""
    if len(errand.words) > TEXT_MAX_CHARS:
        raise TaskRefused(fault="words", most=TEXT_MAX_CHARS)
    if errand.place is not None and (desk.places is None or errand.place not in desk.places.by_id):
        raise TaskRefused(fault="place")
    _ways(connection, complaint, errand.kind)
    known = [each for each in tasks.of_complaints(connection, [complaint]) if each.id != but]
    situation = Situation(
        collector=tasks.collector_of(connection, complaint),
        lineage=device.lineage,
        open_kinds={each.kind for each in known if each.state in OPEN},
    )
    rules.check(errand.kind, errand.window, situation, desk.now.date(), repeats=errand.repeats)


def _ways(connection: sa.Connection, complaint: int, kind: Kind) -> tuple[Way, ...]:
    """The ways by which a task may reach the person now. Raises TaskRefused and ContactNotAllowed."""
    has_chosen = tasks.has_chosen(connection, complaint)
    return rules.ways(kind, contact.wishes_of(connection, complaint), has_chosen=has_chosen)


def _possible(connection: sa.Connection, complaint: int) -> list[Possible]:
    wishes, has_chosen = contact.wishes_of(connection, complaint), tasks.has_chosen(connection, complaint)
    found = []
    for kind in KINDS:
        try:
            found.append(Possible(kind, rules.ways(kind, wishes, has_chosen=has_chosen), None))
        except (TaskRefused, ContactNotAllowed) as refused:
            found.append(Possible(kind, (), refused))
    return found


def _candidates(connection: sa.Connection, desk: Desk, complaint: int) -> list[Candidate]:
    collector, target = tasks.collector_of(connection, complaint), _target(connection, desk, complaint)
    ready = [each for each in devices.listed(connection) if each.state == _READY]
    return [
        Candidate(f"M-{each.number}", each.label, each.team or "", each.lineage == collector)
        for each in ready
        if _may_show(desk, target, each)
    ]


def _ways_now(connection: sa.Connection, found: Sequence[Task]) -> dict[str, tuple[Way, ...]]:
    """By task, the ways by which it may reach the person now; none where it may not lie on its device any more."""
    complaints = {each.complaint for each in found}
    held = devices.several(connection, {each.device for each in found})
    wishes, chosen = contact.wishes(connection, complaints), tasks.chosen(connection, complaints)
    ways: dict[str, tuple[Way, ...]] = {each.id: () for each in found}
    for each in found:
        if each.device in held and held[each.device].state == _READY:
            with suppress(TaskRefused, ContactNotAllowed):
                kind, has_chosen = cast(Kind, each.kind), each.complaint in chosen
                ways[each.id] = rules.ways(kind, wishes[each.complaint], has_chosen=has_chosen)
    return ways


def _is_narrower(found: Task, ways: Sequence[Way]) -> bool:
    """Whether the person allows less than when the box was sealed: it may say more than may be used."""
    return not set(found.ways) <= set(ways)


def _is_to_tell(found: Task, ways: Sequence[Way], now: datetime) -> bool:
    """Whether the device is to hear of it, for the first time or because there are more ways than it heard of."""
    if found.state == "told":
        return list(ways) != found.ways
    return found.state == "set" and rules.travels_from(_window(found)) <= now.date()


def _tell_if_due(connection: sa.Connection, found: Task, now: datetime) -> None:
    ways = _ways_now(connection, [found])[found.id]
    if ways and not _is_narrower(found, ways) and _is_to_tell(found, ways, now):
        tasks.take_back(connection, found.id, now, silently_of=found.lineage)
        body = {"task": found.id, "what": found.kind, "from": found.opens_on, "to": found.closes_on, "by": list(ways)}
        place = {"place": found.place} if found.place else {}
        tasks.tell(connection, found, body | place | ({"box": to_text(found.box)} if found.box else {}), now)


def _end(connection: sa.Connection, desk: Desk, case: Case, found: Task, code: str) -> None:
    """A task that nobody does any more; one that is repeated comes again when it was only not done."""
    tasks.take_back(connection, found.id, desk.now)
    if found.state in OPEN:
        tasks.update(connection, found.id, state="over" if code == OVER else "recalled")
    _leave(connection, desk, case, code, found)
    if found.repeats and code == OVER:
        _repeat(connection, desk, holding.read(connection, desk, [case.file.id])[case.file.id], found)
    else:
        tasks.update(connection, found.id, box=None, repeats=False)
    _notify(connection, desk, case, code, found.id)


def _repeat(connection: sa.Connection, desk: Desk, case: Case, found: Task) -> None:
    """The next time of a task that has ended, on the same device, if it still may."""
    tasks.update(connection, found.id, box=None, repeats=False)
    if _ways_now(connection, [found])[found.id]:
        window = rules.next_window(cast(Kind, found.kind), _window(found), desk.now.date())
        days = {"opens_on": window.opens_on.isoformat(), "closes_on": window.closes_on.isoformat()}
        new = {"id": str(uuid4()), "state": "set", "follows": found.id, "at": desk.now}
        _keep(connection, desk, case, Task(**vars(found) | days | new))
    else:
        _notify(connection, desk, case, RECALLED, f"after:{found.id}")


def _notify(connection: sa.Connection, desk: Desk, case: Case, code: str, key: str) -> None:
    """Let whoever has the case hear of it, unless they did it."""
    file = case.file
    notices.tell_owner(connection, file.owner, code, f"{code}:{key}", desk.now, file.id, by=desk.actor.id)


def _leave(connection: sa.Connection, desk: Desk, case: Case, code: str, about: Task) -> None:
    fields = {"task": about.id, "kind": about.kind}
    entry = holding.entry_of(desk, case, code, complaint=about.complaint, fields=fields)
    holding.leave(connection, case, entry, {})
    holding.renew(connection, [case.file.id])


def _device(connection: sa.Connection, desk: Desk, complaint: int, name: str) -> Device:
    """The newest device that people call so and that may get a task of the complaint from the actor.

    Raises TaskRefused, and NotFound where the complaint is not for the actor: of that nothing is told, either.
    """
    holding.require(connection, desk, [complaint])
    for each in devices.all_called(connection, name):
        if each.state == _READY and _is_in_scope(connection, desk, complaint, each):
            return each
    raise TaskRefused(fault="device")


def _require_scope(connection: sa.Connection, desk: Desk, complaint: int, device: Device) -> None:
    """Raises TaskRefused where the complaint was revised since the device was chosen."""
    if not _is_in_scope(connection, desk, complaint, device):
        raise TaskRefused(fault="device")


def _is_in_scope(connection: sa.Connection, desk: Desk, complaint: int, device: Device) -> bool:
    """A device gets what whoever sets it may show its team."""
    return _may_show(desk, _target(connection, desk, complaint), device)


def _may_show(desk: Desk, target: Target, device: Device) -> bool:
    own = Target(target.region, device.team, device.partner, target.is_strict)
    return permit(desk.actor, holding.ACTION, own)


def _target(connection: sa.Connection, desk: Desk, complaint: int) -> Target:
    return sealed.standings(connection, [complaint])[complaint].target(desk.places)


def _sealed(connection: sa.Connection, desk: Desk, complaint: int, device: Device, errand: Errand) -> bytes:
    """What the device's holder is to know, and whom the report is for; only the device opens it."""
    target = _target(connection, desk, complaint)
    scope = {
        "region": target.region,
        "team": target.team,
        "partner": target.partner,
        "is_strict": target.is_strict,
    }
    said = {"words": errand.words.strip()} if errand.words.strip() else {}
    parts = dict(errand.parts)
    if "identity" in parts and not _BY_CONTACTS & set(_ways(connection, complaint, errand.kind)):
        parts["identity"] = without_contacts(parts["identity"])
    return seal_to(from_text(device.box_key), canonical({**parts, **said, "scope": scope}))


def _named(connection: sa.Connection, name: str) -> Task:
    found = tasks.named(connection, name.strip().lower())
    if found is None:
        raise NotFound(object=name)
    return found


def _open(connection: sa.Connection, id: str) -> Task:
    """The task as it stands, if it is not done. Raises TaskRefused."""
    found = tasks.find(connection, id)
    if found is None or found.state not in OPEN:
        raise TaskRefused(fault="ended")
    return found


def _lying(connection: sa.Connection, found: Task) -> list[str]:
    """The lineages that were told of a task and did not let go of it, in the order of their ids."""
    return sorted({each.lineage for each in tasks.told_of(connection, found.id) if each.gone_at is None})


def _window(found: Task) -> Window:
    return Window(date.fromisoformat(found.opens_on), date.fromisoformat(found.closes_on))


def _handled(connection: sa.Connection, desk: Desk, found: Sequence[Task]) -> list[Task]:
    """Those of cases of which the actor handles every complaint."""
    held = cases.holding(connection, {each.complaint for each in found})
    members = cases.members(connection, set(held.values()))
    standings = sealed.standings(connection, {each.complaint for named in members.values() for each in named})
    may = {id: permit(desk.actor, holding.ACTION, each.target(desk.places)) for id, each in standings.items()}
    return [each for each in found if all(may[one.complaint] for one in members[held[each.complaint]])]


def _shown(connection: sa.Connection, found: Sequence[Task]) -> list[Shown]:
    if not found:
        return []
    numbers = registry.numbers_of(connection, {each.complaint for each in found})
    results = tasks.results_of(connection, {each.id for each in found})
    labels = devices.labels_of(connection, {*(each.lineage for each in found), *(each.lineage for each in results)})
    came = {each.id: [(labels[one.lineage], one) for one in results if one.task == each.id] for each in found}
    return [Shown(numbers[each.complaint], each, labels[each.lineage], came[each.id]) for each in found]
