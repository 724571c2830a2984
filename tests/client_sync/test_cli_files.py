"""Photos, papers and recordings in the hand of a person: named, sealed, listed, refused in words."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result

from client_sync.commands.session import Session
from client_sync.outbox import Outbox
from client_sync.stores import Folder
from client_sync.vault import Vault
from tests import media
from tests.client_sync.builders import NOW, SOFT, WORDS, answer, closed, enrolled_outbox
from tests.client_sync.test_cli import ANSWERS, CLOSE, LEAST_CONSENT, SKIPPED, answers_file, facts, lines

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "now", lambda _: NOW)


@pytest.fixture
def enrolled(folder: Folder) -> None:
    enrolled_outbox(folder).close()


@pytest.fixture
def vault(folder: Folder, enrolled: None) -> Iterator[Vault]:
    vault = Vault.create(folder, WORDS, SOFT)
    yield vault
    vault.close()


def taken_file(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def test_a_photo_and_a_voice_are_told_of_and_listed_until_they_are_there(
    run: Run, folder: Folder, vault: Vault, tmp_path: Path
) -> None:
    photo = taken_file(tmp_path, "IMG 1.jpg", media.photo())
    voice = taken_file(tmp_path, "voix.ogg", media.voice())
    page = taken_file(tmp_path, "page.jpg", b"<html></html>")
    typed = [*SKIPPED[:9], "1", f"'{photo}'", page, voice, "", *LEAST_CONSENT, CLOSE]
    told = run("new", typed=lines(*typed)).output
    assert "page.jpg n'est pas joint. Ce n'est ni une photo" in told
    assert "effacez-le de cet appareil" in told
    [(record, content)] = closed(folder)
    declared = facts(content)["files"]
    assert [(each["kind"], each["role"]) for each in declared] == [("photo", "evidence"), ("audio", "testimony")]
    assert content["traces"]["clear"]["media_keys"].keys() == {each["sha256"] for each in declared}
    assert [path.name for path in folder.files.iterdir() if path.suffix] == []

    sizes = [f"{each['size'] / 1000:.1f} Ko".replace(".", ",") for each in declared]
    listed = run("files").output.splitlines()
    assert listed[:2] == [
        f"{record.picture} : Son, {sizes[1]} : il reste {sizes[1]} à envoyer.",
        f"{record.picture} : Photo, {sizes[0]} : il reste {sizes[0]} à envoyer.",
    ]
    assert listed[2].startswith("2 pièces ne sont pas encore au centre")
    assert f"Pièce : Photo, {sizes[0]}" in run("show", *str(record.picture).split()).output
    assert "2 pièces ne sont pas encore au centre" in run().output

    with closing(Outbox.open(folder)) as outbox:
        for n, (each, state) in enumerate(zip(declared, ("here", "refused"), strict=True), 1):
            change = {"n": n, "kind": "file", "id": record.id[:8], "sha256": each["sha256"], "state": state}
            outbox.apply(answer(changes=[change | {"code": "file_too_large"}], cursor=str(n)), NOW)
    [refused] = run("files").output.splitlines()
    assert refused.startswith(
        f"{record.picture} : Son, {sizes[1]}, n'ira pas au centre. Le centre la trouve trop lourde"
    )


def test_files_in_a_draft_are_kept_with_it_and_a_question_left_before_its_end_leaves_none(
    run: Run, folder: Folder, vault: Vault, tmp_path: Path
) -> None:
    photo = taken_file(tmp_path, "a.jpg", media.photo())
    run("new", typed=lines(*SKIPPED[:9], "1", photo, "<", "!"))
    assert list(folder.files.iterdir()) == []
    run("new", typed=lines("1", "1", photo, "", "!"))
    [kept] = folder.files.iterdir()
    kept.unlink()
    resumed = run("new", typed=lines("1", *LEAST_CONSENT, CLOSE)).output
    assert "1 pièce d'un brouillon n'est plus sur cet appareil" in resumed
    [(_, content)] = closed(folder)
    assert "files" not in facts(content)


@pytest.mark.usefixtures("enrolled")
def test_a_file_goes_with_written_answers_and_a_refused_one_closes_nothing(
    run: Run, folder: Folder, tmp_path: Path
) -> None:
    answers = answers_file(tmp_path, ANSWERS)
    photo, page = taken_file(tmp_path, "a.jpg", media.photo()), taken_file(tmp_path, "b.jpg", b"<html></html>")
    refused = run("new", "--answers", answers, "--file", photo, "--file", page)
    assert (refused.exit_code, "b.jpg n'est pas joint" in refused.output) == (1, True)
    assert (closed(folder), list(folder.files.iterdir())) == ([], [])
    run("new", "--answers", answers, "--file", photo)
    [(record, content)] = closed(folder)
    declared = facts(content)["files"]
    assert len(declared) == 1

    # Facts that are told anew name the files as before: they are still in the complaint.
    run("amend", *str(record.picture).split(), typed="\n".join(["3", *["", *SKIPPED[:6]], *LEAST_CONSENT, "1", ""]))
    [revised] = [content for other, content in closed(folder) if other.op == "revision"]
    assert facts(revised)["files"] == declared


def test_answers_in_a_file_name_no_files(run: Run, folder: Folder, enrolled: None, tmp_path: Path) -> None:
    result = run("new", "--answers", answers_file(tmp_path, 'files = ["a.jpg"]\n' + ANSWERS))
    assert (result.exit_code, "--file" in result.output, closed(folder)) == (1, True, [])


def test_erasing_everything_counts_the_files_that_are_lost(
    run: Run, folder: Folder, enrolled: None, tmp_path: Path
) -> None:
    photo = taken_file(tmp_path, "a.jpg", media.photo())
    run("new", "--answers", answers_file(tmp_path, ANSWERS), "--file", photo)
    assert "2 envois qui ne sont pas partis seront perdus" in run("wipe", typed="2\neffacer\n").output
    assert not folder.files.exists()
