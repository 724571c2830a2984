"""Anonymity: lines are blurred until what they say of a person is said of enough others, or they are withheld."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Final

# What a line says is said of so many lines at least, of which one is its own.
LEAST: Final = 5

# By name of what a line says of a person, the ways to say it, from the nearest to the widest.
Ladders = Mapping[str, Sequence[str]]
Said = Mapping[str, str]


def blurred(
    lines: Mapping[int, Ladders], order: Sequence[str], sources: Mapping[int, Hashable], least: int = LEAST
) -> dict[int, Said | None]:
    """What each line says, no nearer than it may; None for one that fewer than `least` are like, whatever is blurred.

    `sources`: by line what it tells of; lines that tell of the same count once, for they may all be about one person.
    Lines of a small group give up one thing after the other, in `order`, each by one rung of its ladder: a name that
    stands there twice gives up two. All lines have the same names. Each line goes only as far as it has to (local
    recoding; k-anonymity: Sweeney 2002), and no group that comes out tells of fewer than `least`.
    """
    names = sorted(next(iter(lines.values()), ()))
    steps = dict.fromkeys(lines, 0)
    groups = {id: _at(ladders, names, ()) for id, ladders in lines.items()}
    while True:
        sizes = Counter(group for group, _ in {(group, sources[id]) for id, group in groups.items()})
        small = {id for id, group in groups.items() if sizes[group] < least}
        moving = {id for id in small if steps[id] < len(order)}
        if not moving:
            # One for all that are alike: of thousands of lines they would fill the memory.
            said = {group: dict(zip(names, group, strict=True)) for group in sizes}
            return {id: None if id in small else said[group] for id, group in groups.items()}
        for id in moving:
            steps[id] += 1
            groups[id] = _at(lines[id], names, order[: steps[id]])


def _at(ladders: Ladders, names: Sequence[str], given_up: Sequence[str]) -> tuple[str, ...]:
    climbed = Counter(given_up)
    return tuple(ladders[name][min(climbed[name], len(ladders[name]) - 1)] for name in names)
