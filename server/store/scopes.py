"""Scopes: whose complaints somebody's search reads at all, so that what others have costs no time."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from server.domain.permission import STRICT, Action, Actor, must_be_assigned
from server.domain.places import Gazetteer
from server.store.dialect import among
from server.store.schema import assignment


@dataclass(frozen=True)
class Scope:
    """Whose complaints are looked through, as far as columns tell; None: all of that kind.

    `assignee`: the account that has to have the complaint. `also`: what else is looked through, of those whose deputy
    looks. `permit` has the last word on each.
    """

    teams: Collection[str] | None
    partners: Collection[str] | None
    places: Collection[str] | None
    with_strict: bool
    assignee: str | None
    also: tuple["Scope", ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether all complaints are looked through, whatever part of them is strict."""
        parts = self.teams, self.partners, self.places, self.assignee
        return all(each is None for each in parts) or any(each.is_whole for each in self.also)


def scope_of(actor: Actor, actions: Sequence[Action], places: Gazetteer | None) -> Scope:
    """What the actor may do all of that to."""
    return Scope(
        teams=actor.teams or None,
        partners=actor.partners or None,
        places=within(places, actor.regions) if actor.regions else None,
        with_strict=actor.is_named_reader,
        assignee=actor.id if any(must_be_assigned(actor, action) for action in actions) else None,
        also=tuple(scope_of(each, actions, places) for each in actor.stands_for),
    )


def within(places: Gazetteer | None, ids: Collection[str]) -> frozenset[str]:
    """All places in these; none where there is no list of them."""
    return frozenset() if places is None else places.within(ids)


def limits(
    connection: sa.Connection, scope: Scope, complaint: sa.FromClause, lineage: sa.FromClause, device: sa.FromClause
) -> list[sa.ColumnElement[bool]]:
    """What has to hold of a complaint; the tables, or aliases of them, are those of its lineage and device."""
    return within_any(scope, lambda each: _limits(connection, each, complaint, lineage, device))


def within_any(scope: Scope, found: Callable[[Scope], list[sa.ColumnElement[bool]]]) -> list[sa.ColumnElement[bool]]:
    """What has to hold where all that is `found` of the scope does, or all of one that it looks through also."""
    if not scope.also:
        return found(scope)
    return [sa.or_(*(sa.and_(sa.true(), *found(each)) for each in (scope, *scope.also)))]


def _limits(
    connection: sa.Connection, scope: Scope, complaint: sa.FromClause, lineage: sa.FromClause, device: sa.FromClause
) -> list[sa.ColumnElement[bool]]:
    covered = (
        (sa.func.coalesce(lineage.c.team, complaint.c.team), scope.teams),
        (sa.func.coalesce(device.c.partner, complaint.c.partner), scope.partners),
        (complaint.c.place_id, scope.places),
    )
    found = [among(connection, column, values) for column, values in covered if values is not None]
    if not scope.with_strict:
        found.append(complaint.c.confidentiality != STRICT)
    if scope.assignee is not None:
        has_it = sa.exists().where(assignment.c.complaint == complaint.c.id, assignment.c.account == scope.assignee)
        found.append(has_it)
    return found
