"""S6, a case: all that is known of it, the next right thing to do, and what can be taken back."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from server.domain.case import Choice, version_after
from server.domain.casework import CASEWORK, STATUSES, URGENCIES
from server.domain.contact import WAYS
from server.domain.desk import Desk
from server.domain.errors import NotFound, RegroupingRefused, StaleRevision, TransitionRefused, UrgencyRefused
from server.domain.permission import UNREADABLE, Action, permit
from server.i18n import Catalogue, catalogue
from server.reading import read
from server.refusals import refusal
from server.services import keyrings
from server.services.accounts.sessions import Login
from server.services.cases import due, joining, looking, moving, noting, owning, telling, undoing
from server.services.cases.due import Which
from server.services.cases.moving import Intent
from server.services.cases.overview import Overview, overview, require
from server.services.commission import answering, summarising
from server.services.vault import pieces
from server.services.vault.opening import Opener
from server.web.auth import for_person, this_hub
from server.web.console import case_view, clock_line
from server.web.console.neighbours import neighbours
from server.web.console.pages import offer_undo, page, see

ACTION: Final[Action] = "handle_case"

blueprint = Blueprint("case", __name__, url_prefix="/console/cases")

# Rows of each list that are shown before somebody asks for all.
_SHOWN: Final = 8
# Of languages that have a shorter tag, that one (RFC 5646, 2.2.1); what nobody recognised has none.
_TAGS: Final = {"fra": "fr", "bam": "bm", "und": ""}
# What the hub writes down by itself, once every complainant did so on a device.
_BY_HUB: Final = frozenset({"on_device"})

Page = str | Response
Answer = Page | tuple[Page, int]


@dataclass(frozen=True)
class Words:
    """What a person said, one complaint at a time. `openers`: who could open it, where this reader can't.

    `place` counts from 1; `before` and `after` are the numbers of the complaints around it, empty at the ends.
    """

    number: str
    place: int
    before: str
    after: str
    narrative: str = field(default="", repr=False)
    summary: str = field(default="", repr=False)
    lang: str = ""
    openers: tuple[Opener, ...] = ()
    is_unopenable: bool = False


@blueprint.get("/<number>")
@for_person(ACTION)
def show(person: Login, number: str) -> str:
    """The case of a complaint."""
    return _shown(person, number)


@blueprint.post("/<number>/owner")
@for_person(ACTION)
def give(person: Login, number: str) -> Response:
    """Make somebody responsible for it."""
    desk, owner = _handling(person, number), request.form["owner"]
    no = owning.give(this_hub().store, desk, number, owner, after=_after())
    return _done(person, number, "owned", no, owner=owner)


@blueprint.get("/<number>/moves/<to>")
@for_person(ACTION)
def ask_move(person: Login, number: str, to: str) -> Page:
    """What a move asks to be said."""
    return _ask_move(person, number, to)


@blueprint.post("/<number>/moves/<to>")
@for_person(ACTION)
def move(person: Login, number: str, to: str) -> Answer:
    """Bring it to another status."""
    intent = _intent(to)
    try:
        moved = moving.move(this_hub().store, _desk(person), number, intent, after=_after())
    except (TransitionRefused, UrgencyRefused) as refused:
        return _ask_move(person, number, to, refusal(catalogue(person.language), refused)), 422
    no = moved.revision if moved.undo_until > moved.at else None
    word = catalogue(person.language).text(f"cases.status_{moved.to}")
    return _done(person, number, "moved", no, to=word)


@blueprint.post("/<number>/undo")
@for_person(ACTION)
def undo(person: Login, number: str) -> Response:
    """Take back an entry, the last where none is named."""
    undoing.undo(this_hub().store, _desk(person), number, request.form.get("no", type=int))
    return see(_url(number))


@blueprint.post("/<number>/notes")
@for_person(ACTION)
def note(person: Login, number: str) -> Response:
    """Keep a note on one complaint of it."""
    hub, desk = this_hub(), _handling(person, number)
    text, about = request.form["text"], request.form.get("about", number)
    noting.write(hub.store, desk, keyrings.current(hub.store), about, text)
    return see(f"{_url(number)}#notes")


@blueprint.post("/<number>/told")
@for_person(ACTION)
def tell(person: Login, number: str) -> Response:
    """Note that the person behind one complaint heard by word where it stands."""
    desk = _handling(person, number)
    way, about = request.form["way"], request.form.get("about", number)
    no = telling.by_word(this_hub().store, desk, about, way, after=_after())
    return _done(person, number, "told", no)


@blueprint.post("/<number>/deadlines")
@for_person(ACTION)
def put_off(person: Login, number: str) -> Response:
    """Pause a deadline, let it go on, or give it its longer term."""
    desk = _handling(person, number)
    which, code = Which(request.form.get("deadline", type=int)), request.form["code"]
    if code not in due.PUT_OFF:
        raise NotFound(object=code)
    reason = request.form.get("reason", "")
    due.put_off(this_hub().store, desk, number, code, which, reason=reason, after=_after())
    return _done(person, number, code, version_after(_after()))


@blueprint.get("/<number>/attach")
@for_person(ACTION)
def ask_attach(person: Login, number: str) -> str:
    """Both cases side by side, before one joins the other."""
    return _ask_attach(person, number)


@blueprint.post("/<number>/attach")
@for_person(ACTION)
def attach(person: Login, number: str) -> Answer:
    """Let it join another case, with all its complaints."""
    desk, texts = _handling(person, number), catalogue(person.language)
    into, into_after = request.form["into"], request.form.get("into_after", 0, int)
    try:
        made = joining.attach(this_hub().store, desk, number, into, after=_after(), into_after=into_after)
    except StaleRevision:
        return _ask_attach(person, number, texts.text("case.attach_stale")), 409
    except (TransitionRefused, RegroupingRefused) as refused:
        return _ask_attach(person, number, refusal(texts, refused)), 422
    return _done(person, made.joined, "attached", made.no, left=made.left)


@blueprint.post("/<number>/split")
@for_person(ACTION)
def split(person: Login, number: str) -> Response:
    """Take complaints out of it, into the case that the first of them had."""
    store, desk, numbers = this_hub().store, _handling(person, number), request.form.getlist("out")
    if not numbers:
        raise RegroupingRefused(fault="nothing")
    if len(numbers) == 1:
        made = joining.detach(store, desk, numbers[0], after=_after())
    else:
        made = joining.split(store, desk, numbers, after=_after())
    return _done(person, made.joined, "went_out", made.no, left=made.left)


def _shown(person: Login, number: str) -> str:
    hub, desk, texts = this_hub(), _desk(person), catalogue(person.language)
    seen = overview(hub.store, desk, number)
    words = _words(desk, seen, request.args.get("words", ""))
    places, now = desk.places, desk.now
    return page(
        "case.html",
        person,
        seen=seen,
        base=_url(seen.number),
        file=seen.shown.file,
        now=now,
        title=case_view.title(seen, texts, places),
        region=case_view.region(seen, places),
        confidentiality=case_view.confidentiality(seen, texts),
        state=case_view.state(texts, seen.looked.sum.state),
        owner=_owner(seen),
        owners={each: each for each in seen.owners},
        line=clock_line.draw(seen, texts, now),
        ways=case_view.ways(seen, texts),
        acts=case_view.act_rows(seen, texts, places),
        words=words,
        files=case_view.files(seen, _arrived(seen), texts),
        deadlines=case_view.deadlines(seen, texts, now),
        tasks=case_view.tasks(seen, texts),
        referrals=case_view.referrals(seen, texts, places),
        people=case_view.people(seen, texts),
        consents=case_view.consents(seen, texts),
        known=case_view.known(answering.known_of(hub.store, desk, seen.asked), texts, places),
        may_pack=permit(desk.actor, "prepare_export", UNREADABLE),
        summary=summarising.of(hub.store, desk, words.number),
        summary_chars=summarising.MAX_CHARS,
        meanings=case_view.meanings(seen, texts),
        history=case_view.history(seen, texts, now),
        beside=looking.others(hub.store, desk, seen.ids.values()),
        told_ways=(*WAYS, telling.BY_RECEIPT),
        is_open=seen.shown.file is not None and seen.shown.file.closed_at is None,
        most=None if "all" in request.args else _SHOWN,
    )


def _arrived(seen: Overview) -> dict[int, int]:
    """By piece, how many bytes of it are here."""
    listed = [each for glance in seen.glances.values() for each in glance.files]
    return pieces.arrived(this_hub().depot, listed)


def _words(desk: Desk, seen: Overview, wanted: str) -> Words:
    """The words of the complaint that was wanted, once that was noted; of a withdrawn one nothing is opened."""
    numbers = list(seen.ids)
    number = wanted if wanted in seen.ids else seen.asked
    before, after = neighbours(numbers, number)
    stands = Words(number, numbers.index(number) + 1, before or "", after or "")
    return stands if seen.glances[number].withdrawn == "all" else _opened(desk, seen.ids[number], stands)


def _opened(desk: Desk, complaint: int, words: Words) -> Words:
    opened = read(this_hub(), desk, complaint, "statement")
    clear = opened.clear or {}
    said: dict[str, Any] = {name: str(clear[name]) for name in ("narrative", "summary", "lang") if clear.get(name)}
    said |= {"lang": _TAGS.get(said["lang"], said["lang"])} if "lang" in said else {}
    return replace(words, **said, openers=opened.openers, is_unopenable=opened.is_unopenable)


def _ask_move(person: Login, number: str, to: str, wrong: str = "") -> Page:
    """The form of a move; where that is none any more, the case as it stands."""
    if to not in STATUSES:
        raise NotFound(object=to)
    hub, desk, texts = this_hub(), _desk(person), catalogue(person.language)
    seen = overview(hub.store, desk, number)
    choice = next((each for each in seen.shown.choices if each.transition.to == to), None)
    if choice is None:
        return see(_url(seen.number))
    looking.others(hub.store, desk, seen.ids.values(), is_writing=True)
    return page(
        "case_move.html",
        person,
        seen=seen,
        base=_url(seen.number),
        to=to,
        title=case_view.title(seen, texts, desk.places),
        lists={name: _options(name, texts) for name in _asked(choice)},
        settles=[case_view.ON_FORM[name] for name in choice.transition.conditions if name in case_view.ON_FORM],
        kinds=case_view.kinds(person.language),
        about=case_view.about(seen),
        urgencies=URGENCIES,
        lowering=_options("lowering", texts),
        owner=_owner(seen) or person.name,
        owners={each: each for each in seen.owners},
        wrong=wrong,
        typed=request.form,
    )


def _asked(choice: Choice) -> tuple[str, ...]:
    """The lists of which a code is said on the form: those that the move takes, and what may be said instead."""
    return (*choice.transition.asks, *case_view.said_instead(choice).values())


def _options(name: str, texts: Catalogue) -> dict[str, str]:
    """The codes of a list in words."""
    codes = (each for each in CASEWORK.reasons[name] if each not in _BY_HUB)
    return {code: texts.text(f"cases.reason_{code}") for code in codes}


def _intent(to: str) -> Intent:
    """What the form of a move says. Raises NotFound for a status that there is not."""
    known = next((each for each in STATUSES if each == to), None)
    if known is None:
        raise NotFound(object=to)
    given = {name: request.form[name] for name in CASEWORK.reasons if request.form.get(name)}
    urgency = next((each for each in URGENCIES if each == request.form.get("urgency")), None)
    return Intent(known, given, request.form.get("owner", ""), request.form.get("kind", ""), urgency)


def _ask_attach(person: Login, number: str, wrong: str = "") -> str:
    hub, desk, texts = this_hub(), _desk(person), catalogue(person.language)
    seen, into = overview(hub.store, desk, number), request.values.get("into", "").strip()
    other = None
    try:
        other = overview(hub.store, desk, into) if into else None
    except NotFound:
        wrong = texts.text("refusal.not_found", object=into)
    if other is not None and other.number == seen.number:
        other, wrong = None, texts.text("refusal.regrouping_refused_same")
    both = [each for each in (seen, other) if each is not None]
    titles: dict[str, Any] = {each.number: case_view.title(each, texts, desk.places) for each in both}
    return page(
        "case_attach.html",
        person,
        seen=seen,
        base=_url(seen.number),
        other=other,
        titles=titles,
        into=into,
        wrong=wrong,
    )


def _done(person: Login, number: str, done: str, no: int | None, **said: str) -> Response:
    """Back to the case, where what was done is offered to be taken back, by the number of its entry, if it can be."""
    if no is not None:
        text = catalogue(person.language).text(f"case.done_{done}", number=number, **said)
        offer_undo(text, url_for("case.undo", number=number), no=str(no))
    return see(_url(number))


def _owner(seen: Overview) -> str:
    return "" if seen.shown.stands is None else seen.shown.stands.fields.get("owner", "")


def _desk(person: Login) -> Desk:
    return this_hub().desk(person.actor, person.keys)


def _handling(person: Login, number: str) -> Desk:
    """The desk of somebody who handles the case. Raises NotFound before anything is said of a form."""
    desk = _desk(person)
    require(this_hub().store, desk, number)
    return desk


def _after() -> int:
    """The version of the case from which the form was made."""
    return request.form.get("after", 0, int)


def _url(number: str) -> str:
    return url_for("case.show", number=number)
