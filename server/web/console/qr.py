"""Codes that a telephone reads from the screen."""

from typing import Final

import segno

_BORDER: Final = 4


def drawn(text: str) -> str:
    """The text as a picture, in SVG that stands in a page."""
    # It keeps its white ground: what reads it needs it light, whatever the colours of the page.
    made: str = segno.make(text).svg_inline(border=_BORDER, omitsize=True, light="#fff", svgclass="qr", lineclass=None)
    return made
