"""The disks that a power cut could leave, rebuilt from the shim's operation log."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from os import W_OK, access
from pathlib import Path, PurePosixPath
from random import Random

from tests.faults.shim import RECORD

SECTOR_BYTES = 512
_PAGE_BYTES = 4096
_BLANK = bytes(_PAGE_BYTES)
_RAM = Path("/dev/shm")


class Survival(Enum):
    """What of the work not yet synced the cut leaves behind."""

    NOTHING = "nothing"
    SECTORS = "sectors"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Write:
    path: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """Of a file or of a folder, whichever the path names at that moment."""

    path: str


@dataclass(frozen=True, slots=True)
class Unlink:
    path: str


@dataclass(frozen=True, slots=True)
class Rename:
    path: str
    to: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    payload: bytes


Operation = Write | Truncate | Sync | Unlink | Rename | Acknowledged


def read_log(log: Path) -> list[Operation]:
    """Every whole operation of a log, in order; a last one cut short by a kill is left out."""
    raw = log.read_bytes()
    operations: list[Operation] = []
    at = 0
    while at + RECORD.size <= len(raw):
        kind, path_bytes, data_bytes, offset = RECORD.unpack_from(raw, at)
        path_end = at + RECORD.size + path_bytes
        if path_end + data_bytes > len(raw):
            break
        path = raw[at + RECORD.size : path_end].decode()
        operations.append(_operation(kind, path, raw[path_end : path_end + data_bytes], offset))
        at = path_end + data_bytes
    return operations


def _operation(kind: bytes, path: str, data: bytes, offset: int) -> Operation:
    match kind:
        case b"W":
            return Write(path, offset, data)
        case b"T":
            return Truncate(path, offset)
        case b"S":
            return Sync(path)
        case b"U":
            return Unlink(path)
        case b"R":
            return Rename(path, data.decode())
        case b"A":
            return Acknowledged(data)
    raise ValueError(f"not an operation log: kind {kind!r}")


class Image:
    """A file's content in immutable pages, so that a copy costs one pointer a page."""

    __slots__ = ("_pages", "size")

    def __init__(self, content: bytes = b"") -> None:
        self._pages: list[bytes] = []
        self.size = 0
        self.write(0, content)

    def copy(self) -> "Image":
        twin = Image()
        twin._pages, twin.size = self._pages.copy(), self.size
        return twin

    def write(self, offset: int, data: bytes) -> None:
        """Put `data` at `offset`; a gap before it reads as zeros."""
        end = offset + len(data)
        self._pages.extend([_BLANK] * (-(-end // _PAGE_BYTES) - len(self._pages)))
        self.size = max(self.size, end)
        at = 0
        while at < len(data):
            number, start = divmod(offset + at, _PAGE_BYTES)
            part = data[at : at + _PAGE_BYTES - start]
            page = self._pages[number]
            self._pages[number] = page[:start] + part + page[start + len(part) :]
            at += len(part)

    def truncate(self, size: int) -> None:
        """Cut or extend to `size` bytes; what is extended reads as zeros."""
        whole, rest = divmod(size, _PAGE_BYTES)
        if size < self.size:
            kept = self._pages[:whole]
            if rest:
                kept.append(self._pages[whole][:rest] + _BLANK[rest:])
            self._pages = kept
        else:
            self._pages.extend([_BLANK] * (-(-size // _PAGE_BYTES) - len(self._pages)))
        self.size = size

    def __bytes__(self) -> bytes:
        return b"".join(self._pages)[: self.size]


@dataclass(frozen=True)
class Disk:
    """What one power cut left.

    `files`: content by path relative to the root. `cut`: operations that had happened. `survival` says what
    of the un-synced work is there. `disk(log, root, seed)` builds this very disk again from its own `seed`.
    """

    files: dict[PurePosixPath, Image]
    cut: int
    survival: Survival
    seed: int
    _marks: Sequence[bytes] = field(repr=False)
    _marks_seen: int = field(repr=False)

    @property
    def acknowledged(self) -> bytes:
        """Payload of the last acknowledgement before the cut; empty when there was none."""
        return self._marks[self._marks_seen - 1] if self._marks_seen else b""

    @property
    def all_acknowledged(self) -> list[bytes]:
        """Payloads of all acknowledgements before the cut, in order."""
        return list(islice(self._marks, self._marks_seen))

    def contents(self) -> dict[str, bytes]:
        """Every file's bytes, by path relative to the root."""
        return {str(name): bytes(image) for name, image in self.files.items()}

    def write_to(self, folder: Path) -> None:
        """Lay the disk out in `folder`; whatever stood there is removed first."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, image in self.files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(bytes(image))


def files_under(folder: Path) -> dict[str, bytes]:
    """A real folder as `Disk.contents` would give it, without the "-shm" files, which no log holds."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@contextmanager
def ram_folder() -> Iterator[Path]:
    """A new empty folder, in memory where the machine allows it, for as long as the block lasts."""
    in_memory = _RAM if _RAM.is_dir() and access(_RAM, W_OK) else None
    with tempfile.TemporaryDirectory(prefix="disks-", dir=in_memory) as folder:
        yield Path(folder)


def disks(log: Path, root: Path, count: int, seed: int, base: Path | None = None) -> Iterator[Disk]:
    """`count` disks that a power cut could have left of the files under `root`, in the order of their cuts.

    Cut points are drawn from `seed` over the whole log, each with one `Survival`. `base` is a folder with
    what stood durably in `root` when the log began. Each disk stands alone and may be kept.
    """
    operations = read_log(log)
    draw = Random(seed)
    plans = [_plan(draw.getrandbits(48), len(operations)) for _ in range(count)]
    return _rebuild(operations, root, sorted(plans, key=lambda plan: plan.cut), base)


def disk(log: Path, root: Path, seed: int, base: Path | None = None) -> Disk:
    """The one disk whose `seed` a failed run printed."""
    operations = read_log(log)
    return next(_rebuild(operations, root, [_plan(seed, len(operations))], base))


def final_disk(log: Path, root: Path, base: Path | None = None) -> Disk:
    """The files as the program left them, if the log is whole: a run compares them with the real ones.

    Where they differ from `files_under(root)`, the program changes files in a way that the shim does not see.
    """
    operations = read_log(log)
    plan = _Plan(0, len(operations), Survival.EVERYTHING, Random(0))
    return next(_rebuild(operations, root, [plan], base))


@dataclass(frozen=True)
class _Plan:
    seed: int
    cut: int
    survival: Survival
    chances: Random


def _plan(seed: int, operation_count: int) -> _Plan:
    chances = Random(seed)
    return _Plan(seed, chances.randint(0, operation_count), chances.choice(list(Survival)), chances)


def _rebuild(operations: list[Operation], root: Path, plans: list[_Plan], base: Path | None) -> Iterator[Disk]:
    # The log holds real paths.
    filesystem = _Filesystem(str(root.resolve()), base)
    done = 0
    for plan in plans:
        for operation in operations[done : plan.cut]:
            filesystem.apply(operation)
        done = plan.cut
        yield filesystem.after_power_cut(plan)


class _Inode:
    """A file apart from its name: what is on the platter, and what only the page cache holds."""

    __slots__ = ("durable", "pending")

    def __init__(self, content: bytes = b"") -> None:
        self.durable = Image(content)
        self.pending: list[Write | Truncate] = []

    def sync(self) -> None:
        for change in self.pending:
            _change(self.durable, change)
        self.pending.clear()

    def surviving(self, plan: _Plan) -> Image:
        if not self.pending or plan.survival is Survival.NOTHING:
            return self.durable.copy()
        image = self.durable.copy()
        if plan.survival is Survival.EVERYTHING:
            for change in self.pending:
                _change(image, change)
        else:
            self._keep_sectors(image, plan.chances)
        return image

    def _keep_sectors(self, image: Image, chances: Random) -> None:
        # The share differs by disk: at a fixed half, "nearly all" and "nearly nothing" would never be tried.
        share = chances.random()
        for change in self.pending:
            if isinstance(change, Write):
                for piece in _sectors(change):
                    if chances.random() < share:
                        _change(image, piece)
            elif chances.random() < share:
                _change(image, change)


def _change(image: Image, change: Write | Truncate) -> None:
    if isinstance(change, Write):
        image.write(change.offset, change.data)
    else:
        image.truncate(change.size)


def _sectors(write: Write) -> Iterator[Write]:
    """The parts of a write that a disk takes whole or not at all."""
    at, end = write.offset, write.offset + len(write.data)
    while at < end:
        stop = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
        yield Write(write.path, at, write.data[at - write.offset : stop - write.offset])
        at = stop


@dataclass(frozen=True, slots=True)
class _Link:
    """A new file's first name."""

    path: str
    inode: _Inode


_NameChange = _Link | Unlink | Rename
_Names = dict[str, _Inode]


class _Filesystem:
    """Names and files as the program sees them, and as they would stand after a cut.

    The least that POSIX and ext4 promise: syncing a file keeps its content and, for a new file, its name;
    unlinks and renames are kept once their folder is synced. Folders themselves are not followed.
    """

    def __init__(self, root: str, base: Path | None) -> None:
        self._root = PurePosixPath(root)
        self._durable: _Names = {}
        if base is not None:
            found = (path for path in base.rglob("*") if path.is_file())
            self._durable = {f"{root}/{path.relative_to(base)}": _Inode(path.read_bytes()) for path in found}
        self._live: _Names = self._durable.copy()
        self._unsynced_names: list[_NameChange] = []
        self._marks: list[bytes] = []

    def apply(self, operation: Operation) -> None:
        match operation:
            case Write() | Truncate():
                self._opened(operation.path).pending.append(operation)
            case Sync():
                self._sync(operation.path)
            case Acknowledged():
                self._marks.append(operation.payload)
            case _:
                _change_names(self._live, operation)
                self._unsynced_names.append(operation)

    def after_power_cut(self, plan: _Plan) -> Disk:
        files = {
            PurePosixPath(path).relative_to(self._root): inode.surviving(plan)
            for path, inode in self._surviving_names(plan).items()
            if PurePosixPath(path).is_relative_to(self._root)
        }
        return Disk(files, plan.cut, plan.survival, plan.seed, self._marks, len(self._marks))

    def _opened(self, path: str) -> _Inode:
        if path not in self._live:
            self._live[path] = _Inode()
            self._unsynced_names.append(_Link(path, self._live[path]))
        return self._live[path]

    def _sync(self, path: str) -> None:
        inode = self._live.get(path)
        if inode is None:
            self._keep_names([change for change in self._unsynced_names if _folder_of(change) == path])
            return
        inode.sync()
        for index, change in enumerate(self._unsynced_names):
            if isinstance(change, _Link) and change.inode is inode:
                # A journal keeps its order: what was done to names before comes along.
                self._keep_names(self._unsynced_names[: index + 1])
                return

    def _keep_names(self, changes: list[_NameChange]) -> None:
        for change in changes:
            _change_names(self._durable, change)
        self._unsynced_names = [change for change in self._unsynced_names if change not in changes]

    def _surviving_names(self, plan: _Plan) -> _Names:
        if plan.survival is Survival.EVERYTHING:
            return self._live
        names = self._durable.copy()
        if plan.survival is Survival.SECTORS:
            for change in self._unsynced_names:
                if plan.chances.random() < 0.5:
                    _change_names(names, change)
        return names


def _change_names(names: _Names, change: _NameChange) -> None:
    match change:
        case _Link():
            names[change.path] = change.inode
        case Unlink():
            names.pop(change.path, None)
        case Rename():
            # A folder takes all below it along.
            below = change.path + "/"
            for path in [path for path in names if path == change.path or path.startswith(below)]:
                names[change.to + path.removeprefix(change.path)] = names.pop(path)


def _folder_of(change: _NameChange) -> str:
    last_name = change.to if isinstance(change, Rename) else change.path
    return str(PurePosixPath(last_name).parent)
