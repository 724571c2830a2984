"""`seere serve`: answer devices until it is told to stop."""

import errno
import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from waitress.server import TcpWSGIServer

from server.app import create_app
from server.commands.operator import Operator, pass_operator
from server.commands.spoken import SpokenCommand
from server.hub import Hub
from server.scheduler import running_jobs
from server.serve import make_server, serve

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


@click.command(cls=SpokenCommand)
@click.option("--host", metavar="ADDRESS")
@click.option("--port", type=click.IntRange(0, 65535), metavar="N")
@pass_operator
def command(operator: Operator, host: str | None, port: int | None) -> None:
    """Listen, do the daily work, and drain on SIGTERM."""
    settings = operator.settings
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    # Both say at INFO what they do each minute, and waitress at WARNING that a queue has a second request.
    for name in ("apscheduler", "waitress.queue"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with _alone(operator), operator.hub() as hub:
        server = _listening(operator, hub, host or settings.host, settings.port if port is None else port)
        with running_jobs(hub):
            serve(server, lambda: operator.say("serve.listening", address=_address(server)))
    operator.say("serve.stopped")


def _listening(operator: Operator, hub: Hub, host: str, port: int) -> TcpWSGIServer:
    try:
        return make_server(create_app(hub), host, port, operator.settings.threads)
    except OSError as error:
        key = "serve.port_taken" if error.errno == errno.EADDRINUSE else "serve.address_refused"
        raise operator.refuse(key, host=host, port=port, other=port + 1) from error


def _address(server: TcpWSGIServer) -> str:
    host = server.effective_host
    return f"http://{f'[{host}]' if ':' in host else host}:{server.effective_port}"


@contextmanager
def _alone(operator: Operator) -> Iterator[None]:
    """Hold the folder's lock: two processes on one SQLite file would each think that theirs is the only writer."""
    if operator.settings.database:
        yield
        return
    with _opened(operator, operator.settings.data / "hub.lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise operator.refuse("serve.runs_already", folder=operator.settings.data) from None
        yield


@contextmanager
def _opened(operator: Operator, path: Path) -> Iterator[int]:
    if not path.parent.is_dir():
        raise operator.refuse("init.missing", folder=operator.settings.data)
    with path.open("a") as file:
        yield file.fileno()
