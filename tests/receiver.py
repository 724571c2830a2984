"""A receiver of notices: a real HTTP server that knows a repeat by its key, and can fail in every way."""

import json
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Final, Self

# What to do before answering: a hub may be killed here.
Hook = Callable[[], None]
# An answer that comes byte by byte: a second in all, and never long without one.
DRIP: Final = (204, {"X-Slow": "a" * 100})
_DRIP_S: Final = 0.01


@dataclass(frozen=True)
class Heard:
    """One request as it came."""

    key: str
    body: dict[str, Any]


def _nothing() -> None:
    pass


class Receiver:
    """Answers 204 unless `answers` says otherwise; a context manager. `before` is called before what it hears counts,
    `after` before it answers."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        # By key, what was done about it: once, however often it came.
        self.effects: dict[str, dict[str, Any]] = {}
        self.answers: deque[tuple[int, dict[str, str]]] = deque()
        self.before: Hook = _nothing
        self.after: Hook = _nothing
        self._lock, self._over = Lock(), Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/notices"

    @property
    def told(self) -> Counter[str]:
        """How many messages each account got, repeats left out."""
        with self._lock:
            return Counter(body["account"] for body in self.effects.values())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, key: str, body: dict[str, Any]) -> tuple[int, dict[str, str]]:
        """What it answers to a message."""
        self.before()
        with self._lock:
            self.heard.append(Heard(key, body))
            status, headers = self.answers.popleft() if self.answers else (204, {})
            if status == 204:
                known = self.effects.setdefault(key, body)
                # The same key with other words would be another message.
                status = 204 if known == body else 422
        self.after()
        return status, headers

    def pause(self, seconds: float) -> None:
        """Let so much time pass, unless nobody listens any more."""
        self._over.wait(seconds)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, headers = receiver.take(self.headers["Idempotency-Key"], body)
                try:
                    if (status, headers) == DRIP:
                        self.drip()
                    else:
                        self.answer(status, headers)
                except OSError:
                    # Whoever asked was killed, or waits no longer.
                    self.close_connection = True

            def answer(self, status: int, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def drip(self) -> None:
                status, headers = DRIP
                lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                for byte in f"HTTP/1.0 {status} Slow\r\n{lines}Content-Length: 0\r\n\r\n".encode():
                    self.wfile.write(bytes([byte]))
                    receiver.pause(_DRIP_S)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
