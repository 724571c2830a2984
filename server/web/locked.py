"""A locked hub: it has no passphrase yet, so every door says that it will answer later."""

from flask import Blueprint, Response, make_response, render_template, request

from client_sync.protocol.codes import CODES
from server.i18n import catalogue
from server.web.auth import guarded
from server.web.errors import RETRY_AFTER_S, problem
from server.web.formats import callers_language

blueprint = Blueprint("locked", __name__)


@blueprint.get("/")
@guarded("public")
def page() -> tuple[str, int, dict[str, str]]:
    """A small page for whoever opens the address in a browser."""
    language = callers_language()
    shown = render_template("locked.html", texts=catalogue(language), language=language)
    return shown, _status(), {"Retry-After": str(RETRY_AFTER_S["locked"])}


@blueprint.before_app_request
def refuse() -> Response | None:
    """What a device is told, whatever it asks: to it, this is one more dead link. A browser gets the page."""
    if request.endpoint in (f"{blueprint.name}.page", "assets.static"):
        return None
    return make_response(page()) if _is_browser() else problem("locked", _status())


def _is_browser() -> bool:
    wanted = request.accept_mimetypes
    return wanted["text/html"] > wanted["application/json"]


def _status() -> int:
    return CODES["locked"].status or 0
