"""Refusals in words: what every door says of an error of the hub."""

from collections.abc import Sequence
from datetime import datetime

from server.domain.errors import ReferralRefused, SeereError
from server.domain.referral import Block
from server.i18n import Catalogue


def refusal(texts: Catalogue, error: SeereError) -> str:
    """The sentences for a refusal: one for each of its faults where it names any, else the one for its code."""
    faults = error.values.get("faults", (error.values.get("fault"),))
    assert isinstance(faults, tuple)
    return " ".join(dict.fromkeys(_sentence(texts, error, fault) for fault in faults))


def why_blocked(texts: Catalogue, blocks: Sequence[Block], since: datetime | None) -> str:
    """All that stands against sending a complaint; `since`: when it was sent there before, where it was."""
    return refusal(texts, ReferralRefused(fault=blocks[0], faults=tuple(blocks), since=since))


def _sentence(texts: Catalogue, error: SeereError, fault: object) -> str:
    for name in (f"refusal.{error.code}_{fault}", f"refusal.{error.code}"):
        try:
            return texts.text(name, **error.values)
        except KeyError:
            continue
    return texts.text("refusal.any", code=error.code)
