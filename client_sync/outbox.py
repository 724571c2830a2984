"""The outbox: finished operations until the hub has them for good, and how far device and hub have come.

It works while the vault is locked. What was finalised can't be read back through it: a person gets the state
of a record and the code of what is wrong with it, the wire gets its line.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Self
from uuid import uuid4

from nacl.public import PrivateKey
from nacl.signing import SigningKey
from sqlite_utils import Database

from client_sync.answers import CODE_MOST_CHARS, FrameReport, HubAnswer, Verdict, shown
from client_sync.carrying import Carrying
from client_sync.errors import AlreadyEnrolled, ContentRefused, LineageDiffers, NotEnrolled, RecordUnknown
from client_sync.files import KIND as FILE
from client_sync.files import Files
from client_sync.protocol import steps
from client_sync.protocol.anchors import ANCHOR_SEEN
from client_sync.protocol.canonical import Unreadable, canonical, read_operation
from client_sync.protocol.codes import AT_THE_CENTRE, REJECTED, STORED
from client_sync.protocol.frames import Header, encode_frame, frame_digest
from client_sync.protocol.limits import FRAME_RECORDS_MAX
from client_sync.protocol.tasks import TASK_DONE
from client_sync.received import Received
from client_sync.sealing import (
    LINKAGE,
    SEALED_OPERATIONS,
    UNKNOWN_SCOPE,
    Scope,
    Sealer,
    hide_scope,
    read_scope,
    scope_of,
)
from client_sync.stores import Folder, machine_key, open_encrypted, writing
from client_sync.tables import LINK_FLAGS, MIGRATIONS, Counts, Enrolled, InFlight, Keys, Link, Record
from client_sync.tasks import CHANGES, Tasks
from client_sync.vault import Vault

# What goes along with a complaint, and what the device says of its own accord.
_UNCOUNTED: Final = (LINKAGE, ANCHOR_SEEN)
_IS_COUNTED: Final = f"op NOT IN {_UNCOUNTED}"
_IDS_A_QUERY: Final = 500
# Far more frames than an old copy of a device can be behind; a hub that jumps wildly must not use up the numbers.
_FRAMES_SKIPPED_MAX: Final = 2**20


@dataclass(frozen=True)
class Finished:
    """An operation to finalise, in clear. `id` is that of its draft: finalising a draft twice makes one record.

    `scope` is that of the complaint which it speaks of, for an operation without facts: see `Outbox.scope`.
    """

    op: str
    content: dict[str, Any]
    id: str | None = None
    picture: str | None = None
    receipt: str | None = None
    scope: Scope = UNKNOWN_SCOPE


@dataclass(frozen=True)
class Applied:
    """What one answer changed: frames settled, records by the state they came to, new changes.

    `files` are those of which something was said, `unread` the reasons why frames were not read.
    """

    frames: int
    stored: int
    kept_aside: int
    rejected: int
    changes: int
    files: int
    unread: frozenset[str]


class Outbox:
    """The open transport store of one device. Every method that changes it is durable when it returns."""

    def __init__(self, folder: Folder, database: Database) -> None:
        self.folder = folder
        self.received = Received(folder, database)
        self.tasks = Tasks(folder, database)
        self.files = Files(folder, database)
        self.carrying = Carrying(database)
        self._database = database

    @classmethod
    def open(cls, folder: Folder) -> Self:
        """The outbox of a folder, made on the first call. Raises KeyMissing and StoreDamaged."""
        outbox = cls(folder, open_encrypted(folder.transport, machine_key(folder), MIGRATIONS))
        outbox.received.follow_vault()
        outbox.tasks.follow_vault()
        outbox.files.follow_vault()
        return outbox

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    def writing(self) -> AbstractContextManager[None]:
        """One transaction around several steps of this outbox that say they want one."""
        return writing(self._database)

    def finalise(
        self,
        op: str,
        content: dict[str, Any],
        *,
        id: str | None = None,
        picture: str | None = None,
        receipt: str | None = None,
        scope: Scope = UNKNOWN_SCOPE,
    ) -> str:
        """Keep one finished operation for the hub, sealed; gives its id. Raises as `finalise_all` does."""
        return self.finalise_all([Finished(op, content, id, picture, receipt, scope)])[0]

    def finalise_all(self, finished: Sequence[Finished]) -> list[str]:
        """Keep finished operations in one transaction, sealed to the readers that the keyring names; gives their ids.

        From then on nothing here opens what was sealed. An id that is here already is left as it is. Raises
        ContentRefused, NotEnrolled, KeyringMissing and ReaderMissing, with nothing kept.
        """
        with self.writing():
            return self._insert(finished)

    def records(self) -> list[Record]:
        """Every record, in the order in which they were finalised; what goes along with one is none."""
        select = f"{_SELECT_RECORD} WHERE {_IS_COUNTED} ORDER BY seq"
        return [_record(row) for row in self._database.query(select)]

    def record(self, id: str) -> Record:
        """One record. Raises RecordUnknown."""
        for row in self._database.query(f"{_SELECT_RECORD} WHERE id = ?", [id]):
            return _record(row)
        raise RecordUnknown(id=id)

    def counts(self) -> Counts:
        """The three counts of a device."""
        [row] = self._database.query(
            "SELECT count(*) AS written, count(change) AS answered,"
            " coalesce(sum(state IN ('at_centre', 'kept_aside')), 0) AS at_centre"
            " FROM record WHERE op = 'complaint'"
        )
        return Counts(row["written"] - row["at_centre"], row["at_centre"], row["answered"])

    def amendments(self, complaint: str) -> int:
        """How many revisions of a complaint were finalised here; the next one's base is one more."""
        select = "SELECT count(*) AS n FROM record WHERE op = 'revision' AND about = ?"
        [row] = self._database.query(select, [complaint])
        return int(row["n"])

    def scope(self, complaint: str, vault: Vault) -> Scope:
        """What a revision of a complaint is sealed by: only the vault that was here when it was finalised knows."""
        select = "SELECT scope FROM record WHERE ? IN (id, about) AND scope IS NOT NULL ORDER BY seq DESC LIMIT 1"
        for row in self._database.query(select, [complaint]):
            return read_scope(row["scope"], vault)
        return UNKNOWN_SCOPE

    def mark_seen(self, id: str) -> None:
        """Note that a person saw what the centre said of a record, and tell the centre. Raises RecordUnknown."""
        record = self.record(id)
        if record.is_seen or not record.is_answered:
            return
        with self.writing():
            [row] = self._database.query("SELECT change FROM record WHERE id = ?", [id])
            self._database.execute("UPDATE record SET is_seen = 1 WHERE id = ?", [id])
            changes = self.received.see(id) or [row["change"]]
            self._insert([Finished("seen", {"changes": changes})])

    def holds_last_copies(self) -> bool:
        """Whether anything written here may be nowhere else: not sent, rejected, or in no backup of the hub yet."""
        lines = self._database.query("SELECT 1 FROM record WHERE line IS NOT NULL LIMIT 1")
        return any(True for _ in lines) or self.files.holds_last_copies()

    @property
    def enrolled(self) -> Enrolled | None:
        """What binds the device to its hub; None before the enrolment."""
        for row in self._database.query("SELECT * FROM enrolment"):
            keys = Keys(SigningKey(row.pop("sign")), PrivateKey(row.pop("box")))
            del row["id"]
            return Enrolled(**row, keys=keys, epoch=self.link.epoch)
        return None

    def require_enrolled(self) -> Enrolled:
        """What binds the device to its hub. Raises NotEnrolled."""
        enrolled = self.enrolled
        if enrolled is None:
            raise NotEnrolled
        return enrolled

    def keys_for(self, code_hash: str) -> Keys:
        """New keys for an enrolment, the same ones each time for the same code: an answer may get lost."""
        with self.writing():
            for row in self._database.query("SELECT sign, box FROM keys WHERE code_hash = ?", [code_hash]):
                return Keys(SigningKey(row["sign"]), PrivateKey(row["box"]))
            keys = Keys(SigningKey.generate(), PrivateKey.generate())
            row = {"code_hash": code_hash, "sign": bytes(keys.sign), "box": bytes(keys.box)}
            self._database.table("keys").insert(row)
        return keys

    def keep_enrolment(self, enrolled: Enrolled) -> None:
        """Bind the device to its hub, or bind it anew after a revocation.

        Raises AlreadyEnrolled for another hub, and LineageDiffers when the hub would take what it has from
        this device for somebody else's, or nobody could open what was sealed here under the lineage of before.
        """
        before = self.enrolled
        if before is not None and before.hub != enrolled.hub:
            raise AlreadyEnrolled
        if before is not None and before.lineage != enrolled.lineage and self.holds_last_copies():
            raise LineageDiffers
        with self.writing():
            if before is not None and before.device != enrolled.device:
                self._forget_device()
            self._database.table("enrolment").upsert(_enrolment_row(enrolled), pk="id")
            self._database.execute("DELETE FROM keys")
            self._begin_epoch(enrolled.epoch)

    def keep_keyring(self, keyring: str) -> None:
        """Seal to the readers of this signed keyring from now on. The caller has checked it against the root key."""
        self._database.table("enrolment").update(1, {"keyring": keyring})

    @property
    def link(self) -> Link:
        """How far device and hub have come."""
        [row] = self._database.query("SELECT * FROM link")
        flags = {name: bool(row[name]) for name in LINK_FLAGS}
        return Link(**{name: row[name] for name in Link.__dataclass_fields__} | flags)

    def note(self, **columns: Any) -> None:
        """Set columns of `link`, in the caller's transaction or in one of its own."""
        self._database.table("link").update(1, columns)

    def apply(self, answer: HubAnswer, now: datetime, sent: Iterable[int] = ()) -> Applied:
        """Apply one answer, whole or not at all. `sent` are the frames that it answers.

        Never takes a record back from the centre, whatever it says. Applying an answer again changes nothing.
        """
        with self.writing():
            self._begin_epoch(answer.epoch)
            came_to: Counter[str] = Counter()
            before = len(self.in_flight())
            for report in answer.reports:
                came_to += self._apply_report(report, answer.position)
            frames = before - len(self.in_flight())
            # The hub read what it read of this body: the rest of it is known not to be there.
            self._many("UPDATE frame SET is_unsure = 0 WHERE number = ?", [(number,) for number in sent])
            self._settle_positions(answer.position)
            changes, of_files = self._apply_changes(answer)
            has_let_go = self._prune(answer.backed_up_to)
            self._note_answer(answer, now)
        if has_let_go:
            self.files.sweep()
        unread = frozenset(report.unread for report in answer.reports if report.unread is not None)
        stored, kept_aside, rejected = (came_to[state] for state in ("at_centre", "kept_aside", "rejected"))
        return Applied(frames, stored, kept_aside, rejected, changes, of_files, unread)

    # From here to `note_leaving`: steps of one body, inside the caller's `writing`.

    def waiting(self) -> int:
        """How many operations the hub does not have, as far as is known."""
        [row] = self._database.query("SELECT count(*) AS n FROM record WHERE waiting = 1")
        return int(row["n"])

    def unsent(self) -> int:
        """How many of these a person would count: what goes along with a complaint is no sending of its own."""
        [row] = self._database.query(f"SELECT count(*) AS n FROM record WHERE waiting = 1 AND {_IS_COUNTED}")
        return int(row["n"])

    def counted_in(self, frames: Sequence[int]) -> int:
        """How many of the operations in frames in flight a person would count."""
        places = ",".join("?" * len(frames))
        select = f"SELECT count(*) AS n FROM record WHERE frame IN ({places}) AND {_IS_COUNTED}"
        [row] = self._database.query(select, list(frames))
        return int(row["n"])

    def next_lines(self, after_seq: int, most_bytes: int) -> list[tuple[int, bytes]]:
        """Number and line of the next operations that are in no frame: one at least, if there is any."""
        select = "SELECT seq, line FROM record WHERE waiting = 1 AND frame IS NULL AND seq > ? ORDER BY seq LIMIT ?"
        lines: list[tuple[int, bytes]] = []
        size = 0
        for row in self._database.query(select, [after_seq, FRAME_RECORDS_MAX]):
            size += len(row["line"]) + 1
            if lines and size > most_bytes:
                break
            lines.append((row["seq"], row["line"]))
        return lines

    def take_frame_number(self) -> int:
        """The next frame number; it is never given again."""
        number = self.link.next_frame
        self.note(next_frame=number + 1)
        return number

    def put_in_flight(self, header: Header, lines: Sequence[tuple[int, bytes]], weight: int) -> None:
        """Keep a new frame so that exactly its bytes can be sent again; `weight` is its compressed size."""
        digest = frame_digest(header.line(), (line + b"\n" for _, line in lines)).hex()
        members = {name: value for name, value in vars(header).items() if value not in (None, ())}
        self._database.table("frame").insert(
            {
                "number": header.frame,
                "header": json.dumps(members),
                "digest": digest,
                "weight": weight,
                "is_unsure": 1,
            }
        )
        self._many("UPDATE record SET frame = ? WHERE seq = ?", [(header.frame, seq) for seq, _ in lines])

    def in_flight(self) -> list[InFlight]:
        """The frames that may have left, in the order of their numbers."""
        select = "SELECT number, header, digest, weight, is_unsure FROM frame ORDER BY number"
        return [InFlight(**row) for row in self._database.query(select)]

    def frame_again(self, frame: InFlight, key: SigningKey) -> tuple[bytes, int]:
        """The bytes of a frame as they left the first time, and how many records it holds."""
        select = "SELECT line FROM record WHERE frame = ? ORDER BY seq"
        lines = [row["line"] for row in self._database.query(select, [frame.number])]
        header = Header(**json.loads(frame.header))
        return encode_frame(header, lines, lambda digest: key.sign(digest).signature), len(lines)

    def note_leaving(self, numbers: Iterable[int]) -> None:
        """Note, before bytes leave, that nobody will know whether these frames arrived."""
        self._many("UPDATE frame SET is_unsure = 1 WHERE number = ?", [(number,) for number in numbers])

    def _many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._database.conn.executemany(sql, rows)

    def _insert(self, finished: Sequence[Finished]) -> list[str]:
        named = [(each.id or str(uuid4()), each) for each in finished]
        held = self._held([id for id, _ in named])
        seq = self.link.next_seq
        sealer = self._sealer(finished)
        rows: list[dict[str, Any]] = []
        for id, each in named:
            if id not in held:
                held.add(id)
                rows += _rows(each, id, seq + len(rows), sealer, self.folder)
                self.files.send(each.content.get("complaint", id), each.content)
        if rows:
            self._database.table("record").insert_all(rows)
            self.note(next_seq=seq + len(rows))
        for each in finished:
            if each.op == TASK_DONE:
                self.tasks.leave(each.content["task"])
        return [id for id, _ in named]

    def _sealer(self, finished: Sequence[Finished]) -> Sealer | None:
        """What seals these operations; None when none of them says anything of a person."""
        if any(each.op in SEALED_OPERATIONS for each in finished):
            return Sealer.of(self.require_enrolled())
        return None

    def _held(self, ids: Sequence[str]) -> set[str]:
        held: set[str] = set()
        for start in range(0, len(ids), _IDS_A_QUERY):
            some = ids[start : start + _IDS_A_QUERY]
            places = ",".join("?" * len(some))
            rows = self._database.query(f"SELECT id FROM record WHERE id IN ({places})", some)
            held.update(row["id"] for row in rows)
        return held

    def _forget_device(self) -> None:
        """Frames signed by keys that are no longer ours are of no use; their records are cut anew."""
        self._database.execute("UPDATE record SET frame = NULL")
        self._database.execute("DELETE FROM frame")
        self.note(is_revoked=0, is_wiped=0, last_order=0, cursor=None, last_change=0)

    def _begin_epoch(self, epoch: str | None) -> None:
        """In a new epoch the hub may lack what it had: offer all that is still held, trust no old position."""
        known = self.link.epoch
        if epoch == known:
            return
        if known is not None:
            self._database.execute(
                "UPDATE record SET waiting = 1, position = NULL"
                " WHERE line IS NOT NULL AND state IN ('at_centre', 'kept_aside')"
            )
            self.files.begin_epoch()
        self.note(epoch=epoch, cursor=None, last_change=0, backed_up_to=None)

    def _apply_report(self, report: FrameReport, position: int | None) -> Counter[str]:
        if report.unread is not None:
            self._database.execute("UPDATE frame SET is_unsure = 0 WHERE number = ?", [report.frame])
            return Counter()
        select = "SELECT seq, op, state FROM record WHERE frame = ? ORDER BY seq"
        rows = list(self._database.query(select, [report.frame]))
        if len(rows) != report.n:
            return Counter()  # of a frame that was answered before
        concluded = [(row, *_concluded(row["state"], report.verdict(at))) for at, row in enumerate(rows)]
        self._many(
            "UPDATE record SET state = ?, code = ?, field = ?, waiting = 0, frame = NULL, position = ? WHERE seq = ?",
            [(*outcome, position, row["seq"]) for row, *outcome in concluded],
        )
        self._database.execute("DELETE FROM frame WHERE number = ?", [report.frame])
        return Counter(state for row, state, _, _ in concluded if state != row["state"] and row["op"] not in _UNCOUNTED)

    def _settle_positions(self, position: int | None) -> None:
        """A report that was asked for comes without a position: any later one covers it as well."""
        if position is not None:
            self._database.execute(
                "UPDATE record SET position = ? WHERE position IS NULL AND waiting = 0 AND line IS NOT NULL",
                [position],
            )

    def _apply_changes(self, answer: HubAnswer) -> tuple[int, int]:
        """How many changes were new: those that a person may count, and those of files."""
        before = self.link.last_change
        last, count, of_files = (0 if answer.is_reset else before), 0, 0
        for change in answer.changes:
            n = change.get("n")
            if isinstance(n, int) and n > last:
                self._apply_change(n, dict(change))
                is_of_file = change.get("kind") == FILE
                last, count, of_files = n, count + (not is_of_file), of_files + is_of_file
        # An answer that took long, or was carried, must not lead back to changes read since.
        if answer.cursor is not None and (answer.is_reset or last > before):
            self.note(cursor=answer.cursor, last_change=last)
        return count, of_files

    def _apply_change(self, n: int, change: dict[str, Any]) -> None:
        if change.get("kind") in CHANGES:
            self.tasks.apply(n, change, self.require_enrolled().keys.box)
            return
        if change.get("kind") == FILE:
            self.files.apply(change, self.link.next_seq)
            return
        id = self._named(change.get("id"))
        if change.get("kind") != "state":
            self.received.keep_reply(n, id or str(change.get("id", "")), change)
        elif id is not None and change.get("state") == STORED:
            self._database.execute(
                "UPDATE record SET state = 'at_centre', code = NULL, field = NULL WHERE id = ?", [id]
            )
        step = steps.read(change) if change.get("kind") == steps.KIND else None
        status = change.get("status") if step is None else step.code
        if id is not None and isinstance(status, str):
            self._database.execute("UPDATE record SET status = ? WHERE id = ?", [shown(status, CODE_MOST_CHARS), id])

    def _named(self, prefix: object) -> str | None:
        """The record that the hub means: a prefix is unique among those it knows of this lineage."""
        if not isinstance(prefix, str) or not prefix:
            return None
        select = "SELECT id, waiting FROM record WHERE id >= ? AND id < ?"
        found = list(self._database.query(select, [prefix, prefix + "g"]))
        known = [row for row in found if not row["waiting"]] or found
        return str(known[0]["id"]) if len(known) == 1 else None

    def _prune(self, backed_up_to: int | None) -> bool:
        """Drop lines that a verified backup holds; the record stays, without its words. Whether files went."""
        if backed_up_to is None:
            return False
        self._database.execute(
            "UPDATE record SET line = NULL WHERE line IS NOT NULL AND waiting = 0 AND position <= ?"
            " AND state IN ('at_centre', 'kept_aside')",
            [backed_up_to],
        )
        self.note(backed_up_to=backed_up_to)
        return self.files.prune(backed_up_to)

    def _note_answer(self, answer: HubAnswer, now: datetime) -> None:
        next_frame = self.link.next_frame
        free = min(answer.rolled_back or 0, next_frame + _FRAMES_SKIPPED_MAX)
        self.note(
            clock_ahead_s=int((now - answer.now).total_seconds()),
            next_frame=max(next_frame, free),
        )
        self.received.note_contact(answer.now)
        self.tasks.end(answer.now.date())


_SELECT_RECORD: Final = (
    "SELECT id, seq, op, about, picture, receipt, state, code, field, status, change, is_seen, frame, position"
    " FROM record"
)


def _record(row: dict[str, Any]) -> Record:
    change, frame, position = row.pop("change"), row.pop("frame"), row.pop("position")
    row["is_seen"] = bool(row["is_seen"])
    if row["state"] == "here" and frame is not None:
        row["state"] = "sending"
    return Record(**row, is_answered=change is not None, acked_position=position)


def _rows(finished: Finished, id: str, seq: int, sealer: Sealer | None, folder: Folder) -> list[dict[str, Any]]:
    """The row of an operation, and that of the linkage that goes along with it."""
    # What no hub can read is refused with the place at fault, which nobody finds in a box.
    _line(finished, id, seq)
    if sealer is None or finished.op not in SEALED_OPERATIONS:
        return [_row(finished, id, seq)]
    known = scope_of(finished.content)
    content = sealer.seal(id, finished.content, known or finished.scope)
    sealed = _row(replace(finished, content=content), id, seq)
    sealed["scope"] = None if known is None else hide_scope(known, folder)
    linked = sealer.link(finished.op, id, finished.content)
    if linked is None:
        return [sealed]
    return [sealed, _row(Finished(LINKAGE, linked), str(uuid4()), seq + 1)]


def _row(finished: Finished, id: str, seq: int) -> dict[str, Any]:
    about = finished.content.get("complaint")
    return {
        "seq": seq,
        "id": id,
        "op": finished.op,
        "about": about if isinstance(about, str) else None,
        "line": _line(finished, id, seq),
        "scope": None,
        "picture": finished.picture,
        "receipt": finished.receipt,
        "state": "here",
        "is_seen": 0,
        "waiting": 1,
    }


def _line(finished: Finished, id: str, seq: int) -> bytes:
    try:
        line = canonical({"content": finished.content, "id": id, "op": finished.op, "seq": seq})
        read_operation(line)
    except Unreadable as problem:
        raise ContentRefused(why=problem.code, field=problem.field) from None
    return line


def _concluded(state: str, verdict: Verdict) -> tuple[str, str | None, str | None]:
    """State, code and field after a verdict: what is at the centre stays there."""
    if verdict.name in AT_THE_CENTRE or state == "at_centre":
        return "at_centre", None, None
    return ("rejected" if verdict.name == REJECTED else "kept_aside"), verdict.code, verdict.field


def _enrolment_row(enrolled: Enrolled) -> dict[str, Any]:
    row = {name: value for name, value in vars(enrolled).items() if name not in ("keys", "epoch")}
    return row | {"id": 1, "sign": bytes(enrolled.keys.sign), "box": bytes(enrolled.keys.box)}
