"""A hub, a road to it that can be cut, and a phone at its end."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from fixtures.bad_road import BadRoad
from server.hub import Hub
from tests.builders import founded, open_new_hub, with_keyring
from tests.carnet_phone import Phone, playing
from tests.console_story import served


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """What starts browsers. Without one its tests are skipped, and fail where every change has to pass them."""
    if shutil.which("chromium") is None:
        missing = "chromium is not installed (requirements/debian.txt)"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    with playing() as playwright:
        yield playwright


@pytest.fixture
def hub(playwright: Playwright, tmp_path: Path) -> Iterator[Hub]:
    """A new hub with a keyring."""
    settings, secrets = founded(tmp_path / "hub")
    hub = with_keyring(open_new_hub(settings, secrets))
    yield hub
    hub.close()


@pytest.fixture
def road(hub: Hub) -> Iterator[BadRoad]:
    """The road to it, which carries everything until a test says otherwise."""
    with served(hub) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        with BadRoad((host, int(port))) as road:
            yield road


@pytest.fixture
def phone(playwright: Playwright, hub: Hub, road: BadRoad, tmp_path: Path) -> Iterator[Phone]:
    """A phone that was enrolled and is open."""
    host, port = road.address
    phone = Phone(playwright, tmp_path / "profile", f"http://{host}:{port}")
    phone.begin(hub)
    yield phone
    phone.stop()
