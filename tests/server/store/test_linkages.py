"""Linkages that wait: few of each who says something of a complaint, the last ones, and each let go of by itself."""

import pytest
import sqlalchemy as sa

from server.store import devices, linkages
from server.store.linkages import Linkage, Pending, Word
from server.store.schema import linkage_pending
from tests.builders import NOW, Clock, Sender, an_id, complaint, enrolled
from tests.matching import number_of


def say(sender: Sender, of: str, *counters: int, clock: Clock | None = None, lineage: str = "") -> None:
    """Keep linkages of the complaint called `of`, each made at one of these counters."""
    with sender.hub.store.write() as connection:
        for seq in counters:
            said = Linkage(an_id(f"{sender.device} {of} {seq}"), an_id(of), seq, 1, "")
            at = clock() if clock else NOW
            linkages.keep(connection, sender.device, lineage or sender.lineage, said, at)
            if clock:
                clock.pass_(seconds=1)


def counters(sender: Sender, of: str) -> list[int]:
    """Of the linkages of a complaint that wait, those that a device said, by their counters."""
    columns = linkage_pending.c
    select = sa.select(columns.seq).where(columns.device == sender.device, columns.complaint == an_id(of))
    with sender.hub.store.read() as connection:
        return sorted(connection.scalars(select))


@pytest.mark.parametrize("is_here", [False, True])
def test_last_words_of_each_lineage_on_a_complaint_wait_and_crowd_out_nobody_elses(
    device: Sender, is_here: bool
) -> None:
    if is_here:
        device.send(complaint("a"))
    other = enrolled(device.hub, "Gao 2")
    say(device, "a", 1, 2)
    say(device, "b", 3)
    say(other, "a", *range(60, 40, -1), lineage=device.lineage)
    assert (counters(device, "a"), counters(device, "b")) == ([1, 2], [3])
    assert counters(other, "a") == [*range(45, 61)]


def test_words_of_a_device_that_was_put_back_are_told_apart_by_when_they_came(device: Sender, clock: Clock) -> None:
    with device.hub.store.write() as connection:
        devices.update(connection, device.device, rolled_back_at=NOW)
    say(device, "a", *range(60, 40, -1), clock=clock)
    assert counters(device, "a") == [*range(41, 57)]


def test_successors_words_come_after_those_of_the_device_before_it(device: Sender) -> None:
    say(device, "a", *range(50, 60))
    successor = enrolled(device.hub, "Gao 1 bis", succeeds=device)
    say(successor, "a", *range(10))
    assert counters(device, "a") == [*range(54, 60)]
    assert counters(successor, "a") == [*range(10)]


def test_more_linkages_than_one_sentence_has_room_for_are_let_go_of(device: Sender) -> None:
    device.send(complaint("a"))
    say(device, "a", 1, 2)
    with device.hub.store.write() as connection:
        first, second = linkages.waiting(connection, [number_of(device, "a")])[number_of(device, "a")]
        word = Word(device.device, 1, device.lineage, (1, 1))
        linkages.let_go(connection, [first, *[Pending(an_id("none"), an_id("a"), 1, "", word)] * 33_000])
    assert counters(device, "a") == [second.word.seq]
