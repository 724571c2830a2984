"""The server: waitress, which takes a thread only for a whole request, with a drain and an ear for cut bodies."""

import gc
import io
import logging
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import WSGITask

from client_sync.protocol.limits import BODY_MAX_BYTES
from client_sync.protocol.uploads import FILES_PATH

log = logging.getLogger(__name__)

# 400 phones whose network went away must not keep the 401st out.
CONNECTIONS_MAX: Final = 2000
# Database, log, listener and a backup that runs, with room to spare.
_OTHER_FILES: Final = 100
# A channel on which nothing moved for so long is given up; a slow upload moves all the time.
SILENT_CHANNEL_S: Final = 30
# Who sends a byte now and then is never silent. A tenth of the slowest line (9.6 kbit/s) is nobody's upload.
HEADERS_MAX_S: Final = 30
SLOW_AFTER_S: Final = 60
BODY_MIN_BYTES_PER_S: Final = 100
_LOOK_S: Final = 5
DRAIN_S: Final = 20
_POLL_S: Final = 0.5
_SALVAGED: Final = (("POST", "/api/v1/sync"), ("POST", FILES_PATH), ("PATCH", f"{FILES_PATH}/"))
# Of a chunk that was cut it says nothing: the hash of the whole file does.
_SUM_OF_ALL: Final = "HTTP_UPLOAD_CHECKSUM"

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Entrance:
    """The application that a server runs, while what stands behind it may be put in its place later."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer by what stands behind it now."""
        return self._application(environ, start_response)

    def open(self, application: Application) -> None:
        """Let this application answer every request that begins from now on."""
        _settle_memory()
        self._application = application


class KeepingTask(WSGITask):  # type: ignore[misc]
    """Keeps a connection open after an answer without a body, as after any other.

    waitress closes it after each 204: on a slow link a new one for every chunk of a file costs more than its way.
    RFC 9112 §9.3 wants it kept.
    """

    def set_close_on_finish(self) -> None:
        """Close it for an answer that says nothing of its length, or where the caller wants so."""
        if self.has_body or self.request.headers.get("CONNECTION", "").lower() == "close":
            super().set_close_on_finish()


class SalvagingChannel(HTTPChannel):  # type: ignore[misc]
    """A channel that hands on what arrived of a body when the link is cut, and knows a trickle.

    waitress drops a request whose body is not whole; the frames in it are whole, and signed, and of a file each byte
    counts.
    """

    task_class = KeepingTask
    request: Any
    begun_at: float | None = None

    def received(self, data: bytes) -> bool:
        """Note when the first byte of a request came: of any, or blank lines would buy time."""
        if self.begun_at is None:
            self.begun_at = time.time()
        return bool(super().received(data))

    def service(self) -> None:
        """Answer a whole request; the next byte begins another."""
        self.begun_at = None
        super().service()

    def trickles(self, now: float) -> bool:
        """Whether its request comes too slowly to be waited for; `now` is in seconds, as time.time()."""
        if self.begun_at is None or self.requests:
            return False
        waited_s = now - self.begun_at
        if self.request is None or not self.request.headers_finished:
            return waited_s > HEADERS_MAX_S
        return waited_s > SLOW_AFTER_S and self.request.body_bytes_received < BODY_MIN_BYTES_PER_S * waited_s

    def handle_close(self) -> None:
        """Hand on the body so far, then close as usual."""
        request, self.request = self.request, None
        if request is not None and _is_worth_salvaging(request):
            self.server.task_dispatcher.add_task(_Salvage(self, request))
        super().handle_close()


class _Salvage:
    """A cut request, run through the application for its effect: nobody is left to answer."""

    def __init__(self, channel: SalvagingChannel, request: Any) -> None:
        self._application: Application = channel.server.application
        body = request.get_body_stream().read()
        environ = WSGITask(channel, request).get_environment()
        environ.pop(_SUM_OF_ALL, None)
        self._environ = environ | {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}

    def service(self) -> None:
        """Run the application; called by a thread of the dispatcher."""
        answer = self._application(self._environ, lambda *_: None)
        for _ in answer:
            pass
        log.info("cut_body_kept")

    def cancel(self) -> None:
        """The server stops: the device still has what it sent."""


def _is_worth_salvaging(request: Any) -> bool:
    return bool(
        request.headers_finished
        and not request.completed
        and any(request.command == command and _is_at(request.path, path) for command, path in _SALVAGED)
        and request.body_rcv is not None
        and len(request.body_rcv) > 0
    )


def _is_at(path: str, door: str) -> bool:
    return path.startswith(door) if door.endswith("/") else path == door


class PatientServer(TcpWSGIServer):  # type: ignore[misc]
    """Waits for slow devices, but not for those that only keep a connection busy."""

    channel_class = SalvagingChannel

    def maintenance(self, now: float) -> None:
        """Give up the channels that are silent or trickle at `now`, in seconds, as time.time()."""
        super().maintenance(now)
        for channel in self.active_channels.values():
            channel.will_close = channel.will_close or channel.trickles(now)


def make_server(application: Application, host: str, port: int, threads: int) -> PatientServer:
    """A listening server; raises OSError when the port is taken."""
    return PatientServer(
        application,
        host=host,
        port=port,
        threads=threads,
        connection_limit=_room_for_connections(),
        channel_timeout=SILENT_CHANNEL_S,
        cleanup_interval=_LOOK_S,
        asyncore_use_poll=True,
        # Above the limit, so that the application refuses it, in words that a device understands.
        max_request_body_size=2 * BODY_MAX_BYTES,
        # What people wrote must not reach a temporary file in clear.
        inbuf_overflow=sys.maxsize,
        outbuf_overflow=sys.maxsize,
        # Left as they come: nothing trusts them, and the doors of a demonstration refuse whoever brings one.
        clear_untrusted_proxy_headers=False,
        ident=None,
    )


def _room_for_connections() -> int:
    """How many connections the process may hold, once it was allowed as many files as it can be."""
    wanted = CONNECTIONS_MAX + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed - _OTHER_FILES


def serve(server: TcpWSGIServer, say_ready: Callable[[], None] = lambda: None) -> None:
    """Answer until SIGTERM or SIGINT; then stop accepting, let running requests end, and return.

    `say_ready` is called once a signal would end it well.
    """
    stop_at: list[float] = []

    def stop(*_: object) -> None:
        if not stop_at:
            # Not server.close(): that would close the trigger that wakes this very loop.
            server.accepting = False
            wasyncore.dispatcher.close(server)
            stop_at.append(time.monotonic() + DRAIN_S)

    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, stop)
    say_ready()
    while not stop_at or (_is_busy(server) and time.monotonic() < stop_at[0]):
        wasyncore.loop(timeout=_POLL_S, use_poll=True, map=server._map, count=1)
    server.task_dispatcher.shutdown(cancel_pending=False, timeout=DRAIN_S)


def _settle_memory() -> None:
    """What start-up made stays for good: the collector need not walk it, nor run for each few records."""
    # Measured: an eighth of the processor time of a record.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def _is_busy(server: TcpWSGIServer) -> bool:
    return any(channel.requests or channel.total_outbufs_len for channel in server.active_channels.values())
