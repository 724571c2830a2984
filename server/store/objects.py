"""Blobs in a bucket of an S3 server, by obstore (extra `objects`)."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from server.store.blobs import BlobMissing, check_hash, checked_hash


class ObjectBlobs:
    """Blobs as objects `ab/cdef…` of a bucket, or of the prefix that its store has.

    The server answers a put when the object is kept, and shows none of it before.
    """

    def __init__(self, store: S3Store) -> None:
        self._store = store

    def put(self, sha256: str, source: Path) -> None:
        """As `Blobs` promises."""
        name = _name(sha256)
        check_hash(sha256, source)
        if self.size(sha256) != source.stat().st_size:
            try:
                with _faults():
                    obstore.put(self._store, name, source)
            except FileNotFoundError as error:
                raise OSError(errno.EREMOTEIO, "no such bucket") from error

    def read(self, sha256: str) -> Iterator[bytes]:
        """As `Blobs` promises."""
        try:
            with _faults():
                for chunk in obstore.get(self._store, _name(sha256)).stream():
                    yield bytes(chunk)
        except FileNotFoundError:
            raise BlobMissing(sha256) from None

    def size(self, sha256: str) -> int | None:
        """As `Blobs` promises."""
        try:
            with _faults():
                size: int = obstore.head(self._store, _name(sha256))["size"]
        except FileNotFoundError:
            return None
        return size

    def delete(self, sha256: str) -> None:
        """As `Blobs` promises."""
        if self.size(sha256) is not None:
            with _faults():
                obstore.delete(self._store, _name(sha256))

    def each(self) -> Iterator[str]:
        """As `Blobs` promises."""
        with _faults():
            for page in obstore.list(self._store):
                for meta in page:
                    sha256 = meta["path"].replace("/", "")
                    try:
                        yield checked_hash(sha256)
                    except ValueError:
                        continue

    def clean(self, now: datetime) -> None:
        """As `Blobs` promises: the server drops what was not finished by rules of its own."""


@contextmanager
def _faults() -> Iterator[None]:
    """A server that does not answer, or refuses us, as a disk that fails."""
    try:
        yield
    except BaseError as error:
        raise OSError(errno.EREMOTEIO, type(error).__name__) from error


def _name(sha256: str) -> str:
    checked = checked_hash(sha256)
    return f"{checked[:2]}/{checked[2:]}"
