"""S19, search: one box for whatever somebody has in hand of a complaint or a case; never a name."""

from flask import Blueprint, request

from server.domain.places import cercle_name
from server.i18n import catalogue
from server.services.accounts.sessions import Login
from server.services.cases import searching
from server.web.auth import for_person, this_hub
from server.web.console.cases import folded, title
from server.web.console.pages import page

blueprint = Blueprint("search", __name__, url_prefix="/console/search")


@blueprint.get("")
@for_person("handle_case")
def show(person: Login) -> str:
    """The box, and what was found by it."""
    hub, texts = this_hub(), catalogue(person.language)
    desk, text = hub.desk(person.actor), request.args.get("q", "").strip()
    found = searching.search(hub.store, desk, text) if text else None
    return page(
        "search.html",
        person,
        text=text,
        found=found,
        titles={} if found is None else {row.case.ref: title(texts, row) for row in found.cases},
        cercles={each.number: cercle_name(desk.places, each.place) for each in (found.complaints if found else ())},
        folded="" if found is None else folded(texts, found.meant),
    )
