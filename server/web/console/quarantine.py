"""S3, set aside: what arrived and could not be filed, why in plain words, and what a person does about it."""

from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, make_response, request, url_for
from werkzeug.wrappers import Response

from client_sync.protocol.codes import CODES, STORED
from server.domain.desk import Desk
from server.domain.errors import NotAdmissible, NotFound, ReasonMissing
from server.domain.reason import REASON_MAX_CHARS, REASON_MIN_CHARS
from server.i18n import Catalogue, catalogue
from server.refusals import refusal
from server.services import devices, keyrings
from server.services.accounts.sessions import Login
from server.services.intake import admission, repairing
from server.services.intake.admission import DECISION_CODES, WORD_CODES, Kept, Settled, Vouched, Wanted
from server.services.intake.repairing import Seen
from server.services.intake.sealing import Sealing, is_sealed_whole
from server.web.auth import for_person, this_hub
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.pages import page
from server.web.formats import moment

blueprint = Blueprint("quarantine", __name__, url_prefix="/console/quarantine")

_SHOWN: Final = 50
_COLUMNS: Final = ("day", "device", "why", "bytes")
# Of row numbers, beyond which there is none.
_DIGITS_MAX: Final = 15
_FIELD: Final = "field:"
_REASON_CHARS: Final = (REASON_MIN_CHARS, REASON_MAX_CHARS)

Answer = str | Response | tuple[str, int]


@dataclass(frozen=True)
class Row:
    """What was set aside, in words. `way`: as_is where a person's word admits it, read_again where today's rules may;
    by_case and by_reader where that is done elsewhere, settled where it is done."""

    id: int
    day: str
    device: str
    code: str
    why: str
    field: str
    bytes: int
    way: str


@blueprint.get("")
@for_person("settle_set_aside")
def show(person: Login) -> Answer:
    """What waits, the oldest first."""
    if wants_csv():
        texts = catalogue(person.language)
        header = [texts.text(f"apart.column_{name}") for name in _COLUMNS]
        rows = _rows(texts, _waiting(_desk(person))[:_SHOWN])
        return csv_answer("quarantine", header, ([getattr(each, name) for name in _COLUMNS] for each in rows))
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
        settled = admission.admit(hub.store, _desk(person), prefix, id, vouched)
    except NotAdmissible as refused:
        return _shown(person, wrong=texts.text("apart.still", why=_why(texts, str(refused.values["reason"])))), 422
    return _shown(person, done=_done(texts, settled))


@blueprint.post("/<aside>/repair")
@for_person("settle_set_aside")
def repair(person: Login, aside: str) -> Answer:
    """File one with the facts at fault as typed; what is still wrong is marked, and what was typed stays."""
    hub, texts, id, form = this_hub(), catalogue(person.language), _id(aside), request.form
    typed = {name.removeprefix(_FIELD): form[name] for name in form if name.startswith(_FIELD)}
    seen, prefix = Seen(form.get("code", ""), form.get("seen", "")), hub.settings.registry_prefix
    sealing = Sealing(keyrings.current(hub.store), hub.secrets.pepper, hub.gazetteer())
    try:
        settled = repairing.mend(hub.store, _desk(person), prefix, id, seen, typed, sealing)
    except NotAdmissible as refused:
        return _one(person, id, wrong=_refused(texts, refused), typed=typed), _status(refused)
    return _shown(person, done=_done(texts, settled))


@blueprint.post("/<aside>/raw")
@for_person("settle_set_aside")
def raw(person: Login, aside: str) -> Answer:
    """What came, byte for byte as far as the keys at hand open it, for a reason that the log keeps."""
    hub, id, words = this_hub(), _id(aside), request.form.get("words", "")
    try:
        payload = admission.read_payload(hub.store, _desk(person), id, words)
    except ReasonMissing as error:
        return _one(person, id, wrong=refusal(catalogue(person.language), error), words=words), 422
    answer = make_response(payload)
    answer.headers["Content-Type"] = "application/octet-stream"
    answer.headers["Content-Disposition"] = f'attachment; filename="quarantine-{id}.json"'
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def _shown(person: Login, done: str = "", wrong: str = "") -> str:
    found, texts = _waiting(_desk(person)), catalogue(person.language)
    rows, args = found[:_SHOWN], request.args
    filters: dict[str, Any] = {name: args[name] for name in ("code", "device", "region") if args.get(name)}
    following = url_for("quarantine.show", **filters, after=rows[-1].id) if len(found) > _SHOWN else ""
    export = url_for("quarantine.show", **filters, after=args.get("after"), format="csv")
    return page(
        "quarantine.html",
        person,
        rows=_rows(texts, rows),
        reasons=_reasons(texts),
        devices=devices.listed(this_hub().store),
        regions=_regions(),
        filters=filters,
        following=following,
        export=export,
        is_later="after" in args,
        done=done,
        wrong=wrong,
    )


def _one(person: Login, id: int, wrong: str = "", typed: dict[str, str] | None = None, words: str = "") -> str:
    kept = admission.show(this_hub().store, _desk(person), id)
    [row] = _rows(catalogue(person.language), [kept])
    faults = repairing.faults_of(kept, typed)
    return page(
        "quarantine_one.html", person, row=row, faults=faults, wrong=wrong, words=words, reason_chars=_REASON_CHARS
    )


def _waiting(desk: Desk) -> list[Kept]:
    """What the address asks for, one more than is shown."""
    hub, args = this_hub(), request.args
    numbers = {f"M-{each.number}": each.id for each in devices.listed(hub.store)}
    device = args.get("device") or None
    known = numbers.get(device, device) if device else None
    wanted = Wanted(args.get("code") or None, known, args.get("region") or None)
    return admission.waiting_at(hub.store, desk, wanted, _SHOWN + 1, _id(args.get("after", "0")))


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


def _refused(texts: Catalogue, refused: NotAdmissible) -> str:
    if refused.values.get("fault"):
        return refusal(texts, refused)
    return texts.text("apart.still", why=_why(texts, str(refused.values["reason"])))


def _status(refused: NotAdmissible) -> int:
    return 409 if refused.values.get("fault") in ("changed", "settled") else 422


def _rows(texts: Catalogue, found: list[Kept]) -> list[Row]:
    labels = {each.id: f"M-{each.number}" for each in devices.listed(this_hub().store)}
    return [
        Row(
            id=each.id,
            day=moment(each.received_at),
            device=labels.get(each.device, texts.text("apart.unknown_device")),
            code=each.code,
            why=_why(texts, each.code),
            field=each.field,
            bytes=len(each.payload),
            way=_way(each),
        )
        for each in found
    ]


def _way(kept: Kept) -> str:
    if kept.state != "waiting":
        return "settled"
    if kept.code in DECISION_CODES:
        return "by_case"
    if is_sealed_whole(kept.payload):
        return "by_reader"
    return "as_is" if kept.code in WORD_CODES else "read_again"


def _why(texts: Catalogue, code: str) -> str:
    return texts.text(f"reason.{code}")
