"""Refusals in words: what every door says of an error of the hub."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from server.domain.errors import ReferralRefused, SeereError
from server.domain.referral import Block
from server.i18n import Catalogue


def refusal(texts: Catalogue, error: SeereError) -> str:
    """The sentences for a refusal: one for each of its faults where it names any, else the one for its code."""
    return " ".join(dict.fromkeys(said for _, said in _sentences(texts, error)))


def hints(texts: Catalogue, error: SeereError) -> str:
    """What to type about a refusal, for who sits at a terminal: after those of its sentences that have any."""
    found = dict.fromkeys(_text(texts, f"hint.{name}", error) for name, _ in _sentences(texts, error))
    return " ".join(filter(None, found))


def why_blocked(texts: Catalogue, blocks: Sequence[Block], since: datetime | None) -> str:
    """All that stands against sending a complaint; `since`: when it was sent there before, where it was."""
    return refusal(texts, ReferralRefused(fault=blocks[0], faults=tuple(blocks), since=since))


def _sentences(texts: Catalogue, error: SeereError) -> Iterator[tuple[str, str]]:
    """Each sentence with the name that it goes by in the catalogue."""
    faults = error.values.get("faults", (error.values.get("fault"),))
    assert isinstance(faults, tuple)
    for fault in faults:
        names = (f"{error.code}_{fault}", error.code)
        known = ((name, said) for name in names if (said := _text(texts, f"refusal.{name}", error)))
        yield next(known, ("any", texts.text("refusal.any", code=error.code)))


def _text(texts: Catalogue, key: str, error: SeereError) -> str:
    """The text of a key; empty where there is none, or the error does not have what it says."""
    try:
        return texts.text(key, **error.values)
    except KeyError:
        return ""
