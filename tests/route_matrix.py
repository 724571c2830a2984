"""The matrix of routes: each route × each role × one's own object, another's, one that was ended, one that never was.

It is made from the map of routes: a new route is part of it, and so is a new kind of object once OBJECTS names it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args
from uuid import uuid4

import pyotp
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from server.domain.people import Role
from server.domain.permission import NOTHING, OPERATOR, Action, Actor, Target, permit
from server.hub import Hub
from server.services.accounts import people, sessions
from server.services.accounts.people import Made, Post
from server.services.accounts.sessions import Claim
from server.store import accounts
from server.web.auth import Guard
from tests.builders import PASSPHRASE

WITHOUT_ACTION = frozenset(get_args(Guard))
# Views that a library brings, which we can't decorate: endpoint, and why everybody may call it.
PUBLIC_BY_LIBRARY = {"api-docs.openapi_json": "the description of the protocol holds nothing of this hub"}
# Public pages that make or end what the others are called with.
DOORS = frozenset({"login.log_out"})
HTML = {"Accept": "text/html"}
OWN, ANOTHERS, ENDED, NEVER = "own", "another's", "ended", "never existed"


def _handlers(view: Callable[..., Any], methods: set[str]) -> list[Callable[..., Any]]:
    """The functions behind a view: itself, or the methods of its class."""
    view_class = getattr(view, "view_class", None)
    if view_class is None:
        return [view]
    return [getattr(view_class, method.lower()) for method in methods if hasattr(view_class, method.lower())]


def guards_of(app: Flask, rule: Rule) -> list[str | None]:
    handlers = _handlers(app.view_functions[rule.endpoint], rule.methods or set())
    return [getattr(handler, "guard", None) for handler in handlers]


@dataclass(frozen=True)
class Surprise:
    """A route that answered otherwise than it has to; `whose` is the object that was asked for."""

    method: str
    route: str
    whose: str
    status: int


@dataclass
class Visitor:
    """A browser, logged in as somebody of a role; None for nobody."""

    hub: Hub
    app: Flask
    role: Role | None
    made: Made | None = None

    def __post_init__(self) -> None:
        self.client: FlaskClient = self.app.test_client()
        self._cookie = ""
        if self.role is not None:
            self._log_in(self.role)
            cookie = self.client.get_cookie("seere")
            self._cookie = cookie.value if cookie else ""

    @property
    def actor(self) -> Actor | None:
        return None if self.made is None else self.made.account.actor

    def _log_in(self, role: Role) -> None:
        name = f"{role} {uuid4()}"
        key, now = self.hub.secrets.totp, self.hub.clock()
        self.made = people.make(self.hub.store, key, OPERATOR, name, Post(role), PASSPHRASE, now)
        self.call("POST", "/login", name=name, passphrase=PASSPHRASE)
        if self.made.secret is not None:
            self.call("POST", "/login/code", code=pyotp.TOTP(self.made.secret).at(now))

    def call(self, method: str, path: str, **form: str) -> TestResponse:
        """Ask for a page, or send a form with the token of one; logged in, whatever an earlier call did to that."""
        if self._cookie:
            self.client.set_cookie("seere", self._cookie)
        if method == "GET":
            return self.client.get(path, headers=HTML)
        page = self.client.get("/login", headers=HTML).text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found is not None
        return self.client.post(path, headers=HTML, data={"csrf_token": found[1]} | form)

    def other_session(self) -> str:
        """Log in once more, elsewhere; gives the id of that session."""
        assert self.made is not None
        key, now = self.hub.secrets.totp, self.hub.clock()
        known = {each.id for each in sessions.open_sessions(self.hub.store, self.made.account.actor, now)}
        claim = Claim(self.made.account.name, PASSPHRASE, "elsewhere")
        entry = sessions.log_in(self.hub.store, key, claim, now)
        if self.made.secret is not None:
            with self.hub.store.write() as connection:
                accounts.update(connection, self.made.account.id, totp_step=0)
            code = pyotp.TOTP(self.made.secret).at(now)
            sessions.give_code(self.hub.store, key, entry.token, code, "elsewhere", now)
        opened = sessions.open_sessions(self.hub.store, self.made.account.actor, now)
        [new] = [each.id for each in opened if each.id not in known]
        return new


@dataclass(frozen=True)
class Object:
    """What a path names, and what it is to `permit`; a target of None is not there."""

    name: str
    target: Target | None


def _sessions(visitor: Visitor, whose: str) -> Object:
    if whose == NEVER:
        return Object("0123456789abcdef", None)
    if whose == ANOTHERS:
        return Object(Visitor(visitor.hub, visitor.app, "verifier").other_session(), Target(is_own=False))
    id = visitor.other_session()
    if whose == ENDED:
        assert visitor.actor is not None
        sessions.end(visitor.hub.store, visitor.actor, id, visitor.hub.clock())
        return Object(id, None)
    return Object(id, Target(is_own=True))


def _files(_: Visitor, whose: str) -> Object:
    return Object("seere.css", NOTHING) if whose == OWN else Object(f"{whose[0]}.css", None)


# By the name of the argument in a path, how such an object is had.
OBJECTS: Mapping[str, Callable[[Visitor, str], Object]] = {"own_session": _sessions, "name": _files}


def routes(app: Flask) -> list[tuple[Rule, str, str]]:
    """Each route with a guard of ours, by method."""
    return [
        (rule, method, str(guards_of(app, rule)[0]))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if rule.endpoint not in PUBLIC_BY_LIBRARY
    ]


def _path(app: Flask, rule: Rule, visitor: Visitor, whose: str) -> tuple[str, Target | None]:
    made = {name: OBJECTS[name](visitor, whose) for name in rule.arguments}
    with app.test_request_context():
        path = app.url_map.bind("localhost").build(rule.endpoint, {name: each.name for name, each in made.items()})
    targets = [each.target for each in made.values()]
    return path, None if None in targets else (targets[0] if targets else Target(is_own=True))


def asked(answer: TestResponse) -> tuple[int, bytes]:
    """What tells one answer from another: its status, and its body but for the token of its forms."""
    body = answer.data
    answer.close()
    return answer.status_code, re.sub(rb'csrf_token" value="[^"]+"', b"", body)


def surprises(hub: Hub, app: Flask, role: Role | None) -> list[Surprise]:
    """Where somebody of a role, None for nobody, is not answered as `permit` says; and where one object that is
    not to be seen, absent or another's, does not look like the next.
    """
    visitor = Visitor(hub, app, role)
    someone = visitor if role is not None else Visitor(hub, app, "verifier")
    permitted = [each for each in routes(app) if each[2].startswith("permit:")]
    found = [each for route in permitted for each in _unlike_permit(visitor, someone, *route)]
    return found + [
        Surprise(method, rule.rule, "look different", 404)
        for rule, method, _ in permitted
        if rule.arguments and len({asked(visitor.call(method, path)) for path in _hidden(app, someone, rule)}) > 1
    ]


def differences(hub: Hub, app: Flask, role: Role) -> list[Surprise]:
    """Where a guard without an action answers somebody who is logged in otherwise than anybody."""
    known, unknown = Visitor(hub, app, role), Visitor(hub, app, None)
    found = []
    for rule, method, guard in routes(app):
        if guard in WITHOUT_ACTION and rule.endpoint not in DOORS:
            path, _ = _path(app, rule, known, OWN)
            answer, other = known.call(method, path), unknown.call(method, path)
            if asked(answer) != asked(other):
                found.append(Surprise(method, rule.rule, "logged in", answer.status_code))
    return found


def _unlike_permit(visitor: Visitor, someone: Visitor, rule: Rule, method: str, guard: str) -> list[Surprise]:
    action: Action = guard.removeprefix("permit:")  # type: ignore[assignment]
    found = []
    for whose in (OWN, ANOTHERS, ENDED, NEVER) if rule.arguments else (OWN,):
        path, target = _path(visitor.app, rule, someone, whose)
        answer = visitor.call(method, path)
        if _kind(answer) != _expected(visitor.actor, action, target):
            found.append(Surprise(method, rule.rule, whose, answer.status_code))
    return found


def _hidden(app: Flask, someone: Visitor, rule: Rule) -> list[str]:
    return [_path(app, rule, someone, whose)[0] for whose in (ANOTHERS, ENDED, NEVER)]


def _kind(answer: TestResponse) -> str:
    if answer.status_code == 303 and (answer.location or "").startswith("/login"):
        return "log in"
    return "absent" if answer.status_code == 404 else "answered"


def _expected(actor: Actor | None, action: Action, target: Target | None) -> str:
    if actor is None:
        return "log in"
    return "answered" if target is not None and permit(actor, action, target) else "absent"
