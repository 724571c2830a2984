"""The three counts, and what it would weigh and cost to send what waits."""

from client_sync.commands.session import Session
from client_sync.outbox import Outbox
from client_sync.protocol.limits import JSON_INTEGER_MAX

# Headers of one request and one answer, as measured on a first session.
_ROUND_TRIP_BYTES = 900


def show_counts(session: Session, outbox: Outbox) -> None:
    """Write the three counts, and what sending would cost when something waits."""
    counts = outbox.counts()
    for key, n in (("here", counts.here), ("at_centre", counts.at_centre), ("answered", counts.answered)):
        session.say(f"home.{key}", n=n)
    if outbox.waiting():
        size = weight_bytes(outbox)
        cost = session.preferences.cost_xof(size)
        session.say("home.cost", size=shown_bytes(session, size), cost=cost)


def weight_bytes(outbox: Outbox) -> int:
    """What the operations that wait would weigh on the wire, by the compression measured last."""
    flying = outbox.in_flight()
    lines = outbox.next_lines(0, JSON_INTEGER_MAX)
    plain = sum(len(line) + 1 for _, line in lines)
    size = sum(frame.weight for frame in flying) + round(plain * outbox.link.ratio)
    # Only so many lines are looked at: the others are taken to be like them.
    left = sum(record.state == "here" for record in outbox.records()) if len(lines) == 2000 else len(lines)
    return _ROUND_TRIP_BYTES + size * max(left, 1) // max(len(lines), 1)


def shown_bytes(session: Session, size: int) -> str:
    """A number of bytes for people, in thousands or millions."""
    kilo = size < 1_000_000
    number = f"{size / (1_000 if kilo else 1_000_000):.1f}".replace(".", session.texts.text("number.point"))
    return session.texts.text("number.kilobytes" if kilo else "number.megabytes", number=number)
