"""What the device saw of the hub's log: kept as a witness, and held against each anchor that comes (PROTOCOL §6)."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

from marshmallow import EXCLUDE, Schema, ValidationError, fields
from marshmallow.validate import Length, Range, Regexp
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from client_sync.outbox import Finished, Outbox
from client_sync.protocol.anchors import ANCHOR_SEEN, Anchor, is_consistent
from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import from_text, to_text
from client_sync.protocol.limits import JSON_INTEGER_MAX
from client_sync.tables import Enrolled

# What came of an anchor: the log grew out of what was seen; a declared restore lost some of it; neither.
Outcome = Literal["grown", "restored", "differs"]

# There is one a day: after so many without, a person is told.
SILENT_DAYS_MAX: Final = 3


_DAY_CHARS: Final = 10


@dataclass(frozen=True)
class _Signed:
    """An anchor that our hub signed, with the proof that came along."""

    anchor: Anchor
    signature: bytes
    proof: bytes

    def members(self) -> dict[str, Any]:
        """As it is kept, and told to the hub."""
        return {"anchor": asdict(self.anchor), "sig": to_text(self.signature)}


def _is_day(text: str) -> None:
    if len(text) != _DAY_CHARS:
        raise ValidationError(text)
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValidationError(text) from None


class _AnchorShape(Schema):
    day = fields.String(required=True, validate=_is_day)
    epoch = fields.String(required=True, validate=Length(1, 64))
    hub = fields.String(required=True)
    root = fields.String(required=True, validate=Regexp(r"\A[0-9a-f]{64}\Z"))
    size = fields.Integer(required=True, strict=True, validate=Range(1, JSON_INTEGER_MAX))


class _SignedShape(Schema):
    class Meta:
        unknown = EXCLUDE

    anchor = fields.Nested(_AnchorShape, required=True)
    proof = fields.String(load_default="")
    sig = fields.String(required=True)


_SIGNED: Final = _SignedShape()


def witness(outbox: Outbox, came: Mapping[str, Any] | None) -> Outcome | None:
    """Hold the anchor of an answer against the one that the device keeps; None when there is nothing to say.

    One that grew out of it takes its place. After a declared restore that lost what was seen, the new one is
    kept beside the old. Any other is refused, and the hub is told once more what was seen.
    """
    if came is None or outbox.link.is_wiped:
        return None
    seen, new = _kept(outbox), _trusted(came, outbox.require_enrolled())
    if new is None or (seen is not None and not _grew(seen, new) and seen.anchor.epoch == new.anchor.epoch):
        if not outbox.link.has_log_differed:
            outbox.note(has_log_differed=1, is_anchor_untold=int(seen is not None))
        return "differs"
    if seen is None or _grew(seen, new):
        _keep(outbox, new)
        return "grown"
    # The hub may not know of the old one: it is told before the new one takes its place.
    tell(outbox)
    lost = [*_lines(outbox.link.anchors_lost), _text(seen)]
    _keep(outbox, new, anchors_lost="\n".join(lost))
    return "restored"


def note_answer(outbox: Outbox, now: datetime) -> None:
    """Note on which day the hub answered on the line, by its own clock: from the first on anchors are to come."""
    day, since = now.date().isoformat(), outbox.link.watched_since
    if day != outbox.link.answered_on:
        outbox.note(answered_on=day, watched_since=min(day, since or day))


def silent_days(outbox: Outbox) -> int | None:
    """For how many days the hub answers and brings no anchor of its log; None while that is as it should be.

    Carried answers bring none, and none comes to a device that is revoked. One dated ahead says no more than an old.
    """
    link, seen = outbox.link, _kept(outbox)
    if link.answered_on is None or link.watched_since is None or link.is_revoked or link.is_wiped:
        return None
    today, since = date.fromisoformat(link.answered_on), date.fromisoformat(link.watched_since)
    days = (today - since).days
    if seen is not None:
        days = min(days, abs((today - date.fromisoformat(seen.anchor.day)).days))
    return days if days > SILENT_DAYS_MAX else None


def tell(outbox: Outbox) -> None:
    """Finalise what the hub is to hear of what was seen: it goes up with the next body."""
    seen, link = _kept(outbox), outbox.link
    if seen is None or not link.is_anchor_untold or link.is_revoked or link.is_wiped:
        return
    # A kill between the two tells it twice, which is once.
    outbox.finalise_all([Finished(ANCHOR_SEEN, seen.members())])
    outbox.note(is_anchor_untold=0)


def witnesses(outbox: Outbox) -> list[bytes]:
    """What the device can bear witness of, each as a line that the verifier reads: the newest anchor last."""
    link, key = outbox.link, outbox.require_enrolled().hub_sign_key.hex()
    kept = _lines(link.anchors_lost) + _lines(link.anchor)
    return [canonical(json.loads(text) | {"key": key}) for text in kept]


def _grew(seen: _Signed, new: _Signed) -> bool:
    first, second = seen.anchor, new.anchor
    roots = bytes.fromhex(first.root), bytes.fromhex(second.root)
    return is_consistent((first.size, roots[0]), (second.size, roots[1]), new.proof)


def _keep(outbox: Outbox, new: _Signed, **columns: Any) -> None:
    size = new.anchor.size
    outbox.note(anchor=_text(new), anchor_size=size, is_anchor_untold=1, **columns)


def _kept(outbox: Outbox) -> _Signed | None:
    text = outbox.link.anchor
    return None if text is None else _read(json.loads(text))


def _trusted(came: Mapping[str, Any], enrolled: Enrolled) -> _Signed | None:
    """The anchor, when our hub signed it."""
    try:
        signed = _read(_SIGNED.load(came))
        VerifyKey(enrolled.hub_sign_key).verify(signed.anchor.digest(), signed.signature)
    except (ValidationError, BadSignatureError, ValueError):
        return None
    return signed if signed.anchor.hub == enrolled.hub else None


def _read(members: Mapping[str, Any]) -> _Signed:
    return _Signed(Anchor(**members["anchor"]), from_text(members["sig"]), from_text(members.get("proof", "")))


def _text(signed: _Signed) -> str:
    return canonical(signed.members()).decode()


def _lines(text: str | None) -> list[str]:
    return text.splitlines() if text else []
