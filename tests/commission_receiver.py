"""A commission that takes packages: a real server in a process of its own, which fails by a script and keeps its books.

`python -m tests.commission_receiver [--certificate FILE] [--identity FILE]` says on its first line where it listens. It
knows a package that comes again by its key, and has an answer to each, at first on some of its items alone.
"""

import hashlib
import json
import re
import ssl
import subprocess
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPSConnection
from io import BytesIO
from pathlib import Path
from random import Random
from socket import SHUT_RDWR
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit
from zipfile import ZipFile

import click
import pyrage
from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from tests.serving import ROOT

# What becomes of a request. `…_after`: it was taken in before; `half`: so much of it was read; `slow`: the answer comes
# when nobody waits any more.
TROUBLES: Final = ("cut", "half", "busy", "many", "gateway", "late", "cut_after", "slow_after", "gateway_after")
# By word alone: a receiver that does not want it, says to have something else, or sends elsewhere.
REFUSALS: Final = ("unwanted", "differs", "elsewhere", "unclear")
SLOW_S: Final = 0.4
_STATUS: Final = {"busy": 503, "many": 429, "gateway": 502, "late": 504, "gateway_after": 502}
_MANIFEST: Final = "manifest-sha256.txt"
# A certificate for this machine that nobody signed: openssl x509 -in loopback.pem -outform der | sha256sum
LOOPBACK: Final = ROOT / "tests" / "client_sync" / "loopback.pem"
LOOPBACK_PIN: Final = "7d6f32f59b1415a0bf519cece64a47d0fa38999dcf5230428e1241dcde1c4872"
_REF: Final = re.compile(rb"\bP-[A-Z2-7]{10}\b")


@dataclass
class Books:
    """What the commission keeps: by key the digest that came under it, every item that it took down, in order, each
    time; `fetched`: how often each answer was asked for and given."""

    seed: int = 0
    rate: float = 0.0
    next: list[str] = field(default_factory=list)
    dice: Random = field(default_factory=Random)
    keys: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, str] = field(default_factory=dict)
    items: list[tuple[str, str]] = field(default_factory=list)
    fetched: Counter[str] = field(default_factory=Counter)
    heard: int = 0
    lock: Lock = field(default_factory=Lock)

    def trouble(self) -> str:
        """What becomes of this request; empty: nothing is wrong."""
        with self.lock:
            self.heard += 1
            if self.next:
                return self.next.pop(0)
            return self.dice.choice(TROUBLES) if self.dice.random() < self.rate else ""

    def take(self, key: str, body: bytes, identity: str) -> int:
        """Take a package in, unless it was before; gives the status to answer with."""
        digest, number = hashlib.sha256(body).hexdigest(), key.rpartition("-")[0]
        with self.lock:
            if key in self.keys:
                return 200 if self.keys[key] == digest else 409
            self.keys[key] = digest
            self.manifests[number], refs = _opened(body, identity)
            self.items += [(number, ref) for ref in refs]
        return 201

    def answer(self, number: str) -> dict[str, Any] | None:
        """What it says of a package: the first time of some items, later of all."""
        with self.lock:
            if number not in self.manifests:
                return None
            refs = [ref for of, ref in self.items if of == number]
            dice = Random(f"{self.seed} {number}")
            first = refs[: dice.randrange(len(refs) + 1)] if refs else []
            told = refs if self.fetched[number] else first
            self.fetched[number] += 1
            words = [verdict_on(self.seed, number, ref) for ref in told]
        return {
            "package": number,
            "manifest_sha256": self.manifests[number],
            "received_at": "2027-01-05T09:00:00Z",
            "by": "Greffe",
            "items": words,
        }


def verdict_on(seed: int, number: str, ref: str) -> dict[str, str]:
    """What the commission says of one item, the same each time."""
    dice = Random(f"{seed} {number} {ref}")
    if dice.random() < 0.3:
        return {"ref": ref, "verdict": "rejected", "reason": "hors compétence", "file_number": ""}
    return {"ref": ref, "verdict": "accepted", "reason": "", "file_number": f"CNDH/2027/{dice.randrange(10_000):04}"}


def create(identity: str = "") -> Flask:
    """The commission as a web application; `identity`: an age key, where what comes is sealed to it."""
    app, books = Flask(__name__), Books()

    @app.post("/packages")
    def take() -> Response | tuple[Response, int] | tuple[Response, int, dict[str, str]]:
        return _with_trouble(books.trouble(), lambda: _taken(books, identity))

    @app.get("/packages/<number>/accuse.json")
    def answer(number: str) -> Response | tuple[Response, int] | tuple[Response, int, dict[str, str]]:
        def said() -> tuple[Response, int]:
            found = books.answer(number)
            return (jsonify({}), 404) if found is None else (jsonify(found), 200)

        return _with_trouble(books.trouble(), said)

    @app.put("/script")
    def script() -> Response:
        wanted = request.get_json()
        with books.lock:
            books.seed, books.rate = wanted.get("seed", 0), wanted.get("rate", 0.0)
            books.next, books.dice, books.heard = wanted.get("next", []), Random(books.seed), 0
        return jsonify({})

    @app.delete("/books")
    def empty() -> Response:
        with books.lock:
            for each in (books.keys, books.manifests, books.items, books.fetched):
                each.clear()
        return jsonify({})

    @app.get("/books")
    def show() -> Response:
        return jsonify({"items": books.items, "keys": books.keys, "heard": books.heard})

    return app


Answer = Response | tuple[Response, int] | tuple[Response, int, dict[str, str]]


def _with_trouble(trouble: str, done: Callable[[], tuple[Response, int]]) -> Answer:
    if trouble == "half":
        request.stream.read((request.content_length or 0) // 2)
    if trouble in ("cut", "half"):
        return _cut()
    if trouble in ("busy", "many", "gateway", "late"):
        return jsonify({}), _STATUS[trouble], {"Retry-After": "3"} if trouble == "many" else {}
    if trouble in REFUSALS:
        return _refused(trouble)
    answer = done()
    if trouble == "cut_after":
        return _cut()
    if trouble == "slow_after":
        time.sleep(SLOW_S)
    return (jsonify({}), _STATUS[trouble]) if trouble in _STATUS else answer


def _refused(trouble: str) -> Answer:
    number = request.headers.get("Idempotency-Key", "").rpartition("-")[0]
    if trouble == "unwanted":
        return jsonify({}), 422
    if trouble == "elsewhere":
        return jsonify({}), 307, {"Location": request.url}
    if trouble == "unclear":
        return Response("<p>Merci</p>", 200), 200
    return jsonify({"package": number, "file_sha256": "0" * 64}), 201


def _cut() -> Response:
    request.environ["werkzeug.socket"].shutdown(SHUT_RDWR)
    return Response(status=500)


def _taken(books: Books, identity: str) -> tuple[Response, int]:
    body = request.get_data()
    digest = hashlib.sha256(body).digest()
    if request.headers["Content-Digest"] != f"sha-256=:{b64encode(digest).decode()}:":
        return jsonify({}), 400
    key = request.headers["Idempotency-Key"]
    status = books.take(key, body, identity)
    return jsonify({"package": key.rpartition("-")[0], "file_sha256": digest.hex()}), status


def _opened(body: bytes, identity: str) -> tuple[str, list[str]]:
    """The SHA-256 of the manifest of a package and the references in it; of a plain one, as `plain` makes it."""
    if not identity:
        said = json.loads(body)
        return said["manifest"], said["refs"]
    opened = pyrage.decrypt(body, [pyrage.x25519.Identity.from_str(identity)])
    with ZipFile(BytesIO(opened)) as archive:
        names = archive.namelist()
        [manifest] = (name for name in names if name.endswith(f"/{_MANIFEST}") and "tag" not in name)
        told = [archive.read(name) for name in names if "/data/" in name and name.endswith((".csv", ".json"))]
        return hashlib.sha256(archive.read(manifest)).hexdigest(), sorted(
            {found.decode() for text in told for found in _REF.findall(text)}
        )


def plain(manifest: str, refs: list[str]) -> bytes:
    """A package that no key closes, for a commission that has none."""
    return json.dumps({"manifest": manifest, "refs": refs}).encode()


@dataclass(frozen=True)
class Commission:
    """A commission that runs: where packages go, and what it has in its books."""

    url: str

    @property
    def books(self) -> Mapping[str, Any]:
        """`items`: number and reference of all that it took down, `keys`: digests, `heard`: requests of this script."""
        found: dict[str, Any] = self._ask("GET", "/books", None)
        return found

    def play(self, *troubles: str, seed: int = 0, rate: float = 0.0) -> None:
        """What becomes of the next requests, and of how many of those after them something comes."""
        self._ask("PUT", "/script", {"seed": seed, "rate": rate, "next": troubles})

    def empty(self) -> None:
        """Let it know nothing of what came before."""
        self._ask("DELETE", "/books", None)

    def _ask(self, method: str, path: str, wanted: object) -> Any:
        """By no road of ours: whatever certificate it shows."""
        parts = urlsplit(self.url)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        where = parts.hostname or "", parts.port
        plain, closed = HTTPConnection(*where, timeout=10), HTTPSConnection(*where, timeout=10, context=context)
        connection = plain if parts.scheme == "http" else closed
        with closing(connection):
            connection.request(method, path, json.dumps(wanted), {"Content-Type": "application/json"})
            return json.load(connection.getresponse())


@contextmanager
def commission(certificate: Path | None = None, identity: Path | None = None) -> Iterator[Commission]:
    """A commission in a process of its own, by TLS where it has a certificate, until the block ends."""
    options = {"--certificate": certificate, "--identity": identity}
    given = [word for name, path in options.items() if path is not None for word in (name, str(path))]
    command = [sys.executable, "-m", "tests.commission_receiver", *given]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield Commission(process.stdout.readline().strip())
        finally:
            process.kill()


@click.command()
@click.option("--certificate", type=click.Path(path_type=Path))
@click.option("--identity", type=click.Path(path_type=Path))
def main(certificate: Path | None, identity: Path | None) -> None:
    """Serve until killed."""
    context = None if certificate is None else (str(certificate), str(certificate))
    app = create("" if identity is None else identity.read_text().strip())
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=context)
    click.echo(f"{'http' if context is None else 'https'}://127.0.0.1:{server.port}/packages")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
