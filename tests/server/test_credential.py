"""The credential: opened by its passphrase and by the recovery key, by nothing else, and legible to nobody."""

import base64
import json
import os
import stat
from dataclasses import astuple
from pathlib import Path

import pytest
from nacl.public import PrivateKey

from server import credential
from server.credential import HARDNESS, Secrets
from server.domain.errors import (
    CredentialDamaged,
    CredentialMissing,
    CredentialThere,
    PassphraseRefused,
    PassphraseWrong,
    RecoveryKeyWrong,
)
from tests.builders import PASSPHRASE, SOFT

OTHER = "karité néré baobab tamarin"


@pytest.fixture
def secrets() -> Secrets:
    return Secrets.new()


@pytest.fixture
def path(tmp_path: Path, secrets: Secrets) -> Path:
    """A credential that costs little to guess."""
    path = tmp_path / "hub" / "hub.credential"
    credential.create(path, PASSPHRASE, secrets, SOFT)
    return path


def test_passphrase_opens_what_it_closed(path: Path, secrets: Secrets) -> None:
    assert astuple(credential.unlock(path, PASSPHRASE)) == astuple(secrets)


def test_new_secrets_are_six_different_values_of_32_bytes_each_time() -> None:
    values = [*astuple(Secrets.new()), *astuple(Secrets.new())]
    assert {len(value) for value in values} == {32}
    assert len(set(values)) == 12


@pytest.mark.parametrize(
    "typed",
    ["mil  sorgho\triz fonio\n", "  mil sorgho riz fonio"],
    ids=["spacing", "margin"],
)
def test_spacing_of_the_words_does_not_count(path: Path, typed: str) -> None:
    credential.unlock(path, typed)


def test_accents_count_but_not_how_a_keyboard_makes_them(path: Path, secrets: Secrets) -> None:
    credential.change_passphrase(path, secrets, "karité néré baobab tamarin", SOFT)
    credential.unlock(path, "karite\u0301 ne\u0301re\u0301 baobab tamarin")
    with pytest.raises(PassphraseWrong):
        credential.unlock(path, "karite nere baobab tamarin")


@pytest.mark.parametrize("wrong", ["", "mil sorgho riz", "mil sorgho riz foniO", "x" * 1025], ids=len)
def test_another_passphrase_opens_nothing(path: Path, wrong: str) -> None:
    with pytest.raises(PassphraseWrong):
        credential.unlock(path, wrong)


@pytest.mark.parametrize("passphrase", ["mil sorgho riz fonio", "a" * 16, "é" * 512], ids=["words", "chars", "long"])
def test_four_words_or_sixteen_characters_will_do(tmp_path: Path, secrets: Secrets, passphrase: str) -> None:
    credential.create(tmp_path / "c", passphrase, secrets, SOFT)
    credential.unlock(tmp_path / "c", passphrase)


@pytest.mark.parametrize("passphrase", ["", "mil sorgho riz", "a" * 15, "é" * 513], ids=["none", "3", "15", "long"])
def test_passphrase_that_is_too_short_or_too_long_makes_no_credential(
    tmp_path: Path, secrets: Secrets, passphrase: str
) -> None:
    with pytest.raises(PassphraseRefused):
        credential.create(tmp_path / "c", passphrase, secrets, SOFT)
    assert not (tmp_path / "c").exists()


def test_credential_that_is_there_is_never_overwritten(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(CredentialThere):
        credential.create(path, PASSPHRASE, Secrets.new(), SOFT)
    assert path.read_bytes() == before


def test_file_and_folder_are_for_their_owner_alone(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["hub.credential"]


def test_no_secret_is_legible_in_the_file(path: Path, secrets: Secrets) -> None:
    credential.seal_to_recovery(path, secrets, bytes(PrivateKey.generate().public_key))
    data = path.read_bytes()
    for value in astuple(secrets):
        forms = (value, value.hex().encode(), base64.b64encode(value), base64.urlsafe_b64encode(value))
        assert [form for form in forms if form.rstrip(b"=") in data] == []


def test_no_secret_is_shown_where_the_object_is(secrets: Secrets) -> None:
    assert not [value for value in astuple(secrets) if value.hex() in repr(secrets) or repr(value) in repr(secrets)]


def test_new_passphrase_takes_the_place_of_the_old(path: Path, secrets: Secrets) -> None:
    credential.change_passphrase(path, secrets, OTHER, SOFT)
    assert astuple(credential.unlock(path, OTHER)) == astuple(secrets)
    with pytest.raises(PassphraseWrong):
        credential.unlock(path, PASSPHRASE)


def test_recovery_key_opens_it_also_after_another_passphrase(path: Path, secrets: Secrets) -> None:
    recovery = PrivateKey.generate()
    credential.seal_to_recovery(path, secrets, bytes(recovery.public_key))
    credential.change_passphrase(path, secrets, OTHER, SOFT)
    assert astuple(credential.unlock_by_recovery(path, bytes(recovery))) == astuple(secrets)
    assert credential.recovery_public(path) == bytes(recovery.public_key)
    credential.unlock(path, OTHER)


@pytest.mark.parametrize("private", [bytes(PrivateKey.generate()), b"short"], ids=["another", "none"])
def test_another_recovery_key_opens_nothing(path: Path, secrets: Secrets, private: bytes) -> None:
    with pytest.raises(RecoveryKeyWrong):
        credential.unlock_by_recovery(path, private)
    credential.seal_to_recovery(path, secrets, bytes(PrivateKey.generate().public_key))
    with pytest.raises(RecoveryKeyWrong):
        credential.unlock_by_recovery(path, private)


def test_credential_without_recovery_key_says_so(path: Path) -> None:
    assert credential.recovery_public(path) is None


def test_absent_credential_is_told_from_a_damaged_one(path: Path) -> None:
    with pytest.raises(CredentialMissing):
        credential.unlock(path.with_name("absent"), PASSPHRASE)
    slot = json.loads(path.read_text())["passphrase"]
    for damaged in ("", "[]", "{}", '{"v": 2}', '{"v": 1}', json.dumps({"v": 1, "passphrase": slot | {"salt": "x"}})):
        path.write_text(damaged)
        with pytest.raises(CredentialDamaged):
            credential.unlock(path, PASSPHRASE)


@pytest.mark.parametrize("asked", [{"memory_bytes": 2**40}, {"memory_bytes": 2**60}, {"passes": 2**31}])
def test_slot_that_would_wear_the_machine_down_is_taken_for_damaged(path: Path, asked: dict[str, int]) -> None:
    members = json.loads(path.read_text())
    path.write_text(json.dumps(members | {"passphrase": members["passphrase"] | asked}))
    with pytest.raises(CredentialDamaged):
        credential.unlock(path, PASSPHRASE)


def test_a_guess_costs_what_the_file_says(tmp_path: Path, secrets: Secrets, path: Path) -> None:
    assert (HARDNESS.passes, HARDNESS.memory_bytes) == (3, 64 * 2**20)
    credential.create(tmp_path / "shipped", PASSPHRASE, secrets)
    shipped, soft = (json.loads(each.read_text())["passphrase"] for each in (tmp_path / "shipped", path))
    assert (shipped["passes"], shipped["memory_bytes"]) == (3, 67_108_864)
    assert (soft["passes"], soft["memory_bytes"]) == (SOFT.passes, SOFT.memory_bytes)
    assert shipped["salt"] != soft["salt"]


def test_interrupted_writing_leaves_the_old_credential(
    path: Path, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output"):
            credential.change_passphrase(path, secrets, OTHER, SOFT)
    credential.unlock(path, PASSPHRASE)
    credential.change_passphrase(path, secrets, OTHER, SOFT)
    credential.unlock(path, OTHER)
