"""Verifying: who may conclude, what a finding needs, when it counts late, and that nobody is more than alleged."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest

from server.domain.act import Judgement
from server.domain.errors import FindingRefused, JudgementRefused, NotFound, StaleRevision, TransitionRefused
from server.hub import Hub
from server.services.cases import verifying
from server.services.cases.verifying import Concluded, LookedInto
from server.services.vault import handing_on
from tests.builders import Clock, Person, Sender, add_person, complaint, enrolled
from tests.case_referrals import entries, numbered, told
from tests.case_work import at_desk, attach, undo, version

VISITED = Concluded("corroborated", "visit", 2, "reasonable_grounds", date(2026, 11, 20))
CONVICTED = Judgement("convicted", "assize", date(2026, 11, 1), is_final=True)


@pytest.fixture
def number(hub: Hub, awa: Person, phone: Sender) -> str:
    """A complaint of racket and threats, whose case nobody opened."""
    phone.send(complaint("a"))
    return numbered(hub, 1)[0]


def begin(hub: Hub, who: Person, number: str, kind: str = "HR-THR", **again: str) -> None:
    verifying.begin(hub.store, at_desk(hub, who), number, kind, after=version_of(hub, number), **again)


def conclude(hub: Hub, who: Person, number: str, said: Concluded = VISITED, kind: str = "HR-THR") -> None:
    verifying.conclude(hub.store, at_desk(hub, who), number, kind, said, after=version_of(hub, number))


def version_of(hub: Hub, number: str) -> int:
    """The version of a case, whoever may see it."""
    try:
        return entries(hub, number)[-1].no
    except AssertionError:
        return 0


def looked(hub: Hub, who: Person, number: str) -> tuple[str, dict[str, str]]:
    """What a case comes to, and each act that somebody looked at."""
    found = verifying.look(hub.store, at_desk(hub, who), number)
    return found.sum.state, {kind: each.state for (_, kind), each in found.found.items()}


def faults(refused: pytest.ExceptionInfo[FindingRefused]) -> object:
    return refused.value.values["faults"]


def test_act_is_verified_and_the_case_comes_to_the_worst_that_is_known(hub: Hub, awa: Person, number: str) -> None:
    assert looked(hub, awa, number) == ("unverified", {})
    begin(hub, awa, number)
    assert told(hub, number) == [{"template": "verifying", "fields": {}}]
    assert looked(hub, awa, number) == ("under_verification", {"HR-THR": "under_verification"})
    conclude(hub, awa, number)
    assert looked(hub, awa, number) == ("corroborated", {"HR-THR": "corroborated"})
    entry = entries(hub, number)[-1]
    assert (entry.code, dict(entry.fields)) == ("found", {"act": "HR-THR", "no": 2, "state": "corroborated"})


def test_of_what_is_strict_another_person_concludes_than_began(
    hub: Hub, awa: Person, binta: Person, phone: Sender
) -> None:
    phone.send(complaint("a", confidentiality="strict"))
    [number] = numbered(hub, 1)
    begin(hub, awa, number)
    with pytest.raises(FindingRefused) as refused:
        conclude(hub, awa, number)
    assert faults(refused) == ("second",)
    assert [each.needs_second for each in acts(hub, awa, number)] == [False, True]
    assert [each.needs_second for each in acts(hub, binta, number)] == [False, False]
    conclude(hub, binta, number)
    assert looked(hub, awa, number)[1] == {"HR-THR": "corroborated"}


def test_verifier_works_on_the_complaints_that_are_assigned_and_sees_no_others(
    hub: Hub, awa: Person, phone: Sender, number: str
) -> None:
    verifier = add_person(hub, "Vieux", "verifier")
    phone.send(complaint("b"))
    attach(hub, awa, numbered(hub, 2)[0], number)
    with pytest.raises(NotFound):
        acts(hub, verifier, number)
    handing_on.assign(hub.store, at_desk(hub, awa), 1, verifier.actor.id)
    work = verifying.work(hub.store, at_desk(hub, verifier), number)
    assert ({each.number for each in work.acts}, work.is_handler) == ({number}, False)
    assert [(each.label, each.is_collector) for each in work.devices] == [("Gao 1", True)]


def acts(hub: Hub, who: Person, number: str) -> Sequence[LookedInto]:
    return verifying.work(hub.store, at_desk(hub, who), number).acts


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (replace(VISITED, sources=1), ("sources_too_few",)),
        (replace(VISITED, sources=0), ("sources",)),
        (replace(VISITED, certainty="reasonable_suspicion"), ("certainty_too_low",)),
        (replace(VISITED, method="hearsay"), ("method",)),
        (replace(VISITED, verified_on=date(2026, 11, 22)), ("day",)),
        (replace(VISITED, state="unverified"), ("state",)),
        (replace(VISITED, device="Gao 1", sources=1), ("own", "sources_too_few")),
    ],
)
def test_finding_without_enough_behind_it_is_refused_with_all_its_faults(
    hub: Hub, awa: Person, number: str, said: Concluded, found: tuple[str, ...]
) -> None:
    begin(hub, awa, number)
    with pytest.raises(FindingRefused) as refused:
        conclude(hub, awa, number, said)
    assert faults(refused) == found
    assert looked(hub, awa, number)[0] == "under_verification"


def test_another_phone_than_the_collector_s_and_not_its_successor_verifies(
    hub: Hub, awa: Person, number: str, phone: Sender
) -> None:
    enrolled(hub, "Gao 2", succeeds=phone)
    enrolled(hub, "Gao 3", team="gao")
    enrolled(hub, "Mopti 1", team="mopti")
    begin(hub, awa, number)
    with pytest.raises(FindingRefused) as refused:
        conclude(hub, awa, number, replace(VISITED, device="Gao 2"))
    assert faults(refused) == ("own",)
    for device in ("Mopti 1", "Gao 7"):
        with pytest.raises(FindingRefused) as refused:
            conclude(hub, awa, number, replace(VISITED, device=device))
        assert faults(refused) == ("device",)
    conclude(hub, awa, number, replace(VISITED, device="Gao 3"))
    assert looked(hub, awa, number)[0] == "corroborated"


def test_finding_after_the_quarter_of_the_facts_is_late(hub: Hub, awa: Person, number: str) -> None:
    begin(hub, awa, number)
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(days=60)
    conclude(hub, awa, number)
    found = verifying.look(hub.store, at_desk(hub, awa), number).found
    assert [each.is_late for each in found.values()] == [True]


def test_act_that_was_concluded_is_looked_at_again_for_a_reason_alone(hub: Hub, awa: Person, number: str) -> None:
    begin(hub, awa, number)
    conclude(hub, awa, number)
    with pytest.raises(FindingRefused) as refused:
        begin(hub, awa, number)
    assert faults(refused) == ("reason",)
    begin(hub, awa, number, reason="contradicted")
    assert looked(hub, awa, number)[0] == "under_verification"


def test_what_was_concluded_by_mistake_is_taken_back_at_once_alone(hub: Hub, awa: Person, number: str) -> None:
    begin(hub, awa, number)
    conclude(hub, awa, number)
    assert undo(hub, awa, number) == "found"
    assert undo(hub, awa, number) == "verifying"
    assert looked(hub, awa, number) == ("unverified", {})
    begin(hub, awa, number)
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(minutes=10)
    with pytest.raises(TransitionRefused):
        undo(hub, awa, number)


def test_verifier_concludes_what_is_assigned_and_nothing_else(hub: Hub, awa: Person, number: str) -> None:
    oumar = add_person(hub, "Oumar", "verifier")
    with pytest.raises(NotFound):
        begin(hub, oumar, number)
    handing_on.assign(hub.store, at_desk(hub, awa), 1, oumar.actor.id)
    begin(hub, oumar, number)
    conclude(hub, oumar, number)
    assert entries(hub, number)[-1].actor == oumar.actor.signature
    with pytest.raises(NotFound):
        verifying.look(hub.store, at_desk(hub, oumar), number)


def test_act_that_the_complaint_does_not_report_is_not_verified(hub: Hub, awa: Person, number: str) -> None:
    with pytest.raises(NotFound):
        begin(hub, awa, number, "HR-LAN")


def test_verifying_on_what_somebody_changed_since_is_refused(hub: Hub, awa: Person, number: str) -> None:
    begin(hub, awa, number)
    with pytest.raises(StaleRevision):
        verifying.begin(hub.store, at_desk(hub, awa), number, "COR-RACKET", after=0)


def test_who_has_one_complaint_hears_nothing_of_those_that_joined_it(
    hub: Hub, awa: Person, gao: Person, number: str
) -> None:
    enrolled(hub, "Mopti 1", team="mopti").send(complaint("z"))
    [other] = numbered(hub, 2)
    attach(hub, awa, other, number)
    with pytest.raises(StaleRevision) as refused:
        verifying.begin(hub.store, at_desk(hub, gao), number, "HR-THR", after=99)
    assert other not in str(refused.value.values)
    begin(hub, gao, number)


def test_whoever_is_accused_is_alleged_until_judged_for_good(hub: Hub, awa: Person, number: str) -> None:
    def shown() -> set[str]:
        acts = verifying.look(hub.store, at_desk(hub, awa), number).acts
        return {each.role_shown for _, act in acts for each in act.involved if each.person == 2}

    def judge(said: Judgement, person: int = 2) -> None:
        seen = version_of(hub, number)
        verifying.judge(hub.store, at_desk(hub, awa), number, person, said, after=seen)

    assert shown() == {"alleged_perpetrator"}
    judge(replace(CONVICTED, is_final=False))
    assert shown() == {"alleged_perpetrator"}
    judge(CONVICTED)
    assert shown() == {"perpetrator"}
    for said, person, fault in (
        (CONVICTED, 2, "final"),
        (CONVICTED, 1, "nobody"),
        (replace(CONVICTED, court="village"), 2, "court"),
        (replace(CONVICTED, on=date(2027, 1, 1)), 2, "day"),
    ):
        with pytest.raises(JudgementRefused) as refused:
            judge(said, person)
        assert refused.value.values["fault"] == fault
    assert undo(hub, awa, number) == "judged"
    assert shown() == {"alleged_perpetrator"}
    judge(replace(CONVICTED, verdict="acquitted"))
    assert shown() == {"acquitted"}
    assert version(hub, awa, number) == version_of(hub, number)
