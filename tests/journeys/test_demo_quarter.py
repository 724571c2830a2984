"""The last door of `make demo`: the clerk has what the hub has, with her programs or without, and seals are real."""

import csv
import hashlib
import re
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pyrage
import pytest
from flask.testing import FlaskClient

from fixtures.demo.centre import SECOND
from fixtures.demo.clerk import Clerk, NotSound
from fixtures.demo.recount import recount
from server.hub import Hub
from server.i18n import catalogue
from server.press import press_of
from server.services.accounts import demonstration
from tests.browsing import HTML
from tests.builders import app_of
from tests.console_story import story_hub
from tests.story import STORES, told

# A moment to call things late by, which none of the rows hangs on.
NOW = "2026-01-01T00:00:00Z"
# Who agreed to totals alone when the first package was sealed, and to more since.
AGREED_LATER = "Kadidia Tembély"


@pytest.fixture
def clerk(tmp_path: Path) -> Clerk:
    """The clerk of the story, with what came to her."""
    told()
    return Clerk(Path(shutil.copytree(STORES / "cndh", tmp_path / "cndh")))


@pytest.fixture
def first(clerk: Clerk) -> str:
    """The number of the package that was sealed in the story."""
    [sealed] = clerk.folder.glob("*.zip.age")
    return sealed.name.removesuffix(".zip.age")


@pytest.fixture(params=[True, False], ids=["programs", "python"])
def has_programs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the programs that a clerk would use are installed."""
    if not request.param:
        monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    return bool(request.param)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """What the demonstration left, for this test alone."""
    with story_hub(tmp_path / "story") as hub:
        yield hub


def test_clerk_has_the_lines_that_the_hub_has_rows_of(clerk: Clerk, first: str) -> None:
    with (clerk.folder / first / "data" / "plaintes.csv").open(encoding="utf-8-sig", newline="") as file:
        head, _, *lines = csv.reader(file, delimiter=";")
    shape = {row[head.index("ref")]: "named" if row[head.index("nom")] else "line" for row in lines}
    rows = recount(STORES, NOW).items
    assert {(first, ref, shape[ref]) for ref in shape} == {(row[0], row[1], row[2]) for row in rows}
    assert sorted(row[3] for row in rows) == ["accepted"] * 10 + ["rejected"] * 2
    # Neither name nor number of a file stands where a line was refused.
    assert all(bool(row[4]) == (row[3] == "accepted") for row in rows)


def test_who_agreed_to_totals_alone_is_in_no_file(clerk: Clerk, first: str) -> None:
    files = [file for file in (clerk.folder / first).rglob("*") if file.is_file()]
    with ZipFile(clerk.folder / first / "data" / "plaintes.xlsx") as workbook:
        texts = [file.read_bytes() for file in files] + [workbook.read(name) for name in workbook.namelist()]
    assert any(b"Aminata Coulibaly" in text for text in texts)
    assert not any(AGREED_LATER.encode() in text for text in texts)


def test_clerk_opens_it_with_programs_or_says_without_which(clerk: Clerk, first: str, *, has_programs: bool) -> None:
    shutil.rmtree(clerk.folder / first)
    opened = clerk.open(first)
    assert opened.programs == (("age", "minisign", "sha256sum") if has_programs else ("pyrage", "pynacl", "hashlib"))
    assert (len(opened.unnamed), len(opened.named), opened.voids, opened.corrections) == (6, 6, [], [])
    manifest = (clerk.folder / first / "manifest-sha256.txt").read_bytes()
    assert (opened.files, opened.manifest) == (manifest.count(b"\n"), hashlib.sha256(manifest).hexdigest())


@pytest.mark.usefixtures("has_programs")
def test_clerk_refuses_a_file_with_another_byte(clerk: Clerk, first: str) -> None:
    sealed = clerk.folder / f"{first}.zip.age"
    data = bytearray(sealed.read_bytes())
    data[len(data) // 2] ^= 1
    sealed.write_bytes(data)
    with pytest.raises(NotSound):
        clerk.open(first)


@pytest.mark.usefixtures("has_programs")
@pytest.mark.parametrize("is_summed_anew", [False, True])
def test_clerk_refuses_what_somebody_else_sealed_to_her(clerk: Clerk, first: str, *, is_summed_anew: bool) -> None:
    """Anybody may seal to her key: a line is another, and the sums of the files are made anew, or are not."""
    line, sums = f"{first}/data/plaintes.csv", f"{first}/manifest-sha256.txt"
    with ZipFile(clerk.folder / f"{first}.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    was = hashlib.sha256(files[line]).hexdigest()
    files[line] = files[line].replace(b"Coulibaly", b"Koulibaly")
    if is_summed_anew:
        now = hashlib.sha256(files[line]).hexdigest()
        files[sums] = files[sums].replace(was.encode(), now.encode())
    made = BytesIO()
    with ZipFile(made, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    to = pyrage.x25519.Recipient.from_str(clerk.recipient)
    (clerk.folder / f"{first}.zip.age").write_bytes(pyrage.encrypt(made.getvalue(), [to]))
    with pytest.raises(NotSound):
        clerk.open(first)


@pytest.mark.usefixtures("has_programs")
def test_clerk_refuses_one_package_under_the_number_of_another(clerk: Clerk, first: str) -> None:
    other = first.removesuffix("0001") + "0007"
    with ZipFile(clerk.folder / f"{first}.zip") as archive:
        files = {name.replace(first, other, 1): archive.read(name) for name in archive.namelist()}
    made = BytesIO()
    with ZipFile(made, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    to = pyrage.x25519.Recipient.from_str(clerk.recipient)
    (clerk.folder / f"{other}.zip.age").write_bytes(pyrage.encrypt(made.getvalue(), [to]))
    with pytest.raises(NotSound):
        clerk.open(other)


def test_behind_the_last_door_the_second_person_seals_and_the_clerk_opens(hub: Hub, clerk: Clerk, first: str) -> None:
    client = app_of(hub).test_client()
    key = demonstration.read(hub.store).key
    doors = client.get(f"/demo?key={key}", headers=HTML, follow_redirects=True).text
    assert list(map(int, re.findall(r"<kbd>(\d)</kbd>", doors))) == [1, 2, 3, 4, 5, 6]
    page = _sent(client, "/demo", _form(doors, 'name="door" value="package"'))
    assert f">{SECOND}</a>" in client.get("/console/account", headers=HTML).text
    texts = catalogue("fr")
    assert texts.text("packages.no_blocker") in page
    assert page.count(texts.text("packages.void")) == 1
    sealing = _form(page, texts.text("packages.seal"))
    [path] = re.findall(r'action="([^"]+)"', sealing)
    after = _sent(client, path, sealing)
    assert texts.text("packages.state_sealed").capitalize() in after
    number = first.removesuffix("0001") + "0002"
    shutil.copy(press_of(hub).folder / f"{number}.zip.age", clerk.folder)
    opened = clerk.open(number)
    assert [row["nom"] for row in opened.named] == [AGREED_LATER]
    assert [row["numero_envoi_concerne"] for row in (*opened.voids, *opened.corrections)] == [first, first]
    assert {row["colonne"] for row in opened.corrections} == {"statut_code"}
    facts = (clerk.folder / number / "data" / "manifest.json").read_text("utf-8")
    was = hashlib.sha256((clerk.folder / first / "manifest-sha256.txt").read_bytes()).hexdigest()
    assert first in facts
    assert was in facts


def _form(page: str, holding: str) -> str:
    """The one form of a page that has this in it."""
    [found] = [form for form in re.findall(r"<form.*?</form>", page, re.DOTALL) if holding in form]
    return str(found)


def _sent(client: FlaskClient, path: str, form: str) -> str:
    """The page that comes of a form, with all that stands hidden in it."""
    given = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    answer = client.post(path, headers=HTML, data=given, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return answer.text
