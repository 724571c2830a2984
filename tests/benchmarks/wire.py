"""Bytes a record on the wire, gzip against zstd with the dictionary, on words that the dictionary has not seen.

`python -m tests.benchmarks.wire` prints one JSON object a line; server/docs/decisions/0004-compression.md
rests on it. The narratives are messages of the Haiti earthquake where SEERE_TEST_DATA is set, else prose of
other_prose.toml; villages and names are other ones too.
"""

import csv
import json
import os
import re
import time
import tomllib
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

import zstandard
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from client_sync.protocol.boxes import write_boxes
from client_sync.protocol.canonical import canonical
from client_sync.protocol.coding import Coding, Deflater, deflater
from client_sync.protocol.frames import Header, encode_frame, to_text
from client_sync.protocol.keyring import Recipient
from client_sync.protocol.limits import FRAME_MAX_BYTES, FRAME_MIN_BYTES
from client_sync.protocol.linkage import SCHEME, linkage_keys
from client_sync.seal import Binding, seal, seal_to
from fixtures.generate import DICTIONARY, Content, contents, random_id

SEED: Final = 4711
RECORDS: Final = 600
BATCHES: Final = (1, 5, 10, 25, 100)
LEVELS: Final = (3, 12, 19)
_LEVELS_BATCH: Final = 5

# What is always sealed.
SEALED: Final = ("traces", "identity")
# Who can open a sealed compartment: two coordinators and the recovery key.
_READERS: Final = [Recipient(bytes(PrivateKey(bytes([number]) * 32).public_key), "offline") for number in (1, 2, 3)]

_CHOICE: Final = re.compile(r"\(([^()]*\|[^()]*)\)")
_HAITI: Final = Path("complaints") / "haiti2010_messages_kreyol_fr.csv"


def foreign_contents(seed: int, count: int) -> list[Content]:
    """`count` contents whose codes, dates and amounts are of the fixtures and whose words, all of them, are not."""
    rng = Random(seed)
    return [_with_other_words(content, rng) for content in contents(seed, count)]


def source_of_words() -> str:
    """Where the narratives come from: `haiti2010` or `other_prose`."""
    return "haiti2010" if _messages() else "other_prose"


def sealed(content: Content) -> Content:
    """The content as a device sends it: traces and identity sealed, the statement too where it is strict."""
    is_strict = content["facts"]["clear"]["confidentiality"] == "strict"
    return _with_sealed(content, (*SEALED, "statement") if is_strict else SEALED)


def sealing_bytes(batch: int, coding: Coding) -> dict[str, int]:
    """What sealing weighs a record, in bodies of `batch` complaints that have all compartments, to three readers.

    `identity_and_traces`: against the same complaints without the two; `statement`: one sealed more, against
    one in clear; `linkage`: the operations that go along, in bodies of their own.
    """
    told = [each for each in foreign_contents(SEED, RECORDS) if {*SEALED, "statement"} <= each.keys()]
    bare = [{name: part for name, part in each.items() if name not in SEALED} for each in told]
    usual = [_with_sealed(each, SEALED) for each in told]
    strict = [_with_sealed(each, (*SEALED, "statement")) for each in told]
    without, two, three = (_bytes(_as_lines(each), batch, coding) for each in (bare, usual, strict))
    linkage = _bytes(_linkages(told), batch, coding)
    return {"identity_and_traces": two - without, "statement": three - two, "linkage": linkage}


def _linkages(told: Sequence[Content]) -> list[bytes]:
    rng = Random(SEED)
    public = _READERS[0].public
    lines, lineage = [], random_id(rng)
    for seq, content in enumerate(told, 1):
        id = random_id(rng)
        box = to_text(seal_to(public, canonical({"complaint": id, "lineage": lineage} | linkage_keys(content))))
        made = {"box": box, "complaint": id, "v": SCHEME}
        lines.append(canonical({"content": made, "id": random_id(rng), "op": "linkage", "seq": seq}))
    return lines


def _with_sealed(content: Content, names: Sequence[str]) -> Content:
    parts = {name: canonical(content[name]["clear"]) for name in names if name in content}
    if not parts:
        return content
    # Where a box belongs is not part of its size.
    made = seal(parts, _READERS, Binding("", ""))
    return write_boxes(content, made.boxes, made.keys)


def _with_other_words(content: Content, rng: Random) -> Content:
    village = rng.choice(_prose()["villages"])
    if "statement" in content:
        content["statement"]["clear"]["narrative"] = _narrative(rng)
    if "traces" in content:
        content["traces"]["clear"]["said"] = f"vers {village}, côté {rng.choice(('est', 'ouest', 'fleuve'))}"
    if "identity" in content:
        _rename(content["identity"]["clear"], rng)
    return content


def _rename(identity: dict[str, Any], rng: Random) -> None:
    for person in identity["persons"]:
        person["name"] = " ".join(rng.sample(_prose()["names"], 2))
    if "contact" in identity:
        identity["contact"]["say"] = _telling(rng)[: rng.randrange(20, 60)]


def _narrative(rng: Random) -> str:
    """Between 250 and 700 characters, as long as the testimonies of the fixtures."""
    aim_chars = rng.randrange(250, 700)
    told = ""
    while len(told) < aim_chars:
        told += (rng.choice(_messages()) if _messages() else _telling(rng)) + " "
    return told[:aim_chars].strip()


def _telling(rng: Random) -> str:
    return _CHOICE.sub(lambda match: rng.choice(match[1].split("|")), rng.choice(_prose()["sentences"]))


@cache
def _prose() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "other_prose.toml").read_text("utf-8"))


@cache
def _messages() -> Sequence[str]:
    data = os.environ.get("SEERE_TEST_DATA")
    if data is None or not (file := Path(data) / _HAITI).is_file():
        return ()
    with file.open(encoding="utf-8", newline="") as rows:
        return tuple(row["original"] for row in csv.DictReader(rows) if row["original"])


def bytes_per_record(lines: Sequence[bytes], batch: int, make: Callable[[], Deflater]) -> float:
    """Bytes on the wire for each record when `lines` go up in bodies of `batch`: frames signed, flushed, closed."""
    bodies = [lines[at : at + batch] for at in range(0, len(lines), batch)]
    return sum(len(_body(body, make())) for body in bodies) / len(lines)


def _body(lines: Sequence[bytes], deflating: Deflater) -> bytes:
    key, rng = SigningKey(bytes(32)), Random(len(lines))
    device, hub = random_id(rng), random_id(rng)
    body = b""
    for number, part in enumerate(_frames_of(lines), 1):
        header = Header(device, hub, "9f2c11aa", number, "2026-11-21T10:04:05Z", cursor="9f2c11aa.41")
        body += deflating.add(encode_frame(header, part, lambda digest: key.sign(digest).signature))
    return body + deflating.finish()


def _frames_of(lines: Sequence[bytes]) -> list[list[bytes]]:
    """Frames that a device would cut: between the two sizes of the protocol, guessed with gzip."""
    frames: list[list[bytes]] = [[]]
    size = 0
    for line in lines:
        size += len(zlib.compress(line)) * 2 // 3
        if frames[-1] and size > (FRAME_MIN_BYTES + FRAME_MAX_BYTES) // 2:
            frames.append([])
            size = 0
        frames[-1].append(line)
    return frames


class _Level(Deflater):
    """Zstd with the shipped dictionary at a level of choice."""

    def __init__(self, level: int) -> None:
        self._stream = zstandard.ZstdCompressor(level=level, dict_data=_dictionary()).compressobj()

    def add(self, frame: bytes) -> bytes:
        return self._stream.compress(frame) + self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH)


@cache
def _dictionary() -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(DICTIONARY.read_bytes())


def _lines(kind: str) -> list[bytes]:
    told = foreign_contents(SEED, RECORDS)
    return _as_lines([sealed(content) for content in told] if kind == "sealed" else told)


def _as_lines(told: Sequence[Content]) -> list[bytes]:
    rng = Random(SEED)
    return [
        canonical({"content": content, "id": random_id(rng), "op": "complaint", "seq": seq})
        for seq, content in enumerate(told, 1)
    ]


def measure() -> list[dict[str, Any]]:
    """One row for each kind of batch and size, then what sealing weighs, then one row for each level."""
    rows: list[dict[str, Any]] = []
    lines = {kind: _lines(kind) for kind in ("clear", "sealed")}
    for kind in lines:
        for batch in BATCHES:
            gzip, zstd = (_bytes(lines[kind], batch, coding) for coding in ("gzip", "zstd"))
            saved = 1 - zstd / gzip
            rows.append({"batch": batch, "kind": kind, "gzip": gzip, "zstd": zstd, "saved": round(saved, 3)})
    rows += [{"batch": batch, "sealing_bytes": sealing_bytes(batch, "zstd")} for batch in BATCHES]
    return rows + [_level(kind, lines[kind], level) for kind in lines for level in LEVELS]


def _bytes(lines: Sequence[bytes], batch: int, coding: Coding) -> int:
    return round(bytes_per_record(lines, batch, lambda: deflater(coding)))


def _level(kind: str, lines: Sequence[bytes], level: int) -> dict[str, Any]:
    started = time.process_time()
    size = bytes_per_record(lines, _LEVELS_BATCH, lambda: _Level(level))
    cpu_ms = (time.process_time() - started) * 1000 / len(lines)
    return {"batch": _LEVELS_BATCH, "kind": kind, "level": level, "zstd": round(size), "cpu_ms": round(cpu_ms, 2)}


if __name__ == "__main__":
    print(json.dumps({"words": source_of_words(), "records": RECORDS}))
    for row in measure():
        print(json.dumps(row))
