"""`visits`: what the centre asks to be done in the field; its details behind the passphrase, its result sealed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import click
from rich.table import Table

from client_sync.commands.asking import Asker, Option
from client_sync.commands.localized import command, option
from client_sync.commands.questions import read_span
from client_sync.commands.session import Session, in_session
from client_sync.errors import PassphraseGivenAway, TaskUnknown
from client_sync.outbox import Outbox
from client_sync.places import PLACES
from client_sync.protocol.limits import NARRATIVE_MAX_CHARS
from client_sync.protocol.tasks import FINDS, OUTCOMES, TASK_DONE
from client_sync.protocol.vocabulary import VOCABULARY, label
from client_sync.tasks import Task

_REASON_MOST_CHARS: Final = 200
_SOURCES_MOST: Final = 99
_DAY: Final = "%d/%m/%Y"


@dataclass
class _Checklist:
    """What was answered: codes that leave in clear, and words that are sealed."""

    codes: dict[str, Any] = field(default_factory=dict)
    words: dict[str, Any] = field(default_factory=dict)


@command("visits")
@click.argument("number", type=click.IntRange(1), required=False, metavar="[N]")
@option("--done", "is_done", is_flag=True)
@in_session
def visits(session: Session, number: int | None, is_done: bool) -> None:
    """List what is to be done by place and window; open one, or say what came of it."""
    with session.outbox() as outbox:
        if not outbox.tasks.count():
            session.say("visits.none")
        elif number is None:
            _list(session, outbox)
        elif is_done:
            _finish(session, outbox, number)
        else:
            _open(session, outbox, number)


def _list(session: Session, outbox: Outbox) -> None:
    tasks = outbox.tasks.listed(session.vault())
    table = Table(box=None, pad_edge=False)
    for column in ("number", "place", "what", "window"):
        table.add_column(session.texts.text(f"visits.{column}"))
    for number, task in enumerate(tasks, 1):
        table.add_row(str(number), _place(task), _words(session, "task_kind", task.kind), _window(session, task))
    session.console.print(table)
    if not session.is_interactive:
        session.say("visits.how")
    elif (chosen := Asker(session).whole("visits.which", len(tasks))) is not None:
        _open(session, outbox, chosen)


def _open(session: Session, outbox: Outbox, number: int) -> None:
    """Show the details of a task, once the passphrase was typed for them and it was said why."""
    vault = session.vault_anew()
    task = _chosen(outbox.tasks.listed(vault), number)
    why = ""
    while not 0 < len(why) <= _REASON_MOST_CHARS:
        why = session.ask("visits.why", default="").strip()
        if vault.is_given_away_by(why):
            session.clear()
            raise PassphraseGivenAway
    outbox.tasks.note_look(task.id, session.now(), why)
    session.say("visits.head", what=_words(session, "task_kind", task.kind), place=_place(task))
    session.say("visits.days", window=_window(session, task))
    session.say("visits.ways", ways=", ".join(_words(session, "contact_way", way) for way in task.ways) or "-")
    for line in _lines(task.details):
        session.write(line)
    if not session.is_interactive:
        session.say("visits.how_done", number=number)
    elif Asker(session).agrees("visits.done_now"):
        _finish(session, outbox, number)


def _finish(session: Session, outbox: Outbox, number: int) -> None:
    """Ask what came of a task, and seal that; its details leave the device with it."""
    vault = session.vault()
    task = _chosen(outbox.tasks.listed(vault), number)
    session.say("visits.head", what=_words(session, "task_kind", task.kind), place=_place(task))
    told = _asked(session, task)
    if not Asker(session).agrees("visits.seal", may_skip=False):
        session.say("visits.kept")
        return
    report = told.words | {"looks": outbox.tasks.looks(task.id, vault)}
    content = {"task": task.id, **told.codes, "report": {"clear": report}}
    outbox.finalise(TASK_DONE, content, scope=task.scope)
    session.clear()
    session.say("visits.sealed")


def _asked(session: Session, task: Task) -> _Checklist:
    asker, told = Asker(session), _Checklist()
    asker.title("visits.outcome")
    outcomes = OUTCOMES[task.kind]
    outcome = asker.choose(_options(session, "task_outcome", outcomes), may_skip=False)
    told.codes |= {"outcome": outcome, "done_on": _day(session, asker)}
    if task.kind in FINDS and outcome == outcomes[0]:
        _ask_finding(session, asker, told)
    asker.title("visits.note")
    _keep(told.words, note=asker.lines(NARRATIVE_MAX_CHARS))
    return told


def _ask_finding(session: Session, asker: Asker, told: _Checklist) -> None:
    """What a finding rests on, and which one the team proposes; a coordinator verifies it."""
    asker.title("visits.heard", "visits.heard_hint")
    _keep(told.words, heard=asker.line())
    asker.title("visits.method")
    method = asker.choose(_options(session, "verification_method"))
    sources = asker.whole("visits.sources", _SOURCES_MOST)
    _keep(told.words, documents=asker.line("visits.documents"))
    asker.title("visits.finding", "visits.finding_hint")
    finding = asker.choose(_options(session, "finding"))
    certainty = None
    if finding is not None:
        asker.title("visits.certainty")
        certainty = asker.choose(_options(session, "certainty"))
    _keep(told.codes, method=method, sources=sources, finding=finding, certainty=certainty)


def _day(session: Session, asker: Asker) -> str:
    """The day it was done, today where nothing is typed."""
    while (typed := asker.line("visits.done_on")) is not None:
        span = read_span(typed)
        if span is not None and span[2] == "day" and span[0] <= session.now().date():
            return span[0].isoformat()
        session.say("question.day_unread")
    return session.now().date().isoformat()


def _keep(answers: dict[str, Any], **given: Any) -> None:
    answers |= {name: value for name, value in given.items() if value is not None}


def _chosen(tasks: Sequence[Task], number: int) -> Task:
    if not 0 < number <= len(tasks):
        raise TaskUnknown
    return tasks[number - 1]


def _options(session: Session, name: str, codes: Sequence[str] | None = None) -> list[Option]:
    return [(code, _words(session, name, code)) for code in codes or VOCABULARY.lists[name]]


def _words(session: Session, name: str, code: str) -> str:
    return label(name, code, session.preferences.language)


def _place(task: Task) -> str:
    return PLACES.name_of(task.place) if task.place else "-"


def _window(session: Session, task: Task) -> str:
    first, last = (_shown_day(day) for day in (task.opens_on, task.closes_on))
    return session.texts.text("visits.from_to", first=first, last=last)


def _shown_day(day: date) -> str:
    return day.strftime(_DAY)


def _lines(details: Mapping[str, Any]) -> list[str]:
    """The details, one thing a line, as they came: they may say more than this version has names for."""
    found: list[str] = []
    for value in details.values():
        for each in value if isinstance(value, list) else [value]:
            found += _lines(each) if isinstance(each, Mapping) else [_plain(each)]
    return found


def _plain(value: object) -> str:
    """Nothing that steers a terminal."""
    return "".join(char for char in str(value) if char.isprintable() or char == "\n")
