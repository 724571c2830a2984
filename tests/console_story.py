"""The hub of the demonstration after its month, kept in var/pictures, opened here and served to a real browser."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
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

ROOT: Final = Path(__file__).resolve().parent.parent
KEPT: Final = ROOT / "var" / "pictures" / "story"
WORDS: Final = "mil sorgho riz fonio"
_PORT: Final = 8091
_QUIET: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
]


def told() -> Path:
    """The folder of a demonstration that was told to its end with today's tables; tells it once, half a minute."""
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    with (KEPT.parent / "telling").open("w") as lock:
        # Others may ask at the same time, each in a process of its own.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (KEPT / f"told-{_made_from()}").exists():
            _tell()
    return KEPT


def _tell() -> None:
    env = os.environ | {"ONCE": "1", "PORT": str(_PORT), "LC_ALL": "fr_FR.UTF-8"}
    told = [sys.executable, "-m", "fixtures.demo"]
    subprocess.run(told, cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(KEPT, ignore_errors=True)
    shutil.copytree(ROOT / "var" / "demo" / str(_PORT), KEPT)
    (KEPT / f"told-{_made_from()}").touch()


def _made_from() -> str:
    """The name of the tables and of the story, as they are in this checkout."""
    files = sorted([*(ROOT / "server/store/migrations").rglob("*.py"), *(ROOT / "fixtures/demo").iterdir()])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()[:12]


@contextmanager
def story_hub(folder: Path) -> Iterator[Hub]:
    """A hub of its own in `folder`, which is what the demonstration left."""
    shutil.copytree(told(), folder, dirs_exist_ok=True)
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
