"""What a passphrase may be."""

import unicodedata
from typing import Final

from server.domain.errors import PassphraseRefused

MIN_WORDS: Final = 4
MIN_CHARS: Final = 16
# Looked at before hashing, which costs what it is given.
MAX_BYTES: Final = 1024


def check_new(passphrase: str) -> None:
    """Raises PassphraseRefused for fewer than 4 words and than 16 characters, and for more than 1,024 bytes."""
    is_short = len(passphrase.split()) < MIN_WORDS and len(passphrase.strip()) < MIN_CHARS
    if is_short or is_too_long(passphrase):
        raise PassphraseRefused(words=MIN_WORDS, chars=MIN_CHARS)


def is_too_long(passphrase: str) -> bool:
    """Whether it is not worth hashing: no passphrase that was accepted is so long."""
    return len(passphrase) > MAX_BYTES or len(normal_bytes(passphrase)) > MAX_BYTES


def normal_bytes(passphrase: str) -> bytes:
    """What is hashed: the same words on another keyboard, where spacing and the form of accents don't count."""
    return " ".join(unicodedata.normalize("NFC", passphrase).split()).encode("utf-8", "surrogatepass")
