"""Lexicon: the words of one store, by which two texts share what few others have, in whatever order and field."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from math import log2, sqrt
from typing import Final, NamedTuple

from rapidfuzz.distance import OSA

from server.domain.folding import fold
from server.domain.matching.comparing import level_at
from server.domain.matching.levels import Level

# Share of their words, each counted by its rarity, that two texts have in common.
_SHARES: Final = ((0.90, Level.EQUAL), (0.70, Level.NEAR), (0.50, Level.CLOSE), (0.28, Level.FAINT))
# Words of a text go together: the second that both have tells half of what it would alone, the third a quarter.
_NEXT_SHARE: Final = 0.5
_TOLD_MOST: Final = 4
# How much of a word is shared when it is misspelt or cut short, and from how many letters on it can be.
_SLIP_SHARE: Final = 0.8
_SLIP_FROM_CHARS: Final = 5
_SLIPS_MOST: Final = 6
_START_CHARS: Final = 2
# What is in every text tells little, but not that two texts of nothing else are unlike.
_LEAST_BITS: Final = 0.1
# A text is asked for its words, for its numbers, with the others of its record, and for blocking keys.
_CACHED_TEXTS: Final = 1 << 10


@lru_cache(_CACHED_TEXTS)
def words_of(text: str) -> frozenset[str]:
    """The different folded words of a text; a number or code that signs divide, `KX-TS108W`, is one word as well."""
    return frozenset(_words(text))


def numbers_of(text: str) -> frozenset[str]:
    """Those of the words that have a digit: a number, a year, the code of a model."""
    return frozenset(word for word in words_of(text) if any(map(str.isdigit, word)))


def _words(text: str) -> Iterator[str]:
    for chunk in text.split():
        pieces = fold(chunk).split()
        yield from pieces
        if len(pieces) > 1 and any(map(str.isdigit, chunk)):
            yield "".join(pieces)


class Common(NamedTuple):
    """What two texts have in common: how much of them, and in bits how rare that is."""

    level: Level
    rarity: float


class Bag(NamedTuple):
    """The different words of one text; how rare they were in all when it came, in bits; its rare long ones."""

    words: frozenset[str]
    total: float
    rare: tuple[str, ...]


class Lexicon:
    """In how many texts of a store each word is."""

    def __init__(self) -> None:
        self._texts: Counter[str] = Counter()
        self._counted = 0

    def count(self, words: frozenset[str]) -> Bag:
        """Take in the words of one more text; gives them as they are compared with those of others."""
        self._texts.update(words)
        self._counted += bool(words)
        able = sorted((self._texts[word], word) for word in words if len(word) >= _SLIP_FROM_CHARS)
        return Bag(words, sum(map(self._bits, words)), tuple(word for _, word in able[:_SLIPS_MOST]))

    def common(self, ours: Bag, theirs: Bag) -> Common:
        """How far two texts agree in their words; MISSING where either has none. The same whichever is called ours."""
        if not ours.words or not theirs.words:
            return Common(Level.MISSING, 0.0)
        bits = [self._bits(word) for word in ours.words & theirs.words]
        bits += self._slips(ours, theirs)
        level = level_at(sum(bits) / sqrt(ours.total * theirs.total), _SHARES)
        return Common(level, _told(bits) if level > Level.DIFFERS else 0.0)

    def _slips(self, ours: Bag, theirs: Bag) -> list[float]:
        """What words tell that only one text has, when they are one misspelt or cut short."""
        rest = [word for word in theirs.rare if word not in ours.words]
        found = []
        for word in ours.rare if rest else ():
            like = None if word in theirs.words else _like(word, rest)
            if like is not None:
                rest.remove(like)
                found.append(_SLIP_SHARE * min(self._bits(word), self._bits(like)))
        return found

    def _bits(self, word: str) -> float:
        return log2((self._counted + 1) / self._texts[word]) + _LEAST_BITS


def _told(bits: Collection[float]) -> float:
    """What shared words tell together, the rarest first."""
    return sum(each * _NEXT_SHARE**at for at, each in enumerate(sorted(bits, reverse=True)[:_TOLD_MOST]))


def _like(word: str, others: Sequence[str]) -> str | None:
    start = word[:_START_CHARS]
    return next((each for each in others if each.startswith(start) and _is_slip(word, each)), None)


def _is_slip(word: str, other: str) -> bool:
    if word.startswith(other) or other.startswith(word):
        return True
    # Of a code or a number one sign makes another one.
    has_digit = any(map(str.isdigit, word + other))
    return not has_digit and OSA.distance(word, other, score_cutoff=1) == 1
