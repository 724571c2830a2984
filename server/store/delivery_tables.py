"""The table of what is told outside; docs/database.md says what it is for."""

from typing import Final

import sqlalchemy as sa

from server.store.columns import column, metadata, uuid
from server.store.dialect import UtcTime

delivery: Final = sa.Table(
    "delivery",
    metadata,
    # The key by which the receiver knows it again.
    uuid("id", primary_key=True),
    uuid("account", sa.ForeignKey("account.id")),
    column("code", sa.String(40)),
    # How many notices the account had not read: what is sent again says the same.
    column("waiting", sa.Integer),
    column("at", UtcTime),
    # When it may be tried; while somebody tries it, when somebody else may. Empty: never again.
    column("next_at", UtcTime, null=True, index=True),
    column("attempts", sa.Integer, server_default="0"),
    column("done_at", UtcTime, null=True),
    # Why it is not done: what the receiver said, or that nobody answered.
    column("failure", sa.String(40), null=True),
)
