"""The hub's own message catalogues."""

from typing import Final

from client_sync.i18n import Catalogue

LANGUAGES: Final = ("fr", "en", "bm")


def catalogue(language: str) -> Catalogue:
    """The hub's texts in `language`, one of LANGUAGES, French where a text is not translated.

    Raises LookupError for any other language.
    """
    return Catalogue.load("server", language)
