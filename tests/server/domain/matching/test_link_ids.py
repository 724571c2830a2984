"""Ids of links: as people write them, and telling nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.matching.link_ids import new_id, read, written


@given(id=st.integers(0, 2**40 - 1))
def test_written_id_is_read_in_any_case_with_and_without_its_hyphen(id: int) -> None:
    text = written(id)
    assert len(text) == 11
    assert [read(each) for each in (text, text.upper(), text.replace("-", ""), f" {text} ")] == [id] * 4


@pytest.mark.parametrize("text", ["", "12", "3f9a0-27bc", "3f9a0-27bcg", "3f9a-027bc1", "3f9a0--27bc1", "3f9a027bc1 0"])
def test_what_is_no_id_is_none(text: str) -> None:
    assert read(text) is None


def test_ids_are_drawn_from_so_many_that_two_are_not_alike() -> None:
    assert len({new_id() for _ in range(1_000)}) == 1_000
