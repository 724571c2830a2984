"""A day in the field with the program itself: enrolled in the morning, sent in the evening, over what road there is."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from client_sync.cli import main
from client_sync.client import BACKOFF_FIRST_S
from client_sync.commands.session import Session
from client_sync.commands.sync import WHOLE_AGAIN_S
from client_sync.outbox import Outbox
from client_sync.protocol.enrolment import code_words, grouped_code
from client_sync.stores import Folder
from client_sync.vault import Vault
from fixtures.bad_road import Address, BadRoad, Cut, Pass
from server.services import devices
from server.store.devices import set_backed_up
from tests.builders import ADMINISTRATOR, Clock
from tests.client_sync.builders import SOFT, WORDS
from tests.journeys.conftest import RunningHub

SECRET = "Le chef de poste a pris la moto de mon frère."
ANSWERS = f"""
narrative = "{SECRET}"
narrative_language = "fra"
kinds = ["COR-RACKET"]
consent = {{ level = "C1" }}
"""
MAP = """
map = 1
source = "cahier"
key = ["no"]
[facts]
kinds = ["COR-RACKET"]
channel = "paper"
entered_at = "2026-11-21T10:00:00Z"
[statement]
narrative = { column = "récit" }
"""


class Monitor:
    """A person with the program, on a folder of their own."""

    def __init__(self, hub: RunningHub, path: Path, road: Address | None = None) -> None:
        self.hub = hub
        self.folder = Folder(path)
        self.url = "http://{}:{}".format(*(road or hub.address))

    def run(self, *arguments: object, typed: str = "") -> Result:
        given = ["--folder", str(self.folder.path), *map(str, arguments)]
        return CliRunner().invoke(main, given, input=typed, prog_name="carnet")

    def enrol(self, label: str) -> "Monitor":
        """Enrol, with a vault that opens fast, and be confirmed by the operator."""
        Vault.create(self.folder, WORDS, SOFT).close()
        result = self.run("enrol", self.url, self.hub.invite(label), typed="1\n")
        assert result.exit_code == 0, result.output
        self.confirm(label)
        return self

    def confirm(self, label: str) -> None:
        store = self.hub.hub.store
        devices.confirm(store, devices.find(store, label).id, self.hub.clock())

    def states(self) -> list[str]:
        outbox = Outbox.open(self.folder)
        states = [record.state for record in outbox.records()]
        outbox.close()
        return states


NewMonitor = Callable[..., Monitor]


@pytest.fixture(autouse=True)
def _one_clock(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(Session, "now", lambda _: clock())


@pytest.fixture
def monitor(hub: RunningHub, tmp_path: Path) -> Monitor:
    return Monitor(hub, tmp_path / "carnet").enrol("Mopti 2")


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    file = tmp_path / "answers.toml"
    file.write_text(ANSWERS, "utf-8")
    return file


def backlog(folder: Path, rows: int) -> list[object]:
    """The arguments that import so many rows."""
    file, mapping = folder / "cahier.csv", folder / "cahier.toml"
    mapping.write_text(MAP, "utf-8")
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["no", "récit"])
        writer.writerows([number, os.urandom(300).hex()] for number in range(rows))
    return ["import", file, "--map", mapping]


def test_from_enrolment_to_the_centre_and_a_correction(hub: RunningHub, tmp_path: Path, answers: Path) -> None:
    monitor = Monitor(hub, tmp_path / "carnet")
    enrolled = monitor.run("enrol", monitor.url, *code_words(hub.invite("Mopti 2")), typed=f"1\n{WORDS}\n{WORDS}\n")
    device = devices.find(hub.hub.store, "Mopti 2")
    words = " ".join(devices.words_of(hub.hub.store, device, hub.hub.identity.sign_key))
    assert words in enrolled.output
    monitor.run("new", "--answers", answers)

    too_early = monitor.run("sync")
    assert too_early.exit_code == 1
    assert "confirme les six mots" in too_early.output
    assert words in monitor.run("status").output
    assert hub.lines() == {}

    monitor.confirm("Mopti 2")
    sent = monitor.run("sync")
    assert sent.exit_code == 0
    assert "1 arrivé au centre." in sent.output
    assert "Tout est au centre. Vous pouvez éteindre." in sent.output
    assert re.search(r"Échangé : \d+,\d Ko envoyés, \d+,\d Ko reçus, environ 1 FCFA", sent.output)
    assert "au centre" in monitor.run("list").output
    assert monitor.run().output.splitlines()[:2] == ["0 sur cet appareil", "1 arrivée au centre"]

    receipt = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{3}", monitor.run("list").output)
    assert receipt is not None
    monitor.run("amend", receipt[0], typed=f"1\n{WORDS}\nAutrement.\n\n1\n1\n")
    assert monitor.run("sync").exit_code == 0
    operations = [json.loads(line) for line in hub.lines().values()]
    told = {each["op"]: each["content"]["statement"]["clear"]["narrative"] for each in operations}
    assert told == {"complaint": SECRET, "revision": "Autrement."}


def test_nothing_on_the_device_shows_what_was_said(monitor: Monitor, answers: Path) -> None:
    monitor.run("new", "--answers", answers)
    monitor.run("new", typed=f"{WORDS}\n2\n{SECRET}\n\n1\n!\n")
    files = [file.read_bytes() for file in monitor.folder.path.iterdir()]
    assert len(files) >= 4
    assert [file for file in files if b"moto" in file or b"narrative" in file] == []


@pytest.mark.parametrize("form", ["groups", "misread groups", "qr"])
def test_a_code_is_taken_as_it_comes(hub: RunningHub, tmp_path: Path, form: str) -> None:
    monitor = Monitor(hub, tmp_path / "carnet")
    Vault.create(monitor.folder, WORDS, SOFT).close()
    code = hub.invite("Mopti 2")
    given = {
        "groups": [monitor.url, *grouped_code(code).split("-")],
        "misread groups": [monitor.url, grouped_code(code).lower().replace("0", "o")],
        "qr": [json.dumps({"code": code, "url": monitor.url})],
    }[form]
    assert "Cet appareil est inscrit" in monitor.run("enrol", *given, typed="1\n").output


@pytest.mark.parametrize("given", [["{nothing"], ["http://127.0.0.1:9", *["calebasse"] * 12, "ordinateurs"]])
def test_what_is_no_code_is_said_before_anything_is_sent(hub: RunningHub, tmp_path: Path, given: list[str]) -> None:
    result = Monitor(hub, tmp_path / "carnet").run("enrol", *given)
    assert (result.exit_code, "Ce n'est pas un code d'inscription" in result.output) == (1, True)


def test_an_address_where_nobody_answers_is_named(tmp_path: Path, hub: RunningHub) -> None:
    result = Monitor(hub, tmp_path / "carnet").run("enrol", "http://127.0.0.1:9", hub.invite("Mopti 2"))
    assert result.exit_code == 1
    assert "Le centre ne répond pas à cette adresse : http://127.0.0.1:9" in result.output


def test_an_enrolment_cut_at_the_passphrase_goes_on_with_the_same_words(hub: RunningHub, tmp_path: Path) -> None:
    monitor = Monitor(hub, tmp_path / "carnet")
    cut = monitor.run("enrol", monitor.url, hub.invite("Mopti 2"), typed="1\n")
    device = devices.find(hub.hub.store, "Mopti 2")
    words = " ".join(devices.words_of(hub.hub.store, device, hub.hub.identity.sign_key))
    again = monitor.run("enrol", typed=f"1\n{WORDS}\n{WORDS}\n")
    assert words in cut.output
    assert words in again.output
    assert "Cet appareil est inscrit" in again.output
    Vault.open(monitor.folder, WORDS).close()


def test_words_that_differ_undo_the_enrolment(hub: RunningHub, tmp_path: Path) -> None:
    monitor = Monitor(hub, tmp_path / "carnet")
    result = monitor.run("enrol", monitor.url, hub.invite("Mopti 2"), typed="2\n")
    assert "N'envoyez rien" in result.output
    assert not monitor.folder.machine_key.exists()
    assert "pas encore inscrit" in monitor.run("sync").output


def test_the_offered_words_open_the_notebook(hub: RunningHub, tmp_path: Path) -> None:
    monitor = Monitor(hub, tmp_path / "carnet")
    with start(monitor, "enrol", monitor.url, hub.invite("Mopti 2")) as process:
        until(process, "Numéro")
        type_in(process, "1")
        shown = until(process, "Phrase secrète, quatre mots")
        offered = re.findall(r"^    (.+)$", shown, re.M)[-1]
        type_in(process, "")
        type_in(process, offered)
        until(process, "Cet appareil est inscrit")
    assert process.returncode == 0
    assert len(set(offered.split())) == 5
    Vault.open(monitor.folder, offered).close()


def start(monitor: Monitor, *arguments: object) -> "subprocess.Popen[bytes]":
    """The program as a process of its own, without a terminal from which a passphrase could be asked."""
    code = "from client_sync.cli import carnet; carnet()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "--folder", str(monitor.folder.path), *map(str, arguments)],
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def until(process: "subprocess.Popen[bytes]", words: str) -> str:
    """What the process says, up to these words."""
    assert process.stdout is not None
    said = b""
    while words.encode() not in said:
        more = os.read(process.stdout.fileno(), 65536)
        assert more, said.decode()
        said += more
    return said.decode()


def type_in(process: "subprocess.Popen[bytes]", line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n".encode())
    process.stdin.flush()


def test_a_kill_in_the_middle_of_a_question_costs_that_question_alone(monitor: Monitor) -> None:
    steps = (("2", "Que s'est-il passé"), (SECRET, "…"), ("", "quelle langue"), ("1", "De quoi s'agit-il"))
    with start(monitor, "new") as process:
        type_in(process, WORDS)
        for typed, asked in steps:
            type_in(process, typed)
            until(process, asked)
        process.kill()
    vault = Vault.open(monitor.folder, WORDS)
    [draft] = vault.drafts()
    vault.close()
    assert (draft.answers["narrative"], draft.answers["asked"]) == (SECRET, ["danger", "story"])
    assert "De quoi s'agit-il surtout" in monitor.run("new", typed=f"{WORDS}\n1\n!\n").output


def test_a_backlog_over_a_road_that_breaks_arrives_once(hub: RunningHub, tmp_path: Path) -> None:
    with BadRoad(hub.address, [Pass(), Cut(after_up=40_000)]) as road:
        monitor = Monitor(hub, tmp_path / "carnet", road.address).enrol("Mopti 2")
        arguments = backlog(tmp_path, 300)
        assert "300 lignes prises" in monitor.run(*arguments).output
        broken = monitor.run("sync")
        assert broken.exit_code == 1
        assert "La liaison a coupé. Ce qui est parti est gardé" in broken.output
        assert "300 restent sur cet appareil." in broken.output
        whole = monitor.run("sync")
        assert whole.exit_code == 0
        assert "300 arrivés au centre." in whole.output
        assert len(hub.lines()) == 300
        again = monitor.run(*arguments)
        assert "300 lignes étaient déjà sur cet appareil" in again.output
        monitor.run("sync")
    assert len(hub.lines()) == 300


def test_watching_waits_as_told_and_ends_when_interrupted(
    hub: RunningHub, tmp_path: Path, answers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def wait(_: Session, seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Session, "wait", wait)
    with BadRoad(hub.address, [Pass(), Cut(refuse=True), Cut(refuse=True)]) as road:
        monitor = Monitor(hub, tmp_path / "carnet", road.address).enrol("Mopti 2")
        monitor.run("new", "--answers", answers)
        result = monitor.run("sync", "--watch")
    assert result.exit_code == 130
    assert BACKOFF_FIRST_S / 2 <= waits[0] <= BACKOFF_FIRST_S <= waits[1] <= 2 * BACKOFF_FIRST_S
    assert waits[2] == WHOLE_AGAIN_S
    assert monitor.states() == ["at_centre"]


def test_a_colleague_carries_what_cannot_be_sent(
    hub: RunningHub, tmp_path: Path, monitor: Monitor, answers: Path
) -> None:
    cut_off = Monitor(hub, tmp_path / "other").enrol("Mopti 3")
    cut_off.run("new", "--answers", answers)
    parcel = tmp_path / "colis"
    assert "1 envoi attend" in cut_off.run("bundle", "write", parcel).output
    assert SECRET.encode() not in parcel.read_bytes()
    assert "Vous ne pouvez pas le lire" in monitor.run("bundle", "read", parcel).output
    assert "1 colis porté pour un collègue est arrivé" in monitor.run("sync").output
    back = tmp_path / "back"
    back.mkdir()
    assert "1 réponse à rendre" in monitor.run("bundle", "back", back).output
    [reply] = back.iterdir()
    assert "Aucune réponse à rendre." in monitor.run("bundle", "back", back).output
    assert "1 arrivé au centre" in cut_off.run("bundle", "read", reply).output
    assert cut_off.states() == ["at_centre"]
    refused = cut_off.run("bundle", "write", parcel)
    assert (refused.exit_code, "Rien n'attend ici" in refused.output) == (1, True)


def test_a_lost_device_is_told_to_stop_or_to_forget(hub: RunningHub, monitor: Monitor, answers: Path) -> None:
    store, identity = hub.hub.store, hub.hub.identity
    device = devices.find(store, "Mopti 2")
    monitor.run("new", "--answers", answers)
    monitor.run("status", "--price", 3)
    devices.revoke(store, device.id, hub.clock(), identity.sign_key, reason="perdu")
    told = monitor.run("sync")
    assert (told.exit_code, told.output.count("ne reconnaît plus cet appareil")) == (1, 1)
    assert "Vos plaintes restent ici" not in told.output
    devices.wipe(store, device.id, hub.clock(), identity.sign_key, ADMINISTRATOR, reason="saisi")
    wiped = monitor.run("sync")
    assert "Brouillons et réponses sont effacés." in wiped.output
    assert "Il garde seulement ce que personne d'autre n'a" in wiped.output
    assert not monitor.folder.vault_key.exists()
    assert monitor.folder.machine_key.exists()
    with store.write() as connection:
        set_backed_up(connection, {device.lineage: 100})
    assert "plus rien ne reste ici" in monitor.run("sync").output
    assert list(monitor.folder.path.iterdir()) == []
