"""Words for what case work says by codes: statuses and reasons, as they are shown and as people type them."""

from collections.abc import Iterable, Sequence
from typing import Final

import click

from client_sync.protocol.vocabulary import VOCABULARY, label
from server.commands.operator import Operator
from server.commands.plain import plain
from server.commands.spoken import Said, typed
from server.domain.casework import CASEWORK, STATUSES, URGENCIES, Status
from server.domain.contact import WAYS
from server.domain.deadlines import KINDS
from server.services.cases import wording
from server.services.cases.telling import BY_RECEIPT

REASONS: Final = tuple(sorted({code for codes in CASEWORK.reasons.values() for code in codes}))


class Reason(Said):
    """One of all reasons for a move; those that are named are of the list that its status asks."""

    def words(self, ctx: click.Context) -> Sequence[str]:
        """Those for the status that the command names; none where that asks no reason."""
        name = asked(ctx.params["to"])
        return self.typed(ctx, CASEWORK.reasons[name]) if name else ()


def asked(to: Status) -> str:
    """The list of which a reason is said to go there, the same from wherever a case comes; empty where none is."""
    return next((each.asks[0] for each in CASEWORK.transitions.values() if each.to == to and each.asks), "")


STATUS: Final = Said("cases.status", STATUSES)
REASON: Final = Reason("cases.reason", REASONS)
# Lists with an option of their own: what may be said with a move, beside what has to be.
OPTIONS: Final = ("untold", "heard")
HEARD: Final = Said("cases.reason", CASEWORK.reasons["heard"])
UNTOLD: Final = Said("cases.reason", CASEWORK.reasons["untold"])
LOWERING: Final = Said("cases.reason", CASEWORK.reasons["lowering"])
WAY: Final = Said("cases.way", (*WAYS, BY_RECEIPT))
URGENCY: Final = click.Choice(URGENCIES, case_sensitive=False)


def status(operator: Operator, code: str) -> str:
    """A status in words."""
    return wording.status(operator.texts, code)


def way(operator: Operator, code: str) -> str:
    """A way of telling somebody, in words."""
    return wording.way(operator.texts, code)


def deadline(operator: Operator, kind: str) -> str:
    """A kind of deadline, in words; a number as it was typed."""
    if kind in KINDS:
        return operator.texts.text(f"deadline.{kind}")
    return kind or operator.texts.text("cases.no_deadline")


def kind_code(operator: Operator, said: str) -> str:
    """The code of a kind of act that was typed. Refuses what is none, with all that there are."""
    code = said.strip().upper()
    if code not in VOCABULARY.kinds:
        raise operator.refuse("find.kind_unknown", kind=plain(said), kinds=", ".join(VOCABULARY.kinds))
    return code


def answer(operator: Operator, code: str) -> str:
    """What became of a person after a case was closed, in words."""
    return operator.texts.text(f"cases.answer_{code}")


def task(operator: Operator, code: str) -> str:
    """What a task asks of a team, in words."""
    return label("task_kind", code, operator.texts.language)


def reasons(operator: Operator, codes: Iterable[str]) -> str:
    """Reasons in words, a dash for none."""
    return wording.reasons(operator.texts, codes)


def unsaid(operator: Operator, name: str) -> str:
    """What a list of reasons asks, with its option and its words as people type them."""
    option = f"--{name}" if name in OPTIONS else "--reason"
    words = ", ".join(typed(operator.texts.text(f"cases.reason_{code}")) for code in CASEWORK.reasons[name])
    asks = operator.texts.text(f"refusal.transition_refused_say_{name}")
    return operator.texts.text("cases.unsaid", asks=asks, option=option, words=words)
