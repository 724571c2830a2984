"""The inbox behind its page: what waits for what, by an index in its order, and whose pairs anybody hears of."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from server.domain.errors import TooMany
from server.domain.matching.review import Shelf
from server.hub import Hub
from server.services.cases import inbox, triaging
from server.services.cases.inbox import Asked
from server.services.cases.together import MANY_MAX
from server.services.cases.triaging import Wish
from server.services.duplicates import matching
from server.store import inbox as rows
from server.store.case_tables import waiting
from server.store.inbox import Wanted
from server.store.lines import Reach
from server.store.match_tables import link
from server.store.scopes import Scope
from tests.builders import Person, add_person, complaint, enrolled, facts, revision
from tests.case_work import Numbers, at_desk, attach, move, version
from tests.decided_pairs import link_row

ALL = Scope(None, None, None, with_strict=True, assignee=None)


def listed(hub: Hub, person: Person, **asked: Any) -> list[str]:
    return [each.number for each in inbox.page(hub.store, at_desk(hub, person), Asked(**asked)).rows]


def waits(hub: Hub) -> list[tuple[str, str]]:
    """By row of what waits, its queue and kind."""
    with hub.store.read() as connection:
        found = connection.execute(sa.select(waiting.c.queue, waiting.c.kind).order_by(waiting.c.complaint))
        return [(queue, kind) for queue, kind in found]


def statements(hub: Hub, person: Person, **asked: Any) -> list[tuple[str, Any]]:
    """What a page of the inbox says to the database."""
    said: list[tuple[str, Any]] = []

    def hear(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        said.append((statement, parameters))

    sa.event.listen(hub.store.engine, "before_cursor_execute", hear)
    try:
        listed(hub, person, **asked)
    finally:
        sa.event.remove(hub.store.engine, "before_cursor_execute", hear)
    return said


def test_what_is_decided_waits_elsewhere_and_what_was_joined_with_its_case(
    hub: Hub, awa: Person, numbers: Numbers
) -> None:
    triaging.decide(hub.store, at_desk(hub, awa), numbers[0], Wish("open", owner="awa"), after=0)
    asked = Wish("ask", {"question": "where"})
    triaging.decide(hub.store, at_desk(hub, awa), numbers[1], asked, after=0)
    assert (listed(hub, awa), listed(hub, awa, view="asked")) == ([*numbers[2:]], [numbers[1]])
    assert listed(hub, awa, view="mine") == [numbers[0]]
    attach(hub, awa, numbers[2], numbers[3])
    assert listed(hub, awa) == [numbers[3]]
    chosen = inbox.chosen(hub.store, at_desk(hub, awa), [*numbers, "SRE-2026-999999", "x"])
    assert [each.number for each in chosen] == [numbers[3]]


def test_kind_is_what_was_told_until_triage_settles_it(hub: Hub, awa: Person) -> None:
    sender = enrolled(hub, "Gao 1", team="gao")
    sender.send(complaint("a", kinds=["COR-LAND"]))
    [number] = listed(hub, awa, kind="COR-LAND")
    sender.send(revision("other", "a", 1, facts={"clear": facts(kinds=["COR-EXT"])}))
    assert waits(hub) == [("triage", "COR-EXT")]
    wish = Wish("open", owner="awa", kind="COR-JUS")
    triaging.decide(hub.store, at_desk(hub, awa), number, wish, after=version(hub, awa, number))
    sender.send(revision("again", "a", 2, facts={"clear": facts(kinds=["COR-LAND"])}))
    assert waits(hub) == [("work", "COR-JUS")]


def test_each_sees_and_counts_what_is_in_scope(hub: Hub, awa: Person, gao: Person, numbers: Numbers) -> None:
    assert listed(hub, gao) == list(numbers[:2])
    page = inbox.page(hub.store, at_desk(hub, gao), Asked())
    assert (page.counts["triage"].n, page.progress.decided) == (2, 0)
    attach(hub, awa, numbers[0], numbers[2])
    assert listed(hub, gao) == [numbers[1]]
    assert [each.number for each in inbox.chosen(hub.store, at_desk(hub, gao), numbers)] == [numbers[1]]


@pytest.mark.parametrize("places", [None, frozenset({"ml-c-gao"})], ids=["all", "region"])
@pytest.mark.parametrize("wanted", [Wanted("triage"), Wanted("triage", kind="COR-RACKET")], ids=["any", "kind"])
def test_page_reads_its_index_in_order_whatever_is_asked(
    hub: Hub, numbers: Numbers, places: frozenset[str] | None, wanted: Wanted
) -> None:
    with hub.store.read() as connection:
        said = []
        sa.event.listen(hub.store.engine, "before_cursor_execute", lambda *call: said.append(call[2:4]))
        rows.page(connection, replace(ALL, places=places), wanted, Reach(10, stretch=2))
        if hub.store.engine.dialect.name == "sqlite":
            statement, parameters = said[-1]
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            steps = [row[-1] for row in plan]
            assert "case_waiting USING INDEX ix_case_waiting_queue" in steps[0]
            assert not any("TEMP B-TREE" in step for step in steps)


def test_page_asks_as_often_for_many_rows_as_for_few(hub: Hub, awa: Person, numbers: Numbers) -> None:
    few = len(statements(hub, awa))
    enrolled(hub, "Mopti 9", team="mopti").send(*(complaint(f"n{each}") for each in range(12)))
    assert len(listed(hub, awa)) == 16
    assert len(statements(hub, awa)) == few


def test_page_goes_on_where_the_one_before_ended(hub: Hub, awa: Person) -> None:
    enrolled(hub, "Mopti 9", team="mopti").send(*(complaint(f"n{each}") for each in range(27)))
    desk = at_desk(hub, awa)
    first = inbox.page(hub.store, desk, Asked())
    assert first.after is not None
    second = inbox.page(hub.store, desk, Asked(), inbox.read_key(inbox.write_key(first.after)))
    assert (len(first.rows), len(second.rows), second.after) == (25, 2, None)
    assert not {each.number for each in first.rows} & {each.number for each in second.rows}


def test_group_that_goes_on_beyond_the_page_says_what_of_it_is_there(hub: Hub, awa: Person) -> None:
    enrolled(hub, "Mopti 9", team="mopti").send(*(complaint(f"a{each}") for each in range(27)))
    page = inbox.page(hub.store, at_desk(hub, awa), Asked())
    [alike] = {row.group for row in page.rows}
    assert page.further == {alike: [(f"SRE-{hub.clock().year}-{number:06}", 0) for number in (26, 27)]}
    assert page.after is not None
    assert inbox.page(hub.store, at_desk(hub, awa), Asked(), page.after).further == {}


def test_pair_with_a_reserved_one_is_heard_of_by_its_readers_alone(
    hub: Hub, awa: Person, numbers: Numbers
) -> None:
    matching.keep_models(hub.store, hub.clock())
    anybody = add_person(hub, "Drissa")
    with hub.store.write() as connection:
        reserved = link_row(hub, 1, 4, Random(1)) | {"shelf": Shelf.STRONG}
        blind = link_row(hub, 1, 3, Random(2)) | {"shelf": Shelf.BLIND}
        connection.execute(sa.insert(link), [reserved, blind])
    for person, others in ((awa, [numbers[3]]), (anybody, [])):
        desk = at_desk(hub, person)
        marked = [each.number for each in inbox.page(hub.store, desk, Asked()).rows if each.has_lookalike]
        assert marked == ([numbers[0], *others] if others else [])
        assert [each.number for each in inbox.item(hub.store, desk, numbers[0]).lookalikes] == others


def test_several_are_decided_each_by_itself_and_what_went_on_since_is_not_taken_back(
    hub: Hub, awa: Person, numbers: Numbers
) -> None:
    desk = at_desk(hub, awa)
    move(hub, awa, numbers[1], "acknowledged")
    done = triaging.decide_many(hub.store, desk, dict.fromkeys(numbers, 0), Wish("open", owner="awa"))
    assert (list(done.done), [type(each).__name__ for each in done.stays.values()]) == (
        [numbers[0], *numbers[2:]],
        ["StaleRevision"],
    )
    move(hub, awa, numbers[2], "resolved", outcome="remedied")
    stays = triaging.take_back(hub.store, desk, triaging.undo_of(done.done))
    assert list(stays) == [numbers[2]]
    assert set(listed(hub, awa)) == {numbers[0], numbers[1], numbers[3]}


def test_more_than_somebody_can_look_through_are_refused_whole(hub: Hub, awa: Person, numbers: Numbers) -> None:
    desk, wish, before = at_desk(hub, awa), Wish("open", owner="awa"), waits(hub)
    many = dict.fromkeys(numbers, 0) | {f"x{each}": 0 for each in range(MANY_MAX - 3)}
    for act in (triaging.decide_many, triaging.gather):
        with pytest.raises(TooMany):
            act(hub.store, desk, many, wish)
    with pytest.raises(TooMany):
        triaging.take_back(hub.store, desk, [*many.items()])
    assert waits(hub) == before
    # All but the first, which is the one too many.
    assert {each.number for each in inbox.chosen(hub.store, desk, [*many][::-1])} == {*numbers[1:]}
