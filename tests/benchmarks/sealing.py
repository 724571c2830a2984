"""Sealing: what it adds to a record on the wire, and what it takes of the records a second that the hub stores."""

from collections.abc import Iterator
from statistics import median
from typing import Any, Final

from fixtures.generate import contents
from tests.benchmarks.figure import Figure, middle, note
from tests.benchmarks.harness import HubProcess, Plan, enrol, fresh_folder, opened
from tests.benchmarks.load import prepared, randoms, run
from tests.benchmarks.wire import SEALED, sealing_bytes, source_of_words
from tests.builders import sealed_keys

FIGURES: Final = ("sealing_bytes", "sealing_cost_share")
_EVENING: Final = 5
_SEED: Final = 1968
_STORIES: Final = 3_000
# Many short rounds: what else the machine does changes faster than a long one takes.
_TURNS: Final = 6
_LEAST_SEAL: Final = {"seal": sealed_keys()}


def measure(plan: Plan) -> Iterator[Figure]:
    """The bytes are a count; the share is the ratio of the medians of rounds that alternate on one hub."""
    weighed = sealing_bytes(_EVENING, "zstd")
    note(f"a strict statement: {weighed['statement']} bytes more; linkage: {weighed['linkage']}; {source_of_words()}")
    yield Figure("sealing_bytes", weighed["identity_and_traces"], "bytes", "<=", 800)
    yield Figure("sealing_cost_share", _cost_share(plan), "ratio", "<=", 0.15)


def _cost_share(plan: Plan) -> float:
    """The share of records a second that is lost when the same stories come with identity and traces sealed.

    Against facts and a clear statement, with a seal of one key and no box: the hub only stores that too, whereas what
    comes without a seal it reads once more and cuts down to the form, at twice the cost of what came sealed.
    Stories that are strict are left out, for their statement is sealed.
    """
    whole, bare = _stories()
    rates: dict[str, list[float]] = {"sealed": [], "clear": []}
    with fresh_folder() as folder:
        with opened(folder) as hub:
            sender = enrol(hub)
        chances = randoms("sealing")
        with HubProcess(folder) as process:
            for _ in range(_TURNS * plan.rounds):
                for name, told in (("sealed", whole), ("clear", bare)):
                    load = prepared(sender, plan.records // 2 // _TURNS, next(chances), told=told)
                    rates[name].append(run(process.address, [load]).records_per_s)
    for name, taken in rates.items():
        middle(f"{name} records/s", taken)
    return 1 - median(rates["sealed"]) / median(rates["clear"])


def _stories() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Stories with every compartment, and the same without those that are always sealed, but marked as sealed."""
    whole = [
        each
        for each in contents(_SEED, _STORIES)
        if {*SEALED, "statement"} <= each.keys() and each["facts"]["clear"]["confidentiality"] != "strict"
    ]
    bare = [{name: part for name, part in each.items() if name not in SEALED} | _LEAST_SEAL for each in whole]
    return whole, bare
