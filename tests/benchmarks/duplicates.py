"""Duplicates: what the shipped models find, without a label, in records and complaints that others labelled."""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from server.domain.matching.model import shipped
from server.services.duplicates import measuring, tables
from server.services.duplicates.arriving import CLEAR, Comparison, veiled
from tests.benchmarks import kit, surnames, undoing
from tests.benchmarks.febrl import ID, NODOB, NOID, write_febrl
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import Plan

FIGURES: Final = (
    "febrl3_nodob_f1",
    "febrl4_nodob_f1",
    "febrl3_noid_f1",
    "sealed_f1_loss",
    "boston_recall_at_5",
    *undoing.FIGURES,
    *kit.FIGURES,
    *surnames.FIGURES,
)
_PEPPER: Final = bytes(range(32))
_BOSTON: Final = "code=type,point=lat+lon,when=opened"


def measure(plan: Plan) -> Iterator[Figure]:
    """F1 at the shipped threshold, online; and what of it is lost when values are veiled."""
    with TemporaryDirectory() as folder:
        febrl3, febrl4 = write_febrl(3, Path(folder)), write_febrl(4, Path(folder))
        clear = _f1("febrl3 nodob", febrl3, NODOB, CLEAR)
        yield Figure("febrl3_nodob_f1", clear, "F1", ">=", 0.990)
        yield Figure("febrl4_nodob_f1", _f1("febrl4 nodob", febrl4, NODOB, CLEAR), "F1", ">=", 0.995)
        yield Figure("febrl3_noid_f1", _f1("febrl3 noid", febrl3, NOID, CLEAR), "F1", ">=", 0.997)
        sealed = _f1("febrl3 nodob, veiled", febrl3, NODOB, veiled(_PEPPER))
        yield Figure("sealed_f1_loss", clear - sealed, "F1", "<=", 0.03)
    yield Figure("boston_recall_at_5", _boston(plan.data), "share", ">=", 0.80)
    yield from undoing.measure()
    yield from kit.measure()
    yield from surnames.measure()


def _f1(name: str, files: tuple[Path, Path], fields: str, comparison: Comparison) -> float:
    model = "table" if comparison is CLEAR else "table_veiled"
    f1: float = evaluated(name, *files, fields, ID, comparison, model)["shipped"]["f1"]
    return f1


def _boston(data: Path | None) -> float | None:
    if data is None or not (folder := data / "complaints").is_dir():
        note("SEERE_TEST_DATA is not set, or holds no complaints of Boston")
        return None
    records = folder / "boston311_2015_selected.csv"
    pairs = folder / "boston311_2015_duplicate_pairs.csv"
    recall: float = evaluated("boston", records, pairs, _BOSTON, "case_id", CLEAR, "table")["recall_at_5"]
    return recall


def evaluated(
    name: str, records: Path, pairs: Path, fields: str, id: str, comparison: Comparison, model: str
) -> dict[str, Any]:
    """What the model of this name reaches on a table, as `measuring.evaluate` tells it; no label is seen."""
    table = tables.read_table([records], tables.read_map(fields), id, None, None)
    reached = measuring.evaluate(
        table,
        tables.read_pairs(pairs, table),
        shipped(model),
        comparison,
        labels=0,
        seed=0,
        pepper=_PEPPER,
        clock_s=time.perf_counter,
    )
    at, waits = reached["shipped"], reached["ms_per_record"]
    note(f"{name}: precision {at['precision']:.4f}, recall {at['recall']:.4f}, best F1 {reached['best']['f1']:.4f}")
    note(f"  retrieval {reached['retrieval_recall']:.4f}, {waits['median']:.2f} ms a record, p95 {waits['p95']:.2f}")
    return reached
