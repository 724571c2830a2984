"""The console as a browser meets it: getting in, staying in, getting out, and what the cookie and the forms allow."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyotp
import pytest
from flask import Flask

from server.app import create_app
from server.domain.people import Role
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services import places
from server.services.accounts import people
from server.services.accounts.people import Made, Post
from tests.browsing import HTML, WORDS, Browser, without_token
from tests.builders import Clock, Sender, app_of, open_test_hub

OTHER_WORDS = "karité néré baobab kapok"
ACCOUNT = "/console/account"
PLACES = Path(__file__).resolve().parents[3] / "fixtures" / "places" / "mali-2026.1.csv"


@pytest.fixture
def app(hub: Hub) -> Flask:
    return app_of(hub)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


@pytest.fixture
def make(hub: Hub) -> Callable[..., Made]:
    def new(role: Role = "verifier", **post: Any) -> Made:
        name = f"moussa-{uuid4().hex[:8]}"
        return people.make(hub.store, hub.secrets.totp, OPERATOR, name, Post(role, **post), WORDS, hub.clock())

    return new


Make = Callable[..., Made]


def test_login_leads_by_passphrase_and_code_to_the_work(browser: Browser, make: Make, hub: Hub) -> None:
    made = make("coordinator", regions=["ml-r-gao"])
    browser.get("/login")
    first = browser.post("/login", name=made.account.name, passphrase=WORDS)
    assert (first.status_code, first.location) == (303, "/login/code")
    assert browser.get(ACCOUNT).location == f"/login?next={ACCOUNT}"
    browser.get("/login/code")
    assert made.secret is not None
    second = browser.post("/login/code", code=pyotp.TOTP(made.secret).at(hub.clock()))
    assert (second.status_code, second.location) == (303, "/console/inbox")
    page = browser.get(ACCOUNT)
    assert page.status_code == 200
    assert all(word in page.text for word in (made.account.name, "ml-r-gao", "coordinateur", "1 clé en main"))


def test_each_wrong_thing_is_refused_in_one_page(browser: Browser, make: Make) -> None:
    browser.get("/login")
    known, unknown = make().account.name, "personne-ici"
    pages = [
        browser.post("/login", name=name, passphrase=passphrase)
        for name, passphrase in ((known, OTHER_WORDS), (unknown, WORDS), ("", ""), (unknown, "x" * 2000), ("\x01", "x"))
    ]
    bare = {without_token(page) for page in pages}
    assert ({page.status_code for page in pages}, len(bare)) == ({403}, 1)
    assert "ne va pas" in bare.pop()
    assert known not in pages[0].text


def test_wait_is_said_in_words_and_in_a_header(browser: Browser) -> None:
    browser.get("/login")
    name = uuid4().hex
    answers = [browser.post("/login", name=name, passphrase="x") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [403, 403, 403, 429]
    assert answers[-1].headers["Retry-After"] == "1"
    assert "Attendez 1 seconde" in answers[-1].text


@pytest.mark.parametrize(("proxies", "status"), [(0, 429), (1, 403)])
def test_wrong_guesses_wait_by_the_address_that_the_proxy_saw_and_never_by_what_a_caller_wrote(
    hub: Hub, proxies: int, status: int
) -> None:
    behind = Browser(create_app(replace(hub, settings=replace(hub.settings, proxies=proxies))))
    behind.get("/login")
    name = uuid4().hex
    for written in range(3):
        headers = {"X-Forwarded-For": f"203.0.113.{written}, 198.51.100.7"}
        assert behind.post("/login", headers, name=name, passphrase="x").status_code == 403
    assert behind.post("/login", headers, name=name, passphrase="x").status_code == 429
    elsewhere = {"X-Forwarded-For": "198.51.100.7, 198.51.100.8"}
    assert behind.post("/login", elsewhere, name=name, passphrase="x").status_code == status


def test_login_comes_back_to_the_page_that_was_asked_for(browser: Browser, make: Make, hub: Hub) -> None:
    made = make("auditor")
    wanted = browser.get(f"{ACCOUNT}?changed=").location
    assert wanted == f"/login?next={ACCOUNT}?changed%3D"
    assert 'value="/console/account?changed="' in browser.get(wanted).text
    browser.post("/login", name=made.account.name, passphrase=WORDS, next=f"{ACCOUNT}?changed=")
    browser.get("/login/code")
    assert made.secret is not None
    answer = browser.post("/login/code", code=pyotp.TOTP(made.secret).at(hub.clock()))
    assert answer.location == f"{ACCOUNT}?changed="


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "/console//evil", "/console/\r\nx", "/login", "a"],
)
def test_login_leads_to_no_other_place(browser: Browser, make: Make, elsewhere: str) -> None:
    browser.get("/login")
    answer = browser.post("/login", name=make().account.name, passphrase=WORDS, next=elsewhere)
    assert answer.location == ACCOUNT
    assert "evil" not in browser.get(f"/login?next={elsewhere}").text


def test_cookie_changes_at_each_step_and_an_earlier_one_is_worth_nothing(
    browser: Browser, make: Make, hub: Hub, app: Flask
) -> None:
    made = make("coordinator")
    browser.get("/login")
    seen = [browser.cookie]
    browser.post("/login", name=made.account.name, passphrase=WORDS)
    seen.append(browser.cookie)
    browser.get("/login/code")
    assert made.secret is not None
    browser.post("/login/code", code=pyotp.TOTP(made.secret).at(hub.clock()))
    assert len({*seen, browser.cookie}) == 3
    for old in seen:
        thief = Browser(app)
        thief.cookie = old
        assert thief.get(ACCOUNT).status_code == 303


def test_logout_ends_the_session_on_the_hub_and_asks_the_browser_to_forget(
    browser: Browser, make: Make, hub: Hub, app: Flask
) -> None:
    browser.log_in(make(), hub)
    browser.get(ACCOUNT)
    kept = browser.cookie
    answer = browser.post("/logout")
    assert (answer.location, answer.headers["Clear-Site-Data"]) == ("/login", '"cache", "storage"')
    thief = Browser(app)
    thief.cookie = kept
    assert thief.get(ACCOUNT).status_code == 303


def test_page_of_an_ended_session_leads_to_the_login(browser: Browser, make: Make, hub: Hub, clock: Clock) -> None:
    browser.log_in(make(), hub)
    clock.pass_(minutes=16)
    assert browser.get(ACCOUNT).location == f"/login?next={ACCOUNT}"


@pytest.mark.parametrize("path", ["/login", "/login/code", "/logout", f"{ACCOUNT}/passphrase", f"{ACCOUNT}/language"])
def test_form_sent_from_elsewhere_is_refused(browser: Browser, make: Make, hub: Hub, path: str) -> None:
    browser.log_in(make(), hub)
    assert browser.post(path, csrf_token="").status_code == 400
    assert browser.post(path, csrf_token="ImEi.aWJLng.made-up").status_code == 400
    assert browser.get(ACCOUNT).status_code == 200


def test_no_page_shows_a_token_or_a_passphrase(browser: Browser, make: Make, hub: Hub) -> None:
    made = make("coordinator")
    browser.log_in(made, hub)
    shown = browser.get(ACCOUNT).text
    shown += browser.post(f"{ACCOUNT}/passphrase", old=OTHER_WORDS, new=WORDS, again=WORDS).text
    assert made.secret is not None
    assert not any(secret in shown for secret in (WORDS, OTHER_WORDS, made.secret, browser.cookie))


def test_passphrase_is_changed_and_the_new_one_lets_in(browser: Browser, make: Make, hub: Hub, app: Flask) -> None:
    made = make()
    browser.log_in(made, hub)
    browser.get(ACCOUNT)
    change = f"{ACCOUNT}/passphrase"
    assert browser.post(change, old=WORDS, new=OTHER_WORDS, again="autre").status_code == 400
    assert browser.post(change, old=WORDS, new="court", again="court").status_code == 400
    assert browser.post(change, old="faux", new=OTHER_WORDS, again=OTHER_WORDS).status_code == 403
    assert browser.post(change, old=WORDS, new=OTHER_WORDS, again=OTHER_WORDS).status_code == 303
    assert "est changée" in browser.get(f"{ACCOUNT}?changed=").text
    assert Browser(app).log_in(made, hub).status_code == 403
    assert Browser(app).log_in(made, hub, OTHER_WORDS).status_code == 303


def test_other_session_is_ended_from_the_list(browser: Browser, make: Make, hub: Hub, app: Flask) -> None:
    made, phone = make(), Browser(app)
    phone.log_in(made, hub)
    browser.log_in(made, hub)
    [path] = re.findall(r'action="(/console/account/sessions/[0-9a-f]{16}/end)"', browser.get(ACCOUNT).text)
    assert browser.post(path).status_code == 303
    assert phone.get(ACCOUNT).status_code == 303
    assert browser.get(ACCOUNT).status_code == 200
    assert browser.post(path).status_code == 404


def test_pages_are_read_in_the_language_of_the_account(browser: Browser, make: Make, hub: Hub) -> None:
    browser.log_in(make(), hub)
    browser.get(ACCOUNT)
    browser.post(f"{ACCOUNT}/language", language="en")
    assert '<html lang="en"' in browser.get(ACCOUNT).text
    browser.post(f"{ACCOUNT}/language", language="../x")
    assert "My account" in browser.get(ACCOUNT).text


@pytest.mark.parametrize("path", ["/login", "/", "/nothing-here", ACCOUNT])
def test_page_allows_nothing_inline_no_frame_no_referrer_and_no_copy(browser: Browser, path: str) -> None:
    answer = browser.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?! src=)|<style|style=|\son[a-z]+=", answer.text)
    headers = ("Referrer-Policy", "X-Content-Type-Options", "Cache-Control")
    assert [answer.headers[name] for name in headers] == ["no-referrer", "nosniff", "no-store"]


def test_missing_page_is_a_page_for_a_browser_and_a_problem_for_a_program(browser: Browser, app: Flask) -> None:
    shown = browser.get("/nothing-here")
    assert (shown.status_code, shown.mimetype) == (404, "text/html")
    assert "Introuvable ou réservé." in shown.text
    assert re.findall(r'<a href="([^"]+)"', shown.text) == ["/", ACCOUNT]
    assert app.test_client().get("/nothing-here").mimetype == "application/problem+json"
    assert browser.get("/api/v1/nothing-here").mimetype == "application/problem+json"


def test_page_under_a_name_that_is_not_the_hubs_says_so_and_leads_nowhere(app: Flask) -> None:
    shown = app.test_client().get("/login", base_url="http://ailleurs.example", headers=HTML)
    assert (shown.status_code, "ne répond pas sous cette adresse" in shown.text) == (400, True)
    assert 'href="/"' not in shown.text


def test_account_shows_a_name_as_it_was_written_and_regions_by_name(browser: Browser, hub: Hub) -> None:
    places.import_list(hub.store, places.read_list_file(PLACES, "2026.1"), "essai", hub.clock())
    post = Post("verifier", ["ml-r-gao", "ml-r-nulle-part"])
    people.make(hub.store, hub.secrets.totp, OPERATOR, " Awa  Ékélé ", post, WORDS, hub.clock())
    browser.get("/login")
    assert browser.post("/login", name="awa ÉKÉLÉ", passphrase=WORDS).location == ACCOUNT
    page = browser.get(ACCOUNT)
    assert all(words in page.text for words in ("<h2>Awa Ékélé</h2>", "<dd>Gao, ml-r-nulle-part</dd>"))


def test_route_of_devices_neither_reads_nor_sets_a_cookie(
    browser: Browser, make: Make, hub: Hub, device: Sender
) -> None:
    browser.log_in(make("administrator"), hub)
    refused = browser.post("/api/v1/sync")
    assert (refused.status_code, refused.headers.get("Set-Cookie")) == (403, None)
    assert "Cookie" not in refused.headers.get("Vary", "")
    answered = device.post(device.frame())
    assert (answered.status_code, answered.headers.get("Set-Cookie")) == (200, None)


@pytest.mark.parametrize(
    "host", ["evil.example", "centre.example.evil.example", "127.0.0.1.evil.example", "[::1]", "[::1]:8931"]
)
def test_foreign_host_is_answered_by_nothing_of_ours(app: Flask, host: str) -> None:
    for path in ("/login", "/", ACCOUNT, "/api/v1/openapi.json"):
        answer = Browser(app, host).get(path)
        assert (answer.status_code, answer.headers.get("Set-Cookie")) == (400, None)
        assert host not in answer.text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8931"])
def test_machine_itself_is_let_in_without_tls(app: Flask, host: str) -> None:
    answer = Browser(app, host).get("/login")
    assert answer.status_code == 200
    assert answer.headers["Set-Cookie"].startswith("seere=")
    assert re.search("; HttpOnly; Path=/; SameSite=Lax$", answer.headers["Set-Cookie"])


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Callable[[str], Flask]]:
    """The application of a hub that is known under an address."""
    opened: list[Hub] = []

    def at(address: str) -> Flask:
        known = {"address": address, "other_hosts": "b.example"}
        opened.append(open_test_hub("sqlite", tmp_path / str(len(opened)), Clock(), **known))
        return create_app(opened[-1])

    yield at
    for hub in opened:
        hub.close()


@pytest.mark.parametrize("host", ["centre.example", "b.example", "127.0.0.1:8000"])
def test_cookie_behind_tls_is_bound_to_host_and_tls(behind: Callable[[str], Flask], host: str) -> None:
    cookie = Browser(behind("https://centre.example"), host).get("/login").headers["Set-Cookie"]
    assert cookie.startswith("__Host-seere=")
    assert re.search("; Secure; HttpOnly; Path=/; SameSite=Lax$", cookie)
    assert "Domain" not in cookie


def test_pages_behind_tls_are_asked_for_by_tls_alone_from_then_on(
    behind: Callable[[str], Flask], browser: Browser
) -> None:
    pinned, by_tls = "Strict-Transport-Security", Browser(behind("https://centre.example"), "centre.example")
    assert by_tls.get("/login").headers[pinned] == "max-age=2592000"
    assert pinned not in browser.get("/login").headers


def test_no_passphrase_is_asked_for_where_others_could_read_along(behind: Callable[[str], Flask]) -> None:
    browser = Browser(behind("http://192.0.2.7:8000"), "192.0.2.7:8000")
    asked = browser.get("/login")
    assert (asked.status_code, "passphrase" in asked.text) == (403, False)
    assert "https://" in asked.text
