"""S10, referrals: where a case may go and why not elsewhere, what exactly leaves, and what comes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Final

from flask import Blueprint, request
from werkzeug.wrappers import Response

from server.domain import referral as rules
from server.domain.case import version_after
from server.domain.desk import Desk
from server.domain.errors import ReasonMissing, ReferralRefused, TransitionRefused
from server.domain.permission import Action
from server.domain.referral import PROGRAMMES
from server.i18n import Catalogue, catalogue
from server.refusals import refusal, why_blocked
from server.services.accounts.sessions import Login
from server.services.cases import letters, phrases, quoting, referring, sending
from server.services.cases.letters import Letter, Words
from server.services.cases.referring import View
from server.services.cases.sending import Noted, Offer, Plan
from server.services.vault import opening
from server.web.auth import for_person, this_hub
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.neighbours import neighbours
from server.web.console.pages import Answer, offer_undo, page, see
from server.web.formats import day

ACTION: Final[Action] = "handle_case"
blueprint = Blueprint("referrals", __name__, url_prefix="/console")

_SHOWN: Final = 50
_COLUMNS: Final = ("case", "body", "programme", "sent", "due", "state", "reminders")
# Steps by which something comes of it; they can be taken back, where nothing else came of them.
_COMES_BACK: Final = frozenset({"received", "answered", "refused", "reminded"})

# What says that something is not the business of a body, whatever the person allowed.
_FAR: Final[frozenset[rules.Block]] = frozenset({"kind", "place", "not_valid"})


@dataclass(frozen=True)
class Place:
    """A destination of an offer in words. `why`: by number, what stands against each complaint that may not go.

    `is_near`: kinds and places alone do not say that it is somebody else's business.
    """

    code: str
    body: str
    programme: str
    is_open: bool
    is_near: bool
    why: Mapping[str, str]


@dataclass(frozen=True)
class Row:
    """A referral in words; `due_at` is the last moment of the day on which its answer is due."""

    view: View
    body: str
    programme: str
    due_at: datetime | None


@blueprint.get("/referrals")
@for_person(ACTION)
def awaited(person: Login) -> Answer:
    """Those that no body answered yet, the longest sent first."""
    hub, texts = this_hub(), catalogue(person.language)
    desk = hub.desk(person.actor)
    rows = [_row(texts, each, desk) for each in referring.awaited(hub.store, desk, _SHOWN)]
    if wants_csv():
        return _file(texts, texts.text("referring.file"), rows)
    ids = [row.view.kept.id for row in rows]
    selected = next((id for id in (request.args.get("sel"), *ids) if id in ids), None)
    before, after = neighbours(ids, selected)
    return page(
        "referrals.html",
        person,
        rows=rows,
        selected=selected,
        around={"j": after, "k": before},
        now=desk.now,
        most=_SHOWN,
    )


@blueprint.get("/cases/<number>/referrals")
@for_person(ACTION)
def of_case(person: Login, number: str) -> Answer:
    """Those of a case, over or not, and those by which another case sent what it has now."""
    hub, texts = this_hub(), catalogue(person.language)
    desk = hub.desk(person.actor)
    rows = [_row(texts, each, desk) for each in referring.listed(hub.store, desk, number)]
    if wants_csv():
        return _file(texts, f"{texts.text('referring.file')}-{number}", rows)
    return page("case_referrals.html", person, number=number, rows=rows)


@blueprint.get("/cases/<number>/referrals/new")
@for_person(ACTION)
def choose(person: Login, number: str) -> Answer:
    """Where the case may go; with a body, what of it would."""
    if "to" not in request.args:
        return _offered(person, number)
    try:
        return _planned(person, number)
    except ReferralRefused as refused:
        return _offered(person, number, refusal(catalogue(person.language), refused)), 422


@blueprint.post("/cases/<number>/referrals/new")
@for_person(ACTION)
def make(person: Login, number: str) -> Answer:
    """Read the letter that would go, keep what is meant to go, or send it."""
    doing = {"read": _read, "prepare": _prepare, "send": _send}.get(request.form.get("do", ""))
    if not request.form.get("to"):
        return _offered(person, number, catalogue(person.language).text("referring.say_where")), 422
    try:
        planned = _plan(person, number)
    except ReferralRefused as refused:
        return _offered(person, number, refusal(catalogue(person.language), refused)), 422
    wrong = _missing(catalogue(person.language))
    if doing is None or wrong:
        return _planned(person, number, planned, wrong=wrong), 422
    try:
        return doing(person, number, planned)
    except (ReasonMissing, ReferralRefused, TransitionRefused) as refused:
        return _planned(person, number, planned, wrong=refusal(catalogue(person.language), refused)), 422


@blueprint.get("/cases/<number>/referrals/<referral>")
@for_person(ACTION)
def show(person: Login, number: str, referral: str) -> Answer:
    """One referral: where it stands, and what can be noted of it."""
    return _shown(person, number, referral)


@blueprint.post("/cases/<number>/referrals/<referral>")
@for_person(ACTION)
def note(person: Login, number: str, referral: str) -> Answer:
    """Note what came of it."""
    hub, form, step = this_hub(), request.form, request.form.get("step", "")
    desk, after = hub.desk(person.actor), form.get("after", 0, int)
    view = referring.one(hub.store, desk, number, referral)
    try:
        noted = _note(desk, view, step, after)
    except ReferralRefused as refused:
        return _shown(person, number, referral, wrong=refusal(catalogue(person.language), refused)), 422
    if step in _COMES_BACK and noted.version == version_after(after):
        text = catalogue(person.language).text(f"referring.done_{step}", number=view.ref)
        offer_undo(text, f"/console/cases/{view.ref}/undo", no=str(noted.version))
    return see("/console/referrals" if form.get("back") == "list" else f"/console/cases/{number}/referrals/{referral}")


@blueprint.get("/cases/<number>/referrals/<referral>/letter")
@for_person(ACTION)
def write(person: Login, number: str, referral: str) -> Answer:
    """The letter that asks for an answer once more, or for what was sent to be given back: numbers alone."""
    hub = this_hub()
    desk = hub.desk(person.actor)
    view = referring.one(hub.store, desk, number, referral)
    is_recall = view.kept.state == "recalled"
    compose = letters.compose_recall if is_recall else letters.compose_reminder
    try:
        made = compose(view, desk, person.language)
    except ReferralRefused as refused:
        return _shown(person, number, referral, wrong=refusal(catalogue(person.language), refused)), 422
    return _lettered(person, number, made, "recall" if is_recall else "reminder", referral)


@blueprint.post("/cases/<number>/referrals/<referral>/letter")
@for_person(ACTION)
def copy(person: Login, number: str, referral: str) -> Answer:
    """A copy of what was sent, as far as consent lets the body have it still."""
    hub, texts = this_hub(), catalogue(person.language)
    desk = hub.desk(person.actor, person.keys)
    view = referring.one(hub.store, desk, number, referral)
    try:
        if not view.kept.referral.stands or view.is_elsewhere:
            raise ReferralRefused(fault="state")
        planned = sending.copy(hub.store, desk, number, view.destination.code)
        made = _composed(desk, planned, person.language, "copy")
    except (ReasonMissing, ReferralRefused) as refused:
        return _shown(person, number, referral, wrong=refusal(texts, refused)), 422
    return _lettered(person, number, made, "copy", referral)


def _offered(person: Login, number: str, wrong: str = "") -> str:
    hub, texts = this_hub(), catalogue(person.language)
    desk = hub.desk(person.actor)
    found = [_place(texts, each, desk) for each in sending.offers(hub.store, desk, number)]
    possible = [each for each in found if each.is_open]
    closed = {near: [each for each in found if not each.is_open and each.is_near == near] for near in (True, False)}
    return page("referral_new.html", person, number=number, possible=possible, closed=closed, wrong=wrong)


def _planned(person: Login, number: str, planned: Plan | None = None, wrong: str = "", letter: str = "") -> str:
    """What would go. `letter`: as it would, where it was read."""
    texts, desk = catalogue(person.language), this_hub().desk(person.actor)
    planned = planned or _plan(person, number)
    facts = letters.compose(planned, {}, desk, person.language, "draft").text.decode()
    return page(
        "referral_plan.html",
        person,
        number=number,
        plan=planned,
        body=phrases.body(texts, planned.destination, desk.places),
        programme=texts.text(PROGRAMMES[planned.destination.programme].key),
        parts={each.number: phrases.parts(texts, each.parts) for each in planned.going},
        left_out=_why(texts, planned.left_out, planned.since),
        is_sealed=any(letters.needed(each) for each in planned.going),
        letter=letter or facts,
        is_whole=bool(letter),
        wrong=wrong,
        typed=request.form,
    )


def _plan(person: Login, number: str) -> Plan:
    hub = this_hub()
    code, only = request.values.get("to", ""), request.values.getlist("only")
    return sending.plan(hub.store, hub.desk(person.actor, person.keys), number, code, only)


def _missing(texts: Catalogue) -> str:
    """What the form has to say and does not, in words."""
    form = request.form
    if form.get("do") == "send" and "confirmed" not in form:
        return texts.text("referring.confirm_first")
    # Without a box that is ticked the plan is of all of them: nobody asked for that.
    return texts.text("referring.nothing") if "choice" in form and not form.getlist("only") else ""


def _read(person: Login, number: str, planned: Plan) -> Answer:
    made = _composed(this_hub().desk(person.actor, person.keys), planned, person.language, "draft")
    return _planned(person, number, planned, letter=made.text.decode())


def _prepare(person: Login, number: str, planned: Plan) -> Answer:
    hub, form = this_hub(), request.form
    only, code = form.getlist("only"), planned.destination.code
    desk, after = hub.desk(person.actor), form.get("after", 0, int)
    noted = sending.prepare(hub.store, desk, number, code, only, after=after)
    text = catalogue(person.language).text("referring.done_prepared", number=number)
    offer_undo(text, f"/console/cases/{number}/undo", no=str(noted.version))
    return see(f"/console/cases/{number}/referrals/{noted.kept.id}")


def _send(person: Login, number: str, planned: Plan) -> Answer:
    """Note that it went, and give the letter that does: on this answer alone, for the hub keeps none."""
    hub, after = this_hub(), request.form.get("after", 0, int)
    desk, code = hub.desk(person.actor, person.keys), planned.destination.code
    made = _composed(desk, planned, person.language, "letter")
    sent = sending.send(hub.store, desk, number, code, made.sheets, made.digest, after=after)
    return _lettered(person, number, made, "letter", sent.kept.id)


def _composed(desk: Desk, planned: Plan, language: str, kind: letters.Kind) -> Letter:
    """The letter, with the facts alone unless the form asks for all and says why. Raises ReasonMissing."""
    store, reason = this_hub().store, request.form.get("reason", "")
    words: Mapping[int, Words] = {}
    if request.form.get("what") == "all":
        words = quoting.quoted(planned, lambda id, part: opening.open_compartment(store, desk, id, part, reason))
    return letters.compose(planned, words, desk, language, kind)


def _lettered(person: Login, number: str, made: Letter, kind: letters.Kind, referral: str) -> str:
    back = f"/console/cases/{number}/referrals/{referral}"
    return page("letter.html", person, number=number, letter=made.text.decode(), kind=kind, back=back)


def _shown(person: Login, number: str, referral: str, **values: Any) -> str:
    hub, texts = this_hub(), catalogue(person.language)
    desk = hub.desk(person.actor)
    view = referring.one(hub.store, desk, number, referral)
    kept, can = view.kept, frozenset() if view.is_elsewhere else rules.possible(view.kept.referral)
    return page(
        "referral.html",
        person,
        number=number,
        row=_row(texts, view, desk),
        can=can,
        can_come_back=bool(can & _COMES_BACK),
        outcomes=phrases.outcomes(texts, kept.programme),
        outcome=phrases.outcomes(texts, kept.programme)[kept.outcome] if kept.outcome else "",
        parts={told: phrases.parts(texts, part.parts) for told, part in view.sent.items()},
        now=desk.now,
        **values,
    )


def _note(desk: Desk, view: View, step: str, after: int) -> Noted:
    """Note a step of a referral. Raises ReferralRefused, for one that there is not as for one that can't be taken."""
    store, form, named = this_hub().store, request.form, (view.ref, view.kept.id)
    reference = form.get("reference", "")
    if step == "received":
        return referring.receive(store, desk, *named, after=after, reference=reference)
    if step == "answered":
        return referring.answer(store, desk, *named, form.get("outcome", ""), after=after, reference=reference)
    if step == "refused":
        return referring.refuse(store, desk, *named, after=after, reference=reference)
    plain = {"reminded": referring.remind, "cancelled": referring.cancel, "recalled": referring.recall}
    if step not in plain:
        raise ReferralRefused(fault="state")
    return plain[step](store, desk, *named, after=after)


def _place(texts: Catalogue, offer: Offer, desk: Desk) -> Place:
    to = offer.destination
    return Place(
        code=to.code,
        body=phrases.body(texts, to, desk.places),
        programme=texts.text(PROGRAMMES[to.programme].key),
        is_open=offer.is_open,
        is_near=any(_FAR.isdisjoint(blocks) for blocks in offer.against.values()),
        why=_why(texts, offer.against, offer.since),
    )


def _why(
    texts: Catalogue, against: Mapping[str, tuple[rules.Block, ...]], since: Mapping[str, datetime]
) -> dict[str, str]:
    return {number: why_blocked(texts, blocks, since.get(number)) for number, blocks in against.items() if blocks}


def _row(texts: Catalogue, view: View, desk: Desk) -> Row:
    to = view.destination
    due_at = None if view.due_on is None else datetime.combine(view.due_on, time.max, UTC)
    programme = texts.text(PROGRAMMES[to.programme].key)
    return Row(view, phrases.body(texts, to, desk.places), programme, due_at)


def _file(texts: Catalogue, name: str, rows: Sequence[Row]) -> Response:
    header = [texts.text(f"referring.column_{name}") for name in _COLUMNS]
    return csv_answer(name, header, (_cells(texts, row) for row in rows))


def _cells(texts: Catalogue, row: Row) -> Sequence[object]:
    kept = row.view.kept
    sent = "" if kept.sent_at is None else day(kept.sent_at)
    due = "" if row.view.due_on is None else day(row.view.due_on)
    state = texts.text(f"referrals.state_{kept.state}")
    return row.view.ref, row.body, row.programme, sent, due, state, kept.reminders
