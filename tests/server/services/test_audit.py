"""The log on both engines: places without gaps, anchors, exports that hold, and words that can be erased."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from client_sync.protocol.anchors import is_consistent
from client_sync.protocol.frames import from_text
from server.commands.audit_verify import BROKEN, NOTE, Verdict, verify
from server.domain.errors import NotFound
from server.hub import Hub
from server.services import audit
from server.store import audit as log
from server.store import schema
from tests.builders import Clock, anchor_seen, enrolled, operation
from tests.log_edits import anchor, exported, note, written

WRITERS = 8
EACH = 40


@pytest.fixture
def clock(own_hub: Hub) -> Clock:
    assert isinstance(own_hub.clock, Clock)
    return own_hub.clock


def _places(hub: Hub) -> list[int]:
    with hub.store.read() as connection:
        return list(connection.scalars(sa.select(schema.event.c.place).order_by(schema.event.c.place)))


def _verdict(hub: Hub, witness: dict[str, Any] | None = None) -> Verdict:
    key = bytes(hub.identity.sign_key.verify_key).hex()
    return verify(written(exported(hub)), key, written([witness] if witness else []))


def _broken(hub: Hub, witness: dict[str, Any] | None = None) -> set[str]:
    return {found.code for found in _verdict(hub, witness).remarks if found.level == BROKEN}


def _newest(hub: Hub) -> dict[str, Any]:
    """The newest anchor as a device keeps it."""
    [*_, newest] = (line for line in exported(hub) if "anchor" in line)
    return newest


def _last_leaf(hub: Hub) -> dict[str, Any]:
    select = sa.select(schema.event.c.canonical).order_by(schema.event.c.place.desc()).limit(1)
    with hub.store.read() as connection:
        leaf: dict[str, Any] = json.loads(connection.scalars(select).one())
        return leaf


def test_places_of_eight_writers_have_no_gap(own_hub: Hub) -> None:
    before = _places(own_hub)

    def write(writer: int) -> None:
        for no in range(EACH):
            note(own_hub, f"device:{writer}.{no}")

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))

    assert _places(own_hub) == list(range(len(before) + WRITERS * EACH))
    assert audit.head(own_hub.store).size == len(before) + WRITERS * EACH


def test_transaction_that_failed_leaves_no_gap(own_hub: Hub) -> None:
    def fail() -> None:
        with own_hub.store.write() as connection:
            log.record(connection, at=own_hub.clock(), actor="operator", action="tell", object="device:1")
            log.append(connection)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    note(own_hub, "device:2")
    places = _places(own_hub)
    assert places == list(range(len(places)))


def test_place_is_drawn_after_everything_else(own_hub: Hub) -> None:
    statements: list[str] = []
    sa.event.listen(own_hub.store.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    with own_hub.store.write() as connection:
        log.record(connection, at=own_hub.clock(), actor="operator", action="tell", object="device:1")
        connection.execute(sa.select(schema.lineage.c.id))
    drawn = [("log_counter" in text, "INSERT INTO event" in text) for text in statements[-2:]]
    assert drawn == [(True, False), (False, True)]


def test_an_event_costs_two_statements_however_long_the_log_is(own_hub: Hub, clock: Clock) -> None:
    for _ in range(2):
        anchor(own_hub)
        clock.pass_(days=1)
    statements: list[str] = []
    sa.event.listen(own_hub.store.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    note(own_hub, "device:1")
    assert [text.split()[0] for text in statements if not text.startswith("BEGIN")] == ["UPDATE", "INSERT"]


def test_anchor_is_padded_and_does_not_count_the_day(own_hub: Hub, clock: Clock) -> None:
    note(own_hub, "device:1")
    quiet = anchor(own_hub)
    clock.pass_(days=1)
    for no in range(200):
        note(own_hub, f"device:{no}")
    busy = anchor(own_hub)
    assert quiet is not None
    assert busy is not None
    assert (quiet.size, busy.size) == (4096, 8192)
    assert (quiet.day, busy.day) == ("2026-11-21", "2026-11-22")


def test_a_day_has_one_anchor(own_hub: Hub, clock: Clock) -> None:
    assert anchor(own_hub) is not None
    clock.pass_(hours=5)
    assert anchor(own_hub) is None
    assert audit.head(own_hub.store).size == 4096


def test_day_of_more_than_a_block_is_anchored_whole(own_hub: Hub) -> None:
    with own_hub.store.write() as connection:
        for no in range(4_500):
            log.record(connection, at=own_hub.clock(), actor="operator", action="tell", object=f"device:{no}")
    made = anchor(own_hub)
    assert made is not None
    assert made.size == 8192
    assert _verdict(own_hub, _newest(own_hub)).remarks == []


def test_export_is_whole_and_says_what_is_not_anchored_yet(own_hub: Hub) -> None:
    note(own_hub, "device:1")
    anchor(own_hub)
    note(own_hub, "device:2")
    verdict = _verdict(own_hub, _newest(own_hub))
    assert (verdict.level, [str(found) for found in verdict.remarks]) == (NOTE, ["note not_anchored 4096 4097"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE event SET canonical = (SELECT canonical FROM event WHERE place = 1) WHERE place = 2", "root_differs"),
        ("DELETE FROM event WHERE place = 2", "missing"),
        ("UPDATE event SET actor = 'account:other' WHERE place = 2", "row_differs"),
        ("UPDATE event SET words = 'autre chose' WHERE place = 3", "words_differ"),
        ("UPDATE anchor SET root = (SELECT root FROM log_block WHERE no = 1) WHERE size = 4096", "root_differs"),
        ("DELETE FROM anchor WHERE size = 8192", "witness_ahead"),
    ],
)
def test_change_by_hand_in_the_database_is_found(own_hub: Hub, clock: Clock, change: str, code: str) -> None:
    with own_hub.store.write() as connection:
        for no in range(5):
            log.record(
                connection, at=clock(), actor="operator", action="tell", object=f"device:{no}", reason="d'accord"
            )
    anchor(own_hub)
    clock.pass_(days=1)
    anchor(own_hub)
    witness = _newest(own_hub)
    assert _broken(own_hub, witness) == set()
    with own_hub.store.write() as connection:
        connection.exec_driver_sql(change)
    assert code in _broken(own_hub, witness)


def test_erased_words_leave_every_leaf_as_it_was(own_hub: Hub) -> None:
    note(own_hub, "complaint:1", reason="Awa Exemple l'a demandé")
    note(own_hub, "complaint:2", reason="Moussa Exemple l'a demandé")
    anchor(own_hub)
    before = exported(own_hub)
    with own_hub.store.write() as connection:
        assert log.erase_words(connection, "complaint:1") == 1
    with own_hub.store.read() as connection:
        kept = list(connection.scalars(sa.select(schema.event.c.words).where(schema.event.c.words.is_not(None))))
        nonces = schema.event.c.nonce.is_not(None)
        assert len(connection.execute(sa.select(schema.event.c.place).where(nonces)).all()) == len(kept)
    assert "Moussa Exemple l'a demandé" in kept
    assert not [words for words in kept if "Awa" in words]
    assert exported(own_hub) == before
    assert _broken(own_hub, _newest(own_hub)) == set()


def test_words_are_not_in_the_leaf_nor_in_the_export(own_hub: Hub) -> None:
    note(own_hub, "complaint:1", reason="Awa Exemple")
    note(own_hub, "complaint:1", reason="Awa Exemple")
    text = b"".join(written(exported(own_hub))).decode()
    assert "Awa" not in text
    commitments = [json.loads(line["leaf"])["words"] for line in exported(own_hub)[-2:]]
    assert len({*commitments}) == 2


def test_one_event_is_proven_without_the_others(own_hub: Hub, clock: Clock) -> None:
    note(own_hub, "device:1")
    anchor(own_hub)
    clock.pass_(days=1)
    note(own_hub, "device:2")
    anchor(own_hub)
    key = own_hub.identity.sign_key
    proof = audit.prove(own_hub.store, own_hub.identity.id, key, 4096)
    assert json.loads(json.loads(proof)["leaf"])["object"] == "device:2"
    witness = written([_newest(own_hub)])
    assert verify([proof], bytes(key.verify_key).hex(), witness).remarks == []
    other = verify([proof.replace(b"device:2", b"device:3")], None, witness)
    assert [found.code for found in other.remarks if found.level == BROKEN] == ["root_differs"]


@pytest.mark.parametrize("place", [3000, 4096, 10**9])
def test_there_is_no_proof_of_a_blank_nor_of_what_has_no_anchor(own_hub: Hub, place: int) -> None:
    anchor(own_hub)
    note(own_hub, "device:1")
    with pytest.raises(NotFound):
        audit.prove(own_hub.store, own_hub.identity.id, own_hub.identity.sign_key, place)


def test_device_gets_the_newest_anchor_once_with_its_proof(own_hub: Hub, clock: Clock) -> None:
    device = enrolled(own_hub, "Gao 1")
    assert "anchor" not in device.send(anchor=0)
    for _ in range(3):
        anchor(own_hub)
        clock.pass_(days=1)
    first = _anchor_at(own_hub, 4096)
    assert "anchor" not in device.send()
    came = device.send(anchor=4096)["anchor"]
    grown = int(came["anchor"]["size"]), bytes.fromhex(came["anchor"]["root"])
    assert is_consistent((4096, bytes.fromhex(first)), grown, from_text(came["proof"]))
    assert grown[0] == 12_288
    assert device.send(anchor=0)["anchor"]["proof"] == ""
    assert "anchor" not in device.send(anchor=12_288)


def _anchor_at(hub: Hub, size: int) -> str:
    with hub.store.read() as connection:
        return log.roots_at(connection, [size])[size]


def test_head_that_is_not_ours_is_noted_with_the_intake(own_hub: Hub) -> None:
    device = enrolled(own_hub, "Gao 1")
    anchor(own_hub)
    ours = _newest(own_hub)
    device.send(operation("anchor_seen", "same", ours))
    assert "strange_anchors" not in _last_leaf(own_hub)["details"]
    device.send(operation("anchor_seen", "other", anchor_seen(size=8192)))
    assert _last_leaf(own_hub)["details"]["strange_anchors"] == [anchor_seen(size=8192)]


def test_what_stands_beside_an_anchor_does_not_reach_the_log(own_hub: Hub) -> None:
    device = enrolled(own_hub, "Gao 1")
    told = anchor_seen(size=8192)
    device.send(operation("anchor_seen", "a", told | {"anchor": told["anchor"] | {"later": "Awa"}, "later": "Awa"}))
    assert _last_leaf(own_hub)["details"]["strange_anchors"] == [told]


def test_anchor_that_a_device_made_up_does_not_break_the_log(own_hub: Hub) -> None:
    device = enrolled(own_hub, "Gao 1")
    for no in range(12):
        device.send(operation("anchor_seen", no, anchor_seen(size=4096 + no)))
    anchor(own_hub)
    verdict = _verdict(own_hub, _newest(own_hub))
    assert verdict.level == NOTE
    assert {found.code for found in verdict.remarks} == {"anchor_made_up"}
