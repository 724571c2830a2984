"""S14, devices: enrolled by a code and six words, looked at, and revoked; a coordinator hears of silences alone."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final

from flask import Blueprint, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from client_sync.protocol.enrolment import code_words, grouped_code
from server.i18n import Catalogue, catalogue
from server.services import device_lists, devices
from server.services.accounts.sessions import Login
from server.services.device_lists import SILENT_DAYS, Fleet, Seen, Sheet, clock_words
from server.services.devices import Device, Invitation
from server.web.auth import for_person, this_hub
from server.web.console import qr
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.pages import Answer, page, see
from server.web.console.unsaid import Unsaid, why
from server.web.formats import day

blueprint = Blueprint("devices", __name__, url_prefix="/console/devices")

# As the columns of the table of devices hold.
_NAME_MAX_CHARS: Final = 80
_REASON_MAX_CHARS: Final = 500
_COLUMNS: Final = ("number", "label", "team", "state", "last_day", "waiting", "clock", "version", "suspect")


@blueprint.get("")
@for_person("manage_devices")
def show(person: Login) -> Answer:
    """All devices, those to be looked at first."""
    fleet, texts = _fleet(person), catalogue(person.language)
    if wants_csv():
        header = [texts.text(f"devices.column_{name}") for name in _COLUMNS]
        return csv_answer(texts.text("device_page.file"), header, (_cells(texts, each) for each in fleet.devices))
    return page(
        "devices.html",
        person,
        fleet=fleet,
        clocks={each.device.id: clock_words(texts, each.device.clock_ahead_s) for each in fleet.devices},
        silent=sum(each.silent_days is not None for each in fleet.devices),
        waiting=sum(each.device.state == "waiting" for each in fleet.devices),
    )


@blueprint.get("/silent")
@for_person("handle_case")
def show_silent(person: Login) -> str | Response:
    """What a coordinator hears of devices: which are silent, by number, and for how long."""
    hub, texts = this_hub(), catalogue(person.language)
    silent = device_lists.silences(hub.store, hub.desk(person.actor))
    if wants_csv():
        header = (texts.text("devices.column_number"), texts.text("device_page.column_days"))
        rows = ((f"M-{each.number}", each.days) for each in silent)
        return csv_answer(texts.text("device_page.file_silent"), header, rows)
    return page("devices_silent.html", person, silent=silent, days=SILENT_DAYS)


@blueprint.get("/new")
@for_person("manage_devices")
def ask(person: Login) -> str:
    """The form for a new device; `succeeds` names the one that it is to replace."""
    return _asked(person)


@blueprint.post("/new")
@for_person("manage_devices")
def invite(person: Login) -> Answer:
    """Make a code and show it, this once."""
    hub, form = this_hub(), request.form
    try:
        label, team, partner = (_name(form, name) for name in ("label", "team", "partner"))
        if not label:
            raise Unsaid("device_page.label_lacks")
    except Unsaid as unsaid:
        return _asked(person, wrong=why(catalogue(person.language), unsaid)), 422
    invitation = devices.invite(
        hub.store,
        hub.clock(),
        label=label,
        valid_hours=hub.settings.enrolment_hours,
        team=team or None,
        partner=partner or None,
        succeeds=form.get("succeeds") or None,
        by=person.actor,
    )
    return _code_page(person, invitation)


@blueprint.post("/codes/<invitation>/withdraw")
@for_person("manage_devices")
def withdraw(person: Login, invitation: str) -> Response:
    """Let a code that nobody used yet be of no use; it is named by its hash, never by itself."""
    hub = this_hub()
    devices.withdraw(hub.store, invitation, hub.clock(), person.actor)
    return see(url_for("devices.show"))


@blueprint.get("/waiting")
@for_person("manage_devices")
def await_words(person: Login) -> Answer:
    """On to the device that was enrolled just now; where none was, later."""
    waiting = [each.device for each in _fleet(person).devices if each.device.state == "waiting"]
    if len(waiting) == 1:
        return see(url_for("devices.look", device=waiting[0].id))
    return see(url_for("devices.show")) if waiting else page("devices_waiting.html", person)


@blueprint.get("/<device>")
@for_person("manage_devices")
def look(person: Login, device: str) -> str:
    """One device: its six words while it waits for them, and what is known of it."""
    hub, texts = this_hub(), catalogue(person.language)
    sheet = device_lists.sheet(hub.store, hub.desk(person.actor), device)
    found = sheet.seen.device
    words = devices.words_of(hub.store, found, hub.identity.sign_key) if found.state == "waiting" else []
    return page("device.html", person, sheet=sheet, device=found, words=words, facts=_facts(texts, sheet))


@blueprint.post("/<device>/confirm")
@for_person("manage_devices")
def confirm(person: Login, device: str) -> Response:
    """Its words were compared and are the same: it may sync from now on."""
    hub = this_hub()
    devices.confirm(hub.store, devices.with_id(hub.store, device).id, hub.clock(), person.actor)
    return see(url_for("devices.look", device=device))


@blueprint.get("/<device>/revoke")
@for_person("manage_devices")
def ask_revoke(person: Login, device: str) -> str:
    """What revoking does, and the form for it."""
    return _revoking(person, devices.with_id(this_hub().store, device))


@blueprint.post("/<device>/revoke")
@for_person("manage_devices")
def revoke(person: Login, device: str) -> Answer:
    """Stop trusting a device, since some moment, for a reason."""
    hub, form = this_hub(), request.form
    found = devices.with_id(hub.store, device)
    reason = form.get("reason", "").strip()
    try:
        if not reason or len(reason) > _REASON_MAX_CHARS:
            raise Unsaid("device_page.reason_lacks")
        since = _moment(form.get("day", ""), form.get("time", ""), hub.clock())
    except Unsaid as unsaid:
        return _revoking(person, found, wrong=why(catalogue(person.language), unsaid)), 422
    key = hub.identity.sign_key
    devices.revoke(hub.store, found.id, hub.clock(), key, reason=reason, suspect_since=since, by=person.actor)
    return see(url_for("devices.look", device=device))


def _fleet(person: Login) -> Fleet:
    hub = this_hub()
    return device_lists.fleet(hub.store, hub.desk(person.actor))


def _asked(person: Login, wrong: str = "") -> str:
    known = _fleet(person).devices
    replaced = next((each.device for each in known if each.device.id == request.args.get("succeeds")), None)
    proposed = {} if replaced is None else {"label": replaced.label, "team": replaced.team, "succeeds": replaced.id}
    return page(
        "devices_new.html",
        person,
        wrong=wrong,
        typed=request.form or proposed,
        teams=sorted({each.device.team for each in known if each.device.team}),
        partners=sorted({each.device.partner for each in known if each.device.partner}),
        replaceable=[each.device for each in known if not each.is_replaced],
        hours=this_hub().settings.enrolment_hours,
    )


def _code_page(person: Login, invitation: Invitation) -> str:
    address = this_hub().settings.public_address
    return page(
        "devices_code.html",
        person,
        invitation=invitation,
        code=grouped_code(invitation.code),
        words=code_words(invitation.code),
        address=address,
        qr=qr.drawn(devices.scanned(invitation, address)),
    )


def _revoking(person: Login, device: Device, wrong: str = "") -> str:
    return page("device_revoke.html", person, device=device, wrong=wrong, typed=request.form, now=this_hub().clock())


def _name(form: MultiDict[str, str], field: str) -> str:
    """What was typed as a name. Raises Unsaid where it is too long."""
    typed = " ".join(form.get(field, "").split())
    if len(typed) > _NAME_MAX_CHARS or not typed.isprintable():
        raise Unsaid("device_page.name_too_long")
    return typed


def _moment(typed_day: str, typed_time: str, now: datetime) -> datetime | None:
    """Since when something is suspect; None where nobody knows. Raises Unsaid for what is none, or is to come."""
    if not typed_day and not typed_time:
        return None
    try:
        at = datetime.combine(date.fromisoformat(typed_day), time.fromisoformat(typed_time or "00:00"), UTC)
    except ValueError:
        raise Unsaid("device_page.since_unreadable") from None
    if at > now:
        raise Unsaid("device_page.since_to_come")
    return at


def _facts(texts: Catalogue, sheet: Sheet) -> dict[str, str]:
    """What is known of a device, by what each is called; what is not known is left out."""
    device = sheet.seen.device
    said: dict[str, Any] = {
        "team": device.team,
        "partner": device.partner,
        "enrolled": day(device.enrolled_at),
        "last_day": day(device.last_sync_at) if device.last_sync_at else texts.text("device_page.never"),
        "waiting": device.waiting,
        "clock": clock_words(texts, device.clock_ahead_s),
        "version": device.software,
        "read": _read(texts, sheet),
        "news": texts.text("device_page.news_wait") if sheet.lineage.changes > device.delivered_change else "",
        "rolled_back": device.rolled_back_at and day(device.rolled_back_at),
        "suspect": device.suspect_since and day(device.suspect_since),
    }
    shown = {name: value for name, value in said.items() if value not in (None, "")}
    return {texts.text(f"device_page.fact_{name}"): str(value) for name, value in shown.items()}


def _read(texts: Catalogue, sheet: Sheet) -> str:
    """How much of what a device and those before it sent the hub has, and how much of that a backup has."""
    read, backed_up = sheet.lineage.position, sheet.lineage.backed_up_to
    return texts.text("device_page.read", n=read, backed_up=backed_up) if read else ""


def _cells(texts: Catalogue, seen: Seen) -> Sequence[object]:
    device = seen.device
    return [
        f"M-{device.number}",
        device.label,
        device.team,
        texts.text(f"devices.state_{device.state}"),
        device.last_sync_at and day(device.last_sync_at),
        device.waiting,
        clock_words(texts, device.clock_ahead_s),
        device.software,
        device.suspect_since and day(device.suspect_since),
    ]
