"""Summaries: few words on a complaint that may leave without a name, written by one person and read by another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.errors import NotFound, PackageRefused
from server.domain.permission import Action, permit, signature_of
from server.domain.reason import checked_reason
from server.services.commission import serials
from server.store import accounts, audit, cases, notices, packages, registry, sealed
from server.store.engine import Store
from server.store.packages import Summary

MAX_CHARS: Final = 600
# The notice that a summary came back to who wrote it.
BACK: Final = "summary_back"
_HANDLES: Final[Action] = "handle_case"


@dataclass(frozen=True)
class Written:
    """A summary by the registry number of its complaint; `is_own`: the actor wrote it, and so does not review it.
    `back`: why somebody sent it back, empty where nobody did; `by`: the name of who wrote it."""

    number: str
    text: str = field(repr=False)
    at: datetime
    is_reviewed: bool
    is_own: bool
    back: str = ""
    by: str = ""


def write(store: Store, desk: Desk, number: str, text: str) -> None:
    """Put a summary of a complaint in the place of what stands there; it waits for a second person.

    It says no name, no telephone and no place nearer than a cercle: whoever writes it sees to that, and whoever
    reviews it. Raises NotFound where the actor does not handle the complaint, and PackageRefused (`summary`) for one
    that is empty or longer than MAX_CHARS.
    """
    said = " ".join(text.split())
    if not said or len(said) > MAX_CHARS or not said.isprintable():
        raise PackageRefused(fault="summary", most=MAX_CHARS)
    with store.write() as connection:
        complaint = _handled(connection, desk, number)
        signature = desk.actor.signature
        packages.keep_summary(connection, Summary(complaint, said, desk.now, signature))
        _note(connection, desk, "summary_write", complaint)


def review(store: Store, desk: Desk, number: str, seen: datetime) -> None:
    """A second person has read the summary that was written at that moment: it may leave.

    Raises NotFound, and PackageRefused: `summary_anew` where it was written anew since, `same_writer`.
    """
    with store.write() as connection:
        found = _seen(connection, desk, number, seen)
        values = {"reviewed_by": desk.actor.signature, "reviewed_at": desk.now, "back": ""}
        packages.change_summary(connection, found.complaint, **values)
        _note(connection, desk, "summary_review", found.complaint)


def send_back(store: Store, desk: Desk, number: str, seen: datetime, reason: str) -> None:
    """A second person has read the summary that was written at that moment: it does not leave like that.

    Who wrote it hears of it, once. The line of the complaint leaves without a summary, until one was written anew and
    read. Raises as `review`, and ReasonMissing.
    """
    why = checked_reason(reason)
    with store.write() as connection:
        found = _seen(connection, desk, number, seen)
        packages.change_summary(connection, found.complaint, reviewed_by=None, reviewed_at=None, back=why)
        _note(connection, desk, "summary_back", found.complaint)
        writer, _ = _writer(found, accounts.names(connection))
        case = cases.holding(connection, [found.complaint]).get(found.complaint)
        if writer and case is not None:
            key = f"{BACK}:{found.complaint}:{found.at.isoformat()}"
            notices.tell(connection, account=writer, code=BACK, key=key, at=desk.now, casefile=case)


def of(store: Store, desk: Desk, number: str) -> Written | None:
    """The summary of a complaint, if it has one. Raises NotFound where the actor does not handle it."""
    with store.read() as connection:
        complaint = _handled(connection, desk, number)
        found = packages.summaries(connection, [complaint]).get(complaint)
        names = accounts.names(connection) if found else {}
    return None if found is None else _written(found, number, desk, names)


def unreviewed(store: Store, desk: Desk, complaints: Sequence[int]) -> list[Written]:
    """Those of these complaints whose summaries wait for a second person, the first written first.

    Raises NotFound for whoever prepares no packages.
    """
    serials.require(desk)
    with store.read() as connection:
        found = packages.summaries(connection, complaints)
        numbers, names = registry.numbers_of(connection, list(found)), accounts.names(connection)
    waiting = sorted((each for each in found.values() if each.is_waiting), key=lambda each: (each.at, each.complaint))
    return [_written(each, numbers[each.complaint], desk, names) for each in waiting]


def _handled(connection: sa.Connection, desk: Desk, number: str) -> int:
    complaint = registry.complaint_numbered(connection, number)
    if complaint is None:
        raise NotFound(object=number)
    standing = sealed.standings(connection, [complaint]).get(complaint)
    if standing is None or not permit(desk.actor, _HANDLES, standing.target(desk.places)):
        raise NotFound(object=number)
    return complaint


def _seen(connection: sa.Connection, desk: Desk, number: str, seen: datetime) -> Summary:
    """The summary of a complaint as a second person saw it. Raises as `review`."""
    complaint = _handled(connection, desk, number)
    found = packages.summaries(connection, [complaint]).get(complaint)
    if found is None:
        raise NotFound(object=number)
    if found.at != seen:
        raise PackageRefused(fault="summary_anew", number=number)
    if found.by == desk.actor.signature:
        raise PackageRefused(fault="same_writer")
    return found


def _written(found: Summary, number: str, desk: Desk, names: Mapping[str, str]) -> Written:
    is_reviewed, is_own = found.reviewed_by is not None, found.by == desk.actor.signature
    return Written(number, found.text, found.at, is_reviewed, is_own, found.back, _writer(found, names)[1])


def _writer(found: Summary, names: Mapping[str, str]) -> tuple[str, str]:
    """The id and the name of who wrote a summary, by `names` of accounts; empty for nobody of them."""
    return next(((id, name) for id, name in names.items() if signature_of(id) == found.by), ("", ""))


def _note(connection: sa.Connection, desk: Desk, action: str, complaint: int) -> None:
    actor = desk.actor.signature
    audit.record(connection, at=desk.now, actor=actor, action=action, object=f"complaint:{complaint}")
