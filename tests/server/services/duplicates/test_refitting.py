"""Refitting: a model learned from decisions, put in use and taken out of it again."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from server.domain.errors import Busy, FitFailed, NotFound
from server.domain.matching import complaints, learning
from server.domain.matching.decisions import levels_told
from server.domain.matching.learning import DECISIONS_LEAST, Evidence
from server.hub import Hub
from server.services.duplicates import deciding, matching, refitting
from server.store import duplicates, models, unmatched
from server.store.match_tables import decision, link, match_pending
from server.store.schema import complaint as complaint_table
from server.store.schema import event
from tests.builders import Clock, Person, Sender, enrolled, open_test_hub
from tests.decided_pairs import INCIDENT, SHIPPED, add_links, add_stricter, decide_all
from tests.matching import find_links, means, report, turn_page


def rows_of(hub: Hub, ids: Sequence[int]) -> list[Any]:
    with hub.store.read() as connection:
        return list(connection.execute(sa.select(link).where(link.c.id.in_(ids)).order_by(link.c.id)))


def use(hub: Hub, version: str) -> int:
    """Put a model in use, with all that follows; gives how many proposals were judged anew."""
    return sum(refitting.rejudge(hub.store, refitting.switch(hub.store, version, hub.clock())))


def in_use(hub: Hub) -> dict[str, str]:
    return {each.relation: each.version for each in refitting.listed(hub.store) if each.state == "current"}


def test_a_model_is_learned_and_shown_and_judges_nothing_yet(hub: Hub, awa: Person, sender: Sender) -> None:
    decide_all(hub, awa, add_links(hub, sender, 10))
    waiting = add_links(hub, sender, 2, seed=2)
    before = rows_of(hub, waiting)

    told = refitting.refit(hub.store, INCIDENT, hub.clock())
    assert told.learned is not None
    assert (told.decided, told.missing, told.in_use) == (150, 0, SHIPPED.version)
    assert told.learned.new.wrong < told.learned.old.wrong
    assert told.learned.preference is learning.Preference.NEW
    assert not told.learned.is_old_learned
    assert in_use(hub)[INCIDENT] == SHIPPED.version
    assert rows_of(hub, waiting) == before

    use(hub, told.learned.version)
    moved = sum(was.band != row.band for was, row in zip(before, rows_of(hub, waiting), strict=True))
    assert moved == sum(told.learned.moves.bands.values()) > 0
    # Drawn to the model that ships, not to the one that has these decisions in it already.
    again = refitting.refit(hub.store, INCIDENT, hub.clock() + timedelta(days=1))
    assert again.learned is not None
    assert (again.learned.version, again.learned.is_old_learned) == (told.learned.version, True)
    assert len(refitting.listed(hub.store)) == 3


def test_proposals_are_judged_by_the_model_in_use_and_decisions_stay(hub: Hub, awa: Person, sender: Sender) -> None:
    decided, waiting = add_links(hub, sender, 1), add_links(hub, sender, 2, seed=2)
    decide_all(hub, awa, decided)
    before, settled = rows_of(hub, waiting), rows_of(hub, decided)
    stricter = add_stricter(hub)

    assert use(hub, stricter) == len(waiting)
    after = rows_of(hub, waiting)
    assert {row.model for row in after} == {stricter}
    assert all(row.weight == pytest.approx(was.weight - 3, abs=0.1) for was, row in zip(before, after, strict=True))
    assert all(row.probability <= was.probability for was, row in zip(before, after, strict=True))
    assert rows_of(hub, decided) == settled

    assert use(hub, SHIPPED.version) == len(waiting)
    for was, row in zip(before, rows_of(hub, waiting), strict=True):
        assert (row.model, row.band, row.shelf) == (was.model, was.band, was.shelf)
        assert levels_told(row.reasons) == levels_told(was.reasons)
        assert row.weight == pytest.approx(was.weight, abs=0.1)
    assert [each.state for each in refitting.listed(hub.store) if each.relation == INCIDENT] == ["current", "old"]


def test_proposals_of_many_pages_are_each_judged_once(
    hub: Hub, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_PAGE", 2)
    waiting = add_links(hub, sender, 1)
    stricter = add_stricter(hub)
    assert len(waiting) > 2
    assert use(hub, stricter) == len(waiting)
    assert {row.model for row in rows_of(hub, waiting)} == {stricter}


def test_every_switch_is_in_the_log_and_one_to_the_model_in_use_is_none(hub: Hub) -> None:
    stricter = add_stricter(hub)
    for version in (stricter, stricter, SHIPPED.version):
        use(hub, version)
    with hub.store.read() as connection:
        events = connection.execute(sa.select(event).where(event.c.action == "switch_model").order_by(event.c.place))
        assert [row.object for row in events] == [f"model:{stricter}", f"model:{SHIPPED.version}"]


def test_a_switch_that_was_cut_short_is_finished_by_the_next(hub: Hub, sender: Sender) -> None:
    waiting = add_links(hub, sender, 1)
    stricter = add_stricter(hub)
    refitting.switch(hub.store, stricter, hub.clock())
    assert use(hub, stricter) == len(waiting)


def test_below_a_hundred_decisions_it_says_how_many_are_missing(hub: Hub, awa: Person, sender: Sender) -> None:
    ids = add_links(hub, sender, 7)
    decide_all(hub, awa, ids[:60])
    # A second opinion, a word that was taken back and a withdrawn complaint teach nothing.
    decide_all(hub, awa, ids[:5], no=2, is_second=True)
    with hub.store.write() as connection:
        taken_back = sa.select(decision).where(decision.c.link == ids[0], decision.c.no == 1)
        row = connection.execute(taken_back).one()._asdict()
        connection.execute(sa.insert(decision).values(row | {"no": 3, "verdict": "undone", "undoes": 1}))
        first = sa.select(link.c.a).where(link.c.id == ids[15]).scalar_subquery()
        update = sa.update(complaint_table).where(complaint_table.c.id == first)
        connection.execute(update.values(withdrawn="all"))
    told = refitting.refit(hub.store, INCIDENT, hub.clock())
    # Of a group of six each complaint has five pairs.
    assert (told.decided, told.missing, told.learned) == (54, DECISIONS_LEAST - 54, None)


def test_a_decision_explains_itself_by_the_model_of_its_day(hub: Hub, awa: Person, sender: Sender) -> None:
    ids = add_links(hub, sender, 1)
    decide_all(hub, awa, ids)
    shown = deciding.explain(hub.store, hub.desk(awa.actor, awa.keys), ids[0])
    use(hub, add_stricter(hub))
    again = deciding.explain(hub.store, hub.desk(awa.actor, awa.keys), ids[0])
    assert again == shown
    assert again.judged is not None
    assert again.judged.model == SHIPPED.version
    [kept] = [each for each in refitting.listed(hub.store) if each.version == again.judged.model]
    model = complaints.read_model(kept.document)
    evidence = Evidence(kept.version, again.judged.reasons)
    assert learning.judge_again(evidence, model, model).weight == pytest.approx(again.judged.weight, abs=0.05)


def test_what_was_in_hand_when_the_model_changed_is_matched_again(hub: Hub, sender: Sender) -> None:
    stricter = add_stricter(hub)
    with hub.store.write() as connection:
        connection.execute(sa.delete(match_pending))
    a, b = report(sender, "a"), report(enrolled(hub, "Mopti 1"), "b")
    page = turn_page(hub, matching.claim(hub.store, "1", hub.clock()))
    with hub.store.read() as connection:
        matched = matching.match(connection, page, matching.models_of(connection), means(hub))
    use(hub, stricter)
    matching.keep(hub.store, matched, hub.clock())
    with hub.store.read() as connection:
        assert duplicates.links_of(connection, [a, b]) == []
        assert unmatched.count(connection) == 2
    find_links(hub, turn_page(hub, matching.claim(hub.store, "1", hub.clock())))
    with hub.store.read() as connection:
        judged = {row.relation: row.model for row in connection.execute(sa.select(link).where(link.c.b == b))}
    assert judged[INCIDENT] == stricter


@pytest.fixture
def postgres_hub(postgres_url: str, tmp_path: Path) -> Iterator[Hub]:
    opened = open_test_hub(postgres_url, tmp_path, Clock())
    matching.keep_models(opened.store, opened.clock())
    yield opened
    opened.close()


@pytest.mark.postgres
def test_a_model_stays_in_use_while_what_it_judged_is_written(postgres_hub: Hub) -> None:
    hub, version = postgres_hub, add_stricter(postgres_hub)

    def switch_at_once() -> None:
        with hub.store.write() as switching:
            switching.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
            chosen = models.find(switching, version)
            assert chosen is not None
            models.use(switching, chosen)

    with hub.store.write() as writing:
        duplicates.keep_matched(writing, [], hub.clock())
        with pytest.raises(Busy):
            switch_at_once()
    switch_at_once()
    assert in_use(hub)[INCIDENT] == version


def test_decisions_all_alike_are_refused(hub: Hub, awa: Person, sender: Sender) -> None:
    decide_all(hub, awa, add_links(hub, sender, 7), verdict="rejected")
    with pytest.raises(FitFailed) as refused:
        refitting.refit(hub.store, INCIDENT, hub.clock())
    assert refused.value.values["fault"] == "one_sided"
    assert len(refitting.listed(hub.store)) == 2


def test_a_model_that_is_not_there_is_not_found(hub: Hub) -> None:
    with pytest.raises(NotFound):
        refitting.switch(hub.store, "same_incident-404", hub.clock())


def test_what_another_model_silenced_counts_in_no_sample(hub: Hub, awa: Person, sender: Sender) -> None:
    silent = {"band": "silent", "shelf": "silent", "probability": 0.1}
    ids = add_links(hub, sender, 1, **silent)
    with hub.store.write() as connection:
        connection.execute(sa.update(link).where(link.c.id == ids[0]).values(draw=0))
    reached = deciding.estimates(hub.store, hub.desk(awa.actor, awa.keys))[0]
    assert [(each.stratum, each.kept) for each in reached.samples] == [("near", 1)]
