"""Errors in plain words: what happened, what is kept, what to do."""

from typing import Final

from client_sync.commands.session import Session
from client_sync.errors import ClientError, ContentRefused

_NOT_IN_LIST: Final = "code_unknown"


def sentence(error: ClientError, session: Session) -> str:
    """The words for an error."""
    details = error.details | {"program": session.program}
    # The words for this code are those of the hub, which keeps what it does not know; here nothing is closed.
    if isinstance(error, ContentRefused) and details["why"] == _NOT_IN_LIST:
        return session.texts.text("new.not_in_list", field=details["field"])
    if "why" in details:
        details["why"] = code_words(str(details["why"]), session)
    return session.texts.text(f"error.{error.code}", **details)


def code_words(code: str, session: Session) -> str:
    """The words for a code of the wire, of this program, or of a newer hub that says what we don't know."""
    try:
        return session.texts.text(f"error.{code}", program=session.program)
    except KeyError:
        return session.texts.text("error.unknown", code=code)
