"""Clusters: a view of links, joined strongest first, and never across a pair that was rejected."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Edge:
    """A link that joins: confirmed, or proposed as strong. `weight` in bits; infinite for what holds by itself."""

    link: int
    a: int
    b: int
    is_confirmed: bool
    weight: float


@dataclass(frozen=True)
class Cluster:
    """What is joined to a complaint, all ids in order.

    `members`: of the whole cluster; `confirmed`: those that confirmed links alone join to it. `edges`: all between
    members, strongest first. `weakest`: the last that was needed to join them, None for a complaint alone.
    `barred`: those that lead out of it, and would have joined two of a rejected pair.
    """

    members: tuple[int, ...]
    confirmed: tuple[int, ...]
    edges: tuple[Edge, ...]
    weakest: Edge | None
    barred: tuple[Edge, ...]


class _Step(NamedTuple):
    """A joint that was made, or not made."""

    edge: Edge
    is_joint: bool


class _Groups:
    """Complaints in disjoint groups, and which groups must stay apart."""

    def __init__(self, apart: Iterable[tuple[int, int]]) -> None:
        self._group: dict[int, set[int]] = {}
        self._apart: dict[int, set[int]] = {}
        for a, b in apart:
            self._apart.setdefault(a, set()).add(b)
            self._apart.setdefault(b, set()).add(a)

    def of(self, complaint: int) -> set[int]:
        """The group of a complaint."""
        return self._group.setdefault(complaint, {complaint})

    def join(self, a: int, b: int) -> bool:
        """Make one group of two; False where a rejected pair would come to be in it."""
        small, large = sorted((self.of(a), self.of(b)), key=len)
        if small is large:
            return True
        if any(not self._apart.get(each, set()).isdisjoint(large) for each in small):
            return False
        large |= small
        self._group.update(dict.fromkeys(small, large))
        return True


def cluster_of(complaint: int, edges: Collection[Edge], apart: Iterable[tuple[int, int]]) -> Cluster:
    """The cluster of a complaint, the same in whatever order edges come. `apart`: the pairs that were rejected.

    Confirmed before proposed, then by weight. Of people's words that contradict each other - one with two, two
    with three, but not one with three - the weaker joint gives way.
    """
    groups = _Groups(apart)
    ordered = sorted(edges, key=strength)
    confirmed = [each for each in ordered if each.is_confirmed]
    steps = _joined(groups, confirmed)
    certain = tuple(sorted(groups.of(complaint)))
    steps += _joined(groups, ordered[len(confirmed) :])
    members = groups.of(complaint)
    inside = [each for each in ordered if each.a in members and each.b in members]
    joints = [step.edge for step in steps if step.is_joint and step.edge.a in members]
    barred = [each for each in ordered if (each.a in members) != (each.b in members)]
    return Cluster(
        members=tuple(sorted(members)),
        confirmed=certain,
        edges=tuple(inside),
        weakest=joints[-1] if joints else None,
        barred=tuple(barred),
    )


def groups(pairs: Iterable[tuple[int, int]]) -> dict[int, frozenset[int]]:
    """For each complaint of some pair, all those that pairs lead to from it, itself among them."""
    joined, found = _Groups(()), dict[int, frozenset[int]]()
    named = list(pairs)
    for a, b in named:
        joined.join(a, b)
    for a, _ in named:
        if a not in found:
            group = frozenset(joined.of(a))
            found |= dict.fromkeys(group, group)
    return found


def strength(edge: Edge) -> tuple[bool, float, int]:
    """What edges are ordered by, the strongest first."""
    return not edge.is_confirmed, -edge.weight, edge.link


def _joined(groups: _Groups, ordered: Iterable[Edge]) -> list[_Step]:
    steps = []
    for edge in ordered:
        is_new = groups.of(edge.a) is not groups.of(edge.b)
        steps.append(_Step(edge, groups.join(edge.a, edge.b) and is_new))
    return steps
