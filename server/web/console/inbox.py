"""S2, the inbox: every complaint that came gets its first decision, one key each, or several of one kind together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final, cast
from urllib.parse import parse_qs

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from client_sync.protocol.vocabulary import VOCABULARY, label
from server.domain.act import ACCUSED_ROLES
from server.domain.casework import CASEWORK, URGENCIES
from server.domain.desk import Desk
from server.domain.errors import NotFound, ReasonMissing, TransitionRefused, UrgencyRefused
from server.domain.matching import link_ids
from server.domain.triage import DISPOSITIONS, Disposition
from server.domain.urgency import LOWERING
from server.i18n import Catalogue, catalogue
from server.reading import read
from server.refusals import refusal
from server.services.accounts.sessions import Login
from server.services.cases import due, inbox, looking, triaging
from server.services.cases.inbox import VIEWS, Asked, Item, Lookalike, Page, Row
from server.services.cases.together import MANY_MAX
from server.services.cases.triaging import Decided, Undo, Wish
from server.services.vault.opening import Opened
from server.web.auth import for_person, this_hub
from server.web.console import chosen
from server.web.console.chosen import AT
from server.web.console.filters import address, kept
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.neighbours import neighbours
from server.web.console.pages import Answer, offer_undo, page, see
from server.web.formats import moment

blueprint = Blueprint("inbox", __name__, url_prefix="/console/inbox")

# Where a page begins, in the address of the list.
_FROM: Final = "from"
_FIRST: Final = {_FROM: ""}
# What stands there, but for what is open beside the list.
_FILTERS: Final = ("view", "region", "kind", "urgency", _FROM)
# What is decided beside the dispositions: a complaint joins another, and several join the first of them.
_JOIN: Final = "join"
_GATHER: Final = "gather"
# What opens a form in the place of the decisions.
_STEPS: Final = ("ask", "refuse", _JOIN)
# Lists of which a disposition asks a code.
_ASKS: Final[Mapping[Disposition, str]] = {"ask": "question", "refuse": "inadmissible"}
# So many decisions later a script gets the list anew, with what came and what others decided: each time it would weigh
# more than the complaint itself.
_FRESH_EVERY: Final = 5
_COLUMNS: Final = ("number", "urgency", "kind", "cercle", "region", "status", "received", "due")


@dataclass(frozen=True)
class Turned:
    """What of the list a script gets beside the pane.

    `was`: the number of what was read before; its row is sent anew, or taken out where it left the list (`is_gone`).
    `is_whole`: all rows are sent anew.
    """

    was: str
    is_gone: bool
    is_whole: bool


@blueprint.get("")
@for_person("handle_case")
def show(person: Login) -> Answer:
    """The list, and beside it the complaint that is read."""
    if wants_csv():
        return _file(person)
    return _shown(person)


@blueprint.post("/words")
@for_person("handle_case")
def open_words(person: Login) -> Answer:
    """The words of a complaint that is for named readers alone, for a reason."""
    number = request.form.get("number", "")
    if not number:
        return see(_url())
    try:
        return _shown(person, number, reason=request.form.get("reason", ""))
    except ReasonMissing as error:
        return _shown(person, number, wrong=refusal(catalogue(person.language), error)), 422


@blueprint.post("/decide")
@for_person("handle_case")
def decide(person: Login) -> Answer:
    """Decide on a complaint, and go on to the next."""
    number, act = request.form.get("number", ""), request.form.get("act", "")
    if not number or act not in (*DISPOSITIONS, _JOIN):
        return see(_url())
    texts = catalogue(person.language)
    try:
        decided = _decided(person, number, act)
    except (TransitionRefused, UrgencyRefused) as error:
        return _shown(person, number, wrong=refusal(texts, error)), 422
    _offer(texts.text(f"inbox.done_{act}", number=number, into=decided.ref), decided.undo, number)
    return see(_url(sel=request.form.get("next", "")))


@blueprint.get("/together")
@for_person("handle_case")
def preview(person: Login) -> str:
    """What deciding several together will do, before it is done."""
    hub = this_hub()
    said = chosen.read(request.args.getlist("of"))
    desk, seen = hub.desk(person.actor), dict(said[:MANY_MAX])
    rows = [row for row in inbox.chosen(hub.store, desk, list(seen)) if row.number in seen]
    return page(
        "inbox_together.html",
        person,
        rows=[row for row in rows if row.listed.version == seen[row.number]],
        changed=[row for row in rows if row.listed.version != seen[row.number]],
        gone=sorted(seen.keys() - {row.number for row in rows}),
        owners=inbox.owners_of_all(hub.store, desk, [row.number for row in rows]),
        most=MANY_MAX,
        is_cut=len(said) > MANY_MAX,
        **_shared(person),
    )


@blueprint.post("/together")
@for_person("handle_case")
def decide_together(person: Login) -> Answer:
    """Decide the same on several, each by itself."""
    seen, act = dict(chosen.read(request.form.getlist("of"))), request.form.get("act", "")
    if not seen or act not in (*DISPOSITIONS, _GATHER):
        return see(_url())
    hub, texts = this_hub(), catalogue(person.language)
    desk, wish = hub.desk(person.actor, person.keys), _wish("open" if act == _GATHER else cast(Disposition, act))
    decided = (triaging.gather if act == _GATHER else triaging.decide_many)(hub.store, desk, seen, wish)
    if decided.done:
        _offer(texts.plural(f"inbox.done_many_{act}", len(decided.done)), triaging.undo_of(decided.done))
    if not decided.stays:
        return see(_url())
    stays = {number: refusal(texts, error) for number, error in decided.stays.items()}
    return page("inbox_stays.html", person, stays=stays, done=list(decided.done), **_shared(person)), 409


@blueprint.post("/undo")
@for_person("handle_case")
def take_back(person: Login) -> Answer:
    """Take back what was decided last."""
    hub, texts = this_hub(), catalogue(person.language)
    entries = chosen.read(request.form.getlist("entries"))
    stays = triaging.take_back(hub.store, hub.desk(person.actor, person.keys), entries)
    if not stays:
        return see(_url(sel=request.form.get("sel", "")))
    said = {number: refusal(texts, error) for number, error in stays.items()}
    return page("inbox_stays.html", person, stays=said, done=[], **_shared(person)), 409


def _decided(person: Login, number: str, act: str) -> Decided:
    hub, form = this_hub(), request.form
    desk, after = hub.desk(person.actor, person.keys), chosen.version(form.get("after", ""))
    if act != _JOIN:
        return triaging.decide(hub.store, desk, number, _wish(cast(Disposition, act)), after=after)
    (into, seen), *_ = chosen.read([form.get("into", "")]) or [("", 0)]
    return triaging.join(hub.store, desk, number, into, after=after, into_after=seen)


def _wish(disposition: Disposition) -> Wish:
    """What a form decides and settles."""
    form = request.form
    given = {name: form[name] for name in (_ASKS.get(disposition, ""), LOWERING) if form.get(name)}
    if disposition != "open":
        return Wish(disposition, given)
    urgency = form.get("level", "")
    return Wish(
        disposition,
        given,
        owner=form.get("owner", ""),
        kind=form["type"] if form.get("type") in VOCABULARY.kinds else "",
        urgency=next((each for each in URGENCIES if each == urgency), None),
    )


def _shown(person: Login, number: str = "", *, reason: str | None = None, wrong: str = "") -> str:
    hub = this_hub()
    desk, step = hub.desk(person.actor, person.keys), request.values.get("step", "")
    found = inbox.page(hub.store, desk, _asked(), inbox.read_key(request.values.get(_FROM, "")))
    sel = number or request.args.get("sel", "")
    item = inbox.item(hub.store, desk, sel) if sel else None
    before, after = neighbours([row.number for row in found.rows], sel)
    return page(
        "inbox.html",
        person,
        counted={"inbox": found.counts["triage"]},
        found=found,
        item=item,
        words=_words(desk, item, reason) if item else None,
        others=looking.others(hub.store, desk, [item.complaint]) if item else [],
        step=step if step in _STEPS else "",
        targets=_targets(desk, item) if item and step == _JOIN else [],
        wrong=wrong,
        typed=request.form,
        typed_into=_typed_into(),
        happened=_day(item),
        spoken_for=_spoken_for(item),
        near_kinds=_near(item.kind) if item else [],
        item_url=_url(sel=sel),
        previous_url=_url(sel=before) if before else "",
        next_url=_next_url(found, after),
        next_number=after or "",
        turned=_turned(found, sel),
        next_due=None if found.rows or found.is_cut else due.soonest(hub.store, desk),
        regions=desk.regions,
        **_shared(person),
        **_links(found, sel),
    )


def _turned(found: Page, sel: str) -> Turned:
    """From what a browser showed until now, as a script says it, to this."""
    # Its query alone is read, for whatever else stands in it may be no address at all.
    _, _, query = request.headers.get("HX-Current-URL", "").partition("?")
    was = parse_qs(query.partition("#")[0]).get("sel", [""])[0]
    is_gone = was not in {"", sel, *(row.number for row in found.rows)}
    return Turned(was, is_gone, is_whole=is_gone and found.progress.decided % _FRESH_EVERY == 0)


def _words(desk: Desk, item: Item, reason: str | None) -> Opened | None:
    """The statement, opened for triage; of what is for named readers alone, for a reason that was given."""
    if item.is_strict and reason is None:
        return None
    return read(this_hub(), desk, item.complaint, "statement", reason)


def _near(kind: str) -> list[str]:
    """The kinds of the family of one: what else it may turn out to be."""
    family = VOCABULARY.family(kind)
    return [code for code in VOCABULARY.kinds if VOCABULARY.family(code) == family]


def _day(item: Item | None) -> date | None:
    """When it happened, as far as somebody said."""
    return date.fromisoformat(item.report.incident_from) if item and item.report.incident_from else None


def _spoken_for(item: Item | None) -> int:
    """Persons whom a complaint speaks for, or who speak: not those whom it accuses."""
    roles = [roles.split() for roles, _, _ in item.report.persons] if item else []
    return sum(not ACCUSED_ROLES.issuperset(each) for each in roles)


def _targets(desk: Desk, item: Item) -> list[Lookalike]:
    """What the complaint may join: what somebody typed first, then what is most like it."""
    typed = _typed_into()
    if not typed:
        return list(item.lookalikes)
    try:
        found = inbox.target(this_hub().store, desk, typed, item.complaint)
    except NotFound:
        return list(item.lookalikes)
    return [found, *(each for each in item.lookalikes if each.number != found.number)]


def _typed_into() -> str:
    """The number that somebody typed, or chose, for the complaint to join."""
    return request.values.get("into", "").partition(AT)[0].strip().upper()


def _shared(person: Login) -> dict[str, Any]:
    """What every template of the inbox is given."""
    return {
        "label": partial(_label, person.language),
        "kept": kept(_FILTERS),
        "back": _url(),
        "now": this_hub().clock(),
        "kinds": list(VOCABULARY.kinds),
        "levels": URGENCIES,
        "reasons": {name: CASEWORK.reasons[name] for name in ("question", "inadmissible", LOWERING)},
        "written": chosen.written,
        "pair_of": link_ids.written,
    }


def _links(found: Page, sel: str) -> dict[str, Any]:
    return {
        "views": {view: _url(view=view, **_FIRST) for view in VIEWS},
        "asked": _asked(),
        "row_urls": {row.number: _url(sel=row.number) for row in found.rows},
        "group_urls": {group: _together_url(found, group) for group in {row.group for row in found.rows} - {""}},
        "step_urls": {name: _url(sel=sel, step=name) for name in _STEPS},
        "more_url": _url(**_page_after(found)) if found.after else "",
        "csv_url": _url(format="csv"),
    }


def _together_url(found: Page, group: str) -> str:
    """Where all of one group are decided together."""
    here = [(row.number, row.listed.version) for row in found.rows if row.group == group]
    of = [chosen.written(*each) for each in (*here, *found.further.get(group, ()))]
    return url_for("inbox.preview", of=of, **cast(dict[str, Any], kept(_FILTERS)))


def _file(person: Login) -> Response:
    hub, texts = this_hub(), catalogue(person.language)
    found = inbox.page(hub.store, hub.desk(person.actor), _asked(), inbox.read_key(request.args.get(_FROM, "")))
    header = [texts.text(f"inbox.column_{name}") for name in _COLUMNS]
    return csv_answer(texts.text("inbox.file"), header, (_cells(texts, row) for row in found.rows))


def _cells(texts: Catalogue, row: Row) -> Sequence[object]:
    return (
        row.number,
        row.listed.urgency,
        label("kind", row.listed.kind, texts.language),
        row.cercle,
        row.region,
        texts.text(f"cases.status_{row.listed.status or 'received'}"),
        moment(row.clocks.received_at),
        moment(row.due.due_at) if row.due else "",
    )


def _next_url(found: Page, number: str | None) -> str:
    if number:
        return _url(sel=number)
    return _url(**_page_after(found)) if found.after else ""


def _page_after(found: Page) -> dict[str, str]:
    return {_FROM: "" if found.after is None else inbox.write_key(found.after)}


def _asked() -> Asked:
    values = request.values
    view = values.get("view", "")
    return Asked(
        view=next((each for each in VIEWS if each == view), VIEWS[0]),
        region=values.get("region", ""),
        kind=values.get("kind", ""),
        urgency=values.get("urgency", ""),
    )


def _url(**changes: str) -> str:
    """The list as it is filtered, with changes."""
    return address("inbox.show", _FILTERS, **changes)


def _offer(text: str, undo: Sequence[Undo], number: str = "") -> None:
    entries = " ".join(chosen.written(ref, no) for ref, no in undo)
    offer_undo(text, url_for("inbox.take_back"), entries=entries, sel=number, **kept(_FILTERS))


def _label(language: str, name: str, code: str) -> str:
    return label(name, code, language)
