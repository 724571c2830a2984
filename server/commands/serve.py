"""`seere serve`: answer devices until it is told to stop."""

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from waitress.server import TcpWSGIServer

from server import credential, logs
from server.app import create_app, create_locked_app
from server.commands.operator import Operator, pass_operator
from server.commands.spoken import SpokenCommand
from server.credential import Secrets
from server.hub import open_hub
from server.lock import Lock
from server.matcher import running_matcher
from server.scheduler import running_jobs
from server.serve import Entrance, make_server, serve


@click.command(cls=SpokenCommand)
@click.option("--host", metavar="ADDRESS")
@click.option("--port", type=click.IntRange(0, 65535), metavar="N")
@pass_operator
def command(operator: Operator, host: str | None, port: int | None) -> None:
    """Listen, do the daily work, and drain on SIGTERM."""
    settings = operator.settings
    logs.to_standard_error(logging.INFO)
    logs.catch_strays()
    # Both say at INFO what they do each minute, and waitress at WARNING that a queue has a second request.
    for name in ("apscheduler", "waitress.queue"):
        logging.getLogger(name).setLevel(logging.ERROR)
    operator.require_hub()
    with _alone(operator), ExitStack() as opened:
        secrets = operator.secrets() if operator.can_unlock() else None
        entrance = Entrance(create_locked_app(settings))
        server = _listening(operator, entrance, host or settings.host, settings.port if port is None else port)
        if secrets is not None:
            _open(operator, entrance, secrets, opened)
            serve(server, lambda: operator.say("serve.listening", address=_address(server)))
        else:
            with _locked(operator, entrance, opened):
                serve(server, lambda: operator.say("serve.locked", address=_address(server)))
    operator.say("serve.stopped")


def _open(operator: Operator, entrance: Entrance, secrets: Secrets, opened: ExitStack) -> None:
    """Let devices in and begin the daily work, until `opened` is left."""
    hub = open_hub(operator.settings, secrets, operator.clock)
    opened.callback(hub.close)
    entrance.open(create_app(hub))
    opened.enter_context(running_jobs(hub))
    if operator.settings.matcher == "yes":
        opened.enter_context(running_matcher(hub))


@contextmanager
def _locked(operator: Operator, entrance: Entrance, opened: ExitStack) -> Iterator[None]:
    """Wait for the passphrase while the block runs; nothing of the hub is open, and no job runs, before it came."""

    def unlock(passphrase: str) -> None:
        _open(operator, entrance, credential.unlock(operator.settings.credential, passphrase), opened)
        operator.say("serve.unlocked")

    with Lock(operator.settings.data, os.getpid(), unlock):
        yield


def _listening(operator: Operator, entrance: Entrance, host: str, port: int) -> TcpWSGIServer:
    try:
        return make_server(entrance, host, port, operator.settings.threads)
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
