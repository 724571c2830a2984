"""A hub that is started without its passphrase: devices wait, a person opens it, nothing is lost."""

import base64
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path

import pytest
import requests
from nacl.public import PrivateKey
from shamir_mnemonic import generate_mnemonics

from client_sync.errors import HubBusy
from client_sync.protocol.codes import CODES
from client_sync.transport import HttpTransport
from server import credential
from server.config import Settings
from server.hub import Hub, open_hub
from server.services import backups, maintenance
from tests.builders import PASSPHRASE, Sender, complaint, enrolled, founded, open_new_hub, with_keyring
from tests.serving import PROGRAM, address_of, environ, serving
from tests.terminal import Terminal

pytestmark = pytest.mark.ci

LONGEST_WAIT_S = 60
OTHER = "karité néré baobab tamarin"
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub with a device; it is opened here beside whatever serves it."""
    settings, secrets = founded(tmp_path / "hub")
    hub = with_keyring(open_new_hub(settings, secrets))
    yield hub
    hub.close()


@pytest.fixture
def sender(hub: Hub) -> Sender:
    return enrolled(hub, "Gao 1")


@pytest.fixture
def start(hub: Hub) -> Iterator[Start]:
    """Starts `seere serve` where no terminal is: a person has to bring the passphrase."""
    with serving() as serve:
        yield lambda: serve(environ(hub.settings.data), stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a hub that nobody opens: it is the same whoever asked before."""
    folder = tmp_path_factory.mktemp("locked") / "hub"
    open_new_hub(*founded(folder)).close()
    with serving() as serve:
        yield address_of(serve(environ(folder), stdin=subprocess.DEVNULL))


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _unlock(hub: Hub, passphrase: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    brought = tmp_path / "brought"
    brought.write_text(passphrase)
    return subprocess.run(
        [*PROGRAM, "unlock"],
        env=environ(hub.settings.data, SEERE_PASSPHRASE_FILE=str(brought)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONGEST_WAIT_S,
        check=False,
    )


def _post(address: str, sender: Sender, *lines: bytes) -> requests.Response:
    return requests.post(
        f"{address}/api/v1/sync",
        data=sender.frame(lines),
        headers={"Authorization": f"Bearer {sender.token}"},
        timeout=LONGEST_WAIT_S,
    )


def test_locked_hub_tells_devices_to_come_back_and_takes_them_once_it_was_opened(
    hub: Hub, sender: Sender, start: Start, tmp_path: Path
) -> None:
    process = start()
    address = address_of(process)

    refused = _post(address, sender, complaint("early"))
    assert (refused.status_code, refused.headers["Content-Type"]) == (503, "application/problem+json")
    assert refused.json()["code"] == "locked"
    assert refused.json()["retry_after_s"] == int(refused.headers["Retry-After"]) > 0

    opened = _unlock(hub, PASSPHRASE, tmp_path)
    assert (opened.returncode, opened.stdout) == (0, "Le centre est ouvert.\n")
    assert _line(process) == "Le centre est ouvert ; il répond aux appareils.\n"
    taken = _post(address, sender, complaint("late"))
    assert (taken.status_code, maintenance.counts(hub.store).complaints) == (200, 1)

    again = _unlock(hub, PASSPHRASE, tmp_path)
    assert (again.returncode, "Aucun centre n'attend" in again.stderr) == (1, True)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=LONGEST_WAIT_S)
    assert (process.returncode, "arrêté" in out, "Traceback" in err) == (0, True, False)


def test_wrong_passphrase_opens_nothing_and_the_next_has_to_wait(
    hub: Hub, sender: Sender, start: Start, tmp_path: Path
) -> None:
    address = address_of(start())
    wrong = _unlock(hub, OTHER, tmp_path)
    assert (wrong.returncode, "Attendez 1 s" in wrong.stderr) == (1, True)
    assert _post(address, sender, complaint("early")).json()["code"] == "locked"


@pytest.mark.parametrize("path", ["/api/v1/sync", "/api/v1/enrol", "/health", "/api/v1/openapi.json", "/nowhere"])
def test_locked_hub_answers_every_door_alike(locked: str, path: str) -> None:
    answers = [requests.request(how, f"{locked}{path}", timeout=LONGEST_WAIT_S) for how in ("GET", "POST")]
    assert {(each.status_code, each.json()["code"]) for each in answers} == {(503, "locked")}


@pytest.mark.parametrize("path", ["/", "/login"])
def test_page_of_a_locked_hub_says_so(locked: str, path: str) -> None:
    browser = {"Accept-Language": "fr", "Accept": "text/html,*/*;q=0.8"}
    page = requests.get(f"{locked}{path}", headers=browser, timeout=LONGEST_WAIT_S)
    assert (page.status_code, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert "n'est pas encore ouvert" in page.text.replace("&#39;", "'")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_device_takes_a_locked_hub_for_a_busy_one(locked: str, sender: Sender) -> None:
    transport = HttpTransport(locked)
    try:
        with pytest.raises(HubBusy) as busy:
            transport.sync(sender.frame([complaint("one")]), "identity", sender.token)
    finally:
        transport.close()
    assert (busy.value.code, busy.value.retry_after_s, CODES["locked"].status) == ("locked", 120, 503)


@pytest.mark.ci
def test_no_job_runs_while_the_hub_is_locked(hub: Hub, start: Start, tmp_path: Path) -> None:
    process = start()
    address_of(process)
    assert maintenance.last_runs(hub.store, hub.clock()) == []
    assert _unlock(hub, PASSPHRASE, tmp_path).returncode == 0
    _line(process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LONGEST_WAIT_S)
    assert {run.name for run in maintenance.last_runs(hub.store, hub.clock())} >= {"file_held", "upkeep"}


def test_locked_hub_ends_cleanly_and_leaves_no_socket(hub: Hub, start: Start) -> None:
    process = start()
    address_of(process)
    assert [path.suffix for path in hub.settings.data.glob("unlock*")] == [".socket"]
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=LONGEST_WAIT_S)
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert list(hub.settings.data.glob("unlock*")) == []


class Typist:
    """Somebody who types to one command at a terminal."""

    def __init__(self, *arguments: str, environ: dict[str, str]) -> None:
        self._terminal = Terminal()
        self._running = self._terminal.run([*PROGRAM, *arguments], environ, Path.cwd())
        self.answer = self._terminal.answer

    def end(self) -> tuple[int, str]:
        """The exit code, and all that was said after the last answer."""
        said = self._terminal.read_rest(self._running)
        self._terminal.close()
        return self._running.returncode, said


def test_passphrase_typed_at_a_terminal_is_not_shown(hub: Hub) -> None:
    terminal = Typist("devices", "list", environ=environ(hub.settings.data))
    terminal.answer("Phrase secrète du centre", PASSPHRASE)
    code, said = terminal.end()
    assert (code, "Aucun appareil" in said, PASSPHRASE in said) == (0, True, False)


def test_wrong_passphrase_at_a_terminal_is_refused_in_words(hub: Hub) -> None:
    terminal = Typist("devices", "list", environ=environ(hub.settings.data))
    terminal.answer("Phrase secrète du centre", OTHER)
    code, said = terminal.end()
    assert (code, "n'ouvre pas" in said, "Traceback" in said) == (1, True, False)


def test_without_terminal_or_service_a_command_says_what_it_needs(hub: Hub) -> None:
    done = subprocess.run(
        [*PROGRAM, "devices", "list"],
        env=environ(hub.settings.data),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONGEST_WAIT_S,
        check=False,
    )
    assert (done.returncode, "SEERE_PASSPHRASE_FILE" in done.stderr) == (1, True)


@pytest.mark.ci
def test_new_hub_gets_the_passphrase_that_was_typed_twice(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    for again, made in ((PASSPHRASE, False), (OTHER, True)):
        terminal = Typist("init", environ=environ(folder))
        terminal.answer("Nouvelle phrase secrète", OTHER)
        terminal.answer("encore une fois", again)
        code, _ = terminal.end()
        assert (code == 0, (folder / "hub.credential").exists()) == (made, made)
    credential.unlock(folder / "hub.credential", OTHER)


def test_passphrase_is_changed_by_whoever_knows_the_old_one(hub: Hub) -> None:
    terminal = Typist("passphrase", environ=environ(hub.settings.data))
    terminal.answer("Phrase secrète du centre", PASSPHRASE)
    terminal.answer("Nouvelle phrase secrète", OTHER)
    terminal.answer("encore une fois", OTHER)
    assert terminal.end()[0] == 0
    assert astuple(credential.unlock(hub.settings.credential, OTHER)) == astuple(hub.secrets)


@pytest.mark.ci
def test_image_of_a_hub_that_is_off_holds_no_key_of_it(hub: Hub, sender: Sender, start: Start, tmp_path: Path) -> None:
    address = address_of(start())
    assert _unlock(hub, PASSPHRASE, tmp_path).returncode == 0
    assert _post(address, sender, complaint("one")).status_code == 200
    recipient = backups.new_identity(tmp_path / "identity")
    settings = founded(hub.settings.data, backup_recipient=recipient)[0]
    backups.make(hub.store, settings, hub.identity.id, hub.secrets.database, hub.clock(), hub.depot)
    image = b"".join(path.read_bytes() for path in hub.settings.data.rglob("*") if path.is_file())
    assert len(image) > 100_000
    forms = [form for secret in (*astuple(hub.secrets), PASSPHRASE.encode()) for form in _forms(secret)]
    assert [form for form in forms if form in image] == []


def _forms(secret: bytes) -> list[bytes]:
    """How a secret would be legible; base64 without its end, which depends on what follows."""
    hexadecimal = secret.hex().encode()
    return [
        secret,
        hexadecimal,
        hexadecimal.upper(),
        base64.b64encode(secret)[:40].rstrip(b"="),
        base64.urlsafe_b64encode(secret)[:40].rstrip(b"="),
    ]


@pytest.fixture
def archive(hub: Hub, sender: Sender, tmp_path: Path) -> Path:
    """A backup with one complaint; its age identity lies beside it, its hub can be recovered by `_SHARES`."""
    sender.send(complaint("one"))
    recovery = backups.new_identity(tmp_path / "identity")
    settings = founded(hub.settings.data, backup_recipient=recovery, backup_folder=tmp_path / "backups")[0]
    credential.seal_to_recovery(settings.credential, hub.secrets, _public(_PRIVATE))
    made = backups.make(hub.store, settings, hub.identity.id, hub.secrets.database, hub.clock(), hub.depot)
    return settings.backups / made.file


_PRIVATE = bytes(range(32))
_SHARES: list[str] = generate_mnemonics(1, [(2, 3)], _PRIVATE)[0]


def _public(private: bytes) -> bytes:
    return bytes(PrivateKey(private).public_key)


def _restore(archive: Path, folder: Path, *more: str) -> Typist:
    identity = str(archive.parent.parent / "identity")
    return Typist("restore", str(archive), "--identity", identity, "--last-number", "1", *more, environ=environ(folder))


def test_backup_is_restored_by_the_passphrase(archive: Path, tmp_path: Path) -> None:
    terminal = _restore(archive, tmp_path / "found")
    terminal.answer("Phrase secrète du centre", PASSPHRASE)
    assert terminal.end()[0] == 0
    assert _complaints(tmp_path / "found", PASSPHRASE) == 1


def test_backup_is_restored_by_two_of_three_lists_when_the_passphrase_is_lost(archive: Path, tmp_path: Path) -> None:
    terminal = _restore(archive, tmp_path / "found", "--recovery")
    terminal.answer("Liste de secours, 1 sur 2", _SHARES[2])
    terminal.answer("Liste de secours, 2 sur 2", _SHARES[0].upper())
    terminal.answer("Nouvelle phrase secrète", OTHER)
    terminal.answer("encore une fois", OTHER)
    assert terminal.end()[0] == 0
    assert _complaints(tmp_path / "found", OTHER) == 1


@pytest.mark.parametrize("shares", [[_SHARES[0], _SHARES[0]], generate_mnemonics(1, [(2, 3)], bytes(32))[0][:2]])
def test_lists_of_another_hub_or_one_list_twice_restore_nothing(
    archive: Path, tmp_path: Path, shares: list[str]
) -> None:
    terminal = _restore(archive, tmp_path / "found", "--recovery")
    for number, share in enumerate(shares, 1):
        terminal.answer(f"Liste de secours, {number} sur 2", share)
    if shares[0] != shares[1]:
        terminal.answer("Nouvelle phrase secrète", OTHER)
        terminal.answer("encore une fois", OTHER)
    code, said = terminal.end()
    assert (code, "clé de secours" in said, "Traceback" in said) == (1, True, False)
    assert not (tmp_path / "found" / "hub.db").exists()


def test_wrong_passphrase_restores_nothing(archive: Path, tmp_path: Path) -> None:
    terminal = _restore(archive, tmp_path / "found")
    terminal.answer("Phrase secrète du centre", OTHER)
    code, said = terminal.end()
    assert (code, "n'ouvre pas" in said) == (1, True)
    assert list((tmp_path / "found").iterdir()) == []


def _complaints(folder: Path, passphrase: str) -> int:
    settings = Settings(data=folder)
    hub = open_hub(settings, credential.unlock(settings.credential, passphrase))
    try:
        return maintenance.counts(hub.store).complaints
    finally:
        hub.close()
