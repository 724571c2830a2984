"""A tab of a real browser that keeps what went wrong on its pages and counts what came down the link."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page

# A stored script that runs would say this word on the console, or in a dialogue.
MARKER: Final = "executed-7c1f"
_REFUSED: Final = "refused by the policy:"
_WATCH: Final = f"""
addEventListener("securitypolicyviolation", (event) =>
  console.warn("{_REFUSED}", event.violatedDirective, event.blockedURI, event.sourceFile, event.lineNumber));
"""
# WCAG 2.2 up to level AA, and what axe calls best practice.
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What the browser itself says when a page was refused, which is how it should be.
_NOT_THERE: Final = "Failed to load resource: the server responded with a status of 4"
_WIDE: Final = "document.documentElement.scrollWidth > innerWidth"


@dataclass(frozen=True)
class Look:
    """A size of the window, in CSS pixels, and a colour scheme."""

    width: int
    scheme: str

    @property
    def height(self) -> int:
        """As usual at that width."""
        return 800 if self.width > 900 else 640


LOOKS: Final = tuple(Look(width, scheme) for scheme in ("light", "dark") for width in (1280, 360, 320))
NARROW: Final = 320


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a page: `kind` is axe, policy, console, script, wide, heavy or status."""

    kind: str
    path: str
    what: str


@dataclass
class Tab:
    """One tab of `who`, watched since it was opened; `bytes_down`: bodies and headers of every answer, as they came."""

    page: Page
    who: str
    bytes_down: int = 0
    refused: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    executed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.executed.append(dialog.message), dialog.dismiss()))
        self._link = self.page.context.new_cdp_session(self.page)
        self._link.on("Network.loadingFinished", lambda said: self._count(said["encodedDataLength"]))
        self._link.on("Network.requestWillBeSent", lambda said: self._count_redirect(said))
        self._link.send("Network.enable")

    def forget_files(self) -> None:
        """Let the next page be the first that this browser opens here."""
        self._link.send("Network.clearBrowserCache")

    def slow_down(self, kbit_per_s_down: float, kbit_per_s_up: float, wait_ms: float) -> None:
        """Let the link be so slow from now on."""
        down, up = (rate * 1_000 / 8 for rate in (kbit_per_s_down, kbit_per_s_up))
        rates = {"offline": False, "latency": wait_ms, "downloadThroughput": down, "uploadThroughput": up}
        self._link.send("Network.emulateNetworkConditions", rates)

    def weigh(self, url: str) -> int:
        """Bytes that came down to show this page."""
        before = self.bytes_down
        self.page.goto(url, wait_until="networkidle")
        return self.bytes_down - before

    def take_troubles(self, path: str) -> list[Trouble]:
        """What the browser said of its pages since it was last asked."""
        heard = {"policy": self.refused, "console": self.errors, "script": self.executed}
        found = [Trouble(kind, path, what) for kind, said in heard.items() for what in said]
        for said in heard.values():
            said.clear()
        return found

    def look(self, path: str, looks: Sequence[Look]) -> list[Trouble]:
        """What is wrong with the page as it stands, however it is looked at."""
        found = self.take_troubles(path)
        for look in looks:
            self.page.set_viewport_size({"width": look.width, "height": look.height})
            self.page.emulate_media(color_scheme=look.scheme)  # type: ignore[arg-type]
            seen = f"{look.width} {look.scheme}"
            if look.width == NARROW and self.page.evaluate(_WIDE):
                found.append(Trouble("wide", path, seen))
            found += [Trouble("axe", path, f"{seen} {broken}") for broken in broken_rules(self.page)]
        # What axe does to the page is not the page's.
        self.take_troubles(path)
        return found

    def _hear(self, message: ConsoleMessage) -> None:
        if MARKER in message.text:
            self.executed.append(message.text)
        elif message.text.startswith(_REFUSED):
            self.refused.append(message.text)
        elif message.type == "error" and not message.text.startswith(_NOT_THERE):
            self.errors.append(message.text)

    def _count(self, size: float) -> None:
        self.bytes_down += int(size)

    def _count_redirect(self, said: dict[str, Any]) -> None:
        if "redirectResponse" in said:
            self._count(said["redirectResponse"]["encodedDataLength"])


def broken_rules(page: Page) -> list[str]:
    """Each place of the page that breaks a rule of axe: the rule, and where."""
    options = {"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": _RULES}}
    violations = Axe().run(page, options=options).response["violations"]
    return [f"{each['id']} {node['target']} {node['failureSummary']}" for each in violations for node in each["nodes"]]


def open_tab(browser: Browser, who: str, **options: Any) -> Tab:
    """A new browser's first tab, before which `who` sits: its cookies and its cache are its own."""
    context = browser.new_context(locale="fr-FR", reduced_motion="reduce", **options)
    context.add_init_script(_WATCH)
    return Tab(context.new_page(), who)
