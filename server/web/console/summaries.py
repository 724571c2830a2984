"""Summaries: few words on a complaint that may leave, written on its case and read one by one before a package goes."""

from datetime import datetime

from flask import Blueprint, request, url_for

from server.domain.desk import Desk
from server.domain.errors import PackageRefused, ReasonMissing
from server.i18n import catalogue
from server.refusals import refusal
from server.services.accounts.sessions import Login
from server.services.cases.overview import require
from server.services.commission import preparing, summarising
from server.services.commission.summarising import MAX_CHARS, Written
from server.web.auth import for_person, this_hub
from server.web.console import package_view
from server.web.console.neighbours import neighbours
from server.web.console.pages import Answer, page, see

blueprint = Blueprint("summaries", __name__, url_prefix="/console")


@blueprint.get("/exports/<package>/summaries")
@for_person("prepare_export")
def show(person: Login, package: str) -> Answer:
    """One summary that waits for a second person, of those that a package would have."""
    return _shown(person, package)


@blueprint.post("/exports/<package>/summaries")
@for_person("prepare_export")
def decide(person: Login, package: str) -> Answer:
    """Let a summary leave, send it back, or write another; then the next."""
    hub, form = this_hub(), request.form
    desk, about = hub.desk(person.actor), form.get("about", "")
    waiting = [each.number for each in _waiting(desk, package)]
    _, after = neighbours(waiting, about)
    try:
        _do(desk, about)
    except (PackageRefused, ReasonMissing) as refused:
        return _shown(person, package, refusal(catalogue(person.language), refused))
    return see(url_for("summaries.show", package=package, about=after))


@blueprint.post("/cases/<number>/summary")
@for_person("handle_case")
def write(person: Login, number: str) -> Answer:
    """Do the same on the page of a case."""
    hub = this_hub()
    desk, about = hub.desk(person.actor), request.form.get("about", number)
    # Before anything is said of a form.
    require(hub.store, desk, number)
    _do(desk, about)
    return see(f"{url_for('case.show', number=number, words=about)}#summary")


def _do(desk: Desk, about: str) -> None:
    """What the form says is to be done with the summary of a complaint."""
    hub, form = this_hub(), request.form
    doing = form.get("do", "")
    if doing in ("accept", "back"):
        try:
            seen = datetime.fromisoformat(form.get("seen", ""))
        except ValueError:
            raise PackageRefused(fault="summary_anew", number=about) from None
        if doing == "accept":
            summarising.review(hub.store, desk, about, seen)
        else:
            summarising.send_back(hub.store, desk, about, seen, form.get("reason", ""))
    else:
        summarising.write(hub.store, desk, about, form.get("text", ""))


def _waiting(desk: Desk, number: str) -> list[Written]:
    """Those that wait, of what a prepared package says. Raises as `preparing.look`."""
    hub = this_hub()
    prepared = preparing.look(hub.store, desk, hub.secrets.pepper, number)
    return summarising.unreviewed(hub.store, desk, [each.complaint for each in prepared.choice.candidates])


def _shown(person: Login, number: str, wrong: str = "") -> Answer:
    hub, form = this_hub(), request.form
    desk = hub.desk(person.actor)
    package = preparing.one(hub.store, desk, number)
    if package.state != "prepared":
        return see(url_for("package.look", package=number))
    waiting = _waiting(desk, number)
    wanted = form.get("about") or request.args.get("about", "")
    here = next((each for each in waiting if each.number == wanted), waiting[0] if waiting else None)
    before, after = neighbours(waiting, here)
    shown = page(
        "summaries.html",
        person,
        row=package_view.row(package, package_view.bodies(person, desk)),
        package=package,
        steps=package_view.STEPS,
        step="summaries",
        here=here,
        at=waiting.index(here) + 1 if here else 0,
        of=len(waiting),
        before=before.number if before else "",
        after=after.number if after else "",
        most=MAX_CHARS,
        wrong=wrong,
        typed=form if here and form.get("about") == here.number else {},
    )
    return (shown, 422) if wrong else shown
