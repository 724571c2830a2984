"""Looks: who has a case open, by its complaints; they last for minutes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from server.store.case_tables import look
from server.store.dialect import put
from server.store.schema import account


@dataclass(frozen=True)
class Look:
    """Somebody's look at a case: `since` the first of those that followed each other, `at` the last."""

    account: str
    name: str
    since: datetime
    at: datetime
    is_writing: bool


def of(connection: sa.Connection, complaints: Collection[int], after: datetime) -> list[Look]:
    """Who looked at one of these complaints after that moment, whoever began first before the others."""
    columns = look.c
    select = (
        sa.select(columns.account, account.c.name, columns.since, columns.at, columns.is_writing)
        .join(account, account.c.id == columns.account)
        .where(columns.complaint.in_(complaints), columns.at > after)
        .order_by(columns.since, account.c.login)
    )
    return [Look(*row) for row in connection.execute(select)]


def keep(connection: sa.Connection, complaint: int, made: Look) -> None:
    """Keep the look of an account at a complaint, in place of the one before."""
    row = {"complaint": complaint} | {name: value for name, value in vars(made).items() if name != "name"}
    put(connection, look, row, ["complaint", "account"])


def drop(connection: sa.Connection, before: datetime) -> None:
    """Drop those of which the last look is as old as that."""
    connection.execute(sa.delete(look).where(look.c.at <= before))
