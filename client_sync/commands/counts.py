"""The three counts, and what it would weigh and cost to send what waits."""

from typing import Final

from client_sync.commands.session import Session
from client_sync.outbox import Outbox
from client_sync.protocol.limits import FRAME_RECORDS_MAX, JSON_INTEGER_MAX

# Headers and the empty members of one request and its answer.
_ROUND_TRIP_BYTES: Final = 900


def show_counts(session: Session, outbox: Outbox) -> None:
    """Write the three counts, and what sending would cost when something waits."""
    counts = outbox.counts()
    for key, n in (("home.here", counts.here), ("home.at_centre", counts.at_centre)):
        session.say_count(key, n)
    session.say_count("home.answered", counts.answered)
    if visits := outbox.tasks.count():
        session.say_count("home.visits", visits)
    if (pending := outbox.files.pending()).count:
        cost = session.preferences.cost_xof(pending.bytes)
        session.say_count("files.pending", pending.count, size=shown_bytes(session, pending.bytes), cost=cost)
    if outbox.waiting():
        size = weight_bytes(outbox)
        cost = session.preferences.cost_xof(size)
        session.say("home.cost", size=shown_bytes(session, size), cost=cost)


def weight_bytes(outbox: Outbox) -> int:
    """What the operations that wait would weigh on the wire, by the compression measured last."""
    lines = outbox.next_lines(0, JSON_INTEGER_MAX)
    plain = sum(len(line) + 1 for _, line in lines)
    if len(lines) == FRAME_RECORDS_MAX:
        # No more lines are given at once: the others are taken to be like these.
        plain = plain * outbox.waiting() // len(lines)
    flying = sum(frame.weight for frame in outbox.in_flight())
    return _ROUND_TRIP_BYTES + flying + round(plain * outbox.link.ratio)


def shown_bytes(session: Session, size: int) -> str:
    """A number of bytes for people, in thousands or millions."""
    is_small = size < 1_000_000
    number = f"{size / (1_000 if is_small else 1_000_000):.1f}".replace(".", session.texts.text("number.point"))
    return session.texts.text("number.kilobytes" if is_small else "number.megabytes", number=number)
