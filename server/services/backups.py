"""Backups that are believed only once they were opened, and restores that devices notice.

A backup is one file, sealed by age to a key that is not on this machine: a manifest, a copy of the database
and the credential, which a passphrase or the recovery key opens. The files that devices sent lie beside the backups,
each once, as they came: sealed by keys that are in the database, sealed in their turn.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import pyrage

from server.domain.errors import BackupUnusable
from server.domain.permission import OPERATOR
from server.domain.retention import backups_before, gone_at
from server.durable import sync_folder
from server.store import (
    audit,
    backups,
    changes,
    depot,
    devices,
    erasure_list,
    erasures,
    migrations,
    packages,
    reconciling,
    registry,
    state,
)
from server.store.backups import SERVER_COPY, SQLITE_COPY, Backup, Contents
from server.store.blobs import Blobs
from server.store.depot import Depot
from server.store.engine import Store, open_store
from server.store.erasure_list import ErasureList
from server.store.erasures import Erased

MANIFEST: Final = "manifest.json"
CREDENTIAL: Final = "hub.credential"
_MEMBERS: Final = (MANIFEST, CREDENTIAL, SQLITE_COPY, SERVER_COPY)
# The erasure list is written every day: one that is older than its backup by more is not the last.
_LIST_AGE_MAX: Final = timedelta(days=2)
# More than any device was told between a backup and the next.
_LOST_CHANGES_MOST: Final = 100_000
# What may lie in a folder into which a hub is restored: the list of the one before, files that an attempt brought.
_LEFT: Final = frozenset({erasure_list.NAME, depot.BLOBS})
_WORK: Final = ".backup-"
_PART: Final = ".part"
_NAME: Final = re.compile(r"seere-([0-9]{8}T[0-9]{6}Z)-[0-9a-f]{8}\.age")


class Settings(Protocol):
    """What of the hub's settings a backup goes by."""

    @property
    def data(self) -> Path:
        """Folder of the hub."""

    @property
    def database(self) -> str:
        """Address of the database; empty for the file in the folder."""

    @property
    def credential(self) -> Path:
        """File with the hub's secrets, closed."""

    @property
    def backups(self) -> Path:
        """Folder of the backups."""

    @property
    def backup_keep_days(self) -> int:
        """Days after which a backup is deleted."""

    @property
    def backup_recipient(self) -> str:
        """Age recipient."""

    @property
    def backup_identity_file(self) -> Path | None:
        """Age identity for the rehearsal of a restore with each backup."""


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself."""

    hub: str
    epoch: str
    made_at: str
    sha256: str
    contents: Contents


@dataclass(frozen=True)
class LastNumber:
    """The last registry number that was printed."""

    prefix: str
    year: int
    number: int


@dataclass(frozen=True)
class Restored:
    """What a restore brought back, and how many printed numbers it had to give up.

    `erased_again` counts complaints that the backup still had; None where no erasure list was found. What was erased
    after `list_written_at`, when the newest of the lists was written, is on none of them. `is_list_older`: they end
    before the backup, and so can't know what was erased since. `series`: of packages, that wait for somebody to say
    which was the last. `files` came back; `files_lost` had no sound copy, and are awaited from their devices.
    """

    manifest: Manifest
    epoch: str
    lost_numbers: int
    erased_again: int | None
    list_written_at: datetime | None
    is_list_older: bool
    series: int
    files: int
    files_lost: int


@dataclass(frozen=True)
class _Start:
    """How the hub that comes out of a restore begins; `erased` is empty where no erasure list was found."""

    epoch: str
    last: LastNumber | None
    now: datetime
    gone_at: datetime
    erased: list[ErasureList]
    copies: Blobs
    blobs: Blobs


def make(
    store: Store,
    settings: Settings,
    hub: str,
    key: bytes,
    now: datetime,
    kept: Depot,
    *,
    is_clock_right: bool = True,
) -> Backup:
    """Copy, verify, seal, and only then tell devices what is safe; gives the backup.

    `key` is that of the SQLite file, 32 bytes: the copy is believed once it was opened with it. Old backups go, unless
    the clock that says how old they are is doubted. Raises BackupUnusable, and leaves no file under a backup's name,
    when any of it fails.
    """
    recipient = _recipient(settings.backup_recipient)
    settings.backups.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(settings), _work_folder(settings.data) as work:
        before = _contents(store)
        copied = backups.copy(store.engine, work)
        lost = _copy_files(store, kept, settings.backups, work, now)
        manifest = _verified(copied, key, hub, _epoch(store), now, before)
        (work / MANIFEST).write_text(json.dumps(asdict(manifest), sort_keys=True))
        shutil.copyfile(settings.credential, work / CREDENTIAL)
        name = f"seere-{now:%Y%m%dT%H%M%SZ}-{manifest.epoch}.age"
        part = settings.backups / (name + _PART)
        try:
            _seal(work, part, recipient)
            if settings.backup_identity_file is not None:
                _rehearse(part, settings.backup_identity_file, key, work, manifest)
            made = _finished(part, settings.backups / name, manifest, now)
        finally:
            part.unlink(missing_ok=True)
        before_that = backups_before(now, settings.backup_keep_days)
        dropped = _drop_old(settings.backups, before_that) if is_clock_right else 0
    _note(store, made, manifest, dropped, lost, now)
    return made


def restore(
    archive: Path,
    identity_file: Path,
    settings: Settings,
    key_of: Callable[[Path], bytes],
    *,
    epoch: str,
    last: LastNumber | None,
    now: datetime,
    blobs: Blobs,
    listed_in: Path | None = None,
) -> Restored:
    """Bring a backup back into an empty folder or database, under a new epoch.

    `key_of` opens the credential of the backup, which it may close anew where it lies, and gives the key of the
    SQLite file, 32 bytes; what it raises ends the restore. Registry numbers up to `last` that the backup does not
    know are declared lost; files come back from beside the archive to `blobs`. What the erasure list names is erased
    again: the list `listed_in`, else those beside the data, the backups and the archive. Raises BackupUnusable or
    ErasureListUnreadable, with nothing changed, when the target is not empty or something can't be opened.
    """
    _refuse_unless_empty(settings)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _work_folder(settings.data) as work:
        _unseal(archive, _identity(identity_file), work)
        key = _key_in(work, key_of)
        manifest = _read_all(work, key)
        if (work / SERVER_COPY).exists() != bool(settings.database):
            raise BackupUnusable(fault="wrong_engine")
        erased = _erased(listed_in, archive, settings, key)
        copies = reconciling.copies_in(archive.parent)
        start = _Start(epoch, last, now, gone_at(now, settings.backup_keep_days), erased, copies, blobs)
        if settings.database:
            _load(work, settings, epoch)
            return _begin(open_store(settings.database, None), start, manifest, work)
        restored = _begin(open_store(f"sqlite:///{work / SQLITE_COPY}", key), start, manifest, work)
        _put_in_place(work / CREDENTIAL, settings.credential)
        # Last: a folder with this file in it is a hub, and this one has its new epoch.
        _put_in_place(work / SQLITE_COPY, settings.data / SQLITE_COPY)
    return restored


def new_identity(path: Path) -> str:
    """Write a new age identity to a file that is not there yet; gives its recipient. Raises FileExistsError."""
    identity = pyrage.x25519.Identity.generate()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"# public key: {identity.to_public()}\n{identity}\n")
    return str(identity.to_public())


def _verified(copied: Path, key: bytes, hub: str, epoch: str, now: datetime, before: Contents) -> Manifest:
    contents = backups.inspect(copied, key)
    is_short = (
        # What is erased meanwhile leaves one place and enters the other.
        contents.complaints + contents.erased < before.complaints + before.erased
        or contents.received + contents.erased < before.received + before.erased
        or any(contents.positions.get(id, -1) < position for id, position in before.positions.items())
    )
    if is_short:
        raise BackupUnusable(fault="short")
    made_at = now.astimezone(UTC).isoformat()
    return Manifest(hub, epoch, made_at, _sha256(copied), contents)


def _contents(store: Store) -> Contents:
    with store.read() as connection:
        return backups.contents(connection)


def _epoch(store: Store) -> str:
    with store.read() as connection:
        return state.get(connection, "epoch") or ""


def _rehearse(part: Path, identity_file: Path, key: bytes, work: Path, manifest: Manifest) -> None:
    """Open the sealed file as a restore would."""
    with _work_folder(work) as folder:
        _unseal(part, _identity(identity_file), folder)
        if _read_all(folder, key) != manifest:
            raise BackupUnusable(fault="damaged", detail=MANIFEST)


def _key_in(folder: Path, key_of: Callable[[Path], bytes]) -> bytes:
    if not (folder / CREDENTIAL).exists():
        raise BackupUnusable(fault="not_a_backup")
    return key_of(folder / CREDENTIAL)


def _read_all(folder: Path, key: bytes) -> Manifest:
    """Read all of a backup that was unpacked; raises BackupUnusable unless it is what it says."""
    try:
        members = json.loads((folder / MANIFEST).read_text())
        manifest = Manifest(**members | {"contents": Contents(**members["contents"])})
    except (OSError, ValueError, TypeError, KeyError):
        raise BackupUnusable(fault="not_a_backup") from None
    copied = next((folder / name for name in (SQLITE_COPY, SERVER_COPY) if (folder / name).exists()), None)
    if copied is None or _sha256(copied) != manifest.sha256:
        raise BackupUnusable(fault="damaged", detail=MANIFEST)
    if backups.inspect(copied, key) != manifest.contents:
        raise BackupUnusable(fault="damaged", detail=copied.name)
    return manifest


def _seal(work: Path, part: Path, recipient: Any) -> None:
    """The files of the folder as one sealed file, on disk when this returns."""
    read_end, write_end = os.pipe()
    try:
        with ThreadPoolExecutor(1) as pool, open(part, "wb", opener=_private) as out:
            with os.fdopen(read_end, "rb") as source:
                packing = pool.submit(_pack, work, write_end)
                pyrage.encrypt_io(source, out, [recipient])
            packing.result()
            out.flush()
            os.fsync(out.fileno())
    except (OSError, pyrage.EncryptError) as error:
        raise BackupUnusable(fault="write_failed", file=part.name) from error


def _private(path: str, flags: int) -> int:
    """An opener whose new files are for their owner alone."""
    return os.open(path, flags, 0o600)


def _pack(work: Path, write_end: int) -> None:
    with os.fdopen(write_end, "wb") as sink, tarfile.open(fileobj=sink, mode="w|") as tar:
        for name in _MEMBERS:
            if (work / name).exists():
                tar.add(work / name, arcname=name)


def _unseal(archive: Path, identity: Any, folder: Path) -> None:
    read_end, write_end = os.pipe()
    try:
        with ThreadPoolExecutor(1) as pool, archive.open("rb") as sealed:
            opening = pool.submit(_decrypt, sealed, write_end, identity)
            with os.fdopen(read_end, "rb") as source:
                _unpack(source, folder)
            # Only now is it known that the last block was whole and genuine.
            opening.result()
    except (OSError, tarfile.TarError, pyrage.DecryptError) as error:
        raise BackupUnusable(fault="not_opened", file=archive.name) from error


def _decrypt(sealed: BinaryIO, write_end: int, identity: Any) -> None:
    with os.fdopen(write_end, "wb") as sink:
        pyrage.decrypt_io(sealed, sink, [identity])


def _unpack(source: BinaryIO, folder: Path) -> None:
    with tarfile.open(fileobj=source, mode="r|") as tar:
        for member in tar:
            if member.name in _MEMBERS and member.isfile():
                tar.extract(member, folder, filter="data")
    while source.read(2**16):
        pass


def _finished(part: Path, path: Path, manifest: Manifest, now: datetime) -> Backup:
    sha256, size = _sha256(part), part.stat().st_size
    part.rename(path)
    sync_folder(path.parent)
    return Backup(path.name, sha256, size, manifest.contents.complaints, now, now)


def _drop_old(folder: Path, before: datetime) -> int:
    """Delete the backups made before that moment: what was erased since must go from them too. Gives how many."""
    old = [path for path in folder.iterdir() if (made_at := _made_at(path)) is not None and made_at < before]
    for path in old:
        path.unlink()
    sync_folder(folder)
    return len(old)


def _made_at(path: Path) -> datetime | None:
    """When a backup was made, by its name; None for any other file."""
    named = _NAME.fullmatch(path.name)
    return None if named is None else datetime.strptime(named[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _copy_files(store: Store, kept: Depot, folder: Path, work: Path, now: datetime) -> int:
    """Bring the files that came since beside the backups, and those gone away from there; gives how many are lost."""
    copies = reconciling.copies_in(folder)
    reconciling.remove_unkept(store, kept, copies)
    try:
        copied = reconciling.copy_all(store, kept.blobs, copies, work)
    except OSError as error:
        raise BackupUnusable(fault="write_failed", file=reconciling.COPIES) from error
    reconciling.lose(store, kept.blobs, copied.lost, OPERATOR.signature, now)
    return len(copied.lost)


def _note(store: Store, made: Backup, manifest: Manifest, dropped: int, lost: int, now: datetime) -> None:
    with store.write() as connection:
        backups.record(connection, made)
        devices.set_backed_up(connection, manifest.contents.positions)
        details = {"bytes": made.bytes, "complaints": made.complaints, "dropped": dropped, "sha256": made.sha256}
        details |= {"files": manifest.contents.files, "files_lost": lost}
        audit.record(
            connection, at=now, actor=OPERATOR.signature, action="backup", object=f"file:{made.file}", details=details
        )


def _erased(named: Path | None, archive: Path, settings: Settings, key: bytes) -> list[ErasureList]:
    """The erasure lists that there are."""
    beside = {folder / erasure_list.NAME for folder in (settings.data, settings.backups, archive.parent)}
    lists = [path for path in beside if path.exists()] if named is None else [named]
    return [erasure_list.read(path, key) for path in lists]


def _begin(store: Store, start: _Start, manifest: Manifest, work: Path) -> Restored:
    """Start the new epoch, erase again, give up the numbers that were printed, or told to devices, and are not here,
    and bring the files back."""
    try:
        migrations.upgrade(store)
        with store.write() as connection:
            state.keep(connection, "epoch", start.epoch)
            changes.skip(connection, _LOST_CHANGES_MOST)
            erased = [each for known in start.erased for each in known.erased]
            is_older = _is_older(start.erased, erasures.listed(connection), manifest)
            again = erasures.again(connection, erased, start.gone_at) if start.erased else None
            written_at = max((known.written_at for known in start.erased), default=None)
            details = {
                "epoch": start.epoch,
                "erased_again": again or 0,
                "erasure_list": None if written_at is None else written_at.isoformat(),
                "from_epoch": manifest.epoch,
                "made_at": manifest.made_at,
            }
            audit.record(
                connection, at=start.now, actor=OPERATOR.signature, action="restore", object="hub", details=details
            )
            series = packages.mark_restored(connection)
            last = start.last
            lost = 0 if last is None else registry.declare_lost(connection, last.prefix, last.year, last.number)
        files = reconciling.bring_back(store, start.copies, start.blobs, work)
        return Restored(manifest, start.epoch, lost, again, written_at, is_older, series, files.sound, len(files.lost))
    finally:
        store.close()


def _is_older(lists: Sequence[ErasureList], in_backup: Sequence[Erased], manifest: Manifest) -> bool:
    """Whether the lists lack what the backup itself knows, or were written days before it; one is written every day."""
    if not lists:
        return False
    on_lists = {(each.lineage, each.client_id, each.hash) for known in lists for each in known.erased}
    lacks = any((each.lineage, each.client_id, each.hash) not in on_lists for each in in_backup)
    newest = max(known.written_at for known in lists)
    return lacks or newest < datetime.fromisoformat(manifest.made_at) - _LIST_AGE_MAX


def _load(work: Path, settings: Settings, epoch: str) -> None:
    """Fill the database from the dump. The credential goes first: data without one would be lost."""
    _put_in_place(work / CREDENTIAL, settings.credential)
    try:
        backups.load(settings.database, work / SERVER_COPY, epoch)
    except BackupUnusable:
        settings.credential.unlink()
        raise


def _refuse_unless_empty(settings: Settings) -> None:
    if settings.credential.exists():
        raise BackupUnusable(fault="credential_there", file=settings.credential)
    if settings.database:
        store = open_store(settings.database, None)
        try:
            if migrations.current(store) is not None:
                raise BackupUnusable(fault="database_not_empty")
        finally:
            store.close()
        return
    found = list(settings.data.iterdir()) if settings.data.exists() else []
    if [path for path in found if not path.name.startswith(_WORK) and path.name not in _LEFT]:
        raise BackupUnusable(fault="folder_not_empty", folder=settings.data)


def _put_in_place(path: Path, target: Path) -> None:
    """The file under its name at once, whole and on disk, for its owner alone."""
    # The credential may have its place on another disk, where a rename does not reach.
    draft = Path(shutil.move(path, target.with_name(target.name + _PART)))
    draft.chmod(0o600)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.rename(target)
    sync_folder(target.parent)


def _recipient(text: str) -> Any:
    if not text:
        raise BackupUnusable(fault="recipient_missing")
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise BackupUnusable(fault="recipient_invalid") from None


def _identity(path: Path) -> Any:
    try:
        lines = path.read_text().splitlines()
        secret = next(line for line in lines if line.startswith("AGE-SECRET-KEY-"))
        return pyrage.x25519.Identity.from_str(secret.strip())
    except (OSError, UnicodeDecodeError, StopIteration, pyrage.IdentityError):
        raise BackupUnusable(fault="identity_invalid", file=path) from None


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One backup at a time; what an interrupted one left is removed."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (settings.data / "backup.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupUnusable(fault="runs_already") from None
        for left in settings.backups.glob(f"*{_PART}"):
            left.unlink()
        for folder in settings.data.glob(f"{_WORK}*"):
            shutil.rmtree(folder)
        yield


@contextmanager
def _work_folder(parent: Path) -> Iterator[Path]:
    """A private folder, removed at the end unless it was given another name."""
    folder = Path(tempfile.mkdtemp(prefix=_WORK, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
