"""The golden exchanges: a fresh hub on either engine gives the answers that are written down."""

from pathlib import Path

import pytest

from fixtures.protocol.__main__ import record
from fixtures.protocol.exchanges import EXCHANGES
from fixtures.protocol.world import FOLDER, SECRETS, World, devices_of, read
from tests.builders import app_of
from tests.laid_tables import lay_tables


def test_every_exchange_is_written_down() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(EXCHANGES)


@pytest.mark.parametrize("name", EXCHANGES)
def test_hub_answers_as_written(name: str, database_url: str, tmp_path: Path) -> None:
    exchange = read(name)
    is_sqlite = database_url.startswith("sqlite")
    lay_tables(database_url, SECRETS.database if is_sqlite else None)
    database = "" if is_sqlite else database_url
    world = World(tmp_path, database, devices_of(exchange), app_of)

    for step in exchange["steps"]:
        if "meanwhile" in step:
            world.let(step["meanwhile"])
        else:
            assert world.ask(step["request"]) == step["answer"]
    world.close()


@pytest.mark.parametrize("name", ["first-sync", "order"])
def test_exchange_is_written_the_same_each_time(name: str, tmp_path: Path) -> None:
    assert record(name, tmp_path) == read(name)
