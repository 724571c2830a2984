"""Work on cases as people do it, and all rows about cases, before and after."""

from typing import Any

import sqlalchemy as sa

from server.domain.casework import Status
from server.domain.desk import Desk
from server.hub import Hub
from server.services.cases import joining, moving, queues, undoing
from server.services.cases.moving import Intent
from server.store.case_tables import case_complaint, casefile, timeline, waiting
from server.store.due_tables import deadline, deadline_due
from tests.builders import Person

Numbers = tuple[str, ...]
State = list[list[tuple[Any, ...]]]
# What triage settles before a case is worked on.
SETTLED: dict[str, Any] = {"owner": "awa", "kind": "COR-RACKET", "urgency": "U2"}


def at_desk(hub: Hub, person: Person) -> Desk:
    return hub.desk(person.actor, person.keys)


def version(hub: Hub, person: Person, number: str) -> int:
    """What the person sees of a case, as its next edit says."""
    return queues.show(hub.store, at_desk(hub, person), number).version


def move(hub: Hub, person: Person, number: str, to: Status, *, after: int | None = None, **wish: Any) -> int:
    """Move a case, as it stands unless `after` says what was seen; gives its new revision."""
    seen = version(hub, person, number) if after is None else after
    given = {name: wish.pop(name) for name in list(wish) if name not in SETTLED}
    return moving.move(hub.store, at_desk(hub, person), number, Intent(to, given, **wish), after=seen).revision


def attach(hub: Hub, person: Person, number: str, into: str) -> None:
    """Join the case of one to that of another, as they stand."""
    seen = {"after": version(hub, person, number), "into_after": version(hub, person, into)}
    joining.attach(hub.store, at_desk(hub, person), number, into, **seen)


def detach(hub: Hub, person: Person, number: str) -> None:
    """Take a complaint out of the case that has it, as it stands."""
    joining.detach(hub.store, at_desk(hub, person), number, after=version(hub, person, number))


def split(hub: Hub, person: Person, *numbers: str) -> None:
    """Take several complaints out of the case that has them, as it stands."""
    joining.split(hub.store, at_desk(hub, person), numbers, after=version(hub, person, numbers[0]))


def undo(hub: Hub, person: Person, number: str, no: int | None = None) -> str:
    return undoing.undo(hub.store, at_desk(hub, person), number, no)


def state(hub: Hub) -> State:
    """Every row about every case but the timelines, which only grow, and the revisions that count their entries."""
    columns = [each for each in casefile.c if each is not casefile.c.revision]
    # Of deadlines, but for their ids: one that was gone for a while is another row.
    due = [each for each in (*deadline.c, *deadline_due.c) if each.name not in ("id", "deadline")]
    joined = sa.select(*due).join(deadline_due, deadline_due.c.deadline == deadline.c.id, isouter=True)
    selects = (sa.select(*columns), sa.select(case_complaint), sa.select(waiting), joined)
    with hub.store.read() as connection:
        return [sorted(map(tuple, connection.execute(each)), key=str) for each in selects]


def entries(hub: Hub) -> int:
    """How many entries all timelines have."""
    with hub.store.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(timeline)) or 0
