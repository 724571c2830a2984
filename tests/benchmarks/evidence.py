"""Evidence: files over bad links, through cuts and kills, from clients of others, beside texts, and nasty ones."""

from collections.abc import Iterator
from typing import Final

from tests.benchmarks import broken_off, nasty, over_link, slow_files, tus_clients
from tests.benchmarks.figure import Figure
from tests.benchmarks.harness import Plan

FIGURES: Final = (
    *nasty.FIGURES,
    *tus_clients.FIGURES,
    *slow_files.FIGURES,
    *broken_off.FIGURES,
    *over_link.FIGURES,
)


def measure(plan: Plan) -> Iterator[Figure]:
    """The figures, the quick ones first."""
    yield from nasty.measure()
    yield from tus_clients.measure()
    yield from slow_files.measure(plan)
    yield from broken_off.measure()
    yield from over_link.measure()
