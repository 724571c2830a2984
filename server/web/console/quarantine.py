"""S3, set aside: what arrived and could not be filed, why in plain words, and what a person does about it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from flask import Blueprint, make_response, request, url_for
from werkzeug.wrappers import Response

from client_sync.protocol.codes import CODES, STORED
from client_sync.protocol.vocabulary import VOCABULARY, label
from server.domain.desk import Desk
from server.domain.errors import NotAdmissible, NotFound, ReasonMissing, SeereError
from server.i18n import Catalogue, catalogue
from server.refusals import refusal
from server.services import devices, keyrings
from server.services.accounts.sessions import Login
from server.services.intake import admission, repairing
from server.services.intake.admission import (
    CASE_CODES,
    DECISION_CODES,
    WORD_CODES,
    Kept,
    Page,
    Seen,
    Settled,
    State,
    Vouched,
    Wanted,
)
from server.services.intake.repairing import Fault
from server.services.intake.sealing import Sealing, is_sealed_whole
from server.web.auth import for_person, this_hub
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.pages import offer_undo, page, see
from server.web.console.place_lists import cercles_by_region
from server.web.formats import moment

blueprint = Blueprint("quarantine", __name__, url_prefix="/console/quarantine")

_SHOWN: Final = 50
_COLUMNS: Final = ("day", "device", "why", "bytes")
# Of row numbers, beyond which there is none.
_DIGITS_MAX: Final = 15
_FIELD: Final = "field:"
_PLACE: Final = "place"
# What stands in the address of the list.
_FILTERS: Final = ("view", "code", "device", "region")
VIEWS: Final[tuple[State, ...]] = ("waiting", "dismissed")
# Of the refusals those by which somebody else was there first.
_STALE: Final = ("changed", "settled", "dismissed", "not_dismissed")

# What the page says of them goes on with why it is set aside; of these every door says the same.
_OF_THE_REASON: Final = ("changed", "decision", "nothing", "sealed")
_SAID_ELSEWHERE: Final = ("settled", "dismissed", "not_dismissed", "erased", "id_differs", "no_such_place")

Answer = str | Response | tuple[str, int]


@dataclass(frozen=True)
class Settlement:
    """Who settled something, empty where no person did, when, None where nobody did yet, and why it was dismissed."""

    by: str
    at: datetime | None
    why: str


@dataclass(frozen=True)
class Row:
    """What was set aside, in words. `way`: as_is where a person's word admits it, read_again where today's rules may;
    by_case and by_reader where that is done elsewhere, settled and dismissed where it is done.

    `named`: what `field` is called, which is empty where nothing of it is at fault. `mend`: what its page puts right
    before anything else, a fact or the place, empty where neither.
    """

    id: int
    at: datetime
    device: str
    code: str
    why: str
    named: str
    field: str
    bytes: int
    way: str
    mend: str
    is_dismissible: bool
    settled: Settlement


@dataclass(frozen=True)
class Typed:
    """What somebody filled in who is refused: facts by path, a place, and words, by the `form` that asked for them."""

    form: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    words: str = ""


@dataclass(frozen=True)
class Ask:
    """A fact at fault in words: what it is called, and what it may be where that is a list, by code."""

    fault: Fault
    named: str
    options: Mapping[str, str]


_NOTHING: Final = Typed()


@blueprint.get("")
@for_person("settle_set_aside")
def show(person: Login) -> Answer:
    """What waits, the oldest first, or what was dismissed."""
    if wants_csv():
        texts = catalogue(person.language)
        header = [texts.text(f"apart.column_{name}") for name in _COLUMNS]
        rows = _rows(texts, _page(_desk(person)).rows)
        cells = ((moment(each.at), each.device, each.why, each.bytes) for each in rows)
        return csv_answer("quarantine", header, cells)
    return _shown(person)


@blueprint.get("/technical")
@for_person("manage_hub")
def technical(person: Login) -> str:
    """How many wait, by reason: nothing of what they say, nor whose they are."""
    texts, counts = catalogue(person.language), admission.count_waiting(this_hub().store)
    reasons = [(code, _why(texts, code), count) for code, count in sorted(counts.items())]
    return page("quarantine_technical.html", person, reasons=reasons)


@blueprint.get("/<aside>")
@for_person("settle_set_aside")
def one(person: Login, aside: str) -> str:
    """One of them: why, which field, and what can be done."""
    return _one(person, _id(aside))


@blueprint.post("/<aside>")
@for_person("settle_set_aside")
def admit(person: Login, aside: str) -> Answer:
    """Read one again, as it is where a person vouches for that, and say what became of it."""
    hub, texts, id = this_hub(), catalogue(person.language), _id(aside)
    vouched, prefix = Vouched(as_is="as_is" in request.form), hub.settings.registry_prefix
    try:
        settled = admission.admit(hub.store, _desk(person), prefix, id, vouched, _seen())
    except NotAdmissible as refused:
        return _shown(person, wrong=_refused(texts, refused)), _status(refused)
    return _shown(person, done=_done(texts, settled))


@blueprint.post("/<aside>/repair")
@for_person("settle_set_aside")
def repair(person: Login, aside: str) -> Answer:
    """File one with the facts at fault as typed and at the place that was chosen; what is still wrong is marked, and
    what was typed stays."""
    hub, texts, id, form = this_hub(), catalogue(person.language), _id(aside), request.form
    facts = {name.removeprefix(_FIELD): form[name] for name in form if name.startswith(_FIELD)}
    typed, seen, prefix = Typed("repair", facts, form.get(_PLACE, "")), _seen(), hub.settings.registry_prefix
    if seen is None or (repairing.needs_place(seen.code) and not typed.place):
        return _one(person, id, wrong=texts.text("apart.place_missing"), typed=typed), 422
    sealing = Sealing(keyrings.current(hub.store), hub.secrets.pepper, hub.gazetteer())
    try:
        settled = repairing.mend(hub.store, _desk(person), prefix, id, seen, facts, sealing, typed.place or None)
    except NotAdmissible as refused:
        needs_place = repairing.needs_place(str(refused.values["reason"]))
        wrong = _refused(texts, refused)
        return _one(person, id, wrong=wrong, typed=typed, needs_place=needs_place), _status(refused)
    return _shown(person, done=_done(texts, settled))


@blueprint.post("/<aside>/dismiss")
@for_person("settle_set_aside")
def dismiss(person: Login, aside: str) -> Answer:
    """Let nothing be done about one, for a reason that the log keeps."""
    hub, texts, id = this_hub(), catalogue(person.language), _id(aside)
    typed = Typed("dismiss", words=request.form.get("words", ""))
    try:
        admission.dismiss(hub.store, _desk(person), id, typed.words, _seen())
    except (NotAdmissible, ReasonMissing) as refused:
        return _one(person, id, wrong=_refused(texts, refused), typed=typed), _status(refused)
    offer_undo(texts.text("apart.dismissed_now", id=id), url_for("quarantine.take_up", aside=id))
    return see(url_for("quarantine.show"))


@blueprint.post("/<aside>/take-up")
@for_person("settle_set_aside")
def take_up(person: Login, aside: str) -> Answer:
    """Let one wait again that was dismissed."""
    id = _id(aside)
    try:
        admission.take_up(this_hub().store, _desk(person), id)
    except NotAdmissible as refused:
        return _one(person, id, wrong=_refused(catalogue(person.language), refused)), _status(refused)
    return see(url_for("quarantine.one", aside=id))


@blueprint.post("/<aside>/raw")
@for_person("settle_set_aside")
def raw(person: Login, aside: str) -> Answer:
    """What came, byte for byte as far as the keys at hand open it, for a reason that the log keeps."""
    hub, id, words = this_hub(), _id(aside), request.form.get("words", "")
    try:
        payload = admission.read_payload(hub.store, _desk(person), id, words)
    except ReasonMissing as error:
        wrong = refusal(catalogue(person.language), error)
        return _one(person, id, wrong=wrong, typed=Typed("raw", words=words)), 422
    answer = make_response(payload)
    answer.headers["Content-Type"] = "application/octet-stream"
    answer.headers["Content-Disposition"] = f'attachment; filename="quarantine-{id}.json"'
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def _shown(person: Login, done: str = "", wrong: str = "") -> str:
    found, texts, args = _page(_desk(person)), catalogue(person.language), request.args
    filters: dict[str, Any] = {name: args[name] for name in _FILTERS if args.get(name)}
    return page(
        "quarantine.html",
        person,
        rows=_rows(texts, found.rows),
        state=_state(),
        views={view: url_for("quarantine.show", **filters | {"view": view}) for view in VIEWS},
        reasons=_reasons(texts),
        devices=devices.listed(this_hub().store),
        regions=_regions(),
        filters=filters,
        is_filtered=bool(filters.keys() - {"view"}),
        is_cut=found.is_cut,
        following="" if found.after is None else url_for("quarantine.show", **filters, after=found.after),
        export=url_for("quarantine.show", **filters, after=args.get("after"), format="csv"),
        here=filters | ({"after": args["after"]} if "after" in args else {}),
        is_later="after" in args,
        done=done,
        wrong=wrong,
    )


def _one(person: Login, id: int, wrong: str = "", typed: Typed = _NOTHING, *, needs_place: bool = False) -> str:
    hub, texts = this_hub(), catalogue(person.language)
    desk = _desk(person)
    kept = admission.show(hub.store, desk, id)
    [row] = _rows(texts, [kept])
    asks = [_ask(texts, each) for each in repairing.faults_of(kept, desk.now, typed.facts)]
    place = repairing.place_of(kept) if needs_place or repairing.needs_place(kept.code) else None
    cercles = cercles_by_region(desk.places) if place else []
    return page(
        "quarantine_one.html",
        person,
        row=row,
        asks=asks,
        place=place if cercles else None,
        cercles=cercles,
        wrong=wrong,
        typed=typed,
        left=_left(texts, typed, {each.fault.path for each in asks}, row, desk, is_placed=bool(place)),
    )


def _left(
    texts: Catalogue, typed: Typed, asked: Collection[str], row: Row, desk: Desk, *, is_placed: bool
) -> list[tuple[str, str]]:
    """What was filled in and is asked for no more, with what that is called: it stays to be seen."""
    found = [(_named(texts, path), text) for path, text in typed.facts.items() if path not in asked and text]
    if typed.place and not is_placed:
        known = desk.places.by_id.get(typed.place) if desk.places else None
        found.append((texts.text("apart.place"), known.name if known else typed.place))
    if typed.form == "dismiss" and typed.words and not row.is_dismissible:
        found.append((texts.text("apart.dismiss_why"), typed.words))
    return found


def _page(desk: Desk) -> Page:
    """What the address asks for."""
    hub, args = this_hub(), request.args
    numbers = {f"M-{each.number}": each.id for each in devices.listed(hub.store)}
    device = args.get("device") or None
    known = numbers.get(device, device) if device else None
    wanted = Wanted(_state(), args.get("code") or None, known, args.get("region") or None)
    return admission.page_at(hub.store, desk, wanted, _SHOWN, _id(args.get("after", "0")))


def _state() -> State:
    return next((each for each in VIEWS if each == request.args.get("view")), VIEWS[0])


def _seen() -> Seen | None:
    """Why it was set aside when the form was made; None where that does not say it."""
    form = request.form
    return Seen(form["code"], form["seen"]) if "code" in form and "seen" in form else None


def _reasons(texts: Catalogue) -> list[tuple[str, str]]:
    """All there can be, waiting or not: what waits of strict cases must not show."""
    codes = [code.name for code in CODES.values() if code.where == "record"]
    return sorted(((code, _why(texts, code)) for code in codes), key=lambda each: each[1])


def _regions() -> list[tuple[str, str]]:
    places = this_hub().gazetteer()
    named = [] if places is None else [(each.id, each.name) for each in places.regions]
    return sorted(named, key=lambda each: each[1])


def _desk(person: Login) -> Desk:
    return this_hub().desk(person.actor, person.keys)


def _id(aside: str) -> int:
    """The number of what was set aside. Raises NotFound."""
    if not (aside.isascii() and aside.isdigit() and len(aside) <= _DIGITS_MAX):
        raise NotFound(object=aside)
    return int(aside)


def _done(texts: Catalogue, settled: Settled) -> str:
    if settled.verdict != STORED:
        return texts.text("apart.clashes")
    number = settled.number
    return texts.text("apart.admitted_number", number=number) if number else texts.text("apart.admitted")


def _refused(texts: Catalogue, refused: SeereError) -> str:
    """The refusal in words: of what is still wrong with it, why, and where."""
    fault, path = refused.values.get("fault"), str(refused.values.get("field") or "")
    if not isinstance(refused, NotAdmissible) or fault in _SAID_ELSEWHERE:
        return refusal(texts, refused)
    why = _why(texts, str(refused.values["reason"]))
    if fault in _OF_THE_REASON:
        return texts.text(f"apart.fault_{fault}", why=why)
    return texts.text("apart.still_at" if path else "apart.still", why=why, named=_named(texts, path))


def _status(refused: SeereError) -> int:
    return 409 if refused.values.get("fault") in _STALE else 422


def _rows(texts: Catalogue, found: Sequence[Kept]) -> list[Row]:
    hub = this_hub()
    labels = {each.id: f"M-{each.number}" for each in devices.listed(hub.store)}
    names = admission.settlers(hub.store, found)
    return [
        Row(
            id=each.id,
            at=each.received_at,
            device=labels.get(each.device, texts.text("apart.unknown_device")),
            code=each.code,
            why=_why(texts, each.code),
            named=_named(texts, each.field) if each.field else "",
            field=each.field,
            bytes=len(each.payload),
            way=_way(each),
            mend=_mend(each, hub.clock()),
            is_dismissible=each.state == "waiting" and each.code not in CASE_CODES,
            settled=Settlement(names.get(each.id, ""), each.settled_at, each.settled_why or ""),
        )
        for each in found
    ]


def _way(kept: Kept) -> str:
    if kept.state != "waiting":
        return "settled" if kept.state == STORED else kept.state
    if kept.code in DECISION_CODES:
        return "by_case"
    if is_sealed_whole(kept.payload):
        return "by_reader"
    return "as_is" if kept.code in WORD_CODES else "read_again"


def _mend(kept: Kept, now: datetime) -> str:
    if repairing.needs_place(kept.code):
        return "place" if repairing.place_of(kept) else ""
    # What may be as it is, once somebody says so, is not typed again at first.
    return "fact" if kept.code not in WORD_CODES and repairing.faults_of(kept, now) else ""


def _why(texts: Catalogue, code: str) -> str:
    return texts.text(f"reason.{code}")


def _ask(texts: Catalogue, fault: Fault) -> Ask:
    leaf, word = fault.leaf, partial(label, fault.leaf.codes, lang=texts.language)
    options: dict[str, str] = {}
    if leaf.sort == "code":
        options = {code: word(code=code) for code in VOCABULARY.lists[leaf.codes]}
    elif leaf.sort == "flag":
        options = {each: texts.text(f"entry.{each}") for each in repairing.FLAGS}
    return Ask(fault, _named(texts, fault.path), options)


def _named(texts: Catalogue, path: str) -> str:
    """What a path of the wire leads to, as people call it; of several of a kind, which."""
    parts = path.removeprefix("facts.").split(".")
    numbers = [int(each) + 1 for each in parts if each.isascii() and each.isdigit()]
    key = "_".join(each for each in parts if not each.isdigit())
    try:
        named = texts.text(f"fact.{key}")
    except KeyError:
        named = texts.text("apart.other_field")
    return texts.text("apart.nth", named=named, n=numbers[0]) if numbers else named
