"""Reaching a person: which ways the complaint allows as it stands; what it does not clearly allow, nobody may do."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Self, get_args

from server.domain.errors import ContactNotAllowed
from server.domain.permission import STRICT

Way = Literal["at_next_meeting", "call", "message", "visit", "verification_visit"]
# Why there are fewer ways than all, the weightiest first.
Limit = Literal["withdrawn", "never", "unasked", "unreadable", "unsettled", "in_person", "gbv", "strict", "consent"]

WAYS: Final[tuple[Way, ...]] = get_args(Way)
LIMITS: Final[tuple[Limit, ...]] = get_args(Limit)
_ALL: Final = frozenset(WAYS)
_NONE: Final[frozenset[Way]] = frozenset()
# Whoever comes to verify asks around, and shows the place who spoke.
_UNSEEN: Final = _ALL - {"verification_visit"}
_IF_SHE_COMES: Final[frozenset[Way]] = frozenset({"at_next_meeting"})

# Of the vocabulary's kinds: those outside the family gbv that ask for its care, and the families that do not.
_LIKE_GBV: Final = frozenset({"COR-SEX"})
_WITHOUT_CARE: Final = ("COR-", "HR-", "SRV-", "OTH")
_LAST: Final = (2**63, 2**63)
_SHOWN: Final = ("no", "name", "note")


@dataclass(frozen=True)
class Wish:
    """What a complaint says of reaching the person, in codes of the vocabulary; `withdrawn` is empty or a scope."""

    contact_ok: str
    confidentiality: str
    consent_level: str
    withdrawn: str
    kinds: frozenset[str]

    @property
    def care(self) -> str:
        """What its kinds ask for; empty where there are none to go by."""
        if not self.kinds:
            return ""
        return "gbv" if any(map(follows_gbv_rules, self.kinds)) else "usual"


# What nobody can read may be anything that a person said, a withdrawal too.
UNREADABLE: Final = Wish("", "", "", "", frozenset())


@dataclass(frozen=True)
class Spoken:
    """One operation that is, or speaks of, a complaint: whose, its place among what they wrote, and the line.

    `place`: number of the device, which rises from one to its successor, and the device's own counter.
    """

    lineage: str
    place: tuple[int, int]
    line: bytes = field(repr=False)

    @classmethod
    def set_aside(cls, lineage: str, number: int, payload: bytes) -> Self:
        """What was set aside, of which only the line may tell the place; one that tells none comes last."""
        try:
            seq = json.loads(payload)["seq"]
        except (ValueError, KeyError, TypeError):
            seq = None
        return cls(lineage, (number, seq) if isinstance(seq, int) else _LAST, payload)


@dataclass(frozen=True)
class Reach:
    """The ways that are allowed, and why the others are not, the weightiest first."""

    ways: frozenset[Way]
    limits: tuple[Limit, ...]


_Rule = tuple[frozenset[Way], Limit | None]
_FREE: Final[_Rule] = (_ALL, None)
_UNKNOWN: Final[_Rule] = (_NONE, "unreadable")
_BY_CONSENT: Final[_Rule] = (_UNSEEN, "consent")
# What each answer leaves; one that is not here leaves nothing.
_RULES: Final[Mapping[str, Mapping[str, _Rule]]] = {
    "contact_ok": {
        "yes": _FREE,
        "in_person": (_IF_SHE_COMES, "in_person"),
        "never": (_NONE, "never"),
        "unasked": (_NONE, "unasked"),
    },
    "withdrawn": {"": _FREE, "exports": _BY_CONSENT, "all": (_NONE, "withdrawn")},
    "care": {"usual": _FREE, "gbv": (_UNSEEN, "gbv")},
    "confidentiality": {"public": _FREE, "internal": _FREE, "confidential": _FREE, STRICT: (_UNSEEN, "strict")},
    "consent_level": {"C0": _BY_CONSENT, "C1": _BY_CONSENT, "C2": _FREE, "C3": _FREE, "C4": _FREE},
}


def follows_gbv_rules(kind: str) -> bool:
    """Whether a kind asks for the care of gender-based violence, as one that is not known does."""
    return kind in _LIKE_GBV or not kind.startswith(_WITHOUT_CARE)


def wishes_in(standing: Wish, spoken: Iterable[Spoken]) -> list[Wish]:
    """For `reach` and `check`: the wish that stands, and the last word of each lineage, filed or set aside.

    No device hears what another said, and no clock tells which of two was told later.
    """
    by_lineage: dict[str, list[Spoken]] = {}
    for each in sorted(spoken, key=lambda each: each.place):
        by_lineage.setdefault(each.lineage, []).append(each)
    words = [_last_word(standing, [each.line for each in said]) for said in by_lineage.values()]
    return [standing, *words]


def reach(wishes: Sequence[Wish]) -> Reach:
    """How the person may be reached: in the ways that every wish allows; without any wish in none.

    The first is what stands. What the others leave less is for a person to settle; until then it is not done.
    """
    rules = [rule for wish in wishes for rule in _rules(wish)] or [_UNKNOWN]
    ways = _left(rules)
    named = {limit for _, limit in rules}
    if wishes and ways != _left([*_rules(wishes[0])]):
        named.add("unsettled")
    return Reach(ways, tuple(limit for limit in LIMITS if limit in named))


def check(wishes: Sequence[Wish], way: Way) -> None:
    """Whatever reaches a person asks this first, in the transaction that claims it. Raises ContactNotAllowed."""
    found = reach(wishes)
    if way not in found.ways:
        against = [limit for wish in wishes for ways, limit in _rules(wish) if limit and way not in ways]
        raise ContactNotAllowed(way=way, fault=min(against or ["unreadable"], key=found.limits.index))


def without_contacts(identity: Mapping[str, Any]) -> dict[str, Any]:
    """An opened identity with who the persons are, and nothing by which they could be reached."""
    persons = identity.get("persons")
    known = [each for each in persons if isinstance(each, dict)] if isinstance(persons, list) else []
    return {"persons": [{name: each[name] for name in _SHOWN if name in each} for each in known]}


def _last_word(standing: Wish, lines: Sequence[bytes]) -> Wish:
    """What stands, changed by each of these operations; UNREADABLE when one of them can't be read."""
    word = standing
    try:
        for line in lines:
            operation = json.loads(line)
            word = _heard(word, operation["op"], operation["content"])
    except (ValueError, KeyError, TypeError):
        return UNREADABLE
    return word


def _heard(word: Wish, op: str, content: Mapping[str, Any]) -> Wish:
    """Raises KeyError and TypeError for what no form here allows."""
    if op == "withdrawal":
        return word if word.withdrawn == "all" else replace(word, withdrawn=content["scope"])
    if op == "consent_change":
        return replace(word, consent_level=content["consent"]["level"])
    if op in ("complaint", "revision"):
        return _with_facts(word, content["facts"]["clear"]) if "facts" in content else word
    if op in ("answer", "linkage", "task_done"):
        return word
    raise KeyError(op)


def _with_facts(word: Wish, facts: Mapping[str, Any]) -> Wish:
    return replace(
        word,
        contact_ok=facts["contact_ok"],
        confidentiality=facts["confidentiality"],
        kinds=frozenset(facts["kinds"]),
        consent_level=facts["consent"]["level"],
    )


def _rules(wish: Wish) -> Iterator[_Rule]:
    for name, rules in _RULES.items():
        said = getattr(wish, name)
        yield rules.get(said, _UNKNOWN) if isinstance(said, str) else _UNKNOWN


def _left(rules: Sequence[_Rule]) -> frozenset[Way]:
    return frozenset.intersection(*(ways for ways, _ in rules))
