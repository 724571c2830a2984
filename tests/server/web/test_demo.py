"""The doors of a demonstration: five ways in without a passphrase, on its own machine and on a marked hub alone."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pyotp
import pytest
from flask.testing import FlaskClient

from server.domain.errors import DemoRefused, NotFound
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services.accounts import demonstration, people, sessions
from server.services.accounts.demonstration import Door, Mark
from server.services.accounts.people import Post
from server.services.accounts.sessions import Claim
from tests.browsing import HTML, WORDS
from tests.builders import NOW, Clock, app_of, complaint, enrolled, facts, found_keyring, open_bare_hub, sealed

DOORS = {
    "triage": Door("awa", "/console/inbox"),
    "pair": Door("awa", "/console/duplicates"),
    "answer": Door("awa", "/console/cases/SRE-2026-000001"),
    "deadline": Door("binta", "/console/account"),
}


@pytest.fixture
def opened(hub_url: str, tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    """Opens the hub of a test with some settings, without people, as it stands when it was just made."""
    with ExitStack() as stack:
        yield lambda url=hub_url, **settings: stack.enter_context(
            closing(open_bare_hub(url, tmp_path / "hub", Clock(), **settings))
        )


@pytest.fixture
def bare(opened: Callable[..., Hub]) -> Hub:
    """A hub that nobody marked."""
    return opened()


@pytest.fixture
def marked(bare: Hub) -> Hub:
    """A demonstration with a coordinator, who needs a code, and a verifier, who needs none."""
    demonstration.mark(bare.store, Mark(WORDS))
    for name, role in (("awa", "coordinator"), ("binta", "verifier")):
        people.make(bare.store, bare.secrets.totp, OPERATOR, name, Post(role), WORDS, bare.clock())
    demonstration.open_doors(bare.store, DOORS)
    return bare


def _client(hub: Hub) -> FlaskClient:
    return app_of(hub).test_client()


def _at_doors(hub: Hub) -> FlaskClient:
    """A browser that opened the link of the terminal."""
    client = _client(hub)
    answer = client.get(f"/demo?key={demonstration.read(hub.store).key}", headers=HTML)
    assert (answer.status_code, answer.location) == (303, "/demo")
    return client


def _through(client: FlaskClient, door: str) -> str:
    """Where a door leads, through its own form."""
    page = client.get("/demo", headers=HTML).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    answer = client.post("/demo", headers=HTML, data={"csrf_token": token[1], "door": door})
    assert answer.status_code == 303
    return answer.location


@pytest.mark.parametrize("door", DOORS)
def test_each_door_lets_the_right_person_in_at_the_right_page(marked: Hub, door: str) -> None:
    client = _at_doors(marked)
    assert _through(client, door) == DOORS[door].path
    assert f">{DOORS[door].name}</a>" in client.get("/console/account", headers=HTML).text


def test_doors_open_as_often_as_somebody_likes(marked: Hub) -> None:
    """Within one step of time a code of the second factor is good once; here it is asked for anew each time."""
    client = _at_doors(marked)
    assert [_through(client, "triage") for _ in range(3)] == ["/console/inbox"] * 3


def test_hub_without_the_mark_has_no_doors(bare: Hub) -> None:
    client = _client(bare)
    assert client.get("/demo", headers=HTML).status_code == 404
    assert client.get("/demo/disk", headers=HTML).status_code == 404
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login", headers=HTML).text)
    assert token is not None
    form = {"csrf_token": token[1], "door": "triage"}
    assert client.post("/demo", headers=HTML, data=form).status_code == 404


@pytest.mark.parametrize(
    "header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via"]
)
def test_whoever_came_through_a_proxy_finds_nothing(marked: Hub, header: str) -> None:
    assert _at_doors(marked).get("/demo", headers=HTML | {header: "127.0.0.1"}).status_code == 404


@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 200), ("::1", 200), ("192.168.1.20", 404)])
def test_doors_are_for_browsers_of_this_machine(marked: Hub, address: str, status: int) -> None:
    client = _at_doors(marked)
    for path in ("/demo", "/demo/disk"):
        assert client.get(path, headers=HTML, environ_base={"REMOTE_ADDR": address}).status_code == status


@pytest.mark.parametrize("key", ["", "?key=", "?key=%C3%A9", "?key=" + "x" * 22])
def test_behind_a_proxy_that_hides_itself_nobody_enters_without_the_key(marked: Hub, key: str) -> None:
    """nginx, unless told otherwise, asks from 127.0.0.1 by that name and adds no header."""
    client = app_of(marked).test_client()
    page = client.get(f"/demo{key}", headers=HTML)
    assert page.status_code == 403
    assert "make demo" in page.text
    assert client.get("/demo/disk", headers=HTML).status_code == 404
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login", headers=HTML).text)
    assert token is not None
    form = {"csrf_token": token[1], "door": "triage"}
    assert client.post("/demo", headers=HTML, data=form).status_code == 404
    assert client.get("/console/account", headers=HTML).status_code == 303


@pytest.mark.parametrize("settings", [{"address": "https://centre.example"}, {"host": "0.0.0.0"}])
def test_hub_that_answers_elsewhere_has_no_doors(opened: Callable[..., Hub], settings: dict[str, str]) -> None:
    hub = opened(**settings)
    demonstration.mark(hub.store, Mark(WORDS))
    assert _client(hub).get("/demo", headers=HTML).status_code == 404


def test_hub_in_use_is_never_marked(bare: Hub) -> None:
    people.make(bare.store, bare.secrets.totp, OPERATOR, "awa", Post("monitor"), WORDS, bare.clock())
    with pytest.raises(DemoRefused):
        demonstration.mark(bare.store, Mark(WORDS))


def test_code_is_the_one_that_the_telephone_shows_and_is_good_again(marked: Hub) -> None:
    made = people.make(marked.store, marked.secrets.totp, OPERATOR, "issa", Post("administrator"), WORDS, NOW)
    assert made.secret is not None
    for _ in range(2):
        code = demonstration.code(marked.store, marked.secrets.totp, "Issa", NOW)
        assert code == pyotp.TOTP(made.secret).at(NOW)
        entry = sessions.log_in(marked.store, marked.secrets.totp, Claim("issa", WORDS, "here"), NOW)
        assert not sessions.give_code(marked.store, marked.secrets.totp, entry.token, code, "here", NOW).needs_code


@pytest.mark.parametrize("name", ["nobody", "binta"])
def test_there_is_no_code_of_nobody_nor_of_who_needs_none(marked: Hub, name: str) -> None:
    with pytest.raises(NotFound):
        demonstration.code(marked.store, marked.secrets.totp, name, NOW)


def test_no_code_is_told_on_a_hub_without_the_mark(bare: Hub) -> None:
    people.make(bare.store, bare.secrets.totp, OPERATOR, "awa", Post("coordinator"), WORDS, NOW)
    with pytest.raises(DemoRefused):
        demonstration.code(bare.store, bare.secrets.totp, "awa", NOW)


def test_clock_of_the_mark_is_so_many_days_ahead_as_its_file_says(tmp_path: Path) -> None:
    (tmp_path / "days-ahead").write_text("12")
    assert (Mark(WORDS, str(tmp_path / "days-ahead")).now(NOW) - NOW).days == 12


def test_disk_page_shows_bytes_of_the_file_and_boxes_of_a_row(opened: Callable[..., Hub]) -> None:
    hub = opened("sqlite")
    demonstration.mark(hub.store, Mark(WORDS))
    found_keyring(hub)
    enrolled(hub, "Gao 1").send(complaint("first"))
    page = _at_doors(hub).get("/demo/disk", headers=HTML).text
    head = hub.settings.hub_file.read_bytes()[:16]
    assert f"0000  {head.hex(' ')}" in page
    assert not head.startswith(b"SQLite format 3")
    assert re.findall(r'<th scope="row">identity</th><td class="num">(\d+)</td>', page) == ["0"]
    assert facts()["receipt"] in page
    assert f"{sealed()['box']}…" in page
