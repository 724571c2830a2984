"""S12, packages: every package, the last first; how they go to whom; and the next one, prepared."""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Final

from flask import Blueprint, request, url_for

from server.domain.desk import Desk
from server.domain.errors import PackageRefused, PeriodInvalid, ReasonMissing
from server.domain.permission import Action
from server.domain.statistics import closed_quarters, quarter_text
from server.i18n import catalogue
from server.refusals import refusal
from server.services.accounts.sessions import Login
from server.services.commission import minisign, preparing, serials
from server.services.commission.preparing import Series
from server.web.auth import for_person, this_hub
from server.web.console import package_view
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.package_view import Row
from server.web.console.pages import Answer, page, see

ACTION: Final[Action] = "prepare_export"
blueprint = Blueprint("packages", __name__, url_prefix="/console/exports")

_COLUMNS: Final = ("number", "body", "quarter", "state", "lines", "named", "withheld", "transmitted", "answered")


@blueprint.get("")
@for_person(ACTION)
def show(person: Login) -> Answer:
    """Every package, and how packages go to whom."""
    if not wants_csv():
        return _listed(person)
    texts = catalogue(person.language)
    head = [texts.text(f"packages.column_{each}") for each in _COLUMNS]
    return csv_answer(texts.text("packages.file"), head, (package_view.cells(texts, each) for each in _rows(person)))


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
    return see(url_for("package.look", package=made.number.text))


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


@blueprint.post("/series/resume")
@for_person(ACTION)
def resume(person: Login) -> Answer:
    """After a restore: which package of each year was the last that anybody saw; none where none is missing."""
    hub, form = this_hub(), request.form
    last = form.get("last", "").split()
    try:
        serials.resume(hub.store, hub.desk(person.actor), form.get("to", ""), last, form.get("reason", ""))
    except (PackageRefused, ReasonMissing) as refused:
        return _listed(person, refusal(catalogue(person.language), refused)), 422
    return see(url_for("packages.show"))


def _listed(person: Login, wrong: str = "") -> str:
    hub = this_hub()
    desk = hub.desk(person.actor)
    known = serials.listed(hub.store, desk)
    rows = _rows(person)
    return page(
        "packages.html",
        person,
        rows=rows,
        series=known,
        fingerprints={each.destination: serials.fingerprint_of(each) for each in known},
        restored={each.destination for each in serials.waiting_to_resume(hub.store, desk)},
        bodies=package_view.bodies(person, desk),
        quarters=_quarters(desk, known),
        late={each.package.id for each in rows if package_view.is_late(each.package, desk)},
        busy={each.package.destination for each in rows if each.package.state == "prepared"},
        signer=minisign.public_key(minisign.seed_of(hub.secrets.sign)),
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
    bodies, made = package_view.bodies(person, desk), preparing.listed(hub.store, desk)
    words = preparing.words_on(hub.store, desk, made)
    return [package_view.row(each, bodies, words.get(each.id, (0, 0))) for each in made]
