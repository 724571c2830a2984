"""Every route says who may call it, and whoever calls it is answered as `permit` says.

The matrix is made from the map of routes: each route × each role × one's own object, another's, one that was
ended and one that never was. A new route, or a new kind of object in a path, is part of it or fails here.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from server.app import create_app
from server.domain.people import ROLES, Role
from server.domain.permission import ACTIONS, NOTHING, OPERATOR, Action, Actor, Target, may_ever, permit
from server.hub import Hub, open_hub
from server.services.accounts import people, sessions
from server.services.accounts.people import Made, Post
from server.services.accounts.sessions import Claim
from server.store import accounts
from server.web.auth import Guard, for_person
from tests.builders import PASSPHRASE, Clock, founded

WITHOUT_ACTION = frozenset(get_args(Guard))
GUARDS = WITHOUT_ACTION | {f"permit:{action}" for action in ACTIONS}
# Views that a library brings, which we can't decorate: endpoint, and why everybody may call it.
PUBLIC_BY_LIBRARY = {"api-docs.openapi_json": "the description of the protocol holds nothing of this hub"}
# Public pages that make or end what the others are called with.
DOORS = frozenset({"login.log_out"})
HTML = {"Accept": "text/html"}
OWN, ANOTHERS, ENDED, NEVER = "own", "another's", "ended", "never existed"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    opened = open_hub(*founded(tmp_path / "hub"), Clock())
    yield opened
    opened.close()


@pytest.fixture
def app(hub: Hub) -> Flask:
    return create_app(hub)


def _handlers(view: Callable[..., Any], methods: set[str]) -> list[Callable[..., Any]]:
    """The functions behind a view: itself, or the methods of its class."""
    view_class = getattr(view, "view_class", None)
    if view_class is None:
        return [view]
    return [getattr(view_class, method.lower()) for method in methods if hasattr(view_class, method.lower())]


def _guards(app: Flask, rule: Rule) -> list[str | None]:
    handlers = _handlers(app.view_functions[rule.endpoint], rule.methods or set())
    return [getattr(handler, "guard", None) for handler in handlers]


def _unguarded(app: Flask) -> set[str]:
    return {rule.endpoint for rule in app.url_map.iter_rules() if not set(_guards(app, rule)) <= GUARDS}


def test_every_route_names_its_guard(app: Flask) -> None:
    assert _unguarded(app) == PUBLIC_BY_LIBRARY.keys()


def test_route_without_guard_is_found(app: Flask) -> None:
    app.add_url_rule("/open-door", "open_door", lambda: "")
    assert "open_door" in _unguarded(app)


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
        return self.made and self.made.account.actor

    def _log_in(self, role: Role) -> None:
        name = f"{role} {id(self)}"
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


def _routes(app: Flask) -> list[tuple[Rule, str, str]]:
    """Each route with a guard of ours, by method."""
    return [
        (rule, method, str(_guards(app, rule)[0]))
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


def _asked(answer: TestResponse) -> tuple[int, bytes]:
    """What tells one answer from another: its status, and its body but for the token of its forms."""
    body = answer.data
    answer.close()
    return answer.status_code, re.sub(rb'csrf_token" value="[^"]+"', b"", body)


def test_every_argument_of_a_path_has_its_objects(app: Flask) -> None:
    assert {name for rule, _, _ in _routes(app) for name in rule.arguments} == OBJECTS.keys()


@pytest.mark.parametrize("role", [None, *ROLES])
def test_each_role_is_answered_as_permit_says_whoever_the_object_is(hub: Hub, app: Flask, role: Role | None) -> None:
    surprises = []
    visitor = Visitor(hub, app, role)
    someone = visitor if role is not None else Visitor(hub, app, "verifier")
    for rule, method, guard in _routes(app):
        if not guard.startswith("permit:"):
            continue
        action: Action = guard.removeprefix("permit:")  # type: ignore[assignment]
        for whose in (OWN, ANOTHERS, ENDED, NEVER) if rule.arguments else (OWN,):
            path, target = _path(app, rule, someone, whose)
            answer = visitor.call(method, path)
            if _kind(answer) != _expected(visitor.actor, action, target):
                surprises.append((method, rule.rule, whose, answer.status_code, answer.location))
    assert surprises == []


def _kind(answer: TestResponse) -> str:
    if answer.status_code == 303 and (answer.location or "").startswith("/login"):
        return "log in"
    return "absent" if answer.status_code == 404 else "answered"


def _expected(actor: Actor | None, action: Action, target: Target | None) -> str:
    if actor is None:
        return "log in"
    return "answered" if target is not None and permit(actor, action, target) else "absent"


@pytest.mark.parametrize("role", ROLES)
def test_what_is_anothers_looks_like_what_never_was(hub: Hub, app: Flask, role: Role) -> None:
    visitor = Visitor(hub, app, role)
    for rule, method, guard in _routes(app):
        if rule.arguments and guard.startswith("permit:"):
            paths = [_path(app, rule, visitor, whose)[0] for whose in (ANOTHERS, ENDED, NEVER)]
            assert len({_asked(visitor.call(method, path)) for path in paths}) == 1


@pytest.mark.parametrize("role", ROLES)
def test_who_is_logged_in_is_to_every_other_guard_like_anybody(hub: Hub, app: Flask, role: Role) -> None:
    known, unknown = Visitor(hub, app, role), Visitor(hub, app, None)
    for rule, method, guard in _routes(app):
        if guard in WITHOUT_ACTION and rule.endpoint not in DOORS:
            path, _ = _path(app, rule, known, OWN)
            assert _asked(known.call(method, path)) == _asked(unknown.call(method, path)), (method, path)


def test_page_of_an_action_that_the_role_never_may_does_not_exist(hub: Hub, app: Flask) -> None:
    """There is no such page yet: this one stands for those to come."""
    for action in ACTIONS:
        app.add_url_rule(f"/{action}", action, _page(action))
    for role in ROLES:
        visitor = Visitor(hub, app, role)
        assert visitor.actor is not None
        found = {action for action in ACTIONS if visitor.call("GET", f"/{action}").status_code == 200}
        assert found == {action for action in ACTIONS if may_ever(visitor.actor, action)}


def _page(action: Action) -> Callable[..., Any]:
    return for_person(action)(lambda _: "")
