"""The credential: the secrets of a hub in one file, closed by a passphrase and for the recovery key."""

import json
import secrets as chance
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from server import durable
from server.domain.errors import (
    CredentialDamaged,
    CredentialMissing,
    CredentialThere,
    RecoveryKeyWrong,
)
from server.domain.passphrase import check_new
from server.slots import HARDNESS, Hardness, close_slot, open_slot

SECRET_BYTES: Final = 32
_VERSION: Final = 1


@dataclass(frozen=True, repr=False)
class Secrets:
    """What a hub must keep from whoever takes its disk: six values of 32 bytes.

    `database` is the key of the SQLite file, `pepper` keys what is compared blindly, `linkage` and `box` are
    X25519 private keys, `sign` is an Ed25519 seed, `totp` seals the second factors of accounts.
    """

    database: bytes
    pepper: bytes
    linkage: bytes
    sign: bytes
    box: bytes
    totp: bytes

    @classmethod
    def new(cls) -> Self:
        """Secrets drawn at random."""
        return cls(*(chance.token_bytes(SECRET_BYTES) for _ in fields(cls)))


def create(path: Path, passphrase: str, secrets: Secrets, hardness: Hardness = HARDNESS) -> None:
    """Write the credential of a new hub, and its folder; on disk when this returns.

    Raises PassphraseRefused (fewer than 4 words and than 16 characters, or too long) and CredentialThere.
    """
    slot = _close(passphrase, secrets, hardness)
    if path.exists():
        raise CredentialThere(file=path)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _keep(path, {"v": _VERSION, "passphrase": slot})


def unlock(path: Path, passphrase: str) -> Secrets:
    """The secrets, by the passphrase; takes about a tenth of a second.

    Raises PassphraseWrong, CredentialMissing and CredentialDamaged.
    """
    members = _read(path)
    try:
        return _unpacked(open_slot(members["passphrase"], passphrase))
    except (KeyError, TypeError, ValueError):
        raise CredentialDamaged(file=path) from None


def change_passphrase(path: Path, secrets: Secrets, new_passphrase: str, hardness: Hardness = HARDNESS) -> None:
    """Close the credential with another passphrase; the recovery key opens it as before. Raises PassphraseRefused."""
    _keep(path, _read(path) | {"passphrase": _close(new_passphrase, secrets, hardness)})


def seal_to_recovery(path: Path, secrets: Secrets, public: bytes) -> None:
    """Let the holder of an X25519 private key open the credential too; `public` is its public part, 32 bytes."""
    box = SealedBox(PublicKey(public)).encrypt(_packed(secrets))
    _keep(path, _read(path) | {"recovery": {"public": public.hex(), "box": box.hex()}})


def unlock_by_recovery(path: Path, private: bytes) -> Secrets:
    """The secrets, by the recovery key.

    Raises RecoveryKeyWrong, also when the credential is closed for none, CredentialMissing and CredentialDamaged.
    """
    slot = _read(path).get("recovery")
    if slot is None:
        raise RecoveryKeyWrong
    try:
        return _unpacked(SealedBox(PrivateKey(private)).decrypt(bytes.fromhex(slot["box"])))
    except (CryptoError, TypeError):
        raise RecoveryKeyWrong from None
    except (KeyError, ValueError):
        raise CredentialDamaged(file=path) from None


def recovery_public(path: Path) -> bytes | None:
    """The public part of the recovery key that opens the credential, 32 bytes; None without one."""
    slot = _read(path).get("recovery")
    return None if slot is None else bytes.fromhex(slot["public"])


def _close(passphrase: str, secrets: Secrets, hardness: Hardness) -> dict[str, Any]:
    check_new(passphrase)
    return close_slot(_packed(secrets), passphrase, hardness)


def _packed(secrets: Secrets) -> bytes:
    return b"".join(getattr(secrets, each.name) for each in fields(Secrets))


def _unpacked(data: bytes) -> Secrets:
    return Secrets(*(data[at : at + SECRET_BYTES] for at in range(0, len(data), SECRET_BYTES)))


def _read(path: Path) -> dict[str, Any]:
    try:
        members = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise CredentialMissing(file=path) from None
    except ValueError:
        raise CredentialDamaged(file=path) from None
    if not isinstance(members, dict) or members.get("v") != _VERSION:
        raise CredentialDamaged(file=path)
    return members


def _keep(path: Path, members: Mapping[str, Any]) -> None:
    # A power cut must not leave a database whose key was still in memory.
    durable.write(path, json.dumps(members).encode())
