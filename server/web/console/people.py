"""S15, people: who has an account, for what, with which keys; and closing the account of somebody who leaves."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from server.domain.errors import NotFound
from server.domain.people import KEY_ROLES, login_name
from server.i18n import Catalogue, catalogue
from server.services.accounts import people
from server.services.accounts.people import Colleague
from server.services.accounts.sessions import Login
from server.web.auth import for_person, this_hub
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.pages import page, see
from server.web.formats import day

blueprint = Blueprint("people", __name__, url_prefix="/console/people")

_COLUMNS: Final = ("name", "role", "scope", "strict", "keys", "login", "state")

Answer = str | Response | tuple[str, int]


@blueprint.get("")
@for_person("manage_people")
def show(person: Login) -> Answer:
    """Everybody, those who left last."""
    hub, texts = this_hub(), catalogue(person.language)
    known = people.overview(hub.store, person.actor)
    rows = [(each, _cells(texts, each)) for each in known]
    header = [texts.text(f"people_page.column_{name}") for name in _COLUMNS]
    if wants_csv():
        return csv_answer(texts.text("people_page.file"), header, (cells for _, cells in rows))
    return page("people.html", person, rows=rows, header=header, leads=any(each.is_head for each in known))


@blueprint.get("/<account>/leave")
@for_person("manage_people")
def ask_leave(person: Login, account: str) -> str:
    """What closing an account does, and the form for it."""
    return _leaving(person, _found(person, account))


@blueprint.post("/<account>/leave")
@for_person("manage_people")
def leave(person: Login, account: str) -> Answer:
    """Close an account for good, once its name was typed."""
    hub, found = this_hub(), _found(person, account)
    if found.account.id == person.actor.id or login_name(request.form.get("name", "")) != found.account.login:
        return _leaving(person, found, is_wrong=True), 422
    people.end(hub.store, person.actor, found.account.name, hub.clock())
    return see(url_for("people.show"))


def _found(person: Login, account: str) -> Colleague:
    """The account with this id, whose holder did not leave. Raises NotFound."""
    known = people.overview(this_hub().store, person.actor)
    found = next((each for each in known if each.account.id == account and each.account.left_at is None), None)
    if found is None:
        raise NotFound(object=account)
    return found


def _leaving(person: Login, found: Colleague, *, is_wrong: bool = False) -> str:
    is_own = found.account.id == person.actor.id
    return page("people_leave.html", person, account=found.account, is_own=is_own, is_wrong=is_wrong)


def _cells(texts: Catalogue, found: Colleague) -> Sequence[str]:
    """What the list shows of an account, by _COLUMNS."""
    account = found.account
    last = account.last_login_on
    return [
        account.name,
        texts.text(f"role.{account.role}"),
        _scope(texts, found),
        texts.text("people.yes") if account.is_named_reader else "",
        "" if account.left_at else _keys(texts, found),
        texts.text("people_page.never") if last is None else day(date.fromisoformat(last)),
        texts.text(f"people.state_{account.state}", day=day(account.left_at) if account.left_at else ""),
    ]


def _scope(texts: Catalogue, found: Colleague) -> str:
    account, places = found.account, this_hub().gazetteer()
    regions = [each if places is None else places.name_of(each) for each in account.regions]
    return ", ".join((*regions, *account.teams, *account.partners)) or texts.text("people.everywhere")


def _keys(texts: Catalogue, found: Colleague) -> str:
    if found.account.role not in KEY_ROLES:
        return ""
    if not found.keys:
        return texts.text("people_page.keys_none")
    return texts.text("people_page.keys_in_use" if found.is_sealed_to else "people_page.keys_unpublished")
