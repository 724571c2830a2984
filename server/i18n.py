"""The hub's own message catalogues."""

from typing import Final

from client_sync.i18n import Catalogue as Catalogue

LANGUAGES: Final = ("fr", "en", "bm")


def catalogue(language: str) -> Catalogue:
    """The hub's texts in `language`, one of LANGUAGES, French where a text is not translated.

    Raises LookupError for any other language.
    """
    return Catalogue.load("server", language)


def field_catalogue(language: str) -> Catalogue:
    """What devices say, for sentences that are read aloud at the hub as they are in the field. As `catalogue`."""
    return Catalogue.load("client_sync", language)
