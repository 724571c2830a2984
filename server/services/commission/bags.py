"""Bags: the files of a package as one BagIt bag in a ZIP, written as it is read; a clerk checks it with public tools.

What is signed, and chained from package to package, is `manifest-sha256.txt`: the SHA-256 of each file of the payload,
`data/manifest.json` with the facts of the package among them.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from client_sync.protocol.vocabulary import VOCABULARY
from server.domain import anonymity, suppression
from server.services.commission import minisign
from server.services.commission.content import Content

MANIFEST: Final = "manifest-sha256.txt"
FACTS: Final = "data/manifest.json"
PUBLIC_KEY: Final = "seere.pub"
_DECLARATION: Final = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
# Names that need no escape in a manifest (RFC 8493 §2.1.3) and mean one file on every system.
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
# Texts are deflated, at the one level that every zlib calls its own: the CSV and JSON of 20,000 complaints are 1.7 MB
# instead of 14.7, minutes of 2G instead of an hour. Another build of zlib may make other bytes of them, so a ZIP is
# rebuilt to the byte only where the same one is; the manifest goes by the files themselves, and is the same everywhere.
# These are compressed already; a workbook is not, so that its own bytes hang on no zlib either (papers/sheets.py).
_COMPACT: Final = frozenset({".gz", ".jpg", ".ogg", ".pdf", ".png", ".zip"})
_RW_R_R: Final = 0o100644 << 16
_UNIX: Final = 3
_CHUNK_BYTES: Final = 2**16


@dataclass(eq=False)
class Bag:
    """A package as the bytes of a ZIP, to be iterated once; nothing of it is kept but a chunk.

    `payload`: names and chunks of its files, each read once and in order; the same `payload`, `content` and `seed`, by
    which it is signed, make the same bytes. At the end `manifest` and `zip` are the SHA-256 of the manifest and of the
    ZIP, in hexadecimal digits. Iterating raises ValueError for a name that is there twice or is none for a file.
    """

    payload: Iterable[tuple[str, Iterable[bytes]]] = field(repr=False)
    content: Content
    seed: bytes = field(repr=False)
    manifest: str = field(default="", init=False)
    zip: str = field(default="", init=False)

    def __iter__(self) -> Iterator[bytes]:
        made = hashlib.sha256()
        for chunk in self._zipped():
            made.update(chunk)
            yield chunk
        self.zip = made.hexdigest()

    def _zipped(self) -> Iterator[bytes]:
        out = _Outlet()
        with ZipFile(out, "w") as archive:
            for name, chunks in self._files():
                with archive.open(self._member(name), "w") as member:
                    for chunk in chunks:
                        member.write(chunk)
                        if len(out.waiting) >= _CHUNK_BYTES:
                            yield out.take()
        yield out.take()

    def _files(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        """Every file of the bag; what is said of others comes after them, for they have been read by then."""
        yield "bagit.txt", [_DECLARATION]
        sums: dict[str, _Counted] = {}
        for name, chunks in self.payload:
            path = f"data/{name}"
            if not _NAME.fullmatch(name) or path in sums or path == FACTS:
                raise ValueError(f"no name for a file of a package: {name}")
            sums[path] = _Counted(chunks)
            yield path, sums[path]
        sums[FACTS] = _Counted([self._facts(sums)])
        yield FACTS, sums[FACTS]
        yield from self._tags(sums)

    def _tags(self, payload: Mapping[str, "_Counted"]) -> Iterator[tuple[str, Iterable[bytes]]]:
        manifest = _sums({name: each.digest for name, each in payload.items()})
        self.manifest = hashlib.sha256(manifest).hexdigest()
        tags = {
            "bag-info.txt": self._info(payload.values()),
            MANIFEST: manifest,
            f"{MANIFEST}.minisig": minisign.signature(self.seed, manifest, self._comment),
            PUBLIC_KEY: minisign.public_file(self.seed),
        }
        yield from ((name, [data]) for name, data in tags.items())
        tags["bagit.txt"] = _DECLARATION
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in tags.items()}
        yield "tagmanifest-sha256.txt", [_sums(digests)]

    def _facts(self, payload: Mapping[str, "_Counted"]) -> bytes:
        content = self.content
        facts = {
            "package": content.number.text,
            "to": content.destination.body,
            "quarter": content.number.quarter,
            "previous": content.previous and dict(zip(("package", "manifest_sha256"), content.previous, strict=True)),
            "as_of": self._as_of,
            "from": content.coalition,
            "program": f"seere {content.version}",
            "vocabulary": VOCABULARY.version,
            "key_id": content.key_id,
            "least_alike": anonymity.LEAST,
            "least_shown": suppression.LEAST,
            "lines": len(content.lines),
            "voids": len(content.voids),
            "corrections": len(content.corrections),
            "files": [
                {"name": name, "bytes": each.bytes, "sha256": each.digest} for name, each in sorted(payload.items())
            ],
        }
        return (json.dumps(facts, ensure_ascii=False, indent=1) + "\n").encode()

    def _info(self, payload: Iterable["_Counted"]) -> bytes:
        files = list(payload)
        lines = {
            "Source-Organization": " ".join(self.content.coalition.split()),
            "External-Identifier": self.content.number.text,
            "Bagging-Date": self._as_of[: len("2026-10-05")],
            "Payload-Oxum": f"{sum(each.bytes for each in files)}.{len(files)}",
            "Bag-Software-Agent": f"seere {self.content.version}",
        }
        return "".join(f"{label}: {text}\n" for label, text in lines.items() if text).encode()

    def _member(self, name: str) -> ZipInfo:
        # All in one folder, as RFC 8493 §4 has it: opened beside others it mixes with none.
        member = ZipInfo(f"{self.content.number.text}/{name}", self._moment.timetuple()[:6])
        member.compress_type = ZIP_STORED if PurePosixPath(name).suffix in _COMPACT else ZIP_DEFLATED
        member.create_system, member.external_attr = _UNIX, _RW_R_R
        return member

    @property
    def _comment(self) -> str:
        return f"{self.content.number.text} {self._as_of}"

    @property
    def _as_of(self) -> str:
        return self._moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def _moment(self) -> datetime:
        return self.content.as_of.astimezone(UTC)


class _Counted:
    """Chunks that are counted and hashed as they pass."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._hash, self.bytes = chunks, hashlib.sha256(), 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._hash.update(chunk)
            self.bytes += len(chunk)
            yield chunk

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


class _Outlet:
    """Where a ZIP is written that nobody seeks in: what waits to be taken."""

    def __init__(self) -> None:
        self.waiting = bytearray()

    def write(self, data: bytes) -> int:
        self.waiting += data
        return len(data)

    def flush(self) -> None:
        """Everything written is at hand."""

    def close(self) -> None:
        """There is nothing to let go of."""

    def take(self) -> bytes:
        taken = bytes(self.waiting)
        self.waiting.clear()
        return taken


def _sums(digests: Mapping[str, str]) -> bytes:
    """Digests by name as `sha256sum -c` takes them."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()
