"""Preparing: by itself once a quarter is over, told to who approves, and nothing for whom nothing may go to."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyrage
import pytest

from server.domain.errors import NotFound, PackageRefused, ReasonMissing
from server.domain.packages import Number
from server.domain.referral import Destination
from server.hub import Hub
from server.press import press_of, seal
from server.scheduler import JOBS, run_if_due
from server.services import places
from server.services.cases import destinations
from server.services.commission import preparing, serials, transmitting
from server.services.commission.preparing import Package
from server.store import notices, packages
from tests.builders import Person, Sender, add_person
from tests.case_work import at_desk
from tests.commission import CNDH, LIST, QUARTER, arrest, lay_down, prepared, quarter_over

OCLEI = Destination("oclei", "oclei", "anticorruption", None, date(2017, 1, 1))
NUMBER = f"CNDH-{QUARTER}-0001"
# The first day of the quarter: none before it is due.
BEGUN = date(2026, 10, 1)
WHY = "perdu avec le disque"


@pytest.fixture
def ready(hub: Hub, awa: Person, phone: Sender) -> Hub:
    """The commission has a series and a key, and five complaints may go there; the quarter goes on."""
    places.import_list(hub.store, LIST, "test", hub.clock())
    destinations.add(hub.store, at_desk(hub, awa), [CNDH])
    serials.add(hub.store, at_desk(hub, awa), CNDH.code, "CNDH", BEGUN, "folder")
    made = pyrage.x25519.Identity.generate()
    shown = serials.set_key(hub.store, at_desk(hub, awa), CNDH.code, str(made.to_public()))
    serials.confirm_key(hub.store, at_desk(hub, awa), CNDH.code, shown)
    phone.send(*(arrest(f"plain {n}") for n in range(5)))
    return hub


def due(hub: Hub) -> int:
    return preparing.prepare_due(hub.store, hub.gazetteer(), hub.secrets.pepper, hub.clock())


def all_of(hub: Hub, who: Person) -> list[tuple[str, str]]:
    return [(each.number.text, each.state) for each in preparing.listed(hub.store, at_desk(hub, who))]


def heard(hub: Hub, who: Person) -> list[str]:
    with hub.store.read() as connection:
        return [each.code for each in notices.of_account(connection, who.actor.id, 10)]


def fault(call: Callable[[], object]) -> str:
    with pytest.raises(PackageRefused) as refused:
        call()
    return str(refused.value.values["fault"])


def cancel(hub: Hub, who: Person, number: str) -> None:
    preparing.cancel(hub.store, at_desk(hub, who), number, "chiffres à revoir")


def sealed(hub: Hub, who: Person, package: Package) -> Package:
    return seal(hub, at_desk(hub, who), package.number.text, package.choice)


class TestSchedule:
    def test_quarter_that_is_over_is_prepared_once(self, ready: Hub, awa: Person) -> None:
        assert (preparing.is_any_due(ready.store, ready.clock()), due(ready)) == (False, 0)
        quarter_over(ready)
        assert preparing.is_any_due(ready.store, ready.clock())
        assert (due(ready), due(ready)) == (1, 0)
        assert all_of(ready, awa) == [(NUMBER, "prepared")]
        assert not preparing.is_any_due(ready.store, ready.clock())

    @pytest.mark.parametrize(("where", "step"), [(packages, "add"), (notices, "tell_each")])
    def test_killed_before_it_ends_it_leaves_no_number_and_is_done_by_the_next_run(
        self, ready: Hub, awa: Person, binta: Person, monkeypatch: pytest.MonkeyPatch, where: object, step: str
    ) -> None:
        quarter_over(ready)

        def die(*_: object, **__: object) -> None:
            raise SystemExit

        with monkeypatch.context() as patch:
            patch.setattr(where, step, die)
            with pytest.raises(SystemExit):
                due(ready)
        assert (all_of(ready, awa), heard(ready, binta)) == ([], [])
        assert due(ready) == 1
        assert (all_of(ready, awa), heard(ready, binta)) == ([(NUMBER, "prepared")], ["package_prepared"])

    def test_job_of_the_hub_prepares_it_and_says_so(self, ready: Hub, awa: Person) -> None:
        [job] = [each for each in JOBS if each.name == "packages"]
        assert not job.is_wanted(ready)
        quarter_over(ready)
        assert run_if_due(ready, job) == "done"
        assert all_of(ready, awa) == [(NUMBER, "prepared")]
        ready.clock.pass_(hours=1)  # type: ignore[attr-defined]
        assert run_if_due(ready, job) is None

    def test_what_was_given_up_is_for_people_to_prepare_again(self, ready: Hub, awa: Person) -> None:
        quarter_over(ready)
        due(ready)
        cancel(ready, awa, NUMBER)
        assert due(ready) == 0
        prepared(ready, awa)
        assert all_of(ready, awa) == [(NUMBER[:-1] + "2", "prepared"), (NUMBER, "cancelled")]

    def test_each_destination_has_its_own_and_none_before_its_series_began(self, ready: Hub, awa: Person) -> None:
        desk = at_desk(ready, awa)
        late = Destination("cndh-late", "cndh", "commission", None, date(2017, 1, 1))
        destinations.add(ready.store, desk, [OCLEI, late])
        serials.add(ready.store, desk, OCLEI.code, "OCLEI", BEGUN, "folder")
        serials.add(ready.store, desk, late.code, "LATE", date(2027, 1, 1), "folder")
        quarter_over(ready)
        assert due(ready) == 2
        assert {number for number, _ in all_of(ready, awa)} == {NUMBER, f"OCLEI-{QUARTER}-0001"}

    def test_package_before_it_that_nobody_sealed_keeps_it_back(self, ready: Hub, awa: Person) -> None:
        quarter_over(ready)
        due(ready)
        ready.clock.pass_(days=90)  # type: ignore[attr-defined]
        assert due(ready) == 0
        cancel(ready, awa, NUMBER)
        assert due(ready) == 1
        assert all_of(ready, awa)[0] == ("CNDH-2027-T1-0001", "prepared")

    def test_who_can_approve_hears_of_it_once(self, ready: Hub, awa: Person, binta: Person) -> None:
        others = [
            add_person(ready, "Gao", is_named_reader=True, teams=["gao"]),
            add_person(ready, "Sans cas stricts"),
            add_person(ready, "Oumar", "verifier", is_named_reader=True),
            add_person(ready, "Greffe", "commission"),
        ]
        quarter_over(ready)
        due(ready)
        due(ready)
        assert [heard(ready, each) for each in (awa, binta)] == [["package_prepared"]] * 2
        assert [heard(ready, each) for each in others] == [[]] * 4

    def test_who_prepared_it_by_hand_does_not(self, ready: Hub, awa: Person, binta: Person) -> None:
        quarter_over(ready)
        prepared(ready, awa)
        assert (heard(ready, awa), heard(ready, binta)) == ([], ["package_prepared"])

    def test_one_person_does_not_let_go_alone_what_the_hub_prepared(
        self, ready: Hub, awa: Person, binta: Person, tmp_path: Path
    ) -> None:
        quarter_over(ready)
        due(ready)
        folder = press_of(ready).folder
        sealed(ready, binta, preparing.one(ready.store, at_desk(ready, binta), NUMBER))
        assert fault(lambda: transmitting.note_left(ready.store, at_desk(ready, binta), NUMBER)) == "same_sender"
        sent = transmitting.send_to_folder(ready.store, at_desk(ready, awa), folder, NUMBER, tmp_path)
        assert sent.state == "transmitted"


class TestSuspension:
    """Suspended: nothing is prepared, sealed or sent, by whichever door; lifted: all goes on."""

    def suspend(self, hub: Hub, who: Person) -> None:
        destinations.suspend(hub.store, at_desk(hub, who), CNDH.code)

    def lift(self, hub: Hub, who: Person) -> None:
        destinations.lift(hub.store, at_desk(hub, who), CNDH.code)

    def test_nothing_is_prepared(self, ready: Hub, awa: Person) -> None:
        quarter_over(ready)
        self.suspend(ready, awa)
        assert (preparing.is_any_due(ready.store, ready.clock()), due(ready)) == (False, 0)
        assert fault(lambda: prepared(ready, awa)) == "suspended"
        assert all_of(ready, awa) == []
        self.lift(ready, awa)
        assert due(ready) == 1

    def test_nothing_is_sealed_nor_chosen_anew(self, ready: Hub, awa: Person, binta: Person) -> None:
        quarter_over(ready)
        package = prepared(ready, awa)
        self.suspend(ready, awa)
        look = preparing.look(ready.store, at_desk(ready, binta), ready.secrets.pepper, NUMBER)
        assert look.blockers[0] == "suspended"
        assert fault(lambda: sealed(ready, binta, package)) == "suspended"
        anew = lambda: preparing.prepare_anew(ready.store, at_desk(ready, awa), ready.secrets.pepper, NUMBER)  # noqa: E731
        assert fault(anew) == "suspended"
        assert not list(press_of(ready).folder.glob("*.zip*"))
        self.lift(ready, awa)
        assert sealed(ready, binta, package).state == "sealed"

    def test_nothing_is_sealed_where_it_is_suspended_meanwhile(self, ready: Hub, awa: Person, binta: Person) -> None:
        quarter_over(ready)
        desk, package = at_desk(ready, binta), prepared(ready, awa)
        look = preparing.look(ready.store, desk, ready.secrets.pepper, NUMBER)
        with ready.store.read() as connection:
            assert preparing.stands_still(connection, desk, ready.secrets.pepper, look)
        self.suspend(ready, awa)
        with ready.store.read() as connection:
            assert not preparing.stands_still(connection, desk, ready.secrets.pepper, look)
        self.lift(ready, awa)
        assert sealed(ready, binta, package).state == "sealed"

    def test_nothing_is_sent_nor_given_out(self, ready: Hub, awa: Person, binta: Person, tmp_path: Path) -> None:
        quarter_over(ready)
        sealed(ready, binta, prepared(ready, awa))
        desk, folder = at_desk(ready, awa), press_of(ready).folder
        self.suspend(ready, awa)
        ways = (
            lambda: transmitting.send_to_folder(ready.store, desk, folder, NUMBER, tmp_path),
            lambda: transmitting.send_to_address(ready.store, desk, folder, NUMBER),
            lambda: transmitting.note_left(ready.store, desk, NUMBER),
            lambda: transmitting.kept_file(ready.store, desk, folder, NUMBER),
        )
        assert [fault(each) for each in ways] == ["suspended"] * 4
        assert list(tmp_path.glob("*.zip*")) == []
        self.lift(ready, awa)
        assert transmitting.send_to_folder(ready.store, desk, folder, NUMBER, tmp_path).state == "transmitted"
        assert len(list(tmp_path.glob("*.zip.age"))) == 1

    def test_what_left_while_it_was_suspended_is_noted_as_gone(
        self, ready: Hub, awa: Person, binta: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A road of an hour: what is there is there, whatever was said meanwhile."""
        quarter_over(ready)
        sealed(ready, binta, prepared(ready, awa))
        deliver = transmitting.delivering.to_folder

        def slowly(*arguments: object) -> bool:
            self.suspend(ready, awa)
            return deliver(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(transmitting.delivering, "to_folder", slowly)
        desk, folder = at_desk(ready, awa), press_of(ready).folder
        assert transmitting.send_to_folder(ready.store, desk, folder, NUMBER, tmp_path).state == "transmitted"

    def test_after_its_last_day_neither(self, hub: Hub, awa: Person) -> None:
        lay_down(hub, awa, Destination("cndh", "cndh", "commission", None, date(2017, 1, 1), date(2026, 12, 31)))
        quarter_over(hub)
        assert not preparing.is_any_due(hub.store, hub.clock())
        assert fault(lambda: prepared(hub, awa)) == "not_valid"


class TestAfterARestore:
    """Nobody knows what was made since the backup: no number is drawn before somebody said."""

    @pytest.fixture
    def back(self, ready: Hub, awa: Person) -> Hub:
        quarter_over(ready)
        with ready.store.write() as connection:
            assert packages.mark_restored(connection) == 1
        return ready

    def resume(self, hub: Hub, who: Person, *last: str) -> int:
        return serials.resume(hub.store, at_desk(hub, who), CNDH.code, last, WHY)

    def test_nothing_is_prepared_or_sealed_before_somebody_said_which_was_the_last(
        self, ready: Hub, awa: Person, binta: Person
    ) -> None:
        quarter_over(ready)
        package = prepared(ready, awa)
        with ready.store.write() as connection:
            packages.mark_restored(connection)
        assert fault(lambda: sealed(ready, binta, package)) == "restored"
        cancel(ready, awa, NUMBER)
        assert fault(lambda: prepared(ready, awa)) == "restored"
        assert [each.destination for each in serials.waiting_to_resume(ready.store, at_desk(ready, awa))] == ["cndh"]
        assert self.resume(ready, awa) == 0
        assert prepared(ready, awa).no == 2

    def test_job_waits_for_it(self, back: Hub, awa: Person) -> None:
        assert (preparing.is_any_due(back.store, back.clock()), due(back)) == (False, 0)
        self.resume(back, awa)
        assert due(back) == 1

    def test_numbers_up_to_the_last_one_are_never_drawn_again(self, back: Hub, awa: Person) -> None:
        assert self.resume(back, awa, f"cndh-{QUARTER}-0003") == 3
        lost = [(f"CNDH-{QUARTER}-000{no}", "cancelled") for no in (3, 2, 1)]
        assert all_of(back, awa) == lost
        assert prepared(back, awa).number == Number("CNDH", QUARTER, 4)
        with back.store.read() as connection:
            assert {each.reason for each in packages.listed(connection)} == {WHY, None}

    def test_one_that_it_takes_for_prepared_may_have_left(self, ready: Hub, awa: Person) -> None:
        quarter_over(ready)
        prepared(ready, awa)
        with ready.store.write() as connection:
            packages.mark_restored(connection)
        assert self.resume(ready, awa, NUMBER) == 1
        assert all_of(ready, awa) == [(NUMBER, "cancelled")]

    def test_one_after_the_last_that_left_is_prepared_still(self, ready: Hub, awa: Person, binta: Person) -> None:
        quarter_over(ready)
        sealed(ready, binta, prepared(ready, awa))
        ready.clock.pass_(days=90)  # type: ignore[attr-defined]
        preparing.prepare(ready.store, at_desk(ready, awa), ready.secrets.pepper, CNDH.code, "2027-T1")
        with ready.store.write() as connection:
            packages.mark_restored(connection)
        assert self.resume(ready, awa, NUMBER) == 0
        assert all_of(ready, awa) == [("CNDH-2027-T1-0001", "prepared"), (NUMBER, "sealed")]

    def test_series_that_is_laid_down_again_is_asked_too(self, back: Hub, awa: Person) -> None:
        destinations.add(back.store, at_desk(back, awa), [OCLEI])
        serials.add(back.store, at_desk(back, awa), OCLEI.code, "OCLEI", BEGUN, "folder")
        waiting = serials.waiting_to_resume(back.store, at_desk(back, awa))
        assert [each.prefix for each in waiting] == ["CNDH", "OCLEI"]

    @pytest.mark.parametrize("number", ["OCLEI-2026-T4-0001", "0003", f"CNDH-{QUARTER}-0101", ""])
    def test_what_is_no_number_of_it_is_refused(self, back: Hub, awa: Person, number: str) -> None:
        assert fault(lambda: self.resume(back, awa, number)) == "other_number"
        assert all_of(back, awa) == []
        assert serials.waiting_to_resume(back.store, at_desk(back, awa)) != []

    def test_it_is_said_once_and_by_who_prepares(self, back: Hub, awa: Person) -> None:
        with pytest.raises(NotFound):
            self.resume(back, add_person(back, "Gao", teams=["gao"]))
        with pytest.raises(ReasonMissing):
            serials.resume(back.store, at_desk(back, awa), CNDH.code, (), "")
        self.resume(back, awa)
        assert fault(lambda: self.resume(back, awa)) == "not_restored"


ELSEWHERE = """
from server.domain.release import Candidate, Somewhere, Victim
from server.services.commission.choosing import Choice
said = dict.fromkeys(Candidate.__dataclass_fields__, "") | {"where": Somewhere(), "victim": Victim("f", "", 1)}
parts = frozenset({"facts", "identity", "contacts"})
candidates = [Candidate(**said | {"parts": parts})]
nothing = dict.fromkeys(Choice.__dataclass_fields__, ())
print(Choice(**nothing | {"candidates": candidates, "said": {}, "against": {}}).digest())
"""


def test_choice_is_the_same_in_another_process() -> None:
    """The hub prepares, and a command approves: there sets have another order."""
    command = [sys.executable, "-c", ELSEWHERE]
    seeds = ({"PYTHONHASHSEED": str(seed)} for seed in range(4))
    found = {subprocess.run(command, env=os.environ | each, capture_output=True, check=True).stdout for each in seeds}
    assert len(found) == 1


def test_clock_that_is_doubted_prepares_nothing(ready: Hub, awa: Person) -> None:
    [job] = [each for each in JOBS if each.name == "packages"]
    assert run_if_due(ready, job) is None
    [look] = [each for each in JOBS if each.name == "freeze"]
    run_if_due(ready, look)
    ready.clock.pass_(days=365)  # type: ignore[attr-defined]
    assert (job.needs_clock, run_if_due(ready, job)) == (True, None)
    assert all_of(ready, awa) == []
