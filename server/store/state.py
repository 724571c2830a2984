"""Facts about this hub that live with its data: ids, keys, epoch."""

import sqlalchemy as sa

from server.store.dialect import insert_new, put
from server.store.schema import hub_state


def get(connection: sa.Connection, name: str) -> str | None:
    """The value kept under `name`."""
    return connection.scalar(sa.select(hub_state.c.value).where(hub_state.c.name == name))


def keep(connection: sa.Connection, name: str, value: str) -> None:
    """Keep a value under `name`, in place of an older one."""
    put(connection, hub_state, {"name": name, "value": value}, ["name"])


def keep_first(connection: sa.Connection, name: str, value: str) -> bool:
    """Keep a value under `name` unless there is one; whether there was none."""
    return bool(insert_new(connection, hub_state, [{"name": name, "value": value}], ["name"], hub_state.c.name))


def drop(connection: sa.Connection, name: str) -> bool:
    """Forget what is kept under `name`; whether there was anything."""
    return connection.execute(sa.delete(hub_state).where(hub_state.c.name == name)).rowcount == 1


def drop_all(connection: sa.Connection, beginning: str) -> int:
    """Forget what is kept under names that begin so; gives how many."""
    begins = hub_state.c.name.startswith(beginning, autoescape=True)
    return connection.execute(sa.delete(hub_state).where(begins)).rowcount
