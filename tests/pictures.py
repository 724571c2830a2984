"""`python -m tests.pictures PATH…`: pages of the demonstration's hub as pictures, in var/pictures.

Each at 1280 and 360 pixels, light and dark. AS=name says who looks: fanta (all), awa (Gao and Mopti), modibo, or an
account of the demonstration. A path may be `name=/console/…`, and the picture is called so.
"""

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, ConsoleMessage, Page

from server.hub import Hub
from tests.console_story import chromium, log_in, served, story_hub
from tests.story import ROOT

PICTURES: Final = ROOT / "var" / "pictures"
WIDTHS: Final = {1280: 800, 360: 740}
SCHEMES: Final = ("light", "dark")


def take(paths: Sequence[str], name: str) -> None:
    """Take the pictures and say where they are, with what the browser complained of."""
    with tempfile.TemporaryDirectory() as folder, story_hub(Path(folder)) as hub, served(hub) as address:
        with chromium() as browser:
            for width in WIDTHS:
                for scheme in SCHEMES:
                    _take_each(browser, address, hub, paths, name, width, scheme)


def _take_each(
    browser: Browser, address: str, hub: Hub, paths: Sequence[str], name: str, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": WIDTHS[width]}, color_scheme=scheme, locale="fr-FR"  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.on("console", _tell)
    log_in(page, address, hub, name)
    for path in paths:
        _take_one(page, address, path, f"{width}-{scheme}")
    context.close()


def _take_one(page: Page, address: str, path: str, suffix: str) -> None:
    called, _, rest = path.rpartition("=") if path.split("=")[0].isidentifier() else ("", "", path)
    answer = page.goto(f"{address}{rest}")
    file = PICTURES / f"{called or re.sub(r'[^a-z0-9]+', '-', rest.lower()).strip('-')}-{suffix}.png"
    page.screenshot(path=file, full_page=True)
    is_wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    status = answer.status if answer else 0
    sys.stdout.write(f"{file} {status}{' WIDER THAN THE WINDOW' if is_wide else ''}\n")


def _tell(message: ConsoleMessage) -> None:
    if message.type == "error":
        sys.stdout.write(f"  {message.text}\n")


if __name__ == "__main__":
    take(sys.argv[1:], os.environ.get("AS", "fanta"))
