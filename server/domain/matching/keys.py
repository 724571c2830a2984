"""Blocking keys of a record: keyed hashes of two of its facts together; and how those who share some are ranked."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from hashlib import blake2b
from itertools import combinations
from math import floor, log
from typing import Final, NamedTuple

from server.domain.folding import fold
from server.domain.matching.lexicon import words_of
from server.domain.matching.records import Form, Kind, Record
from server.domain.names import parts, sound

# How many records are read of one key, newest first, and how many of those found are compared at most.
POSTINGS_MOST: Final = 100
CANDIDATES_MOST: Final = 30
# What two records share tells enough to compare them: one key that five have, or two that ten have. It is much the
# same whichever of them came first; how many others share more is not.
TELLING_LEAST: Final = 24.0
# Below this, a pair is brought together by what may well be chance: above it are one key that two have, and two that
# five have.
TELLING_MUCH: Final = 50.0
# Of one source so many count in how common a key is, and so many are compared with one record.
_COUNTED_MOST: Final = 2
_COMPARED_MOST: Final = 8
# A record of many words would cost more than it finds.
KEYS_MOST: Final = 128

_WORDS_MOST: Final = 8
_PARTS_MOST: Final = 8
_MONTHS_MOST: Final = 3
_START_CHARS: Final = 5
_PART_START_CHARS: Final = 3
_PHONE_DIGITS: Final = 8
# A key at its bound says little more than that its records are recent.
_FLOOR: Final = 0.05
# Cells of about 110 and 550 metres: the small ones rank, the large ones reach.
_CELLS_DEGREES: Final = (0.001, 0.005)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_BIRTH: Final = re.compile(r"\d{8}")


class _Atom(NamedTuple):
    """One fact of a record: no key comes of two that say the same thing, such as a name and how it begins."""

    label: str
    source: str


def blocking_keys(record: Record, form: Form, pepper: bytes) -> list[int]:
    """At most KEYS_MOST different keys, each of 63 bits under `pepper`, in ascending order; none of a single fact.

    Two records that agree in any two facts share a key: how a part of a name sounds or begins, how a word
    begins, a code, two of day, month and year, a cell of the ground, a fortnight. Of too many keys the smallest
    stay, which two records that share them keep alike.
    """
    atoms = sorted({atom for field, kind in form.fields.items() for atom in _atoms(field, kind, record.get(field, ()))})
    pairs = (f"{one.label}\x1f{other.label}" for one, other in combinations(atoms, 2) if one.source != other.source)
    return sorted({_keyed(pair, pepper) for pair in pairs})[:KEYS_MOST]


def rank(
    postings: Iterable[Sequence[int]],
    most: int = CANDIDATES_MOST,
    least: float = TELLING_LEAST,
    source_of: Mapping[int, int] | None = None,
) -> dict[int, float]:
    """The records that share keys that tell at least that much, best first, at most `most`; the newer where they tie.

    By record, how much is told by what it shares.

    Each posting is what one key of the new record reads: numbers of records that rise with their arrival, at most
    POSTINGS_MOST of them. The fewer there are, the more it tells to be one of them; cubed, since the common keys that
    two records share say much the same. `source_of` says who sent a record: nobody's many make a key tell little,
    and nobody's fill the list.
    """
    scores: defaultdict[int, float] = defaultdict(float)
    for posting in postings:
        if posting:
            told = (log((POSTINGS_MOST + 1) / _sharing(posting, source_of)) + _FLOOR) ** 3
            for number in posting:
                scores[number] += told
    telling = (number for number, score in scores.items() if score >= least)
    ranked = sorted(telling, key=lambda number: (-scores[number], -number))
    found = ranked if source_of is None else _shared_out(ranked, source_of)
    return {number: scores[number] for number in found[:most]}


def _sharing(posting: Sequence[int], source_of: Mapping[int, int] | None) -> int:
    """How many share a key, as far as that makes it tell less."""
    if source_of is None:
        return len(posting)
    return sum(min(many, _COUNTED_MOST) for many in Counter(map(source_of.__getitem__, posting)).values())


def _shared_out(ranked: Iterable[int], source_of: Mapping[int, int]) -> list[int]:
    """Those that come before the share of their source is used up."""
    counts: Counter[int] = Counter()
    found = []
    for number in ranked:
        counts[source_of[number]] += 1
        if counts[source_of[number]] <= _COMPARED_MOST:
            found.append(number)
    return found


def _keyed(text: str, pepper: bytes) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8, key=pepper).digest()) >> 1


def _atoms(field: str, kind: Kind, values: Sequence[str]) -> Iterator[_Atom]:
    for value in values:
        for source, form, text in _ATOMS_OF[kind](value):
            yield _Atom(f"{field}\x1e{form}\x1e{text}", f"{field}\x1e{source}")


# What an atom says, before it is known of which field: what it comes from, in which form, and the text.
_Said = tuple[str, str, str]


def _of_person(name: str) -> Iterator[_Said]:
    for part in parts(name)[:_PARTS_MOST]:
        yield part, "sound", sound(part)
        if len(part) > _PART_START_CHARS:
            yield part, "start", part[:_PART_START_CHARS]


def _of_words(text: str) -> Iterator[_Said]:
    for word in _telling(text):
        yield word, "start", word[:_START_CHARS]


def _of_place(text: str) -> Iterator[_Said]:
    for word in _telling(text):
        yield word, "sound", sound(word)


def _telling(text: str) -> list[str]:
    """The few words that tell most, as far as a word alone can show it: with digits first, then the longest."""
    words = sorted(words_of(text))
    return sorted(words, key=lambda word: (not any(map(str.isdigit, word)), -len(word)))[:_WORDS_MOST]


def _of_code(text: str) -> Iterator[_Said]:
    plain = fold(text).replace(" ", "")
    if plain:
        yield plain, "code", plain


def _of_birth(text: str) -> Iterator[_Said]:
    yield text, "day", text
    if _BIRTH.fullmatch(text):
        year, month, day = text[:4], text[4:6], text[6:]
        yield text, "day-month", day + month
        yield text, "day-year", day + year
        yield text, "month-year", month + year


def _of_when(text: str) -> Iterator[_Said]:
    days = sorted(date.fromisoformat(day) for day in _DAY.findall(text))
    if not days:
        return
    months = days[0].year * 12 + days[0].month, days[-1].year * 12 + days[-1].month
    for month in range(months[0], min(months[1] + 1, months[0] + _MONTHS_MOST)):
        yield text, "month", str(month)
    # Each day lies in two fortnights, so that no two days within a week are parted by an edge.
    week = days[0].toordinal() // 7
    for fortnight in (week - 1, week):
        yield text, "fortnight", str(fortnight)


def _of_point(text: str) -> Iterator[_Said]:
    latitude, longitude = map(float, text.split(","))
    for degrees in _CELLS_DEGREES:
        # Two grids, half a cell apart: who stands at the edge of one is well within the other.
        for shift in (0.0, 0.5):
            cell = floor(latitude / degrees + shift), floor(longitude / degrees + shift)
            yield text, f"cell-{degrees}-{shift}", f"{cell[0]},{cell[1]}"


def _of_phone(text: str) -> Iterator[_Said]:
    digits = "".join(filter(str.isdigit, text))[-_PHONE_DIGITS:]
    if digits:
        yield digits, "phone", digits


_ATOMS_OF: Final = {
    Kind.PERSON: _of_person,
    Kind.WORDS: _of_words,
    Kind.PLACE: _of_place,
    Kind.CODE: _of_code,
    Kind.BIRTH: _of_birth,
    Kind.WHEN: _of_when,
    Kind.POINT: _of_point,
    Kind.AMOUNT: _of_code,
    Kind.PHONE: _of_phone,
    Kind.STORY: _of_words,
}
