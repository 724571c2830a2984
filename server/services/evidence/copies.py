"""Working copies: what a person looks at in the place of a file, made by a process that has nothing to lose."""

import logging
import subprocess
import sys
from threading import BoundedSemaphore
from typing import Final

from server.domain.errors import Busy
from server.domain.working_copy import LARGE, Covered, Made, NotCopied, asked, read_answered

log = logging.getLogger(__name__)

_TIMEOUT_S: Final = 120
# Each may take more memory than the rest of a hub.
_AT_ONCE: Final = 2
_WAIT_S: Final = 5
_free = BoundedSemaphore(_AT_ONCE)


def working_copy(data: bytes, media_type: str, covered: Covered, side: int = LARGE) -> Made:
    """A safe copy of an opened file of a type of the protocol, without what is covered; no picture of it is longer than
    `side` pixels.

    Raises NotCopied, and Busy while as many others are made as a small hub can bear.
    """
    if not _free.acquire(timeout=_WAIT_S):
        raise Busy
    try:
        # Without a word of our environment: what a decoder is made to do there, it does for nothing.
        done = subprocess.run(
            [sys.executable, "-m", "server.copyist"],
            input=asked(data, media_type, covered, side),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotCopied("too_large") from None
    finally:
        _free.release()
    if done.returncode > 0:
        # It did not come to the file at all: that says nothing of it.
        log.error("copyist_failed", extra={"code": str(done.returncode)})
        raise Busy
    return read_answered(done.stdout)
