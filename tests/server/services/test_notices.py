"""Notices outside: one message a person under a key of its own, again until it arrives, and no word too many."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from server.commands.doctor import of_jobs
from server.config import SettingInvalid, from_environ
from server.hub import Hub
from server.services import notices
from server.services.notices import Told, deliver, wait_after
from server.store import deliveries, schema
from server.store import notices as told
from tests.builders import NOW, Person, add_person
from tests.receiver import DRIP, Receiver


def _tell(hub: Hub, person: Person, thing: str, code: str = "late") -> None:
    with hub.store.write() as connection:
        told.tell(connection, account=person.actor.id, code=code, key=f"{thing}:{person.actor.id}", at=hub.clock())


@pytest.fixture
def awa(own_hub: Hub) -> Person:
    return add_person(own_hub, "Awa")


def test_person_with_several_things_to_read_gets_one_message_without_a_name(own_hub: Hub, awa: Person) -> None:
    binta = add_person(own_hub, "Binta")
    for thing, code in (("a", "late"), ("b", "late"), ("c", "device_silent")):
        _tell(own_hub, awa, thing, code)
    _tell(own_hub, binta, "a")
    with Receiver() as receiver:
        assert deliver(own_hub.store, receiver.url, NOW) == Told(done=2, failed=0)
        assert deliver(own_hub.store, receiver.url, NOW) == Told(done=0, failed=0)
    said = sorted(receiver.effects.values(), key=lambda body: int(body["waiting"]))
    assert [(body["account"], body["code"], body["waiting"]) for body in said] == [
        (binta.actor.id, "late", 1),
        (awa.actor.id, deliveries.SEVERAL, 3),
    ]
    assert [set(body) for body in said] == [{"key", "account", "code", "waiting"}] * 2
    assert {each.key for each in receiver.heard} == {body["key"] for body in said}


def test_what_was_read_already_is_not_told_outside(own_hub: Hub, awa: Person) -> None:
    _tell(own_hub, awa, "a")
    with own_hub.store.write() as connection:
        [one] = told.of_account(connection, awa.actor.id, 10)
        told.read(connection, awa.actor.id, [one.id], NOW)
    assert not notices.is_any_waiting(own_hub.store, NOW)


def test_what_failed_is_sent_again_the_same_and_under_the_same_key(own_hub: Hub, awa: Person) -> None:
    _tell(own_hub, awa, "a")
    with Receiver() as receiver:
        receiver.answers.append((503, {}))
        assert deliver(own_hub.store, receiver.url, NOW) == Told(done=0, failed=1)
        assert not notices.is_any_waiting(own_hub.store, NOW + timedelta(seconds=59))
        # One more thing to read makes another message, not another word under the same key.
        _tell(own_hub, awa, "b")
        assert deliver(own_hub.store, receiver.url, NOW + timedelta(minutes=1)) == Told(done=2, failed=0)
    first, again, other = sorted(receiver.heard, key=lambda each: int(each.body["waiting"]))
    assert first == again
    assert (first.body["waiting"], other.body["waiting"], first.key == other.key) == (1, 2, False)


def test_receiver_that_is_away_is_asked_once_a_run(own_hub: Hub, awa: Person) -> None:
    for name in ("Binta", "Cheick"):
        _tell(own_hub, add_person(own_hub, name), "a")
    _tell(own_hub, awa, "a")
    with Receiver() as receiver:
        away = receiver.url
    assert deliver(own_hub.store, away, NOW) == Told(done=0, failed=1)
    with Receiver() as receiver:
        assert deliver(own_hub.store, receiver.url, NOW + timedelta(minutes=1)) == Told(done=3, failed=0)


def test_answer_that_comes_byte_by_byte_is_not_waited_for_and_the_others_go_on(own_hub: Hub, awa: Person) -> None:
    for person in (awa, add_person(own_hub, "Binta")):
        _tell(own_hub, person, "a")
    with Receiver() as receiver:
        receiver.answers.append(DRIP)
        assert deliver(own_hub.store, receiver.url, NOW, answer_s=0.2) == Told(done=0, failed=1)
        assert notices.is_any_waiting(own_hub.store, NOW)
        assert deliver(own_hub.store, receiver.url, NOW, answer_s=60) == Told(done=1, failed=0)
        assert deliver(own_hub.store, receiver.url, NOW + timedelta(minutes=1)) == Told(done=1, failed=0)
    slow, other, again = receiver.heard
    assert (slow == again, slow.body["account"] == other.body["account"]) == (True, False)
    assert receiver.told.total() == 2


def test_redirect_is_not_followed(own_hub: Hub, awa: Person) -> None:
    _tell(own_hub, awa, "a")
    with Receiver() as elsewhere, Receiver() as receiver:
        for status in (301, 302, 307, 308):
            receiver.answers.append((status, {"Location": elsewhere.url}))
            later = NOW + timedelta(days=len(receiver.heard))
            assert deliver(own_hub.store, receiver.url, later) == Told(done=0, failed=1)
    assert (len(receiver.heard), elsewhere.heard) == (4, [])


def test_proxy_of_the_environment_is_not_used(
    own_hub: Hub, awa: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tell(own_hub, awa, "a")
    with Receiver() as proxy, Receiver() as receiver:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        deliver(own_hub.store, receiver.url, NOW)
    assert (len(receiver.heard), proxy.heard) == (1, [])


def test_what_nobody_takes_is_given_up_and_stays_visible_until_it_is_read(own_hub: Hub, awa: Person) -> None:
    _tell(own_hub, awa, "a")
    now, tries = NOW, 0
    with Receiver() as receiver:
        receiver.answers.extend([(500, {})] * 100)
        while notices.is_any_waiting(own_hub.store, now):
            deliver(own_hub.store, receiver.url, now)
            tries += 1
            now += wait_after(tries) or timedelta(0)
    assert (tries, now - NOW > timedelta(days=2)) == (17, True)
    assert [(each.code, each.values) for each in of_jobs(own_hub)] == [("notices_given_up", {"count": 1})]
    with own_hub.store.write() as connection:
        [one] = told.of_account(connection, awa.actor.id, 10)
        told.read(connection, awa.actor.id, [one.id], now)
    assert list(of_jobs(own_hub)) == []


def test_delivery_whose_process_died_is_sent_again_when_its_lease_is_over(own_hub: Hub, awa: Person) -> None:
    _tell(own_hub, awa, "a")
    with own_hub.store.write() as connection:
        deliveries.gather(connection, awa.actor.id, NOW)
    with own_hub.store.write() as connection:
        lost = deliveries.claim(connection, NOW, NOW + timedelta(minutes=5))
    assert lost is not None
    with Receiver() as receiver:
        assert deliver(own_hub.store, receiver.url, NOW + timedelta(minutes=4)) == Told(done=0, failed=0)
        assert deliver(own_hub.store, receiver.url, NOW + timedelta(minutes=5)) == Told(done=1, failed=0)
    assert [each.key for each in receiver.heard] == [lost.id]


def test_late_word_of_who_lost_a_delivery_changes_nothing(own_hub: Hub, awa: Person) -> None:
    _tell(own_hub, awa, "a")
    with own_hub.store.write() as connection:
        deliveries.gather(connection, awa.actor.id, NOW)
    with own_hub.store.write() as connection:
        slow = deliveries.claim(connection, NOW, NOW)
        quick = deliveries.claim(connection, NOW, NOW + timedelta(minutes=5))
        assert slow is not None
        assert quick is not None
        deliveries.note_done(connection, quick, NOW)
        deliveries.note_failure(connection, slow, "no_answer", NOW)
    with own_hub.store.read() as connection:
        assert connection.execute(sa.select(schema.metadata.tables["delivery"].c["done_at", "failure"])).one() == (
            NOW,
            None,
        )


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1/x", "ftp://127.0.0.1/", "http://127.0.0.1:80@192.0.2.1/", "http://127.0.0.1.example/", "x"],
)
def test_address_that_is_neither_tls_nor_here_refuses_to_start(url: str) -> None:
    with pytest.raises(SettingInvalid):
        from_environ({"SEERE_NOTICE_URL": url})
