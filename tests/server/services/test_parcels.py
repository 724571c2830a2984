"""Parcels: what a device gave to another to carry is stored as its own, and the reply is for its eyes alone."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from nacl.exceptions import CryptoError
from nacl.public import SealedBox
from werkzeug.test import TestResponse

from client_sync.protocol.canonical import canonical
from client_sync.protocol.coding import DICTIONARY_ID
from client_sync.protocol.frames import from_text
from client_sync.protocol.orders import reply_digest
from server.hub import Hub
from server.services import devices as device_service
from server.services import retention
from server.store import registry
from server.store.schema import device as device_table
from server.store.schema import event, quarantine, received
from tests.builders import (
    ADMINISTRATOR,
    ALREADY_HELD,
    NOW,
    STORED,
    Sender,
    Verdict,
    add_person,
    an_id,
    complaint,
    compressed,
    revision,
    said,
    verdicts,
)
from tests.server.conftest import Enrol

PARCELS = "/api/v1/parcels"


@pytest.fixture
def author(enrol: Enrol) -> Sender:
    return enrol("Gao 1")


@pytest.fixture
def carrier(enrol: Enrol) -> Sender:
    return enrol("Gao 2")


def _head(author: Sender, **members: Any) -> bytes:
    head = {
        "coding": "zstd",
        "count": 1,
        "device": author.device,
        "dictionary": DICTIONARY_ID,
        "hub": author.hub.identity.id,
        "parcel": 1,
        "seere_parcel": 1,
    }
    return canonical({name: value for name, value in (head | members).items() if value is not None}) + b"\n"


def _box(author: Sender, body: bytes) -> bytes:
    return bytes(SealedBox(author.hub.identity.box_key.public_key).encrypt(body))


def _parcel(author: Sender, *frames: bytes, **members: Any) -> bytes:
    return _head(author, **members) + _box(author, compressed(frames, members.get("coding", "zstd")))


def _opened(author: Sender, response: TestResponse) -> dict[str, Any]:
    """The answer in a reply, as its author reads it."""
    assert (response.status_code, response.mimetype) == (200, "application/octet-stream")
    head, _, box = response.data.partition(b"\n")
    members = json.loads(head)
    assert {"device": author.device, "hub": author.hub.identity.id, "seere_reply": 1}.items() <= members.items()
    author.hub.identity.sign_key.verify_key.verify(reply_digest(box), from_text(members["sig"]))
    answer: dict[str, Any] = json.loads(SealedBox(author.box).decrypt(box))
    return answer


@pytest.mark.parametrize("coding", ["zstd", "gzip", "identity"])
def test_parcel_is_stored_as_its_authors_and_says_who_carried_it(author: Sender, carrier: Sender, coding: str) -> None:
    dictionary = DICTIONARY_ID if coding == "zstd" else None
    parcel = _parcel(author, author.frame([complaint("a")]), coding=coding, dictionary=dictionary)

    answer = _opened(author, carrier.post(parcel, PARCELS))

    assert verdicts(answer) == [STORED]
    with author.hub.store.read() as connection:
        row = connection.execute(sa.select(received).where(received.c.lineage == author.lineage)).one()
    assert (row.device, row.carried_by) == (author.device, carrier.device)


def test_log_says_who_brought_a_parcel(author: Sender, carrier: Sender) -> None:
    carrier.post(_parcel(author, author.frame([complaint("a")]), parcel=7), PARCELS)

    with author.hub.store.read() as connection:
        select = sa.select(event.c.actor, event.c.object).where(event.c.action == "parcel")
        assert (f"device:{carrier.device}", f"device:{author.device}") in connection.execute(select).all()


def test_carrier_cannot_read_the_reply(author: Sender, carrier: Sender) -> None:
    reply = carrier.post(_parcel(author, author.frame([complaint("a")])), PARCELS).data

    with pytest.raises(CryptoError):
        SealedBox(carrier.box).decrypt(reply.partition(b"\n")[2])
    assert an_id("a").encode() not in reply


def test_parcel_brought_twice_by_two_carriers_is_stored_once(author: Sender, carrier: Sender, enrol: Enrol) -> None:
    parcel = _parcel(author, author.frame([complaint("a")]))
    _opened(author, carrier.post(parcel, PARCELS))

    answer = _opened(author, enrol("Gao 3").post(parcel, PARCELS))

    assert answer["frames"] == [{"frame": 1, "n": 1, "already_held": [[0, 0]]}]


def test_reply_names_the_parcels_that_are_missing(author: Sender, carrier: Sender) -> None:
    def missing(number: int) -> Any:
        parcel = _parcel(author, author.frame([complaint(number)]), parcel=number)
        return _opened(author, carrier.post(parcel, PARCELS)).get("missing_parcels")

    assert [missing(number) for number in (1, 4, 3, 2, 5)] == [None, [2, 3], [2], None, None]
    # The number is not signed: a great one does not make the hub count up to it.
    assert len(missing(2**31 - 1)) == 100


def test_carried_parcel_says_nothing_of_how_the_author_is_now(author: Sender, carrier: Sender, hub: Hub) -> None:
    late = author.frame([complaint("a")], at="2026-10-01T00:00:00Z", waiting=99)

    carrier.post(_parcel(author, late), PARCELS)

    with hub.store.read() as connection:
        row = connection.execute(sa.select(device_table).where(device_table.c.id == author.device)).one()
    assert (row.last_sync_at, row.clock_ahead_s, row.waiting, row.last_frame) == (None, None, None, 1)


def test_frames_that_the_author_did_not_sign_are_not_taken_for_its_own(author: Sender, carrier: Sender) -> None:
    forged = carrier.frame([complaint("forged")], device=author.device)
    true = author.frame([complaint("true")])

    refused = carrier.post(_parcel(author, forged), PARCELS)
    answer = _opened(author, carrier.post(_parcel(author, forged, true), PARCELS))

    assert (refused.status_code, refused.json["code"]) == (400, "parcel_unreadable")
    assert verdicts(answer) == [STORED]
    with author.hub.store.read() as connection:
        aside = sa.select(sa.func.count()).where(quarantine.c.lineage == author.lineage)
        assert connection.scalar(aside) == 0


def test_parcel_of_a_revoked_device_is_kept_aside_and_answered_with_an_order(author: Sender, carrier: Sender) -> None:
    hub = author.hub
    device_service.wipe(hub.store, author.device, NOW, hub.identity.sign_key, ADMINISTRATOR, reason="seized")

    answer = _opened(author, carrier.post(_parcel(author, author.frame([complaint("a")])), PARCELS))

    assert verdicts(answer) == [Verdict("quarantined", "device_revoked")]
    assert [order["order"]["kind"] for order in answer["orders"]] == ["wipe"]


def test_parcel_of_a_device_that_is_not_confirmed_waits(carrier: Sender, enrol: Enrol) -> None:
    waiting = enrol("Gao 9", is_confirmed=False)

    response = carrier.post(_parcel(waiting, waiting.frame([complaint("a")])), PARCELS)

    assert (response.status_code, response.json["code"]) == (403, "device_unconfirmed")


_BAD_HEADS: dict[str, dict[str, Any]] = {
    "another hub": {"hub": an_id("another hub")},
    "no hub": {"hub": None},
    "unknown device": {"device": an_id("nobody")},
    "device is a list": {"device": []},
    "no number": {"parcel": None},
    "number 0": {"parcel": 0},
    "number true": {"parcel": True},
    "number 2^31": {"parcel": 2**31},
    "version 2": {"seere_parcel": 2},
    "unknown coding": {"coding": "br"},
    "coding is a number": {"coding": 1},
    "unknown dictionary": {"dictionary": "9"},
    "dictionary is a list": {"dictionary": []},
}


@pytest.mark.parametrize("name", _BAD_HEADS)
def test_parcel_with_a_bad_head_is_refused(author: Sender, carrier: Sender, name: str) -> None:
    box = _box(author, compressed([author.frame([complaint("a")])], "zstd"))

    response = carrier.post(_head(author, **_BAD_HEADS[name]) + box, PARCELS)

    assert (response.status_code, response.json["code"]) == (400, "parcel_unreadable")


@pytest.mark.parametrize("data", [b"", b"\n", b"x", b"[]\n", b'{"seere_parcel":1}\n', b"\xff\n\xff"])
def test_file_that_is_no_parcel_is_refused(carrier: Sender, data: bytes) -> None:
    response = carrier.post(data, PARCELS)

    assert (response.status_code, response.json["code"]) == (400, "parcel_unreadable")


def test_parcel_that_lost_its_end_is_refused(author: Sender, carrier: Sender) -> None:
    parcel = _parcel(author, author.frame([complaint("a")]))

    assert carrier.post(parcel[:-1], PARCELS).json["code"] == "parcel_unreadable"


def test_erased_complaint_in_a_parcel_is_already_held_and_not_kept(author: Sender, carrier: Sender) -> None:
    lines = [complaint("a"), revision("r", "a", 1, statement=said("autre"))]
    carrier.post(_parcel(author, author.frame(lines)), PARCELS)
    hub = author.hub
    with hub.store.read() as connection:
        id = connection.scalars(sa.select(received.c.id).where(received.c.lineage == author.lineage)).first()
        assert id is not None
        number = registry.numbers_of(connection, [id])[id]
    keeping = retention.keeping(hub.settings, hub.secrets.database, hub.depot)
    retention.erase(hub.store, hub.desk(add_person(hub, "parcels").actor), number, "asked", keeping)

    answer = _opened(author, carrier.post(_parcel(author, author.frame(lines), parcel=2), PARCELS))

    assert verdicts(answer) == [ALREADY_HELD] * 2
    with hub.store.read() as connection:
        assert connection.scalars(sa.select(received.c.id).where(received.c.lineage == author.lineage)).all() == []


@pytest.mark.parametrize("body", [-1, True, "5", [5]])
def test_head_that_says_no_length_of_its_body_is_refused(author: Sender, carrier: Sender, body: object) -> None:
    parcel = _parcel(author, author.frame([complaint("a")]), body=body)

    response = carrier.post(parcel, PARCELS)

    assert (response.status_code, response.json["code"]) == (400, "parcel_unreadable")


@pytest.mark.parametrize("body", [0, 5, 10**15])
def test_body_of_another_length_than_it_has_brings_nothing_and_breaks_nothing(
    author: Sender, carrier: Sender, body: int
) -> None:
    parcel = _parcel(author, author.frame([complaint("a")]), body=body)

    response = carrier.post(parcel, PARCELS)

    assert response.status_code == (200 if body > len(parcel) else 400)
