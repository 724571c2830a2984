"""The road to a destination: HTTPS to one address, its certificate known before anything of ours is sent."""

import ipaddress
import json
import logging
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from server.domain.errors import PackageRefused, trace_of

log = logging.getLogger(__name__)

# What a server says that would do it another time (RFC 6585 §4, RFC 9110 §15.6).
_LATER: Final = frozenset({429, 502, 503, 504})
_LONGEST_WAIT_S: Final = 120
# Far above what a destination says of 20,000 items.
_MOST_BYTES: Final = 16 * 2**20
_PIECE_BYTES: Final = 2**16
# The link was cut while it was closed by TLS: that says nothing of who is at its other end.
_CUT: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds: for a connection, for each piece of an answer, for all of it, and, `waits_s`, after
    each try that came to nothing; one more try than those."""

    connect_s: float = 30.0
    piece_s: float = 60.0
    answer_s: float = 300.0
    waits_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
    wait: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Said:
    """An answer that came whole; `again_s`: after how long to ask once more, None where it does not say."""

    status: int
    content: bytes
    again_s: int | None

    def members(self) -> Any:
        """The JSON in it; None for what is none."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None


PATIENT: Final = Patience()


class Road:
    """Requests to one address; close it when done.

    `address` is `https://…`, or `http://…` on this machine alone. `pin`: SHA-256 of the certificate there, in
    hexadecimal digits, which is then trusted whoever signed it; empty: any whose chain is valid for that name.
    Raises PackageRefused (`address`).
    """

    def __init__(self, address: str, pin: str, patience: Patience = PATIENT) -> None:
        self._address = _checked(address)
        # By no session: it would go through any proxy that the environment names, and read what a redirect says, which
        # is another receiver than the one that was named.
        self._adapter = _Pinned(pin)
        self._is_pinned = bool(pin)
        self._patience = patience

    def post(self, file: Path, headers: dict[str, str]) -> Said:
        """Send a file as the body of a request.

        Raises PackageRefused: `receiver_unproven` where its certificate is not the one, before anything is sent;
        `receiver_away` where no whole answer came, or none but that it would do it another time.
        """
        return self._again("POST", self._address, headers, file)

    def get(self, tail: str) -> Said:
        """What is at a path below the address. Raises as `post`."""
        return self._again("GET", f"{self._address}/{tail}", {}, None)

    def close(self) -> None:
        """Close the connection."""
        self._adapter.close()

    def __enter__(self) -> "Road":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _again(self, method: str, url: str, headers: dict[str, str], file: Path | None) -> Said:
        """Ask until there is an answer that is one, or patience is over."""
        for wait_s in (*self._patience.waits_s, None):
            said = self._once(method, url, headers, file)
            if said is not None and said.status not in _LATER:
                return said
            again_s = 0 if said is None else said.again_s or 0
            if wait_s is None or again_s > _LONGEST_WAIT_S:
                break
            self._patience.wait(max(wait_s, again_s))
        raise PackageRefused(fault="receiver_away")

    def _once(self, method: str, url: str, headers: dict[str, str], file: Path | None) -> Said | None:
        """One try; None where the link was cut, or nothing came in time."""
        with ExitStack() as held:
            body = None if file is None else held.enter_context(file.open("rb"))
            request = requests.Request(method, url, data=body, headers=headers).prepare()
            patience = self._patience
            try:
                timeout = (patience.connect_s, patience.piece_s)
                answer = self._adapter.send(request, stream=True, timeout=timeout, verify=not self._is_pinned)
                with answer:
                    return _read(answer, time.monotonic() + patience.answer_s)
            except requests.RequestException as error:
                log.warning("package_road_cut", extra=trace_of(error))
                if _is_unproven(error):
                    raise PackageRefused(fault="receiver_unproven") from error
                return None


class _Pinned(HTTPAdapter):
    """Connections on which a certificate other than the pinned one ends all, before a request is sent."""

    def __init__(self, pin: str) -> None:
        self._pin = pin
        # Tries are counted here, each with the file from its beginning.
        super().__init__(max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        pinned = {"assert_fingerprint": self._pin} if self._pin else {}
        super().init_poolmanager(connections, maxsize, block, **options, **pinned)


def _checked(address: str) -> str:
    parts = urlsplit(address)
    is_whole = parts.hostname is not None and not (parts.query or parts.fragment or parts.username)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))
    if not (is_whole and is_safe):
        raise PackageRefused(fault="address", address=address)
    return address.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(answer: requests.Response, until: float) -> Said | None:
    """The whole answer; None for one that takes too long, or has no end. A short one raises as a cut link."""
    content = bytearray()
    for piece in answer.iter_content(_PIECE_BYTES):
        content += piece
        if len(content) > _MOST_BYTES or time.monotonic() > until:
            return None
    again = answer.headers.get("Retry-After", "")
    again_s = int(again) if again.isascii() and again.isdigit() and len(again) < 9 else None
    return Said(answer.status_code, bytes(content), again_s)


def _is_unproven(error: requests.RequestException) -> bool:
    is_tls = isinstance(error, requests.exceptions.SSLError)
    return is_tls and not any(isinstance(each, _CUT) for each in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it was made of."""
    yield error
    for each in (*error.args, getattr(error, "reason", None)):
        if isinstance(each, BaseException):
            yield from _causes(each)
