"""Linkages: what devices say for the search for duplicates, until it is turned, and whose word stands for what."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from server.store.devices import order_of_words
from server.store.dialect import insert_many, locked, put_all
from server.store.match_tables import match_profile, match_told
from server.store.schema import complaint, device, linkage_pending, quarantine, received

# What a word can stand for: `match_told` has a column for each.
_COMPARTMENTS: Final = ("identity", "statement", "traces")
# A device revises a complaint a few times before that is matched: more is somebody's mischief.
WAITING_MOST: Final = 16


@dataclass(frozen=True)
class Linkage:
    """What duplicates of a complaint are searched by, sealed in version `v`, as a device made it at its `seq`.

    Each answers for the compartments that its operation replaced, so that all of them count.
    """

    id: str
    complaint: str
    seq: int
    v: int
    box: str


@dataclass(frozen=True)
class Word:
    """Whose something is: the device that said it at its `seq`, its lineage, and the place among what that one said.

    `place`: the number of the device, then its counter where that tells an order.
    """

    device: str
    seq: int
    lineage: str
    place: tuple[int, int]


@dataclass(frozen=True)
class Origin:
    """Where a complaint came from: its own id, its lineage, the device and its counter."""

    client_id: str
    lineage: str
    device: str
    seq: int


@dataclass(frozen=True)
class Pending:
    """A linkage that waits: its own id on its device, the complaint that it says to speak of, and its box."""

    id: str
    complaint: str
    v: int
    box: str
    word: Word


def keep(connection: sa.Connection, by: str, lineage: str, linkage: Linkage, at: datetime) -> None:
    """Keep a linkage for the matcher, from the device `by`, about a complaint of `lineage`; never twice.

    Of what the lineage of `by` said of one complaint the last WAITING_MOST wait, whether that complaint is here or not.
    """
    row = {"device": by, "lineage": lineage, **vars(linkage), "received_at": at}
    put_all(connection, linkage_pending, [row], ["device", "id"])
    connection.execute(_THIN_OUT, {"by": by, "whose": lineage, "about": linkage.complaint})


def waiting(connection: sa.Connection, complaints: Collection[int]) -> defaultdict[int, list[Pending]]:
    """By complaint, the linkages that wait, in the order in which each lineage made its own."""
    found: defaultdict[int, list[Pending]] = defaultdict(list)
    for id, own, about, v, box, *word in connection.execute(_WAITING, {"complaints": list(complaints)}):
        found[id].append(Pending(own, about, v, box, _read_word(word)))
    return found


def unheard(connection: sa.Connection, complaint_id: int, compartment: str) -> Origin | None:
    """Where a complaint came from, locked until commit; None where its profile has a word of that compartment, where
    a linkage of it waits, and where it was not matched yet."""
    columns: Any = received.c
    told = sa.exists().where(match_told.c.complaint == complaint.c.id, match_told.c[compartment])
    pending: Any = linkage_pending.c
    waits = sa.exists().where(pending.lineage == columns.lineage, pending.complaint == columns.client_id)
    select = (
        sa.select(columns.client_id, columns.lineage, columns.device, columns.seq)
        .join(complaint, complaint.c.id == columns.id)
        .join(match_profile, match_profile.c.complaint == columns.id)
        .where(columns.id == complaint_id, ~told, ~waits)
    )
    row = connection.execute(locked(connection, select)).one_or_none()
    return None if row is None else Origin(*row)


def words(connection: sa.Connection, complaints: Collection[int]) -> defaultdict[int, dict[str, Word]]:
    """By complaint, whose word stands for each compartment of its profile."""
    found: defaultdict[int, dict[str, Word]] = defaultdict(dict)
    columns: Any = match_told.c
    told = [columns[compartment] for compartment in _COMPARTMENTS]
    select = (
        sa.select(columns.complaint, *told, *_word(columns.seq))
        .join(device, device.c.number == columns.device)
        .where(columns.complaint.in_(complaints))
    )
    for id, *row in connection.execute(select):
        word = _read_word(row[len(told) :])
        found[id].update((compartment, word) for compartment, stands in zip(_COMPARTMENTS, row, strict=False) if stands)
    return found


def keep_words(connection: sa.Connection, words: Mapping[int, Mapping[str, Word]]) -> None:
    """Note whose word stands for each compartment of these complaints, in place of what was noted."""
    remove_words(connection, words)
    told: defaultdict[tuple[int, int, int], set[str]] = defaultdict(set)
    for id, by_compartment in words.items():
        for compartment, word in by_compartment.items():
            number, _ = word.place
            told[id, number, word.seq].add(compartment)
    rows = [(*said, *(each in standing for each in _COMPARTMENTS)) for said, standing in told.items()]
    insert_many(connection, match_told, ("complaint", "device", "seq", *_COMPARTMENTS), rows)


def remove_words(connection: sa.Connection, complaints: Collection[int]) -> None:
    """Forget whose word stands for these complaints."""
    connection.execute(_FORGET, {"complaints": list(complaints)})


def let_go(connection: sa.Connection, done: Sequence[Pending]) -> None:
    """Delete linkages that were turned, or are not to be."""
    if done:
        connection.execute(_LET_GO, [{"by": each.word.device, "own": each.id} for each in done])


def drop_lost(connection: sa.Connection, before: datetime, before_if_set_aside: datetime) -> int:
    """Delete linkages that came before that and whose complaint is not here; gives how many.

    While the complaint is set aside the other date counts: it is matched once it was put right.
    """
    columns: Any = linkage_pending.c
    is_here = sa.exists().where(
        received.c.lineage == columns.lineage,
        received.c.client_id == columns.complaint,
        complaint.c.id == received.c.id,
    )
    is_set_aside = sa.exists().where(
        quarantine.c.lineage == columns.lineage,
        quarantine.c.client_id == columns.complaint,
        # What was dismissed may be taken up again.
        quarantine.c.state != "stored",
    )
    is_old = (columns.received_at < before_if_set_aside) | ((columns.received_at < before) & ~is_set_aside)
    return connection.execute(sa.delete(linkage_pending).where(~is_here, is_old)).rowcount


def _word(counter: sa.ColumnElement[int]) -> tuple[sa.ColumnElement[Any], ...]:
    return (device.c.id, counter, device.c.lineage, *order_of_words(counter))


def _read_word(row: Sequence[Any]) -> Word:
    by, seq, lineage, number, counter = row
    return Word(by, seq, lineage, (number, counter))


def _waiting() -> sa.Select[Any]:
    columns: Any = linkage_pending.c
    return (
        sa.select(received.c.id, columns.id, columns.complaint, columns.v, columns.box, *_word(columns.seq))
        .join(received, (received.c.lineage == columns.lineage) & (received.c.client_id == columns.complaint))
        .join(device, device.c.id == columns.device)
        .where(received.c.id.in_(_MANY))
        .order_by(*order_of_words(columns.seq), columns.received_at, columns.id)
    )


def _thin_out() -> sa.Delete:
    """Drop all but the last that one lineage said of one complaint."""
    columns: Any = linkage_pending.c
    sender = device.alias()
    own = sa.select(sender.c.lineage).where(sender.c.id == sa.bindparam("by")).scalar_subquery()
    order = (*order_of_words(columns.seq), columns.received_at, columns.id)
    older = (
        sa.select(columns.device, columns.id)
        .join(device, device.c.id == columns.device)
        .where(columns.lineage == sa.bindparam("whose"), columns.complaint == sa.bindparam("about"))
        .where(device.c.lineage == own)
        .order_by(*(each.desc() for each in order))
        .offset(WAITING_MOST)
    )
    return sa.delete(linkage_pending).where(sa.tuple_(columns.device, columns.id).in_(older))


# Written once, as in `duplicates`.
_MANY: Final[sa.BindParameter[Any]] = sa.bindparam("complaints", expanding=True)
_WAITING: Final = _waiting()
_FORGET: Final = sa.delete(match_told).where(match_told.c.complaint.in_(_MANY))
_LET_GO: Final = sa.delete(linkage_pending).where(
    linkage_pending.c.device == sa.bindparam("by"), linkage_pending.c.id == sa.bindparam("own")
)
_THIN_OUT: Final = _thin_out()
