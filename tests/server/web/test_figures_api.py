"""Figures over HTTP: by the session of the console, as JSON or CSV, kept by no cache, one at a time."""

from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from server.domain.people import Role
from server.hub import Hub
from server.web import figures_api
from tests.builders import Clock, app_of, complaint, enrolled, open_test_hub
from tests.route_matrix import Visitor

PATH = "/api/v1/statistics"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    opened = open_test_hub("sqlite", tmp_path, Clock())
    enrolled(opened, "Gao 1", team="gao").send(*(complaint(n) for n in range(6)))
    yield opened
    opened.close()


@pytest.fixture
def app(hub: Hub) -> Flask:
    return app_of(hub)


def _get(hub: Hub, app: Flask, query: str = "", role: Role | None = "auditor", accept: str = "*/*") -> TestResponse:
    visitor = Visitor(hub, app, role)
    return visitor.client.get(PATH + query, headers={"Accept": accept})


def test_auditor_reads_a_table_that_no_cache_keeps(hub: Hub, app: Flask) -> None:
    answer = _get(hub, app, "?by=team")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json is not None
    assert (answer.json["table"], answer.json["unit"], answer.json["from"], answer.json["to"]) == (
        "N4", "complaints", "2026-10", "2026-12",
    )  # fmt: skip
    assert {"row": ["gao"], "column": ["waiting"], "n": 6} in answer.json["cells"]


@pytest.mark.parametrize(("query", "accept"), [("?format=csv&separator=;", "*/*"), ("?separator=;", "text/csv")])
def test_csv_is_asked_for_by_the_address_or_by_accept(hub: Hub, app: Flask, query: str, accept: str) -> None:
    answer = _get(hub, app, query, accept=accept)
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="N1-2026-10-2026-12.csv"'
    assert answer.data.startswith(b"\xef\xbb\xbf")
    assert "Mois;traitées;retirées;en attente;total" in answer.text


def test_who_has_no_session_is_sent_to_log_in(hub: Hub, app: Flask) -> None:
    answer = _get(hub, app, role=None)
    assert (answer.status_code, answer.location) == (303, "/login?next=/api/v1/statistics")


def test_for_other_roles_it_is_not_there(hub: Hub, app: Flask) -> None:
    answer = _get(hub, app, role="verifier")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("?from=hier", ["from", "to"]),
        ("?table=T99", ["table"]),
        ("?by=name", ["by"]),
        ("?table=T1&by=team", ["by"]),
        ("?format=xml", ["format"]),
        ("?separator=a", ["separator"]),
    ],
)
def test_what_cannot_be_asked_is_named(hub: Hub, app: Flask, query: str, fields: list[str]) -> None:
    answer = _get(hub, app, query)
    assert answer.status_code == 400
    assert answer.json is not None
    assert (answer.json["code"], answer.json["fields"]) == ("member_invalid", fields)


def test_while_one_table_is_counted_the_next_has_to_wait(hub: Hub, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Lock()
    monkeypatch.setattr(figures_api, "COUNTING", counting)
    with counting:
        answer = _get(hub, app)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert _get(hub, app).status_code == 200


def test_device_is_not_let_in_by_its_token(hub: Hub, app: Flask) -> None:
    sender = enrolled(hub, "Gao 2")
    answer = app.test_client().get(PATH, headers={"Authorization": f"Bearer {sender.token}"})
    assert answer.status_code == 303
