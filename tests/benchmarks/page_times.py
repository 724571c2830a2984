"""What pages of the console cost a hub of many complaints: from the request to the zipped answer, in this process."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final
from uuid import uuid4

import sqlalchemy as sa
from flask.testing import FlaskClient

from server.domain.statistics import Period
from server.hub import Hub
from server.services import statistics
from server.services.cases import queues
from server.services.duplicates import matching
from server.store import accounts
from server.store.case_tables import casefile, timeline
from server.store.match_tables import link
from server.store.schema import received, registry
from tests.benchmarks.casework import worked
from tests.benchmarks.figure import Figure, note, quantile
from tests.benchmarks.harness import Void, opened
from tests.browsing import HTML, person_at
from tests.builders import app_of, complaint
from tests.decision_walks import link_row

MIDDLE: Final = 100_000
_ROUNDS: Final = 60
_SEED: Final = 20_261_122
_ZIPPED: Final = {"Accept-Encoding": "gzip"}
# By the name of a page, where it is; of a complaint by its number.
_PATHS: Final[Mapping[str, Callable[[str], str]]] = {
    "inbox": "/console/inbox?sel={}".format,
    "case": "/console/cases/{}".format,
    "duplicates": lambda _: "/console/duplicates",
    "dashboard": lambda _: "/console/dashboard",
}
# One complaint in ten is like another.
_ALIKE: Final = 10
FIGURES: Final = (*(f"page_p95_ms_100k_{name}" for name in _PATHS), "page_growth_1m_to_100k")


def measure(large: int) -> Iterator[Figure]:
    """The slowest twentieth of each page, of the slower of two coordinators; and how the worst page grows."""
    waits = {size: _waits(size) for size in (MIDDLE, large)}
    for name in _PATHS:
        yield Figure(f"page_p95_ms_100k_{name}", quantile(waits[MIDDLE][name], 0.95), "ms", "<=", 60)
    growth = {name: median(waits[large][name]) / median(waits[MIDDLE][name]) for name in _PATHS}
    note(", ".join(f"{name} grows by {ratio:.2f}" for name, ratio in growth.items()))
    yield Figure("page_growth_1m_to_100k", max(growth.values()), "ratio", "<=", 2)


def _waits(size: int) -> dict[str, list[float]]:
    """By page, milliseconds of each time that it was asked for, of the slower of two coordinators."""
    with opened(worked(size)) as hub:
        _propose(hub, size)
        posts: list[dict[str, Any]] = [{"is_named_reader": True}, {"regions": [_region(hub)]}]
        people = [_come_in(hub, post) for post in posts]
        found = {name: [_asked(each, path, perf_counter) for each in people] for name, path in _PATHS.items()}
        # What no neighbour on this machine adds to.
        spent = {name: _asked(people[0], path, process_time) for name, path in _PATHS.items()}
    for name, each in found.items():
        told = ", ".join(f"p50 {median(one):.1f} ms, p95 {quantile(one, 0.95):.1f} ms" for one in each)
        note(f"{name} of {size} complaints: {told}; CPU {median(spent[name]):.1f} ms")
    return {name: max(each, key=median) for name, each in found.items()}


def _propose(hub: Hub, size: int) -> None:
    """Links between complaints drawn by chance, where nobody laid any, as the matcher leaves them."""
    matching.keep_models(hub.store, hub.clock())
    dice = Random(size)
    with hub.store.write() as connection:
        if connection.scalar(sa.select(link.c.id).limit(1)) is None:
            pairs = [sorted(dice.sample(range(1, size + 1), 2)) for _ in range(size // _ALIKE)]
            rows = [link_row(a, b, hub.clock(), dice.uniform(0.3, 1)) for a, b in pairs]
            connection.execute(sa.insert(link), rows)


def _region(hub: Hub) -> str:
    known = hub.gazetteer()
    assert known is not None
    return next(each.id for each in known.by_id.values() if each.level == "region")


@dataclass(frozen=True)
class _Person:
    """A coordinator before a browser, and the numbers of what waits for them."""

    client: FlaskClient
    numbers: Sequence[str]


def _come_in(hub: Hub, post: Mapping[str, Any]) -> _Person:
    """A coordinator who was made for this, for whom the figures of the dashboard were counted."""
    name = f"figures {uuid4()}"
    browser = person_at(hub, name, "coordinator", **post)
    client = app_of(hub).test_client()
    client.set_cookie("seere", browser.cookie)
    with hub.store.read() as connection:
        account = accounts.by_login(connection, name)
    assert account is not None
    desk = hub.desk(account.actor)
    statistics.count_overview(hub.store, desk, Period.asked(None, None, desk.now.date()))
    numbers = [each.number for each in queues.waiting(hub.store, desk, _ROUNDS)]
    _make_readable(hub, numbers)
    return _Person(client, numbers)


def _make_readable(hub: Hub, numbers: Sequence[str]) -> None:
    """Put words where nothing can be read: a page opens what was said, and says what each entry of a timeline did."""
    ids = sa.select(registry.c.complaint).where(registry.c.number.in_([int(each[-6:]) for each in numbers]))
    cases = sa.select(casefile.c.id).where(casefile.c.complaint.in_(ids))
    moved = {"from": "acknowledged", "to": "in_triage"}
    with hub.store.write() as connection:
        connection.execute(sa.update(received).where(received.c.id.in_(ids)).values(line=complaint("said")))
        connection.execute(sa.update(timeline).where(timeline.c.casefile.in_(cases)).values(code="moved", fields=moved))


def _asked(person: _Person, path: Callable[[str], str], clock: Callable[[], float]) -> list[float]:
    """Milliseconds by that clock of each time that the page was asked for."""
    dice, waits = Random(_SEED), []
    for _ in range(_ROUNDS):
        url = path(dice.choice(person.numbers))
        begun = clock()
        answer = person.client.get(url, headers=HTML | _ZIPPED)
        waits.append((clock() - begun) * 1_000)
        if answer.status_code != 200:
            raise Void(f"{url} answers {answer.status_code}")
    return waits
