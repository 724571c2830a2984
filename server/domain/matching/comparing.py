"""Comparison of clear values, field by field: each value is parsed once, and two of a kind agree at a level."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import asin, cos, isfinite, radians, sin, sqrt
from typing import Final

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, JaroWinkler

from server.domain.folding import fold
from server.domain.matching.levels import Level
from server.domain.matching.records import Kind
from server.domain.names import begins_like, family, is_common, parts, sound

PHONE_DIGITS: Final = 8
_PHONE_LEAST_DIGITS: Final = 6
_PARTS_MOST: Final = 5
_CACHED_PAIRS: Final = 1 << 15

# Jaro-Winkler similarity of parts of names, and from how many letters one slip is as good; as all the steps of names
# and words, chosen on Febrl 1 and 2.
_PART_NEAR: Final = 0.90
_PART_CLOSE: Final = 0.82
_PART_SLIP_FROM_CHARS: Final = 4
_NAME_FAINT_RATIO: Final = 75.0
_WORDS_RATIOS: Final = ((85.0, Level.NEAR), (68.0, Level.CLOSE), (52.0, Level.FAINT))
# Negative, as the farther the less.
_POINT_METRES: Final = ((-15.0, Level.EQUAL), (-75.0, Level.NEAR), (-300.0, Level.CLOSE), (-1000.0, Level.FAINT))
_AMOUNT_RATIOS: Final = ((1.0, Level.EQUAL), (0.9, Level.NEAR), (0.75, Level.CLOSE), (0.5, Level.FAINT))
# Bambara counts money by five francs, and a zero is soon too many.
_AMOUNT_FACTORS: Final = (5.0, 10.0)
# Of tellings of one incident half share more than a quarter; of those of two that share a key, one in thirty-five.
STORY_SHARES: Final = ((0.32, Level.EQUAL), (0.22, Level.NEAR), (0.14, Level.CLOSE), (0.08, Level.FAINT))
_EARTH_METRES: Final = 6_371_000.0

_DAY_DAYS: Final = 2
_WEEK_DAYS: Final = 8
_MONTH_DAYS: Final = 31
_QUARTER_DAYS: Final = 92

_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_DIGIT_GAP: Final = re.compile(r"(?<=\d)[\s'’](?=\d{3}(?!\d))")
_THOUSANDS: Final = re.compile(r"[.,](?=\d{3}(?!\d))")
_NO_DIGIT: Final = re.compile(r"[^0-9]")


@dataclass(frozen=True, slots=True)
class Clear:
    """One value of a field, parsed for comparison.

    `whole`: what is equal when the values are. `parts`: folded parts of a name, words, levels of a place, year, month
    and day of a birth. `sounds`: of the levels of a place. `numbers`: first and last day of an event as
    ordinals, degrees of a point, an amount. A value that says nothing is blank, and missing.
    """

    whole: str
    parts: tuple[str, ...] = ()
    sounds: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()

    @property
    def is_blank(self) -> bool:
        return not self.whole


_BLANK: Final = Clear("")


def prepare(kind: Kind, value: str) -> Clear:
    """A value as it was written, parsed; blank when nothing in it can be compared. Raises nothing on any text."""
    return _PREPARE[kind](value)


def compare(kind: Kind, ours: Sequence[Clear], theirs: Sequence[Clear]) -> Level:
    """How far two fields of one kind agree: the best pair of their values, MISSING when either has none.

    The same whichever is called ours, and whatever the order of the values.
    """
    agree = _AGREE[kind]
    best = Level.MISSING
    for a in ours:
        for b in theirs:
            if a.whole and b.whole:
                best = max(best, agree(a, b))
        if best is Level.EQUAL:
            break
    return best


def level_at(value: float, steps: Sequence[tuple[float, Level]]) -> Level:
    """The level of the first step that `value` reaches, of steps that come down; DIFFERS below the last."""
    for least, level in steps:
        if value >= least:
            return level
    return Level.DIFFERS


def _prepare_person(value: str) -> Clear:
    said = parts(value)
    # Sorted, as no order of the parts is the right one; of too many the longest say most.
    kept = tuple(sorted(sorted(said, key=lambda part: (-len(part), part))[:_PARTS_MOST]))
    return Clear("".join(kept), kept)


def _prepare_words(value: str) -> Clear:
    words = tuple(fold(value).split())
    return Clear("".join(words), words)


def _prepare_place(value: str) -> Clear:
    levels = tuple(filter(None, ("".join(fold(level).split()) for level in value.split("/"))))
    sounds = tuple(map(sound, levels))
    return Clear("/".join(sounds), levels, sounds)


def _prepare_code(value: str) -> Clear:
    return Clear("".join(fold(value).split()))


def _prepare_birth(value: str) -> Clear:
    digits = _NO_DIGIT.sub("", value)
    return Clear(digits, tuple(filter(None, (digits[:4], digits[4:6], digits[6:8]))))


def _prepare_when(value: str) -> Clear:
    first, _, last = value.partition("..")
    try:
        days = sorted(date.fromisoformat(day.strip()[:10]).toordinal() for day in (first, last or first))
    except ValueError:
        return _BLANK
    return Clear(f"{days[0]}..{days[1]}", numbers=tuple(days))


def _prepare_point(value: str) -> Clear:
    try:
        lat, lon = (float(degrees) for degrees in value.split(","))
    except ValueError:
        return _BLANK
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        return _BLANK
    return Clear(f"{lat!r},{lon!r}", numbers=(lat, lon))


def _prepare_amount(value: str) -> Clear:
    """The first number told; `25 000`, `25.000` and `25,000` are the same sum. A sum of nothing is none."""
    found = _NUMBER.search(_DIGIT_GAP.sub("", value))
    digits = _THOUSANDS.sub("", found[0]).replace(",", ".") if found else ""
    try:
        amount = float(digits)
    except ValueError:
        return _BLANK
    return Clear(repr(amount), numbers=(amount,)) if amount > 0 and isfinite(amount) else _BLANK


def _prepare_phone(value: str) -> Clear:
    digits = _NO_DIGIT.sub("", value)
    return Clear(digits[-PHONE_DIGITS:]) if len(digits) >= _PHONE_LEAST_DIGITS else _BLANK


def _prepare_story(value: str) -> Clear:
    words = tuple(sorted(set(fold(value).split())))
    return Clear(" ".join(words), words)


def _person(a: Clear, b: Clear) -> Level:
    if a.parts == b.parts:
        return Level.EQUAL if len(full_parts(a)) > 1 else Level.CLOSE
    shorter, longer = (a, b) if len(a.parts) <= len(b.parts) else (b, a)
    grid = [[_part(min(one, other), max(one, other)) for other in longer.parts] for one in shorter.parts]
    if len(shorter.parts) > 1:
        for level in (Level.NEAR, Level.CLOSE):
            if _all_paired(grid, level, frozenset()):
                return level
    best = max(map(max, grid))
    if len(longer.parts) == 1 and best > Level.DIFFERS:
        return Level.CLOSE if best is Level.NEAR else Level.FAINT
    alike = best >= Level.NEAR or fuzz.ratio(a.whole, b.whole) >= _NAME_FAINT_RATIO
    return Level.FAINT if alike else Level.DIFFERS


def full_parts(name: Clear) -> list[str]:
    """The parts of a name that are more than an initial."""
    return [part for part in name.parts if len(part) > 1]


def _all_paired(grid: Sequence[Sequence[Level]], least: Level, taken: frozenset[int]) -> bool:
    """Whether each row finds a column of its own that agrees at least so far."""
    if not grid:
        return True
    row, *rest = grid
    free = (at for at, level in enumerate(row) if level >= least and at not in taken)
    return any(_all_paired(rest, least, taken | {at}) for at in free)


@lru_cache(_CACHED_PAIRS)
def _part(a: str, b: str) -> Level:
    """How far two parts of names agree, in alphabetical order. Two that many bear are no slips of each other."""
    if len(a) == 1 or len(b) == 1:
        return Level.CLOSE if begins_like(*sorted((a, b), key=len)) else Level.DIFFERS
    if a == b or sound(a) == sound(b):
        return Level.NEAR
    if family(a) is not None and family(a) == family(b):
        return Level.CLOSE
    if is_common(a) and is_common(b):
        return Level.DIFFERS
    if min(len(a), len(b)) >= _PART_SLIP_FROM_CHARS and OSA.distance(a, b, score_cutoff=1) == 1:
        return Level.NEAR
    return level_at(JaroWinkler.similarity(a, b), ((_PART_NEAR, Level.NEAR), (_PART_CLOSE, Level.CLOSE)))


def _words(a: Clear, b: Clear) -> Level:
    if a.whole == b.whole:
        return Level.EQUAL
    sorted_ratio = fuzz.ratio(" ".join(sorted(a.parts)), " ".join(sorted(b.parts)))
    ratio = max(fuzz.ratio(a.whole, b.whole), sorted_ratio)
    return level_at(ratio, _WORDS_RATIOS)


def _place(a: Clear, b: Clear) -> Level:
    if a.sounds == b.sounds:
        return Level.EQUAL
    if len(a.parts) == 1 or len(b.parts) == 1:
        return _lone_place(a, b) if len(a.parts) == 1 else _lone_place(b, a)
    shared = _shared_levels(a, b)
    if shared == max(len(a.parts), len(b.parts)):
        return Level.NEAR
    # A commune holds a dozen villages, a cercle hundreds.
    return {0: Level.DIFFERS, 1: Level.DIFFERS, 2: Level.FAINT}.get(shared, Level.CLOSE)


def _lone_place(lone: Clear, path: Clear) -> Level:
    """A name without its path is that of a village as soon as of a commune: the lower it is found, the better."""
    alike = [_place_name(lone.parts[0], level) for level in path.parts]
    if alike[-1] >= Level.CLOSE:
        return alike[-1] if len(path.parts) == 1 else Level.NEAR
    return max((Level.CLOSE if level >= Level.NEAR else Level.DIFFERS for level in alike[1:-1]), default=Level.DIFFERS)


def _shared_levels(a: Clear, b: Clear) -> int:
    shared = 0
    for ours, theirs in zip(a.parts, b.parts, strict=False):
        if _place_name(ours, theirs) < Level.CLOSE:
            break
        shared += 1
    return shared


@lru_cache(_CACHED_PAIRS)
def _place_name(a: str, b: str) -> Level:
    if sound(a) == sound(b):
        return Level.NEAR
    return level_at(fuzz.ratio(a, b), ((80.0, Level.CLOSE),))


def _code(a: Clear, b: Clear) -> Level:
    if a.whole == b.whole:
        return Level.EQUAL
    slips = OSA.distance(a.whole, b.whole, score_cutoff=2)
    least = min(len(a.whole), len(b.whole))
    if slips == 1 and least > 2:
        return Level.NEAR
    return Level.CLOSE if slips <= 2 and least > 3 else Level.DIFFERS


def _birth(a: Clear, b: Clear) -> Level:
    if a.whole == b.whole:
        return Level.EQUAL if len(a.parts) == 3 else Level.FAINT
    whole = len(a.parts) == len(b.parts) == 3
    is_swapped = whole and a.parts == (b.parts[0], b.parts[2], b.parts[1])
    if is_swapped or (whole and OSA.distance(a.whole, b.whole, score_cutoff=1) == 1):
        return Level.NEAR
    same = sum(ours == theirs for ours, theirs in zip(a.parts, b.parts, strict=False))
    if same == 2:
        return Level.CLOSE
    return Level.FAINT if a.parts[0] == b.parts[0] else Level.DIFFERS


def _when(a: Clear, b: Clear) -> Level:
    """By the days between two spans, and by how long the longer is: what both may mean is little evidence."""
    days_apart = max(a.numbers[0], b.numbers[0]) - min(a.numbers[1], b.numbers[1])
    days_long = max(each.numbers[1] - each.numbers[0] + 1 for each in (a, b))
    if days_long <= _DAY_DAYS and days_apart <= 0:
        return Level.EQUAL
    if days_long <= _WEEK_DAYS and days_apart <= _DAY_DAYS:
        return Level.NEAR
    if days_long <= _MONTH_DAYS and days_apart <= (_WEEK_DAYS if days_long <= _WEEK_DAYS else 0):
        return Level.CLOSE
    is_vague = days_long > _QUARTER_DAYS
    return Level.FAINT if days_apart <= (0 if is_vague else _MONTH_DAYS) else Level.DIFFERS


def _point(a: Clear, b: Clear) -> Level:
    return level_at(-_metres(*a.numbers, *b.numbers), _POINT_METRES)


def _metres(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Along the great circle, by the haversine."""
    north, east = radians(other_lat - lat) / 2, radians(other_lon - lon) / 2
    chord = sin(north) ** 2 + cos(radians(lat)) * cos(radians(other_lat)) * sin(east) ** 2
    return 2 * _EARTH_METRES * asin(min(1.0, sqrt(chord)))


def _amount(a: Clear, b: Clear) -> Level:
    less, more = sorted((a.numbers[0], b.numbers[0]))
    level = level_at(less / more, _AMOUNT_RATIOS)
    is_miscounted = any(more == less * factor for factor in _AMOUNT_FACTORS)
    return max(level, Level.FAINT) if is_miscounted else level


def _phone(a: Clear, b: Clear) -> Level:
    if a.whole == b.whole:
        return Level.EQUAL
    return Level.NEAR if OSA.distance(a.whole, b.whole, score_cutoff=1) == 1 else Level.DIFFERS


def _story(a: Clear, b: Clear) -> Level:
    """By the share of their words that both have (Dice)."""
    if a.parts == b.parts:
        return Level.EQUAL
    shared = len(set(a.parts).intersection(b.parts))
    return level_at(2 * shared / (len(a.parts) + len(b.parts)), STORY_SHARES)


_PREPARE: Final[Mapping[Kind, Callable[[str], Clear]]] = {
    Kind.PERSON: _prepare_person,
    Kind.WORDS: _prepare_words,
    Kind.PLACE: _prepare_place,
    Kind.CODE: _prepare_code,
    Kind.BIRTH: _prepare_birth,
    Kind.WHEN: _prepare_when,
    Kind.POINT: _prepare_point,
    Kind.AMOUNT: _prepare_amount,
    Kind.PHONE: _prepare_phone,
    Kind.STORY: _prepare_story,
}
_AGREE: Final[Mapping[Kind, Callable[[Clear, Clear], Level]]] = {
    Kind.PERSON: _person,
    Kind.WORDS: _words,
    Kind.PLACE: _place,
    Kind.CODE: _code,
    Kind.BIRTH: _birth,
    Kind.WHEN: _when,
    Kind.POINT: _point,
    Kind.AMOUNT: _amount,
    Kind.PHONE: _phone,
    Kind.STORY: _story,
}
