"""The list: whose pairs come first, how the day is shared, and that a flood spends what is its own alone."""

from server.hub import Hub
from server.services.duplicates import choosing
from tests.builders import Clock, Person, enrolled
from tests.decision_walks import COMPLAINANT, add_link
from tests.pair_work import REJECTED, at_desk, decide, send, shown, undo, words_on


def test_strong_pairs_come_first_and_the_most_valuable_of_them(hub: Hub, awa: Person, ids: list[int]) -> None:
    doubt = add_link(hub, ids[0], ids[1], 0.5, value=9.0)
    little, much = add_link(hub, ids[2], ids[3], value=1.0), add_link(hub, ids[4], ids[5], value=3.0)
    assert shown(hub, awa) == [much, little, doubt]


def test_pair_that_joins_a_cluster_comes_before_one_that_does_not(hub: Hub, awa: Person, ids: list[int]) -> None:
    alone, joining = add_link(hub, ids[0], ids[1], 0.98), add_link(hub, ids[2], ids[3])
    assert shown(hub, awa) == [alone, joining]
    decide(hub, awa, add_link(hub, ids[3], ids[4]))
    assert shown(hub, awa) == [joining, alone]


def test_day_ends_with_its_capacity_and_begins_anew(hub: Hub, awa: Person, ids: list[int]) -> None:
    for at in range(0, 6, 2):
        add_link(hub, ids[at], ids[at + 1])
    decide(hub, awa, shown(hub, awa, capacity=2)[0])
    assert len(shown(hub, awa, capacity=2)) == 1
    decide(hub, awa, shown(hub, awa, capacity=2)[0])
    assert choosing.next_pairs(hub.store, at_desk(hub, awa), 2, 9).left == 0
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(days=1)
    assert len(shown(hub, awa, capacity=2)) == 1


def test_group_is_shown_by_its_best_pair_and_has_its_share_of_the_day(
    hub: Hub, awa: Person, ids: list[int]
) -> None:
    chain = [add_link(hub, ids[at], ids[at + 1], 0.99 - at / 100) for at in range(3)]
    twin = add_link(hub, ids[0], ids[1], 0.96, relation=COMPLAINANT, model="same_complainant-1")
    other = add_link(hub, ids[4], ids[5], 0.955)
    pairs = choosing.next_pairs(hub.store, at_desk(hub, awa), 30, 9).pairs
    assert [(each.link, each.alike, each.twin) for each in pairs] == [
        (chain[0], 4, twin),
        (twin, 2, chain[0]),
        (other, 2, None),
    ]
    decide(hub, awa, chain[0])
    assert shown(hub, awa, capacity=6)[:2] == [twin, chain[1]]
    decide(hub, awa, chain[1])
    assert chain[2] in shown(hub, awa, capacity=9)
    assert chain[2] not in shown(hub, awa, capacity=6)
    assert other in shown(hub, awa, capacity=6)


def test_flood_of_one_device_takes_its_share_and_hides_nobody(hub: Hub, awa: Person, ids: list[int]) -> None:
    flood = send(enrolled(hub, "Flood"), *(f"f{at}" for at in range(40)))
    for at in range(1, 40):
        for back in range(1, min(at, 8) + 1):
            add_link(hub, flood[at], flood[at - back], 0.99, value=9.0)
    others = {add_link(hub, ids[at], ids[at + 1], value=0.1) for at in (0, 2, 4)}
    today = shown(hub, awa, capacity=12)
    assert len(today) == 1 + 3
    assert set(today[1:]) == others
    for _ in range(4):
        flooded = shown(hub, awa, capacity=12)[0]
        decide(hub, awa, flooded, REJECTED)
        assert flooded not in others
    assert set(shown(hub, awa, capacity=12)) == others


def likened(hub: Hub, flood: list[int], victim: int, value: float = 9.0) -> list[int]:
    return [add_link(hub, victim, each, 0.99, value=value) for each in flood]


def decide_all(hub: Hub, person: Person, capacity: int, times: int) -> list[int]:
    """The best pair of each of so many lists, each rejected."""
    done = []
    for _ in range(times):
        [best] = shown(hub, person, capacity, limit=1)
        decide(hub, person, best, REJECTED)
        done.append(best)
    return done


def test_likenesses_of_a_flood_spend_nothing_of_what_their_victim_has(hub: Hub, awa: Person) -> None:
    first, then = send(enrolled(hub, "Victim"), "v", "w")
    flood = send(enrolled(hub, "Flood"), *(f"f{at}" for at in range(20)))
    flooded = likened(hub, flood, first)
    later = send(enrolled(hub, "Mopti"), "m")
    honest = add_link(hub, then, later[0], 0.98, value=0.1)
    assert set(decide_all(hub, awa, 12, 4)) <= set(flooded)
    assert shown(hub, awa, capacity=12) == [honest]


def test_one_complaint_under_a_flood_has_its_turn_before_the_share_of_its_group_is_spent(
    hub: Hub, awa: Person, ids: list[int]
) -> None:
    flood = send(enrolled(hub, "Flood"), *(f"f{at}" for at in range(20)))
    likened(hub, flood, ids[0])
    honest = add_link(hub, ids[0], send(enrolled(hub, "Mopti"), "m")[0], 0.98, value=0.1)
    assert honest in decide_all(hub, awa, 12, 2)


def test_flood_that_came_before_its_victims_leaves_them_half_of_their_share(
    hub: Hub, awa: Person, ids: list[int]
) -> None:
    flood = send(enrolled(hub, "Flood"), *(f"f{at}" for at in range(20)))
    victims = send(enrolled(hub, "Victim"), *(f"v{at}" for at in range(20)))
    for early, late in zip(flood, victims, strict=True):
        add_link(hub, early, late, 0.99, value=9.0)
    honest = {add_link(hub, ids[at], victims[at], 0.98, value=0.1) for at in range(2)}
    assert honest <= set(decide_all(hub, awa, 12, 4))


def test_group_ends_where_a_pair_was_rejected_today(hub: Hub, awa: Person, ids: list[int]) -> None:
    chain = [add_link(hub, ids[at], ids[at + 1], 0.99 - at / 100) for at in range(3)]
    decide(hub, awa, chain[1], REJECTED)
    pairs = choosing.next_pairs(hub.store, at_desk(hub, awa), 30, 9).pairs
    assert [(each.link, each.alike) for each in pairs] == [(chain[0], 2), (chain[2], 2)]


def test_rejected_pair_is_of_the_share_of_both_groups_that_it_parted(
    hub: Hub, awa: Person, ids: list[int]
) -> None:
    parted = add_link(hub, ids[0], ids[1], 0.999)
    others = [add_link(hub, ids[1], ids[at], 0.99 - at / 100) for at in (2, 3, 4)]
    assert decide_all(hub, awa, 9, 3) == [parted, *others[:2]]
    assert shown(hub, awa, capacity=9) == []


def test_silent_pairs_have_their_own_slots_alone(hub: Hub, awa: Person, ids: list[int]) -> None:
    silent, spent = add_link(hub, ids[0], ids[1], 0.05, draw=1), add_link(hub, ids[2], ids[3], 0.96)
    seen = 0
    for turn in range(13):
        assert silent not in shown(hub, awa, capacity=99, limit=1)
        number = decide(hub, awa, spent, REJECTED, after=seen)
        if turn < 12:
            undo(hub, awa, spent, number)
        seen = max(words_on(hub, spent))
    waiting = add_link(hub, ids[4], ids[5], 0.96)
    assert shown(hub, awa, capacity=99) == [silent, waiting]
