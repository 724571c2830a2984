"""What whoever has a stolen database learns of surnames: the shares of names are public, and keys have frequencies."""

import tomllib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import resources
from itertools import combinations
from random import Random
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from fixtures import kit
from server.domain.matching import composites, profiles
from server.domain.names import parts, rarity_bits, sound
from server.hub import Hub
from server.services.duplicates import turning
from server.services.duplicates.features import Features
from server.services.duplicates.turning import Means
from server.store import unmatched
from server.store.match_tables import match_key, match_profile
from server.store.schema import received
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import fresh_folder, opened
from tests.builders import Sender, an_id, enrolled, operation
from tests.matching import linkage

FIGURES: Final = ("surname_attack_share",)
_SEED: Final = 17
_COMPLAINTS: Final = 1500
_PAGE: Final = 100
_BEGIN: Final = date(2025, 1, 1)
_DAYS: Final = 600
# How likely it is that one of each role is named, and that the second bears the surname of the first.
_NAMED: Final = {"reporter": 0.8, "victims": 0.8, "accused": 0.4}
_KIN_SHARE: Final = 0.5
_THREE_PARTS_SHARE: Final = 0.1
_KINDS: Final = ("COR-EXT", "COR-RACKET", "HR-ATT", "COR-BRI-P", "HR-DPL", "HR-KIL", "COR-ABU", "HR-EDU")
_BODIES: Final = ("police", "gendarmerie", "civil_servant", "armed_group", "customs", "teacher")
# So many of the most frequent keys of a cell are given a name; one that claims more is more often wrong.
_CLAIMED: Final = (1, 3, 10, 30)
# Keys that meet in more complaints than this multiple of chance are taken for relatives' of one surname.
_LIFT: Final = 3.0
_ROUNDS: Final = 8
_CELL_FACTS: Final = 2

_TABLE: Final = tomllib.loads((resources.files("server.domain") / "names.toml").read_text("utf-8"))
_SURNAMES: Final[Mapping[str, int]] = _TABLE["surnames"]
_GIVEN: Final[Mapping[str, int]] = _TABLE["given"]


class Setting(NamedTuple):
    """Where all that a hub knows has happened: in so many cercles, of so many villages each."""

    name: str
    cercles: int
    villages: int


SETTINGS: Final = (Setting("country", 50, 60), Setting("cercle", 1, 60), Setting("village", 1, 1))


class Cell(NamedTuple):
    """A sort of key and the first two facts, but for names, that it is made of.

    More could not be told apart: what a key further stands for only makes it rarer.
    """

    sort: str
    facts: tuple[int, ...]


Postings = Mapping[Cell, Sequence[frozenset[int]]]


@dataclass(frozen=True)
class Stolen:
    """A database in the hands of a thief who is told more of it than any could find out.

    `postings`: by cell, which complaints share a key, of the keys that are made of names. `named`: how many people each
    complaint names. `surnames`: what there is to learn, by complaint.

    The thief has neither the credential nor the pepper, so that profiles and compartments stay sealed; but knows the
    recipe of keys, the shares of all names, and of each key of names its sort and which others are of its cell.
    """

    postings: Postings
    named: Mapping[int, int]
    surnames: Mapping[int, Collection[str]]


class Claim(NamedTuple):
    """That somebody of this surname, by its sound, is named in each of these complaints."""

    complaints: frozenset[int]
    surname: str


def measure() -> Iterator[Figure]:
    """The share of complaints of which a thief names a surname rightly, by the best attack in the worst setting."""
    worst = max(_measured(setting) for setting in SETTINGS)
    yield Figure("surname_attack_share", worst, "share", "<=", 0.05)


def learnt(stolen: Stolen) -> Mapping[str, float]:
    """By attack, the share of complaints with a surname named rightly, less what the same claims get right by chance.

    By degree: in each cell the most frequent keys are those of the most frequent names, or of the most frequent pairs
    of names where the sort is of pairs. By company: keys of one cell that meet more often than by chance, as those of
    relatives do, are of one surname, and the largest group is that of the most frequent. By silence: who stands in no
    key bears one of the most frequent names.
    """
    attacks = {f"degree {most}": _by_degree(stolen.postings, most) for most in _CLAIMED}
    attacks |= {f"company {most}": _by_company(stolen.postings, most) for most in _CLAIMED}
    attacks["silence"] = iter([Claim(_silent(stolen), _RANKED[0])])
    return {name: _beyond_chance(claims, stolen.surnames) for name, claims in attacks.items()}


def forms(setting: Setting, count: int, seed: int) -> list[dict[str, Any]]:
    """Complaints in the shape of those of the labelled kit, of people whose names are as frequent as the list says."""
    rng = Random(f"{seed} {setting.name}")
    cercles = sorted(place.id for place in kit.places().places if place.level == "cercle")[: setting.cercles]
    return [_form(rng, cercles, setting.villages) for _ in range(count)]


def names_of(form: Mapping[str, Any]) -> list[str]:
    """The names of those whom a complaint names."""
    people = (form["reporter"], *form["victims"], *form["accused"])
    return [each["name"] for each in people if "name" in each]


def stolen_of(told: Mapping[int, Mapping[str, Any]], postings: Postings) -> Stolen:
    """What a thief has, who took the postings of these complaints."""
    names = {number: names_of(form) for number, form in told.items()}
    surnames = {number: {sound(parts(each)[-1]) for each in said} for number, said in names.items()}
    return Stolen(postings, {number: len(said) for number, said in names.items()}, surnames)


def postings_of(told: Mapping[int, profiles.Profile], pepper: bytes, posted: Mapping[int, Collection[int]]) -> Postings:
    """The keys of names among those that are posted of complaints, with the cells that their profiles show."""
    cells: dict[int, Cell] = {}
    complaints: defaultdict[int, set[int]] = defaultdict(set)
    for number, profile in told.items():
        for sort, atoms in composites.composites(profile):
            many = _names_in(sort)
            key = composites.key_of((sort, atoms), pepper)
            if many and key in posted[number]:
                cells[key] = Cell(sort, atoms[many : many + _CELL_FACTS])
                complaints[key].add(number)
    by_cell: defaultdict[Cell, list[frozenset[int]]] = defaultdict(list)
    for key, found in complaints.items():
        by_cell[cells[key]].append(frozenset(found))
    return {cell: sorted(found, key=lambda each: (-len(each), min(each))) for cell, found in by_cell.items()}


def _measured(setting: Setting) -> float:
    told = forms(setting, _COMPLAINTS, _SEED)
    with fresh_folder() as folder, opened(folder) as hub:
        numbers = _fill(hub, told)
        shares = learnt(stolen_of({numbers[an_id(at)]: form for at, form in enumerate(told)}, _postings(hub)))
    best = max(shares, key=lambda name: shares[name])
    note(f"surnames, one {setting.name}: {shares[best]:.4f} learnt of {len(told)} complaints, by {best}")
    return max(0.0, *shares.values())


def _fill(hub: Hub, told: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    sender = enrolled(hub, "d")
    for first in range(0, len(told), _PAGE):
        page = enumerate(told[first : first + _PAGE], first)
        sender.send(*(line for at, form in page for line in _lines(sender, at, kit.content(form))))
    means = Means(hub.secrets.pepper, hub.secrets.linkage, kit.places())
    while page := _claimed(hub):
        with hub.store.read() as connection:
            turned = turning.turn(connection, page, means)
        turning.keep(hub.store, turned, hub.clock())
    with hub.store.read() as connection:
        return {row.client_id: row.id for row in connection.execute(sa.select(received.c.client_id, received.c.id))}


def _lines(sender: Sender, name: int, said: Mapping[str, Any]) -> tuple[bytes, bytes]:
    return operation("complaint", name, sender.seal(name, said)), linkage(sender, name, said)


def _claimed(hub: Hub) -> list[unmatched.Waiting]:
    now = hub.clock()
    with hub.store.write() as connection:
        return unmatched.claim(connection, "thief", now, now + timedelta(hours=1), _PAGE)


def _postings(hub: Hub) -> Postings:
    features = Features(hub.secrets.pepper)
    with hub.store.read() as connection:
        posted = defaultdict[int, set[int]](set)
        for row in connection.execute(sa.select(match_key.c.k, match_key.c.complaint)):
            posted[row.complaint].add(row.k)
        kept = connection.execute(sa.select(match_profile.c.complaint, match_profile.c.features)).all()
    opened_all = {row.complaint: features.open(row.complaint, row.features) for row in kept}
    return postings_of({id: each for id, each in opened_all.items() if each}, hub.secrets.pepper, posted)


def _form(rng: Random, cercles: Sequence[str], villages: int) -> dict[str, Any]:
    cercle = rng.choice(cercles)
    kinship = _drawn(rng, _SURNAMES)
    form: dict[str, Any] = {
        "device": "d",
        "entered_on": "2026-11-01",
        "cercle": cercle,
        "language": "fra",
        "kinds": [rng.choices(_KINDS, [1 / (1 + at) for at in range(len(_KINDS))])[0]],
        "reporter": _person(rng, "reporter", kinship),
        "victims": [_person(rng, "victims", kinship) | {"sex": rng.choice("fm"), "age": rng.randrange(6, 70)}],
        "accused": [{"body": rng.choices(_BODIES, [1 / (1 + at) for at in range(len(_BODIES))])[0]}],
        "place": {"text": f"Inventedugu{chr(97 + rng.randrange(villages) % 26)}{rng.randrange(villages)}"},
        "date": {"precision": "day", "from": str(_BEGIN + timedelta(days=rng.randrange(_DAYS)))},
        "narrative": "Au poste, on nous a demandé de payer avant de passer la route.",
    }
    form["accused"][0] |= _person(rng, "accused", _drawn(rng, _SURNAMES))
    return form


def _person(rng: Random, role: str, kinship: str) -> dict[str, str]:
    if rng.random() > _NAMED[role]:
        return {}
    surname = kinship if rng.random() < _KIN_SHARE else _drawn(rng, _SURNAMES)
    given = [_drawn(rng, _GIVEN) for _ in range(1 + (rng.random() < _THREE_PARTS_SHARE))]
    return {"name": " ".join((*given, surname)).title()}


def _drawn(rng: Random, shares: Mapping[str, int]) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]


def _names_in(sort: str) -> int:
    """Of how many parts of names a sort of key is made."""
    return {"names": 2, "name": 1}.get(sort.partition(" ")[0], 0)


def _by_degree(postings: Postings, most: int) -> Iterator[Claim]:
    for cell, found in postings.items():
        yield from map(Claim, found[:most], _expected(cell.sort))


def _expected(sort: str) -> Sequence[str]:
    """The surnames that the most frequent keys of a sort are of, the most frequent first."""
    if _names_in(sort) == 1:
        return _RANKED
    least = {"names": composites.WIDEST_BITS, "names cercle": composites.WIDE_BITS}.get(sort, composites.NARROW_BITS)
    return [surname for surname, bits in _PAIRS if bits >= least]


def _by_company(postings: Postings, most: int) -> Iterator[Claim]:
    for found in postings.values():
        groups = sorted(_groups(found), key=lambda each: (-len(each), min(each)))
        yield from map(Claim, groups[:most], _RANKED)


def _silent(stolen: Stolen) -> frozenset[int]:
    """The complaints that have fewer keys of two names and a month than they name people."""
    keys: Counter[int] = Counter()
    for cell, found in stolen.postings.items():
        if cell.sort == "names month":
            keys.update(number for complaints in found for number in complaints)
    return frozenset(number for number, many in stolen.named.items() if keys[number] < many)


def _groups(found: Sequence[frozenset[int]]) -> Iterator[frozenset[int]]:
    """Communities of keys by label propagation (Raghavan 2007), each as the complaints of all its keys."""
    near = _met(found)
    group = list(range(len(found)))
    for _ in range(_ROUNDS):
        for at, others in near.items():
            weights: Counter[int] = Counter()
            for other, met in others.items():
                weights[group[other]] += met
            group[at] = max(weights, key=lambda each: (weights[each], -each))
    by_group: defaultdict[int, set[int]] = defaultdict(set)
    for at, complaints in enumerate(found):
        by_group[group[at]] |= complaints
    return map(frozenset, by_group.values())


def _met(found: Sequence[frozenset[int]]) -> dict[int, dict[int, int]]:
    """How often keys meet in one complaint, of those that meet more often than by chance."""
    keys: defaultdict[int, list[int]] = defaultdict(list)
    for at, complaints in enumerate(found):
        for each in complaints:
            keys[each].append(at)
    pairs = Counter(pair for here in keys.values() for pair in combinations(here, 2))
    near: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for (a, b), met in pairs.items():
        if met * len(keys) > _LIFT * len(found[a]) * len(found[b]):
            near[a][b] = near[b][a] = met
    return dict(near)


def _beyond_chance(claims: Iterable[Claim], surnames: Mapping[int, Collection[str]]) -> float:
    """Of a complaint that several surnames are claimed of stands the one whose keys are the more frequent."""
    votes: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for claim in claims:
        for number in claim.complaints:
            votes[number][claim.surname] += len(claim.complaints)
    said = {number: max(each, key=lambda name: (each[name], -_RANKED.index(name))) for number, each in votes.items()}
    borne = Counter(each for known in surnames.values() for each in known)
    right = sum(name in surnames[number] for number, name in said.items())
    by_chance = sum(borne[name] for name in said.values()) / len(surnames)
    return (right - by_chance) / len(surnames)


def _ranked() -> list[str]:
    shares: Counter[str] = Counter()
    for name, share in _SURNAMES.items():
        shares[sound(name)] += share
    return [name for name, _ in shares.most_common()]


def _pairs() -> list[tuple[str, int]]:
    """The surname and the rarity, in bits, of each pair of a given name and a surname, the most frequent first."""
    shares = {
        (given, surname): mine * theirs for given, mine in _GIVEN.items() for surname, theirs in _SURNAMES.items()
    }
    ranked = sorted(shares, key=lambda pair: -shares[pair])
    return [(sound(surname), rarity_bits(given) + rarity_bits(surname)) for given, surname in ranked]


_RANKED: Final = _ranked()
_PAIRS: Final = _pairs()
