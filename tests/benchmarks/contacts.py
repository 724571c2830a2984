"""Contacts: random walks of what a person says of being reached, and each way that the hub then offers: by opening an
identity, by a task that somebody sets or that a phone reads, and by word."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

import sqlalchemy as sa

from server.domain.contact import WAYS, Way, check
from server.domain.desk import Desk
from server.domain.errors import ContactNotAllowed, TaskRefused
from server.domain.task import KINDS, Kind, Window
from server.hub import Hub
from server.services import places
from server.services.cases import queues, tasking, telling
from server.services.cases.tasking import Errand
from server.services.intake.admission import file_held
from server.services.vault import handing_on, opening
from server.store import changes, contact, registry, tasks
from server.store.schema import complaint
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import CHECKOUT, Plan, Void
from tests.builders import (
    Clock,
    Person,
    Sender,
    add_person,
    an_id,
    clear_content,
    enrolled,
    facts,
    found_keyring,
    open_bare_hub,
    operation,
)

FIGURES: Final = ("unsafe_contacts", "contact_steps")
HUBS: Final = 5
WALKS: Final = 9
STEPS: Final = 25
_PLACES: Final = CHECKOUT / "fixtures" / "places" / "mali-2026.1.csv"
_REASON: Final = "rappeler la plaignante"
# More than are ever written for the phone on one hub.
_CHANGES_MOST: Final = 100_000
_PHONE: Final = "+223 00 00 12 34"
_ALL: Final = frozenset(WAYS)
_STRANGER: Final = "stranger"
_VISITOR: Final = "visitor"
_TEAMS: Final = {"own": "nord", "colleague": "nord", _STRANGER: "sud"}
# Of a place that no list has, a revision is held; a kind that no list has can't be read.
_UNKNOWN_PLACE: Final = {"id": "ml-c-nulle-part", "list": "2026.1"}
_ANSWERS: Final[Mapping[str, tuple[Any, ...]]] = {
    "contact_ok": ("yes", "yes", "yes", "in_person", "never", "unasked"),
    "kinds": (["COR-RACKET"], ["HR-THR"], ["COR-BRI-A"], ["COR-SEX"], ["COR-RACKET", "GBV-3"]),
    "confidentiality": ("confidential", "confidential", "confidential", "internal", "strict"),
}
# What is written next, and how often.
_WRITTEN: Final = {
    "revision": 50,
    "elsewhere": 4,
    "same_id": 4,
    "consent_change": 16,
    "exports": 2,
    "all": 1,
    "spoilt": 1,
}


@dataclass(frozen=True)
class Said:
    """One message as its device wrote it: what it answers, with `level` of consent and `scope` of a withdrawal."""

    name: str
    op: str
    by: str
    seq: int
    line: bytes = field(repr=False)
    answers: Mapping[str, Any] = field(default_factory=dict)
    level: str = ""
    scope: str = ""


def forbidden(arrived: Iterable[Said]) -> frozenset[Way]:
    """The ways that somebody who heard all of it would not take, whatever the hub made of it.

    Each device's last word by its own counter; where two differ, neither knew the other, and the careful one counts.
    """
    told = [each for each in arrived if each.by != _STRANGER]
    found: set[Way] = set()
    for by in {each.by for each in told}:
        said = sorted((each for each in told if each.by == by), key=lambda each: each.seq)
        found |= _not_by_answers([each.answers for each in said if each.answers])
        found |= _not_by_consent([each.level for each in said if each.level])
    if any(each.scope for each in told):
        found.add("verification_visit")
    if any(each.scope == "all" or each.op == "spoilt" for each in told):
        return _ALL
    return frozenset(found)


def forbidden_to_tasks(arrived: Iterable[Said]) -> frozenset[Way]:
    """The ways that no task may take: whoever tells of gender-based violence is visited by nobody."""
    told = [each for each in arrived if each.by != _STRANGER and each.answers]
    last = {each.by: each.answers for each in sorted(told, key=lambda each: each.seq)}
    visits: frozenset[Way] = frozenset({"visit", "verification_visit"} if any(map(_is_gbv, last.values())) else ())
    return forbidden(arrived) | visits


def _is_gbv(answers: Mapping[str, Any]) -> bool:
    return any(kind.startswith("GBV-") or kind == "COR-SEX" for kind in answers["kinds"])


def _not_by_answers(said: Sequence[Mapping[str, Any]]) -> frozenset[Way]:
    if not said:
        return frozenset()
    last = said[-1]
    if last["contact_ok"] != "yes":
        return _ALL - {"at_next_meeting"} if last["contact_ok"] == "in_person" else _ALL
    return frozenset({"verification_visit"} if _is_gbv(last) or last["confidentiality"] == "strict" else ())


def _not_by_consent(said: Sequence[str]) -> frozenset[Way]:
    return frozenset({"verification_visit"} if said and said[-1] in ("C0", "C1") else ())


@dataclass
class Tally:
    """What the steps came to: ways `offered`, those that the history `allowed`, and the `unsafe` in words.

    `tasks` were set, and `told` by word so often.
    """

    steps: int = 0
    tasks: int = 0
    told: int = 0
    offered: int = 0
    allowed: int = 0
    withheld: int = 0
    unsafe: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class World:
    """A hub, the devices that speak of complaints, the phone that gets tasks, and somebody who opens identities."""

    hub: Hub
    devices: dict[str, Sender]
    visitor: Sender
    reader: Person

    def desk(self) -> Desk:
        """The desk of the one who reads."""
        return self.hub.desk(self.reader.actor, self.reader.keys)


def measure(_: Plan) -> Iterator[Figure]:
    """Both figures, from several hubs, on which ever more waits. Raises Void when next to nothing is offered."""
    tally = Tally()
    for number in range(HUBS):
        with TemporaryDirectory() as folder:
            world = settled("sqlite", Path(folder))
            try:
                walk_through(world, range(number * WALKS, (number + 1) * WALKS), STEPS, tally)
            finally:
                world.hub.close()
    note(f"{tally.offered} of {tally.allowed} allowed ways offered; contacts withheld {tally.withheld} times")
    note(f"{tally.tasks} tasks set; told by word {tally.told} times")
    note(f"unsafe: {tally.unsafe[:5] or 'none'}")
    if tally.offered * 2 < tally.allowed:
        raise Void("the hub offers less than half of what the persons allow")
    if not tally.tasks or not tally.told:
        raise Void("no task was set, or nobody told by word")
    yield Figure("unsafe_contacts", len(tally.unsafe), "contacts", "=", 0)
    yield Figure("contact_steps", tally.steps, "steps", ">=", 1000)


def settled(url: str, folder: Path) -> World:
    """The world on a fresh database."""
    hub = open_bare_hub(url, folder, Clock(), seal_statement="strict", device_burst_records=10**6)
    places.import_list(hub.store, places.read_list_file(_PLACES, "2026.1"), "figures", hub.clock())
    reader = add_person(hub, "nationale", is_named_reader=True)
    found_keyring(hub, reader)
    devices = {name: enrolled(hub, name, team=team) for name, team in _TEAMS.items()}
    return World(hub, devices, enrolled(hub, _VISITOR, team="nord"), reader)


def walk_through(world: World, walks: Iterable[int], steps: int, tally: Tally) -> None:
    """Walks of so many messages each, by number, which is their seed; after each message every way is asked for."""
    for number in walks:
        walk = Walk(world, Random(number), f"walk {number}")
        for _ in range(steps):
            walk.step()
            walk.look(tally)


class Walk:
    """One complaint, told by three devices: messages are written, held back, repeated, and sent in any order."""

    def __init__(self, world: World, randoms: Random, name: str) -> None:
        self._world, self._randoms, self._name = world, randoms, name
        self._arrived: list[Said] = []
        self._seq = 1
        self._amended: Counter[str] = Counter()
        self._complaint: int | None = None
        self._waiting = [self._first()]

    def step(self) -> None:
        """Write a message, and send one of those that wait, or one once more; at times what is held is filed."""
        if self._randoms.random() < 0.1:
            hub = self._world.hub
            file_held(hub.store, hub.settings.registry_prefix, hub.clock(), self._world.desk().places)
        if self._randoms.random() < 0.9:
            self._waiting.append(self._written())
        said = self._chosen()
        self._world.devices[said.by].send(said.line)
        self._arrived.append(said)
        if said.op == "complaint" and self._complaint is None:
            self._complaint = _newest(self._world.hub)
            handing_on.assign(self._world.hub.store, self._world.desk(), self._complaint, self._world.reader.actor.id)

    def look(self, tally: Tally) -> None:
        """Ask for every way through the doors of the hub, and compare with what arrived."""
        if self._complaint is None:
            return
        world = self._world
        opened = opening.open_compartment(world.hub.store, world.desk(), self._complaint, "identity", _REASON)
        offered = opened.reach.ways | {way for way in WAYS if _is_granted(world.hub, self._complaint, way)}
        allowed = _ALL - forbidden(self._arrived)
        tally.steps += 1
        tally.offered += len(offered)
        tally.allowed += len(allowed)
        tally.withheld += opened.is_withheld
        tally.unsafe += [f"{self._name}: {way} after {self._arrived}" for way in sorted(offered - allowed)]
        if not allowed and _PHONE in str(opened.clear):
            tally.unsafe.append(f"{self._name}: the phone is shown after {self._arrived}")
        unsafe = self._sent_out(self._complaint, tally)
        tally.unsafe += [f"{self._name}: {each} after {self._arrived}" for each in unsafe]

    def _sent_out(self, complaint_id: int, tally: Tally) -> Iterator[str]:
        """Unsafe ways of the tasks that a phone would read now, before and after somebody tries to set one more of any
        kind; and any way in which the hub lets somebody tell the person by word."""
        world, may = self._world, _ALL - forbidden_to_tasks(self._arrived)
        for way in _ways_read(world, complaint_id) - may:
            yield f"a phone reads of {way}"
        tasking.look_after(world.hub.store, world.desk().places, world.hub.clock())
        number = _number(world.hub, complaint_id)
        tally.tasks += _try(partial(_set_task, world, number, self._randoms.choice(KINDS)))
        for way in _ways_read(world, complaint_id) - may:
            yield f"a task takes {way}"
        way = self._randoms.choice(WAYS)
        if _try(partial(_tell, world, number, way)):
            tally.told += 1
            if way in forbidden(self._arrived):
                yield f"somebody tells by {way}"

    def _chosen(self) -> Said:
        """Mostly the oldest that waits; else any, or one that was sent before."""
        if self._arrived and (not self._waiting or self._randoms.random() < 0.1):
            return self._randoms.choice(self._arrived)
        at = 0 if self._randoms.random() < 0.6 else self._randoms.randrange(len(self._waiting))
        return self._waiting.pop(at)

    def _first(self) -> Said:
        answers = self._answers()
        whole = clear_content(**answers, place={"id": "ml-c-gao", "list": "2026.1"})
        line = operation("complaint", self._name, self._world.devices["own"].seal(self._name, whole))
        return Said(self._name, "complaint", "own", 1, line, answers, "C2")

    def _answers(self) -> dict[str, Any]:
        return {name: self._randoms.choice(values) for name, values in _ANSWERS.items()}

    def _written(self) -> Said:
        """The next message of somebody about the complaint."""
        kind = self._randoms.choices(list(_WRITTEN), list(_WRITTEN.values()))[0]
        by = self._randoms.choices(list(_TEAMS), (5, 4, 2))[0]
        self._seq += 1
        name = f"{self._name}, {self._seq}"
        if kind == "same_id" and (before := [each for each in self._arrived if each.by == by]):
            name = self._randoms.choice(before).name
        about = {"complaint": an_id(self._name), "lineage": self._world.devices["own"].lineage}
        if kind in ("exports", "all"):
            line = operation("withdrawal", name, about | {"scope": kind}, self._seq)
            return Said(name, "withdrawal", by, self._seq, line, scope=kind)
        if kind == "consent_change":
            level = self._randoms.choice(("C0", "C1", "C2", "C3", "C4"))
            line = operation(kind, name, about | {"consent": {"level": level}}, self._seq)
            return Said(name, kind, by, self._seq, line, level=level)
        return self._revision(name, by, kind, about)

    def _revision(self, name: str, by: str, kind: str, about: Mapping[str, str]) -> Said:
        """All answers anew, made on what a device counts: its own revisions."""
        answers, level = self._answers(), self._randoms.choice(("C1", "C2", "C2", "C3"))
        place = _UNKNOWN_PLACE if kind == "elsewhere" else {"id": "ml-c-gao", "list": "2026.1"}
        told = facts(**answers, place=place, consent={"level": level})
        if kind == "spoilt":
            told["channel"] = "no such channel"
        self._amended[by] += 1
        content = {**about, "base_revision": self._amended[by], "facts": {"clear": told}}
        line = operation("revision", name, content, self._seq)
        return Said(name, "spoilt" if kind == "spoilt" else "revision", by, self._seq, line, answers, level)


def _try(act: Callable[[], object]) -> bool:
    try:
        act()
    except (ContactNotAllowed, TaskRefused):
        return False
    return True


def _set_task(world: World, number: str, kind: Kind) -> None:
    today = world.hub.clock().date()
    errand = Errand(kind, _VISITOR, Window(today, today + timedelta(days=9)))
    tasking.set_task(world.hub.store, world.desk(), number, errand, after=_version(world, number))


def _tell(world: World, number: str, way: Way) -> None:
    telling.by_word(world.hub.store, world.desk(), number, way, after=_version(world, number))


def _version(world: World, number: str) -> int:
    return queues.show(world.hub.store, world.desk(), number).version


def _ways_read(world: World, complaint_id: int) -> set[Way]:
    """The ways that stand in the changes for the phone, from the first on: what it would read if it came now."""
    with world.hub.store.read() as connection:
        ids = {each.id for each in tasks.of_complaints(connection, [complaint_id])}
        read = changes.after(connection, world.visitor.lineage, 0, _CHANGES_MOST)
    return {way for each in read if each.kind == tasks.TASK and each.body["task"] in ids for way in each.body["by"]}


def _number(hub: Hub, complaint_id: int) -> str:
    with hub.store.read() as connection:
        return registry.numbers_of(connection, [complaint_id])[complaint_id]


def _newest(hub: Hub) -> int:
    with hub.store.read() as connection:
        found: int = connection.scalars(sa.select(sa.func.max(complaint.c.id))).one()
    return found


def _is_granted(hub: Hub, complaint_id: int, way: Way) -> bool:
    with hub.store.read() as connection:
        try:
            check(contact.wishes_of(connection, complaint_id), way)
        except ContactNotAllowed:
            return False
    return True
