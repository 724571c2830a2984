"""Errors in plain words: what happened, what is kept, what to do."""

from client_sync.errors import ClientError
from client_sync.i18n import Catalogue


def sentence(error: ClientError, texts: Catalogue) -> str:
    """The words for an error."""
    if "why" not in error.details:
        return texts.text(f"error.{error.code}", **error.details)
    why = code_words(str(error.details["why"]), texts)
    return texts.text(f"error.{error.code}", **(error.details | {"why": why}))


def code_words(code: str, texts: Catalogue) -> str:
    """The words for a code of the wire, of this program, or of a newer hub that says what we don't know."""
    try:
        return texts.text(f"error.{code}")
    except KeyError:
        return texts.text("error.unknown", code=code)
