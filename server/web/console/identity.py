"""S7, an identity: opened for a reason that the log keeps, shown for ten minutes, and kept nowhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, make_response, request, session

from server.domain.contact import WAYS, Reach
from server.domain.desk import Desk
from server.domain.errors import ContactNotAllowed, ReasonMissing
from server.domain.permission import may_ever
from server.i18n import Catalogue, catalogue
from server.reading import read
from server.refusals import refusal
from server.services.accounts.sessions import Login
from server.services.cases import identities, phrases
from server.services.cases.identities import Access, Closed
from server.services.vault import handing_on
from server.services.vault.opening import Opened
from server.web.auth import for_person, this_hub
from server.web.console.pages import Answer, page, see

blueprint = Blueprint("identity", __name__, url_prefix="/console/cases/<number>/identity")

REASONS: Final = ("contact", "protect", "verify", "refer", "mistake")
_SHOWN_FOR: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class Named:
    """A person of an opened identity: who that is to the facts, and what else was said, by what it is called."""

    no: int
    roles: str
    name: str = field(repr=False)
    said: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Shown:
    """One complaint with its identity as opened. `who_can`: names of those whose keys open it."""

    number: str
    opened: Opened = field(repr=False)
    people: tuple[Named, ...] = field(repr=False)
    contact: Mapping[str, str] = field(repr=False)
    ways: str
    limits: tuple[str, ...]
    who_can: str


@blueprint.get("")
@for_person("find_complaint")
def show(person: Login, number: str) -> Answer:
    """Why it is to be opened, and who will see that it was."""
    hub = this_hub()
    found = identities.access(hub.store, hub.desk(person.actor), number)
    return _asked(person, found, is_asked="asked" in request.args)


@blueprint.post("")
@for_person("find_complaint")
def open_(person: Login, number: str) -> Answer:
    """The names, on this answer alone: no address leads to them."""
    hub, form, texts = this_hub(), request.form, catalogue(person.language)
    desk = hub.desk(person.actor, person.keys)
    found = identities.access(hub.store, desk, number)
    if not found.may_open:
        return _asked(person, found), 403
    if form.get("reason") not in REASONS:
        return _asked(person, found, wrong=texts.text("identity.choose_why"), typed=form), 422
    try:
        shown = [_opened(desk, texts, each, form) for each in found.closed if each.may_open]
    except ReasonMissing as error:
        return _asked(person, found, wrong=refusal(texts, error), typed=form), 422
    closed, until = f"/console/cases/{found.number}/identity/closed", desk.now + _SHOWN_FOR
    answer = make_response(page("identity_open.html", person, found=found, shown=shown, until=until, back=closed))
    answer.headers["Refresh"] = f"{int(_SHOWN_FOR.total_seconds())}; url={closed}"
    return answer


@blueprint.get("/closed")
@for_person("find_complaint")
def close(person: Login, number: str) -> Answer:
    """Back to where it was opened from; nothing of it stays."""
    hub = this_hub()
    found = identities.access(hub.store, hub.desk(person.actor), number)
    # Browsers may keep a page for the way back, `no-store` or not, until a cookie of it changes.
    session.modified = True
    return see(_back(person, found))


@blueprint.post("/ask")
@for_person("find_complaint")
def ask(person: Login, number: str) -> Answer:
    """Let somebody who may open it hear that it is needed."""
    hub, reader = this_hub(), request.form.get("reader", "")
    desk = hub.desk(person.actor)
    found = identities.access(hub.store, desk, number)
    if reader not in found.readers:
        return _asked(person, found, wrong=catalogue(person.language).text("identity.no_reader")), 422
    identities.ask(hub.store, desk, number, reader)
    return see(f"/console/cases/{number}/identity?asked=")


@blueprint.post("/charge")
@for_person("handle_case")
def charge(person: Login, number: str) -> Answer:
    """Assign the complaints of the case, as they were shown, to somebody, who may then open them."""
    hub = this_hub()
    desk = hub.desk(person.actor, person.keys)
    found = identities.access(hub.store, desk, number)
    to = request.form.get("to", "")
    if to not in found.chargeable:
        return _asked(person, found, wrong=catalogue(person.language).text("identity.no_reader")), 422
    if request.form.get("seen") != found.version:
        return _asked(person, found, wrong=catalogue(person.language).text("identity.changed")), 409
    account = identities.account_called(hub.store, to)
    handing_on.assign_all(hub.store, desk, {each.complaint: each.assigned for each in found.closed}, account)
    return see(f"/console/cases/{number}/identity")


def _asked(person: Login, found: Access, **values: Any) -> str:
    return page(
        "identity.html",
        person,
        found=found,
        reasons=REASONS,
        minutes=int(_SHOWN_FOR.total_seconds() // 60),
        back=_back(person, found),
        **values,
    )


def _back(person: Login, found: Access) -> str:
    """Where closing leads: the case, for whoever may see cases."""
    return f"/console/cases/{found.number}" if may_ever(person.actor, "handle_case") else "/console/account"


def _opened(desk: Desk, texts: Catalogue, closed: Closed, form: Mapping[str, str]) -> Shown:
    """Opened for what the form says: a purpose of the list, and words. Raises ReasonMissing."""
    hub = this_hub()
    purpose = texts.text("identity.purpose", reason=texts.text(f"identity.reason_{form['reason']}"))
    opened = read(hub, desk, closed.complaint, "identity", form.get("words", ""), purpose=purpose)
    said = (opened.clear or {}).get("contact")
    return Shown(
        number=closed.number,
        opened=opened,
        people=tuple(_people(texts, closed, opened.clear or {})),
        contact=_worded(texts, said) if isinstance(said, dict) else {},
        ways=_ways(texts, opened.reach),
        limits=tuple(refusal(texts, ContactNotAllowed(fault=limit)) for limit in opened.reach.limits),
        who_can=", ".join(each.name or texts.text("keys.recovery") for each in opened.openers),
    )


def _people(texts: Catalogue, closed: Closed, clear: Mapping[str, Any]) -> Iterator[Named]:
    roles = {each.no: phrases.roles(texts, each) for each in closed.people}
    persons = clear.get("persons")
    for each in persons if isinstance(persons, list) else []:
        if isinstance(each, dict):
            no = each["no"] if isinstance(each.get("no"), int) else 0
            rest = {name: value for name, value in each.items() if name not in ("no", "name")}
            yield Named(no, roles.get(no, ""), str(each.get("name", "")), _worded(texts, rest))


def _worded(texts: Catalogue, said: Mapping[str, Any]) -> dict[str, str]:
    """What was said, by what it is called; by its own name where there is no word for that."""
    return {phrases.member(texts, name): str(value) for name, value in said.items() if value not in (None, "")}


def _ways(texts: Catalogue, reach: Reach) -> str:
    return ", ".join(texts.text(f"open.way_{way}") for way in WAYS if way in reach.ways)
