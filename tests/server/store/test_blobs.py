"""Blobs: one contract, over a folder and over two S3 servers."""

import hashlib
import os
import secrets
import socket
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

from server.store.blobs import CHUNK_BYTES, BlobDiffers, BlobMissing, Blobs, FolderBlobs
from server.store.objects import ObjectBlobs

# A wheel brings the program of Go.
RCLONE = str(Path(sysconfig.get_path("scripts"), "rclone"))
KEYS = {"access_key_id": "an-id", "secret_access_key": "a-secret-of-some-length"}
# Longer than a chunk, so that a blob that ends at the border of one, or lacks its end, is seen.
SAID = bytes(range(256)) * (CHUNK_BYTES // 256) + b"the end"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _source(tmp_path: Path, data: bytes = SAID) -> Path:
    path = tmp_path / "source"
    path.write_bytes(data)
    return path


def _bucket(address: str, retry: dict[str, int] | None = None, *, name: str = "pieces") -> Blobs:
    """The bucket of a server."""
    options: dict[str, Any] = {"endpoint": address, "region": "us-east-1", "client_options": {"allow_http": True}}
    return ObjectBlobs(S3Store(name, virtual_hosted_style_request=False, retry_config=retry, **options, **KEYS))


def _moto() -> Iterator[Blobs]:
    """A new bucket at moto's server, which checks no secret; what it has outlives it in this process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address, name = f"http://{host}:{port}", f"pieces-{secrets.token_hex(4)}"
        keys = {"aws_access_key_id": KEYS["access_key_id"], "aws_secret_access_key": KEYS["secret_access_key"]}
        boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys).create_bucket(Bucket=name)
        yield _bucket(address, name=name)
    finally:
        server.stop()


def _rclone(folder: Path) -> Iterator[Blobs]:
    """A bucket at `rclone serve s3`, which checks signatures."""
    (folder / "pieces").mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    keys = f"{KEYS['access_key_id']},{KEYS['secret_access_key']}"
    command = [RCLONE, "serve", "s3", "--config", os.devnull, "--addr", place, "--auth-key", keys, str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as served:
        try:
            assert served.stderr is not None
            assert any("Starting s3 server" in line for line in served.stderr)
            yield _bucket(f"http://{place}")
        finally:
            served.terminate()


@pytest.fixture(params=["folder", pytest.param("moto", marks=pytest.mark.ci), "rclone"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blobs]:
    if request.param == "folder":
        yield FolderBlobs(tmp_path / "blobs")
    elif request.param == "moto":
        yield from _moto()
    else:
        yield from _rclone(tmp_path / "served")


def test_what_was_put_is_read_as_it_was(blobs: Blobs, tmp_path: Path) -> None:
    blobs.put(_sha256(SAID), _source(tmp_path))

    assert b"".join(blobs.read(_sha256(SAID))) == SAID
    assert blobs.size(_sha256(SAID)) == len(SAID)
    assert list(blobs.each()) == [_sha256(SAID)]


def test_source_is_left_where_it_was(blobs: Blobs, tmp_path: Path) -> None:
    source = _source(tmp_path)
    blobs.put(_sha256(SAID), source)

    assert source.read_bytes() == SAID


def test_no_bytes_are_a_blob(blobs: Blobs, tmp_path: Path) -> None:
    blobs.put(_sha256(b""), _source(tmp_path, b""))

    assert blobs.size(_sha256(b"")) == 0
    assert b"".join(blobs.read(_sha256(b""))) == b""


def test_put_twice_is_one_blob(blobs: Blobs, tmp_path: Path) -> None:
    for _ in range(2):
        blobs.put(_sha256(SAID), _source(tmp_path))

    assert list(blobs.each()) == [_sha256(SAID)]


@pytest.mark.parametrize("was_there", [False, True])
def test_other_bytes_than_the_hash_says_change_nothing(blobs: Blobs, tmp_path: Path, was_there: bool) -> None:
    if was_there:
        blobs.put(_sha256(SAID), _source(tmp_path))
    with pytest.raises(BlobDiffers):
        blobs.put(_sha256(SAID), _source(tmp_path, SAID[:-1] + b"!"))

    assert list(blobs.each()) == ([_sha256(SAID)] if was_there else [])
    assert blobs.size(_sha256(SAID)) == (len(SAID) if was_there else None)


def test_what_is_not_there_is_missing(blobs: Blobs) -> None:
    assert blobs.size(_sha256(b"never put")) is None
    with pytest.raises(BlobMissing):
        next(iter(blobs.read(_sha256(b"never put"))))


def test_deleted_alone_goes_and_may_be_deleted_again(blobs: Blobs, tmp_path: Path) -> None:
    blobs.put(_sha256(SAID), _source(tmp_path))
    blobs.put(_sha256(b"stays"), _source(tmp_path, b"stays"))
    for _ in range(2):
        blobs.delete(_sha256(SAID))

    assert blobs.size(_sha256(SAID)) is None
    assert list(blobs.each()) == [_sha256(b"stays")]


@pytest.mark.parametrize("name", ["../../etc/passwd", "ab" * 31, "AB" * 32, "ab" * 32 + "\n", ""])
def test_what_is_no_hash_is_no_name(blobs: Blobs, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="64"):
        blobs.put(name, _source(tmp_path))
    with pytest.raises(ValueError, match="64"):
        blobs.size(name)
    with pytest.raises(ValueError, match="64"):
        blobs.delete(name)


def test_folder_leaves_no_draft_of_what_it_refused(tmp_path: Path) -> None:
    with pytest.raises(BlobDiffers):
        FolderBlobs(tmp_path / "blobs").put(_sha256(SAID), _source(tmp_path, b"other"))

    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


def test_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    FolderBlobs(tmp_path / "blobs").put(_sha256(SAID), _source(tmp_path))

    assert {path.stat().st_mode & 0o077 for path in [tmp_path / "blobs", *(tmp_path / "blobs").rglob("*")]} == {0}


def test_folder_puts_file_and_every_name_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    root = tmp_path / "blobs"
    FolderBlobs(root).put(_sha256(SAID), _source(tmp_path))

    home = root / _sha256(SAID)[:2]
    assert {tmp_path, root, home} <= set(synced)
    assert [path for path in synced if path.parent == root / "drafts"] != []
    assert synced[-1] == home


def test_server_that_is_gone_is_a_fault_of_the_disk() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = _bucket(f"http://127.0.0.1:{free.getsockname()[1]}", {"max_retries": 0})
        for ask in (lambda: gone.size("a" * 64), lambda: gone.delete("a" * 64), lambda: list(gone.each())):
            with pytest.raises(OSError, match="Error"):
                ask()
        with pytest.raises(OSError, match="Error"):
            list(gone.read("a" * 64))
