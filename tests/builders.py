"""Builders: contents, lines and frames as a device makes them, and enrolled devices on a hub of either engine."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from flask import Flask
from nacl.public import PrivateKey
from nacl.signing import SigningKey
from werkzeug.test import TestResponse

from client_sync.protocol.canonical import canonical
from client_sync.protocol.coding import DICTIONARY_ID, Coding, deflater
from client_sync.protocol.enrolment import proof_digest
from client_sync.protocol.frames import Header, encode_frame, to_text
from server.app import create_app
from server.config import Settings
from server.domain.allowance import Refill
from server.hub import Hub, open_hub
from server.services import devices
from server.services.devices import Application

NOW = datetime(2026, 11, 21, 10, 4, 5, tzinfo=UTC)
NOW_TEXT = "2026-11-21T10:04:05Z"
SYNC = "/api/v1/sync"

_FACTS: dict[str, Any] = {
    "kinds": ["COR-RACKET", "HR-THR"],
    "channel": "in_person",
    "relation": "victim",
    "sector": "customs",
    "language": "bam",
    "incident": {"from": "2026-10-03", "to": "2026-10-05", "precision": "day"},
    "place": {"id": "ml-c-gao", "list": "2026.1"},
    "persons": [
        {"no": 1, "roles": ["complainant", "victim"], "sex": "f", "age": "25-59"},
        {"no": 2, "roles": ["alleged_perpetrator"], "category": "police", "count": 3},
    ],
    "money": {"asked_xof": 15000, "paid_xof": 5000, "paid": "partial", "receipt_given": False},
    "urgency": {"danger": "no"},
    "consent": {"level": "C2", "given_by": "self", "form": "oral_witness", "read_aloud": True},
    "confidentiality": "confidential",
    "contact_ok": "in_person",
    "collected_at": "2026-10-06T09:12:00Z",
    "entered_at": "2026-10-06T18:40:12Z",
    "receipt": "7K4M-2QG",
}


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        """Let time pass, as the arguments of timedelta."""
        self.now += timedelta(**time)


def an_id(name: object) -> str:
    """The same id for the same name."""
    return str(uuid5(NAMESPACE_URL, f"seere:{name}"))


def facts(**changes: Any) -> dict[str, Any]:
    """Sound facts; a change of None leaves a member out."""
    changed = copy.deepcopy(_FACTS) | changes
    return {name: value for name, value in changed.items() if value is not None}


def content(**changes: Any) -> dict[str, Any]:
    """The sound content of a complaint, with facts changed."""
    return {
        "form": "complaint/1",
        "vocabulary": "2026.1",
        "facts": {"clear": facts(**changes)},
        "statement": {"clear": {"narrative": "On m'a demandé de l'argent sans reçu.", "lang": "fra"}},
        "traces": {"clear": {"said": "près du puits", "gps": {"lat": "16.2710", "lon": "-0.0447"}}},
        "identity": {"clear": {"persons": [{"no": 1, "name": "Awa Exemple", "phone": "+223 00 00 12 34"}]}},
    }


def sealed(text: str = "c2NlbGzDqQ") -> dict[str, Any]:
    """A sealed compartment."""
    return {"v": 1, "keys": ["k1:AAAA"], "box": text}


def operation(op: str, name: object, content: Mapping[str, Any], seq: int = 1) -> bytes:
    """The canonical line of an operation; its id follows from `name`."""
    return canonical({"op": op, "id": an_id(name), "seq": seq, "content": content})


def complaint(name: object, **changes: Any) -> bytes:
    """The line of a sound complaint, with facts changed."""
    return operation("complaint", name, content(**changes))


def revision(name: object, of: object, base: int, *, lineage: str | None = None, **compartments: Any) -> bytes:
    """The line of a revision of the complaint called `of`."""
    about = {"complaint": an_id(of), "base_revision": base} | ({"lineage": lineage} if lineage else {})
    return operation("revision", name, about | compartments)


def said(text: str) -> dict[str, Any]:
    """A statement compartment that says this."""
    return {"clear": {"narrative": text, "lang": "fra"}}


def compressed(frames: Iterable[bytes], coding: Coding) -> bytes:
    """A body of frames, each flushed."""
    stream = deflater(coding)
    return b"".join([*(stream.add(frame) for frame in frames), stream.finish()])


def open_test_hub(url: str, folder: Path, clock: Clock, **settings: Any) -> Hub:
    """A hub on the database behind `url`, which may be SQLite's or PostgreSQL's."""
    database = "" if url.startswith("sqlite") else url
    return open_hub(Settings(data=folder, database=database, **settings), clock)


@dataclass(frozen=True)
class Verdict:
    """What an answer says of one line."""

    verdict: str
    code: str = ""
    field: str = ""


STORED = Verdict("stored")
ALREADY_HELD = Verdict("already_held")


def verdicts(answer: Mapping[str, Any]) -> list[Verdict]:
    """The verdict on each line of each frame that an answer reports, in order."""
    found: list[Verdict] = []
    for report in answer.get("frames", []):
        if "unread" in report:
            continue
        lines = [STORED] * report["n"]
        for first, last in report.get("already_held", []):
            lines[first : last + 1] = [ALREADY_HELD] * (last + 1 - first)
        for named in report.get("named", []):
            lines[named["at"]] = Verdict(named["verdict"], named["code"], named.get("field", ""))
        found.extend(lines)
    return found


@dataclass
class Sender:
    """A device as the hub sees it: keys, token and a counter of frames. It keeps nothing."""

    hub: Hub
    app: Flask
    device: str
    lineage: str
    token: str
    key: SigningKey
    box: PrivateKey
    next_frame: int = 1
    cursor: str | None = field(default=None)

    def frame(self, lines: Iterable[bytes] = (), **header: Any) -> bytes:
        """The next frame, signed; `header` are members of its header line."""
        number = header.pop("frame", None)
        if number is None:
            number, self.next_frame = self.next_frame, self.next_frame + 1
        known = {"device": self.device, "hub": self.hub.identity.id, "epoch": self.hub.epoch(), "at": NOW_TEXT}
        return encode_frame(Header(**known | {"frame": number} | header), lines, self.sign)

    def sign(self, digest: bytes) -> bytes:
        """64 bytes for 32."""
        return self.key.sign(digest).signature

    def post(self, body: bytes, path: str = SYNC, **headers: str) -> TestResponse:
        """Post a body as this device."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.app.test_client().post(
            path, data=body, headers={"Authorization": f"Bearer {self.token}"} | named
        )

    def send(self, *lines: bytes, **header: Any) -> dict[str, Any]:
        """Send one frame of lines; gives the answer."""
        return self.send_body(self.frame(lines, **header))

    def send_body(self, *frames: bytes, coding: Coding = "identity") -> dict[str, Any]:
        """Send frames as one body; gives the answer."""
        headers = {} if coding == "identity" else {"Content-Encoding": coding}
        if coding == "zstd":
            headers["Seere-Dictionary"] = DICTIONARY_ID
        response = self.post(compressed(frames, coding), **headers)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json
        return answer

    def changes(self) -> list[dict[str, Any]]:
        """Every change after the cursor, page by page."""
        found: list[dict[str, Any]] = []
        is_more = True
        while is_more:
            answer = self.send(cursor=self.cursor)
            found.extend(answer.get("changes", []))
            self.cursor = answer.get("cursor", self.cursor)
            is_more = answer.get("more", False)
        return found


def application(code: str, key: SigningKey, box: PrivateKey, **members: Any) -> dict[str, Any]:
    """What a device posts to be enrolled."""
    keys = bytes(key.verify_key), bytes(box.public_key)
    proof = key.sign(proof_digest(code, *keys)).signature
    sign_key, box_key = (to_text(each) for each in keys)
    return {"code": code, "sign_key": sign_key, "box_key": box_key, "proof": to_text(proof)} | members


def enrolled(
    hub: Hub, label: str, *, team: str | None = None, succeeds: Sender | None = None, is_confirmed: bool = True
) -> Sender:
    """A device that went through enrolment."""
    predecessor = succeeds and succeeds.device
    invitation = devices.invite(
        hub.store, hub.clock(), label=label, valid_hours=72, team=team, succeeds=predecessor
    )
    key, box = SigningKey.generate(), PrivateKey.generate()
    sent = application(invitation.code, key, box)
    refill = Refill(
        hub.settings.device_burst_records,
        hub.settings.device_burst_bytes,
        hub.settings.device_records_per_minute,
        hub.settings.device_bytes_per_minute,
    )
    admitted = devices.enrol(
        hub.store, Application(**sent, software=None, succeeds=None), hub.clock(), refill
    )
    if is_confirmed:
        devices.confirm(hub.store, admitted.device, hub.clock())
    return Sender(hub, create_app(hub), admitted.device, admitted.lineage, admitted.token, key, box)


def twin(sender: Sender) -> Sender:
    """The same device as an old copy of it would be, put back."""
    return replace(sender)
