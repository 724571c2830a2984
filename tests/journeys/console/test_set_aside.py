"""What could not be filed: one fact is typed again, a place is named, something is dismissed and taken back."""

from collections.abc import Callable
from typing import Any, Final

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from server.hub import Hub
from server.store.schema import complaint as complaint_table
from server.store.schema import event, quarantine, received, registry
from tests.builders import Sender, an_id, complaint, enrolled
from tests.console_pages import HEAD, REGIONAL
from tests.console_tab import LOOKS, Tab

pytestmark = [pytest.mark.prove, pytest.mark.ci]

APART: Final = "/console/quarantine"
PERSON: Final = {"roles": ["victim"], "sex": "f", "age": "25-59"}
WHY: Final = "Un essai de la formation, rien à garder"
NUMBER: Final = "Numéro de la personne (n° 1)"


@pytest.fixture
def phone(hub: Hub) -> Sender:
    """A device that sends what the hub cannot file."""
    return enrolled(hub, "Gao 9")


def _row(hub: Hub, name: str) -> Any:
    """The row of what was set aside under this name."""
    with hub.store.read() as connection:
        return connection.execute(sa.select(quarantine).where(quarantine.c.client_id == an_id(name))).one()


def _filed(hub: Hub, name: str) -> Any:
    """The place and the registry number of the complaint of this name."""
    select = (
        sa.select(complaint_table.c.place_id, registry.c.prefix, registry.c.year, registry.c.number)
        .join(received, received.c.id == complaint_table.c.id)
        .join(registry, registry.c.complaint == complaint_table.c.id)
        .where(received.c.client_id == an_id(name))
    )
    with hub.store.read() as connection:
        row = connection.execute(select).one()
    return row.place_id, f"{row.prefix}-{row.year}-{row.number:06}"


def _said(hub: Hub, id: int) -> list[tuple[str, str]]:
    """What the log says was done with a row, and why."""
    with hub.store.read() as connection:
        select = sa.select(event.c.action, event.c.words).where(event.c.object == f"quarantine:{id}")
        return [tuple(each) for each in connection.execute(select.order_by(event.c.place))]


def _open_from_bar(page: Page, address: str, id: int) -> None:
    """By clicks alone, from wherever whoever logs in begins."""
    page.goto(f"{address}/console/inbox", wait_until="networkidle")
    page.locator("#sections a", has_text="À part").click()
    page.wait_for_url(f"**{APART}")
    page.locator(f"tbody th a[href='{APART}/{id}']").click()
    page.wait_for_url(f"**{APART}/{id}")


def _counted(page: Page) -> str:
    return page.locator("#sections a", has_text="À part").locator("b").inner_text().split()[0]


def test_missing_number_is_typed_and_an_unknown_place_is_chosen(
    hub: Hub, address: str, phone: Sender, sit_down: Callable[[str], Tab]
) -> None:
    phone.send(complaint("number", persons=[PERSON]))
    phone.send(complaint("place", place={"id": "ml-c-nowhere", "list": "2025.1"}))
    tab = sit_down(HEAD)
    page = tab.page
    _open_from_bar(page, address, _row(hub, "number").id)
    waiting = int(_counted(page))
    assert tab.look("a fact at fault", LOOKS) == []
    page.get_by_label(NUMBER).click()
    page.keyboard.type("un")
    page.keyboard.press("Enter")
    expect(page.locator("main .wrong")).to_contain_text(NUMBER)
    expect(page.get_by_label(NUMBER)).to_have_value("un")
    assert tab.look("still at fault", LOOKS) == []
    page.get_by_label(NUMBER).fill("1")
    page.keyboard.press("Enter")
    place_id, number = "ml-c-gao", page.locator(".well").inner_text()
    assert _filed(hub, "number")[0] == place_id
    assert _filed(hub, "number")[1] in number
    assert _row(hub, "number").state == "stored"
    assert int(_counted(page)) == waiting - 1

    page.locator(f"tbody th a[href='{APART}/{_row(hub, 'place').id}']").click()
    page.wait_for_url(f"**{APART}/{_row(hub, 'place').id}")
    assert tab.look("a place that is unknown", LOOKS) == []
    page.get_by_label("Cercle, ou région").select_option(label="Ansongo")
    page.get_by_role("button", name="Ranger à ce lieu").click()
    expect(page.locator(".well")).to_contain_text("C'est au centre")
    assert _filed(hub, "place")[0] == "ml-c-ansongo"
    assert _row(hub, "place").state == "stored"


def test_test_is_dismissed_by_keys_taken_back_and_found_again(
    hub: Hub, address: str, phone: Sender, sit_down: Callable[[str], Tab]
) -> None:
    phone.send(complaint("junk", channel="pigeon"))
    before, tab = _row(hub, "junk"), sit_down(HEAD)
    page = tab.page
    _open_from_bar(page, address, before.id)
    waiting = int(_counted(page))
    _dismiss_by_keys(page)
    expect(page.locator(".undo")).to_contain_text(f"L'envoi {before.id} est écarté.")
    assert (_row(hub, "junk").state, _row(hub, "junk").settled_why) == ("dismissed", WHY)
    assert tab.look("what was dismissed just now", LOOKS) == []
    page.keyboard.press("u")
    page.wait_for_url(f"**{APART}/{before.id}")
    assert _row(hub, "junk") == before
    assert int(_counted(page)) == waiting

    _dismiss_by_keys(page)
    expect(page.locator(f"tbody th a[href='{APART}/{before.id}']")).to_have_count(0)
    page.get_by_role("link", name="Écartés").click()
    page.wait_for_url("**view=dismissed")
    expect(page.locator("tbody")).to_contain_text(WHY)
    assert tab.look("what is dismissed", LOOKS) == []
    page.locator(f"tbody th a[href='{APART}/{before.id}']").click()
    page.wait_for_url(f"**{APART}/{before.id}")
    expect(page.get_by_text(WHY)).to_be_visible()
    assert tab.look("one that is dismissed", LOOKS) == []
    row = _row(hub, "junk")
    assert (row.state, row.payload) == ("dismissed", before.payload)
    acts = [("dismiss_set_aside", WHY), ("take_up_set_aside", "code_unknown"), ("dismiss_set_aside", WHY)]
    assert _said(hub, before.id) == acts


def _dismiss_by_keys(page: Page) -> None:
    page.keyboard.press("e")
    expect(page.get_by_label("Pourquoi l'écarter")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.type(WHY)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{APART}")


def test_second_of_two_who_repair_is_told_and_keeps_what_was_typed(
    hub: Hub, address: str, phone: Sender, sit_down: Callable[[str], Tab]
) -> None:
    phone.send(complaint("both", persons=[PERSON]))
    first, second, id = sit_down(HEAD), sit_down(REGIONAL), _row(hub, "both").id
    for tab, typed in ((first, "1"), (second, "2")):
        tab.page.goto(f"{address}{APART}/{id}", wait_until="networkidle")
        tab.page.get_by_label(NUMBER).fill(typed)
    first.page.keyboard.press("Enter")
    expect(first.page.locator(".well")).to_contain_text("C'est au centre")
    second.page.keyboard.press("Enter")
    expect(second.page.locator("main .wrong")).to_contain_text("C'est déjà réglé")
    expect(second.page.locator("main")).to_contain_text(HEAD)
    expect(second.page.locator("dl.facts")).to_contain_text("2")
    assert second.look("settled by somebody else", LOOKS) == []
    assert [action for action, _ in _said(hub, id)] == ["repair"]
