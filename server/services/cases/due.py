"""What is due: shown by day with both clocks, and put off for a reason, by entries that can be taken back."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from server.domain import due as rules
from server.domain.calendar import MALI
from server.domain.deadlines import EXTENSION_REASONS, PAUSE_REASONS, Clocks, Deadline, is_on_road
from server.domain.desk import Desk
from server.domain.errors import DeadlineRefused
from server.domain.permission import may_ever
from server.domain.timeline import standing
from server.services.cases import holding, opening
from server.services.cases.holding import ACTION, Case
from server.store import accounts, due, phones, referrals, timeline
from server.store.due import Due, Known, Within
from server.store.engine import Store
from server.store.lines import Reach
from server.store.referrals import Kept
from server.store.scopes import scope_of
from server.store.timeline import Entry

# Entries by which people put a deadline off, or let it go on.
PAUSED, RESUMED, EXTENDED, FOLLOWED_UP = "paused", "resumed", "extended", "followed_up"
CHANGES: Final = frozenset({PAUSED, RESUMED, EXTENDED, FOLLOWED_UP})
# How a deadline is put off, or let go on, each with the reasons of which it takes one.
PUT_OFF: Final[Mapping[str, tuple[str, ...]]] = {PAUSED: PAUSE_REASONS, EXTENDED: EXTENSION_REASONS, RESUMED: ()}


@dataclass(frozen=True)
class Item:
    """Something that is due, of a case by its reference; `owner` is a name, empty for nobody.

    `clocks`: of the first complaint. `is_on_road`: it would be late, had the network reached the device that was asked.
    `referral`: of which a body owes the answer, None for what no body owes.
    """

    ref: str
    owner: str
    due: Due
    clocks: Clocks
    is_on_road: bool
    referral: Kept | None


@dataclass(frozen=True)
class Which:
    """Which deadline of a case is meant: by its id, or its kind; by neither where there is one that it can be."""

    id: int | None = None
    kind: str = ""

    def fits(self, known: Known) -> bool:
        """Whether it can be that one."""
        return (self.id is None or known.id == self.id) and (not self.kind or known.stands.kind == self.kind)


def listed(store: Store, desk: Desk, limit: int, *, is_mine: bool = False) -> list[Item]:
    """What is due and not met in the actor's scope, the first to fall due first; `is_mine`: of the actor's own cases,
    and of those of whom the actor stands in for. Nothing for whoever handles no case."""
    return _listed(store, desk, Reach(limit, stretch=None), Within(owners=owners_of(desk) if is_mine else None))


def soonest(store: Store, desk: Desk) -> Item | None:
    """What falls due first of that, as far as a page looks."""
    return next(iter(_listed(store, desk, Reach(1), Within())), None)


def _listed(store: Store, desk: Desk, reach: Reach, within: Within) -> list[Item]:
    if not may_ever(desk.actor, ACTION):
        return []
    with store.read() as connection:
        scope = scope_of(desk.actor, [ACTION], desk.places)
        return items(connection, due.waiting(connection, scope, reach, within).rows, desk.now)


def owners_of(desk: Desk) -> set[str]:
    """Whose cases the actor calls one's own: also those of whom the actor stands in for."""
    return {each.id for each in desk.actor.persons}


def of_case(store: Store, desk: Desk, number: str) -> list[Known]:
    """The deadlines of the case of a complaint, those that were met too. Raises NotFound."""
    with store.read() as connection:
        case = holding.look(connection, desk, holding.complaint_of(connection, number))
        return [] if case is None else due.of_cases(connection, [case.file.id])[case.file.id]


def put_off(
    store: Store, desk: Desk, number: str, code: str, which: Which, *, reason: str = "", after: int
) -> Deadline:
    """Pause, resume or extend a deadline of the case of a complaint, by the code of the entry that it leaves.

    Raises NotFound where the actor does not handle every complaint of it, StaleRevision, and DeadlineRefused; `which`
    is its fault where several could be meant.
    """
    with store.write() as connection:
        _, case = opening.take_seen(connection, desk, number, after, {code: which.kind or str(which.id or "")})

        def changed(known: Known) -> Deadline:
            return rules.put_off(code, known.stands, reason, desk.now, MALI)

        known = _chosen(due.of_cases(connection, [case.file.id])[case.file.id], which, changed)
        said = {"reason": reason} if reason else {}
        note(connection, desk, case, code, known, said)
        after_it = due.of_cases(connection, [case.file.id])[case.file.id]
    return next(each.stands for each in after_it if each.id == known.id)


def possible(stands: Deadline, now: datetime) -> dict[str, tuple[str, ...]]:
    """How a deadline can be put off, or let go on, now: by the code of the entry, the reasons of which it takes one."""
    found = {}
    for code, reasons in PUT_OFF.items():
        with suppress(DeadlineRefused):
            rules.put_off(code, stands, next(iter(reasons), ""), now, MALI)
            found[code] = reasons
    return found


def note(connection: sa.Connection, desk: Desk, case: Case, code: str, known: Known, said: Mapping[str, Any]) -> None:
    """Leave an entry about one deadline of a case that is held, and reckon what is due anew."""
    fields = {"deadline": known.stands.kind, "subject": known.subject, **said}
    holding.leave(connection, case, holding.entry_of(desk, case, code, fields=fields), {})
    holding.renew(connection, [case.file.id])


def take_back(connection: sa.Connection, desk: Desk, case: Case, told: Entry) -> None:
    """Undo what was said of a deadline, of a case that is held: it stands as if it had not been said.

    Raises DeadlineRefused where something later was said of the same one.
    """
    subject = _subject(told)
    later = (each for each in standing(timeline.of_case(connection, case.file.id)) if each.no > told.no)
    if any(each.code in CHANGES and _subject(each) == subject for each in later):
        raise DeadlineRefused(fault="said_since")
    entry = holding.entry_of(desk, case, holding.UNDONE, fields={"deadline": subject[0]}, undoes=told.no)
    holding.leave(connection, case, entry, {})
    holding.renew(connection, [case.file.id])


def _subject(entry: Entry) -> tuple[str, str]:
    return entry.fields["deadline"], entry.fields["subject"]


def _chosen(known: Sequence[Known], which: Which, changed: Callable[[Known], Deadline]) -> Known:
    """The one deadline that is meant and can be changed. Raises DeadlineRefused."""
    possible, refused = [], []
    for each in filter(which.fits, known):
        try:
            changed(each)
        except DeadlineRefused as error:
            refused.append(error)
        else:
            possible.append(each)
    if len(possible) == 1:
        return possible[0]
    if len(refused) == 1 and not possible:
        raise refused[0]
    raise DeadlineRefused(fault="which" if possible else "none")


def items(connection: sa.Connection, found: Sequence[Due], now: datetime) -> list[Item]:
    """What was found to be due, with whose it is and whether the network alone is late."""
    names = accounts.names(connection)
    asked = phones.of_deadlines(connection, [each.deadline for each in found], now)
    owed = referrals.several(connection, {each.deadline.subject for each in found})
    return [
        Item(
            ref=each.ref,
            owner=names.get(each.owner or "", ""),
            due=each,
            clocks=Clocks(each.collected_at, each.received_at),
            is_on_road=any(is_on_road(each.deadline.stands, now, one) for one in asked.get(each.deadline.id, ())),
            referral=owed.get(each.deadline.subject),
        )
        for each in found
    ]
