"""The month on one page, in a browser: nothing is counted for it, small numbers are hidden, no link leads to a case."""

import re

import pytest

from server.hub import Hub
from server.services import statistics
from tests.browsing import Browser
from tests.builders import complaint, enrolled

PAGE = "/console/dashboard"


@pytest.fixture
def counted(hub: Hub) -> Hub:
    """A hub of seven complaints of Gao and one of Mopti, whose job has counted."""
    gao = enrolled(hub, "Gao 1", team="gao")
    gao.send(*(complaint(f"n {each}") for each in range(7)))
    gao.send(complaint("m", place={"id": "ml-c-mopti", "list": "2026.1"}))
    statistics.count_current(hub.store, hub.gazetteer(), hub.clock())
    return hub


def received(text: str) -> str:
    return re.findall(r'<span class="big">(.*?)</span><p>', text)[0]


@pytest.mark.usefixtures("counted")
def test_figures_of_the_quarter_with_a_table_under_each_chart(auditor: Browser) -> None:
    text = auditor.get(PAGE).text
    assert received(text) == "8"
    assert text.count("<summary>Chiffres") == 8
    assert "&lt; 5" in text
    assert "/console/cases" not in text


def test_months_that_nobody_counted_are_counted_when_asked(counted: Hub, awa: Browser) -> None:
    address = f"{PAGE}?from=2020-01&to=2020-02"
    assert "pas encore comptés" in awa.get(address).text
    answer = awa.post(f"{PAGE}/count", **{"from": "2020-01", "to": "2020-02"})
    assert (answer.status_code, answer.headers["Location"]) == (303, address)
    text = awa.get(address).text
    assert "Période sans plainte." in text
    assert received(text) == "0"


def test_figures_stand_until_they_are_counted_again(counted: Hub, awa: Browser) -> None:
    enrolled(counted, "Gao 2", team="gao").send(*(complaint(f"later {each}") for each in range(6)))
    assert received(awa.get(PAGE).text) == "8"
    awa.post(f"{PAGE}/count")
    assert received(awa.get(PAGE).text) == "14"


@pytest.mark.usefixtures("counted")
def test_what_is_no_period_is_said_and_kept(awa: Browser) -> None:
    answer = awa.get(f"{PAGE}?from=hier&to=2026")
    assert answer.status_code == 422
    assert 'value="hier"' in answer.text
    assert "2026-T3" in answer.text
