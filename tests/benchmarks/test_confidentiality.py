"""The promises that the figures of confidentiality measure, at a size for every change; each search can find."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from client_sync.protocol.canonical import parse
from server.credential import Secrets
from server.hub import Hub
from server.store import backups, dialect
from tests.benchmarks import contacts, harness
from tests.benchmarks.answers import exchanges
from tests.benchmarks.canaries import Canary, search
from tests.benchmarks.confidentiality import disk
from tests.benchmarks.doors import persons
from tests.benchmarks.images import keys_in, open_databases
from tests.benchmarks.load import BATCH, complaint_lines, randoms
from tests.benchmarks.readers import World, key_surprises, open_share, settled, surprises
from tests.builders import STORED, Clock, enrolled, open_test_hub, operation, verdicts

pytestmark = pytest.mark.ci

CANARIES = 60


@pytest.fixture
def figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of var/figures."""
    monkeypatch.setattr(harness, "FIGURES", tmp_path)
    return tmp_path


@pytest.fixture
def world(hub_url: str, tmp_path: Path) -> Iterator[World]:
    """A case of each kind, on each engine."""
    made = settled(hub_url, tmp_path / "world")
    yield made
    made.hub.close()


@pytest.fixture
def hub(hub_url: str, tmp_path: Path) -> Iterator[Hub]:
    made = open_test_hub(hub_url, tmp_path / "hub", Clock())
    yield made
    made.close()


def test_no_stolen_disk_shows_who_came_through_any_door(figures: Path) -> None:
    found = {figure.name: figure.value for figure in disk(CANARIES)}
    assert found.pop("canaries_planted") == CANARIES
    assert set(found.values()) == {0}, found


def test_key_that_lies_beside_a_database_opens_it(tmp_path: Path) -> None:
    secrets = Secrets.new()
    connection = dialect.open_sqlite(tmp_path / "hub.db", secrets.database)
    connection.execute("CREATE TABLE person (name TEXT)")
    connection.close()
    (tmp_path / "opened").mkdir()
    (tmp_path / "note").write_text(f"key: {Secrets.new().database.hex()}")
    assert open_databases(tmp_path, keys_in(tmp_path), tmp_path / "opened") == 0
    (tmp_path / "configuration").write_text(f"KEY={secrets.database.hex()}")
    assert open_databases(tmp_path, keys_in(tmp_path), tmp_path / "opened") == 1


def test_dump_and_copy_of_the_database_show_nobody(hub: Hub, tmp_path: Path) -> None:
    device, told = enrolled(hub, "Gao 1"), persons(CANARIES, Random(1))
    sent = [operation("complaint", each.told, each.content(confidentiality="strict")) for each in told[::2]]
    aside = [operation("complaint", each.told, each.content(kinds=[each.name.text])) for each in told[1::2]]
    assert verdicts(device.send(*sent)) == [STORED] * len(sent)
    assert {each.verdict for each in verdicts(device.send(*aside))} == {"quarantined"}

    (tmp_path / "copy").mkdir()
    copied = backups.copy(hub.store.engine, tmp_path / "copy")

    # A dump is not encrypted by us: what is clear in it is found, and so would be a person.
    assert copied.stat().st_size > 0
    assert bool(search(tmp_path / "copy", [Canary("name", "COR-RACKET")])) is bool(hub.settings.database)
    assert search(tmp_path / "copy", [canary for each in told for canary in each.canaries]) == []


def test_each_key_opens_what_it_may_and_nothing_else(world: World) -> None:
    assert [*key_surprises(world), *surprises(world)] == []


def test_key_of_somebody_else_is_a_surprise(world: World) -> None:
    people = world.people
    people["gao"], people["mopti"] = people["mopti"], people["gao"]
    assert key_surprises(world) != []
    assert surprises(world) != []


def test_every_case_opens_whoever_is_lost_and_by_any_two_lists(world: World) -> None:
    assert open_share(world) == 1


@pytest.mark.parametrize(("walks", "steps"), [(3, 30), pytest.param(6, 60, marks=pytest.mark.prove)])
def test_no_way_of_reaching_a_person_is_offered_that_was_not_allowed(
    hub_url: str, tmp_path: Path, walks: int, steps: int
) -> None:
    made, tally = contacts.settled(hub_url, tmp_path / "walks"), contacts.Tally()
    try:
        contacts.walk_through(made, range(walks), 15, tally)
    finally:
        made.hub.close()
    assert tally.unsafe == []
    assert tally.steps > steps
    assert tally.offered * 2 > tally.allowed > 0
    assert tally.withheld > 0


def test_complaint_like_another_teams_is_answered_as_a_new_one(figures: Path) -> None:
    assert exchanges(10).unequal == 0


def test_load_is_sealed_to_three_readers(figures: Path) -> None:
    contents = [parse(line)["content"] for line in complaint_lines(next(randoms("sealed")), BATCH)]
    named = [each for each in contents if "identity" in each or "traces" in each]
    assert named
    assert all("clear" not in each.get(part, {}) for each in named for part in ("identity", "traces"))
    assert {len(each["seal"]["keys"]) for each in named} == {3}
