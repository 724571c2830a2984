"""Features: a profile as it lies in the database, sealed under a key that follows from the pepper."""

from hashlib import blake2b

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
)
from nacl.exceptions import CryptoError
from nacl.utils import random as random_bytes

from server.domain.matching.profiles import Profile, pack_profile, unpack_profile

_NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
_ID_BYTES = 8


class Features:
    """What seals and opens profiles; each opens as that of its own complaint alone."""

    def __init__(self, pepper: bytes) -> None:
        size = crypto_aead_xchacha20poly1305_ietf_KEYBYTES
        self._key = blake2b(key=pepper, person=b"seere features", digest_size=size).digest()

    def seal(self, complaint: int, profile: Profile) -> bytes:
        """The profile of a complaint, to be kept."""
        nonce = random_bytes(_NONCE_BYTES)
        whole = pack_profile(profile)
        return nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(whole, _bound(complaint), nonce, self._key)

    def open(self, complaint: int, sealed: bytes) -> Profile | None:
        """What was sealed; None for what was sealed under another pepper, or for another complaint."""
        nonce, box = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            whole = crypto_aead_xchacha20poly1305_ietf_decrypt(box, _bound(complaint), nonce, self._key)
        except CryptoError:
            return None
        return unpack_profile(whole)


def _bound(complaint: int) -> bytes:
    return complaint.to_bytes(_ID_BYTES)
