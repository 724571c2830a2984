"""The store: one transaction or nothing, one snapshot a read, and refusals when disk or database fail."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Event, Thread

import pytest
import sqlalchemy as sa

from server.domain.errors import Busy, StorageFailed, StorageFull
from server.store import dialect, migrations, state
from server.store.engine import Store, open_store
from server.store.schema import hub_state, place_list, received
from tests.builders import NOW, an_id
from tests.laid_tables import lay_tables

KEY = b"k" * 32


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    lay_tables(database_url, KEY)
    opened = open_store(database_url, KEY)
    yield opened
    opened.close()


def _value(store: Store, name: str) -> str | None:
    with store.read() as connection:
        return state.get(connection, name)


def test_what_was_written_is_there(store: Store) -> None:
    with store.write() as connection:
        state.keep(connection, "name", "ɲ")

    assert _value(store, "name") == "ɲ"


def test_nothing_is_there_when_the_block_fails(store: Store) -> None:
    def fail() -> None:
        with store.write() as connection:
            state.keep(connection, "name", "value")
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert _value(store, "name") is None


def test_savepoint_gives_up_its_own_part_alone(store: Store) -> None:
    with store.write() as connection:
        state.keep(connection, "before", "1")
        rows = [{"name": "inside", "value": value} for value in "12"]
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            connection.execute(sa.insert(hub_state), rows)
        state.keep(connection, "after", "1")

    assert [_value(store, name) for name in ("before", "inside", "after")] == ["1", None, "1"]


def _synced(connection: sa.Connection) -> list[str]:
    """What a commit on this connection waits for, and whether the log of SQLite is brought into its file after it."""
    names = ("synchronous", "wal_autocheckpoint") if dialect.is_sqlite(connection) else ("synchronous_commit",)
    word = "PRAGMA" if dialect.is_sqlite(connection) else "SHOW"
    return [str(connection.exec_driver_sql(f"{word} {name}").scalar()) for name in names]


def test_only_what_may_be_done_again_does_not_wait_for_the_disk(store: Store) -> None:
    waits, waits_not = (["2", "1000"], ["1", "0"]) if dialect.is_sqlite(store.engine) else (["on"], ["off"])
    with store.write(is_synced=False) as connection:
        state.keep(connection, "name", "ɲ")
        within = _synced(connection)
    with store.write() as connection:
        after = _synced(connection)

    assert (within, after) == (waits_not, waits)
    assert _value(store, "name") == "ɲ"


def test_commits_wait_for_the_disk_again_after_one_that_did_not_and_failed(store: Store) -> None:
    def fail() -> None:
        with store.write(is_synced=False) as connection:
            state.keep(connection, "name", "value")
            raise KeyError

    with store.write() as connection:
        before = _synced(connection)
    with pytest.raises(KeyError):
        fail()
    with store.write() as connection:
        after = _synced(connection)

    assert before == after
    assert _value(store, "name") is None


def test_writers_come_one_after_the_other(store: Store) -> None:
    with store.write() as connection:
        state.keep(connection, "count", "0")
    is_in, may_go = Event(), Event()

    def count_up() -> None:
        with store.write() as connection:
            select = dialect.locked(connection, sa.select(hub_state.c.value).where(hub_state.c.name == "count"))
            is_in.set()
            may_go.wait(10)
            state.keep(connection, "count", str(int(connection.scalars(select).one()) + 1))

    writers = [Thread(target=count_up) for _ in range(4)]
    for writer in writers:
        writer.start()
    is_in.wait(10)
    may_go.set()
    for writer in writers:
        writer.join()

    assert _value(store, "count") == "4"


def test_upgrade_again_changes_nothing(store: Store) -> None:
    migrations.upgrade(store)

    assert migrations.current(store) == migrations.HEAD


def test_tables_are_those_of_the_schema(store: Store) -> None:
    with store.read() as connection:
        inspector = sa.inspect(connection)
        found = {name for name in inspector.get_table_names() if not name.startswith(("sqlite_", "search_text_fts"))}

    assert found - {"alembic_version"} == set(hub_state.metadata.tables)


@pytest.mark.parametrize(
    "moment",
    [
        NOW,
        NOW.replace(microsecond=1),
        datetime(1900, 1, 1, tzinfo=UTC),
        datetime(2200, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    ],
)
def test_moment_comes_back_as_the_same_moment_in_utc(store: Store, moment: datetime) -> None:
    row = {"version": "1", "source": "s", "imported_at": moment, "is_current": True}
    with store.write() as connection:
        connection.execute(sa.insert(place_list).values(**row))

    with store.read() as connection:
        found = connection.scalars(sa.select(place_list.c.imported_at)).one()
    assert (found, found.tzinfo) == (moment, UTC)


def test_naive_moment_is_refused(store: Store) -> None:
    naive = NOW.replace(tzinfo=None)
    row = {"version": "1", "source": "s", "imported_at": naive, "is_current": True}
    with pytest.raises(sa.exc.StatementError, match="naive time"), store.write() as connection:
        connection.execute(sa.insert(place_list).values(**row))


def _row(id: int, name: object) -> tuple[object, ...]:
    return (id, an_id("lineage"), an_id(name), "seen", 1, "0" * 64, b"line\0\xff", an_id("device"), None, NOW)


def test_ids_are_never_drawn_twice(store: Store) -> None:
    columns = tuple(column.name for column in received.c)

    def fill(count: int) -> list[int]:
        with store.write() as connection:
            ids = dialect.draw_ids(connection, received, count)
            rows = [_row(id, id) for id in ids]
            dialect.insert_many(connection, received, columns, rows)
        return ids

    first = fill(3)
    with store.write() as connection:
        connection.execute(sa.delete(received))
    second = fill(2)

    assert len(set(first + second)) == 5
    assert min(second) > max(first)


def test_insert_new_passes_by_what_is_there(store: Store) -> None:
    with store.write() as connection:
        state.keep(connection, "a", "old")
        rows = [{"name": name, "value": "new"} for name in ("a", "b")]
        inserted = dialect.insert_new(connection, hub_state, rows, ["name"], hub_state.c.name)
        assert dialect.insert_new(connection, hub_state, [], ["name"], hub_state.c.name) == []

    assert inserted == ["b"]
    assert (_value(store, "a"), _value(store, "b")) == ("old", "new")


class _DriverError(Exception):
    """What a driver raises, with or without PostgreSQL's code."""

    def __init__(self, text: str, sqlstate: str | None = "") -> None:
        super().__init__(text)
        if sqlstate != "":
            self.sqlstate = sqlstate


_FAILURES = {
    "SQLite full": (_DriverError("database or disk is full"), StorageFull),
    "PostgreSQL full": (_DriverError("could not extend file", "53100"), StorageFull),
    "SQLite fsync": (_DriverError("disk I/O error"), StorageFailed),
    "SQLite damage": (_DriverError("database disk image is malformed"), StorageFailed),
    "PostgreSQL io": (_DriverError("could not read block", "58030"), StorageFailed),
    "SQLite locked": (_DriverError("database is locked"), Busy),
    "PostgreSQL deadlock": (_DriverError("deadlock detected", "40P01"), Busy),
    "PostgreSQL shutdown": (_DriverError("terminating connection", "57P01"), Busy),
}


@pytest.mark.parametrize("name", _FAILURES)
def test_failure_of_disk_or_database_is_a_refusal(store: Store, name: str) -> None:
    cause, refusal = _FAILURES[name]
    for transaction in (store.read, store.write):
        with pytest.raises(refusal), transaction():
            raise sa.exc.OperationalError("statement", {}, cause)

    with store.write() as connection:
        state.keep(connection, "name", "value")


def test_database_out_of_reach_is_busy() -> None:
    nowhere = open_store("postgresql+psycopg://seere@127.0.0.1:1/seere", None)
    for transaction in (nowhere.read, nowhere.write):
        with pytest.raises(Busy), transaction():
            pass


def test_fault_that_the_driver_gives_no_code_for_is_no_refusal(store: Store) -> None:
    with pytest.raises(sa.exc.OperationalError), store.read():
        raise sa.exc.OperationalError("statement", {}, _DriverError("another command is in progress", None))


def test_fault_of_a_statement_is_no_refusal(store: Store) -> None:
    with pytest.raises(sa.exc.DBAPIError), store.write() as connection:
        connection.execute(sa.text("SELECT nothing FROM nowhere"))


@pytest.mark.postgres
def test_connection_that_the_server_ends_is_busy_and_the_next_one_works(postgres_url: str) -> None:
    store = open_store(postgres_url, None)
    migrations.upgrade(store)

    def write() -> None:
        with store.write() as connection, connection.begin_nested():
            own = connection.scalar(sa.text("SELECT pg_backend_pid()"))
            with store.read() as other:
                other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": own})
            state.keep(connection, "name", "value")

    with pytest.raises(Busy):
        write()

    assert _value(store, "name") is None
    store.close()


def test_sqlite_file_is_encrypted_and_durable(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'hub.db'}", KEY)
    migrations.upgrade(store)
    with store.write() as connection:
        state.keep(connection, "name", "Awa Exemple")

    with store.read() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("synchronous", "journal_mode")]
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    store.close()

    assert pragmas == [2, "wal"]
    # The whole of it: three bytes turn up by chance in a file of cipher text.
    assert b"Awa Exemple" not in stored
    assert b"SQLite format" not in stored
