"""Answering: an answer is taken in once and whole, and what it says goes to the case and on to the device."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from server.domain.errors import NotFound, PackageRefused
from server.domain.packages import Item, State
from server.domain.people import NO_KEYS
from server.hub import Hub
from server.scheduler import JOBS
from server.services.cases import undoing
from server.services.cases.telling import tell_due
from server.services.commission import answering
from server.services.commission.answering import note_sent, note_silent, take_answer, unpacked
from server.store import accounts, erasures, notices, packages
from server.store.package_tables import package, package_item
from server.store.packages import Told
from server.store.schema import event
from server.store.timeline import Entry
from tests.builders import Clock, Person, Sender, add_person, an_id
from tests.case_referrals import entries
from tests.case_work import SETTLED, at_desk, attach, detach, move
from tests.commission import CNDH, arrest
from tests.commission_answers import accuse, lay_series, opened, package_of, take, word

A, B = "P-AAAAAAAAAA", "P-BBBBBBBBBB"


@pytest.fixture(autouse=True)
def series(hub: Hub, awa: Person) -> None:
    lay_series(hub, awa)


@pytest.fixture
def numbers(hub: Hub, phone: Sender) -> list[str]:
    """Three complaints with a case each; the last is strictly confidential."""
    return opened(hub, phone, arrest("a"), arrest("b"), arrest("c", confidentiality="strict"))


def pass_(hub: Hub, **time: float) -> None:
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(**time)


def steps(hub: Hub, phone: Sender, name: object) -> list[dict[str, Any]]:
    """What the device was told of a complaint, once it can't be taken back any more, but that it arrived."""
    pass_(hub, minutes=10)
    tell_due(hub.store, hub.clock())
    phone.cursor = None
    told = [each for each in phone.changes() if each["kind"] == "step" and an_id(name).startswith(each["id"])]
    return [{key: each[key] for key in ("t", "code", "f") if key in each} for each in told[1:]]


def codes(hub: Hub, number: str) -> list[str]:
    """What was done to a case since it was opened and acknowledged."""
    return [each.code for each in entries(hub, number)][2:]


def rows(hub: Hub) -> list[list[tuple[Any, ...]]]:
    """All that an answer may change."""
    selects = [sa.select(package), sa.select(package_item), sa.select(event.c.action)]
    with hub.store.read() as connection:
        return [sorted(map(tuple, connection.execute(each)), key=str) for each in selects]


def refused(hub: Hub, who: Person, number: str, said: Any) -> object:
    """The fault by which an answer is refused; nothing is changed by it."""
    before = rows(hub)
    with pytest.raises(PackageRefused) as error:
        take_answer(hub.store, at_desk(hub, who), number, said)
    assert rows(hub) == before
    return error.value.values["fault"]


class TestVerdicts:
    def test_verdict_and_number_reach_the_timeline_and_the_device(
        self, hub: Hub, awa: Person, phone: Sender, numbers: list[str]
    ) -> None:
        sent = package_of(hub, awa, {A: (numbers[0], "line"), B: (numbers[1], "named")})
        accepted = word(A, file_number="CNDH/2027/0114")
        taken = take(hub, awa, sent, accepted, word(B, "rejected", reason="Awa Exemple n'a rien signé"))
        assert (taken.settled, taken.package.state) == (2, "closed")
        told = entries(hub, numbers[0])[-1]
        assert (told.code, told.fields["package"], told.fields["body"]) == (
            "package_accepted",
            sent.number.text,
            "cndh",
        )
        assert codes(hub, numbers[1]) == ["package_rejected"]
        assert steps(hub, phone, "a") == [
            {"t": "package_accepted", "code": "acknowledged", "f": {"body": "cndh", "file_number": "CNDH/2027/0114"}}
        ]
        assert steps(hub, phone, "b") == [{"t": "package_rejected", "code": "acknowledged", "f": {"body": "cndh"}}]
        assert "Exemple" not in str([each for number in numbers[:2] for each in entries(hub, number)])

    def test_device_is_not_told_before_it_is_certain(
        self, hub: Hub, awa: Person, phone: Sender, numbers: list[str]
    ) -> None:
        take(hub, awa, package_of(hub, awa, {A: (numbers[0], "line")}), word(A))
        pass_(hub, minutes=9)
        tell_due(hub.store, hub.clock())
        assert not [each for each in phone.changes() if each.get("t") == "package_accepted"]

    def test_strict_case_tells_neither_who_answered_nor_what(
        self, hub: Hub, awa: Person, phone: Sender, numbers: list[str]
    ) -> None:
        take(hub, awa, package_of(hub, awa, {A: (numbers[2], "line")}), word(A, file_number="CNDH/2027/0114"))
        assert entries(hub, numbers[2])[-1].step == {"template": "package_answered_unnamed", "fields": {}}
        assert steps(hub, phone, "c") == [{"t": "package_answered_unnamed", "code": "acknowledged"}]

    def test_complaint_stays_what_it_is(self, hub: Hub, awa: Person, phone: Sender, numbers: list[str]) -> None:
        sent = package_of(hub, awa, {A: (numbers[0], "line")})
        move(hub, awa, numbers[0], "in_triage")
        move(hub, awa, numbers[0], "in_progress", **SETTLED)
        take(hub, awa, sent, word(A))
        assert steps(hub, phone, "a")[-1] == {"t": "package_accepted", "code": "worked_on", "f": {"body": "cndh"}}

    def test_words_in_place_of_a_number_stay_with_who_handles_the_case(
        self, hub: Hub, awa: Person, phone: Sender, numbers: list[str]
    ) -> None:
        take(hub, awa, package_of(hub, awa, {A: (numbers[0], "line")}), word(A, file_number="voir Mme Exemple"))
        assert steps(hub, phone, "a")[0]["f"] == {"body": "cndh"}
        [known] = answering.known_of(hub.store, at_desk(hub, awa), numbers[0])
        assert (known.item.file_number, known.item.verdict) == ("voir Mme Exemple", "accepted")

    def test_only_who_handles_a_case_hears_what_bodies_have_of_it(
        self, hub: Hub, awa: Person, numbers: list[str]
    ) -> None:
        package_of(hub, awa, {A: (numbers[0], "line")})
        gao = add_person(hub, "Cheick", teams=["gao"])
        for number in (numbers[0], "SRE-2026-999999"):
            with pytest.raises(NotFound):
                answering.known_of(hub.store, at_desk(hub, gao), number)

    def test_notice_is_between_the_two_of_us(self, hub: Hub, awa: Person, phone: Sender, numbers: list[str]) -> None:
        sent = package_of(hub, awa, {A: (numbers[0], "void"), B: (numbers[1], "correction")})
        take(hub, awa, sent, word(A), word(B, "rejected"))
        assert (codes(hub, numbers[0]), codes(hub, numbers[1])) == (["package_noted"], ["package_disputed"])
        assert steps(hub, phone, "a") == steps(hub, phone, "b") == []

    def test_word_on_a_reference_is_one_on_all_that_is_said_under_it(
        self, hub: Hub, awa: Person, numbers: list[str]
    ) -> None:
        sent = package_of(hub, awa, {A: (numbers[0], "line")})
        with hub.store.write() as connection:
            [told] = packages.items(connection, sent.id)
            void = Told(Item(A, "void"), told.complaint, {}, [])
            packages.set_items(connection, sent.id, [told, void])
        assert take(hub, awa, sent, word(A)).package.state == "closed"
        assert codes(hub, numbers[0]) == ["package_accepted", "package_noted"]

    def test_other_word_on_a_notice_leaves_what_was_said_of_the_line(
        self, hub: Hub, awa: Person, phone: Sender, numbers: list[str]
    ) -> None:
        sent = package_of(hub, awa, {A: (numbers[0], "void"), B: (numbers[0], "line")})
        take(hub, awa, sent, word(A), word(B))
        take(hub, awa, sent, word(A, "rejected"))
        assert codes(hub, numbers[0])[-1] == "package_disputed"
        assert steps(hub, phone, "a")[-1]["t"] == "package_accepted"

    def test_case_that_has_the_complaint_now_is_told_and_no_other_complaint_of_it(
        self, hub: Hub, awa: Person, phone: Sender, numbers: list[str]
    ) -> None:
        sent = package_of(hub, awa, {A: (numbers[1], "line")})
        move(hub, awa, numbers[0], "in_triage")
        attach(hub, awa, numbers[1], numbers[0])
        take(hub, awa, sent, word(A))
        assert codes(hub, numbers[0])[-1] == "package_accepted"
        detach(hub, awa, numbers[1])
        assert steps(hub, phone, "b")[-1]["t"] == "package_accepted"
        assert "package_accepted" not in [each["t"] for each in steps(hub, phone, "a")]

    def test_what_was_erased_has_no_case_to_tell_and_nothing_of_it_stays(
        self, hub: Hub, awa: Person, phone: Sender, numbers: list[str]
    ) -> None:
        sent = package_of(hub, awa, {A: (numbers[0], "line"), B: (numbers[1], "line")})
        [other] = opened(hub, phone, arrest("d"))
        move(hub, awa, other, "in_triage")
        attach(hub, awa, numbers[1], other)
        take(hub, awa, sent, word(B, file_number="CNDH/2027/0114", reason="Awa Exemple"))
        assert "0114" in str(entries(hub, other))
        for number in (1, 2):
            with hub.store.write() as connection:
                subject = erasures.subject_of(connection, number)
                assert subject is not None
                erasures.wipe(connection, subject, hub.clock(), hub.clock())
        assert take(hub, awa, sent, word(A)).package.state == "closed"
        # Said again, as it is when it is fetched once more, it comes back no more.
        take(hub, awa, sent, word(B, file_number="CNDH/2027/0114", reason="Awa Exemple"))
        with hub.store.read() as connection:
            everything = str(packages.items(connection, sent.id)) + str(entries(hub, other))
        assert "Exemple" not in everything
        assert "0114" not in everything

    def test_what_came_of_a_package_is_not_what_undo_takes_back(
        self, hub: Hub, awa: Person, numbers: list[str]
    ) -> None:
        sent = package_of(hub, awa, {A: (numbers[0], "line")}, state="sealed")
        move(hub, awa, numbers[0], "in_triage")
        take(hub, awa, sent, word(A))
        assert undoing.undo(hub.store, at_desk(hub, awa), numbers[0]) == "moved"


class TestAnswers:
    def test_same_answer_twice_changes_nothing(self, hub: Hub, awa: Person, numbers: list[str]) -> None:
        sent = package_of(hub, awa, {A: (numbers[0], "line"), B: (numbers[1], "line")})
        for words, state in (((), "received"), ((word(A),), "received"), ((word(A), word(B)), "closed")):
            assert take(hub, awa, sent, *words).package.state == state
            before, told = rows(hub), codes(hub, numbers[0])
            assert (take(hub, awa, sent, *words).settled, rows(hub)) == (0, before)
            assert codes(hub, numbers[0]) == told

    def test_later_answer_adds_words_and_the_last_closes(self, hub: Hub, awa: Person, numbers: list[str]) -> None:
        sent = package_of(hub, awa, {A: (numbers[0], "line"), B: (numbers[1], "line")})
        first = take(hub, awa, sent, word(B))
        assert (first.package.state, first.package.closed_at) == ("received", None)
        pass_(hub, days=1)
        last = take(hub, awa, sent, word(A), received_at="2027-02-02", by="Autre")
        assert (last.package.state, last.package.closed_at) == ("closed", hub.clock())
        assert (last.package.answer_at, last.package.answer_by) == ("2027-01-05", "Greffe")
        assert last.package.answered_at == first.package.answered_at == hub.clock() - timedelta(days=1)

    def test_word_that_is_put_right_in_time_is_all_that_a_device_hears(
        self, hub: Hub, awa: Person, phone: Sender, numbers: list[str]
    ) -> None:
        sent = package_of(hub, awa, {A: (numbers[0], "line")})
        take(hub, awa, sent, word(A, "rejected"))
        pass_(hub, minutes=9)
        assert take(hub, awa, sent, word(A)).package.state == "closed"
        assert codes(hub, numbers[0]) == ["package_rejected", "undone", "package_accepted"]
        assert [each["t"] for each in steps(hub, phone, "a")] == ["package_accepted"]

    def test_word_that_is_put_right_later_is_heard_after_the_first(
        self, hub: Hub, awa: Person, phone: Sender, numbers: list[str]
    ) -> None:
        sent = package_of(hub, awa, {A: (numbers[0], "line")})
        take(hub, awa, sent, word(A, "rejected"))
        assert len(steps(hub, phone, "a")) == 1
        take(hub, awa, sent, word(A))
        assert [each["t"] for each in steps(hub, phone, "a")] == ["package_rejected", "package_accepted"]
        assert codes(hub, numbers[0]) == ["package_rejected", "package_accepted"]

    def test_answer_to_what_nobody_noted_as_gone_notes_it(self, hub: Hub, awa: Person, numbers: list[str]) -> None:
        sent = package_of(hub, awa, {A: (numbers[0], "line"), B: (numbers[1], "line")}, state="sealed")
        taken = take(hub, awa, sent, word(A))
        assert (taken.package.state, taken.package.transmitted_at) == ("received", hub.clock())
        assert taken.package.transmitted_by == awa.actor.signature
        assert codes(hub, numbers[0]) == ["package_sent", "package_accepted"]
        assert codes(hub, numbers[1]) == ["package_sent"]

    def test_case_hears_once_that_a_package_left_with_several_of_it(
        self, hub: Hub, awa: Person, numbers: list[str], phone: Sender
    ) -> None:
        move(hub, awa, numbers[0], "in_triage")
        attach(hub, awa, numbers[1], numbers[0])
        sent = package_of(hub, awa, {A: (numbers[0], "line"), B: (numbers[1], "void")})
        with hub.store.write() as connection:
            note_sent(connection, at_desk(hub, awa), sent)
        told = [each for each in entries(hub, numbers[0]) if each.code == "package_sent"]
        assert [each.fields["sent"] for each in told] == [[1, 2]]
        assert "package_sent" not in codes(hub, numbers[1])
        assert "package" not in str(steps(hub, phone, "a") + steps(hub, phone, "b"))


class TestRefusals:
    @pytest.fixture
    def said(self, hub: Hub, awa: Person, numbers: list[str]) -> dict[str, Any]:
        """An answer to the one package."""
        sent = package_of(hub, awa, {A: (numbers[0], "line"), B: (numbers[1], "line")})
        return accuse(sent, word(A), word(B))

    def test_another_manifest(self, hub: Hub, awa: Person, said: dict[str, Any]) -> None:
        altered = said["manifest_sha256"][:-1] + ("0" if said["manifest_sha256"][-1] != "0" else "1")
        assert refused(hub, awa, said["package"], said | {"manifest_sha256": altered}) == "other_manifest"

    def test_number_that_there_is_not(self, hub: Hub, awa: Person, said: dict[str, Any]) -> None:
        for number in ("CNDH-2026-T3-0002", "AMDH-2026-T3-0001", "n'importe quoi", ""):
            assert refused(hub, awa, number, said) == "unknown_package"

    def test_answer_on_another_package(self, hub: Hub, awa: Person, said: dict[str, Any]) -> None:
        other = package_of(hub, awa, {}, no=2)
        assert refused(hub, awa, other.number.text, said) == "other_package"

    def test_item_that_was_not_sent(self, hub: Hub, awa: Person, said: dict[str, Any]) -> None:
        unknown = [*said["items"], word("P-CCCCCCCCCC")]
        assert refused(hub, awa, said["package"], said | {"items": unknown}) == "item_unknown"
        assert codes(hub, "SRE-2026-000001") == []

    def test_answer_that_contradicts_itself(self, hub: Hub, awa: Person, said: dict[str, Any]) -> None:
        both = [word(A), word(A, "rejected")]
        assert refused(hub, awa, said["package"], said | {"items": both}) == "item_twice"

    @pytest.mark.parametrize("wrong", [None, [], "x", {}, {"items": 3}])
    def test_what_is_no_answer(self, hub: Hub, awa: Person, said: dict[str, Any], wrong: Any) -> None:
        assert (
            refused(hub, awa, said["package"], said | wrong if isinstance(wrong, dict) and wrong else wrong)
            == "answer_unreadable"
        )

    def test_what_is_no_json(self) -> None:
        assert unpacked(b'{"a": [1]}') == {"a": [1]}
        for content in (b"", b"\xff", b"{", b"[" * 100_000):
            with pytest.raises(PackageRefused) as error:
                unpacked(content)
            assert error.value.values["fault"] == "answer_unreadable"

    @pytest.mark.parametrize("state", ["prepared", "cancelled"])
    def test_what_never_left(self, hub: Hub, awa: Person, numbers: list[str], state: State) -> None:
        kept = package_of(hub, awa, {A: (numbers[0], "line")}, state=state)
        said = accuse(kept, word(A), manifest_sha256=kept.manifest or "0" * 64)
        assert refused(hub, awa, kept.number.text, said) == "state"

    def test_who_speaks_for_nobody(self, hub: Hub, awa: Person, said: dict[str, Any]) -> None:
        clerk, gao = add_person(hub, "Greffe", "commission"), add_person(hub, "Cheick", teams=["gao"])
        elsewhere, theirs = (Person(replace(clerk.actor, destination=code), NO_KEYS) for code in ("pnef", CNDH.code))
        for who in (clerk, elsewhere, gao, add_person(hub, "Admin", "administrator")):
            with pytest.raises(NotFound):
                take_answer(hub.store, at_desk(hub, who), said["package"], said)
        taken = take_answer(hub.store, at_desk(hub, theirs), said["package"], said)
        assert taken.package.state == "closed"


class TestSilence:
    def heard(self, hub: Hub, who: Person) -> list[str]:
        with hub.store.read() as connection:
            return [each.code for each in notices.of_account(connection, who.actor.id, 10)]

    def test_who_prepared_who_approved_and_the_head_hear_of_it_once(
        self, hub: Hub, awa: Person, binta: Person, numbers: list[str]
    ) -> None:
        head, other = add_person(hub, "Tête"), add_person(hub, "Autre")
        with hub.store.write() as connection:
            accounts.name_head(connection, head.actor.id)
        said = {A: (numbers[0], "line")}
        package_of(hub, awa, said, sealed_by=binta.actor.signature)  # type: ignore[arg-type]
        answered = package_of(hub, awa, said, no=2, sealed_by=binta.actor.signature)  # type: ignore[arg-type]
        take(hub, awa, answered)
        pass_(hub, days=15)
        assert note_silent(hub.store, hub.clock()) == 0
        pass_(hub, seconds=1)
        assert note_silent(hub.store, hub.clock()) == 3
        pass_(hub, days=30)
        assert note_silent(hub.store, hub.clock()) == 0
        assert [self.heard(hub, who) for who in (awa, binta, head, other)] == [["package_silent"]] * 3 + [[]]

    def test_job_runs_while_a_word_is_owed(self, hub: Hub, awa: Person, numbers: list[str]) -> None:
        [job] = [each for each in JOBS if each.name == "package_answers"]
        assert not job.is_wanted(hub)
        sent = package_of(hub, awa, {A: (numbers[0], "line")}, sealed_by="job")
        assert job.is_wanted(hub)
        pass_(hub, days=16)
        job.run(hub)
        assert self.heard(hub, awa) == ["package_silent"]
        take(hub, awa, sent, word(A))
        assert not job.is_wanted(hub)


def test_page_of_cases_is_no_limit(hub: Hub, awa: Person, phone: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases that a page of complaints parts are told once each, and every word stands."""
    monkeypatch.setattr(answering, "_PAGE", 2)
    five = opened(hub, phone, *(arrest(n) for n in range(5)))
    move(hub, awa, five[0], "in_triage")
    attach(hub, awa, five[4], five[0])
    refs = {f"P-{'ABCDE'[n] * 10}": (number, "line") for n, number in enumerate(five)}
    sent = package_of(hub, awa, refs, state="sealed")  # type: ignore[arg-type]
    assert take(hub, awa, sent, *(word(ref) for ref in refs)).package.state == "closed"
    told: list[Entry] = [each for number in five for each in entries(hub, number)]
    assert [each.code for each in told].count("package_sent") == 4
    assert sorted(each.complaint or 0 for each in told if each.code == "package_accepted") == [1, 2, 3, 4, 5]
    assert json.dumps([each.no for each in entries(hub, five[0])]) == json.dumps(list(range(1, 8)))
