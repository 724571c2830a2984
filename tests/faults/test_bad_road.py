"""The bad road against a real server: what passes, what is cut, and at which byte."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from queue import SimpleQueue
from random import Random
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest

from fixtures.bad_road import BadRoad, Cut, Pass, Rule

REQUEST = b"twenty bytes and end\n"
ANSWER = b"stored"
PATIENCE_S = 30
CARGO = Random(2).randbytes(300_000)
AFTER = 270_001


class TinyHub(ThreadingTCPServer):
    """Answers each line with ANSWER and the number of lines so far; `heard` gets each connection's bytes."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Conversation)
        self.heard: SimpleQueue[bytes] = SimpleQueue()
        self.lines = 0
        self._thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.socket.getsockname()
        return host, port

    def server_close(self) -> None:
        self.shutdown()
        self._thread.join()
        super().server_close()


class _Conversation(StreamRequestHandler):
    server: TinyHub

    def handle(self) -> None:
        heard = b""
        with suppress(ConnectionError):
            for line in self.rfile:
                heard += line
                self.server.lines += 1
                self.wfile.write(ANSWER + b" %d" % self.server.lines)
        self.server.heard.put(heard)


@pytest.fixture
def hub() -> Iterator[TinyHub]:
    with TinyHub() as hub:
        yield hub


def dial(road: BadRoad) -> socket.socket:
    return socket.create_connection(road.address, timeout=PATIENCE_S)


def all_until_reset(client: socket.socket) -> bytes:
    """What came before the reset; fails when the connection ended in order."""
    came = b""
    try:
        while part := client.recv(1 << 16):
            came += part
    except ConnectionResetError:
        return came
    raise AssertionError(f"the connection ended in order after {came!r}")


def received(client: socket.socket, size: int) -> bytes:
    came = b""
    while len(came) < size and (part := client.recv(size - len(came))):
        came += part
    return came


def ask(road: BadRoad) -> bytes:
    """One request on a connection of its own, and its answer. Raises ConnectionError."""
    with dial(road) as client:
        client.sendall(REQUEST)
        return received(client, len(ANSWER) + 2)


@pytest.mark.parametrize("after", range(len(ANSWER) + 2))
def test_cut_lets_exactly_so_many_bytes_of_the_answer_down(hub: TinyHub, after: int) -> None:
    with BadRoad(hub.address, [Cut(after_down=after)]) as road, dial(road) as client:
        client.sendall(REQUEST)

        assert all_until_reset(client) == b"stored 1"[:after]
        assert hub.heard.get(timeout=PATIENCE_S) == REQUEST
        assert (road.bytes_up, road.bytes_down, road.cuts) == (len(REQUEST), after, 1)


@pytest.mark.parametrize("after", range(len(REQUEST)))
def test_cut_lets_exactly_so_many_bytes_up(hub: TinyHub, after: int) -> None:
    with BadRoad(hub.address, [Cut(after_up=after)]) as road, dial(road) as client:
        client.sendall(REQUEST)

        assert all_until_reset(client) == b""
        assert road.bytes_up == after


def test_hub_sees_a_reset_where_the_road_was_cut() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hub:
        with BadRoad(hub.getsockname(), [Cut(after_up=5)]) as road, dial(road) as client:
            side, _ = hub.accept()
            with side:
                client.sendall(REQUEST)
                assert all_until_reset(side) == REQUEST[:5]


def test_half_close_ends_the_request_and_still_brings_the_answer(hub: TinyHub) -> None:
    script = [Cut(after_up=len(REQUEST) + 3, half_close=True)]
    with BadRoad(hub.address, script) as road, dial(road) as client:
        client.sendall(REQUEST + REQUEST)
        assert received(client, 8) == b"stored 1"
        client.sendall(b"nobody hears this")

        # The hub counts the torn line as one more.
        assert received(client, 100) == b"stored 2"
        assert hub.heard.get(timeout=PATIENCE_S) == REQUEST + REQUEST[:3]
        assert (road.bytes_up, road.cuts) == (len(REQUEST) + 3, 1)


def test_rules_are_taken_one_by_one_and_then_all_passes(hub: TinyHub) -> None:
    script: list[Rule] = [Cut(refuse=True), Pass(), Cut(after_down=0)]
    with BadRoad(hub.address, script) as road:
        outcomes: list[bytes | None] = []
        for _ in range(5):
            try:
                outcomes.append(ask(road))
            except ConnectionError:
                outcomes.append(None)

        assert outcomes == [None, b"stored 1", None, b"stored 3", b"stored 4"]
        assert (road.connections, road.cuts) == (5, 2)


def test_duplicate_is_delivered_twice_and_answered_from_the_second(hub: TinyHub) -> None:
    with BadRoad(hub.address, [Pass(duplicate=True)]) as road:
        with dial(road) as client:
            client.sendall(REQUEST)
            assert received(client, 8) == b"stored 2"
            client.sendall(REQUEST)
            assert received(client, 8) == b"stored 4"

        assert [hub.heard.get(timeout=PATIENCE_S) for _ in range(2)] == [REQUEST * 2] * 2
        assert (road.bytes_up, road.bytes_down) == (2 * len(REQUEST), 16)


def test_link_down_resets_what_lives_and_what_comes_until_restored(hub: TinyHub) -> None:
    with BadRoad(hub.address) as road, dial(road) as living:
        living.sendall(REQUEST)
        assert received(living, 8) == b"stored 1"

        road.cut()
        assert all_until_reset(living) == b""
        with pytest.raises(ConnectionError):
            ask(road)
        road.restore()

        assert ask(road) == b"stored 2"
        assert (road.connections, road.cuts) == (2, 1)


def test_dead_hub_is_a_reset_and_a_hub_come_back_is_served() -> None:
    with TinyHub() as first:
        address = first.address
    with BadRoad(address) as road:
        with pytest.raises(ConnectionError):
            ask(road)
        with TinyHub(address[1]):
            assert ask(road) == b"stored 1"


def test_road_started_again_keeps_its_address_and_counts(hub: TinyHub) -> None:
    road = BadRoad(hub.address)
    for _ in range(2):
        with road:
            address = road.address
            ask(road)
    assert road.traffic.bytes_up == 2 * len(REQUEST)
    with road:
        assert road.address == address


@pytest.mark.parametrize("rate_bytes_per_s", [None, 50e6])
def test_much_passes_whole_both_ways_at_once(rate_bytes_per_s: float | None) -> None:
    cargo = Random(1).randbytes(3_000_000)
    with socket.create_server(("127.0.0.1", 0)) as hub:
        with BadRoad(hub.getsockname(), rate_bytes_per_s=rate_bytes_per_s) as road, dial(road) as client:
            side, _ = hub.accept()
            with side:
                senders = [Thread(target=party.sendall, args=(cargo,)) for party in (client, side)]
                for sender in senders:
                    sender.start()
                assert received(side, len(cargo)) == cargo
                assert received(client, len(cargo)) == cargo
                for sender in senders:
                    sender.join()
            assert (road.bytes_up, road.bytes_down) == (len(cargo), len(cargo))


@pytest.fixture
def behind() -> Iterator[tuple[BadRoad, socket.socket, socket.socket]]:
    """A road that has to reset after AFTER bytes down, a client that has not read yet, and the hub's side."""
    with socket.create_server(("127.0.0.1", 0)) as hub, socket.socket() as client:
        # Far less than the answer, which the road takes all at once.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with BadRoad(hub.getsockname(), [Cut(after_down=AFTER)]) as road:
            client.settimeout(PATIENCE_S)
            client.connect(road.address)
            side, _ = hub.accept()
            with side:
                side.settimeout(PATIENCE_S)
                side.sendall(CARGO)
                while road.cuts == 0:
                    os.sched_yield()
                yield road, client, side


def test_reset_waits_for_a_reader_that_is_behind(
    behind: tuple[BadRoad, socket.socket, socket.socket],
) -> None:
    road, client, _ = behind

    assert all_until_reset(client) == CARGO[:AFTER]
    assert road.bytes_down == AFTER


def test_reset_does_not_wait_for_a_reader_that_left(
    behind: tuple[BadRoad, socket.socket, socket.socket],
) -> None:
    _, client, side = behind

    client.close()

    assert all_until_reset(side) == b""


def test_a_cut_that_says_nothing_or_two_things_is_refused() -> None:
    for wrong in ({}, {"after_up": 1, "after_down": 1}, {"refuse": True, "half_close": True}):
        with pytest.raises(ValueError, match="cut needs|half_close goes"):
            Cut(**wrong)
