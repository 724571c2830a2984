"""What no page takes: refused in a page, whoever asks, before anything is looked up or kept."""

import pytest
from flask import Flask

from server.hub import Hub
from server.web.bounds import FORM_MAX_BYTES
from tests.browsing import Browser, person_at
from tests.builders import app_of


@pytest.fixture
def app(hub: Hub) -> Flask:
    return app_of(hub)


@pytest.mark.parametrize("path", ["/login?next=%00", "/login?%00=a", "/console/search?q=a%00b"])
def test_question_with_what_nobody_types_is_no_fault_of_the_hub(app: Flask, path: str) -> None:
    answer = Browser(app).get(path)
    assert answer.status_code == 400
    assert "<!doctype html>" in answer.text


@pytest.mark.parametrize("end", ["%00", "%0a", "%0d%0aX-Other:%201"])
def test_path_that_would_break_a_header_leads_nowhere(app: Flask, hub: Hub, end: str) -> None:
    awa = person_at(hub, f"Awa {end[1:]}", "coordinator")
    plain, broken = (awa.get(f"/console/cases/SRE-2026-999999{tail}/identity") for tail in ("", end))
    assert (plain.status_code, broken.status_code) == (404, 404)
    assert awa.post(f"/console/cases/SRE-2026-999999{end}/identity/charge", to="a").status_code == 404


@pytest.mark.parametrize(("name", "status"), [("a\0b", 400), ("a" * FORM_MAX_BYTES, 413)])
def test_form_beyond_measure_is_refused_in_a_page(app: Flask, hub: Hub, name: str, status: int) -> None:
    visitor, awa = Browser(app), person_at(hub, f"Awa {status}", "coordinator")
    visitor.get("/login")
    awa.get("/console/account")
    for answer in (visitor.post("/login", name=name), awa.post("/console/account/language", name=name)):
        assert answer.status_code == status
        assert "<!doctype html>" in answer.text
        assert "aaaa" not in answer.text
