"""The door of files: what is wanted of whom, chunk by chunk, and everything that may come in between."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from client_sync.protocol.codes import CODES
from client_sync.protocol.uploads import CHUNK_TYPE, FILES_PATH, upload_id
from server.domain.evidence import Limits
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services import devices, retention
from server.services.evidence import receiving
from server.store.blobs import FolderBlobs
from server.store.evidence_tables import custody, piece, unkept
from server.store.schema import event
from tests.builders import Clock, Sender, add_person, an_id, complaint, content, enrolled, revision
from tests.server.conftest import Enrol

FILE = bytes(range(256)) * 400
SHA256 = hashlib.sha256(FILE).hexdigest()
OTHER = b"of another complaint" * 50
LIMITS = Limits(file=2**20, complaint=2**21, device_parts=2**21, parts=2**30, spared=1)


def declared(*files: bytes, kind: str = "photo") -> list[dict[str, Any]]:
    """Files as facts declare them."""
    return [
        {"sha256": hashlib.sha256(each).hexdigest(), "size": len(each), "kind": kind, "role": "evidence"}
        for each in files
    ]


def sum_of(data: bytes) -> str:
    return f"sha256 {b64encode(hashlib.sha256(data).digest()).decode()}"


class Uploader:
    """A device that speaks tus."""

    def __init__(self, device: Sender) -> None:
        self.device = device

    def ask(self, method: str, path: str, data: bytes = b"", **headers: str) -> TestResponse:
        """One request; `headers` by their names with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        token = {"Authorization": f"Bearer {self.device.token}", "Tus-Resumable": "1.0.0"}
        return self.device.app.test_client().open(path, method=method, data=data, headers=token | named)

    def begin(self, file: bytes = FILE, first: bytes | None = None, size: int | None = None) -> TestResponse:
        """A POST, with the first bytes where some are given."""
        sha256 = b64encode(hashlib.sha256(file).hexdigest().encode()).decode()
        headers = {"Upload_Length": str(len(file) if size is None else size), "Upload_Metadata": f"sha256 {sha256}"}
        if first is not None:
            headers["Content_Type"] = CHUNK_TYPE
        return self.ask("POST", FILES_PATH, first or b"", **headers)

    def add(self, offset: int, data: bytes, file: bytes = FILE, **headers: str) -> TestResponse:
        """A PATCH."""
        named = {"Content_Type": CHUNK_TYPE, "Upload_Offset": str(offset), "Upload_Checksum": sum_of(data)} | headers
        return self.ask("PATCH", self.path(file), data, **named)

    def stands(self, file: bytes = FILE) -> TestResponse:
        """A HEAD."""
        return self.ask("HEAD", self.path(file))

    def path(self, file: bytes = FILE) -> str:
        """The address of an upload."""
        return f"{FILES_PATH}/{upload_id(self.device.device, hashlib.sha256(file).hexdigest())}"

    def need(self) -> list[dict[str, Any]]:
        """What the hub says it wants."""
        need: list[dict[str, Any]] = self.device.send(files=True)["need"]
        return need

    def send(self, file: bytes = FILE) -> TestResponse:
        """All of a file in one request."""
        return self.begin(file, file)


@pytest.fixture
def uploader(device: Sender) -> Uploader:
    device.send(complaint(an_id(device.device), files=declared(FILE)))
    return Uploader(device)


@pytest.fixture
def limited(hub: Hub) -> Iterator[None]:
    """The hub with little room."""
    before = hub.depot
    object.__setattr__(hub, "depot", replace(before, limits=LIMITS))
    yield
    object.__setattr__(hub, "depot", before)


def offset(response: TestResponse) -> int:
    return int(response.headers["Upload-Offset"])


def code(response: TestResponse) -> str:
    assert response.mimetype == "application/problem+json"
    assert response.status_code == CODES[response.json["code"]].status
    return str(response.json["code"])


def kept(hub: Hub, file: bytes = FILE) -> bytes:
    return b"".join(hub.depot.blobs.read(hashlib.sha256(file).hexdigest()))


def states(device: Sender) -> list[str]:
    with device.hub.store.read() as connection:
        select = sa.select(piece.c.state).where(piece.c.device == device.device).order_by(piece.c.id)
        return list(connection.scalars(select))


def test_what_the_door_can_do_is_said_to_anybody(device: Sender) -> None:
    answer = device.app.test_client().options(FILES_PATH)
    assert answer.status_code == 204
    assert answer.headers["Tus-Resumable"] == answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Max-Size"] == str(25 * 2**20)
    extensions = "creation,creation-with-upload,checksum,expiration,termination"
    assert answer.headers["Tus-Extension"] == extensions


def test_a_file_arrives_in_chunks_and_its_device_hears_of_it(uploader: Uploader) -> None:
    assert uploader.need() == [{"sha256": SHA256, "offset": 0}]
    begun = uploader.begin(first=FILE[:1000])
    assert (begun.status_code, offset(begun), begun.headers["Location"]) == (201, 1000, uploader.path())
    assert uploader.need() == [{"sha256": SHA256, "offset": 1000}]
    assert offset(uploader.stands()) == 1000
    added = uploader.add(1000, FILE[1000:5000])
    assert (added.status_code, offset(added)) == (204, 5000)
    whole = uploader.add(5000, FILE[5000:])
    assert offset(whole) == len(FILE)
    assert "Upload-Expires" in added.headers
    assert "Upload-Expires" not in whole.headers
    assert kept(uploader.device.hub) == FILE
    assert uploader.need() == []
    [change] = [each for each in uploader.device.changes() if each["kind"] == "file"]
    own = an_id(an_id(uploader.device.device))[:8]
    assert change == {"id": own, "kind": "file", "n": 1, "sha256": SHA256, "state": "here"}
    assert uploader.device.hub.depot.parts.of_device(uploader.device.device) == []


def test_a_whole_file_says_so_when_it_is_asked_for_again(uploader: Uploader) -> None:
    uploader.send()
    asked, posted, patched = uploader.stands(), uploader.send(), uploader.add(len(FILE), b"")
    assert [offset(each) for each in (asked, posted, patched)] == [len(FILE)] * 3
    assert (asked.status_code, asked.headers["Upload-Length"]) == (200, str(len(FILE)))
    assert len([each for each in uploader.device.changes() if each["kind"] == "file"]) == 1


def test_the_same_beginning_again_is_the_same_upload(uploader: Uploader) -> None:
    assert offset(uploader.begin(first=FILE[:1000])) == 1000
    assert offset(uploader.begin(first=FILE[:1000])) == 1000
    # Whoever lost the answer to a longer one sends all of it once more: what is new of it counts.
    assert offset(uploader.begin(first=FILE[:3000])) == 3000
    assert offset(uploader.begin()) == 3000
    uploader.add(3000, FILE[3000:])
    assert kept(uploader.device.hub) == FILE


@pytest.mark.parametrize("at", [0, 999, 1001, 5000])
def test_bytes_for_another_place_change_nothing(uploader: Uploader, at: int) -> None:
    uploader.begin(first=FILE[:1000])
    assert code(uploader.add(at, FILE[at : at + 100])) == "offset_differs"
    assert offset(uploader.stands()) == 1000


def test_a_chunk_that_was_damaged_is_not_kept(uploader: Uploader) -> None:
    uploader.begin()
    assert code(uploader.add(0, FILE[:1000], Upload_Checksum=sum_of(b"other"))) == "checksum_differs"
    assert offset(uploader.stands()) == 0


def test_a_whole_that_was_not_declared_is_dropped_and_wanted_anew(device: Sender) -> None:
    file = device.device.encode() * 500
    device.send(complaint("a", files=declared(file)))
    uploader, wrong = Uploader(device), file[:-1] + b"?"
    uploader.begin(file, wrong[:2000])
    assert code(uploader.add(2000, wrong[2000:], file)) == "file_differs"
    assert uploader.need() == [{"sha256": declared(file)[0]["sha256"], "offset": 0}]
    assert device.hub.depot.blobs.size(declared(file)[0]["sha256"]) is None
    assert uploader.stands(file).status_code == 404
    uploader.send(file)
    assert kept(device.hub, file) == file


def test_nothing_is_said_of_what_another_device_sent(uploader: Uploader, enrol: Enrol) -> None:
    uploader.send()
    other = Uploader(enrol("Gao 2"))
    undeclared, never = other.send(), other.send(OTHER)
    assert code(undeclared) == code(never) == "file_unwanted"
    assert undeclared.data == never.data
    # Who declares it too sends it whole, as if nobody had it.
    other.device.send(complaint(an_id(other.device.device), files=declared(FILE)))
    assert other.need() == [{"sha256": SHA256, "offset": 0}]
    assert other.stands().status_code == 404
    assert offset(other.begin(first=FILE[:10])) == 10
    assert other.ask("HEAD", uploader.path()).status_code == 404


def test_two_complaints_with_one_file_are_asked_for_it_once(device: Sender) -> None:
    device.send(complaint("one", files=declared(FILE)), complaint("two", files=declared(FILE, FILE)))
    uploader = Uploader(device)
    assert uploader.need() == [{"sha256": SHA256, "offset": 0}]
    uploader.send()
    assert states(device) == ["here", "here"]
    assert len([each for each in device.changes() if each["kind"] == "file"]) == 2


def test_voices_come_before_pictures_and_the_small_before_the_large(device: Sender) -> None:
    large, small, voice = OTHER * 3, OTHER * 2, OTHER * 4
    device.send(
        complaint(an_id(device.device), files=[*declared(large, small), *declared(voice, kind="audio")]),
    )
    order = [hashlib.sha256(each).hexdigest() for each in (voice, small, large)]
    assert [each["sha256"] for each in Uploader(device).need()] == order


def test_need_comes_with_the_answer_to_a_complaint_without_being_asked_for(device: Sender) -> None:
    answer = device.send(complaint("a", files=declared(FILE)))
    assert answer["need"] == [{"sha256": SHA256, "offset": 0}]
    Uploader(device).send()
    assert "need" not in device.send(complaint("b"))
    assert "need" not in device.send()


@pytest.mark.usefixtures("limited")
def test_a_file_over_the_limit_is_refused_for_good_and_the_complaint_stands(device: Sender) -> None:
    large = b"x" * (LIMITS.file + 1)
    device.send(complaint("a", files=declared(large, OTHER)))
    uploader = Uploader(device)
    assert code(uploader.begin(large)) == "file_too_large"
    assert states(device) == ["refused", "awaited"]
    [change] = [each for each in device.changes() if each["kind"] == "file"]
    assert (change["state"], change["code"]) == ("refused", "file_too_large")
    assert [each["sha256"] for each in uploader.need()] == [declared(OTHER)[0]["sha256"]]
    assert code(uploader.begin(large)) == "file_too_large"


@pytest.mark.usefixtures("limited")
def test_a_complaint_over_its_limit_loses_the_files_that_come_last(device: Sender) -> None:
    files = [bytes([no]) * (LIMITS.file - 1) for no in range(3)]
    device.send(complaint("a", files=declared(*files)))
    uploader = Uploader(device)
    assert code(uploader.begin(files[2])) == "file_too_large"
    assert uploader.begin(files[0]).status_code == uploader.begin(files[1]).status_code == 201


@pytest.mark.usefixtures("limited")
def test_a_voice_goes_where_the_photos_are_too_many(device: Sender) -> None:
    photos = [bytes([no]) * (LIMITS.file - no) for no in range(3)]
    device.send(complaint("a", files=[*declared(*photos), *declared(OTHER, kind="audio")]))
    uploader = Uploader(device)
    assert uploader.send(OTHER).status_code == 201
    assert [uploader.begin(each).status_code for each in photos] == [413, 413, 201]


@pytest.mark.usefixtures("limited")
def test_a_device_has_only_so_much_under_way(device: Sender) -> None:
    files = [bytes([no]) * (LIMITS.file - 1) for no in range(4)]
    for no, file in enumerate(files):
        device.send(complaint(no, files=declared(file)))
    uploader = Uploader(device)
    # What was declared counts from the beginning on: otherwise all would begin, and then fill.
    assert uploader.begin(files[0]).status_code == uploader.begin(files[1]).status_code == 201
    assert code(uploader.begin(files[2])) == "files_too_many"
    uploader.add(0, files[0], files[0])
    assert uploader.begin(files[2]).status_code == 201


def test_a_device_begins_only_so_many_files(device: Sender) -> None:
    files = [b"%d" % no for no in range(101)]
    device.send(complaint("a", files=declared(*files[:60])), complaint("b", files=declared(*files[60:])))
    uploader = Uploader(device)
    assert {uploader.begin(each).status_code for each in files[:100]} == {201}
    assert code(uploader.begin(files[100])) == "files_too_many"
    uploader.add(0, files[0], files[0])
    assert uploader.begin(files[100]).status_code == 201


def test_a_colleague_who_adds_a_file_is_told_of_it(enrol: Enrol) -> None:
    first, second = enrol("Gao 1", team="gao"), enrol("Gao 2", team="gao")
    first.send(complaint("of the first"))
    changed = content(files=declared(FILE))["facts"]
    second.send(revision("r", "of the first", 1, lineage=first.lineage, facts=changed))
    uploader = Uploader(second)
    assert uploader.need() == [{"sha256": SHA256, "offset": 0}]
    uploader.send()
    told = [[each["kind"] for each in device.changes()].count("file") for device in (first, second)]
    assert told == [0, 1]


def test_files_leave_room_on_the_disk_for_texts(hub: Hub, uploader: Uploader) -> None:
    before = hub.depot
    uploader.begin(first=FILE[:10])
    object.__setattr__(hub, "depot", replace(before, limits=replace(LIMITS, spared=2**60)))
    try:
        assert code(uploader.add(10, FILE[10:20])) == "storage_full"
        assert uploader.device.send(complaint("still"))["frames"]
    finally:
        object.__setattr__(hub, "depot", before)
    assert offset(uploader.stands()) == 10


def test_another_size_than_declared_or_more_bytes_are_refused(uploader: Uploader) -> None:
    assert code(uploader.begin(size=len(FILE) + 1)) == "file_too_large"
    uploader.begin(first=FILE[:-1])
    assert code(uploader.add(len(FILE) - 1, b"??")) == "file_too_large"
    assert offset(uploader.stands()) == len(FILE) - 1


def test_what_was_dropped_begins_anew(uploader: Uploader) -> None:
    uploader.begin(first=FILE[:1000])
    assert uploader.ask("DELETE", uploader.path()).status_code == 204
    assert uploader.stands().status_code == 404
    assert uploader.need() == [{"sha256": SHA256, "offset": 0}]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Upload_Length": "x"}, "upload_invalid"),
        ({"Upload_Length": "-1"}, "upload_invalid"),
        ({"Upload_Metadata": ""}, "upload_invalid"),
        ({"Upload_Metadata": "sha256 ???"}, "upload_invalid"),
        ({"Upload_Metadata": f"sha256 {b64encode(b'../../etc/passwd').decode()}"}, "upload_invalid"),
        ({"Tus_Resumable": "0.2.2"}, "upload_version"),
    ],
)
def test_a_request_that_cannot_be_read_says_so(uploader: Uploader, headers: dict[str, str], expected: str) -> None:
    sha256 = b64encode(SHA256.encode()).decode()
    sound = {"Upload_Length": str(len(FILE)), "Upload_Metadata": f"name ZmlsZQ==, sha256 {sha256}"}
    assert code(uploader.ask("POST", FILES_PATH, **sound | headers)) == expected
    assert uploader.ask("POST", FILES_PATH, **sound).status_code == 201


@pytest.mark.parametrize("upload", ["..", "%2e%2e%2fhub.db", "0" * 31, "0" * 32, "Z" * 32, "a/b"])
def test_no_name_from_outside_becomes_a_path(uploader: Uploader, upload: str) -> None:
    for method in ("HEAD", "PATCH", "DELETE"):
        headers = {"Content_Type": CHUNK_TYPE, "Upload_Offset": "0"}
        assert uploader.ask(method, f"{FILES_PATH}/{upload}", b"x", **headers).status_code in (404, 405)


def test_a_stranger_and_a_revoked_device_send_nothing(uploader: Uploader) -> None:
    answer = uploader.device.app.test_client().head(uploader.path(), headers={"Tus-Resumable": "1.0.0"})
    assert answer.status_code == 403
    hub = uploader.device.hub
    uploader.begin(first=FILE[:10])
    devices.revoke(hub.store, uploader.device.device, hub.clock(), hub.identity.sign_key, reason="lost")
    assert code(uploader.add(10, FILE[10:20])) == "file_unwanted"


def test_parts_expire_and_what_nothing_awaits_goes(uploader: Uploader, clock: Clock) -> None:
    hub = uploader.device.hub
    uploader.begin(first=FILE[:1000])
    part = hub.depot.parts.of_device(uploader.device.device)[0]
    receiving.expire(hub.store, hub.depot, part.at + timedelta(days=29))
    assert offset(uploader.stands()) == 1000
    receiving.expire(hub.store, hub.depot, part.at + timedelta(days=31))
    assert uploader.stands().status_code == 404
    assert uploader.need() == [{"sha256": SHA256, "offset": 0}]


def test_what_was_whole_when_the_hub_was_killed_is_taken_in(uploader: Uploader) -> None:
    hub, upload = uploader.device.hub, upload_id(uploader.device.device, SHA256)
    uploader.begin()
    hub.depot.parts.append(uploader.device.device, upload, 0, FILE)
    assert uploader.need() == [{"sha256": SHA256, "offset": len(FILE)}]
    receiving.expire(hub.store, hub.depot, hub.clock())
    assert (uploader.need(), kept(hub)) == ([], FILE)


def test_a_revision_that_leaves_a_file_out_wants_it_no_more_and_keeps_what_came(device: Sender) -> None:
    device.send(complaint("a", files=declared(FILE, OTHER)))
    uploader = Uploader(device)
    uploader.send()
    uploader.begin(OTHER, OTHER[:10])
    third = OTHER + b"!"
    device.send(revision("r", "a", 1, facts=content(files=declared(third))["facts"]))
    assert [each["sha256"] for each in uploader.need()] == [declared(third)[0]["sha256"]]
    assert states(device) == ["here", "awaited"]
    assert code(uploader.add(10, OTHER[10:20], OTHER)) == "file_unwanted"
    with device.hub.store.read() as connection:
        assert connection.scalar(sa.select(unkept.c.sha256)) == declared(OTHER)[0]["sha256"]


def test_custody_and_the_log_say_when_it_came(uploader: Uploader) -> None:
    uploader.send()
    hub = uploader.device.hub
    with hub.store.read() as connection:
        [(act, by)] = connection.execute(
            sa.select(custody.c.act, custody.c.by).join(piece).where(piece.c.device == uploader.device.device)
        )
        logged = connection.scalars(sa.select(event.c.action).where(event.c.action == "piece_here")).all()
    assert (act, by) == ("received", f"device:{uploader.device.device}")
    assert logged


def test_what_is_erased_leaves_no_byte(own_hub: Hub) -> None:
    device = enrolled(own_hub, "Gao 1")
    device.send(complaint("a", files=declared(FILE, OTHER)))
    uploader = Uploader(device)
    uploader.send()
    uploader.begin(OTHER, OTHER[:10])
    keeping = retention.keeping(own_hub.settings, own_hub.secrets.database, own_hub.depot)
    number = "SRE-2026-000001"
    retention.erase(own_hub.store, own_hub.desk(add_person(own_hub, "Awa").actor), number, "asked", keeping)
    assert list(own_hub.depot.blobs.each()) == []
    assert list(own_hub.depot.parts.each()) == []
    assert uploader.need() == []


def test_erasure_that_cannot_remove_bytes_is_listed_and_done_later(
    own_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = enrolled(own_hub, "Gao 1")
    device.send(complaint("a", files=declared(FILE)))
    Uploader(device).send()
    keeping = retention.keeping(own_hub.settings, own_hub.secrets.database, own_hub.depot)

    def fail(*_: object) -> None:
        raise OSError(5, "the disk")

    with monkeypatch.context() as broken:
        broken.setattr(FolderBlobs, "delete", fail)
        desk = own_hub.desk(add_person(own_hub, "Awa").actor)
        retention.erase(own_hub.store, desk, "SRE-2026-000001", "asked", keeping)
    assert retention.lists_behind(own_hub.store, keeping) == []
    assert list(own_hub.depot.blobs.each()) == [SHA256]
    receiving.repair(
        own_hub.store, own_hub.depot, own_hub.settings.backups, OPERATOR.signature, own_hub.clock(), is_deep=False
    )
    assert list(own_hub.depot.blobs.each()) == []
