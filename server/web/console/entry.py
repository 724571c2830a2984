"""Entry: a complaint from paper or the telephone, written down at the hub, and the code that its person takes home."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

from flask import Blueprint, request, url_for

from client_sync.protocol.vocabulary import VOCABULARY, label
from server.domain.desk import Desk
from server.domain.permission import may_ever
from server.i18n import catalogue, field_catalogue
from server.services import keyrings
from server.services.accounts.sessions import Login
from server.services.cases import lookup
from server.services.intake import counter, dictation
from server.services.intake.counter import Entry, FormUsed
from server.services.intake.sealing import Sealing
from server.web.auth import for_person, this_hub
from server.web.console.pages import Answer, page, see
from server.web.console.place_lists import cercles_by_region, within

blueprint = Blueprint("entry", __name__, url_prefix="/console")

# Of languages these are spoken first.
_FIRST_LANGUAGES: Final = ("fra", "bam")
# The button that shows the places of a cercle, and files nothing.
_LOOK: Final = "look"
# The tick that says that it is none of those which look the same.
_ANOTHER: Final = "another"
# Not `form`: a script that asks a form for its form would be given the field.
_FORM: Final = "form_id"
_GROUP_CHARS: Final = 4


@blueprint.get("/complaints/new")
@for_person("record_complaint")
def ask(person: Login) -> str:
    """The form, empty."""
    hub = this_hub()
    return _form(person, hub.desk(person.actor), {"told_on": [hub.clock().date().isoformat()]}, {})


@blueprint.post("/complaints")
@for_person("record_complaint")
def record(person: Login) -> Answer:
    """File what was written down; where something is wrong, or it may be filed already, the form as it was typed."""
    hub = this_hub()
    desk, typed = hub.desk(person.actor), request.form.to_dict(flat=False)
    if _LOOK in typed:
        return _form(person, desk, typed, {})
    dictated = dictation.read(typed, desk.places, desk.now.date())
    if dictated.faults:
        return _form(person, desk, typed, dictated.faults), 422
    entry = Entry(request.form.get(_FORM, ""), dictated.answers)
    if _ANOTHER not in typed and (alike := counter.alike(hub.store, desk, entry)):
        return _form(person, desk, typed, {}, alike=alike), 409
    sealing = Sealing(keyrings.current(hub.store), hub.secrets.pepper, desk.places)
    try:
        counter.record(hub.store, desk, hub.settings.registry_prefix, entry, sealing)
    except FormUsed as used:
        typed[_FORM] = [str(uuid4())]
        return _form(person, desk, typed, {}, used=used.recorded), 409
    return see(url_for("entry.receipt", form_id=entry.form))


@blueprint.get("/receipt")
@for_person("record_complaint")
def receipt(person: Login) -> Answer:
    """The slip that the person takes home; its address, which a browser prints on it, says nothing of what it is."""
    hub, form = this_hub(), request.args.get(_FORM)
    desk = hub.desk(person.actor)
    found = counter.recorded(hub.store, desk, form) if form else None
    if found is None:
        return see(url_for("entry.ask"))
    signs = {each[0]: each for each in catalogue(person.language).text("entry.signs").split("|")}
    code = found.receipt.replace("-", "")
    # Whoever wrote it down may not cover its place, or be no reader of what is reserved.
    is_covered = any(each.number == found.number for each in lookup.by_receipt(hub.store, desk, found.receipt))
    return page(
        "entry_receipt.html",
        person,
        found=found,
        groups=(code[:_GROUP_CHARS], code[_GROUP_CHARS:]),
        spoken=[[signs[char] for char in group] for group in (code[:_GROUP_CHARS], code[_GROUP_CHARS:])],
        can_work=may_ever(person.actor, "handle_case"),
        is_covered=is_covered,
    )


def _form(
    person: Login,
    desk: Desk,
    typed: Mapping[str, Sequence[str]],
    faults: Mapping[str, str],
    **values: Any,
) -> str:
    aloud = field_catalogue(person.language)
    said = {name: each[0] for name, each in typed.items()}
    return page(
        "entry.html",
        person,
        form_id=said.get(_FORM) or str(uuid4()),
        said=said,
        ticked={name: set(each) for name, each in typed.items()},
        faults=faults,
        today=desk.now.date().isoformat(),
        lists=_lists(person.language),
        kinds=_kinds(person.language),
        levels={code: aloud.text(f"consent.{code}") for code in VOCABULARY.lists["consent_level"]},
        urgent={code: aloud.text(f"urgency.{code}") for code in dictation.URGENT},
        cercles=cercles_by_region(desk.places),
        within=within(desk.places, said.get("cercle", "")),
        groups=dictation.GROUPS,
        limits=dictation.TEXT_LIMITS,
        **values,
    )


def _lists(language: str) -> dict[str, dict[str, str]]:
    """Codes and their words, by the name of their list."""
    listed = {name: codes for name, codes in VOCABULARY.lists.items() if name != "kind"}
    rest = [code for code in listed["language"] if code not in _FIRST_LANGUAGES]
    listed |= {"channel": dictation.CHANNELS, "language": (*_FIRST_LANGUAGES, *rest)}
    listed["contact_ok"] = dictation.CONTACT_ANSWERS
    return {name: {code: label(name, code, language) for code in codes} for name, codes in listed.items()}


def _kinds(language: str) -> dict[str, dict[str, str]]:
    """Kinds and their words, by what their family is called."""
    aloud = field_catalogue(language)
    found: dict[str, dict[str, str]] = {}
    for code, kind in VOCABULARY.kinds.items():
        found.setdefault(aloud.text(f"family.{kind.family}"), {})[code] = label("kind", code, language)
    return found
