"""Tasking: who gets what, whom it may reach, what comes back, and when the device lets go of it."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from client_sync.protocol.frames import from_text
from client_sync.seal import open_envelope
from server.domain.errors import ContactNotAllowed, NotFound, StaleRevision, TaskRefused
from server.domain.task import Kind, Window
from server.hub import Hub
from server.services.cases import queues, tasking
from server.services.cases.tasking import Errand, Shown
from server.services.devices import revoke
from server.services.intake import admission
from server.store import erasures, registry
from server.store.due_tables import notice
from server.store.schema import change, quarantine, received
from server.store.task_tables import task, task_result, task_told
from tests.builders import (
    NOW,
    STORED,
    Person,
    Sender,
    Verdict,
    add_person,
    an_id,
    complaint,
    enrolled,
    operation,
    revision,
    verdicts,
)
from tests.builders import facts as facts_of
from tests.case_work import SETTLED, at_desk, move, undo, version

TODAY = NOW.date()
SOON = Window(TODAY, TODAY + timedelta(days=9))
MISSING = Verdict("held", "task_missing", "task")
WORDS = "Demander le chef de poste ; parler loin de la route."


class Team:
    """Two devices of Gao and one of Mopti; complaints by name, as the first recorded them."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.first, self.second = enrolled(hub, "Gao 1", team="gao"), enrolled(hub, "Gao 2", team="gao")
        self.mopti = enrolled(hub, "Mopti 1", team="mopti")
        self._count = 0

    def tell(self, name: str, **facts: Any) -> str:
        self.first.send(complaint(name, **{"contact_ok": "yes"} | facts))
        self._count += 1
        return f"SRE-{NOW.year}-{self._count:06}"


@pytest.fixture
def team(hub: Hub) -> Team:
    return Team(hub)


def set_task(
    hub: Hub, person: Person, number: str, kind: Kind = "visit", device: str = "Gao 2", *, after: int = 0, **wanted: Any
) -> str:
    errand = Errand(kind, device, **{"window": SOON} | wanted)
    return tasking.set_task(hub.store, at_desk(hub, person), number, errand, after=after).id


def shown(hub: Hub, person: Person, id: str) -> Shown:
    return tasking.show(hub.store, at_desk(hub, person), id[:8])


def told(sender: Sender) -> list[dict[str, Any]]:
    """All changes of a device but what became of its own messages."""
    return [each for each in sender.send(limit=16_000).get("changes", []) if each["kind"] != "state"]


def done(id: str, name: object = "fait", **content: Any) -> bytes:
    return operation("task_done", name, {"task": id, "outcome": "verified"} | content)


def look_after(hub: Hub) -> int:
    return tasking.look_after(hub.store, hub.gazetteer(), hub.clock())


def codes(hub: Hub, person: Person, number: str) -> list[str]:
    return [each.code for _, each in queues.show(hub.store, at_desk(hub, person), number).entries]


def count(hub: Hub, table: sa.Table) -> int:
    with hub.store.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def erase(hub: Hub, number: str) -> None:
    with hub.store.write() as connection:
        complaint = registry.complaint_numbered(connection, number)
        assert complaint is not None
        subject = erasures.subject_of(connection, complaint)
        assert subject is not None
        erasures.wipe(connection, subject, hub.clock(), hub.clock())


def test_looking_after_many_tasks_takes_no_more_statements_than_after_one(
    hub: Hub, awa: Person, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    def statements() -> int:
        texts: list[str] = []
        sa.event.listen(hub.store.engine, "before_cursor_execute", note := lambda *call: texts.append(call[2]))
        assert look_after(hub) == 0
        sa.event.remove(hub.store.engine, "before_cursor_execute", note)
        return len([text for text in texts if text.startswith("SELECT")])

    set_task(hub, awa, team.tell("a"))
    of_one = statements()
    for name in "bcd":
        set_task(hub, awa, team.tell(name))
    assert statements() == of_one
    monkeypatch.setattr(tasking, "_PAGE", 3)
    revoke(hub.store, team.second.device, hub.clock(), hub.identity.sign_key, reason="perdu")
    assert look_after(hub) == 4


def test_task_travels_with_the_next_sync_to_its_device_alone(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    id = set_task(hub, awa, number, words=WORDS, parts={"traces": {"said": "près du puits"}})
    [change] = told(team.second)
    box = change.pop("box")
    days = {"from": SOON.opens_on.isoformat(), "to": SOON.closes_on.isoformat()}
    assert change == {"n": 1, "kind": "task", "task": id, "what": "visit", "by": ["verification_visit"], **days} | {
        "place": "ml-c-gao"
    }
    detail = json.loads(open_envelope(from_text(box), bytes(team.second.box)))
    scope = {"region": None, "team": "gao", "partner": None, "is_strict": False}
    assert detail == {"words": WORDS, "traces": {"said": "près du puits"}, "scope": scope}
    assert told(team.first) == told(team.mopti) == []
    assert shown(hub, awa, id).task.state == "told"
    assert codes(hub, awa, number) == ["opened", "task_set"]


def test_nothing_that_is_told_the_device_stands_in_clear_at_the_hub(hub: Hub, awa: Person, team: Team) -> None:
    set_task(hub, awa, team.tell("a"), words=WORDS)
    with hub.store.read() as connection:
        rows = [*connection.execute(sa.select(task)), *connection.execute(sa.select(change))]
    assert "route" not in str(rows)


def test_task_whose_window_is_far_waits_for_its_day(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    far = Window(TODAY + timedelta(days=40), TODAY + timedelta(days=50))
    id = set_task(hub, awa, number, window=far)
    assert (look_after(hub), told(team.second)) == (0, [])
    hub.clock.pass_(days=26)  # type: ignore[attr-defined]
    assert look_after(hub) == 1
    assert [each["task"] for each in told(team.second)] == [id]
    assert look_after(hub) == 0


@pytest.mark.parametrize(
    ("facts", "kind", "fault"),
    [
        ({"contact_ok": "never"}, "ask", "never"),
        ({"contact_ok": "unasked"}, "inform", "unasked"),
        ({"contact_ok": "in_person"}, "quarterly", "in_person"),
        ({"contact_ok": "in_person"}, "visit", "in_person"),
        ({"confidentiality": "strict"}, "visit", "strict"),
        ({"consent": {"level": "C1"}}, "visit", "consent"),
    ],
)
def test_no_task_reaches_who_may_not_be_reached_so(
    hub: Hub, awa: Person, team: Team, facts: dict[str, Any], kind: Kind, fault: str
) -> None:
    with pytest.raises(ContactNotAllowed) as refused:
        set_task(hub, awa, team.tell("a", **facts), kind)
    assert refused.value.values["fault"] == fault
    assert (count(hub, task), told(team.second)) == (0, [])


def test_who_is_met_in_person_alone_is_never_called(hub: Hub, awa: Person, team: Team) -> None:
    set_task(hub, awa, team.tell("a", contact_ok="in_person"), "ask")
    assert [each["by"] for each in told(team.second)] == [["at_next_meeting"]]


def test_survivor_chooses_a_centre_first_and_nobody_visits_her(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a", kinds=["GBV-1"], confidentiality="strict")
    refusals: dict[Kind, str] = {"visit": "gbv_visit", "quarterly": "gbv_visit", "ask": "choice_first"}
    for kind, fault in refusals.items():
        with pytest.raises(TaskRefused) as refused:
            set_task(hub, awa, number, kind)
        assert refused.value.values["fault"] == fault
    choice = set_task(hub, awa, number, "choice")
    team.second.send(done(choice, "later", outcome="later"))
    with pytest.raises(TaskRefused):
        set_task(hub, awa, number, "ask", after=len(codes(hub, awa, number)))
    team.second.send(done(choice, "chosen", outcome="chosen"))
    set_task(hub, awa, number, "ask", after=len(codes(hub, awa, number)))
    assert "visit" not in told(team.second)[-1]["by"]


@pytest.mark.parametrize(
    ("kind", "device", "wanted", "fault"),
    [
        ("visit", "Gao 1", {}, "collector"),
        ("ask", "Gao 2", {"window": Window(TODAY, TODAY)}, "window"),
        ("ask", "Gao 2", {"window": Window(TODAY - timedelta(days=9), TODAY - timedelta(days=1))}, "window"),
        ("ask", "Gao 2", {"window": Window(TODAY, TODAY + timedelta(days=92))}, "window"),
        ("ask", "Gao 2", {"repeats": True}, "repeats"),
        ("ask", "Gao 2", {"words": "x" * 4_001}, "words"),
        ("ask", "Gao 2", {"place": "ml-c-nulle-part"}, "place"),
        ("choice", "Gao 2", {}, "not_gbv"),
    ],
)
def test_task_that_makes_no_sense_is_refused(
    hub: Hub, awa: Person, team: Team, kind: Kind, device: str, wanted: dict[str, Any], fault: str
) -> None:
    with pytest.raises(TaskRefused) as refused:
        set_task(hub, awa, team.tell("a"), kind, device, **wanted)
    assert refused.value.values["fault"] == fault


def test_two_people_never_send_somebody_twice_for_the_same(hub: Hub, awa: Person, binta: Person, team: Team) -> None:
    number = team.tell("a")
    set_task(hub, awa, number)
    with pytest.raises(StaleRevision):
        set_task(hub, binta, number)
    with pytest.raises(TaskRefused) as refused:
        set_task(hub, binta, number, after=2)
    assert refused.value.values["fault"] == "already"


def test_task_is_for_devices_and_complaints_in_scope(hub: Hub, awa: Person, gao: Person, team: Team) -> None:
    number = team.tell("a")
    for device in ("Mopti 1", "Gao 7"):
        with pytest.raises(TaskRefused) as refused:
            set_task(hub, gao, number, device=device)
        assert refused.value.values["fault"] == "device"
    with pytest.raises(NotFound):
        set_task(hub, gao, team.tell("z", confidentiality="strict"), device="Gao 7")
    enrolled(hub, "Gao 2", team="mopti")
    id = set_task(hub, gao, number)
    assert [each.task.id for each in tasking.waiting(hub.store, at_desk(hub, gao), 10)] == [id]
    assert tasking.waiting(hub.store, at_desk(hub, add_person(hub, "Oumar", "auditor")), 10) == []
    strict = set_task(hub, awa, team.tell("b", confidentiality="strict"), "ask")
    for act in (shown, lambda *those: tasking.recall(hub.store, at_desk(hub, gao), strict)):
        with pytest.raises(NotFound):
            act(hub, gao, strict)


def test_result_is_kept_with_the_task_and_told_in_the_timeline(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    id = set_task(hub, awa, number)
    basis = {"method": "second_source", "sources": 2, "certainty": "reasonable_grounds"}
    answer = team.second.send(done(id, done_on="2026-11-23", finding="corroborated", **basis))
    assert verdicts(answer) == [STORED]
    found = shown(hub, awa, id)
    [(label, result)] = found.results
    assert (found.task.state, label, result.outcome, result.is_late) == ("done", "Gao 2", "verified", False)
    assert found.task.box is None
    told_basis = (result.method, result.sources, result.certainty, result.done_on)
    assert told_basis == ("second_source", 2, "reasonable_grounds", "2026-11-23")
    assert (result.state, result.lineage) == ("corroborated", team.second.lineage)
    assert codes(hub, awa, number) == ["opened", "task_set", "task_done"]


def test_kind_of_task_that_verifies_nothing_proposes_no_finding(hub: Hub, awa: Person, team: Team) -> None:
    id = set_task(hub, awa, team.tell("a"), "inform")
    team.second.send(done(id, outcome="informed", finding="corroborated"))
    assert [each.state for _, each in shown(hub, awa, id).results] == [None]


def test_person_who_was_informed_has_heard_it(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    team.second.send(done(set_task(hub, awa, number, "inform"), outcome="informed"))
    assert codes(hub, awa, number)[-2:] == ["task_done", "told"]


def test_same_task_done_by_two_devices_shows_both(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    third = enrolled(hub, "Gao 3", team="gao")
    id = set_task(hub, awa, number)
    team.second.send()
    tasking.reassign(hub.store, at_desk(hub, awa), id, Errand("visit", "Gao 3", SOON))
    assert [each["kind"] for each in told(team.second)] == ["task_gone", "task_gone"]
    assert [each["task"] for each in told(third)] == [id]
    third.send(done(id, "one"))
    team.second.send(done(id, "two", outcome="not_found"))
    assert [(label, each.outcome) for label, each in shown(hub, awa, id).results] == [
        ("Gao 3", "verified"),
        ("Gao 2", "not_found"),
    ]


def test_result_sent_twice_is_kept_once(hub: Hub, awa: Person, team: Team) -> None:
    id = set_task(hub, awa, team.tell("a"))
    for _ in range(2):
        team.second.send(done(id))
    assert count(hub, task_result) == 1


def test_other_team_learns_nothing_of_a_task(hub: Hub, awa: Person, team: Team) -> None:
    id = set_task(hub, awa, team.tell("a"))
    answers = [team.mopti.send(done(each, each)) for each in (id, an_id("nowhere"))]
    assert verdicts(answers[0]) == verdicts(answers[1]) == [MISSING]
    assert (count(hub, task_result), shown(hub, awa, id).task.state) == (0, "told")


def test_device_of_the_team_reports_no_task_that_another_one_was_given(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    third = enrolled(hub, "Gao 3", team="gao")
    id = set_task(hub, awa, number)
    assert verdicts(third.send(done(id))) == [MISSING]
    assert (shown(hub, awa, id).results, codes(hub, awa, number)) == ([], ["opened", "task_set"])
    tasking.reassign(hub.store, at_desk(hub, awa), id, Errand("visit", "Gao 3", SOON))
    assert admission.file_held(hub.store, "SRE", hub.clock(), hub.gazetteer()) == 1
    assert [label for label, _ in shown(hub, awa, id).results] == ["Gao 3"]


def test_what_waits_for_a_task_goes_with_its_complaint(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    id = set_task(hub, awa, number)
    team.mopti.send(done(id))
    erase(hub, number)
    assert verdicts(team.mopti.send(done(id, "encore"))) == [MISSING]
    assert count(hub, quarantine) == 0


def test_recalled_task_leaves_the_device_and_what_it_did_is_kept(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    id = set_task(hub, awa, number, words=WORDS)
    tasking.recall(hub.store, at_desk(hub, awa), id)
    assert [(each["kind"], each["task"]) for each in told(team.second)] == [("task_gone", id)] * 2
    team.second.send(done(id))
    found = shown(hub, awa, id)
    assert (found.task.state, found.task.box, [each.is_late for _, each in found.results]) == ("recalled", None, [True])
    with pytest.raises(TaskRefused):
        tasking.recall(hub.store, at_desk(hub, awa), id)
    assert codes(hub, awa, number) == ["opened", "task_set", "task_recalled", "task_done"]


def test_task_is_over_with_its_window_and_a_late_result_is_kept(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    id = set_task(hub, awa, number)
    hub.clock.pass_(days=10)  # type: ignore[attr-defined]
    assert (look_after(hub), look_after(hub)) == (1, 0)
    assert {each["kind"] for each in told(team.second)} == {"task_gone"}
    team.second.send(done(id))
    assert [each.is_late for _, each in shown(hub, awa, id).results] == [True]
    assert shown(hub, awa, id).task.state == "over"


def test_task_goes_when_the_person_takes_it_back(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    id = set_task(hub, awa, number)
    team.first.send(revision("r", "a", 1, facts={"clear": facts_of(contact_ok="never")}))
    assert (look_after(hub), look_after(hub)) == (1, 0)
    assert shown(hub, awa, id).task.state == "recalled"
    assert {each["kind"] for each in told(team.second)} == {"task_gone"}


def test_task_goes_with_its_device(hub: Hub, awa: Person, team: Team) -> None:
    id = set_task(hub, awa, team.tell("a"))
    revoke(hub.store, team.second.device, hub.clock(), hub.identity.sign_key, reason="perdu")
    assert (look_after(hub), look_after(hub)) == (1, 0)
    assert shown(hub, awa, id).task.state == "recalled"


def test_quarterly_visit_comes_again_once_however_long_the_hub_was_down(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    id = set_task(hub, awa, number, "quarterly", repeats=True, words=WORDS)
    team.second.send(done(id, outcome="unchanged"))
    assert look_after(hub) == 1
    assert look_after(hub) == 0
    [again] = tasking.waiting(hub.store, at_desk(hub, awa), 10)
    assert (again.task.follows, again.task.opens_on, again.task.repeats) == (id, "2027-02-21", True)
    assert again.task.box is not None
    hub.clock.pass_(days=400)  # type: ignore[attr-defined]
    assert look_after(hub) == 1
    [later] = tasking.waiting(hub.store, at_desk(hub, awa), 10)
    assert date.fromisoformat(later.task.closes_on) >= hub.clock().date()
    tasking.recall(hub.store, at_desk(hub, awa), later.task.id)
    assert look_after(hub) == 0
    assert tasking.waiting(hub.store, at_desk(hub, awa), 10) == []


def test_erasure_takes_tasks_and_results_and_tells_the_device(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    id = set_task(hub, awa, number)
    team.second.send(done(set_task(hub, awa, number, "ask", after=2), outcome="answered"))
    erase(hub, number)
    assert [count(hub, table) for table in (task, task_told, task_result)] == [0, 0, 0]
    kinds = {each["kind"] for each in told(team.second) if each["task"] == id}
    assert kinds == {"task_gone"}


def test_nothing_is_kept_of_a_result_that_comes_after_the_erasure(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    id = set_task(hub, awa, number)
    erase(hub, number)
    before = count(hub, received)
    for sender, name, verdict in (
        (team.second, "fait", STORED),
        (team.second, "fait", STORED),
        (team.mopti, "deviné", MISSING),
    ):
        assert verdicts(sender.send(done(id, name))) == [verdict]
    assert (count(hub, received), count(hub, quarantine)) == (before, 0)


def test_saying_the_same_again_fills_no_timeline_and_calls_nobody(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    for status, settled in (("acknowledged", {}), ("in_triage", {}), ("in_progress", SETTLED)):
        move(hub, awa, number, status, **settled)
    id = set_task(hub, awa, number, after=version(hub, awa, number))
    for name in range(5):
        team.second.send(done(id, name))
    team.second.send(done(id, "autre", outcome="not_found"))
    assert len(shown(hub, awa, id).results) == 6
    assert codes(hub, awa, number).count("task_done") == count(hub, notice) == 2


def test_what_a_device_was_given_is_recalled_and_not_undone(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    move(hub, awa, number, "acknowledged")
    move(hub, awa, number, "in_triage")
    set_task(hub, awa, number, after=3)
    assert undo(hub, awa, number) == "moved"
    assert [each["kind"] for each in told(team.second)] == ["task"]


def test_task_goes_when_the_person_allows_less_than_it_says(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a")
    id = set_task(hub, awa, number, "ask")
    team.first.send(revision("r", "a", 1, facts={"clear": facts_of(contact_ok="in_person")}))
    assert (look_after(hub), look_after(hub)) == (1, 0)
    assert {each["kind"] for each in told(team.second)} == {"task_gone"}
    assert shown(hub, awa, id).task.state == "recalled"
    set_task(hub, awa, number, "ask", after=len(codes(hub, awa, number)))
    assert told(team.second)[-1]["by"] == ["at_next_meeting"]


def test_task_that_waits_goes_when_the_person_allows_less_than_its_box_says(
    hub: Hub, awa: Person, team: Team
) -> None:
    far = Window(TODAY + timedelta(days=40), TODAY + timedelta(days=50))
    id = set_task(hub, awa, team.tell("a"), "ask", window=far)
    team.first.send(revision("r", "a", 1, facts={"clear": facts_of(contact_ok="in_person")}))
    assert look_after(hub) == 1
    assert (shown(hub, awa, id).task.state, shown(hub, awa, id).task.box) == ("recalled", None)


def test_device_hears_when_the_person_allows_more(hub: Hub, awa: Person, team: Team) -> None:
    number = team.tell("a", contact_ok="in_person")
    id = set_task(hub, awa, number, "ask")
    team.first.send(revision("r", "a", 1, facts={"clear": facts_of(contact_ok="yes")}))
    assert (look_after(hub), look_after(hub)) == (1, 0)
    [before, now] = told(team.second)
    ways = ["at_next_meeting", "call", "message", "visit"]
    assert (before["kind"], now["task"], now["by"]) == ("task_gone", id, ways)


@pytest.mark.parametrize(("contact_ok", "has_phone"), [("yes", True), ("in_person", False)])
def test_team_gets_no_telephone_that_it_may_not_use(
    hub: Hub, awa: Person, team: Team, contact_ok: str, has_phone: bool
) -> None:
    who = {"persons": [{"no": 1, "name": "Awa Exemple", "phone": "+223 00 00 12 34"}], "contact": {"how": "appeler"}}
    set_task(hub, awa, team.tell("a", contact_ok=contact_ok), "ask", parts={"identity": who})
    [change] = told(team.second)
    detail = json.loads(open_envelope(from_text(change["box"]), bytes(team.second.box)))
    assert detail["identity"]["persons"][0]["name"] == "Awa Exemple"
    assert ("+223" in str(detail), "appeler" in str(detail)) == (has_phone, has_phone)


def test_device_that_comes_after_the_person_said_no_reads_of_no_task(hub: Hub, awa: Person, team: Team) -> None:
    id = set_task(hub, awa, team.tell("a"))
    team.first.send(revision("r", "a", 1, facts={"clear": facts_of(contact_ok="never")}))
    assert [each["kind"] for each in told(team.second)] == ["task_gone"]
    team.first.send(revision("s", "a", 2, facts={"clear": facts_of(contact_ok="yes")}))
    assert look_after(hub) == 1
    assert [(each["kind"], each["task"]) for each in told(team.second)][-1] == ("task", id)
