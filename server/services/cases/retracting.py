"""Retracting: a finding, a court's decision or a step of a referral is taken back while there is time for it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from server.domain.case import Obstacle
from server.domain.desk import Desk
from server.domain.errors import TransitionRefused
from server.services.cases import holding
from server.services.cases.holding import Case
from server.services.cases.sending import read_told
from server.store import findings, referrals
from server.store.timeline import Entry

_Back = Callable[[sa.Connection, Entry], bool]


def take_back(connection: sa.Connection, desk: Desk, case: Case, told: Entry, later: Sequence[Entry]) -> None:
    """Undo one of CODES in a case that is held; `later`: the entries after it that stand.

    Raises TransitionRefused: its time is over (`undo_over`), or something else was built on it (`not_last`).
    """
    if told.undo_until is None or desk.now >= told.undo_until:
        raise _refused(case, "undo_over")
    if any(builds_on(each, told) for each in later) or not CODES[told.code](connection, told):
        raise _refused(case, "not_last")
    entry = holding.entry_of(
        desk, case, holding.UNDONE, complaint=told.complaint, fields={"code": told.code}, undoes=told.no
    )
    holding.leave(connection, case, entry, {})
    holding.renew(connection, [case.file.id])


def builds_on(later: Entry, told: Entry) -> bool:
    """Moves came of answers; of one referral the last step is taken back first."""
    referral = told.fields.get("referral")
    return referral is not None and (later.code == holding.MOVED or later.fields.get("referral") == referral)


# Of a complaint that was erased since, nothing is there to be taken back.
def _find_again(connection: sa.Connection, told: Entry) -> bool:
    if told.complaint is None:
        return False
    return findings.take_back(connection, told.complaint, told.fields["act"], told.fields["no"])


def _judge_again(connection: sa.Connection, told: Entry) -> bool:
    if told.complaint is None:
        return False
    return findings.take_back_judgement(connection, told.complaint, told.fields["person"], told.fields["no"])


def _step_again(connection: sa.Connection, told: Entry) -> bool:
    referrals.change(connection, told.fields["referral"], read_told(told.before["referral"]))
    return True


def _refused(case: Case, fault: Obstacle) -> TransitionRefused:
    return TransitionRefused(status=case.file.status, to=case.file.status, faults=(fault,), fault=fault)


# What left is not here: it is recalled, by an entry of its own.
CODES: Final[Mapping[str, _Back]] = {
    "verifying": _find_again,
    "found": _find_again,
    "judged": _judge_again,
    "referral_prepared": _step_again,
    "referral_received": _step_again,
    "referral_answered": _step_again,
    "referral_refused": _step_again,
    "referral_reminded": _step_again,
}
