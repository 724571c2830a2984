"""Enclosures: the copies of pieces of evidence that go with lines, file by file, and in a line how many they are."""

from collections.abc import Iterator
from typing import Final

from client_sync.protocol.vocabulary import label
from server.figure_words import Words
from server.services.commission.content import Content
from server.services.commission.papers import figures

HEAD: Final = ("ref", "fichier", "nature_code", "nature", "objet_code", "objet", "sha256", "numero_envoi")
# Columns of codes, by the list of the vocabulary that these stand in.
LISTS: Final = {"nature_code": "file_kind", "objet_code": "file_role"}


def rows(content: Content, words: Words) -> Iterator[tuple[str, ...]]:
    """The files, by HEAD, in the order of the lines."""
    for each in content.copies:
        kind, role = (
            label(name, code, words.language) for name, code in zip(LISTS.values(), (each.kind, each.role), strict=True)
        )
        yield each.ref, each.file, each.kind, kind, each.role, role, each.sha256, content.number.text


def told(content: Content, words: Words) -> str:
    """What is said of them wherever a package says what is in it; nothing where there are none."""
    if not content.copies:
        return ""
    number = figures.alone(content.pieces)
    return words.text("papers.pieces", number=words.text("papers.hidden") if number is None else number)
