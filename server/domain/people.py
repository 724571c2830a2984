"""People of the hub: roles, names, how long a session lasts, and how long a wrong guess has to wait."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

Role = Literal["monitor", "verifier", "coordinator", "administrator", "commission", "auditor"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
# Whoever sees more than one team's work proves also that a device of theirs is at hand.
SECOND_FACTOR_ROLES: Final[frozenset[Role]] = frozenset({"coordinator", "administrator", "commission", "auditor"})
# Who may be given something sealed to open on the hub.
KEY_ROLES: Final[frozenset[Role]] = frozenset({"verifier", "coordinator"})

IDLE_MAX: Final = timedelta(minutes=15)
SESSION_MAX: Final = timedelta(hours=8)
# Between the passphrase and the code.
CODE_MAX: Final = timedelta(minutes=5)

# How long sign-up words let their holder in, to choose a passphrase.
SIGN_UP_MAX: Final = timedelta(days=3)

# How long wrong guesses are counted on where nobody gets in.
FAILURES_KEPT: Final = timedelta(days=30)

NAME_MAX_CHARS: Final = 80
_FREE_FAILURES: Final = 2
_DELAY_MAX_S: Final = 30


@dataclass(frozen=True)
class HeldKeys:
    """The private keys, 32 bytes by key id, that a person has in hand for the length of a session."""

    private: Mapping[str, bytes] = field(repr=False)


NO_KEYS: Final = HeldKeys({})


def login_delay(failures: int) -> timedelta:
    """How long the next try has to wait after so many failures in a row: 1 s after the third, then twice the last.

    Never more than 30 s: whoever guesses at a name must not lock its holder out.
    """
    if failures <= _FREE_FAILURES:
        return timedelta()
    return timedelta(seconds=min(_DELAY_MAX_S, 2 ** min(failures - _FREE_FAILURES - 1, 10)))


def is_told(failures: int) -> bool:
    """Whether the log tells of this failure in a row: of the 1st, 2nd, 4th, 8th …, so that guessing can't flood it."""
    return failures.bit_count() == 1


def is_over(made_at: datetime, used_at: datetime, now: datetime) -> bool:
    """Whether a session has ended by itself: idle for 15 minutes, or 8 hours old."""
    return now - used_at > IDLE_MAX or now - made_at > SESSION_MAX


def login_name(text: str) -> str:
    """A name as accounts are found by: case, spacing and the form of accents don't count."""
    return written_name(text).casefold()


def written_name(text: str) -> str:
    """A name as people read it: as it was written, but for spacing and the form of accents."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def is_login_name(name: str) -> bool:
    """Whether an account can have this name, which `login_name` or `written_name` gave."""
    return 0 < len(name) <= NAME_MAX_CHARS and name.isprintable()
