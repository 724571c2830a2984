"""Summaries: few words on a complaint that may leave without a name, written by one person and read by another."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from server.domain import packages as rules
from server.domain.desk import Desk
from server.domain.errors import NotFound, PackageRefused, StaleRevision
from server.domain.permission import Action, permit
from server.services.commission import serials
from server.store import audit, packages, registry, sealed
from server.store.engine import Store
from server.store.packages import Summary

MAX_CHARS: Final = 600
_HANDLES: Final[Action] = "handle_case"


@dataclass(frozen=True)
class Written:
    """A summary by the registry number of its complaint; `is_own`: the actor wrote it, and so does not review it."""

    number: str
    text: str = field(repr=False)
    at: datetime
    is_reviewed: bool
    is_own: bool


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
        packages.keep_summary(connection, Summary(complaint, said, desk.now, signature, None, None))
        _note(connection, desk, "summary_write", complaint)


def review(store: Store, desk: Desk, number: str, seen: datetime) -> None:
    """A second person has read the summary that was written at that moment: it may leave.

    Raises NotFound, StaleRevision where it was written anew since, and PackageRefused (`same_person`).
    """
    with store.write() as connection:
        complaint = _handled(connection, desk, number)
        found = packages.summaries(connection, [complaint]).get(complaint)
        if found is None:
            raise NotFound(object=number)
        if found.at != seen:
            raise StaleRevision
        rules.check_second(found.by, desk.actor.signature)
        packages.review(connection, complaint, desk.actor.signature, desk.now)
        _note(connection, desk, "summary_review", complaint)


def of(store: Store, desk: Desk, number: str) -> Written | None:
    """The summary of a complaint, if it has one. Raises NotFound where the actor does not handle it."""
    with store.read() as connection:
        complaint = _handled(connection, desk, number)
        found = packages.summaries(connection, [complaint]).get(complaint)
    return None if found is None else _written(found, number, desk)


def unreviewed(store: Store, desk: Desk, complaints: Sequence[int]) -> list[Written]:
    """Those of these complaints whose summaries wait for a second person, the first written first.

    Raises NotFound for whoever prepares no packages.
    """
    serials.require(desk)
    with store.read() as connection:
        found = packages.summaries(connection, complaints)
        numbers = registry.numbers_of(connection, list(found))
    waiting = sorted((each for each in found.values() if each.reviewed_by is None), key=lambda each: each.at)
    return [_written(each, numbers[each.complaint], desk) for each in waiting]


def _handled(connection: sa.Connection, desk: Desk, number: str) -> int:
    complaint = registry.complaint_numbered(connection, number)
    if complaint is None:
        raise NotFound(object=number)
    standing = sealed.standings(connection, [complaint]).get(complaint)
    if standing is None or not permit(desk.actor, _HANDLES, standing.target(desk.places)):
        raise NotFound(object=number)
    return complaint


def _written(found: Summary, number: str, desk: Desk) -> Written:
    is_reviewed = found.reviewed_by is not None
    return Written(number, found.text, found.at, is_reviewed, found.by == desk.actor.signature)


def _note(connection: sa.Connection, desk: Desk, action: str, complaint: int) -> None:
    actor = desk.actor.signature
    audit.record(connection, at=desk.now, actor=actor, action=action, object=f"complaint:{complaint}")
