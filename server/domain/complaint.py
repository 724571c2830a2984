"""A complaint as the hub files it: the parsed columns, from the facts alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

Content = Mapping[str, Any]

# A claimed time this far ahead of the hub cannot be true, whatever the zone; a late one may be.
CLOCK_AHEAD_MAX: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Person:
    """A person as roles (codes, with a space between), sex and age band; who it is stands elsewhere, sealed."""

    no: int
    roles: str
    sex: str | None
    age: str | None
    category: str | None
    count: int | None
    displaced: str | None
    disability: bool | None


@dataclass(frozen=True, slots=True)
class File:
    """A file that the complaint lists, by the hash of what is sent."""

    sha256: str
    size: int
    kind: str
    role: str


@dataclass(frozen=True, slots=True)
class Facts:
    """The parsed columns of a complaint. Names are those of the table `complaint`.

    `urgency`: the urgency answers that are yes, with a space between; None when none was asked.
    """

    receipt: str
    form: str
    vocabulary: str
    kind: str
    channel: str
    relation: str | None
    sector: str | None
    language: str | None
    incident_from: str | None
    incident_to: str | None
    incident_precision: str | None
    place_id: str | None
    asked_xof: int | None
    paid_xof: int | None
    paid: str | None
    danger: str | None
    urgency: str | None
    consent_level: str
    consent: dict[str, Any]
    confidentiality: str
    contact_ok: str
    collected_at: datetime | None
    entered_at: datetime
    team: str | None
    partner: str | None


@dataclass(frozen=True, slots=True)
class Complaint:
    """A checked complaint, ready to be stored."""

    facts: Facts
    acts: list[str]
    persons: list[Person]
    files: list[File]


def clear_facts(content: Content) -> Mapping[str, Any]:
    """The facts of a checked complaint."""
    facts: Mapping[str, Any] = content["facts"]["clear"]
    return facts


def parse_complaint(content: Content, place_id: str | None) -> Complaint:
    """The complaint in a checked content; `place_id` is where the named place was found to be, if anywhere."""
    facts = clear_facts(content)
    return Complaint(
        facts=parse_facts(content, place_id),
        acts=list(dict.fromkeys(facts["kinds"])),
        persons=[_person(person) for person in _by_number(facts.get("persons", ()))],
        files=[File(file["sha256"], file["size"], file["kind"], file["role"]) for file in facts.get("files", ())],
    )


def parse_facts(content: Content, place_id: str | None) -> Facts:
    """The parsed columns of a checked content."""
    facts = clear_facts(content)
    incident, money, urgency = facts.get("incident", {}), facts.get("money", {}), facts.get("urgency")
    return Facts(
        receipt=facts["receipt"],
        form=content["form"],
        vocabulary=content["vocabulary"],
        kind=facts["kinds"][0],
        channel=facts["channel"],
        relation=facts.get("relation"),
        sector=facts.get("sector"),
        language=facts.get("language"),
        incident_from=incident.get("from"),
        incident_to=incident.get("to"),
        incident_precision=incident.get("precision"),
        place_id=place_id,
        asked_xof=money.get("asked_xof"),
        paid_xof=money.get("paid_xof"),
        paid=money.get("paid"),
        danger=urgency["danger"] if urgency else None,
        urgency=" ".join(sorted(name for name, answer in urgency.items() if answer is True)) if urgency else None,
        consent_level=facts["consent"]["level"],
        consent=facts["consent"],
        confidentiality=facts["confidentiality"],
        contact_ok=facts["contact_ok"],
        collected_at=claimed_time(facts.get("collected_at")),
        entered_at=_moment(facts["entered_at"]),
        team=facts.get("team"),
        partner=facts.get("partner"),
    )


def claimed_time(text: str | None) -> datetime | None:
    """The moment of a checked claimed time."""
    return None if text is None else _moment(text)


def is_ahead_of(content: Content, now: datetime) -> bool:
    """Whether a claimed time or day lies so far ahead that only a wrong clock can have written it."""
    return any(paths_ahead(content, now))


def paths_ahead(content: Content, now: datetime) -> list[str]:
    """Which claimed times and days lie so far ahead, as paths of the wire."""
    facts = clear_facts(content)
    latest = _latest(now)
    days = facts.get("incident", {})
    claimed = {
        "facts.entered_at": facts.get("entered_at"),
        "facts.collected_at": facts.get("collected_at"),
        "facts.incident.from": days.get("from"),
        "facts.incident.to": days.get("to"),
    }
    # Times and days of one width compare as text.
    return [path for path, text in claimed.items() if text is not None and text > latest]


@lru_cache(maxsize=1)
def _latest(now: datetime) -> str:
    return (now + CLOCK_AHEAD_MAX).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _by_number(persons: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One entry a number: the last said of a number stands; the line keeps both."""
    return list({person["no"]: person for person in persons}.values())


def _person(person: Mapping[str, Any]) -> Person:
    return Person(
        no=person["no"],
        roles=" ".join(person["roles"]),
        sex=person.get("sex"),
        age=person.get("age"),
        category=person.get("category"),
        count=person.get("count"),
        displaced=person.get("displaced"),
        disability=person.get("disability"),
    )
