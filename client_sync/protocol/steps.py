"""Steps: what a device is told of a complaint of its own, as codes on the wire and as words for people."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib import resources
from typing import Any, Final

from client_sync.protocol.vocabulary import LANGUAGES, VOCABULARY, label

KIND: Final = "step"
# The number that a body gave a complaint, as people of that body say it: the one field that is no code.
FILE_NUMBER: Final = re.compile(r"(?=[^0-9]*[0-9])(?=.{1,40}\Z)[A-Z0-9]{1,10}(?:[ /._-][A-Z0-9]{1,10})*")
_SOURCE_LANGUAGE: Final = "fr"
_ORDER: Final = {name: at for at, name in enumerate(("t", "code", "f", "next", "wait", "on"))}


@dataclass(frozen=True)
class Expected:
    """Between which days the next step comes; which one that is follows from the template."""

    opens_on: date
    closes_on: date


@dataclass(frozen=True)
class Said:
    """One step: what the complaint is from now on, a template with its fields, and the day of it; codes all of them.

    `waits`: nobody may go and tell the person, who hears it on coming with the receipt.
    """

    code: str
    template: str
    on: date
    fields: Mapping[str, str] = field(default_factory=dict)
    next: Expected | None = None
    waits: bool = False


def write(said: Said) -> dict[str, Any]:
    """The members of the change that says it (PROTOCOL §3.8), without what can be left out."""
    body: dict[str, Any] = {"t": said.template, "on": said.on.isoformat()}
    if said.code != said.template:
        body["code"] = said.code
    if said.fields:
        body["f"] = dict(said.fields)
    if said.next is not None:
        body["next"] = [(each - said.on).days for each in (said.next.opens_on, said.next.closes_on)]
    return body | ({"wait": True} if said.waits else {})


def arranged(body: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a change in the order in which many of them compress best; no database keeps it."""
    return {name: body[name] for name in sorted(body, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))}


def read(change: Mapping[str, Any]) -> Said | None:
    """The step in a change; None where it holds none that can be read. What is beside it is let by."""
    try:
        template, fields, on = change["t"], change.get("f", {}), date.fromisoformat(change["on"])
        code = change.get("code", template)
        if not all(isinstance(each, str) for each in (code, template, *fields.values())):
            return None
        coming = _read_next(on, *change["next"]) if "next" in change else None
        return Said(code, template, on, fields, coming, change.get("wait") is True)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def status_words(code: str, language: str) -> str:
    """What a complaint is, in a few words: in French where there are none yet, the code itself failing that."""
    return _word(language, "status", code) or code


def words(said: Said, language: str) -> Iterator[str]:
    """Sentences that say a step to a person, without its day; what this version has no words for is left out.

    A template that it does not know is told by what the complaint is.
    """
    text = _word(language, "template", said.template)
    yield text or _phrase(language, "unknown", status=status_words(said.code, language))
    for name, code in said.fields.items():
        known = _field_word(language, name, code)
        if known is not None:
            yield _phrase(language, f"field.{name}", word=known)
    if said.next is not None and (coming := _word(language, "next", said.template)) is not None:
        yield _phrase(language, "coming", step=coming, when=between(said.next, language))
    if said.waits:
        yield _phrase(language, "waits")


def between(expected: Expected, language: str) -> str:
    """The window of a step: « entre le 3 et le 18 décembre »."""
    first, last = expected.opens_on, expected.closes_on
    ends = {"first": _day(first, language), "last": _day(last, language), "month": _month(last, language)}
    if first == last:
        return _phrase(language, "on_day", **ends)
    if (first.year, first.month) == (last.year, last.month):
        return _phrase(language, "within_month", **ends)
    return _phrase(language, "across_months", first_month=_month(first, language), **ends)


def full_day(day: date, language: str) -> str:
    """A day with its year: « 3 décembre 2026 »."""
    return _phrase(language, "day", day=_day(day, language), month=_month(day, language), year=day.year)


def _read_next(on: date, opens_after: int, closes_after: int) -> Expected:
    return Expected(on + timedelta(days=opens_after), on + timedelta(days=closes_after))


def _field_word(language: str, name: str, code: str) -> str | None:
    if _word(language, "field", name) is None:
        return None
    if name == "file_number":
        return code if FILE_NUMBER.fullmatch(code) else None
    is_listed = name == "body" and code in VOCABULARY.codes("body")
    return label(name, code, language) if is_listed else _word(language, name, code)


def _day(day: date, language: str) -> str:
    return _phrase(language, "first_day") if day.day == 1 else str(day.day)


def _month(day: date, language: str) -> str:
    return _word(language, "month", str(day.month)) or str(day.month)


def _phrase(language: str, key: str, **values: object) -> str:
    table, _, name = key.rpartition(".")
    text = _word(language, table or "phrase", name)
    assert text is not None
    return text.format_map(values)


def _word(language: str, table: str, code: str) -> str | None:
    for each in (language, _SOURCE_LANGUAGE):
        known = _WORDS[each].get(table, {}).get(code)
        if known is not None:
            return known
    return None


def _load(language: str) -> Mapping[str, Mapping[str, str]]:
    file = resources.files("client_sync.protocol") / f"steps.{language}.toml"
    return tomllib.loads(file.read_text("utf-8"))


_WORDS: Final = {language: _load(language) for language in LANGUAGES}
