"""Words for what case work says by codes: statuses and reasons, as they are shown and as people type them."""

from collections.abc import Collection, Iterable
from typing import Any, Final

import click

from server.commands.operator import Operator
from server.commands.spoken import texts_of
from server.domain.casework import CASEWORK, STATUSES, URGENCIES
from server.domain.folding import fold

REASONS: Final = tuple(sorted({code for codes in CASEWORK.reasons.values() for code in codes}))


class Said(click.ParamType[str]):
    """One of a few codes, typed as such or by its words, in which accents, capitals and hyphens don't count."""

    name = "word"

    def __init__(self, prefix: str, codes: Collection[str]) -> None:
        self._prefix, self._codes = prefix, codes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The code."""
        assert ctx is not None
        texts = texts_of(ctx)
        known = {fold(word): code for code in self._codes for word in (code, texts.text(f"{self._prefix}_{code}"))}
        said = fold(str(value))
        return known[said] if said in known else self.fail("", param, ctx)


STATUS: Final = Said("cases.status", STATUSES)
REASON: Final = Said("cases.reason", REASONS)
URGENCY: Final = click.Choice(URGENCIES, case_sensitive=False)


def status(operator: Operator, code: str) -> str:
    """A status in words."""
    return operator.texts.text(f"cases.status_{code}")


def reasons(operator: Operator, codes: Iterable[str]) -> str:
    """Reasons in words, a dash for none."""
    return ", ".join(operator.texts.text(f"cases.reason_{code}") for code in codes) or "–"


def typed(text: str) -> str:
    """Words as people type them on one line, in one piece."""
    return text.replace(" ", "-")
