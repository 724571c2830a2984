"""`seere cases`: what waits, and a case with all that was done in it."""

from collections.abc import Iterable, Mapping
from typing import Final

import click

from client_sync.protocol.vocabulary import label
from server.commands import case_due, case_told, case_verify, case_work, referrals, tasks
from server.commands.case_words import reasons, status, unsaid
from server.commands.operator import Operator, pass_operator
from server.commands.options import limited
from server.commands.person import acting, as_person, naming
from server.commands.plain import plain
from server.commands.spoken import SpokenCommand, SpokenGroup, typed
from server.domain.case import Choice
from server.domain.matching.model import Relation
from server.domain.permission import may_ever
from server.domain.places import Gazetteer, place_name
from server.services.cases import holding, noting, queues, referring, tasking, undoing, verifying, wording
from server.services.cases.noting import Read
from server.services.cases.queues import Item, Shown
from server.services.duplicates import deciding
from server.services.duplicates.deciding import View
from server.store.links import Report
from server.store.timeline import Entry

_SHOWN: Final = 20


@click.group(cls=SpokenGroup)
def command() -> None:
    """Triage, move, join, take back."""


for each in (*case_work.COMMANDS, *case_due.COMMANDS, *case_told.COMMANDS, *case_verify.COMMANDS):
    command.add_command(each)


@command.command("list", cls=SpokenCommand)
@limited(_SHOWN)
@as_person
@pass_operator
def list_(operator: Operator, limit: int, as_name: str) -> None:
    """What waits, the most urgent first."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        if not may_ever(person.actor, holding.ACTION):
            raise operator.refuse("cases.no_scope")
        found = queues.waiting(hub.store, hub.desk(person.actor), limit)
    for item in found:
        _say_item(operator, item)
    operator.say("cases.none_left" if not found else "cases.how_list", name=as_name)


@command.command(cls=SpokenCommand)
@click.argument("number")
@as_person
@pass_operator
def show(operator: Operator, number: str, as_name: str) -> None:
    """A case: where it stands, its complaints, what was done and noted, what can come next."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(number):
        desk = hub.desk(person.actor, person.keys)
        shown = queues.show(hub.store, desk, number)
        notes = noting.read(hub.store, desk, number)
        looked, sent = verifying.look(hub.store, desk, number), referring.listed(hub.store, desk, number)
        errands = tasking.of_case(hub.store, desk, number)
        named = number.strip().upper()
        about = named if named in shown.reports else next(iter(shown.reports))
        alike = _alike(deciding.clusters_of(hub.store, desk, about), shown)
    _say_head(operator, number, shown)
    for told, report in shown.reports.items():
        _say_report(operator, told, report, desk.places)
        if told in shown.hearings:
            case_told.say_hearing(operator, shown.hearings[told])
    case_verify.say_acts(operator, looked)
    for errand in errands:
        tasks.say_task(operator, errand)
    for view in sent:
        referrals.say_view(operator, view, desk.places)
    for name, entry in shown.entries:
        _say_entry(operator, name, entry, shown.named)
    for note in notes:
        _say_note(operator, note)
    for other in alike:
        operator.say("cases.alike", number=other, name=as_name)
    _say_next(operator, number, shown, as_name)


def _alike(views: Iterable[View], shown: Shown) -> list[str]:
    """Complaints that decisions and strong proposals say tell of the same incident, and that the case does not have."""
    of_incident = (each for each in views if each.relation == Relation.SAME_INCIDENT)
    numbers = {each.numbers[id] for each in of_incident for id in each.cluster.members}
    return sorted(numbers - shown.reports.keys())


def _say_item(operator: Operator, item: Item) -> None:
    waiting = item.waiting
    operator.say(
        "cases.item",
        urgency=waiting.urgency,
        number=item.ref,
        status=status(operator, waiting.status) if waiting.status else operator.texts.text("cases.new"),
        day=operator.day(waiting.since),
        owner=plain(item.owner) or operator.texts.text("cases.nobody"),
    )


def _say_head(operator: Operator, number: str, shown: Shown) -> None:
    if shown.file is None or shown.stands is None:
        operator.say("cases.untouched", number=number)
        return
    fields = shown.stands.fields
    operator.say(
        "cases.head",
        number=shown.file.ref,
        status=status(operator, shown.file.status),
        day=operator.day(shown.file.status_since),
        urgency=shown.file.urgency,
        owner=plain(fields.get("owner", "")) or operator.texts.text("cases.no_owner"),
        kind=_label(operator, "kind", fields["kind"]) if "kind" in fields else operator.texts.text("cases.no_kind"),
        version=shown.version,
    )
    said = [code for code in (shown.file.outcome, shown.file.closure) if code]
    if said:
        operator.say("cases.ended", reasons=reasons(operator, dict.fromkeys(said)))


def _say_report(operator: Operator, number: str, report: Report, places: Gazetteer | None) -> None:
    operator.say(
        "cases.complaint",
        number=number,
        day=operator.day(report.received_at),
        kinds=", ".join(_label(operator, "kind", each) for each in report.kinds),
        place=plain(place_name(places, report.place_id) or operator.texts.text("cases.no_place")),
    )


def _say_entry(operator: Operator, name: str, entry: Entry, named: Mapping[str, str]) -> None:
    what = plain(wording.done(operator.texts, entry, named))
    who = plain(wording.by(operator.texts, name, entry, named))
    operator.say("cases.entry", no=entry.no, day=operator.day(entry.at), name=who, what=what)


def _say_note(operator: Operator, note: Read) -> None:
    text = operator.texts.text("cases.note_sealed") if note.text is None else plain(note.text)
    operator.say("cases.note", day=operator.day(note.at), name=plain(note.name), number=note.number, text=text)


def _say_next(operator: Operator, number: str, shown: Shown, name: str) -> None:
    if shown.file is None:
        operator.say("cases.how_acknowledge", number=number, name=name)
        return
    for choice in shown.choices:
        if choice.transition.to != "duplicate" and choice.transition.source != "duplicate":
            _say_choice(operator, choice)
    operator.say("cases.how", number=number, version=shown.version, name=name)
    left = undoing.undoable([entry for _, entry in shown.entries])
    if left and not undoing.has_left(left[-1]):
        operator.say("cases.how_undo", number=number, no=left[-1].no, name=name)


def _say_choice(operator: Operator, choice: Choice) -> None:
    to = typed(status(operator, choice.transition.to))
    unmet = [operator.texts.text(f"refusal.transition_refused_{each}") for each in choice.unmet]
    unmet += [unsaid(operator, each) for each in choice.unsaid]
    if unmet:
        operator.say("cases.choice_unmet", to=to, unmet=" ".join(unmet))
    else:
        operator.say("cases.choice", to=to)


def _label(operator: Operator, name: str, code: str) -> str:
    return plain(label(name, code, operator.texts.language))
