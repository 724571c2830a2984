"""Key files: a private key of the organisation, an administrator or a reader, off the hub, closed by a passphrase."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self

from nacl.public import PrivateKey
from nacl.signing import SigningKey
from nacl.utils import random as random_bytes

from client_sync.protocol.frames import from_text, to_text
from server import durable
from server.commands.operator import Operator
from server.commands.person import ask, ask_new
from server.domain.errors import KeyFileUnusable, PassphraseWrong
from server.domain.passphrase import check_new
from server.slots import HARDNESS, close_slot, open_slot

# `root` and `administrator` sign (Ed25519 seeds); `reader` opens what is sealed (X25519).
Kind = Literal["root", "administrator", "reader"]

KEY_BYTES: Final = 32
_VERSION: Final = 1


@dataclass(frozen=True)
class KeyFile:
    """A key file as it lies there: its public part, 32 bytes, can be read, and its private part is closed."""

    path: Path
    kind: Kind
    public: bytes
    _slot: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, path: Path, kind: Kind) -> Self:
        """The file that `make_key` wrote. Raises KeyFileUnusable (`unreadable`), also for another kind."""
        try:
            members = json.loads(path.read_bytes())
            if (members["v"], members["kind"]) != (_VERSION, kind):
                raise KeyFileUnusable(fault="unreadable", file=path)
            return cls(path, kind, from_text(members["public"]), members["slot"])
        except (OSError, ValueError, KeyError, TypeError):
            raise KeyFileUnusable(fault="unreadable", file=path) from None

    def opened(self, words: str) -> bytes:
        """The private key, 32 bytes. Raises KeyFileUnusable: `closed` for another passphrase, `unreadable`."""
        try:
            secret = open_slot(self._slot, words)
        except PassphraseWrong:
            raise KeyFileUnusable(fault="closed", file=self.path) from None
        except (KeyError, TypeError, ValueError):
            raise KeyFileUnusable(fault="unreadable", file=self.path) from None
        # Whoever wrote on the file must not make one key pass for another.
        if public_part(secret, self.kind) != self.public:
            raise KeyFileUnusable(fault="unreadable", file=self.path)
        return secret


def make_key(path: Path, kind: Kind, about: str, words: str) -> bytes:
    """Make a key in a new file that its owner alone can read; gives the private key, 32 bytes.

    `about` is a line for whoever finds the file, `words` the passphrase that closes it. Raises KeyFileUnusable
    (`there`) rather than overwrite one, and PassphraseRefused.
    """
    check_new(words)
    secret = random_bytes(KEY_BYTES)
    members = {
        "about": about,
        "kind": kind,
        "public": to_text(public_part(secret, kind)),
        "slot": close_slot(secret, words, HARDNESS),
        "v": _VERSION,
    }
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        fault = "there" if isinstance(error, FileExistsError) else "unwritable"
        raise KeyFileUnusable(fault=fault, file=path) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as written:
        written.write(json.dumps(members, ensure_ascii=False, indent=1) + "\n")
        written.flush()
        os.fsync(written.fileno())
    durable.sync_folder(path.parent)
    return secret


def make_by_asking(operator: Operator, path: Path, kind: Kind, about: str) -> bytes:
    """As `make_key`, under a passphrase that its keeper types twice; refuses before asking where it can't be."""
    if path.exists():
        raise KeyFileUnusable(fault="there", file=path)
    if not path.parent.is_dir():
        raise KeyFileUnusable(fault="unwritable", file=path)
    return make_key(path, kind, about, ask_new(operator, "key_file.ask_new", file=path.name))


def open_by_asking(operator: Operator, found: KeyFile) -> bytes:
    """The private key in a file, 32 bytes, by the passphrase that its keeper types. Raises KeyFileUnusable."""
    return found.opened(ask(operator, "key_file.ask", file=found.path.name))


def public_part(secret: bytes, kind: Kind) -> bytes:
    """The public part of a private key of this kind, 32 bytes."""
    return bytes(PrivateKey(secret).public_key if kind == "reader" else SigningKey(secret).verify_key)
