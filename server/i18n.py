"""The hub's own message catalogues."""

from client_sync.i18n import Catalogue


def catalogue(language: str) -> Catalogue:
    """The hub's texts in `language` (`fr`, `en` or `bm`), French where a text is not translated.

    Raises LookupError for any other language.
    """
    return Catalogue.load("server", language)
