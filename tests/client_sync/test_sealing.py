"""Sealing at finalise: who opens what of a complaint, that the device does not, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nacl.public import SealedBox
from nacl.signing import SigningKey
from sqlcipher3 import dbapi2 as sqlcipher

from client_sync.bodies import gather
from client_sync.bundle import write_parcel
from client_sync.complaint import Answers, Person, build_complaint, build_revision
from client_sync.errors import ContentRefused, KeyringMissing, LineageDiffers, NotEnrolled, ReaderMissing
from client_sync.outbox import Outbox
from client_sync.protocol.boxes import read_boxes
from client_sync.protocol.canonical import read_operation
from client_sync.protocol.coding import DICTIONARY_ID, inflate
from client_sync.protocol.keyring import Policy, Recipient, key_id
from client_sync.protocol.records import check_operation
from client_sync.seal import Binding, Unopenable, open_part, open_record_key
from client_sync.sealing import UNKNOWN_SCOPE, Scope
from client_sync.stores import Folder
from client_sync.vault import Vault
from tests.client_sync.builders import (
    DEVICE,
    HUB_BOX,
    NOW,
    READERS,
    SOFT,
    WORDS,
    complaint,
    enrolled_outbox,
    enrolment,
    keyring,
    record_id,
)

ID = record_id(1)
RECEIPT = "7K4M-2QG"
TOLD = Answers(
    kinds=("COR-RACKET",),
    cercle="ml-c-djenne",
    places="2026.1",
    narrative="Modibo Inventé a pris le sac de riz.",
    narrative_language="fra",
    service="passage du bac",
    place_said="près du puits de Toutvide",
    lat="14.4951",
    lon="-4.1967",
    victims=(Person(("complainant", "victim"), name="Awa Exemple", phone="+223 00 00 12 34"),),
)
STRICT = replace(TOLD, confidentiality="strict")
# What must be nowhere: name, telephone, village and position, and of a strict complaint its words.
ALWAYS_SEALED = ("Awa Exemple", "00 12 34", "001234", "Toutvide", "toutvide", "14.4951", "-4.1967")
SEALED_WHEN_STRICT = ("Modibo", "Inventé", "sac de riz", "passage du bac")


def content(answers: Answers = TOLD) -> dict[str, Any]:
    return build_complaint(answers, now=NOW, receipt=RECEIPT)


def amended(answers: Answers, *replaced: str) -> dict[str, Any]:
    return build_revision(answers, replaced, complaint=ID, base_revision=1, now=NOW, receipt=RECEIPT)


def lines_of(outbox: Outbox) -> dict[str, bytes]:
    """The line of the last operation of each kind, as it leaves."""
    lines = [read_operation(line) for _, line in outbox.next_lines(0, 10**7)]
    return {operation.op: operation.line for operation in lines}


def sent(outbox: Outbox, answers: Answers = TOLD) -> bytes:
    """The line of a complaint."""
    outbox.finalise("complaint", content(answers), id=ID)
    return lines_of(outbox)["complaint"]


def opened(line: bytes, reader: str) -> dict[str, Any]:
    """The compartments of a line that one reader opens, with what is in them."""
    operation = read_operation(line)
    boxes = read_boxes(operation.content)
    private = READERS[reader]
    sealed = boxes.keys.get(key_id(bytes(private.public_key)))
    if sealed is None:
        return {}
    key, binding = open_record_key(sealed, bytes(private)), Binding(operation.id, DEVICE)
    return {name: json.loads(open_part(box, key, name, binding)) for name, box in boxes.boxes.items()}


def readers(line: bytes) -> set[str]:
    return {name for name in READERS if opened(line, name)}


def with_keyring(folder: Folder, text: str) -> Outbox:
    outbox = Outbox.open(folder)
    outbox.keep_enrolment(enrolment(keyring=text))
    return outbox


class TestReaders:
    def test_they_open_identity_and_traces_and_find_what_was_told(self, outbox: Outbox) -> None:
        line = sent(outbox)
        assert opened(line, "mopti") == {
            "identity": {"persons": [{"name": "Awa Exemple", "no": 1, "phone": "+223 00 00 12 34"}]},
            "traces": {"gps": {"lat": "14.4951", "lon": "-4.1967"}, "said": "près du puits de Toutvide"},
        }
        assert readers(line) == {"recovery", "national", "mopti", "named"}

    def test_gender_based_violence_opens_for_named_readers_alone_whatever_the_monitor_chose(
        self, outbox: Outbox
    ) -> None:
        line = sent(outbox, replace(TOLD, kinds=("GBV-2",), confidentiality="confidential"))
        assert "statement" in opened(line, "named")
        assert readers(line) == {"recovery", "named"}

    def test_a_strict_complaint_opens_for_named_readers_alone_words_and_all(self, outbox: Outbox) -> None:
        line = sent(outbox, STRICT)
        assert readers(line) == {"recovery", "named"}
        assert opened(line, "named")["statement"] == {
            "lang": "fra",
            "narrative": "Modibo Inventé a pris le sac de riz.",
            "service": "passage du bac",
        }

    def test_the_organisation_can_have_every_statement_sealed(self, folder: Folder) -> None:
        outbox = with_keyring(folder, keyring(policy=Policy(seal_statement="all")))
        line = sent(outbox)
        assert opened(line, "mopti").keys() == {"identity", "traces", "statement"}
        outbox.close()

    @pytest.mark.parametrize("cercle", [None, "ml-c-nowhere"])
    def test_without_a_known_place_no_region_reads_it(self, outbox: Outbox, cercle: str | None) -> None:
        assert readers(sent(outbox, replace(TOLD, cercle=cercle))) == {"recovery", "national", "named"}

    def test_a_region_alone_is_enough_to_find_its_readers(self, outbox: Outbox) -> None:
        assert "gao" in readers(sent(outbox, replace(TOLD, cercle="ml-r-gao")))

    def test_the_team_and_the_partner_of_the_device_count(self, folder: Folder) -> None:
        theirs, others = (
            Recipient(bytes(READERS[name].public_key), "hub", teams=(team,))
            for name, team in (("mopti", "mopti-1"), ("gao", "gao-1"))
        )
        outbox = Outbox.open(folder)
        outbox.keep_enrolment(enrolment(team="mopti-1", keyring=keyring(theirs, others)))
        assert readers(sent(outbox)) == {"mopti"}
        outbox.close()

    def test_facts_stay_clear_and_the_hub_finds_nothing_to_object_to(self, outbox: Outbox) -> None:
        operation = read_operation(sent(outbox, STRICT))
        assert operation.content["facts"] == content(STRICT)["facts"]
        assert check_operation(operation) is None
        assert operation.content.keys() == content(STRICT).keys() | {"seal"}


class TestWhatIsLeftBehind:
    """The folder of a device, its machine key in hand, and what it sends, byte by byte."""

    def test_the_device_cannot_read_back_what_it_closed(self, folder: Folder, outbox: Outbox, tmp_path: Path) -> None:
        vault = Vault.create(folder, WORDS, SOFT)
        vault.save_draft(ID, STRICT.to_draft())
        sent(outbox, STRICT)
        vault.drop_draft(ID)
        vault.close()
        outbox.close()
        image = plain_copy(folder, tmp_path / "plain.db")
        image += b"".join(file.read_bytes() for file in folder.path.iterdir())
        assert RECEIPT.encode() in image
        assert found_in(image, *ALWAYS_SEALED, *SEALED_WHEN_STRICT) == []

    def test_no_key_of_the_device_opens_a_box(self, outbox: Outbox) -> None:
        boxes = read_boxes(read_operation(sent(outbox)).content)
        private = bytes(outbox.require_enrolled().keys.box)
        for key in boxes.keys.values():
            with pytest.raises(Unopenable):
                open_record_key(key, private)

    def test_requests_carry_nothing_of_it(self, outbox: Outbox) -> None:
        sent(outbox, STRICT)
        body = gather(outbox, NOW, "0.1.0")
        plain = inflate(body.data, body.coding, DICTIONARY_ID).data
        assert RECEIPT.encode() in plain
        assert found_in(plain, *ALWAYS_SEALED, *SEALED_WHEN_STRICT) == []

    def test_who_opens_a_parcel_at_the_hub_finds_nothing_of_it(self, outbox: Outbox) -> None:
        sent(outbox, STRICT)
        head, _, box = write_parcel(outbox, now=NOW, version="0.1.0").partition(b"\n")
        plain = inflate(SealedBox(HUB_BOX).decrypt(box), json.loads(head)["coding"], DICTIONARY_ID).data
        assert RECEIPT.encode() in plain
        assert found_in(plain, *ALWAYS_SEALED, *SEALED_WHEN_STRICT) == []

    def test_words_that_are_not_strict_are_the_only_ones_in_clear(self, outbox: Outbox) -> None:
        line = sent(outbox)
        assert found_in(line, *ALWAYS_SEALED) == []
        assert found_in(line, *SEALED_WHEN_STRICT) == list(SEALED_WHEN_STRICT)


class TestRevisions:
    def test_one_without_facts_opens_for_the_readers_of_its_complaint(self, folder: Folder, outbox: Outbox) -> None:
        vault = Vault.create(folder, WORDS, SOFT)
        outbox.finalise("complaint", content(), id=ID)
        scope = outbox.scope(ID, vault)
        assert scope == Scope("ml-r-mopti", is_strict=False)
        outbox.finalise("revision", amended(TOLD, "identity"), scope=scope)
        assert readers(lines_of(outbox)["revision"]) == {"recovery", "national", "mopti", "named"}
        vault.close()

    def test_where_nothing_is_known_of_its_complaint_named_readers_alone_open_it(self, outbox: Outbox) -> None:
        outbox.finalise("revision", amended(TOLD, "statement"))
        line = lines_of(outbox)["revision"]
        assert readers(line) == {"recovery", "named"}
        assert found_in(line, *SEALED_WHEN_STRICT) == []

    def test_an_answer_is_sealed_as_a_revision_is(self, outbox: Outbox) -> None:
        question = {"complaint": ID, "question": record_id(5)}
        outbox.finalise("answer", question | {name: content()[name] for name in ("statement", "identity")})
        assert readers(lines_of(outbox)["answer"]) == {"recovery", "named"}
        assert "linkage" not in lines_of(outbox)

    def test_its_own_facts_say_who_reads_it_and_those_after_it(self, folder: Folder, outbox: Outbox) -> None:
        vault = Vault.create(folder, WORDS, SOFT)
        outbox.finalise("complaint", content(), id=ID)
        moved = replace(TOLD, cercle="ml-c-gao", confidentiality="strict")
        outbox.finalise("revision", amended(moved, "facts", "identity"))
        assert readers(lines_of(outbox)["revision"]) == {"recovery", "named"}
        assert outbox.scope(ID, vault) == Scope("ml-r-gao", is_strict=True)
        vault.close()

    def test_only_the_vault_of_that_time_tells_the_scope(self, folder: Folder, outbox: Outbox) -> None:
        outbox.finalise("complaint", content(), id=record_id(2))
        Vault.create(folder, WORDS, SOFT).close()
        outbox.finalise("complaint", content(), id=ID)
        folder.wipe_vault()
        vault = Vault.create(folder, WORDS, SOFT)
        assert [outbox.scope(id, vault) for id in (ID, record_id(2), record_id(3))] == [UNKNOWN_SCOPE] * 3
        vault.close()


class TestRefusals:
    def test_without_an_enrolment_nothing_of_a_person_is_kept(self, folder: Folder) -> None:
        outbox = Outbox.open(folder)
        for op in ("complaint", "revision", "answer"):
            with pytest.raises(NotEnrolled):
                outbox.finalise(op, content())
        assert outbox.records() == []
        outbox.close()

    def test_a_keyring_of_another_root_is_not_followed(self, folder: Folder) -> None:
        outbox = Outbox.open(folder)
        outbox.keep_enrolment(enrolment(root=bytes(SigningKey(b"o" * 32).verify_key)))
        with pytest.raises(KeyringMissing):
            outbox.finalise("complaint", content())
        assert outbox.records() == []
        outbox.close()

    def test_a_complaint_that_nobody_could_open_is_not_closed(self, folder: Folder) -> None:
        elsewhere = Recipient(bytes(READERS["gao"].public_key), "hub", regions=("ml-r-gao",))
        outbox = with_keyring(folder, keyring(elsewhere))
        with pytest.raises(ReaderMissing):
            outbox.finalise("complaint", content())
        assert outbox.records() == []
        outbox.close()

    @pytest.mark.parametrize(
        ("compartments", "why", "field"),
        [
            ({"identity": "Awa Exemple"}, "compartment_invalid", "identity"),
            ({"identity": {"name": "Awa Exemple"}}, "compartment_invalid", "identity"),
            ({"identity": {"box": "QXdh"}}, "member_missing", "seal"),
            ({"traces": {"clear": {"gps": {"lat": "vers le nord", "lon": "0"}}}}, "member_invalid", "traces.gps.lat"),
            ({"note": "Awa Exemple"}, "member_invalid", "note"),
            ({"facts": {"clear": {"note": "Awa"}}}, "member_invalid", "facts.note"),
            ({"facts": {"clear": {"persons": [{"no": 1}, {"name": "Awa"}]}}}, "member_invalid", "facts.persons.name"),
            ({"facts": {"clear": {"money": {"service": "bac"}}}}, "member_invalid", "facts.money.service"),
            ({"facts": "Awa Exemple"}, "compartment_invalid", "facts"),
            ({"facts": {"clear": "Awa Exemple"}}, "compartment_invalid", "facts"),
            ({"statement": {"clear": {"lang": "xx"}}}, "code_unknown", "statement.lang"),
        ],
    )
    def test_what_nobody_could_correct_in_a_box_is_refused(
        self, outbox: Outbox, compartments: dict[str, Any], why: str, field: str
    ) -> None:
        with pytest.raises(ContentRefused) as refused:
            outbox.finalise("complaint", content(STRICT) | compartments)
        assert refused.value.details == {"why": why, "field": field}
        assert outbox.records() == []

    def test_boxes_bound_to_one_lineage_never_leave_under_another(self, outbox: Outbox) -> None:
        outbox.finalise("complaint", complaint())
        with pytest.raises(LineageDiffers):
            outbox.keep_enrolment(enrolment(device=record_id(7), lineage=record_id(7)))


def test_linkage_goes_along_and_is_no_record_of_its_own(outbox: Outbox) -> None:
    sent(outbox)
    assert [record.op for record in outbox.records()] == ["complaint"]
    assert (outbox.unsent(), outbox.waiting(), outbox.counts().here) == (1, 2, 1)
    outbox.finalise("complaint", content(), id=ID)
    assert outbox.waiting() == 2


def test_the_wipe_of_a_vault_leaves_the_sealed_outbox_sendable(folder: Folder) -> None:
    outbox = enrolled_outbox(folder)
    Vault.create(folder, WORDS, SOFT).close()
    line = sent(outbox)
    outbox.close()
    folder.wipe_vault()
    outbox = Outbox.open(folder)
    assert lines_of(outbox)["complaint"] == line
    outbox.close()


def plain_copy(folder: Folder, path: Path) -> bytes:
    """The transport store as its machine key shows it, every row and every index of it."""
    connection = sqlcipher.connect(str(folder.transport))
    connection.execute(f"PRAGMA key = \"x'{folder.machine_key.read_text()}'\"")
    connection.execute("ATTACH DATABASE ? AS plain KEY ''", [str(path)])
    connection.execute("SELECT sqlcipher_export('plain')")
    connection.close()
    return path.read_bytes()


def found_in(data: bytes, *words: str) -> list[str]:
    return [word for word in words if word.encode() in data or word.encode("utf-16-le") in data]
