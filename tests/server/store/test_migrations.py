"""Migrations: what they build is what the schema says, on both engines, and a database is brought up once."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from server.hub import Hub
from server.store import migrations
from server.store.schema import metadata


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
