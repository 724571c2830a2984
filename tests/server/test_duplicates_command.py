"""`seere duplicates evaluate` as somebody meets it who has a table and no hub."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from server.cli import main
from tests.benchmarks.febrl import ID, NODOB, write_febrl

Run = Callable[..., Result]


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in an empty folder, in English."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEERE_DATA", str(tmp_path / "no-hub"))
    return lambda *arguments: CliRunner().invoke(main, ["--language", "en", "duplicates", "evaluate", *arguments])


def write(path: str, rows: list[list[str]]) -> str:
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def a_table() -> list[str]:
    """Twelve people of whom the last six are the first six, misspelt; as options of the command."""
    names = ["Awa Traoré", "Issa Koné", "Oumar Sissako", "Fanta Keïta", "Modibo Sangaré", "Bintou Dao"]
    wrong = ["Traore Awa", "Issa Kone", "Omar Sisako", "Fanta Keita", "Modibo Sangare", "Bintu Dao"]
    rows = [[f"{at}", name, f"{at % 6 + 10} rue {at % 6}20"] for at, name in enumerate(names + wrong)]
    records = write("records.csv", [["id", "name", "road"], *rows])
    pairs = write("pairs.csv", [["one", "other"], *[[f"{at}", f"{at + 6}"] for at in range(6)], ["1", "404"]])
    return ["--records", records, "--pairs", pairs]


def test_it_answers_in_json_without_a_hub(evaluate: Run, tmp_path: Path) -> None:
    done = evaluate(*a_table(), "--fields", "person=name,words=road")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["pairs"] == {"true": 6, "false": 0, "unknown_id": 1, "same_side": 0, "unlabelled_found": 0}
    assert told["shipped"]["threshold"] == 0.5
    assert told["retrieval_recall"] == 1
    assert not (tmp_path / "no-hub").exists()


def test_few_labels_are_told_and_what_nothing_is_left_for_is_no_figure(evaluate: Run) -> None:
    done = evaluate(*a_table(), "--fields", "person=name,words=road", "--labels", "99")
    assert "Answers asked: " in done.stderr
    left = json.loads(done.stdout)["labels"]["not_asked"]
    assert left["shipped"] == {"threshold": 0.5, "precision": None, "recall": None, "f1": None}
    assert (left["best"]["f1"], left["average_precision"]) == (None, None)


def test_two_tables_of_strangers_are_brought_together(evaluate: Run) -> None:
    names = ["Awa Traoré", "Issa Koné", "Oumar Sissako", "Fanta Keïta", "Modibo Sangaré", "Bintou Dao"]
    left = write("tableA.csv", [["id", "name"], *[[f"{at}", name] for at, name in enumerate(names)]])
    right = write("tableB.csv", [["id", "name"], *[[f"{at}", name] for at, name in enumerate(reversed(names))]])
    labelled = [[f"{at}", f"{5 - at}", "1"] for at in range(6)] + [["0", "0", "0"], ["1", "1", "0"]]
    pairs = write("test.csv", [["ltable_id", "rtable_id", "label"], *labelled])
    done = evaluate("--records", left, "--records", right, "--pairs", pairs, "--fields", "person=name")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["records"], told["pairs"]["true"]) == (12, 6)
    assert (told["labelled_pairs"]["true"], told["labelled_pairs"]["false"]) == (6, 2)


def test_how_far_it_has_come_is_said_beside_the_answer(evaluate: Run) -> None:
    records = write("many.csv", [["id", "x"], *[[f"{at}", f"{at}"] for at in range(2_000)]])
    done = evaluate("--records", records, "--pairs", write("p.csv", [["0", "1"]]), "--fields", "code=x")
    assert "1000 records of 2000" in done.stderr
    assert json.loads(done.stdout)["records"] == 2_000


def test_a_wrong_column_is_named_beside_those_that_exist(evaluate: Run) -> None:
    done = evaluate(*a_table(), "--fields", "person=nom")
    assert done.exit_code == 1
    assert "nom" in done.stderr
    assert "id, name, road" in done.stderr


def test_a_wrong_kind_is_named_beside_those_that_exist(evaluate: Run) -> None:
    done = evaluate(*a_table(), "--fields", "human=name")
    assert done.exit_code == 1
    assert "human" in done.stderr
    assert "person, words, place" in done.stderr


def test_a_file_that_is_not_there_is_refused(evaluate: Run) -> None:
    assert evaluate("--records", "none.csv", "--pairs", "none.csv", "--fields", "person=name").exit_code == 2


@pytest.mark.prove
@pytest.mark.ci
def test_febrl_is_matched_as_well_as_promised(evaluate: Run, tmp_path: Path) -> None:
    records, pairs = write_febrl(3, tmp_path)
    done = evaluate("--records", str(records), "--pairs", str(pairs), "--fields", NODOB, "--id", ID)
    told = json.loads(done.stdout)
    assert told["shipped"]["f1"] >= 0.990
    assert told["retrieval_recall"] >= 0.995
    assert told["calibration_error"] <= 0.05
