"""Moving: a case goes from one status to another, by the machine's rules, on what the actor saw of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import sqlalchemy as sa

from client_sync.protocol.vocabulary import VOCABULARY
from server.domain import case as rules
from server.domain import urgency
from server.domain.case import CaseFacts, Moved, UrgencyWord
from server.domain.casework import CASEWORK, Status, Urgency
from server.domain.desk import Desk
from server.domain.errors import NotFound, TransitionRefused
from server.domain.urgency import LOWERING
from server.services.cases import holding, opening, owning
from server.services.cases.holding import Case
from server.store import referrals
from server.store.engine import Store
from server.store.timeline import Entry


@dataclass(frozen=True)
class Intent:
    """What somebody asks of a case: its next status, and what is settled with that.

    `given`: codes by the name of their list. `owner`: the name of an account. `kind`: of an act, a code. Empty: that
    stays as it is.
    """

    to: Status
    given: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    kind: str = ""
    urgency: Urgency | None = None

    @property
    def told(self) -> dict[str, str]:
        """As it is shown beside the version that stands."""
        said = {"status": self.to, "owner": self.owner, "kind": self.kind, "urgency": self.urgency or ""}
        return {name: text for name, text in said.items() if text}


def move(store: Store, desk: Desk, number: str, intent: Intent, *, after: int) -> Moved:
    """Move the case of a complaint, which it opens if it is the first. `after`: the version that the actor saw, 0 for
    none.

    Raises NotFound where the actor does not handle every complaint of it, StaleRevision with both versions, and
    TransitionRefused with all that is unmet; UrgencyRefused.
    """
    with store.write() as connection:
        _, case = opening.take_seen(connection, desk, number, after, intent.told)
        return go(connection, desk, case, intent)


def go(connection: sa.Connection, desk: Desk, case: Case, intent: Intent) -> Moved:
    """Move a case that is held. Raises NotFound for an owner who could not handle it, TransitionRefused, and
    UrgencyRefused."""
    _check_said(case.facts, intent)
    settled = _settled(connection, desk, case, intent)
    facts = _with(case.facts, settled)
    moved = rules.move(facts, intent.to, desk.actor, desk.now, intent.given)
    # By hand, of those that were sent before; to the others a device would say what is not so.
    sent = {"sent": referrals.sent_of(connection, case.file.id)} if moved.to == "referred" else {}
    keep(connection, desk, case, moved, settled, **sent)
    return moved


def choices(case: Case, desk: Desk) -> tuple[rules.Choice, ...]:
    """What can come next of a case, and what stands against it."""
    return rules.moves(case.facts, desk.actor, desk.now)


def keep(
    connection: sa.Connection, desk: Desk, case: Case, moved: Moved, settled: Mapping[str, Any], **fields: Any
) -> Entry:
    """Put a case where a move brings it, with what was settled by it; `fields`: what else its entry says, by codes.
    Gives the entry."""
    entry = holding.entry_of(
        desk,
        case,
        holding.MOVED,
        fields={"from": moved.source, "to": moved.to, "given": dict(moved.given), **fields},
        undo_until=moved.undo_until,
        step=holding.told_step(moved.step),
        tells_at=None if moved.step is None else moved.undo_until,
    )
    holding.leave(connection, case, entry, {**settled, **_columns(case, moved)})
    holding.renew(connection, [case.file.id])
    return entry


def _columns(case: Case, moved: Moved) -> dict[str, Any]:
    """What a move changes of the row; what a case was closed with goes when it is opened again."""
    is_closed = CASEWORK.statuses[moved.to].stage == "closed"
    return {
        "status": moved.to,
        "status_since": moved.at,
        "moved_by": moved.by,
        "was_paused": case.file.was_paused or moved.pauses,
        "closed_at": moved.at if is_closed else None,
        "outcome": None if moved.to == "reopened" else moved.given.get("outcome", case.file.outcome),
        "closure": None if moved.to == "reopened" else moved.given.get("closure", case.file.closure),
    }


def _check_said(facts: CaseFacts, intent: Intent) -> None:
    """What is said stays in the timeline: nothing but what this move, or less urgency, asks, and by codes of its list.

    Raises TransitionRefused. What is asked and is no code of its list is for `rules.move` to refuse.
    """
    transition = CASEWORK.transitions.get((facts.status, intent.to))
    if transition is None:
        return
    codes = frozenset() if intent.urgency is None else frozenset(CASEWORK.reasons[LOWERING])
    others = {name: code for name, code in intent.given.items() if name not in transition.asks + transition.may_say}
    if not all(name == LOWERING and code in codes for name, code in others.items()):
        raise TransitionRefused(status=facts.status, to=intent.to, faults=("not_asked",), fault="not_asked")


def _settled(connection: sa.Connection, desk: Desk, case: Case, intent: Intent) -> dict[str, Any]:
    """Columns of what is settled with a move. Raises NotFound for an owner who could not handle the case and for a kind
    that is none, and UrgencyRefused."""
    values: dict[str, Any] = {}
    if intent.owner:
        values["owner"] = owning.chosen(connection, case, intent.owner)
    if intent.kind:
        if intent.kind not in VOCABULARY.kinds:
            raise NotFound(object=intent.kind)
        values["kind"] = intent.kind
    if intent.urgency is not None:
        urgency.check_said(case.facts, intent.urgency, desk.actor, intent.given)
        heard = {each.complaint: cast(Urgency, each.urgency) for each in case.members}
        values["word"] = urgency.told_word(UrgencyWord(intent.urgency, heard))
    return values


def _with(facts: CaseFacts, settled: Mapping[str, Any]) -> CaseFacts:
    """The case as it will be when the move is made."""
    known = {name: settled[name] for name in ("owner", "kind") if name in settled}
    word = urgency.read_word(settled["word"]) if "word" in settled else facts.word
    return replace(facts, word=word, **known)
