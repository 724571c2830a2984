"""`amend`: say a part of a closed complaint anew; the old text can't be read here, so it is told again whole."""

import click

from client_sync.commands.asking import Asker, Close, GoBack
from client_sync.commands.localized import command
from client_sync.commands.questions import PARTS, Question
from client_sync.commands.records import find
from client_sync.commands.session import Session, in_session
from client_sync.complaint import Answers, build_revision
from client_sync.errors import ClientError
from client_sync.outbox import Outbox
from client_sync.sealing import UNKNOWN_SCOPE, Scope
from client_sync.tables import Record
from client_sync.vault import Vault


class NameAmbiguous(ClientError):
    """More than one complaint has this receipt code: the picture name tells them apart."""

    code = "name_ambiguous"


@command("amend")
@click.argument("name", nargs=-1, required=True)
@in_session
def amend(session: Session, name: tuple[str, ...]) -> None:
    """Replace a part of a complaint; the centre keeps what was said before."""
    with session.outbox() as outbox:
        found = find(outbox, " ".join(name))
        if len(found) > 1:
            raise NameAmbiguous(name=" ".join(name))
        asker = Asker(session)
        try:
            kept = _amend(asker, outbox, found[0])
        except (Close, GoBack):
            kept = False
        session.say("amend.done" if kept else "amend.nothing")


def _amend(asker: Asker, outbox: Outbox, record: Record) -> bool:
    asker.title("amend.part", "amend.hint")
    part = asker.choose([(name, asker.texts.text(f"part.{name}")) for name in PARTS])
    if part is None:
        return False
    replaced, questions = PARTS[part]
    # First of all: a wrong passphrase must not cost what was told.
    scope = UNKNOWN_SCOPE if "facts" in replaced else _scope(asker.session, outbox, record)
    answers = _answered(asker, questions)
    if not asker.agrees("amend.agree"):
        return False
    assert record.receipt is not None
    content = build_revision(
        answers,
        replaced,
        complaint=record.id,
        base_revision=outbox.amendments(record.id) + 1,
        now=asker.session.now(),
        receipt=record.receipt,
    )
    if "facts" in replaced and (files := outbox.files.declared(record.id)):
        # Told anew, the facts would name none of them.
        content["facts"]["clear"]["files"] = files
    outbox.finalise("revision", content, scope=scope)
    return True


def _scope(session: Session, outbox: Outbox, record: Record) -> Scope:
    """What decides who can read the correction; without the vault that knows it, named readers alone."""
    return outbox.scope(record.id, session.vault()) if Vault.exists(session.folder) else UNKNOWN_SCOPE


def _answered(asker: Asker, questions: tuple[Question, ...]) -> Answers:
    answers = Answers()
    for question in questions:
        if question.applies(answers):
            answers = question.ask(asker, answers)
    return answers
