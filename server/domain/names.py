"""Names of people: their parts, how they sound between Mande and French spelling, and how common they are."""

import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from math import log2
from typing import Any, Final

from server.domain.folding import fold

# Of a name nobody counted: one in ten thousand bears it.
_RARE_BITS: Final = log2(10_000)
RARE_BITS: Final = int(_RARE_BITS)
_KNOWN_BITS: Final = 6
_RARITY_FROM_BITS: Final = 6
_RARITY_STEP_BITS: Final = 3
RARITY_MAX: Final = 7
_CACHED_PARTS: Final = 1 << 15

# `N'Diaye` is one name, and of `d'Awa` only Awa is: folding would part both.
_JOINED: Final = re.compile(r"\b([nm])\s?['’ʼ`´]\s?(?=[^\W\d_]{2})", re.IGNORECASE)
_ELIDED: Final = re.compile(r"\b[dl]['’ʼ`´](?=[^\W\d_])", re.IGNORECASE)

# Servant of, which is written together with the attribute that follows or apart.
_SERVANT: Final = re.compile(r"\b(abd(?:[aeou]+l|er))(?=[^\W\d_]{4})")

# In this order; beside a rule, spellings that it makes one.
_SOUNDS: Final = tuple(
    (re.compile(pattern), heard)
    for pattern, heard in (
        (r"ph", "f"),
        (r"t(?:ch|h)?[iy](?=[aeou])|tch", "C"),  # Tiémoko, Thiémoko, Tchiémoko
        (r"th", "t"),
        (r"d(?:j[iy]?|[iy])(?=[aeou])|d[jy]|g[iy](?=[aou])", "j"),  # Diarra, Djiarra, Jara
        (r"s?ch|sh", "s"),  # Cheick, Sheikh; Aïchata, Aïssata
        (r"gn|n[iy](?=[aeou])", "N"),  # Niaré, Gnaré, Nyaré
        (r"c(?=[eiy])", "s"),
        (r"[ck]h|ck|qu|[cq]", "k"),
        (r"x", "ks"),
        (r"gu(?=[ei])", "g"),
        (r"gh", "g"),
        (r"h", ""),  # Mahamadou, Mamadou; Hawa, Awa
        (r"n(?=[bpm])", "m"),  # Denbélé, Dembélé
        (r"e(?=[mn][bdfgjkpst])", "a"),  # Danbélé, Dembélé
        (r"nk", "ng"),  # Sankaré, Sangaré
        (r"ou|oo", "u"),
        (r"u(?=[aeo])", "w"),  # Ouattara, Wattara
        (r"(?<=[aeiou])w(?=[ou])", ""),  # Trawore, Traoré
        (r"(?<=[aeiou])w(?=[^aeiou]|$)", "u"),  # Dawda, Daouda; Jallow, Diallo
        (r"y", "i"),
        (r"[ae]i+", "e"),  # Seydou, Saïdou, Sayidou
        (r"o", "u"),  # Omar, Oumar
        (r"(.)\1+", r"\1"),
    )
)
_SOUNDS_OF_C: Final = ("k", "s", "C")
_FINAL_VOWEL_FROM_CHARS: Final = 5


def parts(name: str) -> tuple[str, ...]:
    """The parts of a full name, folded, in the order written, without titles and particles.

    An initial is a part of one letter. Empty when only titles are left: an office is nobody's name.
    """
    words = fold(_ELIDED.sub("", _JOINED.sub(r"\1", unicodedata.normalize("NFC", name))))
    words = _SERVANT.sub(r"\1 ", _TITLES.sub("", words))
    return tuple(_without_joints(_without_leading([word for word in words.split() if word not in _PARTICLES])))


@lru_cache(_CACHED_PARTS)
def sound(part: str) -> str:
    """How a folded part of a name sounds, whether spelled the French or the Mande way; for comparing only."""
    for pattern, heard in _SOUNDS:
        part = pattern.sub(heard, part)
    return part[:-1] if len(part) >= _FINAL_VOWEL_FROM_CHARS and part[-1] in "aeiu" else part


def begins_like(initial: str, part: str) -> bool:
    """Whether a folded initial may be that of a part, however the writer spells it: `O.` of Usmane, `C.` of Sheikh."""
    heard = _SOUNDS_OF_C if initial == "c" else (sound(initial),)
    return part.startswith(initial) or sound(part)[:1] in heard


def family(part: str) -> str | None:
    """The group of names of which one person may bear one for another; None of a name that is in no group."""
    return _FAMILIES.get(sound(part))


def is_common(part: str) -> bool:
    """Whether a part is a name known to be borne by many."""
    return sound(part) in _BITS


def rarity_bits(part: str) -> int:
    """By how many bits, rounded down, it is rare to bear a part of a name: RARE_BITS for one known to be borne by few.

    Of a name that is common in some villages, and nobody knows how common, those of one that one in 64 bears.
    """
    heard = sound(part)
    return int(_BITS.get(heard, _KNOWN_BITS if heard in _KNOWN else _RARE_BITS))


def rarity(name: Sequence[str]) -> int:
    """How rare the parts of a full name are together: 0 for the commonest, to RARITY_MAX.

    Steps of 3 bits from 6 bits, by shares of the population that are known to their order of size only.
    """
    bits = sum(_BITS.get(sound(part), _RARE_BITS) for part in name if len(part) > 1)
    return min(max(int((bits - _RARITY_FROM_BITS) // _RARITY_STEP_BITS), 0), RARITY_MAX)


def _without_leading(words: list[str]) -> list[str]:
    return words[1:] if len(words) > 2 and words[0] in _LEADING else words


def _without_joints(words: list[str]) -> list[str]:
    last = len(words) - 1
    return [word for at, word in enumerate(words) if at in (0, last) or word not in _JOINTS]


def _load() -> dict[str, Any]:
    return tomllib.loads((resources.files("server.domain") / "names.toml").read_text("utf-8"))


def _pattern(titles: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(map(fold, titles), key=len, reverse=True)
    return re.compile(rf"(?<!\S)(?:{'|'.join(longest_first)})(?!\S)")


def _bits(per_thousand: Mapping[str, int]) -> dict[str, float]:
    """How many bits it tells that somebody bears a name, all its spellings together."""
    shares: Counter[str] = Counter()
    for name, many in per_thousand.items():
        shares[sound(name)] += many
    return {heard: log2(1000 / many) for heard, many in shares.items()}


def _by_sound(groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {sound(parts(name)[0]): group for group, members in groups.items() for name in members}


_TABLE: Final = _load()
_TITLES: Final = _pattern(_TABLE["titles"])
_LEADING: Final = frozenset(_TABLE["leading"])
_JOINTS: Final = frozenset(_TABLE["joints"])
_PARTICLES: Final = frozenset(_TABLE["particles"])
_FAMILIES: Final[Mapping[str, str]] = _by_sound(_TABLE["family"])
_BITS: Final[Mapping[str, float]] = _bits(_TABLE["surnames"] | _TABLE["given"])
_KNOWN: Final = frozenset(map(sound, _TABLE["known"]))
