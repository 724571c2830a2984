"""A browser without scripts: it keeps its cookie, and fills forms in with the page's own token."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import pyotp
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from server.domain.people import Role
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services.accounts import people
from server.services.accounts.people import Made, Post
from tests.builders import app_of

WORDS: Final = "mil sorgho riz fonio"
HTML: Final = {"Accept": "text/html", "Accept-Language": "fr"}


class Browser:
    """A browser that follows no redirect by itself and fills forms in with the page's own token."""

    def __init__(self, app: Flask, host: str = "localhost") -> None:
        self._client: FlaskClient = app.test_client()
        self._base = f"http://{host}"
        self._token = ""

    def get(self, path: str, **headers: str) -> TestResponse:
        return self._kept(self._client.get(path, base_url=self._base, headers=HTML | headers))

    def post(self, path: str, headers: Mapping[str, str] = MappingProxyType({}), **form: Any) -> TestResponse:
        fields = {"csrf_token": self._token} | form
        return self._kept(self._client.post(path, base_url=self._base, data=fields, headers=HTML | dict(headers)))

    def log_in(self, made: Made, hub: Hub, passphrase: str = WORDS) -> TestResponse:
        """Through both forms, as its holder."""
        self.get("/login")
        answer = self.post("/login", name=made.account.name, passphrase=passphrase)
        if made.secret is not None:
            self.get("/login/code")
            answer = self.post("/login/code", code=pyotp.TOTP(made.secret).at(hub.clock()))
        return answer

    @property
    def cookie(self) -> str:
        """What the browser would send back."""
        cookie = self._client.get_cookie("seere")
        return cookie.value if cookie else ""

    @cookie.setter
    def cookie(self, value: str) -> None:
        self._client.set_cookie("seere", value)

    def _kept(self, answer: TestResponse) -> TestResponse:
        text = answer.text if answer.mimetype == "text/html" else ""
        found = re.search(r'name="csrf_token" value="([^"]+)"', text)
        self._token = found[1] if found else self._token
        return answer


def without_token(page: TestResponse) -> str:
    """The text of a page without its form token, which names the second in which the page was made."""
    return re.sub(r'(csrf_token" value=)"[^"]+"', r"\1", page.text)


def seen_on(page: TestResponse) -> str:
    """The version of the identities of a case that a page was made from."""
    found = re.search(r'name="seen" value="([0-9a-f]+)"', page.text)
    assert found is not None
    return found[1]


def person_at(hub: Hub, name: str, role: Role, **post: Any) -> Browser:
    """Somebody of a role, with an account of that name, who has logged in; `post`: scopes, as `Post` takes them."""
    made = people.make(hub.store, hub.secrets.totp, OPERATOR, name, Post(role, **post), WORDS, hub.clock())
    browser = Browser(app_of(hub))
    browser.log_in(made, hub)
    return browser
