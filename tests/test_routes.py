"""Every route says who may call it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from server.app import create_app
from server.config import Settings
from server.hub import open_hub

GUARDS = frozenset({"public", "device", "enrolment"})
# Views that a library brings, which we can't decorate: endpoint, and why everybody may call it.
PUBLIC_BY_LIBRARY = {"api-docs.openapi_json": "the description of the protocol holds nothing of this hub"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    hub = open_hub(Settings(data=tmp_path / "hub"))
    yield create_app(hub)
    hub.close()


def _handlers(view: Callable[..., Any], methods: set[str]) -> list[Callable[..., Any]]:
    """The functions behind a view: itself, or the methods of its class."""
    view_class = getattr(view, "view_class", None)
    if view_class is None:
        return [view]
    return [getattr(view_class, method.lower()) for method in methods if hasattr(view_class, method.lower())]


def _unguarded(app: Flask) -> set[str]:
    return {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        for handler in _handlers(app.view_functions[rule.endpoint], rule.methods or set())
        if getattr(handler, "guard", None) not in GUARDS
    }


def test_every_route_names_its_guard(app: Flask) -> None:
    assert _unguarded(app) == PUBLIC_BY_LIBRARY.keys()


def test_route_without_guard_is_found(app: Flask) -> None:
    app.add_url_rule("/open-door", "open_door", lambda: "")
    assert "open_door" in _unguarded(app)
