"""Devices, their lineages, enrolment codes and orders."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from server.domain.allowance import Allowance
from server.store.dialect import insert_new, locked
from server.store.schema import complaint, device, enrolment, frame, hub_state, lineage, order, parcel, received


@dataclass(frozen=True)
class Device:
    """An enrolled device."""

    id: str
    lineage: str
    number: int
    label: str
    team: str | None
    partner: str | None
    state: str
    sign_key: str
    box_key: str
    succeeds: str | None
    software: str | None
    enrolled_at: datetime
    suspect_since: datetime | None
    last_sync_at: datetime | None
    last_frame: int
    rolled_back_at: datetime | None
    clock_ahead_s: int | None
    waiting: int | None
    delivered_change: int
    records_left: float
    bytes_left: float
    refilled_at: datetime
    burst_records: int | None
    burst_until: datetime | None

    @property
    def allowance(self) -> Allowance:
        """What it may still send."""
        return Allowance(self.records_left, self.bytes_left, self.refilled_at)


@dataclass(frozen=True)
class Lineage:
    """How far the hub and a lineage have come."""

    id: str
    team: str | None
    position: int
    backed_up_to: int
    changes: int


@dataclass(frozen=True)
class Enrolment:
    """A one-time code, by its hash."""

    code_hash: str
    label: str
    team: str | None
    partner: str | None
    succeeds: str | None
    expires_at: datetime
    used_by: str | None


@dataclass(frozen=True)
class Order:
    """A signed order for a device."""

    no: int
    kind: str
    body: dict[str, Any]
    sig: str


# The state of the one device that nobody carries: under it stands what people write down at the hub itself.
COUNTER: Final = "counter"
_DEVICE = tuple(device.c[name] for name in Device.__dataclass_fields__)
_LINEAGE = tuple(lineage.c[name] for name in Lineage.__dataclass_fields__)
_ENROLMENT = tuple(enrolment.c[name] for name in Enrolment.__dataclass_fields__)


def by_token(connection: sa.Connection, token_hash: str) -> Device | None:
    """The device with this token."""
    return _one(connection, device.c.token_hash == token_hash)


def find(connection: sa.Connection, id: str) -> Device | None:
    """The device with this id."""
    return _one(connection, device.c.id == id)


def called(connection: sa.Connection, name: str) -> Device | None:
    """The device called so: by its id, its number (`M-14` or `14`), or its label, the newest that has it."""
    return next(iter(all_called(connection, name)), None)


def all_called(connection: sa.Connection, name: str) -> list[Device]:
    """Every device called so, the newest first: a team may have given a label that another has."""
    wanted = name.removeprefix("M-")
    known = reversed(listed(connection))
    return [each for each in known if name in (each.id, each.label) or wanted == str(each.number)]


def labels_of(connection: sa.Connection, lineages: Collection[str]) -> dict[str, str]:
    """By lineage, the label of its newest device."""
    select = sa.select(device.c.lineage, device.c.label).where(device.c.lineage.in_(lineages)).order_by(device.c.number)
    return {row.lineage: row.label for row in connection.execute(select)}


def several(connection: sa.Connection, ids: Collection[str]) -> dict[str, Device]:
    """Devices by their ids; those that are not known are left out."""
    select = sa.select(*_DEVICE).where(device.c.id.in_(ids))
    return {row.id: Device(*row) for row in connection.execute(select)}


def listed(connection: sa.Connection) -> list[Device]:
    """Every device that somebody carries, in the order of enrolment."""
    carried = sa.select(*_DEVICE).where(device.c.state != COUNTER)
    return [Device(*row) for row in connection.execute(carried.order_by(device.c.number))]


def counter(connection: sa.Connection) -> Device | None:
    """The counter of the hub; None before anything was written down there."""
    return _one(connection, device.c.state == COUNTER)


def places_of(connection: sa.Connection, ids: Collection[str]) -> dict[str, set[str]]:
    """By device, the places of the complaints that it sent."""
    select = (
        sa.select(received.c.device, complaint.c.place_id)
        .join(complaint, complaint.c.id == received.c.id)
        .where(received.c.device.in_(ids), complaint.c.place_id.is_not(None))
        .distinct()
    )
    found: dict[str, set[str]] = {id: set() for id in ids}
    for id, place in connection.execute(select):
        found[id].add(place)
    return found


def add(connection: sa.Connection, values: Mapping[str, Any]) -> int:
    """Add a device under the next number; gives the number."""
    lock_registry(connection)
    number = (connection.scalar(sa.select(sa.func.max(device.c.number))) or 0) + 1
    connection.execute(sa.insert(device).values(**values, number=number))
    return number


def order_of_words(counter: sa.ColumnElement[int]) -> tuple[sa.ColumnElement[int], sa.ColumnElement[int]]:
    """The place of something among what its lineage wrote, by the counter of its device, which is joined.

    The counter of a device that was put back from an old copy tells no order: there only arrival does.
    """
    return device.c.number, sa.case((device.c.rolled_back_at.is_(None), counter), else_=0)


def lock_registry(connection: sa.Connection) -> None:
    """One enrolment or keyring at a time: two devices would draw one number, or a device miss a keyring."""
    connection.execute(locked(connection, sa.select(hub_state.c.name).where(hub_state.c.name == "hub")))


def update(connection: sa.Connection, id: str, **values: Any) -> None:
    """Set columns of a device."""
    connection.execute(sa.update(device).where(device.c.id == id).values(**values))


def add_lineage(connection: sa.Connection, id: str, team: str | None) -> None:
    """Start a lineage."""
    connection.execute(sa.insert(lineage).values(id=id, team=team))


def lock_lineage(connection: sa.Connection, id: str) -> Lineage:
    """The lineage, locked until commit: its operations are taken one body at a time."""
    select = locked(connection, sa.select(*_LINEAGE).where(lineage.c.id == id))
    return Lineage(*connection.execute(select).one())


def lineage_of(connection: sa.Connection, id: str) -> Lineage:
    """The lineage as it stands."""
    return Lineage(*connection.execute(sa.select(*_LINEAGE).where(lineage.c.id == id)).one())


def team_of(connection: sa.Connection, lineage_id: str) -> str | None:
    """The team of a lineage; None where it has none, and where the hub has no such lineage."""
    return connection.scalar(sa.select(lineage.c.team).where(lineage.c.id == lineage_id))


def advance(connection: sa.Connection, id: str, position: int) -> None:
    """Note how many frames of the lineage were read."""
    connection.execute(sa.update(lineage).where(lineage.c.id == id).values(position=position))


def set_backed_up(connection: sa.Connection, backed_up: Mapping[str, int]) -> None:
    """Note the positions that a verified backup covers; never back."""
    for id, position in backed_up.items():
        connection.execute(
            sa.update(lineage)
            .where(lineage.c.id == id, lineage.c.backed_up_to < position)
            .values(backed_up_to=position)
        )


def add_enrolment(connection: sa.Connection, values: Mapping[str, Any]) -> None:
    """Keep a one-time code, by its hash."""
    connection.execute(sa.insert(enrolment).values(**values))


def enrolment_of(connection: sa.Connection, code_hash: str) -> Enrolment | None:
    """The one-time code as it stands."""
    return _enrolment(connection, _by_code(code_hash))


def take_enrolment(connection: sa.Connection, code_hash: str) -> Enrolment | None:
    """The one-time code, locked so that one device alone uses it."""
    return _enrolment(connection, locked(connection, _by_code(code_hash)))


def open_enrolments(connection: sa.Connection, now: datetime) -> list[Enrolment]:
    """The one-time codes that can still be used, the first to run out first."""
    columns = enrolment.c
    select = sa.select(*_ENROLMENT).where(columns.used_by.is_(None), columns.expires_at >= now)
    return [Enrolment(*row) for row in connection.execute(select.order_by(columns.expires_at, columns.code_hash))]


def _by_code(code_hash: str) -> sa.Select[Any]:
    return sa.select(*_ENROLMENT).where(enrolment.c.code_hash == code_hash)


def _enrolment(connection: sa.Connection, select: sa.Select[Any]) -> Enrolment | None:
    row = connection.execute(select).one_or_none()
    return None if row is None else Enrolment(*row)


def use_enrolment(connection: sa.Connection, code_hash: str, device_id: str) -> None:
    """Mark a one-time code as used."""
    connection.execute(sa.update(enrolment).where(enrolment.c.code_hash == code_hash).values(used_by=device_id))


def drop_enrolment(connection: sa.Connection, code_hash: str) -> bool:
    """Forget a one-time code that no device used; whether there was one."""
    unused = sa.delete(enrolment).where(enrolment.c.code_hash == code_hash, enrolment.c.used_by.is_(None))
    return connection.execute(unused).rowcount == 1


def drop_expired_enrolments(connection: sa.Connection, before: datetime) -> int:
    """Forget codes that ran out before `before`; gives how many."""
    return connection.execute(sa.delete(enrolment).where(enrolment.c.expires_at < before)).rowcount


def frame_reports(
    connection: sa.Connection, lineage_id: str, asked: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], dict[str, Any]]:
    """The reports given for frames, by number and mark."""
    select = sa.select(frame.c.number, frame.c.mark, frame.c.report).where(
        frame.c.lineage == lineage_id, frame.c.number.in_({number for number, _ in asked})
    )
    return {(number, mark): report for number, mark, report in connection.execute(select)}


def frames_numbered(
    connection: sa.Connection, lineage_id: str, device_id: str, numbers: list[int]
) -> dict[int, set[str]]:
    """Marks by number of the frames that a device sent under these numbers."""
    select = sa.select(frame.c.number, frame.c.mark).where(
        frame.c.lineage == lineage_id, frame.c.device == device_id, frame.c.number.in_(numbers)
    )
    found: dict[int, set[str]] = {}
    for number, mark in connection.execute(select):
        found.setdefault(number, set()).add(mark)
    return found


def keep_frames(connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
    """Keep the reports of frames; one that came before keeps its first."""
    insert_new(connection, frame, rows, ["lineage", "number", "mark"], frame.c.number)


def forget_frames(connection: sa.Connection, before: datetime) -> int:
    """Drop reports that no device asks for any more; the operations stay. Gives how many."""
    return connection.execute(sa.delete(frame).where(frame.c.received_at < before)).rowcount


def add_orders(connection: sa.Connection, orders: Sequence[tuple[str, Order]], at: datetime) -> None:
    """Keep signed orders, each with the id of its device."""
    rows = [
        {"device": id, "no": made.no, "kind": made.kind, "body": made.body, "sig": made.sig, "at": at}
        for id, made in orders
    ]
    if rows:
        connection.execute(sa.insert(order), rows)


def last_orders(connection: sa.Connection, device_ids: Collection[str]) -> dict[str, int]:
    """The number of the last order of each device that ever got one."""
    select = sa.select(order.c.device, sa.func.max(order.c.no).label("last")).where(order.c.device.in_(device_ids))
    rows = connection.execute(select.group_by(order.c.device))
    return {row.device: row.last for row in rows}


def drop_orders(connection: sa.Connection, kind: str) -> None:
    """Forget orders that a newer one of this kind replaces."""
    connection.execute(sa.delete(order).where(order.c.kind == kind))


def orders_given(connection: sa.Connection, device_id: str, kinds: Collection[str]) -> list[tuple[str, datetime]]:
    """The orders of these kinds that a device was given, each with its moment, the last first."""
    select = sa.select(order.c.kind, order.c.at).where(order.c.device == device_id, order.c.kind.in_(kinds))
    return [(row.kind, row.at) for row in connection.execute(select.order_by(order.c.no.desc()))]


def orders_of(connection: sa.Connection, device_id: str, after: int) -> list[Order]:
    """Orders for a device with a number above `after`, oldest first."""
    columns = order.c
    select = sa.select(columns.no, columns.kind, columns.body, columns.sig)
    wanted = select.where(columns.device == device_id, columns.no > after).order_by(columns.no)
    return [Order(*row) for row in connection.execute(wanted)]


def note_parcel(connection: sa.Connection, device_id: str, number: int, carried_by: str, at: datetime) -> None:
    """Note that a parcel arrived; a second arrival changes nothing."""
    row = {"device": device_id, "number": number, "carried_by": carried_by, "received_at": at}
    insert_new(connection, parcel, [row], ["device", "number"], parcel.c.number)


def parcels_of(connection: sa.Connection, device_id: str) -> list[int]:
    """Numbers of the parcels of a device that arrived."""
    select = sa.select(parcel.c.number).where(parcel.c.device == device_id)
    return list(connection.scalars(select.order_by(parcel.c.number)))


def _one(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> Device | None:
    row = connection.execute(sa.select(*_DEVICE).where(condition)).one_or_none()
    return None if row is None else Device(*row)
