"""Handing over: what of a profile another method of linkage is given: veils and keyed numbers, column by column."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from server.domain.matching import profiles
from server.domain.matching.complaints import ACCUSED, COMPLAINANTS, PEOPLE, VICTIMS, in_role
from server.domain.matching.levels import FieldName
from server.domain.matching.profiles import Profile
from server.domain.matching.veiling import LANES, Veil

Cell = int | list[int] | None
Row = Mapping[str, Cell]

ROLES: Final = (VICTIMS, COMPLAINANTS, ACCUSED)
_HALF: Final = (1 << 64) - 1
# The two halves of a sketch of 128 bits.
HALVES: Final[Mapping[str, Callable[[int], int]]] = {
    "high": lambda sketch: _signed(sketch >> 64),
    "low": lambda sketch: _signed(sketch & _HALF),
}
_NUMBER, _LIST = "BIGINT", "BIGINT[]"
# Lists of numbers that stand for facts, by their part of a profile.
_FACTS: Final[Mapping[str, str]] = {
    "places": profiles.EXACT,
    "communes": profiles.COMMUNE,
    "cercles": profiles.CERCLE,
    "kinds": profiles.KINDS,
    "families": profiles.FAMILIES,
    "bodies": profiles.BODIES,
    "minima": profiles.MINIMA,
}


def _of_role(role: FieldName) -> dict[str, str]:
    """The columns of the names in a role."""
    halves = {f"{role}_{half}": _NUMBER for half in HALVES}
    return {role: _LIST, f"{role}_sounds": _LIST, f"{role}_kin": _LIST, f"{role}_one": _NUMBER, **halves}


# Names and types of all columns.
COLUMNS: Final[Mapping[str, str]] = {
    "unique_id": _NUMBER,
    **{name: sort for role in (*ROLES, PEOPLE) for name, sort in _of_role(role).items()},
    "phones": _LIST,
    "phone_slips": _LIST,
    "villages": _LIST,
    "sums": _LIST,
    "story_lanes": _LIST,
    **dict.fromkeys(_FACTS, _LIST),
    "keys": _LIST,
    "cercle": _NUMBER,
    "first_day": _NUMBER,
    "last_day": _NUMBER,
    "month": _NUMBER,
}


def handed(id: int, profile: Profile, keys: Sequence[int]) -> Row:
    """A complaint as it is handed over, a value for each of COLUMNS; nothing in it can be read.

    Lists are empty, and numbers None, where nothing is known. `keys` are the blocking keys. Of the first name in a
    role, `…_one` is a pair of sounds, `…_high` and `…_low` are the halves of its sketch. `story_lanes` are those of
    a sketch, each with its place, so that two are as alike as they share lanes.
    """
    days = profile.numbers.get(profiles.WHEN, ())
    cercles = profile.numbers.get(profiles.CERCLE, ())
    phones = profile.veils.get(profiles.PHONES, ())
    story = profile.veils.get(profiles.STORY, ())
    return {
        "unique_id": id,
        **{name: cell for role in (*ROLES, PEOPLE) for name, cell in _names(role, profile).items()},
        "phones": [each.whole for each in phones],
        "phone_slips": _joined(each.near for each in phones),
        "villages": list(profile.villages()),
        "sums": list(profile.sums()),
        "story_lanes": _lanes(story),
        **{name: list(profile.numbers.get(label, ())) for name, label in _FACTS.items()},
        "keys": list(keys),
        "cercle": cercles[0] if cercles else None,
        "first_day": days[0] if days else None,
        "last_day": days[1] if days else None,
        "month": days[0] // 30 if days else None,
    }


def _names(role: FieldName, profile: Profile) -> dict[str, Cell]:
    names = in_role(role, profile)
    sounds = _joined(each.near for each in names)
    return {
        role: [each.whole for each in names],
        f"{role}_sounds": sounds,
        f"{role}_kin": _joined(each.close for each in names),
        f"{role}_one": min(names[0].near, default=None) if names else None,
        **{f"{role}_{half}": half_of(names[0].sketch) if names else None for half, half_of in HALVES.items()},
    }


def _joined(traits: Iterable[Iterable[int]]) -> list[int]:
    return sorted({each for one in traits for each in one})


def _lanes(veils: Sequence[Veil]) -> list[int]:
    """The lanes of the first sketch, a byte each, as numbers that are equal where place and lane are."""
    if not veils:
        return []
    return [at << 8 | lane for at, lane in enumerate(veils[0].sketch.to_bytes(LANES, "little"))]


def _signed(bits: int) -> int:
    """64 bits as the number that a column takes."""
    return bits - (1 << 64) if bits >> 63 else bits
