"""Duplicates in the store: both engines read the same postings, and a hot key costs no more than another."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from server.hub import Hub
from server.store import duplicates
from server.store.duplicates import Waiting
from server.store.match_tables import match_key, match_profile
from tests.builders import Clock, Sender, complaint, open_test_hub
from tests.matching import number_of

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


def test_claimed_complaints_are_nobody_elses_until_the_claim_is_over(device: Sender, clock: Clock) -> None:
    device.send(complaint("a"), complaint("b"))
    ids = [number_of(device, name) for name in ("a", "b")]
    hub, until = device.hub, clock()
    with hub.store.write() as connection:
        connection.execute(sa.text("DELETE FROM match_pending WHERE complaint < :id"), {"id": ids[0]})
        first = duplicates.claim(connection, "one", clock(), clock(), 1)
        assert first == [Waiting(ids[0], 1, by="one")]
        assert duplicates.claim(connection, "two", until, until, 9) == [Waiting(ids[1], 1, by="two")]
        assert not duplicates.is_any_waiting(connection, until)
        clock.pass_(seconds=1)
        assert duplicates.is_any_waiting(connection, clock())
        third = duplicates.claim(connection, "three", clock(), clock(), 9)
        assert third == [Waiting(id, 1, by="three") for id in ids]


def test_new_word_takes_a_complaint_out_of_every_hand(device: Sender, clock: Clock) -> None:
    device.send(complaint("a"))
    number = number_of(device, "a")
    with device.hub.store.write() as connection:
        duplicates.claim(connection, "one", clock(), clock(), 99)
        duplicates.renew(connection, number)
        assert Waiting(number, 2, by="two") in duplicates.claim(connection, "two", clock(), clock(), 99)


def test_what_went_wrong_is_claimed_alone_and_what_was_matched_before_comes_last(
    device: Sender, clock: Clock
) -> None:
    device.send(complaint("a"), complaint("b"), complaint("c"))
    old, bad, new = (number_of(device, name) for name in ("a", "b", "c"))
    with device.hub.store.write() as connection:
        connection.execute(sa.text("DELETE FROM match_pending"))
        profile = {"complaint": old, "scheme": 0, "features": b"", "posted": b"", "is_matchable": True}
        connection.execute(sa.insert(match_profile), [profile])
        duplicates.await_matching(connection, [new, bad])
        assert duplicates.await_again(connection, 1, 0, 9) == [old]
        assert duplicates.await_again(connection, 1, old, 9) == []
        duplicates.note_failure(connection, Waiting(bad, 1))
        claimed = [duplicates.claim(connection, "one", clock(), clock(), 9) for _ in range(2)]
        assert claimed == [[Waiting(bad, 1, 1, "one")], [Waiting(each, 1, by="one") for each in (new, old)]]
        duplicates.renew(connection, bad)
        clock.pass_(seconds=1)
        assert duplicates.claim(connection, "two", clock(), clock(), 1) == [Waiting(bad, 2, by="two")]


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
