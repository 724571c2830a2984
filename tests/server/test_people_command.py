"""`seere people` and `--as`: accounts as an operator makes them, and commands as a person runs them."""

import re
from collections.abc import Callable

import pyotp
import pytest
from click.testing import Result

from server.domain.people import SIGN_UP_MAX, login_name
from server.domain.permission import OPERATOR
from server.hub import Hub, utc_now
from server.services.accounts import people
from server.services.accounts.people import Post
from server.store import accounts
from server.store.accounts import Account
from tests.builders import Sender, complaint, enrolled

Run = Callable[..., Result]
WORDS = "mil sorgho riz fonio"
OTHER_WORDS = "karité néré baobab kapok"
RECEIPT = "7K4M-2QG"


@pytest.fixture
def hub(folder_hub: Hub) -> Hub:
    return folder_hub


@pytest.fixture
def person(hub: Hub) -> Callable[..., tuple[str, ...]]:
    """Makes an account; gives what its holder types, where a code is asked for."""

    def make(name: str, role: str, **post: object) -> tuple[str, ...]:
        post_ = Post(role, **post)  # type: ignore[arg-type]
        made = people.make(hub.store, hub.secrets.totp, OPERATOR, name, post_, WORDS, hub.clock())
        return (WORDS, pyotp.TOTP(made.secret).now()) if made.secret else (WORDS,)

    return make


def _account(hub: Hub, name: str) -> Account | None:
    with hub.store.read() as connection:
        return accounts.by_login(connection, login_name(name))


def _forget_codes(hub: Hub, name: str) -> None:
    """Codes are good once: nobody waits 30 s here for the next."""
    account = _account(hub, name)
    assert account is not None
    with hub.store.write() as connection:
        accounts.update(connection, account.id, totp_step=0)


def test_account_is_made_under_a_typed_passphrase_and_its_second_factor_is_shown_once(seere: Run, hub: Hub) -> None:
    made = seere("people", "add", "Moussa", "--role", "coordinator", "--region", "ml-r-gao", typed=(WORDS,))
    assert (made.exit_code, made.stderr) == (0, "")
    [secret] = re.findall(r"\b[A-Z2-7]{32}\b", made.stdout)
    assert "█" in made.stdout
    assert WORDS not in made.output

    listed = seere("people", "list").stdout
    assert re.search(r"Moussa +coordinateur +ml-r-gao", listed)
    assert secret not in listed

    enrolled(hub, "Gao 1").send(complaint("a"))
    found = seere("find", RECEIPT, "--as", "moussa", typed=(WORDS, pyotp.TOTP(secret).now()))
    # No list of places is here: nobody can say that it is in the region.
    assert (found.exit_code, "Aucune plainte" in found.stderr) == (1, True)


@pytest.mark.parametrize(
    ("typed", "said"),
    [(("court",), "au moins 4 mots"), ((), "Arrêté")],
)
def test_account_is_not_made_under_a_weak_passphrase_or_none(
    seere: Run, hub: Hub, typed: tuple[str, ...], said: str
) -> None:
    refused = seere("people", "add", "Moussa", "--role", "verifier", typed=typed)
    assert (refused.exit_code, said in refused.stderr) == (1, True)
    assert _account(hub, "moussa") is None


def test_name_that_is_taken_is_refused_in_words(seere: Run) -> None:
    for expected in (0, 1):
        done = seere("people", "add", "Awa", "--role", "verifier", typed=(WORDS,))
        assert done.exit_code == expected
    assert "déjà pris" in done.stderr


def test_scope_is_replaced_as_a_whole(seere: Run, person: Callable[..., tuple[str, ...]], hub: Hub) -> None:
    person("awa", "verifier", teams=["gao"])
    done = seere("people", "scope", "Awa", "--role", "coordinator", "--partner", "jigiya", "--named-reader")
    assert done.exit_code == 0
    assert "seere keys publish" in done.stdout
    assert re.search(r"\b[A-Z2-7]{32}\b", done.stdout)
    account = _account(hub, "awa")
    assert account is not None
    assert (account.role, account.teams, account.partners, account.is_named_reader) == (
        "coordinator", [], ["jigiya"], True
    )  # fmt: skip


def test_one_person_leads_the_network(seere: Run, person: Callable[..., tuple[str, ...]]) -> None:
    person("Awa", "coordinator")
    person("Moussa", "administrator")
    for name in ("Awa", "moussa"):
        assert seere("people", "head", name).exit_code == 0
    assert seere("people", "list").stdout.splitlines()[-1] == "Dirige le réseau : Moussa"
    assert seere("people", "head", "Personne").exit_code == 1


def test_reset_lets_the_new_passphrase_in_and_says_what_it_does_not_open(
    seere: Run, person: Callable[..., tuple[str, ...]], hub: Hub
) -> None:
    person("awa", "coordinator")
    done = seere("people", "reset", "awa", typed=(OTHER_WORDS,))
    assert "n'ouvrent rien" in done.stdout
    [secret] = re.findall(r"\b[A-Z2-7]{32}\b", done.stdout)
    found = seere("find", RECEIPT, "--as", "awa", typed=(OTHER_WORDS, pyotp.TOTP(secret).now()))
    assert "Aucune plainte" in found.stderr
    assert "ne va pas" in seere("find", RECEIPT, "--as", "awa", typed=(WORDS, "000000")).stderr


def test_sign_up_words_run_no_command(seere: Run, hub: Hub) -> None:
    people.make(
        hub.store,
        hub.secrets.totp,
        OPERATOR,
        "moussa",
        Post("verifier"),
        OTHER_WORDS,
        hub.clock(),
        change_by=hub.clock() + SIGN_UP_MAX,
    )
    done = seere("find", RECEIPT, "--as", "moussa", typed=(OTHER_WORDS,))
    assert (done.exit_code, "n'a pas encore choisi sa phrase secrète" in done.stderr) == (1, True)


@pytest.mark.parametrize(("typed", "state"), [(("oui",), "left"), (("non",), "active")])
def test_account_is_closed_by_who_says_yes(
    seere: Run, person: Callable[..., tuple[str, ...]], hub: Hub, typed: tuple[str, ...], state: str
) -> None:
    answers = person("awa", "verifier")
    seere("people", "leave", "awa", typed=typed)
    account = _account(hub, "awa")
    assert account is not None
    assert account.state == state
    assert ("ne va pas" in seere("find", RECEIPT, "--as", "awa", typed=answers).stderr) == (state == "left")


@pytest.fixture
def aside(hub: Hub) -> Sender:
    """A device of Gao with one complaint stored and one, of the same kind, set aside."""
    sender = enrolled(hub, "Gao 1", team="gao")
    sender.send(complaint("a"), complaint("bad", receipt="7K4M-2QA"))
    return sender


@pytest.mark.parametrize(
    ("role", "post", "is_let"),
    [
        ("coordinator", {"teams": ["gao"]}, True),
        ("coordinator", {"teams": ["mopti"]}, False),
        ("coordinator", {"partners": ["jigiya"]}, False),
        ("verifier", {"teams": ["gao"]}, False),
        ("administrator", {}, False),
        ("auditor", {}, False),
        ("commission", {}, False),
        ("monitor", {"teams": ["gao"]}, False),
    ],
)
def test_commands_on_complaints_are_for_the_coordinators_of_their_scope(
    seere: Run,
    person: Callable[..., tuple[str, ...]],
    hub: Hub,
    aside: Sender,
    role: str,
    post: dict[str, object],
    is_let: bool,
) -> None:
    typed = person("awa", role, **post)
    commands = (("find", RECEIPT), ("quarantine", "show", "1"), ("quarantine", "show", "1", "--content"))
    for arguments in commands:
        _forget_codes(hub, "awa")
        done = seere(*arguments, "--as", "awa", typed=typed)
        assert (done.exit_code == 0) == is_let, done.output
    _forget_codes(hub, "awa")
    absent = seere("quarantine", "show", "99", "--as", "awa", typed=typed)
    assert (absent.exit_code, "introuvable ou réservé" in absent.stderr) == (1, True)
    if not is_let:
        assert done.stderr == absent.stderr.replace("99", "1")


def test_strictly_confidential_is_found_by_named_readers_alone(
    seere: Run, person: Callable[..., tuple[str, ...]], hub: Hub
) -> None:
    enrolled(hub, "Gao 1").send(complaint("a", confidentiality="strict"))
    assert seere("find", RECEIPT, "--as", "awa", typed=person("awa", "coordinator")).exit_code == 1
    reader = person("fanta", "coordinator", is_named_reader=True)
    assert seere("find", RECEIPT, "--as", "fanta", typed=reader).exit_code == 0


def test_admission_by_reason_passes_over_what_is_anothers(
    seere: Run, person: Callable[..., tuple[str, ...]], hub: Hub
) -> None:
    ahead = f"{utc_now().year + 3}-10-06T18:40:12Z"
    for team in ("gao", "mopti"):
        enrolled(hub, team, team=team).send(complaint("a", entered_at=ahead))
    typed = person("awa", "coordinator", teams=["gao"])
    done = seere("quarantine", "admit", "--code", "clock_ahead", "--as-is", "--as", "awa", typed=typed)
    assert done.stdout == "1 au centre, 0 attendent encore.\n"


def test_person_at_the_terminal_is_named_in_the_log_by_id_and_leaves_no_session(
    seere: Run, person: Callable[..., tuple[str, ...]], hub: Hub, aside: Sender
) -> None:
    seere("quarantine", "show", "1", "--content", "--as", "awa", typed=person("awa", "coordinator"))
    account = _account(hub, "awa")
    assert account is not None
    with hub.store.read() as connection:
        from_log = connection.exec_driver_sql("SELECT actor, action FROM event ORDER BY place").all()
        assert accounts.sessions_of(connection, account.id) == []
    mine = [action for actor, action in from_log if actor == f"account:{account.id}"]
    assert mine == ["login", "read_quarantine", "logout"]
