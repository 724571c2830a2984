"""Preparing: a package gets its number and its choice, by itself once a quarter is over, or by a person."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

import sqlalchemy as sa

from server.domain import packages as rules
from server.domain.desk import Desk
from server.domain.errors import NotFound, PackageRefused, PeriodInvalid, trace_of
from server.domain.packages import Item, Number
from server.domain.permission import JOB
from server.domain.places import Gazetteer
from server.domain.reason import checked_reason
from server.domain.statistics import Period, quarter_text
from server.domain.verification import Quarter
from server.services.commission import serials
from server.services.commission.choosing import Choice, Keyed, choose
from server.store import accounts, audit, destinations, notices, packages
from server.store.engine import Store
from server.store.lines import Count
from server.store.packages import Package as Package
from server.store.packages import Series as Series

log = logging.getLogger(__name__)

# The notice that a package waits for a second person.
PREPARED: Final = "package_prepared"
# What is in the way of sealing, the weightiest first.
Blocker = Literal["restored", "suspended", "not_valid", "key_missing", "key_unconfirmed", "changed", "summaries"]


@dataclass(frozen=True)
class Prepared:
    """A package that is prepared, with its choice as everything stands now, and what is in the way of sealing it.

    `position`: how far devices had spoken, and people here had worked, when it was chosen.
    """

    package: Package
    series: Series
    choice: Choice
    blockers: tuple[Blocker, ...]
    unreviewed: int
    position: packages.Position


def prepare(store: Store, desk: Desk, pepper: bytes, destination: str, quarter: str) -> Package:
    """Give the next number to a package of a quarter that is over, and choose what it says; nothing leaves.

    Whoever may approve it has a notice. Raises NotFound for whoever prepares none and for a destination without a
    series, PeriodInvalid, and PackageRefused: `quarter_open` where the quarter is not over, `open` where another is
    prepared, `suspended` or `not_valid` where nothing goes to that destination now, `restored` as `serials.resume`.
    """
    serials.require(desk)
    _check_over(quarter, desk.now)
    with store.write() as connection:
        held = packages.series_of(connection, destination, is_locked=True)
        if held is None:
            raise NotFound(object=destination)
        serials.check_open(destinations.find(connection, [destination])[destination], desk.now.date())
        serials.check_resumed(connection, held)
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
        _tell_approvers(connection, made)
    return made


def prepare_anew(store: Store, desk: Desk, pepper: bytes, number: str) -> Package:
    """Choose anew what a prepared package says, under its number.

    Raises NotFound, and PackageRefused: `state`, and `suspended`, `not_valid` and `restored` as `prepare`.
    """
    serials.require(desk)
    with store.write() as connection:
        package, held = _prepared(connection, number)
        serials.check_open(destinations.find(connection, [held.destination])[held.destination], desk.now.date())
        serials.check_resumed(connection, held)
        choice = choose(
            connection, held, Keyed.of(pepper, held.destination), package.quarter, desk.places, desk.now.date()
        )
        values: dict[str, Any] = {"as_of": desk.now, "prepared_by": desk.actor.signature}
        values |= {"counts": choice.counts(), "choice": choice.digest()}
        packages.change(connection, package.id, **values)
        packages.drop_names_key(connection, package.number)
        note(connection, desk, "package_prepare", package, choice.counts())
    return replace(package, **values)


def prepare_due(store: Store, places: Gazetteer | None, pepper: bytes, now: datetime) -> int:
    """Prepare the last quarter that is over for each destination that had no package of it; gives how many.

    What a destination that is suspended, or another package that is prepared, keeps back waits for the next run. Safe
    to run again.
    """
    desk, made = Desk(JOB, places, now), 0
    for destination, quarter in _due(store, now):
        try:
            prepare(store, desk, pepper, destination, quarter)
        except PackageRefused as refused:
            # Somebody was quicker, or suspended it at this moment.
            log.warning("package_waits", extra=trace_of(refused) | {"code": str(refused.values["fault"])})
        else:
            made += 1
    return made


def is_any_due(store: Store, now: datetime) -> bool:
    """Whether a package can be prepared that no destination had yet."""
    return bool(_due(store, now))


def look(store: Store, desk: Desk, pepper: bytes, number: str) -> Prepared:
    """A prepared package as it would be sealed now. Raises NotFound, and PackageRefused (`state`) for any other."""
    serials.require(desk)
    with store.read() as connection:
        package, held = _prepared(connection, number, is_locked=False)
        keyed = Keyed.of(pepper, held.destination)
        choice = choose(connection, held, keyed, package.quarter, desk.places, desk.now.date())
        written = packages.summaries(connection, [each.complaint for each in choice.candidates])
        position = packages.position(connection)
        is_resumed = serials.is_resumed(connection, held)
    unreviewed = sum(each.is_waiting for each in written.values())
    blockers = tuple(_blockers(package, held, choice, unreviewed, desk, is_resumed=is_resumed))
    return Prepared(package, held, choice, blockers, unreviewed, position)


def stands_still(connection: sa.Connection, desk: Desk, pepper: bytes, prepared: Prepared) -> bool:
    """Whether a package says, in this transaction, what it said when it was looked at: where a device spoke since, or
    somebody worked on a case or a summary, everything is chosen anew."""
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

    Raises NotFound, ReasonMissing, and PackageRefused: `state`, and `not_last` where a later one goes by this one.
    """
    serials.require(desk)
    why = checked_reason(reason)
    with store.write() as connection:
        package = find(connection, number, is_locked=True)
        rules.check_move(package.state, "cancelled")
        last = packages.last_sealed(connection, package.destination)
        if package.state == "sealed" and last is not None and last.id != package.id:
            raise PackageRefused(fault="not_last", number=last.number.text)
        values: dict[str, Any] = {
            "state": "cancelled",
            "cancelled_at": desk.now,
            "cancelled_by": desk.actor.signature,
            "reason": why,
        }
        packages.change(connection, package.id, **values)
        packages.drop_names_key(connection, package.number)
        note(connection, desk, "package_cancel", package, {}, why)
    return replace(package, **values)


def needs_another(package: Package, desk: Desk) -> bool:
    """Whether the hub prepared a package by itself, and this person sealed it: somebody else lets it leave."""
    return package.prepared_by == JOB.signature and package.sealed_by == desk.actor.signature


def check_sender(package: Package, desk: Desk) -> None:
    """Raises PackageRefused (`same_sender`) where somebody else has to let a package leave."""
    if needs_another(package, desk):
        raise PackageRefused(fault="same_sender")


def listed(store: Store, desk: Desk) -> list[Package]:
    """Every package, the last first. Raises NotFound for whoever prepares none."""
    serials.require(desk)
    with store.read() as connection:
        return packages.listed(connection)


def count_waiting(store: Store, desk: Desk) -> Count:
    """How many packages wait for somebody: to be sealed, to be sent, or to be asked after, for no word came in time.

    Raises NotFound for whoever prepares no packages.
    """
    serials.require(desk)
    with store.read() as connection:
        return Count(packages.count_waiting(connection, desk.now - rules.ANSWER_WITHIN), is_more=False)


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


def words_on(store: Store, desk: Desk, made: Sequence[Package]) -> dict[int, tuple[int, int]]:
    """By id, how much each of these packages says, and of how much of that its destination said something; nothing of
    one that says nothing. Raises NotFound as `one`."""
    serials.require(desk)
    with store.read() as connection:
        return packages.counts_of_items(connection, [each.id for each in made])


def approvers(store: Store, desk: Desk, package: Package) -> list[str]:
    """The names of those who may approve a package which somebody else prepared. Raises NotFound as `one`."""
    serials.require(desk)
    with store.read() as connection:
        return [each.name for each in _approvers(connection, package)]


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


def _due(store: Store, now: datetime) -> list[tuple[str, str]]:
    """Destinations of which the last quarter that is over had no package, with that quarter; of those alone to which
    something goes, and to which nothing is prepared."""
    quarter = quarter_text(_before(Quarter.of(now.date())))
    begun = Period.read(quarter, quarter).until.date()
    with store.read() as connection:
        known = [each for each in packages.all_series(connection) if each.since < begun]
        there = destinations.find(connection, [each.destination for each in known])
        made = packages.listed(connection)
        stopped = {each.destination for each in known if not serials.is_resumed(connection, each)}
    stopped |= {each.destination for each in made if each.state == "prepared" or each.quarter == quarter}
    stopped |= {code for code, each in there.items() if each.suspended_at or not each.is_valid(now.date())}
    return [(each.destination, quarter) for each in known if each.destination not in stopped]


def _tell_approvers(connection: sa.Connection, made: Package) -> None:
    whom = [each.id for each in _approvers(connection, made)]
    notices.tell_each(connection, whom, code=PREPARED, key=f"{PREPARED}:{made.number.text}", at=made.as_of)


def _approvers(connection: sa.Connection, made: Package) -> list[accounts.Account]:
    known = [each for each in accounts.listed(connection) if each.state == accounts.ACTIVE]
    return [each for each in known if each.actor.signature != made.prepared_by and serials.may_approve(each.actor)]


def _blockers(
    package: Package, held: Series, choice: Choice, unreviewed: int, desk: Desk, *, is_resumed: bool
) -> list[Blocker]:
    to = choice.destination
    found: dict[Blocker, bool] = {
        "restored": not is_resumed,
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


def _before(quarter: Quarter) -> Quarter:
    return Quarter(quarter.year, quarter.number - 1) if quarter.number > 1 else Quarter(quarter.year - 1, 4)
