"""A person types a fact at fault again, or names a place: that fact alone changes, and of two at once one wins."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Barrier, Event
from typing import Any, cast

import pytest
import sqlalchemy as sa

from client_sync.protocol.canonical import parse
from client_sync.protocol.records import clear_shape
from server.domain.desk import Desk
from server.domain.errors import NotAdmissible, NotFound
from server.domain.places import Gazetteer, Place
from server.hub import Hub
from server.i18n import LANGUAGES, catalogue
from server.services import keyrings, places
from server.services.intake import admission, repairing
from server.services.intake.admission import Kept, Seen, Settled
from server.services.intake.repairing import Leaf, leaf_at
from server.services.intake.sealing import Sealing
from server.store import devices, quarantine, schema
from server.store.engine import Store
from tests.builders import COORDINATOR, NOW, Person, Sender, add_person, an_id, complaint, enrolled, facts

PREFIX = "SRE"
LONGEST_WAIT_S = 30
LIST = Gazetteer(
    "2026.1",
    (
        Place("ml-r-gao", "Gao", "region", None),
        Place("ml-c-gao", "Gao", "cercle", "ml-r-gao", codes={"ocha-2015": "ML0701"}),
        Place("ml-c-ansongo", "Ansongo", "cercle", "ml-r-gao", codes={"ocha-2015": "ML0702"}),
    ),
)
PERSON = {"roles": ["victim"], "sex": "f"}


@pytest.fixture
def awa(own_hub: Hub) -> Person:
    """Handles everything, strict cases with it."""
    return add_person(own_hub, "Awa", is_named_reader=True)


@pytest.fixture
def binta(own_hub: Hub) -> Person:
    """Handles everything too."""
    return add_person(own_hub, "Binta", is_named_reader=True)


@dataclass
class Announcing:
    """A store that says when somebody is about to wait for the lock."""

    store: Store
    is_near: Event = field(default_factory=Event)

    def read(self) -> Any:
        return self.store.read()

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        self.is_near.set()
        with self.store.write() as connection:
            yield connection


def _desk(known: Gazetteer | None = None) -> Desk:
    return Desk(COORDINATOR, known, NOW)


def _only(device: Sender) -> Kept:
    waiting = admission.list_waiting(device.hub.store, limit=10_000)
    [kept] = [kept for kept in waiting if kept.device == device.device]
    return kept


def _mend(device: Sender, kept: Kept, *, place: str | None = None, **typed: str) -> Settled:
    """As the console does it for whoever saw it so; `typed` by path, with two underscores for each dot."""
    return _mend_at(device.hub.store, device.hub, _desk(LIST if place else None), kept, _paths(typed), place)


def _mend_at(
    store: Store, hub: Hub, desk: Desk, kept: Kept, typed: Mapping[str, str], place: str | None = None
) -> Settled:
    sealing, seen = Sealing(keyrings.current(hub.store), hub.secrets.pepper, None), Seen(kept.code, kept.field)
    return repairing.mend(store, desk, PREFIX, kept.id, seen, typed, sealing, place)


def _paths(typed: Mapping[str, str]) -> dict[str, str]:
    return {f"facts.{name.replace('__', '.')}": text for name, text in typed.items()}


def _filed(hub: Hub, name: object) -> Any:
    """The clear facts and the place of the stored complaint called `name`; None where there is none."""
    select = (
        sa.select(schema.received.c.line, schema.complaint.c.place_id)
        .join(schema.complaint, schema.complaint.c.id == schema.received.c.id)
        .where(schema.received.c.client_id == an_id(name))
    )
    with hub.store.read() as connection:
        row = connection.execute(select).one_or_none()
    return None if row is None else (parse(row.line)["content"]["facts"]["clear"], row.place_id)


def _refused(device: Sender, kept: Kept, **typed: Any) -> tuple[object, object, object]:
    with pytest.raises(NotAdmissible) as refused:
        _mend(device, kept, **typed)
    values = refused.value.values
    return values.get("fault"), values["reason"], values["field"]


@pytest.mark.parametrize(
    ("path", "leaf"),
    [
        ("facts.money.asked_xof", Leaf("number", "", is_needed=False, is_nullable=False)),
        ("facts.persons.1.no", Leaf("number", "", is_needed=True, is_nullable=False)),
        ("facts.entered_at", Leaf("time", "", is_needed=True, is_nullable=False)),
        ("facts.incident.from", Leaf("day", "", is_needed=False, is_nullable=True)),
        ("facts.kinds.0", Leaf("code", "kind", is_needed=True, is_nullable=False)),
        ("facts.money.receipt_given", Leaf("flag", "", is_needed=False, is_nullable=False)),
        ("facts.receipt", Leaf("text", "", is_needed=True, is_nullable=False)),
        ("facts", None),
        ("facts.kinds", None),
        ("facts.place", None),
        ("facts.persons.x.no", None),
        ("facts.nothing", None),
        ("statement.narrative", None),
        ("", None),
    ],
)
def test_path_leads_to_one_value_of_the_form(path: str, leaf: Leaf | None) -> None:
    assert leaf_at(path) == leaf


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_fact_of_the_form_is_called_something(language: str) -> None:
    texts = catalogue(language)
    assert all(texts.text(f"fact.{'_'.join(path)}") for path in _members(clear_shape("facts")))


def _members(shape: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, each in shape.fields.items():
        path, inner = (*above, each.data_key or name), getattr(each, "inner", each)
        yield path
        if hasattr(inner, "schema"):
            yield from _members(inner.schema, path)


def test_number_that_is_not_there_is_typed(device: Sender) -> None:
    device.send(complaint("no number", persons=[PERSON]))
    kept = _only(device)
    assert (kept.code, kept.field) == ("member_missing", "facts.persons.0.no")
    [fault] = repairing.faults_of(kept, NOW)
    assert (fault.came, fault.typed, fault.leaf.sort) == ("", "", "number")
    assert _mend(device, kept, persons__0__no="1").verdict == "stored"
    assert _filed(device.hub, "no number")[0] == facts(persons=[PERSON | {"no": 1}])


@pytest.mark.parametrize("came", ["quinze mille", None, True, {"xof": 1}, -1])
def test_amount_that_is_no_number_is_typed(device: Sender, came: Any) -> None:
    name = f"amount {came}"
    device.send(complaint(name, money={"asked_xof": came, "paid": "no"}))
    kept = _only(device)
    assert kept.field == "facts.money.asked_xof"
    assert _refused(device, kept, money__asked_xof="beaucoup") == (None, "member_invalid", "facts.money.asked_xof")
    assert _refused(device, kept, money__asked_xof="1" * 16) == (None, "member_invalid", "facts.money.asked_xof")
    assert _mend(device, kept, money__asked_xof="15 000").verdict == "stored"
    assert _filed(device.hub, name)[0]["money"] == {"asked_xof": 15_000, "paid": "no"}


def test_fact_that_nobody_knows_is_left_out_and_one_that_is_needed_is_not(device: Sender) -> None:
    device.send(complaint("unknown", money={"asked_xof": "beaucoup"}, persons=[PERSON]))
    kept = _only(device)
    typed = {"persons__0__no": "1", "money__asked_xof": ""}
    assert _refused(device, kept, **(typed | {"persons__0__no": ""}))[2] == "facts.persons.0.no"
    assert _mend(device, kept, **typed).verdict == "stored"
    assert _filed(device.hub, "unknown")[0]["money"] == {}


def test_day_that_nobody_knows_is_written_as_that(device: Sender) -> None:
    device.send(complaint("day", incident={"from": "2026-02-31", "precision": "unknown"}))
    assert _mend(device, _only(device), incident__from="").verdict == "stored"
    assert _filed(device.hub, "day")[0]["incident"] == {"from": None, "precision": "unknown"}


def test_yes_and_no_codes_and_a_browsers_time_are_written_as_the_wire_has_them(device: Sender) -> None:
    wrong = {"kinds": ["COR-RACKET", "COR-XXX"], "money": {"receipt_given": "oui"}, "entered_at": "hier"}
    device.send(complaint("several", **wrong))
    kept, typed = _only(device), dict[str, str]()
    for path, text in (("kinds__1", "HR-THR"), ("money__receipt_given", "no"), ("entered_at", "2026-10-06T18:40")):
        # One after the other is asked for, and what was typed stays.
        faults = repairing.faults_of(kept, NOW, _paths(typed))
        assert [each.path for each in faults] == list(_paths(typed | {path: ""}))
        assert [each.typed for each in faults[:-1]] == list(typed.values())
        typed[path] = text
    assert _mend(device, kept, **typed).verdict == "stored"
    stored = _filed(device.hub, "several")[0]
    assert stored == facts(money={"receipt_given": False}, entered_at="2026-10-06T18:40:00Z")


def test_time_that_is_ahead_is_asked_for_whichever_it_is(device: Sender) -> None:
    device.send(complaint("ahead", collected_at="2036-10-06T09:12:00Z"))
    kept = _only(device)
    assert (kept.code, kept.field) == ("clock_ahead", "facts.entered_at")
    assert [each.path for each in repairing.faults_of(kept, NOW)] == ["facts.collected_at"]
    assert _mend(device, kept, collected_at="2026-10-06T09:12:00").verdict == "stored"
    assert _filed(device.hub, "ahead")[0] == facts()


def test_sound_fact_is_not_changed_by_whoever_types_it(device: Sender) -> None:
    device.send(complaint("sound", persons=[PERSON]))
    _mend(device, _only(device), persons__0__no="1", confidentiality="public", money__asked_xof="1")
    assert _filed(device.hub, "sound")[0] == facts(persons=[PERSON | {"no": 1}])


@pytest.mark.parametrize("place", [{"id": "ml-c-nowhere", "list": "2025.1"}, {"code": "ML0701"}])
def test_place_that_is_unknown_is_named(own_hub: Hub, place: dict[str, str]) -> None:
    device = _beside(own_hub, LIST)
    device.send(complaint("where", place=place))
    kept = _only(device)
    said = repairing.place_of(kept)
    assert repairing.needs_place(kept.code)
    assert said is not None
    assert said.said in place.values()
    assert repairing.faults_of(kept, NOW) == []
    assert _refused(device, kept, place="ml-c-elsewhere")[0] == "no_such_place"
    assert _mend(device, kept, place="ml-c-ansongo").verdict == "stored"
    assert _filed(own_hub, "where") == (facts(place=place), "ml-c-ansongo")


def test_place_is_named_along_with_what_else_is_wrong_and_one_that_is_known_stays(own_hub: Hub) -> None:
    device, other = _beside(own_hub, LIST), enrolled(own_hub, "Gao 2")
    device.send(complaint("both", place={"id": "ml-c-nowhere", "list": "2025.1"}, persons=[PERSON]))
    other.send(complaint("known", persons=[PERSON]))
    kept, known = _only(device), _only(other)
    with pytest.raises(NotAdmissible) as refused:
        _mend_at(own_hub.store, own_hub, _desk(LIST), kept, {"facts.persons.0.no": "1"})
    assert repairing.needs_place(str(refused.value.values["reason"]))
    _mend(device, kept, place="ml-c-ansongo", persons__0__no="1")
    _mend(other, known, place="ml-c-ansongo", persons__0__no="1")
    assert [_filed(own_hub, name)[1] for name in ("both", "known")] == ["ml-c-ansongo", "ml-c-gao"]


def _beside(hub: Hub, known: Gazetteer) -> Sender:
    """A device of a hub that knows these places."""
    places.import_list(hub.store, known, "test", NOW)
    return enrolled(hub, "Gao 1")


def test_what_nobody_can_read_or_the_case_decides_is_not_typed_again(device: Sender) -> None:
    device.send(complaint("clash"))
    device.send(complaint("clash", relation="witness"))
    kept = _only(device)
    assert (repairing.faults_of(kept, NOW), repairing.place_of(kept)) == ([], None)
    assert _refused(device, kept, relation="victim")[0] == "decision"


def test_frame_that_cannot_be_trusted_is_not_mended(device: Sender) -> None:
    frame = device.frame([complaint("unsigned")])
    device.send_body(frame.replace(b'"sig":"', b'"sig":"AAAA'))
    kept = _only(device)
    assert repairing.faults_of(kept, NOW) == []
    assert _refused(device, kept, relation="victim")[0] == "nothing"


def test_nothing_is_told_of_what_is_for_others(device: Sender) -> None:
    device.send(complaint("not theirs", confidentiality="strict", persons=[PERSON]))
    kept, outsider = _only(device), add_person(device.hub, "Sira")
    with pytest.raises(NotFound):
        _mend_at(device.hub.store, device.hub, device.hub.desk(outsider.actor), kept, {})


def test_of_two_who_repair_at_once_one_wins_and_the_other_is_told(own_hub: Hub, awa: Person, binta: Person) -> None:
    device = enrolled(own_hub, "Gao 1")
    device.send(complaint("at once", persons=[PERSON]))
    kept, gate = _only(device), Barrier(2)

    def mend(who: Person, number: str) -> str:
        gate.wait(LONGEST_WAIT_S)
        try:
            desk, typed = own_hub.desk(who.actor), {"facts.persons.0.no": number}
            return _mend_at(own_hub.store, own_hub, desk, kept, typed).verdict
        except NotAdmissible as refused:
            return str(refused.values["fault"])

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(mend, (awa, binta), ("1", "2")))
    assert sorted(told) == ["settled", "stored"]
    winner, number = (awa, 1) if told[0] == "stored" else (binta, 2)
    stored = admission.show(own_hub.store, own_hub.desk(awa.actor), kept.id)
    assert _filed(own_hub, "at once")[0]["persons"] == [PERSON | {"no": number}]
    assert (stored.state, stored.settled_by, stored.payload) == ("stored", winner.actor.signature, kept.payload)
    assert list(admission.settlers(own_hub.store, [stored]).values()) == ["Awa" if winner is awa else "Binta"]


@pytest.mark.parametrize("other", ["changed", "dismissed"])
def test_what_changes_while_somebody_waits_for_the_lock_is_not_filed(
    own_hub: Hub, awa: Person, binta: Person, other: str
) -> None:
    device = enrolled(own_hub, "Gao 1")
    device.send(complaint(f"late {other}", persons=[PERSON]))
    kept, late = _only(device), Announcing(own_hub.store)

    def mend() -> str:
        with pytest.raises(NotAdmissible) as refused:
            _mend_at(cast(Store, late), own_hub, own_hub.desk(binta.actor), kept, {"facts.persons.0.no": "1"})
        return str(refused.value.values["fault"])

    with ThreadPoolExecutor(1) as pool:
        with own_hub.store.write() as connection:
            devices.lock_lineage(connection, kept.lineage)
            told = pool.submit(mend)
            assert late.is_near.wait(LONGEST_WAIT_S)
            if other == "changed":
                quarantine.reclassify(connection, kept.id, "quarantined", "code_unknown", "facts.channel")
            else:
                quarantine.dismiss(connection, kept.id, awa.actor.signature, "Un essai de Binta", NOW)
        assert told.result(LONGEST_WAIT_S) == other
    assert _filed(own_hub, f"late {other}") is None


def test_what_came_is_kept_and_the_log_says_who(own_hub: Hub, awa: Person) -> None:
    device = enrolled(own_hub, "Gao 1")
    device.send(complaint("log", persons=[PERSON]))
    kept = _only(device)
    _mend_at(own_hub.store, own_hub, own_hub.desk(awa.actor), kept, {"facts.persons.0.no": "1"})
    events = schema.event.c
    select = sa.select(events.actor, events.words, events.canonical).where(events.object == f"quarantine:{kept.id}")
    with own_hub.store.read() as connection:
        [said] = connection.execute(select.where(events.action == "repair"))
    assert (said.actor, said.words) == (awa.actor.signature, "member_missing")
    assert json.loads(said.canonical)["details"] == {"quarantine": [kept.id]}
    assert admission.show(own_hub.store, _desk(), kept.id).payload == kept.payload
