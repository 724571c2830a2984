"""A piece in a browser: heard and looked at by keyboard, covered, closed; nothing breaks a rule while it is open."""

from collections.abc import Callable
from typing import Final

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from server.hub import Hub
from server.store.evidence_tables import custody, piece
from tests.console_pages import REGIONAL
from tests.console_tab import LOOKS, Tab

pytestmark = [pytest.mark.prove, pytest.mark.ci]

_HEARD: Final = "() => document.querySelector('audio').currentTime"


def _piece(hub: Hub, kind: str) -> str:
    with hub.store.read() as connection:
        id = connection.scalar(sa.select(piece.c.id).where(piece.c.kind == kind).order_by(piece.c.id))
    return f"/console/evidence/{id}"


def _acts(hub: Hub) -> int:
    with hub.store.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(custody)) or 0


def test_voice_is_heard_by_keyboard(address: str, hub: Hub, sit_down: Callable[[str], Tab]) -> None:
    tab = sit_down(REGIONAL)
    tab.page.goto(f"{address}{_piece(hub, 'audio')}", wait_until="networkidle")
    before = _acts(hub)
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("audio")).to_be_visible()
    assert _acts(hub) == before + 1
    # Waiting for an expression would be evaluated in the page, which forbids it.
    audio = tab.page.locator("audio")
    expect(audio).to_have_js_property("readyState", 4)
    tab.page.keyboard.press(" ")
    expect(audio).to_have_js_property("paused", value=False)
    before_s = tab.page.evaluate(_HEARD)
    tab.page.keyboard.press("ArrowRight")
    assert tab.page.evaluate(_HEARD) - before_s > 4
    tab.page.locator("[data-speed='1.5']").click()
    expect(audio).to_have_js_property("playbackRate", 1.5)
    tab.page.keyboard.press(" ")
    expect(audio).to_have_js_property("paused", value=True)
    assert tab.take_troubles("voice") == []


def test_photo_is_covered_and_closed_and_breaks_no_rule_while_it_is_open(
    address: str, hub: Hub, sit_down: Callable[[str], Tab]
) -> None:
    tab = sit_down(REGIONAL)
    page, path = tab.page, _piece(hub, "photo")
    page.goto(f"{address}{path}", wait_until="networkidle")
    page.keyboard.press("Enter")
    picture = page.locator("img.copy")
    expect(picture).to_be_visible()
    page.locator("summary", has_text="Cacher un visage").click()
    for name, value in {"left": "10", "top": "20", "width": "30,5", "height": "40"}.items():
        page.fill(f"[name={name}]", value)
    page.get_by_role("button", name="Cacher", exact=True).click()
    expect(page.get_by_text("gauche 10 %, haut 20 %, largeur 30.5 %, hauteur 40 %")).to_be_visible()
    assert tab.look(path, LOOKS) == []
    page.get_by_role("link", name="Refermer").click()
    expect(picture).to_have_count(0)
    assert tab.take_troubles(path) == []
