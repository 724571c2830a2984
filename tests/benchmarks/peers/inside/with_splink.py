"""Splink on DuckDB, in its own environment: a request as JSON on stdin, the answer as JSON on stdout."""

import json
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import splink_models
from splink import DuckDBAPI, Linker, SettingsCreator
from splink_models import Setup

_SEED: Final = 1969
# Far below either threshold: the curve of F1 is drawn from here.
_KEPT_FROM: Final = 0.01
# Of one new record: what a person might be shown.
_LIKELY: Final = 0.3

Pairs = list[tuple[str, str, float]]


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    json.dump(_TASKS[request["task"]](request), sys.stdout)


def _link(request: dict[str, Any]) -> Pairs:
    """Pairs with their probability, by a model that EM made of the same rows without a label."""
    setup = _SETUPS[request["task"]](request)
    linker = _linker(request["rows"], setup)
    _learn(linker, setup)
    return _pairs(linker.inference.predict(threshold_match_probability=_KEPT_FROM))


def _one_record(request: dict[str, Any]) -> list[float]:
    """Milliseconds that each new row takes against all stored: blocked, scored, and the likely pairs read."""
    setup = splink_models.complaints()
    trained = _linker(request["known"], setup)
    _learn(trained, setup)
    engine = DuckDBAPI()
    stored = engine.register(_table(request["rows"], setup), table_name="stored")
    linker = Linker(stored, trained.misc.save_model_to_json())
    for column in splink_models.COMPLAINT_FREQUENCIES:
        linker.table_management.compute_tf_table(column)
    waits = []
    for number, row in enumerate(request["new"]):
        table = _table([row], setup)
        began = time.perf_counter()
        new = engine.register(table, table_name=f"new_{number}")
        found = linker.inference.predict_between(
            stored,
            new,
            blocking_rules_to_generate_predictions=list(splink_models.COMPLAINT_WHOLE_BLOCKS),
            threshold_match_probability=_LIKELY,
        )
        _pairs(found)
        waits.append((time.perf_counter() - began) * 1_000)
    return waits


def _linker(rows: Sequence[dict[str, Any]], setup: Setup) -> Linker:
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="id",
        comparisons=list(setup.comparisons),
        blocking_rules_to_generate_predictions=list(setup.blocking),
        retain_matching_columns=False,
    )
    return Linker(DuckDBAPI().register(_table(rows, setup)), settings)


def _table(rows: Sequence[dict[str, Any]], setup: Setup) -> pa.Table:
    names = setup.columns.names
    return pa.Table.from_pylist([{name: row.get(name) or None for name in names} for row in rows], setup.columns)


def _learn(linker: Linker, setup: Setup) -> None:
    training = linker.training
    training.estimate_probability_two_random_records_match(list(setup.certain), recall=setup.certain_recall)
    training.estimate_u_using_random_sampling(max_pairs=setup.random_pairs, seed=_SEED)
    for rule in setup.learning:
        training.estimate_parameters_using_expectation_maximisation(rule)


def _pairs(found: Any) -> Pairs:
    return [(row["id_l"], row["id_r"], row["match_probability"]) for row in found.as_record_list()]


_SETUPS: Final = {
    "febrl": lambda request: splink_models.febrl(request["has_birth"]),
    "complaints": lambda _: splink_models.complaints(),
}
_TASKS: Final = {"febrl": _link, "complaints": _link, "one_record": _one_record}

if __name__ == "__main__":
    main()
