"""S13, dashboard: the figures of some months on one page, with the table of each chart, small numbers hidden."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import cycle, pairwise
from typing import Any, Final

from flask import Blueprint, request, url_for
from flask_babel import format_date
from werkzeug.wrappers import Response

from server import figure_words
from server.domain.errors import Busy, PeriodInvalid
from server.domain.statistics import (
    AGES,
    FAMILIES,
    PROCESSED,
    SHARE,
    STOCK,
    TABLES,
    TOTAL,
    UNKNOWN,
    Key,
    Period,
    Release,
    quarter_text,
)
from server.domain.verification import Quarter
from server.figure_words import Worded, Words
from server.i18n import Catalogue, catalogue
from server.services import maintenance, statistics
from server.services.accounts.sessions import Login
from server.services.statistics import REGIONS, Overview
from server.web.auth import for_person, this_hub
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.pages import Answer, page, see
from server.web.figures_api import COUNTING

blueprint = Blueprint("dashboard", __name__, url_prefix="/console/dashboard")

# What of what was due is to be done in time, in percent.
_TARGET: Final = 90
# The job that counts what people look at first.
_JOB: Final = "count"
# Of the bars, in the units of the drawing: the height of the highest, and where they stand.
_HEIGHT: Final = 140
_FOOT: Final = 170
_WIDTH: Final = 620
# Into how many classes the map puts numbers, and how wide they are at least: what is smaller is hidden.
_CLASSES: Final = 5
_CLASS_LEAST: Final = 5
_ROUND: Final = (2, 2.5, 2)
# Where each region of the law of 2023 is laid, by column and row, roughly as on a map; any other stands below.
_TILES: Final = {
    "ml-r-taoudenit": (4, 0), "ml-r-kidal": (6, 0), "ml-r-tombouctou": (4, 1), "ml-r-gao": (5, 1),
    "ml-r-menaka": (6, 1), "ml-r-nioro": (1, 2), "ml-r-nara": (2, 2), "ml-r-mopti": (3, 2), "ml-r-douentza": (4, 2),
    "ml-r-kayes": (0, 3), "ml-r-kita": (1, 3), "ml-r-segou": (2, 3), "ml-r-san": (3, 3), "ml-r-bandiagara": (4, 3),
    "ml-r-koulikoro": (1, 4), "ml-r-bamako": (2, 4), "ml-r-koutiala": (3, 4), "ml-r-bougouni": (1, 5),
    "ml-r-dioila": (2, 5), "ml-r-sikasso": (3, 5),
}  # fmt: skip
_TILE: Final = 92
_TILES_BELOW: Final = 6

Number = int | None
# A name, its number, and how long the bar of it is in a hundred.
Length = tuple[str, Number, int]


@dataclass(frozen=True)
class Bar:
    """A part of a bar, in the units of its drawing; `look` is its class."""

    at: int
    size: int
    look: str


@dataclass(frozen=True)
class Month:
    """A month with its bar; `total` is None where it is hidden. `is_now`: it is not over."""

    name: str
    x: int
    width: int
    total: Number
    top: int
    bars: Sequence[Bar]
    is_now: bool


@dataclass(frozen=True)
class Tile:
    """A region on the map: its name, number and class from 1 to 5, 0 where the number is hidden."""

    name: str
    x: int
    y: int
    number: Number
    rank: int


@dataclass(frozen=True)
class Span:
    """What a step took, in days on the two clocks, and how much of it in time; None: too few to say, or nobody said."""

    name: str
    median: Number
    p90: Number
    median_collected: Number
    p90_collected: Number
    in_time: Number

    @property
    def longest(self) -> int:
        """The greatest number of days that is told of it, 0 where none is."""
        return max(map(_shown, (self.median, self.p90, self.median_collected, self.p90_collected)))


@blueprint.get("")
@for_person("read_statistics")
def show(person: Login) -> Answer:
    """The figures of a period as they were counted last; as a file, all their tables, or the one of `table`."""
    hub, texts = this_hub(), catalogue(person.language)
    desk, today = hub.desk(person.actor), hub.clock().date()
    try:
        period, wrong = _period(request.args.get("from"), request.args.get("to"), today), ""
    except PeriodInvalid:
        period, wrong = Period.asked(None, None, today), texts.text("dashboard.period_wrong")
    found = statistics.overview(hub.store, desk, period)
    words = Words(person.language, desk.places)
    region = request.args.get("region", "")
    region = region if region in _regions(words) else ""
    shown: dict[str, Any] = {} if found is None else _drawn(texts, words, found, today, region)
    if wants_csv() and found is not None and not wrong:
        return _file(words, found, shown, period, region)
    text = page(
        "dashboard.html",
        person,
        found=found,
        period=period,
        region=region,
        regions=_regions(words),
        periods=_periods(texts, today, region),
        months=_months_of(period),
        codes={code: texts.text(f"statistics.title_{code}") for code in TABLES},
        is_counting=_is_counting(),
        wrong=wrong,
        typed=request.args if wrong else {},
        **shown,
    )
    return (text, 422) if wrong else text


@blueprint.post("/count")
@for_person("read_statistics")
def count(person: Login) -> Response:
    """Count the figures of a period now. Raises Busy while others are counted, and PeriodInvalid."""
    hub, form = this_hub(), request.form
    desk = hub.desk(person.actor)
    asked = {"from": form.get("from", ""), "to": form.get("to", "")}
    period = _period(asked["from"], asked["to"], desk.now.date())
    if not COUNTING.acquire(blocking=False):
        raise Busy
    try:
        statistics.count_overview(hub.store, desk, period)
    finally:
        COUNTING.release()
    return see(_url(**asked, region=form.get("region", "")))


def _period(start: str | None, end: str | None, today: date) -> Period:
    return Period.asked(start or None, end or None, today)


def _months_of(period: Period) -> dict[str, str]:
    return {"from": f"{period.first:%Y-%m}", "to": f"{period.last:%Y-%m}"}


def _is_counting() -> bool:
    """Whether somebody counts here, or the job anywhere."""
    hub = this_hub()
    now = hub.clock()
    runs = [each for each in maintenance.last_runs(hub.store, now) if each.name == _JOB]
    return COUNTING.locked() or any(each.finished_at is None and not each.is_left(now) for each in runs)


def _file(words: Words, found: Overview, shown: dict[str, Any], period: Period, region: str) -> Response:
    """The tables of the page, or the one that is asked for, with their months, region and moment."""
    texts, months = catalogue(words.language), _months_of(period)
    tables, asked = shown["worded"], request.args.get("table", "")
    chosen = {asked: tables[asked]} if asked in tables else tables
    country = texts.text("dashboard.country")
    place = _regions(words).get(region, country)
    received = texts.text("statistics.hidden") if shown["received"] is None else shown["received"]
    rows: list[Sequence[object]] = [
        (texts.text("statistics.by_region"), place),
        (texts.text("dashboard.received"), received),
        (texts.text("dashboard.counted_at"), found.at.isoformat(timespec="seconds")),
    ]
    for code, table in chosen.items():
        rows += _lines(texts, table, place if code == "T3" else country)
    named = (texts.text("dashboard.file"), *((asked,) if asked in tables else ()), *months.values(), region)
    span = texts.text("dashboard.months", first=months["from"], last=months["to"])
    header = (texts.text("page.section_dashboard"), span)
    return csv_answer("-".join(filter(None, named)), header, rows)


def _lines(texts: Catalogue, table: Worded, place: str) -> Iterator[Sequence[object]]:
    """A table with what is said of it, in the words of the page."""
    yield ()
    yield f"{table.title} ({table.unit})", place
    yield from ((note,) for note in table.notes)
    yield table.heads
    for line in table.lines:
        yield [texts.text("dashboard.few") if cell is None else cell for cell in line]


def _url(**filters: str) -> str:
    kept: dict[str, Any] = {name: value for name, value in filters.items() if value}
    return url_for("dashboard.show", **kept)


def _periods(texts: Catalogue, today: date, region: str) -> list[tuple[str, str, Period]]:
    """The periods that links lead to: words, address and months."""
    this = Quarter.of(today)
    before = Quarter.of(date(today.year, 3 * this.number - 2, 1) - timedelta(days=1))
    known = {"this": quarter_text(this), "last": quarter_text(before), "year": str(today.year)}
    return [
        (texts.text(f"dashboard.period_{name}"), _url(**{"from": text, "region": region}), Period.read(text, text))
        for name, text in known.items()
    ]


def _regions(words: Words) -> dict[str, str]:
    """Those that figures are told by, names by id."""
    known = words.places.regions if words.places else ()
    return {each.id: each.name for each in known if REGIONS in each.codes}


def _drawn(texts: Catalogue, words: Words, found: Overview, today: date, region: str) -> dict[str, Any]:
    """All that the page shows of the figures; of what is by region, of one region where one is chosen."""
    tables, row = found.tables, (region,) if region else TOTAL
    n1, spans, bars = tables["N1"], _spans(words, tables["T7"]), _months(tables["N7"], found, today)
    women, young = _cell(tables["N6"], TOTAL, ("f",)), _cell(tables["N6"], ("young",), TOTAL)
    complainants = _cell(tables["N6"], TOTAL, TOTAL)
    told = {**tables, "T3": replace(tables["T3"], rows=(row,))} if region else tables
    starts = _starts(tables["N8"])
    return {
        "received": _cell(tables["N8"], row, TOTAL),
        "this_month": next((each for each in bars if each.is_now and len(bars) > 1 and not region), None),
        "processed": _cell(n1, TOTAL, (PROCESSED,)),
        "share": n1.cells.get((TOTAL, SHARE), 0),
        "women": (women, _percent(women, complainants)),
        "young": (young, _percent(young, complainants)),
        "complainants": complainants,
        "triage": next((each for each in spans if each.name == words.text("deadline.triage")), None),
        "joined": _cell(tables["T8"], ("joined",), ("number",)),
        "bars": bars,
        "top": _top(tables["N7"]),
        "families": {f"k{at}": texts.text(f"statistics.family_{code}") for at, code in enumerate(FAMILIES, 1)},
        "spans": spans,
        "target": _TARGET,
        "timed": [each for each in spans if each.longest],
        "most_days": max((each.longest for each in spans), default=0),
        "stock": [(name, _cell(tables["T3"], row, (name,))) for name in STOCK],
        "tiles": _tiles(words, tables["N8"], starts),
        "elsewhere": _cell(tables["N8"], (UNKNOWN,), TOTAL),
        "classes": _class_names(starts),
        "ages": _ages(tables["T12"]),
        "kinds": _kinds(words, tables["N3"]),
        "sizes": _sizes(words, tables["T8"]),
        "worded": {code: figure_words.worded(release, words) for code, release in told.items()},
    }


def _cell(release: Release, row: Key, column: Key) -> Number:
    return release.cells.get((row, column), 0)


def _percent(part: Number, whole: Number) -> Number:
    """A share of what is shown; None where either is hidden, or there is nothing to share."""
    return None if part is None or not whole else round(100 * part / whole)


def _shown(number: Number) -> int:
    """A number as a drawing has it: of what is hidden it draws nothing."""
    return 0 if number is None else number


def _top(release: Release) -> int:
    """The greatest total of a row."""
    return max((_shown(_cell(release, row, TOTAL)) for row in release.rows if row != TOTAL), default=0)


def _months(release: Release, found: Overview, today: date) -> list[Month]:
    """A bar for each month of the period that has begun."""
    period, months = release.period, list[date]()
    month = period.first
    while month <= min(period.last, today):
        months.append(month)
        month = (month.replace(day=1) + timedelta(days=32)).replace(day=1)
    top, step = max(_top(release), 1), (_WIDTH - 40) // max(len(months), 1)
    width = min(step - 8, 64)
    drawn = []
    for at, each in enumerate(months):
        row, bars, foot = (f"{each:%Y-%m}",), list[Bar](), _FOOT
        for look, family in enumerate(FAMILIES, 1):
            size = round(_HEIGHT * _shown(_cell(release, row, (family,))) / top)
            foot -= size
            bars += [Bar(foot, size, f"k{look}")] if size else []
        is_now = (each.year, each.month) == (today.year, today.month) and not found.is_final
        name, x = str(format_date(each, "MMM yy")), 30 + at * step + (step - width) // 2
        drawn.append(Month(name, x, width, _cell(release, row, TOTAL), foot, bars, is_now))
    return drawn


def _spans(words: Words, release: Release) -> list[Span]:
    def told(row: Key, name: str) -> Number:
        return release.cells.get((row, (name,)))

    names = ("median", "p90", "median_collected", "p90_collected", "in_time_percent")
    return [Span(words.key(("deadline",), row), *(told(row, name) for name in names)) for row in release.rows]


def _tiles(words: Words, release: Release, starts: Sequence[int]) -> list[Tile]:
    """Each region of the list; those without a place on the map stand below it. `starts`: where its classes begin."""
    below, drawn = 0, []
    for id, name in _regions(words).items():
        column, row = _TILES.get(id, (below % _TILES_BELOW, 6 + below // _TILES_BELOW))
        below += id not in _TILES
        number = _cell(release, (id,), TOTAL)
        rank = 0 if number is None else 1 + sum(number >= least for least in starts)
        drawn.append(Tile(name, column * _TILE, row * _TILE, number, rank))
    return drawn


def _starts(release: Release) -> list[int]:
    """Numbers from which the classes of the map begin, but for the first: round ones that the greatest fills."""
    width, grows = _CLASS_LEAST, cycle(_ROUND)
    while (wider := round(width * next(grows))) * _CLASSES <= _top(release):
        width = wider
    return [width * at for at in range(1, _CLASSES)]


def _class_names(starts: Sequence[int]) -> list[tuple[str, str]]:
    """The classes of the map in figures, with the look of each."""
    spans = [f"{least} – {most - 1}" for least, most in pairwise(starts)]
    names = (f"< {starts[0]}", *spans, f"≥ {starts[-1]}")
    return [(f"c{at}", name) for at, name in enumerate(names, 1)]


def _ages(release: Release) -> list[Length]:
    """How long what waits has waited, in days."""
    return _lengths([(age, _cell(release, (age,), TOTAL)) for age in AGES])


def _kinds(words: Words, release: Release) -> list[Length]:
    """The kinds of which most was received."""
    known = [(words.key(("kind",), row), _cell(release, row, TOTAL)) for row in release.rows if row != TOTAL]
    return _lengths(sorted(known, key=lambda each: -_shown(each[1]))[:8])


def _sizes(words: Words, release: Release) -> list[Length]:
    """How many cases have how many complaints."""
    rows = [row for row in release.rows if row != TOTAL]
    return _lengths([(words.key(("size",), row), _cell(release, row, ("number",))) for row in rows])


def _lengths(found: Sequence[tuple[str, Number]]) -> list[Length]:
    """Numbers under their names, with how long the bar of each is in a hundred."""
    most = max((_shown(number) for _, number in found), default=0)
    return [(name, number, round(100 * _shown(number) / max(most, 1))) for name, number in found]
