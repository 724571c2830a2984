"""Pages of a package: each one file with all that it needs, without a script, to be read and printed anywhere."""

import re
from importlib import resources
from typing import Final

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from server.figure_words import Words

_NARROW_SPACE: Final = "\u202f"
_QUAD: Final = 4
_TYPED: Final = re.compile("`([^`]+)`")
# In French these signs never stand alone at the end of a line or at the beginning of one.
_LOOSE: Final = re.compile(r" (?=[:;!?»])|(?<=«) ")
_FIRM_SPACE: Final = "\u00a0"


def render(template: str, words: Words, **values: object) -> str:
    """A page; `text` in it says words of the catalogue, what is to be typed set apart where these have it between
    grave accents, and a number that is None stands as a hidden one."""

    def text(key: str, /, **told: object) -> Markup:
        said = _LOOSE.sub(_FIRM_SPACE, str(escape(words.text(key, **told))))
        return Markup(_TYPED.sub(r"<code>\1</code>", said))

    pages = Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(lambda name: (resources.files(__package__) / name).read_text("utf-8")),
    )
    pages.filters["number"] = lambda number: words.text("papers.hidden") if number is None else in_thousands(number)
    pages.filters["fours"] = in_fours
    return pages.get_template(template).render(text=text, language=words.language, **values)


def in_thousands(number: int) -> str:
    """A number as people read it in French."""
    return f"{number:,}".replace(",", _NARROW_SPACE)


def in_fours(digest: str) -> str:
    """A fingerprint in groups of four, to be compared by eye or read aloud."""
    return " ".join(digest[at : at + _QUAD] for at in range(0, len(digest), _QUAD))
