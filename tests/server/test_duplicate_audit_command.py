"""`seere duplicates audit`: refused without its extra; with it a page for its reader alone, which asks no network."""

import importlib.util
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from random import Random

import pyotp
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from server.cli import main
from server.domain.permission import OPERATOR
from server.hub import Hub, open_hub, utc_now
from server.services.accounts import people
from server.services.accounts.people import Post
from server.store import registry
from server.store.match_tables import link
from tests.builders import NOW, PASSPHRASE, enrolled, founded, passphrase_file, with_keyring
from tests.matching import ENGLISH, NARRATIVE, match_all, report

_NAME = "Awa"
_FIRST = ("Fanta", "Oumar", "Aissata", "Modibo", "Kadiatou", "Seydou", "Mariam", "Bakary")
_LAST = ("Exemplaire", "Inventé", "Fictif", "Supposé", "Imaginaire", "Échantillon", "Modèle", "Témoignage")
_VILLAGES = ("Kouakourou", "Diboli", "Sofara", "Tominian", "Yangasso", "Bourem", "Kolondieba", "Macina")
_PAIRS = 60
_SEERE = "from server.cli import main; main()"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    opened = with_keyring(open_hub(*founded(tmp_path / "hub"), utc_now))
    yield opened
    opened.close()


@pytest.fixture
def totp(hub: Hub) -> pyotp.TOTP:
    """The codes of a coordinator for everything, whose passphrase is that of all."""
    post = Post("coordinator", is_named_reader=True)
    made = people.make(hub.store, hub.secrets.totp, OPERATOR, _NAME, post, PASSPHRASE, NOW)
    assert made.secret is not None
    return pyotp.TOTP(made.secret)


@pytest.fixture
def environ(hub: Hub) -> dict[str, str]:
    folder = hub.settings.data
    return {"SEERE_DATA": str(folder), "SEERE_PASSPHRASE_FILE": str(passphrase_file(folder))}


@pytest.fixture(scope="module")
def extra(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Where an interpreter finds the extra `linkage` whole: among what is installed, or where pip put it."""
    if importlib.util.find_spec("splink") is not None:
        return {"PYTHONPATH": ""}
    folder = tmp_path_factory.mktemp("linkage")
    wanted = ["splink>=5,<6", "duckdb>=1.3"]
    pip = [sys.executable, "-m", "pip", "-q", "install", "--only-binary", ":all:", "--target", str(folder), *wanted]
    if subprocess.run(pip, capture_output=True, check=False, timeout=600).returncode:
        pytest.skip("pip can't install the extra `linkage` here")
    return {"PYTHONPATH": str(folder)}


def test_without_its_extra_it_says_how_to_install_it(
    hub: Hub, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As Python leaves a module that is not there.
    monkeypatch.setitem(sys.modules, "duckdb", None)
    monkeypatch.delitem(sys.modules, "server.services.duplicates.relinking", raising=False)
    page = tmp_path / "page.html"
    refused = CliRunner().invoke(main, ["duplicates", "audit", str(page), "--as", _NAME], env=environ)
    assert refused.exit_code == 1
    assert "-m pip install 'splink>=5,<6'" in refused.stderr
    assert not page.exists()


def tell_all(hub: Hub) -> list[tuple[int, int]]:
    """Report as many incidents twice each, by other teams, in other words and spellings; gives the pairs of ids."""
    draw, senders = Random(5), [enrolled(hub, f"Équipe {at}", team=f"{at}") for at in range(2)]
    pairs = []
    for at in range(_PAIRS):
        first, last, village = (draw.choice(each) for each in (_FIRST, _LAST, _VILLAGES))
        day = f"2026-{draw.randrange(1, 12):02}-{draw.randrange(1, 28):02}"
        facts = {"incident": {"from": day, "precision": "day"}, "money": {"asked": draw.randrange(1, 200) * 500}}
        one = report(senders[0], f"{at} a", facts, names=(f"{first} {last}",), said=village, narrative=NARRATIVE)
        two = report(senders[1], f"{at} b", facts, names=(f"{last} {first}",), said=village, narrative=ENGLISH)
        pairs.append((one, two))
    match_all(hub)
    return pairs


def _fetched(page: str) -> list[str]:
    """The addresses that elements of the page name."""
    found: list[str] = []

    class Elements(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(value or "" for name, value in attrs if name in {"src", "href", "data", "action"})

    Elements().feed(page)
    return found


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_page_shows_what_the_matcher_missed_to_its_reader_alone_and_asks_no_network(
    hub: Hub,
    totp: pyotp.TOTP,
    environ: dict[str, str],
    extra: Mapping[str, str],
    tmp_path: Path,
    program: Callable[[str], str],
) -> None:
    pairs = tell_all(hub)
    with hub.store.write() as connection:
        # As if it had been missed.
        connection.execute(sa.delete(link).where(link.c.a == pairs[0][0], link.c.b == pairs[0][1]))
        missed = registry.numbers_of(connection, pairs[0])
    page, empty = tmp_path / "page.html", tmp_path / "empty"
    empty.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _SEERE, "duplicates", "audit", str(page), "--as", _NAME],
        input=f"{PASSPHRASE}\n{totp.now()}\n",
        cwd=empty,
        env={**os.environ, **environ, **extra},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    written = page.read_text("utf-8")
    assert " – ".join(missed[id] for id in pairs[0]) in written
    assert not any(name in written for name in (*_FIRST, *_LAST, *_VILLAGES, "mouton"))
    assert _fetched(written) == []
    assert "Sûr : 90 chances sur 100 et plus ; trouvé : 50 et plus." in written
    assert "Un tiret : Splink donne à la paire moins de 50 chances sur 100" in written
    # Nowhere else did DuckDB put anything.
    assert list(empty.iterdir()) == []

    offline = ["--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    wait = "--virtual-time-budget=20000"
    shown = subprocess.run(
        [program("chromium"), *offline, "--enable-logging=stderr", profile, wait, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    assert shown.stdout.count('class="marks"') >= 4
    assert "Content Security Policy" not in shown.stderr
    assert "Uncaught" not in shown.stderr
