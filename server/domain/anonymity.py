"""Anonymity: lines are blurred until what they say of a person is said of enough others, or they are withheld."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Final

# What a line says is said of so many lines at least, of which one is its own.
LEAST: Final = 5

# By name of what a line says of a person, the ways to say it, from the nearest to the widest.
Ladders = Mapping[str, Sequence[str]]
Said = dict[str, str]


def blurred(
    lines: Mapping[int, Ladders], order: Sequence[str], sources: Mapping[int, Hashable], least: int = LEAST
) -> dict[int, Said | None]:
    """What each line says, no nearer than it may; None for one that fewer than `least` are like, whatever is blurred.

    `sources`: by line what it tells of; lines that tell of the same count once, for they may all be about one person.
    Lines of a small group give up one thing after the other, in `order`, each by one rung of its ladder: a name that
    stands there twice gives up two. All lines have the same names. Each line goes only as far as it has to (local
    recoding; k-anonymity: Sweeney 2002), and no group that comes out tells of fewer than `least`.
    """
    steps = dict.fromkeys(lines, 0)
    while True:
        said = {id: _at(ladders, order[: steps[id]]) for id, ladders in lines.items()}
        groups = {id: _group(each) for id, each in said.items()}
        sizes = Counter(group for group, _ in {(group, sources[id]) for id, group in groups.items()})
        small = {id for id, group in groups.items() if sizes[group] < least}
        moving = {id for id in small if steps[id] < len(order)}
        if not moving:
            return {id: None if id in small else each for id, each in said.items()}
        for id in moving:
            steps[id] += 1


def _at(ladders: Ladders, given_up: Sequence[str]) -> Said:
    climbed = Counter(given_up)
    return {name: ladder[min(climbed[name], len(ladder) - 1)] for name, ladder in ladders.items()}


def _group(said: Said) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(said.items()))
