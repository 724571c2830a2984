"""The tables of a new database, laid by saying again what the migrations said the first time: they think for long."""

import sqlalchemy as sa

from server.store import lite, migrations
from server.store.engine import Store, open_store

_WORDS_OF_CHANGE = ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE")
_said: dict[str, list[str]] = {}


def lay_tables(url: str, key: bytes | None) -> None:
    """Bring the database behind `url` to where `migrations.upgrade` brings it, if it is empty."""
    store = open_store(url, key)
    try:
        if migrations.current(store) is None:
            _lay(store)
    finally:
        store.close()


def _lay(store: Store) -> None:
    engine = store.engine.dialect.name
    if engine not in _said:
        _said[engine] = _upgraded(store)
        return
    with store.write() as connection:
        for statement in _said[engine]:
            connection.exec_driver_sql(statement)
        # Made on the connection beneath, where no statement is heard.
        lite.index_words(connection, "search_text", "text")


def _upgraded(store: Store) -> list[str]:
    """Upgrade, and tell what was said for it."""
    said: list[str] = []

    def hear(_: object, __: object, statement: str, parameters: object, *___: object) -> None:
        if statement.lstrip().startswith(_WORDS_OF_CHANGE):
            assert not parameters, "a migration that binds values cannot be said again"
            said.append(statement)

    sa.event.listen(store.engine, "before_cursor_execute", hear)
    migrations.upgrade(store)
    return said
