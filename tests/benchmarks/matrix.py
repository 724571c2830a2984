"""Matrix: every route asked by every role for an object of one's own, another's, one ended and one that never was."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from server.app import create_app
from server.domain.people import ROLES, Role
from server.hub import open_hub
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import Plan
from tests.builders import Clock, founded
from tests.route_matrix import Surprise, differences, surprises

FIGURES: Final = ("route_matrix_surprises",)


def measure(_: Plan) -> Iterator[Figure]:
    """The map of routes of the hub as it is; pages to come are part of it from their first day."""
    found = [each for role in (None, *ROLES) for each in _surprises(role)]
    note(f"{len(ROLES) + 1} roles: {found or 'no surprise'}")
    yield Figure("route_matrix_surprises", len(found), "surprises", "=", 0)


def _surprises(role: Role | None) -> list[Surprise]:
    # A hub for each: on one, the refused logins of a role would make the next one wait.
    with TemporaryDirectory() as folder:
        hub = open_hub(*founded(Path(folder) / "hub"), Clock())
        try:
            app = create_app(hub)
            found = surprises(hub, app, role)
            return found if role is None else found + differences(hub, app, role)
        finally:
            hub.close()
