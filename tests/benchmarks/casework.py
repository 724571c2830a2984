"""Case work: what its lists cost a hub of many cases, and what must never happen on the way from complaint to outcome.

Lists are asked for as a coordinator of one region asks, and as one who covers all: the slower of the two counts.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.permission import Actor
from server.hub import Hub
from server.services import places
from server.services.cases import due, queues
from server.store.case_tables import casefile, timeline
from server.store.due_tables import deadline, deadline_due
from server.store.schema import complaint, registry
from tests.benchmarks import casework_wire, counted, dying, journey, walking
from tests.benchmarks.figure import Figure, note, quantile
from tests.benchmarks.harness import CHECKOUT, Plan, opened
from tests.benchmarks.harness import FIGURES as FOLDER
from tests.builders import Clock, add_person, enrolled, open_test_hub
from tests.builders import complaint as report
from tests.case_walks import KINDS, Walk, open_all

FIGURES: Final = (
    "queue_p95_ms",
    "case_p95_ms",
    "due_p95_ms",
    "queue_growth_1m_to_100k",
    "statistics_s_100k",
    "undo_hash_equal",
    *walking.FIGURES,
    *casework_wire.FIGURES,
    *journey.FIGURES,
    *dying.FIGURES,
)
_TABLES: Final = CHECKOUT / "server" / "store" / "migrations"
_PLACES: Final = CHECKOUT / "fixtures" / "places" / "mali-2026.1.csv"
_MIDDLE: Final = 100_000
_ROUNDS: Final = 60
_PAGE: Final = 50
_ENTRIES: Final = 4
_WALKS: Final = 20
_STEPS: Final = 15
_SEED: Final = 20_261_122

_Ask = Callable[[Hub, Desk, str], object]


def measure(plan: Plan) -> Iterator[Figure]:
    """The figures, the cheap ones first."""
    yield undo_hash_equal()
    yield from casework_wire.measure()
    yield from counted.statistics_s_100k()
    yield from _lists(_MIDDLE, plan.large)
    yield from journey.measure()
    yield from walking.measure()
    yield from dying.measure()


def undo_hash_equal() -> Figure:
    """The share of walks over five complaints after which, and in the middle of which, taking back what was done puts
    every row about every case where it was."""
    with TemporaryDirectory() as folder:
        exact = sum(_walked(Path(folder) / str(seed), seed) for seed in range(_WALKS))
    return Figure("undo_hash_equal", exact / _WALKS, "share", "=", 1)


def _walked(folder: Path, seed: int) -> bool:
    dice = Random(seed)
    hub = open_test_hub("sqlite", folder, Clock())
    try:
        for team in ("gao", "mopti"):
            enrolled(hub, team, team=team).send(report("a"), report("b"))
        who = add_person(hub, "Awa", is_named_reader=True)
        numbers = tuple(f"SRE-{hub.clock().year}-{number:06}" for number in range(1, 5))
        open_all(hub, who, numbers)
        walk = Walk(hub, who, numbers)
        walk.go([(dice.choice(KINDS), dice.randrange(4), dice.randrange(12)) for _ in range(_STEPS)])
        walk.take_back_all()
        return walk.is_exact and walk.undone > 0
    finally:
        hub.close()


def _lists(small: int, large: int) -> Iterator[Figure]:
    waits = {size: _waits(size) for size in (small, large)}
    for name in _ASKS:
        yield Figure(f"{name}_p95_ms", quantile(waits[small][name], 0.95), "ms", "<=", 30)
    growth = median(waits[large]["queue"]) / median(waits[small]["queue"])
    yield Figure("queue_growth_1m_to_100k", growth, "ratio", "<=", 2)


def _waits(size: int) -> dict[str, list[float]]:
    """By list, milliseconds of each time that it was asked for, of the slower of two coordinators."""
    with opened(worked(size)) as hub:
        found = {name: [_asked(hub, ask, actor) for actor in _actors(hub)] for name, ask in _ASKS.items()}
    for name, each in found.items():
        told = ", ".join(f"p50 {median(one):.1f} ms, p95 {quantile(one, 0.95):.1f} ms" for one in each)
        note(f"{name} of {size} complaints: {told}")
    return {name: max(each, key=median) for name, each in found.items()}


def _asked(hub: Hub, ask: _Ask, actor: Actor) -> list[float]:
    dice, waits = Random(_SEED), []
    numbers = [each.number for each in queues.waiting(hub.store, hub.desk(actor), _ROUNDS)]
    for _ in range(_ROUNDS):
        desk, number = hub.desk(actor), dice.choice(numbers)
        begun = perf_counter()
        ask(hub, desk, number)
        waits.append((perf_counter() - begun) * 1_000)
    return waits


def _actors(hub: Hub) -> tuple[Actor, Actor]:
    known = hub.gazetteer()
    assert known is not None
    region = next(each.id for each in known.by_id.values() if each.level == "region")
    return Actor("a-1", "coordinator", is_named_reader=True), Actor("a-2", "coordinator", regions=frozenset({region}))


_ASKS: Final[Mapping[str, _Ask]] = {
    "queue": lambda hub, desk, _: queues.waiting(hub.store, desk, _PAGE),
    "due": lambda hub, desk, _: due.listed(hub.store, desk, _PAGE),
    "case": lambda hub, desk, number: queues.show(hub.store, desk, number),
}


def worked(size: int) -> Path:
    """The hub of so many complaints with their cases, timelines and deadlines: as it was left, or built anew when its
    tables, or what fills them, are not today's."""
    folder = FOLDER / f"worked-{size}"
    stamp = folder / "stamp"
    if not stamp.exists() or stamp.read_text() != _stamp():
        shutil.rmtree(folder, ignore_errors=True)
        with opened(folder) as hub:
            known = places.read_list_file(_PLACES, places.version_in(_PLACES))
            places.import_list(hub.store, known, _PLACES.name, hub.clock())
            counted.fill(hub, size)
            _tell(hub)
        stamp.write_text(_stamp())
    return folder


def _stamp() -> str:
    files = [*sorted(_TABLES.rglob("*.py")), Path(counted.__file__), Path(__file__)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _tell(hub: Hub) -> None:
    """Give each case entries of a timeline, and what is due its place among what is due."""
    case = casefile.c
    with hub.store.write() as connection:
        for no in range(1, _ENTRIES + 1):
            made = (sa.literal(text) for text in ("moved", "job"))
            told = sa.select(case.id, sa.literal(no), *made, case.opened_at, sa.literal("{}"), sa.literal("{}"))
            names = ["casefile", "no", "code", "actor", "at", "fields", "before"]
            connection.execute(sa.insert(timeline).from_select(names, told))
        owed = (
            sa.select(deadline.c.id, case.id, case.complaint, deadline.c.due_at, case.urgency, complaint.c.place_id)
            .join(casefile, case.id == deadline.c.casefile)
            .join(complaint, complaint.c.id == case.complaint)
            .where(deadline.c.met_at.is_(None))
        )
        names = ["deadline", "casefile", "complaint", "due_at", "urgency", "place_id"]
        connection.execute(sa.insert(deadline_due).from_select(names, owed))
        year = sa.literal(hub.clock().year)
        numbered = sa.select(case.complaint, sa.literal("SRE"), year, case.complaint)
        connection.execute(sa.insert(registry).from_select(["complaint", "prefix", "year", "number"], numbered))
