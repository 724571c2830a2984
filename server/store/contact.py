"""What a complaint says of reaching the person, from all that came about it, filed or set aside."""

import sqlalchemy as sa

from server.domain.contact import Spoken, Wish, wishes_in
from server.store.devices import order_of_words
from server.store.schema import act, complaint, device, lineage, quarantine, received, sequel


def wishes_of(connection: sa.Connection, complaint_id: int) -> list[Wish]:
    """For `domain.contact`, in the transaction that acts on it: the wishes of a complaint, what stands first.

    Empty where there is no such complaint.
    """
    select = (
        sa.select(
            complaint.c.contact_ok,
            complaint.c.confidentiality,
            complaint.c.consent_level,
            sa.func.coalesce(complaint.c.withdrawn, ""),
            received.c.client_id,
            received.c.lineage,
        )
        .join(received, received.c.id == complaint.c.id)
        .where(complaint.c.id == complaint_id)
    )
    row = connection.execute(select).one_or_none()
    if row is None:
        return []
    contact_ok, confidentiality, consent_level, withdrawn, client_id, own = row
    kinds = frozenset(connection.scalars(sa.select(act.c.kind).where(act.c.complaint == complaint_id)))
    standing = Wish(contact_ok, confidentiality, consent_level, withdrawn, kinds)
    return wishes_in(standing, [*filed(connection, complaint_id), *_set_aside(connection, client_id, own)])


def filed(connection: sa.Connection, complaint_id: int) -> list[Spoken]:
    """A complaint and all that is filed about it, in the order filed."""
    about = sa.select(sequel.c.received).where(sequel.c.complaint == complaint_id)
    select = (
        sa.select(received.c.lineage, *order_of_words(received.c.seq), received.c.line)
        .join(device, device.c.id == received.c.device)
        .where(received.c.id.in_(sa.union_all(sa.select(sa.literal(complaint_id)), about)))
        .order_by(received.c.id)
    )
    return [Spoken(whose, (number, seq), line) for whose, number, seq, line in connection.execute(select)]


def _set_aside(connection: sa.Connection, client_id: str, own: str) -> list[Spoken]:
    """What waits about the complaint, or under its id, from its own lineage and those of its team.

    What others sent counts for nothing: no other team may keep anybody from being reached. Nor does what is said of
    another lineage's complaint, be its id the same.
    """
    team = sa.select(lineage.c.team).where(lineage.c.id == own).scalar_subquery()
    ours = sa.select(lineage.c.id).where(sa.or_(lineage.c.id == own, lineage.c.team == team))
    columns = quarantine.c
    # A damaged line may have lost the lineage that it named, and then counts as said of its sender's.
    about = sa.and_(columns.about == client_id, columns.about_lineage.in_((own, columns.lineage)))
    again = sa.and_(columns.client_id == client_id, columns.lineage == own)
    select = (
        sa.select(columns.lineage, device.c.number, columns.payload)
        .join(device, device.c.id == columns.device)
        .where(sa.or_(about, again), columns.state == "waiting", columns.lineage.in_(ours))
        .order_by(columns.id)
    )
    return [Spoken.set_aside(whose, number, payload) for whose, number, payload in connection.execute(select)]
