"""The fault tools themselves: a proof is worth no more than the tool that breaks things for it."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from queue import SimpleQueue
from random import Random
from shutil import rmtree
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import NamedTuple

import pytest
import sqlcipher3

from fixtures.bad_road import BadRoad, Cut, Pass, Rule
from tests.faults.history import Findings, History, check
from tests.faults.kill import Child, ChildEnded, Ending, at_random, at_write, when
from tests.faults.replay import SECTOR_BYTES, Disk, Survival, disk, disks, final_disk, ram_folder
from tests.faults.shim import RECORD, FaultShim, compiled, mark_acknowledged, missing
from tests.faults.writer import opened

REQUEST = b"twenty bytes and end\n"
ANSWER = b"stored"
PATIENCE_S = 30


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


class TestBadRoad:
    @pytest.mark.parametrize("after", range(len(ANSWER) + 2))
    def test_cut_lets_exactly_so_many_bytes_of_the_answer_down(self, hub: TinyHub, after: int) -> None:
        with BadRoad(hub.address, [Cut(after_down=after)]) as road, dial(road) as client:
            client.sendall(REQUEST)

            assert all_until_reset(client) == b"stored 1"[:after]
            assert hub.heard.get(timeout=PATIENCE_S) == REQUEST
            assert (road.bytes_up, road.bytes_down, road.cuts) == (len(REQUEST), after, 1)

    @pytest.mark.parametrize("after", range(len(REQUEST)))
    def test_cut_lets_exactly_so_many_bytes_up(self, hub: TinyHub, after: int) -> None:
        with BadRoad(hub.address, [Cut(after_up=after)]) as road, dial(road) as client:
            client.sendall(REQUEST)

            assert all_until_reset(client) == b""
            assert road.bytes_up == after

    def test_hub_sees_a_reset_where_the_road_was_cut(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as hub:
            with BadRoad(hub.getsockname(), [Cut(after_up=5)]) as road, dial(road) as client:
                side, _ = hub.accept()
                with side:
                    client.sendall(REQUEST)
                    assert all_until_reset(side) == REQUEST[:5]

    def test_half_close_ends_the_request_and_still_brings_the_answer(self, hub: TinyHub) -> None:
        script = [Cut(after_up=len(REQUEST) + 3, half_close=True)]
        with BadRoad(hub.address, script) as road, dial(road) as client:
            client.sendall(REQUEST + REQUEST)
            assert received(client, 8) == b"stored 1"
            client.sendall(b"nobody hears this")

            # The hub counts the torn line as one more.
            assert received(client, 100) == b"stored 2"
            assert hub.heard.get(timeout=PATIENCE_S) == REQUEST + REQUEST[:3]
            assert (road.bytes_up, road.cuts) == (len(REQUEST) + 3, 1)

    def test_rules_are_taken_one_by_one_and_then_all_passes(self, hub: TinyHub) -> None:
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

    def test_duplicate_is_delivered_twice_and_answered_from_the_second(self, hub: TinyHub) -> None:
        with BadRoad(hub.address, [Pass(duplicate=True)]) as road:
            with dial(road) as client:
                client.sendall(REQUEST)
                assert received(client, 8) == b"stored 2"
                client.sendall(REQUEST)
                assert received(client, 8) == b"stored 4"

            assert [hub.heard.get(timeout=PATIENCE_S) for _ in range(2)] == [REQUEST * 2] * 2
            assert (road.bytes_up, road.bytes_down) == (2 * len(REQUEST), 16)

    def test_link_down_resets_what_lives_and_what_comes_until_restored(self, hub: TinyHub) -> None:
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

    def test_dead_hub_is_a_reset_and_a_hub_come_back_is_served(self) -> None:
        with TinyHub() as first:
            address = first.address
        with BadRoad(address) as road:
            with pytest.raises(ConnectionError):
                ask(road)
            with TinyHub(address[1]):
                assert ask(road) == b"stored 1"

    def test_road_started_again_keeps_its_address_and_counts(self, hub: TinyHub) -> None:
        road = BadRoad(hub.address)
        for _ in range(2):
            with road:
                address = road.address
                ask(road)
        assert road.traffic.bytes_up == 2 * len(REQUEST)
        with road:
            assert road.address == address

    @pytest.mark.parametrize("rate_bytes_per_s", [None, 50e6])
    def test_much_passes_whole_both_ways_at_once(self, rate_bytes_per_s: float | None) -> None:
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

    def test_reset_waits_for_a_reader_that_is_behind(self) -> None:
        # Far more than the client's buffer takes, and still so little that the road takes it all at once.
        cargo = Random(2).randbytes(300_000)
        after = 270_001
        with socket.create_server(("127.0.0.1", 0)) as hub, socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with BadRoad(hub.getsockname(), [Cut(after_down=after)]) as road:
                client.connect(road.address)
                side, _ = hub.accept()
                with side:
                    side.sendall(cargo)
                    while road.cuts == 0:
                        os.sched_yield()

                    assert all_until_reset(client) == cargo[:after]
                assert road.bytes_down == after

    def test_a_cut_that_says_nothing_or_two_things_is_refused(self) -> None:
        for wrong in ({}, {"after_up": 1, "after_down": 1}, {"refuse": True, "half_close": True}):
            with pytest.raises(ValueError, match="cut needs|half_close goes"):
                Cut(**wrong)


class TestHistory:
    def test_sound_run_finds_nothing(self, tmp_path: Path) -> None:
        with History(tmp_path / "history") as history:
            for record in ("kept", "aside", "came-through", "went-under"):
                history.invoke(record)
            history.acknowledged("kept")
            history.acknowledged("aside")
            history.unknown("came-through")
            history.pulled("Mopti 2", "1")
            history.pulled("Mopti 2", "2")

            findings = check(
                history,
                {"kept": 1, "came-through": 1},
                {"aside"},
                units=[("kept", "came-through"), ("absent", "absent too")],
                changes={"Mopti 2": ["1", "2"]},
            )

        assert findings == Findings()

    def test_each_kind_of_harm_is_named(self, tmp_path: Path) -> None:
        with History(tmp_path / "history") as history:
            for record in ("lost", "twice", "both", "unknown-twice", "half"):
                history.invoke(record)
            for record in ("lost", "twice", "both"):
                history.acknowledged(record)
            history.unknown("unknown-twice")

            findings = check(
                history,
                {"twice": 2, "both": 1, "unknown-twice": 2, "half": 1, "foreign": 1},
                ["both"],
                units=[("half", "half's event")],
            )

        assert findings == Findings(
            lost=("lost",),
            doubled=("both", "twice", "unknown-twice"),
            half=(("half",),),
            unexpected=("foreign",),
        )

    @pytest.mark.parametrize(
        ("pulled", "missed"),
        [
            ("123", ""),
            ("13", "2"),
            ("1223", "2"),
            ("132", "2"),
            ("12", "3"),
            ("1234", "4"),
            ("", "123"),
        ],
    )
    def test_changes_have_to_come_once_each_in_order(self, pulled: str, missed: str) -> None:
        events = [{"event": "pulled", "device": "Ségou 3", "change": change} for change in pulled]

        findings = check(events, {}, changes={"Ségou 3": "123"})

        assert findings.missed_changes == tuple(("Ségou 3", change) for change in missed)

    def test_line_cut_short_by_a_kill_is_left_out(self, tmp_path: Path) -> None:
        with History(tmp_path / "history") as history:
            history.invoke("whole")
            with history.path.open("ab") as raw:
                raw.write(b'{"event": "invoke", "rec')
            assert [event["record"] for event in history] == ["whole"]

    def test_unheard_of_event_is_refused(self) -> None:
        with pytest.raises(ValueError, match="acknowleged"):
            check([{"event": "acknowleged", "record": "typo"}], {})


ROOT = Path("/data")
FILE, OTHER = "/data/hub.db", "/data/blobs/new"


def contents(disk: Disk) -> dict[str, bytes]:
    return {str(name): bytes(image) for name, image in disk.files.items()}


def files_under(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def entry(kind: bytes, path: str = "", offset: int = 0, data: bytes = b"") -> bytes:
    return RECORD.pack(kind, len(path.encode()), len(data), offset) + path.encode() + data


class Log:
    """An operation log written by hand, and all the disks a cut after its last operation could leave."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, *entries: bytes) -> None:
        self.path.write_bytes(b"".join(entries))

    def last_disks(self, survival: Survival, base: Path | None = None) -> list[Disk]:
        made = list(disks(self.path, ROOT, 300, seed=5, base=base))
        last_cut = max(disk.cut for disk in made)
        return [disk for disk in made if disk.cut == last_cut and disk.survival is survival]

    def outcomes(self, survival: Survival, base: Path | None = None) -> set[tuple[tuple[str, bytes], ...]]:
        """Every distinct disk of that survival, as (name, content) pairs."""
        return {tuple(sorted(contents(disk).items())) for disk in self.last_disks(survival, base)}


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "operations")


class TestReplay:
    def test_unsynced_write_is_lost_or_kept(self, log: Log) -> None:
        log.write(entry(b"W", FILE, 0, b"old"), entry(b"S", FILE), entry(b"W", FILE, 1, b"NEW"))

        assert log.outcomes(Survival.NOTHING) == {(("hub.db", b"old"),)}
        assert log.outcomes(Survival.EVERYTHING) == {(("hub.db", b"oNEW"),)}
        assert log.outcomes(Survival.SECTORS) == {(("hub.db", b"old"),), (("hub.db", b"oNEW"),)}

    def test_write_survives_by_whole_sectors(self, log: Log) -> None:
        log.write(
            entry(b"W", FILE, 0, b"a" * 3 * SECTOR_BYTES),
            entry(b"S", FILE),
            entry(b"W", FILE, SECTOR_BYTES // 2, b"B" * 2 * SECTOR_BYTES),
        )

        made = log.outcomes(Survival.SECTORS)

        half = SECTOR_BYTES // 2
        parts = {content[i : i + half] for ((_, content),) in made for i in range(0, len(content), half)}
        assert parts == {b"a" * half, b"B" * half}
        # Of the three sectors touched, the middle one is whole either way.
        middles = {content[SECTOR_BYTES : 2 * SECTOR_BYTES] for ((_, content),) in made}
        assert middles == {b"a" * SECTOR_BYTES, b"B" * SECTOR_BYTES}
        assert len(made) == 8

    def test_sync_of_one_file_keeps_no_other(self, log: Log) -> None:
        log.write(entry(b"W", FILE, 0, b"db"), entry(b"W", OTHER, 0, b"blob"), entry(b"S", OTHER))

        # A journal keeps the order of names: the elder file is there, without its content.
        assert log.outcomes(Survival.NOTHING) == {(("blobs/new", b"blob"), ("hub.db", b""))}

    def test_rename_is_sure_only_after_its_folder_is_synced(self, log: Log) -> None:
        renamed = [
            entry(b"W", OTHER, 0, b"blob"),
            entry(b"S", OTHER),
            entry(b"R", OTHER, 0, b"/data/blobs/final"),
        ]
        log.write(*renamed)
        assert log.outcomes(Survival.NOTHING) == {(("blobs/new", b"blob"),)}
        assert log.outcomes(Survival.SECTORS) == {(("blobs/new", b"blob"),), (("blobs/final", b"blob"),)}

        log.write(*renamed, entry(b"S", "/data/blobs"))
        assert log.outcomes(Survival.NOTHING) == {(("blobs/final", b"blob"),)}

    def test_sync_of_another_folder_keeps_no_rename(self, log: Log) -> None:
        log.write(
            entry(b"W", OTHER, 0, b"blob"),
            entry(b"S", OTHER),
            entry(b"R", OTHER, 0, b"/data/blobs/final"),
            entry(b"S", "/data"),
        )

        assert log.outcomes(Survival.NOTHING) == {(("blobs/new", b"blob"),)}

    def test_unlinked_file_may_come_back_and_its_successor_stays_itself(self, log: Log) -> None:
        made = [entry(b"W", FILE, 0, b"first"), entry(b"S", FILE), entry(b"U", FILE)]
        log.write(*made)
        assert log.outcomes(Survival.SECTORS) == {(), (("hub.db", b"first"),)}

        log.write(*made, entry(b"W", FILE, 0, b"2nd"), entry(b"S", FILE))
        assert log.outcomes(Survival.NOTHING) == {(("hub.db", b"2nd"),)}

    def test_truncation_cuts_and_extends_with_zeros(self, log: Log) -> None:
        log.write(
            entry(b"W", FILE, 0, b"x" * 5000),
            entry(b"T", FILE, 4097),
            entry(b"T", FILE, 4099),
            entry(b"S", FILE),
        )

        assert log.outcomes(Survival.NOTHING) == {(("hub.db", b"x" * 4097 + b"\0\0"),)}

    def test_what_stood_there_before_is_the_start(self, log: Log, tmp_path: Path) -> None:
        before = tmp_path / "before"
        before.mkdir()
        (before / "hub.db").write_bytes(b"before")
        log.write(entry(b"W", FILE, 0, b"A"), entry(b"S", FILE))

        assert log.outcomes(Survival.NOTHING, before) == {(("hub.db", b"Aefore"),)}

    def test_disk_knows_what_was_acknowledged_before_its_cut(self, log: Log) -> None:
        log.write(entry(b"W", FILE, 0, b"1"), entry(b"S", FILE))
        mark_acknowledged(log.path, b"one")
        mark_acknowledged(log.path, b"two")

        by_cut = {disk.cut: disk for disk in disks(log.path, ROOT, 100, seed=3)}

        assert [by_cut[cut].acknowledged for cut in range(5)] == [b"", b"", b"", b"one", b"two"]
        assert by_cut[4].all_acknowledged == [b"one", b"two"]

    def test_kept_disk_stays_as_it_was(self, log: Log) -> None:
        log.write(
            entry(b"W", FILE, 0, b"old"), entry(b"S", FILE), entry(b"W", FILE, 0, b"new"), entry(b"S", FILE)
        )

        made = [disk for disk in disks(log.path, ROOT, 100, seed=3) if disk.survival is Survival.NOTHING]

        content = {disk.cut: contents(disk).get("hub.db") for disk in made}
        assert content == {0: None, 1: None, 2: b"old", 3: b"old", 4: b"new"}

    def test_any_disk_comes_back_from_its_own_seed(self, log: Log) -> None:
        log.write(*(entry(b"W", FILE, n * 100, bytes([n]) * 2000) for n in range(20)))

        for made in disks(log.path, ROOT, 30, seed=9):
            again = disk(log.path, ROOT, made.seed)
            assert (again.cut, again.survival) == (made.cut, made.survival)
            assert contents(again) == contents(made)

    def test_last_operation_cut_short_is_left_out(self, log: Log) -> None:
        log.write(entry(b"W", FILE, 0, b"whole"), entry(b"W", FILE, 0, b"torn")[:-1])

        assert log.outcomes(Survival.EVERYTHING) == {(("hub.db", b"whole"),)}

    def test_folder_holds_the_disk_and_nothing_else(self, log: Log, tmp_path: Path) -> None:
        log.write(entry(b"W", OTHER, 0, b"blob"))
        (tmp_path / "disk").mkdir()
        (tmp_path / "disk" / "left over").touch()

        log.last_disks(Survival.EVERYTHING)[0].write_to(tmp_path / "disk")

        assert files_under(tmp_path / "disk") == {"blobs/new": b"blob"}


PYTHON = sys.executable
COUNTS_FOR_EVER = "import itertools\nfor n in itertools.count(): print('line', n, flush=True)"


class TestKill:
    def test_child_is_killed_when_it_says_the_line(self) -> None:
        ending = when([PYTHON, "-c", COUNTS_FOR_EVER], "line 3")

        assert ending.was_killed
        assert "line 3" in ending.lines

    def test_child_that_ends_without_the_line_is_reported(self) -> None:
        with pytest.raises(ChildEnded, match="goodbye"):
            when([PYTHON, "-c", "print('goodbye')"], "never said")

    def test_child_is_dead_when_the_load_ends(self) -> None:
        lines = 0
        with Child([PYTHON, "-c", COUNTS_FOR_EVER]) as child:
            child.wait_for("line 0")
            with at_random(child, Random(4), longest_s=0.2), suppress(ChildEnded):
                while child.wait_for("line"):
                    lines += 1
            assert child.wait().was_killed
        assert lines > 0

    def test_left_child_does_not_outlive_its_block(self) -> None:
        with Child([PYTHON, "-c", COUNTS_FOR_EVER]) as child:
            child.wait_for("line 0")
        with pytest.raises(ProcessLookupError):
            os.kill(child.pid, 0)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if reason := missing():
        pytest.skip(reason)
    return compiled(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def shim(library: Path, tmp_path: Path) -> Iterator[FaultShim]:
    with FaultShim(library, tmp_path) as shim:
        yield shim


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def writer(data: Path, count: int, synchronous: str = "FULL", log: Path | None = None) -> list[str]:
    command = [PYTHON, "-m", "tests.faults.writer", str(data / "pairs.db"), synchronous, str(count)]
    return command if log is None else [*command, str(log)]


def acknowledged(ending: Ending) -> set[int]:
    return {int(line.split()[1]) for line in ending.lines if line.startswith("acknowledged")}


def pairs_in(database: Path) -> set[int]:
    """The pairs that are there; fails when the file is damaged or a pair is there by half."""
    with closing(opened(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        try:
            ids = {row[0] for row in connection.execute("SELECT id FROM pair")}
        except sqlcipher3.OperationalError as error:
            assert "no such table" in str(error)  # noqa: PT017 - any other error is damage
            return set()
    assert ids == {-number for number in ids}
    return {number for number in ids if number > 0}


def disks_that_lose(log: Path, data: Path, count: int) -> int:
    """How many of `count` disks lack an acknowledged pair."""
    folder = ram_folder()
    losing = 0
    for made in disks(log, data, count, seed=11):
        made.write_to(folder)
        last = int(made.acknowledged or b"0")
        losing += not set(range(1, last + 1)) <= pairs_in(folder / "pairs.db")
    rmtree(folder)
    return losing


@pytest.mark.prove
@pytest.mark.ci
class TestShim:
    def test_writer_is_killed_before_the_nth_operation(self, shim: FaultShim, data: Path) -> None:
        ended = at_write(writer(data, 8), 10**6, shim=shim, match=data)
        assert (ended.was_killed, len(acknowledged(ended))) == (False, 8)
        last = shim.operations

        for operation in range(1, last + 1, 9):
            rmtree(data)
            data.mkdir()
            ending = at_write(writer(data, 8), operation, shim=shim, match=data)
            assert ending.was_killed
            assert shim.operations == operation
            kept = pairs_in(data / "pairs.db")
            assert acknowledged(ending) <= kept <= set(range(1, 9))

    def test_power_cut_loses_acknowledged_rows_unless_commits_are_synced(
        self, shim: FaultShim, data: Path, tmp_path: Path
    ) -> None:
        losing = {}
        for synchronous in ("FULL", "NORMAL"):
            log = tmp_path / synchronous
            place = data / synchronous
            place.mkdir()
            environment = shim.environment(match=place, log=log)
            with Child(writer(place, 40, synchronous, log), environment) as child:
                assert len(acknowledged(child.wait())) == 40
            losing[synchronous] = disks_that_lose(log, place, 300)

        assert losing["FULL"] == 0
        assert losing["NORMAL"] > 30

    def test_everything_survives_as_the_program_left_it(
        self, shim: FaultShim, data: Path, tmp_path: Path
    ) -> None:
        log = tmp_path / "operations"
        with Child(writer(data, 30, log=log), shim.environment(match=data, log=log)) as child:
            child.wait()

        assert contents(final_disk(log, data)) == files_under(data)

    def test_full_disk_gives_sqlite_full_until_there_is_space(self, shim: FaultShim, data: Path) -> None:
        environment = shim.environment(match=data, enospc_after=60_000)
        with Child(writer(data, 100_000), environment) as child:
            child.wait_for("error SQLITE_FULL")
            shim.arm()
            child.wait_for("acknowledged")
            ending = child.kill()

        assert {line for line in ending.lines if line.startswith("error")} == {"error SQLITE_FULL"}
        assert acknowledged(ending) <= pairs_in(data / "pairs.db")

    def test_failed_sync_is_not_acknowledged(self, shim: FaultShim, data: Path) -> None:
        environment = shim.environment(match=data)
        with Child(writer(data, 100_000), environment) as child:
            child.wait_for("acknowledged 5")
            shim.arm(fail_sync=1)
            child.wait_for("error SQLITE_IOERR")
            shim.arm()
            ending = child.kill()

        failed = ending.lines.index("error SQLITE_IOERR")
        number = int(ending.lines[failed - 1].split()[1]) + 1
        assert f"acknowledged {number}" not in ending.lines

    def test_single_failed_sync_fails_one_commit(self, shim: FaultShim, data: Path) -> None:
        with Child(writer(data, 12), shim.environment(match=data, fail_sync=-9)) as child:
            ending = child.wait()

        assert ending.lines.count("error SQLITE_IOERR") == 1
        assert len(acknowledged(ending)) == 11

    def test_failed_sync_makes_nothing_durable(self, shim: FaultShim, data: Path, tmp_path: Path) -> None:
        log = tmp_path / "operations"
        environment = shim.environment(match=data, log=log, fail_sync=1)
        with Child([PYTHON, "-c", FAILED_SYNC, str(data / "file")], environment) as child:
            assert child.wait() == Ending(0, ("EIO",))

        poorest = [made for made in disks(log, data, 50, seed=2) if made.survival is Survival.NOTHING]
        assert {len(made.files) for made in poorest} == {0}

    def test_only_the_wall_clock_moves(self, shim: FaultShim) -> None:
        ten_years_s = 10 * 365 * 86_400
        environment = shim.environment(match="no file")
        with Child([PYTHON, "-u", "-c", CLOCK_READER], environment) as child:
            true = reading(child)
            shim.clock_offset_s = ten_years_s
            ahead = reading(child, lambda then: then.wall > true.wall + ten_years_s / 2)
            shim.clock_offset_s = -ten_years_s
            behind = reading(child, lambda then: then.wall < true.wall)

        for then, expected in ((ahead, 1), (behind, -1)):
            passed_s = then.monotonic - true.monotonic
            assert 0 < passed_s < ten_years_s / 2
            assert then.wall - true.wall == pytest.approx(expected * ten_years_s + passed_s, abs=1)
            assert then.coarse == pytest.approx(then.wall, abs=1)

    @pytest.mark.parametrize("ways", ["plain", "vectored", "recycled"])
    def test_every_way_of_changing_a_file_is_logged(
        self, shim: FaultShim, data: Path, tmp_path: Path, ways: str
    ) -> None:
        log = tmp_path / "operations"
        with Child([PYTHON, "-c", WAYS[ways], str(data)], shim.environment(match=data, log=log)) as child:
            assert child.wait() == Ending(0, ())

        real = files_under(data)
        assert len(real) >= 2
        assert contents(final_disk(log, data)) == real


class Reading(NamedTuple):
    wall: float
    coarse: float
    monotonic: float


def reading(child: Child, is_wanted: Callable[[Reading], bool] = lambda then: True) -> Reading:
    """The first wanted reading; those already on their way may be older than the shift."""
    while True:
        then = Reading(*map(float, child.wait_for("reading").split()[1:]))
        if is_wanted(then):
            return then


CLOCK_READER = """
import time
while True:
    print("reading", time.time(), time.clock_gettime(5), time.monotonic())
"""

FAILED_SYNC = """
import errno, os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(file, b"words")
try:
    os.fsync(file)
except OSError as error:
    print(errno.errorcode[error.errno])
"""

WAYS = {
    "plain": """
import os, sys
os.chdir(sys.argv[1])
os.mkdir("kept")
with open("draft", "wb", buffering=0) as file:
    file.write(b"emptied again")
with open("draft", "wb", buffering=0) as file:
    file.write(b"some words")
    file.truncate(4)
with open("draft", "ab", buffering=0) as file:
    file.write(b" more")
os.rename("draft", "kept/renamed")
folder = os.open("kept", os.O_RDONLY)
with open("kept/gone", "xb"):
    pass
os.unlink("gone", dir_fd=folder)
os.close(folder)
with open("kept/empty", "xb"):
    pass
""",
    "vectored": """
import os, sys
os.chdir(sys.argv[1])
one = os.open("one", os.O_RDWR | os.O_CREAT)
os.writev(one, [b"ab", b"cd", b"ef"])
os.pwritev(one, [b"XY", b"Z"], 9)
os.pwrite(one, b"!", 1)
os.write(one, b"G")
os.rename("one", "two")
os.write(one, b"H")
os.unlink("two")
os.write(one, b"to nowhere")
os.close(one)
other = os.open("three", os.O_RDWR | os.O_CREAT)
os.write(other, b"three")
os.close(other)
again = os.open("four", os.O_RDWR | os.O_CREAT)
os.write(again, b"four")
os.fdatasync(again)
os.mkdir("five")
os.rename("four", "five/four")
os.rename("five", "six")
os.ftruncate(again, 3)
""",
    # The new file gets the descriptor, and on ext4 the inode, of one that was none of ours.
    "recycled": """
import os, sys
os.chdir(sys.argv[1])
for name in ("one", "two", "three"):
    foreign = os.open("../foreign", os.O_WRONLY | os.O_CREAT)
    os.write(foreign, b"words")
    os.close(foreign)
    os.unlink("../foreign")
    ours = os.open(name, os.O_WRONLY | os.O_CREAT)
    os.write(ours, b"more words")
    os.close(ours)
""",
}
