"""Devices and complaints for the tests of the client: what a test does not name is the same every time."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

from nacl.public import PrivateKey
from nacl.signing import SigningKey

from client_sync.answers import HubAnswer, read_answer
from client_sync.outbox import Outbox
from client_sync.protocol.boxes import read_boxes
from client_sync.protocol.canonical import canonical, read_operation
from client_sync.protocol.frames import to_text
from client_sync.protocol.keyring import Keyring, Policy, Recipient, key_id, sign
from client_sync.protocol.orders import administrator_digest, order_digest
from client_sync.seal import Binding, open_part, open_record_key, seal_to
from client_sync.stores import Folder
from client_sync.tables import Enrolled, Keys, Record
from client_sync.vault import Hardness

NOW = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
HUB = "00000000-0000-4000-8000-0000000000aa"
DEVICE = "00000000-0000-4000-8000-0000000000d1"
EPOCH = "aaaaaaaa"
ROOT = SigningKey(b"r" * 32)
ADMINISTRATOR = SigningKey(b"a" * 32)
LINKAGE_KEY = PrivateKey(b"l" * 32)
# The private parts of an invented keyring's recipients, by what each of them may read.
READERS = {name: PrivateKey(name.encode().ljust(32)) for name in ("recovery", "national", "mopti", "gao", "named")}
HUB_SIGN = SigningKey(b"h" * 32)
HUB_BOX = PrivateKey(b"b" * 32)
TASK_WORDS = "Demander Awa Exemple, derrière le puits."
WORDS = "calebasse tambour rivière marché"
# Cheap enough for a test, argon2id all the same.
SOFT = Hardness(passes=1, memory_bytes=8192)


def task_change(
    number: int = 1, n: int = 1, *, to: str = "2026-12-01", key: PrivateKey | None = None, **members: Any
) -> dict[str, Any]:
    """The change that brings the device of `enrolment` a task, whose report is for the readers of Gao."""
    scope = {"region": "ml-r-gao", "team": "gao", "partner": None, "is_strict": False}
    device = key or enrolment().keys.box
    box = to_text(seal_to(bytes(device.public_key), canonical({"words": TASK_WORDS, "scope": scope})))
    told = {"from": "2026-11-21", "to": to, "what": "visit", "by": ["verification_visit"], "place": "ml-c-gao"}
    return {"n": n, "kind": "task", "task": record_id(number), "box": box, **told, **members}


def record_id(number: int) -> str:
    """A record id that starts with the number."""
    return str(UUID(f"{number:08x}-0000-4000-8000-000000000000"))


def keyring(*recipients: Recipient, **members: Any) -> str:
    """An invented keyring, signed: by default one administrator, recovery, national, two regions, one named reader."""
    made = Keyring(
        version=1,
        issued_at=NOW,
        root=bytes(ROOT.verify_key),
        linkage=bytes(LINKAGE_KEY.public_key),
        policy=Policy(),
        recipients=recipients or tuple(_recipient(name) for name in READERS),
        administrators=(bytes(ADMINISTRATOR.verify_key),),
    )
    return sign(replace(made, **members), bytes(ROOT)).decode()


def _recipient(name: str) -> Recipient:
    public = bytes(READERS[name].public_key)
    if name == "recovery":
        return Recipient(public, "offline", is_recovery=True)
    regions = (f"ml-r-{name}",) if name in ("mopti", "gao") else ()
    return Recipient(public, "hub", regions=regions, is_named_reader=name == "named")


def complaint(narrative: str = "", **facts: Any) -> dict[str, Any]:
    """The content of a sound complaint; only one with a narrative gives duplicates something to be searched by."""
    clear = {
        "kinds": ["COR-RACKET"],
        "channel": "in_person",
        "consent": {"level": "C1"},
        "confidentiality": "confidential",
        "contact_ok": "never",
        "entered_at": "2026-11-21T10:00:00Z",
        "receipt": "7K4M-2QG",
    }
    statement = {"statement": {"clear": {"lang": "fra", "narrative": narrative}}} if narrative else {}
    return {"facts": {"clear": clear | facts}, "form": "complaint/1", "vocabulary": "2026.1"} | statement


def as_read(line: bytes, reader: str = "recovery") -> dict[str, Any]:
    """The content of a line with every box opened by one reader."""
    operation = read_operation(line)
    content = {name: value for name, value in operation.content.items() if name != "seal"}
    boxes = read_boxes(operation.content)
    for name, box in boxes.boxes.items():
        private = READERS[reader]
        record_key = open_record_key(boxes.keys[key_id(bytes(private.public_key))], bytes(private))
        binding = Binding(operation.id, DEVICE)
        content[name] = {"clear": json.loads(open_part(box, record_key, name, binding))}
    return content


def closed(folder: Folder, reader: str = "recovery") -> list[tuple[Record, dict[str, Any]]]:
    """Every closed record with its content as one reader opens it, asked of the file itself."""
    outbox = Outbox.open(folder)
    held = {row["id"]: row["line"] for row in outbox._database.query("SELECT id, line FROM record")}
    pairs = [(record, as_read(held[record.id], reader)) for record in outbox.records()]
    outbox.close()
    return pairs


def wordy(number: int, chars: int = 900) -> dict[str, Any]:
    """A complaint with so many characters that do not compress to nothing; the same one for the same number."""
    rng = Random(number)
    return complaint(files=[photo(rng.randbytes(32).hex()) for _ in range(chars // 64)])


def photo(sha256: str) -> dict[str, Any]:
    """A file of a complaint."""
    return {"sha256": sha256, "size": 1, "kind": "photo", "role": "evidence"}


def enrolment(url: str = "http://127.0.0.1:9", **members: Any) -> Enrolled:
    """What an enrolled device knows of its hub."""
    enrolled = Enrolled(
        device=DEVICE,
        lineage=DEVICE,
        hub=HUB,
        url=url,
        label="Mopti 2",
        coalition="Coalition d'essai",
        team=None,
        partner=None,
        places=None,
        pin=None,
        hub_sign_key=bytes(HUB_SIGN.verify_key),
        hub_box_key=bytes(HUB_BOX.public_key),
        keyring=keyring(),
        root=bytes(ROOT.verify_key),
        epoch=EPOCH,
        token="t" * 43,
        keys=Keys(SigningKey(b"s" * 32), PrivateKey(b"x" * 32)),
    )
    return replace(enrolled, **members)


def enrolled_outbox(folder: Folder, url: str = "http://127.0.0.1:9") -> Outbox:
    """The open outbox of an enrolled device."""
    outbox = Outbox.open(folder)
    outbox.keep_enrolment(enrolment(url))
    return outbox


def answer(**members: Any) -> HubAnswer:
    """An answer of the hub, checked as every answer is."""
    return read_answer({"now": "2026-11-21T10:00:00Z", "epoch": EPOCH} | members)


def order(
    no: int,
    kind: str,
    device: str = DEVICE,
    key: SigningKey = HUB_SIGN,
    by: SigningKey | None = None,
    **members: Any,
) -> dict[str, Any]:
    """An order signed by the hub, and `by` an administrator where one is named."""
    body: dict[str, Any] = {"at": "2026-11-21T10:00:00Z", "device": device, "kind": kind, "no": no} | members
    if by is not None:
        sig = to_text(by.sign(administrator_digest(canonical(body))).signature)
        body["by"] = {"kid": key_id(bytes(by.verify_key)), "sig": sig}
    return {"order": body, "sig": to_text(key.sign(order_digest(canonical(body))).signature)}
