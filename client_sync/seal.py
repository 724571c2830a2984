"""Sealing: compartments of a record that only the keys of their readers open (PROTOCOL §4.1)."""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    sodium_pad,
    sodium_unpad,
)
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.utils import random as random_bytes

KEY_BYTES: Final = 32
SMALLEST_BYTES: Final = 64
# What one box may open to: many times the longest narrative, far below what would fill a memory.
TEXT_MAX_BYTES: Final = 2**20

_DOMAIN: Final = b"seere-seal-1"
# No key seals twice: a record key is drawn for each `seal`, and gives each compartment a key of its own.
_NONCE: Final = bytes(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)
_AS_IS: Final = b"\x00"
_DEFLATED: Final = b"\x01"
_RAW_WINDOW: Final = -15
# What texts are likely to repeat, the likeliest last. Part of version 1: a change of it is a new version.
_EXPECTED: Final = (
    b'{"contact":{"how":"","say":"","through":"","when":""},"media_keys":{"note":""'
    b'{"lang":"fr","narrative":"","summary":""},"accuracy_m":1'
    b'"},"persons":[{"name":"","no":3,"phone":"+223 00 '
    b'{"gps":{"lat":"1","lon":"-"},"place":{"id":"ml-c-","list":"2026.1"},"said":"'
    b'},{"name":"","no":2}]}{"persons":[{"name":"","no":1,"phone":"+223 00 '
)


class Unopenable(Exception):
    """A box that this key does not open, or not here: another key, record or compartment, or damaged."""


class HoldsKey(Protocol):
    """Whom a record can be sealed to, such as a recipient of the keyring."""

    @property
    def kid(self) -> str:
        """The key's id."""

    @property
    def public(self) -> bytes:
        """The X25519 public key, 32 bytes."""


@dataclass(frozen=True)
class Reader:
    """A key to seal to: its id, and the X25519 public key, 32 bytes."""

    kid: str
    public: bytes


@dataclass(frozen=True)
class Binding:
    """Where a box belongs: the id of the operation that carries it, and the lineage that made it."""

    record: str
    lineage: str


@dataclass(frozen=True)
class Sealed:
    """Boxes by compartment, and by key id the record key that opens them, sealed to that reader."""

    boxes: dict[str, bytes]
    keys: dict[str, bytes]


def seal(parts: Mapping[str, bytes], readers: Sequence[HoldsKey], binding: Binding) -> Sealed:
    """Seal the texts of compartments so that each reader opens all of them and nobody else any.

    Box sizes tell only a class: 64, 128, 256 … bytes, and 16. Raises ValueError without readers: nobody could
    ever open it.
    """
    if not readers:
        raise ValueError("no readers")
    record_key = random_bytes(KEY_BYTES)
    boxes = {name: _encrypt(text, record_key, name, binding) for name, text in parts.items()}
    return Sealed(boxes, {reader.kid: _seal_key(record_key, reader) for reader in readers})


def open_record_key(box: bytes, private: bytes) -> bytes:
    """The record key in one reader's box, by that reader's X25519 private key. Raises Unopenable."""
    record_key = _open_sealed(box, private)
    if len(record_key) != KEY_BYTES:
        raise Unopenable
    return record_key


def open_part(box: bytes, record_key: bytes, compartment: str, binding: Binding) -> bytes:
    """The text of a compartment. Raises Unopenable, also for a box from another place than `binding`."""
    if len(box) < SMALLEST_BYTES:
        raise Unopenable
    key = _compartment_key(record_key, compartment)
    try:
        padded = crypto_aead_xchacha20poly1305_ietf_decrypt(box, _bound(compartment, binding), _NONCE, key)
    except CryptoError:
        raise Unopenable from None
    return _unpack(padded)


def rewrap(record_key: bytes, reader: HoldsKey, boxes: Mapping[str, bytes], binding: Binding) -> bytes:
    """The record key of a sealed record, sealed to one more reader. Raises Unopenable.

    Proves first that the key opens one of the boxes in their place: otherwise who slips the key box of one
    record into another would have it handed to the readers of that other.
    """
    for compartment, box in boxes.items():
        try:
            open_part(box, record_key, compartment, binding)
        except Unopenable:
            continue
        return _seal_key(record_key, reader)
    raise Unopenable


def seal_to(public: bytes, data: bytes) -> bytes:
    """An envelope for one X25519 public key, padded to a class; says neither who made it nor where it belongs."""
    return SealedBox(PublicKey(public)).encrypt(_pack(data))


def open_envelope(envelope: bytes, private: bytes) -> bytes:
    """What `seal_to` put in, by the X25519 private key. Raises Unopenable."""
    return _unpack(_open_sealed(envelope, private))


def _encrypt(text: bytes, record_key: bytes, compartment: str, binding: Binding) -> bytes:
    key = _compartment_key(record_key, compartment)
    return crypto_aead_xchacha20poly1305_ietf_encrypt(_pack(text), _bound(compartment, binding), _NONCE, key)


def _compartment_key(record_key: bytes, compartment: str) -> bytes:
    return hashlib.blake2b(compartment.encode(), key=record_key, person=_DOMAIN, digest_size=KEY_BYTES).digest()


def _bound(compartment: str, binding: Binding) -> bytes:
    """The associated data; each part is preceded by its length, so that no two places share one."""
    parts = (compartment.encode(), binding.record.encode(), binding.lineage.encode())
    return _DOMAIN + b"".join(b"\n%d:%b" % (len(part), part) for part in parts)


def _seal_key(record_key: bytes, reader: HoldsKey) -> bytes:
    return SealedBox(PublicKey(reader.public)).encrypt(record_key)


def _open_sealed(box: bytes, private: bytes) -> bytes:
    try:
        return SealedBox(PrivateKey(private)).decrypt(box)
    except CryptoError:
        raise Unopenable from None


def _pack(text: bytes) -> bytes:
    """One byte that says how, the text, and padding (ISO/IEC 7816-4) up to the next class."""
    if len(text) > TEXT_MAX_BYTES:
        raise ValueError("too long to seal")
    stream = zlib.compressobj(9, wbits=_RAW_WINDOW, zdict=_EXPECTED)
    deflated = stream.compress(text) + stream.flush()
    packed = _DEFLATED + deflated if len(deflated) < len(text) else _AS_IS + text
    return sodium_pad(packed, _class_bytes(len(packed) + 1))


def _class_bytes(least: int) -> int:
    return max(SMALLEST_BYTES, 1 << (least - 1).bit_length())


def _unpack(padded: bytes) -> bytes:
    try:
        packed = sodium_unpad(padded, len(padded))
    except CryptoError:
        raise Unopenable from None
    how, rest = packed[:1], packed[1:]
    if how == _AS_IS:
        return rest
    if how != _DEFLATED:
        raise Unopenable
    return _inflate(rest)


def _inflate(deflated: bytes) -> bytes:
    stream = zlib.decompressobj(_RAW_WINDOW, zdict=_EXPECTED)
    try:
        text = stream.decompress(deflated, TEXT_MAX_BYTES)
    except zlib.error:
        raise Unopenable from None
    if not stream.eof:
        raise Unopenable
    return text
