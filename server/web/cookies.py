"""The one cookie: signed, for the length of a visit, and for people alone; no route of devices looks at any."""

import hashlib
from typing import Final

from flask import Flask, Request, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_wtf.csrf import CSRFProtect, generate_csrf
from markupsafe import Markup

from server.domain.people import SESSION_MAX
from server.hub import Hub

API: Final = "/api/"
# The routes below it that people's browsers and programs ask by their session; nothing is changed by any.
_OF_PEOPLE: Final = frozenset({"/api/v1/statistics"})
# A browser takes it over https only, from the host itself and for all its paths (RFC 6265bis, 4.1.3.2).
SAFE_NAME: Final = "__Host-seere"
LOOPBACK_NAME: Final = "seere"

_KEY_DOMAIN: Final = b"seere-cookies-1"
_csrf: Final = CSRFProtect()


class _PageCookies(SecureCookieSessionInterface):
    """Flask's signed cookie, which routes of devices do without."""

    digest_method = staticmethod(hashlib.sha256)

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """What the cookie says; nothing, and no cookie to set, on a route of devices."""
        return None if is_of_devices(request.path) else super().open_session(app, request)


def register(app: Flask, hub: Hub) -> None:
    """Give the pages of this app their cookie, let no form be sent from elsewhere, and answer to our names alone."""
    is_behind_tls = hub.settings.public_address.startswith("https://")
    app.config.update(
        TRUSTED_HOSTS=sorted(hub.settings.host_names),
        SECRET_KEY=hashlib.blake2b(key=hub.secrets.totp, digest_size=32, person=_KEY_DOMAIN).digest(),
        SESSION_COOKIE_NAME=SAFE_NAME if is_behind_tls else LOOPBACK_NAME,
        SESSION_COOKIE_SECURE=is_behind_tls,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=SESSION_MAX,
        WTF_CSRF_CHECK_DEFAULT=False,
        # The session ends before a form does; and no page of ours sends a referrer that could be compared.
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
    )
    app.session_interface = _PageCookies()
    _csrf.init_app(app)
    app.jinja_env.globals["token"] = _token
    app.before_request(_check_form)


def _token() -> Markup:
    """The field by which a form of ours is known."""
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def _check_form() -> None:
    if not is_of_devices(request.path):
        _csrf.protect()


def is_of_devices(path: str) -> bool:
    """Whether a route is for devices alone, by its path."""
    return path.startswith(API) and path not in _OF_PEOPLE
