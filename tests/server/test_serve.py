"""The shipped server as a child process: alone on its file, it keeps what arrived of cut bodies, and drains."""

import os
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from waitress import wasyncore

from client_sync.protocol.limits import BODY_MAX_BYTES
from server.hub import Hub
from server.serve import PatientServer, SalvagingChannel, make_server, serve
from server.services import maintenance
from tests.builders import Sender, complaint, enrolled, founded, open_new_hub, passphrase_file, with_keyring
from tests.proxy import proxying
from tests.serving import PROGRAM, address_of, environ, serving

LONGEST_WAIT_S = 60
Start = Callable[..., subprocess.Popen[str]]


def _environ(folder: Path, **settings: str) -> dict[str, str]:
    return environ(folder, SEERE_PASSPHRASE_FILE=str(passphrase_file(folder))) | settings


def _seere(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=_environ(folder, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a new hub in it."""
    with_keyring(open_new_hub(*founded(tmp_path / "hub"))).close()
    return tmp_path / "hub"


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts `seere serve`, with its passphrase."""
    with serving() as serve:
        yield lambda *before, **settings: serve(_environ(folder, **settings), *before)


@dataclass(frozen=True)
class Serving:
    """A hub that serves for the whole module: where it is, and where it listens."""

    folder: Path
    address: str


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("running") / "hub"
    with_keyring(open_new_hub(*founded(folder))).close()
    with serving() as serve:
        yield Serving(folder, address_of(serve(_environ(folder))))


def test_server_says_its_address_and_answers_there(running: Serving) -> None:
    assert requests.get(f"{running.address}/health", timeout=30).json() == {"status": "ok"}


@pytest.mark.ci
def test_term_ends_it_cleanly_and_frees_the_folder(start: Start) -> None:
    process = start()
    address_of(process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, "arrêté" in out, "Traceback" in err) == (0, True, False)
    address_of(start())


def test_second_hub_on_the_same_file_is_refused(running: Serving) -> None:
    second = _seere(running.folder, "serve", "--port", "0")
    assert second.returncode == 1
    assert "tourne déjà" in second.stderr


def test_operator_works_while_the_hub_serves(running: Serving) -> None:
    assert _seere(running.folder, "enrol", "--label", "Gao 1", "--no-qr").returncode == 0
    assert _seere(running.folder, "devices", "list").returncode == 0


def test_taken_port_is_said_and_another_is_offered(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = _seere(folder, "serve", SEERE_PORT=str(port))
    assert done.returncode == 1
    assert f"SEERE_PORT={port + 1}" in done.stderr


def test_server_makes_no_hub_where_there_is_none(tmp_path: Path) -> None:
    done = _seere(tmp_path / "typo", "serve")
    assert done.returncode == 1
    assert "seere setup" in done.stderr
    assert not (tmp_path / "typo").exists()


@contextmanager
def _device_of(folder: Path) -> Iterator[Sender]:
    """A device of the hub in a folder; it speaks to whatever serves it."""
    hub = open_new_hub(*founded(folder))
    yield enrolled(hub, "Gao 1")
    hub.close()


@pytest.fixture
def sender(folder: Path) -> Iterator[Sender]:
    """A device of the hub of the test."""
    with _device_of(folder) as sender:
        yield sender


def _request(sender: Sender, body: bytes, length: int) -> bytes:
    head = (
        "POST /api/v1/sync HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {sender.token}",
        "Content-Type: application/x-ndjson",
        f"Content-Length: {length}",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def _stored(hub: Hub, count: int) -> int:
    """How many complaints are stored, once it is `count`, or after the longest wait."""
    give_up = time.monotonic() + LONGEST_WAIT_S
    while (found := maintenance.counts(hub.store).complaints) != count and time.monotonic() < give_up:
        os.sched_yield()
    return found


def _send_a_part(connection: socket.socket, sender: Sender) -> None:
    """Send one whole frame of three complaints and half of another."""
    whole = sender.frame(complaint(n) for n in range(3))
    torn = sender.frame(complaint(n) for n in range(3, 6))
    connection.sendall(_request(sender, whole + torn[: len(torn) // 2], len(whole + torn)))


def test_whole_frames_of_a_cut_body_are_kept(running: Serving) -> None:
    parts = urlsplit(running.address)
    with _device_of(running.folder) as sender:
        with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
            _send_a_part(connection, sender)
        assert _stored(sender.hub, 3) == 3


@pytest.mark.ci
def test_connections_beyond_the_soft_limit_of_files_keep_nobody_out(start: Start) -> None:
    parts = urlsplit(address_of(start("sh", "-c", 'ulimit -S -n 64; exec "$@"', "sh")))
    address = (parts.hostname or "", parts.port or 0)
    with ExitStack() as open_ones:
        for _ in range(100):
            open_ones.enter_context(socket.create_connection(address))
        answer = requests.get(f"{parts.geturl()}/health", timeout=LONGEST_WAIT_S)
    assert answer.status_code == 200


@pytest.fixture
def idle() -> Iterator[PatientServer]:
    """A server whose loop is turned by the test; it answers `done`."""

    def application(_: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]

    server = make_server(application, "127.0.0.1", 0, 1)
    yield server
    server.task_dispatcher.shutdown()
    wasyncore.close_all(server._map)


def _turn(server: PatientServer, is_so: Callable[[], bool]) -> None:
    """Let the server work until something is so."""
    give_up = time.monotonic() + LONGEST_WAIT_S
    while not is_so():
        assert time.monotonic() < give_up
        wasyncore.loop(timeout=1, use_poll=True, map=server._map, count=1)


def _connected(server: PatientServer) -> tuple[socket.socket, SalvagingChannel]:
    connection = socket.create_connection(("127.0.0.1", server.effective_port))
    _turn(server, lambda: bool(server.active_channels))
    [channel] = server.active_channels.values()
    return connection, channel


_HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "later_s", "is_cut"),
    [
        (_HEAD[:-2], 29, False),
        (_HEAD[:-2], 31, True),
        (b"\r\n\r\n", 31, True),
        (_HEAD, 31, False),
        (_HEAD + b"x" * 5000, 59, False),
        (_HEAD + b"x" * 5000, 61, True),
        (_HEAD + b"x" * 7000, 61, False),
        (_HEAD + b"x" * 7000, 71, True),
    ],
)
def test_request_that_trickles_is_cut(idle: PatientServer, sent: bytes, later_s: float, is_cut: bool) -> None:
    connection, channel = _connected(idle)
    with connection:
        connection.sendall(sent)
        _turn(idle, lambda: _taken(channel) >= len(sent))
        assert channel.begun_at is not None
        later = channel.begun_at + later_s
        channel.last_activity = later
        idle.maintenance(later)
        wasyncore.loop(timeout=0, use_poll=True, map=idle._map, count=1)
        assert (not idle.active_channels) == is_cut


def _taken(channel: SalvagingChannel) -> int:
    """How many bytes of the request the server has read; blank lines before one are forgotten at once."""
    if channel.request is None:
        return 4 if channel.begun_at is not None else 0
    return int(channel.request.header_bytes_received + channel.request.body_bytes_received)


def test_connection_that_was_answered_may_be_used_again_later(idle: PatientServer) -> None:
    connection, channel = _connected(idle)
    with connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.setblocking(False)
        received = bytearray()
        _turn(idle, lambda: _received(connection, received).endswith(b"done"))
        _turn(idle, lambda: not channel.requests)
        later = channel.last_activity + 100
        channel.last_activity = later
        idle.maintenance(later)
        wasyncore.loop(timeout=0, use_poll=True, map=idle._map, count=1)
        assert idle.active_channels


def _received(connection: socket.socket, so_far: bytearray) -> bytearray:
    with suppress(BlockingIOError):
        so_far += connection.recv(4096)
    return so_far


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are listed by Linux alone")
def test_large_body_touches_no_disk(idle: PatientServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    body = b"x" * (BODY_MAX_BYTES - 1)
    connection, channel = _connected(idle)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % BODY_MAX_BYTES
    with connection, ThreadPoolExecutor(1) as pool:
        pool.submit(connection.sendall, head + body)
        _turn(idle, lambda: channel.request is not None and channel.request.body_bytes_received == len(body))
        assert [name for name in _open_files() if name.startswith(str(tmp_path))] == []


def _open_files() -> list[str]:
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(each.readlink()))
    return found


def test_running_request_is_answered_before_the_server_stops() -> None:
    has_begun, may_end = threading.Event(), threading.Event()
    answers: list[str] = []

    def application(_: Any, start_response: Any) -> list[bytes]:
        has_begun.set()
        may_end.wait(LONGEST_WAIT_S)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
        return [b"done"]

    def operate() -> None:
        has_begun.wait(LONGEST_WAIT_S)
        os.kill(os.getpid(), signal.SIGTERM)
        may_end.set()

    server = make_server(application, "127.0.0.1", 0, 2)
    url = f"http://127.0.0.1:{server.effective_port}/"
    threads = [
        threading.Thread(target=operate),
        threading.Thread(target=lambda: answers.append(requests.get(url, timeout=LONGEST_WAIT_S).text)),
    ]
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        for thread in threads:
            thread.start()
        serve(server)
        for thread in threads:
            thread.join(LONGEST_WAIT_S)
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
            signal.signal(number, handler)
        for channel in list(server.active_channels.values()):
            channel.handle_close()
        server.trigger.close()
    assert answers == ["done"]
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=LONGEST_WAIT_S)


@pytest.fixture
def proxy(program: Callable[[str], str], start: Start, tmp_path: Path) -> Iterator[int]:
    """nginx with the recipe of the operations page before a serving hub; gives its port."""
    nginx = program("nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with proxying(nginx, tmp_path, address_of(start()), f"127.0.0.1:{port}", "client_body_timeout 1s;"):
        yield port


def _through(port: int) -> socket.socket:
    """A TLS connection to the proxy, once it listens; the test is not about whose certificate it shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    give_up = time.monotonic() + LONGEST_WAIT_S
    while True:
        try:
            return context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
        except ConnectionRefusedError:
            if time.monotonic() > give_up:
                raise


@pytest.mark.prove
def test_documented_proxy_hands_on_whole_bodies_and_those_that_fall_silent(proxy: int, sender: Sender) -> None:
    with _through(proxy) as connection:
        body = sender.frame([complaint("whole")])
        connection.sendall(_request(sender, body, len(body)))
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    with _through(proxy) as connection:
        _send_a_part(connection, sender)
        assert _stored(sender.hub, 4) == 4


def test_body_that_is_too_large_is_refused_in_words_of_the_protocol(running: Serving) -> None:
    with _device_of(running.folder) as sender:
        refused = requests.post(
            f"{running.address}/api/v1/sync",
            data=b"\0" * (BODY_MAX_BYTES + 1),
            headers={"Authorization": f"Bearer {sender.token}"},
            timeout=LONGEST_WAIT_S,
        )
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")
