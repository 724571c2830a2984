"""What a phone shows to whoever holds it: replies by picture name, a lock in one tap, and nothing once it is erased."""

import pytest
from playwright.sync_api import expect

from server.hub import Hub
from server.store.schema import complaint
from tests.carnet_phone import PASSPHRASE, Phone, receipts
from tests.console_tab import Look

pytestmark = [pytest.mark.prove, pytest.mark.ci]

WRITTEN = "Un récit qui ne doit pas rester"
LOOKS = tuple(Look(width, scheme) for scheme in ("light", "dark") for width in (360, 320))
SCREENS = ("Plaintes", "Visites", "Réglages", "Accueil")
SHOWN = "document.getElementById('page').textContent"


def test_lock_is_one_tap_from_every_screen_and_leaves_no_word(phone: Phone) -> None:
    length = phone.page.evaluate("history.length")
    for title in ("danger", "passé", "agit"):
        phone.page.click("text=Nouvelle plainte")
        phone.at("danger")
        if title != "danger":
            phone.page.click("label:has-text('Non')")
            phone.at("passé")
            phone.page.fill("#narrative", WRITTEN)
        if title == "agit":
            phone.page.click("[data-next]")
            phone.at("agit")
        if title == "passé":
            phone.page.keyboard.press("Escape")
        else:
            phone.page.click("header .lock")
        assert WRITTEN not in phone.page.evaluate(SHOWN)
        phone.page.wait_for_selector("input[name=words]")
        assert WRITTEN not in phone.page.content()
        phone.unlock()
    for name in SCREENS:
        phone.page.click(f"nav >> text={name}")
        phone.lock()
        phone.unlock()
    assert phone.page.evaluate("history.length") == length
    assert phone.page.locator("text=Reprendre le brouillon").count() == 2
    phone.page.click("text=Reprendre le brouillon >> nth=0")
    phone.at("passé")
    assert phone.page.input_value("#narrative") == WRITTEN
    assert phone.troubles() == []


def test_wrong_words_open_nothing_and_the_tenth_erases_what_can_be_read(phone: Phone, hub: Hub) -> None:
    phone.context.set_offline(True)
    receipt = phone.write(WRITTEN)
    phone.lock()
    for _ in range(10):
        phone.page.fill("input[name=words]", "mil sorgho riz fonio")
        phone.page.click("button.go")
        phone.page.wait_for_timeout(100)
        expect(phone.page.locator("form[inert]")).to_have_count(0, timeout=20_000)
    phone.context.set_offline(False)
    phone.page.wait_for_selector("input[name=words]")
    phone.page.fill("input[name=words]", PASSPHRASE)
    phone.page.click("button.go")
    phone.at("effacé")
    assert receipt not in phone.page.content()
    phone.page.click("button.go")
    expect(phone.page.locator("#page[aria-busy]")).to_have_count(0, timeout=60_000)
    assert receipts(hub, complaint) == [receipt]


def test_erasing_takes_a_hold_and_a_slide_and_leaves_nothing(phone: Phone) -> None:
    phone.page.click("nav >> text=Réglages")
    phone.page.click("label:has-text('Tout effacer')")
    phone.page.click("text=Effacer en urgence")
    button = phone.page.locator(".hold")
    button.hover()
    phone.page.mouse.down()
    phone.page.wait_for_timeout(500)
    phone.page.mouse.up()
    assert phone.page.locator(".slide").count() == 0
    phone.page.mouse.down()
    phone.page.wait_for_selector(".slide")
    phone.page.mouse.up()
    phone.page.evaluate("""() => { const slide = document.querySelector(".slide");
      slide.value = 100; slide.dispatchEvent(new Event("input")); }""")
    phone.at("Choisissez une phrase secrète")
    assert phone.rows("single") == []
    assert phone.rows("records") == []


def test_every_screen_follows_the_rules_of_pages(phone: Phone) -> None:
    phone.write(WRITTEN)
    troubles = phone.tab.look("home", LOOKS)
    for name in SCREENS:
        phone.page.click(f"nav >> text={name}")
        phone.page.wait_for_timeout(200)
        troubles += phone.tab.look(name, LOOKS)
    phone.page.click("text=Nouvelle plainte")
    for words in ("danger", "passé", "agit", "Où", "Quand", "mis en cause", "subi", "papier", "savoir"):
        phone.at(words)
        if words == "danger":
            phone.page.click("label:has-text('Oui')")
            phone.page.wait_for_selector(".urgent")
        if words == "savoir":
            phone.page.click("label:has-text('Les faits et mon nom, à ceux que je choisis.')")
        phone.page.wait_for_timeout(200)
        troubles += phone.tab.look(words, LOOKS)
        phone.page.click("[data-next]")
    phone.at("joindre")
    phone.page.click("label:has-text('Oui')")
    troubles += phone.tab.look("contact", LOOKS)
    phone.lock()
    troubles += phone.tab.look("unlock", LOOKS)
    assert not troubles, "\n".join(f"{each.path} {each.what}" for each in troubles)
