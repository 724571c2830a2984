"""The server: waitress, which takes a thread only for a whole request, with a drain and an ear for cut bodies."""

import gc
import io
import logging
import signal
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer, create_server
from waitress.task import WSGITask

from client_sync.protocol.limits import BODY_MAX_BYTES

log = logging.getLogger(__name__)

# 400 phones whose network went away must not keep the 401st out.
CONNECTIONS_MAX: Final = 2000
# A channel on which nothing moved for so long is given up; a slow upload moves all the time.
SILENT_CHANNEL_S: Final = 30
DRAIN_S: Final = 20
_POLL_S: Final = 0.5
_SALVAGED_PATH: Final = "/api/v1/sync"

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class SalvagingChannel(HTTPChannel):  # type: ignore[misc]
    """A channel that hands on what arrived of a sync body when the link is cut.

    waitress drops a request whose body is not whole; the frames in it are whole, and signed.
    """

    request: Any

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
        self._environ = environ | {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}

    def service(self) -> None:
        """Run the application; called by a thread of the dispatcher."""
        answer = self._application(self._environ, lambda *_: None)
        for _ in answer:
            pass
        log.info("kept what arrived of a cut body")

    def cancel(self) -> None:
        """The server stops: the device still has what it sent."""


def _is_worth_salvaging(request: Any) -> bool:
    return bool(
        request.headers_finished
        and not request.completed
        and request.command == "POST"
        and request.path == _SALVAGED_PATH
        and request.body_rcv is not None
        and len(request.body_rcv) > 0
    )


def make_server(application: Application, host: str, port: int, threads: int) -> TcpWSGIServer:
    """A listening server; raises OSError when the port is taken."""
    server = create_server(
        application,
        host=host,
        port=port,
        threads=threads,
        connection_limit=CONNECTIONS_MAX,
        channel_timeout=SILENT_CHANNEL_S,
        asyncore_use_poll=True,
        # Above the limit, so that the application refuses it, in words that a device understands.
        max_request_body_size=2 * BODY_MAX_BYTES,
        clear_untrusted_proxy_headers=True,
        ident=None,
    )
    server.channel_class = SalvagingChannel
    return server


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

    _settle_memory()
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
