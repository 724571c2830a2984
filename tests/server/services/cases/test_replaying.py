"""Every timeline leads to the rows: whatever was done to cases, and taken back, replays to where they stand."""

import sqlalchemy as sa
from hypothesis import given, settings

from server.domain.calendar import MALI
from server.domain.timeline import public_steps
from server.hub import Hub
from server.store import timeline
from server.store.case_tables import casefile
from tests.builders import Person
from tests.case_replays import replay
from tests.case_walks import Step, Walk, few_or_100, forgotten, open_all, walks
from tests.case_work import Numbers


@few_or_100(2)
def test_any_walk_replays_to_where_cases_stand(hub: Hub, awa: Person, numbers: Numbers, drawn: settings) -> None:
    @drawn
    @given(steps=walks("move", "attach"))
    def walk_and_look(steps: list[Step]) -> None:
        with forgotten(hub):
            open_all(hub, awa, numbers)
            walk = Walk(hub, awa, numbers)
            for step in steps:
                walk.go([step])
                _check(hub)
            walk.take_back_all()
            _check(hub)

    walk_and_look()


def _check(hub: Hub) -> None:
    with hub.store.read() as connection:
        rows = connection.execute(sa.select(casefile)).all()
        for row in rows:
            entries = timeline.of_case(connection, row.id)
            stands = replay(entries)
            assert (stands.status, stands.since, stands.revision) == (row.status, row.status_since, row.revision)
            told = public_steps(entries, row.complaint, MALI, is_strict=False)
            assert all("duplicate" not in (each.code, each.said.template) for each in told)
