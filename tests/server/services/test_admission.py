"""What an operator can do with what was set aside, and what the device and the registry see of it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from client_sync.protocol.canonical import canonical
from server.domain.desk import Desk
from server.domain.errors import NotAdmissible, NotFound, ReasonMissing
from server.domain.permission import Actor
from server.domain.places import Gazetteer, Place
from server.hub import Hub
from server.services import keyrings, places
from server.services.intake import admission
from server.services.intake.admission import Page, Seen, Settled, State, Tally, Vouched, Wanted
from server.services.intake.sealing import Sealing
from server.store import contact, linkages, quarantine, schema
from server.store.lines import Count
from server.store.quarantine import Kept
from tests.builders import (
    COORDINATOR,
    NOW,
    Sender,
    Verdict,
    an_id,
    complaint,
    content,
    enrolled,
    facts,
    operation,
    revision,
    said,
    verdicts,
)

AS_IS = Vouched(as_is=True)
AHEAD = "2036-10-06T18:40:12Z"
WHY = "Un essai avant la formation"
# Covers one region alone, and no strict case.
REGIONAL = Actor("0f6f7a40-1a60-4b0e-8f15-7c8f0f8d6d10", "coordinator", regions=frozenset({"ml-r-gao"}))
PREFIX = "SRE"
LIST = Gazetteer(
    "2026.1",
    (
        Place("ml-r-gao", "Gao", "region", None),
        Place("ml-c-gao", "Gao", "cercle", "ml-r-gao", codes={"ocha-2015": "ML0701"}),
    ),
)


def _desk(gazetteer: Gazetteer | None = None) -> Desk:
    return Desk(COORDINATOR, gazetteer, NOW)


def _sealing(hub: Hub) -> Sealing:
    return Sealing(keyrings.current(hub.store), hub.secrets.pepper, None)


def _only(device: Sender) -> Kept:
    """The one operation of this device that waits."""
    waiting = admission.list_waiting(device.hub.store, limit=10_000)
    [kept] = [kept for kept in waiting if kept.device == device.device]
    return kept


def _filed(hub: Hub, name: object) -> Any:
    """Columns of the stored complaint called `name`, with its registry number and line; None when there is none."""
    select = (
        sa.select(schema.complaint.c.place_id, schema.registry.c.number, schema.received.c.line)
        .join(schema.received, schema.received.c.id == schema.complaint.c.id)
        .join(schema.registry, schema.registry.c.complaint == schema.complaint.c.id)
        .where(schema.received.c.client_id == an_id(name))
    )
    with hub.store.read() as connection:
        return connection.execute(select).one_or_none()


def _numbers(hub: Hub) -> list[int]:
    with hub.store.read() as connection:
        return sorted(connection.scalars(sa.select(schema.registry.c.number)))


def _events(hub: Hub, action: str) -> list[Any]:
    select = sa.select(schema.event.c.object, schema.event.c.words).where(schema.event.c.action == action)
    with hub.store.read() as connection:
        return list(connection.execute(select).all())


def _states(device: Sender) -> list[tuple[str, str]]:
    return [(change["id"], change["state"]) for change in device.changes() if change["kind"] == "state"]


def test_wrong_clock_is_admitted_on_a_persons_word_numbered_and_told_to_the_device(device: Sender) -> None:
    line = complaint("ahead", entered_at="2036-10-06T18:40:12Z")
    assert verdicts(device.send(line)) == [Verdict("quarantined", "clock_ahead", "facts.entered_at")]
    kept = _only(device)
    with pytest.raises(NotAdmissible) as refused:
        admission.admit(device.hub.store, _desk(), PREFIX, kept.id)
    assert refused.value.values["fault"] == "word_needed"
    assert _filed(device.hub, "ahead") is None

    settled = admission.admit(device.hub.store, _desk(), PREFIX, kept.id, AS_IS)

    filed = _filed(device.hub, "ahead")
    assert settled == Settled("stored", f"SRE-{NOW.year}-{filed.number:06d}")
    assert filed.line == line
    assert _states(device) == [(an_id("ahead")[:8], "stored")]
    assert verdicts(device.send(line)) == [Verdict("already_held")]
    assert (f"quarantine:{kept.id}", "clock_ahead") in _events(device.hub, "admit")


def test_second_admission_is_refused_and_adds_no_row(device: Sender) -> None:
    device.send(complaint("once", entered_at="2036-10-06T18:40:12Z"))
    kept = _only(device)
    admission.admit(device.hub.store, _desk(), PREFIX, kept.id, AS_IS)
    numbers = _numbers(device.hub)
    with pytest.raises(NotAdmissible) as refused:
        admission.admit(device.hub.store, _desk(), PREFIX, kept.id, AS_IS)
    assert refused.value.values["fault"] == "settled"
    assert _numbers(device.hub) == numbers


def test_code_without_vintage_gets_the_place_that_a_person_names(device: Sender) -> None:
    device.send(complaint("vintage", place={"code": "ML0701"}))
    kept = _only(device)
    assert (kept.verdict, kept.code) == ("held", "place_vintage")
    with pytest.raises(NotAdmissible) as refused:
        admission.admit(device.hub.store, _desk(LIST), PREFIX, kept.id, Vouched(place_id="ml-c-nowhere"))
    assert refused.value.values["fault"] == "no_such_place"
    admission.admit(device.hub.store, _desk(LIST), PREFIX, kept.id, Vouched(place_id="ml-c-gao"))
    assert _filed(device.hub, "vintage").place_id == "ml-c-gao"


def test_place_that_nobody_can_name_is_admitted_as_said(device: Sender) -> None:
    device.send(complaint("as-said", place={"code": "ML0701"}))
    admission.admit(device.hub.store, _desk(LIST), PREFIX, _only(device).id, AS_IS)
    assert _filed(device.hub, "as-said").place_id is None


def test_forged_looking_frame_needs_a_word_even_when_its_content_is_sound(device: Sender, enrol: Any) -> None:
    other = enrol("Gao 2")
    frame = device.frame([complaint("unsigned")])
    device.send_body(frame.replace(b'"sig":"', b'"sig":"AAAA'))
    kept = _only(device)
    assert kept.code == "frame_signature"
    with pytest.raises(NotAdmissible) as refused:
        admission.admit(device.hub.store, _desk(), PREFIX, kept.id)
    assert refused.value.values["fault"] == "word_needed"
    with pytest.raises(NotAdmissible):
        admission.admit_waiting(device.hub.store, _desk(), PREFIX, ["frame_signature"])
    admission.admit(device.hub.store, _desk(), PREFIX, kept.id, AS_IS)
    assert _filed(device.hub, "unsigned") is not None
    assert _states(other) == []


def test_word_does_not_make_an_impossible_date_possible(device: Sender) -> None:
    device.send(complaint("thirteenth", incident={"from": "2026-13-03", "precision": "day"}))
    with pytest.raises(NotAdmissible) as refused:
        admission.admit(device.hub.store, _desk(), PREFIX, _only(device).id, AS_IS)
    assert refused.value.values["reason"] == "date_impossible"


def test_repaired_line_is_stored_and_the_original_stays_as_it_came(device: Sender) -> None:
    original = complaint("repair", incident={"from": "2026-13-03", "precision": "day"})
    device.send(original)
    kept = _only(device)
    corrected = complaint("repair", incident={"from": "2026-12-03", "precision": "day"})

    settled = admission.repair(device.hub.store, _desk(), PREFIX, kept.id, corrected, _sealing(device.hub))
    assert settled.verdict == "stored"

    assert _filed(device.hub, "repair").line == corrected
    assert admission.show(device.hub.store, _desk(), kept.id).payload == original
    assert _states(device) == [(an_id("repair")[:8], "stored")]
    assert verdicts(device.send(original)) == [Verdict("already_held")]


def test_indented_repair_is_stored_canonical(device: Sender) -> None:
    device.send(complaint("indented", receipt="7K4M-2QA"))
    corrected = complaint("indented")
    spaced = corrected.replace(b'","', b'" ,\n "')
    admission.repair(device.hub.store, _desk(), PREFIX, _only(device).id, spaced, _sealing(device.hub))
    assert _filed(device.hub, "indented").line == corrected


@pytest.mark.parametrize(
    ("corrected", "fault", "reason"),
    [
        (b"{", None, "json_invalid"),
        (complaint("still", receipt="7K4M-2QA"), None, "receipt_invalid"),
        (complaint("somebody else's"), "id_differs", "receipt_invalid"),
    ],
)
def test_bad_repair_is_refused_and_changes_nothing(
    device: Sender, corrected: bytes, fault: str | None, reason: str
) -> None:
    device.send(complaint("still", receipt="7K4M-2QA"))
    kept = _only(device)
    with pytest.raises(NotAdmissible) as refused:
        admission.repair(device.hub.store, _desk(), PREFIX, kept.id, corrected, _sealing(device.hub))
    assert (refused.value.values.get("fault"), refused.value.values["reason"]) == (fault, reason)
    assert _only(device) == kept


def test_line_with_an_unusable_id_is_repaired_under_a_usable_one(device: Sender) -> None:
    line = complaint("braces")
    device.send(line.replace(an_id("braces").encode(), f"{{{an_id('braces')}}}".encode()))
    admission.repair(device.hub.store, _desk(), PREFIX, _only(device).id, line, _sealing(device.hub))
    assert _filed(device.hub, "braces") is not None


def test_two_contents_under_one_id_are_not_decided_here(device: Sender) -> None:
    device.send(complaint("clash"))
    device.send(complaint("clash", relation="witness"))
    kept = _only(device)
    assert kept.code == "content_differs"
    for attempt in (
        lambda: admission.admit(device.hub.store, _desk(), PREFIX, kept.id, AS_IS),
        lambda: admission.repair(device.hub.store, _desk(), PREFIX, kept.id, complaint("clash"), _sealing(device.hub)),
        lambda: admission.admit_waiting(device.hub.store, _desk(), PREFIX, ["content_differs"], AS_IS),
    ):
        with pytest.raises(NotAdmissible) as refused:
            attempt()
        assert refused.value.values["fault"] == "decision"


def test_what_waited_for_the_admitted_complaint_comes_with_it(device: Sender) -> None:
    device.send(complaint("first", entered_at="2036-10-06T18:40:12Z"))
    kept = _only(device)
    device.send(revision("second", "first", 1, statement=said("corrigé")))
    admission.admit(device.hub.store, _desk(), PREFIX, kept.id, AS_IS)
    assert sorted(_states(device)) == sorted([(an_id("first")[:8], "stored"), (an_id("second")[:8], "stored")])


def test_unknown_number_is_not_found(hub: Hub) -> None:
    with pytest.raises(NotFound):
        admission.admit(hub.store, _desk(), PREFIX, 10**9)


def test_reading_a_content_stands_in_the_log(device: Sender) -> None:
    line = complaint("read", receipt="7K4M-2QA")
    device.send(line)
    kept = _only(device)
    assert admission.read_payload(device.hub.store, _desk(), kept.id) == line
    assert (f"quarantine:{kept.id}", "receipt_invalid") in _events(device.hub, "read_quarantine")


def test_list_of_places_releases_what_was_held_for_it(own_hub: Hub) -> None:
    device = enrolled(own_hub, "Gao 1")
    without_gao = Gazetteer("2025.1", (Place("ml-r-kayes", "Kayes", "region", None),))
    places.import_list(own_hub.store, without_gao, "test", NOW)
    lines = [complaint(n, place={"id": "ml-c-gao", "list": "2026.1"}) for n in range(250)]
    answer = device.send(*lines, complaint("kayes", place={"id": "ml-r-kayes", "list": "2025.1"}))
    assert verdicts(answer)[:250] == [Verdict("held", "place_unknown", "facts.place")] * 250

    places.import_list(own_hub.store, LIST, "test", NOW)
    filed = admission.file_held(own_hub.store, PREFIX, NOW, LIST)

    assert filed == 250
    assert _numbers(own_hub) == list(range(1, 252))
    assert admission.count_waiting(own_hub.store) == {}
    assert len(_states(device)) == 250
    assert admission.file_held(own_hub.store, PREFIX, NOW, LIST) == 0


def test_bulk_admission_counts_what_it_could_not_store(own_hub: Hub) -> None:
    first, second = enrolled(own_hub, "Gao 1"), enrolled(own_hub, "Gao 2")
    first.send(*(complaint(n, entered_at="2036-10-06T18:40:12Z") for n in range(3)))
    second.send(complaint("x", entered_at="2036-10-06T18:40:12Z"))
    second.send(operation("complaint", "y", content() | {"form": "complaint/0"}))
    assert admission.admit_waiting(own_hub.store, _desk(), PREFIX, ["form_unknown"]) == Tally(0, 1)
    assert admission.admit_waiting(own_hub.store, _desk(), PREFIX, ["clock_ahead"], AS_IS) == Tally(4, 0)
    assert _numbers(own_hub) == [1, 2, 3, 4]
    with own_hub.store.read() as connection:
        assert quarantine.count_waiting(connection) == {"form_unknown": 1}


def test_repair_takes_one_operation_and_not_a_list(device: Sender) -> None:
    device.send(complaint("list", receipt="7K4M-2QA"))
    with pytest.raises(NotAdmissible):
        admission.repair(device.hub.store, _desk(), PREFIX, _only(device).id, canonical([1]), _sealing(device.hub))


def _pages(hub: Hub, desk: Desk, wanted: Wanted, limit: int) -> list[Page]:
    found, after = list[Page](), 0
    while True:
        found.append(admission.page_at(hub.store, desk, wanted, limit, after))
        following = found[-1].after
        if following is None:
            return found
        after = following


def _desk_of(actor: Actor) -> Desk:
    return Desk(actor, LIST, NOW)


def test_page_looks_at_so_much_and_says_where_it_ended(own_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    device = enrolled(own_hub, "Gao 1")
    strict = {"confidentiality": "strict", "entered_at": AHEAD}
    device.send(*(complaint(f"strict {n}", **strict) for n in range(9)), complaint("theirs", entered_at=AHEAD))
    monkeypatch.setattr(admission, "LOOKED_MAX", 4)
    pages = _pages(own_hub, _desk_of(REGIONAL), Wanted(), 2)
    assert [(len(page.rows), page.is_cut) for page in pages] == [(0, True), (0, True), (1, False)]
    assert pages[-1].rows[0].client_id == an_id("theirs")
    whole = _pages(own_hub, _desk_of(COORDINATOR), Wanted(), 2)
    assert [(len(page.rows), page.is_cut) for page in whole] == [(2, False)] * 5
    assert len({row.id for page in whole for row in page.rows}) == 10


def test_page_reads_no_more_of_what_is_for_others_however_much_there_is(own_hub: Hub) -> None:
    device, read = enrolled(own_hub, "Gao 1"), list[int]()
    sa.event.listen(own_hub.store.engine, "before_cursor_execute", lambda *call: read.append(call[2].count("payload")))
    heard = []
    for first in (0, 1_200, 2_400):
        for lot in range(first, first + 1_200, 200):
            device.send(*(complaint(n, confidentiality="strict", entered_at=AHEAD) for n in range(lot, lot + 200)))
        read.clear()
        admission.page_at(own_hub.store, _desk_of(REGIONAL), Wanted(), 50)
        admission.count_at(own_hub.store, _desk_of(REGIONAL))
        heard.append(sum(map(bool, read)))
    # A hundred rows at a time: those of a list, and those of a count.
    most = (admission.LOOKED_MAX + admission.COUNTED_MAX) // 100
    assert heard == [most, most, most]


def test_count_goes_as_far_as_a_list_counts(own_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    device = enrolled(own_hub, "Gao 1")
    device.send(*(complaint(n, entered_at=AHEAD) for n in range(5)))
    device.send(complaint("strict", confidentiality="strict", entered_at=AHEAD))
    assert admission.count_at(own_hub.store, _desk_of(COORDINATOR)) == Count(6, is_more=False)
    assert admission.count_at(own_hub.store, _desk_of(REGIONAL)) == Count(5, is_more=False)
    monkeypatch.setattr(admission, "COUNT_MAX", 4)
    assert admission.count_at(own_hub.store, _desk_of(COORDINATOR)) == Count(4, is_more=True)
    monkeypatch.setattr(admission, "COUNTED_MAX", 3)
    assert admission.count_at(own_hub.store, _desk_of(COORDINATOR)) == Count(3, is_more=True)


def test_what_is_dismissed_waits_no_more_is_kept_and_comes_back(own_hub: Hub) -> None:
    device = enrolled(own_hub, "Gao 1")
    line = complaint("test", receipt="7K4M-2QA")
    device.send(line)
    kept = _only(device)
    admission.dismiss(own_hub.store, _desk(), kept.id, f" {WHY} ", Seen(kept.code, kept.field))
    assert admission.count_waiting(own_hub.store) == {}
    assert _listed(own_hub, "waiting") == []
    [dismissed] = _listed(own_hub, "dismissed")
    assert (dismissed.payload, dismissed.state, dismissed.settled_why) == (line, "dismissed", WHY)
    assert (dismissed.settled_by, dismissed.settled_at) == (COORDINATOR.signature, NOW)
    assert _events(own_hub, "dismiss_set_aside") == [(f"quarantine:{kept.id}", WHY)]

    admission.take_up(own_hub.store, _desk(), kept.id)

    assert _only(device) == kept
    assert _listed(own_hub, "dismissed") == []
    assert _events(own_hub, "take_up_set_aside") == [(f"quarantine:{kept.id}", kept.code)]
    corrected = complaint("test")
    assert admission.repair(own_hub.store, _desk(), PREFIX, kept.id, corrected, _sealing(own_hub)).verdict == "stored"


def _listed(hub: Hub, state: State) -> list[Kept]:
    return list(admission.page_at(hub.store, _desk(), Wanted(state), 10).rows)


def test_dismissal_needs_a_reason_something_that_waits_and_the_right_reader(device: Sender) -> None:
    device.send(complaint("why", receipt="7K4M-2QA", confidentiality="strict"))
    kept, store = _only(device), device.hub.store
    with pytest.raises(ReasonMissing):
        admission.dismiss(store, _desk(), kept.id, "court")
    with pytest.raises(NotFound):
        admission.dismiss(store, _desk_of(REGIONAL), kept.id, WHY)
    assert _fault(lambda: admission.take_up(store, _desk(), kept.id)) == "not_dismissed"
    assert _fault(lambda: admission.dismiss(store, _desk(), kept.id, WHY, Seen("code_unknown", ""))) == "changed"
    assert _only(device) == kept
    admission.dismiss(store, _desk(), kept.id, WHY)
    corrected = complaint("why", confidentiality="strict")
    for act in (
        lambda: admission.dismiss(store, _desk(), kept.id, WHY),
        lambda: admission.admit(store, _desk(), PREFIX, kept.id, AS_IS),
        lambda: admission.repair(store, _desk(), PREFIX, kept.id, corrected, _sealing(device.hub)),
    ):
        assert _fault(act) == "dismissed"
    with pytest.raises(NotFound):
        admission.take_up(store, _desk_of(REGIONAL), kept.id)


def _fault(act: Callable[[], object]) -> object:
    with pytest.raises(NotAdmissible) as refused:
        act()
    return refused.value.values["fault"]


def test_what_is_stored_or_on_the_case_is_not_dismissed(device: Sender) -> None:
    store = device.hub.store
    device.send(complaint("ahead too", entered_at=AHEAD))
    kept = _only(device)
    admission.admit(store, _desk(), PREFIX, kept.id, AS_IS)
    assert _fault(lambda: admission.dismiss(store, _desk(), kept.id, WHY)) == "settled"
    device.send(revision("one", "ahead too", 1, facts={"clear": facts(relation="witness")}))
    device.send(revision("two", "ahead too", 1, facts={"clear": facts(relation="relative")}))
    clash = _only(device)
    assert clash.code in admission.CASE_CODES
    assert _fault(lambda: admission.dismiss(store, _desk(), clash.id, WHY)) == "decision"


def test_what_was_dismissed_and_comes_again_is_not_filed(device: Sender) -> None:
    about = revision("about", "not here yet", 1, statement=said("corrigé"))
    told = verdicts(device.send(about))
    kept = _only(device)
    admission.dismiss(device.hub.store, _desk(), kept.id, WHY)
    device.send(complaint("not here yet"))
    admission.file_held(device.hub.store, PREFIX, NOW, None)
    assert verdicts(device.send(about)) == told == [Verdict("held", "complaint_missing", "complaint")]
    assert admission.show(device.hub.store, _desk(), kept.id).state == "dismissed"

    admission.take_up(device.hub.store, _desk(), kept.id)
    admission.file_held(device.hub.store, PREFIX, NOW, None)

    assert admission.show(device.hub.store, _desk(), kept.id).state == "stored"
    assert verdicts(device.send(about)) == [Verdict("already_held")]


def test_what_is_dismissed_may_still_be_a_persons_word(device: Sender) -> None:
    device.send(complaint("reach"))
    never = {"complaint": an_id("reach"), "consent": {"level": "C0", "given_by": "nobody"}}
    device.send(operation("consent_change", "odd", never))
    kept = _only(device)
    # It may have said anything.
    assert "" in [each.consent_level for each in _wishes(device.hub, "reach")]
    admission.dismiss(device.hub.store, _desk(), kept.id, WHY)
    assert "" in [each.consent_level for each in _wishes(device.hub, "reach")]


def _wishes(hub: Hub, name: object) -> list[Any]:
    with hub.store.read() as connection:
        select = sa.select(schema.received.c.id).where(schema.received.c.client_id == an_id(name))
        return contact.wishes_of(connection, connection.scalars(select).one())


def test_linkage_of_what_was_dismissed_stays_as_long_as_of_what_waits(own_hub: Hub) -> None:
    device = enrolled(own_hub, "Gao 1")
    device.send(complaint("linked", receipt="7K4M-2QA"))
    device.send(operation("linkage", "link", {"complaint": an_id("linked"), "v": 1, "box": "A"}))
    kept = _only(device)
    admission.dismiss(own_hub.store, _desk(), kept.id, WHY)
    later, long_before = NOW + timedelta(days=2), NOW - timedelta(days=2)
    with own_hub.store.write() as connection:
        assert linkages.drop_lost(connection, later, long_before) == 0
        assert linkages.drop_lost(connection, later, later) == 1
