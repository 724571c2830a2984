"""Sealing: a package as one file that its destination alone opens; nothing of it is ever on a disk in clear."""

import errno
import hashlib
import secrets
from base64 import b32decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from zipfile import ZIP_STORED

import pyrage
import pyzipper
from nacl.bindings import crypto_scalarmult

from client_sync.protocol.words import to_words
from server import durable
from server.domain.errors import PackageRefused, StorageFailed, StorageFull

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PREFIX: Final = "age1"
# Of the last characters of a recipient: they check the others (BIP 173).
_CHECK_CHARS: Final = 6
_BECH32: Final = str.maketrans("qpzry9x8gf2tvdw0s3jn54khce6mua7l", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_FINGERPRINT_CHARS: Final = 24
_GROUP_CHARS: Final = 4
# 7-Zip takes no longer one.
_PASSPHRASE_MAX_CHARS: Final = 99
# An AES ZIP makes a key of a passphrase by 1,000 rounds of SHA-1, which slows nobody down: its length has to.
_PASSPHRASE_MIN_CHARS: Final = 20
# A byte each, 80 bits, and no more than 89 characters.
_PASSPHRASE_WORDS: Final = 10
_RW_R_R: Final = 0o100644 << 16
_UNIX: Final = 3


@dataclass(frozen=True)
class Sealed:
    """A file as it leaves; `digest`: its SHA-256 in hexadecimal digits."""

    path: Path
    digest: str
    bytes: int


def check_recipient(text: str) -> None:
    """Raises PackageRefused (`key`) for what is no age recipient (`age1…`), as `age-keygen` prints it."""
    try:
        recipient = pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise PackageRefused(fault="key") from None
    # In capitals it is the same key with another fingerprint.
    if str(recipient) != text or not _is_sound(text):
        raise PackageRefused(fault="key")


def fingerprint(recipient: str) -> str:
    """What people compare of a recipient by voice: 24 hexadecimal digits, four by four.

    Its owner gets the same from `printf %s age1… | sha256sum`, of which these are the first.
    """
    return grouped(hashlib.sha256(recipient.encode()).hexdigest()[:_FINGERPRINT_CHARS])


def grouped(digits: str) -> str:
    """Digits as they are read aloud, four by four."""
    return " ".join(digits[at : at + _GROUP_CHARS] for at in range(0, len(digits), _GROUP_CHARS))


def new_passphrase() -> str:
    """Ten French words, drawn at random, for a clerk who has 7-Zip alone: said by voice, typed on any keyboard."""
    return " ".join(to_words(secrets.token_bytes(_PASSPHRASE_WORDS)))


def check_passphrase(text: str) -> None:
    """Raises PackageRefused (`passphrase`) for fewer than 20 characters, more than 7-Zip takes, which are 99, or any
    that not every keyboard and not every 7-Zip writes alike: accents, and a space at either end."""
    is_plain = text.isascii() and text.isprintable() and text == text.strip()
    if not is_plain or not _PASSPHRASE_MIN_CHARS <= len(text) <= _PASSPHRASE_MAX_CHARS:
        raise PackageRefused(fault="passphrase")


def file_name(number: str, *, by_passphrase: bool) -> str:
    """How the sealed file of a package is called: `….zip.age`, or `….zip` where a passphrase opens it."""
    return f"{number}.zip" if by_passphrase else f"{number}.zip.age"


def opened_name(number: str) -> str:
    """How the ZIP is called that comes out of one that a passphrase opens: beside that, it must not take its place."""
    return f"{number}-ouvert.zip"


def seal(chunks: Iterable[bytes], folder: Path, number: str, *, recipient: str = "", passphrase: str = "") -> Sealed:
    """Write the ZIP of a package, as `chunks`, into a folder: sealed to an age recipient, or else by a passphrase.

    A passphrase, which goes before a recipient, is for whoever has 7-Zip alone: it opens the same ZIP, `…-ouvert.zip`.
    The file is whole and on disk when this returns; before, it is not there under its name, and neither is one that an
    earlier sealing left. Raises StorageFull or StorageFailed, and whatever `chunks` raise, with no file left, and
    PackageRefused: `key`, `passphrase`.
    """
    if passphrase:
        check_passphrase(passphrase)
    else:
        check_recipient(recipient)
    path = folder / file_name(number, by_passphrase=bool(passphrase))
    try:
        discard(folder, number)
        with durable.writing(path) as file:
            through = _Through(iter(chunks), file)
            if passphrase:
                _lock(through, opened_name(number), passphrase)
            else:
                _encrypt(through, recipient)
    except OSError as error:
        discard(folder, number)
        raise (StorageFull if error.errno in _FULL else StorageFailed) from error
    return Sealed(path, through.digest, through.bytes)


def discard(folder: Path, number: str) -> None:
    """Delete the sealed file of a package, if there is one."""
    paths = [folder / file_name(number, by_passphrase=each) for each in (False, True)]
    _delete([path for path in paths if path.exists()], folder)


def clean(folder: Path) -> None:
    """Delete what a kill left of files in the folder of sealed packages, none of which is being written."""
    _delete(list(folder.glob(f"*{durable.DRAFT}")), folder)


def _delete(paths: Iterable[Path], folder: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
        durable.sync_folder(folder)


def _is_sound(recipient: str) -> bool:
    """Whether something can be sealed to it: of the few points that make one known secret of every key, age panics."""
    letters = recipient[len(_PREFIX) : -_CHECK_CHARS].translate(_BECH32)
    try:
        crypto_scalarmult(bytes(32), b32decode(letters + "=" * (-len(letters) % 8)))
    except RuntimeError:
        return False
    return True


class _Through:
    """Chunks as a file that is read, and a file that is written, counted and hashed.

    age makes of every fault one of its own, that quotes it: `fault` is what happened.
    """

    def __init__(self, chunks: Iterator[bytes], out: BinaryIO) -> None:
        self.chunks = chunks
        self.fault: BaseException | None = None
        self.bytes = 0
        self._out, self._hash, self._rest = out, hashlib.sha256(), memoryview(b"")

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def read(self, size: int) -> bytes:
        try:
            while not self._rest:
                self._rest = memoryview(next(self.chunks))
        except StopIteration:
            return b""
        except BaseException as fault:
            self.fault = fault
            raise
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)

    def write(self, data: bytes) -> int:
        try:
            # A short count would make age panic: this is a buffered file, which writes all or raises.
            self._out.write(data)
        except BaseException as fault:
            self.fault = fault
            raise
        self._hash.update(data)
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """The file is flushed, and put on disk, by who opened it."""


def _encrypt(through: _Through, recipient: str) -> None:
    try:
        pyrage.encrypt_io(through, through, [pyrage.x25519.Recipient.from_str(recipient)])
    except pyrage.EncryptError:
        if through.fault is None:
            raise
        raise through.fault from None


def _lock(through: _Through, name: str, passphrase: str) -> None:
    """The ZIP within another, sealed by AES-256 (AE-2): its files, and their names, are seen by whoever opens it."""
    with pyzipper.AESZipFile(through, "w", encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(passphrase.encode())
        member = archive.zipinfo_cls(name)
        member.compress_type, member.create_system, member.external_attr = ZIP_STORED, _UNIX, _RW_R_R
        with archive.open(member, "w") as out:
            for chunk in through.chunks:
                out.write(chunk)
