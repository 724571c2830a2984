"""S12, packages: what a destination gets of a quarter, step by step, from the choice to what it says of each item."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Final

from flask import Blueprint, request, send_file, url_for
from werkzeug.wrappers import Response

from client_sync.protocol.vocabulary import VOCABULARY, label
from server.domain.desk import Desk
from server.domain.errors import PackageRefused, PeriodInvalid, ReasonMissing
from server.domain.packages import NEXT
from server.domain.permission import Action
from server.domain.places import place_name
from server.domain.release import Line, Named
from server.domain.statistics import closed_quarters, quarter_text
from server.i18n import Catalogue, catalogue
from server.press import press_of, seal
from server.refusals import refusal
from server.services.accounts.sessions import Login
from server.services.cases import phrases
from server.services.commission import answering, preparing, serials, transmitting
from server.services.commission.phrases import why, why_void, withheld
from server.services.commission.preparing import Package, Prepared, Series
from server.web.auth import for_person, this_hub
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.pages import page, see

ACTION: Final[Action] = "prepare_export"
blueprint = Blueprint("packages", __name__, url_prefix="/console/exports")

Answer = str | Response | tuple[str, int]

_COLUMNS: Final = ("number", "body", "quarter", "state", "lines", "named", "withheld", "transmitted", "answered")
# In the order of the strip: from the choice to the answer.
_STEPS: Final = ("choose", "control", "summaries", "approve", "seal", "answer")
_AT: Final[Mapping[str, str]] = {
    "prepared": "control", "sealed": "seal", "transmitted": "answer", "received": "answer", "closed": "answer",
    "cancelled": "control",
}  # fmt: skip
# Lists of the vocabulary by which columns of a line are told.
_LISTS: Final[Mapping[str, str]] = {"kind": "kind", "author": "perpetrator_category", "sex": "sex", "age": "age_band"}
# So much of a manifest tells one package from another, where a person types it from paper.
_MANIFEST_CHARS: Final = 8
_PLACES: Final = frozenset({"region", "cercle", "commune"})


@dataclass(frozen=True)
class Row:
    """A package in words; `lines`, `named` and `withheld` count complaints."""

    package: Package
    body: str
    lines: int
    named: int
    withheld: int


@dataclass(frozen=True)
class Bar:
    """A part of what the bar of consent shows: how many, and where it stands in a thousand."""

    name: str
    number: int
    at: int
    width: int


@blueprint.get("")
@for_person(ACTION)
def show(person: Login) -> Answer:
    """Every package, the last first, and how packages go to whom."""
    if wants_csv():
        texts = catalogue(person.language)
        rows = [_cells(texts, each) for each in _rows(person)]
        return csv_answer(
            texts.text("packages.file"), [texts.text(f"packages.column_{each}") for each in _COLUMNS], rows
        )
    return _listed(person)


@blueprint.post("")
@for_person(ACTION)
def prepare(person: Login) -> Answer:
    """Give the next number to a package, and choose what it says."""
    hub, form = this_hub(), request.form
    try:
        desk = hub.desk(person.actor)
        made = preparing.prepare(hub.store, desk, hub.secrets.pepper, form.get("to", ""), form.get("quarter", ""))
    except (PackageRefused, PeriodInvalid) as refused:
        return _listed(person, refusal(catalogue(person.language), refused)), 422
    return see(url_for("packages.look", number=made.number.text))


@blueprint.get("/<number>")
@for_person(ACTION)
def look(person: Login, number: str) -> Answer:
    """One package at the step where it stands."""
    return _looked_at(person, number)


@blueprint.post("/<number>/anew")
@for_person(ACTION)
def prepare_anew(person: Login, number: str) -> Answer:
    """Choose anew what a prepared package says."""
    hub = this_hub()
    try:
        preparing.prepare_anew(hub.store, hub.desk(person.actor), hub.secrets.pepper, number)
    except PackageRefused as refused:
        return _looked_at(person, number, refusal(catalogue(person.language), refused)), 422
    return see(url_for("packages.look", number=number))


@blueprint.post("/<number>/cancel")
@for_person(ACTION)
def cancel(person: Login, number: str) -> Answer:
    """Do not send a package; it keeps its number, with the reason."""
    hub = this_hub()
    try:
        preparing.cancel(hub.store, hub.desk(person.actor), number, request.form.get("reason", ""))
    except (PackageRefused, ReasonMissing) as refused:
        return _looked_at(person, number, refusal(catalogue(person.language), refused)), 422
    return see(url_for("packages.show"))


@blueprint.post("/<number>/approve")
@for_person("approve_export")
def approve(person: Login, number: str) -> Answer:
    """Seal what was prepared, as this second person saw it."""
    hub, form = this_hub(), request.form
    try:
        desk = hub.desk(person.actor, person.keys)
        seal(hub, desk, number, form.get("choice", ""), form.get("passphrase", ""))
    except PackageRefused as refused:
        return _looked_at(person, number, refusal(catalogue(person.language), refused)), 422
    return see(url_for("packages.look", number=number))


@blueprint.get("/<number>/file")
@for_person(ACTION)
def download(person: Login, number: str) -> Response:
    """The sealed file, for whoever carries it."""
    hub = this_hub()
    kept = transmitting.kept_file(hub.store, hub.desk(person.actor), press_of(hub).folder, number)
    return send_file(kept.path, "application/octet-stream", as_attachment=True, download_name=kept.path.name)


@blueprint.post("/<number>/deliver")
@for_person(ACTION)
def deliver(person: Login, number: str) -> Answer:
    """Send a sealed package to its address, or note that it was handed over."""
    hub = this_hub()
    desk = hub.desk(person.actor)
    try:
        if request.form.get("way") == "https":
            transmitting.send_to_address(hub.store, desk, press_of(hub).folder, number)
        else:
            transmitting.note_left(hub.store, desk, number)
    except PackageRefused as refused:
        return _looked_at(person, number, refusal(catalogue(person.language), refused)), 422
    return see(url_for("packages.look", number=number))


@blueprint.post("/<number>/answer")
@for_person(ACTION)
def answer(person: Login, number: str) -> Answer:
    """Take in what the destination says: its file, or the paper slip as it was typed."""
    hub, file = this_hub(), request.files.get("file")
    desk = hub.desk(person.actor)
    try:
        said = answering.unpacked(file.read()) if file else _typed(preparing.one(hub.store, desk, number))
        answering.take_answer(hub.store, desk, number, said)
    except PackageRefused as refused:
        return _looked_at(person, number, refusal(catalogue(person.language), refused)), 422
    return see(url_for("packages.look", number=number))


@blueprint.post("/series")
@for_person(ACTION)
def take_key(person: Login) -> Answer:
    """Take in the key of a destination, or confirm the one that is there by what its person read aloud."""
    hub, form = this_hub(), request.form
    desk, to = hub.desk(person.actor), form.get("to", "")
    try:
        if form.get("heard"):
            serials.confirm_key(hub.store, desk, to, form["heard"])
        else:
            serials.set_key(hub.store, desk, to, form.get("key", "").strip())
    except PackageRefused as refused:
        return _listed(person, refusal(catalogue(person.language), refused)), 422
    return see(f"{url_for('packages.show')}#series")


def _typed(package: Package) -> dict[str, Any]:
    """A paper slip as an answer. Of the manifest its first characters are enough to tell packages apart."""
    form, manifest = request.form, request.form.get("manifest", "").strip().lower()
    is_that = len(manifest) >= _MANIFEST_CHARS and (package.manifest or "").startswith(manifest)
    items = [
        {"ref": ref, "verdict": verdict, **{name: form.get(f"{name}-{ref}", "") for name in ("file_number", "reason")}}
        for key, verdict in form.items()
        if verdict and (ref := key.removeprefix("verdict-")) != key
    ]
    return {
        "package": package.number.text,
        "manifest_sha256": package.manifest if is_that else manifest,
        "received_at": form.get("at", ""),
        "by": form.get("by", ""),
        "items": items,
    }


def _listed(person: Login, wrong: str = "") -> str:
    hub = this_hub()
    desk = hub.desk(person.actor)
    known = serials.listed(hub.store, desk)
    return page(
        "packages.html",
        person,
        rows=_rows(person),
        series=known,
        fingerprints={each.destination: serials.fingerprint_of(each) for each in known},
        bodies=_bodies(person, desk),
        quarters=_quarters(desk, known),
        wrong=wrong,
        typed=request.form,
    )


def _quarters(desk: Desk, known: Sequence[Series]) -> list[str]:
    """Those that are over since the first series began, the last first."""
    if not known:
        return []
    first = datetime.combine(min(each.since for each in known), time(), UTC)
    return [quarter_text(each) for each in reversed(closed_quarters(first, desk.now))]


def _rows(person: Login) -> list[Row]:
    hub = this_hub()
    desk = hub.desk(person.actor)
    bodies = _bodies(person, desk)
    return [_row(each, bodies) for each in preparing.listed(hub.store, desk)]


def _row(package: Package, bodies: Mapping[str, str]) -> Row:
    counts = package.counts
    kept_back = sum(withheld(counts["against"]).values())
    return Row(package, bodies.get(package.destination, ""), counts["lines"], counts["named"], kept_back)


def _cells(texts: Catalogue, row: Row) -> list[object]:
    package = row.package
    return [
        package.number.text,
        row.body,
        package.quarter,
        texts.text(f"packages.state_{package.state}"),
        row.lines,
        row.named,
        row.withheld,
        package.transmitted_at.date().isoformat() if package.transmitted_at else "",
        package.answered_at.date().isoformat() if package.answered_at else "",
    ]


def _bodies(person: Login, desk: Desk) -> dict[str, str]:
    """What destinations are called, by their codes."""
    texts = catalogue(person.language)
    return {
        each.code: phrases.body(texts, each, desk.places) for each in serials.destinations_of(this_hub().store, desk)
    }


def _looked_at(person: Login, number: str, wrong: str = "") -> str:
    hub, texts = this_hub(), catalogue(person.language)
    desk = hub.desk(person.actor)
    package = preparing.one(hub.store, desk, number)
    row = _row(package, _bodies(person, desk))
    values: dict[str, Any] = {"row": row, "package": package, "wrong": wrong, "typed": request.form}
    values |= {"steps": _STEPS, "step": _AT[package.state], "can_cancel": "cancelled" in NEXT[package.state]}
    if package.state != "prepared":
        return page("package.html", person, **values, **_sent(desk, package))
    prepared = preparing.look(hub.store, desk, hub.secrets.pepper, number)
    return page("package_control.html", person, **values, **_control(texts, prepared, desk))


def _sent(desk: Desk, package: Package) -> dict[str, Any]:
    """What a package that was sealed has, and what its destination said of it."""
    items = preparing.items_of(this_hub().store, desk, package)
    return {
        "items": items,
        "settled": sum(each.verdict is not None for each in items),
        "takes_answer": package.state in ("sealed", "transmitted", "received"),
        "address": next(
            (
                each.address
                for each in serials.listed(this_hub().store, desk)
                if each.destination == package.destination
            ),
            "",
        ),
    }


def _control(texts: Catalogue, prepared: Prepared, desk: Desk) -> dict[str, Any]:
    """What a package that is prepared says, and what is in the way of sealing it."""
    against = prepared.choice.counts_against()
    # Names are not opened to be looked at: a line that has one stands here without it.
    lines = list(prepared.choice.lines({each.complaint: Named("") for each in prepared.choice.named}))
    at = min(max(request.args.get("line", 1, int), 1), max(len(lines), 1))
    kept_back = withheld(against)
    return {
        "blockers": prepared.blockers,
        "unreviewed": prepared.unreviewed,
        "bars": _bars(prepared, sum(kept_back.values())),
        "whole": sum(against.values()) + len(lines),
        "elsewhere": against.get("elsewhere", 0),
        "withheld": {why(texts, code): number for code, number in kept_back.items()},
        "voids": [(each.told.item.ref, why_void(texts, each.why)) for each in prepared.choice.voids],
        "corrections": [
            (each.told.item.ref, [texts.text(f"line.{name}") for name in each.now])
            for each in prepared.choice.corrections
        ],
        "line": dict(_line(texts, lines[at - 1], desk)) if lines else {},
        "at": at,
        "lines": len(lines),
        "fingerprint": serials.fingerprint_of(prepared.series),
        "series": prepared.series,
        "is_own": prepared.package.prepared_by == desk.actor.signature,
        "choice": prepared.package.choice,
    }


def _bars(prepared: Prepared, kept_back: int) -> list[Bar]:
    """What consent lets go, as parts of one bar; what is no business of the destination is not in it."""
    counts = prepared.choice.counts()
    known = {"totals": prepared.choice.counts_against().get("numbers", 0), "lines": counts["lines"]}
    parts = {**known, "named": counts["named"], "withheld": kept_back}
    numbers = {name: int(str(number)) for name, number in parts.items()}
    whole, at, found = max(sum(numbers.values()), 1), 0, list[Bar]()
    for name, number in numbers.items():
        width = 1000 * number // whole
        found.append(Bar(name, number, at, width))
        at += width
    return found


def _line(texts: Catalogue, line: Line, desk: Desk) -> Iterator[tuple[str, str]]:
    """A line as its destination reads it: the columns that it has, in words."""
    for name, code in line.said.items():
        yield texts.text(f"line.{name}"), _word(texts, name, code, desk)


def _word(texts: Catalogue, name: str, code: str, desk: Desk) -> str:
    if name in _PLACES:
        return place_name(desk.places, code)
    if name in _LISTS and code in VOCABULARY.codes(_LISTS[name]):
        return label(_LISTS[name], code, texts.language)
    for key in (f"cases.status_{code}", f"verification.state_{code}", f"line.{name}_{code}"):
        if name in key or name == "verification":
            try:
                return texts.text(key)
            except KeyError:
                continue
    return code
