"""Parcels in the open transport store: the numbers of our own, and those of other devices on their way."""

import hashlib
from collections.abc import Iterator

from sqlite_utils import Database

from client_sync.errors import ParcelUnreadable
from client_sync.protocol.limits import BODY_MAX_BYTES
from client_sync.stores import writing
from client_sync.tables import Carried


class Carrying:
    """The parcels of a device: those that it wrote, by number, and those that it carries for others."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take_number(self) -> int:
        """The number of a new parcel of this device, noted with the epoch it was written in."""
        with writing(self._database):
            [link] = self._database.query("SELECT next_parcel, epoch FROM link")
            number = int(link["next_parcel"])
            self._database.table("parcel").insert({"number": number, "epoch": link["epoch"]})
            self._database.table("link").update(1, {"next_parcel": number + 1})
        return number

    def epoch_of(self, number: int) -> str | None:
        """The epoch that was known when a parcel of ours was written."""
        for row in self._database.query("SELECT epoch FROM parcel WHERE number = ?", [number]):
            return None if row["epoch"] is None else str(row["epoch"])
        return None

    def keep(self, device: str, parcel: int, data: bytes) -> None:
        """Keep a parcel of another device for the road.

        A file that is here already is only freed for another try, when the hub refused it. Raises
        ParcelUnreadable for one that is larger than a hub takes.
        """
        if len(data) > BODY_MAX_BYTES:
            raise ParcelUnreadable
        digest = hashlib.sha256(data).hexdigest()
        row = {"digest": digest, "device": device, "parcel": parcel, "data": data, "tries": 0}
        with writing(self._database):
            self._database.table("carried").insert(row, pk="digest", ignore=True)
            self._database.execute("UPDATE carried SET refused = NULL WHERE digest = ?", [digest])

    def each(self) -> Iterator[Carried]:
        """Parcels of other devices, to post and to hand back the reply of; those tried least come first.

        One at a time: with files among them they may be more than a small machine's memory holds.
        """
        select = "SELECT digest, device, parcel, data, reply, refused FROM carried WHERE digest = ?"
        digests = [row["digest"] for row in self._database.query("SELECT digest FROM carried ORDER BY tries, rowid")]
        for digest in digests:
            yield from (Carried(**row) for row in self._database.query(select, [digest]))

    def keep_reply(self, carried: Carried, reply: bytes) -> None:
        """Keep the reply to a carried parcel; the parcel itself is at the hub and is dropped here."""
        update = "UPDATE carried SET data = x'', reply = ?, refused = NULL WHERE digest = ?"
        with writing(self._database):
            self._database.execute(update, [reply, carried.digest])

    def note_refused(self, carried: Carried, code: str) -> None:
        """Note what kept a carried parcel from the hub; the others go before it from now on."""
        update = "UPDATE carried SET refused = ?, tries = tries + 1 WHERE digest = ?"
        with writing(self._database):
            self._database.execute(update, [code, carried.digest])

    def drop(self, carried: Carried) -> None:
        """Forget a carried parcel: its reply was handed back, or nobody can read it."""
        with writing(self._database):
            self._database.execute("DELETE FROM carried WHERE digest = ?", [carried.digest])
