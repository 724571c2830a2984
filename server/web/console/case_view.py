"""What the page of a case shows: an overview in words, in the order in which somebody reads it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from client_sync.protocol.vocabulary import VOCABULARY, label
from server.domain.act import ACCUSED_ROLES, Act, Involvement
from server.domain.case import Choice
from server.domain.deadlines import Deadline, Term
from server.domain.packages import Verdict
from server.domain.places import Gazetteer, cercle_name, place_name, region_name
from server.domain.referral import Part
from server.domain.task import OPEN
from server.i18n import Catalogue
from server.services.cases import due, phrases, undoing, wording
from server.services.cases.overview import Consented, Overview
from server.services.commission import answering

# What is settled, or said, on the form of a move itself: nothing to wait for.
ON_FORM: Final = {"owner_set": "owner", "kind_set": "kind", "urgency_set": "urgency"}
# By what stands against a move, the list of which a code said on its form does in its place.
_INSTEAD: Final = {"told_or_impossible": "untold", "answered_or_waited": "heard"}
# In this order, the first that is possible before all others.
_ORDER: Final = (
    "acknowledged", "in_triage", "in_progress", "referred", "resolved", "closed", "reopened", "needs_information",
    "inadmissible", "withdrawn",
)  # fmt: skip
_LAST: Final = "withdrawn"
_OTHER: Final = "OTH"
_KEYS: Final[Mapping[str, str]] = {
    "acknowledged": "a", "in_triage": "t", "in_progress": "p", "referred": "r", "resolved": "s", "closed": "c",
    "needs_information": "n", "inadmissible": "i",
}  # fmt: skip
# Joining and coming back have forms of their own.
_ELSEWHERE: Final = "duplicate"
_VERIFIED_IN: Final = frozenset({"in_progress", "referred"})
_TO_VERIFY: Final = frozenset({"unverified", "under_verification"})
_STATE_LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    "corroborated": ("check", "done"),
    "falsely_attributed": ("x", "idle"),
    "inconclusive": ("ask", "soon"),
    "under_verification": ("eye", "soon"),
    "unverified": ("ring", "idle"),
    "unfounded": ("bar", "idle"),
}
# How a complaint may leave, with most said of the person first.
_HOW: Final = ("named", "facts", "facts_to", "nothing")
_LEVEL_LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    "C0": ("ring", "idle"),
    "C1": ("ring", "idle"),
    "C2": ("eye", "live"),
    "C3": ("check", "done"),
    "C4": ("check", "done"),
}
_VERDICT_LOOKS: Final[Mapping[Verdict, tuple[str, str]]] = {"accepted": ("check", "done"), "rejected": ("bar", "soon")}
_PICTURES: Final[Mapping[str, str]] = {
    "opened": "tray", "moved": "play", "attached": "link", "detached": "link", "split": "link", "undone": "undo",
    "verifying": "eye", "found": "eye", "judged": "flag", "told": "phone", "owned": "people", "escalated": "clock",
    "paused": "clock", "resumed": "clock", "extended": "clock", "followed_up": "check", "task_set": "map",
    "task_recalled": "map", "task_over": "map", "task_done": "map", "package_sent": "send", "package_accepted": "check",
    "package_noted": "check", "package_rejected": "bar", "package_disputed": "bar",
}  # fmt: skip
_FILE_PICTURES: Final[Mapping[str, str]] = {"audio": "mic", "photo": "camera", "video": "camera"}


@dataclass(frozen=True)
class Look:
    """A chip: what it says, its picture and its colour."""

    text: str
    picture: str
    look: str


@dataclass(frozen=True)
class Way:
    """One thing that can come next. `why`: all that stands against it, empty where it may be done.

    `is_form`: done at once by a form of no fields; else `url` is a page.
    """

    code: str
    text: str
    url: str
    key: str
    is_form: bool
    why: str


@dataclass(frozen=True)
class ActRow:
    """An act of one complaint: what, when and where, who is accused, and what it is held to be."""

    number: str
    code: str
    kind: str
    first: date | None
    last: date | None
    how_sure: str | None
    precision: str
    place: str
    asked: int | None
    paid: int | None
    accused: str
    victims: int
    state: Look
    is_late: bool


@dataclass(frozen=True)
class FileRow:
    """A file that a complaint lists: `percent` of it is here."""

    id: int
    number: str
    kind: str
    role: str
    picture: str
    kilobytes: int
    state: str
    percent: int


@dataclass(frozen=True)
class DueRow:
    """A deadline: `can` are the codes by which it can be put off now, each with its reasons by code."""

    id: int
    kind: str
    at: datetime
    is_to_the_hour: bool
    state: str
    until: datetime | None
    met_at: datetime | None
    reason: str
    can: Sequence[tuple[str, Mapping[str, str]]]


@dataclass(frozen=True)
class Errand:
    """A task of one complaint, on a device by its label, between two days."""

    number: str
    kind: str
    device: str
    first: date
    last: date
    state: str
    is_open: bool


@dataclass(frozen=True)
class Sent:
    """A referral: where it went and what came back. `taken_back`: of how many persons consent no longer covers it."""

    body: str
    state: str
    due_on: date | None
    outcome: str
    taken_back: int


@dataclass(frozen=True)
class Known:
    """What a body has of a complaint by a package, by the reference under which it knows it, and what it said of that;
    `left`: when it went, None before."""

    package: str
    body: str
    ref: str
    shape: str
    left: datetime | None
    verdict: Look | None
    file_number: str
    reason: str


@dataclass(frozen=True)
class Allowed:
    """Complaints of one consent: how many, what it is, and the bodies that were chosen."""

    count: int
    chip: Look
    bodies: str


@dataclass(frozen=True)
class Line:
    """One entry of the history; `undo`: its number where it can be taken back now."""

    no: int
    at: datetime
    picture: str
    who: str
    what: str
    undo: int | None
    is_undone: bool


def title(seen: Overview, texts: Catalogue, places: Gazetteer | None) -> str:
    """What it is about and in which cercle; never a village."""
    kind = phrases.kind(texts, about(seen))
    cercle = next(filter(None, (cercle_name(places, each) for each in _places(seen))), "")
    return texts.text("case.title", kind=kind, cercle=cercle) if cercle else kind


def about(seen: Overview) -> str:
    """The kind of act that it is about: as triage settled it, before that the first that was reported."""
    file = seen.shown.file
    reported = (kind for report in seen.shown.reports.values() for kind in report.kinds)
    return (file.kind if file else None) or next(reported, _OTHER)


def region(seen: Overview, places: Gazetteer | None) -> str:
    """The region around its first place, empty where none is known."""
    return next(filter(None, (region_name(places, each) for each in _places(seen))), "")


def confidentiality(seen: Overview, texts: Catalogue) -> str:
    """The most confidential that one of its complaints is, in words."""
    order = VOCABULARY.lists["confidentiality"]
    most = max((each.confidentiality for each in seen.glances.values()), key=order.index)
    return label("confidentiality", most, texts.language)


def state(texts: Catalogue, code: str) -> Look:
    """What an act, or a whole case, is held to be."""
    return Look(phrases.finding(texts, code).capitalize(), *_STATE_LOOKS[code])


def ways(seen: Overview, texts: Catalogue) -> list[Way]:
    """What can come next, what may be done before what may not."""
    base = f"/console/cases/{seen.number}"
    if seen.shown.file is None:
        return [_way(texts, "acknowledged", f"{base}/moves/acknowledged", is_form=True)]
    known = {each.transition.to: each for each in seen.shown.choices if each.transition.source != _ELSEWHERE}
    found = [_of_choice(texts, base, known[to]) for to in _ORDER if to in known]
    if seen.shown.file.status in _VERIFIED_IN:
        verify = Way("verify", texts.text("case.verify"), f"{base}/verification", "v", is_form=False, why="")
        found.insert(0 if seen.looked.sum.state in _TO_VERIFY else len(found), verify)
    if _can_join(seen):
        found.append(Way("join", texts.text("case.join"), f"{base}/attach", "", is_form=False, why=""))
    return sorted(found, key=lambda each: (bool(each.why), each.code == _LAST))


def act_rows(seen: Overview, texts: Catalogue, places: Gazetteer | None) -> list[ActRow]:
    """Every act of every complaint."""
    return [_act_row(seen, number, act, texts, places) for number, act in seen.looked.acts]


def files(seen: Overview, arrived: Mapping[int, int], texts: Catalogue) -> list[FileRow]:
    """What its complaints list; `arrived`: by piece, how many bytes of it are here."""
    return [
        FileRow(
            each.id,
            number,
            label("file_kind", each.kind, texts.language),
            label("file_role", each.role, texts.language),
            _FILE_PICTURES.get(each.kind, "doc"),
            -(-each.size // 1024),
            each.state,
            100 * arrived[each.id] // max(each.size, 1),
        )
        for number, glance in seen.glances.items()
        for each in glance.files
    ]


def deadlines(seen: Overview, texts: Catalogue, now: datetime) -> list[DueRow]:
    """What is due of it, then what was met."""
    rows = [_due_row(each.id, each.stands, texts, now) for each in seen.deadlines]
    return sorted(rows, key=lambda each: each.met_at is not None)


def tasks(seen: Overview, texts: Catalogue) -> list[Errand]:
    """What its complaints have devices do, the last set first."""
    return [
        Errand(
            number=each.number,
            kind=label("task_kind", each.task.kind, texts.language),
            device=each.label,
            first=date.fromisoformat(each.task.opens_on),
            last=date.fromisoformat(each.task.closes_on),
            state=texts.text(f"tasks.state_{each.task.state}"),
            is_open=each.task.state in OPEN,
        )
        for each in reversed(seen.errands)
    ]


def referrals(seen: Overview, texts: Catalogue, places: Gazetteer | None) -> list[Sent]:
    """Where its complaints were sent, the last first."""
    return [
        Sent(
            body=phrases.body(texts, each.destination, places),
            state=texts.text(f"referrals.state_{each.kept.state}"),
            due_on=each.due_on if each.kept.referral.is_waiting else None,
            outcome=texts.text(f"outcome.{each.kept.programme}.{each.kept.outcome}") if each.kept.outcome else "",
            taken_back=len(each.taken_back) + each.others_taken_back,
        )
        for each in reversed(seen.sent)
    ]


def known(found: Sequence[answering.Known], texts: Catalogue, places: Gazetteer | None) -> list[Known]:
    """What bodies have of its complaints by packages, the last first."""
    return [
        Known(
            package=each.package,
            body=phrases.body(texts, each.destination, places),
            ref=each.item.ref,
            shape=texts.text(f"packages.shape_{each.item.shape}"),
            left=each.transmitted_at,
            verdict=_verdict(texts, each.item.verdict),
            file_number=each.item.file_number,
            reason=each.item.reason,
        )
        for each in reversed(found)
    ]


def people(seen: Overview, texts: Catalogue) -> list[tuple[str, int]]:
    """By the first role of each, how many persons its complaints speak for, whose names are sealed."""
    roles = [each.split() for report in seen.shown.reports.values() for each, _, _ in report.persons]
    first = (next((role for role in each if role not in ACCUSED_ROLES), None) for each in roles)
    counted = Counter(role for role in first if role is not None)
    return [(phrases.role(texts, role), count) for role, count in counted.items()]


def consents(seen: Overview, texts: Catalogue) -> list[Allowed]:
    """What the complainants allowed, alike ones together, who allows most first."""
    alike = Counter((str(each.sendable.consent["level"]), _bodies(each, texts)) for each in seen.consents.values())
    found = sorted(alike.items(), reverse=True)
    return [Allowed(count, _level(texts, level), bodies) for (level, bodies), count in found]


def meanings(seen: Overview, texts: Catalogue) -> list[str]:
    """What that means for the next referral: how many complaints go how, and how many not at all."""
    alike = Counter(_meaning(each, texts) for each in seen.consents.values())
    found = sorted(alike.items(), key=lambda pair: _HOW.index(pair[0][0]))
    return [texts.plural(f"case.leaves_{how}", count, bodies=bodies) for (how, bodies), count in found]


def history(seen: Overview, texts: Catalogue, now: datetime) -> list[Line]:
    """All that was done, the last first."""
    entries = [entry for _, entry in seen.shown.entries]
    gone = {each.undoes for each in entries if each.undoes is not None}
    back = undoing.possible(seen.shown.file, entries, now) if seen.shown.file else frozenset()
    named = seen.shown.named
    return [
        Line(
            no=entry.no,
            at=entry.at,
            picture=_PICTURES.get(entry.code, "arrow"),
            who=wording.by(texts, name, entry, named),
            what=wording.done(texts, entry, named),
            undo=entry.no if entry.no in back else None,
            is_undone=entry.no in gone,
        )
        for name, entry in reversed(seen.shown.entries)
    ]


def kinds(language: str) -> dict[str, str]:
    """Every kind of act by its code, in words."""
    return {code: label("kind", code, language) for code in VOCABULARY.kinds}


def said_instead(choice: Choice) -> dict[str, str]:
    """By what stands against a move, the list of which it takes a code in its place."""
    return {each: _INSTEAD[each] for each in choice.unmet if _INSTEAD.get(each) in choice.transition.may_say}


def _places(seen: Overview) -> Iterator[str]:
    return (each.place_id for each in seen.shown.reports.values() if each.place_id is not None)


def _can_join(seen: Overview) -> bool:
    """Whether its complaints may join another case, as far as it goes by this one."""
    found = (each for each in seen.shown.choices if each.transition.to == _ELSEWHERE)
    return any(set(each.unmet) == {"joins_another"} for each in found)


def _of_choice(texts: Catalogue, base: str, choice: Choice) -> Way:
    move, instead = choice.transition, said_instead(choice)
    settled = {*ON_FORM, *instead}
    unmet = [texts.text(f"refusal.transition_refused_{each}") for each in choice.unmet if each not in settled]
    if move.to == "referred":
        return _way(texts, "referred", f"{base}/referrals/new", is_form=False)
    needs = move.asks or instead or set(ON_FORM).intersection(move.conditions)
    return _way(texts, move.to, f"{base}/moves/{move.to}", is_form=not needs, why=" ".join(unmet))


def _way(texts: Catalogue, to: str, url: str, *, is_form: bool, why: str = "") -> Way:
    return Way(to, texts.text(f"case.to_{to}"), url, _KEYS.get(to, ""), is_form, why)


def _act_row(seen: Overview, number: str, act: Act, texts: Catalogue, places: Gazetteer | None) -> ActRow:
    report, found = seen.shown.reports[number], seen.looked.found.get((act.complaint, act.kind))
    language = texts.language
    return ActRow(
        number=number,
        code=act.kind,
        kind=phrases.kind(texts, act.kind),
        first=_date(report.incident_from),
        last=_date(report.incident_to),
        how_sure=report.precision,
        precision=label("date_precision", report.precision, language) if report.precision not in (None, "day") else "",
        place=place_name(places, report.place_id),
        asked=report.asked_xof,
        paid=report.paid_xof,
        accused=", ".join(dict.fromkeys(_accused(texts, each) for each in act.involved if each.is_accused)),
        victims=act.victims,
        state=state(texts, "unverified" if found is None else found.state),
        is_late=found is not None and found.is_late,
    )


def _accused(texts: Catalogue, each: Involvement) -> str:
    """As the head of the column says it of whom no court has judged; of anybody else all of it."""
    if each.judgement is None:
        return label("perpetrator_category", each.category or "unknown", texts.language)
    return phrases.accused(texts, each)


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _due_row(id: int, stands: Deadline, texts: Catalogue, now: datetime) -> DueRow:
    reason = texts.text(f"deadline.reason_{stands.pause_reason}") if stands.pause_reason else ""
    possible = [
        (code, {each: texts.text(f"deadline.reason_{each}") for each in listed})
        for code, listed in due.possible(stands, now).items()
    ]
    return DueRow(
        id=id,
        kind=texts.text(f"deadline.{stands.kind}"),
        at=stands.due_at,
        is_to_the_hour=bool(Term.read(stands.term).hours),
        state=stands.state(now),
        until=stands.pause_ends_at,
        met_at=stands.met_at,
        reason=reason,
        can=possible,
    )


def _bodies(each: Consented, texts: Catalogue) -> str:
    return ", ".join(phrases.body_word(texts, body) for body in each.sendable.consent.get("bodies", ()))


def _meaning(each: Consented, texts: Catalogue) -> tuple[str, str]:
    """How it may leave, and to which bodies alone, if not to any."""
    named: set[Part] = {"identity", "contacts"}
    bodies = _bodies(each, texts)
    if not each.parts:
        return "nothing", ""
    if each.parts & named:
        return "named", bodies
    return ("facts_to", bodies) if bodies else ("facts", "")


def _verdict(texts: Catalogue, verdict: Verdict | None) -> Look | None:
    if verdict is None:
        return None
    return Look(texts.text(f"packages.{verdict}").capitalize(), *_VERDICT_LOOKS[verdict])


def _level(texts: Catalogue, level: str) -> Look:
    return Look(f"{level} {texts.text(f'case.consent_{level.lower()}')}", *_LEVEL_LOOKS[level])
