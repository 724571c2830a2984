"""Growing: odds that fall with the number of complaints, and what is proposed judged by them."""

from typing import Any

import pytest
import sqlalchemy as sa

from server.domain.matching import complaints
from server.domain.matching.complaints import RELATIONS, read_model
from server.domain.matching.model import Model
from server.hub import Hub
from server.services.duplicates import growing, refitting
from server.store import duplicates
from server.store.match_tables import link
from server.store.schema import event
from tests.builders import Person, Sender, an_id, content, enrolled, operation
from tests.decided_pairs import INCIDENT, SHIPPED, add_links, add_stricter, decide_all
from tests.matching import match_all, report


def keep_up(hub: Hub, count: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """As at a hub of so many complaints, which nobody need lay down."""
    monkeypatch.setattr(duplicates, "count_comparable", lambda *_: count)
    return growing.keep_up(hub.store, hub.clock())


def in_use(hub: Hub) -> dict[str, Model]:
    known = refitting.listed(hub.store)
    return {each.relation: read_model(each.document) for each in known if each.state == "current"}


def links(hub: Hub) -> list[Any]:
    with hub.store.read() as connection:
        return list(connection.execute(sa.select(link).order_by(link.c.id)))


def counted(hub: Hub, most: int = growing.LINEAGE_MOST) -> int:
    with hub.store.read() as connection:
        return duplicates.count_comparable(connection, most)


def switches(hub: Hub) -> list[str]:
    with hub.store.read() as connection:
        select = sa.select(event.c.object).where(event.c.action == "switch_model").order_by(event.c.place)
        return list(connection.scalars(select))


@pytest.mark.parametrize(
    ("count", "steps"), [(0, 0), (19_999, 0), (20_000, 1), (79_999, 1), (80_000, 2), (320_000, 3), (1_280_000, 4)]
)
def test_odds_fall_by_a_bit_for_each_fourfold(count: int, steps: int) -> None:
    assert complaints.steps_at(count) == steps
    assert count < complaints.step_from(steps + 1)


def test_a_small_hub_judges_by_what_ships(hub: Hub) -> None:
    assert growing.keep_up(hub.store, hub.clock()) == 20_000
    assert {each.version for each in in_use(hub).values()} == {complaints.shipped(each).version for each in RELATIONS}
    assert switches(hub) == []


def test_proposals_of_a_hub_that_grew_are_judged_anew(
    hub: Hub, awa: Person, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide_all(hub, awa, add_links(hub, sender, 1, seed=2))
    add_links(hub, sender, 2)
    before = links(hub)
    assert keep_up(hub, 100_000, monkeypatch) == 220_000
    for was, row in zip(before, links(hub), strict=True):
        if row.state == "proposed":
            assert row.model == f"{SHIPPED.version}@2"
            assert row.weight == pytest.approx(was.weight - 2, abs=0.1)
            assert row.probability <= was.probability
        else:
            assert row == was
    assert {each.steps for each in in_use(hub).values()} == {2}


def test_what_grew_once_or_step_by_step_is_the_same(
    hub: Hub, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_links(hub, sender, 1)
    for count in (30_000, 100_000):
        keep_up(hub, count, monkeypatch)
    assert in_use(hub)[INCIDENT].version == f"{SHIPPED.version}@2"
    told = links(hub)
    refitting.switch(hub.store, SHIPPED.version, hub.clock())
    keep_up(hub, 100_000, monkeypatch)
    assert [row.band for row in links(hub)] == [row.band for row in told]
    assert [row.weight for row in links(hub)] == pytest.approx([row.weight for row in told], abs=0.1)


def test_what_says_nothing_or_was_withdrawn_does_not_count(hub: Hub, sender: Sender) -> None:
    report(sender, "told")
    report(sender, "withdrawn")
    sender.send(operation("complaint", "empty", content(incident=None, place=None, persons=None)))
    match_all(hub)
    assert counted(hub) == 2
    sender.send(operation("withdrawal", "w", {"complaint": an_id("withdrawn"), "scope": "all"}))
    assert counted(hub) == 1
    match_all(hub)
    assert counted(hub) == 1


def test_of_one_device_no_more_than_its_share_counts(hub: Hub, sender: Sender) -> None:
    for name in "abcd":
        report(sender, name)
    report(enrolled(hub, "Mopti 1"), "a")
    match_all(hub)
    assert [counted(hub, most) for most in (1, 3, 4, 5)] == [2, 4, 5, 5]


def test_a_full_device_takes_a_small_part_of_any_step() -> None:
    assert 20 * growing.LINEAGE_MOST <= complaints.step_from(1)


def test_near_a_step_not_every_page_is_counted(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep_up(hub, 19_999, monkeypatch) == 200


def test_steps_are_taken_once_and_never_back(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    for count in (100_000, 100_000, 500):
        keep_up(hub, count, monkeypatch)
    assert switches(hub) == [f"model:{complaints.shipped(each).version}@2" for each in RELATIONS]
    assert {each.steps for each in in_use(hub).values()} == {2}


def test_what_was_learned_here_grows_as_well(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    stricter = add_stricter(hub)
    refitting.switch(hub.store, stricter, hub.clock())
    keep_up(hub, 20_000, monkeypatch)
    [kept] = [each for each in refitting.listed(hub.store) if each.version == f"{stricter}@1"]
    assert (kept.state, kept.base, kept.decisions) == ("current", SHIPPED.version, 100)
    assert read_model(kept.document).constant == SHIPPED.constant - 3


def test_what_is_learned_at_a_large_hub_has_its_steps(
    hub: Hub, awa: Person, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_up(hub, 100_000, monkeypatch)
    decide_all(hub, awa, add_links(hub, sender, 10))
    told = refitting.refit(hub.store, INCIDENT, hub.clock())
    assert told.learned is not None
    refitting.switch(hub.store, told.learned.version, hub.clock())
    assert in_use(hub)[INCIDENT].steps == 2
    keep_up(hub, 100_000, monkeypatch)
    assert in_use(hub)[INCIDENT].version == told.learned.version


def test_a_switch_that_was_cut_short_is_finished(hub: Hub, sender: Sender) -> None:
    add_links(hub, sender, 1)
    stricter = add_stricter(hub)
    refitting.switch(hub.store, stricter, hub.clock())
    growing.keep_up(hub.store, hub.clock())
    assert {row.model for row in links(hub)} == {stricter}
