"""`list` and `show`: what the device still says of a closed complaint, which is its state and its code."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import click
from rich.table import Table

from client_sync.commands.counts import shown_bytes
from client_sync.commands.localized import command, option
from client_sync.commands.problems import code_words
from client_sync.commands.session import Session, in_session
from client_sync.errors import RecordUnknown
from client_sync.files import FileState
from client_sync.i18n import Catalogue
from client_sync.outbox import Outbox
from client_sync.places import fold
from client_sync.protocol.receipts import read_receipt
from client_sync.protocol.steps import KIND, Said, full_day, read, status_words, words
from client_sync.protocol.vocabulary import label
from client_sync.tables import Record

_SHOWN_AT_ONCE: Final = 50


@command("list")
@option("--all", "everything", is_flag=True)
@in_session
def list_records(session: Session, everything: bool) -> None:
    """List the complaints, newest first."""
    with session.outbox() as outbox:
        records = complaints(outbox)[::-1]
    shown = records if everything else records[:_SHOWN_AT_ONCE]
    if not records:
        session.say("list.empty")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("picture", "receipt", "state"):
        table.add_column(session.texts.text(f"list.{column}"))
    for record in shown:
        table.add_row(record.picture or "", record.receipt or "", state_words(record, session.texts))
    session.console.print(table)
    if len(shown) < len(records):
        session.say_count("list.more", len(records) - len(shown))


@command("show")
@click.argument("name", nargs=-1, required=True)
@in_session
def show(session: Session, name: tuple[str, ...]) -> None:
    """Show the complaint of a picture name or receipt code, and what the centre said."""
    with session.outbox() as outbox:
        for record in find(outbox, " ".join(name)):
            _show_record(session, outbox, record)


def complaints(outbox: Outbox) -> list[Record]:
    """The complaints of the device, oldest first."""
    return [record for record in outbox.records() if record.op == "complaint"]


def find(outbox: Outbox, name: str) -> Sequence[Record]:
    """The complaints with this picture name or receipt code, in any case, with or without spaces and hyphen.

    Raises RecordUnknown for none.
    """
    receipt, picture = read_receipt(name), _without_spaces(name)
    found = [
        record
        for record in complaints(outbox)
        if (receipt and record.receipt == receipt) or (picture and _without_spaces(record.picture or "") == picture)
    ]
    if not found:
        raise RecordUnknown(name=name)
    return found


def _without_spaces(picture: str) -> str:
    return fold(picture).replace(" ", "")


def state_words(record: Record, texts: Catalogue) -> str:
    """Where a complaint is and what the centre makes of it, in words."""
    state = texts.text(f"state.{record.state}")
    if record.status is None:
        return state
    status = status_words(record.status, texts.language)
    return texts.text("list.state_and_status", state=state, status=status)


def file_words(session: Session, state: FileState) -> str:
    """What a file is and where it stands, in words."""
    kind = label("file_kind", state.kind, session.texts.language)
    left = shown_bytes(session, state.size - state.arrived)
    words = session.texts.text(f"files.{state.state}", kind=kind, size=shown_bytes(session, state.size), left=left)
    return words if state.code is None else f"{words} {code_words(state.code, session)}"


def _show_record(session: Session, outbox: Outbox, record: Record) -> None:
    texts = session.texts
    session.say("show.name", picture=record.picture or "-", receipt=record.receipt or "-")
    click.echo(state_words(record, texts))
    if record.code is not None:
        session.write(code_words(record.code, session))
    if record.field:
        session.say("show.field", field=record.field)
    for state in outbox.files.of(record.id):
        session.say("show.file", words=file_words(session, state))
    if amendments := outbox.amendments(record.id):
        session.say_count("show.amendments", amendments)
    if record.is_answered:
        _show_replies(session, outbox, record)


def _show_replies(session: Session, outbox: Outbox, record: Record) -> None:
    """What the centre said, oldest first; of the last step also what comes next, and who may be told."""
    replies = outbox.received.replies(record.id, session.vault())
    steps = [read(reply.body) if reply.body.get("kind") == KIND else None for reply in replies]
    last = next((step for step in reversed(steps) if step is not None), None)
    for reply, step in zip(replies, steps, strict=True):
        if step is None:
            _show_words(session, reply.body)
        else:
            _show_step(session, step if step is last else replace(step, next=None, waits=False))
    outbox.mark_seen(record.id)


def _show_step(session: Session, step: Said) -> None:
    language = session.texts.language
    session.say("show.step", day=full_day(step.on, language), words=" ".join(words(step, language)))


def _show_words(session: Session, body: Mapping[str, Any]) -> None:
    """Word for word: it may say more than this version has names for."""
    for name, value in body.items():
        if isinstance(value, str) and name not in ("id", "kind"):
            session.say("show.reply", words=value)
