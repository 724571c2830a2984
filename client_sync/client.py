"""Synchronisation: one session of a device with its hub, over a link that may break at any byte."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Final, Literal

from client_sync.anchors import Outcome, note_answer, tell, witness
from client_sync.answers import Needed, read_answer
from client_sync.bodies import Body, gather, gather_questions, next_body_bytes
from client_sync.bundle import post_carried
from client_sync.errors import ClientError, HubBusy, HubRefuses, LinkCut, NotAnAnswer
from client_sync.files import Wanted
from client_sync.obedience import ERASED, obey
from client_sync.outbox import Applied, Outbox
from client_sync.transport import Answer, HttpTransport
from client_sync.uploads import USUAL_PACE, Arrived, Pace, Unfit, Uploads

StepName = Literal["gather", "push", "apply_verdicts", "pull", "apply_changes", "upload"]

# A hub that always has more must not keep a phone on the line: the next session goes on from there.
ROUND_TRIPS_MAX: Final = 200
BACKOFF_FIRST_S: Final = 5.0
BACKOFF_MOST_S: Final = 900.0
_BUSY_S: Final = 60
_REVOKED: Final = "device_revoked"
_SENT_AGAIN: Final = frozenset({"over_limit", "not_here"})
_GZIP_WILL_DO: Final = ("dictionary_unknown", "coding_unknown")
# A body that broke on its way can look like this to a hub: as with a cut, a smaller one may pass.
_BROKEN_ON_ITS_WAY: Final = ("body_empty", "body_unreadable", "body_too_large")


@dataclass(frozen=True)
class Step:
    """Where a session is: for `gather` and `push` the records and bytes of the body, for `apply_verdicts` the
    records settled, for `apply_changes` the changes applied, for `upload` the files that the hub lacks and the bytes of
    them; `waiting` operations are still on the device."""

    name: StepName
    records: int
    bytes: int
    waiting: int


@dataclass(frozen=True)
class SyncReport:
    """How far a session came. All counts are of this session.

    `sent` records left the device; `stored`, `kept_aside` and `rejected` came to that state here. `bytes_up`
    and `bytes_down` are HTTP with its headers. `is_whole` says that nothing of ours is left to exchange now; else
    the link was `cut`, the hub asked to come back in `retry_after_s`, or it said `refused_code`. `orders` are the
    kinds of orders obeyed; with `erased` nothing of the device is left. `carried` parcels of others were posted.
    `log` is what came of the anchor of the hub's log, None when none came. `sync_after_s` is when the hub thinks that
    it is worth coming again with nothing to send, if it said so. `files` arrived whole.
    """

    sent: int
    stored: int
    kept_aside: int
    rejected: int
    changes: int
    round_trips: int
    bytes_up: int
    bytes_down: int
    cut: bool
    retry_after_s: int | None
    refused_code: str | None
    orders: tuple[str, ...]
    carried: int
    log: Outcome | None = None
    sync_after_s: int | None = None
    files: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether the session ended because nothing was left to exchange."""
        return not self.cut and self.retry_after_s is None and self.refused_code is None


def utc_now() -> datetime:
    """The clock of the device."""
    return datetime.now(UTC)


class SyncClient:
    """Brings the outbox of an enrolled device and its hub together.

    `now` is the device's clock, whose time is only ever claimed; `rng` jitters the waiting; `version` is told
    to the hub.
    """

    def __init__(
        self,
        outbox: Outbox,
        transport: HttpTransport,
        *,
        now: Callable[[], datetime] = utc_now,
        rng: Random,
        version: str,
        pace: Pace = USUAL_PACE,
    ) -> None:
        self._outbox = outbox
        self._transport = transport
        self._now = now
        self._rng = rng
        self._version = version
        self._pace = pace
        self._failures = 0

    def sync(self, progress: Callable[[Step], None] | None = None) -> SyncReport:
        """One whole session: all texts up, verdicts, changes and orders down, carried parcels, and files last.

        A text that is finalised while files go up goes before the rest of them.

        Never raises for a bad link or a hub that refuses: the report says how far it came, and the next
        session goes on from there. Raises NotEnrolled, and StoreFull or StoreFailed for the device's own disk.
        """
        session = _Session(self._outbox, self._transport, self._now, self._version, progress, self._pace)
        try:
            session.run()
        except (LinkCut, NotAnAnswer) as error:
            session.note_cut(error)
        except HubBusy as busy:
            session.retry_after_s = busy.retry_after_s or _BUSY_S
            session.refused_code = busy.code
        except HubRefuses as refusal:
            session.note_refusal(refusal.code)
        report = session.report()
        self._failures = 0 if report.is_whole else self._failures + 1
        return report

    def wait_s(self, report: SyncReport) -> float:
        """How long to wait before the next session, after one that was not whole: what the hub asked, or
        doubling with every failure in a row; drawn from the upper half, so that devices don't come back together.
        """
        backoff = min(BACKOFF_FIRST_S * 2 ** min(self._failures - 1, 20), BACKOFF_MOST_S)
        if report.retry_after_s is not None:
            return report.retry_after_s + self._rng.uniform(0, BACKOFF_FIRST_S)
        return self._rng.uniform(backoff / 2, backoff)


@dataclass
class _Session:
    """One session in progress."""

    outbox: Outbox
    transport: HttpTransport
    now: Callable[[], datetime]
    version: str
    progress: Callable[[Step], None] | None
    pace: Pace
    cut: bool = False
    retry_after_s: int | None = None
    refused_code: str | None = None
    orders: list[str] = field(default_factory=list)
    log: Outcome | None = None
    sync_after_s: int | None = None
    _sent: int = 0
    _stored: int = 0
    _kept_aside: int = 0
    _rejected: int = 0
    _changes: int = 0
    _round_trips: int = 0
    _carried: int = 0
    _files: int = 0
    _need: tuple[Needed, ...] = ()

    def __post_init__(self) -> None:
        enrolled = self.outbox.require_enrolled()
        self._token = enrolled.token
        self._uploads = Uploads(self.transport, enrolled.device, enrolled.token, self.pace)
        self._up_before, self._down_before = self.transport.bytes_up, self.transport.bytes_down

    def run(self) -> None:
        """Ask about what may have arrived, push and pull until nothing is left, post what is carried, send files."""
        tell(self.outbox)
        body = gather_questions(self.outbox, self.now(), self.version)
        if body is None:
            body = gather(self.outbox, self.now(), self.version)
        self._exchange(body)
        if not self._ends:
            self._carried = post_carried(self.outbox, self.transport)
        while not self._ends and (wanted := self._wanted()):
            before = self._uploads.bytes
            self._uploads.run(wanted, self._note_upload, self._has_text)
            has_moved = self._uploads.bytes > before or self._has_text()
            # What arrived is told by the answer, and a text that came meanwhile goes now.
            self._exchange(gather(self.outbox, self.now(), self.version))
            if not has_moved:
                return

    def _exchange(self, body: Body) -> None:
        """Push and pull until no text is left."""
        while self._round_trip(body):
            if self._round_trips >= ROUND_TRIPS_MAX:
                self.cut = True
                return
            body = gather(self.outbox, self.now(), self.version)

    @property
    def _ends(self) -> bool:
        return self._is_over or self.cut

    def _wanted(self) -> list[Wanted]:
        """The files that the hub asked for in its last answer, without those that were given up."""
        needed = (each for each in self._need if each.sha256 not in self._uploads.given_up)
        return self.outbox.files.note_needed(needed)

    def _has_text(self) -> bool:
        return self.outbox.waiting() > 0

    def _note_upload(self, said: Arrived | Unfit) -> None:
        if isinstance(said, Unfit):
            self.outbox.files.note_refused(said.sha256, said.code)
        else:
            self._files += self.outbox.files.note_arrived(said.sha256, said.offset)
        pending = self.outbox.files.pending()
        self._step("upload", pending.count, pending.bytes)

    def note_cut(self, error: ClientError) -> None:
        """The link broke, or something else than the hub answered: try smaller bodies."""
        self.cut = True
        self._resize(arrived=False)
        if not isinstance(error, LinkCut) or error.code != LinkCut.code:
            self.refused_code = error.code

    def note_refusal(self, code: str) -> None:
        """The hub read nothing and said why."""
        self.refused_code = code
        if code in _BROKEN_ON_ITS_WAY:
            self._resize(arrived=False)

    def report(self) -> SyncReport:
        """What became of it."""
        return SyncReport(
            sent=self._sent,
            stored=self._stored,
            kept_aside=self._kept_aside,
            rejected=self._rejected,
            changes=self._changes,
            round_trips=self._round_trips,
            bytes_up=self.transport.bytes_up - self._up_before,
            bytes_down=self.transport.bytes_down - self._down_before,
            cut=self.cut,
            retry_after_s=self.retry_after_s,
            refused_code=self.refused_code,
            orders=tuple(self.orders),
            carried=self._carried,
            log=self.log,
            sync_after_s=self.sync_after_s,
            files=self._files,
        )

    def _round_trip(self, body: Body) -> bool:
        """One request and what follows from its answer; whether another is needed."""
        self._step("gather", body.records, len(body.data))
        answer = self._push(body)
        if answer is None:
            return True
        return self._take_in(body, answer)

    def _push(self, body: Body) -> Answer | None:
        """The answer of the hub; None when it wants the same frames in another coding."""
        self._step("push" if body.records else "pull", body.records, len(body.data))
        self._round_trips += 1
        self._sent += body.records
        try:
            return self.transport.sync(body.data, body.coding, self._token)
        except HubRefuses as refusal:
            if refusal.code not in _GZIP_WILL_DO or body.coding != "zstd":
                raise
        self.outbox.note(dictionary_refused=1)
        return None

    def _take_in(self, body: Body, answer: Answer) -> bool:
        """Apply an answer; whether there is reason to ask again."""
        said = read_answer(answer.members)
        applied = self.outbox.apply(said, self.now(), body.frames)
        self._count(applied)
        self.retry_after_s = said.retry_after_s
        self.sync_after_s = said.sync_after_s
        self._need = said.need
        self.orders += obey(self.outbox, said.orders)
        if self._is_over:
            return False
        note_answer(self.outbox, said.now)
        self.log = witness(self.outbox, said.anchor) or self.log
        self._resize(arrived=True)
        self._note_unread(applied.unread)
        waits = self.outbox.waiting() > 0
        if waits and body.frames and not applied.frames:
            # The hub answers and reads nothing: coming again at once would go on for ever.
            self.cut = True
        goes_on = waits or (said.has_more and applied.changes + applied.files > 0)
        return goes_on and not self.cut and not self._is_over

    def _note_unread(self, reasons: frozenset[str]) -> None:
        """Frames that this version of the hub can't read wait for one that can."""
        lasting = reasons - _SENT_AGAIN
        if lasting:
            self.refused_code = min(lasting)

    def _count(self, applied: Applied) -> None:
        self._stored += applied.stored
        self._kept_aside += applied.kept_aside
        self._rejected += applied.rejected
        self._changes += applied.changes
        self._step("apply_verdicts", applied.stored + applied.kept_aside + applied.rejected, 0)
        self._step("apply_changes", applied.changes, 0)

    def _resize(self, *, arrived: bool) -> None:
        self.outbox.note(body_bytes=next_body_bytes(self.outbox.link.body_bytes, arrived=arrived))

    def _step(self, name: StepName, records: int, size: int) -> None:
        if self.progress is not None:
            self.progress(Step(name, records, size, self.outbox.waiting()))

    @property
    def _is_over(self) -> bool:
        """Whether the hub said to stop: for now, for good, or because there is no device any more."""
        if ERASED in self.orders or self.retry_after_s is not None or self.refused_code is not None:
            return True
        if self.outbox.link.is_revoked:
            self.refused_code = _REVOKED
        return self.refused_code is not None
