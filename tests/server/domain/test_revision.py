"""Revisions: fields, clashes, sealed compartments."""

from typing import Any

from server.domain import revision
from server.domain.revision import Outcome, changed_fields, revise


def _facts(**members: Any) -> dict[str, Any]:
    return {"clear": members}


BASE = {"facts": _facts(channel="phone", sector="health"), "statement": _facts(narrative="a")}
BOX = {"box": "x"}


def test_changed_fields_are_named_by_path() -> None:
    after = {"facts": _facts(channel="radio", language="bam"), "statement": _facts(narrative="a")}

    assert changed_fields(BASE, after) == ("facts.channel", "facts.language", "facts.sector")


def test_compartment_that_is_not_sent_does_not_change() -> None:
    assert changed_fields(BASE, {}) == ()


def test_sealing_changes_the_compartment_as_one_field() -> None:
    assert changed_fields(BASE, {"statement": BOX}) == ("statement",)
    assert changed_fields({"statement": BOX}, {"statement": BOX | {"box": "y"}}) == ("statement",)
    assert changed_fields({"statement": BOX}, {"statement": dict(BOX)}) == ()


def test_revision_on_the_newest_sets_its_fields() -> None:
    change = {"facts": _facts(channel="radio", sector="health")}

    outcome = revise(BASE, [], 1, change)

    assert outcome == Outcome(
        {"facts": _facts(channel="radio", sector="health"), "statement": _facts(narrative="a")},
        ("facts.channel",),
        (),
    )


def test_member_left_out_is_taken_away() -> None:
    assert revise(BASE, [], 1, {"facts": _facts(channel="phone")}).compartments["facts"] == _facts(channel="phone")


def test_two_changes_to_different_fields_both_stand() -> None:
    earlier = [(2, ["facts.channel"], {"facts": _facts(channel="radio", sector="health")})]

    outcome = revise(BASE, earlier, 1, {"facts": _facts(channel="phone", sector="land")})

    assert outcome.compartments["facts"] == _facts(channel="radio", sector="land")
    assert outcome.clashes == ()


def test_two_changes_to_one_field_leave_the_earlier_and_name_the_clash() -> None:
    earlier = [(2, ["facts.channel"], {"facts": _facts(channel="radio", sector="health")})]

    outcome = revise(BASE, earlier, 1, {"facts": _facts(channel="sms", sector="land")})

    assert outcome == Outcome(
        {"facts": _facts(channel="radio", sector="land"), "statement": _facts(narrative="a")},
        ("facts.sector",),
        ("facts.channel",),
    )


def test_two_changes_to_the_same_value_agree() -> None:
    change = {"facts": _facts(channel="radio", sector="health")}

    assert revise(BASE, [(2, ["facts.channel"], change)], 1, change).clashes == ()


def test_revision_that_knows_the_earlier_one_does_not_clash() -> None:
    earlier = [(2, ["facts.channel"], {"facts": _facts(channel="radio", sector="health")})]

    outcome = revise(BASE, earlier, 2, {"facts": _facts(channel="sms", sector="health")})

    assert (outcome.fields, outcome.clashes) == (("facts.channel",), ())


def test_sealing_clashes_with_a_change_inside() -> None:
    earlier = [(2, ["statement.narrative"], {"statement": _facts(narrative="b")})]

    assert revise(BASE, earlier, 1, {"statement": BOX}).clashes == ("statement",)


def test_change_inside_clashes_with_sealing() -> None:
    outcome = revise(BASE, [(2, ["statement"], {"statement": BOX})], 1, {"statement": _facts(narrative="b")})

    assert outcome.clashes == ("statement.narrative",)
    assert outcome.compartments["statement"] == BOX


def test_compartments_of_a_content_leave_the_rest_out() -> None:
    assert revision.of({"facts": {}, "complaint": "x", "traces": BOX}) == {"facts": {}, "traces": BOX}
