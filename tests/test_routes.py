"""Every route says who may call it, and whoever calls it is answered as `permit` says (tests/route_matrix.py)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from server.app import create_app
from server.domain.people import ROLES, Role
from server.domain.permission import ACTIONS, Action, may_ever
from server.hub import Hub
from server.web.auth import for_person
from tests.builders import Clock, founded, open_new_hub, with_keyring
from tests.route_matrix import (
    OBJECTS,
    PUBLIC_BY_LIBRARY,
    WITHOUT_ACTION,
    Visitor,
    differences,
    guards_of,
    routes,
    surprises,
)

GUARDS = WITHOUT_ACTION | {f"permit:{action}" for action in ACTIONS}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    opened = with_keyring(open_new_hub(*founded(tmp_path / "hub"), Clock()))
    yield opened
    opened.close()


@pytest.fixture
def app(hub: Hub) -> Flask:
    return create_app(hub)


def _unguarded(app: Flask) -> set[str]:
    return {rule.endpoint for rule in app.url_map.iter_rules() if not set(guards_of(app, rule)) <= GUARDS}


def test_every_route_names_its_guard(app: Flask) -> None:
    assert _unguarded(app) == PUBLIC_BY_LIBRARY.keys()


def test_route_without_guard_is_found(app: Flask) -> None:
    app.add_url_rule("/open-door", "open_door", lambda: "")
    assert "open_door" in _unguarded(app)


def test_every_argument_of_a_path_has_its_objects(app: Flask) -> None:
    assert {name for rule, _, _ in routes(app) for name in rule.arguments} == OBJECTS.keys()


@pytest.mark.parametrize("role", [None, *ROLES])
def test_each_role_is_answered_as_permit_says_whoever_the_object_is(hub: Hub, app: Flask, role: Role | None) -> None:
    assert surprises(hub, app, role) == []


def test_named_reader_is_answered_as_permit_says_whoever_the_object_is(hub: Hub, app: Flask) -> None:
    """What leaves in a package may be anybody's: of those who handle cases this one alone prepares any."""
    assert surprises(hub, app, "coordinator", is_named_reader=True) == []


@pytest.mark.parametrize("role", ROLES)
def test_who_is_logged_in_is_to_every_other_guard_like_anybody(hub: Hub, app: Flask, role: Role) -> None:
    assert differences(hub, app, role) == []


def test_route_that_answers_everybody_is_a_surprise(hub: Hub, app: Flask) -> None:
    app.add_url_rule("/open-door", "open_door", _for_nobody)
    assert [each.route for each in surprises(hub, app, "monitor")] == ["/open-door"]


def _for_nobody() -> str:
    return ""


_for_nobody.guard = "permit:manage_people"  # type: ignore[attr-defined]


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
