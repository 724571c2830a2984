"""What waits for somebody in each part of their work, counted as far as a list counts."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.permission import may_ever
from server.services.cases.due import owners_of
from server.services.cases.holding import ACTION
from server.store import due, inbox
from server.store.due import Within
from server.store.engine import Store
from server.store.lines import Count as Count
from server.store.scopes import scope_of

_NONE: Final[Mapping[str, Count]] = {}


def waiting(store: Store, desk: Desk, counted: Mapping[str, Count] = _NONE) -> Mapping[str, Count]:
    """By part: `inbox` is what nobody decided yet in the actor's scope, `follow_ups` what is late or due today of the
    actor's own cases; what is `counted` already is not counted again. Empty for whoever handles no case."""
    if not may_ever(desk.actor, ACTION):
        return {}
    scope = scope_of(desk.actor, [ACTION], desk.places)
    tomorrow = desk.midnight + timedelta(days=1)
    ways: Mapping[str, Callable[[sa.Connection], Count]] = {
        "inbox": lambda connection: inbox.counts(connection, scope, [inbox.Wanted(queue="triage")])[0],
        "follow_ups": lambda connection: due.count(connection, scope, Within(until=tomorrow, owners=owners_of(desk))),
    }
    with store.read() as connection:
        return {name: counted[name] if name in counted else count(connection) for name, count in ways.items()}
