"""The vault and who has a case: all its complaints are assigned or none, as they were seen, to nobody who just left."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from client_sync.seal import rewrap
from server.domain.errors import Busy, NotFound
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services.accounts import people
from server.services.vault import handing_on
from server.store.schema import assignment
from tests.builders import (
    Clock,
    Person,
    Sender,
    add_person,
    clear_content,
    enrolled,
    found_keyring,
    open_bare_hub,
    operation,
)

NOBODY: frozenset[str] = frozenset()


@pytest.fixture
def hub(hub_url: str, tmp_path: Path) -> Iterator[Hub]:
    opened = open_bare_hub(hub_url, tmp_path, Clock(), seal_statement="strict")
    yield opened
    opened.close()


@pytest.fixture
def awa(hub: Hub) -> Person:
    """Who handles everything."""
    person = add_person(hub, "awa")
    found_keyring(hub, person)
    return person


@pytest.fixture
def device(hub: Hub, awa: Person) -> Sender:
    """Of a team that has two complaints."""
    assert awa
    sender = enrolled(hub, "Gao 1", team="gao")
    sender.send(*(operation("complaint", name, sender.seal(name, clear_content())) for name in "ab"))
    return sender


@pytest.fixture
def complaints(hub: Hub, device: Sender) -> list[int]:
    assert device
    with hub.store.read() as connection:
        return list(connection.scalars(sa.select(sa.column("id")).select_from(sa.table("complaint"))))


def _assign(hub: Hub, by: Person, seen: dict[int, frozenset[str]], whom: Person) -> None:
    handing_on.assign_all(hub.store, hub.desk(by.actor, by.keys), seen, whom.actor.id)


def _assigned(hub: Hub) -> set[tuple[int, str]]:
    with hub.store.read() as connection:
        found = connection.execute(sa.select(assignment.c.complaint, assignment.c.account))
        return {(complaint, account) for complaint, account in found}


def test_complaints_of_a_case_are_assigned_together_or_not_at_all(hub: Hub, awa: Person, complaints: list[int]) -> None:
    first, second = complaints
    elsewhere = add_person(hub, "mopti", "verifier", teams=["mopti"])
    with pytest.raises(Busy):
        _assign(hub, awa, {first: NOBODY, second: frozenset({awa.actor.id})}, awa)
    with pytest.raises(NotFound):
        _assign(hub, awa, dict.fromkeys(complaints, NOBODY), elsewhere)
    with pytest.raises(NotFound):
        _assign(hub, awa, {first: NOBODY, 999: NOBODY}, awa)
    assert _assigned(hub) == set()
    _assign(hub, awa, dict.fromkeys(complaints, NOBODY), awa)
    assert _assigned(hub) == {(complaint, awa.actor.id) for complaint in complaints}


def test_of_those_who_assign_it_at_once_one_does(hub: Hub, awa: Person, complaints: list[int]) -> None:
    answers = list[str]()
    verifiers = [add_person(hub, name, "verifier") for name in ("vieux", "oumar", "safi", "tènè")]
    gate = threading.Barrier(len(verifiers))

    def assign(whom: Person) -> None:
        gate.wait()
        try:
            _assign(hub, awa, dict.fromkeys(complaints, NOBODY), whom)
            answers.append("done")
        except Busy:
            answers.append("busy")

    assigning = [threading.Thread(target=assign, args=(each,)) for each in verifiers]
    for each in assigning:
        each.start()
    for each in assigning:
        each.join()
    assert sorted(answers) == ["busy", "busy", "busy", "done"]
    assert len({account for _, account in _assigned(hub)}) == 1


def test_nothing_is_assigned_to_whoever_leaves_between_the_look_and_the_transaction(
    hub: Hub, awa: Person, complaints: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    leaver, sealing = add_person(hub, "vieux", "verifier"), "server.services.vault.holding.rewrap"

    def leave_first(*parts: Any) -> Any:
        monkeypatch.setattr(sealing, rewrap)
        people.end(hub.store, OPERATOR, "vieux", hub.clock())
        return rewrap(*parts)

    monkeypatch.setattr(sealing, leave_first)
    with pytest.raises(NotFound):
        _assign(hub, awa, dict.fromkeys(complaints, NOBODY), leaver)
    assert _assigned(hub) == set()
