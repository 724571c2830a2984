"""What a hub holds, how it is, and the claims on runs of jobs."""

from datetime import timedelta

import sqlalchemy as sa

from server.hub import Hub
from server.services import maintenance
from server.services.maintenance import Counts
from server.store import dialect, schema
from tests.builders import NOW, complaint, enrolled


def test_counts_are_those_of_the_hub(own_hub: Hub) -> None:
    device = enrolled(own_hub, "Gao 1")
    device.send(complaint("one"), complaint("two"), complaint("bad", receipt="7K4M-2QA"))
    assert maintenance.counts(own_hub.store) == Counts(complaints=2, set_aside=1, devices=1)


def test_health_names_what_waits_and_the_newest_contact(own_hub: Hub) -> None:
    fresh = maintenance.health(own_hub.store)
    assert (fresh.set_aside, fresh.unconfirmed, fresh.newest_sync_at, fresh.last_backup) == (0, 0, None, None)
    enrolled(own_hub, "Gao 1").send(complaint("bad", receipt="7K4M-2QA"))
    enrolled(own_hub, "Gao 2", is_confirmed=False)
    health = maintenance.health(own_hub.store)
    assert (health.set_aside, health.unconfirmed, health.newest_sync_at) == (1, 1, NOW)


def test_run_is_claimed_once(own_hub: Hub) -> None:
    assert maintenance.claim(own_hub.store, "backup", NOW, NOW)
    assert maintenance.claim(own_hub.store, "backup", NOW, NOW + timedelta(minutes=1)) is None
    assert maintenance.claim(own_hub.store, "upkeep", NOW, NOW)


def test_last_run_of_each_job_is_shown(own_hub: Hub) -> None:
    for due_at in (NOW, NOW + timedelta(days=1)):
        held = maintenance.claim(own_hub.store, "backup", due_at, due_at)
        assert held is not None
        maintenance.finish(own_hub.store, held, due_at + timedelta(minutes=2), "done")
    maintenance.claim(own_hub.store, "upkeep", NOW, NOW)
    # What a clock that was ahead did hides nothing for a year.
    maintenance.claim(own_hub.store, "upkeep", NOW + timedelta(days=365), NOW)
    runs = maintenance.last_runs(own_hub.store, NOW + timedelta(days=1))
    found = [(run.name, run.due_at, run.outcome) for run in runs]
    assert found == [("backup", NOW + timedelta(days=1), "done"), ("upkeep", NOW, None)]


def test_upkeep_keeps_what_is_recent_and_says_in_the_log_what_it_dropped(own_hub: Hub) -> None:
    enrolled(own_hub, "Gao 1").send(complaint("one"))
    maintenance.upkeep(own_hub.store, NOW + timedelta(hours=1), 60)
    assert _upkeep_events(own_hub) == 0
    maintenance.upkeep(own_hub.store, NOW + timedelta(days=61), 60)
    assert _upkeep_events(own_hub) == 1
    assert maintenance.counts(own_hub.store).complaints == 1


def _upkeep_events(hub: Hub) -> int:
    select = sa.select(sa.func.count()).select_from(schema.event).where(schema.event.c.action == "upkeep")
    with hub.store.read() as connection:
        return connection.scalar(select) or 0


def test_engine_facts_are_those_of_a_durable_file(own_hub: Hub) -> None:
    facts = maintenance.engine_facts(own_hub.store)
    if not dialect.is_sqlite(own_hub.store.engine):
        assert facts == {}
        return
    assert (facts["synchronous"], facts["journal_mode"], facts["secure_delete"]) == ("2", "wal", "1")
