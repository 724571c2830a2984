"""Enrolment: the one-time code, the proof of keys, and the six words that both sides read out (PROTOCOL §5)."""

import hashlib
from typing import Final

from client_sync.protocol.words import from_words, to_words

# Base 32 without I, L, O and U: nobody has to ask which was meant.
CODE_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_CHARS: Final = 20
CODE_GROUP: Final = 4
FINGERPRINT_WORDS: Final = 6
_PROOF_DOMAIN: Final = b"seere-enrol-1\n"
_WORDS_DOMAIN: Final = b"seere-words-1\n"
_MISREAD: Final = str.maketrans({"I": "1", "L": "1", "O": "0", "U": "V"})
_CODE_BYTES: Final = 13


def normal_code(text: str) -> str:
    """The code as it is hashed: from characters with any grouping or case, or from its words."""
    words = text.replace("-", " ").split()
    if len(words) == _CODE_BYTES:
        return code_from_words(words)
    return "".join(words).upper().translate(_MISREAD)


def grouped_code(code: str) -> str:
    """The code in groups of four, to be read out and typed."""
    return "-".join(code[at : at + CODE_GROUP] for at in range(0, len(code), CODE_GROUP))


def code_words(code: str) -> list[str]:
    """The code as 13 words, for a voice on a bad line."""
    number = 0
    for char in code:
        number = number * len(CODE_ALPHABET) + CODE_ALPHABET.index(char)
    return to_words(number.to_bytes(_CODE_BYTES, "big"))


def code_from_words(words: list[str]) -> str:
    """The code behind its 13 words; raises ValueError for a word that is on no list."""
    number = int.from_bytes(from_words(words), "big")
    chars = []
    for _ in range(CODE_CHARS):
        number, digit = divmod(number, len(CODE_ALPHABET))
        chars.append(CODE_ALPHABET[digit])
    return "".join(reversed(chars))


def proof_digest(code: str, sign_key: bytes, box_key: bytes) -> bytes:
    """What a new device signs: 32 bytes over the code and its public keys."""
    return hashlib.sha256(_PROOF_DOMAIN + code.encode() + sign_key + box_key).digest()


def fingerprint(hub_sign_key: bytes, root: bytes, sign_key: bytes, box_key: bytes) -> list[str]:
    """The six words of a pair of hub and device, and of the root key that says whom the device seals to."""
    digest = hashlib.sha256(_WORDS_DOMAIN + hub_sign_key + root + sign_key + box_key).digest()
    return to_words(digest[:FINGERPRINT_WORDS])
