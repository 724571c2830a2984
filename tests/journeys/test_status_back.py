"""What became of a complaint reaches the phone that brought it, is read there once more, and the centre knows."""

from contextlib import closing
from typing import Any

import pytest
from click.testing import CliRunner

from client_sync.cli import main
from client_sync.vault import Vault
from fixtures.bad_road import Cut
from server.services.cases import hearing, queues, telling
from server.services.cases.hearing import Hearing
from tests.builders import Person, add_person, an_id, clear_content
from tests.case_work import SETTLED, at_desk, attach, move
from tests.client_sync.builders import SOFT, WORDS
from tests.journeys.conftest import FieldDevice, NewDevice, RunningHub

GAO, MOPTI = "SRE-2026-000001", "SRE-2026-000002"


@pytest.fixture
def awa(hub: RunningHub) -> Person:
    return add_person(hub.hub, "Awa", is_named_reader=True)


@pytest.fixture
def phone(new_device: NewDevice) -> FieldDevice:
    return _with_vault(new_device("Gao 1", team="gao"))


@pytest.fixture
def other(new_device: NewDevice) -> FieldDevice:
    return _with_vault(new_device("Mopti 1", team="mopti"))


def _with_vault(device: FieldDevice) -> FieldDevice:
    Vault.create(device.outbox.folder, WORDS, SOFT).close()
    return device


def _write(device: FieldDevice, name: str, **facts: Any) -> None:
    content = clear_content(**facts)
    device.outbox.finalise("complaint", content, id=an_id(name), receipt="7K4M-2QG")


def _shown(device: FieldDevice, *arguments: str, language: str = "") -> list[str]:
    """What the program writes on this device."""
    folder = ["--folder", str(device.outbox.folder.path)]
    if language:
        CliRunner().invoke(main, [*folder, "status", "--language", language])
    result = CliRunner().invoke(main, [*folder, *arguments], input=f"{WORDS}\n", prog_name="carnet")
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def _resolve(hub: RunningHub, person: Person, number: str) -> None:
    for status in ("acknowledged", "in_triage"):
        move(hub.hub, person, number, status)
    move(hub.hub, person, number, "in_progress", **SETTLED)
    move(hub.hub, person, number, "resolved", outcome="remedied")


def _tell(hub: RunningHub) -> None:
    hub.clock.pass_(minutes=10)
    telling.tell_due(hub.hub.store, hub.clock())


@pytest.fixture
def untold(hub: RunningHub, awa: Person, phone: FieldDevice) -> FieldDevice:
    """The phone, whose complaint "a" came to a result that the centre told and the phone did not fetch yet."""
    _write(phone, "a")
    phone.sync()
    _resolve(hub, awa, GAO)
    _tell(hub)
    return phone


def _hearing(hub: RunningHub, person: Person, number: str) -> Hearing:
    return queues.show(hub.hub.store, at_desk(hub.hub, person), number).hearings[number]


def _replies(device: FieldDevice, name: str) -> list[dict[str, Any]]:
    """What the device was told of the complaint of that name, in order."""
    with closing(Vault.open(device.outbox.folder, WORDS)) as vault:
        return [dict(each.body) for each in device.outbox.received.replies(an_id(name), vault)]


def test_every_step_reaches_the_phone_is_read_in_words_and_told_to_be_seen(
    hub: RunningHub, awa: Person, phone: FieldDevice
) -> None:
    _write(phone, "a", contact_ok="yes")
    phone.sync()
    _resolve(hub, awa, GAO)
    _tell(hub)
    hub.clock.pass_(days=9)
    found = _hearing(hub, awa, GAO)
    assert (found.is_delivered, found.seen_at, found.silent_days) == (False, None, 9)

    assert phone.sync().changes == 3
    phone.sync()
    assert _hearing(hub, awa, GAO).is_delivered
    assert "au centre : un résultat" in _shown(phone, "show", "7K4M-2QG")
    assert _shown(phone, "show", "7K4M-2QG")[-3:] == [
        "21 novembre 2026 : La plainte est arrivée. Une personne va la lire.",
        "21 novembre 2026 : Quelqu'un s'occupe de la plainte.",
        "21 novembre 2026 : Il y a un résultat. Résultat : le tort est réparé. Ensuite : la fin du travail, entre le 24"
        " novembre et le 21 décembre.",
    ]
    assert _hearing(hub, awa, GAO).seen_at is None
    phone.sync()
    assert _hearing(hub, awa, GAO).seen_at == hub.clock()
    move(hub.hub, awa, GAO, "closed", closure="remedied")


def test_the_same_is_said_in_the_language_of_the_phone(hub: RunningHub, awa: Person, phone: FieldDevice) -> None:
    _write(phone, "a")
    phone.sync()
    move(hub.hub, awa, GAO, "acknowledged")
    _tell(hub)
    phone.sync()
    assert _shown(phone, "show", "7K4M-2QG", language="en")[-1] == (
        "21 November 2026: The complaint has arrived. Somebody will read it. Next: somebody working on it, between 24"
        " November and 7 December. Don't go and say it: the person will hear it on coming with the receipt."
    )
    assert _shown(phone, "show", "7K4M-2QG", language="bm")[-1].startswith("21 novembre 2026 : A sera an ma.")


def test_a_locked_phone_holds_the_word_of_the_status_alone(untold: FieldDevice) -> None:
    untold.sync()
    [record] = untold.outbox.records()
    assert (record.status, record.is_answered, record.is_seen) == ("resolved", True, False)
    rows = [row for table in untold.outbox._database.tables for row in table.rows]
    assert rows
    assert all(word not in str(rows) for word in ("remedied", "worked_on"))


def test_a_link_that_breaks_tells_each_step_once_and_in_order(untold: FieldDevice) -> None:
    for at in (0, 60, 180, 260):
        assert untold.sync(Cut(after_down=at)).cut
    untold.sync()
    assert [each["t"] for each in _replies(untold, "a")] == ["acknowledged", "worked_on", "resolved"]


def test_a_phone_hears_of_its_own_complaint_alone_and_never_that_two_are_one(
    hub: RunningHub, awa: Person, phone: FieldDevice, other: FieldDevice
) -> None:
    _write(phone, "a")
    phone.sync()
    _write(other, "b")
    other.sync()
    attach(hub.hub, awa, MOPTI, GAO)
    _resolve(hub, awa, GAO)
    _tell(hub)
    told = {}
    for name, device in (("a", phone), ("b", other)):
        device.sync()
        told[name] = _replies(device, name)
        rows = device.outbox._database.query("SELECT DISTINCT record FROM reply")
        assert [row["record"] for row in rows] == [an_id(name)]
    assert [each["t"] for each in told["a"]] == ["acknowledged", "worked_on", "resolved"]
    # It joined before anything was said of it: that somebody works on it is all it has to hear first.
    assert [each["t"] for each in told["b"]] == ["worked_on", "resolved"]
    assert not {"duplicate", GAO, an_id("a")[:8]} & {str(value) for each in told["b"] for value in each.values()}


def test_who_has_no_phone_hears_the_same_at_the_desk(hub: RunningHub, awa: Person, untold: FieldDevice) -> None:
    [answer] = hearing.by_receipt(hub.hub.store, at_desk(hub.hub, awa), "7K4M-2QG")
    untold.sync()
    assert [each.template for each in answer.steps] == [each["t"] for each in _replies(untold, "a")]
