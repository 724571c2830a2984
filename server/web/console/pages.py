"""What every page of the console is rendered with, and where a form leads."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from flask import render_template, request, session
from werkzeug.wrappers import Response

from server.domain.permission import may_ever
from server.i18n import catalogue
from server.services.accounts.sessions import Login
from server.services.cases.waiting import Count, waiting
from server.services.commission import preparing
from server.services.intake import admission
from server.web import formats
from server.web.auth import this_hub
from server.web.console import view
from server.web.console.sections import sections_for
from server.web.formats import callers_language

# What can be taken back, in the cookie, until the next page or the next act.
_UNDO: Final = "undo"
_WHOLE: Final = "console.html"
_PANE: Final = "pane.html"
_PACKAGES: Final = "packages"
_NONE: Final[Mapping[str, Count]] = {}

# What most views give: a page, where to go, or a page with the status of a refusal.
Answer = str | Response | tuple[str, int]


@dataclass(frozen=True)
class Undo:
    """The act that was just done, in words, and the form that takes it back."""

    text: str
    url: str
    fields: dict[str, str]


def page(
    template: str,
    person: Login | None = None,
    *,
    counted: Mapping[str, Count] = _NONE,
    has_counts: bool = True,
    **values: Any,
) -> str:
    """A page in the language of its reader: that of the account, else that of the browser.

    A script that asks for the pane of a page alone is given the block `pane` of the same template. `has_counts`:
    whether the bar says what waits, for which the database is asked but for what is `counted` already.
    """
    language = person.language if person else callers_language()
    formats.read_in(language)
    return render_template(
        template,
        layout=_PANE if is_for_pane() else _WHOLE,
        texts=catalogue(language),
        language=language,
        coalition=this_hub().settings.coalition,
        person=person,
        sections=sections_for(person.actor) if person else (),
        section_counts=_section_counts(person, counted) if has_counts else {},
        view=view.read(),
        undo=_offered(),
        **values,
    )


def _section_counts(person: Login | None, counted: Mapping[str, Count]) -> Mapping[str, Count]:
    """What waits in the sections of the bar, by their names; nothing for a pane, which has no bar."""
    if person is None or is_for_pane():
        return {}
    hub = this_hub()
    desk = hub.desk(person.actor)
    apart = {"quarantine": admission.count_at(hub.store, desk)} if may_ever(person.actor, admission.ACTION) else {}
    may_prepare = any(each.name == _PACKAGES for each in sections_for(person.actor))
    to_send = {_PACKAGES: preparing.count_waiting(hub.store, desk)} if may_prepare else {}
    return {**waiting(hub.store, desk, counted), **apart, **to_send}


def is_for_pane() -> bool:
    """Whether a script asks for the block `pane` of a page, and not for the page."""
    return request.headers.get("HX-Target", "").endswith("#pane")


def see(url: str) -> Response:
    """Where a form that was done leads (RFC 9110, 15.4.4)."""
    # Without the usual page: nobody sees it, and it goes down a thin link with every decision.
    return Response(status=303, headers={"Location": url})


def offer_undo(text: str, url: str, **fields: str) -> None:
    """Offer on the next page to take back what was just done, by a form to `url` with these fields.

    The cookie is signed and not sealed: `text` says what was done, by registry number alone.
    """
    session[_UNDO] = asdict(Undo(text, url, fields))


def _offered() -> Undo | None:
    kept = session.pop(_UNDO, None)
    return None if kept is None else Undo(**kept)
