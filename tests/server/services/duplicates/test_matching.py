"""Matching: reports of one incident are proposed to people, devices learn nothing, and no crash links twice."""

import json
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nacl.public import PrivateKey

from client_sync.protocol.frames import to_text
from client_sync.seal import seal_to
from server.domain.matching import complaints, profiles
from server.domain.matching.decisions import levels_told
from server.domain.matching.model import Relation
from server.hub import Hub
from server.services.duplicates import matching
from server.services.duplicates.features import Features
from server.store import duplicates, erasures, unmatched
from server.store.match_tables import decision, link, match_key, match_pending, match_profile
from server.store.schema import event, linkage_pending
from server.store.unmatched import Waiting
from tests.builders import (
    STORED,
    Clock,
    Sender,
    add_person,
    an_id,
    complaint,
    enrolled,
    facts,
    operation,
    revision,
    verdicts,
)
from tests.matching import (
    ENGLISH,
    find_links,
    linkage,
    links,
    match_all,
    match_page,
    means,
    number_of,
    report,
    told,
    turn_page,
)

INCIDENT = "same_incident"
OTHER_MATTER = {"kinds": ["COR-LAND"], "incident": {"from": "2026-03-01", "precision": "day"}, "sector": "land"}


@pytest.fixture
def gao(own_hub: Hub) -> Sender:
    return enrolled(own_hub, "Gao 1", team="gao")


@pytest.fixture
def mopti(own_hub: Hub) -> Sender:
    return enrolled(own_hub, "Mopti 1", team="mopti")


def test_report_of_another_team_in_another_language_and_spelling_is_proposed(gao: Sender, mopti: Sender) -> None:
    first = report(gao, "a")
    then = report(
        mopti,
        "b",
        {"incident": {"from": "2026-10-05", "precision": "day"}},
        names=("EXEMPLAIRE Fatoumata",),
        narrative=ENGLISH,
        said="village de Kwakuru",
    )
    report(mopti, "c", OTHER_MATTER, names=("Oumar Autrement",), narrative="Le maire a vendu le champ.", said="Djenné")

    assert match_all(gao.hub) == 3
    found = links(gao.hub)
    made = found[first, then, INCIDENT]
    assert {number for *ends, _ in found for number in ends} == {first, then}
    assert (made.band, made.state) == ("strong", "proposed")
    assert made.model == complaints.shipped(Relation.SAME_INCIDENT).version
    assert levels_told(made.reasons)["people"] == 5
    assert [abs(bits) for _, _, bits in made.reasons] == sorted((abs(b) for _, _, b in made.reasons), reverse=True)


def test_device_learns_nothing_of_it(gao: Sender, mopti: Sender) -> None:
    report(gao, "a")
    report(mopti, "b")
    senders = (gao, mopti, enrolled(gao.hub, "Kayes 1", team="kayes"))
    before = [sender.send(cursor=sender.cursor) for sender in senders]
    match_all(gao.hub)
    assert links(gao.hub)
    # Byte for byte, of those whose reports were linked and of one who sent nothing.
    after = [sender.send(cursor=sender.cursor) for sender in senders]
    assert [_unframed(each) for each in after] == [_unframed(each) for each in before]
    assert [verdicts(sender.send(complaint("new"))) for sender in senders] == [[STORED]] * 3
    with gao.hub.store.read() as connection:
        said = connection.execute(sa.select(event.c.actor, event.c.action)).all()
    assert "matcher" not in {actor for actor, _ in said}


def test_linkage_goes_when_its_keys_are_there(gao: Sender) -> None:
    number = report(gao, "a")
    page = claimed(gao.hub)
    assert (_count(gao.hub, linkage_pending), _count(gao.hub, match_key)) == (1, 0)
    turn_page(gao.hub, page)
    assert _count(gao.hub, linkage_pending) == 0
    assert _count(gao.hub, match_key) == len(_kept(gao.hub, number).heads) > 30


@pytest.mark.parametrize("box", ["other", "junk"])
def test_linkage_that_speaks_of_another_complaint_is_dropped_and_told_by_ids(gao: Sender, box: str) -> None:
    report(gao, "a")
    match_all(gao.hub)
    line = linkage(gao, "a", told(names=("Oumar Autrement",)), seq=2, inside={"complaint": an_id("b")})
    if box == "junk":
        line = operation("linkage", "l", {"complaint": an_id("a"), "v": 1, "box": "Ym94"}, seq=2)
    before = _profile(gao.hub, number_of(gao, "a"))
    gao.send(line)
    match_all(gao.hub)
    assert _count(gao.hub, linkage_pending) == 0
    assert _profile(gao.hub, number_of(gao, "a")) == before
    with gao.hub.store.read() as connection:
        canonical = connection.scalars(sa.select(event.c.canonical).where(event.c.action == "linkage_dropped")).one()
    assert gao.lineage.encode() in canonical
    assert b"Autrement" not in canonical


@pytest.mark.parametrize(
    "said",
    [
        {"statement": {"minhash": "A" * 4_000}},
        {"statement": {"pivots": ["\ud800"], "names": ["\ud800"]}},
        {"traces": {"place": "\ud800", "said": "\ud800"}},
        {"identity": {"names": [[1, "\ud800"]], "phones": ["\ud800"]}},
        {"statement": {"names": ["x" * 40_000]}},
    ],
)
def test_hostile_linkage_is_got_over(gao: Sender, said: dict[str, Any]) -> None:
    public = bytes(PrivateKey(gao.hub.secrets.linkage).public_key)
    box = to_text(seal_to(public, json.dumps({"complaint": an_id("a")} | said).encode()))
    gao.send(complaint("a"), operation("linkage", "l", {"complaint": an_id("a"), "v": 1, "box": box}))
    assert match_all(gao.hub) == 1
    assert _count(gao.hub, linkage_pending) == 0


def test_of_very_many_linkages_few_wait_and_none_stays(gao: Sender) -> None:
    lines = [linkage(gao, "a", told(), seq=seq) for seq in range(2, 42)]
    assert {each.verdict for each in verdicts(gao.send(*lines, complaint("a")))} == {"stored"}
    assert _count(gao.hub, linkage_pending) == 16
    assert match_all(gao.hub) == 1
    assert _count(gao.hub, linkage_pending) == 0


def test_linkages_that_are_dropped_of_a_complaint_are_told_together(gao: Sender) -> None:
    junk = {"complaint": an_id("a"), "v": 1, "box": "Ym94"}
    gao.send(complaint("a"), *(operation("linkage", f"l{seq}", junk, seq=seq) for seq in range(2, 5)))
    match_all(gao.hub)
    with gao.hub.store.read() as connection:
        said = connection.scalars(sa.select(event.c.canonical).where(event.c.action == "linkage_dropped")).one()
    assert json.loads(said)["details"] == {"lineages": {gao.lineage: 3}}


def test_linkage_waits_for_its_complaint(gao: Sender) -> None:
    gao.send(linkage(gao, "a", told()))
    assert match_all(gao.hub) == 0
    assert _count(gao.hub, linkage_pending) == 1
    gao.send(complaint("a"))
    assert match_all(gao.hub) == 1
    assert _count(gao.hub, linkage_pending) == 0
    assert "i1" in _profile(gao.hub, number_of(gao, "a")).numbers


def test_linkage_of_a_later_version_waits_and_is_counted(gao: Sender) -> None:
    gao.send(complaint("a"), linkage(gao, "a", told(), v=2))
    match_all(gao.hub)
    with gao.hub.store.read() as connection:
        assert duplicates.count_foreign(connection, 1, profiles.SCHEME) == (1, 0)
        assert unmatched.count(connection) == 0


def test_revised_compartment_replaces_what_was_said_of_it_alone(gao: Sender) -> None:
    number = report(gao, "a")
    match_all(gao.hub)
    before = _profile(gao.hub, number)
    newest = {"identity": {"clear": {"persons": [{"no": 1, "name": "Awa Exemple"}]}}}
    older = {"identity": {"clear": {"persons": [{"no": 1, "name": "Aminata Exemple"}]}}}
    # In the order that the device made them in, not that in which they came.
    gao.send(linkage(gao, "a", newest, seq=9), linkage(gao, "a", older, seq=5))
    match_all(gao.hub)
    after = _profile(gao.hub, number)
    expected = profiles.of_identity([(1, "Awa Exemple")], [], gao.hub.secrets.pepper)
    assert after.numbers["i1"] == expected.numbers["i1"]
    assert {k: v for k, v in after.numbers.items() if k[0] != "i"} == {
        k: v for k, v in before.numbers.items() if k[0] != "i"
    }


def test_revised_facts_take_old_keys_down(gao: Sender) -> None:
    number = report(gao, "a")
    match_all(gao.hub)
    before = set(_kept(gao.hub, number).heads)
    elsewhere = {"facts": {"clear": facts(place={"id": "ml-c-kayes", "list": "2026.1"})}}
    gao.send(revision("r", "a", 1, **elsewhere))
    match_all(gao.hub)
    after = set(_kept(gao.hub, number).heads)
    assert before - after
    with gao.hub.store.read() as connection:
        assert set(map(duplicates.head_of, connection.scalars(sa.select(match_key.c.k)))) == after


def test_revision_between_reading_and_writing_is_not_lost(gao: Sender) -> None:
    number = report(gao, "a")
    [waiting] = claimed(gao.hub)
    newer = told(names=("Awa Exemple",))
    gao.send(linkage(gao, "a", newer, seq=2))
    assert match_page(gao.hub, [waiting]) == []
    assert _count(gao.hub, linkage_pending) == 2
    match_all(gao.hub)
    expected = profiles.of_identity([(1, "Awa Exemple")], [], gao.hub.secrets.pepper)
    assert _profile(gao.hub, number).numbers["i1"] == expected.numbers["i1"]


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_crash_between_the_steps_matches_again_and_links_once(gao: Sender, mopti: Sender, steps: int) -> None:
    pair = report(gao, "a"), report(mopti, "b")
    page = claimed(gao.hub)
    if steps:
        page = turn_page(gao.hub, page)
    if steps > 1:
        find_links(gao.hub, page)
    assert match_all(gao.hub) == 0
    gao.hub.clock.pass_(minutes=3)  # type: ignore[attr-defined]
    assert match_all(gao.hub) == (0 if steps > 1 else 2)
    assert (*pair, INCIDENT) in links(gao.hub)
    assert _count(gao.hub, link) == len(links(gao.hub))
    assert _count(gao.hub, match_key) == sum(len(_kept(gao.hub, each).heads) for each in pair)


def test_two_hubs_share_the_work_and_one_sees_the_other(gao: Sender, mopti: Sender) -> None:
    pair = report(gao, "a"), report(mopti, "b")
    with gao.hub.store.write() as connection:
        until = gao.hub.clock() + matching.CLAIM
        pages = [unmatched.claim(connection, by, gao.hub.clock(), until, 1) for by in ("one", "two")]
    matching.keep_models(gao.hub.store, gao.hub.clock())
    assert [each.complaint for page in pages for each in page] == list(pair)
    kept = [turn_page(gao.hub, page) for page in pages]
    for page in kept:
        find_links(gao.hub, page)
    assert (*pair, INCIDENT) in links(gao.hub)


def test_whoever_was_too_slow_keeps_nothing_once_another_took_over(gao: Sender, clock: Clock) -> None:
    number = report(gao, "a")
    slow = claimed(gao.hub)
    clock.pass_(minutes=3)
    assert turn_page(gao.hub, matching.claim(gao.hub.store, "quick", clock()))
    before = _kept(gao.hub, number)
    assert turn_page(gao.hub, slow) == []
    find_links(gao.hub, slow)
    assert _kept(gao.hub, number) == before
    assert _count(gao.hub, match_pending) == 1


def test_decided_link_keeps_its_decision_and_what_it_was_decided_by(gao: Sender, mopti: Sender) -> None:
    pair = report(gao, "a"), report(mopti, "b")
    match_all(gao.hub)
    _change(gao.hub, sa.update(link).values(state="rejected"))
    before = links(gao.hub)[(*pair, INCIDENT)]
    mopti.send(linkage(mopti, "b", told(phone="+223 00 00 12 34"), seq=2))
    match_all(gao.hub)
    assert links(gao.hub)[(*pair, INCIDENT)] == before


@pytest.mark.parametrize("is_decided", [False, True])
def test_link_that_holds_no_more_goes_or_is_silent_where_people_have_looked_at_it(
    gao: Sender, mopti: Sender, is_decided: bool
) -> None:
    report(gao, "a"), report(mopti, "b")
    match_all(gao.hub)
    before = {each.id for each in links(gao.hub).values()}
    if is_decided:
        _decide_all(gao.hub, "undone")
    mopti.send(
        revision("r", "b", 1, facts={"clear": facts(place={"id": "ml-c-kayes", "list": "2026.1"}, **OTHER_MATTER)}),
        linkage(mopti, "b", told(names=("Oumar Autrement",), narrative="Un champ fut vendu.", said="Sadiola"), seq=2),
    )
    match_all(gao.hub)
    assert links(gao.hub) == {}
    with gao.hub.store.read() as connection:
        left = set(connection.scalars(sa.select(link.c.id)))
    assert (before <= left) is is_decided


def test_erased_complaint_leaves_nothing_to_match_by(gao: Sender, mopti: Sender) -> None:
    pair = report(gao, "a"), report(mopti, "b")
    match_all(gao.hub)
    _decide_all(gao.hub, "rejected")
    with gao.hub.store.write() as connection:
        subject = erasures.subject_of(connection, pair[0])
        assert subject is not None
        erasures.wipe(connection, subject, gao.hub.clock(), gao.hub.clock())
    assert (_count(gao.hub, link), _count(gao.hub, decision), _count(gao.hub, match_profile)) == (0, 0, 1)
    with gao.hub.store.read() as connection:
        assert set(connection.scalars(sa.select(match_key.c.complaint))) == {pair[1]}


def test_complaint_that_is_erased_while_it_is_matched_is_let_go(gao: Sender, mopti: Sender) -> None:
    pair = report(gao, "a"), report(mopti, "b")
    kept = turn_page(gao.hub, claimed(gao.hub))
    matching.keep_models(gao.hub.store, gao.hub.clock())
    with gao.hub.store.read() as connection:
        matched = matching.match(connection, kept, matching.models_of(connection), means(gao.hub))
    with gao.hub.store.write() as connection:
        subject = erasures.subject_of(connection, pair[0])
        assert subject is not None
        erasures.wipe(connection, subject, gao.hub.clock(), gao.hub.clock())
    matching.keep(gao.hub.store, matched, gao.hub.clock())
    assert links(gao.hub) == {}
    assert match_all(gao.hub) == 0


def test_withdrawn_complaint_is_matched_no_more(gao: Sender, mopti: Sender) -> None:
    number = report(gao, "a")
    report(mopti, "b")
    match_all(gao.hub)
    gao.send(operation("withdrawal", "w", {"complaint": an_id("a"), "scope": "all"}))
    match_all(gao.hub)
    assert (links(gao.hub), _kept(gao.hub, number).heads) == ({}, ())


def test_same_content_of_one_device_is_a_retry_and_no_proposal(gao: Sender) -> None:
    pair = report(gao, "a"), report(gao, "b")
    match_all(gao.hub)
    [(ends, made)] = links(gao.hub).items()
    assert ends == (*pair, "retry")
    assert (made.state, made.model) == ("confirmed", None)


def test_relations_are_judged_apart(gao: Sender, mopti: Sender) -> None:
    pair = report(gao, "a", phone="+223 00 00 12 34"), report(
        mopti, "b", OTHER_MATTER, phone="+223 00 00 12 34", narrative="On a vendu mon champ à une société."
    )
    match_all(gao.hub)
    found = links(gao.hub)
    assert (*pair, "same_complainant") in found
    incident = found.get((*pair, INCIDENT))
    assert incident is None or incident.weight < found[(*pair, "same_complainant")].weight


def test_complaint_that_says_too_little_is_not_matched_yet(gao: Sender, mopti: Sender) -> None:
    vague = {"incident": {"from": None, "precision": "unknown"}, "place": None}
    number = report(gao, "a", vague, said="")
    report(mopti, "b", vague, said="")
    match_all(gao.hub)
    assert (links(gao.hub), _kept(gao.hub, number).is_matchable) == ({}, False)
    with gao.hub.store.read() as connection:
        looked_at = set(connection.scalars(sa.select(match_profile.c.complaint)))
        assert duplicates.unmatchable(connection, looked_at) == looked_at
        assert len(looked_at) == 2


def test_features_open_with_the_pepper_and_for_their_own_complaint_alone(gao: Sender) -> None:
    number = report(gao, "a")
    match_all(gao.hub)
    sealed = _kept(gao.hub, number).features
    for pepper, id in ((bytes(32), number), (gao.hub.secrets.pepper, number + 1)):
        assert Features(pepper).open(id, sealed) is None


def test_flood_of_one_device_hides_nobody_and_fills_no_queue(gao: Sender, mopti: Sender) -> None:
    honest = report(mopti, "a")
    match_all(gao.hub)
    many = 150
    for at in range(0, many, 50):
        lines = [
            line
            for number in range(at, at + 50)
            for line in (
                complaint(("flood", number), money={"asked_xof": 15_000 + number, "paid": "no"}),
                linkage(gao, ("flood", number), told()),
            )
        ]
        assert set(verdicts(gao.send(*lines))) == {STORED}
    match_all(gao.hub)
    then = report(enrolled(gao.hub, "Kayes 1", team="kayes"), "b", names=("Exemplaire Fanta",), narrative=ENGLISH)
    match_all(gao.hub)
    found = links(gao.hub)
    assert (honest, then, INCIDENT) in found
    incidents = [each for each in found if each[2] == INCIDENT]
    assert sum(honest in each[:2] for each in incidents) <= matching.LINKS_MOST + 1
    assert sum(then in each[:2] for each in incidents) <= matching.LINKS_MOST + 1
    # Those of the flood that can be found at all, each with its share: the same of 150 as of 5,000.
    assert len(incidents) <= matching.SHARE_MOST * matching.LINKS_MOST
    with gao.hub.store.read() as connection:
        crowd = sa.select(sa.func.count()).select_from(match_key).group_by(match_key.c.k)
        assert max(connection.scalars(crowd)) <= matching.SHARE_MOST + 2


@pytest.fixture(scope="module")
def village(shared_hub: Hub) -> tuple[Hub, list[int]]:
    """A dozen reports of few incidents in one village, turned."""
    hub, random = shared_hub, Random(4)
    senders = [enrolled(hub, f"Order {at}", team=f"order {at}") for at in range(3)]
    names = ("Fanta Exemplaire", "Awa Exemple", "Oumar Autrement")
    ids = [
        report(
            senders[at % 3],
            ("order", at),
            {"incident": {"from": f"2026-10-{random.randrange(1, 9):02}", "precision": "day"}},
            names=(random.choice(names),),
            said="Kouakourou",
            narrative=random.choice((ENGLISH, "On a pris le mouton de Modibo Inventé.", "Rien d'autre.")),
        )
        for at in range(12)
    ]
    match_all(hub)
    return hub, ids


def test_links_are_the_same_when_complaints_arrive_the_other_way_round(village: tuple[Hub, list[int]]) -> None:
    hub, ids = village
    expected = _arrived(hub, ids, ids)
    assert expected
    assert _arrived(hub, ids, ids[::-1]) == expected


@pytest.mark.prove
@pytest.mark.timeout(900)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_links_do_not_depend_on_the_order_of_arrival(village: tuple[Hub, list[int]], data: Any) -> None:
    hub, ids = village
    assert _arrived(hub, ids, data.draw(st.permutations(ids))) == _arrived(hub, ids, ids)


def _arrived(hub: Hub, ids: list[int], order: list[int]) -> dict[tuple[int, int, str], tuple[str, float]]:
    """The links of complaints that come in this order, each with its band and weight."""
    with hub.store.write() as connection:
        connection.execute(sa.delete(link))
        connection.execute(sa.delete(match_key).where(match_key.c.complaint.in_(ids)))
        connection.execute(sa.update(match_profile).where(match_profile.c.complaint.in_(ids)).values(posted=b""))
        connection.execute(sa.insert(match_pending), [{"complaint": id, "claimed_by": "1"} for id in ids])
    for id in order:
        assert match_page(hub, [Waiting(id, "1")])
    return {ends: (each.band, round(each.weight, 6)) for ends, each in links(hub).items()}


def claimed(hub: Hub) -> list[Waiting]:
    """A page in hand."""
    matching.keep_models(hub.store, hub.clock())
    return matching.claim(hub.store, "who dies", hub.clock())


def _unframed(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer but for the number of the frame that it is to."""
    return {name: value for name, value in answer.items() if name != "frames"}


def _kept(hub: Hub, number: int) -> duplicates.Kept:
    with hub.store.read() as connection:
        return duplicates.kept(connection, [number])[number]


def _profile(hub: Hub, number: int) -> profiles.Profile:
    profile = means(hub).features.open(number, _kept(hub, number).features)
    assert profile is not None
    return profile


def _count(hub: Hub, table: sa.Table) -> int:
    with hub.store.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def _decide_all(hub: Hub, verdict: str) -> None:
    """A decision of somebody on every link, which changes nothing else of it."""
    account = add_person(hub, "awa").actor.id
    copied = ("model", "reasons", "weight", "probability", "band")
    for each in links(hub).values():
        row = {"link": each.id, "no": 1, "verdict": verdict, "account": account, "at": hub.clock()}
        judged = {name: getattr(each, name) for name in copied}
        _change(hub, sa.insert(decision).values(row | judged | {"is_blind": False, "is_second": False}))


def _change(hub: Hub, statement: Any) -> None:
    with hub.store.write() as connection:
        connection.execute(statement)
