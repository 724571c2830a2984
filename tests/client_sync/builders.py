"""Devices and complaints for the tests of the client: what a test does not name is the same every time."""

from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

from nacl.public import PrivateKey
from nacl.signing import SigningKey

from client_sync.answers import HubAnswer, read_answer
from client_sync.outbox import Outbox
from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import to_text
from client_sync.protocol.orders import order_digest
from client_sync.stores import Folder
from client_sync.tables import Enrolled, Keys
from client_sync.vault import Hardness

NOW = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
HUB = "00000000-0000-4000-8000-0000000000aa"
DEVICE = "00000000-0000-4000-8000-0000000000d1"
EPOCH = "aaaaaaaa"
HUB_SIGN = SigningKey(b"h" * 32)
HUB_BOX = PrivateKey(b"b" * 32)
WORDS = "calebasse tambour rivière marché"
# Cheap enough for a test, argon2id all the same.
SOFT = Hardness(passes=1, memory_bytes=8192)


def record_id(number: int) -> str:
    """A record id that starts with the number."""
    return str(UUID(f"{number:08x}-0000-4000-8000-000000000000"))


def complaint(narrative: str = "On m'a demandé 2 000 francs au poste.", **facts: Any) -> dict[str, Any]:
    """The content of a sound complaint."""
    clear = {
        "kinds": ["COR-RACKET"],
        "channel": "in_person",
        "consent": {"level": "C1"},
        "confidentiality": "confidential",
        "contact_ok": "never",
        "entered_at": "2026-11-21T10:00:00Z",
        "receipt": "7K4M-2QG",
    }
    return {
        "facts": {"clear": clear | facts},
        "form": "complaint/1",
        "statement": {"clear": {"lang": "fra", "narrative": narrative}},
        "vocabulary": "2026.1",
    }


def wordy(number: int, chars: int = 900) -> dict[str, Any]:
    """A complaint that does not compress to nothing; the same one for the same number."""
    rng = Random(number)
    return complaint("".join(rng.choice("aeioumnktsrd ") for _ in range(chars)))


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


def order(no: int, kind: str, device: str = DEVICE, key: SigningKey = HUB_SIGN) -> dict[str, Any]:
    """A signed order."""
    body = {"at": "2026-11-21T10:00:00Z", "device": device, "kind": kind, "no": no}
    return {"order": body, "sig": to_text(key.sign(order_digest(canonical(body))).signature)}
