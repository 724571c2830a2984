"""Intake: every verdict, what it leaves behind, and that it means the same when asked again."""

import json
from typing import Any

import pytest
import sqlalchemy as sa

from client_sync.protocol.canonical import canonical
from server.hub import Hub
from server.services import devices as device_service
from server.store import complaints, quarantine
from server.store.schema import complaint as complaint_table
from server.store.schema import conflict, event, linkage_pending, received
from server.store.schema import revision as revision_table
from tests.builders import (
    ALREADY_HELD,
    NOW,
    STORED,
    Clock,
    Sender,
    Verdict,
    an_id,
    anchor_seen,
    complaint,
    content,
    facts,
    operation,
    revision,
    said,
    sealed,
    sealed_keys,
    twin,
    verdicts,
)
from tests.server.conftest import Enrol

HELD_MISSING = Verdict("held", "complaint_missing", "complaint")
CLASH = Verdict("conflict", "field_changed_twice", "facts.channel")
ONE, TWO = {"clear": facts(channel="phone")}, {"clear": facts(channel="radio")}


def _count(hub: Hub, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
    with hub.store.read() as connection:
        select = sa.select(sa.func.count()).select_from(table).where(*conditions)
        return connection.scalar(select) or 0


def _received(device: Sender) -> int:
    return _count(device.hub, received, received.c.lineage == device.lineage)


def _aside(device: Sender, name: object) -> list[quarantine.Kept]:
    with device.hub.store.read() as connection:
        select = sa.select(*quarantine._KEPT).where(
            quarantine.quarantine.c.lineage == device.lineage, quarantine.quarantine.c.client_id == an_id(name)
        )
        return [quarantine.Kept(*row) for row in connection.execute(select.order_by(quarantine.quarantine.c.id))]


def _filed(device: Sender, name: object) -> Any:
    with device.hub.store.read() as connection:
        select = (
            sa.select(complaint_table)
            .join(received, received.c.id == complaint_table.c.id)
            .where(received.c.lineage == device.lineage, received.c.client_id == an_id(name))
        )
        return connection.execute(select).one()


def test_sound_complaint_is_stored_byte_for_byte(device: Sender) -> None:
    line = complaint("a")

    assert verdicts(device.send(line)) == [STORED]

    with device.hub.store.read() as connection:
        assert complaints.line_of(connection, _filed(device, "a").id) == line


def test_parsed_columns_are_those_of_the_facts(device: Sender) -> None:
    device.send(complaint("a", receipt="7K4M-2QG", money={"asked_xof": 9_007_199_254_740_991}))

    row = _filed(device, "a")

    assert (row.kind, row.receipt, row.asked_xof, row.incident_from) == (
        "COR-RACKET",
        "7K4M-2QG",
        9_007_199_254_740_991,
        "2026-10-03",
    )


def test_unknown_members_survive_in_the_line(device: Sender) -> None:
    line = operation("complaint", "a", content(novelty={"deep": [1, "ɲ"]}) | {"later": "kept"})

    assert verdicts(device.send(line)) == [STORED]

    with device.hub.store.read() as connection:
        assert json.loads(complaints.line_of(connection, _filed(device, "a").id)) == json.loads(line)


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
def test_every_coding_is_read(device: Sender, coding: Any) -> None:
    answer = device.send_body(device.frame([complaint("a")]), device.frame([complaint("b")]), coding=coding)

    assert verdicts(answer) == [STORED, STORED]


def test_line_that_is_not_canonical_is_the_same_operation(device: Sender) -> None:
    loose = json.dumps(json.loads(complaint("a")), indent=None, ensure_ascii=True).encode()

    assert verdicts(device.send(loose)) == [STORED]
    assert verdicts(device.send(complaint("a"))) == [ALREADY_HELD]


# A verdict asked for again. Each line of the table: lines before, the line, what it gets.
_STATES = {
    "stored": ((), complaint("s"), STORED, ALREADY_HELD),
    "quarantined by shape": (
        (),
        complaint("s", channel="pigeon"),
        *2 * [Verdict("quarantined", "code_unknown", "facts.channel")],
    ),
    "quarantined by json": ((), complaint("s")[:-1], *2 * [Verdict("quarantined", "json_invalid")]),
    "quarantined by clock": (
        (),
        complaint("s", entered_at="2036-10-06T18:40:12Z"),
        *2 * [Verdict("quarantined", "clock_ahead", "facts.entered_at")],
    ),
    "quarantined by op": ((), operation("greeting", "s", {}), *2 * [Verdict("quarantined", "op_unknown", "op")]),
    "held for a place": (
        (),
        complaint("s", place={"code": "ML0101"}),
        *2 * [Verdict("held", "place_vintage", "facts.place.system")],
    ),
    "held for a complaint": ((), revision("s", "none", 1, statement=said("x")), HELD_MISSING, HELD_MISSING),
    "held for a revision": (
        (complaint("c"),),
        revision("s", "c", 2, statement=said("x")),
        *2 * [Verdict("held", "revision_missing", "base_revision")],
    ),
    "other content": (
        (complaint("s"),),
        complaint("s", channel="phone"),
        *2 * [Verdict("conflict", "content_differs", "content")],
    ),
    "clash": (
        (complaint("c"), revision("r", "c", 1, facts=ONE)),
        revision("s", "c", 1, facts=TWO),
        CLASH,
        CLASH,
    ),
    "rejected": ((), b'{"op":"complaint"}', *2 * [Verdict("rejected", "id_unreadable", "id")]),
    "linkage": ((), operation("linkage", "s", {"complaint": an_id("c"), "v": 1, "box": "Ym94"}), STORED, STORED),
}


@pytest.mark.parametrize("state", _STATES)
def test_verdict_means_the_same_on_resend_and_adds_no_row(device: Sender, state: str) -> None:
    before, line, first, again = _STATES[state]
    for each in before:
        device.send(each)

    assert verdicts(device.send(line)) == [first]
    rows = _received(device), len(_aside(device, "s"))
    assert verdicts(device.send(line)) == [again]
    assert verdicts(device.send(line, line)) == [again, again]

    assert (_received(device), len(_aside(device, "s"))) == rows


@pytest.mark.parametrize("state", _STATES)
def test_verdict_beside_sound_neighbours(device: Sender, state: str) -> None:
    before, line, first, _ = _STATES[state]
    for each in before:
        device.send(each)

    answer = device.send(complaint("before"), line, complaint("after"))

    assert verdicts(answer) == [STORED, first, STORED]


def test_line_twice_in_a_frame_is_stored_once(device: Sender) -> None:
    assert verdicts(device.send(complaint("a"), complaint("a"))) == [STORED, ALREADY_HELD]
    assert _received(device) == 1


def test_second_content_in_the_same_frame_waits_for_what_becomes_of_the_first(device: Sender) -> None:
    vague, sound = complaint("a", place={"code": "ML0101"}), complaint("a")

    assert verdicts(device.send(vague, sound)) == [Verdict("held", "place_vintage", "facts.place.system"), STORED]
    assert verdicts(device.send(complaint("b"), complaint("b", channel="phone"))) == [
        STORED,
        Verdict("conflict", "content_differs", "content"),
    ]


def test_other_content_under_a_known_id_keeps_both(device: Sender) -> None:
    device.send(complaint("a"))
    other = complaint("a", channel="phone")

    device.send(other)

    assert [kept.payload for kept in _aside(device, "a")] == [other]
    assert _filed(device, "a").channel == "in_person"


def test_quarantined_line_sent_again_readable_is_stored(device: Sender) -> None:
    device.send(complaint("a")[:-1])

    assert verdicts(device.send(complaint("a"))) == [STORED]


def test_what_was_held_and_comes_again_fit_is_stored_and_settled(device: Sender, clock: Clock) -> None:
    ahead = complaint("a", entered_at="2027-12-01T00:00:00Z")
    assert [each.code for each in verdicts(device.send(ahead))] == ["clock_ahead"]

    clock.pass_(days=30)

    assert verdicts(device.send(ahead)) == [STORED]
    assert [kept.state for kept in _aside(device, "a")] == ["stored"]
    assert verdicts(device.send(ahead)) == [ALREADY_HELD]
    assert [(change["kind"], change["state"]) for change in device.changes()] == [("state", "stored")]


def test_revision_sets_columns_and_number(device: Sender) -> None:
    device.send(complaint("a"))

    assert verdicts(device.send(revision("r", "a", 1, facts={"clear": facts(channel="phone")}))) == [STORED]

    row = _filed(device, "a")
    assert (row.channel, row.revision) == ("phone", 2)


def test_two_devices_of_a_team_changing_one_field_keep_both_and_a_visible_conflict(enrol: Enrol) -> None:
    first, second = enrol("Gao 1", team="gao-x"), enrol("Gao 2", team="gao-x")
    first.send(complaint("a"))
    one = revision("r1", "a", 1, facts=ONE)
    two = revision("r2", "a", 1, facts=TWO, lineage=first.lineage)

    assert verdicts(first.send(one)) == [STORED]
    assert verdicts(second.send(two)) == [CLASH]
    assert verdicts(second.send(two)) == [CLASH]

    with first.hub.store.read() as connection:
        id = _filed(first, "a").id
        assert complaints.conflicts(connection, id) == ["facts.channel"]
        assert [(each.line, each.fields) for each in complaints.revisions(connection, id)] == [
            (one, ("facts.channel",)),
            (two, ()),
        ]
        kept = connection.scalars(sa.select(received.c.line).where(received.c.lineage == second.lineage)).all()
    assert kept == [two]


def test_two_devices_changing_two_fields_both_stand(enrol: Enrol) -> None:
    first, second = enrol("Gao 1", team="gao-y"), enrol("Gao 2", team="gao-y")
    first.send(complaint("a"))
    phone, other = facts(channel="phone"), facts(sector="health")

    assert verdicts(first.send(revision("r1", "a", 1, facts={"clear": phone}))) == [STORED]
    answer = second.send(revision("r2", "a", 1, facts={"clear": other}, lineage=first.lineage))
    assert verdicts(answer) == [STORED]

    row = _filed(first, "a")
    assert (row.channel, row.sector, row.revision) == ("phone", "health", 3)


def test_sealed_compartment_counts_as_one_field(device: Sender) -> None:
    device.send(complaint("a"))

    assert verdicts(device.send(revision("r1", "a", 1, statement=sealed("b25l"), seal=sealed_keys()))) == [STORED]
    assert verdicts(device.send(revision("r2", "a", 1, statement=sealed("dHdv"), seal=sealed_keys()))) == [
        Verdict("conflict", "field_changed_twice", "statement")
    ]
    assert verdicts(device.send(revision("r3", "a", 2, statement=sealed("dHJvaXM"), seal=sealed_keys()))) == [STORED]


def test_colleague_adds_to_a_complaint_and_can_not_replace_what_is_sealed(enrol: Enrol) -> None:
    first, second = enrol("Gao 1", team="gao-x"), enrol("Gao 2", team="gao-x")
    bare = {name: part for name, part in content().items() if name != "traces"}
    first.send(operation("complaint", "a", bare))
    added = revision("r1", "a", 1, lineage=first.lineage, traces=sealed("bmV3"), seal=sealed_keys())
    replaced = revision("r2", "a", 2, lineage=first.lineage, identity=sealed("anVuaw"), seal=sealed_keys())

    assert verdicts(second.send(added)) == [STORED]
    assert verdicts(second.send(replaced)) == [Verdict("conflict", "field_changed_twice", "identity")]

    own = revision("r3", "a", 1, identity=sealed("bWluZQ"), seal=sealed_keys())
    assert verdicts(first.send(own)) == [STORED]


def test_revision_held_for_its_base_is_released_when_the_base_comes(device: Sender) -> None:
    last = revision("r3", "a", 2, statement=said("three"))
    middle = revision("r2", "a", 1, statement=said("two"))
    assert verdicts(device.send(last)) == [HELD_MISSING]
    assert verdicts(device.send(middle)) == [HELD_MISSING]

    assert verdicts(device.send(complaint("a"))) == [STORED]

    assert _filed(device, "a").revision == 3
    assert verdicts(device.send(last, middle)) == [ALREADY_HELD, ALREADY_HELD]
    named = [(change["id"], change["kind"], change["state"]) for change in device.changes()]
    assert named == [(an_id("r2")[:8], "state", "stored"), (an_id("r3")[:8], "state", "stored")]


def test_held_revision_that_clashes_on_release_says_so_ever_after(device: Sender) -> None:
    for name in ("one", "two"):
        device.send(revision(name, "a", 1, statement=said(name)))

    device.send(complaint("a"))

    # It came before it was known whether the complaint is strict, and was sealed: then it counts as one field.
    clash = Verdict("conflict", "field_changed_twice", "statement")
    assert verdicts(device.send(revision("two", "a", 1, statement=said("two")))) == [clash]
    assert _filed(device, "a").revision == 2
    assert [kept.code for kept in _aside(device, "two")] == ["field_changed_twice"]
    assert _count(device.hub, conflict, conflict.c.complaint == _filed(device, "a").id) == 1
    device.send(complaint("b"))
    assert _count(device.hub, conflict, conflict.c.complaint == _filed(device, "a").id) == 1


def test_revision_with_a_clock_ten_years_ahead_is_quarantined(device: Sender) -> None:
    device.send(complaint("a"))
    late = {"clear": facts(entered_at="2036-10-06T18:40:12Z")}

    assert verdicts(device.send(revision("r", "a", 1, facts=late))) == [
        Verdict("quarantined", "clock_ahead", "facts.entered_at")
    ]


def test_consent_changed_since_stands_when_a_revision_repeats_the_old_one(device: Sender) -> None:
    device.send(complaint("a", consent={"level": "C3"}))
    device.send(operation("consent_change", "k", {"complaint": an_id("a"), "consent": {"level": "C0"}}))

    device.send(revision("r", "a", 1, facts={"clear": facts(consent={"level": "C3"}, channel="phone")}))

    row = _filed(device, "a")
    assert (row.channel, row.consent_level, row.consent) == ("phone", "C0", {"level": "C0"})


def test_withdrawal_of_all_is_not_lessened_by_a_later_one(device: Sender) -> None:
    device.send(complaint("a"))
    for name, scope in (("w1", "exports"), ("w2", "all"), ("w3", "exports")):
        wish = operation("withdrawal", name, {"complaint": an_id("a"), "scope": scope})
        assert verdicts(device.send(wish)) == [STORED]

    row = _filed(device, "a")
    assert (row.withdrawn, row.state) == ("all", "withdrawn")


_ABOUT: dict[str, dict[str, Any]] = {
    "revision": {"base_revision": 1, "statement": said("mine")},
    "consent_change": {"consent": {"level": "C0"}},
    "withdrawal": {"scope": "all"},
    "answer": {"question": an_id("q")},
    "linkage": {"v": 1, "box": "dGhlaXJz"},
}


@pytest.mark.parametrize("op", _ABOUT)
def test_other_teams_complaint_answers_like_none_at_all(enrol: Enrol, op: str) -> None:
    theirs = enrol("Mopti 1", team="mopti")
    theirs.send(complaint("a"), operation("linkage", "l", {"complaint": an_id("a"), "v": 1, "box": "b3du"}))

    def answer_about(name: str) -> bytes:
        ours = enrol("Gao 1", team="gao-z")
        about = {"complaint": an_id(name), "lineage": theirs.lineage} | _ABOUT[op]
        return ours.post(ours.frame([operation(op, "mine", about)])).data

    assert answer_about("a") == answer_about("nowhere")
    row = _filed(theirs, "a")
    assert (row.revision, row.consent_level, row.withdrawn) == (1, "C2", None)
    with theirs.hub.store.read() as connection:
        select = sa.select(linkage_pending.c.box).where(linkage_pending.c.lineage == theirs.lineage)
        assert connection.scalar(select) == "b3du"


def test_answer_is_the_same_in_bytes_whether_or_not_others_hold_the_complaint(enrol: Enrol) -> None:
    alone, after, other = enrol("Gao 1"), enrol("Gao 2"), enrol("Mopti 1")
    lines = [complaint(f"same {n}") for n in range(5)]

    first = alone.post(alone.frame(lines)).data
    other.send(*lines)
    second = after.post(after.frame(lines)).data

    assert first == second


def test_over_limit_reads_a_prefix_and_says_when_to_come_back(hub: Hub, enrol: Enrol, clock: Clock) -> None:
    device = enrol()
    with hub.store.write() as connection:
        device_service.devices.update(connection, device.device, records_left=3.0)
    frames = [device.frame([complaint(f"{n} {m}") for m in range(2)]) for n in range(3)]

    answer = device.send_body(*frames)

    assert answer["frames"] == [
        {"frame": 1, "n": 2},
        {"frame": 2, "unread": "over_limit"},
        {"frame": 3, "unread": "over_limit"},
    ]
    # One record is left, one more is needed: 600 flow in a minute.
    assert answer["retry_after_s"] == 1
    clock.pass_(seconds=answer["retry_after_s"])
    assert verdicts(device.send_body(*frames[1:])) == [STORED] * 4


def test_frame_number_used_again_for_other_content_tells_the_device_to_move_on(device: Sender) -> None:
    for name in "abc":
        device.send(complaint(name))
    restored = twin(device)
    restored.next_frame = 2

    answer = restored.send(complaint("d"))

    assert (answer["rolled_back"], verdicts(answer)) == (4, [STORED])
    assert "rolled_back" not in restored.send(complaint("e"), frame=4)


def test_frame_that_comes_late_is_no_rollback(device: Sender) -> None:
    early, late = device.frame([complaint("a")]), device.frame([complaint("b")])

    assert "rolled_back" not in device.send_body(late)
    assert "rolled_back" not in device.send_body(early)
    assert "rolled_back" not in device.send_body(early, late)


def test_frame_that_is_not_the_devices_own_does_not_move_its_numbers(device: Sender, enrol: Enrol) -> None:
    stranger = enrol("Mopti 1")
    device.send_body(stranger.frame([complaint("x")], frame=900))
    for name in "ab":
        device.send(complaint(name))

    assert device.send(complaint("c"), frame=2)["rolled_back"] == 3


def test_idle_poll_writes_nothing(device: Sender, hub: Hub) -> None:
    device.send(complaint("a"))
    before = _count(hub, event)

    device.send()
    device.send(cursor=None, ask=((1, "0" * 16),))

    assert _count(hub, event) == before


def test_every_body_leaves_one_event_without_a_name(device: Sender, hub: Hub) -> None:
    before = _count(hub, event)

    device.send_body(device.frame([complaint("a")]), device.frame([complaint("b")]))

    with hub.store.read() as connection:
        row = connection.execute(sa.select(event).order_by(event.c.place.desc()).limit(1)).one()
    assert _count(hub, event) == before + 1
    assert (row.actor, row.action, row.at) == (f"device:{device.device}", "intake", NOW)
    assert b"Awa" not in row.canonical


def test_re_enrolled_device_is_told_apart_by_lineage_alone(enrol: Enrol) -> None:
    lost = enrol("Gao 1")
    lost.send(complaint("a"))

    found = enrol("Gao 1 bis", succeeds=lost)

    assert found.lineage == lost.lineage
    assert verdicts(found.send(complaint("a"))) == [ALREADY_HELD]
    assert verdicts(found.send(revision("r", "a", 1, statement=said("x")))) == [STORED]


def test_revoked_device_may_push_and_is_answered_with_orders_alone(device: Sender, hub: Hub) -> None:
    device.send(complaint("a"))
    device_service.revoke(hub.store, device.device, NOW, hub.identity.sign_key, reason="lost")

    answer = device.send(complaint("b"), complaint("a"), cursor=None)

    assert verdicts(answer) == [Verdict("quarantined", "device_revoked"), ALREADY_HELD]
    assert answer.keys() == {"now", "epoch", "frames", "position", "orders"}
    assert [order["order"]["kind"] for order in answer["orders"]] == ["revoke"]
    assert [kept.code for kept in _aside(device, "b")] == ["device_revoked"]


# What only a database can refuse: every member at the longest, largest and oddest that its shape lets by.
_WIDEST = {
    "team": "a" * 80,
    "partner": "z." * 39 + "zz",
    "place": {"id": "m" * 80, "list": "l" * 20, "code": "c" * 20, "system": "s" * 20},
    "persons": [
        {"no": 999, "roles": ["alleged_perpetrator"] * 5, "count": 1_000_000, "disability": True},
        {"no": 999, "roles": ["witness"]},
    ],
    "money": {"asked_xof": 2**53 - 1, "paid_xof": 2**53 - 1, "paid": "partial"},
    "kinds": ["COR-RACKET"] * 5,
    "files": [{"sha256": "f" * 64, "size": 2**53 - 1, "kind": "document", "role": "paper_form"}] * 100,
    "incident": {"from": "1900-01-01", "to": "2026-12-31", "precision": "estimate"},
    "collected_at": "1900-01-01T00:00:00Z",
}


@pytest.mark.parametrize("member", _WIDEST)
def test_widest_value_of_a_member_is_stored_on_either_engine(device: Sender, member: str) -> None:
    assert verdicts(device.send(complaint(member, **{member: _WIDEST[member]}))) == [STORED]
    changed = {"clear": facts(**{member: _WIDEST[member]}, channel="phone")}
    assert verdicts(device.send(revision(f"{member} r", member, 1, facts=changed))) == [STORED]


_TWO = ("b25l", "dHdv")


def test_clash_on_an_unknown_member_with_a_long_name_is_a_conflict_on_either_engine(device: Sender) -> None:
    name = "m" * 5000
    device.send(complaint("a"))
    one, two = (
        {"statement": {"clear": {name: text}}, "identity": sealed(text), "seal": sealed_keys()} for text in _TWO
    )
    device.send(revision("r1", "a", 1, **one))

    [verdict] = verdicts(device.send(revision("r2", "a", 1, **two)))

    assert (verdict.verdict, verdict.code, verdict.field) == (
        "conflict",
        "field_changed_twice",
        f"statement.{name}"[:200],
    )


def test_record_that_only_the_database_refuses_is_kept_aside_and_its_neighbours_are_stored(device: Sender) -> None:
    with device.hub.store.write() as connection:
        trap = sa.CheckConstraint("paid_xof <> 666", name="trap")
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(
                "CREATE TRIGGER trap BEFORE INSERT ON complaint WHEN NEW.paid_xof = 666 "
                "BEGIN SELECT RAISE(ABORT, 'trap'); END"
            )
        else:
            connection.execute(sa.schema.AddConstraint(_on_complaint(trap)))
    poison = complaint("poison", money={"paid_xof": 666})

    answer = device.send(complaint("a"), poison, complaint("b"))

    assert verdicts(answer) == [STORED, Verdict("quarantined", "internal"), STORED]
    assert [kept.payload for kept in _aside(device, "poison")] == [poison]
    with device.hub.store.write() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        drop = "DROP TRIGGER trap" if is_sqlite else "ALTER TABLE complaint DROP CONSTRAINT trap"
        connection.exec_driver_sql(drop)
    assert verdicts(device.send(poison)) == [STORED]
    assert _received(device) == 3


def _on_complaint(constraint: sa.CheckConstraint) -> sa.CheckConstraint:
    sa.Table("complaint", sa.MetaData(), constraint)
    return constraint


def test_operation_of_every_kind_is_stored(device: Sender) -> None:
    about = {"complaint": an_id("a")}
    lines = [
        complaint("a"),
        revision("r", "a", 1, statement=said("x")),
        operation("consent_change", "c", about | {"consent": {"level": "C1"}}),
        operation("withdrawal", "w", about | {"scope": "exports", "reason": "peur", "wished_on": "2026-11-20"}),
        operation("answer", "q", about | {"question": an_id("question"), "statement": sealed(), "seal": sealed_keys()}),
        operation("seen", "s", {"changes": [1]}),
        operation("linkage", "l", about | {"v": 1, "box": "Ym94"}),
        operation("anchor_seen", "h", anchor_seen()),
    ]

    assert verdicts(device.send(*lines)) == [STORED] * 8
    assert _count(device.hub, revision_table, revision_table.c.complaint == _filed(device, "a").id) == 1


def test_line_is_what_was_hashed_by_hand() -> None:
    # Written out, so that builder and canonical form can't drift together.
    assert operation("seen", "s", {"changes": [2, 1]}, seq=3) == (
        b'{"content":{"changes":[2,1]},"id":"' + an_id("s").encode() + b'","op":"seen","seq":3}'
    )
    assert canonical({"b": "é\n", "a": [True, None]}) == '{"a":[true,null],"b":"é\\n"}'.encode()


def test_linkage_of_a_revision_stands_beside_that_of_its_complaint(device: Sender, hub: Hub) -> None:
    made = [{"complaint": an_id("c"), "v": 1, "box": box} for box in ("b2xk", "bmV3")]
    old, new = (operation("linkage", f"l{at}", each, seq=at) for at, each in enumerate(made, 1))

    for line in (old, new, old):
        device.send(line)

    with hub.store.read() as connection:
        select = sa.select(linkage_pending.c.box).where(linkage_pending.c.lineage == device.lineage)
        assert list(connection.scalars(select.order_by(linkage_pending.c.seq))) == ["b2xk", "bmV3"]
