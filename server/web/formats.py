"""Days, moments, spans and numbers as the reader writes them (CLDR, by Babel); the hub's time is UTC, as is Mali's."""

from datetime import date, datetime, timedelta
from typing import Final

from flask import Flask, current_app, g, request
from flask_babel import Babel, format_date, format_datetime, format_decimal, format_timedelta

from server.domain.reason import REASON_MAX_CHARS, REASON_MIN_CHARS
from server.hub import Hub
from server.i18n import LANGUAGES, catalogue

_HOUR_S: Final = 3600
_DAY_S: Final = 86_400
# CLDR's patterns: of a day that is known to the month or year alone no more is written.
_SURE: Final = {"month": "LLLL y", "year": "y"}
# Babel writes Bambara's numbers as English and its spans not at all.
_LOCALES: Final = {"fr": "fr", "en": "en_GB", "bm": "fr"}


def register(app: Flask, hub: Hub) -> None:
    """Give the templates of this app their filters, and how long a reason in words is."""
    Babel(app, locale_selector=lambda: _LOCALES[language()], default_timezone="UTC")
    app.jinja_env.globals["reason_chars"] = (REASON_MIN_CHARS, REASON_MAX_CHARS)
    app.jinja_env.filters.update(
        day=day,
        about=about,
        moment=moment,
        span=span,
        number=format_decimal,
        ago=lambda then: ago(then, hub.clock()),
    )


def read_in(chosen: str) -> None:
    """Write what this request renders for a reader of one of LANGUAGES."""
    g.language = chosen


def language() -> str:
    """The language that this request is rendered in; French before anybody chose."""
    return str(g.get("language", "fr"))


def callers_language() -> str:
    """The language that the caller prefers of ours, else that of the hub."""
    return request.accept_languages.best_match(LANGUAGES) or str(current_app.config["LANGUAGE"])


def day(when: date) -> str:
    """12 nov. 2026."""
    return str(format_date(when, "medium"))


def about(when: date, precision: str | None) -> str:
    """A day as surely as somebody knows it: 12 nov. 2026, novembre 2026, 2026."""
    return str(format_date(when, _SURE.get(precision or "", "medium")))


def moment(when: datetime) -> str:
    """12 nov. 2026 09:40."""
    return f"{format_date(when, 'medium')} {format_datetime(when, 'HH:mm')}"


def ago(then: datetime, now: datetime) -> str:
    """Il y a 3 jours."""
    return str(format_timedelta(then - now, add_direction=True, threshold=1.2))


def span(length: timedelta) -> str:
    """How long, without its sign, in the largest unit that says enough: 1 h 50, 9 h, 2 j."""
    texts = catalogue(language())
    seconds = abs(int(length.total_seconds()))
    if seconds >= 2 * _DAY_S:
        return texts.text("span.days", n=seconds // _DAY_S)
    hours, minutes = seconds // _HOUR_S, seconds % _HOUR_S // 60
    if hours >= 2 or (hours and not minutes):
        return texts.text("span.hours", n=hours)
    if hours:
        return texts.text("span.hours_minutes", n=hours, m=f"{minutes:02}")
    return texts.text("span.minutes", n=minutes)
