"""Handing on: record keys sealed again for who gets a case and for readers who come later, and the drill of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from client_sync.seal import Reader
from server.domain.desk import Desk
from server.domain.errors import Busy, NotFound
from server.domain.permission import Target, permit
from server.services.vault import holding
from server.services.vault.holding import Case, Sealed
from server.store import accounts, audit, deputies, recipients, sealed
from server.store.cases import lock_complaints
from server.store.engine import Store
from server.store.recipients import CURRENT, REMOVED

PAGE_PARTS: Final = 200


@dataclass(frozen=True)
class Given:
    """How many sealed operations somebody got the keys of, and of how many no key at hand could give them."""

    given: int
    out_of_reach: int


def assign(store: Store, desk: Desk, complaint: int, account: str) -> Given:
    """Assign a complaint to an account, and seal its keys again to the keys of that account.

    Also where the device says to have sealed to them: nobody knows whether it did. What the assigner can't open
    stays as it is for the assignee, until somebody opens it who can. Raises NotFound where the actor may not
    handle the complaint, and for an account that could not read it, and Busy where either changes at this moment.
    """
    case = holding.case(store, desk, complaint)
    return _assign(store, desk, {complaint: case}, account, {complaint: case.target.assigned})[complaint]


def assign_all(store: Store, desk: Desk, seen: Mapping[int, frozenset[str]], account: str) -> None:
    """Assign several complaints to an account as `assign` does, all of them or none.

    `seen`: to which accounts each was assigned as the actor saw it. Raises NotFound as `assign` does, and Busy where
    one is assigned otherwise by now.
    """
    _assign(store, desk, {complaint: holding.case(store, desk, complaint) for complaint in seen}, account, seen)


def give_keys(store: Store, desk: Desk, account: str) -> Given:
    """Seal again, to the current keys of an account, all that the account may read and the keys at hand open.

    For whoever was reset, came later, or has a new key; what the actor may not handle is passed over, but for
    the actor's own. An operator does this with the recovery key in hand. Raises NotFound for no such account.
    """
    with store.read() as connection:
        holder = accounts.find(connection, account)
        kids = recipients.among_accounts(connection, [account])
        if holder is None or holder.state != accounts.ACTIVE:
            raise NotFound(object=account)
        reader = deputies.acting(connection, holder.actor, desk.now.date())

    def may(target: Target) -> bool:
        is_giver = desk.actor.is_operator or account == desk.actor.id or permit(desk.actor, "handle_case", target)
        return is_giver and permit(reader, "read_statement", target)

    return _give(store, desk, holding.readers(kids), may, f"account:{account}")


def give_deputy(store: Store, desk: Desk, deputy: str) -> Given:
    """Seal again, to the current keys of the account of a deputy, all that the actor may read and can open; of what is
    strict nothing to whoever is no named reader."""
    with store.read() as connection:
        kids, who = recipients.among_accounts(connection, [deputy]), accounts.find(connection, deputy)
    is_named = desk.actor.is_named_reader and who is not None and who.is_named_reader
    own = replace(desk.actor, stands_for=(), is_named_reader=is_named)
    return _give(
        store, desk, holding.readers(kids), lambda target: permit(own, "read_statement", target), f"account:{deputy}"
    )


def give_recovery_keys(store: Store, desk: Desk) -> Given:
    """Seal again, to the current recovery key, all that the keys at hand open: for a recovery key that is new."""
    with store.read() as connection:
        kids = [each for each in recipients.recovery(connection) if each.state == CURRENT]
    return _give(store, desk, holding.readers(kids), lambda _: True, "recovery")


def drill(store: Store, desk: Desk) -> Given:
    """How many of all sealed operations the keys at hand open, and how many they do not; nothing of them is shown."""
    given = out_of_reach = after = 0
    while parts := holding.page(store, after, PAGE_PARTS):
        for part in (each for each in parts if each.boxes.boxes):
            is_open = part.prove(desk.keys.private) is not None
            given, out_of_reach = given + is_open, out_of_reach + (not is_open)
        after = parts[-1].row.received
    with store.write() as connection:
        details = {"opened": given, "out_of_reach": out_of_reach}
        actor = desk.actor.signature
        audit.record(connection, at=desk.now, actor=actor, action="drill", object="recovery", details=details)
    return Given(given, out_of_reach)


def _assign(
    store: Store, desk: Desk, cases: Mapping[int, Case], account: str, seen: Mapping[int, frozenset[str]]
) -> dict[int, Given]:
    """Raises NotFound and Busy."""
    with store.read() as connection:
        kids = holding.readers(recipients.among_accounts(connection, [account]))
    made = {complaint: _hand_on(case.parts, case.usable(desk), kids) for complaint, case in cases.items()}
    with store.write() as connection:
        _require_assignable(connection, desk, account, seen)
        for complaint, (boxes, given) in made.items():
            is_new = recipients.assign(connection, complaint, account, desk.actor.id, desk.now)
            recipients.add_wraps(connection, boxes, desk.now)
            details = {"account": account, "given": given.given, "is_new": is_new, "out_of_reach": given.out_of_reach}
            details |= holding.in_place(desk, "handle_case", cases[complaint].target)
            holding.note(connection, desk, "assign", complaint, details)
    return {complaint: given for complaint, (_, given) in made.items()}


def _require_assignable(
    connection: sa.Connection, desk: Desk, account: str, seen: Mapping[int, frozenset[str]]
) -> None:
    """Look once more at the complaints and the account, which are locked until commit. Raises NotFound and Busy."""
    lock_complaints(connection, seen)
    accounts.lock(connection, account)
    assignee, standings = accounts.find(connection, account), sealed.standings(connection, seen)
    assigned = recipients.assigned_to(connection, seen)
    for complaint, was in seen.items():
        target = standings[complaint].target(desk.places) if complaint in standings else None
        if target is None or not permit(desk.actor, "handle_case", target):
            raise NotFound(object=complaint)
        if assignee is None or not holding.may_have(assignee, target):
            raise NotFound(object=account)
        if assigned.get(complaint, frozenset()) != was:
            raise Busy


def _hand_on(
    parts: Sequence[Sealed], private: Mapping[str, bytes], readers: Sequence[Reader]
) -> tuple[list[tuple[int, str, str]], Given]:
    """The boxes that readers lack, of the parts that the private keys open, and how many parts that makes.

    Out of reach is what nobody so much as said to have sealed to them.
    """
    boxes: list[tuple[int, str, str]] = []
    given = out_of_reach = 0
    for part in parts:
        if not part.boxes.boxes or all(each.kid in part.wraps for each in readers):
            continue
        proof = part.prove(private)
        made = [] if proof is None else part.boxes_for(readers, proof)
        given += bool(made)
        out_of_reach += proof is None and not all(each.kid in part.keys for each in readers)
        boxes += made
    return boxes, Given(given, out_of_reach)


def _give(store: Store, desk: Desk, readers: Sequence[Reader], may: Callable[[Target], bool], whose: str) -> Given:
    """Hand on, page by page, the keys of every complaint whose target `may` be given."""
    total, after = Given(0, 0), 0
    with store.read() as connection:
        in_use = {each.kid for each in recipients.listed(connection) if each.state != REMOVED}
    private = {kid: each for kid, each in desk.keys.private.items() if kid in in_use}
    while readers and (parts := holding.page(store, after, PAGE_PARTS)):
        targets = holding.targets(store, parts, desk.places)
        permitted = [each for each in parts if (target := targets.get(each.row.complaint)) and may(target)]
        boxes, given = _hand_on(permitted, private, readers)
        with store.write() as connection:
            recipients.add_wraps(connection, boxes, desk.now)
            details = {"given": given.given, "holder": whose, "out_of_reach": given.out_of_reach}
            if given.given:
                actor = desk.actor.signature
                audit.record(connection, at=desk.now, actor=actor, action="give_keys", object=whose, details=details)
        total = Given(total.given + given.given, total.out_of_reach + given.out_of_reach)
        after = parts[-1].row.received
    return total
