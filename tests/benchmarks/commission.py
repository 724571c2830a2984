"""The package for the commission: what leaves in it, who can check it, how it is made, and what comes back."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from server.domain.errors import NotFound, RegroupingRefused, TransitionRefused
from server.domain.statistics import TABLES, TOTAL, Period, laid_out
from server.hub import Hub
from server.services import statistics
from tests import commission_faults
from tests.benchmarks import clerks, pressed, released
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import Plan, Void
from tests.benchmarks.quarter import quarter
from tests.builders import Clock, Person, add_person, enrolled, open_test_hub
from tests.builders import complaint as report
from tests.case_walks import KINDS, Walk, open_all
from tests.case_work import at_desk
from tests.clerk import Clerk
from tests.commission import arrest
from tests.commission_answers import lay_series, opened
from tests.commission_receiver import LOOPBACK, LOOPBACK_PIN, commission
from tests.memory import ram

FIGURES: Final = (
    *released.FIGURES,
    *clerks.FIGURES,
    *pressed.FIGURES,
    "stock_balances",
    "quarter_unchanged",
    "items_sent",
    "items_lost",
    "items_twice",
)
# Each plants fourteen texts.
_PLANTED: Final = 300
_SEEDS: Final = 50
_WALKS: Final = 20
_STEPS: Final = 15
_PACE_DAYS: Final = 11
_SEED: Final = 20_261_123


def measure(_: Plan) -> Iterator[Figure]:
    """The figures, the quick ones first."""
    yield from stock()
    yield from _opened()
    yield from items()
    yield from pressed.measure()


def stock() -> Iterator[Figure]:
    """The share of walks over a year of cases in each month, quarter and year of which what was open, came and went
    adds up, and after which the quarters that were over tell what they told before."""
    found = []
    for seed in range(_WALKS):
        with TemporaryDirectory(dir=ram()) as folder:
            found.append(_walked(Path(folder), seed))
    yield Figure("stock_balances", sum(adds_up for adds_up, _ in found) / _WALKS, "share", "=", 1)
    yield Figure("quarter_unchanged", sum(is_same for _, is_same in found) / _WALKS, "share", "=", 1)


def items() -> Iterator[Figure]:
    """What a commission that fails in more than half of all requests took down, and what of its answer is here."""
    with TemporaryDirectory(dir=ram()) as folder, commission(LOOPBACK) as there:
        hub = open_test_hub("sqlite", Path(folder) / "hub", Clock())
        try:
            who = add_person(hub, "Awa", is_named_reader=True)
            series = lay_series(hub, who, there.url, LOOPBACK_PIN)
            told = (arrest(no) for no in range(commission_faults.ITEMS + 2))
            numbers = opened(hub, enrolled(hub, "Ségou 1", team="segou"), *told)
            run = commission_faults.run(hub, who, there, series, numbers, range(1, _SEEDS + 1))
        finally:
            hub.close()
    yield Figure("items_sent", run.items, "items")
    yield Figure("items_lost", run.lost, "items", "=", 0)
    yield Figure("items_twice", run.twice, "items", "=", 0)


def _opened() -> Iterator[Figure]:
    """A package with canaries, as whoever gets it opens it."""
    with TemporaryDirectory(dir=ram()) as name:
        folder = Path(name)
        clerk = Clerk(folder / "clerk", clerks.program, "CNDH-2026-T4-0001")
        with quarter(_PLANTED, folder / "hub", is_planted=True, recipient=clerk.recipient) as made:
            package = made.seal(made.prepare())
            note(f"{package.number.text}: {package.counts}")
            found = clerk.decrypts(made.file(package))
            if found is None:
                raise Void("age does not open it")
            zipped = found.read_bytes()
            found.unlink()
            yield from released.measure(made, zipped, folder)
            yield from clerks.measure(made, clerk, made.file(package), folder)


def _walked(folder: Path, seed: int) -> tuple[bool, bool]:
    """Whether the stock adds up in every period, and whether a quarter that was over stays as it was published."""
    dice, clock = Random(_SEED + seed), Clock()
    hub = open_test_hub("sqlite", folder / "hub", clock)
    try:
        who = add_person(hub, "Awa", is_named_reader=True)
        sender = enrolled(hub, "Gao 1", team="gao")
        sender.send(*(report(no) for no in range(12)))
        numbers = tuple(f"SRE-{hub.clock().year}-{number:06}" for number in range(1, 5))
        open_all(hub, who, numbers)
        walk = Walk(hub, who, numbers)
        _go(walk, dice, clock)
        statistics.freeze_closed(hub.store, clock())
        before = _told(hub, who, clock)
        sender.send(*(report(f"late {no}") for no in range(7)))
        _go(walk, dice, clock)
        statistics.freeze_closed(hub.store, clock())
        after = _told(hub, who, clock)
        return _adds_up(hub, clock), all(after[name] == cells for name, cells in before.items()) and bool(before)
    finally:
        hub.close()


def _go(walk: Walk, dice: Random, clock: Clock) -> None:
    for _ in range(_STEPS):
        clock.pass_(days=_PACE_DAYS)
        with suppress(TransitionRefused, RegroupingRefused, NotFound):
            walk.go([(dice.choice(KINDS), dice.randrange(4), dice.randrange(12))])


def _told(hub: Hub, who: Person, clock: Clock) -> dict[tuple[str, str], object]:
    """What every quarter that is over tells, by quarter and table; what came late stands apart."""
    desk = at_desk(hub, who)
    return {
        (text, code): release.cells
        for text in _quarters(clock)
        for code, release in zip(TABLES, statistics.published(hub.store, desk, Period.read(text, text)), strict=True)
        if release.is_final
    }


def _quarters(clock: Clock) -> list[str]:
    now = clock()
    first = Clock()().year
    return [f"{year}-T{no}" for year in range(first, now.year + 1) for no in range(1, 5)]


def _adds_up(hub: Hub, clock: Clock) -> bool:
    """Whether what was open at the start, came, was reopened and closed gives what was open at the end, in each month,
    quarter and year and in some months together; and whether each begins with what the one before ended with."""
    months = list(_months(Clock()().date().replace(day=1), clock().date()))
    spans = [(at, until) for at in range(len(months)) for until in (at, at + 2, at + 4, at + 11) if until < len(months)]
    stocks = {(at, until): _stock(hub, Period(months[at], months[until])) for at, until in spans}
    added = [
        each["open_at_start"] + each["received"] + each["reopened"] - each["closed"] == each["open_at_end"]
        for each in stocks.values()
    ]
    joined = [
        stocks[at, until]["open_at_end"] == stocks[until + 1, until + 1]["open_at_start"]
        for at, until in spans
        if (until + 1, until + 1) in stocks
    ]
    return all(added) and all(joined)


def _months(first: date, last: date) -> Iterator[date]:
    month = first
    while month <= last:
        yield month
        month = Period(month, month).until.date()


def _stock(hub: Hub, period: Period) -> dict[str, int]:
    with hub.store.read() as connection:
        counting = statistics.Counting(connection, hub.gazetteer(), period, hub.clock())
        _, columns, values = laid_out(TABLES["T3"], counting.counted("T3"))
    return {column: values[TOTAL, (column,)] for (column,) in columns}
