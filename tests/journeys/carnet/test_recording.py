"""A complaint is recorded by voice without a network, and nothing of it can be read on the phone afterwards."""

from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import expect

from server.hub import Hub
from server.store.schema import complaint
from tests.benchmarks.canaries import Canary, search
from tests.carnet_phone import PASSPHRASE, Phone, receipts

pytestmark = [pytest.mark.prove, pytest.mark.ci]

TAPS_MAX: Final = 26
NARRATIVE: Final = "Zorovokanari a été frappé devant le puits"
CANARIES: Final = ("Zorovokanari", "Kifolonegeta", "Wuludugukura", "00009137")


def test_a_complaint_is_recorded_by_voice_without_network_and_survives_a_restart(phone: Phone, hub: Hub) -> None:
    phone.context.set_offline(True)
    phone.restart()
    phone.context.set_offline(True)
    phone.open()
    phone.unlock()
    phone.taps = 0
    receipt = phone.record()
    assert phone.taps <= TAPS_MAX
    assert phone.counts == {"here": 1, "there": 0, "answered": 0}
    expect(phone.page.locator("text=Rien n'est perdu")).to_be_visible()
    assert [row["op"] for row in phone.rows("records")] == ["complaint", "linkage"]

    phone.restart()
    phone.open()
    phone.unlock()
    phone.wait_sent()
    expect(phone.page.locator("[data-count=there]")).to_have_text("1")
    assert receipts(hub, complaint) == [receipt]
    assert phone.troubles() == []


def test_nothing_that_was_said_is_found_in_the_profile(phone: Phone, hub: Hub, tmp_path: Path) -> None:
    said, name, number = (CANARIES[at] for at in (2, 1, 3))
    phone.write(NARRATIVE, name=f"Awa {name}", said=said, phone=number)
    phone.page.reload()
    phone.page.wait_for_selector("input[name=words]")
    phone.unlock()
    phone.page.click("text=Nouvelle plainte")
    phone.at("danger")
    phone.page.click("label:has-text('Non')")
    phone.page.fill("#narrative", f"brouillon {CANARIES[0]}")
    phone.page.wait_for_timeout(300)
    phone.lock()
    phone.kill_page()
    phone.restart()
    phone.open()
    phone.unlock()
    phone.lock()
    phone.stop()
    planted = [Canary("name", text) for text in (*CANARIES, PASSPHRASE)]
    assert search(tmp_path / "profile", planted) == []
    phone.start()
