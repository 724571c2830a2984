"""The depot: where the bytes of files are, those that came and those on their way, and how much of them it takes."""

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from server.domain.errors import BlobsUnusable
from server.domain.evidence import Limits
from server.store.blobs import Blobs, FolderBlobs
from server.store.parts import Parts

BLOBS: Final = "blobs"
PARTS: Final = "parts"
_OPTIONS: Final = frozenset({"endpoint", "region"})
_PATIENCE: Final = timedelta(seconds=20)
# Of a whole request, its file included.
_LONGEST: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class Depot:
    """Whole files, and parts in `folder`."""

    blobs: Blobs
    parts: Parts
    limits: Limits
    folder: Path

    def free_bytes(self) -> int:
        """How much the disk of the parts has room for."""
        return shutil.disk_usage(self.folder).free


def open_depot(data: Path, address: str, limits: Limits) -> Depot:
    """The depot of the hub in a folder; `address` names a bucket, or is empty: then blobs are in the folder too.

    Raises BlobsUnusable.
    """
    blobs = _bucket(address) if address else FolderBlobs(data / BLOBS)
    return Depot(blobs, Parts(data / PARTS), limits, data)


def _bucket(address: str) -> Blobs:
    """`s3://bucket/prefix?endpoint=…&region=…`; its keys are in the environment, as every client of S3 has them."""
    parts = urlsplit(address)
    options = dict(parse_qsl(parts.query))
    if not parts.netloc or not options.keys() <= _OPTIONS:
        raise BlobsUnusable(fault="address")
    try:
        from obstore.store import S3Store

        from server.store.objects import ObjectBlobs
    except ImportError:
        raise BlobsUnusable(fault="extra") from None
    config: Any = options
    # Somebody on a thin link waits for the answer: they come again sooner than a server that is gone comes back.
    client: Any = {
        "allow_http": options.get("endpoint", "").startswith("http://"),
        "connect_timeout": _PATIENCE,
        "timeout": _LONGEST,
    }
    retry: Any = {"max_retries": 2, "retry_timeout": _PATIENCE}
    return ObjectBlobs(
        S3Store(
            parts.netloc, prefix=parts.path.strip("/") or None, config=config, client_options=client, retry_config=retry
        )
    )
