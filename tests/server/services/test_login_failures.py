"""Wrong guesses in the log: told of ever more rarely, counted, and at one cost whether told of or not."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pyotp
import pytest
import sqlalchemy as sa

from server.domain.errors import Busy, LoginRefused, LoginTooSoon
from server.domain.people import FAILURES_KEPT, Role
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services.accounts import people, sessions
from server.services.accounts.passphrases import TRIES_FROM_ONE, in_turn
from server.services.accounts.people import Made, Post
from server.services.accounts.sessions import Claim, Entry
from server.store import accounts, schema
from tests.builders import PASSPHRASE, Clock

OTHER_WORDS = "karité néré baobab kapok"
Knock = Callable[..., Entry]
Make = Callable[..., Made]


@pytest.fixture
def make(hub: Hub) -> Make:
    def new(role: Role = "verifier") -> Made:
        name = f"awa-{uuid4().hex[:8]}"
        return people.make(hub.store, hub.secrets.totp, OPERATOR, name, Post(role), PASSPHRASE, hub.clock())

    return new


@pytest.fixture
def knock(hub: Hub) -> Knock:
    def try_(name: str, passphrase: str = PASSPHRASE, origin: str = "") -> Entry:
        return sessions.log_in(hub.store, hub.secrets.totp, Claim(name, passphrase, origin), hub.clock())

    return try_


def _events(hub: Hub, object: str) -> list[tuple[str, dict[str, Any]]]:
    event = schema.event.c
    select = sa.select(event.action, event.canonical).where(event.object == object).order_by(event.place)
    with hub.store.read() as connection:
        return [(action, json.loads(canonical)["details"]) for action, canonical in connection.execute(select)]


def _guess(knock: Knock, clock: Clock, name: str, origin: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(LoginRefused):
            knock(name, OTHER_WORDS, origin=origin)
        clock.pass_(seconds=30)


def _told(hub: Hub, object: str, since: int = 0) -> list[tuple[str, int]]:
    """Logins and failures with their counts."""
    events = _events(hub, object)[since:]
    return [(action, details["failures"]) for action, details in events if action in ("login", "login_failed")]


def test_log_tells_of_ever_fewer_wrong_guesses_and_how_many_they_were_at_the_next_login(
    make: Make, knock: Knock, hub: Hub, clock: Clock
) -> None:
    made, here, there = make(), str(uuid4()), str(uuid4())
    _guess(knock, clock, made.account.name, here, 11)
    _guess(knock, clock, made.account.name, there, 3)
    knock(made.account.name, origin=here)
    _guess(knock, clock, made.account.name, here, 1)

    failed = [("login_failed", count) for count in (1, 2, 4, 8, 1, 2)]
    assert _told(hub, f"account:{made.account.id}") == [*failed, ("login", 11), ("login_failed", 1)]


def test_names_of_nobody_do_not_flood_the_log(knock: Knock, hub: Hub, clock: Clock) -> None:
    here, before = str(uuid4()), len(_events(hub, "account:unknown"))
    for _ in range(9):
        _guess(knock, clock, f"nobody-{uuid4()}", here, 1)
    assert _told(hub, "account:unknown", before) == [("login_failed", count) for count in (1, 2, 4, 8)]


def test_wrong_guess_costs_the_same_statements_whether_or_not_there_is_an_account_or_the_log_tells_of_it(
    make: Make, knock: Knock, hub: Hub, clock: Clock
) -> None:
    here, names, said = str(uuid4()), [make().account.name for _ in range(2)], list[list[str]]()

    def note(_: Any, __: Any, statement: str, *rest: Any) -> None:
        verb = statement.split(maxsplit=1)[0]
        said[-1].append("END" if verb in ("RELEASE", "ROLLBACK") else verb)

    # Nobody's third is not told of, an account's first is.
    _guess(knock, clock, "nobody-at-all", here, 2)
    sa.event.listen(hub.store.engine, "before_cursor_execute", note)
    try:
        for name in (names[0], "nobody-else", names[1], "nobody-more"):
            said.append([])
            _guess(knock, clock, name, here, 1)
    finally:
        sa.event.remove(hub.store.engine, "before_cursor_execute", note)

    assert said[0] == said[1] == said[2] == said[3]
    assert {"INSERT", "SAVEPOINT", "END"} <= set(said[0])


def test_counts_of_wrong_guesses_are_dropped_after_a_month(knock: Knock, hub: Hub, clock: Clock) -> None:
    _guess(knock, clock, "nobody-at-all", str(uuid4()), 1)
    with hub.store.write() as connection:
        assert accounts.drop_failures(connection, clock() - FAILURES_KEPT) == 0
    clock.pass_(days=30)
    with hub.store.write() as connection:
        assert accounts.drop_failures(connection, clock() - FAILURES_KEPT) > 0


def test_tries_of_one_address_leave_the_turns_of_others(make: Make, knock: Knock) -> None:
    made, crowd = make(), "198.51.100.10"
    with ExitStack() as tries:
        for _ in range(TRIES_FROM_ONE):
            tries.enter_context(in_turn(crowd))
        with pytest.raises(Busy):
            knock(made.account.name, origin=crowd)
        knock(made.account.name, origin="198.51.100.11")
    knock(made.account.name, origin=crowd)


def test_login_by_a_code_forgives_wrong_passphrases_too(make: Make, knock: Knock, hub: Hub, clock: Clock) -> None:
    made, here = make("coordinator"), uuid4().hex
    assert made.secret is not None
    for _ in range(2):
        with pytest.raises(LoginRefused):
            knock(made.account.name, OTHER_WORDS, origin=here)
    token, code = knock(made.account.name, origin=here).token, pyotp.TOTP(made.secret).at(clock())
    sessions.give_code(hub.store, hub.secrets.totp, token, code, here, clock())
    for _ in range(3):
        with pytest.raises(LoginRefused):
            knock(made.account.name, OTHER_WORDS, origin=here)


def test_codes_guessed_from_many_addresses_wait_as_from_one(
    make: Make, knock: Knock, hub: Hub, clock: Clock
) -> None:
    """Whoever has the passphrase must not try a million codes from a thousand addresses."""
    made, key = make("coordinator"), hub.secrets.totp
    assert made.secret is not None

    def give(code: str) -> str:
        origin = uuid4().hex
        token = knock(made.account.name, origin=origin).token
        try:
            sessions.give_code(hub.store, key, token, code, origin, hub.clock())
        except (LoginRefused, LoginTooSoon) as refused:
            return refused.code
        return "in"

    assert [give("000000") for _ in range(5)] == ["login_refused"] * 3 + ["login_too_soon"] * 2
    clock.pass_(seconds=1)
    assert give(pyotp.TOTP(made.secret).at(hub.clock())) == "in"
    # Whoever got in may be wrong twice again.
    assert [give("000000") for _ in range(4)] == ["login_refused"] * 3 + ["login_too_soon"]
