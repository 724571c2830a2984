"""A cheap phone: a real browser of 360 pixels with a profile on the disk, a fake microphone, and Carnet in it."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Page, Playwright, expect, sync_playwright

from server.hub import Hub
from server.services import devices
from server.store.schema import device
from server.web.field.packs import later, shell
from tests.console_tab import Tab, Trouble

PASSPHRASE: Final = "karité néré baobab tamarin"
_WIDTH, _HEIGHT = 360, 640
_QUIET: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
_BROKEN_LINK: Final = "Failed to load resource: net::"
_COUNTS: Final = """() => Object.fromEntries(
  [...document.querySelectorAll("[data-count]")].map((each) => [each.dataset.count, Number(each.textContent)]))"""
_IS_KEPT: Final = "async (files) => (await (await caches.open('carnet')).keys()).length === files"
# What a person reads first on each of the questions, in their order.
QUESTIONS: Final = ("danger", "passé", "agit", "Où", "Quand", "mis en cause", "subi", "papier", "savoir", "joindre")


class Phone:
    """One phone; `taps` counts what a thumb did since it was last set to 0."""

    def __init__(self, playwright: Playwright, profile: Path, address: str) -> None:
        self._playwright = playwright
        self.profile = profile
        self.address = address
        self.taps = 0
        self.start()

    def start(self) -> None:
        """Start the browser, and open Carnet by its address."""
        self.context: BrowserContext = self._playwright.chromium.launch_persistent_context(
            str(self.profile),
            executable_path=shutil.which("chromium"),
            args=list(_QUIET),
            viewport={"width": _WIDTH, "height": _HEIGHT},
            permissions=["microphone"],
            accept_downloads=True,
            locale="fr-FR",
        )
        self.page: Page = self.context.pages[0]
        self.tab = Tab(self.page, "phone")

    def open(self) -> None:
        """Open Carnet at its address."""
        self.page.goto(f"{self.address}/carnet/")
        self.page.wait_for_selector("h1")

    def stop(self) -> None:
        """Close the browser as its owner does."""
        self.context.close()

    def restart(self) -> None:
        """The battery was empty: a browser that is started anew."""
        self.stop()
        self.start()

    def kill_page(self) -> None:
        """The system takes the page away; another is opened in the same browser."""
        page = self.context.new_page()
        self.page.close(run_before_unload=False)
        self.page = page
        self.tab = Tab(page, "phone")

    def settle(self) -> None:
        """Wait until the whole app is kept on the phone."""
        self.page.wait_for_function(_IS_KEPT, arg=len(shell()) + len(later()))

    def begin(self, hub: Hub, label: str = "Téléphone 1") -> None:
        """The first day: a passphrase, a code, six words, a rule. Leaves the first screen open."""
        self.open()
        self.page.fill("input[name=words]", PASSPHRASE)
        self.page.fill("input[name=again]", PASSPHRASE)
        self.page.click("button.go")
        self.page.wait_for_selector("input[name=code]", timeout=30_000)
        invited = devices.invite(hub.store, hub.clock(), label=label, valid_hours=72)
        self.page.fill("input[name=code]", invited.code)
        self.page.click("button.go")
        self.page.wait_for_selector(".words")
        words = self.page.locator(".words li").all_inner_texts()
        with hub.store.read() as connection:
            id = connection.scalar(sa.select(device.c.id).where(device.c.label == label))
        assert id is not None
        assert devices.words_of(hub.store, devices.find(hub.store, id), hub.identity.sign_key) == words
        devices.confirm(hub.store, id, hub.clock())
        self.page.click("button.go")
        self.page.wait_for_selector("text=En cas d'urgence")
        self.page.click("button.go")
        self.page.wait_for_selector(".meter")
        self.settle()
        self.wait_sent()

    def unlock(self, words: str = PASSPHRASE) -> None:
        """Type the passphrase on the locked screen."""
        self.page.fill("input[name=words]", words)
        self.page.click("button.go")
        self.page.wait_for_selector(".meter", timeout=30_000)

    def tap(self, what: str) -> None:
        """One tap of a thumb."""
        self.taps += 1
        self.page.click(what)

    def at(self, words: str) -> None:
        """Wait for the screen with these words as its title."""
        self.page.wait_for_selector(f'h1:has-text("{words}")')

    def record(self, *, speaks_ms: int = 2_500) -> str:
        """Record a complaint by voice, without typing; gives its receipt code. Begins and ends on the first screen."""
        self.tap("text=Nouvelle plainte")
        self.at("danger")
        self.tap("label:has-text('Non')")
        self.at("passé")
        self.tap(".rec .round")
        self.page.wait_for_selector(".wave")
        self.page.wait_for_timeout(speaks_ms)
        self.tap(".rec .round")
        self.page.wait_for_selector("text=Note gardée")
        self.tap("[data-next]")
        self.answer()
        return self.close_envelope()

    def write(self, narrative: str, *, name: str = "", said: str = "", phone: str = "") -> str:
        """Write a complaint down; gives its receipt code."""
        self.page.click("text=Nouvelle plainte")
        self.at("danger")
        self.page.click("label:has-text('Non')")
        self.at("passé")
        self.page.fill("#narrative", narrative)
        self.page.click("[data-next]")
        self.answer(level="à ceux que je choisis." if name else "sans mon nom", name=name, said=said, phone=phone)
        return self.close_envelope()

    def answer(self, level: str = "sans mon nom", name: str = "", said: str = "", phone: str = "") -> None:
        """Answer the questions from the third on, up to the envelope."""
        self.at("agit")
        self.tap("label:has-text('Corruption')")
        self.tap("[data-next]")
        self.at("Où")
        self.tap("label:has-text('Ségou')")
        self.page.wait_for_selector("text=Puis le cercle")
        self.tap("label:has-text('Bla')")
        self.page.wait_for_selector("text=dites-le tel quel")
        if said:
            self.page.fill(".fld:has-text('tel quel') input", said)
        self.tap("[data-next]")
        self.at("Quand")
        self.tap("label:has-text('Hier')")
        self.tap("label:has-text('Sûr')")
        self.at("mis en cause")
        self.tap("label:has-text('Gendarmerie')")
        self.tap("[data-next]")
        self.at("argent")
        self.tap("[data-next]")
        self.at("subi")
        self.tap("label:has-text('Oui')")
        self.tap("label:has-text('Femme')")
        self.tap("label:has-text('25')")
        self.tap("[data-next]")
        self.at("papier")
        self.tap("[data-next]")
        self.at("savoir")
        self.tap(f"label:has-text('{level}')")
        self.tap("[data-next]")
        self.at("joindre")
        if name:
            self.page.fill(".fld:has-text('Nom') input", name)
            self.page.fill(".fld:has-text('Téléphone') input", phone)
        self.tap("[data-next]")
        self.at("enveloppe")

    def close_envelope(self) -> str:
        """Close it, and go home; gives the receipt code."""
        self.tap("button.go")
        self.page.wait_for_selector("[data-receipt]")
        receipt = self.page.inner_text("[data-receipt]")
        self.page.click("text=Accueil")
        self.page.wait_for_selector(".meter")
        return receipt

    @property
    def counts(self) -> dict[str, int]:
        """The three counts on the screen."""
        self.page.wait_for_selector("[data-count]")
        counts: dict[str, int] = self.page.evaluate(_COUNTS)
        return counts

    def rows(self, store: str) -> list[Any]:
        """The rows of a store of the phone, as its own code keeps them."""
        rows: list[Any] = self.page.evaluate(_ROWS, store)
        return rows

    def send(self) -> None:
        """Tap on sending, and wait until it ended, well or not."""
        self.page.click(".meter .btn")
        self.wait_sent()

    def wait_sent(self) -> None:
        """Wait until nothing is under way."""
        expect(self.page.locator("#page[aria-busy]")).to_have_count(0, timeout=120_000)

    def troubles(self) -> list[Trouble]:
        """What the browser said that it should not, beside that the link broke."""
        return [each for each in self.tab.take_troubles("carnet") if _BROKEN_LINK not in each.what]

    def lock(self) -> None:
        """Lock by the button that every screen has."""
        self.page.click("header .lock")
        self.page.wait_for_selector("input[name=words]")


_ROWS: Final = """(store) => new Promise((resolve, reject) => {
  const opening = indexedDB.open("carnet");
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const asking = opening.result.transaction(store).objectStore(store).getAll();
    asking.onsuccess = () => { opening.result.close(); resolve(asking.result); };
  };
})"""


@contextmanager
def playing() -> Iterator[Playwright]:
    """What starts browsers."""
    with sync_playwright() as playwright:
        yield playwright


def receipts(hub: Hub, table: sa.Table) -> Sequence[str]:
    """The receipt codes of all complaints of a hub."""
    with hub.store.read() as connection:
        return sorted(connection.scalars(sa.select(table.c.receipt)))
