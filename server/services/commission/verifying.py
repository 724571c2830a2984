"""Verifying: which package a file is, and whether it is whole, by what was kept of it; no key is needed."""

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path, PurePosixPath
from typing import Final, Literal
from zipfile import BadZipFile, ZipFile

from server.domain.desk import Desk
from server.domain.errors import PackageRefused
from server.domain.packages import Number
from server.services.commission import minisign, serials
from server.services.commission.bags import MANIFEST, PUBLIC_KEY
from server.store import packages
from server.store.engine import Store
from server.store.packages import Package

# The file as it leaves, the ZIP in it as it was written, or one that somebody made anew of the same bag.
Form = Literal["file", "zip", "bag"]

_TAGS: Final = "tagmanifest-sha256.txt"
_SIGNATURE: Final = f"{MANIFEST}.minisig"
# Beside the payload there is nothing else in a bag of ours.
_AROUND: Final = frozenset({"bagit.txt", "bag-info.txt", MANIFEST, _SIGNATURE, PUBLIC_KEY})
# A manifest has a hundred bytes for each file: room for a dozen, and the copies of a hundred thousand pieces.
_LIST_MAX_BYTES: Final = 2**24
_PIECE_BYTES: Final = 2**20
# What `zipfile` says of a file that is no ZIP, is damaged, or is closed by a passphrase.
_UNREADABLE: Final = (BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError, ValueError, zlib.error)


@dataclass(frozen=True)
class Verified:
    """A file that is a package of this hub; `files` of its bag were read and are whole, 0 where it is sealed."""

    package: Package
    form: Form
    files: int


def verify(store: Store, desk: Desk, path: Path, signer: bytes) -> Verified:
    """Which package a file is: sealed, or the ZIP that somebody opened; `signer`: the seed that signs packages.

    Raises NotFound for whoever prepares no packages, and PackageRefused: `file_unknown` for what is no package of this
    hub, `file_altered` for what is called like one and is not what was sealed, `bag_altered` with the `name` of the
    first file of its bag that is missing or another, `bag_foreign` where there is one that was not in it.
    """
    serials.require(desk)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    package = _known(store, digest)
    if package is not None and package.file == digest:
        return Verified(package, "file", 0)
    try:
        with ZipFile(path) as archive:
            bag = _Bag.of(archive)
            package = _known(store, hashlib.sha256(bag.read(MANIFEST)).hexdigest())
            if package is None:
                raise _refused(store, bag.root or path.name)
            files = _check(bag, package, signer)
    except _UNREADABLE:
        raise _refused(store, path.name) from None
    return Verified(package, "zip" if package.zip == digest else "bag", files)


@dataclass(frozen=True)
class _Bag:
    """The files of a bag in a ZIP, each by its name in the bag; `root` is the folder that has it."""

    archive: ZipFile
    root: str
    names: Mapping[str, str]

    @classmethod
    def of(cls, archive: ZipFile) -> "_Bag":
        """Raises ValueError for a ZIP without one."""
        members = [each.filename for each in archive.infolist() if not each.is_dir()]
        [manifest] = (each for each in members if PurePosixPath(each).name == MANIFEST)
        start = len(manifest) - len(MANIFEST)
        # What is not within the folder, or there twice, is taken for a file that was not in the bag.
        names = {(each[start:] if each.startswith(manifest[:start]) else f"/{each}"): each for each in members}
        return cls(archive, manifest[:start].strip("/"), names)

    @property
    def is_plain(self) -> bool:
        """Whether no name is there twice."""
        return len(self.names) == sum(not each.is_dir() for each in self.archive.infolist())

    def read(self, name: str) -> bytes:
        """A short file. Raises ValueError for a long one."""
        member = self.archive.getinfo(self.names[name])
        if member.file_size > _LIST_MAX_BYTES:
            raise ValueError(name)
        return self.archive.read(member)

    def digest(self, name: str) -> str:
        """SHA-256 of a file, empty where there is none."""
        if name not in self.names:
            return ""
        made = hashlib.sha256()
        with self.archive.open(self.names[name]) as file:
            while piece := file.read(_PIECE_BYTES):
                made.update(piece)
        return made.hexdigest()


def _check(bag: _Bag, package: Package, signer: bytes) -> int:
    """Whether a bag with the manifest of a package is that package; gives how many files it has."""
    number, manifest = package.number.text, bag.read(MANIFEST)
    wanted = dict(_sums(manifest))
    if not bag.is_plain or bag.names.keys() - wanted.keys() - _AROUND - {_TAGS}:
        raise PackageRefused(fault="bag_foreign", number=number)
    try:
        around = dict(_sums(bag.read(_TAGS)))
    except _UNREADABLE:
        raise PackageRefused(fault="bag_altered", number=number, name=_TAGS) from None
    # The sums of these anybody can make again.
    comment = f"{number} {package.as_of.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    ours = {PUBLIC_KEY: minisign.public_file(signer), _SIGNATURE: minisign.signature(signer, manifest, comment)}
    wanted |= {name: around.get(name, "-") for name in _AROUND}
    wanted |= {name: hashlib.sha256(data).hexdigest() for name, data in ours.items()}
    for name, digest in sorted(wanted.items()):
        if _read_digest(bag, name) != digest:
            raise PackageRefused(fault="bag_altered", number=number, name=name)
    return len(wanted) + 1


def _read_digest(bag: _Bag, name: str) -> str:
    try:
        return bag.digest(name)
    except _UNREADABLE:
        return ""


def _sums(data: bytes) -> Iterator[tuple[str, str]]:
    """Names and digests as `sha256sum` writes them. Raises ValueError."""
    for line in data.decode().splitlines():
        digest, name = line.split("  ", 1)
        yield name, digest


def _known(store: Store, digest: str) -> Package | None:
    with store.read() as connection:
        return packages.of_digest(connection, digest)


def _refused(store: Store, name: str) -> PackageRefused:
    """What to say of a file that is none of ours: whether it is called like one that was sealed."""
    number = Number.read(name.partition(".")[0].removesuffix("-ouvert"))
    with store.read() as connection:
        package = None if number is None else packages.find(connection, number)
    if package is None or package.file is None:
        return PackageRefused(fault="file_unknown")
    return PackageRefused(fault="file_altered", number=package.number.text)
