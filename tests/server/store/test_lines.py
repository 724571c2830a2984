"""Lines: a page looks at a stretch of its index and no further, however much there is, and the next goes on there."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from server.hub import Hub
from server.store import case_lists, due, inbox, lines, quarantine
from server.store.lines import Count, Key, Line, Page, Reach, write_key
from server.store.scopes import Scope
from tests.builders import Clock, Person, add_person, complaint, enrolled, revision
from tests.case_work import move

Read = Callable[[sa.Connection, Reach], Page[Any]]
Heard = list[tuple[str, Any]]

EVERYTHING = Scope(None, None, None, with_strict=True, assignee=None)
# Of complaints that are assigned to somebody who has none: no index tells that.
NOTHING = replace(EVERYTHING, assignee="nobody")
NOWHERE = case_lists.Wanted(places=frozenset())
RARE = inbox.Wanted("triage", kind="COR-LAND")
STRETCH = 4

# Of each list its line, and how a page of it is read for something that is nowhere in it.
LISTS: dict[str, tuple[Line, Read]] = {
    "inbox": (inbox.LINE, lambda connection, reach: inbox.page(connection, NOTHING, inbox.Wanted("triage"), reach)),
    "newest": (
        case_lists.LINES["newest"],
        lambda connection, reach: case_lists.page(connection, EVERYTHING, NOWHERE, "newest", reach),
    ),
    "urgency": (
        case_lists.LINES["urgency"],
        lambda connection, reach: case_lists.page(connection, EVERYTHING, NOWHERE, "urgency", reach),
    ),
    "due": (due.LINE, lambda connection, reach: due.waiting(connection, NOTHING, reach)),
}


@pytest.fixture
def hub(own_hub: Hub) -> Hub:
    return own_hub


@pytest.fixture
def awa(hub: Hub) -> Person:
    return add_person(hub, "Awa")


@pytest.mark.parametrize("name", LISTS)
def test_page_looks_at_no_more_of_many_rows_than_of_few(hub: Hub, awa: Person, name: str) -> None:
    line, read = LISTS[name]
    looks = []
    for since in (0, 9):
        _open(hub, awa, since, since + 9)
        with hub.store.read() as connection:
            pages = list(_pages(connection, read))
            assert [page.ends_at for page in pages] == _every(connection, line, STRETCH)
            assert not any(page.rows for page in pages)
            heard = _heard(hub, partial(read, connection, Reach(3, pages[0].ends_at, STRETCH)))
            looks.append([_looked_at(connection, *each, str(line.table)) for each in heard])
    assert looks[0] == looks[1]
    # The stretch, and the row that it begins behind; on SQLite some hundred steps for each.
    assert max(looks[1]) <= (STRETCH + 1) * (1 if hub.store.engine.dialect.name == "postgresql" else 300)


def test_what_is_rare_is_found_where_it_stands(hub: Hub, awa: Person) -> None:
    _open(hub, awa, 0, 9)
    enrolled(hub, "Gao 9").send(complaint("rare", kinds=["COR-LAND"]))
    with hub.store.read() as connection:
        pages = list(_pages(connection, lambda at, reach: inbox.page(at, EVERYTHING, RARE, reach)))
    assert [[each.kind for each in page.rows] for page in pages] == [[], [], ["COR-LAND"]]


def test_count_goes_as_far_as_a_stretch_and_says_so(hub: Hub, awa: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    _open(hub, awa, 0, 5)
    with hub.store.read() as connection:
        whole = inbox.counts(connection, EVERYTHING, [inbox.Wanted("triage"), RARE])
        monkeypatch.setattr(lines, "COUNT_STRETCH", 3)
        cut = inbox.counts(connection, EVERYTHING, [inbox.Wanted("triage"), RARE])
        monkeypatch.setattr(lines, "COUNT_MAX", 2)
        [most] = inbox.counts(connection, EVERYTHING, [inbox.Wanted("triage")])
    assert whole == [Count(5, is_more=False), Count(0, is_more=False)]
    assert cut == [Count(3, is_more=True), Count(0, is_more=True)]
    assert most == Count(2, is_more=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "U1",
        "U1~x~1",
        "U1~2026-01-01T00:00:00~1",
        "U1~0001-01-01T00:00:00+23:59~1",
        "U1~2026-01-01T00:00:00+00:00~9223372036854775808",
        f"U1~2026-01-01T00:00:00+00:00~{'9' * 5_000}",
        "\0~2026-01-01T00:00:00+00:00~1",
        "~2026-01-01T00:00:00+00:00~1",
    ],
)
def test_text_that_no_page_wrote_leads_nowhere(text: str) -> None:
    assert inbox.LINE.read_key(text) is None


def _open(hub: Hub, person: Person, since: int, to: int) -> None:
    """Let complaints come one after another, each of which gets its case."""
    assert isinstance(hub.clock, Clock)
    sender = enrolled(hub, f"Gao {since}")
    for each in range(since, to):
        hub.clock.pass_(seconds=1)
        sender.send(complaint(f"told {each}"))
        move(hub, person, f"SRE-{hub.clock().year}-{each + 1:06}", "acknowledged")


def _pages(connection: sa.Connection, read: Read) -> Iterator[Page[Any]]:
    after: Key | None = None
    while True:
        page = read(connection, Reach(3, after, STRETCH))
        yield page
        if page.ends_at is None:
            return
        after = page.ends_at


def _every(connection: sa.Connection, line: Line, step: int) -> list[Key | None]:
    """The keys of the last row of each stretch of a line, read without it; the last stretch has no end."""
    order = [each.desc() if line.is_down else each.asc() for each in line.columns]
    keys = [tuple(row) for row in connection.execute(sa.select(*line.columns).order_by(*order))]
    return [*keys[step - 1 :: step], None]


def _heard(hub: Hub, act: Callable[[], object]) -> Heard:
    """What an act says to the database."""
    heard: Heard = []

    def hear(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        heard.append((statement, parameters))

    sa.event.listen(hub.store.engine, "before_cursor_execute", hear)
    act()
    sa.event.remove(hub.store.engine, "before_cursor_execute", hear)
    return heard


def _looked_at(connection: sa.Connection, said: str, told: Any, table: str) -> int:
    """Rows of a table that PostgreSQL looks at for a sentence; on SQLite, how many steps that takes."""
    if connection.dialect.name == "postgresql":
        # So few rows are not worth an index.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {said}", told).scalar_one()
        return max(_scanned(plan[0]["Plan"], table))
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    raw: Any = connection.connection.dbapi_connection
    raw.set_progress_handler(count, 1)
    connection.exec_driver_sql(said, told).all()
    raw.set_progress_handler(None, 1)
    return taken


def _scanned(plan: dict[str, Any], table: str) -> Iterator[int]:
    if plan.get("Relation Name") == table:
        yield round((plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"])
    for each in plan.get("Plans", ()):
        yield from _scanned(each, table)


def test_key_is_read_as_it_was_written(hub: Hub, awa: Person) -> None:
    _open(hub, awa, 0, 5)
    with hub.store.read() as connection:
        for line, read in LISTS.values():
            keys = [page.ends_at for page in _pages(connection, read) if page.ends_at is not None]
            assert [line.read_key(write_key(key)) for key in keys] == keys != []


def test_list_of_what_was_set_aside_passes_by_what_is_settled_at_no_cost(hub: Hub) -> None:
    sender = enrolled(hub, "Gao 1")
    nobodys = quarantine.Wanted(code="clock_ahead", device="nobody")
    looks = []
    for since in (0, 20):
        # What comes right by itself meanwhile stands before what waits.
        sender.send(*(revision(f"r {n}", f"c {n}", 1) for n in range(since, since + 20)))
        sender.send(*(complaint(f"c {n}") for n in range(since, since + 20)))
        sender.send(*(complaint(f"ahead {n}", entered_at="2036-10-06T18:40:12Z") for n in range(since, since + 9)))
        with hub.store.read() as connection:
            pages = list(_pages(connection, lambda at, reach: quarantine.page(at, nobodys, reach)))
            assert not any(page.rows for page in pages)
            assert len(pages) == (since // 20 + 1) * 9 // STRETCH + 1
            read = partial(quarantine.page, connection, nobodys, Reach(3, None, STRETCH))
            looks.append([_looked_at(connection, *each, "quarantine") for each in _heard(hub, read)])
    assert looks[0] == looks[1]
    assert max(looks[1]) <= STRETCH * (1 if hub.store.engine.dialect.name == "postgresql" else 300)
