"""Reasons in words: what somebody writes into the log who opens what is closed."""

from typing import Final

from server.domain.errors import ReasonMissing

# Enough for a sentence, and too short for what was opened to be copied into the log.
REASON_MIN_CHARS: Final = 10
REASON_MAX_CHARS: Final = 500


def checked_reason(words: str) -> str:
    """The reason as the log keeps it, without blanks around it; several between two words count as one.

    Raises ReasonMissing, with `least` and `most`, where it has fewer or more characters than these.
    """
    written = words.strip()
    if len(" ".join(written.split())) < REASON_MIN_CHARS or len(written) > REASON_MAX_CHARS:
        raise ReasonMissing(least=REASON_MIN_CHARS, most=REASON_MAX_CHARS)
    return written
