"""Deciding: who is shown which pair, what a decision leaves behind, and that taking it back leaves nothing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.domain.desk import Desk
from server.domain.errors import DecisionRefused, DecisionStale, NotFound
from server.domain.matching.clusters import Edge, cluster_of
from server.domain.matching.decisions import Decision, Reason, Verdict, levels_told
from server.domain.matching.link_ids import written
from server.domain.matching.review import BLIND_BELOW, Slot, Stratum
from server.hub import Hub
from server.services.duplicates import deciding, matching
from server.store import erasures, links, registry
from server.store.engine import open_store
from server.store.match_tables import decision, link
from server.store.schema import complaint as complaints
from server.store.schema import event
from tests.builders import Clock, Person, Sender, add_person, complaint, enrolled, open_test_hub
from tests.decision_walks import COMPLAINANT, Walk, add_link, add_web
from tests.matching import number_of

CONFIRMED, REJECTED = Verdict.CONFIRMED, Verdict.REJECTED


def at_desk(hub: Hub, person: Person) -> Desk:
    return hub.desk(person.actor, person.keys)


def send(sender: Sender, *names: str, **facts: Any) -> list[int]:
    sender.send(*(complaint(name, **facts) for name in names))
    return [number_of(sender, name) for name in names]


def change(hub: Hub, statement: sa.Executable) -> None:
    with hub.store.write() as connection:
        connection.execute(statement)


def erase(hub: Hub, complaint_id: int) -> None:
    with hub.store.write() as connection:
        subject = erasures.subject_of(connection, complaint_id)
        assert subject is not None
        erasures.wipe(connection, subject, hub.clock(), hub.clock() + timedelta(days=35))


def row_of(hub: Hub, table: sa.Table, id: int) -> Any:
    with hub.store.read() as connection:
        return connection.execute(sa.select(table).where(table.c.id == id)).one()


def word_of(hub: Hub, link_id: int, number: int) -> Any:
    select = sa.select(decision).where(decision.c.link == link_id, decision.c.no == number)
    with hub.store.read() as connection:
        return connection.execute(select).one()


def shown(hub: Hub, person: Person, capacity: int = 30, limit: int = 100) -> list[int]:
    return [each.link for each in deciding.next_pairs(hub.store, at_desk(hub, person), capacity, limit).cases]


def decide(hub: Hub, person: Person, link_id: int, verdict: Verdict = CONFIRMED, **options: Any) -> int:
    return deciding.decide(hub.store, at_desk(hub, person), link_id, verdict, **options)


def undo(hub: Hub, person: Person, link_id: int, number: int | None = None) -> str:
    return deciding.undo(hub.store, at_desk(hub, person), link_id, number)


def members(hub: Hub, person: Person, complaint_id: int) -> tuple[int, ...]:
    with hub.store.read() as connection:
        number = registry.numbers_of(connection, [complaint_id])[complaint_id]
    return deciding.clusters_of(hub.store, at_desk(hub, person), number)[0].cluster.members


@pytest.fixture
def ids(hub: Hub) -> list[int]:
    """Six complaints, each of a device of its own."""
    return [send(enrolled(hub, f"Gao {at}"), "a")[0] for at in range(6)]


def test_decision_keeps_who_when_why_and_the_link_as_it_was_judged(hub: Hub, awa: Person, ids: list[int]) -> None:
    made = add_link(hub, ids[0], ids[1])
    number = decide(hub, awa, made, reason=Reason.PEOPLE)
    change(hub, sa.update(link).values(reasons=[("place", 1, -0.2)], weight=-3.0, probability=0.1))
    told = word_of(hub, made, number)
    assert (told.account, told.at) == (awa.actor.id, hub.clock())
    assert (told.reason, told.verdict) == ("people", "confirmed")
    assert (told.model, told.reasons) == ("same_incident-1", [("people", 5, 9.5)])
    assert (told.weight, told.probability, told.band) == (9.7, 0.97, "strong")
    word = deciding.explain(hub.store, at_desk(hub, awa), made).words[0]
    assert (word.name, word.decision.judged.reasons) == ("Awa", [("people", 5, 9.5)])


def test_reasons_are_told_as_the_model_gave_them(hub: Hub, awa: Person, ids: list[int]) -> None:
    given = [("people", 5, 12.0), ("nobody_in_common", None, -0.651), ("when", 1, 0.0), ("sex", 4, 1e-05)]
    made = add_link(hub, ids[0], ids[1], reasons=given)
    judged = deciding.explain(hub.store, at_desk(hub, awa), made).judged
    assert judged is not None
    assert judged.reasons == given
    assert levels_told(judged.reasons) == {"people": 5, "when": 1, "sex": 4}


def test_log_has_the_decision_by_ids_and_never_its_reason(hub: Hub, awa: Person, ids: list[int]) -> None:
    made = add_link(hub, ids[0], ids[1])
    decide(hub, awa, made, reason=Reason.NAMESAKE)
    with hub.store.read() as connection:
        row = connection.execute(sa.select(event).where(event.c.action == "decide")).one()
    assert (row.actor, row.object, row.words) == (awa.actor.signature, f"link:{written(made)}", None)
    assert b"namesake" not in row.canonical


def test_ids_of_links_do_not_tell_how_many_there_are(hub: Hub, ids: list[int]) -> None:
    made = [add_link(hub, ids[at], ids[at + 1]) for at in range(5)]
    assert len(set(made)) == 5
    assert made != sorted(made) or max(made) - min(made) > 2**20
    assert max(made) > 2**20


def test_reports_are_not_changed_by_a_decision(hub: Hub, awa: Person, ids: list[int]) -> None:
    before = [row_of(hub, complaints, id) for id in ids]
    decide(hub, awa, add_link(hub, ids[0], ids[1]))
    assert [row_of(hub, complaints, id) for id in ids] == before


def test_decision_on_what_somebody_decided_since_is_refused_with_both(hub: Hub, awa: Person, ids: list[int]) -> None:
    made, binta = add_link(hub, ids[0], ids[1]), add_person(hub, "Binta")
    first = decide(hub, binta, made, REJECTED)
    with pytest.raises(DecisionStale) as stale:
        decide(hub, awa, made)
    told = {"name": "Binta", "verdict": "rejected", "said": "confirmed", "last": first}
    assert stale.value.values == {"fault": "other", **told}
    assert row_of(hub, link, made).state == "rejected"
    decide(hub, awa, made, after=first)
    assert row_of(hub, link, made).state == "confirmed"


def test_of_two_who_decide_at_once_one_is_told_of_the_other(hub: Hub, awa: Person, ids: list[int]) -> None:
    made, binta, gate = add_link(hub, ids[0], ids[1]), add_person(hub, "Binta"), Barrier(2)

    def try_to(person: Person, verdict: Verdict) -> str:
        gate.wait()
        try:
            decide(hub, person, made, verdict)
        except DecisionStale as stale:
            return str(stale.values["verdict"])
        return ""

    with ThreadPoolExecutor() as pool:
        told = sorted(pool.map(try_to, (awa, binta), (CONFIRMED, REJECTED)))
    assert told == ["", row_of(hub, link, made).state]
    assert len(_words_on(hub, made)) == 1


def test_decision_that_was_taken_back_since_is_told_as_well(hub: Hub, awa: Person, ids: list[int]) -> None:
    made = add_link(hub, ids[0], ids[1])
    first = decide(hub, awa, made)
    undo(hub, awa, made)
    with pytest.raises(DecisionStale) as stale:
        decide(hub, awa, made, after=first)
    assert stale.value.values["fault"] == "none"


def test_decision_is_taken_back_once(hub: Hub, awa: Person, ids: list[int]) -> None:
    made = add_link(hub, ids[0], ids[1])
    first = decide(hub, awa, made)
    undo(hub, awa, made, first)
    with hub.store.read() as connection:
        taken_back = connection.scalar(sa.select(decision.c.no).where(decision.c.undoes == first))
    assert taken_back is not None
    for again in (first, taken_back, None):
        with pytest.raises(DecisionRefused):
            undo(hub, awa, made, again)
    for absent in ((made, 404), (404, 1)):
        with pytest.raises(NotFound):
            undo(hub, awa, *absent)


def test_without_a_number_the_decision_that_holds_is_taken_back(hub: Hub, awa: Person, ids: list[int]) -> None:
    made = add_link(hub, ids[0], ids[1])
    first = decide(hub, awa, made, REJECTED)
    decide(hub, awa, made, after=first)
    assert [undo(hub, awa, made), undo(hub, awa, made)] == ["rejected", "proposed"]


def test_undo_brings_back_the_link_to_the_letter_after_a_new_model_too(
    hub: Hub, awa: Person, ids: list[int]
) -> None:
    made = add_link(hub, ids[0], ids[1])
    before = row_of(hub, link, made)
    first = decide(hub, awa, made, REJECTED)
    change(hub, sa.text("UPDATE model SET state = 'old' WHERE relation = 'same_incident'"))
    second = decide(hub, awa, made, after=first)
    undo(hub, awa, made, first)
    assert row_of(hub, link, made).state == "confirmed"
    assert undo(hub, awa, made, second) == "proposed"
    assert row_of(hub, link, made) == before


def test_retry_holds_by_itself_and_can_be_rejected_and_brought_back(hub: Hub, awa: Person, ids: list[int]) -> None:
    made = add_link(hub, ids[0], ids[1], relation="retry", model=None, state="confirmed", value=0.0, probability=1.0)
    assert members(hub, awa, ids[0]) == (ids[0], ids[1])
    decide(hub, awa, made, REJECTED)
    assert members(hub, awa, ids[0]) == (ids[0],)
    assert undo(hub, awa, made) == "confirmed"


def _tried(examples: int) -> settings:
    """So many walks over the links of one hub: each of them clears what the one before left."""
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )


_STEP = st.tuples(st.sampled_from("cru"), st.integers(0, 9))
_WALK = st.lists(_STEP, min_size=1, max_size=12)
_SHORT_WALK = st.lists(_STEP, min_size=3, max_size=6)


@_tried(2)
@given(walk=_SHORT_WALK)
def test_walk_of_decisions_leaves_what_those_that_stand_make(
    hub: Hub, awa: Person, ids: list[int], walk: list[tuple[str, int]]
) -> None:
    _require_what_stands(hub, awa, ids, walk)


@pytest.mark.prove
@pytest.mark.timeout(900)
@_tried(25)
@given(walk=_WALK)
def test_any_walk_of_decisions_leaves_what_those_that_stand_make(
    hub: Hub, awa: Person, ids: list[int], walk: list[tuple[str, int]]
) -> None:
    _require_what_stands(hub, awa, ids, walk)


def _require_what_stands(hub: Hub, awa: Person, ids: list[int], walk: list[tuple[str, int]]) -> None:
    _clear(hub)
    made = [add_link(hub, ids[at], ids[at + 1], 0.96 + at / 1_000) for at in range(4)]
    made.append(add_link(hub, ids[0], ids[3], 0.4))
    before = _links(hub)
    words: dict[tuple[int, int], Verdict] = {}
    last = dict.fromkeys(made, 0)
    for step, at in walk:
        if step != "u":
            verdict, chosen = (CONFIRMED if step == "c" else REJECTED), made[at % len(made)]
            last[chosen] = decide(hub, awa, chosen, verdict, after=last[chosen])
            words[chosen, last[chosen]] = verdict
        elif words:
            taken = sorted(words)[at % len(words)]
            del words[taken]
            undo(hub, awa, *taken)
            last[taken[0]] = max(_words_on(hub, taken[0]))
        standing = {each: verdict for (each, _), verdict in sorted(words.items())}
        states = {id: standing.get(id, row.state) for id, row in before.items()}
        assert {id: row.state for id, row in _links(hub).items()} == states
        for id in ids:
            assert members(hub, awa, id) == _expected(before, states, id)
    for taken in sorted(words, key=lambda each: walk[each[1] % len(walk)]):
        undo(hub, awa, *taken)
    assert _links(hub) == before


def test_undo_leaves_nothing_to_be_seen_of_a_walk_of_decisions(
    hub: Hub, awa: Person, binta: Person, ids: list[int]
) -> None:
    walk = [("c", 0), ("r", 4), ("u", 0), ("c", 6), ("r", 7)]
    assert Walk(hub, awa, binta, ids, add_web(hub, ids)).go(walk, Random(1))


@pytest.mark.prove
@pytest.mark.timeout(900)
@_tried(25)
@given(walk=_WALK, seed=st.integers(0, 99))
def test_undo_leaves_nothing_to_be_seen_of_any_walk_of_decisions(
    hub: Hub, awa: Person, binta: Person, ids: list[int], walk: list[tuple[str, int]], seed: int
) -> None:
    _clear(hub)
    assert Walk(hub, awa, binta, ids, add_web(hub, ids)).go(walk, Random(seed))


def _expected(rows: dict[int, Any], states: dict[int, str], complaint_id: int) -> tuple[int, ...]:
    edges = [
        Edge(id, row.a, row.b, states[id] == CONFIRMED, row.weight)
        for id, row in rows.items()
        if states[id] == CONFIRMED or (states[id] == "proposed" and row.band == "strong")
    ]
    apart = [(row.a, row.b) for id, row in rows.items() if states[id] == REJECTED]
    return cluster_of(complaint_id, edges, apart).members


def _clear(hub: Hub) -> None:
    change(hub, sa.delete(decision))
    change(hub, sa.delete(link))


def _links(hub: Hub) -> dict[int, Any]:
    with hub.store.read() as connection:
        return {row.id: row for row in connection.execute(sa.select(link))}


def _words_on(hub: Hub, link_id: int) -> list[int]:
    with hub.store.read() as connection:
        return list(connection.scalars(sa.select(decision.c.no).where(decision.c.link == link_id)))


def test_cluster_is_never_joined_across_a_rejected_pair(hub: Hub, awa: Person, ids: list[int]) -> None:
    chain = [add_link(hub, ids[at], ids[at + 1], 0.99 - at / 100) for at in range(3)]
    assert members(hub, awa, ids[0]) == tuple(ids[:4])
    apart = add_link(hub, ids[0], ids[3], 0.5)
    decide(hub, awa, apart, REJECTED)
    assert members(hub, awa, ids[0]) == tuple(ids[:3])
    decide(hub, awa, chain[2])
    assert members(hub, awa, ids[0]) == (ids[0], ids[1])
    undo(hub, awa, apart)
    assert members(hub, awa, ids[0]) == tuple(ids[:4])


def test_relations_are_never_mixed_in_a_cluster(hub: Hub, awa: Person, ids: list[int]) -> None:
    add_link(hub, ids[0], ids[1])
    add_link(hub, ids[1], ids[2], relation=COMPLAINANT, model="same_complainant-1")
    assert members(hub, awa, ids[1]) == (ids[0], ids[1])


def test_cluster_is_bounded_and_says_so(hub: Hub, awa: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = send(enrolled(hub, "Gao 1"), *(str(at) for at in range(8)))
    for at in range(7):
        add_link(hub, ids[at], ids[at + 1])
    monkeypatch.setattr(deciding, "MEMBERS_MOST", 5)
    with hub.store.read() as connection:
        number = registry.numbers_of(connection, ids)[ids[0]]
    view = deciding.clusters_of(hub.store, at_desk(hub, awa), number)[0]
    assert (view.cluster.members, view.is_cut) == (tuple(ids[:5]), True)


def test_pair_is_for_whoever_handles_both_of_it_and_nobody_else_hears_of_it(hub: Hub, awa: Person) -> None:
    gao = send(enrolled(hub, "Gao 1", team="gao"), "a", "b", "c")
    mopti = send(enrolled(hub, "Mopti 1", team="mopti"), "d")
    inside, across = add_link(hub, gao[0], gao[1]), add_link(hub, gao[1], mopti[0])
    chained = add_link(hub, mopti[0], gao[2])
    person = add_person(hub, "Binta", teams=["gao"])
    assert shown(hub, person) == [inside]
    for refused in (across, chained, 404):
        with pytest.raises(NotFound):
            deciding.explain(hub.store, at_desk(hub, person), refused)
        with pytest.raises(NotFound):
            decide(hub, person, refused)
    decide(hub, awa, across)
    with pytest.raises(NotFound):
        undo(hub, person, across)
    # What joins only through others' complaints is not joined for her.
    assert members(hub, person, gao[0]) == (gao[0], gao[1])
    assert members(hub, awa, gao[0]) == tuple(sorted([*gao, *mopti]))
    assert sum(each.kept for each in deciding.estimates(hub.store, at_desk(hub, person))[0].samples) == 1


def test_strict_pair_is_for_named_readers_alone(hub: Hub, awa: Person) -> None:
    open_, strict = send(enrolled(hub, "Gao 1"), "a"), send(enrolled(hub, "Gao 2"), "b", confidentiality="strict")
    made = add_link(hub, open_[0], strict[0])
    assert shown(hub, awa) == [made]
    assert shown(hub, add_person(hub, "Binta")) == []


@pytest.mark.parametrize("role", ["monitor", "verifier", "administrator", "commission", "auditor"])
def test_who_handles_no_case_has_no_queue(hub: Hub, ids: list[int], role: Any) -> None:
    made = add_link(hub, ids[0], ids[1])
    person = add_person(hub, "Modibo", role)
    assert (shown(hub, person), deciding.estimates(hub.store, at_desk(hub, person))) == ([], [])
    with pytest.raises(NotFound):
        decide(hub, person, made)


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
    assert deciding.next_pairs(hub.store, at_desk(hub, awa), 2, 9).left == 0
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(days=1)
    assert len(shown(hub, awa, capacity=2)) == 1


def test_group_is_shown_by_its_best_pair_and_has_its_share_of_the_day(
    hub: Hub, awa: Person, ids: list[int]
) -> None:
    chain = [add_link(hub, ids[at], ids[at + 1], 0.99 - at / 100) for at in range(3)]
    twin = add_link(hub, ids[0], ids[1], 0.96, relation=COMPLAINANT, model="same_complainant-1")
    other = add_link(hub, ids[4], ids[5], 0.955)
    cases = deciding.next_pairs(hub.store, at_desk(hub, awa), 30, 9).cases
    assert [(each.link, each.alike, each.twin) for each in cases] == [
        (chain[0], 4, twin),
        (twin, 2, chain[0]),
        (other, 2, None),
    ]
    decide(hub, awa, chain[0])
    assert shown(hub, awa, capacity=6)[0] == chain[1]
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


def test_sampled_pairs_are_decided_without_score_or_reasons(hub: Hub, awa: Person, ids: list[int]) -> None:
    blind = add_link(hub, ids[0], ids[1], draw=BLIND_BELOW - 1)
    [case] = deciding.next_pairs(hub.store, at_desk(hub, awa), 30, 1).cases
    assert (case.link, case.slot, case.judged) == (blind, Slot.BLIND, None)
    assert members(hub, awa, ids[0]) == (ids[0],)
    assert deciding.explain(hub.store, at_desk(hub, awa), blind).judged is None
    number = decide(hub, awa, blind)
    assert deciding.explain(hub.store, at_desk(hub, awa), blind).judged is not None
    assert word_of(hub, blind, number).is_blind
    undo(hub, awa, blind)
    # The score was seen since.
    again = decide(hub, awa, blind, after=max(_words_on(hub, blind)))
    assert not word_of(hub, blind, again).is_blind


def test_silent_pairs_have_their_own_slots_alone(hub: Hub, awa: Person, ids: list[int]) -> None:
    silent, spent = add_link(hub, ids[0], ids[1], 0.05, draw=1), add_link(hub, ids[2], ids[3], 0.96)
    seen = 0
    for turn in range(13):
        assert silent not in shown(hub, awa, capacity=99, limit=1)
        decide(hub, awa, spent, REJECTED, after=seen)
        if turn < 12:
            undo(hub, awa, spent)
        seen = max(_words_on(hub, spent))
    waiting = add_link(hub, ids[4], ids[5], 0.96)
    assert shown(hub, awa, capacity=99) == [silent, waiting]


def test_estimates_come_from_blind_decisions_alone(hub: Hub, awa: Person, ids: list[int]) -> None:
    decide(hub, awa, add_link(hub, ids[0], ids[1], 0.96), REJECTED)
    decide(hub, awa, add_link(hub, ids[1], ids[2], 0.97, draw=5))
    decide(hub, awa, add_link(hub, ids[2], ids[3], 0.98, draw=6))
    decide(hub, awa, add_link(hub, ids[3], ids[4], 0.05, draw=7), REJECTED)
    taken_back = add_link(hub, ids[4], ids[5], 0.99, draw=8)
    decide(hub, awa, taken_back, REJECTED)
    undo(hub, awa, taken_back)
    [incident, _] = deciding.estimates(hub.store, at_desk(hub, awa))
    counted = {each.stratum: (each.kept, each.decided, each.confirmed) for each in incident.samples}
    assert counted == {Stratum.STRONG: (4, 2, 2), Stratum.NEAR: (1, 1, 0)}
    assert (incident.shares[Stratum.STRONG].value, incident.recall.value) == (1.0, 1.0)


def test_second_person_judges_beside_the_first_and_changes_nothing(hub: Hub, awa: Person, ids: list[int]) -> None:
    made, binta = add_link(hub, ids[0], ids[1]), add_person(hub, "Binta")
    with pytest.raises(DecisionRefused):
        decide(hub, binta, made, is_second=True)
    first = decide(hub, awa, made)
    blind = deciding.explain(hub.store, at_desk(hub, binta), made, is_blind=True)
    assert (blind.judged, blind.words, blind.state) == (None, (), "proposed")
    second = decide(hub, binta, made, REJECTED, is_second=True)
    assert row_of(hub, link, made).state == "confirmed"
    assert deciding.explain(hub.store, at_desk(hub, awa), made).last == first
    for person in (awa, binta):
        with pytest.raises(DecisionRefused):
            decide(hub, person, made, is_second=True)
    assert undo(hub, binta, made, second) == "confirmed"


def test_withdrawn_complaint_leaves_queue_and_clusters(hub: Hub, awa: Person, ids: list[int]) -> None:
    made = add_link(hub, ids[0], ids[1])
    change(hub, sa.update(complaints).where(complaints.c.id == ids[1]).values(withdrawn="exports"))
    assert shown(hub, awa) == [made]
    change(hub, sa.update(complaints).where(complaints.c.id == ids[1]).values(withdrawn="all", state="withdrawn"))
    assert shown(hub, awa) == []
    assert members(hub, awa, ids[0]) == (ids[0],)
    with pytest.raises(NotFound):
        decide(hub, awa, made)


def test_erased_complaint_takes_its_decisions_with_it(hub: Hub, awa: Person, ids: list[int]) -> None:
    made = add_link(hub, ids[0], ids[1])
    decide(hub, awa, made, reason=Reason.OTHER)
    undo(hub, awa, made)
    erase(hub, ids[1])
    assert (shown(hub, awa), members(hub, awa, ids[0])) == ([], (ids[0],))
    with pytest.raises(NotFound):
        undo(hub, awa, made)
    with hub.store.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(decision)) == 0


@pytest.mark.postgres
def test_decision_made_while_a_complaint_is_erased_goes_with_it(postgres_url: str, tmp_path: Path) -> None:
    hub = open_test_hub(postgres_url, tmp_path, Clock())
    matching.keep_models(hub.store, hub.clock())
    ids = send(enrolled(hub, "Gao 1"), "a", "b")
    made, account = add_link(hub, ids[0], ids[1]), add_person(hub, "Awa").actor.id
    # Another hub: within one, whoever writes waits for whoever does.
    store, now = open_store(postgres_url, None), hub.clock()
    with ThreadPoolExecutor() as pool:
        with store.write() as connection:
            found = links.find(connection, made, is_locked=True)
            assert found is not None
            links.add_decision(
                connection, Decision(1, made, CONFIRMED, account, None, now, None, False, False, found.judged)
            )
            erased = pool.submit(erase, hub, ids[1])
            while not connection.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                assert not erased.done()
        erased.result()
    with store.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(decision)) == 0
    store.close()
    hub.close()


def test_both_reports_are_explained_by_their_facts(hub: Hub, awa: Person, ids: list[int]) -> None:
    told = deciding.explain(hub.store, at_desk(hub, awa), add_link(hub, ids[0], ids[1]))
    assert [each.complaint for each in told.reports] == ids[:2]
    assert told.reports[0].kinds == ("COR-RACKET", "HR-THR")
    assert told.reports[0].persons[0] == ("complainant victim", "f", "25-59")
    assert (told.state, told.last, told.words) == ("proposed", 0, ())


