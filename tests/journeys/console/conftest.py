"""The demonstration's hub behind a real browser, and people who sit before it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from server.hub import Hub
from tests.console_pages import tab_of
from tests.console_story import chromium, served, story_hub
from tests.console_tab import Tab


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's browser. Where it is missing its tests are skipped, and fail where every change has to pass them."""
    if shutil.which("chromium") is None:
        missing = "chromium is not installed (requirements/debian.txt)"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    with chromium() as browser:
        yield browser


@pytest.fixture
def hub(browser: Browser, tmp_path: Path) -> Iterator[Hub]:
    """What the demonstration left, for this test alone."""
    with story_hub(tmp_path) as hub:
        yield hub


@pytest.fixture
def address(hub: Hub) -> Iterator[str]:
    """Where its pages are."""
    with served(hub) as address:
        yield address


@pytest.fixture
def sit_down(browser: Browser, hub: Hub, address: str) -> Iterator[Callable[[str], Tab]]:
    """Gives somebody a browser of their own, logged in."""
    tabs: list[Tab] = []

    def sit(who: str) -> Tab:
        tabs.append(tab_of(browser, address, hub, who))
        return tabs[-1]

    yield sit
    for tab in tabs:
        tab.page.context.close()
