"""The feed: changes in order and none missed, pages in bytes, resets with their reason, nothing to the revoked."""

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
from nacl.signing import VerifyKey

from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import frame_digest, from_text, read_frames
from client_sync.protocol.orders import order_digest
from server.hub import Hub, new_epoch
from server.services import devices as device_service
from server.services.feed import PAGE_MAX_BYTES
from server.store import changes, state
from server.store.devices import set_backed_up
from tests.builders import NOW, Sender, an_id, complaint, enrolled, verdicts


def _tell(device: Sender, count: int, **body: Any) -> None:
    with device.hub.store.write() as connection:
        for n in range(count):
            changes.append(connection, device.lineage, "note", an_id(n), {"text": "é"} | body, NOW)


def test_changes_come_once_and_in_order(device: Sender) -> None:
    _tell(device, 3)

    assert [change["n"] for change in device.changes()] == [1, 2, 3]
    assert device.changes() == []
    _tell(device, 1)
    assert [change["n"] for change in device.changes()] == [4]


def test_page_is_bounded_in_bytes_and_says_that_there_is_more(device: Sender) -> None:
    _tell(device, 30, text="é" * 1000)

    answer = device.post(device.frame())

    assert len(answer.data) < PAGE_MAX_BYTES + 500
    assert answer.json["more"] is True
    assert [change["n"] for change in device.changes()] == list(range(1, 31))


@pytest.mark.parametrize(("limit", "expected"), [(0, 0), (1, 1), (195, 3)])
def test_limit_of_the_device_is_kept(device: Sender, limit: int, expected: int) -> None:
    _tell(device, 5)

    # A change is 49 bytes: {"id":"…8","kind":"note","n":1,"text":"é"}.
    assert len(device.send(limit=limit).get("changes", [])) == expected


def test_device_for_which_there_is_nothing_is_told_when_to_come_again(device: Sender) -> None:
    assert 15 <= device.send()["sync_after"] <= 23
    # Nothing is advised to one that brought something, that has something to fetch, or that did not want to hear it.
    assert "sync_after" not in device.send(complaint("a"))
    _tell(device, 1)
    assert "sync_after" not in device.send(limit=0)
    assert "sync_after" not in device.send()
    device.changes()
    assert "sync_after" in device.send(cursor=device.cursor)


def test_one_change_longer_than_a_page_still_comes(device: Sender) -> None:
    _tell(device, 2, text="é" * PAGE_MAX_BYTES)

    assert [change["n"] for change in device.changes()] == [1, 2]


def test_record_is_named_by_a_prefix_that_is_unique_in_its_lineage(device: Sender) -> None:
    near, nearest = "11111111-1111-4111-8111-111111111111", "11111111-1111-4222-8111-111111111111"
    lines = [complaint("a").replace(an_id("a").encode(), id.encode()) for id in (near, nearest)]
    device.send(*lines)
    with device.hub.store.write() as connection:
        for id in (near, an_id("lone")):
            changes.append(connection, device.lineage, "note", id, {}, NOW)

    assert [change["id"] for change in device.changes()] == [near[:16], an_id("lone")[:8]]


@pytest.mark.parametrize(
    ("cursor", "reset"),
    [
        ("{epoch}.99", "cursor_void"),
        ("{epoch}.x", "cursor_void"),
        ("{epoch}", "cursor_void"),
        ("", "cursor_void"),
        ("00000000.1", "epoch"),
    ],
)
def test_cursor_that_cannot_be_followed_starts_anew_and_says_why(device: Sender, cursor: str, reset: str) -> None:
    _tell(device, 2)

    answer = device.send(cursor=cursor.format(epoch=device.hub.epoch()))

    assert (answer["reset"], [change["n"] for change in answer["changes"]]) == (reset, [1, 2])


def test_new_epoch_voids_cursors(device: Sender) -> None:
    _tell(device, 1)
    device.changes()
    before = device.hub.epoch()
    with device.hub.store.write() as connection:
        state.keep(connection, "epoch", new_epoch())

    answer = device.send(cursor=device.cursor)

    assert answer["epoch"] != before
    assert answer["reset"] == "epoch"


def test_idle_answer_is_small(device: Sender) -> None:
    device.send()

    epoch = device.hub.epoch().encode()
    answer = b'{"now":"2026-11-21T10:04:05Z","epoch":"' + epoch + b'","sync_after":[0-9]{2}}'
    assert re.fullmatch(answer, device.post(device.frame()).data)


def test_frames_asked_for_are_reported_again(device: Sender) -> None:
    body = device.frame([complaint("a"), complaint("b")[:-1]])
    first = device.send_body(body)
    [frame] = read_frames(body)

    answer = device.send(ask=((1, frame.digest.hex()[:16]), (1, "0" * 16), (7, "0" * 16)))

    assert answer["frames"] == [
        *first["frames"],
        {"frame": 1, "unread": "not_here"},
        {"frame": 7, "unread": "not_here"},
    ]
    assert frame.digest == frame_digest(body.split(b"\n")[0] + b"\n", body.splitlines(keepends=True)[1:3])


def test_frame_of_another_lineage_is_not_here(device: Sender, hub: Hub) -> None:
    body = device.frame([complaint("a")])
    device.send_body(body)
    [frame] = read_frames(body)
    other = enrolled(hub, "Mopti 1")

    assert other.send(ask=((1, frame.digest.hex()[:16]),))["frames"] == [{"frame": 1, "unread": "not_here"}]


def test_backup_position_is_told_until_the_device_knows_it(device: Sender, hub: Hub) -> None:
    device.send(complaint("a"))
    with hub.store.write() as connection:
        set_backed_up(connection, {device.lineage: 1})

    assert device.send()["backed_up_to"] == 1
    assert "backed_up_to" not in device.send(backed_up_to=1)


def test_order_is_signed_and_comes_alone(device: Sender, hub: Hub) -> None:
    _tell(device, 1)
    device_service.revoke(hub.store, device.device, NOW, hub.identity.sign_key, reason="lost")

    answer = device.send(ask=((1, "0" * 16),))

    [order] = answer["orders"]
    assert answer.keys() == {"now", "epoch", "orders"}
    assert order["order"] == {
        "at": "2026-11-21T10:04:05Z",
        "device": device.device,
        "kind": "revoke",
        "no": 29_920_924,  # minutes from 1970 to NOW
    }
    key: VerifyKey = hub.identity.sign_key.verify_key
    key.verify(order_digest(canonical(order["order"])), from_text(order["sig"]))


def test_a_revoked_device_learns_what_a_backup_holds_so_that_it_can_let_go_of_it(device: Sender, hub: Hub) -> None:
    device.send(complaint("a"))
    device_service.revoke(hub.store, device.device, NOW, hub.identity.sign_key, reason="lost")
    device.send(complaint("b"))
    with hub.store.write() as connection:
        set_backed_up(connection, {device.lineage: 2})

    answer = device.send()

    assert answer.keys() == {"now", "epoch", "orders", "backed_up_to"}
    assert answer["backed_up_to"] == 2


def _race(hub: Hub, device: Sender, writers: int, each: int) -> list[int]:
    """The numbers that the device read while writers wrote, each in transactions of its own."""
    start, done = Barrier(writers + 1), Event()

    def write(writer: int) -> None:
        start.wait()
        for n in range(each):
            with hub.store.write() as connection:
                changes.append(connection, device.lineage, "note", None, {"by": writer, "turn": n}, NOW)

    def read() -> list[int]:
        start.wait()
        seen: list[int] = []
        while not done.is_set():
            seen.extend(change["n"] for change in device.changes())
        return seen + [change["n"] for change in device.changes()]

    with ThreadPoolExecutor(writers + 1) as pool:
        reader = pool.submit(read)
        list(pool.map(write, range(writers)))
        done.set()
        return reader.result()


def test_cursor_misses_nothing_under_eight_writers(own_hub: Hub) -> None:
    assert _race(own_hub, enrolled(own_hub, "Gao 1"), 8, 15) == list(range(1, 121))


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_cursor_misses_none_of_a_hundred_thousand(own_hub: Hub) -> None:
    assert _race(own_hub, enrolled(own_hub, "Gao 1"), 8, 12_500) == list(range(1, 100_001))


def test_changes_of_others_move_nothing_here(device: Sender, hub: Hub) -> None:
    other = enrolled(hub, "Mopti 1")
    _tell(other, 5)
    _tell(device, 1)

    assert [change["n"] for change in device.changes()] == [1]
    assert verdicts(device.send()) == []
