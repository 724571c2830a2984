"""Statements compiled once a process: each hub has an engine of its own, which would compile all of them again."""

import sqlalchemy as sa

from server.store import dialect

_first: dict[str, sa.Engine] = {}


def share_compiled() -> None:
    """Let every engine of the store use the dialect and the compiled statements of the first of its kind."""
    make_engine = dialect.make_engine

    def sharing(url: str, key: bytes | None) -> sa.Engine:
        engine = make_engine(url, key)
        if first := _first.get(engine.dialect.name):
            # Statements are kept by dialect, and with them what each type of column makes of it.
            engine.dialect = first.dialect
            engine._compiled_cache = first._compiled_cache
        else:
            sa.event.listen(engine, "engine_connect", _be_first, once=True)
        return engine

    dialect.make_engine = sharing


def _be_first(connection: sa.Connection) -> None:
    # Not before: a dialect learns of its server when it connects, and some never do.
    _first.setdefault(connection.dialect.name, connection.engine)
