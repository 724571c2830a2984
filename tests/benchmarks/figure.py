"""A figure: one measured number, its unit, what it has to reach, and whether it does."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Final, Literal

Relation = Literal[">=", "<=", "=", "report"]
_HOLDS: Final[dict[Relation, Callable[[float, float], bool]]] = {
    ">=": lambda value, bound: value >= bound,
    "<=": lambda value, bound: value <= bound,
    "=": lambda value, bound: value == bound,
    "report": lambda *_: True,
}


@dataclass(frozen=True)
class Figure:
    """`value` is None where this machine can't measure it: then nothing holds and nothing fails."""

    name: str
    value: float | None
    unit: str
    relation: Relation = "report"
    bound: float = 0

    @property
    def target(self) -> str:
        """What the value has to reach, as text."""
        return "report" if self.relation == "report" else f"{self.relation} {self.bound:g}"

    @property
    def holds(self) -> bool | None:
        """Whether the value reaches its target."""
        return None if self.value is None else _HOLDS[self.relation](self.value, self.bound)

    def line(self) -> str:
        """The figure as one line of JSON; the value keeps four significant digits, counts keep all."""
        value = self.value
        shown = value if value is None or isinstance(value, int) else float(f"{value:.4g}")
        members = {"figure": self.name, "value": shown, "unit": self.unit, "target": self.target, "holds": self.holds}
        return json.dumps(members, ensure_ascii=False)


def middle(name: str, rounds: Sequence[float]) -> float:
    """The median of several rounds; says on stderr how far apart they lay."""
    note(f"{name}: {median(rounds):.4g} ({min(rounds):.4g} to {max(rounds):.4g} in {len(rounds)} rounds)")
    return median(rounds)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed (nearest rank)."""
    return sorted(values)[ceil(len(values) * share) - 1]


def note(text: str) -> None:
    """Say something beside the figures, which are alone on stdout."""
    print(f"# {text}", file=sys.stderr, flush=True)
