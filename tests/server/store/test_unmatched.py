"""What has to be matched: nobody takes it twice, what is new comes first, and what goes wrong is counted."""

import pytest
import sqlalchemy as sa

from server.services.duplicates.matching import CLAIM
from server.store import unmatched
from server.store.match_tables import match_pending, match_profile
from server.store.unmatched import Waiting
from tests.builders import Clock, Sender, complaint
from tests.matching import number_of


def test_claimed_complaints_are_nobody_elses_until_the_claim_is_over(device: Sender, clock: Clock) -> None:
    device.send(complaint("a"), complaint("b"))
    ids = [number_of(device, name) for name in ("a", "b")]
    until = clock()
    with device.hub.store.write() as connection:
        connection.execute(sa.delete(match_pending).where(match_pending.c.complaint < ids[0]))
        assert unmatched.claim(connection, "one", clock(), clock(), 1) == [Waiting(ids[0], "one")]
        assert unmatched.claim(connection, "two", until, until, 9) == [Waiting(ids[1], "two")]
        assert not unmatched.is_any_free(connection, until)
        clock.pass_(seconds=1)
        assert unmatched.is_any_free(connection, clock())
        assert unmatched.claim(connection, "three", clock(), clock(), 9) == [Waiting(id, "three") for id in ids]


def test_claim_of_a_clock_that_was_ahead_keeps_nobody_from_a_complaint(device: Sender, clock: Clock) -> None:
    device.send(complaint("a"))
    with device.hub.store.write() as connection:
        clock.pass_(days=365)
        unmatched.claim(connection, "ahead", clock(), clock() + CLAIM, 99)
        assert not unmatched.is_any_free(connection, clock())
        clock.pass_(days=-365)
        assert unmatched.is_any_free(connection, clock())
        claimed = unmatched.claim(connection, "right", clock(), clock() + CLAIM, 99)
        assert Waiting(number_of(device, "a"), "right") in claimed
        assert not unmatched.is_any_free(connection, clock())


def test_new_word_takes_a_complaint_out_of_every_hand(device: Sender, clock: Clock) -> None:
    device.send(complaint("a"))
    number = number_of(device, "a")
    with device.hub.store.write() as connection:
        page = unmatched.claim(connection, "one", clock(), clock(), 99)
        assert number in unmatched.standing(connection, page)
        unmatched.renew(connection, number)
        assert number not in unmatched.standing(connection, page)
        assert Waiting(number, "two") in unmatched.claim(connection, "two", clock(), clock(), 99)


def test_what_went_wrong_is_claimed_alone_and_what_was_matched_before_comes_last(
    device: Sender, clock: Clock
) -> None:
    device.send(complaint("a"), complaint("b"), complaint("c"))
    old, bad, new = (number_of(device, name) for name in ("a", "b", "c"))
    with device.hub.store.write() as connection:
        connection.execute(sa.delete(match_pending))
        profile = {"complaint": old, "scheme": 0, "features": b"", "posted": b"", "is_matchable": True}
        connection.execute(sa.insert(match_profile), [profile])
        unmatched.add(connection, [bad])
        [waiting] = unmatched.claim(connection, "one", clock(), clock(), 9)
        unmatched.note_failure(connection, waiting)
        unmatched.add(connection, [new])
        assert unmatched.renew_old(connection, 1, 0, 9) == [old]
        assert unmatched.renew_old(connection, 1, old, 9) == []
        clock.pass_(seconds=1)
        claimed = [unmatched.claim(connection, "one", clock(), clock(), 9) for _ in range(2)]
        assert claimed == [[Waiting(bad, "one", 1)], [Waiting(each, "one") for each in (new, old)]]
        unmatched.renew(connection, bad)
        assert unmatched.claim(connection, "two", clock(), clock(), 1) == [Waiting(bad, "two")]


@pytest.mark.parametrize("is_of_old_scheme", [False, True])
def test_old_complaint_that_is_told_of_again_waits_until_new_ones_are_matched(
    device: Sender, clock: Clock, is_of_old_scheme: bool
) -> None:
    device.send(complaint("a"), complaint("b"), complaint("c"))
    old, fresh, new = (number_of(device, name) for name in ("a", "b", "c"))
    with device.hub.store.write() as connection:
        connection.execute(sa.delete(match_pending))
        if is_of_old_scheme:
            connection.execute(sa.insert(match_pending).values(complaint=old, turn=2))
        unmatched.renew(connection, old)
        unmatched.add(connection, [fresh, new])
        unmatched.renew(connection, new)
        claimed = unmatched.claim(connection, "one", clock(), clock(), 9)
        assert claimed == [Waiting(each, "one") for each in (fresh, new, old)]


@pytest.mark.parametrize(("is_new", "attempts"), [(False, 1), (True, 0)])
def test_failure_counts_though_another_took_over_and_not_against_what_is_new(
    device: Sender, clock: Clock, is_new: bool, attempts: int
) -> None:
    device.send(complaint("a"))
    with device.hub.store.write() as connection:
        connection.execute(sa.delete(match_pending).where(match_pending.c.complaint != number_of(device, "a")))
        [slow] = unmatched.claim(connection, "slow", clock(), clock(), 1)
        clock.pass_(seconds=1)
        unmatched.claim(connection, "quick", clock(), clock(), 1)
        if is_new:
            unmatched.renew(connection, slow.complaint)
        unmatched.note_failure(connection, slow)
        assert connection.scalar(sa.select(match_pending.c.attempts)) == attempts
