"""`new`: a complaint from a person's answers, a draft after each of them, and the envelope closed at the end."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import click
from rich.panel import Panel

from client_sync.cards import Card, card_for
from client_sync.commands.asking import Asker, Close, GoBack
from client_sync.commands.localized import command, option
from client_sync.commands.questions import QUESTIONS, Question, reasons, take_in
from client_sync.commands.records import complaints
from client_sync.commands.session import Session, in_session
from client_sync.complaint import Answers, Attachment, Consent, Contact, Money, Person, Urgency, build_complaint
from client_sync.errors import ClientError
from client_sync.outbox import Outbox
from client_sync.pictures import draw
from client_sync.protocol.receipts import new_receipt, read_receipt
from client_sync.vault import Draft

_PARTS: Final[Mapping[str, type[Any]]] = {
    "urgency": Urgency,
    "money": Money,
    "consent": Consent,
    "contact": Contact,
    "victims": Person,
    "perpetrators": Person,
    "others": Person,
}


class AnswersInvalid(ClientError):
    """A file of answers that can't be taken: `why` is a code, `where` the member."""

    code = "answers_invalid"


class ReceiptInvalid(ClientError):
    """A receipt code that was misread: its check letter is wrong."""

    code = "receipt_misread"


class ReceiptUsed(ClientError):
    """A complaint with this receipt code was closed on this device already."""

    code = "receipt_used"


@dataclass
class Interview:
    """A draft in progress: what was answered, and which questions were asked, in order."""

    id: str
    answers: Answers = field(default_factory=Answers)
    asked: list[str] = field(default_factory=list)
    receipt: str | None = None

    @classmethod
    def of(cls, draft: Draft) -> "Interview":
        """The interview that a draft keeps."""
        saved = draft.answers
        return cls(draft.id, Answers.from_draft(saved), list(saved.get("asked", [])), saved.get("receipt"))

    def to_draft(self) -> dict[str, Any]:
        """JSON values for the vault; whatever is not an answer stands beside them."""
        return self.answers.to_draft() | {"asked": self.asked, "receipt": self.receipt}

    def next_question(self) -> Question | None:
        """The next question that applies; the place comes at once after a danger, for its emergency card."""
        left = [question for question in QUESTIONS if question.name not in self.asked]
        if self.answers.danger == "yes":
            left.sort(key=lambda question: question.name not in ("danger", "place"))
        return next((question for question in left if question.applies(self.answers)), None)


@command("new")
@option("--answers", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@option("--file", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@option("--receipt")
@in_session
def new(session: Session, answers: Path | None, files: tuple[Path, ...], receipt: str | None) -> None:
    """Take down a complaint; --answers reads them from a file and asks nothing, --file adds a photo or a recording."""
    if answers is not None:
        with session.outbox() as outbox:
            code = None if receipt is None else _checked_receipt(outbox, receipt)
            interview = Interview(str(uuid4()), read_answers(answers), receipt=code)
            with outbox.files.kept_together() as taken:
                _attach(session, outbox, interview, files, taken)
                close_envelope(session, outbox, interview)
        return
    interview = _begin(session, receipt)
    if files:
        with session.outbox() as outbox, outbox.files.kept_together() as taken:
            _attach(session, outbox, interview, files, taken)
            session.vault().save_draft(interview.id, interview.to_draft())
    hold_interview(session, interview)


def _attach(
    session: Session, outbox: Outbox, interview: Interview, sources: Sequence[Path], taken: list[Attachment]
) -> None:
    """Seal the files and put them among the answers, and each into `taken` as soon as it is."""
    before = interview.answers
    for source in sources:
        taken.append(take_in(session, outbox, source, (*before.files, *taken)))
    interview.answers = replace(before, files=(*before.files, *taken))


def hold_interview(session: Session, interview: Interview) -> None:
    """Ask what is left to ask, keep the draft after each answer, and close the envelope when told to."""
    session.say("new.keys")
    try:
        while (closes := _ask_and_close(session, interview)) is None:
            interview.asked.pop()
    except (Close, click.Abort):
        closes = False
    if not closes:
        session.say("new.draft_kept")
        return
    try:
        with session.outbox() as outbox:
            close_envelope(session, outbox, interview)
    except ClientError:
        session.say("new.draft_kept")
        raise
    session.vault().drop_draft(interview.id)


def close_envelope(session: Session, outbox: Outbox, interview: Interview) -> None:
    """Finalise the complaint; what stays on the screen is its picture name and its receipt code.

    Raises NotEnrolled: without the keys of its readers there is nothing to close it with.
    """
    enrolled = outbox.require_enrolled()
    answers = interview.answers
    answers = replace(answers, team=answers.team or enrolled.team, partner=answers.partner or enrolled.partner)
    receipt = interview.receipt or new_receipt(session.rng.choice)
    content = build_complaint(answers, now=session.now(), receipt=receipt)
    taken = {record.picture or "" for record in outbox.records()}
    picture = draw(taken, session.rng)
    outbox.finalise("complaint", content, id=interview.id, picture=picture, receipt=receipt)
    session.clear()
    session.say("seal.done", picture=picture)
    session.say("seal.receipt", receipt=receipt)
    session.say("seal.note")
    session.say("seal.promise")


def read_answers(file: Path) -> Answers:
    """The answers in a TOML file, by the names of `Answers`; raises AnswersInvalid.

    The consent has to be there in so many words.
    """
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AnswersInvalid(why="toml", where=str(error)) from None
    _refuse_unfit(data, Answers, "")
    if "files" in data:
        raise AnswersInvalid(why="files_apart", where="files")
    if "level" not in data.get("consent", {}):
        raise AnswersInvalid(why="missing", where="consent.level")
    return Answers.from_draft(_with_days_as_text(data))


def _begin(session: Session, receipt: str | None) -> Interview:
    """A new interview, or the draft that was left; with a receipt code that of its paper form."""
    drafts = [Interview.of(draft) for draft in session.vault().drafts()]
    _follow_files(session, drafts)
    if receipt is not None:
        with session.outbox() as outbox:
            code = _checked_receipt(outbox, receipt)
        printed = next((draft for draft in drafts if draft.receipt == code), None)
        if printed is None:
            session.say("new.printed_elsewhere")
        return printed or Interview(str(uuid4()), Answers(channel="paper"), receipt=code)
    left = [draft for draft in drafts if draft.asked]
    if left:
        asker = Asker(session)
        session.say_count("new.drafts", len(left))
        if asker.agrees("new.resume"):
            return left[-1]
    return Interview(str(uuid4()))


def _follow_files(session: Session, drafts: Sequence[Interview]) -> None:
    """Let go of files that no draft names, and of names whose file is gone, which is said."""
    with session.outbox() as outbox:
        outbox.files.drop_unsaved([file for draft in drafts for file in draft.answers.files], session.now())
        for draft in drafts:
            held = tuple(file for file in draft.answers.files if outbox.files.holds(file))
            if gone := len(draft.answers.files) - len(held):
                draft.answers = replace(draft.answers, files=held)
                session.say_count("new.files_gone", gone)


def _ask_and_close(session: Session, interview: Interview) -> bool | None:
    """Whether the person wants the envelope closed; None to go back to the last question."""
    _ask_all(session, interview)
    asker = Asker(session)
    asker.title("new.close", f"consent.{interview.answers.consent.level}")
    try:
        return asker.agrees("new.close_hint") is True
    except GoBack:
        return None


def _ask_all(session: Session, interview: Interview) -> None:
    asker = Asker(session)
    shown: set[Card] = set()
    while (question := interview.next_question()) is not None:
        try:
            interview.answers = question.ask(asker, interview.answers)
        except GoBack:
            if interview.asked:
                interview.asked.pop()
            continue
        interview.asked.append(question.name)
        session.vault().save_draft(interview.id, interview.to_draft())
        _show_cards(session, interview.answers, shown)


def _show_cards(session: Session, answers: Answers, shown: set[Card]) -> None:
    """Show each emergency card once, and again when the place adds to it."""
    for reason in reasons(answers):
        card = card_for(answers.cercle, reason)
        if card not in shown:
            shown.add(card)
            session.console.print(Panel(_card_words(session, card), title=card.title, border_style="bold"))


def _card_words(session: Session, card: Card) -> str:
    steps = [f"{number}. {step}" for number, step in enumerate(card.steps, 1)]
    numbers = [f"{phone.label} : {phone.number}" for phone in card.numbers]
    where = session.texts.text("card.where", care=card.care)
    return "\n".join([*steps, "", where, "", *numbers])


def _checked_receipt(outbox: Outbox, typed: str) -> str:
    code = read_receipt(typed)
    if code is None:
        raise ReceiptInvalid(receipt=typed)
    if any(record.receipt == code for record in complaints(outbox)):
        raise ReceiptUsed(receipt=code)
    return code


def _refuse_unfit(members: Mapping[str, Any], kind: type[Any], path: str) -> None:
    """Raises AnswersInvalid for a member that there is not, or that has to be there and is not."""
    known = {each.name: each.default is MISSING and each.default_factory is MISSING for each in fields(kind)}
    for name, is_needed in known.items():
        if is_needed and name not in members:
            raise AnswersInvalid(why="missing", where=path + name)
    for name, value in members.items():
        if name not in known:
            raise AnswersInvalid(why="member", where=path + name)
        part = _PARTS.get(name) if kind is Answers else None
        for each in [value] if isinstance(value, dict) else value if part is not None else ():
            _refuse_unfit(each, part or Answers, f"{path}{name}.")


def _with_days_as_text(value: Any) -> Any:
    """TOML has days of its own; the wire writes them as text."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _with_days_as_text(each) for name, each in value.items()}
    return [_with_days_as_text(each) for each in value] if isinstance(value, list) else value
