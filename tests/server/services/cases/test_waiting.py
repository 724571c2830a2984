"""What waits for somebody: in one's own scope, as far as a list counts."""

import pytest

from server.hub import Hub
from server.services.cases import owning
from server.services.cases.waiting import waiting
from server.store import lines
from server.store.lines import Count
from tests.builders import Clock, Person, add_person
from tests.case_work import Numbers, at_desk, move, version


def counted(hub: Hub, person: Person) -> dict[str, Count]:
    return dict(waiting(hub.store, at_desk(hub, person)))


def exactly(inbox: int, follow_ups: int) -> dict[str, Count]:
    return {"inbox": Count(inbox, is_more=False), "follow_ups": Count(follow_ups, is_more=False)}


@pytest.mark.usefixtures("numbers")
def test_inbox_counts_what_is_in_scope_and_strict_ones_for_named_readers(hub: Hub, awa: Person, gao: Person) -> None:
    assert counted(hub, awa) == exactly(4, 0)
    assert counted(hub, add_person(hub, "Drissa")) == exactly(3, 0)
    assert counted(hub, gao) == exactly(2, 0)
    assert counted(hub, add_person(hub, "Oumou", "auditor")) == {}


def test_follow_ups_count_what_of_one_s_own_is_late_or_due_today(hub: Hub, awa: Person, numbers: Numbers) -> None:
    assert isinstance(hub.clock, Clock)
    move(hub, awa, numbers[0], "acknowledged")
    owning.give(hub.store, at_desk(hub, awa), numbers[0], "awa", after=version(hub, awa, numbers[0]))
    assert counted(hub, awa) == exactly(4, 0)
    hub.clock.pass_(days=200)
    assert counted(hub, awa)["follow_ups"].n > 0
    assert counted(hub, add_person(hub, "Drissa"))["follow_ups"].n == 0


@pytest.mark.usefixtures("numbers")
def test_more_than_a_list_counts_is_at_least_so_many(hub: Hub, awa: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "COUNT_MAX", 2)
    assert counted(hub, awa)["inbox"] == Count(2, is_more=True)
