"""What arrives in clear is sealed before it touches the disk, and comes back whole to who may read it."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from client_sync.protocol.boxes import read_boxes
from client_sync.protocol.canonical import canonical
from client_sync.seal import Binding, Unopenable, open_part, open_record_key
from server.hub import Hub
from server.services.intake.sealing import is_sealed_whole, open_original
from server.store.schema import complaint as filed
from server.store.schema import metadata, quarantine, received
from tests.builders import (
    ALREADY_HELD,
    STORED,
    Clock,
    FoundedKeys,
    Sender,
    Verdict,
    add_person,
    an_id,
    anchor_seen,
    clear_content,
    complaint,
    content,
    enrolled,
    facts,
    found_keyring,
    open_bare_hub,
    operation,
    revision,
    said,
    sealed_keys,
    verdicts,
)

SECRETS = ("Awa Exemple", "+223 00 00 12 34", "près du puits", "16.2710")
NARRATIVE = "On m'a demandé de l'argent sans reçu."


@pytest.fixture
def hub(hub_url: str, tmp_path: Path) -> Iterator[Hub]:
    made = open_bare_hub(hub_url, tmp_path, Clock())
    yield made
    made.close()


@pytest.fixture
def keys(hub: Hub) -> FoundedKeys:
    """A named reader for the whole country, and a coordinator of the region of Gao who is none."""
    gao = add_person(hub, "gao", regions=["ml-r-gao"], teams=["gao-x"])
    return found_keyring(hub, add_person(hub, "nationale", is_named_reader=True), gao)


@pytest.fixture
def device(hub: Hub, keys: FoundedKeys) -> Sender:
    return enrolled(hub, "Gao 1", team="gao-x")


def _everything(hub: Hub) -> str:
    """Every value in every table."""
    with hub.store.read() as connection:
        rows = [row for table in metadata.sorted_tables for row in connection.execute(sa.select(table))]
    return "\n".join(cell.decode("latin-1") if isinstance(cell, bytes) else str(cell) for row in rows for cell in row)


def _found(hub: Hub, *texts: str) -> list[str]:
    kept = _everything(hub)
    return [text for text in texts if text in kept or text.encode().decode("latin-1") in kept]


def _seals_all(hub: Hub) -> bool:
    """Whether its keyring seals every statement, as on an engine that does not encrypt its files."""
    return bool(hub.settings.database)


def _content(hub: Hub, name: object) -> dict[str, Any]:
    with hub.store.read() as connection:
        line = connection.scalars(sa.select(received.c.line).where(received.c.client_id == an_id(name))).one()
    content: dict[str, Any] = json.loads(line)["content"]
    return content


def _opened(device: Sender, name: object, compartment: str, person: Any) -> bytes:
    sealed = read_boxes(_content(device.hub, name))
    record_key = open_record_key(sealed.keys[person.kid], person.keys.private[person.kid])
    return open_part(sealed.boxes[compartment], record_key, compartment, Binding(an_id(name), device.lineage))


def _aside(hub: Hub) -> Any:
    with hub.store.read() as connection:
        return connection.execute(sa.select(quarantine)).one()


def test_clear_complaint_shows_no_person_in_any_table(device: Sender, keys: FoundedKeys) -> None:
    line = operation("complaint", "a", clear_content())

    assert verdicts(device.send(line)) == [STORED]

    assert _found(device.hub, *SECRETS) == []
    assert _found(device.hub, NARRATIVE) == ([] if _seals_all(device.hub) else [NARRATIVE])
    assert json.loads(_opened(device, "a", "identity", keys.people["nationale"])) == {
        "persons": [{"no": 1, "name": "Awa Exemple", "phone": "+223 00 00 12 34"}]
    }


def test_what_came_in_clear_is_kept_byte_for_byte_in_a_box(device: Sender, keys: FoundedKeys) -> None:
    loose = json.dumps(json.loads(operation("complaint", "a", clear_content() | {"later": "Awa Exemple"}))).encode()

    device.send(loose)

    assert _found(device.hub, "later", *SECRETS) == []
    assert _opened(device, "a", "original", keys.people["nationale"]) == loose


def test_clear_complaint_sent_again_is_held_and_another_content_is_told_apart(device: Sender) -> None:
    line = operation("complaint", "a", clear_content())
    other = clear_content() | {"identity": {"clear": {"persons": [{"no": 1, "name": "Binta Exemple"}]}}}

    assert verdicts(device.send(line)) == [STORED]
    assert verdicts(device.send(line)) == [ALREADY_HELD]
    assert verdicts(device.send(operation("complaint", "a", other))) == [
        Verdict("conflict", "content_differs", "content")
    ]
    assert _found(device.hub, "Binta Exemple") == []


def test_hash_of_a_clear_complaint_can_not_be_tried(device: Sender) -> None:
    line = operation("complaint", "a", clear_content())

    device.send(line)

    from_content = canonical(json.loads(line)["content"])
    assert _found(device.hub, hashlib.sha256(from_content).hexdigest()) == []


def test_strict_complaint_is_sealed_to_named_readers_alone(device: Sender, keys: FoundedKeys) -> None:
    device.send(operation("complaint", "a", clear_content(confidentiality="strict")))

    assert _found(device.hub, NARRATIVE) == []
    assert json.loads(_opened(device, "a", "statement", keys.people["nationale"]))["narrative"] == NARRATIVE
    assert keys.people["gao"].kid not in read_boxes(_content(device.hub, "a")).keys


@pytest.mark.parametrize("kind", ["GBV-1", "COR-SEX"])
def test_gender_based_violence_is_strict_whatever_it_calls_itself(
    device: Sender, keys: FoundedKeys, kind: str
) -> None:
    device.send(operation("complaint", "a", clear_content(kinds=["HR-THR", kind], confidentiality="confidential")))

    assert _found(device.hub, NARRATIVE) == []
    assert keys.people["gao"].kid not in read_boxes(_content(device.hub, "a")).keys
    with device.hub.store.read() as connection:
        assert connection.scalars(sa.select(filed.c.confidentiality)).all() == ["strict"]


def test_complaint_that_comes_to_speak_of_gender_based_violence_becomes_strict(device: Sender) -> None:
    device.send(complaint("a", confidentiality="confidential"))

    device.send(revision("r", "a", 1, facts={"clear": facts(kinds=["GBV-2"], confidentiality="confidential")}))

    with device.hub.store.read() as connection:
        assert connection.scalars(sa.select(filed.c.confidentiality)).all() == ["strict"]


def test_readers_are_those_whose_scope_covers_the_place(device: Sender, keys: FoundedKeys) -> None:
    other = enrolled(device.hub, "Ségou 1", team="segou-x")

    other.send(operation("complaint", "b", clear_content()))

    assert keys.people["gao"].kid not in read_boxes(_content(device.hub, "b")).keys
    assert keys.people["nationale"].kid in read_boxes(_content(device.hub, "b")).keys


def test_revised_statement_stays_clear_where_the_complaint_is_not_strict(device: Sender) -> None:
    device.send(complaint("a"), complaint("s", confidentiality="strict"))

    device.send(revision("r1", "a", 1, statement=said("ouvert")), revision("r2", "s", 1, statement=said("fermé")))

    assert _found(device.hub, "ouvert") == ([] if _seals_all(device.hub) else ["ouvert"])
    assert _found(device.hub, "fermé") == []


def test_statement_of_a_strict_complaint_is_sealed_whatever_a_revision_says(device: Sender, keys: FoundedKeys) -> None:
    assert keys
    device.send(complaint("s", confidentiality="strict"))

    device.send(revision("r", "s", 1, facts={"clear": facts()}, statement=said("fermé")))

    assert _found(device.hub, "fermé") == []


def test_strict_complaint_sealed_in_part_is_set_aside_with_all_it_holds(device: Sender, keys: FoundedKeys) -> None:
    whole = content(confidentiality="strict") | {"statement": said(NARRATIVE)}
    line = operation("complaint", "a", whole)

    assert verdicts(device.send(line)) == [Verdict("quarantined", "compartment_invalid", "seal")]

    kept = _aside(device.hub)
    assert _found(device.hub, NARRATIVE) == []
    place = Binding(kept.client_id, device.lineage)
    assert open_original(kept.payload, keys.people["nationale"].keys, place) == line


def test_statement_that_a_device_left_clear_under_an_older_keyring_stays_as_it_came(device: Sender) -> None:
    whole = content(confidentiality="confidential") | {"statement": said(NARRATIVE)}

    assert verdicts(device.send(operation("complaint", "a", whole))) == [STORED]

    # The hub can't open the seal beside it, and so adds nothing to it; security.md tells who must know.
    assert _content(device.hub, "a")["statement"] == said(NARRATIVE)


def test_seal_that_is_none_hides_no_line_from_sealing(device: Sender, keys: FoundedKeys) -> None:
    assert keys
    device.send(operation("complaint", "a", content() | {"seal": {"keys": {"Awa Exemple": "x"}, "v": 1}}))

    assert _found(device.hub, "Awa Exemple", NARRATIVE) == []


@pytest.mark.parametrize(
    ("op", "holds"),
    [
        ("withdrawal", {"complaint": an_id("a"), "reason": "Awa Exemple a peur", "scope": "exports"}),
        ("withdrawal", {"complaint": an_id("a"), "later": "Awa Exemple", "scope": "exports", "seal": sealed_keys()}),
        ("consent_change", {"complaint": an_id("a"), "consent": {"level": "C1", "later": "Awa Exemple"}}),
        ("seen", {"changes": [1], "later": "Awa Exemple"}),
        ("anchor_seen", anchor_seen() | {"later": "Awa Exemple"}),
    ],
)
def test_words_of_an_operation_without_compartments_are_kept_in_a_box(
    device: Sender, keys: FoundedKeys, op: str, holds: dict[str, Any]
) -> None:
    device.send(complaint("a"))
    line = operation(op, "w", holds)

    assert verdicts(device.send(line)) == [STORED]
    assert verdicts(device.send(line)) == [ALREADY_HELD]

    assert _found(device.hub, "Awa Exemple") == []
    assert _opened(device, "w", "original", keys.people["nationale"]) == line


@pytest.mark.parametrize("holds", [{"report": {"clear": {"note": "Awa Exemple"}}}, {"later": "Awa Exemple"}])
def test_result_that_waits_for_its_task_says_nothing_in_clear(device: Sender, holds: dict[str, Any]) -> None:
    line = operation("task_done", "w", {"outcome": "not_met", "task": an_id("t"), **holds})

    assert verdicts(device.send(line)) == verdicts(device.send(line)) == [Verdict("held", "task_missing", "task")]

    assert _found(device.hub, "Awa Exemple") == []


@pytest.mark.parametrize(
    "line",
    [
        operation("complaint", "a", clear_content() | {"form": "complaint/2024"}),
        operation("complaint", "a", clear_content())[:-1],
        operation("complaint", "a", clear_content(kinds=["Awa Exemple"])),
        operation("rumour", "a", {"who": "Awa Exemple"}),
        canonical({"content": clear_content(), "id": "Awa Exemple", "op": "complaint", "seq": 1}),
    ],
)
def test_line_that_nobody_can_read_is_sealed_whole_and_opens_for_a_named_reader(
    device: Sender, keys: FoundedKeys, line: bytes
) -> None:
    device.send(line)

    kept = _aside(device.hub)
    assert _found(device.hub, *SECRETS, NARRATIVE) == []
    assert is_sealed_whole(kept.payload)
    place = Binding(kept.client_id, device.lineage)
    assert open_original(kept.payload, keys.people["nationale"].keys, place) == line
    assert open_original(kept.payload, keys.people["gao"].keys, place) == kept.payload


def test_box_of_one_record_does_not_open_in_another(device: Sender, keys: FoundedKeys) -> None:
    device.send(operation("complaint", "a", clear_content()))
    sealed, reader = read_boxes(_content(device.hub, "a")), keys.people["nationale"]
    record_key = open_record_key(sealed.keys[reader.kid], reader.keys.private[reader.kid])

    with pytest.raises(Unopenable):
        open_part(sealed.boxes["identity"], record_key, "identity", Binding(an_id("b"), device.lineage))
