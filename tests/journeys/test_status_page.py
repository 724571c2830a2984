"""The page at `/`, as a browser shows it: in French, and with nothing that its own policy refuses."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.app import create_app
from server.hub import utc_now
from server.serve import make_server
from tests.builders import founded, open_new_hub

pytestmark = [pytest.mark.prove, pytest.mark.ci]

QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --accept-lang=fr --enable-logging=stderr"
).split()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    hub = open_new_hub(*founded(tmp_path / "hub", status="full", coalition="Coalition Jigiya"), utc_now)
    server = make_server(create_app(hub), "127.0.0.1", 0, 2)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}/"
    server.close()
    hub.close()


def test_page_says_in_french_that_the_hub_answers_and_how_much_it_holds(
    address: str, tmp_path: Path, program: Callable[[str], str]
) -> None:
    shown = subprocess.run(
        [program("chromium"), *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", address],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert '<html lang="fr">' in shown.stdout
    assert "Le centre répond" in shown.stdout
    assert "Coalition Jigiya" in shown.stdout
    assert shown.stdout.count("<dd>0</dd>") == 3
    assert "Content Security Policy" not in shown.stderr
