"""Sessions: what goes up when, what each answer changes, and how a session ends."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from nacl.signing import SigningKey

from client_sync import bodies
from client_sync.bodies import gather, next_body_bytes
from client_sync.client import ROUND_TRIPS_MAX, Step, SyncClient, SyncReport
from client_sync.errors import NotEnrolled
from client_sync.outbox import Finished, Outbox
from client_sync.protocol.canonical import canonical
from client_sync.protocol.coding import deflater
from client_sync.protocol.frames import to_text
from client_sync.protocol.limits import FRAME_MAX_BYTES
from client_sync.protocol.orders import order_digest
from client_sync.received import Received
from client_sync.stores import Folder
from client_sync.transport import HttpTransport
from client_sync.vault import Vault
from tests.client_sync.builders import (
    ADMINISTRATOR,
    HUB_SIGN,
    NOW,
    SOFT,
    WORDS,
    answer,
    complaint,
    enrolment,
    order,
    photo,
    record_id,
    wordy,
)
from tests.client_sync.scripted_hub import Broken, Heard, Reply, ScriptedHub, http, said

NO_ANSWER = Broken(b"")


def takes_all(heard: Heard, **members: Any) -> bytes:
    """The answer of a hub that stores all it hears."""
    reports = [{"frame": frame.header.frame, "n": len(frame.lines)} for frame in heard.frames if frame.lines]
    return said(position=heard.frames[-1].header.frame, frames=reports, **members)


def takes_all_and(**members: Any) -> Callable[[Heard], bytes]:
    return lambda heard: takes_all(heard, **members)


class Sessions:
    """A device with a client, and what hubs heard of it; one scripted hub a session."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.heard: list[Heard] = []
        self.steps: list[Step] = []

    def write(self, contents: list[dict[str, Any]]) -> None:
        finished = [Finished("complaint", each, record_id(n)) for n, each in enumerate(contents, 1)]
        self.outbox.finalise_all(finished)

    def sync(self, *replies: Reply) -> SyncReport:
        with ScriptedHub(*replies) as hub:
            transport = HttpTransport(hub.url)
            client = SyncClient(self.outbox, transport, now=lambda: NOW, rng=Random(1), version="0.1.0")
            report = client.sync(self.steps.append)
            transport.close()
        self.heard += hub.heard
        return report


@pytest.fixture
def sessions(outbox: Outbox) -> Sessions:
    return Sessions(outbox)


def test_a_hundred_records_take_one_round_trip(sessions: Sessions) -> None:
    sessions.write([complaint(money={"asked_xof": n}) for n in range(100)])
    report = sessions.sync(takes_all)
    assert (report.sent, report.stored, report.round_trips) == (100, 100, 1)
    assert report.is_whole
    [heard] = sessions.heard
    assert report.bytes_up == heard.size
    first = heard.frames[0].header
    assert (first.at, first.epoch, first.waiting, first.version, first.limit) == (
        "2026-11-21T10:00:00Z",
        "aaaaaaaa",
        0,
        "0.1.0",
        16_384,
    )
    assert [frame.is_signed_by(SigningKey(b"s" * 32).verify_key) for frame in heard.frames] == [True]


def test_the_steps_are_told(sessions: Sessions) -> None:
    sessions.write([complaint()])
    sessions.sync(takes_all_and(changes=[{"n": 1, "kind": "state"}], cursor="c"), said())
    told = [(step.name, step.records, step.waiting) for step in sessions.steps]
    assert told == [("gather", 1, 1), ("push", 1, 1), ("apply_verdicts", 1, 0), ("apply_changes", 1, 0)]


def test_with_nothing_to_send_it_asks_for_changes_page_by_page(sessions: Sessions) -> None:
    pages = [said(changes=[{"n": n, "kind": "state"}], cursor=f"c{n}", more=n < 3) for n in (1, 2, 3)]
    report = sessions.sync(*pages)
    assert (report.changes, report.round_trips, report.sent) == (3, 3, 0)
    assert [heard.frames[0].header.cursor for heard in sessions.heard] == [None, "c1", "c2"]
    assert [step.name for step in sessions.steps][1] == "pull"


def test_a_hub_that_promises_more_and_gives_nothing_is_left(sessions: Sessions) -> None:
    assert sessions.sync(said(more=True)).round_trips == 1


def test_a_hub_that_always_has_more_is_left_and_asked_again_later(sessions: Sessions) -> None:
    pages = [said(changes=[{"n": n, "kind": "state"}], cursor=f"c{n}", more=True) for n in range(1, 300)]
    report = sessions.sync(*pages)
    assert (report.round_trips, report.changes, report.is_whole) == (ROUND_TRIPS_MAX, ROUND_TRIPS_MAX, False)
    sessions.sync(said())
    assert sessions.heard[-1].frames[0].header.cursor == f"c{ROUND_TRIPS_MAX}"


def test_frames_are_cut_by_compressed_size(sessions: Sessions) -> None:
    sessions.write([wordy(n) for n in range(150)])
    sizes = []
    while sessions.outbox.waiting():
        sessions.sync(takes_all, takes_all)
    for heard in sessions.heard:
        plain = sum(len(line) for frame in heard.frames for line in frame.lines)
        sizes += [
            sum(len(line) for line in frame.lines) * len(heard.body) / plain for frame in heard.frames if frame.lines
        ]
    assert len(sizes) > 4
    assert all(size <= 1.25 * FRAME_MAX_BYTES for size in sizes)
    assert sum(size >= 6 * 1024 for size in sizes) >= len(sizes) - 2


def test_a_wrong_guess_at_the_ratio_does_not_make_a_giant_frame(sessions: Sessions) -> None:
    sessions.outbox.note(ratio=0.001)
    sessions.write([wordy(n) for n in range(200)])
    gather(sessions.outbox, NOW, "0.1.0")
    weights = [frame.weight for frame in sessions.outbox.in_flight()]
    assert len(weights) > 1
    assert max(weights) <= FRAME_MAX_BYTES


def test_a_cut_costs_one_frame_when_it_happens_again_and_again(sessions: Sessions) -> None:
    sessions.write([wordy(n) for n in range(200)])
    for _ in range(5):
        report = sessions.sync(NO_ANSWER)
        assert (report.cut, report.stored, report.refused_code) == (True, 0, None)
    assert sessions.outbox.link.body_bytes == bodies.BODY_LEAST_BYTES


def test_after_a_cut_it_first_asks_and_sends_only_what_is_missing(sessions: Sessions) -> None:
    sessions.write([wordy(n) for n in range(60)])
    sessions.sync(NO_ANSWER)
    [lost] = sessions.heard
    numbers = [frame.header.frame for frame in lost.frames]
    assert len(numbers) > 1

    def knows_the_first(heard: Heard) -> bytes:
        [asking] = heard.frames
        assert asking.lines == ()
        assert [pair[0] for pair in asking.header.ask] == numbers
        assert all(
            frame.digest.hex().startswith(digest)
            for frame, (_, digest) in zip(lost.frames, asking.header.ask, strict=True)
        )
        unread = [{"frame": number, "unread": "not_here"} for number in numbers[1:]]
        return said(frames=[{"frame": numbers[0], "n": len(lost.frames[0].lines)}, *unread])

    report = sessions.sync(knows_the_first, takes_all, takes_all, takes_all)
    assert report.is_whole
    assert report.stored == 60
    again = sessions.heard[2].frames
    assert [(frame.header.frame, frame.digest) for frame in again[1:]] == [
        (frame.header.frame, frame.digest) for frame in lost.frames[1 : len(again)]
    ]


def test_a_small_loss_is_sent_again_unasked_with_the_same_bytes(sessions: Sessions) -> None:
    sessions.write([complaint()])
    sessions.sync(NO_ANSWER)
    sessions.outbox.finalise("complaint", complaint(), id=record_id(2))
    sessions.outbox.apply(answer(changes=[{"n": 1, "kind": "state"}], cursor="c1"), NOW)
    report = sessions.sync(takes_all)
    lost, again = sessions.heard
    lead, resent, new = again.frames
    assert (lead.lines, lead.header.cursor, lead.header.ask) == ((), "c1", ())
    assert (resent.header, resent.digest, resent.signature) == (
        lost.frames[0].header,
        lost.frames[0].digest,
        lost.frames[0].signature,
    )
    assert new.header.frame > resent.header.frame
    assert report.stored == 2


@pytest.mark.parametrize("portal", [http(200, b"<html>portail</html>", "text/html"), http(200, b'{"ok": true}')])
def test_a_portal_changes_nothing(sessions: Sessions, portal: bytes) -> None:
    sessions.write([complaint()])
    report = sessions.sync(portal)
    assert (report.cut, report.refused_code) == (True, "not_an_answer")
    assert [record.state for record in sessions.outbox.records()] == ["sending"]
    assert sessions.sync(takes_all).stored == 1


def test_the_body_grows_with_success_and_shrinks_with_failure(sessions: Sessions) -> None:
    sessions.sync(said())
    assert sessions.outbox.link.body_bytes == 131_072
    sessions.sync(NO_ANSWER)
    sessions.sync(NO_ANSWER)
    assert sessions.outbox.link.body_bytes == 32_768
    assert next_body_bytes(512 * 1024, arrived=True) == 512 * 1024
    assert next_body_bytes(16 * 1024, arrived=False) == 16 * 1024


def test_over_the_limit_it_waits_as_long_as_it_is_told(sessions: Sessions) -> None:
    sessions.write([complaint()])

    def over(heard: Heard) -> bytes:
        return said(frames=[{"frame": heard.frames[0].header.frame, "unread": "over_limit"}], retry_after_s=90)

    report = sessions.sync(over, takes_all)
    assert (report.retry_after_s, report.round_trips, report.stored) == (90, 1, 0)
    assert sessions.outbox.waiting() == 1
    assert sessions.sync(takes_all).stored == 1
    first, second = (heard.frames[-1].digest for heard in sessions.heard)
    assert first == second


def test_frames_that_leave_again_are_asked_about_again(sessions: Sessions) -> None:
    sessions.write([wordy(n) for n in range(60)])

    def over(heard: Heard) -> bytes:
        unread = [{"frame": frame.header.frame, "unread": "over_limit"} for frame in heard.frames]
        return said(frames=unread, retry_after_s=90)

    sessions.sync(over)
    assert {frame.is_unsure for frame in sessions.outbox.in_flight()} == {False}
    sessions.sync(NO_ANSWER)
    assert {frame.is_unsure for frame in sessions.outbox.in_flight()} == {True}


def test_a_busy_hub_is_left_alone(sessions: Sessions) -> None:
    sessions.write([complaint()])
    report = sessions.sync(said(507, code="storage_full", retry_after_s=30))
    assert (report.retry_after_s, report.refused_code, report.cut) == (30, "storage_full", False)
    assert sessions.outbox.waiting() == 1


def test_a_refusal_is_reported_with_its_code(sessions: Sessions) -> None:
    report = sessions.sync(said(403, code="device_unconfirmed"))
    assert (report.refused_code, report.is_whole) == ("device_unconfirmed", False)


def test_a_hub_that_reads_nothing_of_what_it_answers_does_not_keep_us(sessions: Sessions) -> None:
    sessions.write([complaint()])
    report = sessions.sync(said(), said())
    assert (report.round_trips, report.cut) == (1, True)


def test_a_hub_without_the_dictionary_gets_gzip_from_then_on(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "best_coding", lambda: "zstd")
    # The bytes don't matter here: the hub refuses them by their header.
    monkeypatch.setattr(bodies, "deflater", lambda _: deflater("gzip"))
    sessions.write([complaint()])
    report = sessions.sync(said(415, code="dictionary_unknown"), takes_all)
    assert report.stored == 1
    sessions.sync(said())
    codings = [heard.headers["content-encoding"] for heard in sessions.heard]
    assert codings == ["zstd", "gzip", "gzip"]
    assert sessions.heard[0].headers["seere-dictionary"] == "1"


def test_a_body_that_inflates_beyond_the_cap_goes_uncompressed(sessions: Sessions) -> None:
    sessions.write([complaint(files=[photo("a" * 64)] * 100) for _ in range(40)])
    report = sessions.sync(takes_all, takes_all)
    assert report.stored == 40
    assert [heard.headers.get("content-encoding") for heard in sessions.heard] == [None, None]


def test_a_new_epoch_brings_everything_back_in_the_same_session(sessions: Sessions) -> None:
    sessions.write([complaint(), complaint()])
    sessions.sync(takes_all)
    report = sessions.sync(said(epoch="bbbbbbbb", reset="epoch"), takes_all_and(epoch="bbbbbbbb"))
    assert report.is_whole
    again = [line for frame in sessions.heard[2].frames for line in frame.lines]
    assert sorted(again) == sorted(line for frame in sessions.heard[0].frames for line in frame.lines)
    assert {frame.header.epoch for frame in sessions.heard[2].frames} == {"bbbbbbbb"}


def test_a_rolled_back_counter_jumps(sessions: Sessions) -> None:
    sessions.write([complaint()])
    sessions.sync(takes_all_and(rolled_back=500))
    sessions.outbox.finalise("complaint", complaint())
    sessions.sync(takes_all)
    assert sessions.heard[1].frames[0].header.frame == 500


def test_a_hub_cannot_use_up_the_frame_numbers(sessions: Sessions) -> None:
    sessions.sync(said(rolled_back=2**53 - 1))
    sessions.sync(said())
    assert sessions.heard[1].frames[0].header.frame < 2**21


@pytest.mark.parametrize(
    "reply",
    [
        said(retry_after_s=10**9),
        said(503, code="busy", retry_after_s=10**9),
        http(503, b'{"code": "busy"}', Retry_After="99999999"),
    ],
)
def test_a_hub_cannot_send_a_device_away_for_years(sessions: Sessions, reply: bytes) -> None:
    assert sessions.sync(reply).retry_after_s == 86_400


def test_words_of_a_hub_do_not_steer_the_terminal(sessions: Sessions) -> None:
    sessions.write([complaint()])

    def odd(heard: Heard) -> bytes:
        named = [{"at": 0, "verdict": "rejected", "code": "\x1b[2Jnew\x9b_code", "field": "x\u202e" + "y" * 200}]
        return said(frames=[{"frame": heard.frames[-1].header.frame, "n": 1, "named": named}])

    sessions.sync(odd)
    [record] = sessions.outbox.records()
    assert (record.code, record.field) == ("[2Jnew_code", "x" + "y" * 99)
    assert sessions.sync(said(403, code="\x1bno\n" + "n" * 200)).refused_code == "no" + "n" * 98


def test_a_reply_to_a_person_keeps_its_lines_and_nothing_else_that_does_not_print() -> None:
    [change] = answer(changes=[{"n": 1, "texts": ["Bonjour\x1b[8m,\n\x07\u200dvenez"]}]).changes
    assert change == {"n": 1, "texts": ["Bonjour[8m,\n\u200dvenez"]}


def resigned(signed: dict[str, Any], **members: Any) -> dict[str, Any]:
    """An order changed by who holds the key of the hub and no other."""
    changed = signed["order"] | members
    return {"order": changed, "sig": to_text(HUB_SIGN.sign(order_digest(canonical(changed))).signature)}


class TestOrders:
    def test_a_revoked_device_sends_no_more_and_says_so(self, sessions: Sessions) -> None:
        sessions.write([complaint()])
        report = sessions.sync(said(orders=[order(1, "revoke")]))
        assert (report.orders, report.refused_code) == (("revoke",), "device_revoked")
        report = sessions.sync(said(orders=[order(1, "revoke")]))
        assert (report.orders, report.refused_code, report.sent) == ((), "device_revoked", 0)
        assert sessions.heard[1].frames[0].lines == ()
        assert len(sessions.outbox.records()) == 1

    def test_a_wipe_takes_drafts_and_replies_and_leaves_what_only_this_device_has(
        self, sessions: Sessions, folder: Folder
    ) -> None:
        Vault.create(folder, WORDS, SOFT).close()
        sessions.write([complaint(), complaint()])
        reply = {"n": 1, "id": record_id(1)[:8], "kind": "reply", "text": "Passez", "status": "answered"}
        one_frame = said(position=1, changes=[reply], cursor="c1", orders=[order(2, "wipe", by=ADMINISTRATOR)])
        report = sessions.sync(one_frame)
        assert (report.orders, report.sent) == (("wipe",), 2)
        assert not folder.vault_key.exists()
        assert not folder.vault.exists()
        assert sessions.outbox.received.is_empty()
        assert sessions.outbox.waiting() == 2

    def test_a_wiped_device_sends_the_rest_and_goes_once_a_backup_has_it(
        self, sessions: Sessions, folder: Folder
    ) -> None:
        sessions.write([complaint()])
        wipe = order(2, "wipe", by=ADMINISTRATOR)
        sessions.sync(said(orders=[wipe]))
        report = sessions.sync(takes_all_and(orders=[wipe]))
        assert (report.stored, report.orders) == (1, ())
        assert folder.machine_key.exists()
        report = sessions.sync(said(backed_up_to=1000, orders=[wipe]))
        assert report.orders == ("erased",)
        assert list(folder.path.iterdir()) == []

    def test_what_the_centre_rejected_is_on_this_device_alone_and_stays(
        self, sessions: Sessions, folder: Folder
    ) -> None:
        sessions.write([complaint()])

        def rejects(heard: Heard) -> bytes:
            [frame] = heard.frames
            named = [{"at": 0, "verdict": "rejected", "code": "line_too_long"}]
            reports = [{"frame": frame.header.frame, "n": 1, "named": named}]
            return said(position=1, frames=reports, backed_up_to=1, orders=[order(2, "wipe", by=ADMINISTRATOR)])

        assert sessions.sync(rejects).orders == ("wipe",)
        assert sessions.outbox.holds_last_copies()

    def test_a_wiped_device_without_anything_of_its_own_goes_at_once(self, sessions: Sessions, folder: Folder) -> None:
        report = sessions.sync(said(orders=[order(2, "wipe", by=ADMINISTRATOR)]))
        assert report.orders == ("wipe", "erased")
        assert list(folder.path.iterdir()) == []

    def test_a_revoked_device_can_still_be_wiped_and_then_sends_what_waits(
        self, sessions: Sessions, folder: Folder
    ) -> None:
        sessions.write([complaint()])
        revoke, wipe = order(1, "revoke"), order(2, "wipe", by=ADMINISTRATOR)
        sessions.sync(said(orders=[revoke]))
        assert sessions.sync(said(orders=[revoke, wipe]), takes_all_and(orders=[revoke, wipe])).orders == ("wipe",)
        assert sessions.outbox.waiting() == 0

    def test_after_a_kill_in_the_middle_the_order_is_obeyed_again(
        self, sessions: Sessions, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Vault.create(folder, WORDS, SOFT).close()
        sessions.write([complaint()])

        def killed(_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(Received, "forget", killed)
            with pytest.raises(KeyboardInterrupt):
                sessions.sync(said(orders=[order(2, "wipe", by=ADMINISTRATOR)]))
        assert not folder.vault_key.exists()
        assert sessions.sync(said(orders=[order(2, "wipe", by=ADMINISTRATOR)])).orders == ("wipe",)

    @pytest.mark.parametrize(
        "forged",
        [
            order(1, "wipe"),
            order(1, "wipe", by=HUB_SIGN),
            order(1, "wipe", by=SigningKey(b"f" * 32)),
            order(1, "wipe", key=SigningKey(b"f" * 32), by=ADMINISTRATOR),
            order(1, "wipe", key=ADMINISTRATOR, by=ADMINISTRATOR),
            order(1, "wipe", device=record_id(5), by=ADMINISTRATOR),
            order(1, "wipe", by=ADMINISTRATOR) | {"sig": "AA"},
            order(1, "wipe", by=ADMINISTRATOR) | {"order": order(9, "wipe", by=ADMINISTRATOR)["order"]},
            resigned(order(1, "wipe", by=ADMINISTRATOR), no=9),
            resigned(order(1, "wipe", by=ADMINISTRATOR), by={"kid": "ff", "sig": "AA"}),
            resigned(order(1, "wipe", by=ADMINISTRATOR), by="AA"),
            resigned(order(1, "revoke", by=ADMINISTRATOR), kind="wipe"),
            order(0, "wipe", by=ADMINISTRATOR),
            order(1, "dance"),
            {},
        ],
    )
    def test_what_was_not_ordered_by_whom_it_needs_is_not_done(
        self, sessions: Sessions, folder: Folder, forged: dict[str, Any]
    ) -> None:
        Vault.create(folder, WORDS, SOFT).close()
        assert sessions.sync(said(orders=[forged])).orders == ()
        assert folder.vault_key.exists()
        assert folder.machine_key.exists()

    def test_an_administrator_that_the_root_key_did_not_sign_for_wipes_nothing(
        self, sessions: Sessions, folder: Folder
    ) -> None:
        sessions.outbox.keep_enrolment(enrolment(root=bytes(SigningKey(b"q" * 32).verify_key)))
        assert sessions.sync(said(orders=[order(1, "wipe", by=ADMINISTRATOR)])).orders == ()

    def test_an_order_is_obeyed_once(self, sessions: Sessions) -> None:
        sessions.outbox.note(last_order=4)
        assert sessions.sync(said(orders=[order(4, "wipe", by=ADMINISTRATOR)])).orders == ()


def test_waiting_doubles_with_failures_and_obeys_the_hub(outbox: Outbox) -> None:
    with ScriptedHub() as hub:
        transport = HttpTransport(hub.url)
    client = SyncClient(outbox, transport, now=lambda: NOW, rng=Random(1), version="0.1.0")
    waits = []
    for _ in range(12):
        waits.append(client.wait_s(client.sync()))
    transport.close()
    assert all(low <= wait <= 2 * low for wait, low in zip(waits, [2.5, 5, 10, 20, 40, 80, 160, 320], strict=False))
    assert all(450 <= wait <= 900 for wait in waits[8:])
    assert len(set(waits)) == len(waits)


def test_without_a_hub_there_is_no_session(folder: Folder) -> None:
    outbox = Outbox.open(folder)
    transport = HttpTransport("http://127.0.0.1:9")
    with pytest.raises(NotEnrolled):
        SyncClient(outbox, transport, now=lambda: NOW, rng=Random(1), version="0.1.0").sync()
    transport.close()
    outbox.close()
