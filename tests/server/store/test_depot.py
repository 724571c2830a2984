"""The depot: the folder of the hub, or the bucket that a setting names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.domain.errors import BlobsUnusable
from server.domain.evidence import Limits
from server.store.blobs import FolderBlobs
from server.store.depot import Depot, open_depot
from tests.server.store.test_blobs import KEYS, SAID, _rclone, _sha256, _source

LIMITS = Limits(file=1, complaint=1, device_parts=1, parts=1, spared=1)


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a server of S3 that checks what is signed, whose keys are where every client of S3 looks for them."""
    for name, value in KEYS.items():
        monkeypatch.setenv(f"AWS_{name.upper()}", value)
    for blobs in _rclone(tmp_path / "served"):
        yield str(blobs._store.config["endpoint"])  # type: ignore[attr-defined]


def _opened(tmp_path: Path, address: str) -> Depot:
    return open_depot(tmp_path, address, LIMITS)


def test_without_an_address_files_lie_in_the_folder_of_the_hub(tmp_path: Path) -> None:
    depot = _opened(tmp_path, "")
    depot.blobs.put(_sha256(SAID), _source(tmp_path))
    assert isinstance(depot.blobs, FolderBlobs)
    assert (tmp_path / "blobs" / _sha256(SAID)[:2] / _sha256(SAID)[2:]).read_bytes() == SAID
    assert depot.free_bytes() > 0


def test_address_of_a_bucket_leads_into_it(tmp_path: Path, address: str) -> None:
    depot = _opened(tmp_path, f"s3://pieces/gao?endpoint={address}&region=eu")
    depot.blobs.put(_sha256(SAID), _source(tmp_path))
    assert b"".join(depot.blobs.read(_sha256(SAID))) == SAID
    assert list(depot.blobs.each()) == [_sha256(SAID)]
    assert list(_opened(tmp_path, f"s3://pieces/mopti?endpoint={address}&region=eu").blobs.each()) == []


@pytest.mark.parametrize("address", ["s3://", "s3:///gao", "s3://pieces?secret=x"])
def test_address_that_cannot_be_read_says_so(tmp_path: Path, address: str) -> None:
    with pytest.raises(BlobsUnusable) as refused:
        _opened(tmp_path, address)
    assert refused.value.values["fault"] == "address"
