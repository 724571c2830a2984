"""Key files: a private key of the organisation, an administrator or a reader, kept off the hub in a file of its own."""

import os
from pathlib import Path
from typing import Final, Literal

from nacl.public import PrivateKey
from nacl.signing import SigningKey
from nacl.utils import random as random_bytes

from client_sync.protocol.frames import from_text, to_text
from server.domain.errors import KeyFileUnusable

# `root` and `administrator` sign (Ed25519 seeds); `reader` opens what is sealed (X25519).
Kind = Literal["root", "administrator", "reader"]

KEY_BYTES: Final = 32


def make_key(file: Path, kind: Kind, about: str) -> str:
    """Make a key in a new file that its owner alone can read; gives the public part, as text.

    `about` is a line for whoever finds the file. Raises KeyFileUnusable (`there`) rather than overwrite one.
    """
    secret = random_bytes(KEY_BYTES)
    public = PrivateKey(secret).public_key if kind == "reader" else SigningKey(secret).verify_key
    shown = to_text(bytes(public))
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        fault = "there" if isinstance(error, FileExistsError) else "unwritable"
        raise KeyFileUnusable(fault=fault, file=file) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as written:
        written.write(f"# {about}\n# {shown}\n{_mark(kind)}{to_text(secret)}\n")
        written.flush()
        os.fsync(written.fileno())
    return shown


def read_key(file: Path, kind: Kind) -> bytes:
    """The secret in a file that `make_key` wrote, 32 bytes. Raises KeyFileUnusable (`unreadable`), also for
    another kind."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise KeyFileUnusable(fault="unreadable", file=file) from None
    mark = _mark(kind)
    secrets = [from_text(line.removeprefix(mark)) for line in lines if line.startswith(mark)]
    if len(secrets) != 1 or len(secrets[0]) != KEY_BYTES:
        raise KeyFileUnusable(fault="unreadable", file=file)
    return secrets[0]


def _mark(kind: Kind) -> str:
    return f"SEERE-{kind.upper()}-KEY-"
