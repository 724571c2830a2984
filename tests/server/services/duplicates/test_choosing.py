"""Choosing: what is read of the queue, however much waits in it, and what becomes of a pair that somebody leaves."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from server.domain.errors import DecisionStale, NotFound
from server.domain.matching.decisions import Verdict
from server.domain.matching.review import BLIND_BELOW, Shelf
from server.hub import Hub
from server.services.duplicates import choosing, deciding
from server.store import links, models
from server.store.lines import Reach
from server.store.match_tables import link, match_pending
from server.store.scopes import scope_of
from tests.builders import Clock, Person, add_person, enrolled
from tests.decision_walks import COMPLAINANT, INCIDENT, add_link
from tests.pair_work import (
    at_desk,
    change,
    decide,
    members,
    row_of,
    send,
    shown,
    undo,
    word_of,
)

STRETCH = 4


@pytest.fixture
def gao(hub: Hub) -> Person:
    """A coordinator of the complaints of one team."""
    return add_person(hub, "Drissa", teams=["gao"])


@pytest.fixture
def own(hub: Hub) -> list[int]:
    """Two complaints of that team."""
    return send(enrolled(hub, "Gao 7", team="gao"), "a", "b")


def crowd(hub: Hub, ids: list[int], many: int, **columns: Any) -> None:
    """Links between complaints that few may see, each worth more than the last."""
    for at in range(many):
        add_link(hub, *send(enrolled(hub, f"Mopti {ids[0]} {at}", team="mopti"), "a", "b"), value=5.0 + at, **columns)


def pairs_of(hub: Hub, person: Person, stretch: int) -> tuple[list[int], bool]:
    queue = choosing.next_pairs(hub.store, at_desk(hub, person), 30, 100, stretch)
    return [each.link for each in queue.pairs], queue.is_cut


def test_whoever_covers_a_part_finds_own_pairs_stretch_by_stretch(
    hub: Hub, awa: Person, gao: Person, own: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "_STRETCH", STRETCH)
    mine = add_link(hub, *own, value=1.0)
    crowd(hub, own, STRETCH + 1)
    assert pairs_of(hub, gao, 0) == ([], True)
    assert pairs_of(hub, gao, 1) == ([mine], False)
    assert pairs_of(hub, gao, 2) == ([], False)
    found, is_cut = pairs_of(hub, awa, 0)
    assert (len(found), is_cut) == (STRETCH + 2, False)


def test_no_more_of_a_shelf_is_looked_at_than_a_stretch(hub: Hub, gao: Person, own: list[int]) -> None:
    scope, wanted = scope_of(gao.actor, ["handle_case"], None), links.Wanted(Shelf.STRONG)
    crowd(hub, own, 3 * STRETCH)
    with hub.store.read() as connection:
        [few, many] = (
            _looked_at(connection, scope, wanted, Reach(10, None, stretch)) for stretch in (STRETCH, None)
        )
    assert few <= STRETCH + 1
    assert many == 3 * STRETCH


def _looked_at(connection: sa.Connection, scope: Any, wanted: links.Wanted, reach: Reach) -> int:
    """How many links lie between where a page begins and where it ends."""
    end = links.waiting(connection, scope, wanted, reach).ends_at
    every = sa.select(link.c.value, link.c.id).where(link.c.state == "proposed", link.c.shelf == wanted.shelf)
    keys = [tuple(row) for row in connection.execute(every)]
    return sum(end is None or key >= end for key in keys)


def test_as_few_sentences_are_said_for_many_pairs_as_for_few(hub: Hub, awa: Person, ids: list[int]) -> None:
    add_link(hub, ids[0], ids[1])
    few = _sentences(hub, awa)
    crowd(hub, ids, 8)
    assert len(shown(hub, awa)) == 9
    assert _sentences(hub, awa) == few


def _sentences(hub: Hub, person: Person) -> int:
    said: list[str] = []

    def hear(_: object, __: object, statement: str, *___: object) -> None:
        said.append(statement)

    sa.event.listen(hub.store.engine, "before_cursor_execute", hear)
    shown(hub, person)
    sa.event.remove(hub.store.engine, "before_cursor_execute", hear)
    return len(said)


def test_shelves_are_read_in_the_order_of_their_index(hub: Hub, awa: Person, ids: list[int]) -> None:
    add_link(hub, ids[0], ids[1])
    said: list[tuple[str, Any]] = []
    scope = scope_of(awa.actor, ["handle_case"], None)
    with hub.store.read() as connection:
        if connection.dialect.name != "sqlite":
            # So few rows are not worth an index.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        sa.event.listen(connection, "before_cursor_execute", lambda *call: said.append(call[2:4]))
        for shelf, index in ((Shelf.STRONG, "value"), (Shelf.SILENT, "draw")):
            links.waiting(connection, scope, links.Wanted(shelf), Reach(10, None, None))
            explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
            statement, told = said[-1]
            plan = " ".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {statement}", told))
            assert f"ix_link_state_shelf_{index}" in plan
            assert "SCAN link" not in plan


def test_pair_of_which_one_is_unsure_waits_for_others_and_comes_back_later(
    hub: Hub, awa: Person, binta: Person, ids: list[int]
) -> None:
    left, other = add_link(hub, ids[0], ids[1]), add_link(hub, ids[2], ids[3], 0.96)
    before = row_of(hub, link, left)
    number = deciding.pass_by(hub.store, at_desk(hub, awa), left)
    assert row_of(hub, link, left) == before
    assert (word_of(hub, left, number).verdict, members(hub, awa, ids[0])) == ("unsure", tuple(ids[:2]))
    assert shown(hub, awa) == [other]
    assert shown(hub, binta) == [left, other]
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(days=deciding.SET_BY // timedelta(days=1) + 1)
    assert shown(hub, awa) == [left, other]


def test_being_unsure_is_taken_back_like_a_decision_and_matches_nothing_anew(
    hub: Hub, awa: Person, ids: list[int]
) -> None:
    left = add_link(hub, ids[0], ids[1])
    number = deciding.pass_by(hub.store, at_desk(hub, awa), left)
    change(hub, sa.delete(match_pending))
    assert undo(hub, awa, left, number) == "proposed"
    assert shown(hub, awa) == [left]
    with hub.store.read() as connection:
        assert connection.execute(sa.select(match_pending)).all() == []


def test_who_is_unsure_stands_in_nobodys_way_and_teaches_nothing(
    hub: Hub, awa: Person, binta: Person, ids: list[int]
) -> None:
    left = add_link(hub, ids[0], ids[1], draw=BLIND_BELOW - 1)
    deciding.pass_by(hub.store, at_desk(hub, awa), left)
    for person in (awa, binta):
        seen = deciding.explain(hub.store, at_desk(hub, person), left)
        assert (seen.judged, seen.last, seen.is_second) == (None, 0, False)
    with hub.store.read() as connection:
        assert models.decided(connection, INCIDENT) == []
    number = decide(hub, binta, left)
    assert word_of(hub, left, number).is_blind
    [sample, *_] = deciding.estimates(hub.store, at_desk(hub, awa))[0].samples
    assert sample.decided == 1


def test_nobody_is_unsure_of_what_somebody_decided(hub: Hub, awa: Person, binta: Person, ids: list[int]) -> None:
    made = add_link(hub, ids[0], ids[1])
    decide(hub, binta, made)
    with pytest.raises(DecisionStale) as stale:
        deciding.pass_by(hub.store, at_desk(hub, awa), made)
    assert (stale.value.values["name"], stale.value.values["verdict"]) == ("Binta", "confirmed")


def test_both_questions_are_answered_at_once_or_neither(hub: Hub, awa: Person, binta: Person, ids: list[int]) -> None:
    pair = add_link(hub, ids[0], ids[1]), add_link(hub, ids[0], ids[1], relation=COMPLAINANT)
    stranger = add_link(hub, ids[0], ids[2], relation=COMPLAINANT)
    desk = at_desk(hub, awa)
    twin = deciding.explain(hub.store, desk, pair[0]).twin
    assert twin is not None
    assert (twin.link, twin.last) == (pair[1], 0)
    with pytest.raises(NotFound):
        deciding.confirm_both(hub.store, desk, (pair[0], stranger), (0, 0))
    first = decide(hub, binta, pair[1], Verdict.REJECTED)
    undo(hub, binta, pair[1], first)
    with pytest.raises(DecisionStale):
        deciding.confirm_both(hub.store, desk, pair, (0, 0))
    assert [row_of(hub, link, each).state for each in pair] == ["proposed", "proposed"]
    made = deciding.confirm_both(hub.store, desk, pair, (0, 2))
    assert [row_of(hub, link, each).state for each in pair] == ["confirmed", "confirmed"]
    with pytest.raises(NotFound):
        deciding.undo_both(hub.store, desk, (pair[0], stranger), made)
    deciding.undo_both(hub.store, desk, pair, made)
    assert [row_of(hub, link, each).state for each in pair] == ["proposed", "proposed"]
