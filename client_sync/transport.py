"""The road to the hub: HTTP over `requests`, with pins, stall limits and exact byte counts.

What can go wrong on a link is mapped here, once, to the errors of `client_sync.errors`.
"""

import hashlib
import ipaddress
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from client_sync.answers import CODE_MOST_CHARS, retry_after, shown
from client_sync.errors import (
    CertificateRefused,
    HubBusy,
    HubRefuses,
    InsecureAddress,
    LinkCut,
    NotAnAnswer,
    PinInvalid,
)
from client_sync.protocol.canonical import Unreadable, canonical, parse
from client_sync.protocol.coding import DICTIONARY_ID, Coding
from client_sync.protocol.uploads import CHUNK_TYPE, FILES_PATH, TUS_VERSION, UNWANTED

STALL_S: Final = 20.0
# A chunk of a file costs little to send again, so a silence is given up sooner. A new connection is tried sooner still:
# what asks for one is sent again by the kernel after 1, 3 and 7 s, then too late.
UPLOAD_STALL_S: Final = 15.0
_UPLOAD_CONNECT_S: Final = 10.0
# Far above any answer of a hub: a page of changes is 16 KiB.
_ANSWER_MOST_BYTES: Final = 4 * 2**20
# The kernel's own buffer would swallow a whole body, and the wait for the answer would then include its way up.
_SEND_BUFFER_BYTES: Final = 32 * 2**10
_PORT: Final = {"http": 80, "https": 443}
_DIGITS_MOST: Final = 16
_HUB_AT_FAULT: Final = 500
# The answer to a HEAD has no document that could name the code.
_BARE: Final = {("HEAD", 404): UNWANTED, ("HEAD", 410): UNWANTED}
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Answer:
    """A whole answer: its JSON document, or None when it is none, and what the exchange weighed in bytes.

    Bytes are those of HTTP, headers included, TLS and TCP not. `offset` is how much of an upload the hub has, where it
    says so.
    """

    status: int
    members: dict[str, Any] | None
    content: bytes
    retry_after_s: int | None
    bytes_up: int
    bytes_down: int
    offset: int | None = None


class HttpTransport:
    """Requests to one hub over one connection that is kept open between them.

    `url` is `https://…`, or `http://…` on this machine alone. `pin` is the SHA-256 of the hub's public key as
    64 hexadecimal digits (its certificate is then trusted whoever signed it), or the path of a file with the
    authorities to trust; without it the authorities that `requests` ships are trusted. `stall_s` bounds how
    long no byte may move in either direction, not how long a request may take.

    `bytes_up` and `bytes_down` count all that was exchanged so far, broken requests included.
    Raises InsecureAddress and PinInvalid.
    """

    def __init__(self, url: str, pin: str | None = None, stall_s: float = STALL_S) -> None:
        self._url = _checked(url)
        self._pin = pin
        self._stall_s = stall_s
        self._session = _session(pin)
        self.bytes_up = 0
        self.bytes_down = 0

    def sync(self, body: bytes, coding: Coding, token: str) -> Answer:
        """Send one body to `/api/v1/sync`.

        Raises LinkCut when no whole answer came, NotAnAnswer when something else than a hub answered,
        HubRefuses and HubBusy when the hub read nothing.
        """
        headers = {"Content-Type": "application/x-ndjson"} | _bearer(token)
        if coding != "identity":
            headers["Content-Encoding"] = coding
        if coding == "zstd":
            headers["Seere-Dictionary"] = DICTIONARY_ID
        answer = self._post("/api/v1/sync", body, headers)
        if answer.members is None or "now" not in answer.members:
            raise NotAnAnswer
        return answer

    def enrol(self, application: Mapping[str, str | None]) -> dict[str, Any]:
        """Send an application to `/api/v1/enrol`; gives what the hub admits the device with. Raises as `sync`."""
        answer = self._post("/api/v1/enrol", canonical(dict(application)), {"Content-Type": "application/json"})
        if answer.members is None:
            raise NotAnAnswer
        return answer.members

    def parcel(self, parcel: bytes, token: str) -> bytes:
        """Post a carried parcel; gives the sealed reply for its author. Raises as `sync`."""
        headers = {"Content-Type": "application/octet-stream"} | _bearer(token)
        return self._post("/api/v1/parcels", parcel, headers).content

    def begin_upload(self, sha256: str, size: int, first: bytes, token: str) -> int:
        """Begin an upload with its first bytes, or find one that is begun; gives how many bytes the hub has.

        Raises as `sync`.
        """
        name = b64encode(sha256.encode()).decode()
        headers = {"Upload-Length": str(size), "Upload-Metadata": f"sha256 {name}"}
        return self._upload("POST", FILES_PATH, first, headers, token)

    def go_on_uploading(self, upload: str, offset: int, chunk: bytes, token: str) -> int:
        """Send the next bytes of an upload; gives how many the hub has now. Raises as `sync`."""
        return self._upload("PATCH", f"{FILES_PATH}/{upload}", chunk, {"Upload-Offset": str(offset)}, token)

    def uploaded(self, upload: str, token: str) -> int:
        """How many bytes of an upload the hub has. Raises as `sync`, HubRefuses `file_unwanted` for no such upload."""
        return self._upload("HEAD", f"{FILES_PATH}/{upload}", None, {}, token)

    def sibling(self) -> "HttpTransport":
        """Another road to the same hub: one road serves one thread at a time."""
        return HttpTransport(self._url, self._pin, self._stall_s)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _upload(self, method: str, path: str, chunk: bytes | None, headers: dict[str, str], token: str) -> int:
        headers |= {"Tus-Resumable": TUS_VERSION} | _bearer(token)
        if chunk is not None:
            digest = b64encode(hashlib.sha256(chunk).digest()).decode()
            headers |= {"Content-Type": CHUNK_TYPE, "Upload-Checksum": f"sha256 {digest}"}
        offset = self._send(method, path, chunk or b"", headers, (_UPLOAD_CONNECT_S, UPLOAD_STALL_S)).offset
        if offset is None:
            raise NotAnAnswer
        return offset

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        return self._send("POST", path, body, headers, (self._stall_s, self._stall_s))

    def _send(
        self, method: str, path: str, body: bytes, headers: dict[str, str], patience_s: tuple[float, float]
    ) -> Answer:
        # A stream without an end in sight would go in pieces, which not every hub takes.
        data = _Upload(body) if body else None
        request = requests.Request(method, self._url + path, data=data, headers=headers)
        prepared = self._session.prepare_request(request)
        head_bytes = _head_size(prepared)
        try:
            response = self._session.send(prepared, timeout=patience_s, allow_redirects=False, stream=True)
            content, wire_bytes = _read(response)
        except requests.exceptions.SSLError as error:
            raise CertificateRefused from error
        except requests.exceptions.RequestException as error:
            raise LinkCut from error
        finally:
            sent = data.tell() if data is not None else 0
            # Of a request without a body nobody knows whether it left.
            self.bytes_up += head_bytes * bool(sent or data is None) + sent
        self.bytes_down += wire_bytes
        return _understood(response, content, head_bytes + len(body), wire_bytes)


class _Upload(BytesIO):
    """A body that is read piece by piece: the stall limit then holds for each piece, not for the whole."""


def public_key_digest(certificate: bytes) -> str:
    """SHA-256, 64 hexadecimal digits, of the public key in a DER certificate (its SubjectPublicKeyInfo).

    Raises ValueError for bytes that are no certificate.
    """
    try:
        _, start, end = _element(certificate, 0)
        _, start, end = _element(certificate, start)
        tag, _, after = _element(certificate, start)
        # RFC 5280 4.1: version (optional), serial number, signature, issuer, validity, subject, public key.
        skipped = 5 if tag == _VERSION_TAG else 4
        for _ in range(skipped):
            _, _, after = _element(certificate, after)
        _, _, end = _element(certificate, after)
    except IndexError:
        raise ValueError("not a certificate") from None
    return hashlib.sha256(certificate[after:end]).hexdigest()


_VERSION_TAG: Final = 0xA0


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag of the DER element at `at`, and where its content starts and ends."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(der[start : start + size], "big"), start + size
    if start + length > len(der):
        raise ValueError("not a certificate")
    return tag, start, start + length


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.hostname is None or parts.scheme not in _PORT or parts.query or parts.fragment or parts.username:
        raise InsecureAddress(url=url)
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise InsecureAddress(url=url)
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _session(pin: str | None) -> requests.Session:
    session = requests.Session()
    # A .netrc would replace our token, a proxy of the environment would see that we exist.
    session.trust_env = False
    session.headers.clear()
    session.headers.update({"User-Agent": "carnet", "Accept-Encoding": "gzip"})
    digest = _pinned_digest(pin)
    session.mount("https://", _Road(digest))
    session.mount("http://", _Road(None))
    if digest is not None:
        session.verify = False  # the pin is checked in place of the chain
    elif pin is not None:
        session.verify = pin
    return session


def _pinned_digest(pin: str | None) -> str | None:
    if pin is None or Path(pin).is_file():
        return None
    if not _DIGEST.fullmatch(pin.lower()):
        raise PinInvalid(pin=pin)
    return pin.lower()


class _Road(HTTPAdapter):
    """Sockets with a small send buffer, and connections that check a pin before anything is sent."""

    def __init__(self, pinned_digest: str | None) -> None:
        self._pinned_digest = pinned_digest
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        small = [(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)]
        usual = HTTPSConnection.default_socket_options
        options["socket_options"] = [*usual, *small]
        super().init_poolmanager(connections, maxsize, block, **options)
        if self._pinned_digest is not None:
            pools = {"http": HTTPConnectionPool, "https": _pinned_pool(self._pinned_digest)}
            self.poolmanager.pool_classes_by_scheme = pools


def _pinned_pool(digest: str) -> type[HTTPSConnectionPool]:
    class PinnedConnection(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            sock: Any = self.sock
            if public_key_digest(sock.getpeercert(binary_form=True)) != digest:
                self.close()
                raise ssl.SSLCertVerificationError("another public key than the pinned one")
            self.is_verified = True

    class PinnedPool(HTTPSConnectionPool):
        ConnectionCls = PinnedConnection

    return PinnedPool


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _head_size(request: requests.PreparedRequest) -> int:
    """Size of request line and headers, with the Host line that http.client adds."""
    parts = urlsplit(request.url or "")
    assert isinstance(parts.scheme, str)
    host = parts.netloc if parts.port != _PORT[parts.scheme] else parts.hostname or ""
    lines = [f"{request.method} {request.path_url} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return sum(len(line) + 2 for line in lines) + 2


def _read(response: requests.Response) -> tuple[bytes, int]:
    """The content, inflated, and the size of the whole answer on the wire. A short one raises as a cut link."""
    content = bytearray()
    for part in response.iter_content(2**16):
        content += part
        if len(content) > _ANSWER_MOST_BYTES:
            response.close()
            raise NotAnAnswer
    lines = [f"HTTP/1.1 {response.status_code} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in response.raw.headers.items()]
    return bytes(content), sum(len(line) + 2 for line in lines) + 2 + response.raw.tell()


def _understood(response: requests.Response, content: bytes, bytes_up: int, bytes_down: int) -> Answer:
    members = _members(content)
    wait_s = _wait_s(response, members)
    if response.status_code in (200, 201, 204):
        offset = _number(response.headers.get("Upload-Offset", ""))
        return Answer(response.status_code, members, content, wait_s, bytes_up, bytes_down, offset)
    code = (members or {}).get("code") or _BARE.get((str(response.request.method), response.status_code))
    if not isinstance(code, str):
        raise NotAnAnswer
    code = shown(code, CODE_MOST_CHARS)
    if response.status_code == requests.codes.too_many_requests or response.status_code >= _HUB_AT_FAULT:
        raise HubBusy(code, wait_s)
    raise HubRefuses(code)


def _members(content: bytes) -> dict[str, Any] | None:
    try:
        value = parse(content)
    except Unreadable:
        return None
    return value if isinstance(value, dict) else None


def _wait_s(response: requests.Response, members: dict[str, Any] | None) -> int | None:
    said = (members or {}).get("retry_after_s")
    if isinstance(said, int) and not isinstance(said, bool) and said >= 0:
        return retry_after(said)
    header = _number(response.headers.get("Retry-After", ""))
    return None if header is None else retry_after(header)


def _number(text: str) -> int | None:
    """The number in a header; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS_MOST else None
