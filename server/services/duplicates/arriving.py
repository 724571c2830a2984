"""A table sent through the matcher in memory: each record is matched with those that came before it, then stored."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final, NamedTuple

from client_sync.protocol.linkage import pivots_of
from server.domain.folding import fold
from server.domain.matching import comparing, veiling
from server.domain.matching.chances import Chances, Wholes
from server.domain.matching.keys import POSTINGS_MOST, blocking_keys, rank
from server.domain.matching.levels import FieldName, Level, Levels
from server.domain.matching.lexicon import Bag, Lexicon, numbers_of, words_of
from server.domain.matching.meanings import meanings_of
from server.domain.matching.model import Model, Rarity, chance_of
from server.domain.matching.records import Form, Kind, Record
from server.services.duplicates.tables import Table

# Of each record so many of its likeliest pairs are kept: nobody is shown more.
_KEPT_MOST: Final = 10
# Below this chance no more than the first few are kept: a table of many records has millions of such pairs.
_KEPT_CHANCE: Final = 1e-5
_KEPT_LEAST: Final = 2
# A point that so many records have stands for a place that nobody gave.
_POINT_SHARED_LEAST: Final = 20
_POINT_SHARED_SHARE: Final = 0.005


@dataclass(frozen=True)
class Comparison:
    """How values are prepared and compared: as they were written, or veiled as the hub holds them."""

    prepare: Callable[[Kind, str], Any]
    compare: Callable[[Kind, Sequence[Any], Sequence[Any]], Level]
    # What is veiled has no words.
    has_words: bool = False


CLEAR: Final = Comparison(comparing.prepare, comparing.compare, has_words=True)


def veiled(pepper: bytes) -> Comparison:
    """Values under a veil of this pepper, 32 bytes, wherever their kind has one; the others as they were written."""

    def prepare(kind: Kind, text: str) -> Any:
        value = comparing.prepare(kind, text)
        return veiling.veil(kind, value, pepper) if kind in veiling.VEILED else value

    def compare(kind: Kind, ours: Sequence[Any], theirs: Sequence[Any]) -> Level:
        return (veiling.compare_veils if kind in veiling.VEILED else comparing.compare)(kind, ours, theirs)

    return Comparison(prepare, compare)


# Of these kinds a value is many words, of which the rare ones tell more than how alike two values look; and what words
# are taken for.
_TAKEN: Final[Mapping[Kind, Callable[[str], frozenset[str]]]] = {
    Kind.WORDS: words_of,
    Kind.STORY: lambda text: meanings_of(text) | _concepts(text),
}
# Fields of a model beside those of a form: the words of any one text; the numbers and codes among them; and all words
# of a record, for tables whose values stand in the wrong column.
WORDS_OF_A_TEXT: Final = FieldName("words of a text")
NUMBERS_OF_A_TEXT: Final = FieldName("numbers of a text")
WORDS_ANYWHERE: Final = FieldName("words anywhere")


class _Words(NamedTuple):
    """What the words of a record are compared as beside its fields: which of them, of which fields, weighed how."""

    name: FieldName
    sources: tuple[FieldName, ...]
    take: Callable[[str], frozenset[str]]
    weighed_as: FieldName

    def of(self, record: Record) -> frozenset[str]:
        return frozenset().union(*(self.take(value) for name in self.sources for value in record.get(name, ())))


def for_table(model: Model, form: Form, comparison: Comparison) -> Model:
    """The model with weights of its own for all that is compared of the records of a form."""
    known = model.for_form(form)
    words = {each: model.fields[like] for each, like in words_weighed_as(form, comparison).items()}
    return replace(known, fields={**{name: known.fields[name] for name in form.fields}, **words})


def words_weighed_as(form: Form, comparison: Comparison) -> dict[FieldName, FieldName]:
    """What is compared of the words of a record, each with the field of a model that ships which weighs it."""
    return {each.name: each.weighed_as for each in _words_of(form, comparison)}


def _concepts(text: str) -> frozenset[str]:
    """What a complaint in French, English or Bambara speaks of."""
    return frozenset(pivot for pivot in pivots_of(fold(text).split()) if pivot.startswith("="))


def _words_of(form: Form, comparison: Comparison) -> list[_Words]:
    kinds = form.fields.items() if comparison.has_words else ()
    texts = [name for name, kind in kinds if kind in _TAKEN]
    told = []
    for name in texts:
        told.append(_Words(FieldName(f"words of {name}"), (name,), _TAKEN[form.fields[name]], WORDS_OF_A_TEXT))
        told.append(_Words(FieldName(f"numbers of {name}"), (name,), numbers_of, NUMBERS_OF_A_TEXT))
    if texts and len(form.fields) > 1:
        # Where no field is a text, no value can stray into one.
        told.append(_Words(WORDS_ANYWHERE, tuple(form.fields), words_of, WORDS_ANYWHERE))
    return told


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
    """What came of it: the likeliest pairs of each record, with whom each was compared, and what each cost.

    `told` are the pairs that somebody labelled, compared once all records had come, found or not.
    """

    pairs: list[Pair] = field(default_factory=list)
    told: list[Pair] = field(default_factory=list)
    compared: list["array[int]"] = field(default_factory=list)
    keys: "array[int]" = field(default_factory=lambda: array("I"))
    costs_ms: "array[float]" = field(default_factory=lambda: array("d"))

    def has_compared(self, numbers: tuple[int, int]) -> bool:
        """Whether the later record found the earlier one."""
        first, then = numbers
        return first in self.compared[then]


_Values = Mapping[FieldName, Sequence[Any]]
_Bags = Mapping[FieldName, Bag]


class Arrivals:
    """What is stored so far, and what of it agrees by chance."""

    def __init__(self, form: Form, model: Model, comparison: Comparison, pepper: bytes, seed: int) -> None:
        self._model = for_table(model, form, comparison)
        self._form, self._comparison, self._pepper = form, comparison, pepper
        self._chances = Chances(form, model)
        self._random = Random(seed)
        self._values: list[_Values] = []
        self._wholes: list[Wholes] = []
        self._words: list[_Bags] = []
        self._words_of = _words_of(form, comparison)
        self._lexicons = {each.name: Lexicon() for each in self._words_of}
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
        pairs = [self.pair(other, number) for other in rank(read, least=0.0)]
        self._learn_chance(number, sides)
        self._post(keys, number, side)
        return pairs, len(keys)

    def pair(self, first: int, then: int) -> Pair:
        """Compare and judge two stored records, by what is common now."""
        levels = self._levels(first, then)
        rarity = self._chances.rarity(levels, self._wholes[first], self._wholes[then])
        told = {
            name: lexicon.common(self._words[first][name], self._words[then][name])
            for name, lexicon in self._lexicons.items()
        }
        levels = {**levels, **{name: each.level for name, each in told.items()}}
        rarity = {**rarity, **{name: each.rarity for name, each in told.items()}}
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
        self._words.append({each.name: self._lexicons[each.name].count(each.of(record)) for each in self._words_of})

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
    table: Table,
    told: Collection[tuple[int, int]],
    model: Model,
    comparison: Comparison,
    *,
    seed: int,
    pepper: bytes,
    clock_s: Callable[[], float],
    tick: Callable[[], object] = lambda: None,
) -> Passage:
    """Send a table through; the same table and seed give the same pairs.

    `clock_s` is a clock of seconds; `tick` is called after each record.
    """
    arrivals = Arrivals(table.form, model, comparison, pepper, seed)
    is_across = len(set(table.sides)) > 1
    passage = Passage()
    for record, side in zip(table.records, table.sides, strict=True):
        began = clock_s()
        pairs, keys = arrivals.receive(record, side, is_across)
        passage.costs_ms.append((clock_s() - began) * 1_000)
        passage.keys.append(keys)
        passage.compared.append(array("I", [pair.first for pair in pairs]))
        passage.pairs.extend(_worth_keeping(pairs))
        tick()
    passage.told.extend(arrivals.pair(first, then) for first, then in sorted(told))
    return passage


def likeliest(pairs: Sequence[Pair], most: int) -> list[Pair]:
    """The likeliest pairs first, the newer where they tie."""
    return sorted(pairs, key=lambda pair: (-pair.chance, -pair.first))[:most]


def _worth_keeping(pairs: Sequence[Pair]) -> list[Pair]:
    first = likeliest(pairs, _KEPT_MOST)
    return [pair for at, pair in enumerate(first) if at < _KEPT_LEAST or pair.chance >= _KEPT_CHANCE]
