"""What is due, in a browser: late, today and next, a month of counts, and deadlines put off and taken back."""

import re
from functools import partial

import pytest
import sqlalchemy as sa

from server.hub import Hub
from server.services.cases import agenda, owning
from server.store.due_tables import deadline
from server.store.lines import Reach
from tests.browsing import Browser, person_at
from tests.builders import add_person, complaint, enrolled
from tests.case_work import at_desk, move, version

LIST = "/console/follow-ups"
ALL = f"{LIST}?scope=all"


@pytest.fixture
def story(sealing_hub: Hub) -> None:
    """Two cases of Cheick, the second strict, of which something is due."""
    cheick = add_person(sealing_hub, "Cheick", is_named_reader=True)
    gao = enrolled(sealing_hub, "Gao 1", team="gao")
    gao.send(complaint("a"), complaint("b", confidentiality="strict"))
    for number in ("SRE-2026-000001", "SRE-2026-000002"):
        move(sealing_hub, cheick, number, "acknowledged")


def refs(text: str) -> set[str]:
    return set(re.findall(r"SRE-2026-\d{6}", text))


def paused(hub: Hub) -> list[str]:
    with hub.store.read() as connection:
        select = sa.select(deadline.c.pause_reason).where(deadline.c.pause_reason.is_not(None))
        return [str(each) for each in connection.scalars(select)]


@pytest.mark.usefixtures("story")
def test_rows_are_of_one_s_scope_and_strict_ones_for_named_readers(awa: Browser, binta: Browser) -> None:
    assert refs(awa.get(ALL).text) == {"SRE-2026-000001", "SRE-2026-000002"}
    assert refs(binta.get(ALL).text) == {"SRE-2026-000001"}
    assert refs(binta.get(LIST).text) == set()
    counts = [re.findall(r'<td class="num">(\d+)', each.get(ALL).text) for each in (awa, binta)]
    assert sum(map(int, counts[0])) == 2 * sum(map(int, counts[1])) > 0


@pytest.mark.usefixtures("story")
def test_colleagues_are_who_covers_the_same(sealing_hub: Hub, awa: Browser, binta: Browser) -> None:
    team, moussa = f"{LIST}?scope=colleagues", person_at(sealing_hub, "Moussa", "coordinator", teams=["gao"])
    owner = add_person(sealing_hub, "Drissa")
    for name, seen in (("Drissa", {"SRE-2026-000001"}), ("Moussa", set[str]())):
        desk, number = at_desk(sealing_hub, owner), "SRE-2026-000001"
        owning.give(sealing_hub.store, desk, number, name, after=version(sealing_hub, owner, number))
        assert [refs(each.get(team).text) for each in (awa, binta)] == [seen, seen]
        assert [refs(each.get(ALL).text) & {number} for each in (awa, binta, moussa)] == [{number}] * 3
    # Nobody else has the team of Gao alone, so that this one has no such list.
    assert "Mon équipe" in awa.get(LIST).text
    assert "Mon équipe" not in moussa.get(LIST).text


@pytest.mark.usefixtures("story")
def test_part_that_goes_on_says_how_far_it_is_shown(awa: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Il y en a encore après le" not in awa.get(ALL).text
    monkeypatch.setattr(agenda, "PART_MAX", 3)
    page = awa.get(ALL).text
    assert page.count('<tr id="row-') == 3
    assert "Il y en a encore après le" in page


@pytest.mark.usefixtures("story")
def test_part_of_which_nothing_was_found_so_far_says_how_far_that_is(
    awa: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agenda, "Reach", partial(Reach, stretch=1))
    page = awa.get(f"{ALL}&kind=feedback").text
    assert "cherchées jusqu&#39;au" in page
    assert "Rien à faire." not in page


@pytest.mark.usefixtures("story")
def test_filters_leave_one_day_or_one_kind(awa: Browser) -> None:
    whole = awa.get(ALL).text
    assert "Retour à la personne" in whole
    only = awa.get(f"{ALL}&kind=triage").text
    assert "#due" in only
    assert re.findall(r"<b>(Premier tri|Retour à la personne)</b>", only) == ["Premier tri", "Premier tri"]
    assert "#due" not in awa.get(f"{ALL}&day=2020-01-01").text
    assert awa.get(f"{ALL}&day=9999-12-31&month=nonsense&kind=nonsense").status_code == 200


@pytest.mark.usefixtures("story")
def test_postponed_with_a_reason_and_taken_back(sealing_hub: Hub, awa: Browser) -> None:
    text = awa.get(f"{ALL}&kind=feedback").text
    id, after = (re.findall(rf'name="{name}" value="(\d+)"', text)[0] for name in ("deadline", "after"))
    number = re.findall(r'name="number" value="([^"]+)"', text)[0]
    form = {"number": number, "deadline": id, "after": after, "code": "paused", "reason": "insecurity", "scope": "all"}
    answer = awa.post(f"{LIST}/put-off", **form)
    assert (answer.status_code, answer.headers["Location"]) == (303, ALL)
    assert paused(sealing_hub) == ["insecurity"]
    assert "insécurité" in awa.get(ALL).text
    assert awa.post(f"{LIST}/put-off", **form).status_code == 409
    assert awa.post(f"{LIST}/undo", number=number, no=str(int(after) + 1)).status_code == 303
    assert paused(sealing_hub) == []


@pytest.mark.usefixtures("story")
def test_file_has_the_rows_of_the_screen(awa: Browser) -> None:
    page, file = awa.get(ALL).text, awa.get(f"{ALL}&format=csv")
    assert file.text.startswith("\ufeffPartie;Échéance;Quoi;")
    assert len(file.text.splitlines()) - 1 == page.count('<tr id="row-')


@pytest.mark.usefixtures("sealing_hub")
def test_nothing_due_says_so(awa: Browser, auditor: Browser) -> None:
    assert "Rien à faire." in awa.get(LIST).text
    assert auditor.get(LIST).status_code == 404


@pytest.mark.usefixtures("story")
def test_keys_act_on_the_row_that_is_chosen(awa: Browser) -> None:
    text = awa.get(ALL).text
    ids = re.findall(r'<tr id="row-(\d+)"', text)
    assert re.findall(r'<tr id="row-(\d+)" class="now"', text) == ids[:1]
    second = awa.get(f"{ALL}&sel={ids[1]}").text
    assert re.findall(r'<tr id="row-(\d+)" class="now"', second) == ids[1:2]
    around = {key: re.findall(rf'href="[^"]*(sel=[^"]*)" data-key="{key}"', second) for key in "kj"}
    assert around == {"k": [f"sel={ids[0]}#row-{ids[0]}"], "j": [f"sel={ids[2]}#row-{ids[2]}"]}
    assert second.count('data-key="e"') == second.count('data-key="enter"') == 1
