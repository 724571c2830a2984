"""The vault: drafts, and the key of the replies, behind a passphrase of words."""

import hashlib
import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

from nacl import pwhash
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.secret import SecretBox
from nacl.utils import random as random_bytes
from sqlite_utils import Database, Migrations

from client_sync import clocks, tries
from client_sync.errors import (
    DraftUnknown,
    KeyMissing,
    PassphraseTooShort,
    VaultExists,
    VaultLocked,
    VaultMissing,
    WrongPassphrase,
)
from client_sync.stores import KEY_BYTES, Folder, open_encrypted, write_durably, writing

PASSPHRASE_MIN_WORDS: Final = 4
_SLOT_VERSION: Final = 1
_REPLY_KEY_DOMAIN: Final = b"carnet-replies-1\n"

_migrations: Final = Migrations("vault")


@_migrations()
def v0001_drafts(database: Database) -> None:
    """Drafts."""
    database.table("draft").create({"id": str, "answers": str}, pk="id", not_null={"answers"}, strict=True)


@dataclass(frozen=True)
class Hardness:
    """What one guess at a passphrase costs: passes over memory, and how much of it (argon2id)."""

    passes: int
    memory_bytes: int


# 64 MiB and 3 passes: half a second to a second on a weak phone, the same for who took it.
FIELD_HARDNESS: Final = Hardness(passes=3, memory_bytes=64 * 2**20)
# What a slot may ask of the phone that opens it, whoever wrote it: four times what we write.
_HARDEST: Final = Hardness(passes=12, memory_bytes=256 * 2**20)


@dataclass(frozen=True)
class Draft:
    """A complaint in the making: answers as JSON values, by the names that the caller gave them."""

    id: str
    answers: dict[str, Any]


class Vault:
    """An open vault. Close it to lock; nothing of it stays on the disk in the clear."""

    def __init__(self, database: Database, key: bytes, passphrase: str) -> None:
        self._database = database
        self._reply_key: PrivateKey | None = _reply_key(key)
        self._letters = _letters(passphrase)

    @classmethod
    def create(cls, folder: Folder, passphrase: str, hardness: Hardness = FIELD_HARDNESS) -> Self:
        """Make the vault of a folder and open it. Raises VaultExists and PassphraseTooShort (four words)."""
        if folder.vault_key.exists() or folder.vault.exists():
            raise VaultExists
        if len(passphrase.split()) < PASSPHRASE_MIN_WORDS:
            raise PassphraseTooShort(least=PASSPHRASE_MIN_WORDS)
        folder.make()
        key = random_bytes(KEY_BYTES)
        write_durably(folder.vault_key, _close_slot(key, passphrase, hardness))
        return cls(open_encrypted(folder.vault, key, _migrations), key, passphrase)

    @classmethod
    def open(cls, folder: Folder, passphrase: str, running_s: Callable[[], float] = clocks.running_s) -> Self:
        """The vault of a folder; takes about a second.

        Raises VaultMissing, KeyMissing, WrongPassphrase, and PassphraseTooSoon after wrong ones.
        """
        slot = _read_slot(folder)
        tries.begin(folder.vault_tries, running_s())
        key = _open_slot(slot, passphrase)
        tries.forget(folder.vault_tries)
        return cls(open_encrypted(folder.vault, key, _migrations), key, passphrase)

    @staticmethod
    def exists(folder: Folder) -> bool:
        """Whether a vault was made in the folder."""
        return folder.vault_key.exists()

    def close(self) -> None:
        """Lock: the file is closed and its keys are dropped. A closed vault opens nothing any more."""
        self._database.close()
        self._reply_key = None
        self._letters = ""

    def is_given_away_by(self, text: str) -> bool:
        """Whether a text has the passphrase in it, whatever stands between its words."""
        return bool(self._letters) and self._letters in _letters(text)

    def save_draft(self, id: str, answers: dict[str, Any]) -> None:
        """Keep the answers given so far, JSON values, in place of those under the same id."""
        with writing(self._database):
            self._database.table("draft").upsert({"id": id, "answers": json.dumps(answers)}, pk="id")

    def drafts(self) -> list[Draft]:
        """All drafts, in the order in which they were begun."""
        rows = self._database.query("SELECT id, answers FROM draft ORDER BY rowid")
        return [Draft(row["id"], json.loads(row["answers"])) for row in rows]

    def draft(self, id: str) -> Draft:
        """One draft. Raises DraftUnknown."""
        for row in self._database.query("SELECT answers FROM draft WHERE id = ?", [id]):
            return Draft(id, json.loads(row["answers"]))
        raise DraftUnknown(id=id)

    def drop_draft(self, id: str) -> None:
        """Forget a draft, if it is there: once it was finalised, or when it was not meant."""
        with writing(self._database):
            self._database.execute("DELETE FROM draft WHERE id = ?", [id])

    def unseal(self, sealed: bytes) -> bytes:
        """What `seal_for_vault` sealed. Raises WrongPassphrase for another vault's, VaultLocked once closed."""
        if self._reply_key is None:
            raise VaultLocked
        try:
            return SealedBox(self._reply_key).decrypt(sealed)
        except CryptoError:
            raise WrongPassphrase from None


def seal_for_vault(folder: Folder, data: bytes) -> bytes | None:
    """The data, readable only in the open vault; works while it is locked. None when there is no vault."""
    if not folder.vault_key.exists():
        return None
    return SealedBox(PublicKey(bytes.fromhex(_read_slot(folder)["reply_key"]))).encrypt(data)


def _reply_key(key: bytes) -> PrivateKey:
    return PrivateKey(hashlib.sha256(_REPLY_KEY_DOMAIN + key).digest())


def _close_slot(key: bytes, passphrase: str, hardness: Hardness) -> bytes:
    salt = random_bytes(pwhash.argon2id.SALTBYTES)
    slot = {
        "v": _SLOT_VERSION,
        "passes": hardness.passes,
        "memory_bytes": hardness.memory_bytes,
        "salt": salt.hex(),
        "box": SecretBox(_stretch(passphrase, salt, hardness)).encrypt(key).hex(),
        "reply_key": bytes(_reply_key(key).public_key).hex(),
    }
    return json.dumps(slot).encode()


def _read_slot(folder: Folder) -> dict[str, Any]:
    if not folder.vault_key.exists():
        raise KeyMissing if folder.vault.exists() else VaultMissing
    try:
        slot: dict[str, Any] = json.loads(folder.vault_key.read_bytes())
        is_ours = slot["passes"] <= _HARDEST.passes and slot["memory_bytes"] <= _HARDEST.memory_bytes
    except (ValueError, KeyError, TypeError):
        raise KeyMissing from None
    if not is_ours:
        raise KeyMissing
    return slot


def _open_slot(slot: dict[str, Any], passphrase: str) -> bytes:
    hardness = Hardness(slot["passes"], slot["memory_bytes"])
    wrapping = _stretch(passphrase, bytes.fromhex(slot["salt"]), hardness)
    try:
        return SecretBox(wrapping).decrypt(bytes.fromhex(slot["box"]))
    except CryptoError:
        raise WrongPassphrase from None


def _stretch(passphrase: str, salt: bytes, hardness: Hardness) -> bytes:
    # The same words on another keyboard: case, spacing and the form of accents don't count.
    words = " ".join(_folded(passphrase).split())
    return pwhash.argon2id.kdf(
        SecretBox.KEY_SIZE, words.encode(), salt, opslimit=hardness.passes, memlimit=hardness.memory_bytes
    )


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _letters(text: str) -> str:
    return "".join(char for char in _folded(text) if char.isalnum())
