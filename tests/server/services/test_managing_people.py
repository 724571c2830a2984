"""Whoever manages people: what an administrator may do to whom, and that somebody always still can."""

import contextlib
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from server.domain.errors import AccountRefused, LoginRefused, NotFound, ReasonMissing, SessionOver
from server.domain.people import Role
from server.domain.permission import OPERATOR, Actor
from server.hub import Hub
from server.services.accounts import passphrases, people, sessions
from server.services.accounts.people import Post
from server.services.accounts.sessions import Claim
from server.store import accounts

WORDS = "mil sorgho riz fonio"
WHY = "décidé en réunion d'équipe"


@pytest.fixture
def hub(own_hub: Hub) -> Hub:
    return own_hub


@pytest.fixture
def make(hub: Hub) -> Callable[..., Actor]:
    def new(name: str, role: Role = "administrator") -> Actor:
        made = people.make(hub.store, hub.secrets.totp, OPERATOR, name, Post(role), WORDS, hub.clock())
        return made.account.actor

    return new


def _state(hub: Hub, actor: Actor) -> str:
    with hub.store.read() as connection:
        found = accounts.find(connection, actor.id)
    assert found is not None
    return found.state


def _refused(act: Callable[[], object]) -> object:
    with pytest.raises(AccountRefused) as refused:
        act()
    return refused.value.values["fault"]


def test_last_administrator_stays_whatever_is_tried(hub: Hub, make: Callable[..., Actor]) -> None:
    issa, oumar = make("issa"), make("oumar")
    key, now = hub.secrets.totp, hub.clock()
    people.suspend(hub.store, issa, "oumar", now, reason=WHY)
    # By a session that had begun before.
    acts: list[Callable[[], object]] = [
        lambda: people.suspend(hub.store, oumar, "issa", now, reason=WHY),
        lambda: people.end(hub.store, oumar, "issa", now, reason=WHY),
        lambda: people.reset(hub.store, key, oumar, "issa", WORDS, now, reason=WHY),
        lambda: people.set_post(hub.store, key, oumar, "issa", Post("auditor"), now, reason=WHY),
    ]
    assert [_refused(act) for act in acts] == ["last"] * 4
    people.end(hub.store, OPERATOR, "issa", now)
    assert _state(hub, issa) == "left"


def test_two_administrators_do_not_suspend_each_other_at_once(hub: Hub, make: Callable[..., Actor]) -> None:
    issa, oumar = make("issa"), make("oumar")
    both, refusals = threading.Barrier(2), []

    def suspend(actor: Actor, name: str) -> None:
        both.wait()
        try:
            people.suspend(hub.store, actor, name, hub.clock(), reason=WHY)
        except AccountRefused as refused:
            refusals.append(refused.values["fault"])

    threads = [threading.Thread(target=suspend, args=each) for each in ((issa, "oumar"), (oumar, "issa"))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert refusals == ["last"]
    assert sorted([_state(hub, issa), _state(hub, oumar)]) == ["active", "suspended"]


def test_who_was_ended_at_once_is_not_left_suspended(hub: Hub, make: Callable[..., Actor]) -> None:
    issa, oumar = make("issa"), make("oumar")
    leaving = {name: make(name, "coordinator") for name in ("fanta", "awa", "binta", "kadia", "mariam", "sira")}
    both = threading.Barrier(2)

    def take_away(act: Callable[..., None], actor: Actor) -> None:
        for name in leaving:
            both.wait()
            # Who was ended first is not there any more.
            with contextlib.suppress(NotFound):
                act(hub.store, actor, name, hub.clock(), reason=WHY)

    threads = [threading.Thread(target=take_away, args=each) for each in ((people.end, issa), (people.suspend, oumar))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert {_state(hub, actor) for actor in leaving.values()} == {"left"}


def test_who_becomes_administrator_at_the_login_needs_a_code(hub: Hub, make: Callable[..., Actor]) -> None:
    make("sira", "monitor")
    both, tokens = threading.Barrier(2), []

    def log_in() -> None:
        both.wait()
        with contextlib.suppress(LoginRefused):
            tokens.append(sessions.log_in(hub.store, hub.secrets.totp, Claim("sira", WORDS, "here"), hub.clock()).token)

    entering = threading.Thread(target=log_in)
    entering.start()
    both.wait()
    people.set_post(hub.store, hub.secrets.totp, OPERATOR, "sira", Post("administrator"), hub.clock())
    entering.join()
    for token in tokens:
        with pytest.raises(SessionOver):
            sessions.resume(hub.store, token, hub.clock())


def test_suspended_account_is_given_no_post_of_a_head_and_is_restored_once(
    hub: Hub, make: Callable[..., Actor]
) -> None:
    issa = make("issa")
    make("fanta", "coordinator")
    people.suspend(hub.store, issa, "fanta", hub.clock(), reason=WHY)
    assert _refused(lambda: people.name_head(hub.store, issa, "fanta", hub.clock())) == "suspended"
    assert _refused(lambda: people.suspend(hub.store, issa, "fanta", hub.clock(), reason=WHY)) == "suspended"
    people.restore(hub.store, issa, "fanta", hub.clock(), reason=WHY)
    assert _refused(lambda: people.restore(hub.store, issa, "fanta", hub.clock(), reason=WHY)) == "active"


@pytest.mark.parametrize("reason", ["", "  court  ", "x" * 501])
def test_no_account_is_changed_for_a_reason_that_says_nothing(
    hub: Hub, make: Callable[..., Actor], reason: str
) -> None:
    issa, key, now = make("issa"), hub.secrets.totp, hub.clock()
    make("fanta", "coordinator")
    for act in (
        lambda: people.set_post(hub.store, key, issa, "fanta", Post("auditor"), now, reason=reason),
        lambda: people.reset(hub.store, key, issa, "fanta", "mil sorgho riz fonio", now, reason=reason),
        lambda: people.suspend(hub.store, issa, "fanta", now, reason=reason),
        lambda: people.end(hub.store, issa, "fanta", now, reason=reason),
    ):
        with pytest.raises(ReasonMissing):
            act()
    [fanta] = [each for each in people.listed(hub.store, issa) if each.login == "fanta"]
    assert (fanta.state, fanta.role) == (accounts.ACTIVE, "coordinator")


def test_who_does_not_manage_people_suspends_and_restores_nobody(hub: Hub, make: Callable[..., Actor]) -> None:
    fanta = make("fanta", "coordinator")
    make("issa")
    for act in (people.suspend, people.restore):
        with pytest.raises(NotFound):
            act(hub.store, fanta, "issa", hub.clock(), reason=WHY)


def test_sign_up_words_are_eight_and_others_each_time() -> None:
    drawn = [passphrases.sign_up_words() for _ in range(20)]
    assert ({len(each.split()) for each in drawn}, len(set(drawn))) == ({8}, 20)


def test_sign_up_words_let_in_until_their_day_and_a_chosen_passphrase_for_ever(hub: Hub) -> None:
    key, now = hub.secrets.totp, hub.clock()
    words, until = passphrases.sign_up_words(), now + timedelta(days=3)
    people.make(hub.store, key, OPERATOR, "moussa", Post("monitor"), words, now, change_by=until)
    token = sessions.log_in(hub.store, key, Claim("moussa", words, "here"), until).token
    assert sessions.resume(hub.store, token, until).must_choose
    late = until + timedelta(seconds=1)
    with pytest.raises(LoginRefused):
        sessions.log_in(hub.store, key, Claim("moussa", words, "here"), late)
    sessions.change_passphrase(hub.store, key, token, words, WORDS, "elsewhere", until)
    chosen = sessions.log_in(hub.store, key, Claim("moussa", WORDS, "elsewhere"), late).token
    assert not sessions.resume(hub.store, chosen, late).must_choose
