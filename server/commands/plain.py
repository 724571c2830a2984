"""Text from outside, for a terminal."""

import json
from typing import Any


def plain(text: str) -> str:
    """The text with what could steer a terminal written out."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def readable(value: Any) -> str:
    """A JSON value over several lines, each of them plain."""
    return "\n".join(plain(line) for line in json.dumps(value, ensure_ascii=False, indent=2).split("\n"))
