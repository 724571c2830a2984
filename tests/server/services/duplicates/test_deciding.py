"""Deciding: who may, what a decision leaves behind, and that taking it back leaves nothing."""

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

from server.domain.errors import DecisionRefused, DecisionStale, NotFound
from server.domain.matching.clusters import Edge, cluster_of
from server.domain.matching.decisions import Decision, Reason, Verdict, levels_told, second_opinions
from server.domain.matching.link_ids import written
from server.domain.matching.review import BLIND_BELOW, Slot, Stratum
from server.hub import Hub
from server.services.duplicates import choosing, deciding, matching
from server.store import erasures, links, registry
from server.store.engine import open_store
from server.store.match_tables import decision, link
from server.store.schema import complaint as complaints
from server.store.schema import event
from tests.builders import Clock, Person, add_person, enrolled, open_test_hub
from tests.decision_walks import COMPLAINANT, Walk, add_link, add_web
from tests.pair_work import (
    CONFIRMED,
    REJECTED,
    at_desk,
    change,
    decide,
    members,
    row_of,
    send,
    shown,
    undo,
    word_of,
    words_on,
)


def erase(hub: Hub, complaint_id: int) -> None:
    with hub.store.write() as connection:
        subject = erasures.subject_of(connection, complaint_id)
        assert subject is not None
        erasures.wipe(connection, subject, hub.clock(), hub.clock() + timedelta(days=35))


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
    assert len(words_on(hub, made)) == 1


def test_decision_that_was_taken_back_since_is_told_as_well(hub: Hub, awa: Person, ids: list[int]) -> None:
    made = add_link(hub, ids[0], ids[1])
    first = decide(hub, awa, made)
    undo(hub, awa, made, first)
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
    for again in (first, taken_back):
        with pytest.raises(DecisionRefused):
            undo(hub, awa, made, again)
    for absent in ((made, 404), (404, 1)):
        with pytest.raises(NotFound):
            undo(hub, awa, *absent)


def test_what_somebody_said_since_is_never_taken_back_instead(
    hub: Hub, awa: Person, binta: Person, ids: list[int]
) -> None:
    made = add_link(hub, ids[0], ids[1])
    first = decide(hub, awa, made, REJECTED)
    decide(hub, binta, made, after=first)
    assert undo(hub, awa, made, first) == "confirmed"


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
    number = decide(hub, awa, made, REJECTED)
    assert members(hub, awa, ids[0]) == (ids[0],)
    assert undo(hub, awa, made, number) == "confirmed"


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
            last[taken[0]] = max(words_on(hub, taken[0]))
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


def test_cluster_is_never_joined_across_a_rejected_pair(hub: Hub, awa: Person, ids: list[int]) -> None:
    chain = [add_link(hub, ids[at], ids[at + 1], 0.99 - at / 100) for at in range(3)]
    assert members(hub, awa, ids[0]) == tuple(ids[:4])
    apart = add_link(hub, ids[0], ids[3], 0.5)
    number = decide(hub, awa, apart, REJECTED)
    assert members(hub, awa, ids[0]) == tuple(ids[:3])
    decide(hub, awa, chain[2])
    assert members(hub, awa, ids[0]) == (ids[0], ids[1])
    undo(hub, awa, apart, number)
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
    number = decide(hub, awa, across)
    with pytest.raises(NotFound):
        undo(hub, person, across, number)
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


def test_sampled_pairs_are_decided_without_score_or_reasons(hub: Hub, awa: Person, ids: list[int]) -> None:
    blind = add_link(hub, ids[0], ids[1], draw=BLIND_BELOW - 1)
    [pair] = choosing.next_pairs(hub.store, at_desk(hub, awa), 30, 1).pairs
    assert (pair.link, pair.slot, pair.judged) == (blind, Slot.BLIND, None)
    assert members(hub, awa, ids[0]) == (ids[0],)
    assert deciding.explain(hub.store, at_desk(hub, awa), blind).judged is None
    number = decide(hub, awa, blind)
    assert deciding.explain(hub.store, at_desk(hub, awa), blind).judged is not None
    assert word_of(hub, blind, number).is_blind
    undo(hub, awa, blind, number)
    # The score was seen since.
    again = decide(hub, awa, blind, after=max(words_on(hub, blind)))
    assert not word_of(hub, blind, again).is_blind


def test_pair_whose_score_was_seen_is_never_recorded_as_decided_unaided(
    hub: Hub, awa: Person, ids: list[int]
) -> None:
    made = add_link(hub, ids[0], ids[1], 0.4)
    assert deciding.explain(hub.store, at_desk(hub, awa), made).judged is not None
    change(hub, sa.update(link).values(band="silent", shelf="silent", probability=0.1, draw=5))
    number = decide(hub, awa, made, REJECTED)
    assert not word_of(hub, made, number).is_blind


def test_estimates_come_from_blind_decisions_alone(hub: Hub, awa: Person, ids: list[int]) -> None:
    decide(hub, awa, add_link(hub, ids[0], ids[1], 0.96), REJECTED)
    decide(hub, awa, add_link(hub, ids[1], ids[2], 0.97, draw=5))
    decide(hub, awa, add_link(hub, ids[2], ids[3], 0.98, draw=6))
    decide(hub, awa, add_link(hub, ids[3], ids[4], 0.05, draw=7), REJECTED)
    taken_back = add_link(hub, ids[4], ids[5], 0.99, draw=8)
    undo(hub, awa, taken_back, decide(hub, awa, taken_back, REJECTED))
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


def test_opinions_of_one_person_are_those_of_one_after_an_undo_too(
    hub: Hub, awa: Person, binta: Person, ids: list[int]
) -> None:
    made = add_link(hub, ids[0], ids[1])
    first = decide(hub, awa, made)
    decide(hub, binta, made, REJECTED, is_second=True)
    undo(hub, awa, made, first)
    decide(hub, binta, made, REJECTED, after=3)
    told = deciding.explain(hub.store, at_desk(hub, awa), made)
    assert [(each.name, each.is_own_second) for each in told.words if each.decision.is_second] == [("Binta", True)]
    assert second_opinions([each.decision for each in told.words]) == []
    assert told.is_second
    decide(hub, awa, made, is_second=True)
    told = deciding.explain(hub.store, at_desk(hub, awa), made)
    assert [each.account for each in second_opinions([each.decision for each in told.words])] == [awa.actor.id]


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
    number = decide(hub, awa, made, reason=Reason.OTHER)
    undo(hub, awa, made, number)
    erase(hub, ids[1])
    assert (shown(hub, awa), members(hub, awa, ids[0])) == ([], (ids[0],))
    with pytest.raises(NotFound):
        undo(hub, awa, made, number)
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


