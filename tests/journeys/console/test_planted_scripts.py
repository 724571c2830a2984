"""Scripts in everything that devices and people may write are shown as they are and never run."""

import pytest
from playwright.sync_api import Browser, expect

from server.app import create_app
from server.hub import Hub
from tests.console_pages import HEAD, people_of, tab_of
from tests.console_planting import LOOKERS, SCRIPT, fill_in_everything, plant, planted_pages
from tests.console_tab import Trouble

pytestmark = pytest.mark.prove


@pytest.mark.ci
def test_words_of_a_device_are_shown_as_it_sent_them(browser: Browser, hub: Hub, address: str) -> None:
    number, tab = plant(hub), tab_of(browser, address, hub, HEAD)
    for path in f"inbox?sel={number}", f"cases/{number}":
        tab.page.goto(f"{address}/console/{path}", wait_until="networkidle")
        expect(tab.page.locator("blockquote.say")).to_contain_text(SCRIPT)
        assert tab.take_troubles(path) == []
    tab.page.context.close()


@pytest.mark.timeout(1800)
def test_nothing_that_was_written_runs_on_any_page(browser: Browser, hub: Hub, address: str) -> None:
    number, roles, app = plant(hub), people_of(hub), create_app(hub)
    found: list[Trouble] = []
    for who in (HEAD, "administrator"):
        tab = tab_of(browser, address, hub, who)
        for page in [each for each in planted_pages(hub, app, number) if each.is_for(roles[who])]:
            found += fill_in_everything(tab, address, page)
        tab.page.context.close()
    for who in LOOKERS:
        tab = tab_of(browser, address, hub, who)
        for page in [each for each in planted_pages(hub, app, number) if each.is_for(roles[who])]:
            tab.page.goto(f"{address}{page.path}", wait_until="networkidle")
            found += tab.look(page.path, [])
        tab.page.context.close()
    assert [each for each in found if each.kind in ("script", "policy")] == []
