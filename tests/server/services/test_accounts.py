"""Accounts: who gets in, what a wrong guess costs and tells, which keys are in hand, and when a session ends."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pyotp
import pytest
import sqlalchemy as sa
from nacl import pwhash
from nacl.public import PrivateKey, PublicKey, SealedBox

from client_sync.protocol.frames import from_text
from server.domain.errors import (
    LoginRefused,
    LoginTooSoon,
    NameRefused,
    NotFound,
    PassphraseRefused,
    SessionOver,
)
from server.domain.people import HeldKeys, Role
from server.domain.permission import OPERATOR, Actor
from server.hub import Hub
from server.services.accounts import passphrases, people, sessions
from server.services.accounts.passphrases import TRIES_FROM_ONE
from server.services.accounts.people import Made, Post
from server.services.accounts.sessions import Claim, Entry, Login
from server.store import recipients, schema
from server.store.recipients import KnownKey
from tests.builders import Clock

WORDS = "mil sorgho riz fonio"
OTHER_WORDS = "karité néré baobab kapok"
HERE = "192.0.2.7"


@pytest.fixture
def key(hub: Hub) -> bytes:
    return hub.secrets.totp


@pytest.fixture
def make(hub: Hub, key: bytes) -> Callable[..., Made]:
    """Makes an account of a name that no other test has: `make("verifier", teams=["gao"])`."""

    def new(role: Role = "verifier", **post: Any) -> Made:
        name = f"awa-{uuid4().hex[:8]}"
        return people.make(hub.store, key, OPERATOR, name, Post(role, **post), WORDS, hub.clock())

    return new


@pytest.fixture
def knock(hub: Hub, key: bytes) -> Callable[..., Entry]:
    def try_(name: str, passphrase: str = WORDS, origin: str = HERE) -> Entry:
        return sessions.log_in(hub.store, key, Claim(name, passphrase, origin), hub.clock())

    return try_


@pytest.fixture
def enter(hub: Hub, key: bytes, knock: Callable[..., Entry]) -> Callable[..., tuple[str, Login]]:
    """Logs the holder of an account in, with the code where one is asked; gives token and session."""

    def log_in(made: Made, passphrase: str = WORDS) -> tuple[str, Login]:
        entry = knock(made.account.name, passphrase)
        if entry.needs_code:
            entry = sessions.give_code(hub.store, key, entry.token, _code(made, hub), HERE, hub.clock())
        return entry.token, sessions.resume(hub.store, entry.token, hub.clock())

    return log_in


def _code(made: Made, hub: Hub, steps: int = 0) -> str:
    assert made.secret is not None
    return pyotp.TOTP(made.secret).at(hub.clock(), counter_offset=steps)


def _recipients(hub: Hub, made: Made) -> list[KnownKey]:
    with hub.store.read() as connection:
        return recipients.of_account(connection, made.account.id)


def _events(hub: Hub, object: str) -> list[tuple[str, dict[str, Any]]]:
    event = schema.event.c
    select = sa.select(event.action, event.canonical).where(event.object == object).order_by(event.place)
    with hub.store.read() as connection:
        return [(action, json.loads(canonical)["details"]) for action, canonical in connection.execute(select)]


def _opens(keys: HeldKeys, public: str, sealed: bytes) -> bool:
    [private] = keys.private.values()
    assert bytes(PrivateKey(private).public_key) == from_text(public)
    return SealedBox(PrivateKey(private)).decrypt(sealed) == b"a record key"


Make = Callable[..., Made]
Knock = Callable[..., Entry]
Enter = Callable[..., tuple[str, Login]]


def test_login_gives_the_actor_and_the_keys_that_the_account_was_made_with(
    make: Make, enter: Enter, hub: Hub
) -> None:
    made = make(teams=["gao"], is_named_reader=True)
    [recipient] = _recipients(hub, made)
    sealed = SealedBox(PublicKey(from_text(recipient.public))).encrypt(b"a record key")

    _, session = enter(made)

    assert session.actor == Actor(made.account.id, "verifier", teams=frozenset({"gao"}), is_named_reader=True)
    assert set(session.keys.private) == {recipient.kid}
    assert _opens(session.keys, recipient.public, sealed)


@pytest.mark.parametrize("role", ["monitor", "administrator", "commission", "auditor"])
def test_role_that_reads_nothing_sealed_has_no_key(make: Make, hub: Hub, role: Role) -> None:
    assert _recipients(hub, make(role)) == []


def test_name_is_found_in_any_case_and_spacing_and_belongs_to_one_account(
    make: Make, knock: Knock, hub: Hub, key: bytes
) -> None:
    made = make()
    assert knock(f"  {made.account.name.upper()} ").token
    with pytest.raises(NameRefused):
        people.make(hub.store, key, OPERATOR, made.account.name.title(), Post("monitor"), WORDS, hub.clock())


@pytest.mark.parametrize("name", ["", "   ", "a\x1bb", "x" * 81, "a\x00b"])
def test_what_is_no_name_makes_no_account_and_finds_none(hub: Hub, key: bytes, knock: Knock, name: str) -> None:
    with pytest.raises(NameRefused):
        people.make(hub.store, key, OPERATOR, name, Post("monitor"), WORDS, hub.clock())
    with pytest.raises(LoginRefused):
        knock(name, origin=uuid4().hex)


@pytest.mark.parametrize("weak", ["", "mil sorgho riz", "fifteen-letters", "mil sorgho riz " + "fonio" * 300])
def test_weak_passphrase_makes_no_account(hub: Hub, key: bytes, weak: str) -> None:
    with pytest.raises(PassphraseRefused):
        people.make(hub.store, key, OPERATOR, uuid4().hex, Post("monitor"), weak, hub.clock())


def test_only_who_manages_people_makes_changes_resets_or_ends_an_account(make: Make, hub: Hub, key: bytes) -> None:
    name, now = make().account.name, hub.clock()
    for role in ("monitor", "verifier", "coordinator", "commission", "auditor"):
        actor = Actor(str(uuid4()), role)
        for forbidden in (
            lambda actor=actor: people.make(hub.store, key, actor, "seydou", Post("auditor"), WORDS, now),
            lambda actor=actor: people.listed(hub.store, actor),
            lambda actor=actor: people.set_post(hub.store, key, actor, name, Post("auditor"), now),
            lambda actor=actor: people.reset(hub.store, key, actor, name, WORDS, now),
            lambda actor=actor: people.end(hub.store, actor, name, now),
        ):
            with pytest.raises(NotFound):
                forbidden()


@pytest.fixture
def hashings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every hashing that is really done from now on, by what it was for."""
    done: list[str] = []
    for name in ("verify", "str", "kdf"):
        real = getattr(pwhash.argon2id, name)

        def counted(*args: Any, _real: Any = real, _name: str = name, **options: Any) -> Any:
            done.append(_name)
            return _real(*args, **options)

        monkeypatch.setattr(pwhash.argon2id, name, counted)
    return done


def _refusal(knock: Knock, name: str, passphrase: str) -> LoginRefused:
    with pytest.raises(LoginRefused) as refused:
        knock(name, passphrase, origin=uuid4().hex)
    return refused.value


def test_unknown_name_costs_and_says_what_a_wrong_passphrase_does(
    make: Make, knock: Knock, hub: Hub, hashings: list[str]
) -> None:
    known, gone = make("coordinator"), make()
    people.end(hub.store, OPERATOR, gone.account.name, hub.clock())
    for name in (known.account.name, gone.account.name, "nobody-here", "a\x00b"):
        hashings.clear()
        refused = _refusal(knock, name, OTHER_WORDS)
        assert (hashings, refused.values) == (["verify"], {})


def test_nobodys_passphrase_costs_what_everybodys_does(hard: None) -> None:
    costs = ["$".join(kept.split("$")[:4]) for kept in (passphrases.NOBODYS, passphrases.hashed(WORDS))]
    assert costs == ["$argon2id$v=19$m=19456,t=2,p=1"] * 2


def test_private_key_is_closed_as_hard_as_a_passphrase_is_hashed(hard: None) -> None:
    slot = json.loads(passphrases.close_slot(b"k" * 32, WORDS))
    assert (slot["passes"], slot["memory_bytes"]) == (2, 19456 * 1024)


def test_passphrase_too_long_to_be_one_is_not_hashed(make: Make, knock: Knock, hashings: list[str]) -> None:
    name = make().account.name
    hashings.clear()
    for claimed in (name, "nobody-here"):
        _refusal(knock, claimed, "a" * 1025)
        _refusal(knock, claimed, "é" * 600)
    assert hashings == []


def test_four_at_most_are_hashed_at_once(hard: None, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, inside, most = passphrases.hashed(WORDS), 0, 0
    counting, real = threading.Lock(), pwhash.argon2id.verify

    def counted(*args: Any) -> Any:
        nonlocal inside, most
        with counting:
            inside += 1
            most = max(most, inside)
        try:
            return real(*args)
        finally:
            with counting:
                inside -= 1

    monkeypatch.setattr(pwhash.argon2id, "verify", counted)
    threads = [threading.Thread(target=passphrases.is_right, args=(kept, WORDS)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 < most <= passphrases.AT_ONCE


def _wait_s(knock: Knock, name: str) -> int:
    """Guess wrongly; gives how long the next try has to wait."""
    with pytest.raises(LoginRefused):
        knock(name, OTHER_WORDS)
    try:
        knock(name, OTHER_WORDS)
    except LoginTooSoon as wait:
        return int(str(wait.values["seconds"]))
    except LoginRefused:
        return 0
    raise AssertionError


def test_wrong_guesses_wait_longer_up_to_30_s_and_as_long_where_there_is_no_account(
    make: Make, knock: Knock, clock: Clock
) -> None:
    # Two are free: the first call makes both of them.
    for name in (make().account.name, f"nobody-{uuid4()}"):
        waits = []
        for _ in range(8):
            waits.append(_wait_s(knock, name))
            clock.pass_(seconds=waits[-1])
        assert waits == [0, 1, 2, 4, 8, 16, 30, 30]


def test_right_passphrase_gets_in_after_any_number_of_wrong_ones(
    make: Make, enter: Enter, knock: Knock, clock: Clock
) -> None:
    made = make()
    for _ in range(40):
        _wait_s(knock, made.account.name)
        clock.pass_(seconds=30)
    enter(made)
    with pytest.raises(LoginRefused):
        knock(made.account.name, OTHER_WORDS)


def test_guesses_made_at_once_are_no_more_than_guesses_made_in_turn(make: Make, knock: Knock) -> None:
    name, answers = make().account.name, list[str]()

    def guess() -> None:
        try:
            knock(name, OTHER_WORDS)
        except (LoginRefused, LoginTooSoon) as refusal:
            answers.append(refusal.code)

    guessing = [threading.Thread(target=guess) for _ in range(TRIES_FROM_ONE)]
    for each in guessing:
        each.start()
    for each in guessing:
        each.join()

    assert answers.count(LoginRefused.code) == 3
    assert answers.count(LoginTooSoon.code) == 1


def test_guesses_from_elsewhere_do_not_make_the_holder_wait(make: Make, knock: Knock, enter: Enter) -> None:
    made = make()
    for _ in range(3):
        with pytest.raises(LoginRefused):
            knock(made.account.name, OTHER_WORDS, origin="198.51.100.9")
    with pytest.raises(LoginTooSoon):
        knock(made.account.name, WORDS, origin="198.51.100.9")
    enter(made)


def test_log_names_an_account_by_id_and_an_unknown_one_not_at_all(
    make: Make, knock: Knock, enter: Enter, hub: Hub
) -> None:
    made = make("coordinator", regions=["ml-r-gao"])
    enter(made)
    _refusal(knock, made.account.name, OTHER_WORDS)
    with pytest.raises(LoginRefused):
        knock("fatoumata-unknown", OTHER_WORDS, origin=str(uuid4()))

    actions = [action for action, _ in _events(hub, f"account:{made.account.id}")]
    assert actions == ["make_account", "login", "login_failed"]
    assert _events(hub, "account:unknown")[-1] == ("login_failed", {"factor": "passphrase", "failures": 1})
    with hub.store.read() as connection:
        written = b"".join(connection.scalars(sa.select(schema.event.c.canonical)))
    assert made.account.name.encode() not in written
    assert b"fatoumata" not in written


def test_code_is_asked_of_those_who_see_more_than_one_team(make: Make, knock: Knock) -> None:
    asked = {role: knock(make(role).account.name).needs_code for role in ("monitor", "verifier")}
    asked |= {
        role: knock(make(role).account.name).needs_code
        for role in ("coordinator", "administrator", "commission", "auditor")
    }
    assert asked == {
        "monitor": False,
        "verifier": False,
        "coordinator": True,
        "administrator": True,
        "commission": True,
        "auditor": True,
    }


def test_passphrase_alone_opens_no_session_and_its_token_ends_with_the_code(
    make: Make, knock: Knock, hub: Hub, key: bytes
) -> None:
    made = make("coordinator")
    first = knock(made.account.name)
    with pytest.raises(SessionOver):
        sessions.resume(hub.store, first.token, hub.clock())

    second = sessions.give_code(hub.store, key, first.token, _code(made, hub), HERE, hub.clock())

    assert sessions.resume(hub.store, second.token, hub.clock()).keys.private
    for spent in (first.token, second.token):
        with pytest.raises(SessionOver):
            sessions.give_code(hub.store, key, spent, _code(made, hub, 1), HERE, hub.clock())


@pytest.mark.parametrize(("steps", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_code_may_be_one_step_off(
    make: Make, knock: Knock, hub: Hub, key: bytes, steps: int, is_taken: bool
) -> None:
    made = make("auditor")
    token = knock(made.account.name).token
    given = _code(made, hub, steps)
    if is_taken:
        sessions.give_code(hub.store, key, token, f"{given[:3]} {given[3:]}", HERE, hub.clock())
    else:
        with pytest.raises(LoginRefused):
            sessions.give_code(hub.store, key, token, given, HERE, hub.clock())


def test_code_is_good_once_and_makes_older_ones_worthless(make: Make, knock: Knock, hub: Hub, key: bytes) -> None:
    made = make("coordinator")
    name = made.account.name
    sessions.give_code(hub.store, key, knock(name).token, _code(made, hub), HERE, hub.clock())
    for steps in (0, -1):
        token = knock(name, origin=uuid4().hex).token
        with pytest.raises(LoginRefused):
            sessions.give_code(hub.store, key, token, _code(made, hub, steps), uuid4().hex, hub.clock())


def test_wrong_codes_wait_as_wrong_passphrases_do(make: Make, knock: Knock, hub: Hub, key: bytes) -> None:
    token = knock((made := make("coordinator")).account.name).token
    for _ in range(3):
        with pytest.raises(LoginRefused):
            sessions.give_code(hub.store, key, token, "000000", HERE, hub.clock())
    with pytest.raises(LoginTooSoon):
        sessions.give_code(hub.store, key, token, _code(made, hub), HERE, hub.clock())
    elsewhere = knock(made.account.name, origin=uuid4().hex).token
    with pytest.raises(LoginTooSoon):
        sessions.give_code(hub.store, key, elsewhere, _code(made, hub), uuid4().hex, hub.clock())


def test_code_comes_within_five_minutes_of_the_passphrase(
    make: Make, knock: Knock, hub: Hub, key: bytes, clock: Clock
) -> None:
    made = make("coordinator")
    token = knock(made.account.name).token
    clock.pass_(minutes=5, seconds=1)
    with pytest.raises(SessionOver):
        sessions.give_code(hub.store, key, token, _code(made, hub), HERE, hub.clock())


def test_database_holds_neither_token_nor_second_factor_nor_private_key(make: Make, enter: Enter, hub: Hub) -> None:
    made = make("coordinator")
    token, session = enter(made)
    assert made.secret is not None
    [private] = session.keys.private.values()
    hidden = [token, made.secret, WORDS, private.hex(), private.hex().upper()]
    with hub.store.read() as connection:
        rows = [
            str(row)
            for table in (schema.account, schema.recipient, schema.session, schema.login_wait, schema.event)
            for row in connection.execute(sa.select(table))
        ]
    assert [text for text in hidden if any(text in row for row in rows)] == []


def test_session_ends_after_15_idle_minutes_and_goes_on_while_it_is_used(
    make: Make, enter: Enter, hub: Hub, clock: Clock
) -> None:
    token, _ = enter(make())
    for _ in range(4):
        clock.pass_(minutes=14)
        sessions.resume(hub.store, token, hub.clock())
    clock.pass_(minutes=15, seconds=1)
    with pytest.raises(SessionOver):
        sessions.resume(hub.store, token, hub.clock())


def test_session_ends_after_8_hours_of_use(make: Make, enter: Enter, hub: Hub, clock: Clock) -> None:
    token, session = enter(make())
    while hub.clock() - session.made_at <= timedelta(hours=8) - timedelta(minutes=14):
        clock.pass_(minutes=14)
        sessions.resume(hub.store, token, hub.clock())
    clock.pass_(minutes=14)
    with pytest.raises(SessionOver):
        sessions.resume(hub.store, token, hub.clock())


def test_holder_ends_a_session_of_his_own_and_nobody_elses(make: Make, enter: Enter, hub: Hub) -> None:
    made, other = make(), make()
    (kept, mine), (lost, _), (theirs, their_session) = enter(made), enter(made), enter(other)
    [lost_id] = [each.id for each in sessions.open_sessions(hub.store, mine.actor, hub.clock()) if each.id != mine.id]

    for id in (their_session.id, "0" * 16, "", "%", "_" * 16):
        with pytest.raises(NotFound):
            sessions.end(hub.store, mine.actor, id, hub.clock())
    sessions.end(hub.store, mine.actor, lost_id, hub.clock())

    assert sessions.resume(hub.store, kept, hub.clock())
    assert sessions.resume(hub.store, theirs, hub.clock())
    with pytest.raises(SessionOver):
        sessions.resume(hub.store, lost, hub.clock())


def test_logout_ends_the_session_once(make: Make, enter: Enter, hub: Hub) -> None:
    made = make()
    token, _ = enter(made)
    for _ in range(2):
        sessions.log_out(hub.store, token, hub.clock())
    with pytest.raises(SessionOver):
        sessions.resume(hub.store, token, hub.clock())
    assert [action for action, _ in _events(hub, f"account:{made.account.id}")].count("logout") == 1


def test_new_passphrase_opens_the_same_keys_and_ends_the_other_sessions(
    make: Make, enter: Enter, knock: Knock, hub: Hub, key: bytes
) -> None:
    made = make()
    (token, session), (other, _) = enter(made), enter(made)

    sessions.change_passphrase(hub.store, key, token, WORDS, OTHER_WORDS, HERE, hub.clock())

    assert sessions.resume(hub.store, token, hub.clock()).keys == session.keys
    with pytest.raises(SessionOver):
        sessions.resume(hub.store, other, hub.clock())
    _refusal(knock, made.account.name, WORDS)
    assert enter(made, OTHER_WORDS)[1].keys == session.keys


def test_passphrase_is_not_changed_by_who_does_not_know_it_or_for_a_weak_one(
    make: Make, enter: Enter, hub: Hub, key: bytes
) -> None:
    made = make()
    token, _ = enter(made)
    with pytest.raises(LoginRefused):
        sessions.change_passphrase(hub.store, key, token, OTHER_WORDS, OTHER_WORDS, HERE, hub.clock())
    with pytest.raises(PassphraseRefused):
        sessions.change_passphrase(hub.store, key, token, WORDS, "court", HERE, hub.clock())
    enter(made)


def test_reset_gives_keys_that_open_nothing_sealed_before_and_leaves_none_that_do(
    make: Make, enter: Enter, hub: Hub, key: bytes
) -> None:
    made = make("coordinator")
    token, session = enter(made)

    again = people.reset(hub.store, key, OPERATOR, made.account.name, OTHER_WORDS, hub.clock())

    with pytest.raises(SessionOver):
        sessions.resume(hub.store, token, hub.clock())
    with pytest.raises(LoginRefused):
        sessions.log_in(hub.store, key, Claim(made.account.name, WORDS, uuid4().hex), hub.clock())
    assert again.secret not in (None, made.secret)
    _, renewed = enter(again, OTHER_WORDS)
    assert set(renewed.keys.private) & set(session.keys.private) == set()
    states = {each.kid: (each.state, each.slot is None) for each in _recipients(hub, made)}
    assert [states[kid] for kid in session.keys.private] == [("removed", True)]
    assert [states[kid] for kid in renewed.keys.private] == [("current", False)]


def test_leaver_has_no_login_no_session_no_key_and_no_second_factor(
    make: Make, enter: Enter, knock: Knock, hub: Hub
) -> None:
    made = make("coordinator")
    token, _ = enter(made)

    people.end(hub.store, OPERATOR, made.account.name, hub.clock())

    with pytest.raises(SessionOver):
        sessions.resume(hub.store, token, hub.clock())
    _refusal(knock, made.account.name, WORDS)
    assert [(each.state, each.slot) for each in _recipients(hub, made)] == [("removed", None)]
    with hub.store.read() as connection:
        kept = connection.execute(
            sa.select(schema.account.c.passphrase, schema.account.c.totp).where(
                schema.account.c.id == made.account.id
            )
        ).one()
    assert tuple(kept) == ("", None)
    with pytest.raises(NotFound):
        people.end(hub.store, OPERATOR, made.account.name, hub.clock())


def test_change_of_role_ends_sessions_and_takes_or_gives_keys(make: Make, enter: Enter, hub: Hub, key: bytes) -> None:
    made = make()
    token, session = enter(made)

    away = people.set_post(hub.store, key, OPERATOR, made.account.name, Post("auditor"), hub.clock())
    with pytest.raises(SessionOver):
        sessions.resume(hub.store, token, hub.clock())
    assert away.secret is not None
    assert enter(away)[1].keys.private == {}
    assert [(each.state, each.slot) for each in _recipients(hub, made)] == [("removed", None)]

    people.set_post(hub.store, key, OPERATOR, made.account.name, Post("verifier", teams=["gao"]), hub.clock())
    hub_clock = hub.clock
    assert isinstance(hub_clock, Clock)
    hub_clock.pass_(seconds=30)
    _, back = enter(away)
    assert back.actor.teams == {"gao"}
    assert len(back.keys.private) == 1
    assert set(back.keys.private) != set(session.keys.private)
    assert ("make_key", {"kid": next(iter(back.keys.private))}) in _events(hub, f"account:{made.account.id}")


def test_key_that_another_passphrase_closed_does_not_keep_its_holder_out(make: Make, enter: Enter, hub: Hub) -> None:
    made = make()
    [recipient] = _recipients(hub, made)
    with hub.store.write() as connection:
        recipients.set_slot(connection, recipient.kid, passphrases.close_slot(b"k" * 32, OTHER_WORDS))
    assert enter(made)[1].keys.private == {}


def test_rows_of_a_session_open_with_its_own_token_alone(make: Make, enter: Enter, hub: Hub) -> None:
    (one, _), (two, _) = enter(make()), enter(make())
    session = schema.session.c
    with hub.store.write() as connection:
        rows = {row.token_hash: row.keys for row in connection.execute(sa.select(schema.session))}
        mine, theirs = sessions._hashed(one), sessions._hashed(two)
        connection.execute(sa.update(schema.session).where(session.token_hash == mine).values(keys=rows[theirs]))
    assert sessions.resume(hub.store, one, hub.clock()).keys.private == {}
