"""Triaging: what came is decided, one by one or several together, and decisions are taken back as they were made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from server.domain import triage
from server.domain.casework import Status, Urgency
from server.domain.desk import Desk
from server.domain.errors import SeereError
from server.domain.triage import DISPOSITIONS, Disposition
from server.services.cases import holding, joining, moving, opening, together, undoing
from server.services.cases.holding import Case
from server.services.cases.moving import Intent
from server.services.cases.together import Together
from server.store import inbox
from server.store.engine import Store

# An entry that can be taken back: a case by its reference, and the number of the entry.
Undo = tuple[str, int]


@dataclass(frozen=True)
class Wish:
    """What somebody decides, and settles with that: what is not said of kind and urgency stays as it was told.

    `given`: codes by the name of their list. `owner`: the name of an account; empty: nobody else.
    """

    disposition: Disposition
    given: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    kind: str = ""
    urgency: Urgency | None = None

    def intent(self, to: Status) -> Intent:
        """The last move of it."""
        return Intent(to, self.given, self.owner, self.kind, self.urgency)


@dataclass(frozen=True)
class Decided:
    """The case that a decision was made on, by its reference; `undo`: what takes it back, in that order.

    `version`: of the case, as the decision left it.
    """

    ref: str
    undo: tuple[Undo, ...]
    version: int


def decide(store: Store, desk: Desk, number: str, wish: Wish, *, after: int) -> Decided:
    """Decide on the case of a complaint, through all the statuses that lead there, at once.

    `after`: the version that the actor saw, 0 for none. Raises NotFound where the actor does not handle every complaint
    of it or the owner could not, StaleRevision with both versions, TransitionRefused, and UrgencyRefused.
    """
    to = DISPOSITIONS[wish.disposition]
    with store.write() as connection:
        _, case = opening.take_seen(connection, desk, number, after, wish.intent(to).told)
        undo: list[Undo] = []
        for status in triage.way(case.facts.status, wish.disposition):
            intent = Intent(status) if status != to else _settled(connection, case, wish).intent(to)
            moved = moving.go(connection, desk, case, intent)
            if moved.undo_until > desk.now:
                undo.append((case.file.ref, moved.revision))
            case = holding.read(connection, desk, [case.file.id])[case.file.id]
    return Decided(case.file.ref, tuple(reversed(undo)), case.file.revision)


def join(store: Store, desk: Desk, number: str, into: str, *, after: int, into_after: int) -> Decided:
    """Let the case of a complaint join another; raises as `joining.attach`."""
    joined = joining.attach(store, desk, number, into, after=after, into_after=into_after)
    return Decided(joined.joined, ((joined.joined, joined.no),), joined.no)


def decide_many(store: Store, desk: Desk, seen: Mapping[str, int], wish: Wish) -> Together[Decided]:
    """Decide the same of several, by number with the version that was seen of each. Raises TooMany."""
    return together.each(seen.items(), lambda number, after: decide(store, desk, number, wish, after=after))


def gather(store: Store, desk: Desk, seen: Mapping[str, int], wish: Wish) -> Together[Decided]:
    """Decide on the first of several, and let the others join it; otherwise as `decide_many`.

    Where the first refuses, all of them stay as they are.
    """
    together.check_few(seen)
    first, *others = seen.items()
    begun = decide_many(store, desk, dict([first]), wish)
    if begun.stays:
        [why] = begun.stays.values()
        return Together({}, dict.fromkeys(seen, why))
    [into] = begun.done.values()
    stands = into.version

    def joined(number: str, after: int) -> Decided:
        nonlocal stands
        done = join(store, desk, number, into.ref, after=after, into_after=stands)
        stands = done.version
        return done

    rest = together.each(others, joined)
    return Together({**begun.done, **rest.done}, rest.stays)


def undo_of(done: Mapping[str, Decided]) -> tuple[Undo, ...]:
    """What takes all that was decided back, in that order."""
    return tuple(each for decided in reversed(list(done.values())) for each in decided.undo)


def take_back(store: Store, desk: Desk, entries: Sequence[Undo]) -> Mapping[str, SeereError]:
    """Undo entries in this order; gives why a case stays as it is, by reference: of that, nothing more is undone.

    Raises TooMany.
    """
    return together.each(entries, lambda ref, no: undoing.undo(store, desk, ref, no)).stays


def _settled(connection: sa.Connection, case: Case, wish: Wish) -> Wish:
    """A wish with all that opening a case settles."""
    if wish.disposition != "open":
        return wish
    kind = wish.kind or inbox.kind_waiting(connection, case.file.id)
    return replace(wish, kind=kind, urgency=wish.urgency or case.facts.urgency)
