"""Linkage: what of a complaint the search for duplicates needs, found the same way by every client (PROTOCOL §4.3).

All of it is for the hub's linkage key alone. Nothing in the recipe is secret: what protects the result is the
envelope it travels in, and the keyed form that the hub gives it.
"""

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, Final

from client_sync.protocol.frames import to_text

SCHEME: Final = 1
LINKED: Final = ("identity", "statement", "traces")
STEM_CHARS: Final = 6
PIVOTS_MOST: Final = 64
NAMES_FOUND_MOST: Final = 16
_NAME_WORDS_MOST: Final = 4
_NAME_MOST_CHARS: Final = 60
_ENTRIES_MOST: Final = 32
_SHINGLE_WORDS: Final = 3
_PHONE_DIGITS: Final = 8
_WORD_LEAST_CHARS: Final = 4
_SAID_MOST_CHARS: Final = 120
_DAYS_MOST: Final = 8
_SUMS_MOST: Final = 8
_MINIMA: Final = 16
_MINIMUM_BYTES: Final = 4
# Letters of Bambara that half of those who write it type as these.
_PLAIN: Final = str.maketrans({"ɛ": "e", "ɔ": "o", "ɲ": "ny", "ŋ": "ng"})
_ACCENTS: Final = re.compile(r"[\u0300-\u036f]")
_WORD: Final = re.compile(r"[^\W_]+")
_NUMBER: Final = re.compile(r"\+?[0-9](?:[ .\-/]?[0-9]){7,14}")
# Day and month in figures, a year after them or not; or the year first.
_DATE: Final = re.compile(r"(?<![\d/.-])(\d{1,2})[/.-](\d{1,2})(?:[/.-](?:20)?\d{2})?(?![/.-]?\d)")
_YEAR_FIRST: Final = re.compile(r"(?<!\d)20\d{2}-(\d{2})-(\d{2})(?!\d)")
_ORDINAL: Final = re.compile(r"(\d{1,2})(?:er|ere|eme|e|st|nd|rd|th)?")
_SUM: Final = re.compile(r"(?<![\d.,])(?<!\d[ -])([1-9]\d{0,2}(?:[ .,]\d{3})+|[1-9]\d{2,8})(?![ .,-]?\d)")
_YEARS: Final = range(1900, 2100)
_TOKEN: Final = re.compile(r"[^\W_](?:[^\W_]|[\u0300-\u036f]|['’\-](?=[^\W_]))*")
_ENDS_SENTENCE: Final = frozenset('.!?:;\n«»"“”()')


def linkage_keys(content: Mapping[str, Any]) -> dict[str, Any]:
    """What is compared of the clear compartments of a complaint or a revision, by compartment; at most 16 KiB.

    Only compartments that are there are answered for: those of a revision replace what was said before of them.
    """
    clear = {name: content[name]["clear"] for name in LINKED if name in content}
    return {name: _KEYS[name](members) for name, members in clear.items()}


def fold(text: str) -> str:
    """Lower case without accents, the letters of Bambara as they are typed without them."""
    return _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).lower().translate(_PLAIN)


def names_in(narrative: str) -> list[str]:
    """Runs of words that begin with a capital, in the order told: people, offices and places, for the matcher to tell.

    One capitalised word that begins a sentence says nothing, and words of grammar before a name are no part of it.
    """
    found: dict[str, None] = {}
    for begins, run in _capitalised(unicodedata.normalize("NFC", narrative)):
        while run and fold(run[0]) in _GRAMMAR:
            run, begins = run[1:], False
        if run and (len(run) > 1 or (not begins and len(run[0]) > 2)):
            found[" ".join(run[:_NAME_WORDS_MOST])[:_NAME_MOST_CHARS]] = None
    return list(found)[:NAMES_FOUND_MOST]


def days_in(narrative: str) -> list[str]:
    """The days, `MM-DD`, and the months without a day, `MM`, that a narrative names in words or figures, ascending."""
    text = fold(narrative)
    figures = [(month, day) for day, month in _DATE.findall(text)] + _YEAR_FIRST.findall(text)
    found = {_day(int(month), int(day)) for month, day in figures}
    words = _WORD.findall(text)
    for at, word in enumerate(words):
        if word in _MONTHS:
            day = _day_beside(words, at)
            if day or word not in _ALSO_WORDS:
                found.add(_day(_MONTHS[word], day))
    return sorted(found - {""})[:_DAYS_MOST]


def sums_in(narrative: str) -> list[int]:
    """The numbers in figures that may be sums of money, ascending: of three figures and more, and no year."""
    found = {int(re.sub(r"[ .,]", "", told)) for told in _SUM.findall(fold(narrative))}
    return sorted(found.difference(_YEARS))[-_SUMS_MOST:]


def words_of(text: str) -> list[str]:
    """The words of a text, folded, in order: runs of letters and digits."""
    return _WORD.findall(fold(text))


def pivots_of(words: Iterable[str]) -> list[str]:
    """The set of what folded words speak of: `=concept` for a word of the pivot list, else the stem of the word.

    Of many the 64 with the smallest SHA-256, so that two long tellings of one story keep the same ones.
    """
    tokens = {_pivot(word) for word in words} - {""}
    kept = sorted(tokens, key=lambda token: hashlib.sha256(token.encode()).digest())[:PIVOTS_MOST]
    return sorted(kept)


def minhash_of(words: Sequence[str]) -> bytes:
    """Sixteen minima of 4 bytes over runs of three folded words, for bands; empty without words."""
    last = max(len(words) - _SHINGLE_WORDS, 0)
    shingles = {" ".join(words[at : at + _SHINGLE_WORDS]) for at in range(last + 1)} - {""}
    hashes = [hashlib.sha512(shingle.encode()).digest() for shingle in shingles]
    places = range(0, _MINIMA * _MINIMUM_BYTES, _MINIMUM_BYTES)
    return b"".join(min(each[at : at + _MINIMUM_BYTES] for each in hashes) for at in places) if hashes else b""


def _identity(identity: Mapping[str, Any]) -> dict[str, Any]:
    persons = identity.get("persons", [])
    names = [[person["no"], _spaced(person["name"])[:_NAME_MOST_CHARS]] for person in persons if person.get("name")]
    told = [*(person.get("phone", "") for person in persons), *identity.get("contact", {}).values()]
    return _given(names=names[:_ENTRIES_MOST], phones=sorted(_phones(told))[:_ENTRIES_MOST])


def _statement(statement: Mapping[str, Any]) -> dict[str, Any]:
    narrative = statement.get("narrative", "")
    words = words_of(narrative)
    return _given(
        names=names_in(narrative),
        days=days_in(narrative),
        sums=sums_in(narrative),
        pivots=pivots_of(words),
        minhash=to_text(minhash_of(words)),
    )


def _traces(traces: Mapping[str, Any]) -> dict[str, Any]:
    said = " ".join(words_of(traces.get("said", "")))[:_SAID_MOST_CHARS]
    return _given(place=traces.get("place", {}).get("id"), said=said)


_KEYS: Final = {"identity": _identity, "statement": _statement, "traces": _traces}


def _phones(texts: Iterable[str]) -> set[str]:
    """The last eight digits of each number: with and without a country code it is the same telephone."""
    numbers = (re.sub(r"[^0-9]", "", number) for text in texts for number in _NUMBER.findall(text))
    return {digits[-_PHONE_DIGITS:] for digits in numbers}


def _day_beside(words: Sequence[str], at: int) -> int:
    """The day of the month named at `at`: `5 mai`, `5 of May`, `May 5th`, `mɛkalo tile 5`; 0 for none."""
    before, after = words[max(at - 2, 0) : at][::-1], words[at + 1 : at + 3]
    told = [_day_among(before), _day_among(after)]
    if after and after[0] in _DAY_JOINTS:
        told.reverse()
    return told[0] or told[1]


def _day_among(nearest_first: Sequence[str]) -> int:
    words = nearest_first[1:] if nearest_first and nearest_first[0] in _DAY_JOINTS else nearest_first
    if words and words[0] in _FIRST:
        return 1
    told = _ORDINAL.fullmatch(words[0]) if words else None
    return int(told[1]) if told else 0


def _day(month: int, day: int) -> str:
    """Nothing where there is no such day."""
    if not (1 <= month <= 12 and 0 <= day <= 31):
        return ""
    return f"{month:02d}-{day:02d}" if day else f"{month:02d}"


def _capitalised(narrative: str) -> Iterator[tuple[bool, list[str]]]:
    """Each run of capitalised words with one space between them, and whether a sentence begins with it."""
    run: list[str] = []
    begins, end = True, 0
    for token in _TOKEN.finditer(narrative):
        gap, word = narrative[end : token.start()], _without_elision(token[0])
        if run and (gap != " " or word != token[0] or not word[0].isupper()):
            yield begins, run
            run = []
        if word[0].isupper():
            if not run:
                begins = word == token[0] and (end == 0 or not _ENDS_SENTENCE.isdisjoint(gap))
            run.append(word)
        end = token.end()
    if run:
        yield begins, run


def _without_elision(word: str) -> str:
    """`d'Awa` is Awa; `N'Diaye` is a name."""
    before, mark, after = word.replace("’", "'").partition("'")
    return after if mark and before.islower() and after[:1].isupper() else word


def _pivot(word: str) -> str:
    stem = word[:STEM_CHARS]
    if stem in _CONCEPTS:
        return _CONCEPTS[stem]
    return "" if len(word) < _WORD_LEAST_CHARS or word in _GRAMMAR else stem


def _spaced(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())


def _given(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value}


def _load() -> dict[str, Any]:
    return tomllib.loads((resources.files("client_sync.protocol") / "pivot.toml").read_text("utf-8"))


def _concepts(table: Mapping[str, list[str]]) -> dict[str, str]:
    return {fold(word)[:STEM_CHARS]: f"={concept}" for concept, words in table.items() for word in words}


_PIVOT: Final = _load()
_GRAMMAR: Final = frozenset(fold(word) for word in _PIVOT["grammar"])
_CONCEPTS: Final[Mapping[str, str]] = _concepts(_PIVOT["concept"])
_MONTHS: Final[Mapping[str, int]] = {
    fold(word): number for number, words in enumerate(_PIVOT["months"], 1) for word in words
}
_ALSO_WORDS: Final = frozenset(_PIVOT["also_words"])
_DAY_JOINTS: Final = frozenset(fold(word) for word in _PIVOT["day_joints"])
_FIRST: Final = frozenset(fold(word) for word in _PIVOT["first"])
