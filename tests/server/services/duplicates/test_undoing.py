"""Taking back: a pair that nobody decides any more is matched again, and shown only while it holds."""

from typing import Any

import pytest
import sqlalchemy as sa

from server.domain.matching.decisions import Verdict, levels_told
from server.domain.matching.review import BLIND_BELOW, DRAWS, FAR_SHARE, NEAR_FROM, Shelf
from server.hub import Hub
from server.services.duplicates import choosing, deciding, refitting
from server.store import links as store_links
from server.store.lines import Reach
from server.store.match_tables import link, match_pending
from server.store.scopes import scope_of
from tests.builders import Person, Sender, enrolled, facts, revision
from tests.decided_pairs import INCIDENT, add_stricter
from tests.decision_walks import OPEN, add_link
from tests.matching import linkage, links, match_all, report, told

ELSEWHERE = {
    "place": {"id": "ml-c-kayes", "list": "2026.1"},
    "kinds": ["HR-THR"],
    "sector": None,
    "incident": {"from": "2024-01-01", "to": "2024-01-01", "precision": "day"},
}


@pytest.fixture
def pair(hub: Hub, sender: Sender) -> tuple[int, int]:
    """Two reports of one incident, matched."""
    ends = report(sender, "a"), report(enrolled(hub, "Mopti 1", team="mopti"), "b")
    match_all(hub)
    return ends


def link_of(hub: Hub, pair: tuple[int, int]) -> int:
    return int(links(hub)[(*pair, INCIDENT)].id)


def row_of(hub: Hub, link_id: int) -> Any:
    with hub.store.read() as connection:
        return connection.execute(sa.select(link).where(link.c.id == link_id)).one_or_none()


def decide(hub: Hub, by: Person, link_id: int, after: int = 0) -> int:
    return deciding.decide(hub.store, hub.desk(by.actor), link_id, Verdict.CONFIRMED, after=after)


def undo(hub: Hub, by: Person, link_id: int, number: int) -> str:
    return deciding.undo(hub.store, hub.desk(by.actor), link_id, number)


def shown(hub: Hub, person: Person) -> list[int]:
    return [each.link for each in choosing.next_pairs(hub.store, hub.desk(person.actor), 30, 30).pairs]


def sampled(hub: Hub, person: Person) -> list[int]:
    """What waits for the places of the queue that are for what nobody is proposed."""
    with hub.store.read() as connection:
        scope = scope_of(person.actor, ["handle_case"], hub.desk(person.actor).places)
        page = store_links.waiting(connection, scope, store_links.Wanted(Shelf.SILENT), Reach(100))
        return [each.id for each in page.rows]


def waiting(hub: Hub) -> set[int]:
    with hub.store.read() as connection:
        return set(connection.scalars(sa.select(match_pending.c.complaint)))


def tell_otherwise(sender: Sender) -> None:
    """The device says that all was otherwise."""
    line = revision("r", of="a", base=1, facts={"clear": facts(**ELSEWHERE)})
    other = told(names=("Awa Autre",), narrative="Rien de cela.", said="Kayes Ndi")
    sender.send(line, linkage(sender, "a", other, seq=2))


def test_pair_that_was_taken_back_and_holds_no_more_is_in_no_queue(
    hub: Hub, awa: Person, binta: Person, sender: Sender, pair: tuple[int, int]
) -> None:
    made = link_of(hub, pair)
    undo(hub, awa, made, decide(hub, awa, made))
    before = row_of(hub, made)
    tell_otherwise(sender)
    match_all(hub)
    now = row_of(hub, made)
    assert (now.state, now.band, now.shelf) == ("proposed", "silent", "silent")
    assert now.probability < 0.02 < before.probability
    assert now.weight < before.weight
    assert shown(hub, binta) == []
    # But for the one pair in 512 that is of the sample whatever became of it.
    assert (made in sampled(hub, binta)) == (now.draw < DRAWS * FAR_SHARE)
    assert len(deciding.explain(hub.store, hub.desk(awa.actor), made).words) == 2


def test_pair_that_holds_no_more_when_it_is_taken_back_is_judged_anew(
    hub: Hub, awa: Person, sender: Sender, pair: tuple[int, int]
) -> None:
    made = link_of(hub, pair)
    number = decide(hub, awa, made)
    tell_otherwise(sender)
    match_all(hub)
    assert row_of(hub, made).band == "strong"
    undo(hub, awa, made, number)
    assert (row_of(hub, made).state, row_of(hub, made).band) == ("proposed", "strong")
    match_all(hub)
    assert row_of(hub, made).band == "silent"


def test_pair_that_says_too_little_by_now_is_silent(
    hub: Hub, awa: Person, sender: Sender, pair: tuple[int, int]
) -> None:
    made = link_of(hub, pair)
    undo(hub, awa, made, decide(hub, awa, made))
    vague = {"place": None, "incident": {"from": None, "precision": "unknown"}}
    line = revision("r", of="a", base=1, facts={"clear": facts(**vague)})
    sender.send(line, linkage(sender, "a", told(names=("Awa",), narrative="", said=""), seq=2))
    match_all(hub)
    assert (row_of(hub, made).band, levels_told(row_of(hub, made).reasons)) == ("silent", {})


def test_pair_that_is_taken_back_is_judged_by_the_model_of_now(
    hub: Hub, awa: Person, pair: tuple[int, int]
) -> None:
    made = link_of(hub, pair)
    number = decide(hub, awa, made)
    stricter = add_stricter(hub)
    refitting.switch(hub.store, stricter, hub.clock())
    sum(refitting.rejudge(hub.store, INCIDENT))
    undo(hub, awa, made, number)
    assert row_of(hub, made).model != stricter
    match_all(hub)
    assert row_of(hub, made).model == stricter


def test_pair_that_a_model_silenced_after_it_was_seen_is_of_no_sample(
    hub: Hub, awa: Person, pair: tuple[int, int]
) -> None:
    with hub.store.write() as connection:
        connection.execute(sa.delete(link))
    # Drawn for the sample of what nearly was shown, had it not been shown.
    seen = add_link(hub, *pair, probability=0.5, draw=BLIND_BELOW)
    refitting.switch(hub.store, add_stricter(hub), hub.clock())
    sum(refitting.rejudge(hub.store, INCIDENT))
    assert (row_of(hub, seen).band, row_of(hub, seen).was_scored) == ("silent", True)
    assert row_of(hub, seen).probability >= NEAR_FROM
    assert sampled(hub, awa) == []


def test_only_what_nobody_decides_any_more_is_matched_again(
    hub: Hub, awa: Person, pair: tuple[int, int]
) -> None:
    made = link_of(hub, pair)
    first = decide(hub, awa, made)
    then = decide(hub, awa, made, after=first)
    assert undo(hub, awa, made, first) == "confirmed"
    assert waiting(hub) == set()
    assert undo(hub, awa, made, then) == "proposed"
    assert waiting(hub) == set(pair)


def test_what_a_model_silenced_is_shown_in_no_sample(hub: Hub, awa: Person, pair: tuple[int, int]) -> None:
    with hub.store.write() as connection:
        connection.execute(sa.delete(link))
    add_link(hub, *pair, probability=0.05, draw=OPEN)
    drawn = add_link(hub, *pair, probability=0.05, draw=1, relation="same_complainant", model="same_complainant-1")
    assert sampled(hub, awa) == [drawn]
