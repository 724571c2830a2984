"""Tasks of a case: what a team is to do in the field, in which days, by which device, and what came of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, cast, get_args

from flask import Blueprint, request
from werkzeug.wrappers import Response

from client_sync.protocol.vocabulary import label
from server.domain.desk import Desk
from server.domain.errors import ContactNotAllowed, NotFound, ReasonMissing, TaskRefused
from server.domain.permission import Action
from server.domain.places import place_name
from server.domain.reason import checked_reason
from server.domain.task import KINDS, OPEN, TEXT_MAX_CHARS, Kind, Window
from server.i18n import Catalogue, catalogue
from server.refusals import refusal
from server.services.accounts.sessions import Login
from server.services.cases import phrases, tasking
from server.services.cases.tasking import Errand, Possible, Result, Setting, Shown
from server.services.vault import opening
from server.services.vault.holding import Compartment
from server.web.auth import for_person, this_hub
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.pages import Answer, page, see
from server.web.console.unsaid import Unsaid, why
from server.web.formats import day

ACTION: Final[Action] = "handle_case"
blueprint = Blueprint("tasks", __name__, url_prefix="/console/cases/<number>/tasks")

_COLUMNS: Final = ("about", "kind", "device", "from", "to", "state")
_PARTS: Final[tuple[Compartment, ...]] = get_args(Compartment)


@dataclass(frozen=True)
class KindChoice:
    """A kind of task in words: by which ways it reaches the person, or why it can't be set."""

    code: str
    words: str
    ways: str
    why: str


@dataclass(frozen=True)
class Report:
    """What a device says of a task: `lines` are None where no key at hand opens it."""

    device: str
    lines: tuple[str, ...] | None = field(repr=False)


@dataclass(frozen=True)
class Came:
    """What came of a task from one device, in words; `proposal`: the finding that it proposes, by name."""

    device: str
    outcome: str
    on: str
    is_late: bool
    proposal: Mapping[str, str]


@dataclass(frozen=True)
class TaskRow:
    """A task in words."""

    shown: Shown
    kind: str
    first: date
    last: date
    ways: str
    place: str
    is_open: bool
    came: tuple[Came, ...]


@blueprint.get("")
@blueprint.get("/new")
@for_person(ACTION)
def ask(person: Login, number: str) -> Answer:
    """The tasks that there are, and what could be set."""
    found = _setting(person, number)
    return _file(person, found) if wants_csv() else _asked(person, found)


@blueprint.post("/new")
@for_person(ACTION)
def make(person: Login, number: str) -> Answer:
    """Set a task."""
    hub, form, texts = this_hub(), request.form, catalogue(person.language)
    found, desk = _setting(person, number), hub.desk(person.actor, person.keys)
    try:
        kind = next((each for each in KINDS if each == form.get("kind")), None)
        if kind is None:
            raise Unsaid("tasking.say_kind")
        errand = _errand(desk, found.about, kind)
        made = tasking.set_task(hub.store, desk, found.about, errand, after=form.get("after", 0, int))
    except (Unsaid, TaskRefused, ContactNotAllowed, ReasonMissing) as refused:
        return _asked(person, found, wrong=why(texts, refused)), 422
    return see(f"/console/cases/{found.number}/tasks/{made.id}")


@blueprint.get("/<task>")
@for_person(ACTION)
def show(person: Login, number: str, task: str) -> Answer:
    """A task: where it stands, and what came of it."""
    found = _setting(person, number)
    return _shown(person, found, _one(found, task))


@blueprint.post("/<task>")
@for_person(ACTION)
def change(person: Login, number: str, task: str) -> Answer:
    """Give it to another device, or take it back."""
    hub, texts = this_hub(), catalogue(person.language)
    found, desk = _setting(person, number), hub.desk(person.actor, person.keys)
    one = _one(found, task)
    try:
        if request.form.get("do") == "recall":
            tasking.recall(hub.store, desk, one.task.id)
        else:
            errand = _errand(desk, one.number, cast(Kind, one.task.kind))
            tasking.reassign(hub.store, desk, one.task.id, errand)
    except (Unsaid, TaskRefused, ContactNotAllowed, ReasonMissing) as refused:
        return _shown(person, found, one, wrong=why(texts, refused)), 422
    return see(f"/console/cases/{number}/tasks/{task}")


@blueprint.post("/<task>/report")
@for_person(ACTION)
def read(person: Login, number: str, task: str) -> Answer:
    """What the teams say of it; each opening is logged."""
    hub, texts = this_hub(), catalogue(person.language)
    found, desk = _setting(person, number), hub.desk(person.actor, person.keys)
    one = _one(found, task)
    opened = [(name, opening.open_report(hub.store, desk, each.received)) for name, each in one.results]
    reports = [
        Report(name, None if each.is_unopenable else tuple(phrases.answers(texts, each.clear or {})))
        for name, each in opened
    ]
    return _shown(person, found, one, reports=reports)


def _setting(person: Login, number: str) -> Setting:
    hub = this_hub()
    return tasking.setting(hub.store, hub.desk(person.actor), number, request.values.get("about", ""))


def _one(found: Setting, task: str) -> Shown:
    one = next((each for each in found.tasks if each.task.id == task), None)
    if one is None:
        raise NotFound(object=task)
    return one


def _errand(desk: Desk, about: str, kind: Kind) -> Errand:
    """What the form says. Raises Unsaid and ReasonMissing."""
    form = request.form
    try:
        window = Window(date.fromisoformat(form.get("from", "")), date.fromisoformat(form.get("to", "")))
    except ValueError:
        raise Unsaid("tasking.say_days") from None
    parts = [each for each in _PARTS if each in form.getlist("part")]
    # A statement would open for triage; what leaves for a device is opened for that.
    reason = checked_reason(form.get("reason", "")) if parts else ""
    return Errand(
        kind,
        form.get("device", ""),
        window,
        repeats="repeats" in form,
        words=form.get("words", ""),
        parts=_opened(desk, about, parts, reason),
    )


def _opened(desk: Desk, about: str, parts: list[Compartment], reason: str) -> dict[str, Any]:
    """What goes along, opened here to be sealed to the device; what the complaint has not is left out."""
    store = this_hub().store
    found: dict[str, Any] = {}
    for each in parts:
        try:
            opened = opening.open_compartment(store, desk, opening.complaint_numbered(store, about), each, reason)
        except NotFound:
            raise Unsaid("tasking.unassigned") from None
        if opened.is_unopenable:
            raise Unsaid("tasking.unopenable")
        if opened.clear is not None:
            found[each] = opened.clear
    return found


def _asked(person: Login, found: Setting, wrong: str = "") -> str:
    texts, desk = catalogue(person.language), this_hub().desk(person.actor)
    return page(
        "task_new.html",
        person,
        number=found.number,
        found=found,
        kinds=[_choice(texts, each) for each in found.kinds],
        rows=[_row(texts, desk, each) for each in found.tasks],
        **_form(texts, wrong),
    )


def _shown(person: Login, found: Setting, one: Shown, wrong: str = "", reports: list[Report] | None = None) -> str:
    texts, desk = catalogue(person.language), this_hub().desk(person.actor)
    return page(
        "task.html",
        person,
        number=found.number,
        found=found,
        row=_row(texts, desk, one),
        reports=reports,
        **_form(texts, wrong),
    )


def _file(person: Login, found: Setting) -> Response:
    """The tasks that there are, as the page lists them."""
    texts, desk = catalogue(person.language), this_hub().desk(person.actor)
    header = [texts.text(f"tasking.column_{name}") for name in _COLUMNS]
    rows = [_row(texts, desk, each) for each in found.tasks]
    return csv_answer(f"{texts.text('tasking.file')}-{found.number}", header, (_cells(texts, row) for row in rows))


def _cells(texts: Catalogue, row: TaskRow) -> Sequence[object]:
    state = texts.text(f"tasking.state_{row.shown.task.state}")
    return row.shown.number, row.kind, row.shown.label, day(row.first), day(row.last), state


def _form(texts: Catalogue, wrong: str) -> dict[str, Any]:
    """What the fields of an errand need."""
    return {
        "parts": {each: texts.text(f"tasking.part_{each}") for each in _PARTS},
        "wrong": wrong,
        "typed": request.form,
        "ticked": request.form.getlist("part"),
        "words_most": TEXT_MAX_CHARS,
    }


def _choice(texts: Catalogue, each: Possible) -> KindChoice:
    words = label("task_kind", each.kind, texts.language)
    return KindChoice(each.kind, words, _ways(texts, each.ways), refusal(texts, each.refused) if each.refused else "")


def _row(texts: Catalogue, desk: Desk, shown: Shown) -> TaskRow:
    task = shown.task
    return TaskRow(
        shown=shown,
        kind=label("task_kind", task.kind, texts.language),
        first=date.fromisoformat(task.opens_on),
        last=date.fromisoformat(task.closes_on),
        ways=_ways(texts, task.ways),
        place=place_name(desk.places, task.place),
        is_open=task.state in OPEN,
        came=tuple(_came(texts, device, each) for device, each in shown.results),
    )


def _came(texts: Catalogue, device: str, result: Result) -> Came:
    done_on = date.fromisoformat(result.done_on) if result.done_on else result.at
    outcome = label("task_outcome", result.outcome, texts.language)
    return Came(device, outcome, day(done_on), result.is_late, _proposal(texts, result))


def _proposal(texts: Catalogue, result: Result) -> dict[str, str]:
    if result.state is None:
        return {}
    unsaid = texts.text("tasks.unsaid")
    said = {
        "found": phrases.finding(texts, result.state),
        "method": phrases.method(texts, result.method) if result.method else unsaid,
        "sources": unsaid if result.sources is None else str(result.sources),
        "certainty": phrases.certainty(texts, result.certainty) if result.certainty else unsaid,
    }
    return {texts.text(f"verifying.{name}"): words for name, words in said.items()}


def _ways(texts: Catalogue, ways: Iterable[str]) -> str:
    return ", ".join(label("contact_way", each, texts.language) for each in ways)
