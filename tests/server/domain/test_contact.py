"""Reaching a person: what each answer leaves, and that what is not known leaves nothing."""

from dataclasses import replace
from itertools import product

import pytest

from client_sync.protocol.canonical import canonical
from client_sync.protocol.vocabulary import VOCABULARY
from server.domain.contact import (
    UNREADABLE,
    WAYS,
    Spoken,
    Way,
    Wish,
    check,
    follows_gbv_rules,
    reach,
    wishes_in,
    without_contacts,
)
from server.domain.errors import ContactNotAllowed

EVERY = frozenset(WAYS)
UNSEEN = EVERY - {"verification_visit"}
OPEN = Wish("yes", "confidential", "C2", "", frozenset({"COR-RACKET"}))


@pytest.mark.parametrize(
    ("changed", "ways", "limits"),
    [
        ({}, EVERY, ()),
        ({"contact_ok": "in_person"}, {"at_next_meeting"}, ("in_person",)),
        ({"contact_ok": "never"}, set(), ("never",)),
        ({"contact_ok": "unasked"}, set(), ("unasked",)),
        ({"withdrawn": "exports"}, UNSEEN, ("consent",)),
        ({"withdrawn": "all"}, set(), ("withdrawn",)),
        ({"consent_level": "C1"}, UNSEEN, ("consent",)),
        ({"confidentiality": "strict"}, UNSEEN, ("strict",)),
        ({"kinds": frozenset({"COR-RACKET", "GBV-3"})}, UNSEEN, ("gbv",)),
        ({"kinds": frozenset({"COR-SEX"}), "contact_ok": "in_person"}, {"at_next_meeting"}, ("in_person", "gbv")),
        ({"withdrawn": "all", "contact_ok": "never"}, set(), ("withdrawn", "never")),
    ],
)
def test_each_answer_leaves_what_the_person_chose(changed: dict[str, str], ways: set[str], limits: tuple[str]) -> None:
    found = reach([replace(OPEN, **changed)])
    assert (found.ways, found.limits) == (ways, limits)


@pytest.mark.parametrize("name", ["contact_ok", "confidentiality", "consent_level", "withdrawn"])
def test_answer_that_is_not_known_leaves_nothing(name: str) -> None:
    assert reach([replace(OPEN, **{name: "maybe"})]) == reach([UNREADABLE])
    assert reach([UNREADABLE]).ways == frozenset()


def test_complaint_that_says_nothing_leaves_nothing() -> None:
    assert reach([]).ways == reach([replace(OPEN, kinds=frozenset())]).ways == frozenset()


def test_every_code_of_the_vocabulary_has_a_rule() -> None:
    lists = [VOCABULARY.lists[name] for name in ("contact_ok", "confidentiality", "consent_level")]
    for answers in product(*lists, VOCABULARY.kinds):
        assert "unreadable" not in reach([Wish(*answers[:3], "", frozenset({answers[3]}))]).limits


def test_care_of_gbv_is_that_of_the_vocabulary_and_for_kinds_to_come() -> None:
    assert {kind for kind in VOCABULARY.kinds if follows_gbv_rules(kind)} == {
        kind for kind in VOCABULARY.kinds if VOCABULARY.follows_gbv_rules(kind)
    }
    assert follows_gbv_rules("VBG-7")


@pytest.mark.parametrize("contact_ok", ["yes", "in_person", "never"])
def test_gbv_never_gets_a_verification_visit(contact_ok: str) -> None:
    with pytest.raises(ContactNotAllowed):
        check([replace(OPEN, contact_ok=contact_ok, kinds=frozenset({"GBV-1"}))], "verification_visit")


def test_most_careful_of_several_answers_counts() -> None:
    found = reach([OPEN, replace(OPEN, contact_ok="in_person"), replace(OPEN, consent_level="C0")])
    assert (found.ways, found.limits) == ({"at_next_meeting"}, ("unsettled", "in_person", "consent"))


def test_refusal_says_what_the_person_chose() -> None:
    with pytest.raises(ContactNotAllowed) as refused:
        check([replace(OPEN, contact_ok="in_person", confidentiality="strict")], "call")
    assert refused.value.values == {"way": "call", "fault": "in_person"}
    with pytest.raises(ContactNotAllowed) as refused:
        check([], "at_next_meeting")
    assert refused.value.values["fault"] == "unreadable"


def _is_refused(wish: Wish, way: Way) -> bool:
    try:
        check([wish], way)
    except ContactNotAllowed:
        return True
    return False


@pytest.mark.parametrize(("contact_ok", "kind"), [*product(("yes", "in_person", "never"), ("OTH", "GBV-2"))])
def test_check_refuses_what_is_not_within_reach_and_nothing_else(contact_ok: str, kind: str) -> None:
    wish = replace(OPEN, contact_ok=contact_ok, kinds=frozenset({kind}))
    assert {way for way in WAYS if not _is_refused(wish, way)} == reach([wish]).ways


def _facts(**changes: object) -> dict[str, object]:
    told = {"contact_ok": "yes", "confidentiality": "confidential", "kinds": ["COR-RACKET"], "consent": {"level": "C2"}}
    return {"facts": {"clear": told | changes}}


def _line(op: str, content: object, seq: object = 1) -> bytes:
    return canonical({"op": op, "content": content, "seq": seq})


def _said(op: str, content: object, seq: int = 1, lineage: str = "a", number: int = 1) -> Spoken:
    return Spoken(lineage, (number, seq), _line(op, content))


@pytest.mark.parametrize(
    ("op", "content", "word"),
    [
        ("withdrawal", {"scope": "all"}, replace(OPEN, withdrawn="all")),
        ("consent_change", {"consent": {"level": "C0"}}, replace(OPEN, consent_level="C0")),
        ("complaint", _facts(contact_ok="never"), replace(OPEN, contact_ok="never")),
        ("revision", _facts(consent={"level": "C1"}), replace(OPEN, consent_level="C1")),
        ("revision", _facts(kinds=["GBV-1"]), replace(OPEN, kinds=frozenset({"GBV-1"}))),
        ("revision", _facts(confidentiality="strict"), replace(OPEN, confidentiality="strict")),
        ("revision", {"statement": {"box": "x"}}, OPEN),
        ("answer", {}, OPEN),
        ("revision", {"facts": {"clear": None}}, UNREADABLE),
        ("revision", {"facts": {"clear": {}}}, UNREADABLE),
        ("revision", _facts(kinds=[["GBV-1"]]), UNREADABLE),
        ("withdrawal", {}, UNREADABLE),
        ("something_new", {}, UNREADABLE),
    ],
)
def test_word_of_a_device_changes_what_stands(op: str, content: dict[str, object], word: Wish) -> None:
    assert wishes_in(OPEN, [_said(op, content)]) == [OPEN, word]


def test_last_word_of_a_device_counts_in_whatever_order_it_came() -> None:
    answers = ("never", "in_person", "yes")
    said = [_said("revision", _facts(contact_ok=answer), seq) for seq, answer in enumerate(answers)]
    assert reach(wishes_in(OPEN, reversed(said))).ways == EVERY
    assert reach(wishes_in(OPEN, said[:2])).ways == {"at_next_meeting"}


def test_successor_of_a_device_has_the_last_word() -> None:
    before, after = _said("revision", _facts(contact_ok="never"), 90), _said("revision", _facts(), 2, number=2)
    assert reach(wishes_in(OPEN, [after, before])).ways == EVERY


def test_word_of_another_device_takes_back_nothing() -> None:
    never, yes = _said("revision", _facts(contact_ok="never")), _said("revision", _facts(), 9, "b", 2)
    found = reach(wishes_in(OPEN, [never, yes]))
    assert (found.ways, found.limits) == (frozenset(), ("never", "unsettled"))


def test_nothing_lessens_a_withdrawal() -> None:
    said = [_said("withdrawal", {"scope": scope}, seq) for seq, scope in enumerate(("all", "exports"))]
    assert reach(wishes_in(OPEN, said)).limits == ("withdrawn", "unsettled")


@pytest.mark.parametrize("payload", [b"\xff", b"[]", b"{}", b'{"original":{"box":"x"},"seal":{}}'])
def test_what_nobody_can_read_may_be_a_withdrawal(payload: bytes) -> None:
    said = [Spoken.set_aside("a", 1, payload), _said("revision", _facts())]
    assert reach(wishes_in(OPEN, said)).ways == frozenset()


def test_operation_that_is_not_known_yet_may_be_a_withdrawal_whatever_came_after() -> None:
    said = [_said("something_new", {}, 1), _said("revision", _facts(), 2)]
    assert reach(wishes_in(OPEN, said)).ways == frozenset()


def test_place_of_what_was_set_aside_stands_in_its_line() -> None:
    never = Spoken.set_aside("a", 1, _line("revision", _facts(contact_ok="never"), 1))
    assert reach(wishes_in(OPEN, [never, _said("revision", _facts(), 2)])).ways == EVERY
    assert Spoken.set_aside("a", 1, _line("withdrawal", {"scope": "all"}, "x")).place > (1, 2**62)


def test_value_of_another_type_leaves_nothing() -> None:
    assert reach(wishes_in(OPEN, [_said("withdrawal", {"scope": ["all"]})])).ways == frozenset()
    assert reach(wishes_in(OPEN, [_said("revision", _facts(contact_ok=["yes"]))])).ways == frozenset()


@pytest.mark.parametrize(
    ("identity", "shown"),
    [
        (
            {
                "persons": [{"no": 1, "name": "Awa Exemple", "phone": "+223 00 00 12 34", "mail": "x"}],
                "contact": {"how": "+223 00 00 12 34"},
                "more": "x",
            },
            {"persons": [{"no": 1, "name": "Awa Exemple"}]},
        ),
        ({"persons": "+223 00 00 12 34"}, {"persons": []}),
        ({"persons": ["+223 00 00 12 34"]}, {"persons": []}),
        ({}, {"persons": []}),
    ],
)
def test_identity_without_contacts_says_who_and_no_more(identity: dict[str, object], shown: dict[str, object]) -> None:
    assert without_contacts(identity) == shown
