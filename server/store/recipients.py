"""Recipients of what is sealed: their keys, the keyrings published, keys sealed again, and who opened what."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from server.store.dialect import among, insert_new
from server.store.schema import account, assignment, keyring, opening, received, recipient, sequel, wrap

CURRENT = "current"
OLD = "old"
REMOVED = "removed"


@dataclass(frozen=True)
class KnownKey:
    """A public key, whose it is (nobody's alone for the recovery key), and where its private part is held.

    `public` is base64url text. `slot` is the private part under the holder's passphrase, None where it is
    held offline. `old` opens what was sealed to it and nothing new is; `removed` opens nothing here.
    """

    kid: str
    account: str | None
    held: str
    public: str
    slot: bytes | None
    state: str
    made_at: datetime
    retired_at: datetime | None = None

    @property
    def is_recovery(self) -> bool:
        """Whether it is the key that stands in for a lost one."""
        return self.account is None


@dataclass(frozen=True)
class Holder:
    """Whose a recipient is: role, scopes (empty lists cover everything) and whether a named reader."""

    account: str
    name: str
    role: str
    regions: list[str]
    teams: list[str]
    partners: list[str]
    is_named_reader: bool


@dataclass(frozen=True)
class Published:
    """A signed keyring as devices get it: `document` is canonical JSON with its signature, `root` base64url text."""

    version: int
    root: str
    document: bytes
    published_at: datetime


@dataclass(frozen=True)
class Opening:
    """Who opened which compartment of a complaint, when and why."""

    account: str
    compartment: str
    reason: str
    at: datetime


_KNOWN_KEY = tuple(recipient.c[name] for name in KnownKey.__dataclass_fields__)
_HOLDER = (account.c.id, *(account.c[name] for name in list(Holder.__dataclass_fields__)[1:]))


def add(connection: sa.Connection, made: KnownKey) -> None:
    """Add a recipient."""
    connection.execute(sa.insert(recipient).values(**vars(made)))


def find(connection: sa.Connection, kid: str) -> KnownKey | None:
    """The recipient with this key id."""
    row = connection.execute(sa.select(*_KNOWN_KEY).where(recipient.c.kid == kid)).one_or_none()
    return None if row is None else KnownKey(*row)


def listed(connection: sa.Connection) -> list[KnownKey]:
    """Every recipient, oldest first."""
    return _several(connection, sa.select(*_KNOWN_KEY))


def of_account(connection: sa.Connection, account: str) -> list[KnownKey]:
    """The recipients of an account, oldest first; those removed too."""
    return _several(connection, sa.select(*_KNOWN_KEY).where(recipient.c.account == account))


def recovery(connection: sa.Connection) -> list[KnownKey]:
    """The recovery keys, oldest first."""
    return _several(connection, sa.select(*_KNOWN_KEY).where(recipient.c.account.is_(None)))


def holders(connection: sa.Connection) -> dict[str, Holder]:
    """By account, whoever has or had a recipient."""
    select = sa.select(*_HOLDER).where(account.c.id.in_(sa.select(recipient.c.account)))
    return {row[0]: Holder(*row) for row in connection.execute(select)}


def set_slot(connection: sa.Connection, kid: str, slot: bytes) -> None:
    """Put the private part under another passphrase."""
    connection.execute(sa.update(recipient).where(recipient.c.kid == kid).values(slot=slot))


def retire(connection: sa.Connection, kids: Collection[str], at: datetime) -> None:
    """Let keys open what was sealed to them, and nothing new be sealed to them."""
    columns = recipient.c
    connection.execute(
        sa.update(recipient).where(columns.kid.in_(kids), columns.state == CURRENT).values(state=OLD, retired_at=at)
    )


def remove(connection: sa.Connection, kids: Collection[str], at: datetime) -> None:
    """Take keys away from the hub: their private parts, and all that was sealed to them again."""
    connection.execute(sa.delete(wrap).where(wrap.c.kid.in_(kids)))
    connection.execute(
        sa.update(recipient)
        .where(recipient.c.kid.in_(kids), recipient.c.state != REMOVED)
        .values(state=REMOVED, slot=None, retired_at=at)
    )


def publish(connection: sa.Connection, made: Published) -> None:
    """Keep a signed keyring."""
    connection.execute(sa.insert(keyring).values(**vars(made)))


def newest(connection: sa.Connection) -> Published | None:
    """The keyring that stands; None before the first."""
    columns = tuple(keyring.c[name] for name in Published.__dataclass_fields__)
    select = sa.select(*columns).order_by(keyring.c.version.desc()).limit(1)
    row = connection.execute(select).one_or_none()
    return None if row is None else Published(*row)


def add_wraps(connection: sa.Connection, boxes: Sequence[tuple[int, str, str]], at: datetime) -> int:
    """Keep record keys sealed again: received id, key id, box. One that is there stays. Gives how many are new.

    What was erased, and a key that was removed, since the boxes were made are left out.
    """
    here = set(connection.scalars(sa.select(received.c.id).where(received.c.id.in_({id for id, _, _ in boxes}))))
    in_use = sa.select(recipient.c.kid).where(recipient.c.state != REMOVED)
    kids = set(connection.scalars(in_use.where(recipient.c.kid.in_({kid for _, kid, _ in boxes}))))
    rows = [{"received": id, "kid": kid, "box": box, "at": at} for id, kid, box in boxes if id in here and kid in kids]
    return len(insert_new(connection, wrap, rows, ["received", "kid"], wrap.c.received))


def wraps_of(connection: sa.Connection, received_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """Boxes by key id, of each received operation that has any."""
    found: dict[int, dict[str, str]] = {}
    select = sa.select(wrap.c.received, wrap.c.kid, wrap.c.box).where(wrap.c.received.in_(received_ids))
    for id, kid, box in connection.execute(select):
        found.setdefault(id, {})[kid] = box
    return found


def wrapped_for(
    connection: sa.Connection, account_id: str, after: tuple[int, str], limit: int
) -> list[tuple[int, str, int]]:
    """The next record keys that were sealed again to keys of an account: received id, key id and complaint."""
    place = sa.tuple_(wrap.c.received, wrap.c.kid)
    select = (
        sa.select(wrap.c.received, wrap.c.kid, sa.func.coalesce(sequel.c.complaint, wrap.c.received))
        .join(recipient, recipient.c.kid == wrap.c.kid)
        .join(sequel, sequel.c.received == wrap.c.received, isouter=True)
        .where(recipient.c.account == account_id, place > after)
        .order_by(wrap.c.received, wrap.c.kid)
        .limit(limit)
    )
    return [(id, kid, complaint) for id, kid, complaint in connection.execute(select)]


def drop_wraps(connection: sa.Connection, boxes: Collection[tuple[int, str]]) -> None:
    """Drop record keys that were sealed again, by received id and key id."""
    named = sa.tuple_(wrap.c.received, wrap.c.kid).in_(sorted(boxes))
    connection.execute(sa.delete(wrap).where(named))


def assign(connection: sa.Connection, complaint: int, account: str, by: str, at: datetime) -> bool:
    """Assign a complaint to an account; whether that is new."""
    row = {"complaint": complaint, "account": account, "by_account": by, "at": at}
    return bool(insert_new(connection, assignment, [row], ["complaint", "account"], assignment.c.account))


def unassign(connection: sa.Connection, account: str) -> list[int]:
    """Take all complaints from an account; gives which those were."""
    held = sa.select(assignment.c.complaint).where(assignment.c.account == account).order_by(assignment.c.complaint)
    complaints = list(connection.scalars(held))
    connection.execute(sa.delete(assignment).where(assignment.c.account == account))
    return complaints


def assigned_to(connection: sa.Connection, complaints: Collection[int]) -> dict[int, frozenset[str]]:
    """The accounts that each of several complaints is assigned to; those assigned to nobody are left out."""
    found: dict[int, set[str]] = {}
    select = sa.select(assignment.c.complaint, assignment.c.account).where(assignment.c.complaint.in_(complaints))
    for complaint, account_id in connection.execute(select):
        found.setdefault(complaint, set()).add(account_id)
    return {complaint: frozenset(accounts) for complaint, accounts in found.items()}


def note_opening(connection: sa.Connection, complaint: int, made: Opening) -> None:
    """Note who opened a compartment."""
    connection.execute(sa.insert(opening).values(complaint=complaint, **vars(made)))


def openings(connection: sa.Connection, complaint: int) -> list[Opening]:
    """Who opened what of a complaint, in order."""
    columns = tuple(opening.c[name] for name in Opening.__dataclass_fields__)
    select = sa.select(*columns).where(opening.c.complaint == complaint).order_by(opening.c.id)
    return [Opening(*row) for row in connection.execute(select)]


def openings_of(connection: sa.Connection, complaints: Collection[int], compartment: str) -> list[Opening]:
    """Who opened that compartment of any of these complaints, in order."""
    columns = tuple(opening.c[name] for name in Opening.__dataclass_fields__)
    select = sa.select(*columns).where(opening.c.complaint.in_(complaints), opening.c.compartment == compartment)
    return [Opening(*row) for row in connection.execute(select.order_by(opening.c.id))]


def among_accounts(connection: sa.Connection, accounts: Collection[str]) -> list[KnownKey]:
    """The current recipients of several accounts."""
    held_by = among(connection, recipient.c.account, accounts)
    return _several(connection, sa.select(*_KNOWN_KEY).where(held_by, recipient.c.state == CURRENT))


def _several(connection: sa.Connection, select: sa.Select[Any]) -> list[KnownKey]:
    ordered = select.order_by(recipient.c.made_at, recipient.c.kid)
    return [KnownKey(*row) for row in connection.execute(ordered)]
