"""How a browser shows the console: colours, size of text, keys; its own cookie, which says nothing of whom."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from flask import request
from werkzeug.wrappers import Response

Theme = Literal["system", "light", "dark"]
Size = Literal["usual", "large"]
Keys = Literal["on", "alt", "off"]

THEMES: Final[tuple[Theme, ...]] = get_args(Theme)
SIZES: Final[tuple[Size, ...]] = get_args(Size)
KEYS: Final[tuple[Keys, ...]] = get_args(Keys)

_COOKIE: Final = "seere-view"
_MAX_AGE_S: Final = 31_536_000


@dataclass(frozen=True)
class View:
    """What this browser was told; `alt`: a key acts with Alt alone."""

    theme: Theme = "system"
    size: Size = "usual"
    keys: Keys = "on"


def read() -> View:
    """What the cookie says, and the usual for what it doesn't."""
    theme, _, rest = request.cookies.get(_COOKIE, "").partition(".")
    size, _, keys = rest.partition(".")
    return chosen(theme, size, keys)


def chosen(theme: str, size: str, keys: str) -> View:
    """A view of these words, the usual where one is unknown."""
    return View(
        next((each for each in THEMES if each == theme), "system"),
        next((each for each in SIZES if each == size), "usual"),
        next((each for each in KEYS if each == keys), "on"),
    )


def keep(response: Response, view: View, *, is_secure: bool) -> None:
    """Let this browser show the console so from now on."""
    response.set_cookie(
        _COOKIE,
        f"{view.theme}.{view.size}.{view.keys}",
        max_age=_MAX_AGE_S,
        path="/",
        secure=is_secure,
        httponly=True,
        samesite="Lax",
    )
