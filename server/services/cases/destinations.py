"""Destinations: laid down from a list or one by one, suspended and lifted by one act each."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

import sqlalchemy as sa

from server.domain import referral as rules
from server.domain.desk import Desk
from server.domain.errors import NotFound, ReferralRefused
from server.domain.permission import Action, may_ever, permit
from server.domain.referral import Destination
from server.store import audit, destinations
from server.store.engine import Store

ACTION: Final[Action] = "manage_destinations"
# Columns of a list; the last three may be empty.
COLUMNS: Final = ("code", "body", "programme", "valid_from", "valid_to", "place", "answer_term")
_CODE_MAX_CHARS: Final = 80


def add(store: Store, desk: Desk, made: Sequence[Destination]) -> int:
    """Keep destinations that are not there yet; gives how many. What is there under the same code stays as it is.

    Raises NotFound unless the actor manages destinations, and ReferralRefused for one that can't be: a body that does
    not work under the programme, a place that the list does not have, dates, term, code; then none is kept.
    """
    _require(desk)
    for each in made:
        _check(desk, each)
    with store.write() as connection:
        new = [each for each in made if destinations.add(connection, each, desk.actor.signature, desk.now)]
        for each in new:
            _note(connection, desk, "destination_add", each.code)
    return len(new)


def listed(store: Store, desk: Desk) -> list[Destination]:
    """All destinations. Raises NotFound for whoever does not manage them."""
    if not may_ever(desk.actor, ACTION):
        raise NotFound(object=ACTION)
    with store.read() as connection:
        return destinations.listed(connection)


def suspend(store: Store, desk: Desk, code: str) -> Destination:
    """Nothing goes there from this moment, whatever is prepared. Raises NotFound."""
    return _set(store, desk, code, is_suspended=True)


def lift(store: Store, desk: Desk, code: str) -> Destination:
    """Complaints can go there again. Raises NotFound."""
    return _set(store, desk, code, is_suspended=False)


def read_list(text: str) -> list[Destination]:
    """The destinations in a list: CSV with a first line that names COLUMNS.

    Raises ReferralRefused with the number of the line: `list_columns`, `list_line`.
    """
    rows = csv.DictReader(io.StringIO(text))
    if set(rows.fieldnames or ()) != set(COLUMNS):
        raise ReferralRefused(fault="list_columns", columns=", ".join(COLUMNS))
    return list(_read(rows))


def _read(rows: "csv.DictReader[str]") -> Iterator[Destination]:
    for row in rows:
        told = {name: (row[name] or "").strip() for name in COLUMNS}
        try:
            yield Destination(
                code=told["code"],
                body=told["body"],
                programme=told["programme"],
                place=told["place"] or None,
                valid_from=date.fromisoformat(told["valid_from"]),
                valid_to=date.fromisoformat(told["valid_to"]) if told["valid_to"] else None,
                answer_term=told["answer_term"] or None,
            )
        except ValueError:
            raise ReferralRefused(fault="list_line", line=rows.line_num) from None


def _set(store: Store, desk: Desk, code: str, *, is_suspended: bool) -> Destination:
    _require(desk)
    with store.write() as connection:
        found = destinations.find(connection, [code], is_locked=True).get(code)
        if found is None:
            raise NotFound(object=code)
        made = found.suspended(desk.now) if is_suspended else found.reopened()
        if made != found:
            destinations.suspend(connection, code, made.suspended_at)
            _note(connection, desk, "destination_suspend" if is_suspended else "destination_lift", code)
    return made


def _require(desk: Desk) -> None:
    if not permit(desk.actor, ACTION):
        raise NotFound(object=ACTION)


def _check(desk: Desk, each: Destination) -> None:
    if not each.code or len(each.code) > _CODE_MAX_CHARS or any(char.isspace() for char in each.code):
        raise ReferralRefused(fault="code", code=each.code)
    rules.check_destination(each)
    if each.place is not None and (desk.places is None or each.place not in desk.places.by_id):
        raise ReferralRefused(fault="place_unknown", place=each.place, code=each.code)


def _note(connection: sa.Connection, desk: Desk, action: str, code: str) -> None:
    signature = desk.actor.signature
    audit.record(connection, at=desk.now, actor=signature, action=action, object=f"destination:{code}")
