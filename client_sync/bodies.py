"""Bodies: what goes up in one request, cut so that a broken link costs one frame (PROTOCOL §3.2)."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from client_sync.outbox import Outbox
from client_sync.protocol.coding import Coding, best_coding, deflater
from client_sync.protocol.frames import Header, encode_frame
from client_sync.protocol.limits import FRAME_MAX_BYTES, FRAME_MIN_BYTES, FRAME_RECORDS_MAX, INFLATION_RATIO_MAX
from client_sync.tables import Enrolled, InFlight, Link

BODY_LEAST_BYTES: Final = FRAME_MAX_BYTES
BODY_MOST_BYTES: Final = 512 * 2**10
# Asking costs a round trip and 300 bytes; below this it is cheaper to send the frames again.
ASK_ABOVE_BYTES: Final = 4 * 2**10
DIGEST_DIGITS: Final = 16

_FRAME_AIM_BYTES: Final = (FRAME_MIN_BYTES + FRAME_MAX_BYTES) // 2
# A body that turns out to inflate beyond the hub's cap is sent as it is: then it has to fit uncompressed.
_PLAIN_MOST_BYTES: Final = 4 * 2**20
# What was measured on one frame says little of a frame of another kind.
_RATIO_LEAST: Final = 0.1
# The least that a hub may be asked for, and the share of a body: what cuts long bodies cuts long answers.
_CHANGES_LEAST_BYTES: Final = 2 * 2**10
_CHANGES_SHARE: Final = 4

Lines = Sequence[tuple[int, bytes]]


@dataclass(frozen=True)
class Body:
    """One request: its bytes, the frames of records in it, and how many records a person would count in these."""

    data: bytes
    coding: Coding
    frames: tuple[int, ...]
    records: int
    asks: bool


def gather(outbox: Outbox, now: datetime, version: str, most_bytes: int | None = None) -> Body:
    """The next body: frames that may have left before, as they were, then new ones up to the body's size.

    What it holds is on the disk as *in flight* when this returns. `most_bytes` is the compressed size to aim
    at, by default what the link bore so far. A revoked device sends a frame without records.
    """
    with outbox.writing():
        writer = _Writer(outbox, now, version)
        if writer.link.is_revoked:
            return writer.only_ask([])
        again = outbox.in_flight()
        most_bytes = most_bytes or writer.link.body_bytes
        return writer.write(_fitting(again, most_bytes), most_bytes)


def gather_parts(outbox: Outbox, now: datetime, version: str, digest: str) -> Body:
    """A body without records, signed for the parts of files that travel behind it; `digest` is theirs."""
    with outbox.writing():
        return _Writer(outbox, now, version).only_lead(digest)


def gather_questions(outbox: Outbox, now: datetime, version: str) -> Body | None:
    """A body that only asks about frames that may have arrived; None when sending them again costs less."""
    with outbox.writing():
        unsure = [frame for frame in outbox.in_flight() if frame.is_unsure]
        if outbox.link.is_revoked or sum(frame.weight for frame in unsure) <= ASK_ABOVE_BYTES:
            return None
        return _Writer(outbox, now, version).only_ask(unsure[:FRAME_RECORDS_MAX])


def next_body_bytes(body_bytes: int, *, arrived: bool) -> int:
    """The size of the next body: double after a success, half after a failure, a frame at the least."""
    wanted = body_bytes * 2 if arrived else body_bytes // 2
    return min(max(wanted, BODY_LEAST_BYTES), BODY_MOST_BYTES)


class _Writer:
    """Writes the frames of one body, inside the caller's transaction."""

    def __init__(self, outbox: Outbox, now: datetime, version: str) -> None:
        self.link: Link = outbox.link
        self._outbox = outbox
        self._enrolled: Enrolled = outbox.require_enrolled()
        self._at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        self._version = version
        self._coding: Coding = "gzip" if self.link.dictionary_refused else best_coding()
        self._deflater = deflater(self._coding)
        self._frames: list[bytes] = []
        self._compressed: list[bytes] = []

    def only_ask(self, about: Sequence[InFlight]) -> Body:
        """A body with no record in it."""
        self._write_lead(about, self._outbox.waiting())
        return self._body([], 0)

    def only_lead(self, parts: str) -> Body:
        """A body with one frame, that speaks of parts and holds no record."""
        self._write_lead([], self._outbox.waiting(), parts)
        return self._body([], 0)

    def write(self, again: Sequence[InFlight], most_bytes: int) -> Body:
        """A body of frames that left before, and of new ones in the room that is left."""
        room = most_bytes - sum(frame.weight for frame in again)
        groups = self._plan(room, is_first=not again)
        numbers = [frame.number for frame in again]
        resent = [self._outbox.frame_again(frame, self._enrolled.keys.sign) for frame in again]
        left = self._outbox.waiting() - sum(n for _, n in resent) - sum(len(group) for group in groups)
        if again or not groups:
            # A frame sent again keeps its old header: what is asked for now stands in a frame of its own.
            self._write_lead([], left)
        for frame, _ in resent:
            self._add(frame)
        for group in groups:
            numbers.append(self._write_new(group, left if not numbers else None))
        self._outbox.note_leaving(numbers)
        return self._body(numbers, self._outbox.counted_in(numbers))

    def _plan(self, room: int, *, is_first: bool) -> list[Lines]:
        """New records in groups, each of the size of a frame by the ratio measured last."""
        groups: list[Lines] = []
        after, size = 0, 0
        while (is_first and not groups) or (room >= FRAME_MIN_BYTES and size < _PLAIN_MOST_BYTES):
            group = self._next_group(after)
            if not group:
                break
            groups.append(group)
            after = group[-1][0]
            plain = sum(len(line) for _, line in group)
            size += plain
            room -= round(plain * self._ratio)
        return groups

    def _next_group(self, after: int) -> Lines:
        group = self._outbox.next_lines(after, round(_FRAME_AIM_BYTES / self._ratio))
        while len(group) > 1 and _weight_at_most(group) > FRAME_MAX_BYTES:
            group = group[: len(group) // 2]
        return group

    @property
    def _ratio(self) -> float:
        return max(self.link.ratio, _RATIO_LEAST)

    def _write_lead(self, about: Sequence[InFlight], left: int, parts: str | None = None) -> None:
        header = self._header(left, tuple((frame.number, frame.digest[:DIGEST_DIGITS]) for frame in about))
        self._add(encode_frame(replace(header, parts=parts), [], self._sign))

    def _write_new(self, group: Lines, left: int | None) -> int:
        """Write a new frame and keep it as in flight; the first of a body says what is asked for."""
        header = self._header(left)
        frame = encode_frame(header, [line for _, line in group], self._sign)
        weight = self._add(frame)
        self._outbox.put_in_flight(header, group, weight)
        self._outbox.note(ratio=weight / len(frame))
        return header.frame

    def _header(self, left: int | None, ask: tuple[tuple[int, str], ...] = ()) -> Header:
        number = self._outbox.take_frame_number()
        plain = Header(self._enrolled.device, self._enrolled.hub, self.link.epoch, number, self._at)
        if left is None:
            return plain
        return Header(
            **vars(plain)
            | {
                "cursor": self.link.cursor,
                "limit": max(self.link.body_bytes // _CHANGES_SHARE, _CHANGES_LEAST_BYTES),
                "ask": ask,
                "backed_up_to": self.link.backed_up_to,
                "waiting": left,
                "version": self._version,
                "anchor": self.link.anchor_size,
                "order": self.link.last_order or None,
                "files": True if self._outbox.files.pending().count else None,
            }
        )

    def _sign(self, digest: bytes) -> bytes:
        return self._enrolled.keys.sign.sign(digest).signature

    def _add(self, frame: bytes) -> int:
        compressed = self._deflater.add(frame)
        self._frames.append(frame)
        self._compressed.append(compressed)
        return len(compressed)

    def _body(self, numbers: Sequence[int], records: int) -> Body:
        data = b"".join(self._compressed) + self._deflater.finish()
        plain = b"".join(self._frames)
        asks = not numbers
        if len(plain) * 2 > len(data) * INFLATION_RATIO_MAX:
            return Body(plain, "identity", tuple(numbers), records, asks)
        return Body(data, self._coding, tuple(numbers), records, asks)


def _fitting(frames: Sequence[InFlight], most_bytes: int) -> list[InFlight]:
    """The first frames that fit in a body; one at least, if there is any."""
    fitting: list[InFlight] = []
    size = 0
    for frame in frames:
        size += frame.weight
        if fitting and size > most_bytes:
            break
        fitting.append(frame)
    return fitting


def _weight_at_most(group: Lines) -> int:
    """A quick upper bound of what a group weighs compressed."""
    return len(zlib.compress(b"\n".join(line for _, line in group), 1))
