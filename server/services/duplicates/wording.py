"""Wording: what the two reports of a pair say, why it is judged as it is, and how sure that is, in words."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from client_sync.protocol.vocabulary import label
from server.domain.matching.levels import Level
from server.domain.places import Gazetteer, place_name
from server.i18n import Catalogue
from server.store.links import Report

# Interactions of a model that say again what several fields say: where they weigh against, they only correct these.
_REPEATS: Final = frozenset(
    {"same_place_day_and_act", "same_victim_place_and_time", "same_victim_and_sum", "same_accused_and_story"}
)
# Nobody says 100 chances in 100, nor none.
_PERCENT_MOST: Final = 99
_DAY_CHARS: Final = len("2026-11-21")
# Between thousands, where no line breaks.
_THIN: Final = "\u202f"


def facts(texts: Catalogue, report: Report, places: Gazetteer | None) -> dict[str, str]:
    """By name of the fact, what a report says of it, in words; empty where it says nothing."""
    told = [_day(texts, day) for day in (report.incident_from, report.incident_to) if day]
    days = " – ".join(dict.fromkeys(told))
    precision = _labels(texts, "date_precision", filter(None, [report.precision]))
    said = {
        "received": report.received_at.strftime(texts.text("usage.day")),
        "team": report.team,
        # Some kinds have a comma of their own.
        "acts": " · ".join(label("kind", code, texts.language) for code in report.kinds),
        "when": f"{days} ({precision})" if days and precision else days,
        "place": place_name(places, report.place_id),
        "money": ", ".join(_sums(texts, report)),
        "sector": _labels(texts, "sector", filter(None, [report.sector])),
        "persons": ", ".join(_labels(texts, "person_role", roles.split()) for roles, _, _ in report.persons),
        "revision": str(report.revision),
    }
    return {name: text or "" for name, text in said.items()}


def reason(texts: Catalogue, name: str, level: int | None) -> str:
    """Why, in words; the bare name for what only a model of another version knows."""
    if level is None:
        return together(texts, name)
    try:
        field, said = _compared(texts, name, level)
    except KeyError:
        return f"{name} {level}"
    return texts.text("duplicates.agreement", field=field, level=said)


def together(texts: Catalogue, name: str) -> str:
    """What several fields say together, in words; the bare name for what only a model of another version knows."""
    try:
        return texts.text(f"duplicates.together_{name}")
    except KeyError:
        return name


def compared(texts: Catalogue, name: str, level: int) -> tuple[str, str]:
    """A field, and how far both reports agree in it; both bare for what only a model of another version knows."""
    try:
        return _compared(texts, name, level)
    except KeyError:
        return name, str(level)


def corrects(name: str, level: int | None, bits: float) -> bool:
    """Whether a reason speaks the other way than it reads, since what it says is counted elsewhere already."""
    if level is None:
        return name in _REPEATS and bits < 0
    return (level == Level.DIFFERS and bits > 0) or (level >= Level.NEAR and bits < 0)


def percent(texts: Catalogue, share: float) -> str:
    """Chances in 100; what rounds to all or to none is called more, or less, than the next."""
    rounded = round(share * 100)
    if rounded > _PERCENT_MOST:
        return texts.text("duplicates.more_than", percent=_PERCENT_MOST)
    return str(rounded) if rounded else texts.text("duplicates.less_than", percent=1)


def points(texts: Catalogue, bits: float) -> str:
    """Bits with their sign."""
    return f"{bits:+.1f}".replace(".", texts.text("usage.decimal_point"))


def _compared(texts: Catalogue, name: str, level: int) -> tuple[str, str]:
    return texts.text(f"duplicates.field_{name}"), texts.text(f"duplicates.level_{level}")


def _day(texts: Catalogue, text: str) -> str:
    """A day as people here read it; what is less than a day, as it is written."""
    try:
        return date.fromisoformat(text[:_DAY_CHARS]).strftime(texts.text("usage.day"))
    except ValueError:
        return text


def _sums(texts: Catalogue, report: Report) -> Iterator[str]:
    for name, sum_xof in (("asked_xof", report.asked_xof), ("paid_xof", report.paid_xof)):
        if sum_xof is not None:
            yield texts.text(f"inbox.{name}", n=f"{sum_xof:_}".replace("_", _THIN))


def _labels(texts: Catalogue, list_name: str, codes: Iterable[str]) -> str:
    return ", ".join(label(list_name, code, texts.language) for code in codes)
