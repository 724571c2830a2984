"""Packages: their series, what each had of which complaint, and summaries that may leave."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa

from server.domain.packages import Item, Number, Shape, State, Way
from server.store import state
from server.store.case_tables import casefile
from server.store.dialect import locked
from server.store.evidence_tables import cover, piece
from server.store.package_tables import package, package_item, series, summary
from server.store.schema import act, complaint, person, quarantine, received

# Of a package in one of these states its destination has what it says, or is about to.
_LEFT: Final = ("sealed", "transmitted", "received", "closed")
_LINES: Final = ("line", "named")
_PAGE: Final = 500
# In the state of the hub, before the prefix of a series.
_RESTORED: Final = "restored_"
# And before the number of a package, of what opens names that were opened elsewhere.
_NAMES: Final = "names_"
_NAMED: Final = frozenset({"complainant", "victim"})
# What is compared, and means nothing else.
Position = tuple[object, ...]


@dataclass(frozen=True)
class Series:
    """How packages go to a destination. `pin`: SHA-256 of a certificate, in hexadecimal digits, empty for any that is
    valid; `key`: an age recipient, empty where a passphrase stands for it; `key_at`: when somebody compared it."""

    destination: str
    prefix: str
    since: date
    way: Way
    address: str
    pin: str
    key: str
    key_by: str | None
    key_at: datetime | None
    at: datetime
    by: str


@dataclass(frozen=True)
class Package:
    """One package. Digests are SHA-256 in hexadecimal digits: of its choice, its manifest, that of the one before, the
    ZIP and the file; `bytes` of the file. `as_of`: what is in it is as of then."""

    id: int
    destination: str
    prefix: str
    quarter: str
    no: int
    state: State
    as_of: datetime
    prepared_by: str
    counts: Mapping[str, Any]
    choice: str
    sealed_at: datetime | None = None
    sealed_by: str | None = None
    key: str | None = None
    manifest: str | None = None
    previous: str | None = None
    zip: str | None = None
    file: str | None = None
    bytes: int | None = None
    transmitted_at: datetime | None = None
    transmitted_by: str | None = None
    answered_at: datetime | None = None
    answer_at: str | None = None
    answer_by: str | None = None
    closed_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancelled_by: str | None = None
    reason: str | None = None

    @property
    def number(self) -> Number:
        """How it is called."""
        return Number(self.prefix, self.quarter, self.no)


@dataclass(frozen=True)
class Told:
    """What a package says of one complaint, None once that was erased.

    `hashes`: by column, a keyed hash of what stands there, and by piece one of what its copy goes by; `parts`: what
    consent let it have; `number`: of the package that a line stands in, where that was asked for.
    """

    item: Item
    complaint: int | None
    hashes: Mapping[str, str]
    parts: Sequence[str]
    number: str = ""


@dataclass(frozen=True)
class Summary:
    """What a complaint is about in words that may leave; `reviewed_by` a second person, None before. `back`: why one
    sent it back to who wrote it, empty where nobody did."""

    complaint: int
    text: str = field(repr=False)
    at: datetime
    by: str
    reviewed_at: datetime | None = None
    reviewed_by: str | None = None
    back: str = ""

    @property
    def is_waiting(self) -> bool:
        """Whether a second person has to read it."""
        return self.reviewed_by is None and not self.back


@dataclass(frozen=True)
class Outline:
    """What tells at once that a complaint has no line: its kinds, its sector, and the consent that stands in it."""

    kinds: frozenset[str]
    sector: str | None
    consent_level: str


_SERIES: Final = tuple(series.c[name] for name in Series.__dataclass_fields__)
_PACKAGE: Final = tuple(package.c[name] for name in Package.__dataclass_fields__)
_SUMMARY: Final = tuple(summary.c[name] for name in Summary.__dataclass_fields__)


def add_series(connection: sa.Connection, made: Series) -> None:
    """Keep a series that is new; where the database was put back once, it may have been there before."""
    if is_restored(connection, ""):
        state.keep(connection, _RESTORED + made.prefix, "")
    connection.execute(sa.insert(series).values(**vars(made) | {"since": made.since.isoformat()}))


def change_series(connection: sa.Connection, destination: str, **values: Any) -> None:
    """Set columns of a series."""
    connection.execute(sa.update(series).where(series.c.destination == destination).values(**values))


def all_series(connection: sa.Connection) -> list[Series]:
    """Every series, by prefix."""
    return [_series(row) for row in connection.execute(sa.select(*_SERIES).order_by(series.c.prefix))]


def series_of(connection: sa.Connection, destination: str, *, is_locked: bool = False) -> Series | None:
    """The series of a destination; `is_locked`: nobody draws a number of it, or changes it, until commit."""
    select = sa.select(*_SERIES).where(series.c.destination == destination)
    row = connection.execute(locked(connection, select) if is_locked else select).one_or_none()
    return None if row is None else _series(row)


def next_no(connection: sa.Connection, destination: str, year: int) -> int:
    """The next place among the packages of a year; whoever takes it holds the series."""
    columns = package.c
    select = sa.select(sa.func.max(columns.no)).where(columns.destination == destination, columns.year == year)
    return (connection.scalar(select) or 0) + 1


def mark_restored(connection: sa.Connection) -> int:
    """The database is an older one: packages may have been made since of which it knows nothing, and series; gives how
    many series it knows."""
    known = all_series(connection)
    for prefix in ("", *(each.prefix for each in known)):
        state.keep(connection, _RESTORED + prefix, "")
    return len(known)


def is_restored(connection: sa.Connection, prefix: str) -> bool:
    """Whether nobody said yet which package of a series was the last one before the database was put back; of no
    prefix, whether it was ever put back."""
    return state.get(connection, _RESTORED + prefix) is not None


def resume(connection: sa.Connection, prefix: str) -> None:
    """Somebody said it."""
    state.drop(connection, _RESTORED + prefix)


def keep_names_key(connection: sa.Connection, number: Number, text: str) -> None:
    """Keep what opens the names of a package that come back from elsewhere, in place of an older one."""
    state.keep(connection, _NAMES + number.text, text)


def names_key(connection: sa.Connection, number: Number) -> str | None:
    """What opens the names of a package that come back from elsewhere; None where none are out."""
    return state.get(connection, _NAMES + number.text)


def drop_names_key(connection: sa.Connection, number: Number) -> None:
    """Whatever names of a package come back from elsewhere, nobody opens them any more."""
    state.drop(connection, _NAMES + number.text)


def add(connection: sa.Connection, made: Package) -> int:
    """Keep a package that is new, whatever its `id`; gives the id that it has."""
    values = {name: value for name, value in vars(made).items() if name != "id"}
    inserted = sa.insert(package).values(**values, year=made.number.year).returning(package.c.id)
    return int(connection.execute(inserted).scalar_one())


def change(connection: sa.Connection, id: int, **values: Any) -> None:
    """Set columns of a package."""
    connection.execute(sa.update(package).where(package.c.id == id).values(**values))


def find(connection: sa.Connection, number: Number, *, is_locked: bool = False) -> Package | None:
    """The package of a number."""
    columns = package.c
    select = sa.select(*_PACKAGE).where(
        columns.prefix == number.prefix, columns.quarter == number.quarter, columns.no == number.no
    )
    row = connection.execute(locked(connection, select) if is_locked else select).one_or_none()
    return None if row is None else Package(*row)


def of_digest(connection: sa.Connection, digest: str) -> Package | None:
    """The package of which this is the SHA-256, in hexadecimal digits, of its file, its ZIP or its manifest."""
    columns = package.c
    select = sa.select(*_PACKAGE).where(
        sa.or_(*(each == digest for each in (columns.file, columns.zip, columns.manifest)))
    )
    row = connection.execute(select.order_by(columns.id.desc()).limit(1)).one_or_none()
    return None if row is None else Package(*row)


def listed(connection: sa.Connection, destinations: Collection[str] | None = None) -> list[Package]:
    """The packages of these destinations, of all where None: the last first."""
    select = sa.select(*_PACKAGE).order_by(package.c.id.desc())
    if destinations is not None:
        select = select.where(package.c.destination.in_(destinations))
    return [Package(*row) for row in connection.execute(select)]


def open_one(connection: sa.Connection, destination: str) -> Package | None:
    """The package of a destination that is prepared and not sealed; there is never more than one."""
    columns = package.c
    select = sa.select(*_PACKAGE).where(columns.destination == destination, columns.state == "prepared")
    row = connection.execute(select).one_or_none()
    return None if row is None else Package(*row)


def last_sealed(connection: sa.Connection, destination: str) -> Package | None:
    """The package of a destination that was sealed last, but for cancelled ones."""
    columns = package.c
    select = sa.select(*_PACKAGE).where(columns.destination == destination, columns.state.in_(_LEFT))
    row = connection.execute(select.order_by(columns.sealed_at.desc(), columns.id.desc()).limit(1)).one_or_none()
    return None if row is None else Package(*row)


def set_items(connection: sa.Connection, id: int, told: Iterable[Told]) -> None:
    """Put these in place of what a package has, so many at a time: their hashes take more room than all their lines."""
    connection.execute(sa.delete(package_item).where(package_item.c.package == id))
    left = iter(told)
    while page := list(islice(left, _PAGE)):
        connection.execute(sa.insert(package_item), [_item(id, each) for each in page])


def items(connection: sa.Connection, id: int) -> list[Told]:
    """What a package says, by reference."""
    select = sa.select(package_item).where(package_item.c.package == id)
    return [_told(row) for row in connection.execute(select.order_by(package_item.c.ref, package_item.c.shape))]


def counts_of_items(connection: sa.Connection, ids: Collection[int]) -> dict[int, tuple[int, int]]:
    """By package, how much it says, and of how much of that its destination said something."""
    columns = package_item.c
    counts = columns.package, sa.func.count(), sa.func.count(columns.verdict)
    select = sa.select(*counts).where(columns.package.in_(ids)).group_by(columns.package)
    return {id: (items, settled) for id, items, settled in connection.execute(select)}


def of_complaints(
    connection: sa.Connection, complaints: Collection[int]
) -> list[tuple[Package, Told, datetime | None]]:
    """What packages say of complaints, and when their destinations said something of that: the first package first."""
    columns = package_item.c
    select = sa.select(package_item).where(columns.complaint.in_(complaints))
    rows = connection.execute(select.order_by(columns.package, columns.ref, columns.shape)).all()
    of = sa.select(*_PACKAGE).where(package.c.id.in_({row.package for row in rows}))
    known = {row.id: Package(*row) for row in connection.execute(of)}
    return [(known[row.package], _told(row), row.settled_at) for row in rows]


def settle(connection: sa.Connection, id: int, changed: Sequence[Item], at: datetime) -> None:
    """Keep what the destination says of items."""
    columns = package_item.c
    of = columns.package == id, columns.ref == sa.bindparam("of_ref"), columns.shape == sa.bindparam("of_shape")
    names = "verdict", "reason", "file_number", "settled_at"
    told = sa.update(package_item).where(*of).values({name: sa.bindparam(f"to_{name}") for name in names})
    rows = [
        {"of_ref": each.ref, "of_shape": each.shape}
        | {"to_verdict": each.verdict, "to_reason": each.reason}
        | {"to_file_number": each.file_number, "to_settled_at": at}
        for each in changed
    ]
    if rows:
        connection.execute(told, rows)


def standing(connection: sa.Connection, destination: str) -> dict[str, Told]:
    """By reference, the last line of each complaint that a destination has, where no later package made it void."""
    columns, of = package_item.c, package.c
    select = (
        sa.select(package_item, of.prefix, of.quarter, of.no)
        .join(package, of.id == columns.package)
        .where(of.destination == destination, of.state.in_(_LEFT))
        .order_by(of.id, columns.ref, columns.shape.desc())
    )
    found: dict[str, Told] = {}
    # Within one package `void` comes before `line`: what is sent anew stands again.
    for row in connection.execute(select):
        told = _told(row)
        if told.item.shape == "void":
            found.pop(told.item.ref, None)
        elif told.item.shape in _LINES:
            found[told.item.ref] = replace(told, number=Number(row.prefix, row.quarter, row.no).text)
        elif told.item.ref in found:
            found[told.item.ref] = _corrected(found[told.item.ref], told)
    return found


def voided(connection: sa.Connection, destination: str) -> dict[int, int]:
    """By complaint, how many lines of it a destination was told are void; of an erased one nothing is known."""
    columns, of = package_item.c, package.c
    select = (
        sa.select(columns.complaint, sa.func.count())
        .join(package, of.id == columns.package)
        .where(of.destination == destination, of.state.in_(_LEFT), columns.shape == "void")
        .where(columns.complaint.is_not(None))
        .group_by(columns.complaint)
    )
    return {row[0]: row[1] for row in connection.execute(select)}


def is_quarter_there(connection: sa.Connection, destination: str, quarter: str) -> bool:
    """Whether a destination has a package of a quarter, or is about to."""
    columns = package.c
    select = sa.select(columns.id).where(
        columns.destination == destination, columns.quarter == quarter, columns.state.in_(_LEFT)
    )
    return connection.scalar(select.limit(1)) is not None


def received_between(
    connection: sa.Connection, since: datetime, until: datetime, page_rows: int
) -> Iterator[Sequence[int]]:
    """Pages of complaints that the hub got from `since` on and before `until`, in the order of their ids."""
    after = 0
    while True:
        select = (
            sa.select(complaint.c.id)
            .join(received, received.c.id == complaint.c.id)
            .where(complaint.c.id > after, received.c.received_at >= since, received.c.received_at < until)
            .order_by(complaint.c.id)
            .limit(page_rows)
        )
        page = list(connection.scalars(select))
        if not page:
            return
        yield page
        after = page[-1]


def outlines(connection: sa.Connection, complaints: Collection[int]) -> dict[int, Outline]:
    """Complaints in outline."""
    kinds: dict[int, set[str]] = {}
    for id, kind in connection.execute(sa.select(act.c.complaint, act.c.kind).where(act.c.complaint.in_(complaints))):
        kinds.setdefault(id, set()).add(kind)
    columns = complaint.c
    select = sa.select(columns.id, columns.sector, columns.consent_level).where(columns.id.in_(complaints))
    return {row.id: Outline(frozenset(kinds.get(row.id, ())), *row[1:]) for row in connection.execute(select)}


def position(connection: sa.Connection) -> Position:
    """How far what packages go by has come: the same as long as no device spoke, no piece came or was lost, and nobody
    worked on a case, on a summary or on what is covered."""
    words = summary.c
    said = (
        sa.select(sa.func.max(received.c.id)),
        sa.select(sa.func.max(quarantine.c.id)),
        sa.select(sa.func.sum(casefile.c.revision)),
        sa.select(sa.func.count()).select_from(summary),
        sa.select(sa.func.max(words.at)),
        sa.select(sa.func.max(words.reviewed_at)),
        sa.select(sa.func.count(words.reviewed_at)),
        sa.select(sa.func.count()).select_from(summary).where(words.back != ""),
        sa.select(sa.func.count()).select_from(piece).where(piece.c.state == "here"),
        sa.select(sa.func.max(piece.c.settled_at)),
        sa.select(sa.func.max(cover.c.id)),
    )
    return tuple(connection.scalar(each) for each in said)


def count_waiting(connection: sa.Connection, before: datetime) -> int:
    """How many wait for a person: to be sealed, to be sent, or, as `overdue`, to be asked after."""
    columns = package.c
    is_here = columns.state.in_(("prepared", "sealed"))
    is_silent = (columns.state == "transmitted") & (columns.transmitted_at < before)
    return connection.scalar(sa.select(sa.func.count()).select_from(package).where(is_here | is_silent)) or 0


def overdue(connection: sa.Connection, before: datetime) -> list[Package]:
    """Packages that left before then, of which their destinations have not said a word."""
    columns = package.c
    select = sa.select(*_PACKAGE).where(columns.state == "transmitted", columns.transmitted_at < before)
    return [Package(*row) for row in connection.execute(select.order_by(columns.id))]


def people_named(connection: sa.Connection, complaints: Collection[int]) -> dict[int, frozenset[int]]:
    """By complaint, the numbers of those who complain or suffered: of nobody else a name ever leaves."""
    columns = person.c
    select = sa.select(columns.complaint, columns.no, columns.roles).where(columns.complaint.in_(complaints))
    found: dict[int, frozenset[int]] = {}
    for id, no, roles in connection.execute(select):
        if _NAMED & set(roles.split()):
            found[id] = found.get(id, frozenset()) | {no}
    return found


def summaries(connection: sa.Connection, complaints: Collection[int]) -> dict[int, Summary]:
    """By complaint, its summary; of those that have none, nothing."""
    rows = connection.execute(sa.select(*_SUMMARY).where(summary.c.complaint.in_(complaints)))
    return {row.complaint: Summary(*row) for row in rows}


def keep_summary(connection: sa.Connection, made: Summary) -> None:
    """Put a summary in place of what stands there."""
    connection.execute(sa.delete(summary).where(summary.c.complaint == made.complaint))
    connection.execute(sa.insert(summary).values(**vars(made)))


def change_summary(connection: sa.Connection, complaint_id: int, **values: Any) -> None:
    """Set columns of a summary."""
    connection.execute(sa.update(summary).where(summary.c.complaint == complaint_id).values(**values))


def forget(connection: sa.Connection, complaint_id: int) -> None:
    """Of a complaint that is erased, no word is kept; that its line is void, its destinations are told by reference."""
    connection.execute(sa.delete(summary).where(summary.c.complaint == complaint_id))
    gone: dict[str, Any] = {"complaint": None, "hashes": {}, "reason": "", "file_number": ""}
    connection.execute(sa.update(package_item).where(package_item.c.complaint == complaint_id).values(**gone))


def _item(package_id: int, each: Told) -> dict[str, Any]:
    return {
        **vars(each.item),
        "package": package_id,
        "complaint": each.complaint,
        "hashes": dict(each.hashes),
        "parts": list(each.parts),
    }


def _corrected(was: Told, told: Told) -> Told:
    """A line with what a later package said of its columns."""
    return replace(was, complaint=told.complaint, hashes={**was.hashes, **told.hashes}, parts=told.parts)


def _series(row: sa.Row[Any]) -> Series:
    return Series(**{**row._mapping, "since": date.fromisoformat(row.since)})


def _told(row: sa.Row[Any]) -> Told:
    shape: Shape = row.shape
    item = Item(row.ref, shape, row.verdict, row.reason, row.file_number)
    return Told(item, row.complaint, row.hashes, row.parts)
