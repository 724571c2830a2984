"""Minisign: signatures of packages in a format that a clerk checks with a public program, and the key they are made by.

The format, a key or a signature on its second line: https://jedisct1.github.io/minisign/#signature-format
"""

import hashlib
import hmac
from base64 import b64encode
from typing import Final

from nacl.signing import SigningKey

_KEY: Final = b"Ed"
# Of the BLAKE2b-512 of a file: what `minisign` makes and takes since 0.11 without being asked.
_PREHASHED: Final = b"ED"
_ID_BYTES: Final = 8
_FINGERPRINT_CHARS: Final = 24
_PURPOSE: Final = b"seere: signatures of packages"


def seed_of(secret: bytes) -> bytes:
    """The seed, 32 bytes, by which a hub signs packages; `secret`: the one by which it signs what devices get.

    A key of its own: whatever a package says, its signature is none of a frame, an anchor or an order.
    """
    return hmac.digest(secret, _PURPOSE, "sha256")


def key_id(seed: bytes) -> str:
    """What minisign calls the key: 16 hexadecimal digits, in capitals."""
    return _id(_public(seed))[::-1].hex().upper()


def public_key(seed: bytes) -> str:
    """The key by which signatures are checked, as `minisign -P` takes it: 56 characters."""
    public = _public(seed)
    return _text(_KEY + _id(public) + public)


def public_file(seed: bytes) -> bytes:
    """The same key as a file, which `minisign -p` takes."""
    return f"untrusted comment: minisign public key {key_id(seed)}\n{public_key(seed)}\n".encode()


def key_in(file: bytes) -> str:
    """The key in such a file: 56 characters."""
    return file.decode().splitlines()[1]


def fingerprint(file: bytes) -> str:
    """What people compare of such a file by voice: 24 hexadecimal digits, the first that `sha256sum` says of it."""
    return hashlib.sha256(file).hexdigest()[:_FINGERPRINT_CHARS]


def signature(seed: bytes, data: bytes, comment: str) -> bytes:
    """The file `….minisig` for a file that holds `data`; `comment`: one line that is signed with it."""
    key = SigningKey(seed)
    signed = key.sign(hashlib.blake2b(data).digest()).signature
    all_of_it = key.sign(signed + comment.encode()).signature
    lines = (
        f"untrusted comment: signature by the key {key_id(seed)}",
        _text(_PREHASHED + _id(bytes(key.verify_key)) + signed),
        f"trusted comment: {comment}",
        _text(all_of_it),
    )
    return "".join(line + "\n" for line in lines).encode()


def _public(seed: bytes) -> bytes:
    return bytes(SigningKey(seed).verify_key)


def _id(public: bytes) -> bytes:
    return hashlib.sha256(public).digest()[:_ID_BYTES]


def _text(data: bytes) -> str:
    return b64encode(data).decode()
