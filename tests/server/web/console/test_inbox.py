"""The inbox at a browser without scripts: what is listed, read and decided, alone and together, and taken back."""

import gzip
import html
import re
from functools import partial
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from server.domain.matching.decisions import PROPOSED, Verdict
from server.domain.matching.review import Shelf
from server.hub import Hub
from server.services.cases import inbox
from server.services.duplicates import matching
from server.store.case_tables import casefile
from server.store.lines import Reach
from server.store.match_tables import link
from server.store.schema import opening
from tests.browsing import Browser, person_at
from tests.builders import Clock, complaint, enrolled
from tests.decided_pairs import link_row
from tests.route_matrix import asked

INBOX = "/console/inbox"
PANE = {"HX-Request": "true", "HX-Target": "div#pane"}
SAFE = {"danger": "no"}


@pytest.fixture
def numbers(sealing_hub: Hub) -> tuple[str, ...]:
    """Six complaints of one team: three alike, a vital one, one of another kind, and one for named readers alone."""
    sender = enrolled(sealing_hub, "Gao 1", team="gao")
    sender.send(*(complaint(name, urgency=SAFE) for name in "abc"))
    sender.send(complaint("d", urgency={"danger": "yes"}), complaint("e", kinds=["COR-LAND"], urgency=SAFE))
    sender.send(complaint("f", confidentiality="strict"))
    return tuple(f"SRE-{sealing_hub.clock().year}-{number:06}" for number in range(1, 7))


def listed(answer: TestResponse) -> list[str]:
    """Numbers in the order of the list."""
    return re.findall(r'<li id="q-([^"]+)"', answer.text)


def form_of(answer: TestResponse, action: str) -> dict[str, str]:
    """The hidden and chosen fields of the form that leads there."""
    [form] = re.findall(rf'<form[^>]*action="{INBOX}/{action}".*?</form>', answer.text, re.DOTALL)
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    radios = re.findall(r'<input type="radio" name="([^"]+)" value="([^"]*)"[^>]* checked', form)
    chosen = [
        (name, found[1])
        for name, options in re.findall(r'<select[^>]*name="([^"]+)".*?>(.*?)</select>', form, re.DOTALL)
        if (found := re.search(r'value="([^"]*)" selected', options))
    ]
    return {name: html.unescape(value) for name, value in (*hidden, *radios, *chosen)}


def decide(browser: Browser, number: str, act: str = "open", **changes: str) -> TestResponse:
    """Read a complaint and decide on it, as the page proposes but for the changes."""
    opens = act if act in ("ask", "refuse", "join") else ""
    page = browser.get(f"{INBOX}?sel={number}&step={opens}")
    return browser.post(f"{INBOX}/decide", **form_of(page, "decide") | {"act": act} | changes)


def undo(browser: Browser, page: TestResponse) -> TestResponse:
    """Press what the bar offers."""
    return browser.post(f"{INBOX}/undo", **form_of(page, "undo"))


def cases(hub: Hub) -> dict[str, tuple[Any, ...]]:
    """By reference: status, owner's id, kind, urgency."""
    columns = casefile.c
    select = sa.select(columns.ref, columns.status, columns.owner, columns.kind, columns.urgency)
    with hub.store.read() as connection:
        return {ref: tuple(rest) for ref, *rest in connection.execute(select)}


def openings(hub: Hub) -> list[tuple[int, str, str]]:
    """Each opening: complaint, compartment, reason."""
    with hub.store.read() as connection:
        select = sa.select(opening.c.complaint, opening.c.compartment, opening.c.reason)
        return [tuple(row) for row in connection.execute(select)]


def test_most_urgent_is_first_and_reserved_ones_are_their_readers_alone_and_count_for_nobody_else(
    awa: Browser, binta: Browser, numbers: tuple[str, ...]
) -> None:
    assert listed(awa.get(INBOX))[0] == numbers[3]
    assert set(listed(awa.get(INBOX))) == set(numbers)
    seen = binta.get(INBOX)
    assert set(listed(seen)) == set(numbers[:5])
    assert "À trier <b>5</b>" in seen.text
    hidden, unknown = (asked(binta.get(f"{INBOX}?sel={number}")) for number in (numbers[5], "SRE-2026-999999"))
    assert hidden == unknown
    assert hidden[0] == 404


def test_words_are_read_for_triage_and_noted_but_reserved_ones_ask_why(
    awa: Browser, sealing_hub: Hub, numbers: tuple[str, ...]
) -> None:
    awa.get(INBOX)
    assert openings(sealing_hub) == []
    assert "On m&#39;a demandé de l&#39;argent sans reçu." in awa.get(f"{INBOX}?sel={numbers[0]}").text
    reserved = awa.get(f"{INBOX}?sel={numbers[5]}")
    assert "Pourquoi le lire ?" in reserved.text
    assert openings(sealing_hub) == [(1, "statement", "tri")]
    refused = awa.post(f"{INBOX}/words", number=numbers[5], reason="danger")
    assert (refused.status_code, "Dites pourquoi, en 10 à 500 caractères." in refused.text) == (422, True)
    read = awa.post(f"{INBOX}/words", number=numbers[5], reason="danger signalé")
    assert "Pourquoi le lire ?" not in read.text


def test_one_press_opens_a_case_as_it_was_told_and_goes_on_to_the_next(
    awa: Browser, sealing_hub: Hub, numbers: tuple[str, ...]
) -> None:
    order = listed(awa.get(INBOX))
    done = decide(awa, order[0])
    assert (done.status_code, done.location) == (303, f"{INBOX}?sel={order[1]}")
    status, owner, kind, urgency = cases(sealing_hub)[order[0]]
    assert (status, owner is not None, kind, urgency) == ("in_progress", True, "COR-RACKET", "U1")
    page = awa.get(done.location)
    assert listed(page) == order[1:]
    assert f"Dossier ouvert : {order[0]}" in page.text
    assert "1 triée aujourd&#39;hui sur 6" in page.text
    assert "À moi <b>1</b>" in page.text


def test_undo_puts_the_complaint_back_where_it_waited(awa: Browser, sealing_hub: Hub, numbers: tuple[str, ...]) -> None:
    page = awa.get(decide(awa, numbers[0], level="U1").location)
    undone = undo(awa, page)
    assert undone.location == f"{INBOX}?sel={numbers[0]}"
    assert cases(sealing_hub)[numbers[0]] == ("acknowledged", None, None, "U2")
    back = awa.get(undone.location)
    assert numbers[0] in listed(back)
    assert "0 triée aujourd&#39;hui sur 6" in back.text


def test_undo_that_comes_too_late_says_so(awa: Browser, sealing_hub: Hub, numbers: tuple[str, ...]) -> None:
    page = awa.get(decide(awa, numbers[0]).location)
    assert isinstance(sealing_hub.clock, Clock)
    sealing_hub.clock.pass_(minutes=11)
    late = undo(awa, page)
    assert (late.status_code, "1 plainte reste comme elle est" in late.text) == (409, True)
    assert cases(sealing_hub)[numbers[0]][0] == "in_progress"


def test_asking_and_refusing_take_one_code(awa: Browser, sealing_hub: Hub, numbers: tuple[str, ...]) -> None:
    decide(awa, numbers[0], "ask", question="where")
    decide(awa, numbers[1], "refuse", inadmissible="out_of_mandate")
    found = cases(sealing_hub)
    assert [found[each][0] for each in numbers[:2]] == ["needs_information", "inadmissible"]
    unsaid = decide(awa, numbers[2], "ask")
    assert (unsaid.status_code, "Que demander" in unsaid.text) == (422, True)
    assert numbers[2] not in cases(sealing_hub)
    assert listed(awa.get(f"{INBOX}?view=asked")) == [numbers[0]]


def test_lower_urgency_is_refused_without_a_reason_and_what_was_chosen_stays(
    awa: Browser, sealing_hub: Hub, numbers: tuple[str, ...]
) -> None:
    refused = decide(awa, numbers[3], level="U3", type="COR-EXT")
    assert refused.status_code == 422
    kept = form_of(refused, "decide")
    assert (kept["level"], kept["type"]) == ("U3", "COR-EXT")
    assert cases(sealing_hub) == {}
    decide(awa, numbers[3], level="U3", lowering="danger_over")
    assert cases(sealing_hub)[numbers[3]][3] == "U3"


def test_second_of_two_who_decide_the_same_is_shown_both_versions_and_loses_nothing(
    awa: Browser, binta: Browser, sealing_hub: Hub, numbers: tuple[str, ...]
) -> None:
    seen = form_of(binta.get(f"{INBOX}?sel={numbers[0]}"), "decide")
    decide(awa, numbers[0], level="U2")
    stale = binta.post(f"{INBOX}/decide", **seen | {"act": "open", "level": "U1"})
    assert stale.status_code == 409
    assert all(word in stale.text for word in ("Awa", "Binta", "U1", "U2"))
    versions = re.findall(r'<th scope="row">([^<]*)</th><td>([^<]*)</td><td>([^<]*)</td>', stale.text)
    # By its words; and what nobody asked for as it stands.
    assert [mine for name, mine, theirs in versions if name in ("type", "plaintes") and mine == theirs] == [
        "Racket à un poste de contrôle, au marché ou à la frontière",
        numbers[0],
    ]
    assert cases(sealing_hub)[numbers[0]][3] == "U2"
    in_pane = binta.post(f"{INBOX}/decide", headers=PANE, **seen | {"act": "open"})
    assert (in_pane.status_code, "Binta" in in_pane.text) == (409, True)


def test_complaint_joins_one_that_somebody_names(
    awa: Browser, binta: Browser, sealing_hub: Hub, numbers: tuple[str, ...]
) -> None:
    page = awa.get(f"{INBOX}?sel={numbers[0]}&step=join&into={numbers[1].lower()}")
    assert f'value="{numbers[1]}@0"' in page.text
    awa.post(f"{INBOX}/decide", **form_of(page, "decide") | {"into": f"{numbers[1]}@0"})
    found = cases(sealing_hub)
    assert (found[numbers[0]][0], found[numbers[1]][0]) == ("duplicate", "received")
    undo(awa, awa.get(INBOX))
    assert cases(sealing_hub)[numbers[0]][0] == "received"
    hidden = binta.get(f"{INBOX}?sel={numbers[0]}&step=join&into={numbers[5]}")
    assert "Introuvable, réservé" in hidden.text


def test_lookalike_is_named_with_what_is_alike_and_a_key_joins_it(
    awa: Browser, binta: Browser, sealing_hub: Hub, numbers: tuple[str, ...]
) -> None:
    matching.keep_models(sealing_hub.store, sealing_hub.clock())
    with sealing_hub.store.write() as connection:
        pairs = [link_row(sealing_hub, 1, other, Random(other)) | {"shelf": Shelf.STRONG} for other in (2, 6)]
        connection.execute(sa.insert(link), pairs)
    assert "2 doublons possibles" in awa.get(f"{INBOX}?sel={numbers[0]}").text
    seen = binta.get(f"{INBOX}?sel={numbers[0]}").text
    assert "1 doublon possible" in seen
    assert f"{numbers[1]}, même lieu, même semaine, même montant." in re.sub(r"<[^>]+>|\s+(?=[,.])", "", seen)
    [compare] = re.findall(r'href="([^"]+)" data-key="d"', seen)
    assert binta.get(compare).status_code == 200
    joining = binta.get(f"{INBOX}?sel={numbers[0]}&step=join")
    [button] = re.findall(r'name="into" value="([^"]+)" data-key="1"', joining.text)
    binta.post(f"{INBOX}/decide", **form_of(joining, "decide") | {"into": button})
    assert cases(sealing_hub)[numbers[0]][0] == "duplicate"


def test_no_more_is_said_than_is_known_and_whoever_is_accused_is_not_among_the_sealed(
    awa: Browser, sealing_hub: Hub
) -> None:
    speaks = {"no": 1, "roles": ["complainant", "victim"], "sex": "f", "age": "25-59"}
    accused = {"no": 2, "roles": ["alleged_perpetrator"], "category": "police"}
    sender = enrolled(sealing_hub, "Gao 1", team="gao")
    for precision in ("month", "year", "week"):
        incident = {"from": "2026-08-01", "precision": precision}
        kinds = ["COR-RACKET", "HR-THR"]
        sender.send(complaint(precision, incident=incident, persons=[speaks, accused], kinds=kinds, urgency=SAFE))
    said = []
    for number in listed(awa.get(INBOX)):
        text = awa.get(f"{INBOX}?sel={number}").text
        assert "</b> 1 personne." in text
        assert "frontière · Menaces" in text
        said += re.findall(r'<dd>([^<]*) <span class="m">\((?:au|à)', text)
    assert sorted(said) == ["1 août 2026", "2026", "août 2026"]


def test_pair_that_was_answered_is_the_first_to_be_joined(
    awa: Browser, sealing_hub: Hub, numbers: tuple[str, ...]
) -> None:
    matching.keep_models(sealing_hub.store, sealing_hub.clock())
    weak = {"shelf": Shelf.POSSIBLE, "probability": 0.3}
    with sealing_hub.store.write() as connection:
        pairs = [
            link_row(sealing_hub, 1, 2, Random(2)) | {"shelf": Shelf.STRONG, "probability": 0.99, "state": PROPOSED},
            link_row(sealing_hub, 1, 3, Random(3)) | weak | {"state": Verdict.CONFIRMED},
            link_row(sealing_hub, 1, 4, Random(4)) | weak | {"state": Verdict.REJECTED},
        ]
        connection.execute(sa.insert(link), pairs)
    seen = awa.get(f"{INBOX}?sel={numbers[0]}&step=join").text
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html.unescape(seen)))
    assert f"Même fait, c'est décidé : {numbers[2]}" in words
    assert f"1 doublon possible : {numbers[1]}" in words
    targets = re.findall(r'name="into" value="([^"]+)" data-key="(\d)"', seen)
    assert targets == [(f"{numbers[2]}@0", "1"), (f"{numbers[1]}@0", "2")]


def test_group_of_one_place_and_week_is_decided_together_but_for_what_changed(
    awa: Browser, binta: Browser, sealing_hub: Hub, numbers: tuple[str, ...]
) -> None:
    page = awa.get(INBOX)
    [link] = re.findall(r'class="grp".*?href="([^"]+)"', page.text)
    link = html.unescape(link)
    decide(binta, numbers[1])
    preview = awa.get(link)
    assert "Décider 2 plaintes ensemble ?" in preview.text
    assert "1 plainte reste à part" in preview.text
    of = re.findall(r'name="of" value="([^"]+)"', preview.text)
    decide(binta, numbers[2], "refuse", inadmissible="abusive")
    answer = awa.post(f"{INBOX}/together", of=of, act="open", owner="Awa")
    assert answer.status_code == 409
    assert "1 plainte reste comme elle est" in answer.text
    found = cases(sealing_hub)
    assert [found[each][0] for each in numbers[:3]] == ["in_progress", "in_progress", "inadmissible"]
    undo(awa, answer)
    assert cases(sealing_hub)[numbers[0]][0] == "acknowledged"


def test_several_are_given_to_whoever_covers_all_of_them_alone(
    awa: Browser, binta: Browser, sealing_hub: Hub, numbers: tuple[str, ...]
) -> None:
    person_at(sealing_hub, "Moussa", "coordinator", regions={"ml-r-kayes"})
    for chosen, names in ((numbers[:2], {"Awa", "Binta"}), ((numbers[0], numbers[5]), {"Awa"})):
        page = awa.get(f"{INBOX}/together?" + "&".join(f"of={each}@0" for each in chosen))
        [offered] = re.findall(r'<select name="owner".*?</select>', page.text)
        assert {"Awa", "Binta", "Moussa"} & set(re.findall(r"<option[^>]*>([^<]+)", offered)) == names


def test_several_go_into_one_case_and_all_of_it_is_taken_back(
    awa: Browser, sealing_hub: Hub, numbers: tuple[str, ...]
) -> None:
    page = awa.get(f"{INBOX}/together?of={numbers[0]}@0&of={numbers[1]}@0&of={numbers[2]}@0")
    of = re.findall(r'name="of" value="([^"]+)"', page.text)
    assert awa.post(f"{INBOX}/together", of=of, act="gather", owner="Awa").location == INBOX
    assert [cases(sealing_hub)[each][0] for each in numbers[:3]] == ["in_progress", "duplicate", "duplicate"]
    after = awa.get(INBOX)
    assert "3 plaintes dans un dossier" in after.text
    assert undo(awa, after).status_code == 303
    assert [cases(sealing_hub)[each][0] for each in numbers[:3]] == ["acknowledged", "received", "received"]
    assert set(listed(awa.get(INBOX))) == set(numbers)


def test_numbers_beside_the_list_follow_each_decision(awa: Browser, numbers: tuple[str, ...]) -> None:
    def counted(text: str) -> list[str]:
        return [
            *re.findall(r'id="(?:bar|menu)-inbox"[^>]*>(\d+)', text),
            *re.findall(r'id="rows-file"[^>]*>Exporter (\d+)', text),
        ]

    assert counted(awa.get(INBOX).text) == ["6", "6", "6"]
    headers = PANE | {"HX-Current-URL": f"http://x{INBOX}?sel={numbers[0]}"}
    assert counted(awa.get(decide(awa, numbers[0]).location, **headers).text) == ["5", "5", "5"]


def test_filters_stand_in_the_address_and_the_file_has_what_the_screen_has(
    awa: Browser, numbers: tuple[str, ...]
) -> None:
    assert listed(awa.get(f"{INBOX}?kind=COR-LAND")) == [numbers[4]]
    assert listed(awa.get(f"{INBOX}?urgency=U1")) == [numbers[3]]
    assert listed(awa.get(f"{INBOX}?region=ml-r-kayes")) == []
    done = decide(awa, numbers[4])
    assert done.location.startswith(INBOX)
    rows = awa.get(f"{INBOX}?urgency=U3&format=csv").text.splitlines()
    assert [row.split(";")[0] for row in rows[1:]] == listed(awa.get(f"{INBOX}?urgency=U3"))


def test_empty_inbox_names_the_next_deadline(awa: Browser, sealing_hub: Hub) -> None:
    assert "Rien à trier." in awa.get(INBOX).text
    enrolled(sealing_hub, "Gao 1", team="gao").send(complaint("a", urgency=SAFE))
    [number] = listed(awa.get(INBOX))
    decide(awa, number)
    assert "La prochaine échéance est le" in awa.get(INBOX).text


def test_only_who_handles_cases_has_an_inbox(administrator: Browser, auditor: Browser) -> None:
    assert [each.get(INBOX).status_code for each in (administrator, auditor)] == [404, 404]


def test_after_a_decision_a_script_gets_the_next_alone_and_what_changed(awa: Browser, sealing_hub: Hub) -> None:
    sender = enrolled(sealing_hub, "Gao 1", team="gao")
    sender.send(*(complaint(f"n{each}", urgency=SAFE) for each in range(30)))
    order = listed(awa.get(INBOX))
    assert len(order) == 25
    beyond = awa.get(f"{INBOX}?sel={order[-1]}")
    [more] = set(re.findall(r'href="([^"]+)"[^>]*data-key="j"', beyond.text))
    assert len(listed(awa.get(html.unescape(more)))) == 5
    for at in range(5):
        pane = awa.get(decide(awa, order[at]).location, **PANE | {"HX-Current-URL": f"http://x{INBOX}?sel={order[at]}"})
        assert "<html" not in pane.text
        assert f'<li id="q-{order[at + 1]}"' in pane.text
        assert f"Dossier ouvert : {order[at]}" in pane.text
        is_whole = 'id="rows"' in pane.text
        assert is_whole == (at == 4)
        assert is_whole or len(gzip.compress(pane.data, 6)) < 3_600


def test_group_that_a_page_cuts_says_so_and_is_decided_whole(awa: Browser, sealing_hub: Hub) -> None:
    sender = enrolled(sealing_hub, "Gao 1", team="gao")
    sender.send(*(complaint(f"n{each}", urgency=SAFE) for each in range(27)))
    page = awa.get(INBOX)
    assert "Même lieu, même semaine : 25 plaintes et 2 à la page suivante" in page.text
    [whole] = re.findall(r'class="grp".*?href="([^"]+)"', page.text)
    assert "Décider 27 plaintes ensemble ?" in awa.get(html.unescape(whole)).text


def test_list_that_looked_at_enough_says_so_and_goes_on(
    awa: Browser, sealing_hub: Hub, numbers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "Reach", partial(Reach, stretch=3))
    cut = awa.get(f"{INBOX}?kind=COR-LAND")
    assert listed(cut) == []
    assert "Rien à trier" not in cut.text
    [further] = re.findall(r'href="([^"]+)" data-key="j">Suite de la file', cut.text)
    assert listed(awa.get(html.unescape(further))) == [numbers[4]]


@pytest.mark.parametrize("was", ["http://[::1?sel=x", "?sel", "//[", "a b?sel=%ff#?sel=é", "?sel=" + "x" * 5_000])
def test_address_that_a_browser_makes_up_breaks_nothing(awa: Browser, numbers: tuple[str, ...], was: str) -> None:
    assert awa.get(f"{INBOX}?sel={numbers[0]}", **PANE | {"HX-Current-URL": was}).status_code == 200


def test_more_than_somebody_can_look_through_are_cut_before_and_refused_after(
    awa: Browser, sealing_hub: Hub, numbers: tuple[str, ...]
) -> None:
    of = [*(f"{each}@0" for each in numbers[:2]), *(f"x{each}@0" for each in range(49)), f"{numbers[2]}@0"]
    preview = awa.get(f"{INBOX}/together?{'&'.join(f'of={each}' for each in of)}")
    assert "Décider 2 plaintes ensemble ?" in preview.text
    assert "Les 50 premières seront décidées" in preview.text
    refused = awa.post(f"{INBOX}/together", of=of, act="open", owner="Awa")
    assert (refused.status_code, "Au plus 50 à la fois" in refused.text) == (422, True)
    undone = awa.post(f"{INBOX}/undo", entries=" ".join(of))
    assert (undone.status_code, "Au plus 50 à la fois" in undone.text) == (422, True)
    assert cases(sealing_hub) == {}


@pytest.mark.parametrize("after", ["9" * 5_000, "-1", "²", "x", ""])
def test_version_that_no_page_wrote_is_that_of_nothing(
    awa: Browser, sealing_hub: Hub, numbers: tuple[str, ...], after: str
) -> None:
    awa.get(INBOX)
    undone = awa.post(f"{INBOX}/undo", entries=f"{numbers[0]}@{after}")
    assert (undone.status_code, "1 plainte reste comme elle est" in undone.text) == (409, True)
    assert awa.post(f"{INBOX}/decide", number=numbers[0], act="join", after=after, into="a b").status_code == 404
    assert cases(sealing_hub) == {}


def test_complaint_that_somebody_else_reads_now_says_so(awa: Browser, binta: Browser, numbers: tuple[str, ...]) -> None:
    assert "regarde" not in awa.get(f"{INBOX}?sel={numbers[0]}").text
    assert "Awa regarde" in binta.get(f"{INBOX}?sel={numbers[0]}").text
    assert "regarde" not in binta.get(f"{INBOX}?sel={numbers[1]}").text
