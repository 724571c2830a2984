"""Files on their way: voices first, two at a time, and whatever breaks, every byte arrives and few go twice."""

import hashlib
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import monotonic
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client_sync import transport as transport_module
from client_sync.client import Step, SyncClient, SyncReport
from client_sync.complaint import Answers, Attachment, Consent, build_complaint
from client_sync.errors import LinkCut
from client_sync.files import Pending
from client_sync.outbox import Outbox
from client_sync.protocol.uploads import DAMAGED
from client_sync.stores import Folder
from client_sync.transport import HttpTransport
from client_sync.uploads import (
    AT_ONCE,
    CHUNK_FIRST_BYTES,
    CHUNK_MOST_BYTES,
    Pace,
)
from client_sync.vault import Vault
from fixtures.bad_road import BadRoad, Cut, Rule
from tests import media
from tests.client_sync.builders import NOW, SOFT, WORDS, complaint, enrolled_outbox, record_id

ROOT = Path(__file__).resolve().parents[2]
BRISK = Pace(pause_first_s=0.001, gives_up_after_s=5.0)
HURRIED = Pace(pause_first_s=0.001, gives_up_after_s=0.05)
KILOBYTES = 2**10


def photo_of(size: int, seed: int = 1) -> bytes:
    """A photo of about so many bytes, none of which another has."""
    return media.photo() + Random(seed).randbytes(size)


@dataclass
class Hub:
    """The hub of a test, in a process of its own."""

    folder: Path
    port: int = 0
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.client_sync.file_hub", str(self.folder), str(self.port)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().split()[-1])

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def wish(self, mood: str, times: int = 1) -> None:
        """Have it answer so, so many times."""
        (self.folder / mood).write_text(str(times))

    @property
    def requests(self) -> list[list[str]]:
        """Method, path, offset and size of the body of every request to the door of files."""
        path = self.folder / "requests"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split() for line in lines if "/files" in line]

    @property
    def bytes_heard(self) -> int:
        """Bytes of files that came whole, of what was sent."""
        return sum(int(size) for _, _, _, size in self.requests)

    def blobs(self) -> dict[str, bytes]:
        """The files that are here whole, by their names."""
        return {path.name: path.read_bytes() for path in (self.folder / "blobs").iterdir()}


@contextmanager
def running_hub(folder: Path) -> Iterator[Hub]:
    """A hub with nothing in it."""
    (folder / "hub").mkdir()
    hub = Hub(folder / "hub")
    hub.start()
    try:
        yield hub
    finally:
        hub.kill()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with running_hub(tmp_path) as hub:
        yield hub


def new_outbox(folder: Folder) -> Outbox:
    """The outbox of an enrolled device with a vault."""
    Vault.create(folder, WORDS, SOFT).close()
    return enrolled_outbox(folder)


@pytest.fixture
def outbox(folder: Folder) -> Iterator[Outbox]:
    outbox = new_outbox(folder)
    yield outbox
    outbox.close()


def written(outbox: Outbox, folder: Path, number: int, **files: bytes) -> dict[str, Attachment]:
    """A closed complaint with files; what was taken in, by the names of the files."""
    taken = {}
    for name, data in files.items():
        (folder / name).write_bytes(data)
        taken[name] = outbox.files.take_in(folder / name, now=NOW)
    answers = Answers(files=tuple(taken.values()), consent=Consent("C1"))
    outbox.finalise("complaint", build_complaint(answers, now=NOW, receipt="7K4M-2QG"), id=record_id(number))
    return taken


def synced(
    outbox: Outbox,
    address: tuple[str, int],
    pace: Pace = BRISK,
    kind: type[HttpTransport] = HttpTransport,
    progress: Callable[[Step], None] | None = None,
) -> SyncReport:
    """One session with what answers at the address."""
    transport = kind(f"http://{address[0]}:{address[1]}")
    try:
        client = SyncClient(outbox, transport, now=lambda: NOW, rng=Random(1), version="0.1.0", pace=pace)
        return client.sync(progress)
    finally:
        transport.close()


def assert_all_arrived(outbox: Outbox, folder: Folder, hub: Hub) -> None:
    """The hub has the very bytes that the device keeps, and both know it."""
    kept = {path.name: path.read_bytes() for path in folder.files.iterdir()}
    assert hub.blobs() == kept
    assert all(hashlib.sha256(data).hexdigest() == name for name, data in kept.items())
    assert outbox.files.pending() == Pending(0, 0)


# The good road.


def test_texts_go_first_then_the_files_and_the_device_hears_that_they_are_there(
    outbox: Outbox, folder: Folder, tmp_path: Path, hub: Hub
) -> None:
    written(outbox, tmp_path, 1, photo=photo_of(90 * KILOBYTES), voice=media.voice())
    report = synced(outbox, hub.address)
    assert (report.stored, report.files, report.is_whole, report.changes) == (1, 2, True, 0)
    assert_all_arrived(outbox, folder, hub)
    assert [state.state for state in outbox.files.of(record_id(1))] == ["here", "here"]
    lines = (hub.folder / "requests").read_text().splitlines()
    assert "/sync" in lines[0]
    assert "HEAD" not in {method for method, *_ in hub.requests}


def test_a_small_file_takes_one_request(outbox: Outbox, tmp_path: Path, hub: Hub) -> None:
    written(outbox, tmp_path, 1, voice=media.amr())
    synced(outbox, hub.address)
    assert [method for method, *_ in hub.requests] == ["POST"]


def test_the_voice_goes_before_the_photos_and_the_small_one_before_the_large(
    outbox: Outbox, tmp_path: Path, hub: Hub
) -> None:
    photos = {f"photo{n}": photo_of(size * KILOBYTES, n) for n, size in enumerate((300, 200, 100, 400))}
    taken = written(outbox, tmp_path, 1, **photos, voice=media.voice())
    synced(outbox, hub.address)
    posts = [path for method, path, *_ in hub.requests if method == "POST"]
    assert len(posts) == 5
    arrived = sorted(hub.folder.joinpath("blobs").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    names = {each.sha256: name for name, each in taken.items()}
    order = [names[path.name] for path in arrived]
    assert order[0] == "voice"
    # Two at a time: neighbours may change places, no more.
    assert order.index("photo2") < order.index("photo0")
    assert order.index("photo1") < order.index("photo3")


def test_nothing_is_asked_when_there_are_no_files(outbox: Outbox, hub: Hub) -> None:
    outbox.finalise("complaint", complaint(), id=record_id(1))
    assert synced(outbox, hub.address).is_whole
    assert hub.requests == []


def test_bytes_of_both_roads_are_counted_and_they_are_little_more_than_the_files(
    outbox: Outbox, tmp_path: Path, hub: Hub
) -> None:
    taken = written(outbox, tmp_path, 1, photo=photo_of(200 * KILOBYTES), other=photo_of(200 * KILOBYTES, 2))
    report = synced(outbox, hub.address)
    assert report.bytes_up > sum(each.size for each in taken.values())
    assert report.bytes_up < 1.05 * sum(each.size for each in taken.values())


# Cuts.


class Weighing(HttpTransport):
    """Remembers the largest chunk that anybody tried."""

    largest: ClassVar[int] = 0

    def begin_upload(self, sha256: str, size: int, first: bytes, token: str) -> int:
        Weighing.largest = max(Weighing.largest, len(first))
        return super().begin_upload(sha256, size, first, token)

    def go_on_uploading(self, upload: str, offset: int, chunk: bytes, token: str) -> int:
        Weighing.largest = max(Weighing.largest, len(chunk))
        return super().go_on_uploading(upload, offset, chunk, token)

    def sibling(self) -> "Weighing":
        return Weighing(self._url)


@pytest.mark.ci
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    cuts=st.lists(
        st.one_of(
            st.integers(1, 90 * KILOBYTES).map(lambda after: Cut(after_up=after)),
            st.integers(1, 300).map(lambda after: Cut(after_down=after)),
            st.just(Cut(refuse=True)),
        ),
        min_size=4,
        max_size=30,
    ),
    sizes=st.lists(st.integers(0, 150 * KILOBYTES), min_size=1, max_size=4),
    kills=st.sets(st.integers(0, 12), max_size=3),
)
def test_cut_at_any_byte_every_file_arrives_whole_and_little_is_sent_twice(
    cuts: list[Rule], sizes: list[int], kills: set[int]
) -> None:
    """Whatever breaks: no file is wrong, none is lost, and a break costs a chunk on each road, and 2 % in all."""
    Weighing.largest = 0
    with TemporaryDirectory() as name, running_hub(Path(name)) as hub:
        outbox = new_outbox(Folder(Path(name) / "device"))
        written(outbox, Path(name), 1, **{f"photo{n}": photo_of(size, n) for n, size in enumerate(sizes)})
        size, sessions = outbox.files.pending().bytes, 0
        with BadRoad(hub.address, cuts) as road:
            while not synced(outbox, road.address, Pace(0.001, 1.0), Weighing).is_whole:
                sessions += 1
                assert sessions <= len(cuts)
                if sessions in kills:
                    # Both begin anew with what is on their disks.
                    hub.kill()
                    hub.start()
                    outbox.close()
                    outbox = Outbox.open(outbox.folder)
            up, breaks = road.bytes_up, road.cuts
        assert_all_arrived(outbox, outbox.folder, hub)
        outbox.close()
    # A break costs the chunk that was on its way, the question where the upload stands, and the text once more.
    assert up <= size * 1.02 + breaks * (Weighing.largest + 4 * KILOBYTES) + (sessions + 1) * 6 * KILOBYTES


def test_one_cut_sends_at_most_one_chunk_again(outbox: Outbox, folder: Folder, tmp_path: Path, hub: Hub) -> None:
    [taken] = written(outbox, tmp_path, 1, photo=photo_of(260 * KILOBYTES)).values()
    # One of the two roads has the photo, whichever of them was free first.
    with BadRoad(hub.address, [Cut(after_up=200 * KILOBYTES)] * 2) as road:
        report = synced(outbox, road.address)
        assert (report.is_whole, road.cuts) == (True, 1)
        up = road.bytes_up
    # A chunk may have grown to 128 KiB by then; the rest are headers.
    assert taken.size < up <= taken.size + 128 * KILOBYTES + 8 * KILOBYTES
    assert_all_arrived(outbox, folder, hub)


class Forgetful(HttpTransport):
    """Loses the first answers to what begins an upload, or goes on with one; the hub has heard it all the same."""

    lost: ClassVar[dict[str, int]] = {}

    def begin_upload(self, *arguments: Any) -> int:
        return self._lose("begin", super().begin_upload(*arguments))

    def go_on_uploading(self, *arguments: Any) -> int:
        return self._lose("go_on", super().go_on_uploading(*arguments))

    def sibling(self) -> "Forgetful":
        return Forgetful(self._url)

    def _lose(self, name: str, came: int) -> int:
        if self.lost.get(name):
            self.lost[name] -= 1
            raise LinkCut
        return came


@pytest.mark.parametrize(
    ("lost", "methods"), [("begin", ["POST", "HEAD", "PATCH"]), ("go_on", ["POST", "PATCH", "HEAD"])]
)
def test_a_lost_answer_costs_a_question_and_no_byte(
    outbox: Outbox, folder: Folder, tmp_path: Path, hub: Hub, lost: str, methods: list[str]
) -> None:
    taken = written(outbox, tmp_path, 1, photo=photo_of(100 * KILOBYTES))
    Forgetful.lost = {lost: 1}
    assert synced(outbox, hub.address, kind=Forgetful).is_whole
    assert [method for method, *_ in hub.requests][:3] == methods
    assert hub.bytes_heard == taken["photo"].size
    assert_all_arrived(outbox, folder, hub)


def test_a_link_that_stays_away_ends_the_session_and_the_next_goes_on(
    outbox: Outbox, folder: Folder, tmp_path: Path, hub: Hub
) -> None:
    written(outbox, tmp_path, 1, photo=photo_of(300 * KILOBYTES))
    with BadRoad(hub.address, [Cut(after_up=100 * KILOBYTES), *[Cut(refuse=True)] * 500]) as road:
        report = synced(outbox, road.address, HURRIED)
    assert (report.cut, report.is_whole, report.stored) == (True, False, 1)
    arrived = outbox.files.of(record_id(1))[0].arrived
    assert 0 < arrived < 100 * KILOBYTES
    before = len(hub.requests)
    assert synced(outbox, hub.address).is_whole
    # What the hub had does not go again, nor is it asked for: the answer to the texts says it.
    method, _, offset, _ = hub.requests[before]
    assert (method, int(offset) >= arrived) == ("PATCH", True)
    assert_all_arrived(outbox, folder, hub)


def test_questions_that_find_no_link_make_no_chunk_smaller(outbox: Outbox, tmp_path: Path, hub: Hub) -> None:
    written(outbox, tmp_path, 1, photo=photo_of(300 * KILOBYTES))
    with BadRoad(hub.address, [Cut(after_up=80 * KILOBYTES), *[Cut(refuse=True)] * 5]) as road:
        assert synced(outbox, road.address).is_whole
    methods = [method for method, *_ in hub.requests]
    # The chunk that broke was of 64 KiB.
    assert int(hub.requests[methods.index("HEAD") + 1][3]) == 32 * KILOBYTES


def test_a_chunk_of_which_nothing_moves_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 12 <= transport_module.UPLOAD_STALL_S <= 20
    monkeypatch.setattr(transport_module, "UPLOAD_STALL_S", 0.1)
    began = monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        transport = HttpTransport(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(LinkCut):
            transport.begin_upload("ab" * 32, 10, b"bytes", "a-token")
        transport.close()
    assert monotonic() - began < 2


# Kills.


def test_a_hub_killed_again_and_again_has_every_file_in_the_end(
    outbox: Outbox, folder: Folder, tmp_path: Path, hub: Hub
) -> None:
    taken = written(outbox, tmp_path, 1, **{f"photo{n}": photo_of(700 * KILOBYTES, n) for n in range(2)})
    ends = Event()

    def killing() -> None:
        chances = Random(7)
        for _ in range(4):
            if ends.wait(chances.uniform(0.05, 0.4)):
                return
            hub.kill()
            hub.start()

    killer = Thread(target=killing)
    killer.start()
    try:
        for _ in range(20):
            if synced(outbox, hub.address, Pace(0.01, 20)).is_whole:
                break
    finally:
        ends.set()
        killer.join()
    assert_all_arrived(outbox, folder, hub)
    assert len(taken) == 2


FIELD = """
import sys
from tests.client_sync.test_uploads import synced
from client_sync.outbox import Outbox
from client_sync.stores import Folder
from pathlib import Path
outbox = Outbox.open(Folder(Path(sys.argv[1])))
print("begins", flush=True)
synced(outbox, ("127.0.0.1", int(sys.argv[2])))
"""


@pytest.mark.ci
def test_a_device_killed_again_and_again_goes_on_where_the_hub_is(
    outbox: Outbox, folder: Folder, tmp_path: Path, hub: Hub
) -> None:
    taken = written(outbox, tmp_path, 1, **{f"photo{n}": photo_of(900 * KILOBYTES, n) for n in range(2)})
    size = sum(each.size for each in taken.values())
    with BadRoad(hub.address, rate_bytes_per_s=700_000) as road:
        for n in range(3):
            field = subprocess.Popen(
                [sys.executable, "-c", FIELD, str(folder.path), str(road.address[1])],
                cwd=ROOT, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert field.stdout is not None
            field.stdout.readline()
            waited = monotonic()
            while len(hub.requests) < 3 * (n + 1) and monotonic() - waited < 20:
                Event().wait(0.02)
            field.kill()
            field.wait()
            field.stdout.close()
        assert synced(outbox, road.address).is_whole
    assert_all_arrived(outbox, folder, hub)
    # Of each kill at most what both roads had under way goes again; most of it was never heard whole.
    assert size <= hub.bytes_heard <= size + 3 * AT_ONCE * CHUNK_MOST_BYTES


# What the hub says.


def test_an_upload_that_expired_begins_again(outbox: Outbox, folder: Folder, tmp_path: Path, hub: Hub) -> None:
    written(outbox, tmp_path, 1, photo=photo_of(200 * KILOBYTES))
    hub.wish("expired")
    assert synced(outbox, hub.address).is_whole
    assert [method for method, *_ in hub.requests].count("POST") == 2
    assert_all_arrived(outbox, folder, hub)


def test_a_file_that_the_hub_does_not_want_now_waits_without_an_end_of_the_session(
    outbox: Outbox, tmp_path: Path, hub: Hub
) -> None:
    written(outbox, tmp_path, 1, photo=photo_of(200 * KILOBYTES), voice=media.voice())
    hub.wish("file_unwanted", 1)
    report = synced(outbox, hub.address)
    assert (report.is_whole, report.files, outbox.files.pending().count) == (True, 1, 1)
    assert synced(outbox, hub.address).files == 1


@pytest.mark.parametrize("mood", ["checksum_differs", "file_busy"])
def test_a_chunk_that_was_not_taken_goes_again(
    outbox: Outbox, folder: Folder, tmp_path: Path, hub: Hub, mood: str
) -> None:
    written(outbox, tmp_path, 1, photo=photo_of(200 * KILOBYTES))
    hub.wish(mood, 3)
    assert synced(outbox, hub.address).is_whole
    assert_all_arrived(outbox, folder, hub)


def test_a_file_changed_on_its_way_goes_once_more_from_the_beginning(
    outbox: Outbox, folder: Folder, tmp_path: Path, hub: Hub
) -> None:
    [taken] = written(outbox, tmp_path, 1, photo=photo_of(100 * KILOBYTES)).values()
    outbox.files.note_needed([])
    # What the hub has of it is not what the device sent.
    (hub.folder / "parts" / taken.sha256).write_bytes(bytes(70 * KILOBYTES))
    assert synced(outbox, hub.address).is_whole
    assert_all_arrived(outbox, folder, hub)


def test_a_file_damaged_on_the_device_is_told_as_such_and_does_not_go_round_and_round(
    outbox: Outbox, folder: Folder, tmp_path: Path, hub: Hub
) -> None:
    [taken] = written(outbox, tmp_path, 1, photo=photo_of(100 * KILOBYTES)).values()
    stored = folder.files / taken.sha256
    stored.write_bytes(bytes(taken.size))
    assert synced(outbox, hub.address).is_whole
    [state] = outbox.files.of(record_id(1))
    assert (state.state, state.code, hub.blobs()) == ("refused", DAMAGED, {})
    assert hub.bytes_heard <= taken.size
    # The hub goes on asking for it, as it does whenever it hears of a complaint.
    before = len(hub.requests)
    outbox.finalise("complaint", complaint(), id=record_id(2))
    assert synced(outbox, hub.address).is_whole
    assert len(hub.requests) == before
    assert [state.code for state in outbox.files.of(record_id(1))] == [DAMAGED]


def test_a_file_gone_from_the_device_is_told_as_such_and_the_others_go(
    outbox: Outbox, folder: Folder, tmp_path: Path, hub: Hub
) -> None:
    taken = written(outbox, tmp_path, 1, photo=photo_of(100 * KILOBYTES), voice=media.voice())
    (folder.files / taken["photo"].sha256).unlink()
    assert synced(outbox, hub.address).is_whole
    assert {state.state: state.code for state in outbox.files.of(record_id(1))} == {"here": None, "refused": DAMAGED}
    assert list(hub.blobs()) == [taken["voice"].sha256]


def test_a_file_too_large_for_the_hub_is_refused_and_stays(outbox: Outbox, tmp_path: Path, hub: Hub) -> None:
    written(outbox, tmp_path, 1, photo=photo_of(100 * KILOBYTES))
    hub.wish("file_too_large", 5)
    assert synced(outbox, hub.address).is_whole
    assert [state.code for state in outbox.files.of(record_id(1))] == ["file_too_large"]


@pytest.mark.parametrize("mood", ["storage_full", "files_too_many"])
def test_a_full_hub_is_left_until_it_said(outbox: Outbox, folder: Folder, tmp_path: Path, hub: Hub, mood: str) -> None:
    written(outbox, tmp_path, 1, photo=photo_of(200 * KILOBYTES))
    hub.wish(mood, 2)
    report = synced(outbox, hub.address)
    assert (report.refused_code, report.retry_after_s, report.stored) == (mood, 300, 1)
    assert (outbox.record(record_id(1)).state, outbox.files.pending().count) == ("at_centre", 1)
    hub.wish(mood, 0)
    assert synced(outbox, hub.address).is_whole
    assert_all_arrived(outbox, folder, hub)


def test_a_device_that_is_no_longer_known_stops(outbox: Outbox, tmp_path: Path, hub: Hub) -> None:
    written(outbox, tmp_path, 1, photo=photo_of(200 * KILOBYTES))
    hub.wish("device_revoked", 5)
    report = synced(outbox, hub.address)
    assert (report.refused_code, report.is_whole, outbox.files.pending().count) == ("device_revoked", False, 1)


# Texts first.


def test_a_text_that_comes_while_files_go_goes_before_the_rest(
    outbox: Outbox, folder: Folder, tmp_path: Path, hub: Hub
) -> None:
    written(outbox, tmp_path, 1, **{f"photo{n}": photo_of(400 * KILOBYTES, n) for n in range(3)})
    # On a link that takes its time, what is sent until the device looks hangs on no processor.
    hub.wish("slow", 10)
    has_come = False

    def writes(step: Step) -> None:
        nonlocal has_come
        if step.name == "upload" and not has_come:
            has_come = True
            outbox.finalise("complaint", complaint(), id=record_id(2))

    report = synced(outbox, hub.address, progress=writes)
    assert (report.is_whole, report.stored, report.files) == (True, 2, 3)
    paths = [line.split()[1] for line in (hub.folder / "requests").read_text().splitlines()]
    second = [at for at, path in enumerate(paths) if path == "/api/v1/sync"][1]
    # What both roads had under way, and not a file more.
    assert second <= 8
    assert len(paths) - second > 8
    assert_all_arrived(outbox, folder, hub)


def test_progress_tells_how_much_is_left(outbox: Outbox, tmp_path: Path, hub: Hub) -> None:
    [taken] = written(outbox, tmp_path, 1, photo=photo_of(200 * KILOBYTES)).values()
    steps: list[Step] = []
    synced(outbox, hub.address, progress=steps.append)
    left = [step.bytes for step in steps if step.name == "upload"]
    assert left[0] == taken.size - CHUNK_FIRST_BYTES
    assert (left == sorted(left, reverse=True), left[-1]) == (True, 0)
