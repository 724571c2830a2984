"""Entry at the counter: what is written down stands as a device would have sent it, and its code is handed over."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from client_sync.complaint import Answers, Consent, Contact, Money, Person, Urgency, build_complaint
from client_sync.protocol.boxes import read_boxes
from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import from_text
from client_sync.protocol.receipts import is_receipt
from client_sync.protocol.records import check_complaint
from client_sync.seal import Binding, open_envelope, open_part, open_record_key
from server.hub import Hub
from server.services import devices
from server.services.cases import lookup
from server.services.places import import_list, read_list_file, version_in
from server.store.schema import complaint, event, linkage_pending, metadata, quarantine, received, registry
from tests.browsing import Browser, person_at
from tests.builders import COORDINATOR, NOW, Clock, FoundedKeys, an_id, found_keyring, open_bare_hub
from tests.server.web.console.conftest import PLACES

NAME, PHONE, WORDS = "Kadidia Exemple", "+223 00 00 45 67", "Le chef de poste a gardé ma moto trois jours."
TYPED: dict[str, Any] = {
    "channel": "paper",
    "told_on": "2026-11-18",
    "danger": "no",
    "detained": "yes",
    "narrative": f"{WORDS}\r\nPuis il a demandé de l'argent.",
    "language": "bam",
    "kind": "COR-RACKET",
    "kind_2": "HR-PRO",
    "cercle": "ml-c-gao",
    "place_said": "au poste, près du marché",
    "precision": "month",
    "first": "2026-10-14",
    "accused": ["police"],
    "accused_count": "2",
    "speaker": "yes",
    "speaker_sex": "f",
    "speaker_age": "25-59",
    "count_1": "3",
    "sex_1": "m",
    "age_1": "18-24",
    "asked_xof": "15 000",
    "paid": "partial",
    "paid_xof": "5000",
    "receipt_given": "no",
    "service": "rendre la moto",
    "level": "C3",
    "read_aloud": "yes",
    "given_by": "self",
    "given_how": "oral_witness",
    "bodies": ["pnef", "bvg"],
    "contact_ok": "yes",
    "contact_how": "par sa sœur, au marché",
    "name": NAME,
    "phone": PHONE,
}
ANSWERS = Answers(
    danger="no",
    urgency=Urgency(detained=True),
    narrative=f"{WORDS}\nPuis il a demandé de l'argent.",
    narrative_language="bam",
    language="bam",
    kinds=("COR-RACKET", "HR-PRO"),
    cercle="ml-c-gao",
    places="2026.1",
    place_said="au poste, près du marché",
    incident_from="2026-10-01",
    incident_to="2026-10-31",
    incident_precision="month",
    perpetrators=(Person(("alleged_perpetrator",), category="police", count=2),),
    money=Money(asked_xof=15_000, paid_xof=5000, paid="partial", receipt_given=False),
    service="rendre la moto",
    victims=(
        Person(("complainant", "victim"), sex="f", age="25-59", name=NAME, phone=PHONE),
        Person(("victim",), sex="m", age="18-24", count=3),
    ),
    consent=Consent("C3", "self", "oral_witness", "bam", read_aloud=True, on="2026-11-18", bodies=("pnef", "bvg")),
    contact=Contact(how="par sa sœur, au marché"),
    contact_ok="yes",
    channel="paper",
    relation="victim",
    collected_at="2026-11-18T00:00:00Z",
)


@pytest.fixture
def hub(hub_url: str, tmp_path: Path) -> Iterator[Hub]:
    """A hub with places, whose keys are known to `keys`."""
    bare = open_bare_hub(hub_url, tmp_path, Clock())
    gazetteer = read_list_file(PLACES, version_in(PLACES))
    import_list(bare.store, gazetteer, PLACES.name, bare.clock())
    yield bare
    bare.close()


@pytest.fixture
def keys(hub: Hub) -> FoundedKeys:
    """The keys behind the keyring of the hub."""
    return found_keyring(hub)


@pytest.fixture
def clerk(hub: Hub, keys: FoundedKeys) -> Browser:
    """A coordinator who writes down what people say."""
    return person_at(hub, "Awa", "coordinator", is_named_reader=True)


def _record(browser: Browser, **changes: Any) -> TestResponse:
    form = re.search(r'name="form_id" value="([^"]+)"', browser.get("/console/complaints/new").text)
    assert form is not None
    typed = {"form_id": form[1]} | TYPED | changes
    return browser.post("/console/complaints", **{name: value for name, value in typed.items() if value is not None})


def _rows(hub: Hub, table: sa.Table) -> list[Any]:
    with hub.store.read() as connection:
        return list(connection.execute(sa.select(table)))


def _opened(hub: Hub, keys: FoundedKeys) -> tuple[dict[str, Any], dict[str, Any]]:
    """The one complaint as it is kept, and its compartments opened by the recovery key."""
    [row] = [each for each in _rows(hub, received) if each.op == "complaint"]
    content = json.loads(row.line)["content"]
    sealed = read_boxes(content)
    [(kid, private)] = keys.recovery_keys.private.items()
    record_key = open_record_key(sealed.keys[kid], private)
    binding = Binding(row.client_id, row.lineage)
    return content, {name: open_part(box, record_key, name, binding) for name, box in sealed.boxes.items()}


def test_what_was_typed_stands_as_a_device_would_have_sent_it(hub: Hub, keys: FoundedKeys, clerk: Browser) -> None:
    answer = _record(clerk)
    assert answer.status_code == 303
    content, boxes = _opened(hub, keys)
    assert check_complaint(content) is None
    [row] = _rows(hub, complaint)
    device = build_complaint(ANSWERS, now=NOW, receipt=row.receipt)
    assert content["facts"] == device["facts"]
    # A database of its own is not encrypted by us: there every statement is sealed.
    told = boxes.get("statement") or canonical(content["statement"]["clear"])
    assert told == canonical(device["statement"]["clear"])
    assert boxes["identity"] == canonical(device["identity"]["clear"])
    assert boxes["traces"] == canonical(device["traces"]["clear"])
    assert (row.kind, row.place_id, row.consent_level, row.confidentiality) == (
        "COR-RACKET",
        "ml-c-gao",
        "C3",
        "confidential",
    )
    assert [(each.prefix, each.number) for each in _rows(hub, registry)] == [("SRE", 1)]
    assert _rows(hub, quarantine) == []


def test_no_name_is_in_clear_in_the_database_the_log_or_the_cookie(
    hub: Hub, clerk: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert _record(clerk, kind="GBV-1").status_code == 303
    # As plain tuples: a row of SQLAlchemy shows no more than the beginning of its values.
    kept = repr([tuple(row) for each in metadata.sorted_tables for row in _rows(hub, each)])
    assert "record_complaint" in kept
    # The narrative of a strict complaint is sealed as the name is; letters that JSON escapes stand in no line as such.
    for secret in (NAME, PHONE, "Le chef de poste", "au poste, pr", "par sa s"):
        assert secret not in kept
        assert secret not in caplog.text + clerk.cookie


def test_what_searches_duplicates_is_told_of_it_as_by_a_device(hub: Hub, clerk: Browser) -> None:
    _record(clerk)
    [pending] = _rows(hub, linkage_pending)
    [row] = [each for each in _rows(hub, received) if each.op == "complaint"]
    assert (pending.complaint, pending.lineage) == (row.client_id, row.lineage)
    told = json.loads(open_envelope(from_text(pending.box), hub.secrets.linkage))
    assert (told["complaint"], told["lineage"]) == (row.client_id, row.lineage)
    assert told.keys() > {"identity", "statement", "traces"}


def test_code_is_handed_over_on_a_slip_that_does_not_say_what_it_is(hub: Hub, clerk: Browser) -> None:
    page = clerk.get(_record(clerk).location)
    [row] = _rows(hub, complaint)
    assert is_receipt(row.receipt)
    shown = re.search(r'class="big-code">(\w{4})<span>-</span>(\w{3})<', page.text)
    assert shown is not None
    assert f"{shown[1]}-{shown[2]}" == row.receipt
    slip = re.search(r'<section class="card slip".*?</section>', page.text, re.S)
    assert slip is not None
    assert slip[0].count("<li>") == 9
    assert "plainte" not in slip[0].lower()
    assert "SRE-" not in slip[0]
    title = re.search("<title>(.*?)</title>", page.text)
    assert title is not None
    assert "plainte" not in title[1].lower()


def test_whoever_does_not_cover_what_they_wrote_down_is_told_so(hub: Hub, keys: FoundedKeys) -> None:
    of_gao = person_at(hub, "Binta", "coordinator", regions={"ml-r-gao"})
    for cercle, is_covered in (("ml-c-gao", True), ("ml-c-mopti", False), ("", False)):
        page = of_gao.get(_record(of_gao, cercle=cercle, place="", narrative=f"À {cercle or 'nulle part'}.").location)
        links = re.findall(r'href="(/console/cases/SRE-[^"]+)"', page.text)
        assert ("Vous ne la reverrez pas ici" in page.text) != is_covered
        assert [of_gao.get(each).status_code for each in links] == [200] * is_covered


def test_complaint_is_found_by_the_code(hub: Hub, clerk: Browser) -> None:
    _record(clerk)
    [row] = _rows(hub, complaint)
    assert "SRE-2026-000001" in clerk.get(f"/console/search?q={row.receipt.lower()}").text
    [found] = lookup.by_receipt(hub.store, hub.desk(COORDINATOR), row.receipt)
    assert found.complaint == row.id


def test_form_that_is_sent_twice_makes_one_complaint(hub: Hub, clerk: Browser) -> None:
    first = _record(clerk, form_id=an_id("form"))
    assert _record(clerk, form_id=an_id("form")).location == first.location
    assert len(_rows(hub, complaint)) == 1


def test_used_form_with_other_words_keeps_them_and_says_what_it_gave(hub: Hub, clerk: Browser) -> None:
    _record(clerk, form_id=an_id("form"))
    answer = _record(clerk, form_id=an_id("form"), narrative="Une autre personne, une autre histoire.")
    assert answer.status_code == 409
    assert "SRE-2026-000001" in answer.text
    assert "Une autre personne, une autre histoire." in answer.text
    assert an_id("form") not in answer.text
    assert len(_rows(hub, complaint)) == 1


def test_form_of_a_colleague_shows_nothing(hub: Hub, clerk: Browser) -> None:
    location = _record(clerk, form_id=an_id("form")).location
    other = person_at(hub, "Binta", "coordinator")
    assert other.get(location).location.endswith("/console/complaints/new")


def test_two_forms_make_two_complaints_in_order(hub: Hub, clerk: Browser) -> None:
    _record(clerk)
    _record(clerk, name="Moussa Exemple", another="yes")
    rows = _rows(hub, received)
    assert len({each.lineage for each in rows}) == 1
    assert sorted(each.seq for each in rows) == [1, 3]


@pytest.mark.parametrize("told_on", ["2026-11-18", "2026-11-21"])
def test_sheet_that_was_written_down_before_is_warned_of_and_all_of_it_is_kept(
    hub: Hub, clerk: Browser, told_on: str
) -> None:
    assert _record(clerk, told_on=told_on).status_code == 303
    answer = _record(clerk, told_on=told_on, narrative="Les mêmes faits, tapés par un collègue.")
    assert (answer.status_code, "SRE-2026-000001" in answer.text) == (409, True)
    assert "Les mêmes faits, tapés par un collègue." in answer.text
    assert len(_rows(hub, complaint)) == 1
    assert all(
        _record(clerk, **other).status_code == 303
        for other in ({"told_on": "2026-11-19"}, {"kind": "HR-PRO", "kind_2": None}, {"cercle": "ml-c-ansongo"})
    )


def test_who_may_not_find_the_other_sheet_is_told_nothing_of_it(hub: Hub, clerk: Browser) -> None:
    _record(clerk, strict="yes")
    assert _record(person_at(hub, "Binta", "coordinator")).status_code == 303
    assert _record(person_at(hub, "Drissa", "monitor")).status_code == 303
    assert len(_rows(hub, complaint)) == 3


def test_wrong_answers_are_marked_and_all_of_it_is_kept(hub: Hub, clerk: Browser) -> None:
    answer = _record(clerk, level=None, first="2026-12-24", name=None)
    assert answer.status_code == 422
    marked = re.findall(r'<span class="fault" id="(\w+)-wrong">(.*?)</span>', answer.text)
    assert marked == [("first", "Ce jour n&#39;est pas encore venu."), ("level", "À répondre.")]
    for field, _ in marked:
        assert f'<a href="#{field}">' in answer.text
        assert f'id="{field}"' in answer.text
    assert WORDS in answer.text
    assert 'value="2026-11-18"' in answer.text
    assert _rows(hub, received) == []


def test_no_level_of_consent_is_chosen_before_the_person_does(clerk: Browser) -> None:
    page = clerk.get("/console/complaints/new").text
    levels = re.findall(r'<input type="radio" name="level"[^>]*>', page)
    assert len(levels) == 5
    assert not any("checked" in each for each in levels)


def test_places_of_a_cercle_are_shown_without_script_and_nothing_is_filed(hub: Hub, clerk: Browser) -> None:
    answer = _record(clerk, look="place", cercle="ml-c-gao")
    assert answer.status_code == 200
    assert WORDS in answer.text
    assert 'value="ml-k-gao"' in answer.text
    assert _rows(hub, received) == []


def test_exact_place_is_sealed_and_the_cercle_stands_in_clear(hub: Hub, keys: FoundedKeys, clerk: Browser) -> None:
    assert _record(clerk, place="ml-k-gao").status_code == 303
    content, boxes = _opened(hub, keys)
    assert content["facts"]["clear"]["place"] == {"id": "ml-c-gao", "list": "2026.1"}
    assert json.loads(boxes["traces"])["place"] == {"id": "ml-k-gao", "list": "2026.1"}


def test_entry_of_a_team_is_its_teams(hub: Hub, keys: FoundedKeys) -> None:
    team = person_at(hub, "Modibo", "coordinator", teams=["gao-1"])
    _record(team)
    with hub.store.read() as connection:
        assert connection.scalar(sa.select(complaint.c.team)) == "gao-1"
    assert "SRE-2026-000001" in team.get("/console/cases/SRE-2026-000001").text


def test_counter_is_no_device_that_anybody_carries(hub: Hub, clerk: Browser) -> None:
    _record(clerk)
    assert devices.listed(hub.store) == []


def test_log_says_who_wrote_it_down_and_nothing_of_it(hub: Hub, clerk: Browser) -> None:
    _record(clerk)
    [row] = [each for each in _rows(hub, event) if each.action == "record_complaint"]
    assert row.actor.startswith("account:")
    assert row.words is None


def test_who_records_nothing_has_no_such_page(administrator: Browser) -> None:
    assert administrator.get("/console/complaints/new").status_code == 404
