"""What pages of packages show: a package in words, what of it leaves, and a line as its destination reads it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from server.domain.desk import Desk
from server.domain.packages import Item, Shape, State, is_overdue
from server.domain.release import Line
from server.figure_words import Words
from server.i18n import Catalogue, catalogue
from server.services.accounts.sessions import Login
from server.services.cases import phrases
from server.services.commission import serials
from server.services.commission.papers import columns
from server.services.commission.phrases import withheld
from server.services.commission.preparing import Package, Prepared
from server.web.auth import this_hub

# From the choice to the answer, in the order of the strip.
STEPS: Final = ("choose", "control", "summaries", "approve", "seal", "answer")
_AT: Final[Mapping[State, str]] = {
    "sealed": "seal", "transmitted": "answer", "received": "answer", "closed": "answer", "cancelled": "control",
}  # fmt: skip
# In a package everything is said in the language that bodies of this country read.
_LANGUAGE: Final = "fr"
_CODE: Final = "code"
# So much of a bar is seen, whatever its number.
_LEAST: Final = 14


@dataclass(frozen=True)
class Row:
    """A package in words; `lines`, `named` and `withheld` count complaints, `pieces` those of evidence, `settled` what
    was answered of `items`."""

    package: Package
    body: str
    lines: int
    named: int
    withheld: int
    pieces: int
    items: int = 0
    settled: int = 0


@dataclass(frozen=True)
class Bar:
    """A part of what the bar of consent shows: how many, and where it stands in a thousand."""

    name: str
    number: int
    at: int
    width: int


@dataclass(frozen=True)
class Told:
    """All that a package says under one reference: a word on it is one on each."""

    ref: str
    shapes: Sequence[Shape]
    verdict: str
    reason: str
    file_number: str


def bodies(person: Login, desk: Desk) -> dict[str, str]:
    """What destinations are called, by their codes."""
    texts = catalogue(person.language)
    return {
        each.code: phrases.body(texts, each, desk.places) for each in serials.destinations_of(this_hub().store, desk)
    }


def row(package: Package, names: Mapping[str, str], words: tuple[int, int] = (0, 0)) -> Row:
    """A package in words; `names` of destinations by their codes; `words` as `preparing.words_on` has them."""
    counts = package.counts
    kept_back = sum(withheld(counts.get("against", {})).values())
    lines, named = counts.get("lines", 0), counts.get("named", 0)
    body, pieces = names.get(package.destination, ""), counts.get("pieces", 0)
    return Row(package, body, lines, named, kept_back, pieces, *words)


def held(texts: Catalogue, package: Package) -> list[tuple[int, str]]:
    """Of how many pieces no copy could be made when a package was sealed, and why."""
    found = package.counts.get("pieces_held", {})
    return [(number, texts.text(f"packages.held_{why}")) for why, number in found.items()]


def cells(texts: Catalogue, row: Row) -> list[object]:
    """A package as a line of a file."""
    package = row.package
    left, answered = package.transmitted_at, package.answered_at
    return [
        package.number.text,
        row.body,
        package.quarter,
        texts.text(f"packages.state_{package.state}"),
        row.lines,
        row.named,
        row.withheld,
        left.date().isoformat() if left else "",
        answered.date().isoformat() if answered else "",
    ]


def step(package: Package, prepared: Prepared | None) -> str:
    """At which of STEPS it stands."""
    if prepared is None:
        return _AT[package.state]
    if not set(prepared.blockers) <= {"key_missing", "key_unconfirmed", "summaries"}:
        return "control"
    return "summaries" if prepared.unreviewed else "approve"


def is_late(package: Package, desk: Desk) -> bool:
    """Whether its destination should have said by now that it has it."""
    left = package.transmitted_at
    return package.state == "transmitted" and left is not None and is_overdue(left, desk.now)


def bars(prepared: Prepared, kept_back: int) -> list[Bar]:
    """What consent lets go, as parts of one bar; what is no business of the destination is not in it."""
    counts = prepared.choice.counts()
    numbers = {
        "totals": prepared.choice.counts_against().get("numbers", 0),
        "lines": int(str(counts["lines"])),
        "named": int(str(counts["named"])),
        "withheld": kept_back,
    }
    there = {name: number for name, number in numbers.items() if number}
    whole, free = max(sum(there.values()), 1), 1000 - _LEAST * len(there)
    at, found = 0, list[Bar]()
    for name, number in numbers.items():
        width = _LEAST + free * number // whole if number else 0
        found.append(Bar(name, number, at, width))
        at += width
    return found


def line(texts: Catalogue, line: Line, desk: Desk) -> Iterator[tuple[str, str]]:
    """A line as its destination reads it: what its columns are called, and what stands in those that are not empty."""
    words = Words(_LANGUAGE, desk.places)
    for column in columns.COLUMNS:
        text = line.said.get(column.of)
        if text and column.says != _CODE:
            said = text if column.says == "text" else columns.label_of(column.of, text, words)
            yield texts.text(f"line.{column.of}"), said


def told(items: Sequence[Item]) -> list[Told]:
    """What a package says, by reference."""
    found: dict[str, list[Item]] = {}
    for each in items:
        found.setdefault(each.ref, []).append(each)
    return [
        Told(ref, [each.shape for each in those], those[0].verdict or "", those[0].reason, those[0].file_number)
        for ref, those in found.items()
    ]


def told_cells(texts: Catalogue, number: str, each: Told) -> list[object]:
    """What stands under a reference, and what was said of it, as a line of a file."""
    shapes = ", ".join(texts.text(f"packages.shape_{shape}") for shape in each.shapes)
    verdict = texts.text(f"packages.{each.verdict}") if each.verdict else ""
    return [number, each.ref, shapes, verdict, each.file_number, each.reason]
