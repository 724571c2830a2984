"""Duplicates in the store: both engines read the same postings, and a hot key costs no more than another."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from server.hub import Hub
from server.store import duplicates, unmatched
from server.store.duplicates import Matched, Proposal
from server.store.match_tables import link, match_key
from tests.builders import Clock, complaint, enrolled, open_test_hub

HOT, COLD, ABSENT = 2**62, 5, 6
MANY = 300


@pytest.fixture
def posted(own_hub: Hub) -> Hub:
    return _posted(own_hub)


def _posted(hub: Hub) -> Hub:
    """The hub with a key that many complaints have, and one that few have."""
    rows = [{"k": HOT, "complaint": number, "source": number % 7} for number in range(1, MANY + 1)]
    rows.append({"k": COLD, "complaint": 3, "source": 1})
    with hub.store.write() as connection:
        connection.execute(sa.insert(match_key), rows)
    return hub


def test_newest_of_each_key_are_read_in_one_question(posted: Hub) -> None:
    with posted.store.read() as connection:
        found = duplicates.postings(connection, [HOT, COLD, ABSENT], 100)
    newest = [(number, number % 7) for number in range(MANY, MANY - 100, -1)]
    assert found == {HOT: newest, COLD: [(3, 1)]}


def test_reading_a_hot_key_looks_at_no_more_rows_than_it_gives(tmp_path: Path) -> None:
    # SQLite alone tells the steps of its machine; the sentence for PostgreSQL is read newest first by the same key.
    hub = _posted(open_test_hub("sqlite", tmp_path, Clock()))
    few, more = (_steps(hub, HOT, limit) for limit in (10, 20))
    assert few < more < 3 * few < _steps(hub, HOT, MANY)
    hub.close()


def test_link_whose_score_was_seen_has_been_seen_whatever_it_is_judged_later(own_hub: Hub) -> None:
    enrolled(own_hub, "Gao 1").send(complaint("a"), complaint("b"))
    now = own_hub.clock()
    for band, was_scored in (("possible", True), ("silent", False)):
        seen = Proposal(1, 2, "same_incident", None, (), 0.0, 0.1, band, band, 0.0, 5, was_scored)
        with own_hub.store.write() as connection:
            unmatched.renew(connection, 2)
            waiting = max(unmatched.claim(connection, "one", now, now, 9), key=lambda each: each.complaint)
            duplicates.keep_matched(connection, [Matched(waiting, (seen,), (), ())], now)
    with own_hub.store.read() as connection:
        row = connection.execute(sa.select(link)).one()
    assert (row.band, row.was_scored) == ("silent", True)


def _steps(hub: Hub, key: int, limit: int) -> int:
    """How many steps SQLite takes to read a key."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    with hub.store.read() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        raw.set_progress_handler(count, 1)  # type: ignore[attr-defined]
        duplicates.postings(connection, [key], limit)
        raw.set_progress_handler(None, 1)  # type: ignore[attr-defined]
    return taken
