"""Bytes as French words, for fingerprints and codes that people read aloud to each other."""

from collections.abc import Iterable
from importlib import resources
from typing import Final

# The line of a word is its byte: the file is part of the wire contract and never changes.
WORDS: Final = tuple((resources.files("client_sync.protocol") / "words.txt").read_text("ascii").split())
_BYTE_OF: Final = {word: byte for byte, word in enumerate(WORDS)}


def to_words(data: bytes) -> list[str]:
    """One word per byte, in order."""
    return [WORDS[byte] for byte in data]


def from_words(words: Iterable[str]) -> bytes:
    """The bytes that `to_words` turned into these words, in any case.

    Raises ValueError, with the word as its argument, for the first one that is not in the list.
    """
    return bytes(_byte_of(word) for word in words)


def _byte_of(word: str) -> int:
    byte = _BYTE_OF.get(word.lower())
    if byte is None:
        raise ValueError(word)
    return byte
