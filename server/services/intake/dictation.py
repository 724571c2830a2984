"""Dictation: what stands on the console's form becomes the answers that a device would ask for, or faults by field."""

import calendar
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from client_sync.complaint import Answers, Consent, Contact, Money, Person, Urgency
from client_sync.protocol.limits import NARRATIVE_MAX_CHARS, TEXT_MAX_CHARS, YEAR_MIN
from client_sync.protocol.records import read_day
from client_sync.protocol.vocabulary import STRICT, VOCABULARY
from server.domain.places import Gazetteer

# Ways by which words reach the hub itself; what a device or a page of the public brings comes by its own door.
CHANNELS: Final = (
    "paper", "phone", "in_person", "letter", "sms", "messaging", "email", "radio", "referral", "other",
)  # fmt: skip
# At these levels a name leaves with the facts, and at no other is one asked for.
NAMED_LEVELS: Final = frozenset({"C3", "C4"})
URGENT: Final = ("within_72h", "minor", "detained", "reprisals", "witness", "eviction")
CONTACT: Final = ("how", "when", "through", "say")
CONTACT_ANSWERS: Final = ("yes", "in_person", "never")
# Rows of people who suffered beside the one who speaks.
GROUPS: Final = (1, 2, 3)
ACCUSED_MOST: Final = 5
# As the shapes of client_sync.protocol.records have them.
TEXT_LIMITS: Final = {
    "narrative": NARRATIVE_MAX_CHARS,
    "place_said": 500,
    "service": 200,
    "name": 200,
    "phone": 80,
    "contact_how": 200,
    "contact_when": 200,
    "contact_through": 200,
    "contact_say": TEXT_MAX_CHARS,
}
# By field, the list of the vocabulary of which it holds a code.
_CODES: Final = {
    "kind": "kind",
    "kind_2": "kind",
    "language": "language",
    "danger": "danger",
    "precision": "date_precision",
    "accused": "perpetrator_category",
    "speaker_sex": "sex",
    "speaker_age": "age_band",
    **{f"{name}_{no}": listed for no in GROUPS for name, listed in (("sex", "sex"), ("age", "age_band"))},
    "paid": "paid",
    "level": "consent_level",
    "bodies": "body",
    "given_by": "consent_given_by",
    "given_how": "consent_form",
    "withhold": "withhold_reason",
}
_REQUIRED: Final = ("channel", "kind", "danger", "level")
_NUMBERS: Final = {"accused_count": 10**6, **{f"count_{no}": 10**6 for no in GROUPS}} | {
    "asked_xof": 10**12,
    "paid_xof": 10**12,
}
_DAYS: Final = ("told_on", "first", "last")
_YES_NO: Final = {"yes": True, "no": False}
_DATED: Final = frozenset({"day", "week", "month", "year", "estimate"})
_WEEK: Final = timedelta(days=6)

Fields = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Dictated:
    """The answers, and by field of the form the code of what is wrong there; the answers count where nothing is."""

    answers: Answers = field(repr=False)
    faults: Mapping[str, str]


def read(typed: Fields, places: Gazetteer | None, today: date) -> Dictated:
    """What was typed into the form, by the name of its fields; `today` is the day of the hub."""
    form = _Form(typed)
    faults = dict(_faults(form, places, today))
    return Dictated(Answers() if faults else _answers(form, places, today), faults)


@dataclass(frozen=True)
class _Form:
    """The fields as text without what stands around it; what is empty was not said."""

    typed: Fields = field(repr=False)

    def text(self, name: str) -> str | None:
        """What was said in a field, with the line ends that devices write."""
        said = (self.typed.get(name) or [""])[0].replace("\r\n", "\n").strip()
        return said or None

    def several(self, name: str) -> tuple[str, ...]:
        """The codes that were chosen, each once."""
        return tuple(dict.fromkeys(filter(None, (each.strip() for each in self.typed.get(name, ())))))

    def number(self, name: str) -> int | None:
        """The number in a field of _NUMBERS; people put spaces into sums."""
        said = self.text(name)
        return None if said is None else int("".join(said.split()))

    def says(self, name: str) -> bool | None:
        return _YES_NO.get(self.text(name) or "")

    def ticked(self, name: str) -> bool | None:
        return True if self.text(name) else None


def _faults(form: _Form, places: Gazetteer | None, today: date) -> Iterator[tuple[str, str]]:
    yield from ((name, "missing") for name in _REQUIRED if form.text(name) is None)
    yield from _coded_faults(form)
    yield from ((name, "too_long") for name, most in TEXT_LIMITS.items() if len(form.text(name) or "") > most)
    yield from ((name, "not_a_number") for name, most in _NUMBERS.items() if not _is_number(form.text(name), most))
    yield from _day_faults(form, today)
    yield from _place_faults(form, places)
    yield from _consent_faults(form)


def _coded_faults(form: _Form) -> Iterator[tuple[str, str]]:
    for name, listed in _CODES.items():
        if not VOCABULARY.codes(listed).issuperset(form.several(name)):
            yield name, "not_listed"
    if (form.text("channel") or CHANNELS[0]) not in CHANNELS:
        yield "channel", "not_listed"
    if (form.text("contact_ok") or CONTACT_ANSWERS[0]) not in CONTACT_ANSWERS:
        yield "contact_ok", "not_listed"
    if len(form.several("accused")) > ACCUSED_MOST:
        yield "accused", "too_many"


def _is_number(said: str | None, most: int) -> bool:
    digits = "".join((said or "1").split())
    return digits.isascii() and digits.isdecimal() and len(digits) <= len(str(most)) and int(digits) <= most


def _day_faults(form: _Form, today: date) -> Iterator[tuple[str, str]]:
    days = {name: read_day(said) for name in _DAYS if (said := form.text(name)) is not None}
    for name, day in days.items():
        if day is None or day.year < YEAR_MIN:
            yield name, "no_day"
        elif day > today:
            yield name, "in_future"
    first, last = days.get("first"), days.get("last")
    if first is not None and last is not None and last < first:
        yield "last", "before_first"
    if form.text("precision") in _DATED and form.text("first") is None:
        yield "first", "missing"
    if form.text("first") is not None and form.text("precision") not in _DATED:
        yield "precision", "missing"


def _place_faults(form: _Form, places: Gazetteer | None) -> Iterator[tuple[str, str]]:
    around, exact = form.text("cercle"), form.text("place")
    if around is not None and (places is None or around not in places.by_id):
        yield "cercle", "not_listed"
    elif exact is not None and (places is None or around not in {each.id for each in places.upward(exact)}):
        yield "place", "elsewhere"


def _consent_faults(form: _Form) -> Iterator[tuple[str, str]]:
    level = form.text("level")
    if level in NAMED_LEVELS and form.text("name") is None:
        yield "name", "name_needed"
    if level is not None and level not in NAMED_LEVELS:
        yield from ((each, "name_not_asked") for each in ("name", "phone") if form.text(each) is not None)
    contact = [each for each in CONTACT if form.text(f"contact_{each}") is not None]
    if form.text("contact_ok") == "yes" and "how" not in contact:
        yield "contact_how", "how_needed"
    if form.text("contact_ok") != "yes" and contact:
        yield "contact_ok", "contact_unwanted"


def _answers(form: _Form, places: Gazetteer | None, today: date) -> Answers:
    told_on = form.text("told_on")
    victims = tuple(_victims(form))
    speaks = bool(victims) and "complainant" in victims[0].roles
    cercle, (first, last) = form.text("cercle"), _incident(form)
    return Answers(
        danger=form.text("danger"),
        urgency=Urgency(**{name: form.ticked(name) for name in URGENT}),
        narrative=form.text("narrative"),
        narrative_language=form.text("language") if form.text("narrative") else None,
        language=form.text("language"),
        kinds=tuple(dict.fromkeys((*form.several("kind"), *form.several("kind_2")))),
        cercle=cercle,
        places=places.version if places is not None and cercle is not None else None,
        place=form.text("place"),
        place_said=form.text("place_said"),
        incident_precision=form.text("precision"),
        incident_from=first,
        incident_to=last,
        perpetrators=_accused(form),
        money=_money(form),
        service=form.text("service"),
        victims=victims,
        others=() if speaks else tuple(_teller(form)),
        consent=_consent(form, told_on or today.isoformat()),
        contact=Contact(**{each: form.text(f"contact_{each}") for each in CONTACT}),
        confidentiality=STRICT if form.text("strict") else None,
        contact_ok=form.text("contact_ok"),
        channel=form.text("channel") or "",
        relation="victim" if speaks else None,
        # Of what was told today the moment of writing it down says more.
        collected_at=f"{told_on}T00:00:00Z" if told_on not in (None, today.isoformat()) else None,
    )


def _incident(form: _Form) -> tuple[str | None, str | None]:
    """First and last day of what happened, as far as they were said."""
    precision, said = form.text("precision"), form.text("first")
    if precision not in _DATED or said is None:
        return None, None
    first, last = _span(date.fromisoformat(said), precision)
    return first.isoformat(), form.text("last") or (None if last is None else last.isoformat())


def _span(day: date, precision: str) -> tuple[date, date | None]:
    """First and last day of what is known no nearer than its week, month or year."""
    match precision:
        case "week":
            monday = day - timedelta(days=day.weekday())
            return monday, monday + _WEEK
        case "month":
            return day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1])
        case "year":
            return date(day.year, 1, 1), date(day.year, 12, 31)
    return day, None


def _accused(form: _Form) -> tuple[Person, ...]:
    categories = form.several("accused")
    count = form.number("accused_count") if len(categories) == 1 else None
    return tuple(Person(("alleged_perpetrator",), category=each, count=count or None) for each in categories)


def _money(form: _Form) -> Money:
    return Money(
        asked_xof=form.number("asked_xof"),
        paid_xof=form.number("paid_xof"),
        paid=form.text("paid"),
        receipt_given=form.says("receipt_given"),
    )


def _victims(form: _Form) -> Iterator[Person]:
    if form.says("speaker") is True:
        sex, age = form.text("speaker_sex"), form.text("speaker_age")
        yield Person(("complainant", "victim"), sex=sex, age=age, name=form.text("name"), phone=form.text("phone"))
    for no in GROUPS:
        if count := form.number(f"count_{no}"):
            yield Person(("victim",), sex=form.text(f"sex_{no}"), age=form.text(f"age_{no}"), count=count)


def _teller(form: _Form) -> Iterator[Person]:
    """Who tells of it without having suffered, where the name is known."""
    if form.text("name") is not None:
        yield Person(("complainant",), name=form.text("name"), phone=form.text("phone"))


def _consent(form: _Form, on: str) -> Consent:
    level = form.text("level") or ""
    withhold = form.text("withhold")
    if level == VOCABULARY.lists["consent_level"][0]:
        return Consent(level, language=form.text("language"), withhold=withhold)
    return Consent(
        level,
        given_by=form.text("given_by"),
        form=form.text("given_how"),
        language=form.text("language"),
        read_aloud=form.ticked("read_aloud"),
        on=on,
        bodies=form.several("bodies") if level in NAMED_LEVELS else (),
        assent=form.says("assent"),
        withhold=withhold,
    )
