"""Tasks: what the hub wants done in the field, sealed for the vault until it is done, taken back or over."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from nacl.public import PrivateKey
from sqlite_utils import Database

from client_sync.clocks import Clocks
from client_sync.errors import TaskUnknown, WrongPassphrase
from client_sync.protocol.canonical import Unreadable, canonical, is_id, parse
from client_sync.protocol.frames import from_text
from client_sync.protocol.records import read_day
from client_sync.protocol.tasks import TASK, TASK_GONE
from client_sync.protocol.vocabulary import VOCABULARY
from client_sync.seal import Unopenable, open_envelope
from client_sync.sealing import UNKNOWN_SCOPE, Scope
from client_sync.stores import Folder, scrub, writing
from client_sync.vault import Vault, seal_for_vault

CHANGES: Final = frozenset({TASK, TASK_GONE})
_PARTS: Final = ("words", "statement", "traces", "identity")


@dataclass(frozen=True)
class Task:
    """A task as the open vault shows it: what, where and in which days, and the ways by which the person is reached.

    `details`: words of the centre and compartments of the complaint, by name. `scope`: whom the report is sealed to.
    """

    id: str
    kind: str
    opens_on: date
    closes_on: date
    place: str | None
    ways: tuple[str, ...]
    scope: Scope = field(repr=False)
    details: Mapping[str, Any] = field(repr=False)


class Tasks:
    """The tasks of a device, in its open transport store; kept and forgotten while the vault is locked.

    What stands there in clear is the id and the last day of each: enough to let it go in time.
    """

    def __init__(self, folder: Folder, database: Database) -> None:
        self._folder = folder
        self._database = database

    def count(self) -> int:
        """How many there are to do."""
        [row] = self._database.query("SELECT count(*) AS n FROM task WHERE body IS NOT NULL")
        return int(row["n"])

    def listed(self, vault: Vault) -> list[Task]:
        """Those there are to do, by place and by their last day."""
        rows = self._database.query("SELECT id, body FROM task WHERE body IS NOT NULL")
        found = [each for row in rows if (each := _unsealed(row["id"], row["body"], vault)) is not None]
        return sorted(found, key=lambda each: (each.place or "", each.closes_on, each.id))

    def note_look(self, id: str, at: datetime, why: str) -> None:
        """Note that somebody opens the details of a task, and why: that goes along with the report.

        Raises TaskUnknown.
        """
        look = canonical({"at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "why": why})
        with writing(self._database):
            if not any(self._database.query("SELECT 1 FROM task WHERE id = ? AND body IS NOT NULL", [id])):
                raise TaskUnknown
            self._database.table("task_look").insert({"task": id, "body": seal_for_vault(self._folder, look)})

    def looks(self, id: str, vault: Vault) -> list[dict[str, Any]]:
        """Who looked is whoever has the device: when, and why, in order."""
        rows = self._database.query("SELECT body FROM task_look WHERE task = ? ORDER BY rowid", [id])
        return [json.loads(vault.unseal(row["body"])) for row in rows]

    # From here to `end`: inside the caller's transaction.

    def apply(self, n: int, change: Mapping[str, Any], box_key: PrivateKey) -> None:
        """Take what the hub says of a task: a new one, or that there is none any more.

        One that this device can't open is for another of its lineage. Without a vault there is nobody to seal it for:
        it is not kept, and asked for again once there is one.
        """
        id = change.get("task")
        if not isinstance(id, str) or not is_id(id):
            return
        known = next(iter(self._database.query("SELECT n FROM task WHERE id = ?", [id])), None)
        if known is not None and n <= known["n"]:
            return
        if change.get("kind") == TASK_GONE:
            self._let_go(id, n)
        elif (closes_on := read_day(str(change.get("to")))) is not None:
            self._keep(id, n, closes_on, _opened(change, box_key))

    def leave(self, id: str) -> None:
        """Let go of a task that is done: its result is sealed, and nothing of it comes back."""
        for row in list(self._database.query("SELECT n FROM task WHERE id = ?", [id])):
            self._let_go(id, row["n"])

    def end(self, today: date) -> None:
        """Let go of the tasks whose last day is before this one."""
        over = self._database.query(
            "SELECT id, n FROM task WHERE body IS NOT NULL AND closes_on < ?", [today.isoformat()]
        )
        for row in list(over):
            self._let_go(row["id"], row["n"])

    def expire(self, clocks: Clocks) -> None:
        """Look at the clock, and let go of the tasks whose window is over by it.

        By the hub's clock as far as the device knows how far its own is off, and never before the last contact: what
        leaves by a clock that somebody set ahead is gone here, and the centre has to give it anew.
        """
        [link] = self._database.query("SELECT clock_ahead_s, contact_at FROM link")
        now = clocks.wall - timedelta(seconds=link["clock_ahead_s"] or 0)
        if link["contact_at"] is not None:
            now = max(now, datetime.fromisoformat(link["contact_at"]))
        [over] = self._database.query(
            "SELECT count(*) AS n FROM task WHERE body IS NOT NULL AND closes_on < ?", [now.date().isoformat()]
        )
        if over["n"]:
            with writing(self._database):
                self.end(now.date())
            scrub(self._database)

    def follow_vault(self) -> None:
        """Forget what is sealed for a vault that is gone."""
        if not Vault.exists(self._folder) and self.count():
            self.forget()
            self._database.table("link").update(1, {"has_missed": 1})

    def forget(self) -> None:
        """Forget what there is to do; a contact that begins anew brings what still stands of it."""
        with writing(self._database):
            self._database.execute("DELETE FROM task_look")
            self._database.execute("DELETE FROM task WHERE body IS NOT NULL")
        scrub(self._database)

    def _keep(self, id: str, n: int, closes_on: date, body: Mapping[str, Any] | None) -> None:
        if body is None:
            return
        sealed = seal_for_vault(self._folder, canonical(body))
        if sealed is None:
            self._database.table("link").update(1, {"has_missed": 1})
            return
        row = {"id": id, "n": n, "closes_on": closes_on.isoformat(), "body": sealed}
        self._database.table("task").insert(row, pk="id", replace=True)

    def _let_go(self, id: str, n: int) -> None:
        """What is remembered of it is its number: the same change that comes again brings nothing back."""
        self._database.execute("DELETE FROM task_look WHERE task = ?", [id])
        row = {"id": id, "n": n, "closes_on": "", "body": None}
        self._database.table("task").insert(row, pk="id", replace=True)


def scope_in(scope: object) -> Scope:
    """The scope that a task names; that of named readers alone where it names none."""
    if not isinstance(scope, dict):
        return UNKNOWN_SCOPE
    region, team, partner = (scope.get(name) for name in ("region", "team", "partner"))
    if not all(each is None or isinstance(each, str) for each in (region, team, partner)):
        return UNKNOWN_SCOPE
    return Scope(region, is_strict=scope.get("is_strict") is not False, elsewhere=(team, partner))


def _opened(change: Mapping[str, Any], box_key: PrivateKey) -> dict[str, Any] | None:
    """The change with its box open; None for a box that this device can't open."""
    try:
        details = parse(open_envelope(from_text(change.get("box")), bytes(box_key)))
    except (Unopenable, Unreadable):
        return None
    return {**change, "box": details} if isinstance(details, dict) else None


def _unsealed(id: str, sealed: bytes, vault: Vault) -> Task | None:
    """The task in a row; None for one that was sealed for another vault, or says nothing that this version knows."""
    try:
        body = json.loads(vault.unseal(sealed))
    except WrongPassphrase:
        return None
    opens_on, closes_on = (read_day(str(body.get(name))) for name in ("from", "to"))
    if opens_on is None or closes_on is None or body.get("what") not in VOCABULARY.codes("task_kind"):
        return None
    box = body["box"]
    return Task(
        id=id,
        kind=body["what"],
        opens_on=opens_on,
        closes_on=closes_on,
        place=body["place"] if isinstance(body.get("place"), str) else None,
        ways=tuple(_known_ways(body.get("by"))),
        scope=scope_in(box.get("scope")),
        details={name: box[name] for name in _PARTS if name in box},
    )


def _known_ways(ways: object) -> Iterator[str]:
    known = VOCABULARY.codes("contact_way")
    return (way for way in ways if isinstance(way, str) and way in known) if isinstance(ways, list) else iter(())
