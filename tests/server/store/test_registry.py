"""Registry numbers: gapless by year and prefix, also when a transaction fails, and never used twice."""

import pytest
import sqlalchemy as sa

from server.hub import Hub
from server.store import complaints, registry
from server.store.schema import registry as registry_table
from tests.builders import NOW, Sender, complaint, enrolled


@pytest.fixture
def device(own_hub: Hub) -> Sender:
    return enrolled(own_hub, "Gao 1")


def _numbers(hub: Hub) -> list[tuple[str, int, int]]:
    columns = registry_table.c
    with hub.store.read() as connection:
        select = sa.select(columns.prefix, columns.year, columns.number).order_by(columns.year, columns.number)
        return [tuple(row) for row in connection.execute(select)]


def test_numbers_follow_the_order_of_the_complaints(device: Sender, own_hub: Hub) -> None:
    device.send(complaint("a"), complaint("b"))
    device.send(complaint("a"), complaint("c"))

    assert _numbers(own_hub) == [("SRE", 2026, 1), ("SRE", 2026, 2), ("SRE", 2026, 3)]


def test_each_year_starts_at_one(device: Sender, own_hub: Hub) -> None:
    device.send(complaint("a"))
    own_hub.clock.now = NOW.replace(year=2027)  # type: ignore[attr-defined]
    device.send(complaint("b"))

    assert _numbers(own_hub) == [("SRE", 2026, 1), ("SRE", 2027, 1)]


def test_transaction_that_fails_leaves_no_gap(device: Sender, own_hub: Hub) -> None:
    def fail() -> None:
        with own_hub.store.write() as connection:
            # The numbers of a body are taken; then the power goes.
            assert registry.declare_lost(connection, "SRE", 2026, 7) == 7
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    device.send(complaint("a"), complaint("b"))

    assert _numbers(own_hub) == [("SRE", 2026, 1), ("SRE", 2026, 2)]


def test_printed_and_lost_numbers_are_never_given_again(device: Sender, own_hub: Hub) -> None:
    device.send(complaint("a"))
    with own_hub.store.write() as connection:
        assert registry.declare_lost(connection, "SRE", 2026, 4) == 3
        assert registry.declare_lost(connection, "SRE", 2026, 2) == 0
    device.send(complaint("b"))

    with own_hub.store.read() as connection:
        ids = connection.scalars(sa.select(complaints.complaint.c.id).order_by(complaints.complaint.c.id)).all()
        given = registry.numbers_of(connection, ids)
    assert [given[id] for id in ids] == ["SRE-2026-000001", "SRE-2026-000005"]


def test_number_as_people_read_it() -> None:
    assert registry.written("KNK", 2026, 123) == "KNK-2026-000123"
