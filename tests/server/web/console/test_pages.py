"""What every page of the console has: files that are kept, pages that are small, forms that lose nothing."""

import csv
import gzip
import io
import re

import pytest
from flask import Flask

from server.app import create_app
from server.hub import Hub
from server.web.console import listing
from tests.browsing import HTML, Browser
from tests.builders import app_of

ACCOUNT = "/console/account"


def _app(hub: Hub) -> Flask:
    return app_of(hub)


def test_files_of_a_page_are_kept_until_they_change(hub: Hub, awa: Browser) -> None:
    named = re.findall(r'(?:href|src)="(/static/[^"]+)"', awa.get(ACCOUNT).text)
    assert len(named) == 4
    for path in named:
        answer = _app(hub).test_client().get(path)
        assert (answer.status_code, answer.cache_control.immutable) == (200, True)
        answer.close()


def test_pages_go_down_the_link_compressed_and_devices_are_answered_as_ever(hub: Hub) -> None:
    shown = _app(hub).test_client().get("/login", headers=HTML | {"Accept-Encoding": "gzip, deflate"})
    assert shown.content_encoding == "gzip"
    assert b"<!doctype html>" in gzip.decompress(shown.data)
    problem = _app(hub).test_client().post("/api/v1/sync", headers={"Accept-Encoding": "gzip"})
    assert problem.content_encoding is None


@pytest.mark.parametrize(("said", "attribute"), [("dark", 'data-theme="dark"'), ("elsewhere", 'data-keys="on"')])
def test_browser_keeps_how_the_console_is_shown(awa: Browser, said: str, attribute: str) -> None:
    awa.get(ACCOUNT)
    assert awa.post(f"{ACCOUNT}/view", theme=said, size="large", keys="on").location == ACCOUNT
    shown = awa.get(ACCOUNT).text
    assert attribute in shown
    assert 'data-size="large"' in shown
    assert ("data-theme" in shown) == (said == "dark")


def test_form_sent_by_a_script_after_the_session_is_answered_beside_it(hub: Hub) -> None:
    browser = Browser(create_app(hub))
    browser.get("/login")
    answer = browser.post(f"{ACCOUNT}/language", language="en", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Retarget"]) == (401, "#ended")
    assert "toujours là" in answer.text
    without = browser.post(f"{ACCOUNT}/language", language="en")
    assert (without.status_code, without.location) == (303, "/login")


def test_old_form_is_given_back_filled_in_without_what_is_secret(awa: Browser) -> None:
    awa.get(ACCOUNT)
    story = "Une phrase assez longue pour que personne ne veuille la redire."
    forged = awa.post(f"{ACCOUNT}/passphrase", {"Sec-Fetch-Site": "same-site"}, csrf_token="old", note=story)
    assert (forged.status_code, story in forged.text) == (400, False)
    ours = {"Sec-Fetch-Site": "same-origin"}
    answer = awa.post(f"{ACCOUNT}/passphrase", ours, csrf_token="old", old="mil sorgho", note=story)
    assert answer.status_code == 400
    assert re.search(rf"<textarea[^>]*>{re.escape(story)}</textarea>", answer.text)
    assert "mil sorgho" not in answer.text
    assert answer.headers["HX-Push-Url"] == "false"


def test_pane_alone_is_given_to_a_script_that_asks_for_it(awa: Browser) -> None:
    shown = awa.get(ACCOUNT, **{"HX-Request": "true", "HX-Target": "section#pane"})
    assert "<title>Mon compte</title>" in shown.text
    assert "<html" not in shown.text


def test_spreadsheet_runs_nothing_of_a_list(hub: Hub) -> None:
    with create_app(hub).test_request_context("/?format=csv", headers=HTML):
        assert listing.wants_csv()
        answer = listing.csv_answer("liste", ["Titre"], [["=1+1"], ["+223 00"], ["Racket ; poste"], [None], [7]])
    text = answer.get_data().decode("utf-8")
    assert text.startswith("\ufeffTitre\r\n")
    assert [row[0] for row in csv.reader(io.StringIO(text[1:]), delimiter=";") if row] == [
        "Titre",
        "'=1+1",
        "'+223 00",
        "Racket ; poste",
        "",
        "7",
    ]
