"""Retention on both engines: what is erased is nowhere, stays erased, and is kept from erasure by two people only."""

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from client_sync.protocol.frames import read_frames
from server.domain.errors import ErasureHeld, HoldRefused, NotAdmissible, NotFound
from server.domain.permission import OPERATOR, Actor
from server.domain.task import Window
from server.hub import Hub
from server.services import devices, keyrings, retention
from server.services.cases import tasking
from server.services.cases.tasking import Errand
from server.services.intake import admission
from server.services.intake.sealing import Sealing
from server.services.retention import Keeping
from server.store import audit, erasure_list, erasures, lite, registry, schema
from server.store.cases import lock_complaints
from server.store.devices import lock_lineage
from server.store.dialect import open_sqlite
from server.store.engine import open_store
from server.store.erasures import Erased
from tests.builders import (
    ALREADY_HELD,
    STORED,
    Clock,
    Sender,
    add_person,
    an_id,
    complaint,
    content,
    enrolled,
    facts,
    open_test_hub,
    operation,
    revision,
    said,
    sealed,
    sealed_keys,
    verdicts,
)
from tests.postgres import client_programs

RECEIPT = "7K4M-2QG"
WORDS = "mots de Canari"
FIELD = "Canari-Membre"
CANARIES = (WORDS, FIELD, RECEIPT)


@pytest.fixture
def device(own_hub: Hub) -> Sender:
    return enrolled(own_hub, "Gao 1", team="gao")


@pytest.fixture
def mate(own_hub: Hub) -> Sender:
    """Another device of the same team."""
    return enrolled(own_hub, "Gao 2", team="gao")


@pytest.fixture
def actor(own_hub: Hub) -> Actor:
    return add_person(own_hub, "awa", is_named_reader=True).actor


@pytest.fixture
def other(own_hub: Hub) -> Actor:
    return add_person(own_hub, "moussa").actor


def _keeping(hub: Hub) -> Keeping:
    return retention.keeping(hub.settings, hub.secrets.database, hub.depot)


def _id_of(hub: Hub, device: Sender, name: object) -> int:
    columns = schema.received.c
    select = sa.select(columns.id).where(columns.lineage == device.lineage, columns.client_id == an_id(name))
    with hub.store.read() as connection:
        return int(connection.scalars(select).one())


def _number_of(hub: Hub, device: Sender, name: object) -> str:
    id = _id_of(hub, device, name)
    with hub.store.read() as connection:
        return registry.numbers_of(connection, [id])[id]


def _erase(hub: Hub, device: Sender, name: object, actor: Actor) -> retention.Erasure:
    return retention.erase(hub.store, hub.desk(actor), _number_of(hub, device, name), "asked", _keeping(hub))


def _counts(hub: Hub) -> dict[str, int]:
    """Rows by table."""
    with hub.store.read() as connection:
        return {
            name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for name, table in schema.metadata.tables.items()
        }


def _canary(name: object, of: object, base: int, *, lineage: str | None = None) -> bytes:
    return revision(name, of, base, lineage=lineage, statement=said(f"{WORDS} {name}"))


def _with_unknown_member(name: object, value: str, **about: str) -> bytes:
    """A sealed revision of which the name of a member becomes the path of a clash."""
    given = {"facts": {"clear": facts(**{FIELD: value})}, "identity": sealed(), "seal": sealed_keys()}
    return revision(name, "a", 2, **about, **given)


def _tell_much(hub: Hub, device: Sender, mate: Sender, actor: Actor) -> None:
    """A complaint with everything that can hang on it, planted with canaries."""
    line = operation("complaint", "a", _content())
    device.send(line)
    mate.send(_canary("r1", "a", 1, lineage=device.lineage))
    device.send(_canary("r2", "a", 1))
    device.send(_canary("r9", "a", 9))
    mate.send(_with_unknown_member("r3", "un", lineage=device.lineage))
    device.send(_with_unknown_member("r4", "deux"))
    device.send(operation("revision", "bad", {"complaint": an_id("a"), "base_revision": "?", FIELD: WORDS}))
    device.send(line.replace(WORDS.encode(), b"un autre texte"))
    device.send(b'{"id":"' + an_id("broken").encode() + b'","complaint":"' + an_id("a").encode() + b'","Canari')
    consent = _content()["facts"]["clear"]["consent"]
    device.send(operation("consent_change", "c", {"complaint": an_id("a"), "consent": consent}))
    complaint_id = _id_of(hub, device, "a")
    with hub.store.write() as connection:
        now = hub.clock()
        audit.record(connection, at=now, actor="operator", action="x", object=f"complaint:{complaint_id}", reason=WORDS)
        opened = {"complaint": complaint_id, "account": actor.id, "compartment": "identity", "reason": WORDS, "at": now}
        connection.execute(sa.insert(schema.opening).values(opened))
        given = {"complaint": complaint_id, "account": actor.id, "by_account": actor.id, "at": now}
        connection.execute(sa.insert(schema.assignment).values(given))
        told = {"n": 10_000, "kind": "reply", "client_id": an_id("a"), "body": {"text": WORDS}, "at": now}
        connection.execute(sa.insert(schema.change).values(lineage=device.lineage, **told))
        pending = {"id": an_id("l"), "complaint": an_id("a"), "seq": 1, "v": 1, "box": WORDS, "received_at": now}
        whose = {"device": device.device, "lineage": device.lineage}
        connection.execute(sa.insert(schema.linkage_pending).values(**whose, **pending))
    # Statistics of the planner sample what indexes hold.
    lite.tidy(hub.store.engine)


def _content() -> dict[str, Any]:
    made = content(receipt=RECEIPT)
    made["statement"] = said(f"{WORDS} a")
    return made


def image(hub: Hub, folder: Path, program: Callable[[str], str]) -> bytes:
    """All that the disk holds of the database, in clear, as a thief with its key would have it."""
    if hub.settings.database:
        url = sa.make_url(hub.settings.database).set(drivername="postgresql").render_as_string(hide_password=False)
        command = [client_programs() / "pg_dump", "--inserts", url]
        return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    wal = Path(f"{hub.settings.hub_file}-wal")
    assert not wal.exists() or wal.stat().st_size == 0
    return _exported(hub, folder) + _decrypted_pages(hub, program("openssl"))


def _exported(hub: Hub, folder: Path) -> bytes:
    plain = folder / "plain.db"
    connection = open_sqlite(hub.settings.hub_file, hub.secrets.database)
    try:
        connection.execute("ATTACH ? AS plain KEY ''", [str(plain)])
        connection.execute("SELECT sqlcipher_export('plain')")
        connection.execute("DETACH plain")
    finally:
        connection.close()
    return plain.read_bytes()


def _decrypted_pages(hub: Hub, openssl: str) -> bytes:
    """The file as it lies on the disk, with what is left in freed pages; AES-CBC needs no more than the key for
    all but the first 16 bytes of a page."""
    command = [openssl, "enc", "-d", "-aes-256-cbc", "-nopad", "-K", hub.secrets.database.hex(), "-iv", "0" * 32]
    data = hub.settings.hub_file.read_bytes()
    return subprocess.run(command, input=data, capture_output=True, check=True, timeout=60).stdout


def _found(image: bytes) -> list[str]:
    return [canary for canary in CANARIES if canary.encode() in image]


def test_erased_complaint_is_nowhere_in_the_database(
    own_hub: Hub, device: Sender, mate: Sender, actor: Actor, tmp_path: Path, program: Callable[[str], str]
) -> None:
    _tell_much(own_hub, device, mate, actor)
    before = _counts(own_hub)
    for table in ("revision", "conflict", "quarantine", "sequel", "opening", "assignment", "linkage_pending"):
        assert before[table] > 0, f"nothing planted in {table}"

    erasure = _erase(own_hub, device, "a", actor)

    assert erasure.is_cleared
    left = _counts(own_hub)
    emptied = ("received", "complaint", "revision", "conflict", "quarantine", "sequel", "opening", "linkage_pending")
    assert {table: left[table] for table in emptied} == dict.fromkeys(emptied, 0)
    assert _found(image(own_hub, tmp_path, program)) == []


def test_canaries_are_found_before_the_erasure(
    own_hub: Hub, device: Sender, mate: Sender, actor: Actor, tmp_path: Path, program: Callable[[str], str]
) -> None:
    _tell_much(own_hub, device, mate, actor)
    own_hub.store.close()
    assert _found(image(own_hub, tmp_path, program)) == list(CANARIES)
    if not own_hub.settings.database:
        assert _found(_decrypted_pages(own_hub, program("openssl"))) == list(CANARIES)


def test_numbers_and_log_hold_after_an_erasure(own_hub: Hub, device: Sender, actor: Actor) -> None:
    device.send(*(complaint(name) for name in "abc"))
    events = _counts(own_hub)["event"]
    with own_hub.store.read() as connection:
        leaves = [each.canonical for _, each in audit.events(connection)]

    _erase(own_hub, device, "b", actor)
    device.send(complaint("d"))

    columns = schema.registry.c
    select = sa.select(columns.number, columns.complaint.is_not(None), columns.erased_at.is_not(None))
    with own_hub.store.read() as connection:
        numbers = [tuple(row) for row in connection.execute(select.order_by(columns.number))]
        kept = [each.canonical for _, each in audit.events(connection)]
    assert numbers == [(1, True, False), (2, False, True), (3, True, False), (4, True, False)]
    assert (kept[:events], len(kept)) == (leaves, events + 2)


def test_what_was_erased_is_already_held_when_it_comes_back(
    own_hub: Hub, device: Sender, mate: Sender, actor: Actor
) -> None:
    lines = [complaint("a"), revision("r", "a", 1, statement=said("un")), complaint("b")]
    device.send(*lines)
    _erase(own_hub, device, "a", actor)
    before = _counts(own_hub)

    answer = device.send(*lines, revision("later", "a", 2, statement=said("deux")))
    of_a_mate = mate.send(revision("mates", "a", 1, lineage=device.lineage, statement=said("trois")))

    assert verdicts(answer) == [ALREADY_HELD] * 4
    assert verdicts(of_a_mate) == [ALREADY_HELD]
    after = _counts(own_hub)
    assert {name: after[name] for name in ("received", "quarantine")} == {
        name: before[name] for name in ("received", "quarantine")
    }


@pytest.fixture
def stranger(own_hub: Hub) -> Sender:
    """A device of another team."""
    return enrolled(own_hub, "Mopti 1", team="mopti")


def _said_by_a_stranger(name: str, of: str, lineage: str) -> list[bytes]:
    """All that a device can say of a complaint, also so that nobody can read it."""
    about = {"complaint": an_id(of), "lineage": lineage}
    consent = _content()["facts"]["clear"]["consent"]
    return [
        _canary(f"{name} r", of, 1, lineage=lineage),
        operation("withdrawal", f"{name} w", about | {"scope": "all", "reason": WORDS}),
        operation("consent_change", f"{name} c", about | {"consent": consent}),
        operation("linkage", f"{name} l", about | {"v": 1, "box": "Ym94"}),
        operation("revision", f"{name} bad", about | {"base_revision": "?", FIELD: WORDS}),
    ]


def test_another_team_is_told_of_an_erased_complaint_what_it_is_told_of_one_that_never_was(
    own_hub: Hub, device: Sender, stranger: Sender, actor: Actor
) -> None:
    device.send(complaint("a"))
    _erase(own_hub, device, "a", actor)
    before = _counts(own_hub)

    of_erased = [verdicts(stranger.send(*_said_by_a_stranger("e", "a", device.lineage))) for _ in range(2)]

    kept = {name: count - before[name] for name, count in _counts(own_hub).items() if count != before[name]}
    assert kept == {"event": 2, "frame": 2}
    of_none = [verdicts(stranger.send(*_said_by_a_stranger("n", "never", device.lineage))) for _ in range(2)]
    assert of_erased == of_none
    assert [each.code for each in of_none[0][:4]] == ["complaint_missing"] * 4


def test_what_another_team_said_before_goes_with_the_erasure_and_it_is_told_nothing(
    own_hub: Hub, device: Sender, stranger: Sender, actor: Actor
) -> None:
    lines = _said_by_a_stranger("e", "a", device.lineage)
    first = stranger.send(*lines[:3])
    device.send(complaint("a"))
    assert _counts(own_hub)["quarantine"] == 3

    _erase(own_hub, device, "a", actor)

    assert _counts(own_hub)["quarantine"] == 0
    assert verdicts(stranger.send(*lines[:3])) == verdicts(first)
    assert _counts(own_hub)["quarantine"] == 0


def test_report_asked_for_again_does_not_tell_that_something_was_erased(
    own_hub: Hub, device: Sender, stranger: Sender, actor: Actor
) -> None:
    body = stranger.frame(_said_by_a_stranger("e", "a", device.lineage)[:3])
    [frame] = read_frames(body)
    first = stranger.send_body(body)
    device.send(complaint("a"))
    _erase(own_hub, device, "a", actor)
    assert stranger.send(ask=((1, frame.digest.hex()[:16]),))["frames"] == first["frames"]


def test_what_waits_for_ones_own_complaint_outlives_the_erasure_of_anothers_under_the_same_id(
    own_hub: Hub, device: Sender, stranger: Sender, actor: Actor
) -> None:
    held = revision("r", "a", 2, statement=said("deux"))
    device.send(complaint("a"))
    stranger.send(complaint("a"), held)
    _erase(own_hub, device, "a", actor)
    assert _counts(own_hub)["quarantine"] == 1
    assert [each.code for each in verdicts(stranger.send(held))] == ["revision_missing"]


def test_another_teams_linkage_is_kept_nowhere_and_a_colleagues_goes_with_the_erasure(
    own_hub: Hub, device: Sender, mate: Sender, stranger: Sender, actor: Actor
) -> None:
    about = {"complaint": an_id("a"), "lineage": device.lineage, "v": 1, "box": "Ym94"}
    missing = [each.code for each in verdicts(stranger.send(operation("linkage", "s", about)))]
    assert (missing, _counts(own_hub)["quarantine"]) == (["complaint_missing"], 0)
    assert verdicts(mate.send(operation("linkage", "m", about))) == [STORED]
    assert (_counts(own_hub)["linkage_pending"], _counts(own_hub)["quarantine"]) == (1, 0)
    device.send(complaint("a"))
    _erase(own_hub, device, "a", actor)
    assert _counts(own_hub)["linkage_pending"] == 0
    assert verdicts(mate.send(operation("linkage", "m2", about))) == [ALREADY_HELD]
    assert _counts(own_hub)["linkage_pending"] == 0


def test_linkage_of_a_revoked_device_waits_under_nothing_that_the_hub_can_open(own_hub: Hub, device: Sender) -> None:
    devices.revoke(own_hub.store, device.device, own_hub.clock(), own_hub.identity.sign_key, reason="perdu")
    device.send(operation("linkage", "l", {"complaint": an_id("a"), "v": 1, "box": "Ym94"}))
    [kept] = admission.list_waiting(own_hub.store)
    assert (kept.code, b"Ym94" in kept.payload) == ("device_revoked", False)


def test_linkage_that_can_not_be_read_is_kept_sealed_to_people(own_hub: Hub, device: Sender) -> None:
    device.send(operation("linkage", "l", {"complaint": an_id("a"), "v": "?", "box": "Ym94"}))
    [kept] = admission.list_waiting(own_hub.store)
    assert (kept.code, b"Ym94" in kept.payload) == ("member_invalid", False)


def test_older_state_of_the_data_forgets_what_another_team_said_of_what_was_erased(
    own_hub: Hub, device: Sender, stranger: Sender
) -> None:
    stranger.send(*_said_by_a_stranger("e", "a", device.lineage)[:3])
    erased = Erased(device.lineage, an_id("a"), "0" * 64, own_hub.clock())
    with own_hub.store.write() as connection:
        erasures.again(connection, [erased], own_hub.clock())
    assert _counts(own_hub)["quarantine"] == 0


def test_what_is_not_kept_costs_what_keeping_it_would(
    own_hub: Hub, device: Sender, stranger: Sender, actor: Actor
) -> None:
    device.send(complaint("a"))
    _erase(own_hub, device, "a", actor)
    heard = list[list[str]]()

    def note(_: Any, __: Any, statement: str, *rest: Any) -> None:
        heard[-1].append(" ".join(statement.split()[:3]))

    sa.event.listen(own_hub.store.engine, "before_cursor_execute", note)
    for name, of in (("e", "a"), ("n", "never")):
        heard.append([])
        stranger.send(*_said_by_a_stranger(name, of, device.lineage)[:3])
    of_erased, of_none = ([each for each in said if "SAVEPOINT" not in each] for said in heard)
    assert of_erased == of_none
    assert "INSERT INTO quarantine" in of_none


def test_another_content_under_an_erased_id_is_not_kept_either(own_hub: Hub, device: Sender, actor: Actor) -> None:
    device.send(complaint("a"))
    _erase(own_hub, device, "a", actor)
    assert verdicts(device.send(complaint("a", contact_ok="never"))) == [ALREADY_HELD]
    assert verdicts(device.send(complaint("a").replace(b'"op":"complaint"', b'"op":"compl'))) == [ALREADY_HELD]
    assert (_counts(own_hub)["received"], _counts(own_hub)["quarantine"]) == (0, 0)


def test_the_same_id_of_another_lineage_is_no_concern(own_hub: Hub, device: Sender, actor: Actor) -> None:
    stranger = enrolled(own_hub, "Mopti 1", team="mopti")
    device.send(complaint("a"))
    _erase(own_hub, device, "a", actor)
    assert verdicts(stranger.send(complaint("a"))) == [STORED]
    told = stranger.send(revision("r", "b", 1, lineage=device.lineage, statement=said("un")))
    about_erased = stranger.send(revision("q", "a", 1, lineage=device.lineage, statement=said("un")))
    assert [each.code for each in verdicts(told)] == [each.code for each in verdicts(about_erased)]


def test_what_was_set_aside_is_erased_and_stays_away(own_hub: Hub, device: Sender, actor: Actor) -> None:
    line = complaint("a", kinds=["NO-SUCH"])
    device.send(line)
    [kept] = admission.list_waiting(own_hub.store)
    retention.erase_aside(own_hub.store, own_hub.desk(actor), kept.id, "asked", _keeping(own_hub))
    assert verdicts(device.send(line)) == [ALREADY_HELD]
    assert _counts(own_hub)["quarantine"] == 0


def test_what_is_filed_goes_by_its_number_alone(own_hub: Hub, device: Sender, actor: Actor) -> None:
    device.send(complaint("a"))
    device.send(complaint("a", contact_ok="never"))
    [kept] = admission.list_waiting(own_hub.store)
    with pytest.raises(NotFound):
        retention.erase_aside(own_hub.store, own_hub.desk(actor), kept.id, "asked", _keeping(own_hub))
    assert _counts(own_hub)["complaint"] == 1


def test_id_that_is_no_uuid_is_kept_as_a_hash(own_hub: Hub, device: Sender, actor: Actor) -> None:
    line = b'{"content":{},"id":"Canari de Gao","op":"complaint","seq":1}'
    device.send(line)
    [kept] = admission.list_waiting(own_hub.store)
    retention.erase_aside(own_hub.store, own_hub.desk(actor), kept.id, "asked", _keeping(own_hub))
    with own_hub.store.read() as connection:
        [id] = connection.scalars(sa.select(schema.erasure.c.client_id))
    assert (len(id), "Canari" in id) == (64, False)
    assert verdicts(device.send(line)) == [ALREADY_HELD]


def test_what_was_repaired_is_erased_with_its_first_form_and_not_repaired_again(
    own_hub: Hub, device: Sender, actor: Actor
) -> None:
    sealing = Sealing(keyrings.current(own_hub.store), own_hub.secrets.pepper, None)
    desk = own_hub.desk(actor)
    device.send(b'{"content":{},"id":"Canari de Gao","op":"complaint","seq":1}')
    [kept] = admission.list_waiting(own_hub.store)
    admission.repair(own_hub.store, desk, "SRE", kept.id, complaint("a"), sealing)
    _erase(own_hub, device, "a", actor)
    assert (_counts(own_hub)["received"], _counts(own_hub)["quarantine"]) == (0, 0)
    device.send(b'{"content":{},"id":"Autre","op":"complaint","seq":1}')
    [kept] = admission.list_waiting(own_hub.store)
    with pytest.raises(NotAdmissible) as refused:
        admission.repair(own_hub.store, desk, "SRE", kept.id, complaint("a"), sealing)
    assert refused.value.values["fault"] == "erased"


def test_date_when_the_last_backup_is_gone_is_told(own_hub: Hub, device: Sender, actor: Actor) -> None:
    device.send(complaint("a"))
    erasure = _erase(own_hub, device, "a", actor)
    assert erasure.gone_at == own_hub.clock() + timedelta(days=36)
    shown = retention.overview(own_hub.store, _keeping(own_hub), own_hub.clock())
    assert (shown.erased, shown.gone_at) == (1, erasure.gone_at)


def test_one_person_alone_holds_nothing_and_two_do(
    own_hub: Hub, device: Sender, actor: Actor, other: Actor
) -> None:
    device.send(complaint("a"), complaint("b"))
    held, asked = (_number_of(own_hub, device, name) for name in "ab")
    for number in (held, asked):
        assert retention.hold(own_hub.store, own_hub.desk(actor), number).state == "asked"
    with pytest.raises(HoldRefused):
        retention.agree(own_hub.store, own_hub.desk(actor), held)
    assert retention.agree(own_hub.store, own_hub.desk(other), held).state == "agreed"

    with pytest.raises(ErasureHeld):
        retention.erase(own_hub.store, own_hub.desk(actor), held, "asked", _keeping(own_hub))
    retention.erase(own_hub.store, own_hub.desk(actor), asked, "asked", _keeping(own_hub))
    assert _counts(own_hub)["complaint"] == 1


def test_hold_ends_only_when_two_people_say_so(own_hub: Hub, device: Sender, actor: Actor, other: Actor) -> None:
    device.send(complaint("a"))
    number, store = _number_of(own_hub, device, "a"), own_hub.store
    retention.hold(store, own_hub.desk(actor), number)
    retention.agree(store, own_hub.desk(other), number)
    assert retention.lift(store, own_hub.desk(other), number).state == "lift_asked"
    for refused in (retention.lift, retention.agree):
        with pytest.raises(HoldRefused):
            refused(store, own_hub.desk(other), number)
    with pytest.raises(ErasureHeld):
        retention.erase(store, own_hub.desk(actor), number, "asked", _keeping(own_hub))
    assert retention.agree(store, own_hub.desk(actor), number).state == "lifted"
    retention.erase(store, own_hub.desk(actor), number, "asked", _keeping(own_hub))


@pytest.mark.parametrize(
    "post", [{"role": "administrator"}, {"role": "auditor"}, {"role": "monitor"}, {"teams": ["mopti"]}], ids=str
)
def test_who_may_not_erase_is_answered_as_if_nothing_were_there(
    own_hub: Hub, device: Sender, post: dict[str, Any]
) -> None:
    device.send(complaint("a"))
    stranger = add_person(own_hub, "binta", **post).actor
    for actor in (stranger, OPERATOR):
        for number in ("SRE-2026-000001", "SRE-2026-000999"):
            with pytest.raises(NotFound) as refused:
                retention.erase(own_hub.store, own_hub.desk(actor), number, "asked", _keeping(own_hub))
            assert refused.value.values == {"object": number}
    assert _counts(own_hub)["complaint"] == 1


def test_time_erases_what_was_withdrawn_and_nothing_that_is_held(
    own_hub: Hub, device: Sender, actor: Actor, other: Actor
) -> None:
    device.send(*(complaint(name) for name in "abc"))
    for name in "ab":
        device.send(operation("withdrawal", f"w{name}", {"complaint": an_id(name), "scope": "all"}))
    held = _number_of(own_hub, device, "b")
    retention.hold(own_hub.store, own_hub.desk(actor), held)
    retention.agree(own_hub.store, own_hub.desk(other), held)
    clock = own_hub.clock
    assert isinstance(clock, Clock)

    clock.pass_(days=30)
    assert retention.erase_due(own_hub.store, _keeping(own_hub), own_hub.clock()) == 0
    clock.pass_(seconds=1)
    shown = retention.overview(own_hub.store, _keeping(own_hub), own_hub.clock())
    assert [each.due for each in shown.classes] == [1, 0]
    assert retention.erase_due(own_hub.store, _keeping(own_hub), own_hub.clock()) == 1
    with pytest.raises(sa.exc.NoResultFound):
        _id_of(own_hub, device, "a")
    assert _counts(own_hub)["complaint"] == 2


def test_list_holds_ids_hashes_and_days_and_opens_with_the_key_alone(
    own_hub: Hub, device: Sender, actor: Actor
) -> None:
    device.send(complaint("a"))
    with own_hub.store.read() as connection:
        hash = connection.scalar(sa.select(schema.received.c.hash))
    _erase(own_hub, device, "a", actor)
    path = own_hub.settings.data / erasure_list.NAME
    [left] = erasure_list.read(path, own_hub.secrets.database).erased
    assert (left.lineage, left.client_id, left.hash) == (device.lineage, an_id("a"), hash)
    assert f"{left.at:%Y-%m-%d %H:%M}" == "2026-11-21 00:00"
    assert an_id("a").encode() not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0


def test_every_table_that_points_at_a_complaint_is_emptied() -> None:
    """A new table with a key into complaints must be known to erasure."""
    into = {
        table.name
        for table in schema.metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table.name in ("complaint", "received")
    }
    known = {"complaint", "act", "person", "piece", "revision", "conflict", "quarantine", "registry", "sequel"}
    assert into == known | {"assignment", "wrap", "opening", "legal_hold", "search_pending", "search_text"} | {
        "case_look",
        "match_pending",
        "match_profile",
        "match_told",
        "link",
    } | {"casefile", "case_complaint", "case_waiting", "timeline", "note"} | {
        "step_waiting",
        "told_step",
        "task",
        "task_result",
        "deadline_due",
        "finding",
        "judgement",
        "referral_complaint",
    } | {"package_item", "summary"}


@pytest.mark.postgres
@pytest.mark.parametrize("told", ["own", "task"])
def test_erasure_waits_for_the_lineages_before_it_holds_the_complaint(
    postgres_url: str, tmp_path: Path, told: str
) -> None:
    hub = open_test_hub(postgres_url, tmp_path, Clock())
    awa, today = add_person(hub, "awa", is_named_reader=True), hub.clock().date()
    first, second = enrolled(hub, "Gao 1", team="gao"), enrolled(hub, "Gao 2", team="gao")
    first.send(complaint("a", contact_ok="yes"))
    number, id = _number_of(hub, first, "a"), _id_of(hub, first, "a")
    errand = Errand("visit", "Gao 2", Window(today, today + timedelta(days=9)))
    tasking.set_task(hub.store, hub.desk(awa.actor), number, errand, after=0)
    # Another hub: within one, whoever writes waits for whoever does.
    store, lineage = open_store(postgres_url, None), (first if told == "own" else second).lineage
    with ThreadPoolExecutor() as pool:
        with store.write() as connection:
            lock_lineage(connection, lineage)
            erased = pool.submit(_erase, hub, first, "a", awa.actor)
            while not connection.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                assert not erased.done()
            assert lock_complaints(connection, [id]) == {id}
        erased.result()
    with store.read() as connection:
        assert erasures.subject_of(connection, id) is None
    store.close()
    hub.close()
