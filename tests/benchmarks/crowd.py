"""A crowd: invented incidents of ten years in a whole country, told by many, as many as one asks for.

Not measured by it: how well people's reports are matched (that is for the labelled kit), but what scale costs. An
incident and each telling of it follow from the seed and their numbers, so that any process can make any of them.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum
from functools import cache, cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from client_sync.protocol.frames import to_text
from client_sync.protocol.linkage import pivots_of, words_of
from server.domain.matching import profiles
from server.domain.matching.profiles import VICTIM_ROLE, Profile, Told
from server.domain.places import read_list
from server.services.duplicates.turning import parts_of

_WORDS: Final = Path(__file__).with_name("crowd.toml")
_PIVOT: Final = Path(__file__).parents[2] / "client_sync" / "protocol" / "pivot.toml"
_PLACES: Final = Path(__file__).parents[2] / "fixtures" / "places" / "mali-2026.1.csv"
_BEGIN: Final = date(2016, 11, 1)
_DAYS: Final = 3650
# Zipf's law over this many villages gives the first a fiftieth of all: 20,000 of a million.
_VILLAGES: Final = 12_000
_VILLAGE_EXPONENT: Final = 0.725
_NAME_EXPONENT: Final = 0.75
_SAME_NAME_SHARE: Final = 0.02
_SAME_NAME: Final = "Fatoumata Traoré"
# Of the incidents so many are told once, twice, …
_TOLD: Final = (0.80, 0.11, 0.05, 0.02, 0.01, 0.01)
# About as many as in the labelled kit: accused with a name, victims, telephones, people named in the narrative.
_ACCUSED_KNOWN: Final = 0.2
_VICTIMS: Final = (0.15, 0.70, 0.12, 0.03)
_WITH_PHONE: Final = 0.65
_NAMED_AGAIN: Final = 0.6
_MONITORS: Final = 8
_MONITORS_HOT: Final = 40
_SENTENCES: Final = 2
# Of the matter so many words are its own, and each telling has some of them, by its hardness.
_OWN_WORDS: Final = 14
_WORDS_KEPT: Final = (1.0, 0.8, 0.5, 0.25)
_STEMS: Final = 5_000
_MINHASH_BYTES: Final = 64
_NARRATIVES: Final = 200
_CHOICE: Final = re.compile(r"\(([^()]*\|[^()]*)\)")
_BLANK: Final = re.compile(r"\{\w+\}")


class Hardness(IntEnum):
    """How far a telling is from the first one."""

    FIRST = 0
    SAME_MONITOR = 1
    OTHER_MONITOR = 2
    HARD = 3


class Telling(NamedTuple):
    """One report of an incident; two of one incident never have one number."""

    incident: int
    number: int
    hardness: Hardness


class Village(NamedTuple):
    """Where incidents happen; `number` 0 is the village that is told of most."""

    number: int
    name: str
    cercle: str


class Report(NamedTuple):
    """A report: in the shape of those of the labelled kit, but without its words; and what its linkage says."""

    form: Mapping[str, Any]
    linkage: Mapping[str, Any]


class _Incident(NamedTuple):
    village: Village
    day: date
    theme: str
    victims: tuple[str, ...]
    accused: str
    complainant: str
    phone: str
    amount: int | None
    monitor: int
    words: Sequence[str]


@dataclass(frozen=True)
class Crowd:
    """`size` reports and who told them."""

    seed: int
    size: int

    @cached_property
    def history(self) -> Sequence[Telling]:
        """The reports in the order in which they arrive."""
        rng = Random(f"{self.seed} history")
        arrivals: list[tuple[float, Telling]] = []
        incident = 0
        while len(arrivals) < self.size:
            # As `_incident` draws it.
            day = Random(f"{self.seed} {incident}").randrange(_DAYS)
            for number in range(rng.choices(range(1, len(_TOLD) + 1), _TOLD)[0]):
                hardness = Hardness(rng.choices((1, 2, 3), (2, 5, 3))[0]) if number else Hardness.FIRST
                delay = rng.expovariate(1 / 12) + (rng.randrange(700) if rng.random() < 0.1 else 0)
                arrivals.append((day + delay, Telling(incident, number, hardness)))
            incident += 1
        return [telling for _, telling in sorted(arrivals[: self.size])]

    def late(self, count: int, hardness: Hardness, village: int | None = None) -> list[Telling]:
        """New tellings of so many incidents of the whole history, or of those of one village."""
        rng = Random(f"{self.seed} late {hardness} {village}")
        told = sorted({each.incident for each in self.history})
        if village is not None:
            told = [each for each in told if self._incident(each).village.number == village]
        return [Telling(each, 100 + hardness, hardness) for each in rng.sample(told, min(count, len(told)))]

    def report(self, telling: Telling) -> Report:
        """What was told."""
        incident = self._incident(telling.incident)
        rng = Random(f"{self.seed} {telling.incident} {telling.number}")
        form = _form(rng, telling, incident)
        return Report(form, _linkage(form, _statement(rng, form, telling, incident)))

    def _incident(self, number: int) -> _Incident:
        rng = Random(f"{self.seed} {number}")
        day = _BEGIN + timedelta(days=rng.randrange(_DAYS))
        villages, weights = _villages()
        village = rng.choices(villages, cum_weights=weights)[0]
        theme = rng.choice(list(_words()["theme"]))
        sums = _words()["theme"][theme]["sums"]
        victims = tuple(_name(rng) for _ in range(rng.choices(range(len(_VICTIMS)), _VICTIMS)[0]))
        return _Incident(
            village=village,
            day=day,
            theme=theme,
            victims=victims,
            accused=_name(rng) if rng.random() < _ACCUSED_KNOWN else "",
            complainant=victims[0] if victims and rng.random() < 0.6 else _name(rng),
            phone=f"+223 00{rng.randrange(10**6):06d}" if rng.random() < _WITH_PHONE else "",
            amount=rng.choice(sums) if sums and rng.random() < 0.7 else None,
            monitor=rng.randrange(1 << 16),
            words=_said_besides(rng),
        )


def profile(report: Report, pepper: bytes) -> Profile:
    """The profile that the hub makes of a report."""
    parts = parts_of(report.linkage, None, pepper).values()
    return profiles.renewed(profiles.EMPTY, [*parts, profiles.of_facts(_told(report.form), None, pepper)])


def _told(form: Mapping[str, Any]) -> Told:
    """The facts as the hub's tables give them to the matcher, of content that `kit.content` makes of the form."""
    date, victims = form["date"], len(form["victims"])
    roles = ["complainant", *[VICTIM_ROLE] * victims, *["alleged_perpetrator"] * len(form["accused"])]
    return Told(
        kinds=tuple(form["kinds"]),
        place_id=form["cercle"],
        incident_from=date.get("from"),
        incident_to=None,
        precision=date["precision"],
        amounts=(form["amount_xof"],) if "amount_xof" in form else (),
        bodies=tuple(each["body"] for each in form["accused"]),
        roles={number: (role,) for number, role in enumerate(roles, 1)},
        victims=tuple((each["sex"], None) for each in form["victims"]),
    )


def _linkage(form: Mapping[str, Any], statement: Mapping[str, Any]) -> dict[str, Any]:
    """As a device makes it, compartment by compartment."""
    persons = [form["reporter"], *form["victims"], *form["accused"]]
    names = [[number, each["name"]] for number, each in enumerate(persons, 1) if "name" in each]
    phones = [form["reporter"]["phone"][-8:]] if "phone" in form["reporter"] else []
    return {
        "identity": {"names": names, "phones": phones},
        "statement": statement,
        "traces": {"said": form["place"]["text"]},
    }


def _form(rng: Random, telling: Telling, incident: _Incident) -> dict[str, Any]:
    hardness = telling.hardness
    is_other, is_hard = hardness >= Hardness.OTHER_MONITOR, hardness is Hardness.HARD
    theme = _words()["theme"][incident.theme]
    is_known = not is_other and incident.monitor % 4 > 0
    is_english = is_hard and rng.random() < 0.5
    victims = [_respelled(rng, each, hardness) for each in incident.victims]
    form: dict[str, Any] = {
        "device": _monitor(rng, incident, is_other=is_other),
        "entered_on": str(min(incident.day + timedelta(days=3 + telling.number), date(2026, 11, 20))),
        "cercle": incident.village.cercle,
        "language": "eng" if is_english else "fra",
        "kinds": _kinds(rng, theme["kinds"], hardness),
        "reporter": {"name": incident.complainant} if is_known else {},
        "victims": [{"name": each, "sex": "f"} for each in victims if not is_hard or rng.random() < 0.65],
        "accused": [{"body": theme["bodies"][incident.monitor % len(theme["bodies"])]}],
        "place": {"text": _place(rng, incident.village.name, hardness)},
        "date": _date(rng, incident.day, hardness),
        "narrative": "",
    }
    if is_known and incident.phone:
        form["reporter"]["phone"] = incident.phone
    if incident.accused and rng.random() < (0.6 if is_other else 0.9):
        form["accused"][0]["name"] = _respelled(rng, incident.accused, hardness)
    if incident.amount and rng.random() > 0.25 * hardness:
        form["amount_xof"] = incident.amount if not is_hard or rng.random() < 0.6 else incident.amount * 5
    return form


def _statement(rng: Random, form: Mapping[str, Any], telling: Telling, incident: _Incident) -> dict[str, Any]:
    """What a device finds in the narrative: two writers tell with some words of the matter, and many of their own."""
    people = [each for each in (*incident.victims, incident.accused) if each and rng.random() < _NAMED_AGAIN]
    told = _words_told(incident.theme, form["language"], rng.randrange(_NARRATIVES))
    own = [word for word in incident.words if rng.random() < _WORDS_KEPT[telling.hardness]]
    if form["language"] == "eng":
        own = [word for word in own if word.startswith("=")]
    return {
        "names": [_respelled(rng, each, telling.hardness) for each in people],
        "sums": [] if incident.amount is None or rng.random() < 0.3 else [incident.amount],
        "days": [f"{incident.day:%m-%d}"] if rng.random() < 0.4 else [],
        "pivots": sorted({*told, *own, *_said_besides(rng)}),
        "minhash": to_text(rng.randbytes(_MINHASH_BYTES)),
    }


def _said_besides(rng: Random) -> list[str]:
    """Words that another matter may have as well: concepts of the pivot list, and stems that stand in none."""
    stems = [f"mot{rng.randrange(_STEMS)}" for _ in range(_OWN_WORDS // 2)]
    return [*rng.sample(_concepts(), _OWN_WORDS - len(stems)), *stems]


@lru_cache(1 << 14)
def _words_told(theme: str, language: str, number: int) -> list[str]:
    rng = Random(f"{theme} {language} {number}")
    said = _words()["theme"][theme]["en" if language == "eng" else "fr"]
    text = _CHOICE.sub(lambda found: rng.choice(found[1].split("|")), " ".join(rng.sample(said, _SENTENCES)))
    return pivots_of(words_of(_BLANK.sub(" ", text)))


@cache
def _concepts() -> list[str]:
    return [f"={concept}" for concept in tomllib.loads(_PIVOT.read_text("utf-8"))["concept"]]


def _monitor(rng: Random, incident: _Incident, *, is_other: bool) -> str:
    many = _MONITORS_HOT if incident.village.number == 0 else _MONITORS
    number = rng.randrange(many) if is_other else incident.monitor % many
    return f"{incident.village.cercle} {number}"


def _kinds(rng: Random, kinds: Sequence[str], hardness: Hardness) -> list[str]:
    if rng.random() < 0.15 * hardness:
        return list(reversed(kinds))[: rng.randint(1, 2)]
    return list(kinds[: rng.randint(1, 2)])


def _date(rng: Random, day: date, hardness: Hardness) -> dict[str, Any]:
    """The day, and the better hidden the harder: off by some, a month, or not known."""
    chance = rng.random()
    if hardness is Hardness.HARD:
        if chance < 0.15:
            return {"precision": "unknown"}
        if chance < 0.45:
            return {"precision": "month", "from": str(day.replace(day=1))}
        return {"precision": "day", "from": str(day + timedelta(days=rng.choice((-30, -9, -3, -1, 0, 0, 1, 2, 6, 14))))}
    if hardness is Hardness.OTHER_MONITOR and chance < 0.15:
        return {"precision": "week", "from": str(day - timedelta(days=rng.randrange(6)))}
    off = rng.choice((-1, 0, 0, 0, 0, 1)) if hardness else 0
    return {"precision": "day", "from": str(day + timedelta(days=off))}


def _place(rng: Random, name: str, hardness: Hardness) -> str:
    if hardness is Hardness.HARD and rng.random() < 0.25:
        return str(rng.choice(_words()["villages"]["quarters"].split()))
    said = _misspelt(rng, name) if rng.random() < 0.15 * hardness else name
    return rng.choice((said, f"village de {said}", f"{said}, près du marché", f"route de {said}"))


def _respelled(rng: Random, name: str, hardness: Hardness) -> str:
    """A name as somebody else hears and writes it."""
    if rng.random() < 0.25 * hardness:
        name = _misspelt(rng, name)
    first, _, last = name.partition(" ")
    chance = rng.random()
    if hardness is Hardness.HARD and chance < 0.08:
        return f"{first[0]}. {last}"
    if chance < 0.10 * hardness:
        return f"{last.upper()} {first}"
    return name


def _misspelt(rng: Random, name: str) -> str:
    """With one sound written otherwise, where there is one that may be."""
    possible = [pair for pair in _words()["words"]["spelled"] if pair[0] in name[1:]]
    if not possible:
        return name
    old, new = rng.choice(possible)
    return name[0] + name[1:].replace(old, new, 1)


def _name(rng: Random) -> str:
    if rng.random() < _SAME_NAME_SHARE:
        return _SAME_NAME
    firsts, lasts = _names()
    return f"{rng.choices(*firsts)[0]} {rng.choices(*lasts)[0]}"


@cache
def _words() -> Mapping[str, Any]:
    return tomllib.loads(_WORDS.read_text("utf-8"))


@cache
def _names() -> tuple[tuple[list[str], list[float]], tuple[list[str], list[float]]]:
    names = _words()["names"]
    firsts = [each for pair in zip(names["women"].split(), names["men"].split(), strict=False) for each in pair]
    return _skewed(firsts), _skewed(names["surnames"].split())


def _skewed(words: list[str]) -> tuple[list[str], list[float]]:
    return words, [(1 + rank) ** -_NAME_EXPONENT for rank in range(len(words))]


@cache
def _villages() -> tuple[list[Village], list[float]]:
    """The villages, and their running weights; names come again in other cercles, as they do."""
    with _PLACES.open(encoding="utf-8", newline="") as file:
        cercles = [place.id for place in read_list(file, version="crowd").places if place.level == "cercle"]
    rng = Random("villages")
    halves = [_words()["villages"][half].split() for half in ("first", "last")]
    villages = [Village(number, "".join(map(rng.choice, halves)), rng.choice(cercles)) for number in range(_VILLAGES)]
    return villages, list(accumulate((1 + number) ** -_VILLAGE_EXPONENT for number in range(_VILLAGES)))


def shares(history: Sequence[Telling], most: int) -> Iterator[Sequence[Telling]]:
    """The history in slices of at most so many."""
    return (history[at : at + most] for at in range(0, len(history), most))
