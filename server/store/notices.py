"""Notices: what an account is to hear, each thing once."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from server.store import deputies
from server.store.dialect import insert_new
from server.store.due_tables import notice


@dataclass(frozen=True)
class Notice:
    """What an account is to hear: `code` names its words. `deadline` is the kind of what is late."""

    id: str
    account: str
    code: str
    casefile: int | None
    deadline: str | None
    device: str | None
    at: datetime
    read_at: datetime | None
    key: str


_NOTICE = tuple(notice.c[name] for name in Notice.__dataclass_fields__)


def tell(
    connection: sa.Connection,
    *,
    account: str,
    code: str,
    key: str,
    at: datetime,
    casefile: int | None = None,
    deadline: str | None = None,
) -> bool:
    """Let an account hear something; False where something of that key was told before, to whomever.

    `key`: at most 120 characters that name the thing and who hears it, the same for every process that finds it.
    """
    row = {"account": account, "code": code, "key": key, "at": at, "casefile": casefile, "deadline": deadline}
    return bool(_keep(connection, [row | {"device": None}]))


def tell_each(
    connection: sa.Connection, accounts: Iterable[str], *, code: str, key: str, at: datetime, device: str | None = None
) -> int:
    """Let each of the accounts hear one thing that is of no case; gives how many of them had not heard it before.

    `key`: as in `tell`, at most 80 characters that name the thing alone.
    """
    thing = {"code": code, "at": at, "casefile": None, "deadline": None, "device": device}
    return _keep(connection, [thing | {"account": account, "key": f"{key}:{account}"} for account in accounts])


def tell_owner(
    connection: sa.Connection, owner: str | None, code: str, key: str, at: datetime, casefile: int, *, by: str = ""
) -> bool:
    """Let the owner of a case hear something of it, and who stands in for the owner that day; whether the owner did not
    hear it before. Nobody does where nobody owns it, and not the account `by` which it was done.

    `key`: as in `tell`, at most 80 characters; a deputy's is longer.
    """
    if owner is None:
        return False
    keys = {owner: key} | {id: f"{key}:{id}" for id in deputies.of_accounts(connection, [owner], at.date()).values()}
    new = {
        account: tell(connection, account=account, code=code, key=own, at=at, casefile=casefile)
        for account, own in keys.items()
        if account != by
    }
    return new.get(owner, False)


def of_account(connection: sa.Connection, account: str, limit: int, *, with_read: bool = False) -> list[Notice]:
    """At most `limit` notices of an account, the last first; `with_read`: also those it has read."""
    select = sa.select(*_NOTICE).where(notice.c.account == account)
    if not with_read:
        select = select.where(notice.c.read_at.is_(None))
    return [Notice(*row) for row in connection.execute(select.order_by(notice.c.at.desc(), notice.c.id).limit(limit))]


def read(connection: sa.Connection, account: str, ids: Collection[str], at: datetime) -> None:
    """Note that the account read those of these notices that are its own, and that it had not read before."""
    unread = (notice.c.account == account) & notice.c.id.in_(ids) & notice.c.read_at.is_(None)
    connection.execute(sa.update(notice).where(unread).values(read_at=at))


def _keep(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> int:
    """Keep those of the notices whose key is new; gives how many."""
    return len(insert_new(connection, notice, [{"id": str(uuid4())} | row for row in rows], ["key"], notice.c.id))
