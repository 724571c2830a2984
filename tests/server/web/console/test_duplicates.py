"""Comparing: what a pair shows, what an answer leaves behind, and what happens when two people answer at once."""

from typing import Any

import pytest

from server.domain.matching.link_ids import written
from server.hub import Hub
from server.services.duplicates import choosing, matching
from server.store.match_tables import decision, link
from server.web.console.shared_words import Piece, marked
from tests.browsing import Browser, person_at
from tests.builders import complaint, enrolled
from tests.decision_walks import COMPLAINANT, add_link
from tests.matching import number_of
from tests.pair_work import row_of, word_of

QUEUE = "/console/duplicates"
REASONS: list[Any] = [("place", 5, 3.6), ("kinds", 3, 2.2), ("people", 1, -0.6), ("nobody_in_common", None, -1.0)]


@pytest.fixture
def ids(sealing_hub: Hub) -> list[int]:
    """Three complaints, each of a device of its own."""
    matching.keep_models(sealing_hub.store, sealing_hub.clock())
    found = []
    for at in range(3):
        sender = enrolled(sealing_hub, f"Gao {at}")
        sender.send(complaint(at))
        found.append(number_of(sender, at))
    return found


def path_of(link_id: int) -> str:
    return f"{QUEUE}/{written(link_id)}"


def test_pair_shows_why_in_words_with_sign_cells_and_points(hub: Hub, ids: list[int], awa: Browser) -> None:
    shown = awa.get(path_of(add_link(hub, ids[0], ids[1], reasons=REASONS))).text
    assert "Est-ce le même fait ?" in shown
    assert "97 chances sur 100" in shown
    assert '<span aria-hidden="true">=</span>pareil' in shown
    assert "+3,6" in shown
    assert "personne en commun" in shown
    assert 'data-key="m"' in shown
    assert 'data-key="x"' in shown


def test_blind_pair_shows_neither_score_nor_reasons(hub: Hub, ids: list[int], awa: Browser) -> None:
    add_link(hub, ids[0], ids[1], reasons=REASONS, draw=0)
    blind = add_link(hub, ids[1], ids[2], reasons=REASONS, draw=1)
    shown = awa.get(path_of(blind)).text
    assert "À juger par vous-même" in shown
    assert "chances sur 100" not in shown
    assert "+3,6" not in shown
    assert "<mark>" not in shown


def test_answer_leads_to_the_next_pair_and_offers_to_be_undone(hub: Hub, ids: list[int], awa: Browser) -> None:
    first, then = add_link(hub, ids[0], ids[1]), add_link(hub, ids[0], ids[1], 0.6, relation=COMPLAINANT)
    awa.get(path_of(first))
    answer = awa.post(path_of(first), verdict="confirmed", reason="facts", after="0")
    assert answer.status_code == 303
    assert answer.location == path_of(then)
    assert (row_of(hub, link, first).state, word_of(hub, first, 1).reason) == ("confirmed", "facts")
    bar = awa.get(answer.location).text
    assert f"Paire {written(first)} : elles vont ensemble." in bar
    assert f'action="{path_of(first)}/undo"' in bar
    awa.post(f"{path_of(first)}/undo", decision="1")
    assert row_of(hub, link, first).state == "proposed"


def test_who_comes_second_sees_what_was_decided_and_changes_nothing(
    hub: Hub, ids: list[int], awa: Browser, binta: Browser
) -> None:
    pair = add_link(hub, ids[0], ids[1])
    binta.get(path_of(pair))
    awa.get(path_of(pair))
    awa.post(path_of(pair), verdict="confirmed", after="0")
    late = binta.post(path_of(pair), verdict="rejected", after="0", reason="team")
    assert late.status_code == 409
    assert "Awa a répondu entre-temps : elles vont ensemble." in late.text
    assert '<option value="team" selected>' in late.text
    assert 'name="second"' in late.text
    assert f'action="{path_of(pair)}/undo"' in late.text
    assert row_of(hub, link, pair).state == "confirmed"


def test_answer_without_a_choice_is_asked_again(hub: Hub, ids: list[int], awa: Browser) -> None:
    pair = add_link(hub, ids[0], ids[1])
    awa.get(path_of(pair))
    assert awa.post(path_of(pair), after="0").status_code == 422
    assert row_of(hub, link, pair).state == "proposed"


def test_group_of_three_is_shown_as_its_pairs(hub: Hub, ids: list[int], awa: Browser) -> None:
    pairs = [add_link(hub, a, b) for a, b in ((ids[0], ids[1]), (ids[1], ids[2]))]
    shown = awa.get(path_of(pairs[0])).text
    assert all(f'href="{path_of(each)}"' in shown for each in pairs)
    assert "Groupe de plaintes jointes" in shown


def test_queue_says_how_much_of_the_day_is_left_and_is_a_file_too(hub: Hub, ids: list[int], awa: Browser) -> None:
    assert "Aucune paire à voir." in awa.get(QUEUE).text
    pair = add_link(hub, ids[0], ids[1])
    shown = awa.get(QUEUE).text
    assert path_of(pair) in shown
    assert "paires au plus pour aujourd&#39;hui" in shown
    file = awa.get(f"{QUEUE}?format=csv")
    assert file.headers["Content-Disposition"] == 'attachment; filename="doublons.csv"'
    [head, row] = file.text.splitlines()
    assert head.removeprefix("\ufeff").startswith("Paire;Question;A;B")
    assert row.startswith(written(pair))


def test_pair_that_one_may_not_handle_is_not_there(hub: Hub, ids: list[int], auditor: Browser, binta: Browser) -> None:
    sender = enrolled(hub, "Gao strict")
    sender.send(complaint("strict", confidentiality="strict"))
    hidden = add_link(hub, ids[0], number_of(sender, "strict"))
    assert auditor.get(QUEUE).status_code == 404
    assert binta.get(path_of(hidden)).status_code == 404
    assert binta.get(f"{QUEUE}/nothing").status_code == 404
    assert written(hidden) not in binta.get(QUEUE).text


def test_runs_of_words_that_both_tell_are_marked_and_no_letter_is_lost() -> None:
    one, other = "Chaque vendredi on paie avant la barrière. Oui.", "On paie avant la barrière ou on attend."
    pieces = marked(one, other)
    assert "".join(each.text for each in pieces) == one
    assert Piece("on paie avant la barrière. ", True) in pieces
    assert marked("le sel", "la mer") == (Piece("le sel", False),)


def test_nothing_is_written_of_a_pair_that_is_only_read(hub: Hub, ids: list[int], awa: Browser) -> None:
    pair = add_link(hub, ids[0], ids[1])
    awa.get(path_of(pair))
    with hub.store.read() as connection:
        assert connection.execute(decision.select().where(decision.c.link == pair)).all() == []


def test_who_does_not_know_goes_on_and_leaves_the_pair_to_others(
    hub: Hub, ids: list[int], awa: Browser, binta: Browser
) -> None:
    left, then = add_link(hub, ids[0], ids[1]), add_link(hub, ids[1], ids[2], 0.6, relation=COMPLAINANT)
    awa.get(path_of(left))
    answer = awa.post(path_of(left), verdict="unsure", after="0")
    assert answer.location == path_of(then)
    assert (row_of(hub, link, left).state, word_of(hub, left, 1).verdict) == ("proposed", "unsure")
    assert f"Paire {written(left)} : sans avis." in awa.get(answer.location).text
    assert path_of(left) not in awa.get(QUEUE).text
    assert path_of(left) in binta.get(QUEUE).text
    assert " : sans avis" in binta.get(path_of(left)).text
    awa.post(f"{path_of(left)}/undo", decision="1")
    assert path_of(left) in awa.get(QUEUE).text


def test_complaint_told_twice_is_said_by_one_key_and_taken_back_by_one(hub: Hub, ids: list[int], awa: Browser) -> None:
    pair = add_link(hub, ids[0], ids[1]), add_link(hub, ids[0], ids[1], 0.6, relation=COMPLAINANT)
    alone = add_link(hub, ids[1], ids[2], 0.5)
    shown = awa.get(path_of(pair[0])).text
    assert 'value="twice" data-key="2"' in shown
    assert 'data-key="2"' not in awa.get(path_of(alone)).text
    told = {"verdict": "twice", "after": "0", "twin": written(pair[1]), "twin_after": "0"}
    answer = awa.post(path_of(pair[0]), **told)
    assert answer.location == QUEUE
    assert [row_of(hub, link, each).state for each in pair] == ["confirmed", "confirmed"]
    bar = awa.get(answer.location).text
    assert "une plainte dite deux fois" in bar
    assert f'name="twin" value="{written(pair[1])}"' in bar
    awa.post(f"{path_of(pair[0])}/undo", decision="1", twin=written(pair[1]), of_twin="1")
    assert [row_of(hub, link, each).state for each in pair] == ["proposed", "proposed"]


def test_list_says_of_how_large_a_group_a_pair_is(hub: Hub, ids: list[int], awa: Browser) -> None:
    for a, b in ((ids[0], ids[1]), (ids[1], ids[2])):
        add_link(hub, a, b)
    assert "groupe de 3 plaintes" in awa.get(QUEUE).text


def test_whoever_covers_a_part_can_look_further(
    hub: Hub, ids: list[int], awa: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "_STRETCH", 1)
    others = add_link(hub, ids[0], ids[1], value=9.0)
    sender = enrolled(hub, "Kayes 1", team="kayes")
    sender.send(complaint("a"), complaint("b"))
    mine = add_link(hub, number_of(sender, "a"), number_of(sender, "b"), value=1.0)
    kayes = person_at(hub, "Kadia", "coordinator", teams=["kayes"])
    first = kayes.get(QUEUE).text
    assert (path_of(others) in first, path_of(mine) in first) == (False, False)
    assert f'href="{QUEUE}?further=1"' in first
    assert path_of(mine) in kayes.get(f"{QUEUE}?further=1").text
    assert "further=" not in awa.get(QUEUE).text
    assert kayes.get(f"{QUEUE}?further=99999999999999999999").status_code == 200
