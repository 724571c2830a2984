"""From the answers of a person to the content of a complaint (PROTOCOL §4), with the careful defaults."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Final, Self

from client_sync.errors import ContentRefused
from client_sync.protocol.records import COMPARTMENTS, FORM, check_compartments, check_complaint
from client_sync.protocol.vocabulary import VOCABULARY

STRICT: Final = "strict"
_CAREFUL: Final = "confidential"
_UNASKED: Final = "unasked"
_IN_PERSON: Final = "in_person"
_MINOR_AGES: Final = frozenset({"0-4", "5-11", "12-17"})
# What is always done to children.
_KINDS_OF_MINORS: Final = frozenset({"HR-CHR", "HR-CHI"})
_ACCUSED: Final = "alleged_perpetrator"
_STAFF: Final = "network_staff"
_WITNESS: Final = "witness"


@dataclass(frozen=True)
class Person:
    """Somebody in the story: codes go into the facts, `name`, `phone` and `note` with the identity."""

    roles: tuple[str, ...]
    sex: str | None = None
    age: str | None = None
    category: str | None = None
    count: int | None = None
    displaced: str | None = None
    disability: bool | None = None
    name: str | None = None
    phone: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Money:
    """Money in the story, in whole XOF."""

    asked_xof: int | None = None
    paid_xof: int | None = None
    paid: str | None = None
    receipt_given: bool | None = None
    recurring: bool | None = None


@dataclass(frozen=True)
class Consent:
    """What the person allows, and how it was given; `on` and `expires` are days, `2026-11-21`."""

    level: str = "C0"
    given_by: str | None = None
    form: str | None = None
    language: str | None = None
    read_aloud: bool | None = None
    on: str | None = None
    expires: str | None = None
    bodies: tuple[str, ...] = ()
    assent: bool | None = None
    publish: bool | None = None
    share_media: bool | None = None
    share_family: bool | None = None
    withhold: str | None = None


@dataclass(frozen=True)
class Contact:
    """How the person can be reached without harm, in their own words."""

    how: str | None = None
    when: str | None = None
    through: str | None = None
    say: str | None = None


@dataclass(frozen=True)
class Urgency:
    """What makes it urgent beside a danger now; None is not asked."""

    within_72h: bool | None = None
    minor: bool | None = None
    detained: bool | None = None
    reprisals: bool | None = None
    witness: bool | None = None
    eviction: bool | None = None


@dataclass(frozen=True)
class Attachment:
    """A sealed file of the complaint, as `client_sync.files` took it in: hash and size of what is sent.

    `key` opens it, base64url: it belongs into a draft and then into the traces, never anywhere else.
    """

    sha256: str
    size: int
    kind: str
    role: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Answers:
    """The answers to the nine questions; every one but the consent may be left out.

    Codes are those of the vocabulary. `cercle` is the place as the facts show it, a cercle or wider;
    `place` the exact one, `place_said` what the person said, `lat` and `lon` decimal degrees as text:
    these three go with the traces. `service` is what the money was asked for, in words. Days are `2026-11-21`.
    With `confidentiality` left out the careful default stands; with `contact_ok`, that nobody asked, and then nobody is
    called.
    """

    danger: str | None = None
    urgency: Urgency = Urgency()
    narrative: str | None = None
    narrative_language: str | None = None
    kinds: tuple[str, ...] = ("OTH",)
    cercle: str | None = None
    places: str | None = None
    place: str | None = None
    place_said: str | None = None
    lat: str | None = None
    lon: str | None = None
    accuracy_m: int | None = None
    incident_from: str | None = None
    incident_to: str | None = None
    incident_precision: str | None = None
    perpetrators: tuple[Person, ...] = ()
    money: Money = Money()
    service: str | None = None
    victims: tuple[Person, ...] = ()
    others: tuple[Person, ...] = ()
    consent: Consent = Consent()
    contact: Contact = Contact()
    files: tuple[Attachment, ...] = ()
    confidentiality: str | None = None
    contact_ok: str | None = None
    channel: str = _IN_PERSON
    relation: str | None = None
    sector: str | None = None
    language: str | None = None
    team: str | None = None
    partner: str | None = None
    collected_at: str | None = None

    @classmethod
    def from_draft(cls, draft: Mapping[str, Any]) -> Self:
        """The answers in a draft, as `to_draft` wrote them; members that are none of ours are left out."""
        return cls(**{name: _restored(name, draft[name]) for name in _names(cls) & draft.keys()})

    def to_draft(self) -> dict[str, Any]:
        """The answers as JSON values for `Vault.save_draft`."""
        return asdict(self)

    @property
    def persons(self) -> tuple[Person, ...]:
        """Everybody in the story; the place in this list, from 1, is the number that facts and identity share."""
        return self.victims + self.perpetrators + self.others


def build_complaint(answers: Answers, *, now: datetime, receipt: str) -> dict[str, Any]:
    """The content of a complaint entered at `now`; raises ContentRefused for what no form allows."""
    content = {"form": FORM, "vocabulary": VOCABULARY.version} | _compartments(answers, now, receipt)
    found = check_complaint(content)
    if found is not None:
        raise ContentRefused(why=found.code, field=found.field)
    return content


def build_revision(
    answers: Answers,
    replaced: Collection[str],
    *,
    complaint: str,
    base_revision: int,
    now: datetime,
    receipt: str,
) -> dict[str, Any]:
    """The content of a revision that replaces whole compartments, by name, with what `answers` say now.

    `receipt` is that of the complaint, since the facts hold it. Raises ContentRefused.
    """
    compartments = _compartments(answers, now, receipt)
    content = {name: compartments.get(name, {"clear": {}}) for name in COMPARTMENTS if name in replaced}
    found = check_compartments(content)
    if found is not None:
        raise ContentRefused(why=found.code, field=found.field)
    return {"base_revision": base_revision, "complaint": complaint} | content


def default_confidentiality(answers: Answers) -> str:
    """What `careful_confidentiality` says of the facts in the answers."""
    return careful_confidentiality(_told(answers))


def careful_confidentiality(facts: Mapping[str, Any]) -> str:
    """Strict for gbv, minors, witnesses at risk and accused staff of the network; else confidential.

    `facts` are those of the wire. A complaint against security forces is confidential as well: the coordinators
    of its region work on it.
    """
    rules = (_follows_gbv_rules, _speaks_of_minor, _has_witness_at_risk, _accuses_staff)
    return STRICT if any(rule(facts) for rule in rules) else _CAREFUL


def is_gbv(answers: Answers) -> bool:
    """Whether a kind of it asks for the care of gbv."""
    return _follows_gbv_rules(_told(answers))


def has_minor(answers: Answers) -> bool:
    """Whether somebody who is not accused is under eighteen, as far as was said."""
    return _speaks_of_minor(_told(answers))


def _follows_gbv_rules(facts: Mapping[str, Any]) -> bool:
    return any(VOCABULARY.follows_gbv_rules(kind) for kind in VOCABULARY.kinds.keys() & facts.get("kinds", ()))


def _speaks_of_minor(facts: Mapping[str, Any]) -> bool:
    ages = {person.get("age") for person in facts.get("persons", ()) if _ACCUSED not in person.get("roles", ())}
    is_said = facts.get("urgency", {}).get("minor") is True
    return is_said or not _MINOR_AGES.isdisjoint(ages) or not _KINDS_OF_MINORS.isdisjoint(facts.get("kinds", ()))


def _has_witness_at_risk(facts: Mapping[str, Any]) -> bool:
    """Whether it was said that a witness is, or one is spoken of where there are danger or reprisals."""
    urgency = facts.get("urgency", {})
    roles = {role for person in facts.get("persons", ()) for role in person.get("roles", ())}
    has_witness = facts.get("relation") == _WITNESS or _WITNESS in roles
    is_unsafe = urgency.get("danger") == "yes" or urgency.get("reprisals") is True
    return urgency.get("witness") is True or (has_witness and is_unsafe)


def _accuses_staff(facts: Mapping[str, Any]) -> bool:
    """Whether somebody of the network itself is accused: who reads with the others must not read this."""
    return any(person.get("category") == _STAFF for person in facts.get("persons", ()))


def _compartments(answers: Answers, now: datetime, receipt: str) -> dict[str, Any]:
    clear = {
        "facts": _facts(answers, now, receipt),
        "statement": _given(narrative=answers.narrative, lang=answers.narrative_language, service=answers.service),
        "traces": _traces(answers),
        "identity": _identity(answers),
    }
    return {name: {"clear": members} for name, members in clear.items() if members}


def _facts(answers: Answers, now: datetime, receipt: str) -> dict[str, Any]:
    return _told(answers) | {
        "confidentiality": answers.confidentiality or default_confidentiality(answers),
        "contact_ok": answers.contact_ok or _UNASKED,
        "entered_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "receipt": receipt,
    }


def _told(answers: Answers) -> dict[str, Any]:
    """The facts as far as the answers say them: what the defaults are decided by."""
    persons = [_person(number, person) for number, person in enumerate(answers.persons, 1)]
    return _given(
        kinds=list(answers.kinds),
        channel=answers.channel,
        relation=answers.relation,
        sector=answers.sector,
        language=answers.language,
        incident=_incident(answers),
        place=_place(answers.cercle, answers.places),
        persons=persons,
        money=_given(**asdict(answers.money)),
        urgency=_urgency(answers),
        consent=_given(**asdict(answers.consent) | {"bodies": list(answers.consent.bodies)}),
        collected_at=answers.collected_at,
        team=answers.team,
        partner=answers.partner,
        files=[_file(attachment) for attachment in answers.files],
    )


def _file(attachment: Attachment) -> dict[str, Any]:
    return {name: value for name, value in asdict(attachment).items() if name != "key"}


def _traces(answers: Answers) -> dict[str, Any]:
    gps = _given(lat=answers.lat, lon=answers.lon, accuracy_m=answers.accuracy_m)
    keys = {attachment.sha256: attachment.key for attachment in answers.files}
    return _given(place=_place(answers.place, answers.places), said=answers.place_said, gps=gps, media_keys=keys)


def _identity(answers: Answers) -> dict[str, Any]:
    persons = [
        _given(no=number, name=person.name, phone=person.phone, note=person.note)
        for number, person in enumerate(answers.persons, 1)
        if person.name or person.phone or person.note
    ]
    return _given(persons=persons, contact=_given(**asdict(answers.contact)))


def _person(number: int, person: Person) -> dict[str, Any]:
    return _given(
        no=number,
        roles=list(person.roles),
        sex=person.sex,
        age=person.age,
        category=person.category,
        count=person.count,
        displaced=person.displaced,
        disability=person.disability,
    )


def _incident(answers: Answers) -> dict[str, Any]:
    if answers.incident_precision is None:
        return {}
    return {"from": answers.incident_from, "precision": answers.incident_precision} | _given(to=answers.incident_to)


def _urgency(answers: Answers) -> dict[str, Any]:
    asked = _given(**asdict(answers.urgency))
    if answers.danger is None and not asked:
        return {}
    return {"danger": answers.danger or "unknown"} | asked


def _place(id: str | None, places: str | None) -> dict[str, Any]:
    return {} if id is None else _given(id=id, list=places)


def _given(**members: Any) -> dict[str, Any]:
    """The members that say something: what was not answered is left out, a plain no is kept."""
    return {name: value for name, value in members.items() if value not in (None, "", [], {})}


def _restored(name: str, value: Any) -> Any:
    """A member of a draft in the type that it had before JSON."""
    if name in _SEVERAL:
        return tuple(_value_of(_SEVERAL[name], each) for each in value)
    if name in _PARTS:
        return _value_of(_PARTS[name], value)
    return tuple(value) if isinstance(value, list) else value


def _value_of(kind: type[Any], members: Mapping[str, Any]) -> Any:
    known = {name: members[name] for name in _names(kind) & members.keys()}
    return kind(**{name: tuple(each) if isinstance(each, list) else each for name, each in known.items()})


def _names(kind: type[Any]) -> set[str]:
    return {each.name for each in fields(kind)}


_SEVERAL: Final[Mapping[str, type[Any]]] = {
    "perpetrators": Person,
    "victims": Person,
    "others": Person,
    "files": Attachment,
}
_PARTS: Final[Mapping[str, type[Any]]] = {
    "urgency": Urgency,
    "money": Money,
    "consent": Consent,
    "contact": Contact,
}
