"""The outbox: what is kept, what is shown, and what an answer may change."""

import json
import sys
from typing import Any

import pytest
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from client_sync.bodies import gather
from client_sync.errors import AlreadyEnrolled, ContentRefused, LineageDiffers, NotAnAnswer, NotEnrolled, RecordUnknown
from client_sync.outbox import Finished, Outbox
from client_sync.stores import Folder
from client_sync.tables import Counts, Keys, Reply
from client_sync.vault import Vault
from tests.client_sync.builders import (
    EPOCH,
    HUB,
    NOW,
    SOFT,
    WORDS,
    answer,
    complaint,
    enrolled_outbox,
    enrolment,
    record_id,
)
from tests.faults.kill import Child


def written(outbox: Outbox, count: int) -> list[str]:
    """Finalise so many complaints; gives their ids."""
    return outbox.finalise_all([Finished("complaint", complaint(), record_id(n)) for n in range(1, count + 1)])


def put_in_flight(outbox: Outbox) -> int:
    """Gather one frame with all that waits; gives its number."""
    [number] = gather(outbox, NOW, "0.1.0").frames
    return number


def states(outbox: Outbox) -> list[tuple[str, str | None, str | None]]:
    return [(record.state, record.code, record.field) for record in outbox.records()]


def settled(outbox: Outbox, position: int = 1, **report: Any) -> None:
    """Send all that waits and let the hub say what became of it."""
    waiting = outbox.waiting()
    frame = {"frame": put_in_flight(outbox), "n": waiting} | report
    outbox.apply(answer(position=position, frames=[frame]), NOW)


class TestFinalising:
    def test_it_is_durable_and_verbatim(self, folder: Folder) -> None:
        outbox = enrolled_outbox(folder)
        id = outbox.finalise("complaint", complaint(team="ségou"), picture="Calebasse 47", receipt="7K4M-2QG")
        outbox.finalise("complaint", complaint())
        outbox.close()

        outbox = Outbox.open(folder)
        first, second = outbox.records()
        assert (first.id, first.seq, first.op, first.picture, first.receipt) == (
            id,
            1,
            "complaint",
            "Calebasse 47",
            "7K4M-2QG",
        )
        assert (first.state, first.acked_position, second.seq) == ("here", None, 2)
        [(_, line), _] = outbox.next_lines(0, 10**6)
        assert (
            line
            == json.dumps(
                {"content": complaint(team="ségou"), "id": id, "op": "complaint", "seq": 1},
                sort_keys=True,
                ensure_ascii=False,
                separators=(",", ":"),
            ).encode()
        )
        outbox.close()

    def test_a_record_shows_nothing_of_what_was_said(self, outbox: Outbox) -> None:
        outbox.finalise("complaint", complaint("le nom du commissaire"))
        assert "commissaire" not in repr(outbox.records())

    def test_a_draft_finalised_again_after_a_kill_stays_one_record(self, outbox: Outbox) -> None:
        assert outbox.finalise("complaint", complaint(), id=record_id(1)) == record_id(1)
        assert outbox.finalise("complaint", complaint("autre"), id=record_id(1)) == record_id(1)
        assert outbox.finalise_all([Finished("complaint", complaint(), record_id(2))] * 2) == [record_id(2)] * 2
        assert [(record.id, record.seq) for record in outbox.records()] == [(record_id(1), 1), (record_id(2), 2)]

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            ({"text": "\ud800"}, "text_surrogate"),
            ({"text": "a\0b"}, "text_nul"),
            ({"amount": 1.5}, "json_number"),
            ({"amount": 2**53}, "json_number"),
            ({"text": "x" * 2**20}, "line_too_long"),
        ],
    )
    def test_what_no_hub_can_read_is_refused_with_all_its_neighbours(
        self, outbox: Outbox, content: dict[str, Any], why: str
    ) -> None:
        with pytest.raises(ContentRefused) as refused:
            outbox.finalise_all([Finished("complaint", complaint()), Finished("complaint", content)])
        assert refused.value.details["why"] == why
        assert outbox.records() == []
        outbox.finalise("complaint", complaint())
        assert [record.seq for record in outbox.records()] == [1]

    def test_amendments_are_counted_by_complaint(self, outbox: Outbox) -> None:
        outbox.finalise("revision", {"complaint": record_id(1), "base_revision": 1})
        outbox.finalise("withdrawal", {"complaint": record_id(1), "scope": "all"})
        assert (outbox.amendments(record_id(1)), outbox.amendments(record_id(2))) == (1, 0)
        assert [record.about for record in outbox.records()] == [record_id(1)] * 2


class TestVerdicts:
    def test_all_are_at_the_centre_that_are_not_named(self, outbox: Outbox) -> None:
        written(outbox, 4)
        named = [
            {"at": 1, "verdict": "quarantined", "code": "date_impossible", "field": "facts.incident.from"},
            {"at": 2, "verdict": "rejected", "code": "line_too_long"},
        ]
        number = put_in_flight(outbox)
        assert [record.state for record in outbox.records()] == ["sending"] * 4
        report = {"frame": number, "n": 4, "already_held": [[3, 3]], "named": named}
        applied = outbox.apply(answer(position=9, frames=[report]), NOW)
        assert states(outbox) == [
            ("at_centre", None, None),
            ("kept_aside", "date_impossible", "facts.incident.from"),
            ("rejected", "line_too_long", None),
            ("at_centre", None, None),
        ]
        assert (applied.frames, applied.stored, applied.kept_aside, applied.rejected) == (1, 2, 1, 1)
        assert [record.acked_position for record in outbox.records()] == [9, 9, 9, 9]
        assert outbox.waiting() == 0
        assert outbox.counts() == Counts(here=1, at_centre=3, answered=0)

    def test_a_second_report_of_a_frame_changes_nothing(self, outbox: Outbox) -> None:
        written(outbox, 2)
        number = put_in_flight(outbox)
        report = {"frame": number, "n": 2}
        outbox.apply(answer(position=1, frames=[report]), NOW)
        worse = report | {"named": [{"at": 0, "verdict": "quarantined", "code": "internal"}]}
        applied = outbox.apply(answer(position=1, frames=[worse]), NOW)
        assert [state for state, _, _ in states(outbox)] == ["at_centre"] * 2
        assert applied.frames == 0

    def test_a_report_that_counts_other_records_is_not_about_this_frame(self, outbox: Outbox) -> None:
        written(outbox, 2)
        number = put_in_flight(outbox)
        outbox.apply(answer(position=1, frames=[{"frame": number, "n": 3}]), NOW)
        assert (outbox.waiting(), len(outbox.in_flight())) == (2, 1)

    @pytest.mark.parametrize("reason", ["over_limit", "not_here", "frame_version"])
    def test_a_frame_that_was_not_read_waits_unchanged(self, outbox: Outbox, reason: str) -> None:
        written(outbox, 2)
        number = put_in_flight(outbox)
        applied = outbox.apply(answer(frames=[{"frame": number, "unread": reason}]), NOW, [number])
        assert applied.unread == {reason}
        assert outbox.waiting() == 2
        [frame] = outbox.in_flight()
        assert (frame.number, frame.is_unsure) == (number, False)

    @pytest.mark.parametrize(
        "report",
        [
            {"frame": 1, "n": 1, "named": [{"at": 1, "verdict": "held"}]},
            {"frame": 1, "n": 1, "named": [{"at": 0, "verdict": "lost"}]},
            {"frame": "1", "n": 1},
        ],
    )
    def test_a_report_that_no_hub_gives_is_no_answer(self, report: dict[str, Any]) -> None:
        with pytest.raises(NotAnAnswer):
            answer(frames=[report])

    def test_half_an_answer_is_not_applied(self, outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
        written(outbox, 1)
        number = put_in_flight(outbox)

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Outbox, "_note_answer", killed)
        change = {"n": 1, "id": record_id(1)[:8], "kind": "state", "state": "stored"}
        said = answer(position=1, frames=[{"frame": number, "n": 1}], changes=[change], cursor="c1")
        with pytest.raises(KeyboardInterrupt):
            outbox.apply(said, NOW)
        assert outbox.waiting() == 1
        assert (outbox.link.cursor, outbox.link.last_change, len(outbox.in_flight())) == (None, 0, 1)


class TestChanges:
    def test_what_was_kept_aside_comes_to_the_centre_and_stays(self, outbox: Outbox) -> None:
        written(outbox, 2)
        named = [{"at": 1, "verdict": "held", "code": "place_vintage", "field": "facts.place.system"}]
        settled(outbox, named=named)
        change = {"n": 5, "id": record_id(2)[:8], "kind": "state", "state": "stored"}
        applied = outbox.apply(answer(changes=[change], cursor="c5"), NOW)
        assert states(outbox) == [("at_centre", None, None)] * 2
        assert (applied.changes, outbox.link.cursor, outbox.link.last_change) == (1, "c5", 5)

    def test_a_change_is_known_again_by_its_number(self, outbox: Outbox) -> None:
        [id] = written(outbox, 1)
        change = {"n": 5, "id": id[:8], "kind": "status", "status": "in_review"}
        outbox.apply(answer(changes=[change], cursor="c5"), NOW)
        older = change | {"n": 4, "status": "received"}
        applied = outbox.apply(answer(changes=[older, change], cursor="c4"), NOW)
        assert (applied.changes, outbox.link.cursor) == (0, "c5")
        assert outbox.record(id).status == "in_review"

    def test_after_a_reset_reading_starts_over_without_doubling_replies(self, folder: Folder, outbox: Outbox) -> None:
        [id] = written(outbox, 1)
        change = {"n": 5, "id": id[:8], "kind": "reply", "text": "Merci"}
        vault = Vault.create(folder, WORDS, SOFT)
        outbox.apply(answer(changes=[change], cursor="c5"), NOW)
        outbox.apply(answer(changes=[change], cursor="d5", reset="cursor_void"), NOW)
        assert outbox.link.cursor == "d5"
        assert len(outbox.received.replies(id, vault)) == 1
        vault.close()

    def test_a_reply_waits_sealed_for_the_open_vault(self, folder: Folder, outbox: Outbox) -> None:
        Vault.create(folder, WORDS, SOFT).close()
        [id] = written(outbox, 1)
        change = {"n": 3, "id": id[:8], "kind": "reply", "text": "Passez au bureau", "status": "answered"}
        outbox.apply(answer(changes=[change], cursor="c3"), NOW)
        record = outbox.record(id)
        assert (record.status, record.is_answered, record.is_seen) == ("answered", True, False)
        assert outbox.counts().answered == 1

        vault = Vault.open(folder, WORDS)
        assert outbox.received.replies(id, vault) == [Reply(3, change)]
        vault.close()

    def test_seeing_a_reply_tells_the_centre_once(self, outbox: Outbox) -> None:
        [id] = written(outbox, 1)
        outbox.mark_seen(id)
        assert len(outbox.records()) == 1
        outbox.apply(answer(changes=[{"n": 3, "id": id[:8], "kind": "reply"}], cursor="c3"), NOW)
        outbox.mark_seen(id)
        outbox.mark_seen(id)
        assert outbox.record(id).is_seen
        [_, seen] = outbox.next_lines(0, 10**6)
        assert json.loads(seen[1])["content"] == {"changes": [3]}
        with pytest.raises(RecordUnknown):
            outbox.mark_seen(record_id(99))

    def test_seeing_tells_the_centre_of_all_that_was_shown_and_of_nothing_twice(
        self, folder: Folder, outbox: Outbox
    ) -> None:
        Vault.create(folder, WORDS, SOFT).close()
        [id] = written(outbox, 1)
        steps = [{"n": n, "id": id[:8], "kind": "step", "t": "worked_on", "on": "2026-11-21"} for n in (3, 4, 7)]
        outbox.apply(answer(changes=steps[:2], cursor="c4"), NOW)
        outbox.mark_seen(id)
        outbox.apply(answer(changes=steps[2:], cursor="c7"), NOW)
        outbox.mark_seen(id)
        seen = [json.loads(line)["content"] for _, line in outbox.next_lines(0, 10**6)[1:]]
        assert seen == [{"changes": [3, 4]}, {"changes": [7]}]

    def test_of_a_step_only_what_the_complaint_is_lies_open(self, folder: Folder, outbox: Outbox) -> None:
        Vault.create(folder, WORDS, SOFT).close()
        [id] = written(outbox, 1)
        step = {"n": 3, "id": id[:8], "kind": "step", "t": "body_answered", "code": "referred", "on": "2026-11-21"}
        outbox.apply(answer(changes=[step | {"f": {"body": "cndh"}}], cursor="c3"), NOW)
        assert outbox.record(id).status == "referred"
        rows = [row for table in outbox._database.tables for row in table.rows]
        assert all(word not in str(rows) for word in ("body_answered", "cndh"))

    def test_a_prefix_names_the_record_that_the_hub_knows(self, outbox: Outbox) -> None:
        known = "1a2b3c4d-0000-4000-8000-000000000001"
        newer = "1a2b3c4d-0000-4000-8000-000000000002"
        outbox.finalise("complaint", complaint(), id=known)
        settled(outbox, named=[{"at": 0, "verdict": "held", "code": "place_vintage"}])
        outbox.finalise("complaint", complaint(), id=newer)
        change = {"n": 1, "id": "1a2b3c4d", "kind": "state", "state": "stored"}
        outbox.apply(answer(changes=[change], cursor="c1"), NOW)
        assert [outbox.record(id).state for id in (known, newer)] == ["at_centre", "here"]

    def test_a_change_about_nobody_here_is_passed_over(self, outbox: Outbox) -> None:
        written(outbox, 1)
        changes = [{"n": 1, "id": "ffffffff", "kind": "state", "state": "stored"}, {"n": 2, "kind": "state"}, {"x": 1}]
        assert outbox.apply(answer(changes=changes, cursor="c2"), NOW).changes == 2
        assert states(outbox) == [("here", None, None)]
        assert outbox.link.cursor == "c2"


class TestKeepingUntilBackedUp:
    def test_lines_are_dropped_when_a_backup_covers_them(self, outbox: Outbox) -> None:
        written(outbox, 1)
        settled(outbox, position=4)
        outbox.finalise("complaint", complaint(), id=record_id(2), picture="Tambour 12")
        settled(outbox, position=5)
        outbox.apply(answer(backed_up_to=4), NOW)
        assert outbox.link.backed_up_to == 4

        # A new epoch asks for all that is still held: the first is not.
        outbox.apply(answer(epoch="bbbbbbbb"), NOW)
        assert [seq for seq, _ in outbox.next_lines(0, 10**6)] == [2]
        assert states(outbox) == [("at_centre", None, None)] * 2
        assert outbox.records()[1].picture == "Tambour 12"

    def test_what_is_not_acknowledged_is_never_dropped(self, outbox: Outbox) -> None:
        written(outbox, 2)
        settled(outbox, named=[{"at": 0, "verdict": "rejected", "code": "id_unreadable"}])
        outbox.finalise("complaint", complaint())
        outbox.apply(answer(backed_up_to=1000), NOW)
        assert [bool(line) for line in held_lines(outbox)] == [True, False, True]

    def test_a_frame_that_was_asked_for_takes_the_next_position(self, outbox: Outbox) -> None:
        written(outbox, 1)
        number = put_in_flight(outbox)
        outbox.apply(answer(frames=[{"frame": number, "n": 1}]), NOW)
        outbox.apply(answer(backed_up_to=50), NOW)
        assert [record.acked_position for record in outbox.records()] == [None]
        assert held_lines(outbox)[0]
        outbox.apply(answer(position=60), NOW)
        assert [record.acked_position for record in outbox.records()] == [60]

    def test_a_new_epoch_offers_again_and_takes_nothing_back(self, outbox: Outbox) -> None:
        written(outbox, 3)
        named = [{"at": 1, "verdict": "held", "code": "place_vintage"}, {"at": 2, "verdict": "rejected", "code": "x"}]
        settled(outbox, position=7, named=named)
        outbox.apply(answer(changes=[], cursor=None, backed_up_to=1), NOW)
        outbox.apply(answer(epoch="bbbbbbbb"), NOW)
        assert [state for state, _, _ in states(outbox)] == ["at_centre", "kept_aside", "rejected"]
        assert [record.acked_position for record in outbox.records()] == [None, None, 7]
        assert (outbox.waiting(), outbox.link.cursor, outbox.link.backed_up_to) == (2, None, None)

        named = [{"at": 0, "verdict": "quarantined", "code": "internal"}]
        frame = {"frame": put_in_flight(outbox), "n": 2, "named": named}
        outbox.apply(answer(epoch="bbbbbbbb", position=1, frames=[frame]), NOW)
        assert [state for state, _, _ in states(outbox)] == ["at_centre", "at_centre", "rejected"]

    def test_verdicts_in_the_answer_that_brings_the_epoch_count_in_it(self, outbox: Outbox) -> None:
        written(outbox, 1)
        settled(outbox, position=7)
        outbox.finalise("complaint", complaint(), id=record_id(2))
        report = {"frame": put_in_flight(outbox), "n": 1}
        outbox.apply(answer(epoch="bbbbbbbb", position=3, frames=[report]), NOW)
        assert [record.acked_position for record in outbox.records()] == [None, 3]
        assert [seq for seq, _ in outbox.next_lines(0, 10**6)] == [1]


class TestEnrolment:
    def test_before_it_there_is_none(self, folder: Folder) -> None:
        outbox = Outbox.open(folder)
        assert outbox.enrolled is None
        with pytest.raises(NotEnrolled):
            outbox.require_enrolled()
        outbox.close()

    def test_it_is_kept_and_its_secrets_are_not_printed(self, folder: Folder, outbox: Outbox) -> None:
        outbox.close()
        outbox = Outbox.open(folder)
        enrolled = outbox.require_enrolled()
        assert (enrolled.hub, enrolled.epoch, enrolled.token) == (HUB, EPOCH, "t" * 43)
        assert bytes(enrolled.keys.sign) == b"s" * 32
        assert len(enrolled.words) == 6
        assert "ttt" not in repr(enrolled)
        outbox.close()

    def test_keys_for_a_code_are_the_same_when_the_answer_got_lost(self, folder: Folder) -> None:
        outbox = Outbox.open(folder)
        first = outbox.keys_for("c1")
        outbox.close()
        outbox = Outbox.open(folder)
        assert bytes(outbox.keys_for("c1").sign) == bytes(first.sign)
        assert bytes(outbox.keys_for("c2").sign) != bytes(first.sign)
        outbox.close()

    def test_a_new_device_of_the_lineage_signs_what_waits_itself(self, outbox: Outbox) -> None:
        written(outbox, 1)
        settled(outbox)
        outbox.finalise("complaint", complaint(), id=record_id(2))
        put_in_flight(outbox)
        outbox.note(is_revoked=1, last_order=3)
        keys = Keys(SigningKey(b"n" * 32), PrivateKey(b"n" * 32))
        outbox.keep_enrolment(enrolment(device=record_id(7), keys=keys))
        assert outbox.in_flight() == []
        assert [record.state for record in outbox.records()] == ["at_centre", "here"]
        assert (outbox.link.is_revoked, outbox.link.last_order) == (False, 0)

    def test_another_hub_and_another_lineage_are_refused(self, outbox: Outbox) -> None:
        with pytest.raises(AlreadyEnrolled):
            outbox.keep_enrolment(enrolment(hub=record_id(8)))
        outbox.keep_enrolment(enrolment(device=record_id(7), lineage=record_id(7)))
        written(outbox, 1)
        settled(outbox)
        with pytest.raises(LineageDiffers):
            outbox.keep_enrolment(enrolment())
        assert outbox.require_enrolled().lineage == record_id(7)


def test_numbers_that_were_used_elsewhere_are_skipped_and_never_come_back(outbox: Outbox) -> None:
    outbox.apply(answer(rolled_back=41), NOW)
    assert outbox.take_frame_number() == 41
    outbox.apply(answer(rolled_back=12), NOW)
    assert outbox.take_frame_number() == 42


def test_the_offset_of_the_clock_is_kept(outbox: Outbox) -> None:
    outbox.apply(answer(now="2026-11-21T09:00:00Z"), NOW)
    assert outbox.link.clock_ahead_s == 3600


def held_lines(outbox: Outbox) -> list[bytes | None]:
    """The lines that are still on the disk, asked of the file itself."""
    rows = outbox._database.query("SELECT line FROM record ORDER BY seq")
    return [row["line"] for row in rows]


FINALISE_FOR_EVER = """
import sys
from pathlib import Path
from client_sync.outbox import Outbox
from client_sync.stores import Folder
outbox = Outbox.open(Folder(Path(sys.argv[1])))
while True:
    print(outbox.finalise("complaint", {"statement": {"clear": {"narrative": "x" * 700}}}), flush=True)
"""


def test_what_was_finalised_before_a_kill_is_there_once(folder: Folder) -> None:
    enrolled_outbox(folder).close()
    acknowledged: list[str] = []
    for after in (1, 7, 40):
        with Child([sys.executable, "-c", FINALISE_FOR_EVER, folder.path]) as child:
            for _ in range(after):
                child.wait_for("-")
            acknowledged += [line for line in child.kill().lines if line]
    outbox = Outbox.open(folder)
    records = outbox.records()
    assert len(acknowledged) >= 48
    assert set(acknowledged) <= {record.id for record in records}
    # Each of them with its linkage, never one without the other.
    assert [record.seq for record in records] == list(range(1, 2 * len(records), 2))
    assert outbox.waiting() == 2 * len(records)
    outbox.close()
