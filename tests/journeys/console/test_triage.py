"""A morning at the inbox: by keys, without scripts, taken back, and with keys that do nothing."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from server.hub import Hub
from tests.case_work import state
from tests.console_pages import HEAD, tab_of
from tests.console_tab import Tab
from tests.console_triage import INBOX, how_many_wait, press_for_next, shown, statuses, triage_by_keys

pytestmark = [pytest.mark.prove, pytest.mark.ci]

TEN = 10
# A click is a press, too; what each item may cost on the link.
PRESSES_MAX = 2
ITEM_MAX_BYTES = 5_000
# Of these nobody was told yet: when they are looked at next is what triage made of it.
_NOT_URGENT = "?urgency=U3"


def test_ten_complaints_are_triaged_by_keys(hub: Hub, address: str, sit_down: Callable[[str], Tab]) -> None:
    waiting = how_many_wait(hub)
    done = triage_by_keys(sit_down(HEAD), address, TEN)
    assert len(set(done.numbers)) == TEN
    assert statuses(hub, done.numbers) == ["in_progress"] * TEN
    assert how_many_wait(hub) == waiting - TEN
    assert done.presses <= PRESSES_MAX * TEN
    assert done.bytes_down <= ITEM_MAX_BYTES * TEN
    assert done.least_outline >= 2


def test_ten_complaints_are_triaged_without_scripts(browser: Browser, hub: Hub, address: str) -> None:
    tab = tab_of(browser, address, hub, HEAD, java_script_enabled=False)
    tab.page.goto(f"{address}{INBOX}")
    tab.page.click("#rows a.t")
    numbers = []
    for _ in range(TEN):
        numbers.append(shown(tab))
        tab.page.click("#pane button[value=open]")
    assert len(set(numbers)) == TEN
    assert statuses(hub, tuple(numbers)) == ["in_progress"] * TEN
    tab.page.context.close()


@pytest.mark.parametrize("by", ["key", "tab"])
def test_third_decision_is_taken_back(hub: Hub, address: str, sit_down: Callable[[str], Tab], by: str) -> None:
    tab = sit_down(HEAD)
    triage_by_keys(tab, address, 2, _NOT_URGENT)
    before, third = state(hub), shown(tab)
    press_for_next(tab, "Enter")
    assert state(hub) != before
    if by == "key":
        tab.page.keyboard.press("u")
    else:
        _tab_to(tab, "form.undo button")
        tab.page.keyboard.press("Enter")
    expect(tab.page.locator("#pane header a.nb")).to_have_text(third)
    assert state(hub) == before


@pytest.mark.parametrize("how", ["twice", "held"])
def test_press_too_many_decides_on_one_complaint_once(
    hub: Hub, address: str, sit_down: Callable[[str], Tab], how: str
) -> None:
    tab, waiting = sit_down(HEAD), how_many_wait(hub)
    tab.page.goto(f"{address}{INBOX}{_NOT_URGENT}", wait_until="networkidle")
    press_for_next(tab, "j")
    read = shown(tab)
    tab.page.keyboard.down("Enter")
    if how == "held":
        expect(tab.page.locator("#pane header a.nb")).not_to_have_text(read)
    else:
        tab.page.keyboard.up("Enter")
    tab.page.keyboard.down("Enter")
    expect(tab.page.locator("form.undo")).to_contain_text(read)
    expect(tab.page.locator(".htmx-request")).to_have_count(0)
    assert tab.page.locator("table.versions").count() == 0
    assert how_many_wait(hub) == waiting - 1


def test_letters_do_nothing_once_keys_are_off(hub: Hub, address: str, sit_down: Callable[[str], Tab]) -> None:
    tab, before = sit_down(HEAD), state(hub)
    tab.page.goto(f"{address}/console/account")
    tab.page.check("input[name=keys][value=off]")
    tab.page.click("form[action$='/view'] button")
    tab.page.goto(f"{address}{INBOX}", wait_until="networkidle")
    for key in "j", "Enter", "?":
        tab.page.keyboard.press(key)
    tab.page.click("#rows a.t")
    expect(tab.page.locator("#pane header a.nb")).to_be_visible()
    read = shown(tab)
    for key in "j", "k", "r", "n", "i", "1", "u", "?":
        tab.page.keyboard.press(key)
    tab.page.wait_for_load_state("networkidle")
    assert (shown(tab), tab.page.locator("dialog[open]").count()) == (read, 0)
    assert state(hub) == before


def _tab_to(tab: Tab, selector: str) -> None:
    for _ in range(100):
        tab.page.keyboard.press("Tab")
        if tab.page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"{selector} is not reached by Tab")
