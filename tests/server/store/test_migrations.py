"""Migrations: what they build is what the schema says, on both engines, and a database is brought up once."""

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from client_sync.protocol.uploads import upload_id
from server.hub import Hub
from server.store import migrations
from server.store.evidence_tables import piece
from server.store.schema import metadata
from tests.builders import complaint, enrolled


def test_migrations_build_the_schema(hub: Hub) -> None:
    options = {"compare_type": False, "include_object": _is_of_the_schema}
    with hub.store.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    assert differences == []


def test_checks_stand_in_the_database(hub: Hub) -> None:
    with hub.store.read() as connection:
        built = {table: _checks(connection, table) for table in metadata.tables}
    assert built == {name: _declared(table) for name, table in metadata.tables.items()}


def test_database_that_is_up_to_date_is_left_alone(hub: Hub) -> None:
    migrations.upgrade(hub.store)
    assert migrations.current(hub.store) == migrations.HEAD


def _is_of_the_schema(_: object, name: str | None, *__: object) -> bool:
    """The index of words is each engine's own: tables of FTS5, or one over an expression."""
    return name != "ix_search_text_words" and not str(name).startswith("search_text_fts")


def _checks(connection: sa.Connection, table: str) -> set[str | None]:
    return {check["name"] for check in sa.inspect(connection).get_check_constraints(table)}


def _declared(table: sa.Table) -> set[str | None]:
    checks = (each for each in table.constraints if isinstance(each, sa.CheckConstraint))
    return {str(each.name) for each in checks}


def test_files_that_were_declared_before_are_awaited(own_hub: Hub) -> None:
    """Down to when a file was no more than a word, and up again; of a hash that stands twice, the first."""
    device = enrolled(own_hub, "Gao 1")
    files = [{"sha256": "a" * 64, "size": 12, "kind": "photo", "role": "evidence"}]
    device.send(complaint("a", files=files))
    select = sa.select(*(piece.c[name] for name in ("device", "upload", "no", "sha256", "size", "kind", "state")))
    with own_hub.store.read() as connection:
        before = connection.execute(select).all()
    _go_to(own_hub, "0005", command.downgrade)
    with own_hub.store.write() as connection:
        connection.execute(sa.text("INSERT INTO file SELECT complaint, 7, sha256, size, kind, role FROM file"))

    _go_to(own_hub, migrations.HEAD, command.upgrade)

    with own_hub.store.read() as connection:
        assert connection.execute(select).all() == before
    assert [tuple(row) for row in before] == [
        (device.device, upload_id(device.device, "a" * 64), 1, "a" * 64, 12, "photo", "awaited")
    ]


def _go_to(hub: Hub, version: str, way: Callable[[Config, str], None]) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with hub.store.write() as connection:
        config.attributes["connection"] = connection
        way(config, version)
