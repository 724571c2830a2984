"""Audit: what is handed to another method, whose complaints, and how its pairs are held against the links."""

from typing import Any

import pytest
import sqlalchemy as sa

from server.domain.errors import RelinkingRefused
from server.domain.matching import profiles
from server.domain.matching.model import Relation
from server.domain.matching.review import DRAWS
from server.hub import Hub
from server.services.duplicates import auditing, handing
from server.services.duplicates.auditing import Differences
from server.services.duplicates.features import Features
from server.store import duplicates, registry
from server.store.match_tables import link
from server.store.schema import complaint, event
from tests.builders import Person, add_person, enrolled
from tests.matching import ENGLISH, match_all, report

INCIDENT = Relation.SAME_INCIDENT
PEPPER = bytes(range(32))


@pytest.fixture
def hub(own_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setattr(auditing, "COMPLAINTS_LEAST", 2)
    return own_hub


@pytest.fixture
def ids(hub: Hub) -> list[int]:
    """Three reports, the first two of one incident."""
    made = [
        report(enrolled(hub, "Gao 1", team="gao"), "a"),
        report(enrolled(hub, "Mopti 1", team="mopti"), "b", names=("Exemplaire Fatoumata",), narrative=ENGLISH),
        report(enrolled(hub, "Kayes 1", team="kayes"), "c", names=("Oumar Fictif",), said="Diboli", narrative="Rien."),
    ]
    match_all(hub)
    change(hub, sa.delete(link).where((link.c.relation != INCIDENT) | (link.c.band == "silent")))
    change(hub, sa.update(link).values(draw=DRAWS - 1, shelf=link.c.band))
    return made


def change(hub: Hub, statement: sa.Executable) -> None:
    with hub.store.write() as connection:
        connection.execute(statement)


def handled(hub: Hub, person: Person) -> list[int]:
    return auditing.comparable_to(hub.store, hub.desk(person.actor))


def told(hub: Hub, awa: Person, chances: dict[tuple[int, int], float]) -> Differences:
    desk = hub.desk(awa.actor)
    complaints = auditing.comparable_to(hub.store, desk)
    return auditing.differences(hub.store, desk, hub.secrets.pepper, INCIDENT, complaints, chances)


def numbers(hub: Hub, *ids: int) -> tuple[str, ...]:
    with hub.store.read() as connection:
        return tuple(registry.numbers_of(connection, ids)[id] for id in ids)


def test_what_is_handed_over_has_every_column_and_no_word() -> None:
    names = profiles.of_identity([(1, "Fanta Exemplaire"), (2, "Modibo Inventé")], ["00223344"], PEPPER)
    said = profiles.of_facts(
        profiles.Told(
            kinds=("COR-RACKET",),
            place_id="ml-c-gao",
            incident_from="2026-03-05",
            incident_to=None,
            precision="day",
            amounts=(15_000,),
            bodies=("gendarmerie",),
            roles={1: ("victim", "complainant"), 2: ("alleged_perpetrator",)},
        ),
        None,
        PEPPER,
    )
    row: dict[str, Any] = dict(handing.handed(7, profiles.renewed(profiles.EMPTY, [names, said]), [1, 2]))
    assert row.keys() == handing.COLUMNS.keys()
    assert row["unique_id"] == 7
    assert row["victims"] == row["complainants"]
    assert set(row["people"]) == {*row["victims"], *row["accused"]}
    assert row["sums"] == [15_000]
    assert row["keys"] == [1, 2]
    flat = [each for cell in row.values() for each in (cell if isinstance(cell, list) else [cell])]
    assert {type(each) for each in flat} <= {int, type(None)}
    assert all(-(2**63) <= each < 2**63 for each in flat if each is not None)


def test_what_is_not_known_is_handed_over_as_nothing() -> None:
    row = handing.handed(7, profiles.EMPTY, [])
    assert {name for name, cell in row.items() if cell not in ([], None)} == {"unique_id"}


def test_halves_of_a_sketch_differ_in_as_many_bits_as_the_sketch() -> None:
    one, other = (1 << 127) | 5, (1 << 64) | 1
    halves = [[half_of(each) for half_of in handing.HALVES.values()] for each in (one, other)]
    apart = sum(((a ^ b) & (2**64 - 1)).bit_count() for a, b in zip(*halves, strict=True))
    assert apart == (one ^ other).bit_count() == 3


def test_rows_are_those_of_the_profiles_that_the_hub_holds(hub: Hub, awa: Person, ids: list[int]) -> None:
    [page] = auditing.handed_over(hub.store, handled(hub, awa), hub.secrets.pepper)
    assert [row["unique_id"] for row in page] == ids
    with hub.store.read() as connection:
        kept = duplicates.kept(connection, ids)[ids[0]]
    profile = Features(hub.secrets.pepper).open(ids[0], kept.features)
    assert profile is not None
    assert page[0] == handing.handed(ids[0], profile, kept.heads)


def test_nobody_is_handed_what_they_do_not_handle(hub: Hub, awa: Person, ids: list[int]) -> None:
    change(hub, sa.update(complaint).where(complaint.c.id == ids[0]).values(confidentiality="strict"))
    assert handled(hub, awa) == ids
    assert handled(hub, add_person(hub, "Sans strict")) == ids[1:]
    for name, role in (("Administration", "administrator"), ("Audit", "auditor"), ("Saisie", "monitor")):
        with pytest.raises(RelinkingRefused) as refused:
            handled(hub, add_person(hub, name, role))  # type: ignore[arg-type]
        assert refused.value.values["count"] == 0
    with pytest.raises(RelinkingRefused):
        handled(hub, add_person(hub, "Gao", teams=["gao"], is_named_reader=True))


def test_a_withdrawn_complaint_is_not_handed_over(hub: Hub, awa: Person, ids: list[int]) -> None:
    change(hub, sa.update(complaint).where(complaint.c.id == ids[2]).values(withdrawn="all"))
    assert handled(hub, awa) == ids[:2]


def test_a_pair_found_both_ways_is_in_neither_list(hub: Hub, awa: Person, ids: list[int]) -> None:
    found = told(hub, awa, {(ids[0], ids[1]): 0.99})
    assert (found.complaints, found.both, found.missed, found.alone) == (3, 1, (), ())


def test_a_pair_that_each_way_found_alone_is_shown_with_its_levels(hub: Hub, awa: Person, ids: list[int]) -> None:
    found = told(hub, awa, {(ids[0], ids[2]): 0.95, (ids[1], ids[2]): 0.6})
    [missed], [alone] = found.missed, found.alone
    assert missed.numbers == numbers(hub, ids[0], ids[2])
    assert missed.other == 0.95
    assert missed.ours is not None
    assert missed.ours < 0.3
    assert missed.levels["kinds"] == 5
    assert (alone.numbers, alone.other) == (numbers(hub, ids[0], ids[1]), None)
    assert alone.ours is not None
    assert alone.ours > 0.3


def test_what_people_refused_is_counted_and_not_listed(hub: Hub, awa: Person, ids: list[int]) -> None:
    change(hub, sa.update(link).values(state="rejected"))
    found = told(hub, awa, {(ids[0], ids[1]): 0.99})
    assert (found.rejected, found.missed, found.alone) == (1, (), ())


def test_what_is_to_be_judged_unseen_is_in_neither_list(hub: Hub, awa: Person, ids: list[int]) -> None:
    for columns in ({"draw": 0, "shelf": "blind"}, {"band": "silent", "shelf": "silent"}):
        change(hub, sa.update(link).values(columns))
        for chances in ({(ids[0], ids[1]): 0.99}, {}):
            found = told(hub, awa, chances)
            assert (found.hidden, found.missed, found.alone) == (1, (), ())


def test_the_log_has_who_looked_and_counts_alone(hub: Hub, awa: Person, ids: list[int]) -> None:
    told(hub, awa, {})
    with hub.store.read() as connection:
        [row] = connection.execute(sa.select(event).where(event.c.action == "audit_duplicates")).all()
    assert (row.actor, row.object) == (awa.actor.signature, "relation:same_incident")
