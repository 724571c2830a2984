"""The line of the two clocks: when a case was collected, received and triaged, what is due of it, and today."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Final

from server.i18n import Catalogue
from server.services.cases.overview import Overview
from server.web.formats import day, span

# Of the drawing, in its own units: how wide it is, where the line begins and ends as far as words leave room, how wide
# a letter of its bold words is, and what is left free between two words.
_WIDTH: Final = 780
_LEFT: Final = 46
_RIGHT: Final = 706
_LETTER: Final = 7.2
_FREE: Final = 12
# What stands between two points is written where they are as far apart as this.
_BETWEEN: Final = 210


@dataclass(frozen=True)
class Point:
    """A moment on the line. `code` is one of collected, received, triaged, now, due and closed."""

    code: str
    at: datetime
    x: int
    head: str
    foot: str


@dataclass(frozen=True)
class Between:
    """What lies between two points, in words, at the middle."""

    x: int
    text: str


@dataclass(frozen=True)
class ClockLine:
    """Points from left to right. `road` is where the way to the hub ends, `here` where today, or the end, is.

    `sentence` says all of it; `is_late`: what is due should have been done.
    """

    points: Sequence[Point]
    between: Sequence[Between]
    road: int
    here: int
    is_late: bool
    sentence: str


def draw(seen: Overview, texts: Catalogue, now: datetime) -> ClockLine:
    """The line of a case."""
    points = _placed(sorted(_points(seen, texts, now), key=lambda each: each.at))
    by_code = {each.code: each for each in points}
    end = by_code.get("closed") or by_code["now"]
    is_late = "due" in by_code and by_code["due"].at <= now
    return ClockLine(
        points=points,
        between=list(_between(by_code, texts, now)),
        road=by_code["received"].x,
        here=end.x,
        is_late=is_late,
        sentence=_sentence(by_code, texts, now),
    )


def _points(seen: Overview, texts: Catalogue, now: datetime) -> Iterator[Point]:
    clocks, file = seen.clocks, seen.shown.file
    if clocks.on_road() is not None and clocks.collected_at is not None:
        yield _point(texts, "collected", clocks.collected_at)
    yield _point(texts, "received", clocks.received_at)
    if seen.triaged_at is not None:
        yield _point(texts, "triaged", seen.triaged_at)
    if file is not None and file.closed_at is not None:
        yield _point(texts, "closed", file.closed_at)
        return
    yield _point(texts, "now", now)
    waits = [each.stands for each in seen.deadlines if each.stands.met_at is None]
    if waits:
        first = min(waits, key=lambda each: each.due_at)
        yield Point("due", first.due_at, 0, texts.text(f"deadline.{first.kind}"), day(first.due_at))


def _point(texts: Catalogue, code: str, at: datetime) -> Point:
    return Point(code, at, 0, texts.text(f"case.clock_{code}"), day(at))


def _placed(points: Sequence[Point]) -> list[Point]:
    """Each where its time is, as far as the words of the others leave room."""
    halves = [max(len(each.head), len(each.foot)) * _LETTER / 2 for each in points]
    rooms = [one + other + _FREE for one, other in pairwise(halves)]
    left, right = max(_LEFT, halves[0]), min(_RIGHT, _WIDTH - halves[-1])
    begin, length = points[0].at, (points[-1].at - points[0].at).total_seconds() or 1
    wanted = [left + (each.at - begin).total_seconds() / length * (right - left) for each in points]
    for at, room in enumerate(rooms, 1):
        wanted[at] = max(wanted[at], wanted[at - 1] + room)
    wanted[-1] = min(wanted[-1], right)
    for at in reversed(range(len(rooms))):
        wanted[at] = min(wanted[at], wanted[at + 1] - rooms[at])
    return [replace(each, x=round(x)) for each, x in zip(points, wanted, strict=True)]


def _between(points: dict[str, Point], texts: Catalogue, now: datetime) -> Iterator[Between]:
    ends = (("collected", "received"), ("now", "due"))
    for first, last in ends:
        if first in points and last in points and points[last].x - points[first].x >= _BETWEEN:
            middle = (points[first].x + points[last].x) // 2
            yield Between(middle, _said(points, texts, now, last))


def _said(points: dict[str, Point], texts: Catalogue, now: datetime, code: str) -> str:
    """What a point says of the time before it."""
    if code == "received":
        return texts.text("case.clock_road", span=span(points["received"].at - points["collected"].at))
    left = points["due"].at - now
    return texts.text("page.left" if points["due"].at > now else "page.late_by", span=span(left))


def _sentence(points: dict[str, Point], texts: Catalogue, now: datetime) -> str:
    parts = []
    for code, each in points.items():
        parts.append(texts.text("case.clock_part", what=each.head, day=each.foot))
        if (code == "received" and "collected" in points) or code == "due":
            parts[-1] += f" ({_said(points, texts, now, code)})"
    return ", ".join(parts)
