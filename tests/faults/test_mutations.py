"""Each promise has a mutation of the code that turns its test red."""

from pathlib import Path
from shutil import copy

import pytest

from tests.faults.mutations import MUTATIONS, Mutation, turns_red
from tests.faults.rig import REPOSITORY
from tests.faults.shim import missing

NAMES = [mutation.name for mutation in MUTATIONS]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=NAMES)
def test_mutation_still_finds_what_it_breaks(mutation: Mutation, tmp_path: Path) -> None:
    place = tmp_path / mutation.file
    place.parent.mkdir(parents=True)
    copy(REPOSITORY / mutation.file, place)

    mutation.apply(tmp_path)

    assert place.read_text() != (REPOSITORY / mutation.file).read_text()


@pytest.mark.prove
@pytest.mark.ci
@pytest.mark.skipif(missing() is not None, reason=missing() or "")
@pytest.mark.parametrize("mutation", MUTATIONS, ids=NAMES)
def test_mutation_turns_its_test_red(mutation: Mutation) -> None:
    assert turns_red(mutation)
