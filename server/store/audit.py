"""The log: events at places without gaps, the leaves of a Merkle tree, and its signed anchors.

A transaction says what it did with `record`; `Store.write` calls `append` last. What a person typed stays beside
the leaf, which holds a commitment to it only: erasing the words leaves every leaf as it was.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from server.domain import merkle
from server.store.dialect import insert_many, insert_new
from server.store.schema import anchor, event, log_block, log_counter

# Leaves of a block. An anchor is padded to a multiple, so that its size does not count the day's events.
BLOCK: Final = 4096
# What pads: a leaf without a byte, for which there is no row.
BLANK_HASH: Final = merkle.leaf_hash(b"")
NONCE_BYTES: Final = 32
_COUNTER: Final = 1


@dataclass(frozen=True)
class Event:
    """One event; `words` and `nonce` are None when nothing was typed, or when it was erased."""

    at: datetime
    actor: str
    action: str
    object: str
    words: str | None
    nonce: bytes | None
    canonical: bytes


@dataclass(frozen=True)
class Anchored:
    """A signed head of the log: `root` is 64 hexadecimal digits, `sig` base64url."""

    size: int
    day: str
    epoch: str
    root: str
    sig: str


_COLUMNS: Final = ("place", *Event.__dataclass_fields__)
_ANCHOR: Final = tuple(anchor.c[name] for name in Anchored.__dataclass_fields__)


def record(
    connection: sa.Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    object: str,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Say what a transaction of `Store.write` does: one event each. Ids and counts only: never a name, a
    narrative or a token; `reason` alone may hold what a person typed."""
    nonce = secrets.token_bytes(NONCE_BYTES) if reason else None
    members = {
        "action": action,
        "actor": actor,
        "at": at.astimezone(UTC).isoformat(),
        "details": details or {},
        "object": object,
        "words": commitment(nonce, reason) if nonce else "",
    }
    pending(connection).append(Event(at, actor, action, object, reason or None, nonce, _canonical(members)))


def commitment(nonce: bytes, words: str) -> str:
    """What a leaf holds of words: an HMAC that says nothing of them without the nonce, which goes with them."""
    return hmac.new(nonce, words.encode(), hashlib.sha256).hexdigest()


def pending(connection: sa.Connection) -> list[Event]:
    """What the running transaction said so far."""
    events: list[Event] = connection.get_execution_options()["events"]
    return events


@contextmanager
def at_one_cost(connection: sa.Connection, *, is_told: bool) -> Iterator[None]:
    """Append what the block records, and take it back unless `is_told`: time tells nobody which it was.

    As with `append`, nothing that waits for another lock may follow in the transaction.
    """
    with connection.begin_nested() as savepoint:
        yield
        append(connection)
        if not is_told:
            savepoint.rollback()


def append(connection: sa.Connection) -> int | None:
    """Give what is pending its places; gives the size of the log, None when nothing was pending.

    On PostgreSQL the counter stays locked until the commit, so that places have no gap and come in the order of
    commits: nothing that waits for another lock may follow.
    """
    events = pending(connection)
    if not events:
        return None
    size = _grow(connection, len(events))
    first = size - len(events)
    rows = [(place, *vars(each).values()) for place, each in enumerate(events, first)]
    insert_many(connection, event, _COLUMNS, rows)
    events.clear()
    return size


def pad(connection: sa.Connection) -> int:
    """Append what is pending and fill its block with blanks; gives the size, a multiple of BLOCK."""
    size = append(connection)
    assert size is not None
    return _grow(connection, -size % BLOCK)


def _grow(connection: sa.Connection, count: int) -> int:
    grown = sa.update(log_counter).values(size=log_counter.c.size + count).returning(log_counter.c.size)
    size = connection.scalar(grown)
    if size is None:
        insert_new(connection, log_counter, [{"id": _COUNTER, "size": 0}], ["id"], log_counter.c.id)
        size = connection.scalars(grown).one()
    return int(size)


def size(connection: sa.Connection) -> int:
    """How many leaves the log has, blanks included."""
    return connection.scalar(sa.select(log_counter.c.size)) or 0


def leaf_hashes(connection: sa.Connection, block: int) -> list[bytes]:
    """Hashes of the leaves of a full block, in order; blanks stand where there is no event."""
    first = block * BLOCK
    hashes = [BLANK_HASH] * BLOCK
    select = sa.select(event.c.place, event.c.canonical).where(event.c.place >= first, event.c.place < first + BLOCK)
    for place, canonical in connection.execute(select):
        hashes[place - first] = merkle.leaf_hash(canonical)
    return hashes


def blocks_known(connection: sa.Connection) -> int:
    """How many blocks, from the first on, have a root that was kept."""
    return connection.scalar(sa.select(sa.func.count()).select_from(log_block)) or 0


def block_roots(connection: sa.Connection, count: int) -> list[bytes]:
    """Roots of the first `count` blocks."""
    select = sa.select(log_block.c.root).where(log_block.c.no < count).order_by(log_block.c.no)
    return [bytes.fromhex(root) for root in connection.scalars(select)]


def keep_block_roots(connection: sa.Connection, roots: Mapping[int, bytes]) -> None:
    """Keep roots of full blocks, by number; those that are there stay."""
    rows = [{"no": no, "root": root.hex()} for no, root in roots.items()]
    insert_new(connection, log_block, rows, ["no"], log_block.c.no)


def keep_anchor(connection: sa.Connection, made: Anchored) -> None:
    """Keep a signed head."""
    connection.execute(sa.insert(anchor).values(**vars(made)))


def newest_anchor(connection: sa.Connection) -> Anchored | None:
    """The last head that was signed."""
    row = connection.execute(sa.select(*_ANCHOR).order_by(anchor.c.size.desc()).limit(1)).one_or_none()
    return None if row is None else Anchored(*row)


def anchors(connection: sa.Connection) -> list[Anchored]:
    """Every head that was signed, in the order of their sizes."""
    return [Anchored(*row) for row in connection.execute(sa.select(*_ANCHOR).order_by(anchor.c.size))]


def is_anchored(connection: sa.Connection, day: str) -> bool:
    """Whether a day has its anchor."""
    return connection.scalar(sa.select(anchor.c.size).where(anchor.c.day == day)) is not None


def roots_at(connection: sa.Connection, sizes: Collection[int]) -> dict[int, str]:
    """Root by size of the anchors of these sizes."""
    select = sa.select(anchor.c.size, anchor.c.root).where(anchor.c.size.in_(sizes))
    return {row.size: row.root for row in connection.execute(select)}


def events(connection: sa.Connection) -> Iterator[tuple[int, Event]]:
    """Every event with its place, in order, a few thousand at a time."""
    columns = [event.c[name] for name in _COLUMNS]
    after = -1
    while rows := connection.execute(
        sa.select(*columns).where(event.c.place > after).order_by(event.c.place).limit(BLOCK)
    ).all():
        yield from ((place, Event(*rest)) for place, *rest in rows)
        after = rows[-1][0]


def leaf_at(connection: sa.Connection, place: int) -> bytes | None:
    """The leaf at a place; None for a blank, and beyond the end."""
    return connection.scalar(sa.select(event.c.canonical).where(event.c.place == place))


def erase_words(connection: sa.Connection, object: str) -> int:
    """Empty what people typed about an object; the leaves stay as they are. Gives how many had words."""
    told = sa.update(event).where(event.c.object == object, event.c.words.is_not(None))
    return connection.execute(told.values(words=None, nonce=None)).rowcount


def _canonical(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
