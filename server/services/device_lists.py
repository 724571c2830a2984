"""Lists of devices: all of them for who manages them; for who waits for their complaints, silences alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from client_sync.protocol import keyring
from client_sync.protocol.frames import from_text
from server.domain.desk import Desk
from server.domain.errors import NotFound
from server.domain.permission import Target, permit
from server.i18n import Catalogue
from server.store import devices, recipients
from server.store.devices import Device, Enrolment, Lineage
from server.store.engine import Store

# Days of silence after which a device is looked at first; of a longer one people are told (`silent_device_days`).
SILENT_DAYS: Final = 7
# Those that end what a device is trusted with.
_LAST_ORDERS: Final = ("revoke", "wipe")
# A clock that is off by less does no harm and is not worth a word.
_CLOCK_FINE_S: Final = 300


@dataclass(frozen=True)
class Seen:
    """A device, and for how many days it was silent where that is too long; None where it is not.

    `heard_at`: when the hub last heard of it. `is_replaced`: another one goes on with what it sent.
    """

    device: Device
    heard_at: datetime
    silent_days: int | None
    is_replaced: bool


@dataclass(frozen=True)
class Fleet:
    """All devices, those to be looked at first: silent ones, longest first, then those to confirm; and open codes."""

    devices: Sequence[Seen]
    invited: Sequence[Enrolment]


@dataclass(frozen=True)
class Given:
    """An order that a device was given: `revoke` or `wipe`. `was_there`: the device was in contact since."""

    kind: str
    at: datetime
    was_there: bool


@dataclass(frozen=True)
class Sheet:
    """One device with what stands around it: which it replaces, which replaces it, how far the hub and its lineage
    have come, and its orders. `can_be_wiped`: the keyring that stands names whose word it takes."""

    seen: Seen
    replaces: Device | None
    replaced_by: Device | None
    lineage: Lineage
    orders: Sequence[Given]
    can_be_wiped: bool


@dataclass(frozen=True)
class Silence:
    """A device by its M-number alone, and for how many days nothing was heard of it."""

    number: int
    days: int


def fleet(store: Store, desk: Desk) -> Fleet:
    """Every device and every code that can still be used. Raises NotFound where the actor manages none."""
    if not permit(desk.actor, "manage_devices"):
        raise NotFound(object="device")
    with store.read() as connection:
        known = devices.listed(connection)
        invited = devices.open_enrolments(connection, desk.now)
    return Fleet(sorted(_seen(known, desk.now), key=_rank), invited)


def sheet(store: Store, desk: Desk, id: str) -> Sheet:
    """All about one device. Raises NotFound, also where the actor manages none."""
    if not permit(desk.actor, "manage_devices"):
        raise NotFound(object=id)
    with store.read() as connection:
        known = devices.listed(connection)
        seen = next((each for each in _seen(known, desk.now) if each.device.id == id), None)
        if seen is None:
            raise NotFound(object=id)
        lineage = devices.lineage_of(connection, seen.device.lineage)
        given, published = devices.orders_given(connection, id, _LAST_ORDERS), recipients.newest(connection)
    last = seen.device.last_sync_at
    return Sheet(
        seen,
        next((each for each in known if each.id == seen.device.succeeds), None),
        next((each for each in reversed(known) if each.succeeds == id), None),
        lineage,
        [Given(kind, at, was_there=last is not None and last > at) for kind, at in given],
        published is not None and bool(keyring.read(published.document, from_text(published.root)).administrators),
    )


def silences(store: Store, desk: Desk) -> list[Silence]:
    """Devices of the actor's teams that were silent for too long, the longest first."""
    with store.read() as connection:
        known = devices.listed(connection)
    return [
        Silence(each.device.number, each.silent_days)
        for each in sorted(_seen(known, desk.now), key=_rank)
        if each.silent_days is not None
        and permit(desk.actor, "handle_case", Target(team=each.device.team, partner=each.device.partner))
    ]


def clock_words(texts: Catalogue, ahead_s: int | None) -> str:
    """How right the clock of a device is, `ahead_s` seconds ahead of the hub's; empty where nobody knows."""
    if ahead_s is None:
        return ""
    if abs(ahead_s) < _CLOCK_FINE_S:
        return texts.text("devices.clock_fine")
    key = "devices.clock_ahead" if ahead_s > 0 else "devices.clock_behind"
    return texts.text(key, minutes=abs(ahead_s) // 60)


def _seen(known: Sequence[Device], now: datetime) -> list[Seen]:
    replaced = {each.succeeds for each in known}
    found = []
    for device in known:
        heard_at = device.last_sync_at or device.enrolled_at
        silence = now - heard_at
        is_missed = device.state == "ready" and device.id not in replaced and silence > timedelta(days=SILENT_DAYS)
        found.append(Seen(device, heard_at, silence.days if is_missed else None, device.id in replaced))
    return found


def _rank(seen: Seen) -> tuple[int, int, int]:
    if seen.silent_days is not None:
        return 0, -seen.silent_days, seen.device.number
    states = ("waiting", "ready", "revoked")
    return 1 + states.index(seen.device.state), int(seen.is_replaced), seen.device.number
