"""The attack on surnames: it learns next to nothing of the keys that there are, and much where a key is of one name."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from fixtures import kit
from server.domain.matching import composites
from tests.benchmarks.surnames import SETTINGS, Cell, Setting, forms, learnt, postings_of, stolen_of

PEPPER = bytes(range(32))


def told_in(setting: Setting, count: int) -> dict[int, Mapping[str, Any]]:
    return dict(enumerate(forms(setting, count, seed=5)))


@pytest.mark.parametrize("setting", SETTINGS, ids=[each.name for each in SETTINGS])
def test_keys_of_a_stolen_database_tell_next_to_no_surname(setting: Setting) -> None:
    told = told_in(setting, 300)
    made = {number: kit.profile(form, PEPPER) for number, form in told.items()}
    posted = {number: composites.blocking_keys(each, PEPPER) for number, each in made.items()}
    found = postings_of(made, PEPPER, posted)
    assert {cell.sort for cell in found} >= {"names month", "names body"}
    assert max(learnt(stolen_of(told, found)).values()) <= 0.05


def test_keys_of_one_name_and_a_cercle_would_tell_many() -> None:
    nothing = stolen_of(told_in(SETTINGS[1], 3000), {})
    surnames = nothing.surnames
    borne = {name for said in surnames.values() for name in said}
    keys = [frozenset(number for number, said in surnames.items() if name in said) for name in sorted(borne)]
    by_size = sorted(keys, key=lambda each: (-len(each), min(each)))
    assert max(learnt(replace(nothing, postings={Cell("name cercle", ()): by_size})).values()) > 0.2
