"""Silences: of devices, and of the matcher, told to those who can ask what is the matter."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from server.domain.permission import Target, permit
from server.domain.places import Gazetteer
from server.store import accounts, devices, notices, state, unmatched
from server.store.accounts import Account
from server.store.devices import Device
from server.store.engine import Store

DEVICE: Final = "device_silent"
MATCHER: Final = "matcher_silent"
_MATCHED_AT: Final = "matched_at"
_MATCHER_REST: Final = timedelta(hours=1)
# How fine the matcher's sign of life is: each is a commit.
_MATCHER_SIGN: Final = timedelta(minutes=10)


def tell_devices(store: Store, places: Gazetteer | None, now: datetime, days: int, back_since: datetime | None) -> int:
    """Tell administrators, and the coordinators who cover its team and a region of what it sent, of each device that
    was silent for so many days; gives how many notices that makes. Of one silence each hears once.

    `back_since`: since when the hub answers without a break; before that nobody could reach it.
    """
    with store.read() as connection:
        silent = _silent(devices.listed(connection), now - timedelta(days=days), back_since)
        people = accounts.listed(connection)
        sent_of = devices.places_of(connection, [each.id for each in silent])
    targets = {each.id: _targets(each, sent_of[each.id], places) for each in silent}
    return sum(_tell_of(store, each, [who for who in people if _hears(who, targets[each.id])], now) for each in silent)


def note_matcher(store: Store, now: datetime) -> None:
    """Keep that the matcher is at work: it looked, and did what there was."""
    with store.read() as connection:
        last = _matched_at(connection)
    if last is None or abs(now - last) >= _MATCHER_SIGN:
        with store.write(is_synced=False) as connection:
            state.keep(connection, _MATCHED_AT, now.isoformat())


def is_matcher_silent(store: Store, now: datetime) -> bool:
    """Whether complaints wait to be compared, and nobody compared any for an hour."""
    with store.read() as connection:
        last = _matched_at(connection)
        is_at_work = last is not None and now - last < _MATCHER_REST
        return not is_at_work and unmatched.count(connection) > 0


def tell_matcher(store: Store, now: datetime) -> int:
    """Tell administrators that the matcher is silent; gives how many notices that makes. Of a day each hears once."""
    with store.write() as connection:
        people = accounts.listed(connection)
        told = [each.id for each in people if each.state == accounts.ACTIVE and each.role == "administrator"]
        return notices.tell_each(connection, told, code=MATCHER, key=f"{MATCHER}:{now:%Y-%m-%d}", at=now)


def _silent(known: Sequence[Device], before: datetime, back_since: datetime | None) -> list[Device]:
    """Devices that could have been heard of since then, and were not; nobody misses those that another one replaced."""
    replaced = {each.succeeds for each in known}
    return [
        each
        for each in known
        if each.state == "ready" and each.id not in replaced and _since(each, back_since) < before
    ]


def _since(device: Device, back_since: datetime | None) -> datetime:
    heard = device.last_sync_at or device.enrolled_at
    return heard if back_since is None else max(heard, back_since)


def _tell_of(store: Store, device: Device, people: Iterable[Account], now: datetime) -> int:
    # A device that was heard of again, and is silent again, is another silence.
    silence = f"{DEVICE}:{device.id}:{device.last_sync_at or device.enrolled_at:%Y%m%dT%H%M%S}"
    told_to = [each.id for each in people]
    with store.write() as connection:
        return notices.tell_each(connection, told_to, code=DEVICE, key=silence, at=now, device=device.id)


def _targets(device: Device, sent: Collection[str], places: Gazetteer | None) -> set[Target]:
    """A device as the complaints that it sent from these places: no device says where it is."""
    around = [None if places is None else places.region_around(each) for each in sent] or [None]
    return {Target(None if each is None else each.id, device.team, device.partner) for each in around}


def _hears(account: Account, targets: Iterable[Target]) -> bool:
    if account.state != accounts.ACTIVE:
        return False
    return account.role == "administrator" or any(permit(account.actor, "handle_case", each) for each in targets)


def _matched_at(connection: sa.Connection) -> datetime | None:
    told = state.get(connection, _MATCHED_AT)
    return None if told is None else datetime.fromisoformat(told)
