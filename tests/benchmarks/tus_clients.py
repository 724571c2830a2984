"""Independent clients of tus: each uploads a declared file, is cut midway, goes on in another process, and ends."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from client_sync.protocol.uploads import FILES_PATH
from fixtures.bad_road import BadRoad, Cut, Rule
from tests.benchmarks.declaring import declare, photo_file
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import Address, HubProcess, Sender, enrol, fresh_folder, opened
from tests.benchmarks.load import randoms
from tests.evidence_work import SealedFile

FIGURES: Final = ("independent_clients", "independent_clients_failing")
_STRANGERS: Final = Path(__file__).parent / "strangers"
_JS_PACKAGE: Final = "tus-js-client@4.3.1"
_FILE_BYTES: Final = 1_500_000
# Whoever sends chunks sends them on one connection; tuspy makes one for each, and sends the file in one.
_CHUNK_BYTES: Final[Mapping[str, int]] = {"tuspy": 2 * _FILE_BYTES, "tus-js-client": 200_000}
_PATIENCE_S: Final = 120
# What a client may send again of the half that was there, and say around it.
_LEEWAY_BYTES: Final = 250_000


def measure() -> Iterator[Figure]:
    """How many there are here, and how many of them fail; without value where there is none."""
    with fresh_folder() as folder:
        programs = dict(_programs(folder))
        with opened(folder / "hub") as hub:
            senders = {name: enrol(hub) for name in programs}
        files = {name: photo_file(_FILE_BYTES, no) for no, name in enumerate(programs)}
        with HubProcess(folder / "hub") as process:
            ended = [
                name
                for name, program in programs.items()
                if _ends(name, program, process.address, senders[name], files[name], folder)
            ]
        with opened(folder / "hub") as hub:
            failing = [
                name
                for name, file in files.items()
                if name not in ended or b"".join(hub.depot.blobs.read(file.sha256)) != file.data
            ]
    note(f"independent clients: {sorted(programs)}; failing: {failing}")
    yield Figure("independent_clients", len(programs), "clients")
    yield Figure("independent_clients_failing", len(failing), "clients", "=", 0)


def _programs(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The clients that can be had here, by name."""
    yield "tuspy", [sys.executable, str(_STRANGERS / "tuspy_client.py")]
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        note("tus-js-client is not run: no node here")
        return
    command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), _JS_PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    if done.returncode:
        note(f"tus-js-client is not run: {done.stderr[-200:]}")
        return
    yield "tus-js-client", [node, str(shutil.copy(_STRANGERS / "tus_js_client.js", folder))]


def _ends(name: str, program: list[str], hub: Address, sender: Sender, file: SealedFile, folder: Path) -> bool:
    """Whether a client that was cut midway goes on from there, and comes to an end."""
    declare(hub, sender, [file], next(randoms(name)))
    path = folder / f"{name}.sealed"
    path.write_bytes(file.data)
    store = folder / f"{name}.json"

    def rules() -> Iterator[Rule]:
        while not road.cuts:
            yield Cut(after_up=_FILE_BYTES // 2)

    with BadRoad(hub, rules()) as road:
        url = "http://{}:{}{}".format(*road.address, FILES_PATH)
        headers = json.dumps({"Authorization": f"Bearer {sender.token}"})
        command = [*program, url, headers, str(path), file.sha256, str(store), str(_CHUNK_BYTES[name])]
        codes, up = [], []
        for _ in range(2):
            before = road.bytes_up
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
            codes.append(done.returncode)
            up.append(road.bytes_up - before)
            note(f"{name}: ends with {done.returncode} after {up[-1]} bytes")
    return codes == [1, 0] and up[1] <= _FILE_BYTES // 2 + _LEEWAY_BYTES
