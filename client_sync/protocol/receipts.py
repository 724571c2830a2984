"""Receipt codes such as `7K4M-2QG`: what a complainant takes home, made on the device."""

import re
from collections.abc import Callable
from typing import Final

# Neither 0/O, 1/I/L nor U/V look-alikes together; 23 is prime, so the check letter
# catches every single wrong character and every swap of two neighbours.
ALPHABET: Final = "23456789ACDEFHJKMPQRTXY"
CHECK_LETTERS: Final = "ABCDEFGHJKMNPQRSTUVWXYZ"
BODY_CHARS: Final = 6
_WRITTEN: Final = re.compile(f"[{ALPHABET}]{{4}}-[{ALPHABET}]{{2}}[{CHECK_LETTERS}]")


def new_receipt(choose: Callable[[str], str]) -> str:
    """A random receipt code; `choose` picks one character of a string (`secrets.choice`)."""
    body = "".join(choose(ALPHABET) for _ in range(BODY_CHARS))
    return f"{body[:4]}-{body[4:]}{check_letter(body)}"


def check_letter(body: str) -> str:
    """The check letter of six characters of ALPHABET; raises ValueError for any other text."""
    if len(body) != BODY_CHARS:
        raise ValueError(body)
    total = sum(place * ALPHABET.index(char) for place, char in enumerate(body, 1))
    return CHECK_LETTERS[total % len(CHECK_LETTERS)]


def read_receipt(text: str) -> str | None:
    """The receipt code that a person wrote, in any case, with or without spaces and hyphen; None when it is none."""
    signs = "".join(char for char in text.upper() if char.isalnum())
    code = f"{signs[:4]}-{signs[4:]}"
    return code if is_receipt(code) else None


def is_receipt(text: object) -> bool:
    """Whether `text` is a receipt code with a right check letter, written `XXXX-XXX`."""
    if not isinstance(text, str) or _WRITTEN.fullmatch(text) is None:
        return False
    return text[7] == check_letter(text[:4] + text[5:7])
