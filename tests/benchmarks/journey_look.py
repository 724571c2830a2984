"""What the journey came to: what is not as the script left it, what anybody learnt who should not, who was reached."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import sqlalchemy as sa

from client_sync.protocol.steps import FILE_NUMBER, KIND
from client_sync.protocol.tasks import TASK, TASK_GONE
from server.store.step_tables import told_step
from tests.benchmarks.canaries import opened_device, tables_into
from tests.benchmarks.harness import Void
from tests.benchmarks.journey_desk import Office
from tests.benchmarks.journey_field import Contact, Phone
from tests.benchmarks.journey_stories import CANARY, Story
from tests.journeys.conftest import RunningHub

_STATE: Final = "state"
_PHONE_NUMBER: Final = re.compile(rb"\+223 ?00 ?\d\d ?\d\d ?\d\d")
_CODE: Final = re.compile(r"[a-z0-9_]{1,40}")
_STEP: Final = frozenset({"n", "id", "kind", "t", "on", "code", "f", "next", "wait"})
_TASK: Final = frozenset({"n", "kind", "task", "what", "from", "to", "by", "place", "box"})
_NAMES_A_BODY: Final = frozenset({"body", "programme", "outcome", "inadmissible", "file_number"})
_OF_A_BODY: Final = frozenset({"referred", "body_answered", "package_accepted", "package_rejected"})
# Of what is never in clear at the hub: all but the statement of a complaint that is not strict.
_SEALED: Final = frozenset("ntgwr")
_TO_WHOM_SHE_COMES: Final = frozenset({"at_next_meeting"})
_BY_CONTACTS: Final = frozenset({"call", "message", "visit"})


@dataclass(frozen=True)
class Trip:
    """A journey that is over. `gone`: phones that were lost; `heard`: by tick, what the hub had received."""

    hub: RunningHub
    stories: Sequence[Story]
    phones: Sequence[Phone]
    gone: Sequence[Phone]
    office: Office
    heard: Mapping[datetime, frozenset[str]]
    log: Path

    def owners(self) -> dict[str, Story]:
        """Complaints by how the word of their canaries begins."""
        return {each.canary("n")[6:-1]: each for each in self.stories}


def lived(trip: Trip) -> dict[str, int]:
    """What there was to go wrong: steps that devices have, times that somebody went or called, tasks that nobody could
    set, sessions that broke off."""
    every = (*trip.phones, *trip.gone)
    return {
        "steps": sum(len(each.steps_of(story)) for each in every for story in each.own),
        "contacts": sum(len(each.contacts) for each in every),
        "refused": trip.office.refused,
        "cuts": sum(each.cuts for each in every),
    }


def unfinished(trip: Trip) -> list[str]:
    """Complaints that are not where the script led them, of which a device does not have each public step exactly once
    and in order, or of which a task did not come back; one line each."""
    return [*trip.office.surprises, *(f"{_name(each)}: {why}" for each in trip.stories if (why := _why(trip, each)))]


def _why(trip: Trip, story: Story) -> str:
    if not story.is_over:
        return f"its course stopped; it has {story.expected}"
    file = trip.office.shown(story.affair)
    if trip.office.status(story.affair) != story.affair.status:
        return f"it is {trip.office.status(story.affair)} and not {story.affair.status}"
    if set(file.reports) != {each.number for each in story.affair.members}:
        return f"its case has {sorted(file.reports)}"
    back = [id for id in story.tasks if trip.office.task(id).task.state != "done"]
    if back:
        return f"tasks did not come back: {back}"
    phone = trip.phones[story.phone]
    has, wants = phone.steps_of(story), story.expected
    # A device that was revoked hears nothing more.
    if has != (wants[: len(has)] if phone.is_revoked else wants):
        return f"its device has {has} and not {wants}"
    desk = trip.office.by_receipt(story)
    return "" if desk == wants else f"with the receipt one reads {desk} and not {wants}"


def leaks(trip: Trip) -> list[str]:
    """What anybody learnt who should not: a device of another's complaint, that two are one, a body that a strict case
    is with, words; or what lies in clear in answers, logs, and at the hub."""
    every = (*trip.phones, *trip.gone)
    found = chain(
        *(_of_answers(trip, each) for each in every),
        *(_of_store(trip, each) for each in every),
        *(_of_tasks(trip, each) for each in every),
        _of_hub(trip),
        _of_log(trip),
    )
    return list(found)


def _of_answers(trip: Trip, phone: Phone) -> Iterator[str]:
    others = [each.id[:8] for each in trip.stories if each.phone != phone.at]
    foreign = re.compile("|".join(others))
    for heard in phone.heard:
        said = {name: value for name, value in heard.members.items() if name not in ("orders", "anchor", "frames")}
        text = json.dumps(said, ensure_ascii=False)
        if match := CANARY.search(text.encode()) or _PHONE_NUMBER.search(text.encode()):
            yield f"{phone.label}: an answer says {match.group().decode()}"
        for change in heard.members.get("changes", ()):
            for why in _of_change(trip, phone, change):
                yield f"{phone.label}: {why}: {change.get('n')}"
            if foreign.search(str(change.get("id", ""))):
                yield f"{phone.label}: a change of another's complaint: {change.get('n')}"


def _of_change(trip: Trip, phone: Phone, change: Mapping[str, Any]) -> Iterator[str]:
    kind = change["kind"]
    if kind in (TASK, TASK_GONE):
        if not change.keys() <= _TASK:
            yield f"a task says {sorted(change.keys() - _TASK)}"
        return
    if kind == _STATE:
        return
    whose = [each for each in phone.own if each.id.startswith(change["id"])]
    if kind != KIND or len(whose) != 1 or not change.keys() <= _STEP:
        yield f"a change of kind {kind} of nobody's, or with {sorted(change.keys() - _STEP)}"
        return
    fields = change.get("f", {})
    said = {name: value for name, value in fields.items() if name != "file_number"}
    codes = [change["t"], change.get("code", change["t"]), *fields, *said.values()]
    if not all(_CODE.fullmatch(each) for each in codes) or not FILE_NUMBER.fullmatch(fields.get("file_number", "1")):
        yield "words in a step"
    if any("duplicate" in each or "joined" in each for each in codes):
        yield "a duplicate is said"
    if whose[0].is_strict and (_NAMES_A_BODY & fields.keys() or change["t"] in _OF_A_BODY):
        yield "a strict case says where it is"


def _of_store(trip: Trip, phone: Phone) -> Iterator[str]:
    """What a locked phone holds in clear, and of whom its replies are."""
    # Whoever was told by a colleague's complainant knows of which complaint that was.
    told = {wish.story.at for wish in phone.wishes}
    others = {each.id.encode() for each in trip.stories if each.phone != phone.at and each.at not in told}
    others |= {each.number.encode() for each in trip.stories if each.number}
    foreign = re.compile(b"|".join(map(re.escape, sorted(others))))
    # Of what is not strict, the statement is clear by policy until a backup of the hub has it.
    clear = {each.canary("s") for each in phone.own if not each.is_strict}
    with TemporaryDirectory() as folder:
        opened_device(phone.outbox.folder, Path(folder) / "opened")
        for file in sorted(Path(folder).rglob("*.rows")):
            data = file.read_bytes()
            found = (match for match in CANARY.finditer(data) if match.group().decode() not in clear)
            for match in chain(found, foreign.finditer(data)):
                yield f"{phone.label}: {file.stem} holds {match.group().decode()}"
    for record in phone.steps():
        if not any(each.id.startswith(record) for each in phone.own):
            yield f"{phone.label}: a reply about {record}"


def _of_tasks(trip: Trip, phone: Phone) -> Iterator[str]:
    """A task says what its own complaint is about, without what reaches a person where nobody may call or come."""
    for task in phone.opened.values():
        owner = trip.office.tasks[task.id].canary("n")[6:-1]
        for match in CANARY.finditer(task.details.encode()):
            if match.group(1).decode() != owner:
                yield f"{phone.label}: a task holds {match.group().decode()}"
        if not _BY_CONTACTS & set(task.ways) and _PHONE_NUMBER.search(task.details.encode()):
            yield f"{phone.label}: a task holds a phone number"
        if "Kanari" in task.details and f"{owner}g" in task.details:
            yield f"{phone.label}: a task holds a note"


def _of_hub(trip: Trip) -> Iterator[str]:
    """What lies in clear in a column of the hub. Raises Void where not even what is clear by policy is found."""
    owners, hub = trip.owners(), trip.hub.hub
    with TemporaryDirectory() as folder:
        tables_into(hub.settings.hub_file, hub.secrets.database, Path(folder) / "opened")
        tables = {file.stem: file.read_bytes() for file in sorted(Path(folder).rglob("*.rows"))}
    if not any(CANARY.search(data) for data in tables.values()):
        raise Void("the hub's tables could not be searched")
    for name, data in tables.items():
        for match in CANARY.finditer(data):
            whose, place = match.group(1).decode().lower(), match.group(2).decode().lower()
            if place in _SEALED or owners[whose].is_strict:
                yield f"the hub's {name} holds {match.group().decode()}"
        for match in _PHONE_NUMBER.finditer(data):
            yield f"the hub's {name} holds {match.group().decode()}"


def _of_log(trip: Trip) -> Iterator[str]:
    data = trip.log.read_bytes()
    for match in chain(CANARY.finditer(data), _PHONE_NUMBER.finditer(data)):
        yield f"the log holds {match.group().decode()}"


def unsafe(trip: Trip) -> list[str]:
    """Whatever reached a person, or told somebody to go, against what that person had said by then."""
    every = (*trip.phones, *trip.gone)
    return [*chain(_of_steps(trip), *(_of_ways(trip, each) for each in every), map(_contact, _bad(every)))]


def _bad(phones: Sequence[Phone]) -> Iterator[Contact]:
    for phone in phones:
        for each in phone.contacts:
            if each.way not in each.story.ways(each.known, of_task=True):
                yield each


def _contact(each: Contact) -> str:
    return f"{_name(each.story)}: somebody went by {each.way}"


def _of_ways(trip: Trip, phone: Phone) -> Iterator[str]:
    """Tasks that came down for the first time, by what the hub had been told when it answered."""
    for heard in phone.heard:
        for change in heard.members.get("changes", ()):
            if change["kind"] == TASK and change["task"] in trip.office.tasks:
                story = trip.office.tasks[change["task"]]
                for way in set(change["by"]) - story.ways(heard.known, of_task=True):
                    yield f"{_name(story)}: {phone.label} is told to go by {way}"


def _of_steps(trip: Trip) -> Iterator[str]:
    """Steps without a word that the person is to be waited for, by what the hub had been told when it wrote them."""
    with trip.hub.hub.store.read() as connection:
        rows = connection.execute(sa.select(told_step.c.lineage, told_step.c.n, told_step.c.at)).all()
    at = {(lineage, n): when for lineage, n, when in rows}
    for phone in trip.phones:
        lineage = phone.outbox.require_enrolled().lineage
        for story in phone.own:
            for change in _changes_of(phone, story):
                known = _known(trip, at[lineage, change["n"]])
                if story.ways(known) <= _TO_WHOM_SHE_COMES and not change.get("wait"):
                    yield f"{_name(story)}: the holder of {phone.label} goes and says {change['t']}"


def _changes_of(phone: Phone, story: Story) -> list[Mapping[str, Any]]:
    found = {
        change["n"]: change
        for heard in phone.heard
        for change in heard.members.get("changes", ())
        if change["kind"] == KIND and story.id.startswith(change["id"])
    }
    return list(found.values())


def _known(trip: Trip, at: datetime) -> frozenset[str]:
    """What the hub had received by a moment, as far as the last tick before it tells."""
    return trip.heard[max(each for each in trip.heard if each <= at)]


def _name(story: Story) -> str:
    return f"{story.number or story.id[:8]} ({story.course})"
