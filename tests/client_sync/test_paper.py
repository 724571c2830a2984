"""The form on paper: everything to ask, a code to tear off, nothing from elsewhere."""

import re
from html.parser import HTMLParser

import pytest

from client_sync.i18n import Catalogue
from client_sync.paper import render
from client_sync.protocol.vocabulary import VOCABULARY, label

FRENCH = Catalogue.load("client_sync", "fr")
CODES = ("7K4M-2QG", "ACDE-23Z")


class Balanced(HTMLParser):
    """Fails on a tag that is not closed, and collects the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_each_sheet_has_its_code_on_the_form_and_on_the_slip() -> None:
    page = render(CODES, FRENCH)
    assert [page.count(code) for code in CODES] == [2, 2]
    assert page.count('<section class="sheet">') == 2


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = render(CODES, FRENCH)
    assert re.search(r"https?:|//|src=|href=|@import|url\(|<script", page) is None


def test_the_page_is_whole() -> None:
    text = " ".join(Balanced(render(CODES[:1], FRENCH)).text)
    for name in ("danger", "story", "family", "place", "when", "who", "money", "victims", "consent"):
        assert FRENCH.text(f"question.{name}") in text
    for level in VOCABULARY.lists["consent_level"]:
        assert FRENCH.text(f"consent.{level}") in text
    for category in VOCABULARY.lists["perpetrator_category"]:
        assert label("perpetrator_category", category, "fr") in text


def test_what_the_person_takes_home_says_nothing() -> None:
    _, slip, after = render(CODES[:1], FRENCH).partition('<div class="slip">')
    words = "".join(Balanced(slip + after.partition("</section>")[0]).text).lower()
    assert re.findall("plainte|corruption|droits|coalition|seere", words) == []
    assert CODES[0].lower() in words


@pytest.mark.parametrize("language", ["en", "bm"])
def test_the_form_speaks_the_language_of_the_device(language: str) -> None:
    texts = Catalogue.load("client_sync", language)
    page = render(CODES[:1], texts)
    assert f'<html lang="{language}">' in page
    assert texts.text("question.story") in page
