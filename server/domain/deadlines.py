"""Deadlines: when each thing falls due, on the hub's clock, how it may be put off once, and who is told it is late."""

import re
import tomllib
from calendar import monthrange
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib import resources
from typing import Any, Final, Literal, Self

from server.domain.calendar import Calendar
from server.domain.errors import DeadlineRefused

Waits = Literal["hub", "device", "body"]
State = Literal["running", "paused", "met", "late"]

_MONTHS: Final = 12
_TERM: Final = re.compile(r"P(?:T(?P<hours>[1-9]\d*)H|(?P<days>[1-9]\d*)D|(?P<months>[1-9]\d*)M)")


@dataclass(frozen=True)
class Term:
    """A length of time: hours, days or months of the calendar, one of them alone."""

    hours: int = 0
    days: int = 0
    months: int = 0

    @classmethod
    def read(cls, text: str) -> Self:
        """A duration of ISO 8601 with one unit: `PT4H`, `P30D`, `P3M`. Raises ValueError for any other text."""
        found = _TERM.fullmatch(text)
        if found is None:
            raise ValueError(text)
        return cls(**{unit: int(count) for unit, count in found.groupdict().items() if count})

    def after(self, start: datetime) -> datetime:
        """The end of the term; of a month without that day, its last day."""
        whole = start + timedelta(hours=self.hours, days=self.days)
        years, month = divmod(whole.month - 1 + self.months, _MONTHS)
        year = whole.year + years
        return whole.replace(year=year, month=month + 1, day=min(whole.day, monthrange(year, month + 1)[1]))


@dataclass(frozen=True)
class Kind:
    """What is due. `terms`: by urgency, or one for all under an empty key; `extended`: the term with a reason.

    `met_by`: codes of entries of the timeline that meet it; `met_to`: statuses to which doing it brings a case.
    """

    code: str
    terms: Mapping[str, str]
    extended: str | None
    waits_for: Waits
    can_pause: bool
    any_day: bool
    met_by: frozenset[str]
    met_to: frozenset[str]

    @property
    def key(self) -> str:
        """Of its words in the catalogues."""
        return f"deadline.{self.code}"

    def term(self, urgency: str) -> str:
        """Its term for a case of that urgency. Raises KeyError for an urgency that it does not know."""
        return self.terms[urgency if "" not in self.terms else ""]


@dataclass(frozen=True)
class Clocks:
    """The two clocks of a complaint: since it was collected, as the device claims, and since the hub has it.

    Deadlines go by the second alone: whoever could not send is not slow.
    """

    collected_at: datetime | None
    received_at: datetime

    def since_received(self, now: datetime) -> timedelta:
        """How long the hub could act on it."""
        return now - self.received_at

    def since_collected(self, now: datetime) -> timedelta | None:
        """How long the person has waited; None where no time was claimed, or one that cannot be true."""
        return None if self.on_road() is None or self.collected_at is None else now - self.collected_at

    def on_road(self) -> timedelta | None:
        """How much of that it spent on the device; None as above."""
        if self.collected_at is None or self.collected_at > self.received_at:
            return None
        return self.received_at - self.collected_at


@dataclass(frozen=True)
class Deadline:
    """One thing that is due. `due_at` holds as things stand: while it is paused, as if the pause lasted to its end.

    `told`: ids of the accounts that heard that it is late.
    """

    kind: str
    term: str
    starts_at: datetime
    due_at: datetime
    paused_at: datetime | None = None
    resumed_at: datetime | None = None
    pause_reason: str | None = None
    extension_reason: str | None = None
    met_at: datetime | None = None
    told: frozenset[str] = frozenset()

    @property
    def pause_ends_at(self) -> datetime | None:
        """When its pause ended, or will by itself; None where it was never paused."""
        return None if self.paused_at is None else self.resumed_at or PAUSE_MAX.after(self.paused_at)

    def state(self, now: datetime) -> State:
        """Where it stands: late only by the clock of the hub."""
        if self.met_at is not None:
            return "met"
        if self.pause_ends_at is not None and now < self.pause_ends_at:
            return "paused"
        return "late" if now >= self.due_at else "running"


@dataclass(frozen=True)
class Phone:
    """The device that something waits for: when it was asked, when that reached it, when the hub last heard of it."""

    asked_at: datetime
    delivered_at: datetime | None
    heard_at: datetime | None


def is_term(text: str) -> bool:
    """Whether that can be read as a term."""
    return _TERM.fullmatch(text) is not None


def begin(
    kind: str, starts_at: datetime, calendar: Calendar, *, urgency: str = "U3", term: str | None = None
) -> Deadline:
    """A deadline that runs from then; `term`: in place of that of its kind, as a destination may say.

    Raises KeyError for a kind or urgency that is not listed, ValueError for a term that is none.
    """
    text = term or KINDS[kind].term(urgency)
    return _dated(Deadline(kind, text, starts_at, starts_at), calendar)


def after_closure(closed_at: datetime, calendar: Calendar) -> tuple[Deadline, ...]:
    """The follow-ups of a closed case, the first one first."""
    return tuple(begin(kind, closed_at, calendar) for kind in AFTER_CLOSURE)


def pause(deadline: Deadline, reason: str, now: datetime, calendar: Calendar) -> Deadline:
    """Stop its clock, once, for a coded reason, until it is resumed or the longest pause is over.

    Raises DeadlineRefused, whose `fault` says why: what is met or late, was paused before or can't wait stays.
    """
    _check_runs(deadline, now)
    if not KINDS[deadline.kind].can_pause or Term.read(deadline.term).hours:
        raise DeadlineRefused(fault="urgent")
    if deadline.paused_at is not None:
        raise DeadlineRefused(fault="paused_before")
    _check_reason(reason, PAUSE_REASONS)
    return _dated(replace(deadline, paused_at=now, pause_reason=reason), calendar)


def resume(deadline: Deadline, now: datetime, calendar: Calendar) -> Deadline:
    """Let its clock go on: it falls due as much later as it was paused. Raises DeadlineRefused."""
    if deadline.state(now) != "paused":
        raise DeadlineRefused(fault="not_paused")
    return _dated(replace(deadline, resumed_at=now), calendar)


def extend(deadline: Deadline, reason: str, now: datetime, calendar: Calendar) -> Deadline:
    """Give it the longer term of its kind, for a coded reason. Raises DeadlineRefused."""
    _check_runs(deadline, now)
    extended = KINDS[deadline.kind].extended
    if extended is None or deadline.extension_reason is not None:
        raise DeadlineRefused(fault="not_extended" if extended is None else "extended_before")
    _check_reason(reason, EXTENSION_REASONS)
    return _dated(replace(deadline, term=extended, extension_reason=reason), calendar)


def meet(deadline: Deadline, now: datetime) -> Deadline:
    """It was done. What was done before stays done then."""
    return deadline if deadline.met_at is not None else replace(deadline, met_at=now)


def ladder(kind: str, urgency: str, named: Mapping[str, str]) -> tuple[str, ...]:
    """Ids of the accounts to be told of a kind of deadline, in order: who is `named` for each rung.

    `named`: account by rung of the data, a deputy in the place of who is away.
    """
    return tuple(dict.fromkeys(named[rung] for rung in _rungs(kind, urgency) if rung in named))


def to_tell(deadline: Deadline, people: Sequence[str], now: datetime, phone: Phone | None = None) -> tuple[str, ...]:
    """Whom of these, in order, to tell by now that it is late, but for those who heard it.

    `phone`: where a device was asked in time. The time in which no network reached it is given on top, and nothing is
    late before it was heard of after that: what it did may be on it still. A phone that stays silent is told of apart.
    """
    late_from = _late_from(deadline, phone)
    if deadline.state(now) != "late" or late_from is None or now < late_from:
        return ()
    rungs = (now - late_from) // (deadline.due_at - deadline.starts_at) + 1
    return tuple(account for account in people[:rungs] if account not in deadline.told)


def is_on_road(deadline: Deadline, now: datetime, phone: Phone) -> bool:
    """Whether it would be late by now, had the network reached the device sooner."""
    late_from = _late_from(deadline, phone)
    return deadline.state(now) == "late" and (late_from is None or now < late_from)


def next_telling(deadline: Deadline, urgency: str) -> datetime | None:
    """When the next person of the ladder is to hear that it is late, if it is then; None once nobody is left."""
    if deadline.met_at is not None or len(deadline.told) >= len(_rungs(deadline.kind, urgency)):
        return None
    return deadline.due_at + len(deadline.told) * (deadline.due_at - deadline.starts_at)


def tell(deadline: Deadline, account: str) -> Deadline:
    """That account heard that it is late."""
    return replace(deadline, told=deadline.told | {account})


def _rungs(kind: str, urgency: str) -> Sequence[str]:
    return ESCALATION[urgency] or (FOLLOW_UP_TOLD if kind in AFTER_CLOSURE else ())


def _late_from(deadline: Deadline, phone: Phone | None) -> datetime | None:
    """From when somebody is to blame; None while nobody is."""
    if phone is None or KINDS[deadline.kind].waits_for != "device" or phone.asked_at >= deadline.due_at:
        return deadline.due_at
    if phone.delivered_at is None or phone.heard_at is None:
        return None
    fair = deadline.due_at + (phone.delivered_at - phone.asked_at)
    return fair if phone.heard_at >= fair else None


def _dated(deadline: Deadline, calendar: Calendar) -> Deadline:
    """With `due_at` as all that was said of it makes it."""
    term, ends_at = Term.read(deadline.term), deadline.pause_ends_at
    paused = timedelta() if deadline.paused_at is None or ends_at is None else ends_at - deadline.paused_at
    due_at = term.after(deadline.starts_at) + paused
    if term.hours or KINDS[deadline.kind].any_day:
        return replace(deadline, due_at=due_at)
    working = calendar.working_from(due_at.date())
    return replace(deadline, due_at=due_at + (working - due_at.date()))


def _check_runs(deadline: Deadline, now: datetime) -> None:
    state = deadline.state(now)
    if state in ("met", "late"):
        raise DeadlineRefused(fault=state)


def _check_reason(reason: str, known: Collection[str]) -> None:
    if reason not in known:
        raise DeadlineRefused(fault="reason")


def _kind(code: str, data: Mapping[str, Any]) -> Kind:
    term = data["term"]
    return Kind(
        code=code,
        terms={"": term} if isinstance(term, str) else term,
        extended=data.get("extended"),
        waits_for=data["waits_for"],
        can_pause=data["can_pause"],
        any_day=data.get("any_day", False),
        met_by=frozenset(data.get("met_by", ())),
        met_to=frozenset(data.get("met_to", ())),
    )


_DATA: Final = tomllib.loads((resources.files("server.domain") / "deadlines.toml").read_text("utf-8"))
PAUSE_MAX: Final = Term.read(_DATA["pause_max"])
PAUSE_REASONS: Final[tuple[str, ...]] = tuple(_DATA["pause_reason"])
EXTENSION_REASONS: Final[tuple[str, ...]] = tuple(_DATA["extension_reason"])
FOLLOW_UP_ANSWERS: Final[tuple[str, ...]] = tuple(_DATA["follow_up"])
FOLLOW_UP_TOLD: Final[Sequence[str]] = tuple(_DATA["follow_up_told"])
ESCALATION: Final[Mapping[str, Sequence[str]]] = _DATA["escalation"]
KINDS: Final[Mapping[str, Kind]] = {code: _kind(code, data) for code, data in _DATA["kind"].items()}
AFTER_CLOSURE: Final = tuple(code for code in KINDS if code.startswith("after_closure_"))
