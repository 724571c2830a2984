"""The harness of the figures, on amounts that take seconds."""

import json
from pathlib import Path

import pytest

from server.services import maintenance
from tests.benchmarks import harness, population, proof
from tests.benchmarks.figure import Figure, quantile
from tests.benchmarks.harness import HubProcess, Void, enrol, opened
from tests.benchmarks.load import prepared, randoms, run
from tests.benchmarks.population import populated


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of var/figures."""
    monkeypatch.setattr(harness, "FIGURES", tmp_path)
    monkeypatch.setattr(population, "FIGURES", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("figure", "target", "holds"),
    [
        (Figure("rate", 2999.9, "records/s", ">=", 3000), ">= 3000", False),
        (Figure("wait", 50.0, "ms", "<=", 50), "<= 50", True),
        (Figure("stored", 60_863, "records", "=", 60_864), "= 60864", False),
        (Figure("single", 905.4, "bytes"), "report", True),
        (Figure("syncs", None, "fsyncs", "<=", 2), "<= 2", None),
    ],
)
def test_a_figure_says_its_target_and_whether_it_holds(figure: Figure, target: str, holds: bool | None) -> None:
    line = json.loads(figure.line())
    assert (line["target"], line["holds"]) == (target, holds)


def test_a_count_is_printed_to_the_last_digit() -> None:
    assert json.loads(Figure("stored", 60_864, "records").line())["value"] == 60_864


def test_the_99th_percentile_of_200_waits_is_the_third_longest() -> None:
    assert quantile([float(wait) for wait in range(200, 0, -1)], 0.99) == 198


@pytest.mark.ci
def test_a_population_cut_short_is_completed_without_a_row_twice(folder: Path) -> None:
    populated(100)
    # What a build of 250 leaves behind that was stopped after its first frame.
    (folder / "hub-100").rename(folder / "hub-250")
    completed = populated(250)
    with opened(completed.folder) as hub:
        counts = maintenance.counts(hub.store)
    assert (counts.complaints, counts.devices, counts.set_aside) == (250, 1, 0)


@pytest.mark.ci
def test_a_population_with_other_tables_is_built_anew(folder: Path) -> None:
    with opened(populated(100).folder) as hub, hub.store.write() as connection:
        connection.exec_driver_sql("CREATE TABLE left_over (id INTEGER)")
    with opened(populated(100).folder) as hub, hub.store.read() as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()
    assert "left_over" not in names


@pytest.mark.ci
def test_load_that_is_not_newly_stored_is_void(folder: Path) -> None:
    with opened(folder / "hub") as hub:
        sender = enrol(hub)
    load = prepared(sender, 20, next(randoms("twice")), batch=10)
    with HubProcess(folder / "hub") as process:
        assert run(process.address, [load]).records == 20
        with pytest.raises(Void, match="already_held"):
            run(process.address, [load])


@pytest.mark.ci
def test_figures_are_void_when_a_limit_does_not_bind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "_LESS_THAN_A_FRAME", harness.UNBOUNDED)
    with pytest.raises(Void, match="over_limit"):
        proof.prove_checks()
