"""All complaints that can be compared, and all links of a relation, those that nobody is shown with them."""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from server.domain.matching.decisions import RETRY, levels_told
from server.store.duplicates import is_withdrawn
from server.store.match_tables import link, match_profile
from server.store.schema import complaint


@dataclass(frozen=True)
class Standing:
    """A link, as far as two ways to find it are held against each other; `levels` are empty for a retry."""

    ends: tuple[int, int]
    relation: str
    state: str
    band: str
    draw: int
    probability: float
    levels: dict[str, int]


def ids(connection: sa.Connection, scheme: int, page: int) -> Iterator[list[int]]:
    """The complaints that say enough, by profiles of this scheme, none that was withdrawn altogether."""
    columns = match_profile.c
    select = (
        sa.select(columns.complaint)
        .join(complaint, complaint.c.id == columns.complaint)
        .where(columns.is_matchable, columns.scheme == scheme, ~is_withdrawn(complaint))
        .order_by(columns.complaint)
        .limit(page)
    )
    after = 0
    while found := list(connection.scalars(select.where(columns.complaint > after))):
        yield found
        after = found[-1]


def links(connection: sa.Connection, relation: str) -> Iterator[Standing]:
    """Every link of a relation, and every retry."""
    columns = link.c
    names = columns.relation, columns.state, columns.band, columns.draw, columns.probability, columns.reasons
    select = sa.select(columns.a, columns.b, *names).where(columns.relation.in_((relation, RETRY)))
    for a, b, relation, state, band, draw, probability, reasons in connection.execute(select):
        yield Standing((a, b), relation, state, band, draw, probability, levels_told(reasons))
