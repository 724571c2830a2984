"""A slot: a secret closed by a passphrase, as members that a JSON file or a row keeps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nacl import pwhash
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from nacl.utils import random as random_bytes

from server.domain.errors import PassphraseWrong
from server.domain.passphrase import is_too_long, normal_bytes


@dataclass(frozen=True)
class Hardness:
    """What one guess at a passphrase costs: passes over memory, and how much of it (argon2id)."""

    passes: int
    memory_bytes: int


# RFC 9106, 4: the second recommended option, 64 MiB and 3 passes; for what one machine opens now and then.
HARDNESS: Final = Hardness(passes=3, memory_bytes=64 * 2**20)
# What a slot may ask of the machine that opens it, whoever wrote it: four times what we write.
_HARDEST: Final = Hardness(passes=12, memory_bytes=256 * 2**20)


def close_slot(secret: bytes, passphrase: str, hardness: Hardness) -> dict[str, Any]:
    """The secret as only the passphrase opens it, under a salt of its own; whether it is a good one is not asked."""
    salt = random_bytes(pwhash.argon2id.SALTBYTES)
    box = SecretBox(_stretched(passphrase, salt, hardness)).encrypt(secret)
    return {
        "box": bytes(box).hex(),
        "memory_bytes": hardness.memory_bytes,
        "passes": hardness.passes,
        "salt": salt.hex(),
    }


def open_slot(slot: Mapping[str, Any], passphrase: str) -> bytes:
    """The secret in a slot. Raises PassphraseWrong, and KeyError, TypeError or ValueError for what is no slot."""
    hardness = Hardness(slot["passes"], slot["memory_bytes"])
    if hardness.passes > _HARDEST.passes or hardness.memory_bytes > _HARDEST.memory_bytes:
        raise ValueError("a slot harder than any of ours")
    box, salt = bytes.fromhex(slot["box"]), bytes.fromhex(slot["salt"])
    if is_too_long(passphrase):
        raise PassphraseWrong
    key = _stretched(passphrase, salt, hardness)
    try:
        return SecretBox(key).decrypt(box)
    except CryptoError:
        raise PassphraseWrong from None


def _stretched(passphrase: str, salt: bytes, hardness: Hardness) -> bytes:
    words = normal_bytes(passphrase)
    return pwhash.argon2id.kdf(
        SecretBox.KEY_SIZE, words, salt, opslimit=hardness.passes, memlimit=hardness.memory_bytes
    )
