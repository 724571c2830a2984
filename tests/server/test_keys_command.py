"""`seere keys` and `seere open` as people meet them: from a root key on a stick to an identity on one's own machine."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from client_sync.protocol.frames import to_text
from client_sync.protocol.keyring import Keyring
from server import credential
from server.cli import main
from server.commands.doctor import of_keyring
from server.domain.desk import Desk
from server.domain.people import login_name
from server.domain.permission import OPERATOR
from server.hub import Hub, utc_now
from server.services import keyrings, places
from server.services.accounts import people
from server.services.accounts.people import Post
from server.services.vault import opening
from server.store import accounts
from tests.builders import (
    PASSPHRASE,
    Sender,
    clear_content,
    enrolled,
    found_keyring,
    founded,
    open_new_hub,
    operation,
    passphrase_file,
)

PLACES = Path(__file__).resolve().parents[2] / "fixtures" / "places" / "mali-2026.1.csv"
PUBLIC = re.compile(r"publique[^:]* : ([\w-]{43})")
Run = Callable[..., Result]
# Of key files.
WHY = "rappeler la personne"
KEY_WORDS = "tamarinier rônier acacia karité"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "hub"


@pytest.fixture
def hub(folder: Path) -> Iterator[Hub]:
    """A hub with places and no keys, opened beside the commands, under the real clock."""
    opened = open_new_hub(*founded(folder))
    places.import_list(opened.store, places.read_list_file(PLACES, "2026.1"), "essai", utc_now())
    yield opened
    opened.close()


@pytest.fixture
def seere(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `seere` in a folder of this test alone; `typed` are the lines that a person types."""
    assert hub
    monkeypatch.setenv("SEERE_DATA", str(folder))
    monkeypatch.setenv("SEERE_PASSPHRASE_FILE", str(passphrase_file(folder)))
    monkeypatch.chdir(folder.parent)

    def run(*arguments: str, typed: tuple[str, ...] = ()) -> Result:
        lines = "".join(f"{line}\n" for line in typed)
        return CliRunner().invoke(main, list(arguments), input=lines, prog_name="seere")

    return run


@pytest.fixture
def done(seere: Run) -> Callable[..., str]:
    """Runs `seere` where it must not be refused; gives what it said."""

    def run(*arguments: str, typed: tuple[str, ...] = ()) -> str:
        result = seere(*arguments, typed=typed)
        assert result.exit_code == 0, result.output
        return result.output

    return run


def _account(hub: Hub, name: str, *, is_named_reader: bool = False) -> tuple[str, ...]:
    """Make a coordinator; gives the lines that let them in."""
    post = Post("coordinator", is_named_reader=is_named_reader)
    people.make(hub.store, hub.secrets.totp, OPERATOR, name, post, PASSPHRASE, utc_now())
    _drop_second_factor(hub, name)
    return (PASSPHRASE,)


def _drop_second_factor(hub: Hub, name: str) -> None:
    """A code is good once, and no test waits 30 s for the next."""
    with hub.store.write() as connection:
        found = accounts.by_login(connection, login_name(name))
        assert found is not None
        accounts.update(connection, found.id, totp=None)


def _make_root(done: Callable[..., str]) -> str:
    return done("keys", "root", "--new", "racine.key", typed=(KEY_WORDS, KEY_WORDS))


def _publish(done: Callable[..., str]) -> str:
    return done("keys", "publish", "--root", "racine.key", "--yes", typed=(KEY_WORDS,))


def _shares(said: str) -> list[str]:
    return re.findall(r"Liste de secours n° \d : (.*)", said)


def _keyring(hub: Hub) -> Keyring:
    return keyrings.current(hub.store)


def _received(hub: Hub, device: Sender, name: object = "a", **facts: object) -> str:
    """A complaint that a device sealed; gives its registry number."""
    device.send(operation("complaint", name, device.seal(name, clear_content(**facts))))
    return f"SRE-{hub.clock().year}-000001"


def _desk(hub: Hub, name: str) -> Desk:
    """An account at work without keys in hand."""
    with hub.store.read() as connection:
        found = accounts.by_login(connection, login_name(name))
    assert found is not None
    return hub.desk(found.actor)


def test_from_nothing_to_a_device(done: Callable[..., str], hub: Hub, folder: Path) -> None:
    _account(hub, "awa", is_named_reader=True)
    _make_root(done)
    assert len(_shares(done("keys", "recovery", "--new"))) == 3

    said = _publish(done)

    assert "Le trousseau 1 est en vigueur" in said
    assert "Attention" not in said
    assert (folder.parent / "racine.key").stat().st_mode & 0o777 == 0o600
    assert enrolled(hub, "Gao 1").admission.keyring
    assert list(of_keyring(hub)) == []


def test_root_key_that_never_comes_to_the_hub(done: Callable[..., str], seere: Run, hub: Hub) -> None:
    _account(hub, "awa")
    done("keys", "recovery", "--new")
    [public] = PUBLIC.findall(_make_root(done))
    done("keys", "draft", "projet.json", "--root-public", public)

    refused = seere("keys", "sign", "projet.json", "--root", "racine.key", "--out", "signé.json", typed=("non",))
    assert (refused.exit_code, Path("signé.json").exists()) == (1, False)
    done("keys", "sign", "projet.json", "--root", "racine.key", "--out", "signé.json", typed=("oui", KEY_WORDS))
    said = done("keys", "publish", "--signed", "signé.json")
    assert re.search(r"awa\s+au centre\s+tout", said)

    assert "Attention : aucun lecteur nommé" in said
    assert {each.held for each in _keyring(hub).recipients} == {"hub", "offline"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("keys", "publish"), "l'un des deux"),
        (("keys", "publish", "--root", "absent.key"), "ne se lit pas"),
        (("keys", "draft", "p.json", "--root-public", "abc"), "n'est pas une clé publique"),
        (("keys", "retire", "0123456789abcdef", "--yes"), "Aucune clé en usage"),
        (("keys", "rotate", "personne"), "introuvable"),
        (("keys", "rewrap", "awa"), "par qui"),
        (("enrol", "--label", "Gao 1"), "pas encore de trousseau"),
        (("open", "SRE-2026-000001"), "--compartment"),
    ],
)
def test_refusal_says_what_to_do(seere: Run, arguments: tuple[str, ...], words: str) -> None:
    refused = seere(*arguments)
    assert (refused.exit_code, words in refused.output) == (1, True), refused.output


def test_key_file_is_not_overwritten_nor_taken_for_one_of_another_kind(done: Callable[..., str], seere: Run) -> None:
    _make_root(done)
    kept = Path("racine.key").read_bytes()
    assert seere("keys", "own", "--new", "racine.key").exit_code == 1
    assert Path("racine.key").read_bytes() == kept
    done("keys", "own", "--new", "mienne.key", typed=(KEY_WORDS, KEY_WORDS))
    assert "n'est pas la clé qu'il faut" in seere("keys", "publish", "--root", "mienne.key", "--yes").output


def test_key_file_opens_by_its_passphrase_alone(done: Callable[..., str], seere: Run) -> None:
    _make_root(done)
    done("keys", "recovery", "--new")
    refused = seere("keys", "publish", "--root", "racine.key", "--yes", typed=(PASSPHRASE,))
    assert (refused.exit_code, "n'ouvre pas racine.key" in refused.output) == (1, True)
    assert "Le trousseau 1 est en vigueur" in _publish(done)


def test_public_part_that_was_changed_in_a_key_file_is_noticed(done: Callable[..., str], seere: Run) -> None:
    _make_root(done)
    done("keys", "recovery", "--new")
    members = json.loads(Path("racine.key").read_text())
    Path("racine.key").write_text(json.dumps(members | {"public": to_text(b"x" * 32)}))
    refused = seere("keys", "publish", "--root", "racine.key", "--yes", typed=(KEY_WORDS,))
    assert (refused.exit_code, "n'est pas la clé qu'il faut" in refused.output) == (1, True)


@pytest.mark.parametrize("asked", [{"memory_bytes": 2**40}, {"passes": 2**31}, {"memory_bytes": "lots"}])
def test_key_file_that_would_wear_the_machine_down_is_none(
    done: Callable[..., str], seere: Run, asked: dict[str, object]
) -> None:
    _make_root(done)
    done("keys", "recovery", "--new")
    members = json.loads(Path("racine.key").read_text())
    Path("racine.key").write_text(json.dumps(members | {"slot": members["slot"] | asked}))
    refused = seere("keys", "publish", "--root", "racine.key", "--yes", typed=(KEY_WORDS,))
    assert (refused.exit_code, "n'est pas la clé qu'il faut" in refused.output) == (1, True), refused.output


def test_key_file_is_as_hard_to_open_as_the_credential(done: Callable[..., str], hard: None) -> None:
    _make_root(done)
    slot = json.loads(Path("racine.key").read_text())["slot"]
    assert (slot["passes"], slot["memory_bytes"]) == (3, 64 * 2**20)


def test_nothing_is_published_that_nobody_looked_at(done: Callable[..., str], seere: Run, hub: Hub) -> None:
    _make_root(done)
    done("keys", "recovery", "--new")
    refused = seere("keys", "publish", "--root", "racine.key", typed=("oui", KEY_WORDS))
    assert (refused.exit_code, "ajoutez --yes" in refused.output) == (1, True)
    assert keyrings.newest(hub.store) is None


def test_publishing_shows_who_comes_who_goes_and_what_changed(done: Callable[..., str], hub: Hub) -> None:
    _make_root(done)
    done("keys", "recovery", "--new")
    for name in ("Awa", "Oumar"):
        _account(hub, name)
    assert re.search(r"ajoutée\s+\w{16}\s+Awa", _publish(done))
    _account(hub, "Fatou")
    people.end(hub.store, OPERATOR, "oumar", utc_now())
    people.set_post(hub.store, hub.secrets.totp, OPERATOR, "awa", Post("coordinator", teams=["gao"]), utc_now())

    said = _publish(done)

    changes = re.findall(r"(ajoutée|changée|retirée|comme avant)\s+\w{16}\s+(Awa|Fatou|Oumar|clé de secours)", said)
    assert sorted(changes) == [
        ("ajoutée", "Fatou"),
        ("changée", "Awa"),
        ("comme avant", "clé de secours"),
        ("retirée", "Oumar"),
    ]


def test_misspelt_recovery_word_is_named_with_its_place(done: Callable[..., str], seere: Run) -> None:
    first, second, _ = _shares(done("keys", "recovery", "--new"))
    words = first.split()
    wrong = " ".join([*words[:4], words[4] + "zq", *words[5:]])
    refused = seere("keys", "drill", typed=(wrong, second))
    assert (refused.exit_code, f"mot n° 5 : « {words[4]}zq »" in refused.output) == (1, True)
    assert words[4] in refused.output.partition("Mots proches : ")[2]
    swapped = " ".join([words[1], words[0], *words[2:]])
    assert "ne vont pas ensemble" in seere("keys", "drill", typed=(swapped, second)).output


def test_drill_with_any_two_lists(done: Callable[..., str], seere: Run, hub: Hub) -> None:
    _account(hub, "awa")
    _make_root(done)
    first, second, third = _shares(done("keys", "recovery", "--new"))
    _publish(done)
    _received(hub, enrolled(hub, "Gao 1", team="gao"))

    for pair in ((first, third), (second, first)):
        assert "et 1 envoi scellé" in done("keys", "drill", typed=pair)
    assert seere("keys", "drill", typed=(first, first)).exit_code == 1


def test_drill_counts_what_it_opened(done: Callable[..., str], hub: Hub) -> None:
    _account(hub, "awa")
    _make_root(done)
    first, second, _ = _shares(done("keys", "recovery", "--new"))
    _publish(done)
    device = enrolled(hub, "Gao 1", team="gao")
    for name in ("a", "b"):
        _received(hub, device, name)
    assert "et 2 envois scellés" in done("keys", "drill", typed=(first, second))


def test_credential_is_closed_for_the_recovery_key_too(done: Callable[..., str], folder: Path) -> None:
    assert credential.recovery_public(folder / "hub.credential") is None
    done("keys", "recovery", "--new")
    assert credential.recovery_public(folder / "hub.credential") is not None


def test_new_recovery_key_opens_what_the_old_one_did(done: Callable[..., str], seere: Run, hub: Hub) -> None:
    _account(hub, "awa")
    _make_root(done)
    old = _shares(done("keys", "recovery", "--new"))
    _publish(done)
    _received(hub, enrolled(hub, "Gao 1", team="gao"))

    said = done("keys", "recovery", "--new", typed=(old[0], old[1]))

    assert "Clé donnée pour 1 envoi scellé" in said
    _publish(done)
    new = _shares(said)
    assert "et 1 envoi scellé" in done("keys", "drill", typed=(new[1], new[2]))
    assert "n'ouvre pas ce centre" in seere("keys", "drill", typed=(old[0], old[1])).output


def test_lost_recovery_key_is_replaced_by_way_of_a_reader(done: Callable[..., str], seere: Run, hub: Hub) -> None:
    lines = _account(hub, "awa", is_named_reader=True)
    _make_root(done)
    done("keys", "recovery", "--new")
    _publish(done)
    _received(hub, enrolled(hub, "Gao 1", team="gao"))
    new = _shares(done("keys", "recovery", "--new", "--lost"))
    _publish(done)
    assert "n'ouvre pas 1 envoi" in seere("keys", "drill", typed=(new[0], new[2])).output

    done("keys", "rewrap", "--for-recovery", "--as", "awa", typed=lines)

    assert "et 1 envoi scellé" in done("keys", "drill", typed=(new[0], new[2]))


def test_reset_account_reads_again_once_it_was_given_the_keys(done: Callable[..., str], hub: Hub) -> None:
    lines = _account(hub, "awa")
    _make_root(done)
    shares = _shares(done("keys", "recovery", "--new"))
    _publish(done)
    number = _received(hub, enrolled(hub, "Gao 1", team="gao"))
    look = ("open", number, "--compartment", "traces", "--as", "awa")
    assert "près du puits" in done(*look, typed=lines)

    people.reset(hub.store, hub.secrets.totp, OPERATOR, "awa", PASSPHRASE, utc_now())
    _drop_second_factor(hub, "awa")
    assert "aucune de vos clés ne l'ouvre" in done(*look, typed=lines)
    done("keys", "rewrap", "awa", "--recovery", typed=(shares[2], shares[0]))

    assert "près du puits" in done(*look, typed=lines)


def test_rotated_key_leaves_the_old_cases_open_at_the_next_login(done: Callable[..., str], hub: Hub) -> None:
    lines = _account(hub, "awa")
    _make_root(done)
    done("keys", "recovery", "--new")
    _publish(done)
    number = _received(hub, enrolled(hub, "Gao 1", team="gao"))
    [old] = [key.kid for key in keyrings.listed(hub.store) if key.name == "awa"]

    done("keys", "rotate", "awa")
    done("keys", "rewrap", "awa", "--as", "awa", typed=lines)
    done("keys", "retire", old, "--yes")

    assert "près du puits" in done("open", number, "--compartment", "traces", "--as", "awa", typed=lines)
    assert [(key.state, key.in_keyring) for key in keyrings.listed(hub.store) if key.name == "awa"] == [
        ("removed", True),
        ("current", False),
    ]


def test_identity_is_opened_with_a_reason_and_shows_who_opened_before(
    done: Callable[..., str], seere: Run, hub: Hub
) -> None:
    lines = _account(hub, "awa")
    _make_root(done)
    done("keys", "recovery", "--new")
    _publish(done)
    number = _received(hub, enrolled(hub, "Gao 1", team="gao"))
    look = ("open", number, "--compartment", "identity", "--as", "awa")
    assert seere(*look, "--reason", WHY, typed=lines).exit_code == 1
    refused = seere(*look, "--reason", WHY, typed=lines).output
    assert all(words in refused for words in (f"« {number} »", f"seere assign {number}"))
    assert "seere assign" in seere("open", "SRE-1999-000009", *look[2:], "--reason", WHY, typed=lines).output
    # The device sealed it to her already: there is nothing to hand on.
    assert "Aucune clé à donner" in done("assign", number, "awa", "--as", "awa", typed=lines)
    for short in ((), ("--reason", ""), ("--reason", "trop peu"), ("--reason", "x" * 501)):
        assert "Dites pourquoi, en 10 à 500 caractères." in seere(*look, *short, typed=lines).output

    said = done(*look, "--reason", WHY, typed=lines)

    assert "Awa Exemple" in said
    assert "Peut être ouvert par : awa (au centre), clé de secours" in said
    assert re.search(rf"Ouvert par awa, identité, le \S+ : {WHY}", said)


@pytest.mark.parametrize(
    ("contact_ok", "kinds", "said", "is_phone_shown"),
    [
        ("yes", ["GBV-2"], ["lui parler quand elle revient, l'appeler", "la personne choisit"], True),
        ("in_person", ["COR-EXT"], ["lui parler quand elle revient.", "attendez-la"], True),
        ("never", ["COR-EXT"], ["d'aucune façon", "La personne a dit « jamais »", "ne sont pas montrés"], False),
        ("unasked", ["COR-EXT"], ["d'aucune façon", "Rien n'a été demandé à la personne"], False),
    ],
)
def test_how_the_person_may_be_reached_stands_before_the_names(
    done: Callable[..., str], hub: Hub, contact_ok: str, kinds: list[str], said: list[str], is_phone_shown: bool
) -> None:
    lines = _account(hub, "awa", is_named_reader=True)
    _make_root(done)
    done("keys", "recovery", "--new")
    _publish(done)
    number = _received(hub, enrolled(hub, "Gao 1", team="gao"), contact_ok=contact_ok, kinds=kinds)
    done("assign", number, "awa", "--as", "awa", typed=lines)

    shown = done("open", number, "--compartment", "identity", "--as", "awa", "--reason", WHY, typed=lines)

    before, name, _ = shown.partition("Awa Exemple")
    assert name
    assert all(words in before for words in said)
    assert ("00 00 12 34" in shown) is is_phone_shown


def test_sealed_part_is_opened_on_ones_own_machine(done: Callable[..., str], seere: Run, hub: Hub) -> None:
    lines = _account(hub, "awa")
    _make_root(done)
    done("keys", "recovery", "--new")
    [public] = PUBLIC.findall(done("keys", "own", "--new", "mienne.key", typed=(KEY_WORDS, KEY_WORDS)))
    done("keys", "add", "awa", "--public", public)
    done("keys", "own", "--new", "autre.key", typed=(KEY_WORDS, KEY_WORDS))
    _publish(done)
    number = _received(hub, enrolled(hub, "Gao 1", team="gao"))

    done("open", number, "--compartment", "traces", "--export", "part.json", "--as", "awa", typed=lines)

    assert "puits" not in Path("part.json").read_text()
    assert "près du puits" in done("open", "part.json", "--key", "mienne.key", typed=(KEY_WORDS,))
    assert "n'ouvre pas" in seere("open", "part.json", "--key", "autre.key", typed=(KEY_WORDS,)).output
    assert "rien de scellé" in seere("open", "mienne.key", "--key", "mienne.key", typed=(KEY_WORDS,)).output
    looks = opening.openings(hub.store, _desk(hub, "awa"), 1)
    assert [(look.name, look.compartment) for look in looks] == [("awa", "traces")]


def test_list_shows_every_key_in_french(done: Callable[..., str], hub: Hub) -> None:
    assert "pas encore de clé" in done("keys", "list")
    found_keyring(hub)
    said = done("keys", "list")
    assert said.startswith("Trousseau 1, fait le ")
    assert re.search(r"nationale\s+au centre\s+en usage", said)
    assert re.search(r"clé de secours\s+chez la personne\s+en usage", said)


def test_doctor_names_what_a_keyring_lacks(hub: Hub) -> None:
    assert [(finding.code, finding.level) for finding in of_keyring(hub)] == [("keyring_missing", "unsafe")]
    keys = found_keyring(hub)
    assert list(of_keyring(hub)) == []
    keyrings.rotate(hub.store, keys.people["nationale"].actor.id, utc_now())
    assert [finding.code for finding in of_keyring(hub)] == ["keyring_behind"]
