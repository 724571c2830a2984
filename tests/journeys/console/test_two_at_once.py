"""Two people at one case, a link that breaks, and a session that ends: what somebody typed is never lost."""

from collections.abc import Callable
from typing import Final

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from fixtures.demo.days import Days
from server.hub import Hub
from server.store.case_tables import casefile, note
from server.store.schema import account
from tests.console_pages import HEAD, REGIONAL
from tests.console_story import enter
from tests.console_tab import Look, Tab
from tests.console_triage import INBOX, how_many_wait, press_for_next, shown

pytestmark = [pytest.mark.prove, pytest.mark.ci]

STORY: Final = "Le chef de poste a changé de numéro, il faut repasser par son adjoint."
NARROW: Final = [Look(320, "light")]


def _owner(hub: Hub, number: str) -> str | None:
    with hub.store.read() as connection:
        joined = sa.select(account.c.login).join(casefile, casefile.c.owner == account.c.id)
        return connection.scalar(joined.where(casefile.c.ref == number))


def _notes(hub: Hub) -> int:
    with hub.store.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(note)) or 0


def _open_case(tab: Tab, address: str, number: str = "") -> str:
    """A case that both may handle; gives its number."""
    if number:
        tab.page.goto(f"{address}/console/cases/{number}", wait_until="networkidle")
    else:
        tab.page.goto(f"{address}/console/cases?status=in_progress", wait_until="networkidle")
        tab.page.locator("tbody th a, tbody td a").first.click()
        tab.page.wait_for_url("**/console/cases/SRE-*")
    return tab.page.url.rpartition("/")[2]


def _begin_note(tab: Tab) -> None:
    tab.page.click("#notes summary")
    tab.page.click("#note")
    tab.page.keyboard.type(STORY)
    tab.page.keyboard.press("Tab")


def _give(tab: Tab, name: str) -> None:
    """By keys alone: the list is opened, the name begun, the button reached."""
    tab.page.keyboard.press("o")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.type(name)
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")


def test_second_of_two_edits_sees_both_versions_and_chooses(
    hub: Hub, address: str, sit_down: Callable[[str], Tab]
) -> None:
    first, second = sit_down(HEAD), sit_down(REGIONAL)
    number = _open_case(second, address)
    _open_case(first, address, number)
    second.page.reload(wait_until="networkidle")
    expect(second.page.locator(".beside")).to_contain_text(HEAD)
    _give(first, HEAD)
    expect(first.page.locator(".undo")).to_be_visible()
    assert _owner(hub, number) == HEAD
    _give(second, REGIONAL)
    versions = second.page.locator("table.versions")
    expect(versions).to_contain_text(HEAD)
    expect(versions).to_contain_text(REGIONAL)
    assert _owner(hub, number) == HEAD
    assert second.look(number, NARROW) == []
    second.page.get_by_role("button", name="Garder la mienne").click()
    expect(versions).to_have_count(0)
    assert _owner(hub, number) == REGIONAL


def test_lost_link_keeps_the_form_and_the_next_try_goes_through(
    hub: Hub, address: str, sit_down: Callable[[str], Tab]
) -> None:
    tab, before = sit_down(HEAD), _notes(hub)
    _open_case(tab, address)
    _begin_note(tab)
    tab.page.context.set_offline(True)
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("#lost")).to_be_visible()
    expect(tab.page.locator("[data-again]")).to_be_focused()
    expect(tab.page.locator("#note")).to_have_value(STORY)
    assert _notes(hub) == before
    assert [each for each in tab.look("lost", NARROW) if each.kind != "console"] == []
    tab.page.context.set_offline(False)
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("#lost")).to_be_hidden()
    expect(tab.page.locator("#notes")).to_contain_text(STORY)
    assert _notes(hub) == before + 1


def test_decision_that_got_lost_stays_until_it_is_sent_or_dropped(
    hub: Hub, address: str, sit_down: Callable[[str], Tab]
) -> None:
    tab, waiting = sit_down(HEAD), how_many_wait(hub)
    tab.page.goto(f"{address}{INBOX}", wait_until="networkidle")
    press_for_next(tab, "j")
    read, lost = shown(tab), tab.page.locator("#lost")
    tab.page.context.set_offline(True)
    tab.page.keyboard.press("Enter")
    expect(lost).to_be_visible()
    tab.page.context.set_offline(False)
    # Walking on would leave it behind.
    tab.page.keyboard.press("j")
    expect(tab.page.locator("[data-again]")).to_be_focused()
    assert (shown(tab), how_many_wait(hub)) == (read, waiting)
    press_for_next(tab, "Enter")
    expect(lost).to_be_hidden()
    assert how_many_wait(hub) == waiting - 1
    tab.page.context.set_offline(True)
    tab.page.keyboard.press("Enter")
    expect(lost).to_be_visible()
    tab.page.context.set_offline(False)
    tab.page.click("[data-drop]")
    expect(lost).to_be_hidden()
    press_for_next(tab, "j")
    assert how_many_wait(hub) == waiting - 1


def test_what_was_typed_outlives_the_session(hub: Hub, address: str, sit_down: Callable[[str], Tab]) -> None:
    tab, before = sit_down(HEAD), _notes(hub)
    _open_case(tab, address)
    _begin_note(tab)
    assert isinstance(hub.clock, Days)
    hub.clock.go_on(1)
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("#ended")).to_contain_text("Se connecter")
    expect(tab.page.locator("#note")).to_have_value(STORY)
    assert tab.look("ended", NARROW) == []
    with tab.page.context.expect_page() as beside:
        tab.page.locator("#ended a").click()
    enter(beside.value, hub, HEAD)
    tab.page.locator("#note + button").click()
    # The form is of the session that ended: it comes back as it was, for the one that began.
    tab.page.locator("main form:has(textarea) button.go").click()
    expect(tab.page.locator("#notes")).to_contain_text(STORY)
    assert _notes(hub) == before + 1
