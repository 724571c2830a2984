"""What complaints say of reaching the person, from all that came about them, filed or set aside."""

from collections.abc import Collection

import sqlalchemy as sa

from server.domain.contact import Spoken, Wish, wishes_in
from server.store.devices import order_of_words
from server.store.schema import act, complaint, device, lineage, quarantine, received, sequel


def wishes_of(connection: sa.Connection, complaint_id: int) -> list[Wish]:
    """For `domain.contact`, in the transaction that acts on it: the wishes of a complaint, what stands first.

    Empty where there is no such complaint.
    """
    return wishes(connection, [complaint_id]).get(complaint_id, [])


def wishes(connection: sa.Connection, complaints: Collection[int]) -> dict[int, list[Wish]]:
    """`wishes_of` by complaint; those that are not here are left out."""
    columns = complaint.c
    select = sa.select(
        columns.id,
        columns.contact_ok,
        columns.confidentiality,
        columns.consent_level,
        sa.func.coalesce(columns.withdrawn, "").label("withdrawn"),
    ).where(columns.id.in_(complaints))
    kinds = _kinds(connection, complaints)
    standing = {
        row.id: Wish(row.contact_ok, row.confidentiality, row.consent_level, row.withdrawn, frozenset(kinds[row.id]))
        for row in connection.execute(select)
    }
    spoken, aside = _filed(connection, complaints), _set_aside(connection, complaints)
    return {id: wishes_in(wish, [*spoken[id], *aside[id]]) for id, wish in standing.items()}


def filed(connection: sa.Connection, complaint_id: int) -> list[Spoken]:
    """A complaint and all that is filed about it, in the order filed."""
    return _filed(connection, [complaint_id])[complaint_id]


def _kinds(connection: sa.Connection, complaints: Collection[int]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {id: set() for id in complaints}
    for id, kind in connection.execute(sa.select(act.c.complaint, act.c.kind).where(act.c.complaint.in_(complaints))):
        found[id].add(kind)
    return found


def _filed(connection: sa.Connection, complaints: Collection[int]) -> dict[int, list[Spoken]]:
    own = sa.select(complaint.c.id.label("complaint"), complaint.c.id.label("received"))
    about = sa.select(sequel.c.complaint, sequel.c.received).where(sequel.c.complaint.in_(complaints))
    lines = sa.union_all(own.where(complaint.c.id.in_(complaints)), about).subquery()
    select = (
        sa.select(lines.c.complaint, received.c.lineage, *order_of_words(received.c.seq), received.c.line)
        .join(received, received.c.id == lines.c.received)
        .join(device, device.c.id == received.c.device)
        .order_by(received.c.id)
    )
    found: dict[int, list[Spoken]] = {id: [] for id in complaints}
    for id, whose, number, seq, line in connection.execute(select):
        found[id].append(Spoken(whose, (number, seq), line))
    return found


def _set_aside(connection: sa.Connection, complaints: Collection[int]) -> dict[int, list[Spoken]]:
    """What is aside about complaints, or under their ids, from their own lineages and those of their teams; also what
    was dismissed, for that is no word of the person.

    What others sent counts for nothing: no other team may keep anybody from being reached. Nor does what is said of
    another lineage's complaint, be its id the same.
    """
    columns, heard = quarantine.c, _heard(connection, complaints)
    ids, lineages = {id for id, _ in heard}, {whose for _, whose in heard}
    select = (
        sa.select(
            columns.lineage, columns.client_id, columns.about, columns.about_lineage, device.c.number, columns.payload
        )
        .join(device, device.c.id == columns.device)
        .where(columns.lineage.in_(lineages), columns.state != "stored")
        .where(columns.about.in_(ids) | columns.client_id.in_(ids))
        .order_by(columns.id)
    )
    found: dict[int, list[Spoken]] = {id: [] for id in complaints}
    for row in connection.execute(select):
        said = Spoken.set_aside(row.lineage, row.number, row.payload)
        for name in {row.about, row.client_id}:
            for id, own in heard.get((name, row.lineage), ()):
                # A damaged line may have lost the lineage that it named, and then counts as said of its sender's.
                is_about = name == row.about and row.about_lineage in (own, row.lineage)
                if is_about or (name == row.client_id and row.lineage == own):
                    found[id].append(said)
    return found


def _heard(connection: sa.Connection, complaints: Collection[int]) -> dict[tuple[str, str], list[tuple[int, str]]]:
    """Who has a say of complaints: by the id that one has on its device and a lineage of its team, it and its own."""
    own, sender = lineage.alias("own"), lineage.alias("sender")
    select = (
        sa.select(received.c.id, received.c.client_id, received.c.lineage, sender.c.id.label("sender"))
        .join(own, own.c.id == received.c.lineage)
        .join(sender, (sender.c.id == own.c.id) | (sender.c.team == own.c.team))
        .where(received.c.id.in_(complaints))
    )
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for row in connection.execute(select):
        found.setdefault((row.client_id, row.sender), []).append((row.id, row.lineage))
    return found
