"""Packages: what one destination gets of one quarter, under a number of its own, and what it says of each item."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

from server.domain.errors import PackageRefused

# `sealed`: the file is whole and can be opened by its destination alone; `transmitted`: it left; `received`: the
# destination has it, and may still owe a word on some items.
State = Literal["prepared", "sealed", "transmitted", "received", "closed", "cancelled"]
# A complaint without its person's name, or with it; that what was sent before is void; fields of it that changed.
Shape = Literal["line", "named", "void", "correction"]
Verdict = Literal["accepted", "rejected"]
# How a sealed file gets to its destination: on a stick or by a folder, or to an address of its own.
Way = Literal["folder", "https"]

STATES: Final[tuple[State, ...]] = get_args(State)
SHAPES: Final[tuple[Shape, ...]] = get_args(Shape)
WAYS: Final[tuple[Way, ...]] = get_args(Way)
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
# Where each state may lead.
NEXT: Final[Mapping[State, frozenset[State]]] = {
    "prepared": frozenset({"sealed", "cancelled"}),
    "sealed": frozenset({"transmitted", "cancelled"}),
    "transmitted": frozenset({"received", "closed"}),
    "received": frozenset({"received", "closed"}),
    "closed": frozenset(),
    "cancelled": frozenset(),
}
# After so long without a word of the destination, people are told.
ANSWER_WITHIN: Final = timedelta(days=15)
PREFIX: Final = re.compile(r"[A-Z][A-Z0-9]{1,11}")
_NUMBER: Final = re.compile(
    r"(?P<prefix>[A-Z][A-Z0-9]{1,11})-(?P<quarter>(?:19|20)[0-9]{2}-T[1-4])-(?P<no>[0-9]{4}|[1-9][0-9]{4,8})"
)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
# A number under which a body keeps a file, where it is plainly no more: other words of a body go to no device.
FILE_NUMBER: Final = re.compile(r"(?=[^0-9]*[0-9])(?=.{1,40}\Z)[A-Z0-9]{1,10}(?:[ /._-][A-Z0-9]{1,10})*")
_TEXT_MAX_CHARS: Final = 500
_REFERENCE_MAX_CHARS: Final = 80


@dataclass(frozen=True)
class Number:
    """How a package is called: by its series, its quarter (`2026-T3`), and its place among those of that year, from 1.

    Every place of a year has a package: one that was cancelled keeps its own.
    """

    prefix: str
    quarter: str
    no: int

    @property
    def text(self) -> str:
        """As people and the destination read it: `CNDH-2026-T3-0007`."""
        return f"{self.prefix}-{self.quarter}-{self.no:04d}"

    @property
    def year(self) -> int:
        """In which it has its place."""
        return int(self.quarter[:4])

    @classmethod
    def read(cls, text: str) -> "Number | None":
        """The number that somebody typed; None for what is none."""
        found = _NUMBER.fullmatch(text.strip().upper())
        return None if found is None else cls(found["prefix"], found["quarter"], int(found["no"]))


@dataclass(frozen=True)
class Item:
    """What a package says of one complaint, by the reference that the destination knows it under; and its verdict.

    `file_number`: under which the destination keeps it; `reason`: in its words, why it does not.
    """

    ref: str
    shape: Shape
    verdict: Verdict | None = None
    reason: str = ""
    file_number: str = ""


@dataclass(frozen=True)
class Word:
    """What a destination says of one item."""

    ref: str
    verdict: Verdict
    reason: str = ""
    file_number: str = ""


@dataclass(frozen=True)
class Answer:
    """What a destination says of a package: that it has just that one, by the SHA-256 of its manifest, and of items.

    `at`: when it got it, as it says; `by`: who signs for it there.
    """

    package: str
    manifest: str
    at: str
    by: str
    words: Sequence[Word]


def check_prefix(prefix: str) -> None:
    """Raises PackageRefused (`prefix`) for what can begin no number."""
    if not PREFIX.fullmatch(prefix):
        raise PackageRefused(fault="prefix", prefix=prefix)


def check_move(state: State, to: State) -> None:
    """Raises PackageRefused (`state`) where a package does not go on like that."""
    if to not in NEXT[state]:
        raise PackageRefused(fault="state", state=state, to=to)


def check_second(prepared_by: str, actor: str) -> None:
    """Whoever prepared a package does not approve it. Raises PackageRefused (`same_person`)."""
    if prepared_by == actor:
        raise PackageRefused(fault="same_person")


def is_overdue(transmitted_at: datetime, now: datetime) -> bool:
    """Whether its destination should have said by now that it has a package."""
    return now - transmitted_at > ANSWER_WITHIN


def read_answer(said: Any) -> Answer:
    """The answer in a file that a destination sent. Raises PackageRefused: `answer_unreadable`, with the `member`."""
    if not isinstance(said, Mapping):
        raise PackageRefused(fault="answer_unreadable", member="")
    items = said.get("items", [])
    if not isinstance(items, list) or not all(isinstance(each, Mapping) for each in items):
        raise PackageRefused(fault="answer_unreadable", member="items")
    manifest = _text(said, "manifest_sha256", _TEXT_MAX_CHARS).lower()
    if not _SHA256.fullmatch(manifest):
        raise PackageRefused(fault="answer_unreadable", member="manifest_sha256")
    return Answer(
        package=_text(said, "package", _REFERENCE_MAX_CHARS).upper(),
        manifest=manifest,
        at=_text(said, "received_at", _REFERENCE_MAX_CHARS),
        by=_text(said, "by", _TEXT_MAX_CHARS),
        words=[_word(each) for each in items],
    )


def settled(items: Sequence[Item], words: Sequence[Word]) -> list[Item]:
    """The items that an answer changes, as it leaves them; none where it says once more what was said.

    A word on a reference is one on all that the package says under it, and a later one stands in place of an earlier.
    Raises PackageRefused: `item_unknown` for a reference that is not in the package, `item_twice` where the answer
    contradicts itself.
    """
    known: dict[str, list[Item]] = {}
    for each in items:
        known.setdefault(each.ref, []).append(each)
    said: dict[str, Word] = {}
    for word in words:
        if word.ref not in known:
            raise PackageRefused(fault="item_unknown", ref=word.ref)
        if said.setdefault(word.ref, word) != word:
            raise PackageRefused(fault="item_twice", ref=word.ref)
    told = [
        (each, replace(each, verdict=word.verdict, reason=word.reason, file_number=word.file_number))
        for ref, word in said.items()
        for each in known[ref]
    ]
    return [now for was, now in told if now != was]


def is_complete(items: Collection[Item]) -> bool:
    """Whether the destination owes no word on any of them."""
    return all(each.verdict is not None for each in items)


def _word(said: Mapping[str, Any]) -> Word:
    verdict = said.get("verdict")
    if verdict not in VERDICTS:
        raise PackageRefused(fault="answer_unreadable", member="verdict")
    return Word(
        ref=_text(said, "ref", _REFERENCE_MAX_CHARS),
        verdict=verdict,
        reason=_text({"reason": "", **said}, "reason", _TEXT_MAX_CHARS),
        file_number=_text({"file_number": "", **said}, "file_number", _REFERENCE_MAX_CHARS),
    )


def _text(said: Mapping[str, Any], member: str, most: int) -> str:
    text = said.get(member)
    if not isinstance(text, str) or len(text) > most or not (text.isprintable() or not text):
        raise PackageRefused(fault="answer_unreadable", member=member)
    return text.strip()
