"""Composites: facts of a complaint that lead to it together, and the blocking keys that are made of them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from hashlib import blake2b
from itertools import combinations, islice, product
from struct import Struct
from typing import Final

from server.domain.matching import profiles
from server.domain.matching.profiles import Profile
from server.domain.names import RARE_BITS

# All that a signed number of eight bytes holds.
KEY_BITS: Final = 63
# What a complaint costs in the posting table is bounded, whatever it tells.
KEYS_MOST: Final = 64
# Two parts as rare as that, together, may stand in a narrow cell, in a cercle, and by themselves: so many pairs are
# about as frequent that nobody who knows the shares of all names knows which one a key is of.
NARROW_BITS: Final = 9
WIDE_BITS: Final = 10
WIDEST_BITS: Final = 14

_NAMES_KEYED: Final = 2
_DAYS_KEYED: Final = 2
_SUMS_KEYED: Final = 2
_KINDS_KEYED: Final = 2
_BODIES_KEYED: Final = 2
_TRAITS_KEYED: Final = 2
_BANDS: Final = 2
_BAND_MINIMA: Final = 2
_MONTHS_MOST: Final = 2
_FORTNIGHT_DAYS: Final = 10
_NUMBER: Final = Struct("<I")

# The name of a sort of key, and the numbers that one is made of.
Composite = tuple[str, tuple[int, ...]]


def blocking_keys(profile: Profile, pepper: bytes) -> list[int]:
    """At most KEYS_MOST different keys of KEY_BITS under `pepper`, ascending; none of a single name.

    Of too many those stay that come first in the recipe, which is the same for any two complaints.
    """
    return sorted(islice(dict.fromkeys(key_of(each, pepper) for each in composites(profile)), KEYS_MOST))


def key_of(composite: Composite, pepper: bytes) -> int:
    """The blocking key of facts that lead to a complaint together."""
    sort, atoms = composite
    data = b"".join(map(_NUMBER.pack, atoms))
    digest = blake2b(data, key=pepper, person=sort.encode(), digest_size=KEY_BITS // 8 + 1).digest()
    return int.from_bytes(digest, "little") >> 1


def composites(profile: Profile) -> Iterator[Composite]:
    """Facts that lead to a complaint together, each with the name of its sort; the most telling first.

    Parts of a name, where there are some, come before the cell that they stand in.
    """
    cercle, near = profile.numbers.get(profiles.CERCLE, ()), profile.villages()[:1]
    for phone in profile.veils.get(profiles.PHONES, ()):
        yield "phone", (phone.whole & 0xFFFFFFFF, phone.whole >> 32)
    yield from _of_people(profile, cercle, near)
    yield from _of_village(profile, near)
    yield from _of_narrative(profile, cercle)
    yield from _of_commune(profile)
    yield from _of_cercle(profile, cercle)


def _of_people(profile: Profile, cercle: Sequence[int], near: Sequence[int]) -> Iterator[Composite]:
    """Two parts of one name in a narrow cell, or a rare part in one; in a wide cell only two that few bear together.

    In a wide cell, such as a village or a cercle for all time, the most frequent keys would be those of the names
    most frequent in the country, which everybody knows: no key is of common parts and one more fact.
    """
    names = list(profile.names().values())
    pairs = list(dict.fromkeys(pair for name in names for pair in combinations(sorted(name), 2)))
    rare = list(dict.fromkeys(part for name in names for part in name if profiles.rarity_of(part) >= RARE_BITS))
    months = _months(profile)
    # Of traders who are stopped in several cercles; of a few names alone, as it finds more strangers than all others.
    rarest = dict.fromkeys(max(combinations(sorted(name), 2), key=_rarity) for name in names if len(name) > 1)
    yield from (("names", pair) for pair in islice(rarest, _NAMES_KEYED) if _rarity(pair) >= WIDEST_BITS)
    yield from _crossed("names cercle", [pair for pair in pairs if _rarity(pair) >= WIDE_BITS], cercle)
    for pair in pairs:
        yield from _of_pair(profile, pair, cercle)
    yield from _crossed("name place month", _singly(rare), near, months)
    yield from _crossed("name cercle week", _singly(rare), cercle, _fortnights(profile))


def _of_pair(profile: Profile, pair: tuple[int, ...], cercle: Sequence[int]) -> Iterator[Composite]:
    """Narrow cells; narrower ones for the most frequent pairs, and as many, lest their silence tells who bears them."""
    kinds, months = _kinds(profile), _months(profile)
    is_frequent = _rarity(pair) < NARROW_BITS
    yield from _crossed("names month", [pair], cercle, months, *([kinds[:1]] if is_frequent else []))
    further = [months] if is_frequent else []
    yield from _crossed("names body", [pair], cercle, kinds, _bodies(profile), *further)
    yield from _crossed("names trait", [pair], cercle, kinds, _traits(profile), *further)


def _of_village(profile: Profile, near: Sequence[int]) -> Iterator[Composite]:
    places, nearest, kinds, bodies = _singly(profile.villages()), _singly(near), _kinds(profile), _bodies(profile)
    yield from _crossed("place kind week", places, kinds[:1], _fortnights(profile))
    yield from _crossed("place money", places, _sums(profile))
    yield from _crossed("place body", nearest, bodies)
    yield from _crossed("place month", nearest, _months(profile))
    yield from _crossed("place body month", nearest, bodies, _months(profile))


def _of_narrative(profile: Profile, cercle: Sequence[int]) -> Iterator[Composite]:
    """Bands of minima: two tellings in nearly the same words share one (Broder 1997); and two concepts of the story."""
    minima = profile.numbers.get(profiles.MINIMA, ())
    bands = [minima[at : at + _BAND_MINIMA] for at in range(0, len(minima), _BAND_MINIMA)][:_BANDS]
    yield from _crossed("wording", bands, cercle)
    yield from _crossed("concepts", combinations(profile.numbers.get(profiles.CONCEPTS, ()), 2), cercle)


def _of_commune(profile: Profile) -> Iterator[Composite]:
    communes, families = _singly(profile.numbers.get(profiles.COMMUNE, ())), profile.numbers.get(profiles.FAMILIES, ())
    bodies = _bodies(profile)
    yield from _crossed("commune family", communes, families, bodies)
    yield from _crossed("commune month", communes, bodies, _months(profile))
    yield from _crossed("commune concept", communes, families, profile.numbers.get(profiles.CONCEPTS, ()))


def _of_cercle(profile: Profile, cercle: Sequence[int]) -> Iterator[Composite]:
    cercles, kinds, bodies, traits = _singly(cercle), _kinds(profile), _bodies(profile), _traits(profile)
    families, months = profile.numbers.get(profiles.FAMILIES, ()), _months(profile)
    days = [each for each in sorted(profiles.days_told(profile)) if profiles.is_any_day((each,))][:_DAYS_KEYED]
    yield from _crossed("money", cercles, _sums(profile))
    yield from _crossed("day kind", cercles, days, kinds[:1])
    yield from _crossed("day body", cercles, days, bodies)
    yield from _crossed("family month", cercles, families, bodies, months)
    yield from _crossed("kind body month", cercles, kinds[:1], bodies, months)
    yield from _crossed("kind body trait", cercles, kinds[:1], bodies, traits)
    yield from _crossed("body week", cercles, bodies, _fortnights(profile))
    yield from _crossed("kind month", cercles, kinds, months)
    yield from _crossed("trait month", cercles, traits, months)
    yield from _crossed("kind", cercles, kinds)
    yield from _crossed("body", cercles, bodies)


def _rarity(names: Iterable[int]) -> int:
    return sum(map(profiles.rarity_of, names))


def _kinds(profile: Profile) -> tuple[int, ...]:
    return profile.numbers.get(profiles.KINDS, ())[:_KINDS_KEYED]


def _bodies(profile: Profile) -> tuple[int, ...]:
    return profile.numbers.get(profiles.BODIES, ())[:_BODIES_KEYED]


def _traits(profile: Profile) -> tuple[int, ...]:
    """The first of the victims of whom anything is known."""
    return tuple(filter(None, profile.numbers.get(profiles.TRAITS, ())))[:_TRAITS_KEYED]


def _sums(profile: Profile) -> tuple[int, ...]:
    return profile.sums()[:_SUMS_KEYED]


def _singly(atoms: Iterable[int]) -> list[tuple[int, ...]]:
    return [(each,) for each in atoms]


def _crossed(label: str, heads: Iterable[tuple[int, ...]], *tails: Iterable[int]) -> Iterator[Composite]:
    """Each head with one of each of the tails."""
    return ((label, (*head, *tail)) for head in heads for tail in product(*tails))


def _months(profile: Profile) -> tuple[int, ...]:
    days = profile.numbers.get(profiles.WHEN, ())
    if not days:
        return ()
    first, last = (date.fromordinal(day) for day in days)
    begin, end = first.year * 12 + first.month, last.year * 12 + last.month
    return tuple(range(begin, end + 1)) if end - begin < _MONTHS_MOST else ()


def _fortnights(profile: Profile) -> tuple[int, ...]:
    """Each day lies in two fortnights, so that no two days within a week are parted by an edge."""
    days = profile.numbers.get(profiles.WHEN, ())
    if not days or days[1] - days[0] > _FORTNIGHT_DAYS:
        return ()
    first, last = days[0] // 7, days[1] // 7
    return tuple(range(first - 1, last + 1))
