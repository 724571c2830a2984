"""Lists of cases: what is looked for and nothing else, page by page, and nothing of what the reader may not see."""

from typing import Any

import pytest
import sqlalchemy as sa

from server.hub import Hub
from server.services import search_texts
from server.services.cases import lists, owning
from server.services.cases.lists import ALL, ENDED, MINE, NOBODY, Asked
from server.store import case_lists
from server.store.case_lists import ORDERS, Order, Wanted
from server.store.lines import Reach
from server.store.scopes import Scope
from tests.builders import Clock, Person, add_person, complaint, enrolled, facts, revision
from tests.case_work import SETTLED, Numbers, at_desk, attach, move, version

EVERYTHING = Scope(None, None, None, with_strict=True, assignee=None)


@pytest.fixture
def opened(hub: Hub, awa: Person, numbers: Numbers) -> Numbers:
    """The four complaints, the case of each of which is open."""
    for number in numbers:
        move(hub, awa, number, "acknowledged")
    return numbers


def refs(hub: Hub, person: Person, order: Order = "oldest", **asked: Any) -> list[str]:
    page = lists.listed(hub.store, at_desk(hub, person), Asked(**asked), order)
    return [row.case.ref for row in page.rows]


def test_each_sees_cases_in_scope_and_counts_no_other(hub: Hub, awa: Person, gao: Person, opened: Numbers) -> None:
    everything = add_person(hub, "Drissa")
    assert refs(hub, awa) == list(opened)
    assert refs(hub, gao) == list(opened[:2])
    assert refs(hub, everything) == list(opened[:3])
    assert refs(hub, add_person(hub, "Verif", "verifier")) == []
    counted = [lists.counted(hub.store, at_desk(hub, each), {"open": Asked()})["open"].n for each in (awa, gao)]
    assert counted == [4, 2]


def test_case_is_hidden_with_any_complaint_of_it(hub: Hub, awa: Person, gao: Person, opened: Numbers) -> None:
    attach(hub, awa, opened[2], opened[0])
    assert refs(hub, gao) == [opened[1]]
    assert refs(hub, awa) == [opened[0], opened[1], opened[3]]
    assert refs(hub, awa, status="duplicate") == [opened[2]]


def test_revised_complaint_is_listed_for_whom_it_concerns_now(hub: Hub, awa: Person, gao: Person) -> None:
    mopti = add_person(hub, "Fatim", teams=["mopti"])
    sender = enrolled(hub, "Sans équipe")
    sender.send(complaint("a", team="mopti"))
    number = f"SRE-{hub.clock().year}-000001"
    move(hub, awa, number, "acknowledged")
    assert [refs(hub, each) for each in (mopti, gao)] == [[number], []]
    sender.send(revision("moved", "a", 1, facts={"clear": facts(team="gao")}))
    assert [refs(hub, each) for each in (mopti, gao)] == [[], [number]]


def test_filters_are_asked_for_together(hub: Hub, awa: Person, opened: Numbers) -> None:
    move(hub, awa, opened[0], "in_triage")
    move(hub, awa, opened[0], "in_progress", **SETTLED)
    move(hub, awa, opened[1], "withdrawn", withdrawal="told_to_us")
    assert refs(hub, awa) == [opened[0], opened[2], opened[3]]
    assert refs(hub, awa, status=ENDED) == [opened[1]]
    assert refs(hub, awa, status=ALL) == list(opened)
    assert refs(hub, awa, status="in_progress", owner=MINE) == [opened[0]]
    assert refs(hub, awa, status="acknowledged", owner=MINE) == []
    assert refs(hub, awa, owner=NOBODY) == [opened[2], opened[3]]
    assert refs(hub, awa, owner=awa.actor.id) == [opened[0]]
    assert refs(hub, awa, region="ml-r-gao") == []


def test_late_ones_are_those_of_which_something_is_due(hub: Hub, awa: Person, opened: Numbers) -> None:
    assert isinstance(hub.clock, Clock)
    assert refs(hub, awa, "deadline", is_late=True) == []
    hub.clock.pass_(days=40)
    enrolled(hub, "Gao 2", team="gao").send(complaint("new"))
    late = f"SRE-{hub.clock().year}-000005"
    move(hub, awa, late, "acknowledged")
    assert sorted(refs(hub, awa, "deadline", is_late=True)) == list(opened)
    assert refs(hub, awa, is_late=True) == list(opened)
    assert refs(hub, awa, "deadline")[-1] == late


def test_text_is_a_number_a_receipt_code_words_or_nothing(hub: Hub, awa: Person, gao: Person, opened: Numbers) -> None:
    enrolled(hub, "Gao 3", team="gao").send(complaint("told", receipt="7K4M-2QG"))
    search_texts.read_pending(hub.store)
    assert refs(hub, awa, text=f" {opened[1].lower()} ") == [opened[1]]
    assert refs(hub, gao, text=opened[2]) == []
    assert refs(hub, awa, text="DEMANDÉ argent") == list(opened[:3])
    assert refs(hub, awa, text="7k4m 2qg") == list(opened)
    assert refs(hub, awa, text="crocodile") == []


@pytest.mark.parametrize("order", ORDERS)
def test_pages_give_every_case_once_and_in_order(hub: Hub, awa: Person, opened: Numbers, order: Order) -> None:
    desk, after, found = at_desk(hub, awa), None, []
    while True:
        page = lists.listed(hub.store, desk, Asked(), order, after, limit=1)
        found += [row.case.ref for row in page.rows]
        if page.after is None:
            break
        after = lists.read_key(lists.write_key(page.after), order)
        assert after == page.after
    assert sorted(found) == list(opened)
    assert found == refs(hub, awa, order)


def test_row_tells_where_a_case_stands(hub: Hub, awa: Person, opened: Numbers) -> None:
    owning.give(hub.store, at_desk(hub, awa), opened[0], "awa", after=version(hub, awa, opened[0]))
    row = lists.listed(hub.store, at_desk(hub, awa), Asked(), "oldest").rows[0]
    assert (row.case.status, row.case.urgency, row.case.kind, row.owner) == ("acknowledged", "U2", "COR-RACKET", "Awa")
    assert row.state == "unverified"
    assert row.next_due is not None
    assert row.clocks.since_collected(hub.clock()) is not None


@pytest.mark.parametrize(
    ("order", "wanted", "step"),
    [
        ("newest", Wanted(), "SCAN casefile USING INDEX sqlite_autoindex_casefile"),
        ("newest", Wanted(statuses=("closed",)), "SEARCH casefile USING INDEX ix_casefile_status_ref"),
        ("oldest", Wanted(owner="a"), "SEARCH casefile USING INDEX ix_casefile_owner_ref"),
        ("oldest", Wanted(owner=""), "SEARCH casefile USING INDEX ix_casefile_owner_ref"),
        ("urgency", Wanted(places=frozenset({"ml-c-gao"})), "SCAN casefile USING INDEX ix_casefile_urgency_ref"),
        ("deadline", Wanted(), "SCAN deadline_due USING INDEX ix_deadline_due_order"),
    ],
)
def test_page_reads_an_index_in_its_order(hub: Hub, opened: Numbers, order: Order, wanted: Wanted, step: str) -> None:
    heard: list[tuple[str, Any]] = []

    def hear(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        heard.append((statement, parameters))

    with hub.store.read() as connection:
        connection.exec_driver_sql("SELECT 1")
        sa.event.listen(hub.store.engine, "before_cursor_execute", hear)
        case_lists.page(connection, EVERYTHING, wanted, order, Reach(10))
        sa.event.remove(hub.store.engine, "before_cursor_execute", hear)
        assert len(heard) == 2
        if hub.store.engine.dialect.name == "sqlite":
            for statement, parameters in heard:
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                steps = [row[-1].replace("COVERING ", "") for row in plan]
                assert steps[0].startswith(step), steps
                assert not any("TEMP B-TREE" in each for each in steps)
