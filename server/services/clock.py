"""The clock of a machine as the hub trusts it: kept up by ticks, doubted after a jump, accepted by a person.

The mark is what ticks of a trusted clock keep, and nothing else: what is committed after a jump can't hide it.
"""

import hashlib
import json
import platform
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, cast

import sqlalchemy as sa

from server.domain.clock import Doubt, doubt_of, is_mark_old, was_away
from server.domain.errors import ClockNotDoubted
from server.domain.permission import JOB, OPERATOR
from server.store import accounts, audit, notices, state
from server.store.engine import Store

_MARK: Final = "clock_mark"
_BACK: Final = "clock_back"
_DOUBTS: Final = "clock_doubt_"
_CODE: Final = "clock_doubted"
_MACHINE_ID: Final = Path("/etc/machine-id")


def machine_key(name: str, id_file: Path = _MACHINE_ID) -> str:
    """What tells a machine from others: 12 hexadecimal digits of its name, and of the id that its system drew when it
    was installed, where there is one.

    Hashed, for that id is to stay on the machine (machine-id(5)).
    """
    drawn = id_file.read_bytes() if id_file.is_file() else b""
    return hashlib.sha256(name.encode() + b"\0" + drawn.strip()).hexdigest()[:12]


# All processes of a machine go by one clock, and share what is doubted of it. Several hubs may share a database, each
# on a machine of its own: one whose clock is right clears no other's.
THIS_MACHINE: Final = machine_key(platform.node())


@dataclass(frozen=True)
class Doubted:
    """A doubt that stands: for what, and what the clock said when it was found."""

    doubt: Doubt
    said: datetime


@dataclass(frozen=True)
class Standing:
    """How the clock of a machine stands: the last time that was trusted, None before the first tick."""

    mark: datetime | None
    doubted: Doubted | None


def look(store: Store, now: datetime, machine: str = THIS_MACHINE) -> bool:
    """Whether the clock of a machine, which says `now`, is trusted; keeps up what that goes by.

    A doubt is noted once, with an event of the log and a notice to every administrator, and is over by itself, with
    another event, when the clock is right again.
    """
    with store.read() as connection:
        known = _read(connection, machine)
    if known.mark is None:
        _keep(store, None, now)
        return True
    doubt = doubt_of(known.mark, now, is_doubted=known.doubted is not None)
    if doubt is not None:
        if known.doubted is None:
            _note_doubt(store, machine, Doubted(doubt, now), known.mark)
        return False
    if known.doubted is not None:
        _end_doubt(store, machine, now)
    if is_mark_old(known.mark, now):
        _keep(store, known.mark, now)
    return True


def standing(store: Store, machine: str = THIS_MACHINE) -> Standing:
    """How the clock of a machine stands."""
    with store.read() as connection:
        return _read(connection, machine)


def accept(store: Store, now: datetime, machine: str = THIS_MACHINE) -> Doubted:
    """Take an operator's word that the clock of a machine is right; gives the doubt that is over by it.

    Raises ClockNotDoubted.
    """
    with store.write() as connection:
        known = _read(connection, machine)
        if known.doubted is None or known.mark is None:
            raise ClockNotDoubted
        # Those of other machines are judged anew, against this one's.
        state.drop_all(connection, _DOUBTS)
        _set_mark(connection, None, now)
        details = {"mark": known.mark.isoformat(), "doubt": known.doubted.doubt}
        _record(connection, now, OPERATOR.signature, "clock_accept", details)
    return known.doubted


def back_since(store: Store) -> datetime | None:
    """Since when the hub answers again after it was off for long; None where it never was."""
    with store.read() as connection:
        return _time(state.get(connection, _BACK))


def _read(connection: sa.Connection, machine: str) -> Standing:
    told = state.get(connection, _DOUBTS + machine)
    members = None if told is None else json.loads(told)
    doubted = None
    if members is not None:
        doubted = Doubted(cast(Doubt, members["doubt"]), datetime.fromisoformat(members["said"]))
    return Standing(_time(state.get(connection, _MARK)), doubted)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _keep(store: Store, mark: datetime | None, now: datetime) -> None:
    with store.write() as connection:
        _set_mark(connection, mark, now)


def _set_mark(connection: sa.Connection, before: datetime | None, now: datetime) -> None:
    state.keep(connection, _MARK, now.isoformat())
    if before is None or was_away(before, now):
        state.keep(connection, _BACK, now.isoformat())


def _note_doubt(store: Store, machine: str, found: Doubted, mark: datetime) -> None:
    members = {"doubt": found.doubt, "said": found.said.isoformat()}
    with store.write() as connection:
        if not state.keep_first(connection, _DOUBTS + machine, json.dumps(members)):
            return
        people = accounts.listed(connection)
        told = [each.id for each in people if each.role == "administrator" and each.state == accounts.ACTIVE]
        # At the time of the mark: of that of the clock nobody can say anything.
        notices.tell_each(connection, told, code=_CODE, key=f"{_CODE}:{mark.isoformat()}", at=mark)
        details = {"mark": mark.isoformat(), "doubt": found.doubt}
        _record(connection, found.said, JOB.signature, "clock_doubt", details)


def _end_doubt(store: Store, machine: str, now: datetime) -> None:
    with store.write() as connection:
        if state.drop(connection, _DOUBTS + machine):
            _record(connection, now, JOB.signature, "clock_right", {})


def _record(connection: sa.Connection, now: datetime, actor: str, action: str, details: dict[str, str]) -> None:
    audit.record(connection, at=now, actor=actor, action=action, object="hub", details=details)
