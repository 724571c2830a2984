"""Expiry: what leaves a device without contact, when, and what no clock can make leave."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from client_sync.clocks import Clocks
from client_sync.outbox import Outbox
from client_sync.stores import Folder
from client_sync.tables import Reply
from client_sync.vault import Vault
from tests.client_sync.builders import NOW, SOFT, WORDS, answer, complaint, enrolled_outbox, record_id

DAYS = 30
DAY_S = 86_400.0


@dataclass(frozen=True)
class Device:
    """A device, its clocks, and the number of a complaint of which the centre spoke."""

    outbox: Outbox
    clocks: Clocks

    def after(self, days: float, *, by_wall: float | None = None, restarted: bool = False) -> "Device":
        """The device so many days later, and looked at; its wall clock may go by others."""
        wall = self.clocks.wall + timedelta(days=days if by_wall is None else by_wall)
        running_s = 60.0 if restarted else self.clocks.running_s + days * DAY_S
        later = replace(self, clocks=Clocks(wall, running_s))
        later.outbox.received.expire(later.clocks, DAYS)
        return later

    @property
    def kept(self) -> bool:
        """Whether what the centre said is still here."""
        record = self.outbox.record(record_id(1))
        return (record.status, record.is_answered) == ("answered", True)


CHANGE = {"n": 3, "id": record_id(1)[:8], "kind": "reply", "text": "Passez", "status": "answered"}


@pytest.fixture
def vault(folder: Folder) -> Iterator[Vault]:
    vault = Vault.create(folder, WORDS, SOFT)
    yield vault
    vault.close()


@pytest.fixture
def device(folder: Folder, vault: Vault) -> Iterator[Device]:
    """A device at its last contact, with a reply and one complaint that waits."""
    outbox = enrolled_outbox(folder)
    outbox.finalise("complaint", complaint(), id=record_id(1))
    outbox.apply(answer(changes=[CHANGE], cursor="c3"), NOW)
    device = Device(outbox, Clocks(NOW, 1000.0)).after(0)
    yield device
    outbox.close()


def test_what_came_leaves_after_its_days_and_what_waits_stays(device: Device, vault: Vault) -> None:
    late = device.after(29.9)
    assert late.kept
    over = late.after(0.2)
    assert not over.kept
    assert over.outbox.received.replies(record_id(1), vault) == []
    assert over.outbox.waiting() == 1
    assert over.outbox.record(record_id(1)).picture == device.outbox.record(record_id(1)).picture


def test_it_is_said_once_that_it_left(device: Device) -> None:
    clocks = Clocks(NOW + timedelta(days=31), 1000.0 + 31 * DAY_S)
    first = device.outbox.received.expire(clocks, DAYS)
    assert first is not None
    assert (first.is_over, first.days) == (True, 31)
    assert device.outbox.received.expire(clocks, DAYS) is None


def test_what_left_comes_again_at_the_next_contact(device: Device, vault: Vault) -> None:
    over = device.after(31)
    assert (over.outbox.link.cursor, over.outbox.link.last_change) == (None, 0)
    over.outbox.apply(answer(now="2026-12-25T10:00:00Z", changes=[CHANGE], cursor="c3"), over.clocks.wall)
    assert over.kept
    assert over.outbox.received.replies(record_id(1), vault) == [Reply(3, CHANGE)]


def test_a_contact_begins_the_days_anew(device: Device) -> None:
    late = device.after(29)
    late.outbox.apply(answer(now="2026-12-20T10:00:00Z"), late.clocks.wall)
    assert late.after(0).after(29).kept


def test_an_old_answer_that_took_the_long_way_is_no_contact(device: Device) -> None:
    late = device.after(29)
    late.outbox.apply(answer(now="2026-11-20T10:00:00Z"), late.clocks.wall)
    assert not late.after(1.1).kept


@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_set_years_ahead_erases_nothing_at_once(device: Device, restarted: bool) -> None:
    wrong = device.after(0.01, by_wall=3650, restarted=restarted)
    assert wrong.kept
    absence = wrong.outbox.received.expire(wrong.clocks, DAYS)
    assert absence is not None
    assert (absence.is_claimed, absence.is_over) == (True, False)
    right = wrong.after(0.5, by_wall=-3649)
    assert right.kept
    assert right.after(5).kept


def test_what_a_clock_claims_for_a_whole_day_is_believed(device: Device) -> None:
    # Put away for two months: nothing but the wall clock knows of it.
    back = device.after(0, by_wall=60, restarted=True)
    assert back.kept
    assert not back.after(1).kept


def test_a_clock_set_back_keeps_nothing_longer_while_the_machine_runs(device: Device) -> None:
    assert not device.after(31, by_wall=-3650).kept


def test_days_are_counted_across_restarts(device: Device) -> None:
    day = device
    for _ in range(31):
        day = day.after(1, restarted=True)
    assert not day.kept


def test_a_clock_that_was_always_ahead_counts_as_one_set_right(folder: Folder, vault: Vault) -> None:
    outbox = enrolled_outbox(folder)
    outbox.finalise("complaint", complaint(), id=record_id(1))
    ahead = datetime(2036, 11, 21, 10, tzinfo=NOW.tzinfo)
    outbox.apply(answer(changes=[CHANGE], cursor="c3"), ahead)
    device = Device(outbox, Clocks(ahead, 1000.0)).after(0).after(20)
    absence = outbox.received.expire(device.clocks, DAYS)
    assert absence is not None
    assert (device.kept, absence.is_claimed, absence.days_left) == (True, False, 10)
    outbox.close()


def test_before_any_contact_nothing_is_counted(folder: Folder) -> None:
    outbox = enrolled_outbox(folder)
    outbox.finalise("complaint", complaint(), id=record_id(1))
    assert outbox.received.expire(Clocks(NOW, 1.0), DAYS) is None
    assert outbox.received.expire(Clocks(NOW + timedelta(days=400), 1.0), DAYS) is None
    outbox.close()


# Replies and vaults that come and go.


def test_without_a_vault_no_reply_is_kept_and_with_one_it_is_asked_for_again(folder: Folder) -> None:
    outbox = enrolled_outbox(folder)
    outbox.finalise("complaint", complaint(), id=record_id(1))
    outbox.apply(answer(changes=[CHANGE], cursor="c3"), NOW)
    assert outbox.link.cursor == "c3"
    outbox.close()
    vault = Vault.create(folder, WORDS, SOFT)
    outbox = Outbox.open(folder)
    assert outbox.link.cursor is None
    outbox.apply(answer(changes=[CHANGE], cursor="c3"), NOW)
    assert outbox.received.replies(record_id(1), vault) == [Reply(3, CHANGE)]
    outbox.close()
    vault.close()


def test_replies_of_a_vault_that_is_gone_are_let_go_and_come_again(device: Device, folder: Folder) -> None:
    folder.wipe_vault()
    outbox = Outbox.open(folder)
    assert outbox.received.is_empty()
    assert (outbox.link.cursor, outbox.waiting()) == (None, 1)
    outbox.close()
    vault = Vault.create(folder, WORDS, SOFT)
    outbox = Outbox.open(folder)
    outbox.apply(answer(changes=[CHANGE], cursor="c3"), NOW)
    assert outbox.received.replies(record_id(1), vault) == [Reply(3, CHANGE)]
    vault.close()
    outbox.close()
