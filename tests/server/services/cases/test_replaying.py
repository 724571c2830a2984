"""Every timeline leads to the rows: whatever was done to cases, and taken back, replays to where they stand."""

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.domain.calendar import MALI
from server.domain.timeline import public_steps, replay
from server.hub import Hub
from server.store import timeline
from server.store.case_tables import casefile
from tests.builders import Person
from tests.case_walks import KINDS, Step, Walk, forgotten, open_all
from tests.case_work import Numbers

_STEPS = st.lists(
    st.tuples(st.sampled_from((*KINDS, "move", "attach")), st.integers(0, 3), st.integers(0, 26)),
    min_size=6,
    max_size=16,
)
_SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=2, deadline=None, suppress_health_check=_SHARED)
@given(steps=_STEPS)
def test_any_walk_replays_to_where_cases_stand(hub: Hub, awa: Person, numbers: Numbers, steps: list[Step]) -> None:
    _walk(hub, awa, numbers, steps)


@pytest.mark.prove
@pytest.mark.timeout(900)
@settings(max_examples=100, deadline=None, suppress_health_check=_SHARED)
@given(steps=_STEPS)
def test_any_of_many_walks_replays_to_where_cases_stand(
    hub: Hub, awa: Person, numbers: Numbers, steps: list[Step]
) -> None:
    _walk(hub, awa, numbers, steps)


def _walk(hub: Hub, awa: Person, numbers: Numbers, steps: list[Step]) -> None:
    with forgotten(hub):
        open_all(hub, awa, numbers)
        walk = Walk(hub, awa, numbers)
        for step in steps:
            walk.go([step])
            _check(hub)
        walk.take_back_all()
        _check(hub)


def _check(hub: Hub) -> None:
    with hub.store.read() as connection:
        rows = connection.execute(sa.select(casefile)).all()
        for row in rows:
            entries = timeline.of_case(connection, row.id)
            stands = replay(entries)
            assert (stands.status, stands.since, stands.revision) == (row.status, row.status_since, row.revision)
            told = public_steps(entries, row.complaint, MALI, is_strict=False)
            assert all("duplicate" not in (each.code, each.said.template) for each in told)
