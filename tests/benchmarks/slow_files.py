"""Slow uploads of files: does a device on a good link wait for those that send photos over a bad one?"""

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from random import Random
from threading import Event
from typing import Final

from client_sync.protocol.uploads import CHUNK_TYPE, FILES_PATH, TUS_VERSION, upload_id
from client_sync.uploads import CHUNK_FIRST_BYTES
from tests.benchmarks.declaring import declare, photo_file
from tests.benchmarks.figure import Figure, middle, quantile
from tests.benchmarks.harness import Address, HubProcess, Plan, Sender, Void, enrol, fresh_folder, opened
from tests.benchmarks.load import prepared, randoms, run
from tests.evidence_work import SealedFile

FIGURES: Final = ("fast_p99_ms",)
_SLOW: Final = 40
_REQUESTS: Final = 400
# More than one of them sends while all is measured.
_FILE_BYTES: Final = 3_000_000
# 60 kbit/s, in steps short enough that no kernel buffer smooths them away.
_BYTES_PER_S: Final = 60_000 / 8
_STEP_S: Final = 0.1
_NO_CONTENT: Final = 204
_CREATED: Final = 201


@dataclass(frozen=True)
class Slow:
    """A device and the file that it is sending."""

    sender: Sender
    file: SealedFile

    def headers(self, **more: str) -> dict[str, str]:
        """Of a request about its file."""
        said = {"Authorization": f"Bearer {self.sender.token}", "Tus-Resumable": TUS_VERSION}
        return said | {name.replace("_", "-"): value for name, value in more.items()}


def measure(plan: Plan) -> Iterator[Figure]:
    """The 99th percentile of the waits of one device that sends a complaint at a time, beside 40 uploads."""
    chances = randoms("slow files")
    with fresh_folder() as folder:
        with opened(folder / "hub") as hub:
            fast, *others = [enrol(hub) for _ in range(1 + _SLOW)]
        crowd = [Slow(sender, photo_file(_FILE_BYTES, no)) for no, sender in enumerate(others)]
        with HubProcess(folder / "hub") as process:
            for slow in crowd:
                declare(process.address, slow.sender, [slow.file], next(chances))
            alone, beside = [], []
            for _ in range(plan.rounds):
                alone.append(_p99_ms(process.address, fast, next(chances)))
                with _uploading(process.address, crowd):
                    beside.append(_p99_ms(process.address, fast, next(chances)))
    middle("fast_p99_ms with no upload", alone)
    yield Figure("fast_p99_ms", middle("fast_p99_ms", beside), "ms", "<=", 50)


def _p99_ms(address: Address, fast: Sender, chance: Random) -> float:
    load = prepared(fast, _REQUESTS, chance, batch=1)
    return quantile(run(address, [load]).waits_s, 0.99) * 1000


@contextmanager
def _uploading(address: Address, crowd: Sequence[Slow]) -> Iterator[None]:
    """Uploads at 60 kbit/s each, all the while; they go on where they were."""
    stop = Event()
    with ThreadPoolExecutor(len(crowd)) as threads:
        uploads = [threads.submit(_upload, address, slow, stop) for slow in crowd]
        try:
            yield
        finally:
            stop.set()
        for upload in uploads:
            upload.result()


def _upload(address: Address, slow: Slow, stop: Event) -> None:
    connection = HTTPConnection(*address)
    connection.connect()
    # They would all breathe in at once otherwise.
    stop.wait(Random(slow.sender.device).uniform(0, _STEP_S))
    offset = _begin(connection, slow)
    while _trickle(connection, slow, offset, stop):
        answer = connection.getresponse()
        answer.read()
        if answer.status != _NO_CONTENT:
            raise Void(f"a slow upload got {answer.status}")
        offset = int(answer.headers["Upload-Offset"])
    connection.close()


def _begin(connection: HTTPConnection, slow: Slow) -> int:
    """Begin the upload, or find it begun; gives where it stands."""
    name = b64encode(slow.file.sha256.encode()).decode()
    length = str(len(slow.file.data))
    headers = slow.headers(Upload_Length=length, Upload_Metadata=f"sha256 {name}")
    connection.request("POST", FILES_PATH, headers=headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != _CREATED:
        raise Void(f"a slow upload began with {answer.status}")
    return int(answer.headers["Upload-Offset"])


def _trickle(connection: HTTPConnection, slow: Slow, offset: int, stop: Event) -> bool:
    """Send one chunk at the slow rate; whether it was sent whole before the uploads were stopped."""
    chunk = slow.file.data[offset : offset + CHUNK_FIRST_BYTES]
    if not chunk:
        raise Void("a slow upload has nothing left to send")
    digest = b64encode(hashlib.sha256(chunk).digest()).decode()
    connection.putrequest("PATCH", f"{FILES_PATH}/{upload_id(slow.sender.device, slow.file.sha256)}")
    headers = slow.headers(Upload_Offset=str(offset), Upload_Checksum=f"sha256 {digest}", Content_Type=CHUNK_TYPE)
    for header, value in (headers | {"Content-Length": str(len(chunk))}).items():
        connection.putheader(header, value)
    connection.endheaders()
    step = round(_BYTES_PER_S * _STEP_S)
    for at in range(0, len(chunk), step):
        connection.send(chunk[at : at + step])
        if stop.wait(_STEP_S):
            return False
    return True
