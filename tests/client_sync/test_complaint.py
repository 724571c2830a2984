"""From answers to a complaint: the careful defaults, and what goes into which compartment."""

import json
from typing import Any

import pytest

from client_sync.complaint import (
    Answers,
    Consent,
    Contact,
    Money,
    Person,
    Urgency,
    build_complaint,
    build_revision,
    default_confidentiality,
)
from client_sync.errors import ContentRefused
from tests.client_sync.builders import NOW, record_id

RECEIPT = "7K4M-2QG"
FULL = Answers(
    danger="no",
    narrative="On m'a demandé 2 000 francs.",
    narrative_language="fra",
    kinds=("COR-RACKET", "COR-EXT"),
    cercle="ml-c-mopti",
    places="2026.1",
    place="ml-v-somewhere",
    place_said="après le pont",
    lat="14.4951",
    lon="-4.1967",
    accuracy_m=12,
    incident_from="2026-11-20",
    incident_precision="day",
    perpetrators=(Person(("alleged_perpetrator",), category="customs", note="le grand"),),
    money=Money(asked_xof=2000, paid_xof=0, paid="refused", receipt_given=False),
    service="passer le pont",
    victims=(Person(("complainant", "victim"), sex="f", age="25-59", name="Awa Essai", phone="+223 00 00 00 01"),),
    consent=Consent(level="C2", given_by="self", form="audio", language="bam", read_aloud=True, on="2026-11-21"),
    contact=Contact(how="téléphone", when="le soir", say="c'est pour le sac de riz"),
    contact_ok="yes",
    collected_at="2026-11-20T17:00:00Z",
)


def built(answers: Answers) -> dict[str, Any]:
    return build_complaint(answers, now=NOW, receipt=RECEIPT)


def accused(category: str) -> Answers:
    return Answers(perpetrators=(Person(("alleged_perpetrator",), category=category),))


def test_all_answers_find_their_compartment() -> None:
    assert built(FULL) == {
        "form": "complaint/1",
        "vocabulary": "2026.1",
        "facts": {
            "clear": {
                "kinds": ["COR-RACKET", "COR-EXT"],
                "channel": "in_person",
                "incident": {"from": "2026-11-20", "precision": "day"},
                "place": {"id": "ml-c-mopti", "list": "2026.1"},
                "persons": [
                    {"no": 1, "roles": ["complainant", "victim"], "sex": "f", "age": "25-59"},
                    {"no": 2, "roles": ["alleged_perpetrator"], "category": "customs"},
                ],
                "money": {"asked_xof": 2000, "paid_xof": 0, "paid": "refused", "receipt_given": False},
                "urgency": {"danger": "no"},
                "consent": {
                    "level": "C2",
                    "given_by": "self",
                    "form": "audio",
                    "language": "bam",
                    "read_aloud": True,
                    "on": "2026-11-21",
                },
                "confidentiality": "confidential",
                "contact_ok": "yes",
                "collected_at": "2026-11-20T17:00:00Z",
                "entered_at": "2026-11-21T10:00:00Z",
                "receipt": RECEIPT,
            }
        },
        "statement": {
            "clear": {"narrative": "On m'a demandé 2 000 francs.", "lang": "fra", "service": "passer le pont"}
        },
        "traces": {
            "clear": {
                "place": {"id": "ml-v-somewhere", "list": "2026.1"},
                "said": "après le pont",
                "gps": {"lat": "14.4951", "lon": "-4.1967", "accuracy_m": 12},
            }
        },
        "identity": {
            "clear": {
                "persons": [
                    {"no": 1, "name": "Awa Essai", "phone": "+223 00 00 00 01"},
                    {"no": 2, "note": "le grand"},
                ],
                "contact": {"how": "téléphone", "when": "le soir", "say": "c'est pour le sac de riz"},
            }
        },
    }


def test_no_name_and_no_exact_place_is_in_the_facts() -> None:
    facts = json.dumps(built(FULL)["facts"], ensure_ascii=False)
    assert [word for word in ("Awa", "+223", "pont", "14.4951", "somewhere", "grand") if word in facts] == []


def test_a_complaint_needs_no_answer_at_all() -> None:
    content = built(Answers())
    assert content.keys() == {"form", "vocabulary", "facts"}
    facts = content["facts"]["clear"]
    assert (facts["kinds"], facts["consent"]) == (["OTH"], {"level": "C0"})


@pytest.mark.parametrize(
    ("answers", "confidentiality"),
    [
        (Answers(kinds=("COR-RACKET",)), "confidential"),
        (Answers(kinds=("GBV-1",)), "strict"),
        (Answers(kinds=("COR-EXT", "COR-SEX")), "strict"),
        (Answers(victims=(Person(("victim",), age="12-17"),)), "strict"),
        (Answers(victims=(Person(("victim",), age="18-24"),)), "confidential"),
        (Answers(urgency=Urgency(minor=True)), "strict"),
        (Answers(kinds=("HR-CHR",)), "strict"),
        (Answers(perpetrators=(Person(("alleged_perpetrator",), age="12-17"),)), "confidential"),
        (Answers(others=(Person(("witness",), age="12-17"),)), "strict"),
        (Answers(danger="yes"), "confidential"),
        (Answers(urgency=Urgency(reprisals=True)), "confidential"),
        (Answers(urgency=Urgency(witness=True)), "strict"),
        (Answers(relation="witness"), "confidential"),
        (Answers(relation="witness", danger="yes"), "strict"),
        (Answers(others=(Person(("witness",)),), urgency=Urgency(reprisals=True)), "strict"),
        (accused("armed_forces"), "confidential"),
        (accused("gendarmerie"), "confidential"),
        (accused("network_staff"), "strict"),
        (Answers(confidentiality="strict"), "confidential"),
        (Answers(kinds=("GBV-1",), confidentiality="internal"), "strict"),
    ],
)
def test_the_defaults_are_careful(answers: Answers, confidentiality: str) -> None:
    assert default_confidentiality(answers) == confidentiality


@pytest.mark.parametrize("kind", ["COR-RACKET", "GBV-1"])
def test_contact_that_nobody_asked_about_is_no_answer_of_the_person(kind: str) -> None:
    assert built(Answers(kinds=(kind,)))["facts"]["clear"]["contact_ok"] == "unasked"


def test_what_the_person_says_wins_over_the_defaults() -> None:
    facts = built(Answers(kinds=("GBV-1",), confidentiality="confidential", contact_ok="yes"))["facts"]["clear"]
    assert (facts["confidentiality"], facts["contact_ok"]) == ("confidential", "yes")


def test_an_unknown_date_is_said_to_be_unknown() -> None:
    facts = built(Answers(incident_precision="unknown"))["facts"]["clear"]
    assert facts["incident"] == {"from": None, "precision": "unknown"}


@pytest.mark.parametrize(
    ("answers", "why", "field"),
    [
        (Answers(kinds=("NO-SUCH-KIND",)), "code_unknown", "facts.kinds.0"),
        (Answers(narrative="x" * 20_001), "text_too_long", "statement.narrative"),
        (Answers(incident_from="2026-02-30", incident_precision="day"), "date_impossible", "facts.incident.from"),
    ],
)
def test_what_no_form_allows_is_refused_by_name(answers: Answers, why: str, field: str) -> None:
    with pytest.raises(ContentRefused) as refused:
        built(answers)
    assert refused.value.details == {"why": why, "field": field}


def test_answers_come_back_from_a_draft() -> None:
    draft = json.loads(json.dumps(FULL.to_draft()))
    assert Answers.from_draft(draft) == FULL
    assert Answers.from_draft({"kinds": ["OTH"], "of_a_newer_version": 1}) == Answers()


def test_a_revision_replaces_whole_compartments_and_can_empty_one() -> None:
    content = build_revision(
        Answers(narrative="Autre chose."),
        {"statement", "identity"},
        complaint=record_id(1),
        base_revision=2,
        now=NOW,
        receipt=RECEIPT,
    )
    assert content == {
        "base_revision": 2,
        "complaint": record_id(1),
        "statement": {"clear": {"narrative": "Autre chose."}},
        "identity": {"clear": {}},
    }
