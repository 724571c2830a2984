"""What every page of the console has: files that are kept, pages that are small, forms that lose nothing."""

import csv
import gzip
import html
import io
import re
from pathlib import Path

import pytest
from flask import Flask

from server.hub import Hub
from server.web import refused
from server.web.console import listing
from tests.browsing import HTML, Browser
from tests.builders import app_of, complaint, enrolled

ACCOUNT = "/console/account"
SENT = f"{ACCOUNT}/language"
OURS = {"Sec-Fetch-Site": "same-origin"}
TEMPLATES = sorted((Path(refused.__file__).parent / "templates").rglob("*.html"))


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
    browser = Browser(app_of(hub))
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
    answer = awa.post(f"{ACCOUNT}/passphrase", OURS, csrf_token="old", old="mil sorgho", note=story)
    assert answer.status_code == 400
    assert re.search(rf"<textarea[^>]*>{re.escape(story)}</textarea>", answer.text)
    assert "mil sorgho" not in answer.text
    assert answer.headers["HX-Push-Url"] == "false"


def test_refused_form_shows_what_was_written_and_keeps_the_rest_unseen(awa: Browser) -> None:
    awa.get(ACCOUNT)
    chosen = " ".join(f"SRE-2026-{number:06}" for number in range(9))
    answer = awa.post(SENT, OURS, csrf_token="old", words="Au marché", entries=chosen, name="Awa", reason="reprisals")
    assert re.findall(r'<textarea[^>]* name="(\w+)"[^>]*>([^<]*)', answer.text) == [("words", "Au marché")]
    kept = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.text))
    assert (kept["entries"], kept["name"], kept["reason"]) == (chosen, "Awa", "reprisals")


@pytest.mark.parametrize("query", ["", "?sel=SRE-2026-000001&region=ml-r-gao"])
def test_refused_form_is_sent_again_to_the_whole_address(awa: Browser, query: str) -> None:
    awa.get(ACCOUNT)
    answer = awa.post(SENT + query, OURS, csrf_token="old", words="Au marché")
    forms = re.findall(r'<form class="card[^>]* action="([^"]*)"', answer.text)
    assert [html.unescape(action) for action in forms] == [SENT + query]


def test_refused_form_shows_every_field_in_which_people_write() -> None:
    named = re.findall(r'<textarea[^>]*\bname="(\w+)"', "".join(each.read_text("utf-8") for each in TEMPLATES))
    assert named
    assert set(named) - refused.WRITTEN == set()


def test_pane_alone_is_given_to_a_script_that_asks_for_it(awa: Browser) -> None:
    shown = awa.get(ACCOUNT, **{"HX-Request": "true", "HX-Target": "section#pane"})
    assert "<title>Mon compte</title>" in shown.text
    assert "<html" not in shown.text


def test_bar_says_how_much_waits_for_its_reader(hub: Hub, awa: Browser, binta: Browser, auditor: Browser) -> None:
    enrolled(hub, "Gao 1", team="gao").send(complaint("a"), complaint("b"), complaint("c", confidentiality="strict"))
    shown = re.compile(r'Tri <b id="(?:bar|menu)-inbox">(\d+)<span')
    assert [shown.findall(each.get(ACCOUNT).text) for each in (awa, binta, auditor)] == [["3"] * 2, ["2"] * 2, []]
    pane = awa.get(ACCOUNT, **{"HX-Request": "true", "HX-Target": "section#pane"})
    assert shown.findall(pane.text) == []


def test_spreadsheet_runs_nothing_of_a_list(hub: Hub) -> None:
    with app_of(hub).test_request_context("/?format=csv", headers=HTML):
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
