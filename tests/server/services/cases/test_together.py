"""Several together: what one refuses holds up no other, and what the hub itself could not do is in its log."""

import logging

import pytest

from server.domain.errors import Busy, NotFound, SeereError, StorageFull, TooMany
from server.services.cases import together

SAID = "Sekou du marché"


class Acts:
    """Acts that refuse by number, and what was tried."""

    def __init__(self, **refusals: SeereError) -> None:
        self._refusals = refusals
        self.tried: list[tuple[str, int]] = []

    def __call__(self, number: str, meant: int) -> int:
        self.tried.append((number, meant))
        if number in self._refusals:
            raise self._refusals[number]
        return meant * 10


def test_refusal_keeps_its_own_number_alone_and_no_more_is_tried_of_that() -> None:
    why = NotFound(object="b")
    act = Acts(b=why)
    found = together.each([("a", 1), ("b", 2), ("b", 3), ("a", 5), ("c", 4)], act)
    assert (found.done, found.stays) == ({"a": 50, "c": 40}, {"b": why})
    assert act.tried == [("a", 1), ("b", 2), ("a", 5), ("c", 4)]


def test_log_says_what_the_hub_could_not_do_and_nothing_of_what_was_refused(caplog: pytest.LogCaptureFixture) -> None:
    act = Acts(a=StorageFull(), b=Busy(), c=NotFound(object=SAID))
    with caplog.at_level(logging.DEBUG):
        found = together.each([("a", 1), ("b", 2), ("c", 3), ("d", 4)], act)
    assert (list(found.done), list(found.stays)) == (["d"], ["a", "b", "c"])
    said = [(each.getMessage(), vars(each)["code"]) for each in caplog.records]
    assert said == [("act_failed", "storage_full"), ("act_failed", "busy")]
    assert SAID not in caplog.text


def test_more_than_somebody_can_look_through_are_refused_before_any_is_done() -> None:
    act = Acts()
    with pytest.raises(TooMany):
        together.each([(f"n{at}", 0) for at in range(3)], act, most=2)
    assert act.tried == []
