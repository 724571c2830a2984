"""Phrases: what bodies, acts, findings, tasks and reports are called, in the words of who reads them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from client_sync.protocol.records import read_time
from client_sync.protocol.vocabulary import VOCABULARY, label
from server.domain.act import Involvement
from server.domain.complaint import Person
from server.domain.places import Gazetteer, place_name
from server.domain.referral import PROGRAMMES, Destination
from server.i18n import Catalogue

# What a report says, in the order in which a team is asked.
_REPORT: Final = ("heard", "documents", "note")
# What of a person or of a contact has a word.
_MEMBERS: Final = frozenset({"phone", "note", "how", "when", "through", "say"})


def body(texts: Catalogue, to: Destination, places: Gazetteer | None) -> str:
    """A destination: the body, and what it covers."""
    word = body_word(texts, to.body)
    return texts.text("referrals.at_place", body=word, place=place_name(places, to.place)) if to.place else word


def body_word(texts: Catalogue, code: str) -> str:
    """A body: in words of the vocabulary where devices tick it, else of the catalogue."""
    if code in VOCABULARY.codes("body"):
        return label("body", code, texts.language)
    return texts.text(f"body.{code}")


def parts(texts: Catalogue, named: Sequence[str]) -> str:
    """Parts of a complaint that go somewhere."""
    return ", ".join(texts.text(f"referrals.part_{part}") for part in named)


def outcomes(texts: Catalogue, programme: str) -> dict[str, str]:
    """What bodies answer under a programme, by code."""
    known = PROGRAMMES[programme]
    return {code: texts.text(known.outcome_key(code)) for code in known.outcomes}


def kind(texts: Catalogue, code: str) -> str:
    """A kind of act."""
    return label("kind", code, texts.language)


def finding(texts: Catalogue, state: str) -> str:
    """What an act is held to be: in words of the vocabulary where a team may find it, else of the catalogue."""
    if state in VOCABULARY.codes("finding"):
        return label("finding", state, texts.language)
    return texts.text(f"verification.state_{state}")


def method(texts: Catalogue, code: str) -> str:
    """A method of verification."""
    return label("verification_method", code, texts.language)


def certainty(texts: Catalogue, code: str) -> str:
    """How certain a finding is."""
    return label("certainty", code, texts.language)


def accused(texts: Catalogue, each: Involvement) -> str:
    """What a person who is accused is called, and what a court decided."""
    said = each.judgement
    words = [role(texts, each.role_shown)]
    if each.category is not None:
        words.append(label("perpetrator_category", each.category, texts.language))
    if said is not None:
        words.append(texts.text(f"verification.verdict_{said.verdict}"))
        words += [texts.text(f"verification.court_{said.court}"), day(texts, said.on)]
    return ", ".join(words)


def role(texts: Catalogue, code: str) -> str:
    """A role as it is shown: a court may have made another of it than the vocabulary has."""
    if code in VOCABULARY.codes("person_role"):
        return label("person_role", code, texts.language)
    return texts.text(f"role_shown.{code}")


def roles(texts: Catalogue, each: Person) -> str:
    """What a person is to the facts."""
    return ", ".join(role(texts, code) for code in each.roles.split())


def member(texts: Catalogue, name: str) -> str:
    """What was said of a person, or of reaching one; by its own name where there is no word for it."""
    return texts.text(f"identity.member_{name}") if name in _MEMBERS else name


def answers(texts: Catalogue, clear: Mapping[str, Any]) -> Iterator[str]:
    """A line for each thing that a team said in a report; as it came where there are no words for it, since the hub
    never saw it before."""
    words = {name: clear[name] for name in _REPORT if isinstance(clear.get(name), str)}
    for name, text in words.items():
        yield texts.text(f"tasks.report_{name}", text=" ".join(text.splitlines()))
    looks = clear["looks"] if isinstance(clear.get("looks"), list) else []
    for look in looks:
        yield _look(texts, look)
    others = {name: value for name, value in clear.items() if name not in words and not (name == "looks" and looks)}
    yield from (f"    {name}: {value}" for name, value in others.items())


def day(texts: Catalogue, when: date) -> str:
    """A day as people here read it."""
    return when.strftime(texts.text("usage.day"))


def month(texts: Catalogue, when: date) -> str:
    """As much of a day as goes along without a name."""
    return when.strftime(texts.text("usage.month"))


def _look(texts: Catalogue, look: Any) -> str:
    at = read_time(str(look.get("at"))) if isinstance(look, Mapping) else None
    if at is None:
        return f"    {look}"
    shown = at.strftime(texts.text("usage.moment"))
    return texts.text("tasks.report_look", at=shown, why=str(look.get("why", "")))
