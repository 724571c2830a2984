"""S18, one's own account: who the hub takes one for, its passphrase, and the sessions that are open."""

from typing import Any

from flask import Blueprint, current_app, redirect, request, session, url_for
from werkzeug.wrappers import Response

from server.domain import passphrase
from server.domain.errors import LoginRefused, LoginTooSoon, PassphraseRefused
from server.domain.people import KEY_ROLES
from server.domain.permission import Actor
from server.domain.places import place_name
from server.i18n import LANGUAGES, catalogue
from server.refusals import refusal
from server.services.accounts import sessions
from server.services.accounts.sessions import Login
from server.web.auth import TOKEN, for_person, this_hub
from server.web.console import view
from server.web.console.login import Answer, caller, refusal_members
from server.web.console.pages import page

blueprint = Blueprint("account", __name__, url_prefix="/console/account")


@blueprint.get("")
@for_person("use_account")
def show(person: Login) -> str:
    """The account."""
    return _shown(person, is_changed="changed" in request.args)


@blueprint.post("/passphrase")
@for_person("use_account")
def change_passphrase(person: Login) -> Answer:
    """Put another passphrase in the place of this one."""
    hub, form = this_hub(), request.form
    old, new = form.get("old", ""), form.get("new", "")
    if new != form.get("again", ""):
        return _shown(person, differs=True), 400
    try:
        sessions.change_passphrase(hub.store, hub.secrets.totp, session[TOKEN], old, new, caller(), hub.clock())
    except PassphraseRefused as refused:
        return _shown(person, wrong=refusal(catalogue(person.language), refused)), 400
    except (LoginRefused, LoginTooSoon) as refused:
        members, status, headers = refusal_members(refused)
        return _shown(person, **members), status, headers
    return redirect(url_for("account.show", changed=""), 303)


@blueprint.post("/language")
@for_person("use_account")
def set_language(person: Login) -> Response:
    """Read pages in another language."""
    hub, language = this_hub(), request.form.get("language", "")
    if language in LANGUAGES:
        sessions.set_language(hub.store, person.actor, language, hub.clock())
    return redirect(url_for("account.show"), 303)


@blueprint.post("/view")
@for_person("use_account")
def set_view(person: Login) -> Response:
    """Show the console otherwise in this browser."""
    del person
    answer = redirect(url_for("account.show"), 303)
    said = [request.form.get(name, "") for name in ("theme", "size", "keys")]
    view.keep(answer, view.chosen(*said), is_secure=current_app.config["SESSION_COOKIE_SECURE"])
    return answer


@blueprint.post("/sessions/<own_session>/end")
@for_person("use_account")
def end_session(person: Login, own_session: str) -> Response:
    """End one of one's own sessions."""
    hub = this_hub()
    sessions.end(hub.store, person.actor, own_session, hub.clock())
    return redirect(url_for("account.show"), 303)


def _shown(person: Login, **values: Any) -> str:
    hub, texts = this_hub(), catalogue(person.language)
    return page(
        "account.html",
        person,
        facts=_facts(person),
        open_sessions=sessions.open_sessions(hub.store, person.actor, hub.clock()),
        languages={each: texts.text(f"language.{each}") for each in LANGUAGES},
        words=passphrase.MIN_WORDS,
        chars=passphrase.MIN_CHARS,
        views={"theme": view.THEMES, "size": view.SIZES, "keys": view.KEYS},
        **values,
    )


def _facts(person: Login) -> dict[str, str]:
    """What the hub takes the person for, by what each is called."""
    texts, actor = catalogue(person.language), person.actor
    scopes = {"regions": _region_names(actor), "teams": actor.teams, "partners": actor.partners}
    facts = {texts.text("account.role"): texts.text(f"role.{actor.role}")}
    for kind, names in scopes.items():
        facts[texts.text(f"account.{kind}")] = ", ".join(sorted(names)) or texts.text("account.all")
    if actor.role in KEY_ROLES:
        held = len(person.keys.private)
        strict = "account.strict_yes" if actor.is_named_reader else "account.strict_no"
        facts[texts.text("account.strict")] = texts.text(strict)
        keys = texts.plural("account.keys_held", held) if held else texts.text("account.keys_none")
        facts[texts.text("account.keys")] = keys
    return facts


def _region_names(actor: Actor) -> set[str]:
    """What the regions of a scope are called; one that is on no list keeps its id."""
    gazetteer = this_hub().gazetteer()
    return {place_name(gazetteer, each) for each in actor.regions}
