"""The month on one page, in a browser: nothing is counted for it, small numbers are hidden, no link leads to a case."""

import csv
import io
import re
from datetime import timedelta

import pytest

from server.hub import Hub
from server.services import maintenance, statistics
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


@pytest.fixture
def three_regions(counted: Hub) -> Hub:
    """The same with six complaints of Ségou: those hide Mopti's one, and Gao's seven are told."""
    segou = enrolled(counted, "Segou 1", team="segou")
    segou.send(*(complaint(f"s {each}", place={"id": "ml-c-segou", "list": "2026.1"}) for each in range(6)))
    statistics.count_current(counted.store, counted.gazetteer(), counted.clock())
    return counted


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


@pytest.mark.usefixtures("counted")
def test_region_that_figures_do_not_know_is_the_whole_country(awa: Browser) -> None:
    assert received(awa.get(f"{PAGE}?region=ml-r-atlantis").text) == "8"


@pytest.mark.usefixtures("three_regions")
def test_what_is_of_the_whole_country_says_so_where_a_region_is_chosen(awa: Browser) -> None:
    text = awa.get(f"{PAGE}?region=ml-r-gao").text
    assert received(text) == "7"
    tiles = re.findall(r'<section class="card kpi">(.*?)</section>', text, re.DOTALL)
    assert ["Tout le pays" in each for each in tiles] == [False, True, True, True, True]
    boxes = re.findall(r'<header><h2>([^<]*)</h2><span class="sp"></span><span class="m s">([^<]*)</span>', text)
    assert [place for title, place in boxes if title == "Dossiers ouverts"] == ["Gao"]
    assert {place for title, place in boxes if title != "Dossiers ouverts"} == {"Tout le pays"}


@pytest.mark.usefixtures("three_regions")
def test_files_hold_the_screen_with_its_months_and_region(awa: Browser) -> None:
    shown = awa.get(f"{PAGE}?region=ml-r-gao").text
    first, last = re.findall(r'name="(?:from|to)" size="8" value="([\d-]+)"', shown)
    assert f"format=csv&amp;table=N8&amp;region=ml-r-gao&amp;from={first}&amp;to={last}" in shown
    answer = awa.get(f"{PAGE}?format=csv&table=N8&region=ml-r-gao&from={first}&to={last}")
    assert f'"tableau-de-bord-N8-{first}-{last}-ml-r-gao.csv"' in answer.headers["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";"))
    assert rows[0] == ["Tableau de bord", f"de {first} à {last}"]
    assert rows[1:3] == [["Région", "Gao"], ["Reçues", "7"]]
    hidden = next(row for row in rows if row and row[0] == "Mopti")
    assert "masqué" in hidden
    assert "1" not in hidden


def test_file_of_all_tables_counts_nothing_afresh(counted: Hub, awa: Browser) -> None:
    enrolled(counted, "Gao 2", team="gao").send(*(complaint(f"later {each}") for each in range(6)))
    answer = awa.get(f"{PAGE}?format=csv")
    assert ["Reçues", "8"] in list(csv.reader(io.StringIO(answer.text), delimiter=";"))


def test_page_says_that_the_job_counts_while_it_does(counted: Hub, awa: Browser) -> None:
    held = maintenance.claim(counted.store, "count", counted.clock() - timedelta(minutes=1), counted.clock())
    assert held is not None
    assert "Comptage en cours" in awa.get(PAGE).text
    maintenance.finish(counted.store, held, counted.clock(), "done")
    assert "Comptage en cours" not in awa.get(PAGE).text


def test_women_and_young_are_shares_of_the_complainants_beside_their_numbers(hub: Hub, awa: Browser) -> None:
    gao = enrolled(hub, "Gao 1", team="gao")
    for sex, least, most in (("f", 0, 8), ("m", 8, 14), ("m", 14, 20)):
        persons = [{"no": 1, "roles": ["complainant"], "sex": sex, "age": "25-59"}]
        gao.send(*(complaint(f"w {each}", persons=persons) for each in range(least, most)))
    statistics.count_current(hub.store, hub.gazetteer(), hub.clock())
    assert '<span class="big">40 % · 0 %</span><p>8 · 0 · plaignants : 20</p>' in awa.get(PAGE).text


def test_month_that_runs_is_told_of_a_year_and_not_of_a_region(counted: Hub, awa: Browser) -> None:
    year = f"{PAGE}?from={counted.clock():%Y}"
    assert "dont ce mois-ci : <b>8</b>" in awa.get(year).text
    assert "dont ce mois-ci" not in awa.get(f"{year}&region=ml-r-gao").text


@pytest.mark.usefixtures("three_regions")
def test_classes_of_the_map_are_as_wide_as_its_numbers_ask(counted: Hub, awa: Browser) -> None:
    assert re.findall(r"</svg> (&lt; 5|5 – 9|≥ 20)", awa.get(PAGE).text) == ["&lt; 5", "5 – 9", "≥ 20"]
    enrolled(counted, "Gao 3", team="gao").send(*(complaint(f"many {each}") for each in range(50)))
    statistics.count_current(counted.store, counted.gazetteer(), counted.clock())
    assert re.findall(r"</svg> (&lt; \d+|≥ \d+)", awa.get(PAGE).text) == ["&lt; 10", "≥ 40"]
