"""Folding: one plain form of a word, however it was typed, so that what people look for is what people wrote."""

import re
import unicodedata
from typing import Final

# A longer run of letters is no word of anybody's, and PostgreSQL refuses it in an index.
WORD_MAX_CHARS: Final = 64

_PLAIN: Final = {
    # Letters of Bambara, Fulfulde and Tamasheq as they are typed on a telephone that lacks them.
    "ɛ": "e", "ɔ": "o", "ɲ": "ny", "ŋ": "ng", "ɓ": "b", "ɗ": "d", "ƴ": "y", "ə": "e", "ɣ": "gh",
    # Unicode takes these two of French for letters, not for pairs.
    "œ": "oe", "æ": "ae",
}  # fmt: skip
# What stands for an apostrophe and counts as a letter in Unicode, N'Ko's two among them; the others are no letters.
_APOSTROPHES: Final = "ʹʻʼʾʿˈꞌߴߵ"
_LETTERS: Final = str.maketrans(_PLAIN | dict.fromkeys(_APOSTROPHES, " "))
_WORD: Final = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """The words of a text in small letters without marks, and its numbers, with one space between two.

    The same for a text composed or not, in capitals or not, with straight or curved apostrophes; what is folded
    stays as it is. Whatever is neither letter nor digit is a space: no query language finds a sign of its own in it.
    """
    letters = "".join(char for char in unicodedata.normalize("NFKD", text) if not _is_mark(char))
    return " ".join(_WORD.findall(letters.casefold().translate(_LETTERS)))


def search_words(*texts: str) -> list[str]:
    """The distinct folded words of some texts, in alphabetical order, each cut at WORD_MAX_CHARS."""
    return sorted({word[:WORD_MAX_CHARS] for text in texts for word in fold(text).split()})


def _is_mark(char: str) -> bool:
    # Beside accents, what is never seen: a soft hyphen or a joiner must not cut a word in two.
    return char > "\x7f" and (unicodedata.category(char)[0] == "M" or unicodedata.category(char) == "Cf")
