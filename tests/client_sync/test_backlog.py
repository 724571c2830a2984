"""`import` in the hand of a person: a spreadsheet of earlier complaints, its rows sealed as they are taken."""

import csv
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from client_sync.stores import Folder
from tests.client_sync.builders import closed, enrolled_outbox

SECRET = "Le chef de poste a pris la moto de mon frère."
Run = Callable[..., Result]

BACKLOG_MAP = """
map = 1
source = "cahier"
key = ["no"]
[facts]
kinds = { column = "type", codes = { "racket" = "COR-RACKET" } }
channel = "paper"
entered_at = "2026-11-21T10:00:00Z"
[statement]
narrative = { column = "récit" }
"""


def backlog(folder: Path, rows: int) -> tuple[Path, Path]:
    """A file of rows, every tenth of an unknown type, and its map."""
    file, mapping = folder / "cahier.csv", folder / "cahier.toml"
    mapping.write_text(BACKLOG_MAP, "utf-8")
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["no", "type", "récit", "vu"])
        writer.writerows([n, "vol" if n % 10 == 0 else "racket", SECRET, ""] for n in range(1, rows + 1))
    return file, mapping


def test_a_backlog_is_taken_once(run: Run, folder: Folder, tmp_path: Path) -> None:
    enrolled_outbox(folder).close()
    file, mapping = backlog(tmp_path, 1200)
    rehearsal = run("import", file, "--map", mapping, "--dry-run")
    assert "1080 lignes seraient prises" in rehearsal.output
    assert closed(folder) == []
    report = tmp_path / "refused.csv"
    first = run("import", file, "--map", mapping, "--report", report)
    assert first.exit_code == 0
    assert "1080 lignes prises" in first.output
    assert "120 lignes ne sont pas prises" in first.output
    assert "ligne 11, colonne « type », « vol » : ce n'est pas une valeur connue" in first.output
    assert "Colonnes laissées de côté : vu" in first.output
    assert len(report.read_text("utf-8").splitlines()) == 121
    assert all(words not in first.output for words in ("amend", "Le centre", SECRET))
    assert len(closed(folder)) == 1080
    second = run("import", file, "--map", mapping)
    assert "Aucune ligne nouvelle." in second.output
    assert "1080 lignes étaient déjà" in second.output
    assert len(closed(folder)) == 1080


def test_an_import_goes_on_where_it_was_cut(run: Run, folder: Folder, tmp_path: Path) -> None:
    enrolled_outbox(folder).close()
    file, mapping = backlog(tmp_path, 30)
    whole = file.read_text("utf-8")
    file.write_text("".join(whole.splitlines(keepends=True)[:11]), "utf-8")
    run("import", file, "--map", mapping)
    file.write_text(whole, "utf-8")
    result = run("import", file, "--map", mapping)
    assert "18 lignes prises" in result.output
    assert "9 lignes étaient déjà" in result.output
    assert len({record.id for record, _ in closed(folder)}) == 27


def test_a_file_or_a_map_that_cannot_be_read_says_what_to_try(run: Run, tmp_path: Path) -> None:
    file, mapping = backlog(tmp_path, 1)
    dry_run = ["import", file, "--map", mapping, "--dry-run"]
    file.write_bytes(file.read_text("utf-8").encode("cp1252"))
    assert 'Ce fichier n\'est pas en utf-8 : essayez encoding = "cp1252"' in run(*dry_run).output
    file.write_text("", "utf-8")
    assert "Ce fichier est vide, n'est pas du CSV" in run(*dry_run).output
    mapping.write_text(BACKLOG_MAP.replace("[statement]", "[statment]"), "utf-8")
    refused = run(*dry_run)
    assert (refused.exit_code, "Endroit : statment" in refused.output) == (1, True)


def test_a_map_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    file, _ = backlog(tmp_path, 1)
    result = run("import", file, "--map", "absent", "--dry-run")
    assert (result.exit_code, "ni fichier ni table de ce nom" in result.output) == (1, True)
