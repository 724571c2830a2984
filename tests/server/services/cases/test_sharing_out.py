"""Sharing out: each case is an act of its own, and what can't go to somebody stays and says why."""

from contextlib import AbstractContextManager
from functools import partial

import pytest
import sqlalchemy as sa

from server.domain.errors import Busy, NotFound, StorageFull, TooMany, TransitionRefused
from server.hub import Hub
from server.services.cases import owning, sharing_out
from tests.builders import Person, add_person
from tests.case_work import Numbers, at_desk, attach, entries, move, state, version


@pytest.fixture
def opened(hub: Hub, awa: Person, numbers: Numbers) -> Numbers:
    """The four complaints, the case of each of which is open."""
    for number in numbers:
        move(hub, awa, number, "acknowledged")
    return numbers


def test_plan_says_of_each_case_whether_it_goes(hub: Hub, awa: Person, gao: Person, opened: Numbers) -> None:
    owning.give(hub.store, at_desk(hub, awa), opened[0], "Cheick", after=version(hub, awa, opened[0]))
    attach(hub, awa, opened[1], opened[0])
    before = entries(hub)
    plan = sharing_out.plan(hub.store, at_desk(hub, awa), [*opened, "SRE-2026-000099"], "cheick")
    assert plan.owner == "Cheick"
    assert plan.moves == {}
    assert plan.stays == {
        opened[0]: "same",
        opened[1]: "joined",
        opened[2]: "cannot",
        opened[3]: "cannot",
        "SRE-2026-000099": "unknown",
    }
    assert entries(hub) == before
    of_gao = sharing_out.plan(hub.store, at_desk(hub, gao), list(opened), "Awa")
    assert (set(of_gao.moves), of_gao.stays) == (
        {opened[0]},
        {opened[1]: "joined", opened[2]: "unknown", opened[3]: "unknown"},
    )


def test_case_that_joined_another_meanwhile_takes_that_one_nowhere(hub: Hub, awa: Person, opened: Numbers) -> None:
    seen = sharing_out.plan(hub.store, at_desk(hub, awa), list(opened[:3]), "Awa").moves
    attach(hub, awa, opened[1], opened[0])
    # As if what took the complaint in had the very version that was seen of the case that joined it.
    told = dict(seen) | {opened[1]: version(hub, awa, opened[0])}
    shared = sharing_out.share_out(hub.store, at_desk(hub, awa), told, "Awa")
    assert set(shared.entries) == {opened[2]}
    assert shared.stays == {opened[0]: "stale", opened[1]: "joined"}


def test_taking_back_leaves_what_went_on_since(hub: Hub, awa: Person, binta: Person, opened: Numbers) -> None:
    desk, before = at_desk(hub, awa), state(hub)
    seen = sharing_out.plan(hub.store, desk, list(opened[:2]), "Awa").moves
    shared = sharing_out.share_out(hub.store, desk, seen, "Awa")
    owning.give(hub.store, desk, opened[0], "Binta", after=version(hub, awa, opened[0]))
    stays = sharing_out.take_back(hub.store, desk, shared.entries)
    assert {ref: type(why) for ref, why in stays.items()} == {opened[0]: TransitionRefused}
    # The other one is taken back from the last.
    sharing_out.take_back(hub.store, desk, {opened[0]: version(hub, awa, opened[0])})
    assert sharing_out.take_back(hub.store, desk, {opened[0]: shared.entries[opened[0]]}) == {}
    assert state(hub) == before


def test_what_the_database_holds_up_stays_and_the_others_go(
    hub: Hub, awa: Person, opened: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, waits = at_desk(hub, awa), iter((Busy, StorageFull))
    seen = sharing_out.plan(hub.store, desk, list(opened), "Awa").moves
    write = hub.store.write

    def write_later() -> AbstractContextManager[sa.Connection]:
        """As `Store.write`, but that others are at it first, and the disk is full then."""
        if fault := next(waits, None):
            raise fault
        return write()

    monkeypatch.setattr(hub.store, "write", write_later)
    shared = sharing_out.share_out(hub.store, desk, seen, "Awa")
    assert (set(shared.entries), shared.stays) == ({*opened[2:]}, dict.fromkeys(opened[:2], "failed"))
    assert [version(hub, awa, number) - seen[number] for number in opened] == [0, 0, 1, 1]


def test_more_than_somebody_can_look_through_are_refused_whole(hub: Hub, awa: Person, opened: Numbers) -> None:
    desk, before = at_desk(hub, awa), entries(hub)
    many = sharing_out.plan(hub.store, desk, list(opened), "Awa").moves | {f"x{each}": 1 for each in range(97)}
    for act in (partial(sharing_out.share_out, owner="Awa"), sharing_out.take_back):
        with pytest.raises(TooMany):
            act(hub.store, desk, many)
    assert entries(hub) == before


def test_no_such_owner_is_refused(hub: Hub, awa: Person, opened: Numbers) -> None:
    add_person(hub, "Verif", "verifier")
    with pytest.raises(NotFound):
        sharing_out.plan(hub.store, at_desk(hub, awa), list(opened), "Nobody")
    assert set(sharing_out.plan(hub.store, at_desk(hub, awa), list(opened), "Verif").stays.values()) == {"cannot"}
