"""Where the entries of a case lead, by its rules alone: what the rows of cases are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from server.domain.case import Left
from server.domain.casework import CASEWORK, Status
from server.domain.timeline import Entry, is_last_move, standing


class Broken(Exception):
    """An entry can't follow those before it: its number, and why."""


@dataclass(frozen=True)
class Standing:
    """The status, since when, the last number, and where a duplicate would come back to."""

    status: Status
    since: datetime
    revision: int
    left: Left | None = None


def replay(entries: Sequence[Entry]) -> Standing:
    """Where all entries of one case lead, from the first. Raises Broken at one that can't follow.

    A number is missing; a move does not begin where the case stands, or is none; what is taken back is not there, was
    taken back before or is not the last move; a duplicate comes back to where it did not come from.
    """
    past: list[Standing] = []
    for entry in entries:
        past.append(_after(entry, entries, past))
    if not past:
        raise Broken(0, "empty")
    return past[-1]


def _after(entry: Entry, entries: Sequence[Entry], past: Sequence[Standing]) -> Standing:
    if entry.no != len(past) + 1:
        raise Broken(entry.no, "number")
    before = past[-1] if past else Standing("received", entry.at, 0)
    if entry.undoes is not None:
        return _taken_back(entry, entries[: entry.no - 1], past)
    return _moved(entry, before) if _is_move(entry) else replace(before, revision=entry.no)


def _moved(entry: Entry, before: Standing) -> Standing:
    source, to, given = entry.fields["from"], entry.fields["to"], entry.fields.get("given", {})
    transition = CASEWORK.transitions.get((source, to))
    if source != before.status or transition is None:
        raise Broken(entry.no, "path")
    if any(given.get(name) not in CASEWORK.reasons[name] for name in transition.asks):
        raise Broken(entry.no, "unsaid")
    if source != "duplicate":
        return Standing(to, entry.at, entry.no, Left(source, before.since) if to == "duplicate" else None)
    if before.left is None or before.left.status != to:
        raise Broken(entry.no, "left")
    return Standing(to, before.left.since, entry.no)


def _taken_back(entry: Entry, entries: Sequence[Entry], past: Sequence[Standing]) -> Standing:
    """As it was before the entry that is taken back."""
    found = next((each for each in standing(entries) if each.no == entry.undoes), None)
    if found is None or found.no == 1:
        raise Broken(entry.no, "undoes")
    if not _is_move(found):
        return replace(past[-1], revision=entry.no)
    if not is_last_move(entries, found.no):
        raise Broken(entry.no, "not_last")
    return replace(past[found.no - 2], revision=entry.no)


def _is_move(entry: Entry) -> bool:
    return "to" in entry.fields and entry.fields["to"] != entry.fields.get("from")
