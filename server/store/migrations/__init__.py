"""Schema versions by alembic: `upgrade` brings a database up to date, and costs one query when it is."""

from pathlib import Path

import sqlalchemy as sa

from server.store import dialect
from server.store.engine import Store

HEAD = "0006"


def upgrade(store: Store) -> None:
    """Bring the tables to HEAD, in one transaction, one process at a time."""
    if current(store) == HEAD:
        return
    # Alembic is slow to import and needed once a release: not on every start.
    from alembic import command
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    with store.write() as connection:
        dialect.lock_for_migration(connection)
        settings.attributes["connection"] = connection
        command.upgrade(settings, HEAD)


def current(store: Store) -> str | None:
    """The version that the database is at; None for an empty one."""
    with store.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return version
