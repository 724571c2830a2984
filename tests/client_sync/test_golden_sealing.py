"""The golden sealed complaint, read by the client: who opens what of it, by the keyring beside it."""

import json
from pathlib import Path
from typing import Any

import pytest
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from client_sync.protocol.boxes import Boxes, read_boxes, write_boxes
from client_sync.protocol.canonical import canonical, read_operation
from client_sync.protocol.frames import from_text
from client_sync.protocol.keyring import key_id, read
from client_sync.protocol.records import check_operation
from client_sync.seal import Binding, Unopenable, open_envelope, open_part, open_record_key

FILE = Path(__file__).resolve().parent.parent.parent / "fixtures" / "protocol" / "v1" / "sealing" / "sealed.json"
EXAMPLE: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
COMPLAINT, LINKAGE = (read_operation(line.encode()) for line in EXAMPLE["lines"])
BOXES = read_boxes(COMPLAINT.content)
PRIVATE = {who: bytes.fromhex(key) for who, key in EXAMPLE["readers"].items()}


def _kid(who: str) -> str:
    return key_id(bytes(PrivateKey(PRIVATE[who]).public_key))


@pytest.mark.parametrize("operation", [COMPLAINT, LINKAGE], ids=["complaint", "linkage"])
def test_operations_are_sound_and_written_canonically(operation: Any) -> None:
    assert check_operation(operation) is None
    assert canonical(json.loads(operation.line)) == operation.line


def test_keyring_names_who_may_open_it() -> None:
    root = bytes(SigningKey(bytes.fromhex(EXAMPLE["root_seed"])).verify_key)
    keyring = read(EXAMPLE["keyring"].encode(), root)
    readers = keyring.readers_for("ml-r-gao", "gao", None, is_strict=False)

    assert {reader.kid for reader in readers} == set(BOXES.keys) == {_kid(who) for who in EXAMPLE["may_open"]}
    assert keyring.linkage == bytes(PrivateKey(bytes.fromhex(EXAMPLE["linkage_key"])).public_key)


@pytest.mark.parametrize("who", EXAMPLE["may_open"])
def test_each_reader_opens_what_is_sealed(who: str) -> None:
    record_key = open_record_key(BOXES.keys[_kid(who)], PRIVATE[who])
    here = Binding(COMPLAINT.id, EXAMPLE["lineage"])
    opened = {name: json.loads(open_part(box, record_key, name, here)) for name, box in BOXES.boxes.items()}

    assert opened == EXAMPLE["clear"]


def test_nobody_else_opens_anything() -> None:
    [other] = PRIVATE.keys() - EXAMPLE["may_open"]
    for box in BOXES.keys.values():
        with pytest.raises(Unopenable):
            open_record_key(box, PRIVATE[other])


def test_linkage_opens_with_the_hubs_key_and_says_whose_it_is() -> None:
    opened = open_envelope(from_text(LINKAGE.content["box"]), bytes.fromhex(EXAMPLE["linkage_key"]))

    assert json.loads(opened) == EXAMPLE["linkage"]
    assert EXAMPLE["linkage"]["complaint"] == LINKAGE.content["complaint"] == COMPLAINT.id


def test_boxes_are_written_as_they_were_read() -> None:
    bare = {name: value for name, value in COMPLAINT.content.items() if name not in ("identity", "traces", "seal")}

    assert write_boxes(bare, BOXES.boxes, BOXES.keys) == COMPLAINT.content


def test_seal_of_a_version_to_come_is_read_without_keys() -> None:
    later = COMPLAINT.content | {"seal": COMPLAINT.content["seal"] | {"v": 2}}

    assert read_boxes(later) == Boxes(BOXES.boxes, {})


def test_task_opens_for_its_device_and_its_report_for_the_readers() -> None:
    task = json.loads(FILE.with_name("task.json").read_text("utf-8"))
    assert json.loads(open_envelope(from_text(task["box"]), bytes.fromhex(task["box_seed"]))) == task["details"]
    done = read_operation(task["line"].encode())
    boxes = read_boxes(done.content)
    here = Binding(done.id, task["lineage"])
    for who in EXAMPLE["may_open"]:
        record_key = open_record_key(boxes.keys[_kid(who)], PRIVATE[who])
        assert json.loads(open_part(boxes.boxes["report"], record_key, "report", here)) == task["report"]
    assert check_operation(done) is None
    assert canonical(json.loads(done.line)) == done.line
