"""What the store answers about complaints, changes and devices, the same on both engines."""

import json

import pytest
import sqlalchemy as sa

from server.hub import Hub
from server.store import changes, complaints, devices, quarantine
from server.store.evidence_tables import piece
from server.store.schema import act, person
from tests.builders import NOW, Sender, an_id, complaint, facts, revision, said
from tests.server.conftest import Enrol

WAITING = ("complaint_missing", "revision_missing")


def _rows(device: Sender, table: sa.Table, id: int) -> list[tuple[object, ...]]:
    with device.hub.store.read() as connection:
        select = sa.select(table).where(table.c.complaint == id).order_by(table.c.no)
        return [tuple(row) for row in connection.execute(select)]


def _id(device: Sender, name: object) -> int:
    with device.hub.store.read() as connection:
        found = complaints.find(connection, device.lineage, an_id(name))
    assert found is not None
    return found.id


def test_acts_persons_and_files_are_rows_of_their_own(device: Sender) -> None:
    files = [{"sha256": "a" * 64, "size": 12, "kind": "photo", "role": "evidence"}]
    persons = [
        {"no": 2, "roles": ["witness", "source"], "disability": False},
        {"no": 1, "roles": ["victim"], "sex": "f", "age": "18-24", "displaced": "displaced", "disability": True},
    ]
    device.send(complaint("a", kinds=["HR-THR", "COR-RACKET", "HR-THR"], persons=persons, files=files))
    id = _id(device, "a")

    assert _rows(device, act, id) == [(id, 1, "HR-THR"), (id, 2, "COR-RACKET")]
    assert [row[5:9] for row in _rows(device, piece, id)] == [("a" * 64, 12, "photo", "evidence")]
    assert _rows(device, person, id) == [
        (id, 1, "victim", "f", "18-24", None, None, "displaced", True),
        (id, 2, "witness source", None, None, None, None, None, False),
    ]


def test_revision_replaces_the_rows(device: Sender) -> None:
    device.send(complaint("a"))
    facts = {"clear": {**_facts_of(complaint("a")), "kinds": ["SRV-NON"], "persons": []}}
    device.send(revision("r", "a", 1, facts=facts))
    id = _id(device, "a")

    assert _rows(device, act, id) == [(id, 1, "SRV-NON")]
    assert _rows(device, person, id) == []


def _facts_of(line: bytes) -> dict[str, object]:
    facts: dict[str, object] = json.loads(line)["content"]["facts"]["clear"]
    return facts


def test_every_complaint_with_a_receipt_code_is_found(enrol: Enrol, hub: Hub) -> None:
    devices_here = enrol("Gao 1"), enrol("Mopti 1")
    for device in devices_here:
        device.send(complaint("a"))

    with hub.store.read() as connection:
        found = complaints.by_receipt(connection, "7K4M-2QG")
    ours = [_id(device, "a") for device in devices_here]
    assert [row for row in found if row[0] in ours] == [(id, NOW, "ml-c-gao") for id in ours]


def test_known_hashes_are_of_one_lineage(enrol: Enrol, hub: Hub) -> None:
    one, other = enrol("Gao 1"), enrol("Mopti 1")
    one.send(complaint("a"))

    with hub.store.read() as connection:
        assert complaints.known_hashes(connection, one.lineage, [an_id("a"), an_id("b")]).keys() == {an_id("a")}
        assert complaints.known_hashes(connection, other.lineage, [an_id("a")]) == {}
        assert complaints.known_hashes(connection, one.lineage, []) == {}


def test_revisions_come_in_order_with_their_fields(device: Sender) -> None:
    device.send(complaint("a"))
    changed = {1: {"clear": facts(channel="phone")}, 2: {"clear": facts(channel="radio")}}
    lines = [revision(f"r{n}", "a", n, facts=changed[n]) for n in (1, 2)]
    device.send(*lines)

    with device.hub.store.read() as connection:
        found = complaints.revisions(connection, _id(device, "a"))
    assert found == [complaints.Revision(device.lineage, ("facts.channel",), line) for line in lines]


def test_change_numbers_are_each_lineages_own(enrol: Enrol, hub: Hub) -> None:
    one, other = enrol("Gao 1"), enrol("Mopti 1")
    with hub.store.write() as connection:
        numbers = [changes.append(connection, each.lineage, "note", None, {}, NOW) for each in (one, one, other)]

    assert numbers == [1, 2, 1]
    with hub.store.read() as connection:
        assert [change.n for change in changes.after(connection, one.lineage, 1, 10)] == [2]
        assert devices.lineage_of(connection, one.lineage).changes == 2


def test_what_waits_is_listed_by_code_and_settled_once(device: Sender) -> None:
    device.send(revision("r", "none", 1, statement=said("x")), complaint("q", channel="pigeon"))
    store = device.hub.store

    with store.write() as connection:
        [kept] = quarantine.waiting_for(connection, device.lineage, WAITING)
        quarantine.settle(connection, kept.id, None, NOW)

    with store.read() as connection:
        assert quarantine.waiting_for(connection, device.lineage, WAITING) == []
        assert quarantine.known(connection, device.lineage, [an_id("r")]) == {
            (an_id("r"), kept.hash): ("held", "complaint_missing", "complaint", "stored")
        }


def test_backed_up_position_never_goes_back(device: Sender) -> None:
    with device.hub.store.write() as connection:
        for position in (3, 2):
            devices.set_backed_up(connection, {device.lineage: position})

    with device.hub.store.read() as connection:
        assert devices.lineage_of(connection, device.lineage).backed_up_to == 3


@pytest.mark.parametrize("prefix", ["", "%", "_" * 16, "\\\\"])
def test_report_is_not_found_by_a_wildcard(device: Sender, prefix: str) -> None:
    device.send(complaint("a"))

    with device.hub.store.read() as connection:
        assert (1, prefix) not in devices.frame_reports(connection, device.lineage, [(1, prefix)])
