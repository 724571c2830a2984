"""The web application: doors on one hub."""

from typing import Any, Final

from flask import Flask, Response, current_app, request
from flask_smorest import Api
from werkzeug.middleware.proxy_fix import ProxyFix

from client_sync.protocol.limits import BODY_MAX_BYTES
from server.config import Settings
from server.hub import Hub
from server.web import (
    access,
    assets,
    bounds,
    compression,
    cookies,
    demo,
    errors,
    figures_api,
    formats,
    locked,
    status,
    sync_api,
    tus_api,
)
from server.web.console import (
    account,
    case,
    cases,
    dashboard,
    devices,
    duplicates,
    entry,
    evidence,
    follow_ups,
    helping,
    identity,
    inbox,
    login,
    package,
    packages,
    people,
    quarantine,
    received,
    referrals,
    search,
    summaries,
    tasks,
    verification,
)
from server.web.field import doors as carnet
from server.web.schemas import PROBLEM, ProblemShape

# Each byte here goes down a bad link with every answer to a device.
_HEADERS: Final = {"Cache-Control": "no-store"}
_HTML_HEADERS: Final = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_PAGE_HEADERS: Final = _HTML_HEADERS | {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
# A month from the last visit: who takes over the line in between can't have the browser ask in clear (RFC 6797).
_TLS_HEADERS: Final = {"Strict-Transport-Security": "max-age=2592000"}


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
    for doors in (sync_api, tus_api, figures_api):
        api.register_blueprint(doors.blueprint)
    for pages in (
        status,
        demo,
        login,
        account,
        cases,
        search,
        entry,
        dashboard,
        follow_ups,
        helping,
        duplicates,
        quarantine,
        devices,
        identity,
        inbox,
        case,
        referrals,
        packages,
        package,
        summaries,
        received,
        evidence,
        people,
        verification,
        tasks,
        carnet,
    ):
        app.register_blueprint(pages.blueprint)
    # Before the form is read for its token.
    bounds.register(app)
    cookies.register(app, hub)
    assets.register(app)
    formats.register(app, hub)
    compression.register(app)
    errors.register(app)
    access.register(app)
    app.after_request(_add_headers)
    # The address alone, by which wrong guesses wait; name and TLS go by the settings.
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hub.settings.proxies, x_proto=0, x_host=0)  # type: ignore[method-assign]
    return app


def create_locked_app(settings: Settings) -> Flask:
    """A WSGI application that answers for a hub without its passphrase: come back later."""
    app = Flask("server", static_folder=None, template_folder="web/templates")
    app.config.update(LANGUAGE=settings.language, MAX_CONTENT_LENGTH=BODY_MAX_BYTES)
    app.register_blueprint(locked.blueprint)
    assets.register(app)
    errors.register(app)
    access.register(app)
    app.after_request(_add_headers)
    return app


def _add_headers(response: Response) -> Response:
    is_page = response.mimetype == "text/html"
    if is_page and request.method == "POST" and not 300 <= response.status_code < 400:
        # What answers a form in its place is no page to come back to.
        response.headers.setdefault("HX-Push-Url", "false")
    headers: dict[str, Any] = _HEADERS
    if is_page and "HX-Request" in request.headers:
        # A script asked, and puts it into the page it is on: under the rules of that page, whatever these would be.
        headers = headers | _HTML_HEADERS
    elif is_page:
        headers = headers | _PAGE_HEADERS
        if current_app.config["SESSION_COOKIE_SECURE"]:
            headers = headers | _TLS_HEADERS
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    return response
