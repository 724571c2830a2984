"""Preparing: a package gets its number and its choice, by itself once a quarter is over, or by a person."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from server.domain import packages as rules
from server.domain.desk import Desk
from server.domain.errors import NotFound, PackageRefused, PeriodInvalid
from server.domain.packages import Item, Number
from server.domain.permission import JOB
from server.domain.places import Gazetteer
from server.domain.reason import checked_reason
from server.domain.referral import Destination
from server.domain.statistics import Period, quarter_text
from server.domain.verification import Quarter
from server.services.commission import serials
from server.services.commission.choosing import Choice, Keyed, choose
from server.store import audit, destinations, packages
from server.store.engine import Store
from server.store.packages import Package as Package
from server.store.packages import Series as Series

# What is in the way of sealing, the weightiest first.
Blocker = Literal["suspended", "not_valid", "key_missing", "key_unconfirmed", "changed", "summaries"]


@dataclass(frozen=True)
class Prepared:
    """A package that is prepared, with its choice as everything stands now, and what is in the way of sealing it.

    `position`: how far devices had spoken when it was chosen.
    """

    package: Package
    series: Series
    choice: Choice
    blockers: tuple[Blocker, ...]
    unreviewed: int
    position: tuple[int, int]


def prepare(store: Store, desk: Desk, pepper: bytes, destination: str, quarter: str) -> Package:
    """Give the next number to a package of a quarter that is over, and choose what it says; nothing leaves.

    Raises NotFound for whoever prepares none and for a destination without a series, PeriodInvalid, and
    PackageRefused: `quarter_open` where the quarter is not over, `open` where another is prepared, `suspended` or
    `not_valid` where nothing goes to that destination now.
    """
    serials.require(desk)
    _check_over(quarter, desk.now)
    with store.write() as connection:
        held = packages.series_of(connection, destination, is_locked=True)
        if held is None:
            raise NotFound(object=destination)
        _check_open(destinations.find(connection, [destination])[destination], desk)
        if packages.open_one(connection, destination) is not None:
            raise PackageRefused(fault="open", destination=destination)
        choice = choose(connection, held, Keyed.of(pepper, destination), quarter, desk.places, desk.now.date())
        number = Number(held.prefix, quarter, packages.next_no(connection, destination, int(quarter[:4])))
        made = Package(
            id=0,
            destination=destination,
            prefix=number.prefix,
            quarter=number.quarter,
            no=number.no,
            state="prepared",
            as_of=desk.now,
            prepared_by=desk.actor.signature,
            counts=choice.counts(),
            choice=choice.digest(),
        )
        made = replace(made, id=packages.add(connection, made))
        note(connection, desk, "package_prepare", made, choice.counts())
    return made


def prepare_anew(store: Store, desk: Desk, pepper: bytes, number: str) -> Package:
    """Choose anew what a prepared package says, under its number. Raises NotFound, and PackageRefused (`state`)."""
    serials.require(desk)
    with store.write() as connection:
        package, held = _prepared(connection, number)
        choice = choose(
            connection, held, Keyed.of(pepper, held.destination), package.quarter, desk.places, desk.now.date()
        )
        values: dict[str, Any] = {"as_of": desk.now, "prepared_by": desk.actor.signature}
        values |= {"counts": choice.counts(), "choice": choice.digest()}
        packages.change(connection, package.id, **values)
        note(connection, desk, "package_prepare", package, choice.counts())
    return replace(package, **values)


def prepare_due(store: Store, places: Gazetteer | None, pepper: bytes, now: datetime) -> int:
    """Prepare the last quarter that is over for each destination that had no package of it; gives how many.

    What a destination that is suspended, or another package that is prepared, keeps back waits for the next run.
    """
    desk, quarter = Desk(JOB, places, now), quarter_text(_before(Quarter.of(now.date())))
    with store.read() as connection:
        known = packages.all_series(connection)
        had = {(each.destination, each.quarter) for each in packages.listed(connection)}
    begun = Period.read(quarter, quarter).until.date()
    due = [each for each in known if (each.destination, quarter) not in had and each.since < begun]
    made = 0
    for each in due:
        try:
            prepare(store, desk, pepper, each.destination, quarter)
        except PackageRefused:
            continue
        made += 1
    return made


def look(store: Store, desk: Desk, pepper: bytes, number: str) -> Prepared:
    """A prepared package as it would be sealed now. Raises NotFound, and PackageRefused (`state`) for any other."""
    serials.require(desk)
    with store.read() as connection:
        package, held = _prepared(connection, number, is_locked=False)
        keyed = Keyed.of(pepper, held.destination)
        choice = choose(connection, held, keyed, package.quarter, desk.places, desk.now.date())
        written = packages.summaries(connection, [each.complaint for each in choice.candidates])
        position = packages.position(connection)
    unreviewed = sum(each.reviewed_by is None for each in written.values())
    blockers = tuple(_blockers(package, held, choice, unreviewed, desk))
    return Prepared(package, held, choice, blockers, unreviewed, position)


def stands_still(connection: sa.Connection, desk: Desk, pepper: bytes, prepared: Prepared) -> bool:
    """Whether a package says, in this transaction, what it said when it was looked at: where a device spoke since,
    everything is chosen anew."""
    held = packages.series_of(connection, prepared.series.destination)
    to = destinations.find(connection, [prepared.series.destination])[prepared.series.destination]
    if held != prepared.series or to != prepared.choice.destination:
        return False
    if packages.position(connection) == prepared.position:
        return True
    keyed, quarter = Keyed.of(pepper, to.code), prepared.package.quarter
    again = choose(connection, held, keyed, quarter, desk.places, desk.now.date())
    return again.digest() == prepared.choice.digest()


def cancel(store: Store, desk: Desk, number: str, reason: str) -> Package:
    """A package that did not leave is not sent; it keeps its number, with the reason.

    Raises NotFound, ReasonMissing, and PackageRefused (`state`).
    """
    serials.require(desk)
    why = checked_reason(reason)
    with store.write() as connection:
        package = find(connection, number, is_locked=True)
        rules.check_move(package.state, "cancelled")
        values: dict[str, Any] = {
            "state": "cancelled",
            "cancelled_at": desk.now,
            "cancelled_by": desk.actor.signature,
            "reason": why,
        }
        packages.change(connection, package.id, **values)
        note(connection, desk, "package_cancel", package, {}, why)
    return replace(package, **values)


def listed(store: Store, desk: Desk) -> list[Package]:
    """Every package, the last first; to the destination itself, its own.

    Raises NotFound for whoever neither prepares packages nor gets them.
    """
    serials.require(desk)
    with store.read() as connection:
        return packages.listed(connection)


def one(store: Store, desk: Desk, number: str) -> Package:
    """The package of a number. Raises NotFound, also for whoever prepares none."""
    serials.require(desk)
    with store.read() as connection:
        return find(connection, number)


def items_of(store: Store, desk: Desk, package: Package) -> list[Item]:
    """What a package says of which reference, and what its destination said of that. Raises NotFound as `one`."""
    serials.require(desk)
    with store.read() as connection:
        return [each.item for each in packages.items(connection, package.id)]


def find(connection: sa.Connection, number: str, *, is_locked: bool = False) -> Package:
    """The package of a number that somebody typed. Raises NotFound."""
    read = Number.read(number)
    found = None if read is None else packages.find(connection, read, is_locked=is_locked)
    if found is None:
        raise NotFound(object=number)
    return found


def note(
    connection: sa.Connection, desk: Desk, action: str, package: Package, details: Mapping[str, Any], reason: str = ""
) -> None:
    """Let the log say what was done with a package."""
    audit.record(
        connection,
        at=desk.now,
        actor=desk.actor.signature,
        action=action,
        object=f"package:{package.number.text}",
        reason=reason,
        details=details,
    )


def _blockers(package: Package, held: Series, choice: Choice, unreviewed: int, desk: Desk) -> list[Blocker]:
    to = choice.destination
    found: dict[Blocker, bool] = {
        "suspended": to.suspended_at is not None,
        "not_valid": not to.is_valid(desk.now.date()),
        "key_missing": not held.key,
        "key_unconfirmed": bool(held.key) and held.key_at is None,
        "changed": choice.digest() != package.choice,
        "summaries": unreviewed > 0,
    }
    return [name for name, is_there in found.items() if is_there]


def _prepared(connection: sa.Connection, number: str, *, is_locked: bool = True) -> tuple[Package, Series]:
    package = find(connection, number, is_locked=is_locked)
    rules.check_move(package.state, "sealed")
    held = packages.series_of(connection, package.destination)
    if held is None:
        raise NotFound(object=number)
    return package, held


def _check_over(quarter: str, now: datetime) -> None:
    period = Period.read(quarter, quarter)
    if period.quarter is None:
        raise PeriodInvalid(text=quarter)
    if now < period.until:
        raise PackageRefused(fault="quarter_open", quarter=quarter)


def _check_open(to: Destination, desk: Desk) -> None:
    if to.suspended_at is not None:
        raise PackageRefused(fault="suspended", destination=to.code)
    if not to.is_valid(desk.now.date()):
        raise PackageRefused(fault="not_valid", destination=to.code)


def _before(quarter: Quarter) -> Quarter:
    return Quarter(quarter.year, quarter.number - 1) if quarter.number > 1 else Quarter(quarter.year - 1, 4)
