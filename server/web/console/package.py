"""S12, one package, step by step: what leaves, who approves it, how it goes, and what comes back."""

from typing import Any, Final

from flask import Blueprint, request, send_file, url_for
from werkzeug.wrappers import Response

from server.domain.desk import Desk
from server.domain.errors import Busy, PackageRefused, ReasonMissing, SeereError, StorageFull
from server.domain.packages import NEXT
from server.domain.permission import Action
from server.domain.release import Named
from server.i18n import Catalogue, catalogue
from server.press import closed_pieces, press_of, seal
from server.refusals import refusal
from server.services.accounts.sessions import Login
from server.services.commission import answering, preparing, sealing, serials, transmitting
from server.services.commission.phrases import why, why_void, withheld
from server.services.commission.preparing import Package, Prepared
from server.web.auth import for_person, this_hub
from server.web.console import answer_form, package_view
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.pages import Answer, page, see

ACTION: Final[Action] = "prepare_export"
blueprint = Blueprint("package", __name__, url_prefix="/console/exports")

_ITEMS: Final = ("number", "ref", "shape", "verdict", "file_number", "reason")
# Of a package in one of these a word of its destination is taken in.
_TAKES: Final = frozenset({"transmitted", "received", "closed"})
# A passphrase stands in for these.
_KEYS: Final = frozenset({"key_missing", "key_unconfirmed"})
_HTTPS: Final = "https"
_EARLIER: Final = 4


@blueprint.get("/<package>")
@for_person(ACTION)
def look(person: Login, package: str) -> Answer:
    """One package at the step where it stands."""
    if wants_csv():
        return _file(person, package)
    return _looked_at(person, package)


@blueprint.post("/<package>/anew")
@for_person(ACTION)
def prepare_anew(person: Login, package: str) -> Answer:
    """Choose anew what a prepared package says."""
    hub = this_hub()
    try:
        preparing.prepare_anew(hub.store, hub.desk(person.actor), hub.secrets.pepper, package)
    except PackageRefused as refused:
        return _refused(person, package, refused)
    return _back(package)


@blueprint.post("/<package>/cancel")
@for_person(ACTION)
def cancel(person: Login, package: str) -> Answer:
    """Do not send a package; it keeps its number, with the reason."""
    hub = this_hub()
    try:
        preparing.cancel(hub.store, hub.desk(person.actor), package, request.form.get("reason", ""))
    except (PackageRefused, ReasonMissing) as refused:
        return _refused(person, package, refused)
    return _back(package)


@blueprint.post("/<package>/approve")
@for_person("approve_export")
def approve(person: Login, package: str) -> Answer:
    """Seal what was prepared, as this second person saw it."""
    hub, form, names = this_hub(), request.form, answer_form.upload()
    desk = hub.desk(person.actor, person.keys)
    try:
        seal(
            hub,
            desk,
            package,
            form.get("choice", ""),
            form.get("passphrase", ""),
            None if names is None else names.read(),
        )
    except (PackageRefused, Busy, StorageFull) as refused:
        # Sent once more after the link broke: it was sealed the first time.
        if preparing.one(hub.store, desk, package).sealed_by == desk.actor.signature:
            return _back(package)
        return _refused(person, package, refused)
    return _back(package)


@blueprint.get("/<package>/file")
@for_person(ACTION)
def download(person: Login, package: str) -> Answer:
    """The sealed file, for whoever carries it."""
    hub = this_hub()
    try:
        kept = transmitting.kept_file(hub.store, hub.desk(person.actor), press_of(hub).folder, package)
    except PackageRefused as refused:
        return _refused(person, package, refused)
    if not kept.path.exists():
        return _refused(person, package, PackageRefused(fault="file_missing", number=kept.number))
    return send_file(kept.path, "application/octet-stream", as_attachment=True, download_name=kept.path.name)


@blueprint.post("/<package>/deliver")
@for_person(ACTION)
def deliver(person: Login, package: str) -> Answer:
    """Send a sealed package to its address, or note that it was handed over."""
    hub = this_hub()
    desk = hub.desk(person.actor)
    try:
        if request.form.get("way") == _HTTPS:
            transmitting.send_to_address(hub.store, desk, press_of(hub).folder, package)
        else:
            transmitting.note_left(hub.store, desk, package)
    except PackageRefused as refused:
        return _refused(person, package, refused)
    return _back(package)


@blueprint.post("/<package>/answer")
@for_person(ACTION)
def answer(person: Login, package: str) -> Answer:
    """Take in what the destination says: its file, or the paper slip as it was typed."""
    hub = this_hub()
    desk = hub.desk(person.actor)
    try:
        if "file" in request.files:
            answering.take_answer(hub.store, desk, package, answer_form.said())
        else:
            kept = preparing.one(hub.store, desk, package)
            told = package_view.told(preparing.items_of(hub.store, desk, kept))
            answering.take_slip(hub.store, desk, package, answer_form.slip(told, ""))
    except PackageRefused as refused:
        return _refused(person, package, refused)
    return see(url_for("package.look", package=package, at=request.form.get("at") or None))


def _back(package: str) -> Response:
    return see(url_for("package.look", package=package))


def _refused(person: Login, package: str, error: SeereError) -> tuple[str, int]:
    """The package as it stands, and why that was not done."""
    return _looked_at(person, package, refusal(catalogue(person.language), error)), 422


def _file(person: Login, number: str) -> Response:
    """What a package says by reference, and what was said of that."""
    hub, texts = this_hub(), catalogue(person.language)
    desk = hub.desk(person.actor)
    package = preparing.one(hub.store, desk, number)
    told = package_view.told(preparing.items_of(hub.store, desk, package))
    head = [texts.text(f"packages.column_{each}") for each in _ITEMS]
    rows = (package_view.told_cells(texts, package.number.text, each) for each in told)
    return csv_answer(package.number.text, head, rows)


def _looked_at(person: Login, number: str, wrong: str = "") -> str:
    hub, texts = this_hub(), catalogue(person.language)
    desk = hub.desk(person.actor)
    package = preparing.one(hub.store, desk, number)
    prepared = preparing.look(hub.store, desk, hub.secrets.pepper, number) if package.state == "prepared" else None
    names = package_view.bodies(person, desk)
    made = [each for each in preparing.listed(hub.store, desk) if each.destination == package.destination]
    values: dict[str, Any] = {
        "row": package_view.row(package, names),
        "package": package,
        "steps": package_view.STEPS,
        "step": package_view.step(package, prepared),
        "earlier": [each for each in made if each.id < package.id][:_EARLIER],
        "can_cancel": "cancelled" in NEXT[package.state],
        "held": package_view.held(texts, package),
        "wrong": wrong,
        "typed": request.form,
    }
    if prepared is None:
        return page("package.html", person, **values, **_sent(desk, package))
    values |= _enclosing(texts, prepared, hub.desk(person.actor, person.keys))
    return page("package_control.html", person, **values, **_control(texts, prepared, desk))


def _sent(desk: Desk, package: Package) -> dict[str, Any]:
    """What a package that was sealed has, and what its destination said of it."""
    told = package_view.told(preparing.items_of(this_hub().store, desk, package))
    known = serials.listed(this_hub().store, desk)
    sheet = answer_form.sheet(told)
    return {
        "sheet": sheet,
        "takes_answer": package.state in _TAKES,
        "is_slip": bool(sheet.edited or request.values.get("slip")),
        "is_late": package_view.is_late(package, desk),
        "address": next((each.address for each in known if each.destination == package.destination), ""),
        # What the hub prepared by itself two people see before it leaves.
        "is_sealer": preparing.needs_another(package, desk),
    }


def _enclosing(texts: Catalogue, prepared: Prepared, desk: Desk) -> dict[str, Any]:
    """Copies of which pieces go with which lines, and of which none does, as far as it can be known before."""
    choice = prepared.choice
    may_seal = serials.may_approve(desk.actor) and prepared.package.prepared_by != desk.actor.signature
    # The keys that count are those of whoever seals.
    held = choice.held_back(closed_pieces(this_hub(), desk, prepared) if may_seal else 0)
    return {
        "enclosing": [(each.ref, len(each.pieces)) for each in choice.enclosing],
        "held": [(number, texts.text(f"packages.held_{why}")) for why, number in held.items()],
    }


def _control(texts: Catalogue, prepared: Prepared, desk: Desk) -> dict[str, Any]:
    """What a package that is prepared says, and what is in the way of sealing it."""
    against = prepared.choice.counts_against()
    # Names are not opened to be looked at: a line that has one stands here without it.
    lines = list(prepared.choice.lines({each.complaint: Named("") for each in prepared.choice.named}))
    at = min(max(request.args.get("line", 1, int), 1), max(len(lines), 1))
    kept_back = withheld(against)
    return {
        "blockers": prepared.blockers,
        "weighty": [each for each in prepared.blockers if each not in _KEYS],
        "needs_passphrase": bool(_KEYS.intersection(prepared.blockers)),
        "new_passphrase": sealing.new_passphrase(),
        "unreviewed": prepared.unreviewed,
        "bars": package_view.bars(prepared, sum(kept_back.values())),
        "whole": sum(against.values()) + len(lines),
        "elsewhere": against.get("elsewhere", 0),
        "withheld": {why(texts, code): number for code, number in kept_back.items()},
        "voids": [(each.told.item.ref, why_void(texts, each.why)) for each in prepared.choice.voids],
        "corrections": [
            (each.told.item.ref, [texts.text(f"line.{name}") for name in each.now])
            for each in prepared.choice.corrections
        ],
        "line": dict(package_view.line(texts, lines[at - 1], desk)) if lines else {},
        "at": at,
        "lines": len(lines),
        "named": len(prepared.choice.named),
        # What is heard by voice is typed, and not copied from here.
        "fingerprint": serials.fingerprint_of(prepared.series) if prepared.series.key_at else "",
        "is_own": prepared.package.prepared_by == desk.actor.signature,
        "others": preparing.approvers(this_hub().store, desk, prepared.package),
        "choice": prepared.package.choice,
    }
