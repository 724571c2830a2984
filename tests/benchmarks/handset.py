"""A handset that sends files: complaints with photos written for it, and the field client that sends them.

The client is a process, `python -m … FOLDER PAUSE_FIRST_S GIVES_UP_S`. It waits for the end of stdin, and says on
stdout what it hands over and when.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, Final

from PIL import Image

from client_sync.client import Step, SyncClient
from client_sync.complaint import Attachment
from client_sync.outbox import Finished, Outbox
from client_sync.protocol.uploads import upload_id
from client_sync.stores import Folder
from client_sync.transport import HttpTransport
from client_sync.uploads import USUAL_PACE, Pace
from client_sync.vault import Vault
from tests.client_sync.builders import SOFT, WORDS

_VERSION: Final = "figures"
_SEGMENT_LEAST_BYTES: Final = 4
_SEGMENT_MOST_BYTES: Final = 65_000


@dataclass(frozen=True)
class Handed:
    """Bytes of a file that left in one request, `size` of them from `offset` on, from `began_s` to `ended_s` as
    time.monotonic() has it. Of one that broke, all that the socket took counts. `tried` is the length of its chunk."""

    upload: str
    offset: int
    size: int
    tried: int
    began_s: float
    ended_s: float


@dataclass(frozen=True)
class Told:
    """What a handset said: each request with bytes of a file, the size of all bodies of texts, when all texts had their
    verdict, and when nothing was left; None for what did not happen."""

    handed: tuple[Handed, ...]
    text_bytes: int
    texts_s: float | None
    done_s: float | None


def photo(size: int, seed: int) -> bytes:
    """A photo of so many bytes that nothing makes smaller."""
    dice = Random(seed)
    side = max(int((size / 3) ** 0.5) - 8, 8)
    written = BytesIO()
    Image.frombytes("RGB", (side, side), dice.randbytes(side * side * 3)).save(written, "JPEG", quality=75)
    data = written.getvalue()
    return data[:2] + _comments(size - len(data), dice) + data[2:]


def _comments(size: int, dice: Random) -> bytes:
    """Comments of a JPEG that take so many bytes in all."""
    made = b""
    while (left := size - len(made)) >= _SEGMENT_LEAST_BYTES:
        segment = min(left, _SEGMENT_MOST_BYTES)
        if 0 < left - segment < _SEGMENT_LEAST_BYTES:
            segment -= _SEGMENT_LEAST_BYTES
        made += b"\xff\xfe" + (segment - 2).to_bytes(2, "big") + dice.randbytes(segment - _SEGMENT_LEAST_BYTES)
    return made


def write(folder: Folder, contents: Sequence[dict[str, Any]], photos: Sequence[bytes]) -> list[Attachment]:
    """Finish complaints on a bound device; the first of them have one photo each. Gives what was taken in."""
    if not folder.vault_key.exists():
        Vault.create(folder, WORDS, SOFT).close()
    with closing(Outbox.open(folder)) as outbox:
        taken = [_take_in(outbox, data, no) for no, data in enumerate(photos)]
        shown = [_with_file(content, each) for content, each in zip(contents, taken, strict=False)]
        outbox.finalise_all([Finished("complaint", each) for each in [*shown, *contents[len(taken) :]]])
    return taken


def _take_in(outbox: Outbox, data: bytes, no: int) -> Attachment:
    source = outbox.folder.path / f"photo-{no}.jpg"
    source.write_bytes(data)
    taken = outbox.files.take_in(source, now=datetime.now(UTC))
    source.unlink()
    return taken


def _with_file(content: dict[str, Any], taken: Attachment) -> dict[str, Any]:
    shown = deepcopy(content)
    declared = {name: value for name, value in asdict(taken).items() if name != "key"}
    shown["facts"]["clear"]["files"] = [declared]
    traces = shown.setdefault("traces", {"clear": {}})
    traces["clear"]["media_keys"] = {taken.sha256: taken.key}
    return shown


def told(lines: Iterable[str]) -> Told:
    """What the processes of a handset said; of a request that a kill broke, all that it tried counts."""
    handed: dict[tuple[str, float], Handed] = {}
    seen: dict[str, float] = {}
    text_bytes = 0
    for line in lines:
        try:
            kind, members = json.loads(line)
        except ValueError:
            continue
        if kind in ("tries", "handed"):
            each = Handed(**members)
            handed[each.upload, each.began_s] = each
        elif kind == "push":
            text_bytes += members
        else:
            seen.setdefault(kind, members)
    return Told(tuple(handed.values()), text_bytes, seen.get("texts"), seen.get("done"))


def sent_twice(handed: Sequence[Handed]) -> list[int]:
    """Of each request, how many of its bytes went again in a later one of the same file."""
    later: dict[str, list[Handed]] = defaultdict(list)
    lost = []
    for each in reversed(handed):
        # What goes again begins no later than where the hub stood, and goes on to the end of the file.
        again_from = min((other.offset for other in later[each.upload]), default=each.offset + each.size)
        lost.append(max(each.offset + each.size - max(again_from, each.offset), 0))
        later[each.upload].append(each)
    return lost[::-1]


class _Telling(HttpTransport):
    """Says of each request with bytes of a file what left."""

    def __init__(self, device: str, url: str, pin: str | None) -> None:
        super().__init__(url, pin)
        self._device = device

    def begin_upload(self, sha256: str, size: int, first: bytes, token: str) -> int:
        send = super().begin_upload
        name = upload_id(self._device, sha256)
        return self._noted(name, 0, first, lambda: send(sha256, size, first, token))

    def go_on_uploading(self, upload: str, offset: int, chunk: bytes, token: str) -> int:
        send = super().go_on_uploading
        return self._noted(upload, offset, chunk, lambda: send(upload, offset, chunk, token))

    def sibling(self) -> "_Telling":
        return _Telling(self._device, self._url, self._pin)

    def _noted(self, upload: str, offset: int, chunk: bytes, send: Callable[[], int]) -> int:
        began_s, before = time.monotonic(), self.bytes_up
        tried = Handed(upload, offset, len(chunk), len(chunk), began_s, began_s)
        _tell("tries", asdict(tried))
        try:
            return send()
        finally:
            size = min(len(chunk), self.bytes_up - before)
            _tell("handed", asdict(replace(tried, size=size, ended_s=time.monotonic())))


def _tell(kind: str, said: Any) -> None:
    # One write a line: two threads tell.
    sys.stdout.write(json.dumps([kind, said]) + "\n")
    sys.stdout.flush()


def _send_all(folder: Folder, pace: Pace) -> None:
    """Session after session, as `sync --watch` makes them, until nothing is left."""

    def note(step: Step) -> None:
        if step.name == "push":
            _tell("push", step.bytes)
        if step.name == "apply_verdicts" and not step.waiting:
            _tell("texts", time.monotonic())

    with closing(Outbox.open(folder)) as outbox:
        enrolled = outbox.require_enrolled()
        transport = _Telling(enrolled.device, enrolled.url, enrolled.pin)
        client = SyncClient(outbox, transport, rng=Random(1), version=_VERSION, pace=pace)
        _tell("ready", time.monotonic())
        sys.stdin.readline()
        while not (report := client.sync(note)).is_whole or outbox.files.pending().count:
            _tell("left", [report.cut, report.refused_code, report.retry_after_s])
            time.sleep(min(client.wait_s(report), pace.gives_up_after_s))
        _tell("done", time.monotonic())


if __name__ == "__main__":
    first_s, gives_up_s = float(sys.argv[2]), float(sys.argv[3])
    is_usual = (first_s, gives_up_s) == (0, 0)
    _send_all(Folder(Path(sys.argv[1])), USUAL_PACE if is_usual else Pace(first_s, gives_up_s))
