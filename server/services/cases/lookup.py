"""Looking complaints up: by what a person holds in hand, and by what they remember."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from client_sync.protocol.receipts import read_receipt
from server.domain.desk import Desk
from server.domain.folding import search_words
from server.domain.permission import Action, may_ever, permit
from server.domain.places import Gazetteer, Place
from server.store import complaints, duplicates, recipients, registry, sealed, search_texts
from server.store.engine import Store
from server.store.scopes import scope_of, within
from server.store.search_texts import Found, Wanted

_PAGE: Final = 200


@dataclass(frozen=True)
class Match:
    """A complaint that was looked for, as far as anybody may hear who may find it; `complaint` is its id.

    `is_poor`: it says too little to be compared with others yet.
    """

    complaint: int
    number: str
    received_at: datetime
    place: str | None
    is_poor: bool


@dataclass(frozen=True)
class Query:
    """What somebody looks for, all of it at once; what is None is not asked for.

    `words`: each begins a word of the clear statement, however either was typed. `kind`: a code among those of the
    complaint. `cercle`: the id of a place. `since` and `until`: when the hub received it, `until` excluded.
    """

    words: str | None = field(default=None, repr=False)
    kind: str | None = None
    cercle: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    number: str | None = None


@dataclass(frozen=True)
class Meant:
    """All that a text in a search box can mean: a registry number, a receipt code, places of that name, words."""

    text: str = field(repr=False)
    number: str | None
    receipt: str | None
    places: Sequence[Place]
    words: Sequence[str] = field(repr=False)


def meant(text: str, places: Gazetteer | None) -> Meant:
    """What the text can mean by the list of places."""
    number, receipt, words = registry.as_written(text), read_receipt(text), search_words(text)
    named = [] if places is None else places.called(text)
    return Meant(text.strip(), number, receipt, named, [] if number or receipt else words)


def found(connection: sa.Connection, desk: Desk, meant: Meant, limit: int) -> list[Match]:
    """The newest complaints that the text can mean and the desk may find, at most `limit`, newest first."""
    matches: dict[int, Match] = {}
    if meant.receipt is not None:
        rows = [Found(*row) for row in complaints.by_receipt(connection, meant.receipt)]
        matches |= {each.complaint: each for each in _permitted(connection, desk, rows, ["find_complaint"])}
    for wanted, actions in _meanings(connection, desk, meant):
        if all(may_ever(desk.actor, action) for action in actions):
            matches |= {each.complaint: each for each in _newest(connection, desk, wanted, actions, limit)}
    return [matches[id] for id in sorted(matches, reverse=True)[:limit]]


def by_receipt(store: Store, desk: Desk, receipt: str) -> list[Match]:
    """Every complaint with this receipt code that the desk may find, oldest first: the code is random and no key."""
    with store.read() as connection:
        rows = complaints.by_receipt(connection, receipt)
        return _permitted(connection, desk, [Found(*row) for row in rows], ["find_complaint"])


def search(store: Store, desk: Desk, query: Query, limit: int) -> list[Match]:
    """The newest complaints that the query means and the desk may find, at most `limit`, newest first.

    By words, those alone whose statement it may read. What it may not find changes neither the
    result nor, but for the index that is read, the work.
    """
    actions: list[Action] = ["find_complaint"] if query.words is None else ["find_complaint", "read_statement"]
    words = [] if query.words is None else search_words(query.words)
    if not all(may_ever(desk.actor, action) for action in actions) or (query.words is not None and not words):
        return []
    with store.read() as connection:
        number = None if query.number is None else registry.complaint_numbered(connection, query.number)
        if query.number is not None and number is None:
            return []
        cercle = None if query.cercle is None else {query.cercle} | within(desk.places, {query.cercle})
        wanted = Wanted(words, query.kind, cercle, query.since, query.until, number)
        return _newest(connection, desk, wanted, actions, limit)


def _meanings(connection: sa.Connection, desk: Desk, meant: Meant) -> Iterator[tuple[Wanted, list[Action]]]:
    if meant.number is not None:
        id = registry.complaint_numbered(connection, meant.number)
        if id is not None:
            yield Wanted(complaint=id), ["find_complaint"]
    if meant.places:
        named = {each.id for each in meant.places}
        yield Wanted(places=named | within(desk.places, named)), ["find_complaint"]
    if meant.words:
        yield Wanted(meant.words), ["find_complaint", "read_statement"]


def _newest(
    connection: sa.Connection, desk: Desk, wanted: Wanted, actions: Sequence[Action], limit: int
) -> list[Match]:
    # Looked for within the scope, so that what others have costs no time; `permit` has the last word on each.
    scope, before = scope_of(desk.actor, actions, desk.places), None
    matches: list[Match] = []
    while len(matches) < limit and (page := search_texts.find(connection, wanted, scope, before, _PAGE)):
        matches += _permitted(connection, desk, page, actions)
        before = page[-1].id
    return matches[:limit]


def _permitted(connection: sa.Connection, desk: Desk, found: Sequence[Found], actions: Sequence[Action]) -> list[Match]:
    """Those on which the desk may do all of that, in order."""
    ids = [each.id for each in found]
    standings = sealed.standings(connection, ids)
    assigned = recipients.assigned_to(connection, ids)
    numbers = registry.numbers_of(connection, ids)
    poor = duplicates.unmatchable(connection, ids)
    targets = {id: each.target(desk.places, assigned.get(id)) for id, each in standings.items()}
    return [
        Match(each.id, numbers[each.id], each.received_at, each.place_id, each.id in poor)
        for each in found
        if all(permit(desk.actor, action, targets[each.id]) for action in actions)
    ]
