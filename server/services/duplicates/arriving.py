"""A table sent through the matcher in memory: each record is matched with those that came before it, then stored."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, NamedTuple

from server.domain.matching import comparing, veiling
from server.domain.matching.chances import Chances, Wholes
from server.domain.matching.keys import CANDIDATES_MOST, POSTINGS_MOST, blocking_keys, rank
from server.domain.matching.levels import FieldName, Level, Levels
from server.domain.matching.model import Model, Rarity, chance_of
from server.domain.matching.records import Form, Kind, Record
from server.services.duplicates.tables import Table

# Of each record so many of its likeliest pairs are kept: nobody is shown more.
_KEPT_MOST: Final = 10
# A point that so many records have stands for a place that nobody gave.
_POINT_SHARED_LEAST: Final = 20
_POINT_SHARED_SHARE: Final = 0.005


@dataclass(frozen=True)
class Comparison:
    """How values are prepared and compared: as they were written, or veiled as the hub holds them."""

    prepare: Callable[[Kind, str], Any]
    compare: Callable[[Kind, Sequence[Any], Sequence[Any]], Level]


CLEAR: Final = Comparison(comparing.prepare, comparing.compare)


def veiled(pepper: bytes) -> Comparison:
    """Values under a veil of this pepper, 32 bytes, wherever their kind has one; the others as they were written."""

    def prepare(kind: Kind, text: str) -> Any:
        value = comparing.prepare(kind, text)
        return veiling.veil(kind, value, pepper) if kind in veiling.VEILED else value

    def compare(kind: Kind, ours: Sequence[Any], theirs: Sequence[Any]) -> Level:
        return (veiling.compare_veils if kind in veiling.VEILED else comparing.compare)(kind, ours, theirs)

    return Comparison(prepare, compare)


class Pair(NamedTuple):
    """Two records by number, the earlier first, compared when the later one came."""

    first: int
    then: int
    levels: Levels
    rarity: Rarity
    chance: float

    @property
    def numbers(self) -> tuple[int, int]:
        """The two records."""
        return self.first, self.then


@dataclass
class Passage:
    """What came of it: the likeliest pairs of each record, all pairs compared, and what each record cost."""

    pairs: list[Pair] = field(default_factory=list)
    retrieved: set[tuple[int, int]] = field(default_factory=set)
    keys: list[int] = field(default_factory=list)
    costs_ms: list[float] = field(default_factory=list)


_Values = Mapping[FieldName, Sequence[Any]]


class Arrivals:
    """What is stored so far, and what of it agrees by chance."""

    def __init__(self, form: Form, model: Model, comparison: Comparison, pepper: bytes, seed: int) -> None:
        self._model = model.for_form(form)
        self._form, self._comparison, self._pepper = form, comparison, pepper
        self._chances = Chances(form, model)
        self._random = Random(seed)
        self._values: list[_Values] = []
        self._wholes: list[Wholes] = []
        self._by_side: defaultdict[str, list[int]] = defaultdict(list)
        self._postings: defaultdict[str, dict[int, tuple[int, ...]]] = defaultdict(dict)
        self._points: Counter[str] = Counter()

    def receive(self, record: Record, side: str, is_across: bool) -> tuple[list[Pair], int]:
        """Match a record with those of another side, or of any where sides don't matter, and store it.

        Gives all pairs that were compared, and the number of keys.
        """
        record = self._without_shared_points(record)
        keys = blocking_keys(record, self._form, self._pepper)
        sides = [other for other in self._postings if other != side or not is_across]
        number = len(self._values)
        self._store(record)
        read = (self._postings[other].get(key, ()) for other in sides for key in keys)
        pairs = [self._pair(other, number) for other in rank(read, CANDIDATES_MOST)]
        self._learn_chance(number, sides)
        self._post(keys, number, side)
        return pairs, len(keys)

    def _pair(self, first: int, then: int) -> Pair:
        levels = self._levels(first, then)
        rarity = self._chances.rarity(levels, self._wholes[first], self._wholes[then])
        return Pair(first, then, levels, rarity, chance_of(self._model, levels, rarity, then))

    def _levels(self, first: int, then: int) -> Levels:
        ours, theirs = self._values[first], self._values[then]
        compare = self._comparison.compare
        return {name: compare(kind, ours[name], theirs[name]) for name, kind in self._form.fields.items()}

    def _store(self, record: Record) -> None:
        prepare = self._comparison.prepare
        fields = self._form.fields.items()
        values = {name: [prepare(kind, text) for text in record.get(name, ())] for name, kind in fields}
        wholes = {name: [each.whole for each in known if not each.is_blank] for name, known in values.items()}
        self._values.append(values)
        self._wholes.append(wholes)
        self._chances.count_values(wholes)

    def _post(self, keys: Sequence[int], number: int, side: str) -> None:
        postings = self._postings[side]
        for key in keys:
            postings[key] = (*postings.get(key, ()), number)[-POSTINGS_MOST:]
        self._by_side[side].append(number)

    def _learn_chance(self, number: int, sides: Sequence[str]) -> None:
        """Compare with a record that nothing led to: what agrees now, agrees by chance."""
        drawn = self._random.choice([self._by_side[side] for side in sides]) if sides else None
        if drawn:
            self._chances.count_pair(self._levels(self._random.choice(drawn), number))

    def _without_shared_points(self, record: Record) -> Record:
        kept = dict(record)
        for name in (name for name, kind in self._form.fields.items() if kind is Kind.POINT):
            for point in record.get(name, ()):
                self._points[point] += 1
                if self._points[point] > max(_POINT_SHARED_LEAST, _POINT_SHARED_SHARE * len(self._values)):
                    kept.pop(name, None)
        return kept


def send(
    table: Table, model: Model, comparison: Comparison, seed: int, pepper: bytes, clock_s: Callable[[], float]
) -> Passage:
    """Send a table through; the same table and seed give the same pairs. `clock_s` is a clock of seconds."""
    arrivals = Arrivals(table.form, model, comparison, pepper, seed)
    is_across = len(set(table.sides)) > 1
    passage = Passage()
    for record, side in zip(table.records, table.sides, strict=True):
        began = clock_s()
        pairs, keys = arrivals.receive(record, side, is_across)
        passage.costs_ms.append((clock_s() - began) * 1_000)
        passage.keys.append(keys)
        passage.retrieved.update(pair.numbers for pair in pairs)
        passage.pairs.extend(likeliest(pairs, _KEPT_MOST))
    return passage


def likeliest(pairs: Sequence[Pair], most: int) -> list[Pair]:
    """The likeliest pairs first, the newer where they tie."""
    return sorted(pairs, key=lambda pair: (-pair.chance, -pair.first))[:most]
