"""The places that a device knows: those of the hub's list, found by any spelling."""

import csv
from pathlib import Path

import pytest

from client_sync.places import PLACES

ROOT = Path(__file__).resolve().parents[2]


def test_places_are_those_of_the_list_of_the_hub() -> None:
    with (ROOT / "fixtures/places/mali-2026.1.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["level"] in ("region", "cercle")]
    expected = {row["id"]: (row["name"], row["parent_id"] or None) for row in rows}
    assert {id: (place.name, place.within) for id, place in PLACES.places.items()} == expected
    assert PLACES.version == "2026.1"


@pytest.mark.parametrize("words", ["seg", "SÉGOU", "segu"])
def test_a_place_is_found_by_any_spelling(words: str) -> None:
    assert [place.id for place in PLACES.search(words)] == ["ml-c-segou", "ml-r-segou"]
