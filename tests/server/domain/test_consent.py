"""Which of two consents allows more, and what both allow."""

from typing import Any

import pytest

from server.domain.consent import common, is_within

C2: dict[str, Any] = {"level": "C2", "given_by": "self"}


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (C2, C2 | {"level": "C3"}),
        (C2, C2 | {"publish": True}),
        (C2 | {"share_media": False}, C2 | {"share_media": True}),
        (C2 | {"bodies": ["cndh"]}, C2 | {"bodies": ["cndh", "oclei"]}),
        (C2, C2 | {"bodies": ["cndh"]}),
        (C2 | {"expires": "2027-01-01"}, C2),
        (C2 | {"expires": "2027-01-01"}, C2 | {"expires": "2028-01-01"}),
        (C2 | {"withhold": "fear"}, C2),
    ],
)
def test_of_two_the_one_that_allows_less_is_within_the_other_and_stands(less: Any, more: Any) -> None:
    assert (is_within(less, more), is_within(more, less)) == (True, False)
    assert common(less, more) == common(more, less) == less


def test_how_a_consent_was_given_makes_it_neither_wider_nor_narrower() -> None:
    told = C2 | {"given_by": "guardian", "on": "2026-11-20"}
    assert is_within(C2, told)
    assert is_within(told, C2)


def test_of_two_that_differ_both_ways_what_both_allow_is_left() -> None:
    one = {"level": "C1", "publish": True, "bodies": ["cndh", "bvg"], "given_by": "self", "share_family": True}
    limits = {"expires": "2027-01-01", "withhold": "fear"}
    other = {"level": "C3", "bodies": ["oclei", "bvg"], "share_family": True} | limits
    expected = one | {"publish": False, "bodies": ["bvg"]} | limits
    assert common(one, other) == common(other, one) == expected
