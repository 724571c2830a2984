"""S19, search: one box for whatever somebody has in hand of a complaint or a case; never a name."""

from collections.abc import Iterator, Sequence
from typing import Final

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from server.domain.places import Gazetteer, cercle_name
from server.i18n import Catalogue, catalogue
from server.services.accounts.sessions import Login
from server.services.cases import searching, wording
from server.services.cases.searching import Results
from server.web.auth import for_person, this_hub
from server.web.console.cases import folded, title
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.pages import page
from server.web.formats import day

blueprint = Blueprint("search", __name__, url_prefix="/console/search")

_COLUMNS: Final = ("ref", "title", "status", "urgency", "owner", "received")


@blueprint.get("")
@for_person("handle_case")
def show(person: Login) -> str | Response:
    """The box, and what was found by it."""
    hub, texts = this_hub(), catalogue(person.language)
    desk, text = hub.desk(person.actor), request.args.get("q", "").strip()
    found = searching.search(hub.store, desk, text) if text else None
    if wants_csv() and found is not None:
        header = [texts.text(f"case_list.column_{name}") for name in _COLUMNS]
        return csv_answer(texts.text("search.file"), header, _lines(texts, desk.places, found))
    return page(
        "search.html",
        person,
        text=text,
        found=found,
        titles={} if found is None else {row.case.ref: title(texts, row) for row in found.cases},
        cercles={each.number: cercle_name(desk.places, each.place) for each in (found.complaints if found else ())},
        folded="" if found is None else folded(texts, found.meant),
        export=url_for("search.show", q=text, format="csv"),
    )


def _lines(texts: Catalogue, places: Gazetteer | None, found: Results) -> Iterator[Sequence[object]]:
    """What was found, cases first; of a complaint that nobody acted on yet, its number, its cercle and when it came."""
    for row in found.cases:
        status = wording.status(texts, row.case.status)
        yield row.case.ref, title(texts, row), status, row.case.urgency, row.owner, day(row.clocks.received_at)
    for each in found.complaints:
        yield each.number, cercle_name(places, each.place), "", "", "", day(each.received_at)
