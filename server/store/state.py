"""Facts about this hub that live with its data: ids, keys, epoch."""

import sqlalchemy as sa

from server.store.dialect import put
from server.store.schema import hub_state


def get(connection: sa.Connection, name: str) -> str | None:
    """The value kept under `name`."""
    return connection.scalar(sa.select(hub_state.c.value).where(hub_state.c.name == name))


def keep(connection: sa.Connection, name: str, value: str) -> None:
    """Keep a value under `name`, in place of an older one."""
    put(connection, hub_state, {"name": name, "value": value}, ["name"])
