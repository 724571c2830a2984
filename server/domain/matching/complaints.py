"""Complaints compared and judged: levels by field of two profiles, and what the models of each relation say of them."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

from server.domain.matching import profiles
from server.domain.matching.comparing import Clear, compare, level_at
from server.domain.matching.levels import FieldName, Level, Levels
from server.domain.matching.model import AGREES, Judgement, Model, Rarity, Relation, judge
from server.domain.matching.profiles import Profile
from server.domain.matching.records import Form, Kind
from server.domain.matching.veiling import Veil, compare_veils

VICTIMS, COMPLAINANTS, ACCUSED, PEOPLE = map(FieldName, ("victims", "complainants", "accused", "people"))
PHONES, PLACE, WHEN, KINDS = map(FieldName, ("phones", "place", "when", "kinds"))
BODIES, MONEY, STORY, WORDING = map(FieldName, ("bodies", "money", "story", "wording"))
SEX, AGE = map(FieldName, ("sex", "age"))

# Who it is about, where, when and what; `bodies` are the accused's and the sector, `people` whoever is named anywhere,
# `story` what the narrative speaks of in whatever language, `wording` the words it says it in.
FORM: Final = Form(
    "complaint",
    {
        VICTIMS: Kind.PERSON,
        COMPLAINANTS: Kind.PERSON,
        ACCUSED: Kind.PERSON,
        PEOPLE: Kind.PERSON,
        PHONES: Kind.PHONE,
        PLACE: Kind.PLACE,
        WHEN: Kind.WHEN,
        KINDS: Kind.CODE,
        BODIES: Kind.CODE,
        MONEY: Kind.AMOUNT,
        STORY: Kind.STORY,
        WORDING: Kind.STORY,
        SEX: Kind.CODE,
        AGE: Kind.CODE,
    },
)
# A model judges two relations of complaints, each by itself.
RELATIONS: Final = (Relation.SAME_INCIDENT, Relation.SAME_COMPLAINANT)

# The odds before anything is known, always of a store of this size: what a pair is worth must not depend on which of
# the two came first, nor on how many came between. What a larger store takes from them is in its models' `steps`.
STORED: Final = 10_000
# The odds fall by a bit whenever there are four times as many, half a step after which the first is due.
_STEP_TIMES: Final = 4
_FIRST_STEP: Final = 2 * STORED

_ROLE_OF: Final = {VICTIMS: profiles.VICTIM, COMPLAINANTS: profiles.COMPLAINANT, ACCUSED: profiles.ACCUSED}
_WORDING_SHARES: Final = ((0.6, Level.NEAR), (0.3, Level.CLOSE), (0.1, Level.FAINT))
# The middle of each step of a veil's rarity, in bits (see names.rarity).
_RARITY_FROM_BITS: Final = 7.5
_RARITY_STEP_BITS: Final = 3.0
# Of names that sound alike or nearly so, whoever bears them.
_ALIKE_BITS: Final[Mapping[Level, float]] = {Level.CLOSE: 7.0, Level.FAINT: 4.0}


class Likeness(NamedTuple):
    """How alike two complaints are, and what the model of one relation says of that."""

    relation: Relation
    levels: Levels
    judgement: Judgement


def levels_of(ours: Profile, theirs: Profile) -> Levels:
    """How far two complaints agree, field by field; the same whichever is called ours."""
    found = {field: _people(field, ours, theirs) for field in _ROLE_OF}
    named = compare_veils(Kind.PERSON, _named(ours), _named(theirs))
    # A fact counts once: of people that the roles have told already nothing more is said.
    found[PEOPLE] = named if named > max(found.values()) else Level.MISSING
    found[PHONES] = _veiled(Kind.PHONE, profiles.PHONES, ours, theirs)
    found[PLACE] = _place(ours, theirs)
    found[WHEN] = _when(ours, theirs)
    found[KINDS] = _kinds(ours, theirs)
    found[BODIES] = _bodies(ours, theirs)
    found[MONEY] = compare(Kind.AMOUNT, _money(ours), _money(theirs))
    found[STORY] = _veiled(Kind.STORY, profiles.STORY, ours, theirs)
    found[WORDING] = _wording(ours, theirs)
    found[SEX], found[AGE] = _sex(ours, theirs), _age(ours, theirs)
    return found


def rarity_of(levels: Levels, ours: Profile, theirs: Profile) -> Rarity:
    """By how many bits the agreement of people is rarer than chance; all other fields' weights hold theirs already."""
    fields = (*_ROLE_OF, PEOPLE)
    return {
        field: _rarity(levels[field], in_role(field, ours), in_role(field, theirs))
        for field in fields
        if levels.get(field, Level.MISSING) >= AGREES
    }


def judge_pair(models: Sequence[Model], ours: Profile, theirs: Profile) -> list[Likeness]:
    """What each model says of two complaints."""
    levels = levels_of(ours, theirs)
    rarity = rarity_of(levels, ours, theirs)
    return [Likeness(model.relation, levels, judge(model, levels, rarity, STORED)) for model in models]


def steps_at(count: int) -> int:
    """By how many steps the odds before are lower among so many complaints than among STORED: one for each fourfold.

    In whole steps, so that they change a few times in the life of a hub; of what size is said by each model.
    """
    steps = 0
    while count >= step_from(steps + 1):
        steps += 1
    return steps


def step_from(steps: int) -> int:
    """From how many complaints on there are so many steps, one or more."""
    return int(_FIRST_STEP * _STEP_TIMES ** (steps - 1))


@cache
def shipped(relation: Relation) -> Model:
    """The model of a relation that comes with this version, with weights for each field of FORM."""
    return read_model((resources.files("server.domain.matching") / f"{relation}.json").read_text("utf-8"))


def read_model(text: str) -> Model:
    """A model for complaints. Raises ModelInvalid."""
    return Model.read(text).for_form(FORM)


def in_role(field: FieldName, profile: Profile) -> list[Veil]:
    """The veiled names of a complaint in a role; of PEOPLE, all that it names."""
    role = _ROLE_OF.get(field)
    if role is None:
        return _named(profile)
    packed = profile.numbers.get(profiles.ROLES, ())
    return [each for number in profiles.numbers_in_role(packed, role) for each in profile.veils.get(f"i{number}", ())]


def _people(field: FieldName, ours: Profile, theirs: Profile) -> Level:
    return compare_veils(Kind.PERSON, in_role(field, ours), in_role(field, theirs))


def _named(profile: Profile) -> list[Veil]:
    return [each for label in profile.names() for each in profile.veils.get(label, ())]


def _rarity(level: Level, ours: Sequence[Veil], theirs: Sequence[Veil]) -> float:
    """Of the rarest name that both have; where none is the same, as rare as names that are so alike."""
    if level < Level.NEAR:
        return _ALIKE_BITS[level]
    agreeing = [min(a.rarity, b.rarity) for a in ours for b in theirs if compare_veils(Kind.PERSON, [a], [b]) >= level]
    return _RARITY_FROM_BITS + _RARITY_STEP_BITS * max(agreeing)


def _veiled(kind: Kind, label: str, ours: Profile, theirs: Profile) -> Level:
    return compare_veils(kind, ours.veils.get(label, ()), theirs.veils.get(label, ()))


def _place(ours: Profile, theirs: Profile) -> Level:
    """EQUAL and NEAR in one village, CLOSE in one commune or where names are alike, FAINT in one cercle as far as is
    known; DIFFERS where villages or cercles do."""
    cercles = _sets(profiles.CERCLE, ours, theirs)
    if all(cercles) and cercles[0].isdisjoint(cercles[1]):
        return Level.DIFFERS
    exact, words = _sets(profiles.EXACT, ours, theirs), _sets(profiles.SAID, ours, theirs)
    if exact[0] & exact[1]:
        return Level.EQUAL
    if words[0] & words[1]:
        return Level.NEAR
    communes = _sets(profiles.COMMUNE, ours, theirs)
    alike = _veiled(Kind.PLACE, profiles.SAID, ours, theirs)
    if communes[0] & communes[1] or alike >= Level.CLOSE or set(ours.villages()) & set(theirs.villages()):
        return Level.CLOSE
    if alike is Level.DIFFERS:
        return Level.DIFFERS
    return Level.FAINT if all(cercles) else Level.MISSING


def _kinds(ours: Profile, theirs: Profile) -> Level:
    """EQUAL where the first act is the same, NEAR where any is, FAINT where they are of one family."""
    a, b = (each.numbers.get(profiles.KINDS, ()) for each in (ours, theirs))
    if not a or not b:
        return Level.MISSING
    if a[0] == b[0]:
        return Level.EQUAL
    if not set(a).isdisjoint(b):
        return Level.NEAR
    families = _sets(profiles.FAMILIES, ours, theirs)
    return Level.FAINT if families[0] & families[1] else Level.DIFFERS


def _bodies(ours: Profile, theirs: Profile) -> Level:
    return _of_sets(*_sets(profiles.BODIES, ours, theirs))


def _sex(ours: Profile, theirs: Profile) -> Level:
    """Of the victims."""
    a, b = ({sex for sex, _ in profiles.traits(each) if sex} for each in (ours, theirs))
    return _of_sets(a, b)


def _of_sets(ours: set[int], theirs: set[int]) -> Level:
    """EQUAL where all that is told is the same, CLOSE where some is."""
    if not ours or not theirs:
        return Level.MISSING
    if ours == theirs:
        return Level.EQUAL
    return Level.CLOSE if ours & theirs else Level.DIFFERS


def _age(ours: Profile, theirs: Profile) -> Level:
    """Of the victims: EQUAL where one of each is of the same band, CLOSE where their bands touch."""
    a, b = ({age for _, age in profiles.traits(each) if age} for each in (ours, theirs))
    if not a or not b:
        return Level.MISSING
    bands_apart = min(abs(one - other) for one in a for other in b)
    return {0: Level.EQUAL, 1: Level.CLOSE}.get(bands_apart, Level.DIFFERS)


def _wording(ours: Profile, theirs: Profile) -> Level:
    """By the share of minima in common, which tells that of the runs of words."""
    a, b = (each.numbers.get(profiles.MINIMA, ()) for each in (ours, theirs))
    if not a or len(a) != len(b):
        return Level.MISSING
    same = sum(x == y for x, y in zip(a, b, strict=True)) / len(a)
    return Level.EQUAL if same == 1 else level_at(same, _WORDING_SHARES)


def _when(ours: Profile, theirs: Profile) -> Level:
    """By the days that the forms give; where a day of the narrative is the same, which has no year, at least NEAR."""
    level = compare(Kind.WHEN, _span(ours), _span(theirs))
    a, b = (profiles.days_told(each) for each in (ours, theirs))
    if profiles.is_any_day(a & b):
        return max(level, Level.NEAR)
    if level is not Level.MISSING or not a or not b:
        return level
    return Level.FAINT if profiles.months_of(a) & profiles.months_of(b) else Level.DIFFERS


def _span(profile: Profile) -> list[Clear]:
    days = profile.numbers.get(profiles.WHEN, ())
    return [Clear(f"{days[0]}..{days[1]}", numbers=(float(days[0]), float(days[1])))] if days else []


def _money(profile: Profile) -> list[Clear]:
    return [Clear(str(each), numbers=(float(each),)) for each in profile.sums()]


def _sets(label: str, ours: Profile, theirs: Profile) -> tuple[set[int], set[int]]:
    return set(ours.numbers.get(label, ())), set(theirs.numbers.get(label, ()))
