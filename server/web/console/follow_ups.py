"""S11, follow-ups: what is late, what is due today and what comes next, done or put off where it stands."""

from calendar import Calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from flask import Blueprint, request, url_for
from flask_babel import format_date
from werkzeug.wrappers import Response

from client_sync.protocol.vocabulary import label
from server.domain.case import version_after
from server.domain.deadlines import AFTER_CLOSURE, FOLLOW_UP_ANSWERS, KINDS
from server.domain.desk import Desk
from server.domain.errors import NotFound
from server.domain.places import cercle_name
from server.i18n import Catalogue, catalogue
from server.services.accounts.sessions import Login
from server.services.cases import agenda, due, following, undoing
from server.services.cases.agenda import WHOSE, Agenda, Wish
from server.services.cases.due import Item, Which
from server.web.auth import for_person, this_hub
from server.web.console.filters import address, kept
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.neighbours import neighbours
from server.web.console.pages import offer_undo, page, see
from server.web.formats import day, span

blueprint = Blueprint("follow_ups", __name__, url_prefix="/console/follow-ups")

_FILTERS: Final = ("scope", "day", "month", "kind")
_FOLLOW_UP: Final = "after_closure_"
_COLUMNS: Final = ("part", "deadline", "kind", "case", "about", "collected", "received", "owner", "on_road")


@dataclass(frozen=True)
class Row:
    """A thing that is due, in words. `can`: how it can be put off, each way with its reasons in words.

    `days`: which follow-up it is, empty for anything else.
    """

    item: Item
    what: str
    title: str
    clocks: str
    can: Mapping[str, Mapping[str, str]]
    days: str

    @property
    def url(self) -> str:
        """The case."""
        return f"/console/cases/{self.item.ref}"


@dataclass(frozen=True)
class Cell:
    """A day of the month, and how much is due on it."""

    day: date
    count: int
    is_in: bool
    url: str


@blueprint.get("")
@for_person("handle_case")
def show(person: Login) -> str | Response:
    """What is due."""
    hub, texts = this_hub(), catalogue(person.language)
    desk, wish = hub.desk(person.actor), _wish(hub.clock().date())
    found = agenda.agenda(hub.store, desk, wish)
    parts = {part: [_row(texts, desk, item) for item in items] for part, items in found.parts.items()}
    if wants_csv():
        header = [texts.text(f"follow_ups.column_{name}") for name in _COLUMNS]
        cells = [_cells(texts, part, row) for part, rows in parts.items() for row in rows]
        return csv_answer(texts.text("follow_ups.file"), header, cells)
    return page(
        "follow_ups.html",
        person,
        found=found,
        parts=parts,
        **_selected([row for rows in parts.values() for row in rows]),
        heads={part: _head(texts, part, wish) for part in (*parts, *found.shown_to)},
        wish=wish,
        kinds=_kinds(texts, found),
        month_name=format_date(wish.month, "LLLL yyyy"),
        weeks=_weeks(wish.month, found),
        weekdays=[format_date(date(2024, 1, each), "EEEE") for each in range(1, 8)],
        months=[_url(day="", month=f"{each:%Y-%m}") for each in _around(wish.month)],
        scopes={each: _url(scope=each) for each in WHOSE if each != "colleagues" or found.has_colleagues},
        answers={code: texts.text(f"cases.answer_{code}") for code in FOLLOW_UP_ANSWERS},
        kept=kept(_FILTERS),
        whole_url=_url(day="", kind=""),
        csv_url=_url(format="csv"),
        row_count=sum(map(len, parts.values())),
        now=desk.now,
    )


@blueprint.post("/put-off")
@for_person("handle_case")
def put_off(person: Login) -> Response:
    """Pause a deadline, let it go on, or give it its longer term."""
    hub, form = this_hub(), request.form
    code, number, after = form["code"], form["number"], form.get("after", 0, int)
    if code not in due.PUT_OFF:
        raise NotFound(object=code)
    which, reason = Which(form.get("deadline", type=int)), form.get("reason", "")
    due.put_off(hub.store, hub.desk(person.actor), number, code, which, reason=reason, after=after)
    return _done(person, f"case.done_{code}", number, after)


@blueprint.post("/answer")
@for_person("handle_case")
def answer(person: Login) -> Response:
    """Note how it is for the person after the case was closed."""
    hub, form = this_hub(), request.form
    number, days, after = form["number"], form.get("days", type=int), form.get("after", 0, int)
    following.follow_up(hub.store, hub.desk(person.actor), number, form["answer"], days, after=after)
    return _done(person, "follow_ups.done", number, after)


@blueprint.post("/undo")
@for_person("handle_case")
def undo(person: Login) -> Response:
    """Take back what was said of a deadline here."""
    hub = this_hub()
    undoing.undo(hub.store, hub.desk(person.actor), request.form["number"], request.form.get("no", type=int))
    return see(_url())


def _selected(rows: Sequence[Row]) -> dict[str, Any]:
    """The row that keys act on, the first where the address names none, and links to those around it."""
    ids = [row.item.due.deadline.id for row in rows]
    wanted = request.args.get("sel", type=int)
    selected = next((id for id in (wanted, *ids) if id in ids), None)
    before, after = neighbours(ids, selected)
    links = {key: f"{_url(sel=str(id))}#row-{id}" for key, id in (("j", after), ("k", before)) if id is not None}
    return {"selected": selected, "around": links}


def _done(person: Login, key: str, number: str, after: int) -> Response:
    text = catalogue(person.language).text(key, number=number)
    offer_undo(text, url_for("follow_ups.undo"), number=number, no=str(version_after(after)), **kept(_FILTERS))
    return see(_url())


def _wish(today: date) -> Wish:
    args = request.args
    chosen = _date(args.get("day", ""))
    month = _date(f"{args.get('month', '')}-01") or chosen or today
    kind = args.get("kind", "")
    whose = next((each for each in WHOSE if each == args.get("scope")), WHOSE[0])
    return Wish(month, chosen, kind if kind in KINDS else "", whose)


def _date(text: str) -> date | None:
    """A day, with one after it and a month around it; None for what is no such text."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if date.min.year < found.year < date.max.year else None


def _url(**changes: str) -> str:
    return address("follow_ups.show", _FILTERS, **changes)


def _head(texts: Catalogue, part: str, wish: Wish) -> str:
    return day(wish.day) if wish.day is not None else texts.text(f"follow_ups.{part}")


def _kinds(texts: Catalogue, found: Agenda) -> list[tuple[str, str, int, str]]:
    """By how many there are: code, words, number and link of each kind."""
    return [
        (code, texts.text(KINDS[code].key), number, _url(kind=code))
        for code, number in sorted(found.kinds.items(), key=lambda each: (-each[1], each[0]))
    ]


def _weeks(month: date, found: Agenda) -> list[list[Cell]]:
    return [
        [Cell(each, found.days.get(each, 0), each.month == month.month, _url(day=each.isoformat())) for each in week]
        for week in Calendar().monthdatescalendar(month.year, month.month)
    ]


def _around(month: date) -> Sequence[date]:
    """The months before and after."""
    first = month.replace(day=1)
    return first - timedelta(days=1), first + timedelta(days=31)


def _row(texts: Catalogue, desk: Desk, item: Item) -> Row:
    stands = item.due.deadline.stands
    about = label("kind", item.due.about, texts.language)
    cercle = cercle_name(desk.places, item.due.place_id)
    here, lived = item.clocks.since_received(desk.now), item.clocks.since_collected(desk.now)
    told = {"here": span(here)} if lived is None else {"here": span(here), "lived": span(lived)}
    return Row(
        item=item,
        what=texts.text(KINDS[stands.kind].key),
        title=texts.text("case_list.title", kind=about, cercle=cercle) if cercle else about,
        clocks=texts.text("case_list.clock" if lived is None else "case_list.clocks", **told),
        can={code: _reasons(texts, reasons) for code, reasons in due.possible(stands, desk.now).items()},
        days=stands.kind.removeprefix(_FOLLOW_UP) if stands.kind in AFTER_CLOSURE else "",
    )


def _reasons(texts: Catalogue, codes: Sequence[str]) -> dict[str, str]:
    return {code: texts.text(f"deadline.reason_{code}") for code in codes}


def _cells(texts: Catalogue, part: str, row: Row) -> Sequence[object]:
    """A row as the file has it: what the screen shows, with days in the place of spans."""
    item, collected = row.item, row.item.clocks.collected_at
    return [
        texts.text(f"follow_ups.{part}"),
        day(item.due.deadline.stands.due_at),
        row.what,
        item.ref,
        row.title,
        "" if collected is None else day(collected),
        day(item.clocks.received_at),
        item.owner,
        texts.text("follow_ups.on_road") if item.is_on_road else "",
    ]
