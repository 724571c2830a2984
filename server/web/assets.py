"""What pages are dressed with: files of our own and of others, each under a name that changes with its content."""

import functools
import hashlib
from importlib import resources
from typing import Final

from flask import Blueprint, Flask, Response, request, send_from_directory

from server.web.auth import guarded

blueprint = Blueprint("assets", __name__)

_FOLDER: Final = resources.files("server.web") / "static"
_DIGITS: Final = 12
_YEAR_S: Final = 31_536_000
_DAY_S: Final = 86_400


def register(app: Flask) -> None:
    """Let the templates of this app name files."""
    app.register_blueprint(blueprint)
    app.jinja_env.globals["asset"] = asset


def asset(name: str) -> str:
    """Where a browser gets the file as it is now, once for as long as it stays so."""
    # Without url_for, which needs to know a host that a refusal may be about.
    return f"/static/{name}?v={_digest(name)}"


@blueprint.get("/static/<path:name>")
@guarded("public")
def static(name: str) -> Response:
    """A style sheet or script."""
    is_pinned = "v" in request.args
    answer = send_from_directory("web/static", name, max_age=_YEAR_S if is_pinned else _DAY_S)
    answer.cache_control.immutable = is_pinned
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


@functools.cache
def _digest(name: str) -> str:
    return hashlib.sha256((_FOLDER / name).read_bytes()).hexdigest()[:_DIGITS]
