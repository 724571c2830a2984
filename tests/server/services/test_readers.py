"""Who may read a complaint: its own device may move it, a colleague's may not."""

from typing import Any

import pytest
import sqlalchemy as sa

from server.hub import Hub
from server.services.intake import admission
from server.store import complaints
from server.store.schema import complaint as complaint_table
from server.store.schema import received
from tests.builders import (
    STORED,
    Sender,
    Verdict,
    an_id,
    complaint,
    enrolled,
    facts,
    operation,
    revision,
    sealed_keys,
    verdicts,
)


@pytest.fixture
def first(own_hub: Hub) -> Sender:
    return enrolled(own_hub, "Gao 1", team="gao")


@pytest.fixture
def second(own_hub: Hub) -> Sender:
    return enrolled(own_hub, "Gao 2", team="gao")


def _filed(device: Sender, name: object) -> Any:
    select = sa.select(complaint_table).join(received, received.c.id == complaint_table.c.id)
    mine = select.where(received.c.lineage == device.lineage, received.c.client_id == an_id(name))
    with device.hub.store.read() as connection:
        return connection.execute(mine).one()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"place": {"id": "ml-c-mopti", "list": "2026.1"}}, "facts.place"),
        ({"place": None}, "facts.place"),
        ({"team": "mopti"}, "facts.team"),
        ({"partner": "autre"}, "facts.partner"),
        ({"confidentiality": "confidential"}, "facts.confidentiality"),
    ],
)
def test_colleague_does_not_change_who_may_read_a_complaint(
    first: Sender, second: Sender, changes: dict[str, Any], field: str
) -> None:
    is_strict = "confidentiality" in changes
    first.send(complaint("a", confidentiality="strict" if is_strict else "confidential"))
    as_it_is = {"confidentiality": "strict"} if is_strict else {}
    moved = facts(**as_it_is | {"sector": "health"} | changes)
    line = revision("r", "a", 1, lineage=first.lineage, facts={"clear": moved})

    for _ in range(2):
        assert verdicts(second.send(line)) == [Verdict("conflict", "readers_differ", field)]

    row = _filed(first, "a")
    assert (row.place_id, row.team, row.partner, row.sector, row.revision) == ("ml-c-gao", None, None, "customs", 1)
    with first.hub.store.read() as connection:
        assert complaints.conflicts(connection, row.id) == [field, "facts.sector"]
    assert [(kept.code, kept.client_id) for kept in admission.list_waiting(first.hub.store, "readers_differ")] == [
        ("readers_differ", an_id("r"))
    ]


def test_complaint_is_moved_by_its_own_device_and_made_strict_by_a_colleague(first: Sender, second: Sender) -> None:
    first.send(complaint("a"))
    moved = facts(place={"id": "ml-c-mopti", "list": "2026.1"})
    assert verdicts(first.send(revision("r1", "a", 1, facts={"clear": moved}))) == [STORED]
    strict = facts(place=moved["place"], confidentiality="strict")
    assert verdicts(second.send(revision("r2", "a", 1, lineage=first.lineage, facts={"clear": strict}))) == [STORED]
    assert (_filed(first, "a").place_id, _filed(first, "a").confidentiality) == ("ml-c-mopti", "strict")


@pytest.mark.parametrize("op", ["revision", "withdrawal", "linkage"])
def test_what_names_a_device_that_the_hub_has_not_blocks_no_neighbour(first: Sender, op: str) -> None:
    about = {"complaint": an_id("a"), "lineage": an_id("nobody")}
    told = {
        "revision": {"base_revision": 1, "statement": {"box": "b2xk"}, "seal": sealed_keys()},
        "withdrawal": {"scope": "all"},
        "linkage": {"v": 1, "box": "b2xk"},
    }

    assert verdicts(first.send(operation(op, "x", about | told[op]), complaint("b")))[1] == STORED
