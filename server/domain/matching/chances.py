"""Chances: how often any two records of a store agree, learned from the store without a label."""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from math import log2
from typing import Final

from server.domain.matching.levels import FieldName, Level, Levels
from server.domain.matching.model import AGREES, Model, Rarity
from server.domain.matching.records import Form

# How many random pairs, and how many values, the shares of a kind stand for until a store has told its own.
_PAIRS_BEFORE: Final = 50.0
_VALUES_BEFORE: Final = 20.0

# The values of a record by field, each in one form that equal values have in common: folded, or its keyed hash.
Wholes = Mapping[FieldName, Collection[Hashable]]


class Chances:
    """Counts of one store: its values, and the levels at which pairs drawn at random stood.

    Never shipped with a model: what is common in one store is rare in another.
    """

    def __init__(self, form: Form, model: Model) -> None:
        self._values: dict[FieldName, Counter[Hashable]] = {field: Counter() for field in form.fields}
        self._counted: Counter[FieldName] = Counter()
        before = {field: model.chance_shares[kind] for field, kind in form.fields.items()}
        self._levels = {field: [share * _PAIRS_BEFORE for share in shares] for field, shares in before.items()}
        self._bits = {field: _bits(counts) for field, counts in self._levels.items()}

    def count_values(self, wholes: Wholes) -> None:
        """Take in the values of one more record."""
        for field, values in wholes.items():
            self._values[field].update(set(values))
            self._counted[field] += bool(values)

    def count_pair(self, levels: Levels) -> None:
        """Take in two records that were drawn, not found."""
        for field, level in levels.items():
            if level:
                self._levels[field][level] += 1
                self._bits[field] = _bits(self._levels[field])

    def rarity(self, levels: Levels, ours: Wholes, theirs: Wholes) -> Rarity:
        """For each field that agrees, the bits by which to agree that well is rarer than certain.

        Where two values are the same, as rare as the value; else as rare as that level or a better one.
        """
        agreeing = {field: level for field, level in levels.items() if level >= AGREES}
        return {field: self._field(field, level, ours, theirs) for field, level in agreeing.items()}

    def _field(self, field: FieldName, level: Level, ours: Wholes, theirs: Wholes) -> float:
        shared = set(ours.get(field, ())) & set(theirs.get(field, ())) if level is Level.EQUAL else set()
        by_chance = self._bits[field][level]
        if not shared:
            return by_chance
        told = min(self._values[field][value] for value in shared)
        before = _VALUES_BEFORE * 2**-by_chance
        return log2((self._counted[field] + _VALUES_BEFORE) / (max(told, 1) + before))


def _bits(counts: list[float]) -> list[float]:
    """By level, the rarity in bits of that level or a better one."""
    total = sum(counts)
    return [-log2(max(sum(counts[level:]), total * 2.0**-60) / total) for level in range(len(counts))]
