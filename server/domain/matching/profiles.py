"""Profiles: a complaint as it is matched, taken apart in memory into veils and keyed numbers.

What a profile holds can be compared and put together with what comes later; nothing in it can be read.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import blake2b
from struct import Struct
from typing import Final

from server.domain.folding import fold
from server.domain.matching import veiling
from server.domain.matching.comparing import Clear, prepare
from server.domain.matching.levels import FieldName
from server.domain.matching.records import Kind
from server.domain.matching.veiling import Veil, veil
from server.domain.names import RARE_BITS, parts, rarity_bits, sound
from server.domain.places import Gazetteer, Place

# Profiles of another recipe, or with veils of another scheme, are not comparable.
SCHEME: Final = veiling.SCHEME * 100 + 4
# Each part of a profile is called by the first letter of its compartment and one of its own. Names of persons are
# `i` and their number, names found in the narrative `s` and a digit.
KINDS, FAMILIES, BODIES, MONEY, WHEN, CERCLE, ROLES, TRAITS = "fk", "ff", "fb", "fm", "fw", "fc", "fr", "ft"
# In order of age, after what is not known.
_SEXES: Final = ("", "f", "m")
_AGES: Final = ("", "0-4", "5-11", "12-17", "18-24", "25-59", "60+")
PHONES: Final = "ip"
STORY, MINIMA, CONCEPTS, MENTIONED, DAYS, SUMS = "ss", "sm", "sp", "sv", "sd", "sa"
EXACT, SAID, COMMUNE = "te", "tv", "tk"

# What a packed part is called: its place here, or the letter of a name and the number after it.
_LABELS: Final = (
    "i", "s", KINDS, FAMILIES, BODIES, MONEY, WHEN, CERCLE, ROLES, TRAITS, MINIMA, CONCEPTS, MENTIONED, DAYS, SUMS,
    EXACT, SAID, COMMUNE,
)  # fmt: skip
# Its lowest bits tell how many bytes a number takes, from 1; 0 ends the parts.
_WIDTH_BITS: Final = 3
# The lowest bits of the number of a part of a name tell by how many it is rare.
_RARITY: Final = 0xF
VICTIM, COMPLAINANT, ACCUSED = 1, 2, 4
_ROLE_BITS: Final = 3
VICTIM_ROLE: Final = "victim"
_ROLES: Final[Mapping[str, int]] = {
    VICTIM_ROLE: VICTIM,
    "complainant": COMPLAINANT,
    "alleged_perpetrator": ACCUSED,
    "accomplice": ACCUSED,
}

_PERSONS_MOST: Final = 64
_NAMES_MOST: Final = 8
_FOUND_MOST: Final = 6
_PARTS_MOST: Final = 4
_PHONES_MOST: Final = 4
_PLACE_WORDS_MOST: Final = 3
_PLACE_LEAST_CHARS: Final = 4
_CONCEPTS_KEYED: Final = 4
_CONCEPT: Final = "="
_DAY: Final = re.compile(r"(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?")
_DAYS_OF_MONTH: Final = 32
_DAYS_MOST: Final = 6
_SUMS_MOST: Final = 6
_MINIMUM: Final = Struct(">I")
_LENGTH: Final = Struct("<H")
_STEP_BYTES: Final = 128
_GUESS_DAYS: Final = 15
# Nobody alive has seen it, and days before year 1 are none.
_EARLIEST: Final = date(1900, 1, 1)

# What narrows no place down.
_ANYWHERE: Final = frozenset(
    "pres cote marche ecole poste quartier village commune cercle region hameau route entre derriere devant grande"
    " grand petit petite haut centre sante mosquee eglise mairie prefecture pont puits champ champs bord fleuve gare"
    " maison bureau dans chez vers apres avant loin nord ouest lieu ville near behind market school road town house"
    " dugu kono kerefe sugu lakoli so da la".split()
)
# `commune de Ségou`, `Segu commune`: what lies around a village, in either order.
_AFTER_AROUND: Final = re.compile(r"\b(?:commune|cercle|region|arrondissement|quartier)(?: (?:de|du|d|of|la|l))* \w+")
_BEFORE_AROUND: Final = re.compile(r"\b\w+ (?:(?:commune|cercle|komini|quarter)$|(?:komini|quarter)\b)")
# A run of capitals with one of these is an office or a country, and nobody's name.
_OFFICES: Final = frozenset(
    "gendarmerie police garde armee douane douanes mairie prefecture prefet tribunal justice commissariat brigade"
    " nationale national nationaux etat mali republique ministere direction service services centre hopital csref"
    " cscom ecole lycee banque projet programme eaux forets conseil association comite union ong maire".split()
)


@dataclass(frozen=True, slots=True)
class Told:
    """The facts of a complaint, as far as they are compared.

    `roles`: those of each person by number; `victims`: sex and age band of each victim.
    """

    kinds: tuple[str, ...]
    place_id: str | None
    incident_from: str | None
    incident_to: str | None
    precision: str | None
    amounts: tuple[int, ...]
    bodies: tuple[str, ...]
    roles: Mapping[int, tuple[str, ...]]
    victims: tuple[tuple[str | None, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """A complaint as it is matched: veils, and numbers of 32 bits that stand for facts, each under its part's name."""

    veils: Mapping[str, tuple[Veil, ...]]
    numbers: Mapping[str, tuple[int, ...]]

    def names(self) -> dict[str, tuple[int, ...]]:
        """The keyed parts of each name, those of persons before those found in the narrative."""
        labels = sorted((label for label in self.numbers if label[1:].isdigit()), key=lambda each: (each[0], each[1:]))
        return {label: self.numbers[label] for label in labels}

    def sums(self) -> tuple[int, ...]:
        """The sums of the form, and those of the narrative."""
        return tuple(dict.fromkeys((*self.numbers.get(MONEY, ()), *self.numbers.get(SUMS, ()))))

    def villages(self) -> tuple[int, ...]:
        """The keyed words that may name the place, the likeliest first."""
        said = (*self.numbers.get(SAID, ()), *self.numbers.get(MENTIONED, ()))
        return tuple(dict.fromkeys(said))[:_PLACE_WORDS_MOST]


EMPTY: Final = Profile({}, {})


def renewed(before: Profile, parts: Sequence[Profile]) -> Profile:
    """The profile with each compartment that `parts` speak of as they say; the later of two parts stands.

    A part speaks of a compartment when anything of it is under that letter, be it nothing at all (see `silent`).
    """
    for part in parts:
        letters = {label[0] for label in (*part.veils, *part.numbers)}
        before = Profile(
            {label: each for label, each in before.veils.items() if label[0] not in letters} | dict(part.veils),
            {label: each for label, each in before.numbers.items() if label[0] not in letters} | dict(part.numbers),
        )
    return Profile({k: v for k, v in before.veils.items() if v}, {k: v for k, v in before.numbers.items() if v})


def only(profile: Profile, compartments: Collection[str]) -> Profile:
    """What a profile says of these compartments."""
    letters = {compartment[0] for compartment in compartments}
    return Profile(
        {label: each for label, each in profile.veils.items() if label[0] in letters},
        {label: each for label, each in profile.numbers.items() if label[0] in letters},
    )


def of_facts(told: Told, places: Gazetteer | None, pepper: bytes) -> Profile:
    """What the facts say. A region is no place: half the country would stand in it."""
    span = _span(told)
    cercle = told.place_id and _cercle(told.place_id, places)
    families = sorted({kind.partition("-")[0] for kind in told.kinds})
    roles = [number << _ROLE_BITS | _mask(each) for number, each in sorted(told.roles.items()) if _mask(each)]
    return Profile(
        {},
        {
            KINDS: _atoms("kind", told.kinds, pepper),
            FAMILIES: _atoms("family", families, pepper),
            BODIES: _atoms("body", sorted(set(told.bodies)), pepper),
            MONEY: tuple(sorted({amount for amount in told.amounts if 0 < amount < 1 << 32})),
            WHEN: () if span is None else (span[0].toordinal(), span[1].toordinal()),
            CERCLE: _atoms("cercle", [cercle], pepper) if cercle else (),
            ROLES: tuple(roles[:_PERSONS_MOST]),
            TRAITS: tuple(sorted(_trait(*each) for each in told.victims))[:_NAMES_MOST],
        },
    )


def of_identity(names: Sequence[tuple[int, str]], phones: Sequence[str], pepper: bytes) -> Profile:
    """What the names of persons, with their numbers, and the telephones say."""
    veils, numbers = _silent("i")
    for number, name in names[:_NAMES_MOST]:
        _add_name(veils, numbers, f"i{number}", name, pepper)
    veils[PHONES] = tuple(veil(Kind.PHONE, prepare(Kind.PHONE, each), pepper) for each in phones[:_PHONES_MOST])
    return Profile(veils, numbers)


def of_statement(
    names: Sequence[str],
    pivots: Sequence[str],
    minhash: bytes,
    days: Sequence[str],
    sums: Sequence[int],
    pepper: bytes,
) -> Profile:
    """What the narrative says: names, days `MM-DD`, months `MM` and sums found in it, what it speaks of and how."""
    veils, numbers = _silent("s")
    people = [name for name in names if len(_people_parts(name)) > 1]
    for at, name in enumerate(people[:_FOUND_MOST]):
        _add_name(veils, numbers, f"s{at}", name, pepper)
    numbers[MENTIONED] = _place_words(_telling(name for name in names if " " not in name), pepper)
    said = tuple(sorted(set(pivots)))
    veils[STORY] = (veil(Kind.STORY, Clear(" ".join(said), said), pepper),) if said else ()
    # Concepts alone, as other pivots may be names; and the smallest, as two that share some then choose alike.
    concepts = sorted(_atoms("concept", [each for each in said if each.startswith(_CONCEPT)], pepper))
    numbers[CONCEPTS] = tuple(concepts[:_CONCEPTS_KEYED])
    whole = minhash[: len(minhash) - len(minhash) % _MINIMUM.size]
    minima = [f"{at} {each}" for at, (each,) in enumerate(_MINIMUM.iter_unpack(whole))]
    numbers[MINIMA] = _atoms("minimum", minima, pepper)
    numbers[DAYS] = tuple(sorted({_numbered_day(each) for each in days if _DAY.fullmatch(each)}))[:_DAYS_MOST]
    numbers[SUMS] = tuple(sorted({each for each in sums if 0 < each < 1 << 32}))[:_SUMS_MOST]
    return Profile(veils, numbers)


def of_traces(place_id: str | None, said: str, places: Gazetteer | None, pepper: bytes) -> Profile:
    """What the exact place, and the words said of it, say."""
    veils, numbers = _silent("t")
    path = _path(place_id, places) if place_id else []
    below = [place for place in path if place.level not in ("region", "cercle")]
    communes = [place.id for place in path if place.level == "commune"]
    is_exact = place_id and (below or not path) and place_id not in communes
    numbers[EXACT] = _atoms("place", [place_id], pepper) if place_id and is_exact else ()
    numbers[COMMUNE] = _atoms("commune", communes, pepper)
    # Of a place that is a commune the name is that of all its villages.
    village = [place.name for place in below[:1] if place.level != "commune"]
    told = _telling((*village, _without_around(said)))
    numbers[SAID] = _place_words(told, pepper)
    known = [prepare(Kind.PLACE, each) for each in told[:_PLACE_WORDS_MOST]]
    veils[SAID] = tuple(veil(Kind.PLACE, each, pepper) for each in known if not each.is_blank)
    return Profile(veils, numbers)


def days_told(profile: Profile) -> frozenset[int]:
    """Days and months without a year: those of the narrative, and of the form where it gives a day or a month."""
    found = set(profile.numbers.get(DAYS, ()))
    span = profile.numbers.get(WHEN, ())
    if span:
        first, last = (date.fromordinal(each) for each in span)
        if first == last:
            found.add(first.month * _DAYS_OF_MONTH + first.day)
        elif (first.year, first.month) == (last.year, last.month):
            found.add(first.month * _DAYS_OF_MONTH)
    return frozenset(found)


def is_any_day(told: Iterable[int]) -> bool:
    """Whether any of what `days_told` gives is a day, not a month alone."""
    return any(each % _DAYS_OF_MONTH for each in told)


def months_of(told: Iterable[int]) -> frozenset[int]:
    """The months of what `days_told` gives."""
    return frozenset(each // _DAYS_OF_MONTH for each in told)


def missing(profile: Profile) -> frozenset[str]:
    """Which of `who`, `where` and `when` nothing is known of."""
    where = (CERCLE, EXACT, SAID)
    known = {
        "who": bool(profile.names() or profile.veils.get(PHONES)),
        "where": any(profile.numbers.get(label) for label in where),
        "when": bool(profile.numbers.get(WHEN) or profile.numbers.get(DAYS)),
    }
    return frozenset(name for name, is_known in known.items() if not is_known)


def why_unmatchable(profile: Profile) -> frozenset[str]:
    """What is missing of a complaint that says too little to be matched yet; empty for one that can be.

    It takes two of who, where and when; or a narrative of a village.
    """
    lacking = missing(profile)
    is_told_of_village = bool(profile.veils.get(STORY) and profile.villages())
    return lacking if len(lacking) > 1 and not is_told_of_village else frozenset()


def rarity_of(part: int) -> int:
    """By how many bits a part of a name, as `names` gives it, is rare."""
    return part & _RARITY


def numbers_in_role(roles: Sequence[int], role: int) -> list[int]:
    """The numbers of the persons who have this role, of the numbers under ROLES."""
    return [each >> _ROLE_BITS for each in roles if each & role]


def traits(profile: Profile) -> list[tuple[int, int]]:
    """Of each victim the number of the sex and that of the age band, which rises with age; 0 for what is not known."""
    return [divmod(each, len(_AGES)) for each in profile.numbers.get(TRAITS, ())]


def pack_profile(profile: Profile) -> bytes:
    """The profile as bytes, in one way; in steps of so many that their number tells next to nothing."""
    veils = veiling.pack({FieldName(label): each for label, each in profile.veils.items()})
    numbers = b"".join(_packed(label, profile.numbers[label]) for label in sorted(profile.numbers))
    packed = _LENGTH.pack(len(veils)) + veils + numbers
    return packed.ljust(-(-len(packed) // _STEP_BYTES) * _STEP_BYTES, b"\0")


def unpack_profile(packed: bytes) -> Profile:
    """What was packed. Raises ValueError for another scheme of veils."""
    (length,) = _LENGTH.unpack_from(packed)
    at = _LENGTH.size + length
    numbers = {}
    while at < len(packed) and packed[at]:
        head, many, at = packed[at], packed[at + 1], at + 2
        label, width = _LABELS[head >> _WIDTH_BITS], head & (1 << _WIDTH_BITS) - 1
        if len(label) == 1:
            label, at = f"{label}{_LENGTH.unpack_from(packed, at)[0]}", at + _LENGTH.size
        end = at + many * width
        numbers[label] = tuple(int.from_bytes(packed[each : each + width]) for each in range(at, end, width))
        at = end
    veils = veiling.unpack(packed[_LENGTH.size : _LENGTH.size + length])
    return Profile({str(label): each for label, each in veils.items()}, numbers)


def _packed(label: str, numbers: Sequence[int]) -> bytes:
    is_name = label[1:].isdigit()
    place = _LABELS.index(label[0] if is_name else label)
    width = (max(numbers, default=1).bit_length() + 7) // 8 or 1
    head = bytes([place << _WIDTH_BITS | width, len(numbers)]) + (_LENGTH.pack(int(label[1:])) if is_name else b"")
    return head + b"".join(each.to_bytes(width) for each in numbers)


def _silent(letter: str) -> tuple[dict[str, tuple[Veil, ...]], dict[str, tuple[int, ...]]]:
    """A compartment that says nothing yet, which is more than not speaking of it: what it said before is over."""
    return {}, {f"{letter}-": ()}


def _span(told: Told) -> tuple[date, date] | None:
    """First and last day that are meant."""
    if told.incident_from is None or told.precision == "unknown":
        return None
    first = max(date.fromisoformat(told.incident_from), _EARLIEST)
    last = max(first, date.fromisoformat(told.incident_to)) if told.incident_to else first
    return _MEANT.get(told.precision or "", _day_meant)(first, last)


def _day_meant(first: date, last: date) -> tuple[date, date]:
    return first, last


def _week_meant(first: date, last: date) -> tuple[date, date]:
    return first, max(last, first + timedelta(days=6))


def _month_meant(first: date, last: date) -> tuple[date, date]:
    # The first day of the next month, less one.
    return first.replace(day=1), (last.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _year_meant(first: date, last: date) -> tuple[date, date]:
    return first.replace(month=1, day=1), last.replace(month=12, day=31)


def _guess_meant(first: date, last: date) -> tuple[date, date]:
    return first - timedelta(days=_GUESS_DAYS), last + timedelta(days=_GUESS_DAYS)


_MEANT: Final[Mapping[str, Callable[[date, date], tuple[date, date]]]] = {
    "week": _week_meant,
    "month": _month_meant,
    "year": _year_meant,
    "estimate": _guess_meant,
}


def _numbered_day(told: str) -> int:
    month, _, day = told.partition("-")
    return int(month) * _DAYS_OF_MONTH + int(day or 0)


def _trait(sex: str | None, age: str | None) -> int:
    """Sex and age band as one number; what is not known is the first of each."""
    at = _SEXES.index(sex) if sex in _SEXES else 0
    return at * len(_AGES) + (_AGES.index(age) if age in _AGES else 0)


def _mask(roles: Iterable[str]) -> int:
    mask = 0
    for role in roles:
        mask |= _ROLES.get(role, 0)
    return mask


def _cercle(place_id: str, places: Gazetteer | None) -> str | None:
    if places is None:
        return place_id
    cercle = places.cercle_of(place_id)
    return None if cercle is None else cercle.id


def _path(place_id: str, places: Gazetteer | None) -> list[Place]:
    return [] if places is None else list(places.upward(place_id))


def _people_parts(name: str) -> tuple[str, ...]:
    """The parts of a name found in a narrative; none of an office."""
    found = tuple(part for part in parts(name) if len(part) > 1)
    return () if _OFFICES.intersection(found) else found


def _add_name(
    veils: dict[str, tuple[Veil, ...]], numbers: dict[str, tuple[int, ...]], label: str, name: str, pepper: bytes
) -> None:
    said = {sound(part): rarity_bits(part) for part in parts(name) if len(part) > 1}
    kept = sorted(said)[:_PARTS_MOST]
    atoms = _atoms("name", kept, pepper)
    numbers[label] = tuple(atom & ~_RARITY | said[part] for atom, part in zip(atoms, kept, strict=True))
    made = veil(Kind.PERSON, prepare(Kind.PERSON, name), pepper)
    veils[label] = () if made.is_blank else (made,)


def _without_around(said: str) -> str:
    """The words of a place without the names of the commune, cercle or quarter; as they are where nothing else is."""
    folded = " ".join(fold(said).split())
    left = _AFTER_AROUND.sub(" ", _BEFORE_AROUND.sub(" ", folded))
    return left if _telling((left,)) else folded


def _telling(texts: Iterable[str]) -> list[str]:
    """The words that may name a place, the longest of each text first."""
    words = [sorted(fold(text).split(), key=lambda word: (-len(word), word)) for text in texts]
    kept = (word for each in words for word in each if word not in _ANYWHERE and not word.isdigit())
    return list(dict.fromkeys(word for word in kept if len(word) >= _PLACE_LEAST_CHARS))


def _place_words(words: Iterable[str], pepper: bytes) -> tuple[int, ...]:
    """The first of the words as numbers; never a common name, which is a person's where no place bears it."""
    telling = [sound(word) for word in words if rarity_bits(word) >= RARE_BITS]
    return _atoms("place word", telling[:_PLACE_WORDS_MOST], pepper)


def _atoms(sort: str, texts: Iterable[str], pepper: bytes) -> tuple[int, ...]:
    """A keyed number of 32 bits for each text: only composites of several ever leave a profile."""
    return tuple(
        int.from_bytes(blake2b(f"{sort}\x1f{text}".encode(), key=pepper, person=b"atom", digest_size=4).digest())
        for text in dict.fromkeys(texts)
    )
