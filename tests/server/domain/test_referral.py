"""What may go to which body, and what becomes of what was sent."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from client_sync.protocol.vocabulary import VOCABULARY
from server.domain.act import Act, Involvement
from server.domain.calendar import MALI
from server.domain.errors import ReferralRefused
from server.domain.places import Gazetteer, Place
from server.domain.referral import (
    BLOCKS,
    BODIES,
    NEXT,
    PROGRAMMES,
    Accused,
    Block,
    Destination,
    Referral,
    Sendable,
    State,
    answer_deadline,
    blocks,
    check,
    check_destination,
    is_harmful,
    is_taken_back,
    move,
    parts,
    parts_at_most,
    remind,
    sendable,
)
from server.i18n import catalogue

PAGE = Path(__file__).resolve().parents[3] / "server" / "docs" / "states.md"
DAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 9, 10, 0, tzinfo=UTC)
NOBODY = Accused(())
PLACES = Gazetteer(
    "test",
    (
        Place("segou", "Ségou", "region", None),
        Place("segou.bla", "Bla", "cercle", "segou"),
        Place("mopti", "Mopti", "region", None),
    ),
)
COFO = Destination("cofo-bla", "cofo", "land_commission", "segou.bla", date(2020, 1, 1))
CNDH = Destination("cndh", "cndh", "commission", None, date(2017, 1, 1))
C3: dict[str, Any] = {"level": "C3", "given_by": "self", "bodies": ["cofo", "one_stop"]}
LAND = Sendable(1, frozenset({"HR-LAN"}), "land", "segou.bla", C3)


def _blocks(each: Sendable, to: Destination = COFO, accused: Accused = NOBODY, day: date = DAY) -> tuple[Block, ...]:
    return blocks(each, to, accused, day, PLACES)


def _with(consent: dict[str, Any], **changes: Any) -> Sendable:
    return replace(LAND, consent=consent, **changes)


def test_a_complaint_goes_where_its_kind_place_and_consent_allow() -> None:
    assert _blocks(LAND) == ()
    check(LAND, COFO, NOBODY, DAY, PLACES)


@pytest.mark.parametrize(
    ("each", "block"),
    [
        (_with(C3 | {"level": "C0"}), "consent_level"),
        (_with(C3 | {"level": "C2"}), "consent_level"),
        (_with(C3 | {"bodies": ["bvg"]}), "consent_body"),
        (_with({"level": "C3", "given_by": "self"}), "consent_body"),
        (_with(C3 | {"expires": "2026-11-21"}), "consent_expired"),
        (_with(C3 | {"given_by": "guardian", "assent": False}), "no_assent"),
        (_with(C3, withdrawn="exports"), "withdrawn"),
        (_with(C3, kinds=frozenset({"COR-LAU"})), "kind"),
        (_with(C3, place="mopti"), "place"),
    ],
)
def test_each_thing_that_stands_against_it_is_named(each: Sendable, block: Block) -> None:
    assert _blocks(each) == (block,)
    with pytest.raises(ReferralRefused) as error:
        check(each, COFO, NOBODY, DAY, PLACES)
    assert error.value.values["fault"] == block


def test_all_that_stands_against_it_is_named_at_once() -> None:
    found = _blocks(_with({"level": "C1", "given_by": "self"}, withdrawn="all", place="mopti"))
    assert found == ("withdrawn", "consent_level", "consent_body", "place")


def test_consent_holds_on_its_last_day() -> None:
    assert _blocks(_with(C3 | {"expires": "2026-11-22"})) == ()


def test_the_place_is_not_held_against_what_names_none() -> None:
    assert _blocks(_with(C3, place=None)) == ()
    assert blocks(_with(C3, place="mopti"), COFO, NOBODY, DAY, None) == ()


def test_a_case_lends_no_complaint_the_consent_of_another() -> None:
    found = sendable([LAND, _with({"level": "C2", "given_by": "self"}, complaint=2)], COFO, NOBODY, DAY, PLACES)
    assert found == {1: (), 2: ("consent_level", "consent_body")}


@pytest.mark.parametrize(
    ("to", "block"),
    [
        (replace(COFO, valid_to=date(2026, 11, 21)), "not_valid"),
        (replace(COFO, valid_from=date(2026, 11, 23)), "not_valid"),
        (COFO.suspended(NOW), "suspended"),
    ],
)
def test_nothing_goes_to_a_body_that_is_not_there_or_suspended(to: Destination, block: Block) -> None:
    assert _blocks(LAND, to) == (block,)


def test_suspending_and_lifting_it_leave_a_destination_as_it_was() -> None:
    suspended = COFO.suspended(NOW)
    assert suspended.suspended(datetime(2026, 12, 1, tzinfo=UTC)) == suspended
    assert suspended.reopened() == COFO


def _accusing(category: str) -> Accused:
    """A case of which another complaint accuses somebody of that category."""
    return Accused((Act(2, "COR-LAND", (Involvement(1, "alleged_perpetrator", category),)),))


def test_no_body_is_told_of_its_own_people() -> None:
    assert _blocks(LAND, accused=_accusing("traditional_authority")) == ("own_people",)
    assert _blocks(LAND, accused=_accusing("police")) == ()


def test_the_mayors_office_hears_of_no_mayor() -> None:
    commune = Destination("bla", "commune", "service", None, date(2020, 1, 1))
    unserved = Sendable(1, frozenset({"SRV-NON"}), None, None, {"level": "C2"}, known=frozenset({"service"}))
    assert _blocks(unserved, commune) == ()
    assert _blocks(unserved, commune, _accusing("elected_official")) == ("own_people",)


def test_facts_without_a_name_take_no_chosen_body_but_whoever_chose_chose_no_other() -> None:
    rights = replace(LAND, kinds=frozenset({"HR-ARR"}))
    assert _blocks(replace(rights, consent={"level": "C2", "given_by": "self"}), CNDH) == ()
    assert _blocks(rights, CNDH) == ("consent_body",)


ONE_STOP = Destination("os-bamako", "one_stop", "one_stop", None, date(2020, 1, 1))
SURVIVOR = replace(LAND, kinds=frozenset({"GBV-1"}))


def test_a_survivor_goes_where_she_chose_and_nowhere_on_facts_alone() -> None:
    assert _blocks(SURVIVOR, ONE_STOP) == ()
    assert _blocks(replace(SURVIVOR, consent={"level": "C2", "given_by": "self"}), CNDH) == (
        "consent_level",
        "consent_body",
    )


def test_violence_is_never_taken_to_mediation() -> None:
    mediation = Destination("m", "mediator", "mediation", None, date(2020, 1, 1))
    chosen = {"level": "C3", "bodies": ["mediator"]}
    assert _blocks(_with(chosen), mediation) == ()
    assert _blocks(_with(chosen, kinds=frozenset({"HR-LAN", "GBV-3"})), mediation) == ("gbv",)
    assert _blocks(_with(chosen, kinds=frozenset({"HR-TOR"})), mediation) == ("kind",)


@pytest.mark.parametrize(
    ("place", "known", "found"),
    [
        ("segou.bla", {"officials", "amount"}, ()),
        ("segou", {"officials", "amount"}, ("facts_missing",)),
        (None, {"officials", "amount"}, ("facts_missing",)),
        ("segou.bla", {"officials"}, ("facts_missing",)),
        ("segou.bla", {"service", "amount"}, ("facts_missing",)),
    ],
)
def test_a_corridor_complaint_takes_a_cercle_officials_and_an_amount(
    place: str | None, known: set[str], found: tuple[Block, ...]
) -> None:
    corridor = Destination("c", "corridor_committee", "corridor", None, date(2020, 1, 1))
    racket = Sendable(1, frozenset({"COR-RACKET"}), "transport", place, {"level": "C2"}, known=frozenset(known))
    assert _blocks(racket, corridor) == found


def test_only_what_concerns_an_election_is_an_electoral_dispute() -> None:
    court = Destination("cc", "constitutional_court", "election", None, date(2020, 1, 1))
    vote = Sendable(1, frozenset({"COR-BRI-A"}), "elections", None, {"level": "C2"})
    assert _blocks(vote, court) == ()
    assert _blocks(replace(vote, sector="health"), court) == ("kind",)


@pytest.mark.parametrize(
    ("consent", "sent"),
    [
        ({"level": "C1", "bodies": ["cofo"]}, set()),
        ({"level": "C2"}, {"facts"}),
        ({"level": "C4"}, {"facts"}),
        ({"level": "C3", "bodies": ["bvg"]}, {"facts"}),
        ({"level": "C3", "bodies": ["cofo"]}, {"facts", "statement", "identity"}),
        ({"level": "C3", "bodies": ["cofo"], "withhold": "fear"}, {"facts", "identity"}),
        ({"level": "C4", "bodies": ["cofo"]}, {"facts", "statement", "identity", "contacts"}),
    ],
)
def test_what_leaves_is_what_consent_allows_that_very_body(consent: dict[str, Any], sent: set[str]) -> None:
    assert parts(_with(consent), COFO) == sent


@pytest.mark.parametrize(
    ("consent", "sent", "has_to_know"),
    [
        (C3, ("facts", "identity"), False),
        (C3 | {"expires": "2020-01-01"}, ("facts", "identity"), False),
        (C3 | {"level": "C2"}, ("facts",), True),
        (C3 | {"bodies": ["one_stop"]}, ("facts",), True),
        (C3 | {"withhold": "fear"}, ("facts", "statement"), True),
        (C3 | {"withhold": "fear"}, ("facts", "identity"), False),
        (C3 | {"given_by": "guardian", "assent": False}, ("facts",), True),
    ],
)
def test_what_was_sent_is_taken_back_where_consent_no_longer_covers_it(
    consent: dict[str, Any], sent: tuple[str, ...], has_to_know: bool
) -> None:
    assert is_taken_back(_with(consent), COFO, sent) is has_to_know
    assert is_taken_back(_with(consent, withdrawn="exports"), COFO, sent)


def test_the_same_complaint_is_not_sent_again_to_who_has_it() -> None:
    assert _blocks(_with(C3, at={"cofo-bla": NOW})) == ("there",)


def test_a_referral_is_sent_received_and_answered_until_the_last_answer() -> None:
    sent = move(Referral("legal_aid"), "sent", NOW)
    assert (sent.is_waiting, sent.sent_at) == (True, NOW)
    received = move(sent, "received", NOW, external_ref="RG 114/26")
    tried = move(received, "answered", NOW, outcome="brought_to_trial")
    assert (tried.is_waiting, tried.is_over, tried.external_ref) == (False, False, "RG 114/26")
    judged = move(tried, "answered", NOW, outcome="suspended_sentence")
    assert (judged.is_over, judged.outcome) == (True, "suspended_sentence")
    assert _fault(lambda: move(judged, "answered", NOW, outcome="acquittal")) == "state"
    assert move(judged, "recalled", NOW).outcome == "suspended_sentence"


@pytest.mark.parametrize(
    ("state", "to"),
    [
        ("prepared", "received"),
        ("prepared", "recalled"),
        ("sent", "cancelled"),
        ("refused", "sent"),
        ("recalled", "answered"),
        ("answered", "silent"),
    ],
)
def test_a_referral_takes_no_other_step(state: State, to: State) -> None:
    outcome = "settled" if to == "answered" else None
    assert _fault(lambda: move(Referral("land_commission", state), to, NOW, outcome=outcome)) == "state"


def test_an_answer_is_one_that_the_programme_knows() -> None:
    sent = move(Referral("land_commission"), "sent", NOW)
    assert _fault(lambda: move(sent, "answered", NOW, outcome="acquittal")) == "outcome"
    assert _fault(lambda: move(sent, "answered", NOW)) == "outcome"
    assert _fault(lambda: move(sent, "refused", NOW, outcome="settled")) == "outcome"


def test_a_silent_body_may_still_answer_and_is_reminded() -> None:
    silent = move(move(Referral("service"), "sent", NOW), "silent", NOW)
    assert not silent.is_waiting
    again = remind(remind(silent, NOW), LATER)
    assert (again.reminders, again.reminded_at) == (2, LATER)
    assert move(silent, "answered", NOW, outcome="rendered").is_over
    assert _fault(lambda: remind(Referral("service"), NOW)) == "state"


def test_a_settlement_that_did_harm_is_told_apart() -> None:
    assert is_harmful("mediation", "harmful")
    assert not is_harmful("mediation", "refused")


@pytest.mark.parametrize(
    ("to", "due"),
    [
        (COFO, datetime(2026, 12, 2, 10, 0, tzinfo=UTC)),
        (replace(COFO, answer_term="P10D"), datetime(2026, 11, 12, 10, 0, tzinfo=UTC)),
        (replace(CNDH, programme="detention_visit"), datetime(2026, 11, 4, 10, 0, tzinfo=UTC)),
    ],
)
def test_an_answer_is_due_by_the_destination_or_its_programme(to: Destination, due: datetime) -> None:
    assert answer_deadline(to, NOW, MALI).due_at == due


@pytest.mark.parametrize(
    ("to", "fault"),
    [
        (replace(COFO, programme="legal_aid"), "programme"),
        (replace(COFO, body="nobody"), "programme"),
        (replace(COFO, valid_to=date(2019, 1, 1)), "dates"),
        (replace(COFO, answer_term="soon"), "term"),
    ],
)
def test_a_destination_that_can_not_be_is_refused(to: Destination, fault: str) -> None:
    check_destination(COFO)
    assert _fault(lambda: check_destination(to)) == fault


def test_every_body_that_can_be_chosen_has_a_programme_and_every_programme_a_body() -> None:
    assert VOCABULARY.codes("body") - BODIES.keys() == set()
    assert {programme for named in BODIES.values() for programme in named} == PROGRAMMES.keys()
    kinds = VOCABULARY.kinds
    assert [
        (each.code, start)
        for each in PROGRAMMES.values()
        for start in each.takes
        if not any(kind.startswith(start) for kind in kinds)
    ] == []
    sectors = {sector for each in PROGRAMMES.values() for sector in each.sectors}
    assert sectors <= VOCABULARY.codes("sector")


def test_every_programme_ends_and_takes_survivors_only_where_their_violence_is_its_business() -> None:
    assert [each.code for each in PROGRAMMES.values() if "final" not in each.outcomes.values()] == []
    assert {each.code for each in PROGRAMMES.values() if each.gbv} == {
        "legal_aid",
        "one_stop",
        "trafficking",
        "commission",
    }


def test_the_page_says_of_each_state_what_it_leads_to() -> None:
    page = PAGE.read_text("utf-8").split("## A referral\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ?(.*) \|$", page, re.M)
    assert {state: set(re.findall(r"`(\w+)`", following)) for state, following in rows} == NEXT


@pytest.mark.parametrize("language", ["fr", "en"])
def test_programmes_outcomes_and_what_stands_against_sending_have_their_words(language: str) -> None:
    texts = catalogue(language)
    assert len({texts.text(each.key) for each in PROGRAMMES.values()}) == len(PROGRAMMES)
    for each in PROGRAMMES.values():
        assert len({texts.text(each.outcome_key(outcome)) for outcome in each.outcomes}) == len(each.outcomes)
    assert len({texts.text(f"refusal.referral_refused_{block}", since=NOW) for block in BLOCKS}) == len(BLOCKS)
    with pytest.raises(KeyError):
        PROGRAMMES["legal_aid"].outcome_key("settled")


@pytest.mark.parametrize(
    ("each", "most"),
    [
        (LAND, {"facts", "statement", "identity"}),
        (_with(C3 | {"withhold": "fear"}), {"facts", "identity"}),
        (_with({"level": "C4"}), {"facts"}),
        (_with({"level": "C2"}), {"facts"}),
        (_with({"level": "C1"}), set()),
        (_with(C3 | {"expires": "2026-11-21"}), set()),
        (_with(C3 | {"given_by": "guardian", "assent": False}), set()),
        (_with(C3, withdrawn="exports"), set()),
        (_with({"level": "C2"}, kinds=frozenset({"GBV-1"})), set()),
        (_with({"level": "C3"}, kinds=frozenset({"GBV-1"})), set()),
        (_with(C3, kinds=frozenset({"GBV-1"})), {"facts", "statement", "identity"}),
    ],
)
def test_most_that_any_body_may_get_follows_from_consent_alone(each: Sendable, most: set[str]) -> None:
    assert parts_at_most(each, DAY) == most


def _fault(refused: Callable[[], object]) -> object:
    with pytest.raises(ReferralRefused) as error:
        refused()
    return error.value.values["fault"]
