"""Revisions: fields, clashes, sealed compartments."""

from typing import Any

from server.domain import revision
from server.domain.revision import Earlier, Revised, changed_fields, revise, standing


def _facts(**members: Any) -> dict[str, Any]:
    return {"clear": members}


BASE = {"facts": _facts(channel="phone", sector="health"), "statement": _facts(narrative="a")}
BOX = {"box": "x"}
OURS, THEIRS = "ours", "theirs"


def _revise(earlier: list[Earlier], base_revision: int, change: dict[str, Any]) -> Revised:
    return revise(BASE, earlier, base_revision, change, lineage=OURS)


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

    outcome = _revise([], 1, change)

    assert outcome == Revised(
        {"facts": _facts(channel="radio", sector="health"), "statement": _facts(narrative="a")},
        ("facts.channel",),
        (),
    )


def test_member_left_out_is_taken_away() -> None:
    assert _revise([], 1, {"facts": _facts(channel="phone")}).compartments["facts"] == _facts(channel="phone")


def test_two_changes_to_different_fields_both_stand() -> None:
    earlier = [Earlier(THEIRS, ["facts.channel"], {"facts": _facts(channel="radio", sector="health")})]

    outcome = _revise(earlier, 1, {"facts": _facts(channel="phone", sector="land")})

    assert outcome.compartments["facts"] == _facts(channel="radio", sector="land")
    assert outcome.clashes == ()


def test_two_changes_to_one_field_leave_the_earlier_and_name_the_clash() -> None:
    earlier = [Earlier(THEIRS, ["facts.channel"], {"facts": _facts(channel="radio", sector="health")})]

    outcome = _revise(earlier, 1, {"facts": _facts(channel="sms", sector="land")})

    assert outcome == Revised(
        {"facts": _facts(channel="radio", sector="land"), "statement": _facts(narrative="a")},
        ("facts.sector",),
        ("facts.channel",),
    )


def test_two_changes_to_the_same_value_agree() -> None:
    change = {"facts": _facts(channel="radio", sector="health")}

    assert _revise([Earlier(THEIRS, ["facts.channel"], change)], 1, change).clashes == ()


def test_revision_that_knows_the_earlier_one_does_not_clash() -> None:
    earlier = [Earlier(OURS, ["facts.channel"], {"facts": _facts(channel="radio", sector="health")})]

    outcome = _revise(earlier, 2, {"facts": _facts(channel="sms", sector="health")})

    assert (outcome.fields, outcome.clashes) == (("facts.channel",), ())


def test_number_of_ones_own_revisions_does_not_vouch_for_what_a_colleague_set_meanwhile() -> None:
    own = Earlier(OURS, ["facts.sector"], {"facts": _facts(channel="phone", sector="land")})
    theirs = Earlier(THEIRS, ["facts.channel"], {"facts": _facts(channel="radio", sector="health")})

    outcome = _revise([own, theirs], 2, {"facts": _facts(channel="sms", sector="water")})

    assert (outcome.fields, outcome.clashes) == (("facts.sector",), ("facts.channel",))
    assert outcome.compartments["facts"] == _facts(channel="radio", sector="water")


def test_what_clashed_once_is_no_new_wish_when_its_compartment_is_sent_again() -> None:
    theirs = Earlier(THEIRS, ["facts.channel"], {"facts": _facts(channel="radio", sector="health")})
    clashed = Earlier(OURS, [], {"facts": _facts(channel="sms", sector="health")})

    outcome = _revise([theirs, clashed], 2, {"facts": _facts(channel="sms", sector="land")})

    assert (outcome.fields, outcome.clashes) == (("facts.sector",), ())


def test_complaint_stands_as_the_revisions_left_it_in_the_order_filed() -> None:
    first = (["facts.channel"], {"facts": _facts(channel="radio", sector="health")})
    second = (["facts.sector"], {"facts": _facts(channel="phone", sector="land")})

    assert standing(BASE, [first, second])["facts"] == _facts(channel="radio", sector="land")


def test_sealing_clashes_with_a_change_inside() -> None:
    earlier = [Earlier(THEIRS, ["statement.narrative"], {"statement": _facts(narrative="b")})]

    assert _revise(earlier, 1, {"statement": BOX}).clashes == ("statement",)


def test_change_inside_clashes_with_sealing() -> None:
    outcome = _revise([Earlier(THEIRS, ["statement"], {"statement": BOX})], 1, {"statement": _facts(narrative="b")})

    assert outcome.clashes == ("statement.narrative",)
    assert outcome.compartments["statement"] == BOX


def test_compartments_of_a_content_leave_the_rest_out() -> None:
    assert revision.of({"facts": {}, "complaint": "x", "traces": BOX}) == {"facts": {}, "traces": BOX}
