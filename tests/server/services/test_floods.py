"""What one device may cost the others: floods are cut short, and nothing is charged, or undone, twice."""

import json

import sqlalchemy as sa

from client_sync.protocol.frames import read_frames
from client_sync.protocol.limits import BODY_FRAMES_MAX, FRAME_RECORDS_MAX
from server.hub import Hub
from server.services.feed import REPORTS_MAX_BYTES
from server.services.intake.filing import WAITING_MAX
from server.store import devices, quarantine
from server.store.schema import complaint as complaint_table
from server.store.schema import received
from tests.builders import STORED, Sender, Verdict, an_id, complaint, operation, revision, said, verdicts

_DIGITS = 16


def test_frame_of_too_many_lines_is_not_read_and_its_neighbour_is(device: Sender) -> None:
    flood = device.frame([b""] * (FRAME_RECORDS_MAX + 1))
    assert next(read_frames(flood)).lines == ()

    answer = device.send_body(flood, device.frame([complaint("a")]))

    assert answer["frames"] == [{"frame": 2, "n": 1}, {"frame": 1, "unread": "over_limit"}]


def test_frame_of_too_many_lines_is_told_of_when_nothing_else_came(device: Sender) -> None:
    device.send()
    assert device.send_body(device.frame([b""] * (FRAME_RECORDS_MAX + 1)))["frames"] == [
        {"frame": 2, "unread": "over_limit"}
    ]


def test_body_of_too_many_frames_is_read_as_far_as_one_may_be(device: Sender) -> None:
    frames = [device.frame([complaint("a")])] + [device.frame() for _ in range(BODY_FRAMES_MAX)]
    beyond = device.frame([complaint("b")])

    assert device.send_body(*frames, beyond)["frames"] == [{"frame": 1, "n": 1}]


def test_chain_of_revisions_in_reverse_is_filed_in_order_at_once(device: Sender, hub: Hub) -> None:
    most = WAITING_MAX
    device.send(*(revision(f"r{n}", "c", n, statement=said(str(n))) for n in range(most, 0, -1)))

    device.send(complaint("c"))

    with hub.store.read() as connection:
        columns = complaint_table.c
        select = sa.select(columns.revision).join(received, received.c.id == columns.id)
        assert connection.scalar(select.where(received.c.lineage == device.lineage)) == most + 1
        assert quarantine.waiting_for(connection, device.lineage, ["revision_missing"]) == []


def test_what_waits_for_something_else_costs_a_body_nothing(device: Sender, hub: Hub) -> None:
    device.send(*(revision(f"r{n}", f"elsewhere {n}", 1) for n in range(50)))
    statements: list[str] = []
    sa.event.listen(hub.store.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))

    device.send(complaint("a"))

    few = len(statements)
    device.send(*(revision(f"s{n}", f"elsewhere {n}", 1) for n in range(50)))
    statements.clear()
    device.send(complaint("b"))
    assert len(statements) == few


def test_frame_that_came_before_is_not_charged_again(device: Sender, hub: Hub) -> None:
    frame = device.frame([complaint(n) for n in range(10)])
    device.send_body(frame)
    with hub.store.write() as connection:
        devices.update(connection, device.device, records_left=0.0)

    assert device.send_body(frame)["frames"] == [{"frame": 1, "n": 10, "already_held": [[0, 9]]}]


def test_reports_asked_for_many_times_come_once_and_up_to_a_page(device: Sender) -> None:
    bad = [complaint(n, incident={"from": "2026-13-01", "precision": "day"}) for n in range(FRAME_RECORDS_MAX)]
    frames = [device.frame(bad) for _ in range(2)]
    for each in frames:
        device.send_body(each, coding="gzip")
    asked = [(next(read_frames(each)).header.frame, next(read_frames(each)).digest.hex()[:_DIGITS]) for each in frames]

    reports = device.send(ask=tuple(asked * 50))["frames"]

    assert [report["frame"] for report in reports] == [1]
    assert len(json.dumps(reports, separators=(",", ":"))) <= REPORTS_MAX_BYTES


def test_one_id_with_many_contents_keeps_them_all_and_asks_once(device: Sender, hub: Hub) -> None:
    contents = [complaint("one", contact_ok=which) for which in ("yes", "in_person", "never")]
    statements: list[str] = []
    sa.event.listen(hub.store.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))

    answer = device.send(*contents)

    assert verdicts(answer)[0] == STORED
    assert verdicts(answer)[1:] == [Verdict("conflict", "content_differs", "content")] * 2
    # What is known, aside and erased, and what waits for the complaint: however many contents there are.
    assert sum("json_each" in text or "ANY" in text for text in statements) == 4


def test_consent_written_earlier_by_the_same_device_does_not_come_back(device: Sender, hub: Hub) -> None:
    def change(name: str, level: str, seq: int) -> bytes:
        return operation("consent_change", name, {"complaint": an_id("c"), "consent": {"level": level}}, seq=seq)

    device.send(change("older", "C4", 2))
    device.send(complaint("c"), change("newer", "C0", 3))

    with hub.store.read() as connection:
        columns = complaint_table.c
        select = sa.select(columns.consent_level).join(received, received.c.id == columns.id)
        assert connection.scalar(select.where(received.c.lineage == device.lineage)) == "C0"
