"""The list of cases in a browser: filters in the address, pages, a file of what is shown, and many given to one."""

import re

import pytest
import sqlalchemy as sa

from server.hub import Hub
from server.services import search_texts
from server.store.case_tables import casefile
from tests.browsing import Browser
from tests.builders import Person, add_person, complaint, enrolled
from tests.case_work import move

LIST = "/console/cases"


def numbered(*places: int) -> list[str]:
    return [f"SRE-2026-{place:06}" for place in places]


@pytest.fixture
def story(sealing_hub: Hub) -> Person:
    """Three open cases of Gao, the third strict, and one of Mopti; worked on by Cheick."""
    hub, cheick = sealing_hub, add_person(sealing_hub, "Cheick", is_named_reader=True)
    gao = enrolled(hub, "Gao 1", team="gao")
    gao.send(complaint("a"), complaint("b", urgency={"danger": "yes"}), complaint("c", confidentiality="strict"))
    gao.send(complaint("d", place={"id": "ml-c-mopti", "list": "2026.1"}, kinds=["HR-THR"]))
    for number in numbered(1, 2, 3, 4):
        move(hub, cheick, number, "acknowledged")
    return cheick


def shown(browser: Browser, address: str = LIST) -> list[str]:
    """The references in the rows of a list, in order."""
    return re.findall(r'name="ref" value="([^"]+)"', browser.get(address).text)


def owners(hub: Hub) -> dict[str, str | None]:
    with hub.store.read() as connection:
        return {row.ref: row.owner for row in connection.execute(sa.select(casefile.c.ref, casefile.c.owner))}


@pytest.mark.usefixtures("story")
def test_row_tells_type_and_cercle_and_two_clocks(binta: Browser) -> None:
    text = binta.get(LIST).text
    assert "Menaces" in text
    assert "cercle de Mopti" in text
    assert "recueillie il y a 46 j" in text
    assert '<td class="s">non vérifié</td>' in text


@pytest.mark.usefixtures("story")
def test_strict_case_is_listed_and_counted_for_named_readers_alone(awa: Browser, binta: Browser) -> None:
    assert shown(awa) == numbered(4, 3, 2, 1)
    assert shown(binta) == numbered(4, 2, 1)
    counts = [re.findall(r"<b>([0-9]+\+?)</b></a>", each.get(LIST).text) for each in (awa, binta)]
    assert counts == [["4", "0", "4", "0", "0"], ["3", "0", "3", "0", "0"]]


@pytest.mark.usefixtures("story")
def test_filters_and_order_stand_in_the_address(sealing_hub: Hub, awa: Browser) -> None:
    search_texts.read_pending(sealing_hub.store)
    assert shown(awa, f"{LIST}?sort=urgency")[0] == "SRE-2026-000002"
    assert shown(awa, f"{LIST}?sort=oldest") == numbered(1, 2, 3, 4)
    assert shown(awa, f"{LIST}?q=mOpti") == numbered(4)
    assert shown(awa, f"{LIST}?q=demande+argent&sort=oldest") == numbered(1, 2, 4)
    assert shown(awa, f"{LIST}?status=ended") == []
    assert shown(awa, f"{LIST}?status=nonsense&sort=nonsense&after=nonsense~~") == numbered(4, 3, 2, 1)
    gao = next(iter(re.findall(r'<option value="([^"]+)">Mopti</option>', awa.get(LIST).text)))
    assert shown(awa, f"{LIST}?region={gao}") == numbered(4)


@pytest.mark.usefixtures("story")
def test_empty_list_offers_to_drop_each_filter(awa: Browser) -> None:
    text = awa.get(f"{LIST}?status=closed&owner=me&q=crocodile").text
    links = re.findall(r'<li><a class="btn" href="([^"]+)">', text)
    assert [link.replace("&amp;", "&") for link in links] == [
        f"{LIST}?status=closed&owner=me",
        f"{LIST}?owner=me&q=crocodile",
        f"{LIST}?status=closed&q=crocodile",
    ]


def test_pages_follow_each_other(story: Person, sealing_hub: Hub, awa: Browser) -> None:
    more = enrolled(sealing_hub, "Gao 2", team="gao")
    more.send(*(complaint(f"more {each}") for each in range(30)))
    for number in numbered(*range(5, 35)):
        move(sealing_hub, story, number, "acknowledged")
    first = awa.get(LIST).text
    following = re.search(r'href="([^"]+)" data-key="n"', first)
    assert following is not None
    assert shown(awa) == numbered(*range(34, 9, -1))
    assert shown(awa, following[1].replace("&amp;", "&")) == numbered(*range(9, 0, -1))


@pytest.mark.usefixtures("story")
def test_file_has_the_rows_of_the_screen_and_the_link_says_how_many(binta: Browser) -> None:
    assert "Exporter les 3 lignes affichées" in binta.get(LIST).text
    answer = binta.get(f"{LIST}?format=csv")
    lines = answer.data.decode("utf-8-sig").splitlines()
    assert answer.mimetype == "text/csv"
    assert [line.split(";")[0] for line in lines] == ["Numéro", *numbered(4, 2, 1)]


@pytest.mark.usefixtures("story")
def test_chosen_cases_are_looked_through_before_they_are_given(sealing_hub: Hub, awa: Browser, binta: Browser) -> None:
    text = awa.get(f"{LIST}/share?ref=SRE-2026-000001&ref=SRE-2026-000003&ref=SRE-2026-000009&to=binta").text
    assert "Confier 1 dossier à Binta ?" in text
    assert "hors de son domaine" in text
    assert "introuvable ou réservé" in text
    assert set(owners(sealing_hub).values()) == {None}
    assert "introuvable ou réservé" in binta.get(f"{LIST}/share?ref=SRE-2026-000003&to=awa").text


@pytest.mark.usefixtures("story")
def test_given_cases_have_a_new_owner_until_it_is_taken_back(sealing_hub: Hub, awa: Browser) -> None:
    text = awa.get(f"{LIST}/share?all=1&sort=oldest&to=awa").text
    chosen = re.findall(r'name="case" value="([^"]+)"', text)
    assert [each.partition("@")[0] for each in chosen] == numbered(4, 3, 2, 1)
    answer = awa.post(f"{LIST}/share", case=chosen, to="Awa")
    assert (answer.status_code, answer.location) == (303, LIST)
    assert None not in owners(sealing_hub).values()
    after = awa.get(LIST).text
    assert "4 dossiers confiés à Awa" in after
    entries = re.search(r'name="entries" value="([^"]+)"', after)
    assert entries is not None
    awa.post(f"{LIST}/share/undo", entries=entries[1])
    assert set(owners(sealing_hub).values()) == {None}


def test_case_that_changed_since_stays_and_says_so(story: Person, sealing_hub: Hub, awa: Browser) -> None:
    text = awa.get(f"{LIST}/share?ref=SRE-2026-000001&ref=SRE-2026-000002&to=awa").text
    chosen = re.findall(r'name="case" value="([^"]+)"', text)
    move(sealing_hub, story, "SRE-2026-000001", "in_triage")
    answer = awa.post(f"{LIST}/share", case=chosen, to="Awa")
    assert answer.status_code == 409
    assert "a changé depuis que vous l&#39;avez vu" in answer.text
    owned = [ref for ref, owner in owners(sealing_hub).items() if owner is not None]
    assert owned == ["SRE-2026-000002"]


def test_case_that_went_on_since_is_not_taken_back_and_says_so(
    story: Person, sealing_hub: Hub, awa: Browser, binta: Browser
) -> None:
    two = awa.get(f"{LIST}/share?ref=SRE-2026-000001&ref=SRE-2026-000002&to=awa").text
    awa.post(f"{LIST}/share", case=re.findall(r'name="case" value="([^"]+)"', two), to="Awa")
    entries = re.search(r'name="entries" value="([^"]+)"', awa.get(LIST).text)
    assert entries is not None
    one = binta.get(f"{LIST}/share?ref=SRE-2026-000001&to=binta").text
    binta.post(f"{LIST}/share", case=re.findall(r'name="case" value="([^"]+)"', one), to="Binta")
    answer = awa.post(f"{LIST}/share/undo", entries=entries[1])
    assert answer.status_code == 409
    assert "1 dossier reste où il est" in answer.text
    assert "Autre chose a été fait depuis sur ce dossier" in answer.text
    assert owners(sealing_hub)["SRE-2026-000002"] is None


@pytest.mark.usefixtures("story")
def test_no_other_role_has_the_list(administrator: Browser, auditor: Browser) -> None:
    assert [each.get(LIST).status_code for each in (administrator, auditor)] == [404, 404]


@pytest.mark.usefixtures("story")
def test_search_finds_by_number_code_place_and_words_and_says_what_was_folded(
    sealing_hub: Hub, awa: Browser, binta: Browser
) -> None:
    enrolled(sealing_hub, "Gao 3").send(complaint("told", receipt="7K4M-2QG"))
    search_texts.read_pending(sealing_hub.store)

    def found(browser: Browser, text: str) -> list[str]:
        page = browser.get(f"/console/search?q={text}").text
        return sorted(re.findall(r'href="/console/cases/([^"]+)"', page))

    assert found(awa, "sre-2026-000003") == numbered(3)
    assert found(binta, "sre-2026-000003") == []
    assert found(binta, "7K4M2QG") == numbered(1, 2, 4, 5)
    assert found(awa, "moptì") == numbered(4)
    assert "« moptì » : cherché comme Mopti" in awa.get("/console/search?q=moptì").text
    assert found(awa, "recu argent") == numbered(1, 2, 4, 5)
    assert "Un lieu s&#39;écrit presque ainsi" in awa.get("/console/search?q=mopty").text
    assert found(awa, "Exemple") == []
