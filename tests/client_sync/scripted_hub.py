"""A hub that says exactly what a test wants, on a real socket: whole answers, halves, and things that are none."""

import json
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any, Self

from client_sync.protocol.coding import inflate
from client_sync.protocol.frames import Frame, read_frames


@dataclass(frozen=True)
class Heard:
    """One request as it came; header names in lower case. `size` counts every byte of it."""

    path: str
    headers: dict[str, str]
    body: bytes
    size: int

    @property
    def frames(self) -> list[Frame]:
        """The frames in the body."""
        coding = self.headers.get("content-encoding", "identity")
        return list(read_frames(inflate(self.body, coding, self.headers.get("seere-dictionary")).data))


class Broken(bytes):
    """An answer after which the connection ends, whole or not."""


# Raw bytes to send, or what makes them from the request.
Reply = bytes | Callable[[Heard], bytes]


def http(status: int, body: bytes, content_type: str = "application/json", **headers: str) -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def said(status: int = 200, /, **members: Any) -> bytes:
    """A whole answer with a JSON document: that of a hub whose clock stands still."""
    first = {"now": "2026-11-21T10:00:00Z", "epoch": "aaaaaaaa"} if status == 200 else {}
    return http(status, json.dumps(first | members).encode())


class ScriptedHub:
    """Gives one reply to each request, in order, then closes the connection. A context manager."""

    def __init__(self, *replies: Reply, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.heard: list[Heard] = []
        self._replies = list(replies)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = Thread(target=self._serve)
        self._connection: socket.socket | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._listener.getsockname()
        return host, port

    @property
    def url(self) -> str:
        """Its address for a client."""
        return "{}://{}:{}".format("https" if self._tls else "http", *self.address)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # A shutdown wakes the thread from accept() and recv(); a close would not.
        for mine in (self._listener, self._connection):
            if mine is not None:
                _shut(mine)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # A client may leave in mid-sentence, or not like our certificate.
            with connection, suppress(OSError):
                self._connection = connection
                self._welcome(connection)
                self._connection = None

    def _welcome(self, connection: socket.socket) -> None:
        if self._tls is None:
            self._converse(connection)
            return
        with self._tls.wrap_socket(connection, server_side=True) as secure:
            self._converse(secure)

    def _converse(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            while self._replies and (heard := _hear(stream)) is not None:
                self.heard.append(heard)
                reply = self._replies.pop(0)
                written = reply(heard) if callable(reply) else reply
                connection.sendall(written)
                if isinstance(written, Broken):
                    return


def _hear(stream: Any) -> Heard | None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return None
        head += line
    request, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if line)
    headers = {name.lower(): value for name, value in headers.items()}
    body = stream.read(int(headers["content-length"]))
    if len(body) != int(headers["content-length"]):
        return None
    return Heard(request.split()[1], headers, body, len(head) + len(body))


def _shut(mine: socket.socket) -> None:
    with suppress(OSError):  # it may be closed already
        mine.shutdown(socket.SHUT_RDWR)
