"""The vault: what opens it, and what it keeps."""

import json

import pytest

from client_sync import vault as vaults
from client_sync.errors import (
    DraftUnknown,
    KeyMissing,
    PassphraseTooShort,
    PassphraseTooSoon,
    VaultExists,
    VaultLocked,
    VaultMissing,
    WrongPassphrase,
)
from client_sync.stores import Folder
from client_sync.tries import FREE_TRIES, MOST_DELAY_S
from client_sync.vault import FIELD_HARDNESS, Vault, seal_for_vault
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


@pytest.mark.parametrize("asked", [{"memory_bytes": 2**40}, {"passes": 2**31}, {"passes": "3"}, {"memory_bytes": None}])
def test_slot_that_would_wear_the_phone_down_is_none(folder: Folder, asked: dict[str, object]) -> None:
    Vault.create(folder, WORDS, SOFT).close()
    slot = json.loads(folder.vault_key.read_bytes())
    folder.vault_key.write_text(json.dumps(slot | asked))
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


def test_a_locked_vault_opens_nothing_any_more(folder: Folder) -> None:
    vault = Vault.create(folder, WORDS, SOFT)
    sealed = seal_for_vault(folder, b"a reply")
    assert sealed is not None
    vault.close()
    with pytest.raises(VaultLocked):
        vault.unseal(sealed)


class RunningFor:
    """How long the machine has run: what a test says."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def running(folder: Folder) -> RunningFor:
    """The clock of a device with a vault."""
    Vault.create(folder, WORDS, SOFT).close()
    return RunningFor()


def fail(folder: Folder, running: RunningFor, times: int) -> None:
    """Wrong words, each as soon as they are allowed."""
    for _ in range(times):
        with pytest.raises(WrongPassphrase):
            Vault.open(folder, "un deux trois quatre", running)
        running.s += MOST_DELAY_S


def test_wrong_words_make_the_next_ones_wait_longer_and_longer(folder: Folder, running: RunningFor) -> None:
    waits = []
    fail(folder, running, FREE_TRIES - 1)
    for _ in range(10):
        fail(folder, running, 1)
        running.s -= MOST_DELAY_S
        with pytest.raises(PassphraseTooSoon) as too_soon:
            Vault.open(folder, WORDS, running)
        waits.append(too_soon.value.details["wait_s"])
        running.s += MOST_DELAY_S
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_a_wait_is_over_after_a_quarter_of_an_hour_at_most_and_right_words_end_it(
    folder: Folder, running: RunningFor
) -> None:
    fail(folder, running, 30)
    Vault.open(folder, WORDS, running).close()
    assert not folder.vault_tries.exists()
    fail(folder, running, 2)
    running.s -= MOST_DELAY_S
    Vault.open(folder, WORDS, running).close()


@pytest.mark.parametrize("restarted_for_s", [0.0, 899.0])
def test_a_restart_does_not_shorten_a_wait(folder: Folder, running: RunningFor, restarted_for_s: float) -> None:
    fail(folder, running, 15)
    running.s = restarted_for_s
    with pytest.raises(PassphraseTooSoon) as too_soon:
        Vault.open(folder, WORDS, running)
    assert too_soon.value.details["wait_s"] == 900 - restarted_for_s
    running.s = 900.0
    Vault.open(folder, WORDS, running).close()


def test_a_kill_in_the_middle_of_a_try_does_not_make_it_free(
    folder: Folder, running: RunningFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(vaults, "_open_slot", killed)
        for _ in range(FREE_TRIES):
            with pytest.raises(KeyboardInterrupt):
                Vault.open(folder, WORDS, running)
    with pytest.raises(PassphraseTooSoon):
        Vault.open(folder, WORDS, running)


def test_a_spoilt_count_shuts_nobody_out(folder: Folder, running: RunningFor) -> None:
    folder.vault_tries.write_bytes(b'{"count": "many"')
    Vault.open(folder, WORDS, running).close()
