"""`python -m tests.benchmarks [NAME]`, or ONLY=NAME: one JSON object a line; what is said beside them is on stderr.

NAME is a family (intake, traffic, …) or the beginning of a figure's name. Ends with 1 when a figure
misses its target, or when the hub's checks could not be proven and nothing was measured.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import Plan, Void
from tests.benchmarks.proof import prove_checks

FAMILIES: Final = (
    "intake",
    "traffic",
    "slow_clients",
    "memory",
    "real_intake",
    "faults",
    "device",
    "confidentiality",
    "growth",
    "casework",
    "console",
    "commission",
    "evidence",
    "duplicates",
    "steady",
    "scale",
    "peers",
)


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for, print each figure as it is known; gives the exit code."""
    asked = _parsed(arguments)
    plan = Plan(asked.rounds, asked.records, asked.small, asked.large, asked.data)
    chosen = _chosen(asked.name)
    if not chosen:
        note(f"no figure is called {asked.name}")
        return 2
    try:
        prove_checks()
        figures = [figure for family in chosen for figure in _measured(family, asked.name, plan)]
    except Void as error:
        note(f"void: {error}")
        return 1
    return int(any(figure.holds is False for figure in figures))


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("name", nargs="?", default=os.environ.get("ONLY", ""))
    parser.add_argument("--rounds", type=int, default=Plan.rounds)
    parser.add_argument("--records", type=int, default=Plan.records, help="of one client in one round")
    parser.add_argument("--small", type=int, default=Plan.small, help="complaints stored in the small hub")
    parser.add_argument("--large", type=int, default=Plan.large, help="complaints stored in the large hub")
    data = os.environ.get("SEERE_TEST_DATA")
    parser.set_defaults(data=Path(data) if data else None)
    return parser.parse_args(arguments)


def _chosen(name: str) -> list[Any]:
    """The modules of the families that have what is asked for."""
    present = [family for family in FAMILIES if find_spec(f"tests.benchmarks.{family}")]
    modules = [import_module(f"tests.benchmarks.{family}") for family in present]
    return [module for module in modules if any(_is_asked_for(module, figure, name) for figure in module.FIGURES)]


def _measured(family: Any, name: str, plan: Plan) -> list[Figure]:
    note(family.__doc__)
    figures = []
    for figure in family.measure(plan):
        if _is_asked_for(family, figure.name, name):
            print(figure.line(), flush=True)
            figures.append(figure)
    return figures


def _is_asked_for(family: Any, figure: str, name: str) -> bool:
    return family.__name__.rpartition(".")[2] == name or figure.startswith(name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
