"""Picture names: drawn at random, never twice, easy to say."""

import re
from random import Random

import pytest

from client_sync.pictures import NAMES, PICTURES, draw


def test_there_are_32_pictures_with_distinct_names() -> None:
    assert len(PICTURES) == 32
    assert len(set(PICTURES.values())) == 32
    assert all(re.fullmatch("[a-z]+", picture_id) for picture_id in PICTURES)


def test_a_name_is_a_picture_and_two_digits() -> None:
    assert "Calebasse 47" in NAMES
    assert len(set(NAMES)) == 32 * 90
    name = draw(set(), Random(3))
    assert re.fullmatch(r"\D+ [1-9]\d", name)


def test_a_taken_name_is_not_drawn_again() -> None:
    taken = set(NAMES) - {"Pirogue 10", "Seau 99"}
    rng = Random(5)
    assert {draw(taken, rng) for _ in range(50)} == {"Pirogue 10", "Seau 99"}


def test_the_draw_follows_the_generator_it_is_given() -> None:
    drawn = [draw(set(), Random(seed)) for seed in range(200)]
    assert drawn == [draw(set(), Random(seed)) for seed in range(200)]
    assert len(set(drawn)) > 150


def test_when_every_name_is_taken_none_is_invented() -> None:
    with pytest.raises(LookupError):
        draw(set(NAMES), Random(1))
