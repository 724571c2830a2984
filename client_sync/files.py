"""Files of complaints on the device: sealed as they are taken in, kept until the hub has them for good (PROTOCOL §9).

Of a file there is never anything in clear here. Its key lies in the draft, behind the passphrase, then in the sealed
traces of its complaint; the transport store only knows what is to be sent.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from errno import EDQUOT, ENOSPC, errorcode
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO, Final

from sqlite_utils import Database

from client_sync.answers import CODE_MOST_CHARS, Needed, shown
from client_sync.complaint import Attachment
from client_sync.errors import ContentRefused, FileRefused, StoreFailed, StoreFull
from client_sync.file_seal import Altered, Description, new_file_key, seal_file, sealed_size
from client_sync.protocol.frames import to_text
from client_sync.protocol.keyring import FileLimits
from client_sync.protocol.limits import COMPLAINT_FILES_MAX
from client_sync.protocol.media import Media, NotTaken, recognise
from client_sync.protocol.uploads import DAMAGED, turn
from client_sync.stores import Folder, sync_folder, writing

KIND: Final = "file"
HERE: Final = "here"
REFUSED: Final = "refused"
_DRAFT: Final = "draft"
_WAITING: Final = "waiting"
_STATES_TOLD: Final = frozenset({HERE, REFUSED})
_ROLES: Final[Mapping[str, str]] = {"audio": "testimony"}
_OTHER_ROLE: Final = "evidence"
_READ_BYTES: Final = 2**20
_MEGABYTE: Final = 2**20
_UNFINISHED: Final = ".new"
# A file taken in for a draft that nobody saved: by then whoever took it in has saved theirs.
_UNSAVED_FOR: Final = timedelta(days=1)


@dataclass(frozen=True)
class Pending:
    """Files that the hub does not have, and how many bytes of them it lacks."""

    count: int
    bytes: int


@dataclass(frozen=True)
class FileState:
    """What is said of a file: `draft`, `waiting`, `here` (at the hub) or `refused` with its code. Sizes are of what is
    sent, `arrived` bytes of which the hub had when it was last heard of."""

    sha256: str
    size: int
    kind: str
    state: str
    code: str | None
    arrived: int


@dataclass(frozen=True)
class Wanted:
    """A file that the hub wants and that is here, from byte `offset` on."""

    sha256: str
    size: int
    offset: int
    path: Path


@dataclass(frozen=True)
class Packed:
    """What goes into a parcel of a file: `size` bytes from byte `offset` on."""

    sha256: str
    offset: int
    size: int
    path: Path


class Files:
    """The sealed files of a device, in its folder and its open transport store."""

    def __init__(self, folder: Folder, database: Database) -> None:
        self._folder = folder
        self._database = database

    def take_in(
        self,
        source: Path,
        *,
        now: datetime,
        role: str | None = None,
        beside: Sequence[Attachment] = (),
        limits: FileLimits | None = None,
        taken_at: str | None = None,
    ) -> Attachment:
        """Seal a copy of a file into the folder, on disk when this returns; the file itself is left where it is.

        What is given stands in a draft, and nowhere else: with its key the file is lost. `beside` are the files that
        the complaint has already. `role` is one of `file_role`, by default a testimony for a voice, else evidence.
        Raises FileRefused for what is not taken in, StoreFull and StoreFailed.
        """
        with _opened(source) as file:
            media, described = _looked_at(file, source, taken_at)
            _refuse_over(sealed_size(described.size), beside, limits or FileLimits(), source)
            role = role or _ROLES.get(media.kind, _OTHER_ROLE)
            key = new_file_key()
            sha256, size = self._keep(seal_file(file, described, key), media.kind, role, now, source)
        return Attachment(sha256, size, media.kind, role, to_text(key))

    @contextmanager
    def kept_together(self) -> Iterator[list[Attachment]]:
        """A list for files that are taken in one after the other; what stands in it is let go when the block fails."""
        taken: list[Attachment] = []
        try:
            yield taken
        except BaseException:
            for attachment in taken:
                self.drop(attachment)
            raise

    def holds(self, attachment: Attachment) -> bool:
        """Whether a file of a draft is still here, whole as far as its size tells."""
        return _size_of(self._path(attachment.sha256)) == attachment.size

    def drop(self, attachment: Attachment) -> None:
        """Let go of a file of a draft: it is not to be sent after all."""
        with writing(self._database):
            self._database.execute("DELETE FROM file WHERE sha256 = ? AND state = ?", [attachment.sha256, _DRAFT])
        self.sweep()

    def drop_unsaved(self, saved: Iterable[Attachment], now: datetime) -> None:
        """Let go of files that are in no draft; `saved` are those of all drafts, which only the open vault tells."""
        known = {attachment.sha256 for attachment in saved}
        before = (now - _UNSAVED_FOR).isoformat()
        select = "SELECT sha256 FROM file WHERE state = ? AND taken_in_at < ?"
        lost = [row["sha256"] for row in self._database.query(select, [_DRAFT, before]) if row["sha256"] not in known]
        if lost:
            with writing(self._database):
                self._database.conn.executemany("DELETE FROM file WHERE sha256 = ?", [(sha256,) for sha256 in lost])
            self.sweep()

    def follow_vault(self) -> None:
        """Let go of the files of drafts that nobody can read any more."""
        has_drafts = any(True for _ in self._database.query("SELECT 1 FROM file WHERE state = ? LIMIT 1", [_DRAFT]))
        if has_drafts and not self._folder.vault_key.exists():
            with writing(self._database):
                self._database.execute("DELETE FROM file WHERE state = ?", [_DRAFT])
        self.sweep()

    def sweep(self) -> None:
        """Delete what no row speaks of any more, and what a kill left half written."""
        if not self._folder.files.exists():
            return
        # Listed first: a file has its row before it has its name.
        found = sorted(self._folder.files.iterdir())
        kept = {row["sha256"] for row in self._database.query("SELECT sha256 FROM file WHERE is_kept = 1")}
        for path in found:
            if path.suffix == _UNFINISHED:
                _delete_unless_written(path)
            elif path.name not in kept:
                path.unlink(missing_ok=True)

    # Steps inside the caller's transaction.

    def send(self, complaint: str, content: Mapping[str, Any]) -> None:
        """From now on the files of this content are to be sent.

        Raises ContentRefused when one that only this device can have is not here: it would be waited for in vain.
        """
        declared = _clear(content, "facts").get("files") or []
        keys = _clear(content, "traces").get("media_keys") or {}
        for sha256 in (str(each.get("sha256")) for each in declared if isinstance(each, dict)):
            row = self._row(sha256)
            if row is None and sha256 in keys:
                raise ContentRefused(why="file_gone", field="facts.files")
            if row is not None and row["complaint"] is None:
                if _size_of(self._path(sha256)) != row["size"]:
                    raise ContentRefused(why="file_gone", field="facts.files")
                self._set(sha256, complaint=complaint, state=_WAITING)

    def apply(self, change: Mapping[str, Any], next_seq: int) -> None:
        """Note what the hub says of a file. `next_seq` is that of the next operation of the device."""
        row = self._row(str(change.get("sha256")))
        state = change.get("state")
        if row is None or row["complaint"] is None or state not in _STATES_TOLD:
            return
        if state == REFUSED:
            code = shown(str(change.get("code") or "file_refused"), CODE_MOST_CHARS)
            self._set(row["sha256"], state=REFUSED, code=code)
        elif row["state"] != HERE:
            self._set(row["sha256"], state=HERE, code=None, arrived=row["size"], packed=row["size"], heard_seq=next_seq)

    def begin_epoch(self) -> None:
        """The hub was restored and may lack what it had: it says again what it has."""
        self._database.execute(
            "UPDATE file SET state = ?, arrived = 0, packed = 0, heard_seq = NULL WHERE state = ? AND is_kept = 1",
            [_WAITING, HERE],
        )

    def prune(self, backed_up_to: int) -> bool:
        """Let go of files that a verified backup holds; whether there were any, for `sweep` after the commit.

        A backup that covers the complaint alone may be older than the file: it has to cover something that was sent
        after the hub had said that the file is there.
        """
        return bool(
            self._database.execute(
                "UPDATE file SET is_kept = 0 WHERE is_kept = 1 AND state = ?"
                " AND NOT EXISTS (SELECT 1 FROM record WHERE id = file.complaint AND line IS NOT NULL)"
                " AND EXISTS (SELECT 1 FROM record WHERE seq >= file.heard_seq AND waiting = 0 AND position <= ?)",
                [HERE, backed_up_to],
            ).rowcount
        )

    # What there is.

    def pending(self) -> Pending:
        """What the hub does not have, of complaints that are closed."""
        select = "SELECT count(*) AS n, coalesce(sum(size - arrived), 0) AS b FROM file WHERE state = ? AND is_kept = 1"
        [row] = self._database.query(select, [_WAITING])
        return Pending(row["n"], row["b"])

    def of(self, complaint: str) -> list[FileState]:
        """The files of a complaint, in the order in which they go."""
        select = "SELECT sha256, size, kind, state, code, arrived FROM file WHERE complaint = ?"
        states = [FileState(**row) for row in self._database.query(select, [complaint])]
        return sorted(states, key=lambda each: turn(each.kind, each.size))

    def declared(self, complaint: str) -> list[dict[str, Any]]:
        """What the facts of a complaint say of its files, for a revision of them."""
        select = "SELECT sha256, size, kind, role FROM file WHERE complaint = ? ORDER BY rowid"
        return list(self._database.query(select, [complaint]))

    def holds_last_copies(self) -> bool:
        """Whether a file of a closed complaint may be nowhere else."""
        select = "SELECT 1 FROM file WHERE complaint IS NOT NULL AND is_kept = 1 LIMIT 1"
        return any(True for _ in self._database.query(select))

    def note_needed(self, needed: Iterable[Needed]) -> list[Wanted]:
        """Note how much of each file the hub has; gives those that are here whole, in the order in which they go."""
        found: list[tuple[tuple[int, int], Wanted]] = []
        with writing(self._database):
            for each in needed:
                row = self._row(each.sha256)
                if row is None or not _can_go(row) or each.offset > row["size"]:
                    continue
                self._set(each.sha256, state=_WAITING, code=None, arrived=each.offset, heard_seq=None)
                place = turn(row["kind"], row["size"] - each.offset)
                found.append((place, Wanted(each.sha256, row["size"], each.offset, self._path(each.sha256))))
        return [wanted for _, wanted in sorted(found, key=lambda pair: pair[0])]

    def note_arrived(self, sha256: str, offset: int) -> bool:
        """The hub has so many bytes of a file; whether it has them all."""
        with writing(self._database):
            self._set(sha256, arrived=offset)
            row = self._row(sha256)
        return row is not None and row["size"] == offset

    def to_pack(self, part_bytes: int, most_bytes: int, *, again: bool) -> list[Packed]:
        """The next parts for parcels, none larger than `part_bytes`, all together at most `most_bytes`.

        They begin where those before ended, or, `again`, where the hub was when it was last heard of.
        """
        found: list[Packed] = []
        select = "SELECT * FROM file WHERE state = ? AND is_kept = 1"
        rows = sorted(self._database.query(select, [_WAITING]), key=lambda row: turn(row["kind"], row["size"]))
        for row in rows:
            start = row["arrived"] if again else max(row["arrived"], row["packed"])
            while start < row["size"] and most_bytes > 0:
                size = min(part_bytes, row["size"] - start, most_bytes)
                found.append(Packed(row["sha256"], start, size, self._path(row["sha256"])))
                start, most_bytes = start + size, most_bytes - size
        return found

    def note_packed(self, packed: Iterable[Packed]) -> None:
        """These parts are in a parcel that was written."""
        with writing(self._database):
            for each in packed:
                self._set(each.sha256, packed=each.offset + each.size)

    def note_refused(self, sha256: str, code: str) -> None:
        """The file can't go, or the hub never takes it."""
        with writing(self._database):
            self._set(sha256, state=REFUSED, code=code)

    def _keep(self, pieces: Iterable[bytes], kind: str, role: str, now: datetime, source: Path) -> tuple[str, int]:
        """Hash and size of the sealed file, which is on disk under that name, with its row."""
        self._folder.make()
        draft = self._folder.files / (token_hex(8) + _UNFINISHED)
        try:
            self._folder.files.mkdir(mode=0o700, exist_ok=True)
            with _locked(draft) as target:
                sha256, size = _written(pieces, target)
                row = {"sha256": sha256, "size": size, "kind": kind, "role": role, "state": _DRAFT}
                with writing(self._database):
                    self._database.table("file").insert(row | {"taken_in_at": now.isoformat()})
                draft.replace(self._path(sha256))
            sync_folder(self._folder.files)
        except Altered:
            raise FileRefused(why="file_altered", file=source.name) from None
        except OSError as error:
            if error.errno in (ENOSPC, EDQUOT):
                raise StoreFull from error
            raise StoreFailed(reason=errorcode.get(error.errno or 0, "-")) from error
        finally:
            draft.unlink(missing_ok=True)
        return sha256, size

    def _path(self, sha256: str) -> Path:
        return self._folder.files / sha256

    def _row(self, sha256: str) -> dict[str, Any] | None:
        rows = self._database.query("SELECT * FROM file WHERE sha256 = ?", [sha256])
        return next(iter(rows), None)

    def _set(self, sha256: str, **columns: Any) -> None:
        self._database.table("file").update(sha256, columns)


@contextmanager
def _opened(source: Path) -> Iterator[BinaryIO]:
    """A file to take in. Raises FileRefused when it can't be read, or is nothing that we take."""
    try:
        file = source.open("rb")
    except OSError as error:
        raise FileRefused(why="file_unreadable", file=source.name) from error
    with file:
        try:
            yield file
        except NotTaken as refusal:
            raise FileRefused(why=refusal.code, file=source.name) from None
        except OSError as error:
            raise FileRefused(why="file_unreadable", file=source.name) from error


def _looked_at(file: BinaryIO, source: Path, taken_at: str | None) -> tuple[Media, Description]:
    media = recognise(file)
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while piece := file.read(_READ_BYTES):
        digest.update(piece)
        size += len(piece)
    file.seek(0)
    # A name in another encoding must not keep a file from going.
    name = os.fsencode(source.name).decode("utf-8", "replace")
    return media, Description(digest.hexdigest(), size, media.type, name, taken_at)


def _refuse_over(size: int, beside: Sequence[Attachment], limits: FileLimits, source: Path) -> None:
    if size > limits.file_bytes:
        raise FileRefused(why="file_heavy", most=limits.file_bytes // _MEGABYTE, file=source.name)
    if size + sum(attachment.size for attachment in beside) > limits.complaint_bytes:
        raise FileRefused(why="files_heavy", most=limits.complaint_bytes // _MEGABYTE, file=source.name)
    if len(beside) >= COMPLAINT_FILES_MAX:
        raise FileRefused(why="files_many", most=COMPLAINT_FILES_MAX, file=source.name)


def _locked(path: Path) -> BinaryIO:
    """A new file for its owner alone, locked for as long as it is open: who sweeps then leaves it."""
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _written(pieces: Iterable[bytes], target: BinaryIO) -> tuple[str, int]:
    """Hash and size of what is now on disk."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += target.write(piece)
    target.flush()
    os.fsync(target.fileno())
    return digest.hexdigest(), size


def _delete_unless_written(path: Path) -> None:
    """Delete a half-written file, unless somebody is writing it: their lock goes with them."""
    with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)


def _size_of(path: Path) -> int:
    """The size of a file, -1 when it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def _can_go(row: Mapping[str, Any]) -> bool:
    return row["complaint"] is not None and bool(row["is_kept"]) and row["code"] != DAMAGED


def _clear(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    compartment = content.get(name)
    clear = compartment.get("clear") if isinstance(compartment, dict) else None
    return clear if isinstance(clear, dict) else {}
