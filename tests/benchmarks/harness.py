"""What every figure stands on: the shipped hub as a child process, its footprint, and enrolled devices."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

import psutil
import zstandard
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from client_sync.protocol.coding import DICTIONARY_ID
from client_sync.protocol.enrolment import proof_digest
from client_sync.protocol.frames import Header, encode_frame, to_text
from server.config import Settings
from server.credential import HARDNESS
from server.domain.allowance import Refill
from server.hub import Hub, open_hub
from server.services import devices
from server.services.devices import Application
from server.store import unmatched
from tests.builders import PASSPHRASE, secrets_of, with_keyring

CHECKOUT: Final = Path(__file__).resolve().parents[2]
FIGURES: Final = CHECKOUT / "var" / "figures"
SEERE: Final = Path(sys.executable).with_name("seere")
SYNC: Final = "/api/v1/sync"

# A device may send what a round sends; what it may not, the proof shows on a device of its own.
UNBOUNDED: Final = Refill(10**9, 10**11, 1, 1)
_LIMITS: Final = {
    "SEERE_DEVICE_BURST_RECORDS": str(UNBOUNDED.burst_records),
    "SEERE_DEVICE_BURST_BYTES": str(UNBOUNDED.burst_bytes),
    "SEERE_DEVICE_RECORDS_PER_MINUTE": str(UNBOUNDED.records_per_minute),
    "SEERE_DEVICE_BYTES_PER_MINUTE": str(UNBOUNDED.bytes_per_minute),
}
# The field client spends ten times as long on a body; the hub inflates both at the same cost.
_LEVEL: Final = 3
_START_PATIENCE_S: Final = 60
_START_POLL_S: Final = 0.005
_STOP_PATIENCE_S: Final = 40
_MATCH_PATIENCE_S: Final = 300
_MATCH_POLL_S: Final = 0.5

Address = tuple[str, int]


class Void(Exception):
    """What was measured means nothing: the hub did not do what the figure takes for granted."""


@dataclass(frozen=True)
class Plan:
    """How much is measured. The defaults are what a figure means; less is for work on the figures."""

    rounds: int = 5
    records: int = 6_000
    small: int = 10_000
    large: int = 1_000_000
    data: Path | None = None


@dataclass
class Sender:
    """An enrolled and confirmed device that signs its own frames."""

    device: str
    lineage: str
    token: str
    key: SigningKey
    hub: str
    epoch: str
    next_frame: int = 1

    def frame(self, lines: list[bytes], cursor: str | None = None) -> bytes:
        """The next frame, uncompressed; it asks for the changes after the cursor."""
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        header = Header(self.device, self.hub, self.epoch, self.next_frame, at, cursor=cursor)
        self.next_frame += 1
        return encode_frame(header, lines, lambda digest: self.key.sign(digest).signature)

    def body(self, lines: list[bytes], cursor: str | None = None) -> bytes:
        """The next frame as a body, in the coding that the field client chooses."""
        return zstandard.ZstdCompressor(_LEVEL, dict_data=_dictionary()).compress(self.frame(lines, cursor))

    @property
    def headers(self) -> dict[str, str]:
        """What goes above such a body."""
        return {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/x-ndjson",
            "Content-Encoding": "zstd",
            "Seere-Dictionary": DICTIONARY_ID,
        }


def enrol(hub: Hub, refill: Refill = UNBOUNDED, succeeds: Sender | None = None) -> Sender:
    """A new device on an open hub, or one that succeeds another, through the services that its operators use."""
    now = hub.clock()
    replaced = succeeds.device if succeeds else None
    code = devices.invite(hub.store, now, label="figures", valid_hours=1, succeeds=replaced).code
    key, box = SigningKey.generate(), bytes(PrivateKey.generate().public_key)
    sign = bytes(key.verify_key)
    proof = key.sign(proof_digest(code, sign, box)).signature
    application = Application(code, to_text(sign), to_text(box), to_text(proof), None, replaced)
    admitted = devices.enrol(hub.store, application, now, refill)
    devices.confirm(hub.store, admitted.device, now)
    return Sender(admitted.device, admitted.lineage, admitted.token, key, hub.identity.id, hub.epoch())


@contextmanager
def opened(folder: Path) -> Iterator[Hub]:
    """The hub of a folder inside this process, to prepare or to read back."""
    settings = Settings(data=folder, device_burst_records=UNBOUNDED.burst_records)
    hub = with_keyring(open_hub(settings, secrets_of(settings, HARDNESS)))
    try:
        yield hub
    finally:
        hub.close()


def wait_until_matched(folder: Path) -> None:
    """Until the hub that runs there has matched all that it took in. Raises Void when it doesn't."""
    deadline = time.monotonic() + _MATCH_PATIENCE_S
    with opened(folder) as hub:
        while time.monotonic() < deadline:
            with hub.store.read() as connection:
                if not unmatched.count(connection):
                    return
            time.sleep(_MATCH_POLL_S)
    raise Void("what waits to be matched does not get less")


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """A folder that is gone afterwards, on the disk that holds the figures: /tmp may lie in memory."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=FIGURES, prefix="run-") as path:
        yield Path(path)


def copy_hub(source: Path, target: Path) -> None:
    """A hub that nobody has open, copied: what is measured on the copy leaves the original as it was."""
    target.mkdir(parents=True)
    for name in ("hub.db", "hub.credential"):
        shutil.copy2(source / name, target / name)


@dataclass
class HubProcess:
    """`seere serve` on a data folder, as shipped; a context manager."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    address: Address = field(init=False)
    start_s: float = field(init=False)
    _process: subprocess.Popen[bytes] = field(init=False)

    def __enter__(self) -> Self:
        self.address = ("127.0.0.1", free_port())
        (self.folder / "passphrase").write_text(PASSPHRASE)
        self.start()
        return self

    def start(self) -> None:
        """Start it, also once more where it was killed, and wait for its first answer."""
        with (self.folder / "serve.log").open("ab") as log:
            began = time.perf_counter()
            self._process = subprocess.Popen([SEERE, "serve"], env=self._environ(), stdout=log, stderr=log)
        self._await_first_answer()
        self.start_s = time.perf_counter() - began

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def __exit__(self, *_error: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=_STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cpu_s(self) -> float:
        """Seconds of CPU that the process and its children used since they started."""
        return sum(sum(process.cpu_times()[:2]) for process in self._tree())

    def pss_mb(self) -> float:
        """Memory of the process and its children in MB (10^6), pages shared with others by their share."""
        return sum(float(process.memory_full_info().pss) for process in self._tree()) / 1e6

    def _tree(self) -> list[psutil.Process]:
        root = psutil.Process(self._process.pid)
        return [root, *root.children(recursive=True)]

    def _environ(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEERE_")}
        place = {
            "SEERE_DATA": str(self.folder),
            "SEERE_PORT": str(self.address[1]),
            "SEERE_PASSPHRASE_FILE": str(self.folder / "passphrase"),
        }
        return inherited | _LIMITS | place | dict(self.environment)

    def _await_first_answer(self) -> None:
        give_up_at = time.monotonic() + _START_PATIENCE_S
        while not _is_answering(self.address):
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                raise Void(f"the hub did not start: {(self.folder / 'serve.log').read_text()[-2000:]}")
            time.sleep(_START_POLL_S)


def _is_answering(address: Address) -> bool:
    connection = HTTPConnection(*address, timeout=_START_PATIENCE_S)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


@cache
def _dictionary() -> zstandard.ZstdCompressionDict:
    file = CHECKOUT / "client_sync" / "protocol" / f"dictionary-{DICTIONARY_ID}.zdict"
    dictionary = zstandard.ZstdCompressionDict(file.read_bytes())
    dictionary.precompute_compress(_LEVEL)
    return dictionary


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
