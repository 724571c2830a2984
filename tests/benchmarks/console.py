"""The console in Debian's browser: what it weighs, what it waits for, and what must never be wrong with a page.

The hub is the one that the demonstration leaves. Bytes are bodies and headers as they came; KB are 10^3 bytes.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from playwright.sync_api import Browser

from server.app import create_app
from server.hub import Hub
from tests.benchmarks import page_times
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import Plan
from tests.console_pages import HEAD, pages, people_of, tab_of, visit
from tests.console_planting import LOOKERS, fill_in_everything, plant, planted_pages
from tests.console_story import chromium, served, story_hub
from tests.console_tab import LOOKS, Tab, Trouble
from tests.console_triage import INBOX, press_for_next, triage_by_keys

_WRONG: Final = {"axe": "axe_violations", "policy": "csp_violations", "console": "console_errors"}
FIGURES: Final = (
    "first_load_kb",
    "later_page_kb",
    "link_first_load_s",
    "link_later_page_s",
    "presses_per_complaint",
    "kb_per_complaint",
    *page_times.FIGURES,
    *_WRONG.values(),
    "scripts_executed",
)
_TRIAGED: Final = 60
# A telephone of the second generation, in kbit/s and milliseconds.
_DOWN, _UP, _WAIT_MS = 120, 60, 600
_TURNS: Final = 5


def measure(plan: Plan) -> Iterator[Figure]:
    """The figures, the cheap ones first."""
    with chromium() as browser:
        for found in (_weights, _link, _morning):
            with TemporaryDirectory() as folder, story_hub(Path(folder)) as hub, served(hub) as address:
                yield from found(browser, address, hub)
        yield from page_times.measure(plan.large)
        for found in (_faults, _scripts):
            with TemporaryDirectory() as folder, story_hub(Path(folder)) as hub, served(hub) as address:
                yield from found(browser, address, hub)


def _weights(browser: Browser, address: str, hub: Hub) -> Iterator[Figure]:
    """The heaviest section as the first page that a browser opens here, and the heaviest page of all once it knows."""
    first, later = {}, {}
    for who, role in people_of(hub).items():
        tab = tab_of(browser, address, hub, who)
        tab.page.goto(f"{address}/console/account")
        for url in tab.page.locator("#sections a").evaluate_all("links => links.map((link) => link.href)"):
            tab.forget_files()
            first[url] = tab.weigh(url)
        for page in pages(hub, create_app(hub)):
            if page.is_for(role):
                later[page.path] = tab.weigh(f"{address}{page.path}")
        tab.page.context.close()
    for name, weights, bound in (("first_load_kb", first, 40), ("later_page_kb", later, 10)):
        heaviest = max(weights, key=lambda url: weights[url])
        note(f"{name}: {heaviest.removeprefix(address)}, of {len(weights)}")
        yield Figure(name, weights[heaviest] / 1_000, "KB", "<=", bound)


def _link(browser: Browser, address: str, hub: Hub) -> Iterator[Figure]:
    """Until the inbox stands there for the first time; until the next complaint, or a whole case, does."""
    tab = tab_of(browser, address, hub, HEAD)
    tab.forget_files()
    tab.slow_down(_DOWN, _UP, _WAIT_MS)
    begun = perf_counter()
    tab.page.goto(f"{address}{INBOX}", wait_until="load")
    yield Figure("link_first_load_s", perf_counter() - begun, "s", "<=", 10)
    waits = [_timed_turn(tab) for _ in range(_TURNS)]
    begun = perf_counter()
    tab.page.click("#pane header a.nb")
    tab.page.wait_for_url("**/console/cases/SRE-*")
    waits.append(perf_counter() - begun)
    note(f"link_later_page_s: {', '.join(f'{wait:.2f}' for wait in waits)}, the last a whole page")
    yield Figure("link_later_page_s", max(waits), "s", "<=", 3)
    tab.page.context.close()


def _timed_turn(tab: Tab) -> float:
    begun = perf_counter()
    press_for_next(tab, "j")
    return perf_counter() - begun


def _morning(browser: Browser, address: str, hub: Hub) -> Iterator[Figure]:
    """What sixty complaints cost whoever triages them by keys."""
    done = triage_by_keys(tab_of(browser, address, hub, HEAD), address, _TRIAGED)
    yield Figure("presses_per_complaint", done.presses / _TRIAGED, "presses", "<=", 2)
    yield Figure("kb_per_complaint", done.bytes_down / _TRIAGED / 1_000, "KB", "<=", 5)


def _faults(browser: Browser, address: str, hub: Hub) -> Iterator[Figure]:
    """What is wrong with any page, whoever looks at it, in both schemes and three widths."""
    found: list[Trouble] = []
    for who, role in people_of(hub).items():
        tab = tab_of(browser, address, hub, who)
        mine = [page for page in pages(hub, create_app(hub)) if page.is_for(role)]
        found += [trouble for page in mine for trouble in visit(tab, address, page, LOOKS)]
        tab.page.context.close()
        note(f"{who}: {len(mine)} pages, looked at in {len(LOOKS)} ways")
    _tell(found)
    for kind, name in _WRONG.items():
        yield Figure(name, _count(found, kind), "count", "=", 0)


def _scripts(browser: Browser, address: str, hub: Hub) -> Iterator[Figure]:
    """Scripts that ran, of those that were written into everything that can be written."""
    number, roles, app = plant(hub), people_of(hub), create_app(hub)
    found: list[Trouble] = []
    for who in LOOKERS:
        tab = tab_of(browser, address, hub, who)
        for page in planted_pages(hub, app, number):
            if page.is_for(roles[who]):
                found += fill_in_everything(tab, address, page)
                tab.page.goto(f"{address}{page.path}", wait_until="networkidle")
                found += tab.look(page.path, [])
        tab.page.context.close()
    _tell(found)
    yield Figure("scripts_executed", _count(found, "script"), "count", "=", 0)


def _count(found: Sequence[Trouble], kind: str) -> int:
    return sum(each.kind == kind for each in found)


def _tell(found: Sequence[Trouble]) -> None:
    for each in found:
        note(f"{each.kind} {each.path} {' '.join(each.what.split())}")
