"""Series: how packages go to a destination, laid down once, and the key that they are sealed to, compared by voice."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final
from urllib.parse import urlsplit

import sqlalchemy as sa

from server.domain import packages as rules
from server.domain.desk import Desk
from server.domain.errors import NotFound, PackageRefused
from server.domain.packages import Number, Way
from server.domain.permission import UNREADABLE, Action, Actor, permit
from server.domain.reason import checked_reason
from server.domain.referral import Destination
from server.services.commission.sealing import check_recipient, fingerprint
from server.store import audit, destinations, packages
from server.store.engine import Store
from server.store.packages import Package, Series

PREPARES: Final[Action] = "prepare_export"
APPROVES: Final[Action] = "approve_export"
_PIN_CHARS: Final = 64
# A destination gets a handful a year: more were mistyped.
_LOST_MOST: Final = 100
_NOTHING: Final = {"lines": 0, "named": 0, "against": {}, "voids": 0, "corrections": 0}
_HEX: Final = frozenset("0123456789abcdef")


def add(
    store: Store, desk: Desk, destination: str, prefix: str, since: date, way: Way, address: str = "", pin: str = ""
) -> Series:
    """Let packages go to a destination, under numbers that begin with a prefix, of what the hub got since that day.

    Raises NotFound for whoever prepares none and for no such destination, and PackageRefused: `prefix`, `there` where
    it has a series or the prefix is taken, `address` for one that is no address of the web, `pin`.
    """
    require(desk)
    rules.check_prefix(prefix)
    check_address(way, address, pin)
    with store.write() as connection:
        if destination not in destinations.find(connection, [destination]):
            raise NotFound(object=destination)
        known = packages.all_series(connection)
        if any(destination == each.destination or prefix == each.prefix for each in known):
            raise PackageRefused(fault="there", prefix=prefix)
        signature = desk.actor.signature
        made = Series(destination, prefix, since, way, address, pin, "", None, None, desk.now, signature)
        packages.add_series(connection, made)
        _note(connection, desk, "series_add", destination, {"prefix": prefix, "way": way})
    return made


def listed(store: Store, desk: Desk) -> list[Series]:
    """Every series. Raises NotFound for whoever prepares no packages."""
    require(desk)
    with store.read() as connection:
        return packages.all_series(connection)


def destinations_of(store: Store, desk: Desk) -> list[Destination]:
    """The destinations that have a series. Raises NotFound for whoever prepares no packages."""
    require(desk)
    with store.read() as connection:
        known = packages.all_series(connection)
        return list(destinations.find(connection, [each.destination for each in known]).values())


def fingerprint_of(series: Series) -> str:
    """The fingerprint of the key that a series has; empty where it has none."""
    return fingerprint(series.key) if series.key else ""


def set_key(store: Store, desk: Desk, destination: str, recipient: str) -> str:
    """Take in the age recipient of a destination; gives its fingerprint. Nothing is sealed to it before `confirm_key`.

    Raises NotFound, and PackageRefused (`key`) for what is none.
    """
    require(desk)
    check_recipient(recipient)
    with store.write() as connection:
        _held(connection, destination)
        packages.change_series(connection, destination, key=recipient, key_by=None, key_at=None)
        _note(connection, desk, "series_key", destination, {"fingerprint": fingerprint(recipient)})
    return fingerprint(recipient)


def confirm_key(store: Store, desk: Desk, destination: str, heard: str) -> None:
    """The fingerprint that a person of the destination read aloud is that of the key.

    Raises NotFound, and PackageRefused: `key_missing`, and `key_differs` where it is another.
    """
    require(desk)
    with store.write() as connection:
        held = _held(connection, destination)
        if not held.key:
            raise PackageRefused(fault="key_missing")
        if _digits(heard) != _digits(fingerprint(held.key)):
            raise PackageRefused(fault="key_differs")
        packages.change_series(connection, destination, key_by=desk.actor.signature, key_at=desk.now)
        _note(connection, desk, "series_key_confirmed", destination, {"fingerprint": fingerprint(held.key)})


def resume(store: Store, desk: Desk, destination: str, last: Sequence[str], reason: str) -> int:
    """After a restore, say which package of a series was the last of its year that anybody saw; gives how many numbers
    are given up.

    Those up to it that this database does not know, and one that it takes for prepared, may have left: they stay, as
    cancelled for that `reason`, and nobody draws them again. `last` is empty where no package is missing. Until this is
    said nothing is prepared or sealed for that destination. Raises NotFound, ReasonMissing, and PackageRefused:
    `not_restored`, `other_number` for one that is none of the series.
    """
    require(desk)
    why = checked_reason(reason)
    with store.write() as connection:
        held = _held(connection, destination)
        if is_resumed(connection, held):
            raise PackageRefused(fault="not_restored", destination=destination)
        lost = [each for text in last for each in _given_up(connection, held, text, desk, why)]
        packages.resume(connection, held.prefix)
        _note(connection, desk, "series_resume", destination, {"lost": [each.text for each in lost]})
    return len(lost)


def is_resumed(connection: sa.Connection, held: Series) -> bool:
    """Whether, where the database was put back, somebody said which package of a series was the last."""
    return not packages.is_restored(connection, held.prefix)


def check_resumed(connection: sa.Connection, held: Series) -> None:
    """Raises PackageRefused (`restored`)."""
    if not is_resumed(connection, held):
        raise PackageRefused(fault="restored", destination=held.destination, prefix=held.prefix)


def waiting_to_resume(store: Store, desk: Desk) -> list[Series]:
    """Series of which nobody said, after a restore, which package was the last. Raises NotFound as `listed`."""
    require(desk)
    with store.read() as connection:
        return [each for each in packages.all_series(connection) if not is_resumed(connection, each)]


def require(desk: Desk) -> None:
    """Whoever prepares packages covers everything, and is a named reader: what is in them, anybody may have sent.

    Raises NotFound.
    """
    if not permit(desk.actor, PREPARES, UNREADABLE):
        raise NotFound(object="packages")


def may_approve(actor: Actor) -> bool:
    """Whether somebody may let go what others prepared."""
    return permit(actor, APPROVES, UNREADABLE)


def check_open(to: Destination, day: date) -> None:
    """Raises PackageRefused: `suspended` or `not_valid` where nothing goes to a destination on that day."""
    if to.suspended_at is not None:
        raise PackageRefused(fault="suspended", destination=to.code)
    if not to.is_valid(day):
        raise PackageRefused(fault="not_valid", destination=to.code)


def check_address(way: Way, address: str, pin: str) -> None:
    """Raises PackageRefused: `address`, and `pin` for what is no SHA-256 in hexadecimal digits."""
    if (way == "https") != bool(address) or (address and not _is_address(address)):
        raise PackageRefused(fault="address", address=address)
    if pin and (len(pin) != _PIN_CHARS or not _HEX.issuperset(pin)):
        raise PackageRefused(fault="pin")


def _is_address(text: str) -> bool:
    """Whether packages can be sent there: https, a host, and neither a name nor a query with it."""
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme == "https" and bool(host) and "@" not in parts.netloc and not parts.query and not parts.fragment


def _held(connection: sa.Connection, destination: str) -> Series:
    held = packages.series_of(connection, destination, is_locked=True)
    if held is None:
        raise NotFound(object=destination)
    return held


def _given_up(connection: sa.Connection, held: Series, text: str, desk: Desk, why: str) -> list[Number]:
    """Give up what may have left up to a number, in its year."""
    last = Number.read(text)
    known = 0 if last is None else packages.next_no(connection, held.destination, last.year) - 1
    if last is None or last.prefix != held.prefix or last.no > known + _LOST_MOST:
        raise PackageRefused(fault="other_number", number=text, prefix=held.prefix)
    signature = desk.actor.signature
    gone: dict[str, Any] = {"cancelled_at": desk.now, "cancelled_by": signature, "reason": why}
    lost = [Number(held.prefix, last.quarter, no) for no in range(known + 1, last.no + 1)]
    for each in lost:
        made = Package(
            id=0,
            destination=held.destination,
            prefix=each.prefix,
            quarter=each.quarter,
            no=each.no,
            state="cancelled",
            as_of=desk.now,
            prepared_by=signature,
            counts=_NOTHING,
            choice="",
            **gone,
        )
        packages.add(connection, made)
    there = packages.open_one(connection, held.destination)
    if there is not None and there.number.year == last.year and there.no <= last.no:
        packages.change(connection, there.id, state="cancelled", **gone)
        packages.drop_names_key(connection, there.number)
        lost.append(there.number)
    return lost


def _digits(text: str) -> str:
    return "".join(char for char in text.lower() if char in _HEX)


def _note(connection: sa.Connection, desk: Desk, action: str, destination: str, details: Mapping[str, Any]) -> None:
    actor = desk.actor.signature
    audit.record(
        connection, at=desk.now, actor=actor, action=action, object=f"destination:{destination}", details=details
    )
