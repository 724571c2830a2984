"""Meanings: what the words of a text of sentences stand for, whether it is told in French or in English."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Final

from server.domain.folding import fold

_STEM_CHARS: Final = 6


def meanings_of(text: str) -> frozenset[str]:
    """What a text speaks of: for a word of the list its meaning, for a number itself, for another word its stem.

    A stem is the first six letters: what is left of most French and English endings, and of what the two languages have
    in common. Words of grammar are left out.
    """
    return frozenset(_meaning(word) for word in fold(text).split() if word not in _GRAMMAR)


def _meaning(word: str) -> str:
    stem = word if word.isdigit() else word[:_STEM_CHARS]
    return _MEANINGS.get(stem, stem)


def _load() -> Mapping[str, str]:
    return tomllib.loads((resources.files("server.domain.matching") / "meanings.toml").read_text("utf-8"))


def _by_stem(meanings: str) -> dict[str, str]:
    lines = [line.split() for line in meanings.splitlines() if line.strip()]
    return {word[:_STEM_CHARS]: f"={words[0]}" for words in lines for word in words}


_TABLE: Final = _load()
_GRAMMAR: Final = frozenset(_TABLE["grammar"].split())
_MEANINGS: Final = _by_stem(_TABLE["meanings"])
