"""Wrong passphrases: how long the next one has to wait, kept in a small file beside the key slot.

It slows down a person at the keyboard. Who copies the slot pays for each guess with argon2id alone.
"""

import json
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Final

from client_sync.clocks import surely_passed_s
from client_sync.errors import PassphraseTooSoon
from client_sync.stores import write_durably

# A mistyped accent costs nothing; then doubling, and never more than a quarter of an hour: nobody is locked out.
FREE_TRIES: Final = 3
FIRST_DELAY_S: Final = 5.0
MOST_DELAY_S: Final = 900.0


@dataclass(frozen=True)
class Tries:
    """Tries in a row that did not open the vault, and `running_s` at the last of them."""

    count: int = 0
    at_s: float = 0.0

    @property
    def delay_s(self) -> float:
        """How long the next try has to wait after the last one."""
        if self.count < FREE_TRIES:
            return 0.0
        return float(min(FIRST_DELAY_S * 2 ** min(self.count - FREE_TRIES, 20), MOST_DELAY_S))

    def wait_s(self, now_s: float) -> float:
        """What is left of the delay. No setting of a clock changes it; a restart of the machine starts it anew."""
        return max(self.delay_s - surely_passed_s(self.at_s, now_s), 0.0)


def require_rested(path: Path, now_s: float) -> Tries:
    """The tries so far, once the delay after the last one is over. Raises PassphraseTooSoon."""
    tries = _read(path)
    if (left := tries.wait_s(now_s)) > 0:
        raise PassphraseTooSoon(wait_s=ceil(left))
    return tries


def begin(path: Path, now_s: float) -> None:
    """Count a try before it is made: a kill in the middle of one must not make it free. Raises PassphraseTooSoon."""
    tries = require_rested(path, now_s)
    write_durably(path, json.dumps(asdict(Tries(tries.count + 1, now_s))).encode())


def forget(path: Path) -> None:
    """The passphrase was right."""
    path.unlink(missing_ok=True)


def _read(path: Path) -> Tries:
    try:
        return Tries(**json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        # Who can spoil the file can delete it as well; the holder must not be shut out by it.
        return Tries()
