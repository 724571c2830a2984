"""The search finds what is there, however it is written and packed; a locked device has none of it."""

import base64
import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import zstandard

from client_sync.errors import WrongPassphrase
from client_sync.protocol.coding import deflater
from client_sync.stores import Folder
from client_sync.tries import FREE_TRIES
from client_sync.vault import Vault
from tests.benchmarks.canaries import Canary, Hit, opened_device, plant, search
from tests.client_sync.builders import NOW, SOFT, WORDS, answer, complaint, enrolled_outbox, record_id

CANARY = Canary("name", "Dɛfagoto Kilosɔna")
WRITTEN = CANARY.text.encode()


def packed_tar(data: bytes) -> bytes:
    """A tar of one file, packed by gzip."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("member")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def wire(data: bytes) -> bytes:
    """A body as a device sends it."""
    stream = deflater("zstd")
    return stream.add(data) + stream.finish()


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("plain", WRITTEN),
        ("lower", CANARY.text.lower().encode()),
        ("joined", b"DefagotoKilosona".replace(b"Def", "Dɛf".encode()).replace(b"sona", "sɔna".encode())),
        ("json", json.dumps(CANARY.text).encode()),
        ("utf-16-le", CANARY.text.encode("utf-16")),
        ("utf-16-be", CANARY.text.encode("utf-16-be")),
        ("hex", WRITTEN.hex().encode()),
        ("base64+0", base64.b64encode(WRITTEN)),
        ("base64+1", base64.b64encode(b"x" + WRITTEN + b"and more")),
        ("base64+2", base64.urlsafe_b64encode(b"xy" + WRITTEN)),
    ],
)
def test_a_canary_is_found_in_each_form(tmp_path: Path, form: str, data: bytes) -> None:
    (tmp_path / "image").write_bytes(b"\x00before" + data + b"after\x00")
    assert search(tmp_path, [CANARY]) == [Hit("image", CANARY, form, ())]


@pytest.mark.parametrize(
    ("pack", "packed"),
    [
        (gzip.compress, ("gzip",)),
        (zlib.compress, ("zlib",)),
        (zstandard.ZstdCompressor().compress, ("zstd",)),
        (wire, ("zstd of the wire",)),
        (packed_tar, ("gzip",)),
        (lambda data: gzip.compress(b"x" + zlib.compress(data)), ("gzip", "zlib")),
    ],
    ids=["gzip", "zlib", "zstd", "wire", "tar.gz", "nested"],
)
def test_a_canary_is_found_in_what_is_packed_in_the_middle_of_a_file(
    tmp_path: Path, pack: Callable[[bytes], bytes], packed: tuple[str, ...]
) -> None:
    other = Random(1).randbytes(500)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "image").write_bytes(other + pack(other + WRITTEN + other) + other)
    assert Hit("deep/image", CANARY, "plain", packed) in search(tmp_path, [CANARY])


def test_a_canary_in_a_file_name_is_found(tmp_path: Path) -> None:
    (tmp_path / f"{CANARY.text}.pdf").write_bytes(b"")
    assert [hit.form for hit in search(tmp_path, [CANARY])] == ["file name, plain"]


def test_planted_canaries_differ_and_stand_nowhere_by_chance(tmp_path: Path) -> None:
    planted = plant(500, Random(3))
    assert len({canary.text for canary in planted}) == 500
    assert {canary.kind for canary in planted} == {"name", "phone", "village"}
    (tmp_path / "noise").write_bytes(Random(4).randbytes(2**20))
    (tmp_path / "hex").write_bytes(Random(5).randbytes(2**18).hex().encode())
    assert search(tmp_path, planted) == []
    (tmp_path / "one").write_bytes(f"… {planted[499].text} …".encode())
    assert [hit.canary for hit in search(tmp_path, planted)] == [planted[499]]


def locked_device(folder: Folder, canaries: list[Canary]) -> Folder:
    """A device in the middle of its work, locked: drafts, replies and statuses came, wrong words were typed."""
    texts = iter(canary.text for canary in canaries)
    vault = Vault.create(folder, WORDS, SOFT)
    outbox = enrolled_outbox(folder)
    for number in range(1, len(canaries) // 5):
        outbox.finalise("complaint", sealed_story(next(texts), next(texts)), id=record_id(number))
        vault.save_draft(str(number), {"narrative": next(texts), "place_said": next(texts)})
        change = {"n": number, "id": record_id(number)[:8], "kind": "reply", "text": next(texts), "status": "answered"}
        outbox.apply(answer(changes=[change], cursor=f"c{number}"), NOW)
    vault.drop_draft("1")
    # As after a power cut: the log beside each file is still there.
    outbox.received.replies(record_id(1), vault)
    for _ in range(FREE_TRIES - 1):
        with pytest.raises(WrongPassphrase):
            Vault.open(folder, "un deux trois quatre")
    return folder


def sealed_story(name: str, place: str) -> dict[str, object]:
    """A complaint with what is always sealed."""
    return complaint() | {
        "identity": {"clear": {"persons": [{"no": 1, "name": name}]}},
        "traces": {"clear": {"said": place}},
    }


def test_a_locked_device_shows_no_canary_also_with_the_keys_that_lie_in_it(tmp_path: Path) -> None:
    canaries = plant(500, Random(6))
    folder = locked_device(Folder(tmp_path / "device"), canaries)
    opened_device(folder, tmp_path / "opened")
    assert (tmp_path / "opened" / "reply.rows").stat().st_size > 0
    assert search(tmp_path, canaries) == []


def test_what_expired_is_in_no_page_of_the_file_any_more(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "device")
    Vault.create(folder, WORDS, SOFT).close()
    outbox = enrolled_outbox(folder)
    outbox.finalise("complaint", complaint(), id=record_id(1))
    status = Canary("name", "status of a canary")
    change = {"n": 1, "id": record_id(1)[:8], "kind": "status", "status": status.text}
    outbox.apply(answer(changes=[change], cursor="c1"), NOW)
    opened_device(folder, tmp_path / "before")
    assert search(tmp_path / "before", [status]) != []
    outbox.received.forget()
    assert folder.transport.with_name("transport.db-wal").stat().st_size == 0
    opened_device(folder, tmp_path / "after")
    assert search(tmp_path / "after", [status]) == []
    outbox.close()
