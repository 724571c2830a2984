"""S12 and the pages of a destination: what leaves is seen, sealed by a second person, sent, answered line by line."""

import csv
import html
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyrage
import pytest
from werkzeug.test import TestResponse

from server.domain.packages import Word
from server.services.commission import preparing, sealing, serials
from server.store import packages
from server.store.packages import Package
from tests import media
from tests.builders import Clock, an_id, open_bare_hub, operation
from tests.commission import PERSONS, QUARTER, consent
from tests.console_packages import (
    ADMINISTRATOR,
    AWA,
    BINTA,
    CANARIES,
    CLERK,
    FIRST,
    OTHER_CLERK,
    REGIONAL,
    SUMMARIES,
    UNBOUND,
    Office,
    furnished,
)
from tests.evidence_work import complaint_with, seal_up, send_up

LIST = "/console/exports"
NUMBER = "CNDH-2026-T4-0001"
THEIRS = "/console/received"
WHY = "Le greffe a demandé d'attendre."


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    hub = open_bare_hub("sqlite", tmp_path / "hub", Clock(), coalition="Jama Seere")
    yield furnished(hub)
    hub.close()


def _seals(office: Office, package: Package, **form: Any) -> TestResponse:
    """The second person says yes to what the page shows."""
    browser = office.browser(BINTA)
    browser.get(f"{LIST}/{package.number.text}")
    return browser.post(f"{LIST}/{package.number.text}/approve", choice=package.choice, **form)


def _answer(of: Package, *refs: str, **changed: Any) -> dict[str, Any]:
    """The file of buttons of a form with what a destination says."""
    items = [{"ref": ref, "verdict": "accepted", "file_number": f"CNDH/2027/{no:04}"} for no, ref in enumerate(refs, 1)]
    said = {"package": of.number.text, "manifest_sha256": of.manifest, "received_at": "2027-01-05"}
    content = json.dumps(said | {"by": "Greffe", "items": items} | changed).encode()
    return {"file": (io.BytesIO(content), "accuse.json")}


def _tell_with_files(office: Office, *files: bytes, awaited: bytes | None = None) -> None:
    """A complaint of the quarter whose copies may go with its name."""
    known = [seal_up(each, media_type=None if each != b"no picture" else "image/jpeg") for each in files]
    late = [] if awaited is None else [seal_up(awaited)]
    office.hub.clock.pass_(days=-40)  # type: ignore[attr-defined]
    told = {"kinds": ["HR-ARR"], "place": {"id": "ml-c-bla", "list": "2026.1"}, "persons": PERSONS, "money": None}
    shared = consent("C3", "cndh", share_media=True)
    office.phone.send(complaint_with(office.phone, "with files", *known, *late, consent=shared, **told))
    for each in known:
        send_up(office.phone, each)
    office.hub.clock.pass_(days=40)  # type: ignore[attr-defined]


def _rows(page: TestResponse) -> list[list[str]]:
    assert page.status_code == 200
    return list(csv.reader(io.StringIO(page.data.decode("utf-8-sig")), delimiter=";"))


def _text(page: TestResponse) -> str:
    """What stands on a page, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


def _is_shown(page: TestResponse, *words: str) -> bool:
    text = _text(page)
    assert not any(each in text for each in CANARIES)
    return all(each in text for each in words)


class TestPreparing:
    def test_one_who_prepares_sees_what_leaves_and_what_is_withheld_and_does_not_approve_it(
        self, office: Office
    ) -> None:
        browser = office.browser(AWA)
        assert _is_shown(browser.get(LIST), "CNDH", "PNEF")
        made = browser.post(LIST, to="cndh", quarter=QUARTER)
        assert (made.status_code, made.location) == (303, f"{LIST}/{NUMBER}")
        page = browser.get(made.location)
        assert _is_shown(
            page, "6 lignes sans identité", "2 lignes avec identité", "moins de cinq se ressemblent", BINTA
        )
        assert "disabled" in page.text
        refused = browser.post(f"{LIST}/{NUMBER}/approve", choice=office.numbered(NUMBER).choice)
        assert refused.status_code == 422
        assert _is_shown(refused, "Qui a préparé cet envoi ne l'approuve pas")
        assert office.numbered(NUMBER).state == "prepared"

    def test_a_second_one_is_not_prepared_beside_it(self, office: Office) -> None:
        office.prepare()
        browser = office.browser(BINTA)
        browser.get(LIST)
        assert browser.post(LIST, to="cndh", quarter=QUARTER).status_code == 422

    def test_copies_that_go_are_said_before_and_after_and_what_is_held_back_with_why(self, office: Office) -> None:
        _tell_with_files(office, media.photo(), media.voice(), b"no picture")
        package = office.prepare()
        page = office.browser(BINTA).get(f"{LIST}/{NUMBER}")
        assert _is_shown(page, "3 pièces pour 1 ligne", "refaites sans lieu ni appareil")
        assert "pas encore arrivées" not in page.text
        assert _seals(office, package).status_code == 303
        page = office.browser(AWA).get(f"{LIST}/{NUMBER}")
        assert _is_shown(page, "Pièces retenues", "1 pièce : aucune copie sûre ne peut en être faite : abîmées")
        assert "<dt>Pièces</dt><dd>2</dd>" in page.text
        sealed = office.file(office.found(package))
        bag = zipfile.ZipFile(io.BytesIO(pyrage.decrypt(sealed.read_bytes(), [office.key])))
        assert sorted(name.rpartition("-")[2] for name in bag.namelist() if "/pieces/" in name) == ["1.jpg", "2.ogg"]

    def test_pieces_that_do_not_go_are_said_before_the_package_is_sealed(self, office: Office) -> None:
        _tell_with_files(office, media.photo(), awaited=media.voice())
        office.prepare()
        page = office.browser(AWA).get(f"{LIST}/{NUMBER}")
        assert _is_shown(page, "1 pièce pour 1 ligne", "Pièces retenues : 1 pièce , pas encore arrivées")

    def test_line_is_read_as_the_body_reads_it_but_for_the_name(self, office: Office) -> None:
        office.prepare()
        browser = office.browser(BINTA)
        pages = [browser.get(f"{LIST}/{NUMBER}?line={no}") for no in range(1, 9)]
        assert all(_is_shown(page, "Arrestation") for page in pages)
        assert sum("2026-10-0" in page.text for page in pages) < len(pages)

    def test_what_was_given_up_keeps_its_number_with_the_reason(self, office: Office) -> None:
        office.prepare()
        browser = office.browser(BINTA)
        browser.get(f"{LIST}/{NUMBER}")
        assert browser.post(f"{LIST}/{NUMBER}/cancel", reason="").status_code == 422
        assert browser.post(f"{LIST}/{NUMBER}/cancel", reason=WHY).status_code == 303
        assert _is_shown(browser.get(f"{LIST}/{NUMBER}"), "attendre")
        assert office.prepare().number.text == "CNDH-2026-T4-0002"
        assert [row[0] for row in _rows(browser.get(f"{LIST}?format=csv"))[1:]] == ["CNDH-2026-T4-0002", NUMBER]


class TestSummaries:
    def test_words_leave_once_another_person_has_read_them(self, office: Office) -> None:
        office.write_summaries()
        package = office.prepare()
        writer, reader = office.browser(AWA), office.browser(BINTA)
        assert "disabled" in reader.get(f"{LIST}/{NUMBER}").text
        url = f"{LIST}/{NUMBER}/summaries"
        assert 'name="seen"' not in writer.get(url).text
        page = reader.get(url)
        assert writer.post(url, do="accept", about=FIRST, seen=_seen(page)).status_code == 422
        assert _is_shown(page, SUMMARIES[FIRST])
        assert reader.post(url, do="accept", about=FIRST, seen=_seen(page)).status_code == 303
        for _ in range(2):
            page = reader.get(url)
            if 'name="seen"' in page.text:
                reader.post(url, do="accept", about=_about(page), seen=_seen(page))
        assert reader.get(url).status_code == 200
        writer.post(f"{LIST}/{NUMBER}/anew")
        assert _seals(office, office.found(package)).status_code == 303

    def test_summary_that_was_written_anew_since_is_read_again(self, office: Office) -> None:
        office.write_summaries()
        office.prepare()
        reader, url = office.browser(BINTA), f"{LIST}/{NUMBER}/summaries"
        seen = _seen(reader.get(url))
        office.hub.clock.pass_(minutes=1)  # type: ignore[attr-defined]
        office.write_summaries()
        assert reader.post(url, do="accept", about=FIRST, seen=seen).status_code == 422
        assert reader.post(url, do="back", about=FIRST, seen=_seen(reader.get(url)), reason="").status_code == 422


class TestApproving:
    def test_second_person_seals_names_to_the_destination_and_each_opening_is_noted(self, office: Office) -> None:
        package = office.prepare()
        assert _seals(office, package).status_code == 303
        sealed = office.found(package)
        assert sealed.state == "sealed"
        assert sealed.sealed_by == office.person(BINTA).account.actor.signature
        zipped = pyrage.decrypt(office.file(sealed).read_bytes(), [office.key])
        with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
            lines = archive.read(f"{NUMBER}/data/plaintes.csv").decode()
        assert lines.count(CANARIES[0]) == 2
        with office.hub.store.read() as connection:
            noted = connection.exec_driver_sql("SELECT reason FROM opening WHERE compartment = 'identity'").scalars()
            assert list(noted) == [NUMBER, NUMBER]
        # Sent once more after the link broke.
        assert _seals(office, package).status_code == 303

    def test_consent_that_was_taken_back_since_stops_it(self, office: Office) -> None:
        package = office.prepare()
        with office.hub.store.write() as connection:
            connection.exec_driver_sql("UPDATE complaint SET consent_level = 'C0' WHERE id = 1")
        refused = _seals(office, package)
        assert refused.status_code == 422
        assert office.found(package).state == "prepared"
        browser = office.browser(AWA)
        browser.get(f"{LIST}/{NUMBER}")
        assert browser.post(f"{LIST}/{NUMBER}/anew").status_code == 303
        assert office.found(package).choice != package.choice
        assert _seals(office, office.found(package)).status_code == 303

    def test_destination_without_a_key_is_sealed_to_by_a_passphrase_that_is_shown_once(self, office: Office) -> None:
        package = office.prepare(to="pnef")
        browser, url = office.browser(BINTA), f"{LIST}/{package.number.text}"
        page = browser.get(url)
        [_, rest] = page.text.split('name="passphrase" value="', 1)
        words = rest.split('"', 1)[0]
        assert browser.post(f"{url}/approve", choice=package.choice, passphrase="court").status_code == 422
        assert browser.post(f"{url}/approve", choice=package.choice, passphrase=words).status_code == 303
        assert words not in browser.get(url).text
        assert office.file(office.found(package)).suffix == ".zip"

    def test_suspended_destination_gets_nothing(self, office: Office) -> None:
        package = office.seal(office.prepare())
        with office.hub.store.write() as connection:
            connection.exec_driver_sql("UPDATE destination SET suspended_at = '2027-01-01T00:00:00Z'")
        browser = office.browser(AWA)
        browser.get(f"{LIST}/{NUMBER}")
        assert browser.post(f"{LIST}/{NUMBER}/deliver", way="folder").status_code == 422
        assert browser.get(f"{LIST}/{NUMBER}/file").status_code == 422
        assert office.found(package).state == "sealed"


class TestLeaving:
    def test_consent_taken_back_after_it_was_sealed_keeps_it_here(self, office: Office) -> None:
        package = office.seal(office.prepare())
        about = {"complaint": an_id("arrest 1"), "consent": consent("C0")}
        office.phone.send(operation("consent_change", "back", about, seq=99))
        browser, url = office.browser(AWA), f"{LIST}/{NUMBER}"
        browser.get(url)
        assert _is_shown(browser.post(f"{url}/deliver", way="folder"), "son accord permet moins")
        assert browser.get(f"{url}/file").status_code == 422
        assert office.found(package).state == "sealed"
        assert browser.post(f"{url}/cancel", reason=WHY).status_code == 303
        assert office.seal(office.prepare()).number.text == "CNDH-2026-T4-0002"

    def test_complaint_erased_after_it_was_sealed_keeps_it_here(self, office: Office) -> None:
        office.seal(office.prepare())
        with office.hub.store.write() as connection:
            packages.forget(connection, 1)
        browser = office.browser(AWA)
        browser.get(f"{LIST}/{NUMBER}")
        assert browser.post(f"{LIST}/{NUMBER}/deliver", way="folder").status_code == 422

    def test_another_key_since_keeps_it_here(self, office: Office) -> None:
        office.seal(office.prepare())
        office.key = pyrage.x25519.Identity.generate()
        office.trust("cndh")
        browser = office.browser(AWA)
        browser.get(f"{LIST}/{NUMBER}")
        assert _is_shown(browser.post(f"{LIST}/{NUMBER}/deliver", way="folder"), "une autre clé")

    def test_what_was_cancelled_is_carried_by_nobody(self, office: Office) -> None:
        office.seal(office.prepare())
        browser = office.browser(AWA)
        browser.get(f"{LIST}/{NUMBER}")
        assert browser.post(f"{LIST}/{NUMBER}/cancel", reason=WHY).status_code == 303
        assert browser.get(f"{LIST}/{NUMBER}/file").status_code == 422

    def test_earlier_one_stands_while_a_later_one_goes_by_it(self, office: Office) -> None:
        office.seal(office.prepare())
        office.seal(office.prepare())
        browser = office.browser(AWA)
        browser.get(f"{LIST}/{NUMBER}")
        assert _is_shown(browser.post(f"{LIST}/{NUMBER}/cancel", reason=WHY), "CNDH-2026-T4-0002, scellé après")
        assert browser.post(f"{LIST}/CNDH-2026-T4-0002/cancel", reason=WHY).status_code == 303
        assert browser.post(f"{LIST}/{NUMBER}/cancel", reason=WHY).status_code == 303

    def test_who_sealed_what_the_hub_prepared_neither_carries_it_nor_types_its_slip(self, office: Office) -> None:
        hub = office.hub
        assert preparing.prepare_due(hub.store, hub.gazetteer(), hub.secrets.pepper, hub.clock()) == 2
        package = office.seal(office.numbered(NUMBER))
        browser, url = office.browser(BINTA), f"{LIST}/{NUMBER}"
        browser.get(url)
        slip = {"digits": (package.manifest or "")[:8], "received": "2027-01-05", "by": "Greffe", "do": "all"}
        assert browser.get(f"{url}/file").status_code == 422
        assert browser.post(f"{url}/answer", **slip).status_code == 422
        assert office.found(package).state == "sealed"
        with office.browser(AWA).get(f"{url}/file") as given:
            assert given.status_code == 200

    def test_fingerprint_that_is_to_be_heard_is_nowhere_to_be_copied_from(self, office: Office) -> None:
        recipient = str(pyrage.x25519.Identity.generate().to_public())
        serials.set_key(office.hub.store, office.desk(AWA), "pnef", recipient)
        office.prepare(to="pnef")
        browser = office.browser(BINTA)
        for url in (LIST, f"{LIST}/PNEF-2026-T4-0001"):
            assert sealing.fingerprint(recipient) not in _text(browser.get(url))


class TestSending:
    def test_file_is_kept_and_given_as_it_is(self, office: Office) -> None:
        package = office.seal(office.prepare())
        browser = office.browser(AWA)
        with browser.get(f"{LIST}/{NUMBER}/file") as given:
            assert given.data == office.file(package).read_bytes()
            assert given.headers["Content-Disposition"].endswith(f"{NUMBER}.zip.age")
        browser.get(f"{LIST}/{NUMBER}")
        assert browser.post(f"{LIST}/{NUMBER}/deliver", way="folder").status_code == 303
        assert office.found(package).state == "transmitted"

    def test_file_that_is_gone_is_said(self, office: Office) -> None:
        office.file(office.seal(office.prepare())).unlink()
        page = office.browser(AWA).get(f"{LIST}/{NUMBER}/file")
        assert (page.status_code, "préparez un autre envoi" in page.text) == (422, True)

    def test_no_word_in_fifteen_days_is_shown_and_counted_with_what_waits(self, office: Office) -> None:
        office.sent()
        assert _is_shown(office.browser(AWA).get(LIST), "Envois Tableau de bord")
        office.hub.clock.pass_(days=16)  # type: ignore[attr-defined]
        assert _is_shown(office.browser(AWA).get(LIST), "Envois 1", "Plus de 15 jours sans accusé")
        assert _is_shown(office.browser(AWA).get(f"{LIST}/{NUMBER}"), "15 jours")


class TestAnswers:
    def test_answer_comes_by_its_file_and_closes_it_when_it_is_whole(self, office: Office) -> None:
        package = office.sent()
        refs = office.refs(package)
        browser, url = office.browser(AWA), f"{LIST}/{NUMBER}"
        browser.get(url)
        for said in (
            {"manifest_sha256": "ab" * 32},
            {"package": "CNDH-2026-T4-0002"},
            {"items": [{"ref": "P-AAAAAAAAAA", "verdict": "accepted"}]},
        ):
            assert browser.post(f"{url}/answer", **_answer(package, *refs, **said)).status_code == 422
            assert office.found(package).state == "transmitted"
        assert browser.post(f"{url}/answer", file=(io.BytesIO(b"rien"), "accuse.json")).status_code == 422
        assert browser.post(f"{url}/answer", **_answer(package, refs[0])).status_code == 303
        assert office.found(package).state == "received"
        assert browser.post(f"{url}/answer", **_answer(package, *refs)).status_code == 303
        assert office.found(package).state == "closed"
        assert len(_rows(browser.get(f"{url}?format=csv"))) == len(refs) + 1

    def test_paper_slip_is_typed_line_by_line(self, office: Office) -> None:
        package = office.sent()
        refs = office.refs(package)
        browser, url = office.browser(AWA), f"{LIST}/{NUMBER}"
        browser.get(f"{url}?slip=1")
        form = {"digits": (package.manifest or "")[:8], "received": "2027-01-05", "by": "Greffe"}
        said = {f"verdict-{refs[0]}": "rejected", f"reason-{refs[0]}": "Hors mandat"}
        assert browser.post(f"{url}/answer", **form | {"digits": "00000000"}, **said).status_code == 422
        assert browser.post(f"{url}/answer", **form, **said, do="all").status_code == 303
        assert office.found(package).state == "closed"
        assert _is_shown(browser.get(url), "Hors mandat")

    def test_destination_ticks_its_own_and_sees_nothing_else(self, office: Office) -> None:
        office.trust("pnef")
        mine, theirs = office.sent(), office.sent(to="pnef")
        browser = office.browser(CLERK)
        assert _is_shown(browser.get(THEIRS), mine.number.text)
        assert theirs.number.text not in browser.get(THEIRS).text
        assert browser.get(f"{THEIRS}/{theirs.number.text}").status_code == 404
        assert browser.get(f"{LIST}/{mine.number.text}").status_code == 404
        url, refs = f"{THEIRS}/{mine.number.text}", office.refs(mine)
        page = browser.get(url)
        assert _is_shown(page, *refs)
        form = {"received": "2027-01-05", "by": "Greffe", "digits": (mine.manifest or "")[:8]}
        assert browser.post(url, **form, **{f"verdict-{refs[0]}": "rejected"}).status_code == 422
        # Who has not opened it has nothing to say of it.
        assert browser.post(url, **form | {"digits": ""}, **{f"verdict-{refs[0]}": "accepted"}).status_code == 422
        said = {f"verdict-{refs[0]}": "accepted", f"file_number-{refs[0]}": "CNDH/2027/0114"}
        assert browser.post(url, **form, **said).status_code == 303
        assert office.found(mine).state == "received"
        assert _rows(browser.get(f"{url}?format=csv"))[1][4] == "CNDH/2027/0114"
        assert [row[0] for row in _rows(browser.get(f"{THEIRS}?format=csv"))[1:]] == [NUMBER]

    def test_what_did_not_leave_the_destination_does_not_see(self, office: Office) -> None:
        office.seal(office.prepare())
        assert NUMBER not in office.browser(CLERK).get(THEIRS).text
        assert office.browser(CLERK).get(f"{THEIRS}/{NUMBER}").status_code == 404

    def test_account_of_no_destination_is_told_so(self, office: Office) -> None:
        office.sent()
        assert "lié à aucun organisme" in office.browser(UNBOUND).get(THEIRS).text
        assert NUMBER not in office.browser(OTHER_CLERK).get(THEIRS).text

    def test_verdict_stands_in_the_case(self, office: Office) -> None:
        package = office.sent()
        office.answer(package, *(Word(ref, "accepted", file_number="CNDH/2027/0001") for ref in office.refs(package)))
        assert "CNDH/2027/0001" in office.browser(AWA).get(f"/console/cases/{FIRST}").text


class TestNotices:
    def test_consent_taken_back_after_it_left_is_a_notice_in_the_next(self, office: Office) -> None:
        office.sent()
        about = {"complaint": an_id("arrest 1"), "consent": consent("C0")}
        office.phone.send(operation("consent_change", "back", about, seq=99))
        with office.hub.store.write() as connection:
            connection.exec_driver_sql("UPDATE package SET state = 'closed'")
        office.prepare()
        page = office.browser(BINTA).get(f"{LIST}/CNDH-2026-T4-0002")
        assert _is_shown(page, "cette ligne, déjà partie, ne tient plus")


def test_who_has_no_part_in_packages_sees_none(office: Office) -> None:
    office.prepare()
    for name in (REGIONAL, ADMINISTRATOR):
        browser = office.browser(name)
        for url in (LIST, f"{LIST}/{NUMBER}", THEIRS):
            assert browser.get(url).status_code in (403, 404)


def _seen(page: TestResponse) -> str:
    return page.text.split('name="seen" value="', 1)[1].split('"', 1)[0]


def _about(page: TestResponse) -> str:
    return page.text.split('name="about" value="', 1)[1].split('"', 1)[0]
