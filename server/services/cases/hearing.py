"""Hearing: how far what was told of a complaint has come, and what whoever comes with a receipt is read."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from client_sync.protocol.steps import Said, read
from server.domain.desk import Desk
from server.domain.permission import permit
from server.domain.timeline import TOLD_BY, standing
from server.services.cases import telling
from server.store import cases, complaints, recipients, registry, sealed, steps
from server.store.engine import Store
from server.store.steps import Reached, Told
from server.store.timeline import Entry


@dataclass(frozen=True)
class Hearing:
    """How far the last step that a device was told has come; `told` is None before the first.

    `is_delivered`: a device of the lineage says to have it. `silent_days`: how long none was heard, where none has it.
    `by_word`: when the person was last told by word, and in which way.
    """

    told: Told | None
    is_delivered: bool
    silent_days: int
    by_word: tuple[datetime, str] | None

    @property
    def seen_at(self) -> datetime | None:
        """When a person saw the last step on the device."""
        return None if self.told is None else self.told.seen_at


@dataclass(frozen=True)
class Answer:
    """What whoever comes with a receipt is read of one complaint: when it was received, and its steps in order.

    `version`: that of its case, as an edit says to have seen it; 0 where nobody acted on it.
    """

    number: str
    version: int
    received_at: datetime
    steps: Sequence[Said]


def of_complaints(
    connection: sa.Connection, ids: Collection[int], entries: Sequence[Entry], now: datetime
) -> dict[int, Hearing]:
    """By complaint of one case, which has these entries."""
    told, reached = steps.told(connection, ids), steps.reached(connection, ids)
    words = [each for each in standing(entries) if TOLD_BY in each.fields]
    return {id: _hearing(id, told[id], reached[id], words, now) for id in ids}


def by_receipt(store: Store, desk: Desk, receipt: str) -> list[Answer]:
    """Of each complaint with this code that the desk may find, what its device was told, or would be now; oldest first.

    Who has come may hear it, whatever was said of being reached.
    """
    with store.read() as connection:
        rows = {id: received_at for id, received_at, _ in complaints.by_receipt(connection, receipt)}
        found = _permitted(connection, desk, rows)
        numbers = registry.numbers_of(connection, found)
        held = cases.holding(connection, found)
        files = cases.find(connection, held.values())
        versions = {id: files[case].revision for id, case in held.items()}
        return [Answer(numbers[id], versions.get(id, 0), rows[id], _steps(connection, id, desk.now)) for id in found]


def _hearing(id: int, told: Sequence[Told], reached: Reached, words: Sequence[Entry], now: datetime) -> Hearing:
    last = told[-1] if told else None
    is_delivered = last is not None and (reached.delivered >= last.n or last.seen_at is not None)
    silent_days = 0 if last is None or is_delivered else (now - (reached.heard_at or reached.since)).days
    heard = [each for each in words if each.complaint == id]
    by_word = (heard[-1].at, heard[-1].fields[TOLD_BY]) if heard else None
    return Hearing(last, is_delivered, silent_days, by_word)


def _permitted(connection: sa.Connection, desk: Desk, ids: Mapping[int, datetime]) -> list[int]:
    standings, assigned = sealed.standings(connection, ids), recipients.assigned_to(connection, ids)
    targets = {id: each.target(desk.places, assigned.get(id)) for id, each in standings.items()}
    return [id for id in ids if id in targets and permit(desk.actor, "find_complaint", targets[id])]


def _steps(connection: sa.Connection, complaint: int, now: datetime) -> list[Said]:
    told = steps.told(connection, [complaint])[complaint]
    last = told[-1] if told else None
    waiting = telling.pending(connection, complaint, steps.waiting(connection, complaint))
    due = telling.due_among(waiting, now)
    fresh = telling.news(due, telling.step_told(last), now)
    by_change = {each.n: read(each.body) for each in told}
    late = [telling.said(each.step) for each, is_new in zip(due, fresh, strict=True) if is_new]
    return [replace(each, waits=False) for each in (*by_change.values(), *late) if each is not None]
