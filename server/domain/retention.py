"""Retention: how long each class is kept, when what is erased is gone everywhere, and who holds an erasure up."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

# Why something is erased: a code, because a sentence could say again what must be forgotten.
REASONS: Final = ("asked", "expired", "unlawful")

_UUID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# A job runs once a day: what falls due just after it waits for the next.
_JOB_EVERY: Final = timedelta(days=1)

HoldState = Literal["asked", "agreed", "lift_asked", "lifted"]


@dataclass(frozen=True)
class Schedule:
    """Days that each class is kept. `withdrawn_days` and `complaint_days` count from the last thing that came about
    a complaint; 0 `complaint_days` keeps until somebody erases."""

    withdrawn_days: int
    complaint_days: int
    backup_days: int

    @property
    def days(self) -> dict[str, int]:
        """Days by the state of a complaint."""
        return {"withdrawn": self.withdrawn_days, "received": self.complaint_days}

    def quiet_before(self, state: str, now: datetime) -> datetime | None:
        """Complaints in that state about which nothing came since this moment are erased; None: they are kept."""
        days = self.days[state]
        return now - timedelta(days=days) if days else None


@dataclass(frozen=True)
class Hold:
    """A legal hold on one complaint: who asked for it and who agreed, and the same of its end. Ids of accounts."""

    id: int
    complaint: int
    asked_by: str
    agreed_by: str | None
    lift_asked_by: str | None
    lifted_by: str | None

    @property
    def state(self) -> HoldState:
        """Where it stands."""
        if self.lifted_by is not None:
            return "lifted"
        if self.lift_asked_by is not None:
            return "lift_asked"
        return "asked" if self.agreed_by is None else "agreed"

    @property
    def blocks(self) -> bool:
        """Whether nothing of the complaint may be erased: two people said so, and no two said that it ends."""
        return self.state in ("agreed", "lift_asked")

    def may_agree(self, actor: str) -> bool:
        """Whether this account can be the second one for what was asked last."""
        asked_by = {"asked": self.asked_by, "lift_asked": self.lift_asked_by}.get(self.state)
        return asked_by is not None and asked_by != actor


def gone_at(erased_at: datetime, backup_keep_days: int) -> datetime:
    """When the last backup that may hold what was erased is deleted."""
    return erased_at + timedelta(days=backup_keep_days) + _JOB_EVERY


def backups_before(now: datetime, backup_keep_days: int) -> datetime:
    """Backups made before this moment are deleted once there is a newer one."""
    return now - timedelta(days=backup_keep_days)


def kept_id(client_id: str) -> str:
    """What is kept of the id of an erased operation: a UUID as it is, of any other text the SHA-256 alone."""
    if _UUID.fullmatch(client_id):
        return client_id
    return hashlib.sha256(client_id.encode()).hexdigest()
