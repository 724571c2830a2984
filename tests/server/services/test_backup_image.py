"""What a backup gives away, on both engines, to who has the keys that open it and the database in it."""

import os
import subprocess
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pyrage
import pytest
from nacl.public import PrivateKey

from client_sync.protocol.frames import to_text
from client_sync.seal import seal_to
from server.domain.errors import LoginRefused
from server.hub import Hub
from server.services import backups, devices
from server.services.accounts import sessions
from server.services.accounts.sessions import Claim
from server.store.backups import SERVER_COPY, SQLITE_COPY
from tests.benchmarks.canaries import Canary, plant, search, tables_into
from tests.builders import Clock, Sender, an_id, clear_content, enrolled, facts, open_test_hub, operation, revision
from tests.postgres import client_programs

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=ENGINES)
def hub(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub whose devices seal every statement."""
    url = "sqlite"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        monkeypatch.setenv("PATH", f"{client_programs()}{os.pathsep}{os.environ['PATH']}")
    recipient = backups.new_identity(tmp_path / "identity.txt")
    opened = open_test_hub(url, tmp_path / "hub", Clock(), backup_recipient=recipient, seal_statement="all")
    yield opened
    opened.close()


def _say_everywhere(hub: Hub, canaries: Iterator[str]) -> list[str]:
    """Say canaries at every door of intake and login, and sound linkages; gives the boxes of these."""
    device, mate = enrolled(hub, "Gao 1", team="gao"), enrolled(hub, "Gao 2", team="gao")
    stranger, lost = enrolled(hub, "Mopti 1", team="mopti"), enrolled(hub, "Gao 3", team="gao")
    devices.revoke(hub.store, lost.device, hub.clock(), hub.identity.sign_key, reason="perdu")
    about = {"complaint": an_id("a"), "lineage": device.lineage}
    for sender in (device, lost):
        sender.send(operation("complaint", "a", _content(next(canaries), next(canaries))))
        sender.send(b'{"id": "' + an_id("x").encode() + b'", "op": "' + next(canaries).encode())
        sender.send(operation(f"op {next(canaries)}", "y", {"name": next(canaries)}))
        sender.send(operation("complaint", "z", _content(next(canaries), next(canaries)) | {next(canaries): 1}))
        sender.send(operation("revision", next(canaries), {}).replace(an_id("q").encode(), next(canaries).encode()))
    for sender in (mate, stranger):
        said = {"clear": {"narrative": next(canaries), next(canaries): "x"}}
        sender.send(revision(f"r {sender.device}", "a", 1, lineage=device.lineage, statement=said))
        taken_back = about | {"scope": "exports", "reason": next(canaries)}
        sender.send(operation("withdrawal", f"w {sender.device}", taken_back))
    with pytest.raises(LoginRefused):
        sessions.log_in(hub.store, hub.secrets.totp, Claim(next(canaries), next(canaries), "192.0.2.7"), hub.clock())
    public = bytes(PrivateKey(hub.secrets.linkage).public_key)
    boxes = [to_text(seal_to(public, next(canaries).encode())) for _ in range(5)]
    senders: list[tuple[Sender, dict[str, str]]] = [
        (device, {"complaint": an_id("a")}), (mate, about), (mate, about | {"complaint": an_id("never")}),
        (stranger, about), (lost, {"complaint": an_id("a")}),
    ]  # fmt: skip
    for box, (sender, whose) in zip(boxes, senders, strict=True):
        sender.send(operation("linkage", box, whose | {"v": 1, "box": box}))
    return boxes


def _content(name: str, place: str) -> dict[str, Any]:
    return clear_content() | {
        "facts": {"clear": facts()},
        "statement": {"clear": {"narrative": name, "lang": "fra"}},
        "traces": {"clear": {"said": place}},
        "identity": {"clear": {"persons": [{"no": 1, "name": name}], "contact": {"how": place}}},
    }


def _opened(archive: Path, identity_file: Path, hub: Hub, into: Path) -> None:
    """All that a backup holds, as far as its own key and that of the database open it."""
    secret = next(line for line in identity_file.read_text().splitlines() if line.startswith("AGE-SECRET"))
    packed = pyrage.decrypt(archive.read_bytes(), [pyrage.x25519.Identity.from_str(secret)])
    into.mkdir()
    with tarfile.open(fileobj=BytesIO(packed)) as tar:
        tar.extractall(into, filter="data")
    if (into / SQLITE_COPY).exists():
        tables_into(into / SQLITE_COPY, hub.secrets.database, into / "tables")
        return
    # Bytes are written as hexadecimal digits, which the search knows.
    command = [client_programs() / "pg_restore", "--file", into / "dump.sql", into / SERVER_COPY]
    subprocess.run(command, check=True, timeout=60)


def test_backup_shows_no_canary_of_any_door_and_holds_no_linkage(hub: Hub, tmp_path: Path) -> None:
    canaries = plant(60, Random(11))
    boxes = _say_everywhere(hub, iter([canary.text for canary in canaries]))
    made = backups.make(hub.store, hub.settings, hub.identity.id, hub.secrets.database, hub.clock(), hub.depot)
    _opened(hub.settings.backups / made.file, tmp_path / "identity.txt", hub, tmp_path / "opened")

    hidden = [*canaries, *(Canary("name", box) for box in boxes)]
    assert search(tmp_path / "opened", hidden) == []
    # The search would see them: what is clear in each complaint is there.
    assert search(tmp_path / "opened", [Canary("name", "in_person"), Canary("name", an_id("a"))]) != []
