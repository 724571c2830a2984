"""The web application: doors on one hub."""

from typing import Any, Final

from flask import Flask, Response
from flask_smorest import Api

from client_sync.protocol.limits import BODY_MAX_BYTES
from server.config import Settings
from server.hub import Hub
from server.web import access, cookies, errors, figures_api, locked, status, sync_api
from server.web.console import account, login
from server.web.schemas import PROBLEM, ProblemShape

# Each byte here goes down a bad link with every answer to a device.
_HEADERS: Final = {"Cache-Control": "no-store"}
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _Api(Api):  # type: ignore[misc]
    """Documents what every route refuses with; what it gives is said at the route."""

    ERROR_SCHEMA = ProblemShape
    DEFAULT_RESPONSE_CONTENT_TYPE = PROBLEM


def create_app(hub: Hub) -> Flask:
    """A WSGI application that answers for `hub`."""
    app = Flask("server", static_folder=None, template_folder="web/templates")
    app.config.update(
        LANGUAGE=hub.settings.language,
        MAX_CONTENT_LENGTH=BODY_MAX_BYTES,
        API_TITLE="Seere",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
    )
    app.extensions["seere"] = hub
    api = _Api(app)
    api.spec.components.security_scheme("device", {"type": "http", "scheme": "bearer"})
    api.spec.components.security_scheme("person", {"type": "apiKey", "in": "cookie", "name": cookies.SAFE_NAME})
    for doors in (sync_api, figures_api):
        api.register_blueprint(doors.blueprint)
    for pages in (status, login, account):
        app.register_blueprint(pages.blueprint)
    cookies.register(app, hub)
    errors.register(app)
    access.register(app)
    app.after_request(_add_headers)
    return app


def create_locked_app(settings: Settings) -> Flask:
    """A WSGI application that answers for a hub without its passphrase: come back later."""
    app = Flask("server", static_folder=None, template_folder="web/templates")
    app.config.update(LANGUAGE=settings.language, MAX_CONTENT_LENGTH=BODY_MAX_BYTES)
    app.register_blueprint(locked.blueprint)
    errors.register(app)
    access.register(app)
    app.after_request(_add_headers)
    return app


def _add_headers(response: Response) -> Response:
    is_page = response.mimetype == "text/html"
    headers: dict[str, Any] = _HEADERS | _PAGE_HEADERS if is_page else _HEADERS
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    return response
