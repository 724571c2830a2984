"""What a destination got, as whoever speaks for it there sees it: by reference alone, to be answered line by line."""

from typing import Final

from flask import Blueprint, request, url_for

from server.domain.errors import PackageRefused
from server.domain.permission import Action
from server.i18n import Catalogue, catalogue
from server.refusals import refusal
from server.services.accounts.sessions import Login
from server.services.cases import phrases
from server.services.commission import receiving
from server.services.commission.receiving import Delivery
from server.web.auth import for_person, this_hub
from server.web.console import answer_form, package_view
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.package_view import told_cells
from server.web.console.pages import Answer, page, see
from server.web.console.unsaid import Unsaid, why

ACTION: Final[Action] = "receive_export"
blueprint = Blueprint("received", __name__, url_prefix="/console/received")

_COLUMNS: Final = ("number", "quarter", "transmitted", "items", "settled", "state")
_ITEMS: Final = ("number", "ref", "shape", "verdict", "file_number", "reason")


@blueprint.get("")
@for_person(ACTION)
def show(person: Login) -> Answer:
    """What was sent there, the last first."""
    hub, texts = this_hub(), catalogue(person.language)
    desk = hub.desk(person.actor)
    found = receiving.listed(hub.store, desk)
    if wants_csv():
        head = [texts.text(f"packages.column_{each}") for each in _COLUMNS]
        return csv_answer(texts.text("received.file"), head, (_cells(texts, each) for each in found))
    to = receiving.destination_of(hub.store, desk)
    body = "" if to is None else phrases.body(texts, to, desk.places)
    return page("received.html", person, rows=found, body=body, has_counts=False)


@blueprint.get("/<delivery>")
@for_person(ACTION)
def look(person: Login, delivery: str) -> Answer:
    """What one package says, by reference, and what was answered."""
    if not wants_csv():
        return _looked_at(person, delivery)
    hub, texts = this_hub(), catalogue(person.language)
    kept, items = receiving.one(hub.store, hub.desk(person.actor), delivery)
    head = [texts.text(f"packages.column_{each}") for each in _ITEMS]
    rows = (told_cells(texts, kept.number, each) for each in package_view.told(items))
    return csv_answer(kept.number, head, rows)


@blueprint.post("/<delivery>")
@for_person(ACTION)
def answer(person: Login, delivery: str) -> Answer:
    """Take in what was ticked, or the file that says it."""
    hub = this_hub()
    desk = hub.desk(person.actor)
    kept, items = receiving.one(hub.store, desk, delivery)
    try:
        if "file" in request.files:
            receiving.take_answer(hub.store, desk, delivery, answer_form.said())
        else:
            slip = answer_form.slip(package_view.told(items), kept.digits)
            if answer_form.lacks(slip.words or ()):
                raise Unsaid("received.why_lacks")
            receiving.take_slip(hub.store, desk, delivery, slip)
    except PackageRefused as refused:
        return _looked_at(person, delivery, refusal(catalogue(person.language), refused)), 422
    except Unsaid as refused:
        return _looked_at(person, delivery, why(catalogue(person.language), refused)), 422
    return see(url_for("received.look", delivery=delivery, at=request.form.get("at") or None))


def _looked_at(person: Login, number: str, wrong: str = "") -> str:
    hub = this_hub()
    desk = hub.desk(person.actor)
    kept, items = receiving.one(hub.store, desk, number)
    return page(
        "received_one.html",
        person,
        kept=kept,
        sheet=answer_form.sheet(package_view.told(items)),
        today=desk.now.date().isoformat(),
        wrong=wrong,
        typed=request.form,
        has_counts=False,
    )


def _cells(texts: Catalogue, kept: Delivery) -> list[object]:
    state = texts.text(f"received.state_{kept.state}")
    return [kept.number, kept.quarter, kept.transmitted_at.date().isoformat(), kept.items, kept.settled, state]
