"""What is due of a case: derived anew, whatever is done or taken back, from its complaints and its timeline."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, cast

from server.domain import deadlines, timeline
from server.domain.calendar import Calendar
from server.domain.case import UrgencyWord
from server.domain.casework import CASEWORK, URGENCIES, Status, Urgency
from server.domain.deadlines import KINDS, Deadline
from server.domain.errors import DeadlineRefused
from server.domain.referral import PROGRAMMES

# Of the kinds that there are several of, which one: a referral, an act, or the entry that opened the case again.
Key = tuple[str, str]

_ACKNOWLEDGED: Final[Status] = "acknowledged"
_ASKED: Final[Status] = "needs_information"
_REOPENED: Final[Status] = "reopened"
_CLOSED: Final[Status] = "closed"
_QUESTION: Final = "information_asked"
_CHANGES: Final = frozenset({"paused", "resumed", "extended", "followed_up", "escalated"})
_OF_ACTS: Final = frozenset({"verifying", "found"})
_ANSWERED: Final = frozenset({"referral_answered", "referral_refused"})
_OF_REFERRALS: Final = _ANSWERED | {"referral_sent", "referral_recalled"}


class Entry(timeline.Entry, Protocol):
    """An entry of a timeline: `code` says what was done, `before` what was there."""

    @property
    def code(self) -> str:
        """What was done."""

    @property
    def before(self) -> Mapping[str, Any]:
        """What was changed, as it was."""


@dataclass(frozen=True)
class Heard:
    """A complaint of a case: when the hub got it and told so, how urgent its answers are, and since when they are."""

    complaint: int
    received_at: datetime
    urgency: Urgency
    urgent_since: datetime
    acknowledged_at: datetime | None


@dataclass(frozen=True)
class Story:
    """A case as its deadlines go by it; `entries` are all of its timeline, `word` the last on its urgency."""

    heard: Sequence[Heard]
    entries: Sequence[Entry]
    urgency: Urgency
    word: UrgencyWord | None = None


def derive(story: Story, calendar: Calendar) -> dict[Key, Deadline]:
    """Every deadline of a case by kind and subject, those that were met too.

    What was taken back is as if it had not been done. Of a closed case there are those that were met, and what is asked
    after it; of one whose complaints went elsewhere there are none.
    """
    if not story.heard:
        return {}
    book = _Book(story, calendar)
    for entry in timeline.standing(story.entries):
        book.enter(entry)
    return book.deadlines


def acknowledged_at(entries: Sequence[Entry]) -> datetime | None:
    """When a case was acknowledged, by its timeline."""
    found = (each.at for each in timeline.standing(entries) if _goes_to(each) == _ACKNOWLEDGED)
    return min(found, default=None)


def act_subject(complaint: int, act: str) -> str:
    """Of the verification of one act, the subject."""
    return f"{complaint}:{act}"


class _Book:
    """The deadlines of one case while its timeline is read; `_round`: subject of those since it was opened again."""

    def __init__(self, story: Story, calendar: Calendar) -> None:
        self._story, self._calendar = story, calendar
        self._round = ""
        self._asked_at: datetime | None = None
        self.deadlines: dict[Key, Deadline] = {}
        for kind in ("triage", "first_action"):
            self.deadlines[kind, ""] = _first(kind, story, calendar)
        self._begin("acknowledge", min(each.received_at for each in story.heard))
        told = [each.acknowledged_at for each in story.heard if each.acknowledged_at is not None]
        if told:
            self._begin("feedback", min(told))

    def enter(self, entry: Entry) -> None:
        """Read one entry, in its order."""
        to = _goes_to(entry)
        if to is not None:
            self._leave(entry)
        if entry.code in _CHANGES:
            self._change(entry)
        if entry.code in _OF_ACTS or entry.code in _OF_REFERRALS:
            self._look_elsewhere(entry)
        for kind in KINDS.values():
            if entry.code in kind.met_by or to in kind.met_to:
                self._meet((kind.code, self._round), entry.at)
        if to is not None:
            self._arrive(entry, to)

    def _begin(self, kind: str, at: datetime, *, subject: str | None = None, term: str | None = None) -> None:
        key = kind, self._round if subject is None else subject
        urgency = self._story.urgency
        self.deadlines[key] = deadlines.begin(kind, at, self._calendar, urgency=urgency, term=term)

    def _meet(self, key: Key, at: datetime) -> None:
        if key in self.deadlines:
            self.deadlines[key] = deadlines.meet(self.deadlines[key], at)

    def _leave(self, entry: Entry) -> None:
        """The question that the case waited for, if it did, holds nothing up any more."""
        found = self.deadlines.get(("feedback", self._round))
        if found is not None and found.paused_at is not None and found.paused_at == self._asked_at:
            self._try("resumed", ("feedback", self._round), entry.at, "")
        self._asked_at = None

    def _arrive(self, entry: Entry, to: Status) -> None:
        if to == _ASKED:
            self._asked_at = entry.at
            self._try("paused", ("feedback", self._round), entry.at, _QUESTION)
        if to == _REOPENED:
            self._end()
            self._round = str(entry.no)
            for kind in ("triage", "first_action", "feedback"):
                self._begin(kind, entry.at)
        if CASEWORK.statuses[to].stage == "closed":
            self._end()
        # Whom nobody could tell what became of it, nobody can ask how it is.
        if to == _CLOSED and "untold" not in entry.fields.get("given", {}):
            for each in deadlines.after_closure(entry.at, self._calendar):
                self.deadlines[each.kind, self._round] = each

    def _end(self) -> None:
        """Nobody waits for what is not met yet."""
        self.deadlines = {key: each for key, each in self.deadlines.items() if each.met_at is not None}

    def _change(self, entry: Entry) -> None:
        """What people, and the hub, say of one deadline."""
        key = entry.fields["deadline"], entry.fields.get("subject", "")
        if key not in self.deadlines:
            return
        if entry.code == "followed_up":
            self._meet(key, entry.at)
        elif entry.code == "escalated":
            self.deadlines[key] = deadlines.tell(self.deadlines[key], entry.fields["account"])
        else:
            self._try(entry.code, key, entry.at, entry.fields.get("reason", ""))

    def _try(self, code: str, key: Key, at: datetime, reason: str) -> None:
        # It held when it was said: what was taken back since, or is more urgent now, may leave nothing to put off.
        with suppress(DeadlineRefused):
            if key in self.deadlines:
                self.deadlines[key] = put_off(code, self.deadlines[key], reason, at, self._calendar)

    def _look_elsewhere(self, entry: Entry) -> None:
        """What verifiers and bodies owe."""
        fields = entry.fields
        if entry.code in _OF_ACTS:
            # Of a complaint that was erased nothing is owed.
            if entry.complaint is not None:
                self._look_into(entry, act_subject(entry.complaint, fields["act"]))
            return
        if entry.code == "referral_sent":
            kind = PROGRAMMES[fields["programme"]].answer
            self._begin(kind, entry.at, subject=fields["referral"], term=fields.get("term"))
            return
        for key in [each for each in self.deadlines if each[1] == fields["referral"]]:
            if entry.code in _ANSWERED:
                self._meet(key, entry.at)
            elif self.deadlines[key].met_at is None:
                del self.deadlines[key]

    def _look_into(self, entry: Entry, subject: str) -> None:
        if entry.code == "verifying":
            self._begin("verification", entry.at, subject=subject)
        elif entry.fields["state"] != "under_verification":
            self._meet(("verification", subject), entry.at)


def put_off(code: str, deadline: Deadline, reason: str, at: datetime, calendar: Calendar) -> Deadline:
    """What an entry of that code, `paused`, `resumed` or `extended`, makes of a deadline. Raises DeadlineRefused."""
    if code == "resumed":
        return deadlines.resume(deadline, at, calendar)
    return {"paused": deadlines.pause, "extended": deadlines.extend}[code](deadline, reason, at, calendar)


def _first(kind: str, story: Story, calendar: Calendar) -> Deadline:
    """The first of a case to fall due: each complaint counts since the hub has it, by how urgent it is."""
    each = (deadlines.begin(kind, at, calendar, urgency=level) for at, level in _starts(story))
    return min(each, key=lambda deadline: deadline.due_at)


def _starts(story: Story) -> Iterator[tuple[datetime, Urgency]]:
    word = story.word
    for heard in story.heard:
        said = None if word is None or heard.complaint not in word.heard else word.level
        if said is not None and _rank(said) > _rank(heard.urgency):
            # Somebody said that it is less urgent than its answers.
            yield heard.received_at, said
            continue
        yield heard.urgent_since, heard.urgency
        if heard.urgent_since > heard.received_at:
            # What grew worse is not due later by that.
            yield heard.received_at, max(heard.urgency, CASEWORK.usual_urgency, key=_rank)
    if word is not None and all(_rank(word.level) < _rank(heard.urgency) for heard in story.heard):
        yield _said_at(story), word.level


def _said_at(story: Story) -> datetime:
    """When somebody last said how urgent it is."""
    said = [each.at for each in timeline.standing(story.entries) if each.code == "moved" and "word" in each.before]
    return max(said, default=min(heard.received_at for heard in story.heard))


def _rank(urgency: Urgency) -> int:
    """The most urgent is the least."""
    return URGENCIES.index(urgency)


def _goes_to(entry: Entry) -> Status | None:
    """The status to which an entry brings its case; None where that stays what it is."""
    to = entry.fields.get("to")
    return None if to == entry.fields.get("from") else cast("Status | None", to)
