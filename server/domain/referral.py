"""Referrals: what may go to which body, complaint by complaint, and the states of what was sent."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from importlib import resources
from typing import Any, Final, Literal, get_args

from server.domain.act import Act, is_own_people
from server.domain.calendar import Calendar
from server.domain.consent import Consent, is_within
from server.domain.contact import follows_gbv_rules
from server.domain.deadlines import KINDS, Deadline, begin, is_term
from server.domain.errors import ReferralRefused
from server.domain.places import Gazetteer

# Why a complaint can't go to a destination, the weightiest first.
Block = Literal[
    "suspended",
    "not_valid",
    "own_people",
    "withdrawn",
    "gbv",
    "consent_level",
    "consent_body",
    "consent_expired",
    "no_assent",
    "kind",
    "place",
    "facts_missing",
    "there",
]
State = Literal["prepared", "sent", "received", "silent", "answered", "refused", "recalled", "cancelled"]
# What of a complaint can be sent; nothing else ever is.
Part = Literal["facts", "statement", "identity", "contacts"]
Weight = Literal["stage", "final", "harmful"]

# By consent, the parts that it allows; of any other level nothing.
_ALLOWED: Final[Mapping[str, frozenset[Part]]] = {
    "C2": frozenset({"facts"}),
    "C3": frozenset({"facts", "statement", "identity"}),
    "C4": frozenset({"facts", "statement", "identity", "contacts"}),
}
# Facts without a name, and with it to a body that the person chose.
_UNNAMED: Final = "C2"
_NAMED: Final = "C3"
# A consent that every other one allows, and what stands against sending where one member of what is asked is too much.
_LEAST: Final[Consent] = {"level": "C0", "expires": "", "withhold": ""}
_TOO_MUCH: Final[Mapping[str, Block]] = {
    "level": "consent_level",
    "bodies": "consent_body",
    "expires": "consent_expired",
}
# Where each state may lead.
NEXT: Final[Mapping[State, frozenset[State]]] = {
    "prepared": frozenset({"sent", "cancelled"}),
    "sent": frozenset({"received", "silent", "answered", "refused", "recalled"}),
    "received": frozenset({"silent", "answered", "refused", "recalled"}),
    "silent": frozenset({"received", "answered", "refused", "recalled"}),
    "answered": frozenset({"answered", "recalled"}),
    "refused": frozenset(),
    "recalled": frozenset(),
    "cancelled": frozenset(),
}


@dataclass(frozen=True)
class Programme:
    """What complaints are referred under. `outcomes`: what it may answer, and what that means for the referral."""

    code: str
    takes: tuple[str, ...]
    sectors: frozenset[str]
    needs: str
    gbv: bool
    asks: frozenset[str]
    answer: str
    outcomes: Mapping[str, Weight]

    @property
    def key(self) -> str:
        """Of its words in the catalogues."""
        return f"programme.{self.code}"

    def outcome_key(self, outcome: str) -> str:
        """Of the words for an outcome. Raises KeyError for one that it does not know."""
        if outcome not in self.outcomes:
            raise KeyError(outcome)
        return f"outcome.{self.code}.{outcome}"

    def is_for(self, kinds: Collection[str], sector: str | None) -> bool:
        """Whether a complaint of these kinds and this sector is its business."""
        is_kind = not self.takes or any(kind.startswith(self.takes) for kind in kinds)
        return is_kind and (not self.sectors or sector in self.sectors)


@dataclass(frozen=True)
class Destination:
    """A body at a place, under one programme. `place`: what it covers, None for the whole country.

    `valid_to` is its last day, `answer_term` a term of its own, as ISO 8601 has it. Suspending and lifting that is one
    act each, and nothing else about it changes.
    """

    code: str
    body: str
    programme: str
    place: str | None
    valid_from: date
    valid_to: date | None = None
    suspended_at: datetime | None = None
    answer_term: str | None = None

    def is_valid(self, day: date) -> bool:
        """Whether it exists on that day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def suspended(self, now: datetime) -> "Destination":
        """The destination, to which nothing goes from now on; suspended before, it stays so since then."""
        return self if self.suspended_at is not None else replace(self, suspended_at=now)

    def reopened(self) -> "Destination":
        """The destination, no longer suspended."""
        return replace(self, suspended_at=None)


@dataclass(frozen=True)
class Sendable:
    """One complaint of a case, as a referral goes by it: its own consent as it stands, and no other's.

    `withdrawn` is empty or a scope; `known`: which of the facts that a programme may ask for are there, but for its
    place; `at`: since when by the code of each destination that has it already.
    """

    complaint: int
    kinds: frozenset[str]
    sector: str | None
    place: str | None
    consent: Consent
    withdrawn: str = ""
    known: frozenset[str] = frozenset()
    at: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Accused:
    """Whom a case accuses, in the acts of all its complaints."""

    acts: tuple[Act, ...]


@dataclass(frozen=True)
class Referral:
    """What was sent to one destination, and what came back; `reminded_at`: when it was last asked once more."""

    programme: str
    state: State = "prepared"
    sent_at: datetime | None = None
    answered_at: datetime | None = None
    outcome: str | None = None
    external_ref: str | None = None
    reminders: int = 0
    reminded_at: datetime | None = None

    @property
    def stands(self) -> bool:
        """Whether the body has what was sent, and did not give it back."""
        return self.state in ("sent", "received", "silent", "answered")

    @property
    def is_waiting(self) -> bool:
        """Whether it was sent, and neither answered nor given up."""
        return self.state in ("sent", "received")

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come of it."""
        is_final = self.outcome is not None and PROGRAMMES[self.programme].outcomes[self.outcome] != "stage"
        return not NEXT[self.state] or (self.state == "answered" and is_final)


def blocks(each: Sendable, to: Destination, accused: Accused, day: date, places: Gazetteer | None) -> tuple[Block, ...]:
    """All that stands against sending this complaint there, the weightiest first; empty: it may go.

    A body whose own people one complaint of the case accuses gets none of them. Where the place is not known, or there
    is no list of places, it does not stand against it.
    """
    found = {*_of_destination(to, accused, day), *_of_consent(each, to, day), *_of_facts(each, to, places)}
    return tuple(block for block in BLOCKS if block in found)


def sendable(
    case: Sequence[Sendable], to: Destination, accused: Accused, day: date, places: Gazetteer | None
) -> dict[int, tuple[Block, ...]]:
    """By complaint, what stands against sending it: each goes by its own consent, and none lends it to another."""
    return {each.complaint: blocks(each, to, accused, day, places) for each in case}


def parts(each: Sendable, to: Destination) -> frozenset[Part]:
    """What of a complaint that may go there is sent: what consent allows that very body.

    A body that nobody chose gets facts at most. Who asked that a thing be withheld is not quoted: the words may say it.
    """
    return _allowed(each.consent, is_chosen=to.body in each.consent.get("bodies", ()))


def may_share_media(each: Sendable, to: Destination) -> bool:
    """Whether that very body may have copies of the files of a complaint.

    A face or a voice names a person: it gets them with the identity alone, where the person lets files be shared. Of
    who asked that a thing be withheld it gets none: they may show it, or say it.
    """
    return {"identity", "statement"} <= parts(each, to) and each.consent.get("share_media") is True


def parts_at_most(each: Sendable, day: date) -> frozenset[Part]:
    """What any body may get of a complaint by its consent, one that the person chose; nothing where none may have it.

    Kinds and places, by which one body or another is not the right one, don't count.
    """
    bodies = each.consent.get("bodies", ())
    # Whoever needs care goes with a name to a body that was chosen, or not at all.
    least: Consent = {"level": _NAMED if _needs_care(each) else _UNNAMED, "expires": day.isoformat()}
    may_go = is_within({**_LEAST, **least}, each.consent) and (bool(bodies) or not _needs_care(each))
    if each.withdrawn or _is_without_assent(each) or not may_go:
        return frozenset()
    return _allowed(each.consent, is_chosen=bool(bodies))


def is_taken_back(each: Sendable, to: Destination, sent: Collection[str]) -> bool:
    """Whether consent as it stands no longer covers the parts that were sent there: the body has to be told.

    A consent that ran out since then was good when it was used.
    """
    return bool(_of_consent(each, to, date.min)) or not set(sent) <= parts(each, to)


def check_destination(to: Destination) -> None:
    """Raises ReferralRefused for a body that does not work under that programme, dates reversed, and a false term."""
    if to.programme not in BODIES.get(to.body, ()):
        raise ReferralRefused(fault="programme", body=to.body, programme=to.programme)
    if to.valid_to is not None and to.valid_to < to.valid_from:
        raise ReferralRefused(fault="dates", body=to.body)
    if to.answer_term is not None and not is_term(to.answer_term):
        raise ReferralRefused(fault="term", term=to.answer_term)


def answer_deadline(to: Destination, sent_at: datetime, calendar: Calendar) -> Deadline:
    """By when that destination owes an answer: by its own term, else by that of its programme."""
    return begin(PROGRAMMES[to.programme].answer, sent_at, calendar, term=to.answer_term)


def check(each: Sendable, to: Destination, accused: Accused, day: date, places: Gazetteer | None) -> None:
    """Whatever sends asks this of every complaint, in the transaction that sends. Raises ReferralRefused."""
    found = blocks(each, to, accused, day, places)
    if found:
        raise refused(each, to, found)


def refused(each: Sendable, to: Destination, found: Sequence[Block]) -> ReferralRefused:
    """That a complaint can't go there, by all that stands against it; since when it is there, if it is."""
    since = each.at.get(to.code)
    return ReferralRefused(fault=found[0], blocks=tuple(found), complaint=each.complaint, body=to.body, since=since)


def move(
    referral: Referral, to: State, now: datetime, *, outcome: str | None = None, external_ref: str | None = None
) -> Referral:
    """The referral in its next state. `outcome`: with an answer, one that its programme knows.

    Raises ReferralRefused: from a state that does not lead there, after the last answer, or for an unknown outcome.
    """
    if to not in NEXT[referral.state] or (to == "answered" and referral.is_over):
        raise ReferralRefused(fault="state", state=referral.state, to=to)
    outcomes = PROGRAMMES[referral.programme].outcomes
    if (to == "answered") != (outcome is not None) or (outcome and outcome not in outcomes):
        raise ReferralRefused(fault="outcome", programme=referral.programme, outcome=outcome)
    moved = replace(referral, state=to, external_ref=external_ref or referral.external_ref)
    if to == "sent":
        return replace(moved, sent_at=now)
    return replace(moved, outcome=outcome, answered_at=now) if to == "answered" else moved


def remind(referral: Referral, now: datetime) -> Referral:
    """The body was asked once more. Raises ReferralRefused where it owes no answer."""
    if not referral.is_waiting and referral.state != "silent":
        raise ReferralRefused(fault="state", state=referral.state, to="reminded")
    return replace(referral, reminders=referral.reminders + 1, reminded_at=now)


def possible(referral: Referral) -> frozenset[str]:
    """What somebody may note of it next: the states it may be brought to, and `reminded` where it owes an answer.

    That it is sent, or silent, is not for somebody to note.
    """
    over: set[str] = {"answered"} if referral.is_over else set()
    owes: set[str] = {"reminded"} if referral.is_waiting or referral.state == "silent" else set()
    return frozenset((NEXT[referral.state] - over - {"sent", "silent"}) | owes)


def is_harmful(programme: str, outcome: str) -> bool:
    """Whether that answer leaves the person worse off: somebody has to act at once."""
    return PROGRAMMES[programme].outcomes[outcome] == "harmful"


def _allowed(consent: Consent, *, is_chosen: bool) -> frozenset[Part]:
    """What a body gets by a consent; `is_chosen`: by the person."""
    level = str(consent["level"])
    allowed = _ALLOWED.get(level if is_chosen else min(level, _UNNAMED), frozenset())
    return allowed - {"statement"} if "withhold" in consent else allowed


def _of_destination(to: Destination, accused: Accused, day: date) -> set[Block]:
    found: set[Block] = {"suspended"} if to.suspended_at is not None else set()
    if not to.is_valid(day):
        found.add("not_valid")
    if is_own_people(to.body, accused.acts):
        found.add("own_people")
    return found


def _of_consent(each: Sendable, to: Destination, day: date) -> set[Block]:
    found: set[Block] = {"withdrawn"} if each.withdrawn else set()
    if _is_without_assent(each):
        found.add("no_assent")
    for member, value in _asked(each, to, day).items():
        if not is_within({**_LEAST, member: value}, each.consent):
            found.add(_TOO_MUCH[member])
    return found


def _is_without_assent(each: Sendable) -> bool:
    return each.consent.get("given_by") == "guardian" and each.consent.get("assent") is False


def _asked(each: Sendable, to: Destination, day: date) -> Consent:
    """What of consent sending takes. Whoever chose bodies chose no other, not even for facts without a name."""
    is_named = PROGRAMMES[to.programme].needs == _NAMED or _needs_care(each)
    asked: Consent = {"level": _NAMED if is_named else _UNNAMED, "expires": day.isoformat()}
    return {**asked, "bodies": [to.body]} if is_named or each.consent.get("bodies") else asked


def _of_facts(each: Sendable, to: Destination, places: Gazetteer | None) -> set[Block]:
    programme, found = PROGRAMMES[to.programme], set[Block]()
    if _needs_care(each) and not programme.gbv:
        found.add("gbv")
    if not programme.is_for(each.kinds, each.sector):
        found.add("kind")
    if programme.asks - each.known - ({"cercle"} if _has_cercle(each, places) else set()):
        found.add("facts_missing")
    if to.code in each.at:
        found.add("there")
    if to.place is not None and each.place is not None and places is not None:
        around = {place.id for place in places.upward(each.place)}
        found |= {"place"} if to.place not in around else set()
    return found


def _has_cercle(each: Sendable, places: Gazetteer | None) -> bool:
    """Whether its place is no wider than a cercle, as far as a list of places says so."""
    return each.place is not None and (places is None or places.cercle_of(each.place) is not None)


def _needs_care(each: Sendable) -> bool:
    return any(map(follows_gbv_rules, each.kinds))


def _programme(code: str, row: Mapping[str, Any]) -> Programme:
    if row["answer"] not in KINDS or row["needs"] not in (_UNNAMED, _NAMED):
        raise ValueError(f"programmes.toml: {code}")
    return Programme(
        code=code,
        takes=tuple(row["takes"]),
        sectors=frozenset(row.get("sectors", ())),
        needs=row["needs"],
        gbv=row["gbv"],
        asks=frozenset(row.get("asks", ())),
        answer=row["answer"],
        outcomes=row["outcomes"],
    )


_DATA: Final = tomllib.loads((resources.files("server.domain") / "programmes.toml").read_text("utf-8"))
BLOCKS: Final[tuple[Block, ...]] = get_args(Block)
PARTS: Final[tuple[Part, ...]] = get_args(Part)
PROGRAMMES: Final[Mapping[str, Programme]] = {code: _programme(code, row) for code, row in _DATA["programme"].items()}
# Categories of accused whose people are officials.
OFFICIALS: Final[frozenset[str]] = frozenset(_DATA["officials"])
# Programmes by the body that works under them.
BODIES: Final[Mapping[str, Sequence[str]]] = _DATA["body"]
