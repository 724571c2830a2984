"""A package up to its seal, by two people: what blocks it, what its reader will read, and who may not approve it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from fixtures.demo.centre import SECOND
from fixtures.demo.clerk import Clerk
from server.domain.packages import Number
from server.domain.permission import Actor
from server.hub import Hub
from server.press import press_of
from server.services.commission import preparing
from server.store import packages
from server.store.case_tables import casefile
from server.store.packages import Package
from tests.console_pages import HEAD
from tests.console_tab import Tab

pytestmark = [pytest.mark.prove, pytest.mark.ci]

NUMBER = "CNDH-2026-T4-0002"
URL = f"/console/exports/{NUMBER}"
WORDS = "Arrêtée au marché avec deux voisines, relâchée le lendemain sans papier."


def _stands(hub: Hub) -> Package:
    read = Number.read(NUMBER)
    assert read is not None
    with hub.store.read() as connection:
        found = packages.find(connection, read)
    assert found is not None
    return found


def _case_of_the_line(hub: Hub) -> str:
    """The case of which the package tells."""
    desk = hub.desk(Actor("account:a", "coordinator", is_named_reader=True))
    [line] = preparing.look(hub.store, desk, hub.secrets.pepper, NUMBER).choice.candidates
    with hub.store.read() as connection:
        return connection.scalars(sa.select(casefile.c.ref).where(casefile.c.id == line.case)).one()


def test_package_is_sealed_by_a_second_person_once_nothing_is_in_the_way(
    hub: Hub, address: str, sit_down: Callable[[str], Tab], tmp_path: Path
) -> None:
    first, second = sit_down(HEAD), sit_down(SECOND)
    seen = []
    # Whoever prepared it writes a summary, and somebody else has to read that.
    first.page.goto(f"{address}/console/cases/{_case_of_the_line(hub)}", wait_until="networkidle")
    first.page.locator("#summary summary").click()
    first.page.fill("#summary-text", WORDS)
    first.page.locator("#summary button[value=write]").click()
    first.page.wait_for_load_state("networkidle")
    first.page.goto(f"{address}{URL}", wait_until="networkidle")
    expect(first.page.locator("button.off")).to_be_disabled()
    seen.append(first.page.content())
    token = first.page.locator("input[name=csrf_token]").first.input_value()
    form = {"csrf_token": token, "choice": _stands(hub).choice}
    assert first.page.request.post(f"{address}{URL}/approve", form=form).status == 422
    assert _stands(hub).state == "prepared"

    second.page.goto(f"{address}{URL}", wait_until="networkidle")
    expect(second.page.locator("button.off")).to_be_disabled()
    second.page.keyboard.press("s")
    second.page.wait_for_url("**/summaries**")
    expect(second.page.get_by_text(WORDS).first).to_be_visible()
    seen.append(second.page.content())
    with second.page.expect_response("**/summaries"):
        second.page.keyboard.press("Enter")
    # What is chosen has words now that it had not when it was prepared; whoever chooses it anew has prepared it.
    first.page.goto(f"{address}{URL}", wait_until="networkidle")
    expect(first.page.locator("button.off")).to_be_disabled()
    with first.page.expect_response("**/anew"):
        first.page.keyboard.press("p")
    second.page.goto(f"{address}{URL}", wait_until="networkidle")
    told = second.page.locator(".as-read dd").all_inner_texts()
    seen.append(second.page.content())
    with second.page.expect_response("**/approve", timeout=60_000):
        second.page.locator("form[action$='/approve'] button.go").click()
    second.page.wait_for_load_state("networkidle")
    assert _stands(hub).state == "sealed"

    clerk = Clerk(tmp_path / "cndh")
    shutil.copy(press_of(hub).folder / f"{NUMBER}.zip.age", clerk.folder)
    [line] = clerk.open(NUMBER).lines
    assert WORDS in told
    # A number of people is a text there, which an apostrophe says.
    assert {*told} - {text.removeprefix("'") for text in line.values()} == set()
    assert line["nom"]
    assert not any(line["nom"] in page for page in seen)
