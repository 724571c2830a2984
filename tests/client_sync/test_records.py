"""The shapes: what they let by, and the code and field of what they don't."""

from typing import Any

import pytest

from client_sync.protocol.canonical import read_operation
from client_sync.protocol.codes import CODES
from client_sync.protocol.records import (
    OPERATIONS,
    Flaw,
    check_complaint,
    check_operation,
    read_day,
    read_time,
)
from tests.builders import an_id, anchor_seen, clear_content, content, facts, operation, said, sealed, sealed_keys


def _check(op: str, **members: Any) -> Flaw | None:
    return check_operation(read_operation(operation(op, "x", members)))


def _of(**changes: Any) -> Flaw | None:
    return check_complaint(content(**changes))


def test_sound_complaint_has_no_finding() -> None:
    assert _of() is None


def test_unknown_members_are_let_by_everywhere() -> None:
    extended = content(novelty=1, consent={"level": "C2", "novelty": []}) | {"novelty": {}}

    assert check_complaint(extended) is None


def test_sealed_compartments_are_opaque() -> None:
    boxes = {"statement": sealed(), "traces": sealed(), "identity": sealed()}

    assert check_complaint(content() | boxes | {"seal": sealed_keys()}) is None


_NEEDED = ("kinds", "channel", "consent", "confidentiality", "contact_ok", "entered_at", "receipt")


@pytest.mark.parametrize("member", _NEEDED)
def test_member_that_must_be_there(member: str) -> None:
    assert _of(**{member: None}) == Flaw("member_missing", f"facts.{member}")


@pytest.mark.parametrize("member", sorted(facts()))
@pytest.mark.parametrize("value", [5.5, [[]], True], ids=repr)
def test_no_member_takes_a_value_of_the_wrong_type(member: str, value: Any) -> None:
    found = _of(**{member: value})

    assert found is not None
    assert found.field.split(".")[:2] == ["facts", member]
    assert found.code in CODES


def test_first_finding_in_the_order_of_the_form_is_named() -> None:
    assert _of(receipt="x", kinds=["NO"], channel="no") == Flaw("code_unknown", "facts.kinds.0")


@pytest.mark.parametrize(
    ("compartment", "expected"),
    [
        ({}, Flaw("compartment_invalid", "statement")),
        ([], Flaw("compartment_invalid", "statement")),
        ({"clear": None}, Flaw("member_invalid", "statement")),
        ({"clear": {"narrative": 5}}, Flaw("member_invalid", "statement.narrative")),
        ({"clear": {"lang": "klingon"}}, Flaw("code_unknown", "statement.lang")),
        (sealed() | {"clear": {}}, Flaw("compartment_invalid", "statement")),
        (sealed(""), Flaw("text_too_long", "statement.box")),
        (sealed("é"), Flaw("member_invalid", "statement.box")),
        (sealed("YWJj="), Flaw("member_invalid", "statement.box")),
        ({"box": 1}, Flaw("member_invalid", "statement.box")),
        (sealed("x" * 400_001), Flaw("text_too_long", "statement.box")),
        (sealed("x" * 400_000), None),
    ],
)
def test_compartment(compartment: Any, expected: Flaw | None) -> None:
    assert check_complaint(content() | {"statement": compartment, "seal": sealed_keys()}) == expected


_KID, _KEY = "0123456789abcdef", "A" * 107


@pytest.mark.parametrize(
    ("seal", "expected"),
    [
        ([], Flaw("member_invalid", "seal")),
        ({}, Flaw("member_missing", "seal.v")),
        ({"v": 1}, Flaw("member_missing", "seal.keys")),
        ({"v": 0, "keys": {_KID: _KEY}}, Flaw("member_invalid", "seal.v")),
        ({"v": 1, "keys": [_KEY]}, Flaw("member_invalid", "seal.keys")),
        ({"v": 1, "keys": {}}, Flaw("member_invalid", "seal.keys")),
        ({"v": 1, "keys": {"Awa Exemple": _KEY}}, Flaw("member_invalid", "seal.keys")),
        ({"v": 1, "keys": {_KID: "é"}}, Flaw("member_invalid", "seal.keys")),
        ({"v": 1, "keys": {_KID: 1}}, Flaw("member_invalid", "seal.keys")),
        ({"v": 1, "keys": {f"{n:016x}": _KEY for n in range(64)}}, None),
        ({"v": 1, "keys": {f"{n:016x}": _KEY for n in range(65)}}, Flaw("member_invalid", "seal.keys")),
        ({"v": 2, "keys": {_KID: _KEY}}, None),
    ],
)
def test_what_opens_the_boxes(seal: Any, expected: Flaw | None) -> None:
    assert check_complaint(content() | {"identity": sealed(), "seal": seal}) == expected


@pytest.mark.parametrize("compartment", ["statement", "traces", "identity"])
def test_box_without_what_opens_it_is_refused(compartment: str) -> None:
    boxed = {compartment: sealed()}

    assert check_complaint(clear_content() | boxed) == Flaw("member_missing", "seal")
    assert _check("revision", complaint=an_id("a"), base_revision=1, **boxed) == Flaw("member_missing", "seal")


_ABOUT = {"complaint": an_id("a")}
_SOUND: dict[str, dict[str, Any]] = {
    "revision": _ABOUT | {"base_revision": 1, "statement": said("x")},
    "consent_change": _ABOUT | {"consent": {"level": "C0"}},
    "withdrawal": _ABOUT | {"scope": "all"},
    "answer": _ABOUT | {"question": an_id("q"), "facts": {"clear": facts()}},
    "task_done": {"task": an_id("t"), "outcome": "verified", "report": {"clear": {"heard": "x"}}},
    "seen": {"changes": [1]},
    "linkage": _ABOUT | {"v": 1, "box": "Ym94"},
    "anchor_seen": anchor_seen(),
}


@pytest.mark.parametrize("op", _SOUND)
def test_operation_needs_each_of_its_members(op: str) -> None:
    sound = _SOUND[op]
    needed = sound.keys() - {"statement", "facts", "report"}

    assert _check(op, **sound) is None
    assert {name: _check(op, **{k: v for k, v in sound.items() if k != name}) for name in needed} == {
        name: Flaw("member_missing", name) for name in needed
    }


def test_every_operation_is_checked_here() -> None:
    assert {"complaint", *_SOUND} == set(OPERATIONS)


@pytest.mark.parametrize(
    ("op", "members", "expected"),
    [
        ("greeting", {}, Flaw("op_unknown", "op")),
        ("revision", {"base_revision": 0}, Flaw("member_invalid", "base_revision")),
        ("revision", {"complaint": an_id("a").upper()}, Flaw("member_invalid", "complaint")),
        ("revision", {"lineage": "x"}, Flaw("member_invalid", "lineage")),
        ("revision", {"facts": sealed()}, Flaw("compartment_sealed_facts", "facts")),
        ("withdrawal", {"scope": "some"}, Flaw("code_unknown", "scope")),
        ("withdrawal", {"wished_on": "2026-02-30"}, Flaw("date_impossible", "wished_on")),
        ("seen", {"changes": []}, Flaw("member_invalid", "changes")),
        ("seen", {"changes": [True]}, Flaw("member_invalid", "changes.0")),
        ("linkage", {"box": "a b"}, Flaw("member_invalid", "box")),
        ("linkage", {"box": "x" * 22_001}, Flaw("text_too_long", "box")),
        ("anchor_seen", anchor_seen(root="G" * 64), Flaw("member_invalid", "anchor.root")),
        ("anchor_seen", anchor_seen(size=0), Flaw("member_invalid", "anchor.size")),
    ],
)
def test_operation_that_does_not_fit(op: str, members: dict[str, Any], expected: Flaw) -> None:
    assert _check(op, **_SOUND.get(op, {}) | members) == expected


@pytest.mark.parametrize("text", ["2026-10-03", "2024-02-29", "0001-01-01", "9999-12-31"])
def test_day_that_can_be_read(text: str) -> None:
    day = read_day(text)

    assert day is not None
    assert day.isoformat() == text


@pytest.mark.parametrize("text", ["", "hier", "2026-02-30", "2026-W40-6", "20261003", "2026-10-3", "2026-10-03\n"])
def test_day_that_is_none(text: str) -> None:
    assert read_day(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-10-06T18:40:12",
        "2026-10-06 18:40:12Z",
        "2026-W40-6T10:04:05Z",
        "20261121T100405.123Z",
        "2026-10-06T18:40:60Z",
    ],
)
def test_time_that_is_none(text: str) -> None:
    assert read_time(text) is None
