"""S3, set aside: what arrived and could not be filed, why in plain words, and a person's word that admits it."""

from dataclasses import dataclass
from typing import Final

from flask import Blueprint, request
from werkzeug.wrappers import Response

from server.domain.desk import Desk
from server.domain.errors import NotAdmissible, NotFound
from server.i18n import Catalogue, catalogue
from server.services import devices
from server.services.accounts.sessions import Login
from server.services.intake import admission
from server.services.intake.admission import DECISION_CODES, WORD_CODES, Vouched
from server.services.intake.sealing import is_sealed_whole
from server.web.auth import for_person, this_hub
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.pages import page
from server.web.formats import moment

blueprint = Blueprint("quarantine", __name__, url_prefix="/console/quarantine")

_SHOWN: Final = 50
_COLUMNS: Final = ("day", "device", "why", "bytes")

Answer = str | Response | tuple[str, int]


@dataclass(frozen=True)
class Row:
    """What was set aside, in words. `way`: as_is where a person's word admits it, read_again where today's rules may;
    by_case and by_reader where it is settled elsewhere."""

    id: int
    day: str
    device: str
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
        rows = _rows(texts, _desk(person))
        return csv_answer("quarantine", header, ([getattr(each, name) for name in _COLUMNS] for each in rows))
    return _shown(person)


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
    number = settled.number
    done = texts.text("apart.admitted_number", number=number) if number else texts.text("apart.admitted")
    return _shown(person, done=done)


def _shown(person: Login, done: str = "", wrong: str = "") -> str:
    rows = _rows(catalogue(person.language), _desk(person))
    return page("quarantine.html", person, rows=rows, most=_SHOWN, done=done, wrong=wrong)


def _desk(person: Login) -> Desk:
    return this_hub().desk(person.actor, person.keys)


def _id(aside: str) -> int:
    """The number of what was set aside. Raises NotFound."""
    if not (aside.isascii() and aside.isdigit() and len(aside) < 16):
        raise NotFound(object=aside)
    return int(aside)


def _rows(texts: Catalogue, desk: Desk) -> list[Row]:
    hub = this_hub()
    labels = {each.id: f"M-{each.number}" for each in devices.listed(hub.store)}
    return [
        Row(
            id=each.id,
            day=moment(each.received_at),
            device=labels.get(each.device, texts.text("apart.unknown_device")),
            why=_why(texts, each.code),
            field=each.field,
            bytes=len(each.payload),
            way=_way(each.code, each.payload),
        )
        for each in admission.waiting_at(hub.store, desk, _SHOWN)
    ]


def _way(code: str, payload: bytes) -> str:
    if code in DECISION_CODES:
        return "by_case"
    if is_sealed_whole(payload):
        return "by_reader"
    return "as_is" if code in WORD_CODES else "read_again"


def _why(texts: Catalogue, code: str) -> str:
    return texts.text(f"reason.{code}")
