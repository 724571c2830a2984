"""A flood: thousands of near-identical reports of one device hide nobody's report, and fill nobody's day."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from server.domain.matching import review
from server.domain.matching.decisions import Verdict
from server.hub import Hub
from server.services.duplicates import choosing, deciding, matching
from server.services.duplicates.choosing import ShownPair
from server.store import unmatched
from server.store.match_tables import link, match_key
from server.store.schema import received
from tests.builders import STORED, Clock, Person, Sender, add_person, complaint, enrolled, open_test_hub, verdicts
from tests.matching import ENGLISH, linkage, match_page, report, told

FLOOD = 5_000
CAPACITY = 30
_BODY = 50
# More than the matcher takes at once: here no intake waits for it. No more than is left of a key beside a share.
_PAGE = 25


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = open_test_hub("sqlite", tmp_path / "hub", Clock(), device_burst_records=20_000)
    matching.keep_models(hub.store, hub.clock())
    yield hub
    hub.close()


def match(hub: Hub) -> None:
    while matching.is_any_waiting(hub.store, hub.clock()):
        with hub.store.write() as connection:
            page = unmatched.claim(connection, "1", hub.clock(), hub.clock() + matching.CLAIM, _PAGE)
        match_page(hub, page)


def flood(sender: Sender, many: int) -> None:
    for at in range(0, many, _BODY):
        names = [("flood", number) for number in range(at, at + _BODY)]
        complaints = [complaint(name, money={"asked_xof": 15_000 + name[1], "paid": "no"}) for name in names]
        linkages = [linkage(sender, name, told()) for name in names]
        lines = [line for pair in zip(complaints, linkages, strict=True) for line in pair]
        assert set(verdicts(sender.send(*lines))) == {STORED}


def lineages(hub: Hub, link_id: int) -> list[str]:
    """The lineages of the complaints of a link, the earlier first."""
    select = sa.select(received.c.lineage).join(link, received.c.id.in_([link.c.a, link.c.b]))
    with hub.store.read() as connection:
        return list(connection.scalars(select.where(link.c.id == link_id).order_by(received.c.id)))


def day_of(hub: Hub, person: Person) -> Iterator[ShownPair]:
    """All that a person is shown a day, pair by pair, each rejected."""
    desk = hub.desk(person.actor)
    while pairs := choosing.next_pairs(hub.store, desk, CAPACITY, 1).pairs:
        yield pairs[0]
        deciding.decide(hub.store, desk, pairs[0].link, Verdict.REJECTED)


@pytest.mark.prove
@pytest.mark.timeout(1_800)
def test_flood_of_one_device_hides_no_duplicate_and_has_its_share_of_the_day(hub: Hub) -> None:
    honest = report(enrolled(hub, "Mopti 1", team="mopti"), "a")
    match(hub)
    gao = enrolled(hub, "Gao 1", team="gao")
    flood(gao, FLOOD)
    match(hub)
    then = report(enrolled(hub, "Kayes 1", team="kayes"), "b", names=("Exemplaire Fanta",), narrative=ENGLISH)
    match(hub)
    with hub.store.read() as connection:
        shown = sa.select(link).where(link.c.relation == "same_incident", link.c.band != "silent")
        found = {(row.a, row.b): row.id for row in connection.execute(shown)}
        crowd = sa.select(sa.func.count()).select_from(match_key).group_by(match_key.c.k)
        assert max(connection.scalars(crowd)) <= matching.SHARE_MOST + 2
    assert (honest, then) in found
    # As many of a hundred.
    assert len(found) <= matching.SHARE_MOST * matching.LINKS_MOST
    awa = add_person(hub, "Awa", is_named_reader=True)
    listed = choosing.next_pairs(hub.store, hub.desk(awa.actor), CAPACITY, CAPACITY).pairs
    inside = [each for each in listed if each.judged and set(lineages(hub, each.link)) == {gao.lineage}]
    assert len(inside) <= 1
    day = list(day_of(hub, awa))
    assert found[honest, then] in [each.link for each in day]
    assert sum(lineages(hub, each.link)[-1] == gao.lineage for each in day) <= review.room_of(CAPACITY)
