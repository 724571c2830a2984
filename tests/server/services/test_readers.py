"""Who may read a complaint: its own device may move it, a colleague's may hide it, a named reader shows it again."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from server.domain.errors import LiftRefused, NotFound, ReasonMissing
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services.intake import admission, strictness
from server.store import complaints
from server.store.schema import act, event, received
from server.store.schema import complaint as complaint_table
from tests.builders import (
    COORDINATOR,
    STORED,
    Sender,
    Verdict,
    an_id,
    complaint,
    content,
    enrolled,
    facts,
    operation,
    revision,
    sealed,
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


def test_complaint_is_moved_by_its_own_device(first: Sender) -> None:
    first.send(complaint("a"))
    moved = facts(place={"id": "ml-c-mopti", "list": "2026.1"})
    assert verdicts(first.send(revision("r1", "a", 1, facts={"clear": moved}))) == [STORED]
    assert _filed(first, "a").place_id == "ml-c-mopti"


WHY = "vu avec l'équipe"
# By what it is called, and by what it is about.
_STRICTER = [
    ({"confidentiality": "strict"}, "facts.confidentiality"),
    ({"kinds": ["COR-RACKET", "COR-SEX"]}, "facts.kinds"),
]


@pytest.mark.parametrize(("changes", "field"), _STRICTER)
def test_colleague_makes_a_complaint_strict_at_once_and_it_is_shown(
    first: Sender, second: Sender, changes: dict[str, Any], field: str
) -> None:
    first.send(complaint("a"))
    line = revision("r", "a", 1, lineage=first.lineage, facts={"clear": facts(sector="health", **changes)})
    for _ in range(2):
        assert verdicts(second.send(line)) == [Verdict("conflict", "readers_differ", field)]
    row = _filed(first, "a")
    assert (row.confidentiality, row.sector, row.revision) == ("strict", "health", 2)
    with first.hub.store.read() as connection:
        assert complaints.conflicts(connection, row.id) == [field]
        assert connection.scalars(sa.select(act.c.kind).where(act.c.complaint == row.id).order_by(act.c.no)).all() == [
            "COR-RACKET", "HR-THR",
        ]  # fmt: skip


def test_colleague_who_also_moves_it_hides_it_and_moves_nothing(first: Sender, second: Sender) -> None:
    first.send(complaint("a"))
    told = facts(confidentiality="strict", place={"id": "ml-c-mopti", "list": "2026.1"}, sector="health")
    [verdict] = verdicts(second.send(revision("r", "a", 1, lineage=first.lineage, facts={"clear": told})))
    row = _filed(first, "a")
    assert verdict.code == "readers_differ"
    assert (row.confidentiality, row.place_id, row.sector) == ("strict", "ml-c-gao", "customs")


def test_colleague_who_clashes_hides_it_all_the_same(first: Sender, second: Sender) -> None:
    first.send(complaint("a"), revision("r1", "a", 1, facts={"clear": facts(confidentiality="internal")}))
    told = facts(confidentiality="strict")
    second.send(revision("r2", "a", 1, lineage=first.lineage, facts={"clear": told}))
    assert _filed(first, "a").confidentiality == "strict"


def test_colleague_takes_a_kind_that_asks_for_named_readers_from_nobody(first: Sender, second: Sender) -> None:
    first.send(complaint("a", kinds=["COR-SEX"], confidentiality="strict"))
    told = facts(kinds=["COR-RACKET"], confidentiality="strict")
    verdict = Verdict("conflict", "readers_differ", "facts.kinds")
    assert verdicts(second.send(revision("r", "a", 1, lineage=first.lineage, facts={"clear": told}))) == [verdict]
    with first.hub.store.read() as connection:
        assert connection.scalars(sa.select(act.c.kind)).all() == ["COR-SEX"]


@pytest.mark.parametrize(("changes", "field"), _STRICTER)
def test_named_reader_takes_it_back_and_it_stays_so(
    first: Sender, second: Sender, changes: dict[str, Any], field: str
) -> None:
    hub, stricter = first.hub, facts(**changes)
    first.send(complaint("a"))
    second.send(revision("r", "a", 1, lineage=first.lineage, facts={"clear": stricter}))
    number = _filed(first, "a").id

    assert strictness.lift(hub.store, hub.desk(COORDINATOR), number, f" {WHY} ") == "confidential"

    assert _filed(first, "a").confidentiality == "confidential"
    assert admission.list_waiting(hub.store) == []
    assert [(each["id"], each["state"]) for each in second.changes()] == [(an_id("r")[:8], "stored")]
    with hub.store.read() as connection:
        assert complaints.conflicts(connection, number) == []
        said = connection.execute(sa.select(event).where(event.c.action == "lift_strictness")).one()
    assert (said.actor, said.object, said.words) == (
        f"account:{COORDINATOR.id}", f"complaint:{number}", "vu avec l'équipe",
    )  # fmt: skip
    # Neither what its own device adds, nor what the colleague's repeats.
    first.send(revision("r2", "a", 1, facts={"clear": facts(relation="witness")}))
    second.send(revision("r3", "a", 2, lineage=first.lineage, facts={"clear": stricter | {"sector": "health"}}))
    row = _filed(first, "a")
    assert (row.confidentiality, row.relation, row.sector) == ("confidential", "witness", "health")


@pytest.mark.parametrize("said", [{"kinds": ["COR-SEX"]}, {"confidentiality": "strict"}])
def test_what_its_own_facts_make_strict_nobody_takes_back(first: Sender, second: Sender, said: dict[str, Any]) -> None:
    boxed = content(**said) | {"statement": sealed()}
    first.send(operation("complaint", "a", boxed))
    with pytest.raises(LiftRefused) as refused:
        strictness.lift(first.hub.store, first.hub.desk(COORDINATOR), _filed(first, "a").id, WHY)
    assert refused.value.values == {"fault": "own_facts"}
    assert _filed(first, "a").confidentiality == "strict"


def test_what_its_own_device_corrected_is_taken_back_too(first: Sender) -> None:
    first.send(complaint("a", confidentiality="strict"))
    first.send(revision("r", "a", 1, facts={"clear": facts()}))
    assert _filed(first, "a").confidentiality == "strict"
    strictness.lift(first.hub.store, first.hub.desk(COORDINATOR), _filed(first, "a").id, WHY)
    assert _filed(first, "a").confidentiality == "confidential"


def test_only_a_named_reader_whose_scope_covers_it_takes_it_back_and_says_why(first: Sender, second: Sender) -> None:
    hub = first.hub
    first.send(complaint("a"))
    second.send(revision("r", "a", 1, lineage=first.lineage, facts={"clear": facts(confidentiality="strict")}))
    number = _filed(first, "a").id
    others = [
        replace(COORDINATOR, is_named_reader=False),
        replace(COORDINATOR, teams=frozenset({"mopti"})),
        replace(COORDINATOR, role="verifier"),
        OPERATOR,
    ]
    for actor in others:
        with pytest.raises(NotFound):
            strictness.lift(hub.store, hub.desk(actor), number, WHY)
    with pytest.raises(NotFound):
        strictness.lift(hub.store, hub.desk(COORDINATOR), 999, WHY)
    with pytest.raises(ReasonMissing):
        strictness.lift(hub.store, hub.desk(COORDINATOR), number, "trop peu")
    assert _filed(first, "a").confidentiality == "strict"
    strictness.lift(hub.store, hub.desk(COORDINATOR), number, WHY)
    with pytest.raises(LiftRefused) as refused:
        strictness.lift(hub.store, hub.desk(COORDINATOR), number, WHY)
    assert refused.value.values == {"fault": "not_strict"}


@pytest.mark.parametrize("op", ["revision", "withdrawal", "linkage"])
def test_what_names_a_device_that_the_hub_has_not_blocks_no_neighbour(first: Sender, op: str) -> None:
    about = {"complaint": an_id("a"), "lineage": an_id("nobody")}
    told = {
        "revision": {"base_revision": 1, "statement": {"box": "b2xk"}, "seal": sealed_keys()},
        "withdrawal": {"scope": "all"},
        "linkage": {"v": 1, "box": "b2xk"},
    }

    assert verdicts(first.send(operation(op, "x", about | told[op]), complaint("b")))[1] == STORED
