"""The hub of the demonstration after its month, opened here and served to a real browser."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyotp
import waitress
from nacl.secret import SecretBox
from playwright.sync_api import Browser, Page, sync_playwright
from waitress import wasyncore

from fixtures.demo.count import HUB, PASSPHRASE_FILE
from fixtures.demo.days import FILE, Days
from server import credential
from server.app import create_app
from server.config import from_environ
from server.hub import Hub, open_hub
from server.store import accounts
from tests.story import STORES, told

WORDS: Final = "mil sorgho riz fonio"
_QUIET: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
]


@contextmanager
def story_hub(folder: Path) -> Iterator[Hub]:
    """A hub of its own in `folder`, which is what the demonstration left."""
    told()
    shutil.copytree(STORES, folder, dirs_exist_ok=True)
    settings = from_environ({"SEERE_DATA": str(folder / HUB), "SEERE_COALITION": "Jama Seere"})
    secrets = credential.unlock(folder / HUB / "hub.credential", (folder / PASSPHRASE_FILE).read_text())
    hub = open_hub(settings, secrets, Days(folder / FILE))
    yield hub
    hub.close()


@contextmanager
def served(hub: Hub) -> Iterator[str]:
    """The address under which the pages of this hub are served meanwhile."""
    server = waitress.create_server(create_app(hub), host="127.0.0.1", port=0, threads=4)
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            wasyncore.loop(timeout=1, use_poll=True, map=server._map, count=1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    stopping.set()
    server.pull_trigger()
    thread.join()
    server.task_dispatcher.shutdown()
    wasyncore.close_all(server._map)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's browser, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_QUIET)
        yield browser
        browser.close()


def log_in(page: Page, address: str, hub: Hub, name: str) -> None:
    """Through both forms, as the account of this name; its second factor is what the hub keeps."""
    page.goto(f"{address}/login")
    enter(page, hub, name)


def enter(page: Page, hub: Hub, name: str) -> None:
    """Through the forms of the page that asks who it is."""
    page.fill("#name", name)
    page.fill("#passphrase", WORDS)
    page.press("#passphrase", "Enter")
    if secret := _secret(hub, name):
        page.wait_for_url("**/login/code")
        page.fill("#code", pyotp.TOTP(secret).at(hub.clock()))
        page.press("#code", "Enter")
    page.wait_for_url("**/console/**")


def _secret(hub: Hub, name: str) -> str | None:
    """What makes the codes of an account, where it needs one; a code may be given again at once."""
    with hub.store.write() as connection:
        account = accounts.by_login(connection, name)
        assert account is not None
        accounts.update(connection, account.id, totp_step=0)
    return SecretBox(hub.secrets.totp).decrypt(account.totp).decode("ascii") if account.totp else None
