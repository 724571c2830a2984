"""Looking: others hear who has a case open, for minutes, and nobody waits for it."""

import sqlalchemy as sa

from server.hub import Hub
from server.services.cases import looking
from server.store.case_tables import look
from tests.builders import Clock, Person, add_person
from tests.case_work import Numbers, at_desk


def looks(hub: Hub, person: Person, *, is_writing: bool = False) -> list[tuple[str, float, bool]]:
    """Whom the person is told of, with for how many minutes."""
    found = looking.others(hub.store, at_desk(hub, person), {1}, is_writing=is_writing)
    return [(each.name, (hub.clock() - each.since).total_seconds() / 60, each.is_writing) for each in found]


def test_others_are_told_who_looks_and_who_writes_until_minutes_after(hub: Hub, numbers: Numbers) -> None:
    assert numbers
    assert isinstance(hub.clock, Clock)
    awa, binta = add_person(hub, "Awa"), add_person(hub, "Binta")
    assert looks(hub, awa) == []
    hub.clock.pass_(minutes=2)
    assert looks(hub, binta) == [("Awa", 2, False)]
    looks(hub, awa, is_writing=True)
    hub.clock.pass_(minutes=4)
    assert looks(hub, binta) == [("Awa", 6, True)]
    hub.clock.pass_(minutes=1)
    assert looks(hub, binta) == []


def test_page_read_again_within_a_minute_writes_nothing_and_old_rows_go(hub: Hub, numbers: Numbers) -> None:
    assert numbers
    assert isinstance(hub.clock, Clock)
    awa, binta = add_person(hub, "Awa"), add_person(hub, "Binta")
    begun = hub.clock()
    looks(hub, awa)
    hub.clock.pass_(seconds=50)
    looks(hub, awa)
    with hub.store.read() as connection:
        assert connection.scalars(sa.select(look.c.at)).all() == [begun]
    hub.clock.pass_(minutes=6)
    looks(hub, binta)
    with hub.store.read() as connection:
        assert connection.scalars(sa.select(look.c.account)).all() == [binta.actor.id]
