"""Refusals as pages: what happened, what was kept of what somebody typed, and what to do."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import RequestEntityTooLarge, SecurityError

from client_sync.protocol.vocabulary import label
from server.domain.case import Version
from server.domain.errors import SeereError, SessionOver, StaleRevision
from server.i18n import Catalogue, catalogue
from server.refusals import refusal
from server.web.auth import this_person
from server.web.console import pages
from server.web.console.sections import home_of
from server.web.formats import callers_language

_CONSOLE: Final = "/console/"
_NOT_FOUND: Final = 404
_FAULT: Final = 500
# What to do, where the sentence of the refusal does not say it.
_ADVICE: Final = {404: "page.do_not_found", 405: "page.do_again", 413: "page.do_again", 422: "page.do_again"}
# Nothing of these is ever written into a page.
_SECRET: Final = frozenset({"csrf_token", "passphrase", "code", "old", "new", "again"})
# The name under which forms say which version of a case they were made from.
_SEEN: Final = "after"
# In these people write, and see it again; every other field goes along unseen: a choice, a name, a number to call.
WRITTEN: Final = frozenset({"narrative", "note", "reason", "text", "words"})
# On some forms a reason is written, on others chosen from a list.
_CODE: Final = re.compile(r"[a-z0-9_]*")


@dataclass(frozen=True)
class Kept:
    """A field of the form that was refused; `is_shown`: words that somebody wrote."""

    name: str
    value: str
    is_shown: bool


@dataclass(frozen=True)
class Both:
    """One field of a case as its reader wanted it, and as somebody else made it."""

    label: str
    mine: str
    theirs: str


def page(code: str, status: int, error: Exception) -> Response:
    """The refusal as a page: in the console for whoever is in, else a page that says nothing of it."""
    shown = _in_console(code, status, error) if request.path.startswith(_CONSOLE) else None
    return Response(shown or _outside(code, status, error), status, mimetype="text/html")


def _in_console(code: str, status: int, error: Exception) -> str | None:
    try:
        person = this_person()
    except SessionOver:
        return None
    texts = catalogue(person.language)
    stands = _stands(error)
    # One page for what was never there and for what is not for this reader.
    is_nothing = status == _NOT_FOUND
    again = {_SEEN: str(stands.revision)} if stands else {}
    return pages.page(
        "refused.html",
        person,
        # What just failed may be the database.
        has_counts=False,
        text=_sentence(texts, code, status, error),
        advice=texts.text("page.do_elsewhere" if is_nothing else _ADVICE[status]) if status in _ADVICE else None,
        # A number to quote, of what nobody could foresee.
        status=status if status >= _FAULT else None,
        stands=stands,
        versions=list(_versions(texts, error, stands)) if stands else [],
        action=request.full_path.removesuffix("?"),
        kept=list(_kept(again)) if request.method == "POST" and not is_nothing and _is_ours(error) else [],
        back=home_of(person.actor) if is_nothing else _back(),
    )


def _sentence(texts: Catalogue, code: str, status: int, error: Exception) -> str:
    if isinstance(error, StaleRevision):
        return texts.text("page.stale")
    if isinstance(error, SeereError) and status < 500 and status != _NOT_FOUND:
        return refusal(texts, error)
    return texts.text(_outside_key(code, error))


def _stands(error: Exception) -> Version | None:
    stands = error.values["stands"] if isinstance(error, StaleRevision) else None
    assert stands is None or isinstance(stands, Version)
    return stands


def _versions(texts: Catalogue, error: Exception, stands: Version) -> Iterator[Both]:
    """What was wanted of each field beside what stands; what nobody asked for as it stands."""
    assert isinstance(error, StaleRevision)
    wanted = error.values["wanted"]
    assert isinstance(wanted, Mapping)
    for name in {**stands.fields, **wanted}:
        theirs = stands.fields.get(name)
        mine = wanted.get(name, theirs)
        yield Both(texts.text(f"cases.field_{name}"), _worded(texts, name, mine), _worded(texts, name, theirs))


def _worded(texts: Catalogue, field: str, value: str | None) -> str:
    if value is None:
        return texts.text("page.unsaid")
    if field == "kind":
        return label("kind", value, texts.language)
    return texts.text(f"cases.status_{value}") if field == "status" else value


def _is_ours(error: Exception) -> bool:
    """Whether a page of ours sent the form: one that another page made up is not given a token to be sent again.

    Of one that is too large nothing can be read.
    """
    if isinstance(error, RequestEntityTooLarge):
        return False
    return not isinstance(error, CSRFError) or request.headers.get("Sec-Fetch-Site") == "same-origin"


def _kept(again: Mapping[str, str]) -> Iterator[Kept]:
    """What was typed, with these fields in the place of theirs."""
    for name, values in request.form.lists():
        if name in _SECRET:
            continue
        for value in [again[name]] if name in again else values:
            yield Kept(name, value, name in WRITTEN and not _CODE.fullmatch(value))


def _back() -> str:
    """The page of the object that the form was for, as far as its address says: `/console/<section>/<object>`."""
    parts = request.path.split("/")
    return "/".join(parts[: max(3, min(4, len(parts) - 1))])


def _outside(code: str, status: int, error: Exception) -> str:
    language = callers_language()
    texts = catalogue(language)
    advice = _ADVICE.get(status)
    values: dict[str, Any] = {"texts": texts, "language": language, "status": status}
    return render_template(
        "error.html",
        text=texts.text(_outside_key(code, error)),
        is_astray=isinstance(error, SecurityError),
        advice=texts.text(advice) if advice else None,
        **values,
    )


def _outside_key(code: str, error: Exception) -> str:
    """The key of what a page says: of a browser something else is true than of a device with the same code."""
    if isinstance(error, SecurityError):
        return "page.host_unknown"
    return "page.form_old" if code == "body_unreadable" else f"problem.{code}"
