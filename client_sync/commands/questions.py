"""The nine questions, and the two that only some answers call for, in the order in which people tell."""

import calendar
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from client_sync.cards import REASONS
from client_sync.commands.asking import Asker, Option
from client_sync.commands.counts import shown_bytes
from client_sync.commands.problems import sentence
from client_sync.commands.session import Session
from client_sync.complaint import Answers, Attachment, Consent, Contact, Money, Person, Urgency, has_minor, is_gbv
from client_sync.errors import FileRefused
from client_sync.outbox import Outbox
from client_sync.paper import FAMILIES
from client_sync.places import PLACES, Place
from client_sync.protocol.limits import JSON_INTEGER_MAX, NARRATIVE_MAX_CHARS
from client_sync.protocol.records import read_day
from client_sync.protocol.vocabulary import VOCABULARY, label

_URGENCY: Final = ("within_72h", "minor", "detained", "reprisals", "witness", "eviction")
_WHEN: Final = ("today", "yesterday", "this_week", "earlier", "unknown")
# Somebody is held or gone, by what the kind itself says.
_HELD_KINDS: Final = frozenset({"HR-ARR", "HR-DET", "HR-DIS", "HR-ABD"})
_NAMED_LEVELS: Final = frozenset({"C3", "C4"})
_KINDS_MOST: Final = 5
# As the shapes of `protocol.records` have them: what is refused while it is typed can still be put right.
_PEOPLE_MOST: Final = 1_000_000
_SAID_MOST_CHARS: Final = 500
_NAME_MOST_CHARS: Final = 200
_PHONE_MOST_CHARS: Final = 80
_FIRST_LANGUAGES: Final = ("fra", "bam")
# Who passes the question over says by that that it was not put.
_CONTACT_ANSWERS: Final = ("yes", "in_person", "never")
_DAY: Final = re.compile(r"(?:(?:(\d{1,2})[/. -])?(\d{1,2})[/. -])?(\d{4})")

Ask = Callable[[Asker, Answers], Answers]


@dataclass(frozen=True)
class Question:
    """One question: `ask` gives the answers with what was said, `applies` whether they call for it."""

    name: str
    ask: Ask
    applies: Callable[[Answers], bool] = lambda _: True


def reasons(answers: Answers) -> list[str]:
    """Why an emergency card has to be shown, by what was answered so far; reasons of `client_sync.cards`."""
    found = {
        "danger": answers.danger == "yes",
        "gbv": is_gbv(answers),
        "child": has_minor(answers),
        "detention": answers.urgency.detained is True or not _HELD_KINDS.isdisjoint(answers.kinds),
    }
    return [reason for reason in REASONS if found[reason]]


def _options(asker: Asker, list_name: str, codes: tuple[str, ...] | None = None) -> list[Option]:
    listed = VOCABULARY.lists[list_name] if codes is None else codes
    return [(code, label(list_name, code, asker.texts.language)) for code in listed]


def _danger(asker: Asker, answers: Answers) -> Answers:
    asker.title("question.danger")
    danger = asker.choose(_options(asker, "danger"))
    if danger != "yes":
        return replace(answers, danger=danger, urgency=Urgency())
    asker.title("question.urgency")
    named = asker.several([(code, asker.texts.text(f"urgency.{code}")) for code in _URGENCY], most=len(_URGENCY))
    return replace(answers, danger=danger, urgency=Urgency(**dict.fromkeys(named, True)))


def _story(asker: Asker, answers: Answers) -> Answers:
    asker.title("question.story", "question.story_hint")
    narrative = asker.lines(NARRATIVE_MAX_CHARS)
    if narrative is None:
        return replace(answers, narrative=None, narrative_language=None)
    return replace(answers, narrative=narrative, narrative_language=_language(asker))


def _language(asker: Asker) -> str | None:
    asker.title("question.language")
    first = [*_options(asker, "language", _FIRST_LANGUAGES), ("", asker.texts.text("ask.other"))]
    chosen = asker.choose(first)
    if chosen != "":
        return chosen
    rest = tuple(code for code in VOCABULARY.lists["language"] if code not in _FIRST_LANGUAGES)
    return asker.choose(_options(asker, "language", rest))


def _family(asker: Asker, answers: Answers) -> Answers:
    asker.title("question.family")
    family = asker.choose([(code, asker.texts.text(f"family.{code}")) for code in FAMILIES])
    if family is None:
        return replace(answers, kinds=Answers.kinds)
    kinds = tuple(code for code in VOCABULARY.kinds if VOCABULARY.family(code) == family)
    if len(kinds) > 1:
        asker.title("question.kinds")
        kinds = tuple(asker.several(_options(asker, "kind", kinds), most=_KINDS_MOST)) or _other_kind(kinds)
    return replace(answers, kinds=kinds, money=answers.money if family == "corruption" else Money())


def _other_kind(kinds: tuple[str, ...]) -> tuple[str, ...]:
    """The family's own *other*, where it has one: who skips the detail has still said the family."""
    return tuple(code for code in kinds if code.endswith("-OTH")) or Answers.kinds


def _place(asker: Asker, answers: Answers) -> Answers:
    return _said(asker, _cercle(asker, answers))


def _cercle(asker: Asker, answers: Answers) -> Answers:
    asker.title("question.place", "question.place_hint")
    while (words := asker.line()) is not None:
        found = PLACES.regions() if words == "?" else PLACES.search(words)
        if not found:
            asker.session.say("question.place_unknown")
            continue
        if (place := _pick_place(asker, found)) is not None:
            return replace(answers, cercle=place.id, places=PLACES.version)
    return replace(answers, cercle=None, places=None)


def _pick_place(asker: Asker, found: list[Place]) -> Place | None:
    id = asker.choose([(place.id, _place_words(asker, place)) for place in found])
    if id is None:
        return None
    cercles = PLACES.cercles_of(id)
    if not cercles:
        return PLACES.places[id]
    asker.title("question.cercle_of")
    inner = asker.choose([(place.id, _place_words(asker, place)) for place in cercles])
    return PLACES.places[inner or id]


def _place_words(asker: Asker, place: Place) -> str:
    if place.within is None:
        return asker.texts.text("place.region", name=place.name)
    return asker.texts.text("place.cercle", name=place.name, region=PLACES.places[place.within].name)


def _said(asker: Asker, answers: Answers) -> Answers:
    asker.title("question.place_said")
    return replace(answers, place_said=asker.line(most_chars=_SAID_MOST_CHARS))


def _when(asker: Asker, answers: Answers) -> Answers:
    asker.title("question.when")
    today = asker.session.now().date()
    told = asker.choose([(code, asker.texts.text(f"when.{code}")) for code in _WHEN])
    if told in ("today", "yesterday"):
        return _on(answers, today - timedelta(days=told == "yesterday"), "day")
    if told == "this_week":
        return _on(answers, today - timedelta(days=6), "week", today)
    if told == "earlier":
        return _earlier(asker, answers)
    return replace(
        answers, incident_from=None, incident_to=None, incident_precision=None if told is None else "unknown"
    )


def _earlier(asker: Asker, answers: Answers) -> Answers:
    asker.title("question.day", "question.day_hint")
    while (typed := asker.line()) is not None:
        if (span := read_span(typed)) is not None:
            first, last, precision = span
            if precision == "day":
                asker.title("question.sure")
                sure = asker.choose([(code, asker.texts.text(f"sure.{code}")) for code in ("day", "estimate")])
                return _on(answers, first, sure or "estimate")
            return _on(answers, first, precision, last)
        asker.session.say("question.day_unread")
    return replace(answers, incident_from=None, incident_to=None, incident_precision="unknown")


def read_span(typed: str) -> tuple[date, date, str] | None:
    """First day, last day and precision of `3/10/2026`, `2026-10-03`, `10/2026` or `2026`; None for anything else."""
    if (whole := read_day(typed.strip())) is not None:
        return whole, whole, "day"
    match = _DAY.fullmatch(typed.strip())
    if match is None:
        return None
    day, month, year = (int(part) if part else None for part in match.groups())
    assert year is not None
    try:
        if month is None:
            return date(year, 1, 1), date(year, 12, 31), "year"
        if day is None:
            return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]), "month"
        return date(year, month, day), date(year, month, day), "day"
    except ValueError:
        return None


def _on(answers: Answers, first: date, precision: str, last: date | None = None) -> Answers:
    return replace(
        answers,
        incident_from=first.isoformat(),
        incident_to=last.isoformat() if last is not None else None,
        incident_precision=precision,
    )


def _who(asker: Asker, answers: Answers) -> Answers:
    asker.title("question.who")
    categories = asker.several(_options(asker, "perpetrator_category"), most=5)
    accused = tuple(Person(("alleged_perpetrator",), category=category) for category in categories)
    if len(accused) == 1:
        accused = (replace(accused[0], count=asker.whole("question.how_many", _PEOPLE_MOST)),)
    return replace(answers, perpetrators=accused)


def _money(asker: Asker, answers: Answers) -> Answers:
    asker.title("question.money")
    asked = asker.whole("question.asked", JSON_INTEGER_MAX, "ask.not_an_amount")
    asker.title("question.paid")
    paid = asker.choose(_options(asker, "paid"))
    gave = paid in ("yes", "partial")
    paid_xof = asker.whole("question.how_much", JSON_INTEGER_MAX, "ask.not_an_amount") if gave else None
    receipt = asker.agrees("question.receipt_given") if gave else None
    return replace(answers, money=Money(asked_xof=asked, paid_xof=paid_xof, paid=paid, receipt_given=receipt))


def _victims(asker: Asker, answers: Answers) -> Answers:
    asker.title("question.victims")
    self_told = asker.agrees("question.speaker")
    first = [_victim(asker, ("complainant", "victim"), count=None)] if self_told else []
    others = list(_other_victims(asker, "question.how_many" if not first else "question.how_many_more"))
    relation = "victim" if self_told else answers.relation
    return replace(answers, victims=(*first, *others), relation=relation)


def _other_victims(asker: Asker, key: str) -> tuple[Person, ...]:
    groups: list[Person] = []
    while count := asker.whole(key, _PEOPLE_MOST):
        groups.append(_victim(asker, ("victim",), count))
        key = "question.how_many_more"
    return tuple(groups)


def _victim(asker: Asker, roles: tuple[str, ...], count: int | None) -> Person:
    asker.title("question.sex")
    sex = asker.choose(_options(asker, "sex"))
    asker.title("question.age")
    return Person(roles, sex=sex, age=asker.choose(_options(asker, "age_band")), count=count)


def _pieces(asker: Asker, answers: Answers) -> Answers:
    """Files are sealed as they are named; those of a question that is left before its end are let go."""
    asker.title("question.pieces")
    if not asker.agrees("question.pieces_hint"):
        return answers
    with asker.session.outbox() as outbox, outbox.files.kept_together() as taken:
        while (typed := asker.line("question.piece")) is not None:
            taken += _taken_in(asker, outbox, typed, (*answers.files, *taken))
    if taken:
        asker.session.say("question.pieces_keep")
    return replace(answers, files=(*answers.files, *taken))


def _taken_in(asker: Asker, outbox: Outbox, typed: str, beside: Sequence[Attachment]) -> list[Attachment]:
    """The file that was named, sealed; none when it is refused, which is said with its reason."""
    # A terminal into which a file is dragged puts quotes around its name.
    source = Path(typed.strip("'\"")).expanduser()
    try:
        attachment = take_in(asker.session, outbox, source, beside)
    except FileRefused as refusal:
        asker.session.write(sentence(refusal, asker.session))
        return []
    kind = label("file_kind", attachment.kind, asker.texts.language)
    asker.session.say("question.piece_taken", kind=kind, size=shown_bytes(asker.session, attachment.size))
    return [attachment]


def take_in(session: Session, outbox: Outbox, source: Path, beside: Sequence[Attachment]) -> Attachment:
    """Seal a file for a complaint that has others `beside` it, within the limits of the organisation.

    Raises FileRefused, StoreFull and StoreFailed.
    """
    enrolled = outbox.enrolled
    keyring = None if enrolled is None else enrolled.trusted_keyring
    limits = None if keyring is None else keyring.file_limits
    return outbox.files.take_in(source, now=session.now(), beside=beside, limits=limits)


def _consent(asker: Asker, answers: Answers) -> Answers:
    asker.title("question.consent", "question.consent_hint")
    levels = VOCABULARY.lists["consent_level"]
    level = asker.choose([(code, asker.texts.text(f"consent.{code}")) for code in levels], may_skip=False)
    assert level is not None
    consent = Consent(level, language=answers.narrative_language)
    if level != levels[0]:
        consent = _given(asker, answers, replace(consent, on=asker.session.now().date().isoformat()))
    asker.session.say("question.consent_change")
    return _contact(asker, replace(answers, consent=replace(consent, withhold=_withheld(asker))))


def _given(asker: Asker, answers: Answers, consent: Consent) -> Consent:
    bodies: list[str] = []
    if consent.level in _NAMED_LEVELS:
        bodies = _bodies(asker)
    asker.title("question.given_by")
    given_by = asker.choose(_options(asker, "consent_given_by"))
    assent = asker.agrees("question.assent") if has_minor(answers) else None
    asker.title("question.given_how")
    form = asker.choose(_options(asker, "consent_form"))
    aloud = asker.agrees("question.read_aloud")
    return replace(consent, bodies=tuple(bodies), given_by=given_by, assent=assent, form=form, read_aloud=aloud)


def _bodies(asker: Asker) -> list[str]:
    """The bodies chosen; who chooses none is warned and asked once more."""
    asker.title("question.bodies")
    options = _options(asker, "body")
    if chosen := asker.several(options, most=len(options)):
        return chosen
    asker.session.say("question.bodies_none")
    return asker.several(options, most=len(options))


def _withheld(asker: Asker) -> str | None:
    if not asker.agrees("question.withhold"):
        return None
    asker.title("question.withhold_why")
    return asker.choose(_options(asker, "withhold_reason"))


def _contact(asker: Asker, answers: Answers) -> Answers:
    asker.title("question.contact")
    contact_ok = asker.choose(_options(asker, "contact_ok", _CONTACT_ANSWERS))
    if contact_ok != "yes":
        return replace(answers, contact_ok=contact_ok, contact=Contact())
    names = ("how", "when", "through", "say")
    said = {name: asker.line(f"question.contact_{name}", _NAME_MOST_CHARS) for name in names}
    return replace(answers, contact_ok=contact_ok, contact=Contact(**said))


def _identity(asker: Asker, answers: Answers) -> Answers:
    asker.title("question.identity", "question.identity_why")
    name = asker.line("question.name", _NAME_MOST_CHARS)
    if name is None:
        asker.session.say("question.name_none")
        name = asker.line("question.name", _NAME_MOST_CHARS)
    phone = asker.line("question.phone", _PHONE_MOST_CHARS)
    if answers.victims and "complainant" in answers.victims[0].roles:
        speaker = replace(answers.victims[0], name=name, phone=phone)
        return replace(answers, victims=(speaker, *answers.victims[1:]))
    return replace(answers, others=(Person(("complainant",), name=name, phone=phone),))


QUESTIONS: Final = (
    Question("danger", _danger),
    Question("story", _story),
    Question("family", _family),
    Question("place", _place),
    Question("when", _when),
    Question("who", _who),
    Question("money", _money, lambda answers: VOCABULARY.family(answers.kinds[0]) == "corruption"),
    Question("victims", _victims),
    Question("pieces", _pieces),
    Question("consent", _consent),
    Question("identity", _identity, lambda answers: answers.consent.level in _NAMED_LEVELS),
)

_BY_NAME: Final = {question.name: question for question in QUESTIONS}
_FACTS: Final = ("danger", "family", "when", "who", "money", "victims", "consent", "identity")
# What a revision can replace, and the questions that say it anew. Facts and identity share the numbers of persons:
# to replace one without the other could give a name to somebody else.
PARTS: Final = {
    "story": (("statement",), (_BY_NAME["story"],)),
    "exact_place": (("traces",), (Question("said", _said),)),
    "facts": (("facts", "identity"), (Question("cercle", _cercle), *(_BY_NAME[name] for name in _FACTS))),
}
