"""What the hub said to a device: replies, sealed for the vault, and statuses; and when they have to leave."""

import hashlib
import json
from datetime import datetime
from typing import Any, Final

from sqlite_utils import Database

from client_sync.clocks import Clocks
from client_sync.expiry import Absence
from client_sync.protocol.canonical import canonical
from client_sync.stores import Folder, scrub, writing
from client_sync.tables import Reply
from client_sync.vault import Vault, seal_for_vault

_ANYTHING: Final = (
    "SELECT 1 FROM record WHERE status IS NOT NULL OR change IS NOT NULL UNION ALL SELECT 1 FROM reply"
    " UNION ALL SELECT 1 FROM task WHERE body IS NOT NULL LIMIT 1"
)


class Received:
    """What the hub said, in the open transport store of a device; kept and forgotten while the vault is locked."""

    def __init__(self, folder: Folder, database: Database) -> None:
        self._folder = folder
        self._database = database

    def replies(self, record_id: str, vault: Vault) -> list[Reply]:
        """What the hub sent about a record, oldest first: it is sealed here, and only the open vault shows it."""
        select = "SELECT change, body FROM reply WHERE record = ? ORDER BY change"
        rows = self._database.query(select, [record_id])
        return [Reply(row["change"], json.loads(vault.unseal(row["body"]))) for row in rows]

    def see(self, record_id: str) -> list[int]:
        """Note that a person sees all that is here about a record, inside the caller's transaction; gives the numbers
        of the changes that nobody saw here before."""
        select = "SELECT change FROM reply WHERE record = ? AND is_seen = 0 ORDER BY change"
        fresh = [row["change"] for row in self._database.query(select, [record_id])]
        self._database.execute("UPDATE reply SET is_seen = 1 WHERE record = ?", [record_id])
        return fresh

    def keep_reply(self, n: int, record_id: str, change: dict[str, Any]) -> None:
        """Keep a change that a person has to read, inside the caller's transaction; once, however often it comes.

        Without a vault there is nobody to seal it for: it is not kept, and asked for again once there is one.
        """
        written = canonical(change)
        sealed = seal_for_vault(self._folder, written)
        if sealed is None:
            self._note(has_missed=1)
        else:
            row = {"digest": hashlib.sha256(written).hexdigest(), "record": record_id, "change": n, "body": sealed}
            self._database.table("reply").insert(row, pk="digest", ignore=True)
        self._database.execute("UPDATE record SET change = ?, is_seen = 0 WHERE id = ?", [n, record_id])

    def follow_vault(self) -> None:
        """Have the hub say it again if replies came before there was a vault; forget those of a vault that is gone."""
        if not Vault.exists(self._folder):
            if self._database.table("reply").count:
                self.forget()
        elif self._link()["has_missed"]:
            self._note(cursor=None, last_change=0, has_missed=0)

    def is_empty(self) -> bool:
        """Whether the hub said nothing that is still here, beside that it has what was sent."""
        return not any(True for _ in self._database.query(_ANYTHING))

    def forget(self) -> None:
        """Forget what the hub said; the next contact brings it again. Nothing unsent is touched."""
        with writing(self._database):
            self._database.execute("DELETE FROM reply")
            self._database.execute("UPDATE record SET status = NULL, change = NULL, is_seen = 0")
            self._note(cursor=None, last_change=0)
        scrub(self._database)

    def note_contact(self, at: datetime) -> None:
        """The absence ends, inside the caller's transaction. `at` is the hub's time.

        An answer that took the long way, and tells of an earlier time than one that came before, ends nothing.
        """
        known = self._link()["contact_at"]
        if known is None or datetime.fromisoformat(known) < at:
            self._note(contact_at=at.isoformat(), looked_at=None, sure_s=0.0, claimed_from_s=None)

    def expire(self, clocks: Clocks, days: int) -> Absence | None:
        """Look at the clocks, and forget what came if the device has been without contact for `days`.

        Gives the absence as long as there is anything to lose, and when it was lost now.
        """
        absence = self._look(clocks, days)
        if absence is None or self.is_empty():
            return None
        if absence.is_over:
            self.forget()
        return absence

    def _look(self, clocks: Clocks, days: int) -> Absence | None:
        """The absence with this look at the clocks; None before the first contact."""
        before = self._absence(clocks, days)
        if before is None:
            return None
        absence = before.looked_at(clocks)
        with writing(self._database):
            self._note(
                looked_at=absence.looked.wall.isoformat(),
                looked_running_s=absence.looked.running_s,
                sure_s=absence.sure_s,
                claimed_from_s=absence.claimed_from_s,
            )
        return absence

    def _absence(self, clocks: Clocks, days: int) -> Absence | None:
        link = self._link()
        if link["contact_at"] is None:
            return None
        looked = clocks
        if link["looked_at"] is not None:
            looked = Clocks(datetime.fromisoformat(link["looked_at"]), link["looked_running_s"])
        contact_at = datetime.fromisoformat(link["contact_at"])
        return Absence(contact_at, link["clock_ahead_s"], days, looked, link["sure_s"], link["claimed_from_s"])

    def _link(self) -> dict[str, Any]:
        [row] = self._database.query("SELECT * FROM link")
        return row

    def _note(self, **columns: Any) -> None:
        self._database.table("link").update(1, columns)
