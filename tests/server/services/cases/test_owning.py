"""Owning: a case is given to whoever could handle it, and taken back while nobody gave it on."""

import pytest
import sqlalchemy as sa

from server.domain.errors import NotFound, StaleRevision, TransitionRefused
from server.hub import Hub
from server.services.cases import due, owning, queues
from server.store.case_tables import casefile
from server.store.due_tables import deadline_due
from tests.builders import Person, add_person
from tests.case_work import Numbers, at_desk, move, undo, version


@pytest.fixture
def awa(hub: Hub) -> Person:
    return add_person(hub, "Awa", is_named_reader=True)


def give(hub: Hub, person: Person, number: str, owner: str) -> int:
    return owning.give(hub.store, at_desk(hub, person), number, owner, after=version(hub, person, number))


def owner(hub: Hub) -> str | None:
    with hub.store.read() as connection:
        return connection.scalar(sa.select(casefile.c.owner))


def test_owner_is_set_with_an_entry_and_what_is_due_is_theirs(
    hub: Hub, awa: Person, gao: Person, numbers: Numbers
) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    no = give(hub, awa, numbers[0], "cheick")
    last = queues.show(hub.store, at_desk(hub, awa), numbers[0]).entries[-1][1]
    assert (last.no, last.code, last.fields) == (no, "owned", {"account": gao.actor.id})
    assert owner(hub) == gao.actor.id
    with hub.store.read() as connection:
        assert set(connection.scalars(sa.select(deadline_due.c.owner))) == {gao.actor.id}
    assert [each.owner for each in due.listed(hub.store, at_desk(hub, gao), 9, is_mine=True)][:1] == ["Cheick"]


def test_taking_back_leaves_the_case_with_whom_it_was(hub: Hub, awa: Person, gao: Person, numbers: Numbers) -> None:
    give(hub, awa, numbers[0], "Awa")
    given = give(hub, awa, numbers[0], "Cheick")
    with pytest.raises(TransitionRefused):
        undo(hub, awa, numbers[0], given - 1)
    assert undo(hub, awa, numbers[0], given) == "owned"
    assert owner(hub) == awa.actor.id != gao.actor.id


def test_case_is_given_to_nobody_who_could_not_handle_it_nor_on_an_old_view(
    hub: Hub, awa: Person, gao: Person, numbers: Numbers
) -> None:
    assert gao
    for name, number in (("Cheick", numbers[2]), ("Cheick", numbers[3]), ("personne", numbers[0])):
        with pytest.raises(NotFound):
            give(hub, awa, number, name)
    move(hub, awa, numbers[0], "acknowledged")
    with pytest.raises(StaleRevision):
        owning.give(hub.store, at_desk(hub, awa), numbers[0], "Awa", after=1)
