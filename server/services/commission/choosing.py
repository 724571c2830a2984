"""Choosing: which complaints have a line in a package, which have none and why, and which lines stand no more."""

import hashlib
import hmac
from base64 import b32encode
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Any, Final, Literal, Self, TypeVar

import sqlalchemy as sa

from client_sync.protocol.canonical import canonical
from server.domain import referral as rules
from server.domain import release
from server.domain.act import ACCUSED_ROLES, VICTIM, Act
from server.domain.anonymity import Said
from server.domain.complaint import Person
from server.domain.evidence import Piece
from server.domain.folding import fold
from server.domain.places import LAW_2023, LEVELS, Gazetteer
from server.domain.referral import PROGRAMMES, Accused, Block, Destination, Sendable
from server.domain.release import Candidate, Enclosed, Line, Named, Somewhere
from server.domain.statistics import Period, quarter_text
from server.domain.verification import Finding, Quarter, summed
from server.domain.working_copy import areas_of, covered_by
from server.store import cases, destinations, findings, links, packages, pieces, referrals, registry
from server.store.cases import CaseFile
from server.store.links import Report
from server.store.packages import Package, Series, Summary, Told
from server.store.referrals import Standing

# Why a complaint has no line, beside what stands against a referral: it goes into numbers alone, by its own consent
# or since it is of violence of which no line is ever sent; it is no business of that destination; fewer than five are
# like it.
Against = Block | Literal["numbers", "totals", "elsewhere", "few_alike"]
# Whose business it is not, nobody withholds from a destination.
_ELSEWHERE: Final[frozenset[Block]] = frozenset({"kind", "place"})
# Of these every destination hears in totals alone, whatever their consent: a survivor is referred as she asks.
_TOTALS: Final = ("GBV-", "COR-SEX")
# A consent that lets nothing out but numbers.
_NUMBERS: Final = ("C0", "C1")
_LINES: Final = ("line", "named")
# Beside the parts that a line has: that copies of files went with it.
MEDIA: Final = "media"
_PAGE: Final = 500
_REF_CHARS: Final = 10
_HASH_CHARS: Final = 16
_MONTH_CHARS: Final = 7
# The role of whoever complains, and where a complaint stands that nobody opened yet.
_COMPLAINANT: Final = "complainant"
_RECEIVED: Final = "received"
_OF_PIECES: Final = ("pieces", "absent", "shares_media")


_Value = TypeVar("_Value", bound=Hashable)

# Why else a line stands no more: it was erased; it says something else by now, of somebody whose name its destination
# has and keeps; it would say something else, and if it does then under a reference that nobody can join to this one.
Ended = Literal["erased", "changed", "retold"]


@dataclass(frozen=True)
class Void:
    """A line that its destination has and that stands no more, and why: by what stands against it now, or else."""

    told: Told
    why: Against | Ended


@dataclass(frozen=True)
class Correction:
    """Columns of a line that its destination has and that say something else by now; `was`: the hash of before."""

    told: Told
    now: Mapping[str, str]
    was: Mapping[str, str]


@dataclass(frozen=True)
class Choice:
    """All that a package says, but for names, which are opened when it is sealed.

    By complaint: `said` is what a line without a name says of its person, `against` what stands against a line.
    `of_quarter`: those that the hub got in the quarter, None where a package of it is there already.
    """

    destination: Destination
    candidates: Sequence[Candidate]
    said: Mapping[int, Said]
    against: Mapping[int, Against]
    voids: Sequence[Void]
    corrections: Sequence[Correction]
    of_quarter: frozenset[int] | None

    @property
    def named(self) -> list[Candidate]:
        """Those whose names have to be opened."""
        return [each for each in self.candidates if each.is_named]

    @property
    def enclosing(self) -> list[Candidate]:
        """Those with whose lines copies of pieces go."""
        return [each for each in self.candidates if each.pieces]

    def held_back(self, closed: int = 0) -> dict[str, int]:
        """Of how many pieces no copy goes with lines of which the files may be shared, by why; `closed`: how many of
        those that would go no key in hand opens."""
        found = Counter[str](why for each in self.candidates for why in each.absent) + Counter({"no_key": closed})
        return dict(sorted(found.items()))

    def lines(self, names: Mapping[int, Named]) -> Iterator[Line]:
        """The lines, in the order of their references; `names` by complaint."""
        for each in self.candidates:
            yield release.line(each, self.said.get(each.complaint), names.get(each.complaint))

    def counts(self) -> dict[str, object]:
        """What is chosen, in numbers."""
        return {
            "lines": len(self.candidates) - len(self.named),
            "named": len(self.named),
            "pieces": sum(len(each.pieces) for each in self.candidates),
            "against": self.counts_against(),
            "voids": len(self.voids),
            "corrections": len(self.corrections),
        }

    def counts_against(self) -> dict[str, int]:
        """How many have no line, by what stands against one."""
        return dict(sorted(Counter(self.against.values()).items()))

    def counts_told(self) -> dict[str, int] | None:
        """As many of these as the destination may be told of: each complaint once, with its quarter, so that no number
        is another one less a few. None: it was told before."""
        if self.of_quarter is None:
            return None
        return dict(sorted(Counter(why for id, why in self.against.items() if id in self.of_quarter).items()))

    def digest(self) -> str:
        """SHA-256 of what is chosen, in hexadecimal digits: whoever approves another choice is told so."""
        said = {
            "against": [self.counts_against(), self.counts_told()],
            "candidates": [[_plain(each), self.said.get(each.complaint)] for each in self.candidates],
            "corrections": [[each.told.item.ref, dict(each.now)] for each in self.corrections],
            "voids": [[each.told.item.ref, each.why] for each in self.voids],
        }
        # Nothing of them stands there without any: so what was looked at before there were pieces is the same still.
        if self.enclosing:
            said["pieces"] = [
                [each.ref, [[of.no, of.sha256, of.role, areas_of(of.covered)] for of in each.pieces]]
                for each in self.enclosing
            ]
        return hashlib.sha256(canonical(said)).hexdigest()


@dataclass(frozen=True)
class Keyed:
    """The key under which one destination knows complaints: two of them can't join what they have."""

    key: bytes

    @classmethod
    def of(cls, pepper: bytes, destination: str) -> "Keyed":
        """The key of a destination; nothing of it is stored."""
        return cls(hmac.digest(pepper, b"package pseudonym\0" + destination.encode(), "sha256"))

    @property
    def id(self) -> str:
        """By which two packages show that they go by the same key: 16 hexadecimal digits."""
        return hashlib.sha256(b"key id\0" + self.key).hexdigest()[:_HASH_CHARS]

    def ref(self, number: str, voids: int = 0) -> str:
        """How the destination knows the complaint of a registry number: `P-` and ten letters or digits.

        `voids`: how many lines of it became void there. What is told anew is known by another reference: who could join
        both would see that one of those who were alike is not, and of the other all that either line says.
        """
        made = hmac.digest(self.key, f"complaint\0{number}\0{voids or ''}".encode(), "sha256")
        return "P-" + b32encode(made).decode()[:_REF_CHARS]

    def hashes(self, line: Line) -> dict[str, str]:
        """By column, what tells a change of it."""
        return {name: self.hash(name, text) for name, text in line.said.items()}

    def pieces_of(self, each: Candidate) -> dict[str, str]:
        """By piece of which a copy goes with a line, what tells that something else of it is covered."""
        covered = {f"piece {piece.sha256[:_HASH_CHARS]}": areas_of(piece.covered) for piece in each.pieces}
        return {name: self.hash(name, canonical(areas).decode()) for name, areas in covered.items()}

    def hash(self, name: str, text: str) -> str:
        """Of what stands in a column: 16 hexadecimal digits; empty for what is."""
        if not text:
            return ""
        return hmac.digest(self.key, f"{name}\0{text}".encode(), "sha256").hex()[:_HASH_CHARS]


def choose(
    connection: sa.Connection,
    series: Series,
    keyed: Keyed,
    quarter: str,
    places: Gazetteer | None,
    day: date,
) -> Choice:
    """What a package of a quarter to the destination of a series says, as everything stands, on that day.

    Of what came before the quarter and is not there yet, too: its consent, or what stood against it, may have changed.
    """
    to = destinations.find(connection, [series.destination])[series.destination]
    standing = packages.standing(connection, series.destination)
    there = {each.complaint: each for each in standing.values() if each.complaint is not None}
    looker = _Looker(connection, to, keyed, places, day, packages.voided(connection, series.destination))
    voids = [Void(each, "erased") for each in standing.values() if each.complaint is None]
    corrections: list[Correction] = []
    stands: dict[int, Candidate | Against] = {}
    for ids in _pages(sorted(there)):
        for id, found in looker.look(ids).items():
            told = there[id]
            if isinstance(found, str):
                voids.append(Void(told, found))
            elif not _is_another(told, found, keyed):
                corrections += _corrections(told, found, keyed)
            elif told.item.shape == "named" and found.is_named:
                voids.append(Void(told, "changed"))
                stands[id] = replace(found, ref=told.item.ref)
            else:
                voids.append(Void(told, "retold"))
                stands[id] = looker.retold(found)
    since = datetime.combine(series.since, time(), UTC)
    period = Period.read(quarter, quarter)
    of_quarter = set()
    for page in packages.received_between(connection, since, period.until, _PAGE):
        stands |= looker.look([id for id in page if id not in there])
    for page in packages.received_between(connection, max(since, period.since), period.until, _PAGE):
        of_quarter |= set(page)
    is_told = packages.is_quarter_there(connection, series.destination, quarter)
    candidates = sorted((each for each in stands.values() if isinstance(each, Candidate)), key=lambda each: each.ref)
    said = release.shown(candidates)
    against = {id: each for id, each in stands.items() if isinstance(each, str)}
    against |= {id: "few_alike" for id, each in said.items() if each is None}
    return Choice(
        destination=to,
        candidates=[each for each in candidates if each.complaint not in against],
        said={id: each for id, each in said.items() if each is not None},
        against=against,
        voids=sorted(voids, key=lambda each: each.told.item.ref),
        corrections=sorted(corrections, key=lambda each: each.told.item.ref),
        of_quarter=None if is_told else frozenset(of_quarter),
    )


def is_lapsed(connection: sa.Connection, package: Package, places: Gazetteer | None, day: date) -> bool:
    """Whether a line that was sealed may not be told any more as it is: its complaint was erased, something stands
    against it by now, less of it may be told, or other parts of its pictures are covered."""
    to = destinations.find(connection, [package.destination])[package.destination]
    told = [each for each in packages.items(connection, package.id) if each.item.shape in _LINES]
    if any(each.complaint is None for each in told):
        return True
    parts = {each.complaint: frozenset(each.parts) for each in told if each.complaint is not None}
    enclosing = [id for id, each in parts.items() if MEDIA in each]
    if package.sealed_at and any(
        pieces.is_any_covered_since(connection, page, package.sealed_at) for page in _pages(enclosing)
    ):
        return True
    looker = _Looker(connection, to, Keyed(b""), places, day, {})
    return any(not looker.still_tells(page, parts) for page in _pages(sorted(parts)))


class _Looker:
    """Complaints as lines to one destination go by them."""

    def __init__(
        self,
        connection: sa.Connection,
        to: Destination,
        keyed: Keyed,
        places: Gazetteer | None,
        day: date,
        voids: Mapping[int, int],
    ) -> None:
        self._connection, self._to, self._keyed, self._places, self._day = connection, to, keyed, places, day
        self._voids = voids
        # Of thousands of candidates most say the same things, which are kept once.
        self._known: dict[Any, Any] = {}

    def look(self, ids: Sequence[int]) -> dict[int, Candidate | Against]:
        """By complaint, in their order, what a line may say of it, or what stands against one."""
        far = self._far(ids)
        near = [id for id in ids if id not in far]
        held = cases.holding(self._connection, near)
        files = cases.find(self._connection, set(held.values()))
        against = self._against(near, held)
        free = [id for id in near if against[id] is None]
        facts = _Facts.of(self._connection, free, self._to)
        found: dict[int, Candidate | Against] = {}
        for id in ids:
            why = far.get(id) or against[id]
            found[id] = why or self._candidate(id, facts, held.get(id), files.get(held.get(id, 0)))
        return found

    def still_tells(self, ids: Sequence[int], parts: Mapping[int, frozenset[str]]) -> bool:
        """Whether of each of these complaints as much may be told as its line has."""
        if self._far(ids):
            return False
        if any(self._against(ids, cases.holding(self._connection, ids)).values()):
            return False
        standings = referrals.standings(self._connection, ids)
        return all(id in standings and parts[id] <= self._may_tell(standings[id].sendable) for id in ids)

    def retold(self, found: Candidate) -> Candidate:
        """A complaint of which the line that is there becomes void, as one that is told for the first time."""
        number = registry.numbers_of(self._connection, [found.complaint])[found.complaint]
        ref = self._keyed.ref(number, self._voids.get(found.complaint, 0) + 1)
        return _without_past(replace(found, ref=ref))

    def _may_tell(self, each: Sendable) -> frozenset[str]:
        return rules.parts(each, self._to) | ({MEDIA} if rules.may_share_media(each, self._to) else frozenset())

    def _far(self, ids: Sequence[int]) -> dict[int, Against]:
        """Those that are no business of that destination, and those whose own word lets out numbers alone: of the rest
        much more has to be read."""
        programme = PROGRAMMES[self._to.programme]
        found: dict[int, Against] = {}
        for id, each in packages.outlines(self._connection, ids).items():
            if not programme.is_for(each.kinds, each.sector):
                found[id] = "elsewhere"
            elif each.consent_level in _NUMBERS:
                found[id] = "numbers"
        return found

    def _against(self, ids: Sequence[int], held: Mapping[int, int]) -> dict[int, Against | None]:
        """By complaint, what stands against a line, None where nothing does; `held`: the cases that have them."""
        if not ids:
            return {}
        beside = cases.members(self._connection, set(held.values()))
        acts: dict[int, list[Act]] = {}
        for act in findings.acts_of(
            self._connection, {*ids, *(each.complaint for those in beside.values() for each in those)}
        ):
            acts.setdefault(act.complaint, []).append(act)
        found = {}
        for id, standing in referrals.standings(self._connection, ids).items():
            # Whom one complaint of a case accuses, all of them do.
            together = [id] if id not in held else [each.complaint for each in beside[held[id]]]
            accused = Accused(tuple(act for each in together for act in acts.get(each, ())))
            # What went there with a referral has its line all the same.
            found[id] = self._why(replace(standing.sendable, at={}), accused)
        return found

    def _why(self, each: Sendable, accused: Accused) -> Against | None:
        blocks = rules.blocks(each, self._to, accused, self._day, self._places)
        if _ELSEWHERE.intersection(blocks):
            return "elsewhere"
        if any(kind.startswith(_TOTALS) for kind in each.kinds):
            return "totals"
        if not blocks:
            return None
        return "numbers" if blocks[0] == "consent_level" and each.consent["level"] in _NUMBERS else blocks[0]

    def _candidate(self, id: int, facts: "_Facts", case: int | None, file: CaseFile | None) -> Candidate:
        report, summary, sendable = facts.reports[id], facts.summaries.get(id), facts.standings[id].sendable
        stated = [finding for kind in report.kinds if (finding := facts.findings.get((id, kind)))]
        said = summary.text if summary is not None and summary.reviewed_by else ""
        parts, near = rules.parts(sendable, self._to), self._nearest_told(said, report.place_id)
        voids = self._voids.get(id, 0)
        one, day = self._one, report.received_at.date()
        found = Candidate(
            complaint=id,
            case=case,
            ref=self._keyed.ref(facts.numbers[id], voids),
            consent=one(str(sendable.consent["level"])),
            parts=one(parts),
            received=one(quarter_text(Quarter.of(day))),
            received_month=one(day.isoformat()[:_MONTH_CHARS]),
            happened=one(report.incident_from or ""),
            where=one(self._where(report.place_id)),
            kind=one(report.kinds[0]),
            author=one(_author(facts.people.get(id, ()))),
            victim=one(release.victim(_victims(facts.people.get(id, ())))),
            verification=summed(each.state for _, each in stated).state if stated else "unverified",
            verified_late=any(each.is_late for _, each in stated),
            status=_RECEIVED if file is None else one(file.status),
            urgency="" if file is None else file.urgency,
            # Without a name no line says a place nearer than a cercle, nor do its words.
            summary=said if "identity" in parts or near in ("", "region", "cercle") else "",
            summary_tells_cercle=near == "cercle",
            shares_media=rules.may_share_media(sendable, self._to),
            pieces=facts.enclosed.get(id, ()),
            absent=tuple(why for each in facts.pieces.get(id, ()) if (why := release.absent(each.role, each.state))),
        )
        return _without_past(found) if voids else found

    def _one(self, value: _Value) -> _Value:
        """The first value that was equal to this one."""
        found: _Value = self._known.setdefault(value, value)
        return found

    def _nearest_told(self, text: str, place: str | None) -> str:
        """The level of the nearest of the places around a complaint that a text names; empty where it names none.

        A name that a wider one bears too is taken for that one's.
        """
        if self._places is None or place is None or not text:
            return ""
        words, wider, found = f" {fold(text)} ", set[str](), ""
        # From the region inwards.
        for each in sorted(self._places.upward(place), key=lambda each: LEVELS.index(each.level)):
            names = {fold(name) for name in (each.name, *each.aliases)} - wider
            found = each.level if any(f" {name} " in words for name in names) else found
            wider |= names
        return found

    def _where(self, place: str | None) -> Somewhere:
        if self._places is None or place is None:
            return Somewhere()
        around = {each.level: each.id for each in self._places.upward(place)}
        # By the law that the commission goes by, as the figures are: a cercle may have been in another region before.
        region = self._places.region_of(place, LAW_2023)
        around |= {} if region is None else {"region": region.id}
        return Somewhere(around.get("region", ""), around.get("cercle", ""), around.get("commune", ""))


@dataclass(frozen=True)
class _Facts:
    """What is read of several complaints at once, each by its complaint."""

    reports: Mapping[int, Report]
    numbers: Mapping[int, str]
    people: Mapping[int, Sequence[Person]]
    findings: Mapping[tuple[int, str], tuple[int, Finding]]
    summaries: Mapping[int, Summary]
    standings: Mapping[int, Standing]
    # Of those alone whose person lets that destination have copies.
    pieces: Mapping[int, Sequence[Piece]]
    enclosed: Mapping[int, Sequence[Enclosed]]

    @classmethod
    def of(cls, connection: sa.Connection, ids: Sequence[int], to: Destination) -> Self:
        """Of these complaints, as they go to a destination."""
        standings = referrals.standings(connection, ids)
        sharing = [id for id in ids if rules.may_share_media(standings[id].sendable, to)]
        found = pieces.of_complaints(connection, sharing) if sharing else {}
        return cls(
            reports=links.reports(connection, ids),
            numbers=registry.numbers_of(connection, ids),
            people=referrals.people_of(connection, ids),
            findings=findings.standing(connection, ids),
            summaries=packages.summaries(connection, ids),
            standings=standings,
            pieces=found,
            enclosed=_enclosed(connection, found),
        )


def _enclosed(connection: sa.Connection, found: Mapping[int, Sequence[Piece]]) -> dict[int, list[Enclosed]]:
    """By complaint, those of its pieces of which copies go, each by its place among all of them: their numbers may
    stand twice, since a revision counts anew."""
    going = {each.id for those in found.values() for each in those if release.absent(each.role, each.state) is None}
    areas = pieces.covers_of(connection, going) if going else {}
    return {
        complaint: [
            Enclosed(each.id, no, each.sha256, each.kind, each.role, covered_by(areas.get(each.id, ())))
            for no, each in enumerate(those, 1)
            if each.id in going
        ]
        for complaint, those in found.items()
    }


def _plain(each: Candidate) -> dict[str, Any]:
    """All of a candidate as JSON has it, but for its pieces: a set has another order in each process."""
    said = {name: value for name, value in vars(each).items() if name not in _OF_PIECES}
    return said | {"parts": sorted(each.parts), "victim": vars(each.victim), "where": vars(each.where)}


def _is_another(told: Told, now: Candidate, keyed: Keyed) -> bool:
    """Whether a line says something else of its person by now, or may say more or less than it did.

    So it does with a piece that came since, or of which something else is covered, and where the files may not be
    shared any more. A piece that is gone from here stays where it was sent.
    """
    if set(told.parts) - {MEDIA} != now.parts or (MEDIA in told.parts and not now.shares_media):
        return True
    if any(told.hashes.get(name, "") != hash for name, hash in keyed.pieces_of(now).items()):
        return True
    ways = release.ways_to_say(now).items()
    return any(told.hashes.get(name, "") not in {keyed.hash(name, text) for text in texts} for name, texts in ways)


def _without_past(found: Candidate) -> Candidate:
    """What is told anew without a name has no words: those of the line that became void may be the same."""
    return found if found.is_named else replace(found, summary="")


def _corrections(told: Told, now: Candidate, keyed: Keyed) -> list[Correction]:
    """What of a line says something else by now, though not of its person."""
    says = release.said_of_case(now, with_cercle="cercle" in told.hashes).items()
    changed = {name: text for name, text in says if told.hashes.get(name, "") != keyed.hash(name, text)}
    was = {name: told.hashes.get(name, "") for name in changed}
    return [Correction(told, changed, was)] if changed else []


def _pages(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[at : at + _PAGE] for at in range(0, len(ids), _PAGE))


def _victims(people: Sequence[Person]) -> list[tuple[str | None, str | None, int]]:
    """Whom a line speaks of: those who suffered it, else those who complain."""
    for role in (VICTIM, _COMPLAINANT):
        found = [(each.sex, each.age, each.count or 1) for each in people if role in each.roles.split()]
        if found:
            return found
    return []


def _author(people: Sequence[Person]) -> str:
    """Of whose people those are whom a complaint accuses; empty where it does not say, or of several."""
    accused = {each.category or "" for each in people if ACCUSED_ROLES.intersection(each.roles.split())}
    return accused.pop() if len(accused) == 1 else ""
