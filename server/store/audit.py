"""The log of what was done: one row a transaction, with the bytes that a chain will cover."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from server.store.schema import event


def record(
    connection: sa.Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    object: str,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write the one event row of a transaction. Ids and counts only: never a name, a narrative or a token."""
    members = {
        "action": action,
        "actor": actor,
        "at": at.isoformat(),
        "details": details or {},
        "object": object,
        "reason": reason,
    }
    connection.execute(
        sa.insert(event).values(
            at=at, actor=actor, action=action, object=object, reason=reason, canonical=_canonical(members)
        )
    )


def _canonical(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
