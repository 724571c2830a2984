"""The clock of the hub: a jump is doubted once and cannot be hidden, and is over by itself or by a person's word."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from server.app import create_app
from server.commands.doctor import of_clock
from server.domain.clock import doubt_of
from server.domain.errors import ClockNotDoubted
from server.hub import Hub
from server.services import clock as clocks
from server.services.clock import Doubted, look, machine_key
from server.store import notices, schema
from tests.builders import NOW, Clock, add_person, complaint, enrolled

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock(own_hub: Hub) -> Clock:
    assert isinstance(own_hub.clock, Clock)
    return own_hub.clock


def _events(hub: Hub) -> list[str]:
    events = schema.event.c
    with hub.store.read() as connection:
        select = sa.select(events.action).where(events.action.startswith("clock_")).order_by(events.place)
        return list(connection.scalars(select))


@pytest.mark.parametrize(
    ("passed", "is_doubted", "doubt"),
    [
        (30 * DAY, False, None),
        (30 * DAY + MINUTE, False, "ahead"),
        (-60 * MINUTE, False, None),
        (-61 * MINUTE, False, "behind"),
        (-1 * MINUTE, True, "behind"),
        (timedelta(0), True, None),
    ],
)
def test_what_a_clock_is_doubted_for(passed: timedelta, is_doubted: bool, doubt: str | None) -> None:
    assert doubt_of(NOW, NOW + passed, is_doubted=is_doubted) == doubt


def test_jump_is_noted_once_and_told_to_administrators(own_hub: Hub, clock: Clock) -> None:
    admin, _ = add_person(own_hub, "Oumou", "administrator"), add_person(own_hub, "Awa")
    assert look(own_hub.store, NOW)
    clock.pass_(days=365)
    assert [look(own_hub.store, clock.now + minute * MINUTE) for minute in range(3)] == [False] * 3
    assert _events(own_hub) == ["clock_doubt"]
    assert clocks.standing(own_hub.store).doubted == Doubted("ahead", clock.now)
    assert [each.code for each in of_clock(own_hub)] == ["clock_doubted_ahead"]
    with own_hub.store.read() as connection:
        assert len(notices.of_account(connection, admin.actor.id, 9)) == 1
        codes = sa.select(schema.metadata.tables["notice"].c.code)
        assert list(connection.scalars(codes)) == ["clock_doubted"]


def test_what_is_committed_after_a_jump_does_not_hide_it(own_hub: Hub, clock: Clock) -> None:
    device = enrolled(own_hub, "Gao 1")
    look(own_hub.store, clock.now)
    clock.pass_(days=365)
    device.send(complaint("later"))
    assert not look(own_hub.store, clock.now)
    clock.pass_(hours=1)
    device.send(complaint("later still"))
    assert not look(own_hub.store, clock.now)


def test_clock_that_is_right_again_is_trusted_without_a_word(own_hub: Hub, clock: Clock) -> None:
    look(own_hub.store, NOW)
    assert not look(own_hub.store, NOW + 365 * DAY)
    assert look(own_hub.store, NOW + 2 * DAY)
    assert _events(own_hub) == ["clock_doubt", "clock_right"]
    clock.now = NOW + 2 * DAY
    assert list(of_clock(own_hub)) == []


def test_clock_that_went_back_stays_doubted_until_it_is_past_where_it_was(own_hub: Hub) -> None:
    look(own_hub.store, NOW)
    assert not look(own_hub.store, NOW - timedelta(hours=2))
    assert not look(own_hub.store, NOW - timedelta(minutes=30))
    assert look(own_hub.store, NOW + MINUTE)


def test_machine_of_the_same_name_clears_no_doubt_of_another(own_hub: Hub, tmp_path: Path) -> None:
    for name in ("wrong", "right"):
        (tmp_path / name).write_text(f"{name}\n")
    wrong, right = (machine_key("hub", tmp_path / name) for name in ("wrong", "right"))
    assert look(own_hub.store, NOW, right)
    assert not look(own_hub.store, NOW - timedelta(hours=2), wrong)
    assert look(own_hub.store, NOW + MINUTE, right)
    assert [clocks.standing(own_hub.store, each).doubted is None for each in (wrong, right)] == [False, True]
    assert not look(own_hub.store, NOW - timedelta(minutes=30), wrong)
    assert _events(own_hub) == ["clock_doubt"]


def test_machine_without_an_id_goes_by_its_name(tmp_path: Path) -> None:
    assert len({machine_key(name, tmp_path / "none") for name in ("hub-1", "hub-2", "hub-2")}) == 2


@pytest.mark.parametrize("jump", [365 * DAY, -365 * DAY])
def test_accepted_clock_is_the_one_that_others_are_held_against(own_hub: Hub, jump: timedelta) -> None:
    look(own_hub.store, NOW)
    look(own_hub.store, NOW + jump)
    accepted = clocks.accept(own_hub.store, NOW + jump + MINUTE)
    assert accepted.said == NOW + jump
    assert look(own_hub.store, NOW + jump + 2 * MINUTE)
    assert not look(own_hub.store, NOW)
    assert _events(own_hub) == ["clock_doubt", "clock_accept", "clock_doubt"]


def test_clock_that_nobody_doubts_is_not_accepted(own_hub: Hub) -> None:
    look(own_hub.store, NOW)
    with pytest.raises(ClockNotDoubted):
        clocks.accept(own_hub.store, NOW)


def test_mark_is_at_most_ten_minutes_old_and_costs_nothing_between(own_hub: Hub) -> None:
    marks = set()
    for minute in range(31):
        look(own_hub.store, NOW + minute * MINUTE)
        marks.add(clocks.standing(own_hub.store).mark)
    assert marks == {NOW + minutes * MINUTE for minutes in (0, 10, 20, 30)}


@pytest.mark.parametrize(("status", "says"), [("full", True), ("plain", False)])
def test_full_status_page_says_that_the_clock_is_doubted(own_hub: Hub, status: str, says: bool) -> None:
    page = create_app(replace(own_hub, settings=replace(own_hub.settings, status=status))).test_client()
    look(own_hub.store, NOW)
    assert "mise en doute" not in page.get("/").text
    look(own_hub.store, NOW + 365 * DAY)
    assert ("mise en doute" in page.get("/").text) is says


def test_hub_knows_since_when_it_answers_again(own_hub: Hub) -> None:
    def back() -> Iterator[datetime | None]:
        for passed in (timedelta(0), MINUTE * 30, 2 * DAY, 5 * DAY, 5 * DAY + MINUTE * 30):
            look(own_hub.store, NOW + passed)
            yield clocks.back_since(own_hub.store)

    assert list(back()) == [NOW, NOW, NOW, NOW + 5 * DAY, NOW + 5 * DAY]
