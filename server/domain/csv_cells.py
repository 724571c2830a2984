"""Cells of CSV files: numbers as they are, and no text that a spreadsheet would take for a formula."""

import re
import unicodedata
from typing import Final

# What Excel and LibreOffice begin a formula with (OWASP, CSV injection), in the form to which NFKC brings wide ones.
_FORMULA_STARTS: Final = ("=", "+", "-", "@")
# By these a cell ends for some spreadsheets, and what follows is read as another.
_ENDS: Final = ("\t", "\r", "\n")
# Categories of what nobody sees before a text: controls, byte order marks, zero width, blanks of any width.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
# What is all digits, and what stands between them: of "04" a spreadsheet makes 4, of the ages "5-11" a day of November.
_LIKE_A_NUMBER: Final = re.compile(r"\s*\d[\d\s.,:/eE-]*")
# A month or a day of ISO 8601 stays one.
_WHEN: Final = re.compile(r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])(?:-\d\d)?")


def harmless(value: object) -> str | int | float:
    """A value as a cell: a number stays one, None is empty, a text that could be run is made text by an apostrophe."""
    if isinstance(value, int | float):
        return value
    text = "" if value is None else str(value)
    return f"'{text}" if _could_run(text) else text


def kept(text: str) -> str:
    """A text as a cell that stays that text: as `harmless`, and no number or day is made of a code or a telephone."""
    is_changed = _LIKE_A_NUMBER.fullmatch(text) and not _WHEN.fullmatch(text)
    return f"'{text}" if is_changed else str(harmless(text))


def _could_run(text: str) -> bool:
    return text.startswith(_ENDS) or _seen(unicodedata.normalize("NFKC", text)).startswith(_FORMULA_STARTS)


def _seen(text: str) -> str:
    """A text from the first character on that can be seen."""
    begins = next((at for at, each in enumerate(text) if unicodedata.category(each) not in _UNSEEN), len(text))
    return text[begins:]
