"""Readers: what each recipient's key opens of cases of many kinds, and what is left when any one of them is lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, get_args

from nacl.public import PrivateKey
from shamir_mnemonic import combine_mnemonics

from client_sync.protocol.boxes import read_boxes
from client_sync.protocol.canonical import parse
from client_sync.protocol.keyring import key_id
from client_sync.seal import Binding, Unopenable, open_part, open_record_key
from server.commands.shares import split
from server.domain.desk import Desk
from server.domain.errors import NotFound
from server.domain.people import HeldKeys, Role
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services import places
from server.services.vault import handing_on, opening
from server.services.vault.holding import Compartment
from server.store import sealed
from server.store.sealed import Part
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import CHECKOUT, Plan, Void
from tests.builders import (
    STORED,
    Clock,
    Person,
    add_person,
    clear_content,
    enrolled,
    found_keyring,
    open_bare_hub,
    operation,
    verdicts,
)

FIGURES: Final = ("one_key_surprises", "cases_open_after_loss_share")
_PLACES: Final = CHECKOUT / "fixtures" / "places" / "mali-2026.1.csv"
_COMPARTMENTS: Final[tuple[Compartment, ...]] = get_args(Compartment)
_RECOVERY: Final = "recovery"
_REASON: Final = "rappeler la plaignante"


@dataclass(frozen=True)
class Reader:
    """Whom there is: empty scopes are all; what a verifier reads has to be assigned."""

    regions: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    is_named: bool = False
    is_verifier: bool = False


@dataclass(frozen=True)
class Case:
    """One complaint: where, by which team, how confidential; some are assigned to each who may read them."""

    region: str | None
    team: str
    is_strict: bool
    is_assigned: bool

    def is_covered_by(self, reader: Reader) -> bool:
        """The rule, written down here once more: within every scope, and named where it is strict."""
        is_near = not reader.regions or self.region in reader.regions
        is_theirs = not reader.teams or self.team in reader.teams
        return is_near and is_theirs and (reader.is_named or not self.is_strict)


READERS: Final = {
    "gao": Reader(regions=frozenset({"ml-r-gao"})),
    "mopti": Reader(regions=frozenset({"ml-r-mopti"})),
    "gao, nommée": Reader(regions=frozenset({"ml-r-gao"}), is_named=True),
    "équipe": Reader(teams=frozenset({"nord"})),
    "nationale": Reader(),
    "nationale, nommée": Reader(is_named=True),
    "vérificatrice": Reader(is_named=True, is_verifier=True),
}
_PLACES_OF: Final = {"ml-r-gao": "ml-c-gao", "ml-r-mopti": "ml-c-mopti", None: None}
CASES: Final = [Case(*each) for each in product(_PLACES_OF, ("nord", "sud"), (False, True), (False, True))]


@dataclass(frozen=True)
class World:
    """A hub on which each case was sealed and sent by a device, and the private keys of all."""

    hub: Hub
    people: dict[str, Person]
    recovery: bytes
    parts: list[Part]


def measure(_: Plan) -> Iterator[Figure]:
    """Both figures from one hub with a case of each kind."""
    with TemporaryDirectory() as folder:
        world = settled("sqlite", Path(folder))
        try:
            found = [*key_surprises(world), *surprises(world)]
            share = open_share(world)
        finally:
            world.hub.close()
    note(f"surprises: {found[:9]}" if found else f"{len(READERS) + 1} keys, {len(CASES)} cases: no surprise")
    yield Figure("one_key_surprises", len(found), "surprises", "=", 0)
    yield Figure("cases_open_after_loss_share", share, "ratio", "=", 1)


def settled(url: str, folder: Path) -> World:
    """The world on a fresh database. Raises Void when a case was not stored."""
    hub = open_bare_hub(url, folder, Clock(), seal_statement="strict")
    places.import_list(hub.store, places.read_list_file(_PLACES, "2026.1"), "figures", hub.clock())
    people = {name: _added(hub, name, reader) for name, reader in READERS.items()}
    founded = found_keyring(hub, *people.values())
    devices = {team: enrolled(hub, team, team=team) for team in ("nord", "sud")}
    for case in CASES:
        device = devices[case.team]
        place = _PLACES_OF[case.region] and {"id": _PLACES_OF[case.region], "list": "2026.1"}
        content = clear_content(place=place, confidentiality="strict" if case.is_strict else "confidential")
        line = operation("complaint", case, device.seal(case, content))
        if verdicts(device.send(line)) != [STORED]:
            raise Void(f"{case} was not stored")
    with hub.store.read() as connection:
        parts = sealed.after(connection, 0, len(CASES))
    world = World(hub, people, founded.recovery, parts)
    _assign(world)
    return world


def _added(hub: Hub, name: str, reader: Reader) -> Person:
    role: Role = "verifier" if reader.is_verifier else "coordinator"
    return add_person(hub, name, role, regions=reader.regions, teams=reader.teams, is_named_reader=reader.is_named)


def _assign(world: World) -> None:
    """By the one who reads everything, in whose session the keys are sealed again."""
    by = world.people["nationale, nommée"]
    for case, part in zip(CASES, world.parts, strict=True):
        for name, reader in READERS.items():
            if case.is_assigned and case.is_covered_by(reader):
                to = world.people[name].actor.id
                handing_on.assign(world.hub.store, world.hub.desk(by.actor, by.keys), part.complaint, to)


def key_surprises(world: World) -> list[str]:
    """Where one recipient's key, with nobody to ask for permission, opens of what devices sent what it should not."""
    keys = {name: next(iter(person.keys.private.values())) for name, person in world.people.items()}
    found = []
    for (name, key), (case, part) in product((keys | {_RECOVERY: world.recovery}).items(), _numbered(world)):
        boxes = {"identity", "traces", "statement"} if case.is_strict else {"identity", "traces"}
        expected = boxes if name == _RECOVERY or _is_sealed_to(READERS[name], case) else set()
        if (opened := opened_by(part, key)) != expected:
            found.append(f"key of {name}, {case}: {opened}")
    return found


def surprises(world: World) -> list[str]:
    """Where a person with the own key, and nobody else's, opens at the hub more or less than is permitted."""
    found = []
    for (name, person), (case, part) in product(world.people.items(), _numbered(world)):
        desk = world.hub.desk(person.actor, person.keys)
        opened = {each for each in _COMPARTMENTS if _opens(world, desk, part.complaint, each)}
        if opened != _permitted(READERS[name], case):
            found.append(f"{name}, {case}: {opened}")
    return found


def open_share(world: World) -> float:
    """The smallest share of cases that still opens in full when any one recipient's key is lost.

    So it must by any two of the three lists of the recovery key, put together again.
    """
    keys = {name: next(iter(person.keys.private.values())) for name, person in world.people.items()}
    keys[_RECOVERY] = world.recovery
    shares = [
        sum(any(opened_by(part, key) for name, key in keys.items() if name != lost) for part in world.parts)
        for lost in keys
    ]
    for lists in combinations(split(world.recovery), 2):
        again: bytes = combine_mnemonics(lists)
        held = HeldKeys({key_id(bytes(PrivateKey(again).public_key)): again})
        shares.append(handing_on.drill(world.hub.store, world.hub.desk(OPERATOR, held)).given)
    note(f"cases that open, each recipient lost in turn, then each two lists of three: {shares} of {len(CASES)}")
    return min(shares) / len(CASES)


def opened_by(part: Part, private: bytes) -> set[str]:
    """The compartments of what a device sent that a private key opens by itself."""
    boxes = read_boxes(parse(part.line)["content"])
    kid = key_id(bytes(PrivateKey(private).public_key))
    found = set()
    for name, box in boxes.boxes.items():
        try:
            open_part(box, open_record_key(boxes.keys[kid], private), name, Binding(part.client_id, part.lineage))
        except (Unopenable, KeyError):
            continue
        found.add(name)
    return found


def _is_sealed_to(reader: Reader, case: Case) -> bool:
    # A verifier's key is in no keyring: it gets the cases that are assigned.
    return not reader.is_verifier and case.is_covered_by(reader)


def _permitted(reader: Reader, case: Case) -> set[str]:
    if not case.is_covered_by(reader) or (reader.is_verifier and not case.is_assigned):
        return set()
    return {"statement", "traces", "identity"} if case.is_assigned else {"statement", "traces"}


def _opens(world: World, desk: Desk, complaint: int, compartment: Compartment) -> bool:
    try:
        opened = opening.open_compartment(world.hub.store, desk, complaint, compartment, _REASON)
    except NotFound:
        return False
    return opened.clear is not None


def _numbered(world: World) -> list[tuple[Case, Part]]:
    return list(zip(CASES, world.parts, strict=True))
