"""What two narratives share, marked in one of them: the runs of words that the other has too."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Final

# A word with what follows it, so that the pieces give the text again.
_WORD: Final = re.compile(r"\w+\W*|\W+")
_BARE: Final = re.compile(r"\w+")
# A run is worth a mark from three words on, and one word where it is as long.
_RUN_WORDS: Final = 3
_WORD_CHARS: Final = 7
# Of more nobody compares by eye, and the time grows with the square.
_WORDS_MOST: Final = 400


@dataclass(frozen=True)
class Piece:
    """A part of a narrative; `is_shared`: the other has it too."""

    text: str
    is_shared: bool


def marked(text: str, other: str) -> Sequence[Piece]:
    """The narrative in pieces that give it again, word for word."""
    words = _WORD.findall(text)
    bare, theirs = ([_bare(each) for each in _WORD.findall(whole)[:_WORDS_MOST]] for whole in (text, other))
    shared = set(_shared(bare, theirs))
    parts = groupby(enumerate(words), lambda each: each[0] in shared)
    return tuple(Piece("".join(word for _, word in run), is_shared) for is_shared, run in parts)


def _shared(bare: list[str], theirs: list[str]) -> Iterator[int]:
    for block in SequenceMatcher(None, bare, theirs, autojunk=False).get_matching_blocks():
        run = range(block.a, block.a + block.size)
        if block.size >= _RUN_WORDS or any(len(bare[at]) >= _WORD_CHARS for at in run):
            yield from run


def _bare(word: str) -> str:
    found = _BARE.match(word)
    return found[0].lower() if found else ""
