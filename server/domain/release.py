"""Release: the one place where a line of a package is built, from what consent lets that very destination have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from server.domain.anonymity import Ladders, Said, blurred
from server.domain.evidence import State
from server.domain.packages import Shape
from server.domain.referral import Part
from server.domain.statistics import age_group
from server.domain.working_copy import Covered

# Every column that a line can have, in order; nothing else of a complaint ever stands in one.
COLUMNS: Final = (
    "ref",
    "received",
    "happened",
    "region",
    "cercle",
    "commune",
    "kind",
    "author",
    "victims",
    "sex",
    "age",
    "verification",
    "verified_late",
    "status",
    "urgency",
    "consent",
    "summary",
    "name",
    "phone",
)
# What somebody who knows a person could know her by, in the order in which lines give it up; twice: two rungs.
GIVEN_UP: Final = ("victims", "happened", "place", "author", "age", "kind", "received", "sex", "age")
# What a piece has to be for a copy of it to go: papers that were filled in, and what shows a consent, name others.
_ENCLOSED_ROLES: Final = frozenset({"evidence", "testimony"})
# Why no copy of a piece goes that its person would let go: it is not here, or it is no such piece.
Absent = State | Literal["role"]
_SEVERAL: Final = "several"
# What a line without a name has of consent, whatever more its person would let others have.
_UNNAMED: Final = "C2"
_MONTH_CHARS: Final = 7
_FAMILY_SEPARATOR: Final = "-"


@dataclass(frozen=True)
class Somewhere:
    """Where something happened, by ids of places, each as far as it is known."""

    region: str = ""
    cercle: str = ""
    commune: str = ""


@dataclass(frozen=True)
class Victim:
    """Of whom a line speaks: sex and age band as codes, empty where they are not known or differ; how many they are."""

    sex: str
    age: str
    count: int


@dataclass(frozen=True)
class Enclosed:
    """A piece of evidence of which a copy goes with a line. `no`: its place among the files of its complaint, from 1;
    `sha256`: of the sealed bytes; `covered`: what nobody is to see of its pictures."""

    id: int
    no: int
    sha256: str
    kind: str
    role: str
    covered: Covered


@dataclass(frozen=True)
class Candidate:
    """A complaint that may go to a destination, as lines go by it.

    `case`: that has it, None where nobody opened one. `ref`: under which the destination knows it, `parts`: what
    consent lets it have. `happened` is a day, as ISO 8601 has it, or empty; `received` the quarter and `received_month`
    the month in which the hub got it. `summary_tells_cercle`: whether its words do. `shares_media`: whether copies of
    its files may go; `pieces`: those of which they do; `absent`: why those of others do not.
    """

    complaint: int
    case: int | None
    ref: str
    consent: str
    parts: frozenset[Part]
    received: str
    received_month: str
    happened: str
    where: Somewhere
    kind: str
    author: str
    victim: Victim
    verification: str
    verified_late: bool
    status: str
    urgency: str
    summary: str
    summary_tells_cercle: bool
    shares_media: bool = False
    pieces: Sequence[Enclosed] = ()
    absent: Sequence[Absent] = ()

    @property
    def is_named(self) -> bool:
        """Whether its line has the name of its person."""
        return "identity" in self.parts


@dataclass(frozen=True)
class Named:
    """Who a named line is about, opened for it; a telephone where the person allowed that very use."""

    name: str = field(repr=False)
    phone: str = field(default="", repr=False)


@dataclass(frozen=True)
class Line:
    """What a package says of one complaint: by column of COLUMNS, codes and words; what is not there is not said."""

    complaint: int
    ref: str
    shape: Shape
    said: Mapping[str, str] = field(repr=False)


def shown(candidates: Sequence[Candidate]) -> dict[int, Said | None]:
    """By complaint, what an unnamed line says of its person, no nearer than it may; None: too few are alike.

    Complaints of one case count once: neighbours who tell of the same man don't hide him.
    """
    unnamed = [each for each in candidates if not each.is_named]
    sources = {each.complaint: (each.case is None, each.case or each.complaint) for each in unnamed}
    return blurred({each.complaint: _ladders(each) for each in unnamed}, GIVEN_UP, sources)


def line(candidate: Candidate, said: Said | None, named: Named | None) -> Line:
    """The line of a complaint; `said` is what `shown` gave of one without a name.

    A name, and whatever is nearer than a cercle and a month, stands in lines of those alone who let that destination
    have it. Raises ValueError where the one of both that such a line needs is missing.
    """
    common = {"ref": candidate.ref}
    if not candidate.is_named:
        if said is None:
            raise ValueError("no line without a name says all that is known")
        where = dict(zip(("region", "cercle"), said["place"].split("/"), strict=False))
        common |= said_of_case(candidate, with_cercle=bool(where.get("cercle")))
        near = {name: said[name] for name in ("received", "happened", "kind", "author", "victims", "sex", "age")}
        return _line(candidate, "line", common | near | where)
    if named is None:
        raise ValueError("no named line without a name")
    common |= said_of_case(candidate, with_cercle=True)
    near = _near(candidate) | {"name": named.name, "phone": named.phone if "contacts" in candidate.parts else ""}
    return _line(candidate, "named", common | near)


def said_of_case(candidate: Candidate, *, with_cercle: bool) -> dict[str, str]:
    """What a line says of what became of a complaint, by which nobody knows its person; empty where nothing is.

    `with_cercle`: whether the line says that; a summary is no nearer than the line that it stands in.
    """
    is_too_near = candidate.summary_tells_cercle and not with_cercle and not candidate.is_named
    return {
        "verification": candidate.verification,
        "verified_late": "1" if candidate.verified_late else "",
        "status": candidate.status,
        "urgency": candidate.urgency,
        "consent": candidate.consent if candidate.is_named else _UNNAMED,
        "summary": "" if is_too_near else candidate.summary,
    }


def absent(role: str, state: State) -> Absent | None:
    """Why no copy of a piece goes with a line of which the files may be shared; None: one goes."""
    if role not in _ENCLOSED_ROLES:
        return "role"
    return None if state == "here" else state


def ways_to_say(candidate: Candidate) -> dict[str, frozenset[str]]:
    """By column, all that a line may say of the person and the facts, but for a name: nearer or wider, or nothing."""
    if candidate.is_named:
        return {name: frozenset({text}) for name, text in _near(candidate).items()}
    ladders = dict(_ladders(candidate))
    del ladders["place"]
    where = {"region": (candidate.where.region,), "cercle": (candidate.where.cercle, "")}
    return {name: frozenset(rungs) for name, rungs in (ladders | where).items()}


def victim(people: Sequence[tuple[str | None, str | None, int]]) -> Victim:
    """What a line says of several people, each by sex, age band and how many they stand for."""
    sexes, ages = {sex or "" for sex, _, _ in people}, {age or "" for _, age, _ in people}
    return Victim(
        sex=sexes.pop() if len(sexes) == 1 else _SEVERAL if sexes else "",
        age=ages.pop() if len(ages) == 1 else _SEVERAL if ages else "",
        count=sum(count for _, _, count in people),
    )


def _near(candidate: Candidate) -> dict[str, str]:
    """All that a named line says of the person and the facts, but for the name."""
    return {
        "received": candidate.received_month,
        "happened": candidate.happened,
        "region": candidate.where.region,
        "cercle": candidate.where.cercle,
        "commune": candidate.where.commune,
        "kind": candidate.kind,
        "author": candidate.author,
        "victims": str(candidate.victim.count or ""),
        "sex": candidate.victim.sex,
        "age": candidate.victim.age,
    }


def _ladders(each: Candidate) -> Ladders:
    happened = each.happened[:_MONTH_CHARS]
    return {
        "received": (each.received, ""),
        "happened": (happened, _quarter(happened)),
        "place": (f"{each.where.region}/{each.where.cercle}", each.where.region),
        "kind": (each.kind, each.kind.split(_FAMILY_SEPARATOR)[0]),
        "author": (each.author, ""),
        "victims": (_about(each.victim.count), ""),
        "sex": (each.victim.sex, ""),
        "age": (each.victim.age, _stage(each.victim.age), ""),
    }


def _line(candidate: Candidate, shape: Shape, said: Mapping[str, str]) -> Line:
    return Line(candidate.complaint, candidate.ref, shape, {name: said[name] for name in COLUMNS if said.get(name)})


def _quarter(month: str) -> str:
    return f"{month[:4]}-T{(int(month[5:7]) + 2) // 3}" if month else ""


def _about(count: int) -> str:
    """How many, no nearer than people remember of others."""
    return "" if count == 0 else "1" if count == 1 else "2-4" if count <= 4 else "5+"


def _stage(age: str) -> str:
    """A child or grown up."""
    if not age or age == _SEVERAL:
        return age
    return "minor" if age_group(age) == "minor" else "adult"
