"""A model: what it is worth, in bits, that two records agree or differ in a field; and the judgement of a pair."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from importlib import resources
from math import exp, log, log2
from typing import Any, Final, NamedTuple

from server.domain.errors import ModelInvalid
from server.domain.matching.levels import FieldName, Level, Levels
from server.domain.matching.records import Form, Kind

_LN2: Final = log(2)
# A store that has just begun knows too little of its strangers to be generous.
_STORED_LEAST: Final = 1_000
_KEPT_DECIMALS: Final = 3
_EVEN: Final = 0.5

# From FAINT on two values agree, and how rarely others agree as well is evidence.
AGREES: Final = Level.FAINT

# Bits by which a pair's agreement in a field is rarer than chance; only fields that agree need to be there.
Rarity = Mapping[FieldName, float]


class Relation(StrEnum):
    """What a model tells of two records: three relations of complaints are never mixed; tables have one."""

    SAME_RECORD = "same_record"
    SAME_INCIDENT = "same_incident"
    SAME_COMPLAINANT = "same_complainant"


class Band(StrEnum):
    """What is done with a pair: shown first, shown, not shown."""

    STRONG = "strong"
    POSSIBLE = "possible"
    SILENT = "silent"


@dataclass(frozen=True)
class Weights:
    """Bits for each level of a field in the order of Level, MISSING always 0; and bits for each bit of rarity."""

    bits: tuple[float, ...]
    rarity: float


@dataclass(frozen=True)
class Interaction:
    """Fields that together say more, or less, than each by itself: `when` each lies between two levels."""

    name: str
    when: Mapping[FieldName, tuple[Level, Level]]
    bits: float

    def holds(self, levels: Levels) -> bool:
        """Whether each field is between its two levels, both included."""
        return all(low <= levels.get(field, Level.MISSING) <= high for field, (low, high) in self.when.items())


class Reason(NamedTuple):
    """Why a pair weighs what it does: a field, or the name of an interaction, at its level, with its bits."""

    name: str
    level: Level | None
    bits: float


@dataclass(frozen=True)
class Judgement:
    """What a model says of a pair: match weight in bits, calibrated probability, and why, strongest first."""

    weight: float
    probability: float
    reasons: tuple[Reason, ...]

    @property
    def kept(self) -> list[tuple[str, int | None, float]]:
        """The reasons as a link keeps them."""
        rounded = ((name, level, round(bits, _KEPT_DECIMALS)) for name, level, bits in self.reasons)
        return [(name, None if level is None else int(level), bits) for name, level, bits in rounded]


@dataclass(frozen=True)
class Model:
    """Weights of one relation, frozen: by field, and by kind for fields that it has none of its own for.

    `partners` is how many records of the store a new one is expected to match: the odds before anything is known
    are that number against all that is stored, less `step_bits` for each of `steps` (see `complaints.steps_at`).
    `slope` and `intercept` turn the weight into the log odds, in bits. By kind, `chance_shares` says how often any
    two records stand at each level, MISSING not counted, until a store has told its own.
    """

    version: str
    relation: Relation
    made_from: str
    constant: float
    partners: float
    steps: int
    step_bits: float
    kinds: Mapping[Kind, Weights]
    chance_shares: Mapping[Kind, tuple[float, ...]]
    fields: Mapping[FieldName, Weights]
    interactions: tuple[Interaction, ...]
    slope: float
    intercept: float
    strong: float
    possible: float

    @classmethod
    def read(cls, text: str) -> "Model":
        """The model that `write` wrote. Raises ModelInvalid."""
        try:
            return _read(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ModelInvalid from None

    def write(self) -> str:
        """The model as JSON, the same text for the same model."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"

    def for_form(self, form: Form) -> "Model":
        """The model with weights of its own for every field of the form, those of its kind where it had none."""
        known = {field: self.fields.get(field, self.kinds[kind]) for field, kind in form.fields.items()}
        return replace(self, fields=known)

    def band(self, probability: float, *, is_faint: bool = False) -> Band:
        """What is done with a pair of this probability. A faint one, which common keys brought together, has to be
        likelier than not: as to those, it hangs on who came first whether a pair is compared at all."""
        if probability >= self.strong:
            return Band.STRONG
        least = max(self.possible, _EVEN) if is_faint else self.possible
        return Band.POSSIBLE if probability >= least else Band.SILENT


def shipped(name: str) -> Model:
    """A model that ships beside this module: `table`, or `table_veiled` for values that are veiled."""
    return Model.read((resources.files("server.domain.matching") / f"{name}.json").read_text("utf-8"))


def judge(model: Model, levels: Levels, rarity: Rarity, stored: int) -> Judgement:
    """What the model says of a pair that agrees at these levels, as rarely as `rarity` says, among `stored` records.

    The weight is the sum of the constant, the odds before and the bits of all reasons. Raises KeyError for a field
    that the model has no weights for (see `for_form`). Method: Fellegi & Sunter (1969), value frequencies after
    Winkler (1988).
    """
    reasons = sorted(_reasons(model, levels, rarity), key=lambda reason: (-abs(reason.bits), reason.name))
    total = model.constant + odds_before(model, stored) + sum(reason.bits for reason in reasons)
    return Judgement(total, probability(model.slope * total + model.intercept), tuple(reasons))


def match_weight(model: Model, levels: Levels, rarity: Rarity, stored: int) -> float:
    """The weight alone, as `judge` gives it but for the last digits of the sum."""
    return model.constant + odds_before(model, stored) + sum(reason.bits for reason in _reasons(model, levels, rarity))


def chance_of(model: Model, levels: Levels, rarity: Rarity, stored: int) -> float:
    """The calibrated probability alone."""
    return probability(model.slope * match_weight(model, levels, rarity, stored) + model.intercept)


def odds_before(model: Model, stored: int) -> float:
    """The log odds, in bits, that a new record and any one of `stored` match, before either was looked at."""
    # Of twice as many strangers, twice as many agree by chance.
    return log2(model.partners / max(stored, _STORED_LEAST)) - model.steps * model.step_bits


def probability(bits: float) -> float:
    """The probability whose odds are 2 to the power of `bits`."""
    # Beyond this a float is 0 or 1 anyway, and exp would overflow.
    return 1 / (1 + exp(-_LN2 * max(-500.0, min(500.0, bits))))


def _reasons(model: Model, levels: Levels, rarity: Rarity) -> Iterator[Reason]:
    for field, level in levels.items():
        if level:
            weights = model.fields[field]
            rare = weights.rarity * rarity.get(field, 0.0) if level >= AGREES else 0.0
            yield Reason(field, level, weights.bits[level] + rare)
    for each in model.interactions:
        if each.holds(levels):
            yield Reason(each.name, None, each.bits)


def _read(members: Any) -> Model:
    return Model(
        version=str(members["version"]),
        relation=Relation(members["relation"]),
        made_from=str(members["made_from"]),
        constant=float(members["constant"]),
        partners=float(members["partners"]),
        steps=int(members["steps"]),
        step_bits=float(members["step_bits"]),
        kinds={Kind(kind): _weights(each) for kind, each in members["kinds"].items()},
        chance_shares={Kind(kind): _by_level(each) for kind, each in members["chance_shares"].items()},
        fields={FieldName(field): _weights(each) for field, each in members["fields"].items()},
        interactions=tuple(map(_interaction, members["interactions"])),
        slope=float(members["slope"]),
        intercept=float(members["intercept"]),
        strong=float(members["strong"]),
        possible=float(members["possible"]),
    )


def _weights(members: Any) -> Weights:
    return Weights(_by_level(members["bits"]), float(members["rarity"]))


def _by_level(numbers: Any) -> tuple[float, ...]:
    by_level = tuple(map(float, numbers))
    if len(by_level) != len(Level) or by_level[Level.MISSING] != 0:
        raise ValueError(numbers)
    return by_level


def _interaction(members: Any) -> Interaction:
    when = {FieldName(field): (Level(low), Level(high)) for field, (low, high) in members["when"].items()}
    return Interaction(str(members["name"]), when, float(members["bits"]))
