"""Digests that are of no use to who has not the pepper."""

import hashlib
import hmac
from typing import Final

# What a device names a frame by when it asks for its report (PROTOCOL §3.2).
FRAME_DIGITS: Final = 16


def keyed(digest: str, pepper: bytes) -> str:
    """A digest under the pepper, 64 hexadecimal digits.

    Who knows all of a text but a name can try names on its plain digest; on this one only beside the hub's secrets.
    """
    return hmac.new(pepper, digest.encode(), hashlib.sha256).hexdigest()


def frame_mark(digest: str, pepper: bytes) -> str:
    """What the hub knows a frame again by, from its digest or the digits that a device names it by."""
    return keyed(digest[:FRAME_DIGITS], pepper)
