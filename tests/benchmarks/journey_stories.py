"""The complaints of the journey, and what its script makes of each: kept apart from the hub, to be held against it."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Literal

from client_sync.protocol.receipts import new_receipt
from fixtures import kit
from fixtures.generate import PARTNER, contents
from server.domain.contact import WAYS, Way
from tests.benchmarks.contacts import Said, forbidden, forbidden_to_tasks
from tests.builders import an_id

Region = Literal["gao", "mopti"]
# What a canary stands in: a name, a statement, traces; a note of the team; words and a report of a task.
Place = Literal["n", "s", "t", "g", "w", "r"]
Told = tuple[str, Mapping[str, str]]

# By place among all devices: which team it is of, and of which region.
TEAMS: Final[Sequence[tuple[str, Region]]] = (
    ("gao-1", "gao"),
    ("gao-1", "gao"),
    ("gao-2", "gao"),
    ("mopti-1", "mopti"),
    ("mopti-1", "mopti"),
    ("mopti-2", "mopti"),
)
CANARY: Final = re.compile(rb"kanari([a-z]{3})([nstgwr])", re.IGNORECASE)
# The days on which complaints are told.
TELLING_DAYS: Final = 5
# What a strict case says in place of the template that names a body, and what is left out of every one.
_UNNAMED: Final = {name: f"{name}_unnamed" for name in ("referred", "body_answered", "body_silent")}
_NOT_IF_STRICT: Final = frozenset({"body", "programme", "outcome", "inadmissible"})
# Nobody is told these, whoever it is.
_NEVER: Final = frozenset({"abusive", "unfounded", "unable_to_verify"})
_SEED: Final = 20_261_121
# How two of the same are told: by one region each, and by whom else they are told stays unsaid.
_PAIRED: Final = ("joined", "detached")
_ORDINARY: Final = (
    "remedied",
    "visited",
    "joined",
    "referred",
    "withdrawn",
    "asked",
    "undone",
    "informed",
    "reopened",
    "detached",
    "silent",
    "narrowed",
    "inadmissible",
    "unfounded",
    "left",
)
_VISITED: Final = frozenset({"visited", "asked", "informed", "narrowed", "withdrawn"})
_OF_SURVIVORS: Final = ("survivor", "survivor", "withdrawn", "joined", "undone")


class Affair:
    """What the script made of a case: which complaints it has, and how it stands."""

    def __init__(self, first: "Story") -> None:
        self.members = [first]
        self.status = "received"

    @property
    def is_strict(self) -> bool:
        """Whether it is for named readers alone."""
        return any(each.is_strict for each in self.members)

    @property
    def regions(self) -> set[str]:
        """Where its complaints were told."""
        return {each.region for each in self.members}

    @property
    def number(self) -> str:
        """The registry number by which it is called."""
        return self.members[0].number

    def say(self, template: str, only: "Story | None" = None, **fields: str) -> None:
        """Devices are to hear this of every complaint, or of one."""
        for each in self.members if only is None else [only]:
            each.hear(template, fields, is_strict=self.is_strict)


@dataclass(eq=False)
class Story:
    """One complaint: which device tells it on which day, what the script did with it, and what its device has to say.

    `tasks`: those that have to come back. `spoken`: what its device said of being reached, by id of the operation.
    """

    at: int
    phone: int
    day: int
    course: str
    content: dict[str, Any] = field(repr=False)
    twin: "Story | None" = field(default=None, repr=False)
    number: str = ""
    is_over: bool = False
    expected: list[Told] = field(default_factory=list)
    tasks: set[str] = field(default_factory=set)
    spoken: list[tuple[str, Said]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.affair = self.own = Affair(self)

    @property
    def id(self) -> str:
        """The id under which its device sends it."""
        return an_id(f"journey:{self.at}")

    @property
    def facts(self) -> dict[str, Any]:
        """What its form says."""
        found: dict[str, Any] = self.content["facts"]["clear"]
        return found

    @property
    def region(self) -> Region:
        """Where it is told."""
        return TEAMS[self.phone][1]

    @property
    def comes(self) -> bool:
        """Whether the person comes by and asks the holder of the phone."""
        return self.at % 3 == 0

    @property
    def is_strict(self) -> bool:
        """Whether it is for named readers alone."""
        return bool(self.facts["confidentiality"] == "strict")

    @property
    def is_gbv(self) -> bool:
        """Whether it is of gender-based violence."""
        return any(kind.startswith("GBV-") or kind == "COR-SEX" for kind in self.facts["kinds"])

    def canary(self, place: Place) -> str:
        """A word that stands nowhere else."""
        first, rest = divmod(self.at, 26 * 26)
        letters = "".join(chr(ord("a") + each) for each in (first, *divmod(rest, 26)))
        return f"Kanari{letters}{place}"

    def hear(self, template: str, fields: Mapping[str, str], *, is_strict: bool) -> None:
        """The device is to be told this, unless it says nothing new."""
        hidden = _NOT_IF_STRICT if is_strict else frozenset()
        kept = {name: code for name, code in fields.items() if name not in hidden and code not in _NEVER}
        said = (_UNNAMED.get(template, template) if is_strict else template), kept
        if not self.expected or (template != "acknowledged" and self.expected[-1] != said):
            self.expected.append(said)

    def ways(self, received: Collection[str], *, of_task: bool = False) -> frozenset[Way]:
        """How the person may be reached by whoever heard these operations, read from what was said alone."""
        first = Said("", "complaint", "own", 0, b"", self.facts, self.facts["consent"]["level"])
        told = [first, *(each for id, each in self.spoken if id in received)]
        return frozenset(WAYS) - (forbidden_to_tasks if of_task else forbidden)(told)


def stories(count: int) -> list[Story]:
    """So many complaints of every kind and consent, some of which two regions told; the same for the same count."""
    rng = Random(_SEED)
    told = {region: iter(contents(_SEED, 2 * count, region)) for region in ("gao", "mopti")}
    turns: defaultdict[bool, int] = defaultdict(int)
    pairs = _told_twice()
    made: list[Story] = []
    while len(made) < count:
        phone = len(made) % len(TEAMS)
        story = Story(len(made), phone, len(made) * TELLING_DAYS // count, "", next(told[TEAMS[phone][1]]))
        _vary(story, rng)
        kinds = _OF_SURVIVORS if story.is_strict else _ORDINARY
        story.course = kinds[turns[story.is_strict] % len(kinds)]
        turns[story.is_strict] += 1
        _open_up(story)
        made.append(story)
        if story.course in _PAIRED:
            made.append(_twin(story, len(made), next(told[TEAMS[(phone + 3) % 6][1]]), next(pairs, ("", ""))))
    for each in made:
        _plant(each)
    return made


def _vary(story: Story, rng: Random) -> None:
    """What the generator seldom makes: survivors who may be reached, and ordinary people whom nobody asked."""
    facts = story.facts
    facts |= {"team": TEAMS[story.phone][0], "partner": PARTNER, "receipt": new_receipt(rng.choice)}
    if story.is_strict and rng.random() < 0.6:
        facts["contact_ok"] = rng.choice(("yes", "in_person"))
    elif story.at % 13 == 5:
        facts["contact_ok"] = "unasked"
    if story.is_gbv and rng.random() < 0.5:
        facts["consent"] |= {"level": "C4", "bodies": ["cndh", "one_stop"]}


def _open_up(story: Story) -> None:
    """Of those to whom somebody is to go, most let somebody come."""
    consent = story.facts["consent"]
    if story.course in _VISITED and not story.is_strict and story.at % 4:
        story.facts["contact_ok"] = "yes"
        if consent["level"] < "C2":
            consent |= {"level": "C2", "bodies": ["cndh"]}


def _twin(story: Story, at: int, content: dict[str, Any], words: tuple[str, str]) -> Story:
    """The same incident as a device of the other region tells it, with its own consent."""
    phone = (story.phone + 3) % len(TEAMS)
    facts = content["facts"]["clear"]
    same = {name: story.facts[name] for name in ("kinds", "incident", "confidentiality")}
    facts |= same | {"team": TEAMS[phone][0], "partner": PARTNER}
    for each, text in zip((story.content, content), words, strict=True):
        if text:
            each["statement"] = {"clear": {"narrative": text, "lang": "fra"}}
    made = Story(at, phone, story.day, "twin", content, story)
    story.twin = made
    return made


def _told_twice() -> Iterator[tuple[str, str]]:
    """Words of two reports each of the same incident, out of the labelled kit."""
    told: defaultdict[str, list[str]] = defaultdict(list)
    for each in kit.reports("test"):
        if each.form["language"] == "fra":
            told[each.incident].append(each.form["narrative"])
    return ((each[0], each[1]) for each in told.values() if len(each) > 1)


def _plant(story: Story) -> None:
    content = story.content
    for person in content.get("identity", {}).get("clear", {}).get("persons", ()):
        person["name"] = f"{story.canary('n')} Exemple"
    if "statement" in content and "narrative" in content["statement"]["clear"]:
        content["statement"]["clear"]["narrative"] += f" {story.canary('s')}."
    if "traces" in content:
        content["traces"]["clear"]["said"] = f"près de {story.canary('t')}"
