"""The hub: it opens with its own secrets and with no others."""

from dataclasses import replace
from pathlib import Path

import pytest

from server.credential import Secrets
from server.domain.errors import CredentialForeign, StorageFailed
from server.hub import open_hub
from server.store import state
from tests.builders import Clock, founded


def test_hub_keeps_its_name_and_the_keys_that_devices_pin(database_url: str, tmp_path: Path) -> None:
    database = "" if database_url.startswith("sqlite") else database_url
    found = []
    for _ in range(2):
        hub = open_hub(*founded(tmp_path / "hub", database), Clock())
        keys = bytes(hub.identity.sign_key.verify_key), bytes(hub.identity.box_key)
        found.append((hub.identity.id, hub.epoch(), *keys))
        hub.close()
    assert found[0] == found[1]


def test_secrets_of_another_hub_are_refused(database_url: str, tmp_path: Path) -> None:
    database = "" if database_url.startswith("sqlite") else database_url
    settings, secrets = founded(tmp_path / "hub", database)
    open_hub(settings, secrets).close()
    # SQLite refuses the key of the file before anything in it can be compared.
    with pytest.raises(CredentialForeign if database else StorageFailed):
        open_hub(settings, Secrets.new())
    with pytest.raises(CredentialForeign):
        open_hub(settings, replace(Secrets.new(), database=secrets.database))
    open_hub(settings, secrets).close()


def test_database_holds_no_private_key(database_url: str, tmp_path: Path) -> None:
    database = "" if database_url.startswith("sqlite") else database_url
    settings, secrets = founded(tmp_path / "hub", database)
    hub = open_hub(settings, secrets)
    try:
        with hub.store.read() as connection:
            kept = {name: state.get(connection, name) for name in ("hub", "epoch", "verify_key", "sign_key", "box_key")}
    finally:
        hub.close()
    assert kept["verify_key"] == bytes(hub.identity.sign_key.verify_key).hex()
    assert (kept["sign_key"], kept["box_key"]) == (None, None)
