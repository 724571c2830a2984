"""Words for what case work says by codes: statuses and reasons, as they are shown and as people type them."""

from collections.abc import Collection, Iterable
from typing import Any, Final

import click

from client_sync.protocol.vocabulary import label
from server.commands.operator import Operator
from server.commands.spoken import texts_of
from server.domain.casework import CASEWORK, STATUSES, URGENCIES
from server.domain.contact import WAYS
from server.domain.deadlines import KINDS
from server.domain.folding import fold
from server.services.cases.telling import BY_RECEIPT

REASONS: Final = tuple(sorted({code for codes in CASEWORK.reasons.values() for code in codes}))


class Said(click.ParamType[str]):
    """One of a few codes, typed as such or by its words, in which accents, capitals and hyphens don't count."""

    name = "word"

    def __init__(self, prefix: str, codes: Collection[str]) -> None:
        # A section by its name and dot, or the beginning of keys in one.
        self._prefix, self._codes = prefix if prefix.endswith(".") else f"{prefix}_", codes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The code."""
        assert ctx is not None
        texts = texts_of(ctx)
        known = {fold(word): code for code in self._codes for word in (code, texts.text(f"{self._prefix}{code}"))}
        said = fold(str(value))
        return known[said] if said in known else self.fail("", param, ctx)


STATUS: Final = Said("cases.status", STATUSES)
REASON: Final = Said("cases.reason", REASONS)
WAY: Final = Said("cases.way", (*WAYS, BY_RECEIPT))
URGENCY: Final = click.Choice(URGENCIES, case_sensitive=False)


def status(operator: Operator, code: str) -> str:
    """A status in words."""
    return operator.texts.text(f"cases.status_{code}")


def way(operator: Operator, code: str) -> str:
    """A way of telling somebody, in words."""
    return operator.texts.text(f"cases.way_{code}")


def deadline(operator: Operator, kind: str) -> str:
    """A kind of deadline, in words; a number as it was typed, a dash for nothing."""
    return operator.texts.text(f"deadline.{kind}") if kind in KINDS else kind or "–"


def answer(operator: Operator, code: str) -> str:
    """What became of a person after a case was closed, in words."""
    return operator.texts.text(f"cases.answer_{code}")


def task(operator: Operator, code: str) -> str:
    """What a task asks of a team, in words."""
    return label("task_kind", code, operator.texts.language)


def reasons(operator: Operator, codes: Iterable[str]) -> str:
    """Reasons in words, a dash for none."""
    return ", ".join(operator.texts.text(f"cases.reason_{code}") for code in codes) or "–"


def unsaid(operator: Operator, name: str) -> str:
    """What a list of reasons asks, with its option and its words as people type them."""
    option = "--untold" if name == "untold" else "--reason"
    words = ", ".join(typed(operator.texts.text(f"cases.reason_{code}")) for code in CASEWORK.reasons[name])
    asks = operator.texts.text(f"refusal.transition_refused_say_{name}")
    return operator.texts.text("cases.unsaid", asks=asks, option=option, words=words)


def typed(text: str) -> str:
    """Words as people type them on one line, in one piece."""
    return text.replace(" ", "-")
