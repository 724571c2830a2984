"""Lists of devices: all of them for who manages them; for who waits for their complaints, silences alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from server.domain.desk import Desk
from server.domain.errors import NotFound
from server.domain.permission import Target, permit
from server.i18n import Catalogue
from server.store import devices
from server.store.devices import Device, Enrolment
from server.store.engine import Store

# Days of silence after which a device is looked at first; of a longer one people are told (`silent_device_days`).
SILENT_DAYS: Final = 7
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
