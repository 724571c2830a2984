"""The vault: what opens it, and what it keeps."""

import json

import pytest

from client_sync.errors import DraftUnknown, KeyMissing, PassphraseTooShort, VaultExists, VaultMissing, WrongPassphrase
from client_sync.stores import Folder
from client_sync.vault import FIELD_HARDNESS, Reply, Vault, seal_for_vault
from tests.client_sync.builders import SOFT, WORDS


def test_drafts_are_there_after_a_lock_and_in_the_order_they_were_begun(folder: Folder) -> None:
    vault = Vault.create(folder, WORDS, SOFT)
    vault.save_draft("b", {"kinds": ["COR-EXT"]})
    vault.save_draft("a", {"narrative": "Ɲɛnɛba a dit…"})
    vault.save_draft("b", {"kinds": ["COR-EXT"], "danger": "no"})
    vault.close()

    vault = Vault.open(folder, WORDS)
    assert [(draft.id, draft.answers) for draft in vault.drafts()] == [
        ("b", {"kinds": ["COR-EXT"], "danger": "no"}),
        ("a", {"narrative": "Ɲɛnɛba a dit…"}),
    ]
    vault.drop_draft("b")
    with pytest.raises(DraftUnknown):
        vault.draft("b")
    assert vault.draft("a").answers == {"narrative": "Ɲɛnɛba a dit…"}
    vault.close()


@pytest.mark.parametrize(
    "typed", ["  Calebasse TAMBOUR rivière  marché ", "calebasse tambour rivie\u0300re marche\u0301"]
)
def test_the_same_words_on_another_keyboard_open_it(folder: Folder, typed: str) -> None:
    Vault.create(folder, WORDS, SOFT).close()
    Vault.open(folder, typed).close()


@pytest.mark.parametrize("typed", ["", "calebasse tambour riviere marché", "tambour calebasse rivière marché"])
def test_other_words_do_not_open_it(folder: Folder, typed: str) -> None:
    Vault.create(folder, WORDS, SOFT).close()
    with pytest.raises(WrongPassphrase):
        Vault.open(folder, typed)


def test_a_guess_costs_64_mib_and_three_passes_unless_a_test_says_otherwise(folder: Folder) -> None:
    assert (FIELD_HARDNESS.passes, FIELD_HARDNESS.memory_bytes) == (3, 67_108_864)
    Vault.create(folder, WORDS, SOFT).close()
    slot = json.loads(folder.vault_key.read_bytes())
    assert (slot["passes"], slot["memory_bytes"]) == (1, 8192)


def test_a_vault_is_made_once_with_four_words(folder: Folder) -> None:
    with pytest.raises(VaultMissing):
        Vault.open(folder, WORDS)
    with pytest.raises(PassphraseTooShort):
        Vault.create(folder, "trois mots seulement", SOFT)
    assert not Vault.exists(folder)
    Vault.create(folder, WORDS, SOFT).close()
    assert Vault.exists(folder)
    with pytest.raises(VaultExists):
        Vault.create(folder, WORDS, SOFT)


def test_a_kill_between_key_and_file_costs_nothing(folder: Folder) -> None:
    Vault.create(folder, WORDS, SOFT).close()
    for left in folder.path.glob("vault.db*"):
        left.unlink()
    Vault.open(folder, WORDS).close()


def test_without_its_key_slot_the_file_is_lost_for_everybody(folder: Folder) -> None:
    Vault.create(folder, WORDS, SOFT).close()
    folder.vault_key.unlink()
    with pytest.raises(KeyMissing):
        Vault.open(folder, WORDS)


def test_what_is_sealed_for_a_locked_vault_opens_in_it_alone(folder: Folder, tmp_path: object) -> None:
    assert seal_for_vault(folder, b"a reply") is None
    vault = Vault.create(folder, WORDS, SOFT)
    sealed = seal_for_vault(folder, b"a reply")
    assert sealed is not None
    assert b"a reply" not in sealed
    assert vault.unseal(sealed) == b"a reply"
    vault.close()

    other = Vault.create(Folder(folder.path / "other"), WORDS, SOFT)
    with pytest.raises(WrongPassphrase):
        other.unseal(sealed)
    other.close()


def test_a_reply_kept_twice_is_there_once_oldest_first(folder: Folder) -> None:
    vault = Vault.create(folder, WORDS, SOFT)
    newer, older = Reply("d2", "r1", 7, {"text": "encore"}), Reply("d1", "r1", 3, {"text": "reçue"})
    vault.keep_replies([newer])
    vault.keep_replies([newer, older, Reply("d3", "r2", 1, {})])
    assert vault.replies("r1") == [older, newer]
    vault.close()
