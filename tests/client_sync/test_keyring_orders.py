"""Keyrings that the hub orders: followed when the pinned root key signed them and they are newer, else refused."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from nacl.signing import SigningKey

from client_sync.bodies import gather
from client_sync.obedience import KEYRING, KEYRING_REFUSED, obey
from client_sync.outbox import Outbox
from client_sync.protocol import keyring as keyrings
from client_sync.protocol.coding import inflate
from client_sync.protocol.frames import read_frames
from client_sync.protocol.keyring import key_id
from client_sync.stores import Folder
from tests.client_sync.builders import (
    NOW,
    READERS,
    ROOT,
    closed,
    complaint,
    enrolled_outbox,
    keyring,
    order,
)

GAO = key_id(bytes(READERS["gao"].public_key))


@pytest.fixture
def outbox(folder: Folder) -> Iterator[Outbox]:
    opened = enrolled_outbox(folder)
    yield opened
    opened.close()


def _newer(**members: Any) -> dict[str, Any]:
    """The keyring of the builders without the reader of Gao, in version 2."""
    standing = keyrings.read(keyring().encode(), bytes(ROOT.verify_key))
    left = [each for each in standing.recipients if each.kid != GAO]
    signed: dict[str, Any] = json.loads(keyring(*left, **{"version": 2} | members))
    return signed


def _by_another_root() -> dict[str, Any]:
    another = SigningKey(b"q" * 32)
    standing = keyrings.read(keyring(version=2).encode(), bytes(ROOT.verify_key))
    members = vars(standing) | {"root": bytes(another.verify_key)}
    signed: dict[str, Any] = json.loads(keyrings.sign(keyrings.Keyring(**members), bytes(another)))
    return signed


def test_newer_keyring_is_followed(outbox: Outbox) -> None:
    assert obey(outbox, [order(5, "keyring", keyring=_newer())]) == [KEYRING]

    standing = keyrings.read(outbox.require_enrolled().keyring.encode(), bytes(ROOT.verify_key))
    assert standing.version == 2
    assert GAO not in {each.kid for each in standing.recipients}


def test_complaints_are_sealed_to_the_readers_of_the_new_keyring(folder: Folder, outbox: Outbox) -> None:
    whole = complaint("du récit", confidentiality="strict", place={"id": "ml-c-gao", "list": "2026.1"})
    outbox.finalise("complaint", whole, id="00000001-0000-4000-8000-000000000000")
    standing = keyrings.read(keyring().encode(), bytes(ROOT.verify_key))
    left = [each for each in standing.recipients if each.kid != key_id(bytes(READERS["named"].public_key))]
    obey(outbox, [order(1, "keyring", keyring=json.loads(keyring(*left, version=2)))])
    outbox.finalise("complaint", whole, id="00000002-0000-4000-8000-000000000000")

    assert len(closed(folder)) == 2
    with pytest.raises(KeyError):
        closed(folder, "named")


@pytest.mark.parametrize(
    "document",
    [
        _by_another_root(),
        _newer(version=1),
        _newer() | {"sig": "A" * 86},
        {"keyring": {}},
        None,
        7,
    ],
    ids=["another root", "older", "signature", "empty", "missing", "number"],
)
def test_keyring_that_the_root_did_not_sign_or_that_is_old_is_refused(outbox: Outbox, document: Any) -> None:
    assert obey(outbox, [order(5, "keyring", keyring=document)]) == [KEYRING_REFUSED]
    assert outbox.require_enrolled().keyring == keyring()


def test_refused_keyring_does_not_keep_the_next_one_out(outbox: Outbox) -> None:
    obey(outbox, [order(5, "keyring", keyring=_by_another_root())])
    assert obey(outbox, [order(6, "keyring", keyring=_newer())]) == [KEYRING]


def test_keyring_at_hand_may_come_again(outbox: Outbox) -> None:
    assert obey(outbox, [order(5, "keyring", keyring=json.loads(keyring()))]) == [KEYRING]


def test_keyring_of_an_order_by_somebody_else_is_left_alone(outbox: Outbox) -> None:
    forged = order(5, "keyring", key=SigningKey(b"z" * 32), keyring=_newer())
    assert obey(outbox, [forged]) == []
    assert outbox.require_enrolled().keyring == keyring()


def test_device_says_which_order_it_had_last(outbox: Outbox) -> None:
    def header_order() -> int | None:
        body = gather(outbox, NOW, "1")
        [frame] = read_frames(inflate(body.data, body.coding, "1").data)
        return frame.header.order

    assert header_order() is None
    obey(outbox, [order(5, "keyring", keyring=_newer())])
    assert header_order() == 5
