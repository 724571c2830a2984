"""S1, getting in and out: a passphrase, a code, and one sentence for whatever was wrong."""

import re
from typing import Any, Final

from flask import Blueprint, redirect, request, session, url_for
from werkzeug.wrappers import Response

from server.domain.errors import LoginRefused, LoginTooSoon, SessionOver
from server.services.accounts import sessions
from server.services.accounts.sessions import Claim, Entry
from server.web.auth import TOKEN, guarded, this_hub, this_person
from server.web.console.pages import page
from server.web.console.sections import home_of

blueprint = Blueprint("login", __name__)

# The token between passphrase and code, and the page to come back to, in the cookie.
_PENDING: Final = "pending"
_NEXT: Final = "next"
# A page of our own: nothing that a browser could take for another host.
_OWN_PAGE: Final = re.compile(r"/console(/[A-Za-z0-9_.~-]+)+(\?[A-Za-z0-9_.~%&=+-]*)?")
# Cookies are left: the browser would drop them for every page of this host, the form's own too.
_FORGET: Final = '"cache", "storage"'

Answer = Response | tuple[str, int] | tuple[str, int, dict[str, str]] | str


@blueprint.get("/login")
@guarded("public")
def ask() -> Answer:
    """The form for name and passphrase; refuses to be filled in where others could read along."""
    if not _is_private():
        return page("login_unsafe.html"), 403
    return page("login.html", next=_own_page(request.args.get("next")))


@blueprint.post("/login")
@guarded("public")
def log_in() -> Answer:
    """By name and passphrase; goes on to the code where one is asked for."""
    if not _is_private():
        return page("login_unsafe.html"), 403
    hub, come_back = this_hub(), _own_page(request.form.get("next"))
    claim = Claim(request.form.get("name", ""), request.form.get("passphrase", ""), caller())
    try:
        entry = sessions.log_in(hub.store, hub.secrets.totp, claim, hub.clock())
    except (LoginRefused, LoginTooSoon) as refusal:
        return _refused("login.html", refusal, next=come_back)
    return _entered(entry, come_back)


@blueprint.get("/login/code")
@guarded("public")
def ask_code() -> Answer:
    """The form for the code."""
    if _PENDING not in session:
        return redirect(url_for("login.ask"), 303)
    return page("login_code.html")


@blueprint.post("/login/code")
@guarded("public")
def give_code() -> Answer:
    """By the code of the second factor."""
    hub, code = this_hub(), request.form.get("code", "")
    try:
        token = session.get(_PENDING, "")
        entry = sessions.give_code(hub.store, hub.secrets.totp, token, code, caller(), hub.clock())
    except SessionOver:
        session.clear()
        return redirect(url_for("login.ask"), 303)
    except (LoginRefused, LoginTooSoon) as refusal:
        return _refused("login_code.html", refusal)
    return _entered(entry, session.get(_NEXT))


@blueprint.post("/logout")
@guarded("public")
def log_out() -> Answer:
    """End the session, if there is one, and let the browser forget its pages."""
    hub = this_hub()
    sessions.log_out(hub.store, session.get(TOKEN, ""), hub.clock())
    session.clear()
    answer = redirect(url_for("login.ask"), 303)
    answer.headers["Clear-Site-Data"] = _FORGET
    return answer


def caller() -> str:
    """Where a guess comes from; it is kept under a key, for as long as the next one has to wait."""
    return request.remote_addr or ""


def refusal_members(refusal: LoginRefused | LoginTooSoon) -> tuple[dict[str, Any], int, dict[str, str]]:
    """What a form shows of a refusal, with status and headers: one sentence for every cause, or how long to wait."""
    if isinstance(refusal, LoginTooSoon):
        seconds = int(str(refusal.values["seconds"]))
        return {"wait_s": seconds}, 429, {"Retry-After": str(seconds)}
    return {"is_refused": True}, 403, {}


def _is_private() -> bool:
    return this_hub().settings.is_private(request.host.partition(":")[0])


def _refused(template: str, refusal: LoginRefused | LoginTooSoon, **values: Any) -> Answer:
    members, status, headers = refusal_members(refusal)
    return page(template, **members, **values), status, headers


def _entered(entry: Entry, come_back: str | None) -> Response:
    """A cookie of its own for each step: whoever saw an earlier one has nothing of it."""
    session.clear()
    if entry.needs_code:
        session[_PENDING] = entry.token
        if come_back is not None:
            session[_NEXT] = come_back
        return redirect(url_for("login.ask_code"), 303)
    session[TOKEN] = entry.token
    return redirect(come_back or home_of(this_person().actor), 303)


def _own_page(text: str | None) -> str | None:
    return text if text is not None and _OWN_PAGE.fullmatch(text) else None
