"""Veils: keyed one-way forms of values, which tell how far two agree to who never reads either.

What a veil does not hold: no hash of one part of a name, which the shares of a public list of names would open, and
no word of a story by itself. Under two peppers only chance is alike.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import combinations
from struct import Struct
from typing import Final

from server.domain.matching.comparing import STORY_SHARES, Clear, full_parts, level_at
from server.domain.matching.levels import FieldName, Level
from server.domain.matching.records import Kind
from server.domain.names import family, is_common, rarity, sound

# Rows of another scheme are not comparable: counts up when any veil of an unchanged value changes.
SCHEME: Final = 1
# What travels as a clear fact is compared clear: the day, the sum, a point of a table.
VEILED: Final = frozenset({Kind.PERSON, Kind.WORDS, Kind.PLACE, Kind.CODE, Kind.BIRTH, Kind.PHONE, Kind.STORY})

# Of a sketch.
LANES: Final = 128
_ROW: Final = Struct(f"<{LANES}H")
_SALTS: Final = tuple(bytes([salt]) for salt in range(_ROW.size // blake2b.MAX_DIGEST_SIZE))
# Of a shorter code little is left with one character left out, and a longer one is a word.
_SLIPS_CHARS: Final = range(3, 17)
_COMMUNE_LEVELS: Final = 3
_BIRTH_PARTS: Final = 3

# Shares of grams that two have in common; a sketch tells them with a standard error of 0.08. Chosen on Febrl 1 and 2.
_PERSON_SHARES: Final = ((0.70, Level.NEAR), (0.45, Level.CLOSE), (0.25, Level.FAINT))
_WORDS_SHARES: Final = ((0.65, Level.NEAR), (0.48, Level.CLOSE), (0.32, Level.FAINT))
_PLACE_ALIKE: Final = 0.60
_PLACE_SAME: Final = 0.90

_HEAD: Final = Struct("<QBBBB")
_TRAIT: Final = Struct("<I")
_COMMON_FLAG: Final = 8
_RARITY_MASK: Final = 7


@dataclass(frozen=True, slots=True)
class Veil:
    """The veil of one value; blank, as the value is, or where one value alone would tell too much.

    `whole`: 63 bits, equal where the values are; 0 when blank. `near` and `close`: 32 bits each, of what two share
    that agree so far: pairs of parts of a name by sound and by family, codes with one character left out, two parts
    of a birth, the commune of a place. `sketch`: low bits of 128 minima over keyed grams or words, whose equal
    share tells the share in common. `rarity`: of a full name, 0 to 7. `is_common`: many bear each part of the name.
    """

    whole: int
    near: frozenset[int] = frozenset()
    close: frozenset[int] = frozenset()
    sketch: int = 0
    rarity: int = 0
    is_common: bool = False

    @property
    def is_blank(self) -> bool:
        return not self.whole


_BLANK: Final = Veil(0)


def veil(kind: Kind, value: Clear, pepper: bytes) -> Veil:
    """The veil of a value under `pepper`, 32 bytes.

    Blank for a name of one part, initials aside: most people bear one of a few names, whose shares are public.
    Raises ValueError for a kind that is not VEILED.
    """
    if kind not in VEILED:
        raise ValueError(kind)
    return _BLANK if value.is_blank else _VEIL[kind](value, pepper)


def compare_veils(kind: Kind, ours: Sequence[Veil], theirs: Sequence[Veil]) -> Level:
    """How far two fields agree, by veils of one pepper: on the scale of `compare`, with its promises, less exactly."""
    agree = _AGREE[kind]
    best = Level.MISSING
    for a in ours:
        for b in theirs:
            if not a.whole or not b.whole:
                continue
            if a.whole == b.whole:
                return Level.EQUAL
            best = max(best, agree(a, b))
    return best


def pack(fields: Mapping[FieldName, Sequence[Veil]]) -> bytes:
    """Veils by field, at most 255 of each, as bytes: the scheme, then the fields in alphabetical order.

    Blank veils are left out.
    """
    return bytes([SCHEME]) + b"".join(_packed_field(name, fields[name]) for name in sorted(fields))


def unpack(packed: bytes) -> dict[FieldName, tuple[Veil, ...]]:
    """What was packed. Raises ValueError for another scheme, and for bytes that were not packed here."""
    if packed[:1] != bytes([SCHEME]):
        raise ValueError("scheme")
    reader = _Reader(packed, 1)
    fields = {}
    while reader.at < len(packed):
        name = FieldName(reader.take(reader.byte()).decode())
        fields[name] = tuple(_unpacked(reader) for _ in range(reader.byte()))
    return fields


def _veil_person(name: Clear, pepper: bytes) -> Veil:
    full = full_parts(name)
    if len(full) < 2:
        return _BLANK
    sounds = sorted(map(sound, full))
    kin = sorted(family(part) or sound(part) for part in full)
    return Veil(
        whole=_whole(Kind.PERSON, " ".join(name.parts), pepper),
        near=_traits(Kind.PERSON, "sounds", map(" ".join, combinations(sounds, 2)), pepper),
        close=_traits(Kind.PERSON, "kin", map(" ".join, combinations(kin, 2)), pepper),
        sketch=_sketch(_grams(*name.parts), pepper),
        rarity=rarity(full),
        is_common=all(map(is_common, full)),
    )


def _veil_words(text: Clear, pepper: bytes) -> Veil:
    return Veil(_whole(Kind.WORDS, text.whole, pepper), sketch=_sketch(_grams(text.whole), pepper))


def _veil_place(place: Clear, pepper: bytes) -> Veil:
    commune = ["/".join(place.sounds[:_COMMUNE_LEVELS])] if len(place.sounds) >= _COMMUNE_LEVELS else []
    return Veil(
        whole=_whole(Kind.PLACE, place.whole, pepper),
        close=_traits(Kind.PLACE, "commune", commune, pepper),
        sketch=_sketch(_grams(place.sounds[-1]), pepper),
    )


def _veil_code(code: Clear, pepper: bytes) -> Veil:
    return Veil(_whole(Kind.CODE, code.whole, pepper), near=_traits(Kind.CODE, "slip", _slips(code.whole), pepper))


def _veil_birth(birth: Clear, pepper: bytes) -> Veil:
    """Of a full day only: a year alone is shared by too many to hide in."""
    if len(birth.parts) < _BIRTH_PARTS:
        return _BLANK
    year, month, day = birth.parts
    swapped = f"{year} {min(month, day)} {max(month, day)}"
    pairs = (f"{year}{month}", f"{year}-{day}", f"-{month}{day}")
    return Veil(
        whole=_whole(Kind.BIRTH, birth.whole, pepper),
        near=_traits(Kind.BIRTH, "slip", (*_slips(birth.whole), swapped), pepper),
        close=_traits(Kind.BIRTH, "two", pairs, pepper),
    )


def _veil_phone(phone: Clear, pepper: bytes) -> Veil:
    return Veil(_whole(Kind.PHONE, phone.whole, pepper), near=_traits(Kind.PHONE, "slip", _slips(phone.whole), pepper))


def _veil_story(story: Clear, pepper: bytes) -> Veil:
    return Veil(_whole(Kind.STORY, story.whole, pepper), sketch=_broad_sketch(story.parts, pepper))


def _grams(*words: str) -> set[str]:
    """Each two characters that stand together, with a mark where a word begins and ends."""
    padded = [f"_{word}_" for word in words]
    return {word[at : at + 2] for word in padded for at in range(len(word) - 1)}


def _slips(code: str) -> set[str]:
    """The code, and with each character left out: two that are one slip apart share one of these."""
    shorter = (code[:at] + code[at + 1 :] for at in range(len(code)) if len(code) in _SLIPS_CHARS)
    return {code, *shorter}


def _keyed(text: str, pepper: bytes, purpose: str, bytes_long: int) -> int:
    digest = blake2b(text.encode(), key=pepper, person=purpose.encode(), digest_size=bytes_long).digest()
    return int.from_bytes(digest, "little")


def _whole(kind: Kind, text: str, pepper: bytes) -> int:
    """63 bits, never 0."""
    return _keyed(text, pepper, kind, 8) >> 1 or 1


def _traits(kind: Kind, purpose: str, texts: Iterable[str], pepper: bytes) -> frozenset[int]:
    return frozenset(_keyed(text, pepper, f"{kind} {purpose}", _TRAIT.size) for text in texts)


def _sketch(grams: Iterable[str], pepper: bytes) -> int:
    """The lowest bit of each lane's minimum (b-bit minwise hashing, Li & König 2010)."""
    return int("".join(["01"[least & 1] for least in _minima(grams, pepper)]), 2)


def _broad_sketch(words: Iterable[str], pepper: bytes) -> int:
    """A byte of each lane's minimum: single bits are too coarse for the small shares that stories have in common."""
    return int.from_bytes(bytes([least & 0xFF for least in _minima(words, pepper)]), "little")


def _minima(grams: Iterable[str], pepper: bytes) -> Iterable[int]:
    """The smallest keyed hash over all grams, of 16 bits, in each lane."""
    return map(min, zip(*[_row(gram, pepper) for gram in grams], strict=True))


def _row(gram: str, pepper: bytes) -> tuple[int, ...]:
    data = gram.encode()
    return _ROW.unpack(b"".join([blake2b(data, key=pepper, salt=salt, person=b"gram").digest() for salt in _SALTS]))


def _shared(a: Veil, b: Veil) -> float:
    """The share of grams in common; of two that have none, chance makes half the bits equal."""
    return 1 - (a.sketch ^ b.sketch).bit_count() * 2 / LANES


def _person(a: Veil, b: Veil) -> Level:
    if _holds(a.near, b.near):
        return Level.NEAR
    level = level_at(_shared(a, b), _PERSON_SHARES)
    if _holds(a.close, b.close):
        return max(level, Level.CLOSE)
    # Mamadou and Amadou share most of their grams, and nobody mistakes one for the other.
    return min(level, Level.FAINT) if a.is_common and b.is_common else level


def _holds(a: frozenset[int], b: frozenset[int]) -> bool:
    """Whether one has all of the other; asked first is what most often says no."""
    return not a.isdisjoint(b) and (a <= b or b <= a)


def _words(a: Veil, b: Veil) -> Level:
    return level_at(_shared(a, b), _WORDS_SHARES)


def _place(a: Veil, b: Veil) -> Level:
    name_shared = _shared(a, b)
    if a.close & b.close:
        return Level.NEAR if name_shared >= _PLACE_ALIKE else Level.CLOSE
    if a.close and b.close:
        return Level.DIFFERS
    return level_at(name_shared, ((_PLACE_SAME, Level.NEAR), (_PLACE_ALIKE, Level.CLOSE)))


def _slip(a: Veil, b: Veil) -> Level:
    return Level.NEAR if a.near & b.near else Level.DIFFERS


def _birth(a: Veil, b: Veil) -> Level:
    if a.near & b.near:
        return Level.NEAR
    return Level.CLOSE if a.close & b.close else Level.DIFFERS


def _story(a: Veil, b: Veil) -> Level:
    equal = (a.sketch ^ b.sketch).to_bytes(LANES, "little").count(0) / LANES
    return level_at(2 * equal / (1 + equal), STORY_SHARES)


def _packed_field(name: FieldName, veils: Sequence[Veil]) -> bytes:
    said = [each for each in veils if not each.is_blank]
    label = name.encode()
    return bytes([len(label)]) + label + bytes([len(said)]) + b"".join(map(_packed, said))


def _packed(one: Veil) -> bytes:
    sketch = one.sketch.to_bytes((one.sketch.bit_length() + 7) // 8, "little")
    flags = one.rarity | (_COMMON_FLAG if one.is_common else 0)
    head = _HEAD.pack(one.whole, flags, len(one.near), len(one.close), len(sketch))
    return head + b"".join(map(_TRAIT.pack, (*sorted(one.near), *sorted(one.close)))) + sketch


def _unpacked(reader: "_Reader") -> Veil:
    whole, flags, near, close, sketch_bytes = _HEAD.unpack(reader.take(_HEAD.size))
    return Veil(
        whole=whole,
        near=_read_traits(reader, near),
        close=_read_traits(reader, close),
        sketch=int.from_bytes(reader.take(sketch_bytes), "little"),
        rarity=flags & _RARITY_MASK,
        is_common=bool(flags & _COMMON_FLAG),
    )


def _read_traits(reader: "_Reader", many: int) -> frozenset[int]:
    return frozenset(trait for (trait,) in _TRAIT.iter_unpack(reader.take(many * _TRAIT.size)))


@dataclass
class _Reader:
    data: bytes
    at: int

    def take(self, many: int) -> bytes:
        taken = self.data[self.at : self.at + many]
        if len(taken) < many:
            raise ValueError("cut short")
        self.at += many
        return taken

    def byte(self) -> int:
        return self.take(1)[0]


_VEIL: Final[Mapping[Kind, Callable[[Clear, bytes], Veil]]] = {
    Kind.PERSON: _veil_person,
    Kind.WORDS: _veil_words,
    Kind.PLACE: _veil_place,
    Kind.CODE: _veil_code,
    Kind.BIRTH: _veil_birth,
    Kind.PHONE: _veil_phone,
    Kind.STORY: _veil_story,
}
_AGREE: Final[Mapping[Kind, Callable[[Veil, Veil], Level]]] = {
    Kind.PERSON: _person,
    Kind.WORDS: _words,
    Kind.PLACE: _place,
    Kind.CODE: _slip,
    Kind.BIRTH: _birth,
    Kind.PHONE: _slip,
    Kind.STORY: _story,
}
