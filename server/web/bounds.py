"""What no page takes: a form beyond measure, and characters that nobody types."""

from typing import Final

from flask import Flask, request
from werkzeug.exceptions import BadRequest

from server.domain.errors import NotFound
from server.web.cookies import is_of_devices

# A long account takes a quarter of it, each of its letters written as six characters.
FORM_MAX_BYTES: Final = 500_000
# PostgreSQL keeps no NUL, and a header breaks at the end of a line.
_NUL: Final = "\0"
_IN_NO_PATH: Final = frozenset("\0\r\n")


def register(app: Flask) -> None:
    """Refuse them before anything looks at a request of this app; what devices send has bounds of its own."""
    app.before_request(_check)


def _check() -> None:
    if is_of_devices(request.path):
        return
    request.max_content_length = FORM_MAX_BYTES
    if not _IN_NO_PATH.isdisjoint(request.path):
        raise NotFound(object="page")
    if any(_NUL in text for text in _texts()):
        raise BadRequest


def _texts() -> list[str]:
    """All that the query and the form say, names and values."""
    fields = (*request.args.items(multi=True), *request.form.items(multi=True))
    return [text for field in fields for text in field]
