"""Letters: what leaves the hub for a body, line by line, from what each complaint allows and from nothing else."""

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal

from client_sync.protocol.vocabulary import label
from server.domain import referral as rules
from server.domain.complaint import Person
from server.domain.desk import Desk
from server.domain.errors import NotFound, ReferralRefused
from server.domain.places import cercle_name
from server.domain.referral import Destination
from server.i18n import catalogue
from server.services.cases import phrases
from server.services.cases.referring import View
from server.services.cases.sending import Going, Plan, Sheet, reference

Kind = Literal["letter", "draft", "copy", "recall", "reminder"]

# Of a person whose name goes along, what the person is to the facts; everybody else stays unnamed.
_NAMED_ROLES: Final = frozenset({"complainant", "victim"})
_CONTACT: Final = ("how", "when", "through", "say")
_CODE_BYTES: Final = 10


@dataclass(frozen=True)
class Words:
    """What was opened of one complaint for a letter, by whoever may: `contacts` may be said only where it may be used.

    None: it is not there, or was not opened.
    """

    statement: Mapping[str, Any] | None = field(default=None, repr=False)
    identity: Mapping[str, Any] | None = field(default=None, repr=False)
    with_contacts: bool = False


@dataclass(frozen=True)
class Letter:
    """A letter as it leaves, in UTF-8; `digest` is its SHA-256, `sheets` what of each complaint really stands in it."""

    text: bytes = field(repr=False)
    digest: str
    sheets: Sequence[Sheet]


def needed(going: Going) -> list[Literal["statement", "identity"]]:
    """The compartments of a complaint that have to be opened for a letter that says all it may."""
    compartments: tuple[Literal["statement", "identity"], ...] = ("statement", "identity")
    return [each for each in compartments if each in going.parts]


def compose(plan: Plan, words: Mapping[int, Words], desk: Desk, language: str, kind: Kind = "letter") -> Letter:
    """The letter that goes with a referral, or a draft or copy of it; `words` by complaint.

    Each has a code of its own, which is kept nowhere else: from a digest alone nobody can guess what went.
    """
    writer = _Writer(desk, language)
    sheets = [_sheet(each, words.get(each.complaint, Words())) for each in plan.going]
    lines = [*writer.head(kind, plan.destination, plan.ref, desk.now)]
    lines += [writer.text("due", day=writer.day(plan.due_on))] if kind != "copy" else []
    for going, sheet in zip(plan.going, sheets, strict=True):
        lines += ["", *writer.sheet(going, sheet, words.get(going.complaint, Words()))]
    lines += ["", writer.text("keep"), writer.text("answer")]
    return _made(lines, sheets)


def compose_reminder(view: View, desk: Desk, language: str) -> Letter:
    """The letter by which a body is asked once more for an answer.

    Raises NotFound where nothing of what it has is for who asks, and ReferralRefused (`state`) where it owes none.
    """
    if not view.sent:
        raise NotFound(object=view.ref)
    if view.due_on is None or "reminded" not in rules.possible(view.kept.referral):
        raise ReferralRefused(fault="state")
    writer = _Writer(desk, language)
    lines = [*writer.about("reminder", view, desk.now)]
    lines += ["", writer.text("remind", sent=writer.day(view.kept.sent_at or desk.now), due=writer.day(view.due_on))]
    return _made([*lines, writer.text("answer")], ())


def compose_recall(view: View, desk: Desk, language: str) -> Letter:
    """The letter by which a body is asked to give back what it has.

    Raises NotFound where nothing of that is for who asks.
    """
    if not view.sent:
        raise NotFound(object=view.ref)
    writer = _Writer(desk, language)
    return _made([*writer.about("recall", view, desk.now), "", writer.text("give_back")], ())


def _made(lines: Sequence[str], sheets: Sequence[Sheet]) -> Letter:
    text = ("\n".join(lines) + "\n").encode()
    return Letter(text, hashlib.sha256(text).hexdigest(), sheets)


def _sheet(going: Going, words: Words) -> Sheet:
    there = {
        "facts": True,
        "statement": bool(words.statement and words.statement.get("narrative")),
        "identity": bool(_named(going.people, words.identity)),
        "contacts": words.with_contacts and _has_contacts(going.people, words.identity or {}),
    }
    return Sheet(going.complaint, tuple(part for part in going.parts if there[part]), going.revision)


def _named(people: Iterable[Person], identity: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Those of an identity who complain or suffered; a number that the facts don't have is nobody's."""
    if identity is None:
        return []
    of_them = {each.no for each in people if _NAMED_ROLES & set(each.roles.split())}
    persons = identity.get("persons")
    named = [each for each in persons or () if isinstance(each, dict) and each.get("name")]
    return [each for each in named if each.get("no") in of_them]


def _has_contacts(people: Iterable[Person], identity: Mapping[str, Any]) -> bool:
    phones = any(each.get("phone") for each in _named(people, identity))
    return phones or isinstance(identity.get("contact"), dict)


class _Writer:
    """Lines of a letter in one language."""

    def __init__(self, desk: Desk, language: str) -> None:
        self._places, self._from = desk.places, desk.coalition
        self._texts, self._language = catalogue(language), language

    def head(self, kind: Kind, to: Destination, ref: str, now: datetime) -> Iterator[str]:
        """What it is, from whom and to whom, under what, and by which it is known."""
        yield self.text(f"title_{kind}")
        if self._from:
            yield self.text("sender", coalition=_line(self._from))
        place = self.text("country") if to.place is None else self._place(to.place)
        yield self.text("to", body=phrases.body_word(self._texts, to.body), place=place)
        yield self.text("programme", programme=self._texts.text(f"programme.{to.programme}"))
        yield self.text("ours", number=ref, day=self.day(now), code=secrets.token_hex(_CODE_BYTES))

    def about(self, kind: Kind, view: View, now: datetime) -> Iterator[str]:
        """What was sent, by numbers alone."""
        yield from self.head(kind, view.destination, reference(view.ref, view.sent), now)
        yield ""
        for number in view.sent:
            yield self.text("complaint", number=number)
        if view.others:
            # Whoever writes this one may not name them.
            yield self._texts.plural("letter.others", view.others)

    def sheet(self, going: Going, sheet: Sheet, words: Words) -> Iterator[str]:
        """One complaint: its facts, then as much as its sheet has."""
        yield self.text("complaint", number=going.number)
        yield self.text(f"consent_{going.consent.lower()}")
        yield from self._facts(going, is_named="identity" in sheet.parts)
        if "statement" in sheet.parts and words.statement is not None:
            yield self.text("statement")
            yield from _indented(str(words.statement["narrative"]))
        if "identity" in sheet.parts:
            for each in _named(going.people, words.identity):
                yield self.text("person", no=each["no"], name=_line(each["name"]))
                if "contacts" in sheet.parts and each.get("phone"):
                    yield self.text("phone", phone=_line(each["phone"]))
        if "contacts" in sheet.parts:
            yield from self._contact(words.identity or {})

    def text(self, key: str, **values: object) -> str:
        """A line of its own."""
        return self._texts.text(f"letter.{key}", **values)

    def day(self, day: date) -> str:
        """A day as people here read it."""
        return phrases.day(self._texts, day)

    def _facts(self, going: Going, *, is_named: bool) -> Iterator[str]:
        report = going.report
        # Some of them have a comma of their own.
        yield self.text("kinds", kinds="; ".join(self._label("kind", each) for each in report.kinds))
        if report.incident_from:
            days = (report.incident_from, report.incident_to or report.incident_from)
            written = phrases.day if is_named else phrases.month
            first, last = (written(self._texts, date.fromisoformat(each)) for each in days)
            yield self.text("when_once", when=first) if first == last else self.text("when", first=first, last=last)
        yield self.text("where", place=self._place(report.place_id) if is_named else self._cercle(report.place_id))
        if report.sector:
            yield self.text("sector", sector=self._label("sector", report.sector))
        for key, amount in (("asked", report.asked_xof), ("paid", report.paid_xof)):
            if amount is not None:
                yield self.text(key, amount=amount)
        for each in going.people:
            yield self.text("somebody", no=each.no, what=", ".join(self._person(each, going.roles.get(each.no, ()))))

    def _person(self, each: Person, roles: Sequence[str]) -> Iterator[str]:
        for role in dict.fromkeys(roles):
            yield phrases.role(self._texts, role)
        for name, code in (("sex", each.sex), ("age_band", each.age), ("perpetrator_category", each.category)):
            if code is not None:
                yield self._label(name, code)
        if each.count is not None and each.count > 1:
            yield self.text("persons", count=each.count)

    def _contact(self, identity: Mapping[str, Any]) -> Iterator[str]:
        said = identity.get("contact")
        contact: Mapping[str, Any] = said if isinstance(said, dict) else {}
        for name in _CONTACT:
            if contact.get(name):
                yield self.text(f"contact_{name}", text=_line(contact[name]))

    def _cercle(self, place: str | None) -> str:
        """As near as goes along without a name."""
        return cercle_name(self._places, place) or self.text("unknown_place")

    def _place(self, place: str | None) -> str:
        """By its name alone: an id of ours says nothing to a body."""
        known = self._places.by_id.get(place or "") if self._places else None
        return known.name if known else self.text("unknown_place")

    def _label(self, name: str, code: str) -> str:
        return label(name, code, self._language)


def _line(text: object) -> str:
    """What somebody wrote, on one line, with nothing that could steer a printer or a terminal."""
    return "".join(char if char.isprintable() else " " for char in str(text))


def _indented(text: str) -> Iterator[str]:
    return (f"    {_line(line)}" for line in text.splitlines())
