"""The page of a case in a browser without scripts: what it shows, each act with the rows it leaves, and stale edits."""

import gzip
import html
import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from server.hub import Hub
from server.services.cases import telling
from server.store.case_tables import case_complaint, casefile, look, note, timeline
from server.store.due_tables import deadline
from server.store.schema import opening
from tests.browsing import Browser, without_token
from tests.builders import Clock, Sender, an_id, complaint, enrolled, operation, revision
from tests.builders import said as told

CASE = "/console/cases/SRE-2026-000001"
OTHER = "/console/cases/SRE-2026-000002"
PAGE_MAX_BYTES = 10 * 1024
FILES = [{"sha256": "a" * 64, "size": 80_000, "kind": "audio", "role": "testimony"}]


@pytest.fixture
def hub(sealing_hub: Hub) -> Hub:
    return sealing_hub


@pytest.fixture
def phone(hub: Hub) -> Sender:
    """A device with two complaints of Gao, of which the first tells of money; both were acknowledged."""
    sender = enrolled(hub, "Gao 1", team="gao")
    sender.send(complaint("a", urgency={"danger": "no"}), complaint("b", kinds=["HR-THR"]))
    return sender


@pytest.fixture
def case(awa: Browser, phone: Sender) -> str:
    """The address of the first, whose arrival Awa acknowledged."""
    assert phone
    act(awa, CASE, "moves/acknowledged")
    return CASE


def shown(browser: Browser, address: str = CASE) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


def version(text: str) -> str:
    """What a form of the page says to have seen."""
    found = re.search(r'name="after" value="(\d+)"', text)
    assert found is not None
    return found[1]


def act(browser: Browser, address: str, path: str, **form: object) -> TestResponse:
    """Send a form of the page as it stands now."""
    known = {"after": version(shown(browser, address))}
    answer = browser.post(f"{address}/{path}", **known | form)
    assert answer.status_code == 303, html.unescape(answer.text)
    return answer


def row(hub: Hub, ref: str = "SRE-2026-000001") -> sa.Row[tuple[object, ...]]:
    with hub.store.read() as connection:
        return connection.execute(sa.select(casefile).where(casefile.c.ref == ref)).one()


def codes(hub: Hub, ref: str = "SRE-2026-000001") -> list[str]:
    """What was done to a case, in order."""
    of_case = sa.select(timeline.c.code).join(casefile, casefile.c.id == timeline.c.casefile)
    with hub.store.read() as connection:
        return list(connection.scalars(of_case.where(casefile.c.ref == ref).order_by(timeline.c.no)))


def working(browser: Browser, address: str = CASE) -> None:
    """Bring it into treatment, by the forms."""
    act(browser, address, "moves/in_triage")
    act(browser, address, "moves/in_progress", owner="Awa", kind="COR-RACKET", urgency="U2")


def test_page_shows_the_case_in_words_and_no_village_in_its_title(awa: Browser, case: str) -> None:
    text = shown(awa, case)
    title = re.search(r"<h1>(.*?)</h1>", text)
    assert title is not None
    assert title[1].endswith("cercle de Gao")
    assert "On m'a demandé de l'argent sans reçu." in text
    assert all(word in text for word in ("Accusée de réception", "Mettre en tri", "Identités scellées"))
    heads = [int(x) for x in re.findall(r'<text class="b" x="(\d+)"', text)]
    assert len(heads) == 4
    assert heads == sorted(set(heads))


def test_days_are_written_as_the_reader_writes_them(hub: Hub, awa: Browser, case: str) -> None:
    awa.post("/console/account/language", language="en")
    for address in (case, f"{case}/verification", "/console/dashboard", "/console/follow-ups?format=csv"):
        text = shown(awa, address)
        assert re.findall(r"\d+ (?:janv|févr|mars|avr|mai|juin|juil|août|sept|oct|nov|déc)\.? ", text) == []
    assert re.search(r"\d+ Nov 2026", shown(awa, case))


def test_words_are_shown_one_complaint_at_a_time_and_each_look_is_noted(hub: Hub, awa: Browser, case: str) -> None:
    joined(awa)
    before = count(hub, opening)
    text = shown(awa, f"{case}?words=SRE-2026-000002")
    assert "2 sur 2" in text
    assert 'data-key="k"' in text
    assert 'data-key="j"' not in text
    assert count(hub, opening) == before + 1


def test_owner_is_given_and_taken_back(hub: Hub, awa: Browser, binta: Browser, case: str) -> None:
    assert binta
    act(awa, case, "owner", owner="Binta")
    text = shown(awa, case)
    assert "Confié à Binta" in text
    assert "SRE-2026-000001 : confié à Binta" in text
    given = row(hub).owner
    assert awa.post(f"{case}/undo", no="3").status_code == 303
    assert (given is not None, row(hub).owner, codes(hub)[-2:]) == (True, None, ["owned", "undone"])


def test_move_without_its_reason_comes_back_with_what_is_missing(hub: Hub, awa: Browser, case: str) -> None:
    act(awa, case, "moves/in_triage")
    form = shown(awa, f"{case}/moves/needs_information")
    assert "Que demande-t-on à la personne ?" in form
    refused = awa.post(f"{case}/moves/needs_information", after=version(form))
    assert refused.status_code == 422
    assert "Dites ce qui est demandé au plaignant." in html.unescape(refused.text)
    act(awa, case, "moves/needs_information", question="where")
    assert row(hub).status == "needs_information"


def test_triage_settles_owner_kind_and_urgency_with_one_form(hub: Hub, awa: Browser, case: str) -> None:
    act(awa, case, "moves/in_triage")
    assert '<option value="COR-RACKET" selected>' in shown(awa, f"{case}/moves/in_progress")
    refused = awa.post(f"{case}/moves/in_progress", after=version(shown(awa)), owner="Awa", kind="HR-THR", urgency="U4")
    assert "Dites pourquoi ce dossier est moins urgent." in html.unescape(refused.text)
    act(awa, case, "moves/in_progress", owner="Awa", kind="COR-RACKET", urgency="U4", lowering="person_safe")
    assert (row(hub).status, row(hub).kind, row(hub).urgency) == ("in_progress", "COR-RACKET", "U4")
    assert "accusée de réception → en tri" in shown(awa)


def test_refused_move_says_why_where_a_reader_of_the_button_hears_it(awa: Browser, case: str) -> None:
    joined(awa)
    text = shown(awa, case)
    assert 'disabled aria-describedby="why-withdrawn">Retirer…<' in text
    assert re.search('id="why-withdrawn">.*les plaintes qu.il contient ne sont pas toutes retirées', text)


def test_answer_by_word_is_said_on_the_form_and_an_answer_that_came_needs_none(
    hub: Hub, awa: Browser, phone: Sender, case: str
) -> None:
    act(awa, case, "moves/in_triage")
    act(awa, case, "moves/needs_information", question="who")
    assert "Comment la personne a-t-elle répondu ?" in shown(awa, f"{case}/moves/in_triage")
    act(awa, case, "moves/in_triage", heard="heard_by_call")
    act(awa, case, "moves/needs_information", question="where")
    phone.send(revision("r", "a", 1, statement=told("C'était au marché.")))
    assert f'action="{case}/moves/in_triage"' in shown(awa, case)
    assert row(hub).status == "needs_information"


def test_case_is_closed_once_the_person_was_told_and_can_be_opened_again(hub: Hub, awa: Browser, case: str) -> None:
    working(awa)
    act(awa, case, "moves/resolved", outcome="remedied")
    assert "Pourquoi personne n'a-t-il pu le dire" in shown(awa, f"{case}/moves/closed")
    act(awa, case, "told", way=telling.BY_RECEIPT, about="SRE-2026-000001")
    assert "Pourquoi personne n'a-t-il pu le dire" not in shown(awa, f"{case}/moves/closed")
    act(awa, case, "moves/closed", closure="remedied")
    text = shown(awa, case)
    assert "Fermé le 21 nov. 2026." in text
    assert "Rouvrir…" in text
    act(awa, case, "moves/reopened", reopening="new_facts")
    assert (row(hub).status, codes(hub).count("told")) == ("reopened", 1)


def test_deadline_is_paused_goes_on_and_is_extended(hub: Hub, awa: Browser, case: str) -> None:
    with hub.store.read() as connection:
        id = connection.scalars(sa.select(deadline.c.id).where(deadline.c.kind == "feedback")).one()
    act(awa, case, "deadlines", deadline=id, code="paused", reason="insecurity")
    assert "en pause jusqu'au" in shown(awa, case)
    act(awa, case, "deadlines", deadline=id, code="resumed")
    act(awa, case, "deadlines", deadline=id, code="extended", reason="body_investigates")
    assert codes(hub)[-3:] == ["paused", "resumed", "extended"]
    undone = re.findall(r'name="no" value="(\d+)"><button', shown(awa, case))
    awa.post(f"{case}/undo", no=undone[0])
    assert codes(hub)[-1] == "undone"


def test_note_is_kept_sealed_and_read_by_its_writer(hub: Hub, awa: Browser, case: str) -> None:
    act(awa, case, "notes", about="SRE-2026-000001", text="rappeler le comité du marché")
    assert "rappeler le comité du marché" in shown(awa, case)
    with hub.store.read() as connection:
        assert b"march" not in connection.scalars(sa.select(note.c.box)).one()


def test_complaints_join_go_out_and_come_back(hub: Hub, awa: Browser, case: str) -> None:
    joined(awa)
    assert "2 plaintes" in shown(awa, case)
    act(awa, case, "split", out="SRE-2026-000002")
    assert "1 plainte" in shown(awa, case)
    assert homes(hub) == ["SRE-2026-000001", "SRE-2026-000002"]
    awa.post(f"{OTHER}/undo")
    assert homes(hub) == ["SRE-2026-000001", "SRE-2026-000001"]


def test_joining_shows_both_cases_and_again_where_one_changed(awa: Browser, binta: Browser, case: str) -> None:
    act(awa, OTHER, "moves/acknowledged")
    form = shown(awa, f"{OTHER}/attach?into=SRE-2026-000001")
    assert "SRE-2026-000001" in form
    act(binta, case, "moves/in_triage")
    refused = awa.post(f"{OTHER}/attach", into="SRE-2026-000001", after=version(form), into_after=2)
    assert refused.status_code == 409
    text = html.unescape(refused.text)
    assert all(word in text for word in ("vient de changer", "En tri", 'name="into_after" value="3"'))
    unknown = shown(awa, f"{OTHER}/attach?into=SRE-2026-000099")
    assert "introuvable ou réservé" in unknown


def test_stale_edit_shows_both_versions_and_changes_nothing(hub: Hub, awa: Browser, binta: Browser, case: str) -> None:
    old = version(shown(awa, case))
    act(binta, case, "moves/in_triage")
    refused = awa.post(f"{case}/owner", after=old, owner="Awa")
    text = html.unescape(refused.text)
    assert refused.status_code == 409
    assert all(word in text for word in ("Binta", "Awa", "en tri"))
    assert f'href="{case}"' in text
    assert row(hub).owner is None


def test_strict_case_answers_others_as_if_it_were_not_there(
    hub: Hub, phone: Sender, awa: Browser, binta: Browser
) -> None:
    phone.send(complaint("c", confidentiality="strict"))
    strict, nothing = "/console/cases/SRE-2026-000003", "/console/cases/SRE-2026-000099"
    assert "Strictement confidentiel" in shown(awa, strict)
    for path in ("", "/moves/acknowledged", "/attach"):
        answers = [binta.get(f"{address}{path}") for address in (strict, nothing)]
        assert [each.status_code for each in answers] == [404, 404]
        assert without_token(answers[0]) == without_token(answers[1])
    for path in ("owner", "moves/acknowledged", "undo", "notes", "told", "deadlines", "attach", "split"):
        assert binta.post(f"{strict}/{path}").status_code == 404
    assert count(hub, timeline) == 0


def test_consent_is_said_with_what_it_lets_leave(awa: Browser, phone: Sender, case: str) -> None:
    phone.send(complaint("c", consent={"level": "C3", "bodies": ["cndh"]}), complaint("d", consent={"level": "C1"}))
    for number in (2, 3, 4):
        act(awa, f"/console/cases/SRE-2026-{number:06}", "moves/acknowledged")
        joined(awa, f"/console/cases/SRE-2026-{number:06}")
    text = shown(awa, case)
    assert "2 plaintes partent sans aucune identité." in text
    assert "1 plainte part avec l'identité, vers : Commission nationale des droits de l'homme (CNDH)" in text
    assert "1 plainte ne part pas" in text


def test_withdrawn_complaint_shows_no_word_and_opens_nothing(hub: Hub, awa: Browser, phone: Sender, case: str) -> None:
    phone.send(operation("withdrawal", "w", {"complaint": an_id("a"), "scope": "all"}))
    before = count(hub, opening)
    text = shown(awa, case)
    assert "Retirée à la demande de la personne, le 21 nov. 2026." in text
    assert "sans reçu" not in text
    assert count(hub, opening) == before


def test_who_else_has_it_open_is_told_and_keeps_nobody_out(hub: Hub, awa: Browser, binta: Browser, case: str) -> None:
    shown(binta, case)
    assert "Binta regarde ce dossier" in shown(awa, case)
    act(awa, case, "moves/in_triage")
    binta.get(f"{case}/moves/in_progress")
    assert "Binta écrit ici" in shown(awa, case)
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(minutes=6)
    assert '<p class="beside"' not in shown(awa, case)
    assert count(hub, look) == 1


def test_page_is_light_and_its_questions_do_not_grow_with_the_case(
    hub: Hub, awa: Browser, phone: Sender, case: str
) -> None:
    phone.send(complaint("c", files=FILES), complaint("d", files=FILES))
    shown(awa, case)
    few = questions(hub, lambda: shown(awa, case))
    for number in (2, 3, 4):
        address = f"/console/cases/SRE-2026-{number:06}"
        act(awa, address, "moves/acknowledged")
        joined(awa, address)
    text = shown(awa, case)
    assert questions(hub, lambda: shown(awa, case)) <= few
    assert "pas encore arrivée" in text
    assert len(gzip.compress(text.encode())) <= PAGE_MAX_BYTES


def joined(browser: Browser, address: str = OTHER) -> None:
    """Let it join the first case."""
    form = shown(browser, f"{address}/attach?into=SRE-2026-000001")
    seen = re.search(r'name="into_after" value="(\d+)"', form)
    assert seen is not None
    answer = browser.post(f"{address}/attach", into="SRE-2026-000001", after=version(form), into_after=seen[1])
    assert answer.status_code == 303, html.unescape(answer.text)


def homes(hub: Hub) -> list[str]:
    """Of each complaint, the case that has it."""
    select = sa.select(casefile.c.ref).join(case_complaint, case_complaint.c.casefile == casefile.c.id)
    with hub.store.read() as connection:
        return list(connection.scalars(select.order_by(case_complaint.c.complaint)))


def count(hub: Hub, table: sa.Table) -> int:
    with hub.store.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def questions(hub: Hub, ask: Callable[[], object]) -> int:
    """How many statements the hub's database was asked meanwhile."""
    asked: list[str] = []

    def note_it(*said: Any) -> None:
        asked.append(said[2])

    sa.event.listen(hub.store.engine, "before_cursor_execute", note_it)
    ask()
    sa.event.remove(hub.store.engine, "before_cursor_execute", note_it)
    return len(asked)
