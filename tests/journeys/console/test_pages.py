"""Every page, as everybody sees it: to be read by all, within the policy, on a narrow window and over a thin link."""

from collections.abc import Callable, Sequence

import pytest
from playwright.sync_api import Browser

from server.app import create_app
from server.domain.people import ROLES
from server.hub import Hub
from tests.console_pages import (
    EXAMPLES,
    FIRST_MAX,
    HEAD,
    NOBODY,
    REGIONAL,
    Until,
    arguments_of,
    page_rules,
    pages,
    people_of,
    tab_of,
    visit,
)
from tests.console_story import WORDS
from tests.console_tab import LOOKS, MARKER, Look, Tab, Trouble, open_tab

# The narrowest window, where most can go wrong.
GLANCE = [Look(320, "light")]
# The policy has spoken once the event has come.
_SPOIL = f"""() => new Promise((done) => {{
  addEventListener("securitypolicyviolation", done);
  document.body.insertAdjacentHTML("beforeend", '<div class="broad">-</div><img src="x"><p style="color: red">!</p>');
  document.querySelector(".broad").style.minWidth = "900px";
  console.error("broken");
  console.log("{MARKER}");
}})"""
PEOPLE = [HEAD, REGIONAL, *(role for role in ROLES if role != "coordinator"), NOBODY]


def _troubles(
    browser: Browser, address: str, hub: Hub, who: str, looks: Sequence[Look], until: Until = "networkidle"
) -> list[Trouble]:
    role = people_of(hub)[who]
    tab = tab_of(browser, address, hub, who)
    mine = [page for page in pages(hub, create_app(hub)) if page.is_for(role)]
    assert mine
    found = [trouble for page in mine for trouble in visit(tab, address, page, looks, until)]
    tab.page.context.close()
    return found


@pytest.mark.ci
def test_every_argument_of_a_page_has_examples(hub: Hub) -> None:
    people_of(hub)
    assert {arguments_of(rule) for rule in page_rules(create_app(hub))} == EXAMPLES.keys()
    with hub.store.read() as connection:
        assert all(examples(connection) for examples in EXAMPLES.values())


@pytest.mark.ci
@pytest.mark.timeout(300)
def test_every_page_at_a_glance(browser: Browser, address: str, hub: Hub) -> None:
    assert _troubles(browser, address, hub, HEAD, GLANCE, "load") == []


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("who", PEOPLE)
def test_every_page_for_everybody_in_each_scheme_and_width(browser: Browser, address: str, hub: Hub, who: str) -> None:
    assert _troubles(browser, address, hub, who, LOOKS) == []


@pytest.mark.prove
@pytest.mark.ci
def test_first_page_of_each_section_goes_down_a_thin_link(
    address: str, hub: Hub, sit_down: Callable[[str], Tab]
) -> None:
    people_of(hub)
    for who in (HEAD, "administrator"):
        tab = sit_down(who)
        for path in tab.page.locator("#sections a").evaluate_all("links => links.map((link) => link.href)"):
            tab.forget_files()
            assert 10_000 < tab.weigh(path) <= FIRST_MAX, path


@pytest.mark.prove
@pytest.mark.ci
def test_page_that_asks_for_the_code_is_as_good_as_the_others(browser: Browser, address: str) -> None:
    tab = open_tab(browser, NOBODY)
    tab.page.goto(f"{address}/login")
    tab.page.fill("#name", HEAD)
    tab.page.fill("#passphrase", WORDS)
    tab.page.press("#passphrase", "Enter")
    tab.page.wait_for_url("**/login/code")
    assert tab.look("/login/code", LOOKS) == []
    tab.page.context.close()


@pytest.mark.ci
def test_what_is_wrong_with_a_page_is_found(browser: Browser, address: str) -> None:
    tab = open_tab(browser, NOBODY)
    tab.page.goto(f"{address}/login")
    tab.page.evaluate(_SPOIL)
    kinds = {trouble.kind for trouble in tab.look("/login", GLANCE)}
    assert kinds == {"axe", "policy", "console", "script", "wide"}
    tab.page.context.close()
