"""The only file that asks which engine it is: types, engine set-up, and the sentences that differ."""

import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlcipher3 import dbapi2 as sqlcipher

ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON: Final = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

# One writer and a few readers; each connection keeps its own pages.
SQLITE_CACHE_KIB: Final = 4096
SQLITE_BUSY_MS: Final = 30_000
# Fewer, larger checkpoints: about 4 MB of log between two.
SQLITE_CHECKPOINT_PAGES: Final = 1000
_AUTOCHECKPOINT: Final = f"wal_autocheckpoint = {SQLITE_CHECKPOINT_PAGES}"
# NORMAL loses acknowledged commits when the power goes.
_SYNCED: Final = "synchronous = FULL"
POOL_SIZE: Final = 9
# Serialization failure, deadlock, lock not available (PostgreSQL, appendix A).
_POSTGRES_BUSY: Final = frozenset({"40001", "40P01", "55P03"})

# One encoder, made once: json.dumps with options makes a new one for each value.
_json_text: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class UtcTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC moment; SQLite keeps it as text of one width, so that text order is time order."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Text on SQLite, timestamptz on PostgreSQL."""
        is_sqlite = dialect.name == "sqlite"
        return dialect.type_descriptor(sa.String(27) if is_sqlite else sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        """Refuses a naive time."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive time")
        utc = value.astimezone(UTC)
        return utc.isoformat(timespec="microseconds")[:26] + "Z" if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002 - its signature
        """Always UTC."""
        if value is None:
            return None
        return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)


def unique_where(name: str, column: str, condition: str) -> sa.Index:
    """An index by which no two of the rows that meet a condition have the same in a column."""
    only = sa.text(condition)
    return sa.Index(name, column, unique=True, sqlite_where=only, postgresql_where=only)


def make_engine(url: str, key: bytes | None) -> sa.Engine:
    """An engine for `sqlite:///file` (SQLCipher under the 32-byte `key`) or `postgresql+psycopg://…`.

    Every transaction begins deferred; `Store.write` asks for an immediate one.
    """
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite":
        assert key is not None
        return _sqlite_engine(Path(address.database or ""), key)
    return sa.create_engine(
        address,
        pool_size=POOL_SIZE,
        max_overflow=4,
        pool_pre_ping=True,
        json_serializer=_json_text,
        hide_parameters=True,
    )


def _sqlite_engine(path: Path, key: bytes) -> sa.Engine:
    engine = sa.create_engine(
        "sqlite://",
        module=sqlcipher,
        json_serializer=_json_text,
        # An error's text goes to the log; what people wrote does not.
        hide_parameters=True,
        creator=lambda: open_sqlite(path, key),
        poolclass=sa.QueuePool,
        pool_size=POOL_SIZE,
        max_overflow=4,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        mode = connection.get_execution_options().get("begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def open_sqlite(path: Path, key: bytes) -> Any:
    """A durable, encrypted connection to the file; raises sqlcipher3's DatabaseError for a wrong key."""
    connection = sqlcipher.connect(
        str(path), isolation_level=None, timeout=SQLITE_BUSY_MS / 1000, check_same_thread=False
    )
    connection.execute("PRAGMA cipher_log_level = NONE")
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    for pragma in (
        "journal_mode = WAL",
        _SYNCED,
        "foreign_keys = ON",
        "secure_delete = ON",
        "temp_store = MEMORY",
        f"busy_timeout = {SQLITE_BUSY_MS}",
        f"cache_size = -{SQLITE_CACHE_KIB}",
        _AUTOCHECKPOINT,
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def is_sqlite(bind: sa.Engine | sa.Connection) -> bool:
    """Whether this is the one-machine engine."""
    return bind.dialect.name == "sqlite"


def write_lane(engine: sa.Engine) -> "threading.Lock | None":
    """The lock that gives SQLite its one writer; PostgreSQL needs none."""
    # Without it SQLite's busy handler sleeps unfairly: p99 936 ms against 89 ms, measured with 32 writers.
    return threading.Lock() if is_sqlite(engine) else None


@contextmanager
def transaction(connection: sa.Connection, *, is_synced: bool) -> Iterator[None]:
    """A transaction on a connection, committed when the block ends well; on disk then, if it `is_synced`.

    One that is not is as whole, and comes before whatever is committed later: when the power goes, it may be lost
    together with all that was not synced after it.
    """
    if is_sqlite(connection) and not is_synced:
        with _unsynced(connection.connection.driver_connection), connection.begin():
            yield
    else:
        with connection.begin():
            if not is_synced:
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            yield


@contextmanager
def _unsynced(raw: Any) -> Iterator[None]:
    # No checkpoint either: it would sync, and SQLite says nothing of one that fails, nor would the next sync.
    for pragma in ("synchronous = NORMAL", "wal_autocheckpoint = 0"):
        raw.execute(f"PRAGMA {pragma}")
    try:
        yield
    finally:
        for pragma in (_SYNCED, _AUTOCHECKPOINT):
            raw.execute(f"PRAGMA {pragma}")


def among(connection: sa.Connection, column: sa.ColumnElement[Any], values: Collection[str]) -> sa.ColumnElement[bool]:
    """Whether the column has one of many texts: one parameter, not one each."""
    if is_sqlite(connection):
        return column.in_(sa.select(sa.column("value")).select_from(sa.func.json_each(_json_text(list(values)))))
    return column == sa.any_(sa.cast(list(values), postgresql.ARRAY(sa.Text)))


def insert_many(
    connection: sa.Connection, table: sa.Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows whose values stand in the order of `columns`."""
    if not rows:
        return
    if is_sqlite(connection):
        # Past SQLAlchemy's work on each row, which costs as much as SQLite's own.
        sql, binders = _sqlite_insert(table, columns)
        connection.exec_driver_sql(sql, [_bound(row, binders) for row in rows] if binders else rows)
    else:
        connection.execute(sa.insert(table), [dict(zip(columns, row, strict=True)) for row in rows])


@cache
def _sqlite_insert(table: sa.Table, names: tuple[str, ...]) -> tuple[str, tuple[tuple[int, Callable[[Any], Any]], ...]]:
    """The statement, and for each place that needs it how a value becomes SQLite's."""
    dialect = sqlite.dialect(json_serializer=_json_text)
    quote = dialect.identifier_preparer.quote
    sql = (
        f"INSERT INTO {dialect.identifier_preparer.format_table(table)} "
        f"({', '.join(quote(name) for name in names)}) VALUES ({', '.join('?' * len(names))})"
    )
    binders = [table.columns[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
    return sql, tuple((place, bind) for place, bind in enumerate(binders) if bind is not None)


def _bound(values: tuple[Any, ...], binders: tuple[tuple[int, Callable[[Any], Any]], ...]) -> tuple[Any, ...]:
    row = list(values)
    for place, bind in binders:
        row[place] = bind(row[place])
    return tuple(row)


def insert_new(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    key: Sequence[str],
    returning: sa.Column[Any],
) -> list[Any]:
    """Insert the rows whose `key` is not there yet; gives `returning` of those really inserted."""
    if not rows:
        return []
    insert = (sqlite if is_sqlite(connection) else postgresql).insert(table)
    statement = insert.on_conflict_do_nothing(index_elements=list(key)).returning(returning)
    return list(connection.execute(statement, list(rows)).scalars())


def put(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any], key: Sequence[str]) -> None:
    """Insert the row, or set its other columns where `key` is there already."""
    insert = (sqlite if is_sqlite(connection) else postgresql).insert(table).values(**row)
    others = {name: insert.excluded[name] for name in row if name not in key}
    connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=others))


def put_all(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    key: Sequence[str],
    only_where: sa.ColumnElement[bool] | None = None,
    stays_true: str | None = None,
) -> None:
    """Insert rows of the same columns, or set these where `key` is there and the row that stands is one of those: any,
    if that is None. What was true once in the column `stays_true` stays so."""
    if rows:
        put = _put_all(is_sqlite(connection), table, tuple(rows[0]), tuple(key), only_where, stays_true)
        connection.execute(put, list(rows))


# To put the sentence together takes longer than what it asks for.
@lru_cache(maxsize=16)
def _put_all(
    is_lite: bool,
    table: sa.Table,
    names: tuple[str, ...],
    key: tuple[str, ...],
    only_where: Any,
    stays_true: str | None,
) -> Any:
    insert = (sqlite if is_lite else postgresql).insert(table)
    others: dict[str, Any] = {name: insert.excluded[name] for name in names if name not in key}
    if stays_true is not None:
        others[stays_true] = table.c[stays_true] | others[stays_true]
    return insert.on_conflict_do_update(index_elements=list(key), set_=others, where=only_where)


def locked(connection: sa.Connection, select: sa.Select[Any], *, is_shared: bool = False) -> sa.Select[Any]:
    """The select with its rows locked until commit; SQLite's immediate transaction has them already.

    `is_shared`: others may lock them so too, and none of them changes.
    """
    return select if is_sqlite(connection) else select.with_for_update(read=is_shared)


def unlocked(
    connection: sa.Connection, select: sa.Select[Any], table: sa.Table, *, by_others_held: bool = False
) -> sa.Select[Any]:
    """The select with its rows of `table` locked until commit, but without those that somebody else has locked.

    `by_others_held`: others may still hold them (see `held`), as whoever adds a row that points at them does.
    """
    return (
        select
        if is_sqlite(connection)
        else select.with_for_update(of=table, skip_locked=True, key_share=by_others_held)
    )


def held(connection: sa.Connection, select: sa.Select[Any], table: sa.Table) -> sa.Select[Any]:
    """The select with its rows of `table` kept from being changed or removed until commit, but without those that
    somebody does that to; whoever holds some so keeps nobody else from holding them so."""
    if is_sqlite(connection):
        return select
    return select.with_for_update(of=table, read=True, key_share=True, skip_locked=True)


def newest(
    connection: sa.Connection, table: sa.Table, key: str, number: str, keys: Collection[int], limit: int
) -> list[tuple[int, ...]]:
    """For each of many keys at most `limit` rows with it, those with the highest numbers: all columns, key and number
    first. One question, whose cost does not grow with the rows that a key has."""
    others = [name for name in table.columns.keys() if name not in (key, number)]
    read = ", ".join((number, *others))
    few = f"FROM {table.name} WHERE {key} = p.value ORDER BY {number} DESC LIMIT :limit"
    if is_sqlite(connection):
        # It asks for each value of the list below by the index: measured, and LATERAL it has none.
        whole = f"FROM json_each(:keys) AS p JOIN {table.name} AS m ON m.{key} = p.value"
        text = f"SELECT p.value, {read} {whole} AND m.{number} IN (SELECT {number} {few})"
        asked: Any = _json_text(list(keys))
    else:
        whole = "FROM unnest(CAST(:keys AS bigint[])) AS p(value)"
        text = f"SELECT p.value, {read} {whole} CROSS JOIN LATERAL (SELECT {read} {few}) AS m"
        asked = list(keys)
    return [tuple(row) for row in connection.execute(sa.text(text), {"keys": asked, "limit": limit})]


def index_words(connection: sa.Connection, table: str, column: str) -> None:
    """Index the words of a text column, which have one space between them, for `having_words`; not on SQLite."""
    if not is_sqlite(connection):
        connection.exec_driver_sql(f"CREATE INDEX ix_{table}_words ON {table} USING gin ({_vector(column)})")


def having_words(
    connection: sa.Connection, key: sa.Column[Any], column: sa.Column[Any], words: Sequence[str]
) -> tuple[sa.FromClause, sa.ColumnClause[Any], sa.ColumnElement[bool]]:
    """What to join, the key to order its rows by, and whether a row has, for each word, one that begins with it.

    `key` and `column` are of one table. `words` are letters and digits alone: none can be a sign of the query.
    """
    if is_sqlite(connection):
        index = sa.table(f"{key.table.name}_fts", sa.column("rowid", key.type))
        query = " ".join(f'"{word}"*' for word in words)
        # By the key of the index, which gives its rows in order: by another, all of them are sorted first.
        return index, index.c.rowid, sa.column(index.name).op("MATCH", is_comparison=True)(query)
    query = " & ".join(f"'{word}':*" for word in words)
    vector: sa.ColumnElement[Any] = sa.literal_column(_vector(f"{key.table.name}.{column.name}"))
    return key.table, key, vector.bool_op("@@")(sa.cast(query, postgresql.TSQUERY))


def _vector(column: str) -> str:
    # Not to_tsvector: its parser has ideas of its own of what a number, an address or a letter of N'Ko is.
    return f"array_to_tsvector(string_to_array({column}, ' '))"


def date_text(connection: sa.Connection, time: sa.ColumnElement[Any], chars: int) -> sa.ColumnElement[str]:
    """The first `chars` of a moment's UTC date as ISO 8601 writes it: 10 for the day, 7 for the month."""
    if is_sqlite(connection):
        return sa.func.substr(sa.type_coerce(time, sa.Text), 1, chars, type_=sa.Text)
    return sa.func.to_char(sa.func.timezone("UTC", time), "YYYY-MM-DD"[:chars], type_=sa.Text)


def days_between(connection: sa.Connection, start: sa.Column[Any], end: sa.Column[Any]) -> sa.ColumnElement[int]:
    """How many midnights (UTC) lie between two moments; NULL where either is."""
    if is_sqlite(connection):
        first, last = (sa.func.julianday(date_text(connection, each, 10)) for each in (start, end))
        return sa.cast(last - first, sa.Integer)
    from_day, to_day = (sa.cast(sa.func.timezone("UTC", each), sa.Date) for each in (start, end))
    return sa.type_coerce(to_day - from_day, sa.Integer)


def is_full(error: sa.exc.DBAPIError) -> bool:
    """Whether the disk had no room."""
    text = str(error.orig).lower()
    return "disk is full" in text or "no space left" in text or getattr(error.orig, "sqlstate", "") == "53100"


def is_damage(error: sa.exc.DBAPIError) -> bool:
    """Whether the disk failed, or the key is not the file's: nothing may be written before it was looked at."""
    text = str(error.orig).lower()
    is_unreadable = any(words in text for words in ("disk i/o error", "malformed", "file is not a database"))
    return is_unreadable or getattr(error.orig, "sqlstate", "") == "58030"


def is_busy(error: sa.exc.DBAPIError) -> bool:
    """Whether others were in the way, or the database was out of reach: the same may work in a moment."""
    if "sqlstate" not in dir(error.orig):
        return "database is locked" in str(error.orig)
    state = error.orig.sqlstate  # type: ignore[union-attr]
    if state is None:
        # The driver's own word. Of an operation without a statement it is that no connection came about.
        is_unreachable = isinstance(error, sa.exc.OperationalError) and error.statement is None
        return error.connection_invalidated or is_unreachable
    return error.connection_invalidated or state in _POSTGRES_BUSY or state.startswith(("08", "57P"))


def lock_for_migration(connection: sa.Connection) -> None:
    """Let one process migrate at a time."""
    if not is_sqlite(connection):
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7304715)")


def draw_ids(connection: sa.Connection, table: sa.Table, count: int) -> list[int]:
    """The next `count` ids of a table with an integer key, never given before; inside a write transaction."""
    if is_sqlite(connection):
        last = connection.scalar(sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
        return list(range((last or 0) + 1, (last or 0) + 1 + count))
    sequence = sa.func.pg_get_serial_sequence(table.name, "id")
    numbers = sa.select(sa.func.nextval(sequence)).select_from(sa.func.generate_series(1, count))
    return list(connection.scalars(numbers))
