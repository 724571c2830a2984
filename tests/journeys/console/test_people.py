"""Somebody is added, comes in by the words shown once, and chooses a passphrase before anything else opens."""

from collections.abc import Callable

import pyotp
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from server.hub import Hub
from server.store.schema import account
from tests.console_pages import people_of
from tests.console_tab import LOOKS, Tab, open_tab

pytestmark = [pytest.mark.prove, pytest.mark.ci]

NAME, CHOSEN = "Kadiatou", "karité néré baobab kapok"


def _row(hub: Hub) -> sa.Row[tuple[str, list[str], bool]]:
    select = sa.select(account.c.role, account.c.regions, account.c.change_by.is_(None)).where(account.c.name == NAME)
    with hub.store.read() as connection:
        return connection.execute(select).one()


def _come_in(page: Page, address: str, words: str, code: str) -> None:
    page.goto(f"{address}/login", wait_until="networkidle")
    page.keyboard.type(NAME.lower())
    page.keyboard.press("Tab")
    page.keyboard.type(words)
    page.keyboard.press("Enter")
    page.wait_for_url("**/login/code")
    page.fill("#code", code)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/account")


def test_added_person_comes_in_and_chooses(
    hub: Hub, address: str, browser: Browser, sit_down: Callable[[str], Tab]
) -> None:
    people_of(hub)
    tab = sit_down("administrator")
    page = tab.page
    page.goto(f"{address}/console/people", wait_until="networkidle")
    page.keyboard.press("a")
    page.wait_for_url("**/people/new")
    page.fill("#name", NAME)
    page.get_by_label("Coordinateur").check()
    page.get_by_label("Gao", exact=True).check()
    page.get_by_role("button", name="Faire le compte").click()
    expect(page.locator(".six-words li")).to_have_count(8)
    assert tab.look("the words shown once", LOOKS) == []
    words, secret = " ".join(page.locator(".six-words li").all_inner_texts()), page.locator(".code").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/people")
    assert tuple(_row(hub)) == ("coordinator", ["ml-r-gao"], False)

    own = open_tab(browser, NAME)
    _come_in(own.page, address, words, pyotp.TOTP(secret).at(hub.clock()))
    assert own.look("choosing a passphrase", LOOKS) == []
    own.page.fill("#old", words)
    own.page.fill("#new", CHOSEN)
    own.page.fill("#again", CHOSEN)
    own.page.keyboard.press("Enter")
    expect(own.page.get_by_text("La phrase secrète est changée")).to_be_visible()
    own.page.goto(f"{address}/console/inbox")
    expect(own.page).to_have_url(f"{address}/console/inbox")
    assert _row(hub)[2]
    own.page.context.close()
